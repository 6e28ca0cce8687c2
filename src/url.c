// SPDX-License-Identifier: MIT
/*
 * URLs of stores: see url.h.  Called by store_open_url(), the registry and
 * the mount.  RFC 3986 with two liberties of DESIGN: '#' is an ordinary byte,
 * and the last '@' of the authority ends the user part.
 *
 * A password must not reach a message even when the URL is malformed, so no
 * message here quotes more than the scheme or the port's position.
 */
#include "config.h"

#include "src/url.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"

enum { URL_MAX = 64 * 1024, PORT_MAX = 65535 };

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t scheme_length(const char *text)
{
	size_t length = 0;

	if (!is_letter(*text))
		return 0;
	while (is_letter(text[length]) || is_digit(text[length]) ||
	       (text[length] && strchr("+-.", text[length])))
		length++;
	return text[length] == ':' ? length : 0;
}

bool store_url_is(const char *text)
{
	return scheme_length(text) > 0;
}

int store_url_decode(const char *text, size_t length, const char *what,
		     char **decoded, struct store_error *error)
{
	char *out = malloc(length + 1);
	size_t used = 0;

	if (!out)
		return store_error_set(error, STORE_NO_MEMORY, "URL: %s",
				       store_code_text(STORE_NO_MEMORY));
	for (size_t i = 0; i < length; i++) {
		int high, low;
		bool zero;

		if (text[i] != '%') {
			out[used++] = text[i];
			continue;
		}
		high = i + 1 < length ? text_hex_digit(text[i + 1]) : -1;
		low = i + 2 < length ? text_hex_digit(text[i + 2]) : -1;
		zero = high == 0 && low == 0;
		if (high < 0 || low < 0 || zero) {
			secret_wipe(out, used);
			free(out);
			return store_error_set(
				error, STORE_INVALID,
				zero ? "URL: %%00 in the %s"
				     : "URL: '%%' without two hexadecimal "
				       "digits in the %s (write %%25)",
				what);
		}
		out[used++] = (char)(high * 16 + low);
		i += 2;
	}
	out[used] = '\0';
	*decoded = out;
	return STORE_OK;
}

static int parse_port(const char *text, size_t length, int *port,
		      struct store_error *error)
{
	int value = 0;

	if (!length)
		return STORE_OK; /* "host:" is "host" */
	for (size_t i = 0; i < length; i++) {
		if (!is_digit(text[i]) || value > PORT_MAX)
			break;
		value = value * 10 + (text[i] - '0');
		if (i + 1 == length && value > 0 && value <= PORT_MAX) {
			*port = value;
			return STORE_OK;
		}
	}
	return store_error_set(error, STORE_INVALID,
			       "URL: the port is not a number from 1 to %d",
			       PORT_MAX);
}

/* "host", "host:port", "[v6]:port". */
static int parse_host(const char *text, size_t length, struct store_url *url,
		      struct store_error *error)
{
	const char *end = text + length;
	const char *host_end, *colon;

	if (length && *text == '[') {
		host_end = memchr(text, ']', length);
		if (!host_end)
			return store_error_set(error, STORE_INVALID,
					       "URL: '[' without ']'");
		colon = host_end + 1;
		text++;
		if (colon < end && *colon != ':')
			return store_error_set(error, STORE_INVALID,
					       "URL: text between ']' and ':'");
	} else {
		colon = memchr(text, ':', length);
		if (!colon)
			colon = end;
		host_end = colon;
	}
	if (colon < end) {
		int code = parse_port(colon + 1, (size_t)(end - colon - 1),
				      &url->port, error);

		if (code)
			return code;
	}
	return store_url_decode(text, (size_t)(host_end - text), "host",
				&url->host, error);
}

static int parse_user(const char *text, size_t length, struct store_url *url,
		      struct store_error *error)
{
	const char *colon = memchr(text, ':', length);
	size_t user = colon ? (size_t)(colon - text) : length;
	int code = store_url_decode(text, user, "user", &url->user, error);

	if (code || !colon)
		return code;
	return store_url_decode(colon + 1, length - user - 1, "password",
				&url->password, error);
}

static int parse_authority(const char *text, size_t length,
			   struct store_url *url, struct store_error *error)
{
	const char *at = memrchr(text, '@', length);

	if (at) {
		int code = parse_user(text, (size_t)(at - text), url, error);

		if (code)
			return code;
		length -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	return parse_host(text, length, url, error);
}

/* Everything behind "scheme:". */
static int parse_rest(const char *rest, struct store_url *url,
		      struct store_error *error)
{
	size_t length = 0;
	int code;

	if (!strncmp(rest, "//", 2)) {
		rest += 2;
		length = strcspn(rest, "/?");
	} else if (*rest && *rest != '/' && *rest != '?') {
		return store_error_set(error, STORE_INVALID,
				       "URL: '//' must follow '%s:'",
				       url->scheme);
	}
	code = parse_authority(rest, length, url, error);
	if (code)
		return code;
	rest += length;
	length = strcspn(rest, "?");
	code = store_url_decode(rest, length, "path", &url->path, error);
	if (code || !rest[length])
		return code;
	url->query = strdup(rest + length + 1);
	if (!url->query)
		return store_error_set(error, STORE_NO_MEMORY, "URL: %s",
				       store_code_text(STORE_NO_MEMORY));
	return STORE_OK;
}

int store_url_parse(const char *text, struct store_url *url,
		    struct store_error *error)
{
	struct store_url result = { .port = -1 };
	size_t length = scheme_length(text);
	int code;

	if (!length)
		return store_error_set(error, STORE_INVALID,
				       "not a URL: no 'scheme:' in front");
	if (strnlen(text, URL_MAX + 1) > URL_MAX)
		return store_error_set(error, STORE_INVALID,
				       "URL: more than %d bytes", URL_MAX);
	result.scheme = strndup(text, length);
	if (!result.scheme)
		return store_error_set(error, STORE_NO_MEMORY, "URL: %s",
				       store_code_text(STORE_NO_MEMORY));
	for (size_t i = 0; i < length; i++) {
		if (is_letter(result.scheme[i]))
			result.scheme[i] |= 0x20;
	}
	code = parse_rest(text + length + 1, &result, error);
	if (code) {
		store_url_release(&result);
		return code;
	}
	*url = result;
	return STORE_OK;
}

void store_url_release(struct store_url *url)
{
	free(url->scheme);
	free(url->user);
	secret_free(url->password);
	free(url->host);
	free(url->path);
	secret_free(url->query);
	*url = (struct store_url){ .port = -1 };
}

int store_url_each_option(const struct store_url *url, option_item_fn *fn,
			  void *arg, struct store_error *error)
{
	const char *item = url->query;
	int code = STORE_OK;

	while (!code && item && *item) {
		size_t length = strcspn(item, "&");
		const char *equals = memchr(item, '=', length);
		size_t name_length = equals ? (size_t)(equals - item) : length;
		char *name CLEANUP_FREE = NULL;
		char *value = NULL;

		if (length)
			code = store_url_decode(item, name_length, "options",
						&name, error);
		if (!code && equals)
			code = store_url_decode(equals + 1,
						length - name_length - 1,
						"options", &value, error);
		if (!code && name && !*name)
			code = store_error_set(error, STORE_INVALID,
					       "URL: an option without a name");
		if (!code && name)
			code = fn(arg, name, value, error);
		secret_free(value);
		item += length;
		if (*item)
			item++;
	}
	return code;
}
