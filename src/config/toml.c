// SPDX-License-Identifier: MIT
/*
 * One-line TOML values: see toml.h.  Called by document.c.  Written from the
 * grammar of TOML 1.0.0 (toml.io/en/v1.0.0); no state.
 */
#include "config.h"

#include "src/config/toml.h"
#include "src/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PAIR_MAX = 64 * 1024 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What is no digit at all is none of any base. */
static int digit_value(char c)
{
	int value = text_hex_digit(c);

	return value < 0 ? 16 : value;
}

static void skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		++*text;
}

/* ---- strings ---- */

static void add_utf8(uint32_t point, struct buf *out)
{
	if (point < 0x80) {
		buf_add_char(out, (char)point);
		return;
	}
	if (point < 0x800) {
		buf_add_char(out, (char)(0xc0 | point >> 6));
	} else {
		if (point < 0x10000) {
			buf_add_char(out, (char)(0xe0 | point >> 12));
		} else {
			buf_add_char(out, (char)(0xf0 | point >> 18));
			buf_add_char(out, (char)(0x80 | (point >> 12 & 0x3f)));
		}
		buf_add_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
	}
	buf_add_char(out, (char)(0x80 | (point & 0x3f)));
}

/* \uXXXX and \UXXXXXXXX; *text stands behind the letter. */
static const char *unicode_escape(const char **text, int digits,
				  struct buf *out)
{
	uint32_t point = 0;

	for (int i = 0; i < digits; i++) {
		int value = digit_value(**text);

		if (value == 16)
			return "a \\u or \\U escape with too few digits";
		point = point << 4 | (uint32_t)value;
		++*text;
	}
	if (!point)
		return "a NUL character";
	if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return "a \\u or \\U escape that is no character";
	add_utf8(point, out);
	return NULL;
}

static const char *escape(const char **text, struct buf *out)
{
	static const char letters[] = "btnfr\"\\";
	static const char meanings[] = "\b\t\n\f\r\"\\";
	char c = **text;
	const char *letter = c ? strchr(letters, c) : NULL;

	if (c == 'u' || c == 'U') {
		++*text;
		return unicode_escape(text, c == 'u' ? 4 : 8, out);
	}
	if (!letter)
		return "an unknown '\\' escape in a string (write \\\\)";
	buf_add_char(out, meanings[letter - letters]);
	++*text;
	return NULL;
}

static const char *string(const char **text, struct buf *out)
{
	const char quote = **text;
	const char *problem = NULL;

	if ((*text)[1] == quote && (*text)[2] == quote)
		return "multi-line strings are not supported";
	for (++*text; !problem && **text && **text != quote;) {
		if (quote == '"' && **text == '\\') {
			++*text;
			problem = escape(text, out);
		} else {
			buf_add_char(out, *(*text)++);
		}
	}
	if (problem)
		return problem;
	if (**text != quote)
		return "a string without its closing quote";
	++*text;
	return NULL;
}

/* ---- numbers and booleans ---- */

static bool is_word_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr("_+-.:", c));
}

/* Digits with single '_' between them; the '_' are left out. */
static const char *digits(const char **p, const char *end, int base,
			  struct buf *out)
{
	bool last_was_digit = false;

	for (; *p < end; ++*p) {
		if (**p == '_' && last_was_digit) {
			last_was_digit = false;
			continue;
		}
		if (digit_value(**p) >= base)
			break;
		buf_add_char(out, **p);
		last_was_digit = true;
	}
	return last_was_digit ? NULL : "a malformed number";
}

/* 0x, 0o and 0b: decimal, but octal stays as it is, for permission bits. */
static const char *prefixed(const char *p, const char *end, struct buf *out)
{
	struct buf raw CLEANUP_BUF = BUF_INIT(128);
	int base = p[1] == 'x' ? 16 : p[1] == 'o' ? 8 : 2;
	const char *problem;
	uint64_t sum = 0;

	p += 2;
	problem = digits(&p, end, base, &raw);
	if (raw.failed)
		out->failed = raw.failed;
	if (problem || p != end)
		return "a malformed number";
	if (base == 8) {
		buf_addf(out, "0o%s", buf_text(&raw));
		return NULL;
	}
	for (const char *c = buf_text(&raw); *c; c++) {
		if (sum > INT64_MAX / 16)
			return "a number that is too large";
		sum = sum * (uint64_t)base + (uint64_t)digit_value(*c);
	}
	buf_addf(out, "%llu", (unsigned long long)sum);
	return NULL;
}

static const char *exponent(const char **p, const char *end, struct buf *out)
{
	buf_add_char(out, *(*p)++);
	if (*p < end && (**p == '+' || **p == '-'))
		buf_add_char(out, *(*p)++);
	return digits(p, end, 10, out);
}

static const char *number(const char *p, const char *end, struct buf *out)
{
	const char *problem;

	if (end - p > 2 && *p == '0' && strchr("xob", p[1]))
		return prefixed(p, end, out);
	if (*p == '-')
		buf_add_char(out, '-');
	if (*p == '-' || *p == '+')
		p++;
	if (end - p > 1 && *p == '0' && (is_digit(p[1]) || p[1] == '_'))
		return "a number must not start with 0 (octal is 0o...)";
	problem = digits(&p, end, 10, out);
	if (!problem && p < end && *p == '.') {
		buf_add_char(out, *p++);
		problem = digits(&p, end, 10, out);
	}
	if (!problem && p < end && (*p == 'e' || *p == 'E'))
		problem = exponent(&p, end, out);
	if (!problem && p < end && (*p == '-' || *p == ':'))
		return "dates and times are not supported";
	if (!problem && p < end)
		return "a malformed number";
	return problem;
}

static const char *word(const char **text, struct buf *out)
{
	const char *start = *text, *end = start;
	size_t length;

	while (is_word_byte(*end))
		end++;
	*text = end;
	length = (size_t)(end - start);
	if ((length == 4 && !memcmp(start, "true", 4)) ||
	    (length == 5 && !memcmp(start, "false", 5))) {
		buf_add(out, start, length);
		return NULL;
	}
	if (length &&
	    (is_digit(*start) ||
	     (length > 1 && strchr("+-", *start) && is_digit(start[1]))))
		return number(start, end, out);
	return "text must stand in quotes";
}

const char *toml_scalar(const char **text, struct buf *out)
{
	switch (**text) {
	case '"':
	case '\'':
		return string(text, out);
	case '[':
		return "arrays are not supported";
	case '{':
		return "tables are supported for options and retry only, and "
		       "not within a table";
	case '\0':
	case '#':
		return "the value is missing";
	default:
		return word(text, out);
	}
}

const char *toml_end(const char *text)
{
	skip_blanks(&text);
	if (!*text || *text == '#')
		return NULL;
	return "text behind the value";
}

/* ---- inline tables ---- */

static const char *key(const char **text, struct buf *out)
{
	if (**text == '"' || **text == '\'')
		return string(text, out);
	while (is_digit(**text) || (**text >= 'a' && **text <= 'z') ||
	       (**text >= 'A' && **text <= 'Z') || **text == '_' ||
	       **text == '-')
		buf_add_char(out, *(*text)++);
	/* Out of memory it is empty for another reason, which sticks. */
	return out->length || out->failed ? NULL : "a table needs name = value";
}

static const char *pair(const char **text, toml_pair_fn *fn, void *arg,
			int *code)
{
	struct buf name CLEANUP_BUF = BUF_INIT(PAIR_MAX);
	struct buf value CLEANUP_BUF = BUF_INIT(PAIR_MAX);
	const char *problem = key(text, &name);

	if (problem)
		return problem;
	skip_blanks(text);
	if (**text == '.')
		return "dotted names are not supported within a table";
	if (**text != '=')
		return "a table needs name = value";
	++*text;
	skip_blanks(text);
	problem = toml_scalar(text, &value);
	if (problem)
		return problem;
	if (name.failed == STORE_TOO_LARGE || value.failed == STORE_TOO_LARGE)
		return "a name or value in a table is too long";
	if (name.failed || value.failed)
		*code = STORE_NO_MEMORY;
	else
		*code = fn(arg, buf_text(&name), buf_text(&value));
	skip_blanks(text);
	return NULL;
}

const char *toml_table(const char **text, toml_pair_fn *fn, void *arg,
		       int *code)
{
	*code = STORE_OK;
	++*text;
	skip_blanks(text);
	while (**text && **text != '}') {
		const char *problem = pair(text, fn, arg, code);

		if (problem || *code)
			return problem;
		if (**text == '}')
			break;
		if (**text == ',')
			++*text;
		else if (**text)
			return "a table needs ',' or '}' behind a value";
		skip_blanks(text);
	}
	if (**text != '}')
		return "a table must end with '}' on the same line";
	++*text;
	return NULL;
}
