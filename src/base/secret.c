// SPDX-License-Identifier: MIT
/*
 * Secrets: see secret.h.  Called by the option tables, the configuration and
 * whoever prints a URL.  Masking works on raw text, because the text that
 * most needs it is the one that does not parse.
 */
#include "config.h"

#include "src/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "src/base/buf.h"
#include "src/base/text.h"

enum { NAME_MAX_LENGTH = 64 };

void secret_wipe(void *data, size_t size)
{
#ifdef HAVE_EXPLICIT_BZERO
	explicit_bzero(data, size);
#else
	volatile unsigned char *bytes = data;

	while (size--)
		*bytes++ = 0;
#endif
}

void secret_free(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

static const char *const secret_names[] = {
	"account_key", "api_key",    "connection_string", "credential", "key",
	"passwd",      "pkey",	     "private_key",	  "pwd",	"sas",
	"sig",	       "access_key", "storage_key",	  "shared_key", NULL,
};
static const char *const secret_words[] = { "secret", "password", "passphrase",
					    "token", NULL };

bool secret_name(const char *name)
{
	for (size_t i = 0; secret_names[i]; i++) {
		if (!strcasecmp(name, secret_names[i]))
			return true;
	}
	for (size_t i = 0; secret_words[i]; i++) {
		if (strcasestr(name, secret_words[i]))
			return true;
	}
	return false;
}

/*
 * Where the password of a URL may stand: [*start, *end) behind the first ':'
 * of the authority and before its last '@'.  A password with a raw '/' makes
 * the authority seem to end early; so when there is no '@' in it and what
 * follows its ':' is no port, any later '@' ends the password.
 */
static bool password_span(const char *url, const char **start, const char **end)
{
	const char *authority = strstr(url, "://");
	const char *colon, *at = NULL, *stop;

	if (!authority)
		return false;
	authority += 3;
	stop = authority + strcspn(authority, "/?");
	for (const char *p = authority; p < stop; p++) {
		if (*p == '@')
			at = p;
	}
	colon = memchr(authority, ':', (size_t)(stop - authority));
	if (!colon)
		return false;
	if (!at && *authority != '[' &&
	    strspn(colon + 1, "0123456789") < (size_t)(stop - colon - 1))
		at = strrchr(stop, '@');
	if (!at || colon > at)
		return false;
	*start = colon + 1;
	*end = at;
	return *end > *start;
}

/* Is the name in front of '=' a secret's, also when percent-encoded? */
static bool secret_parameter(const char *text, size_t length)
{
	char name[NAME_MAX_LENGTH + 1];
	size_t used = 0;

	for (size_t i = 0; i < length && used < NAME_MAX_LENGTH; i++) {
		if (text[i] == '%' && i + 2 < length &&
		    text_hex_digit(text[i + 1]) >= 0 &&
		    text_hex_digit(text[i + 2]) >= 0) {
			name[used++] = (char)(text_hex_digit(text[i + 1]) * 16 +
					      text_hex_digit(text[i + 2]));
			i += 2;
		} else {
			name[used++] = text[i];
		}
	}
	name[used] = '\0';
	return secret_name(name);
}

/* Copy the options of a URL, masked; true when something was. */
static bool mask_query(const char *query, struct buf *out)
{
	bool found = false;

	while (*query) {
		size_t length = strcspn(query, "&");
		const char *equals = memchr(query, '=', length);

		if (equals && equals + 1 < query + length &&
		    secret_parameter(query, (size_t)(equals - query))) {
			buf_add(out, query, (size_t)(equals - query) + 1);
			buf_add_text(out, SECRET_MASK);
			found = true;
		} else {
			buf_add(out, query, length);
		}
		query += length;
		if (*query)
			buf_add_char(out, *query++);
	}
	return found;
}

static bool has_scheme(const char *text)
{
	return text[strcspn(text, ":/?@ ")] == ':';
}

static bool mask(const char *url, struct buf *out)
{
	const char *start, *end, *query;
	bool found = password_span(url, &start, &end);

	if (!has_scheme(url)) {
		buf_add_text(out, url);
		return false;
	}
	if (found) {
		buf_add(out, url, (size_t)(start - url));
		buf_add_text(out, SECRET_MASK);
		url = end;
	}
	query = strchr(url, '?');
	if (!query) {
		buf_add_text(out, url);
		return found;
	}
	buf_add(out, url, (size_t)(query - url) + 1);
	return mask_query(query + 1, out) || found;
}

bool secret_in_url(const char *url)
{
	struct buf out CLEANUP_BUF = BUF_INIT(SIZE_MAX / 2);

	return mask(url, &out);
}

char *secret_mask_url(const char *url)
{
	struct buf out CLEANUP_BUF = BUF_INIT(SIZE_MAX / 2);

	mask(url, &out);
	return buf_steal(&out);
}
