// SPDX-License-Identifier: MIT
/*
 * What came back: headers, their dates and hints, and what a status means.
 * Called by the transfer that fills it and by those who asked.  No locks.
 */
#include "config.h"

#include "backends/http/engine.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/clock.h"

void http_response_clear(struct http_response *response, size_t body_max)
{
	response->status = 0;
	response->got = 0;
	response->retry_after_ms = 0;
	buf_clear(&response->headers);
	response->headers.max = HTTP_HEADERS_MAX;
	buf_clear(&response->body);
	response->body.max = body_max;
}

void http_exchange_release(struct http_exchange *exchange)
{
	buf_release(&exchange->response.headers);
	buf_release(&exchange->response.body);
}

/* ---- headers ---- */

void http_response_line(struct http_response *response, const char *line,
			size_t length)
{
	const char *colon = memchr(line, ':', length);
	const char *end = line + length;
	const char *value;

	/* A line that starts with a blank would continue another: obsolete. */
	if (!colon || colon == line || memchr(line, '\0', length))
		return;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	for (; line < colon; line++)
		buf_add_char(&response->headers,
			     (char)tolower((unsigned char)*line));
	buf_add_char(&response->headers, '\0');
	buf_add(&response->headers, value, (size_t)(end - value));
	buf_add_char(&response->headers, '\0');
}

const char *http_header_next(const struct http_response *response, size_t *at,
			     const char **value)
{
	const char *name;

	if (*at >= response->headers.length)
		return NULL;
	name = response->headers.data + *at;
	*value = name + strlen(name) + 1;
	*at = (size_t)(*value - response->headers.data) + strlen(*value) + 1;
	return name;
}

const char *http_header(const struct http_response *response, const char *name)
{
	const char *value;
	const char *found;
	size_t at = 0;

	while ((found = http_header_next(response, &at, &value)))
		if (strcmp(found, name) == 0)
			return value;
	return NULL;
}

/* ---- dates ---- */

int64_t http_date(const char *text)
{
	/* Older forms are not sent any more (RFC 9110, 5.6.7). */
	time_t when = curl_getdate(text, NULL);

	return when < 0 ? -1 : (int64_t)when;
}

int64_t http_retry_after(const char *text)
{
	static const int64_t most = INT64_C(86400);
	char *end;
	long long number;
	int64_t when;

	if (!text)
		return 0;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end != text && !*end && !errno && number >= 0)
		return (number > most ? most : number) * 1000;
	when = http_date(text);
	if (when < 0)
		return 0;
	when -= clock_now().tv_sec;
	if (when <= 0)
		return 0;
	return (when > most ? most : when) * 1000;
}

/* ---- status ---- */

int http_status_code(int status)
{
	if (status >= 200 && status < 400)
		return STORE_OK;
	switch (status) {
	case 400:
	case 411:
	case 431:
		return STORE_INVALID;
	case 401:
	case 403:
	case 407:
		return STORE_DENIED;
	case 404:
	case 410:
		return STORE_NOT_FOUND;
	case 405:
	case 501:
		return STORE_NOT_SUPPORTED;
	case 409:
	case 412:
		return STORE_CHANGED;
	case 413:
		return STORE_TOO_LARGE;
	case 423:
		return STORE_LOCKED;
	case 429:
		return STORE_THROTTLED;
	case 408:
	case 500:
	case 502:
	case 503:
	case 504:
		return STORE_UNAVAILABLE;
	case 507:
		return STORE_NO_SPACE;
	default:
		return status >= 500 ? STORE_UNAVAILABLE : STORE_INTERNAL;
	}
}
