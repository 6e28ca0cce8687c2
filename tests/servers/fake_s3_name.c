// SPDX-License-Identifier: MIT
/* Names as they travel: percent-encoding, and names in XML. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

static bool is_plain(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

void fake_encode(struct buf *to, const char *text, bool slash)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_plain(c) || (slash && c == '/'))
			buf_add_char(to, (char)c);
		else
			buf_addf(to, "%%%02X", c);
	}
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fake_decode(char *text, bool plus)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '+' && plus) {
			*to++ = ' ';
			continue;
		}
		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		if (digit(text[1]) < 0 || digit(text[2]) < 0)
			return false;
		*to = (char)(digit(text[1]) * 16 + digit(text[2]));
		if (!*to++)
			return false;
		text += 2;
	}
	*to = '\0';
	return true;
}

static void add_xml(struct buf *to, unsigned char c)
{
	if (c == '&')
		buf_add_text(to, "&amp;");
	else if (c == '<')
		buf_add_text(to, "&lt;");
	else if (c == '>')
		buf_add_text(to, "&gt;");
	else if (c == '"')
		buf_add_text(to, "&quot;");
	else if (c < 32)
		/* As S3 does, although no parser of XML 1.0 takes it. */
		buf_addf(to, "&#x%x;", c);
	else
		buf_add_char(to, (char)c);
}

void fake_list_name(struct buf *to, const char *name, bool url)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (!url)
			add_xml(to, c);
		else if (c == ' ')
			buf_add_char(to, '+');
		else if (isalnum(c) || strchr("-_.*/", c))
			buf_add_char(to, (char)c);
		else
			buf_addf(to, "%%%02X", c);
	}
}
