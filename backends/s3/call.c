// SPDX-License-Identifier: MIT
/*
 * One request: address, headers, signature, answer.
 *
 * Three answers are settled here, once each, because the caller can do
 * nothing better: another region, keys that have ended, and a clock that is
 * off.  All else becomes a code (error.c).
 *
 * Called by every operation; calls the HTTP engine.  Locks: s3->lock guards
 * the region, for a moment.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/s3/sign.h"
#include "src/base/clock.h"
#include "src/base/secret.h"

enum { URL_MAX = 16384, HEADER_MAX = 16384, AT_ONCE = HTTP_AT_ONCE, TRIES = 4 };
/* A clock off by more gives RequestTimeTooSkewed after 15 minutes. */
enum { SKEW_MIN = 240 };
/* Steps of an upload: 0.1, 0.2 ... 3.2 s. */
enum { PATIENCE = 6, PAUSE_NS = 100000000 };

void s3_call_init(struct s3_call *call, const char *method, const char *object)
{
	*call = (struct s3_call){
		.method = method,
		.object = object,
		.idempotent = true,
		.url = BUF_INIT(URL_MAX),
	};
}

void s3_call_release(struct s3_call *call)
{
	for (size_t i = 0; i < call->query_count; i++)
		free(call->query[i].value);
	/* One of them may be a key of the user. */
	for (size_t i = 0; i < call->header_count; i++)
		secret_free(call->headers[i]);
	free(call->headers);
	buf_release(&call->url);
	http_exchange_release(&call->exchange);
}

void s3_call_query(struct s3_call *call, const char *name, const char *value)
{
	CLEANUP_BUF struct buf encoded = BUF_INIT(URL_MAX);

	s3_encode(&encoded, value, false);
	if (call->query_count == sizeof(call->query) / sizeof(call->query[0])) {
		call->failed = true;
		return;
	}
	call->query[call->query_count].name = name;
	call->query[call->query_count].value = buf_steal(&encoded);
	if (!call->query[call->query_count].value)
		call->failed = true;
	else
		call->query_count++;
}

static bool can_be_sent(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 32 || *text == 127)
			return false;
	return true;
}

static void add_line(struct s3_call *call, char *line)
{
	char **more = realloc(call->headers, (call->header_count + 1) *
						     sizeof(*call->headers));

	if (!more) {
		secret_free(line);
		call->failed = true;
		return;
	}
	call->headers = more;
	call->headers[call->header_count++] = line;
}

void s3_call_header(struct s3_call *call, const char *name, const char *format,
		    ...)
{
	CLEANUP_BUF struct buf line = BUF_INIT(HEADER_MAX);
	va_list args;
	char *text;

	buf_addf(&line, "%s: ", name);
	va_start(args, format);
	buf_vaddf(&line, format, args);
	va_end(args);
	text = buf_steal(&line);
	if (text && can_be_sent(text)) {
		add_line(call, text);
		return;
	}
	free(text);
	call->failed = true;
}

void s3_call_customer_key(const struct s3 *s3, struct s3_call *call,
			  const char *prefix)
{
	const struct s3_settings *settings = &s3->settings;
	char name[96];

	if (!settings->sse_customer)
		return;
	snprintf(name, sizeof(name), "%sserver-side-encryption-customer-%s",
		 prefix, "algorithm");
	s3_call_header(call, name, "AES256");
	snprintf(name, sizeof(name), "%sserver-side-encryption-customer-%s",
		 prefix, "key");
	s3_call_header(call, name, "%s", settings->sse_customer);
	snprintf(name, sizeof(name), "%sserver-side-encryption-customer-%s",
		 prefix, "key-md5");
	s3_call_header(call, name, "%s", settings->sse_customer_md5);
}

const char *s3_call_answer(const struct s3_call *call, const char *header)
{
	return http_header(&call->exchange.response, header);
}

int s3_call_status(const struct s3_call *call)
{
	return call->exchange.response.status;
}

/* ---- address ---- */

/* A bucket that can be part of a host name, also under a certificate. */
static bool fits_host(const char *bucket)
{
	for (; *bucket; bucket++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *bucket))
			return false;
	return true;
}

static bool is_virtual(const struct s3 *s3)
{
	if (s3->settings.style != S3_STYLE_AUTO)
		return s3->settings.style == S3_STYLE_VIRTUAL;
	return !s3->settings.endpoint && fits_host(s3->settings.bucket);
}

/* "https", and "host[:port]" behind it. */
static const char *split_endpoint(const char *endpoint, size_t *scheme)
{
	const char *host = strstr(endpoint, "://");

	*scheme = (size_t)(host - endpoint);
	return host + 3;
}

static bool is_private(const struct s3 *s3)
{
	return !s3->settings.endpoint ||
	       strncmp(s3->settings.endpoint, "https:", 6) == 0;
}

struct address {
	struct buf host;
	struct buf path;
	struct buf query;
	char *region;
};

static void address_release(struct address *address)
{
	buf_release(&address->host);
	buf_release(&address->path);
	buf_release(&address->query);
	free(address->region);
}

static char *region_now(struct s3 *s3)
{
	char *region;

	lock_take(&s3->lock);
	region = strdup(s3->region);
	lock_drop(&s3->lock);
	return region;
}

static int compare_query(const void *a, const void *b)
{
	const struct s3_query *left = a;
	const struct s3_query *right = b;

	return strcmp(left->name, right->name);
}

static void add_query(struct s3_call *call, struct buf *text)
{
	qsort(call->query, call->query_count, sizeof(call->query[0]),
	      compare_query);
	for (size_t i = 0; i < call->query_count; i++)
		buf_addf(text, "%s%s=%s", i ? "&" : "", call->query[i].name,
			 call->query[i].value);
}

static int find_address(struct s3 *s3, struct s3_call *call,
			struct address *address)
{
	const struct s3_settings *settings = &s3->settings;
	bool virtual = is_virtual(s3);
	const char *scheme = "https";
	size_t scheme_length = strlen(scheme);

	address->region = region_now(s3);
	if (!address->region)
		return store_error_set(&call->error, STORE_NO_MEMORY,
				       "out of memory");
	if (virtual)
		buf_addf(&address->host, "%s.", settings->bucket);
	if (settings->endpoint) {
		scheme = settings->endpoint;
		buf_add_text(&address->host,
			     split_endpoint(scheme, &scheme_length));
	} else {
		buf_addf(&address->host, "s3.%s.amazonaws.com%s",
			 address->region,
			 strncmp(address->region, "cn-", 3) == 0 ? ".cn" : "");
	}
	buf_add_char(&address->path, '/');
	if (!virtual) {
		buf_add_text(&address->path, settings->bucket);
		if (call->object)
			buf_add_char(&address->path, '/');
	}
	if (call->object)
		s3_encode(&address->path, call->object, true);
	add_query(call, &address->query);
	buf_clear(&call->url);
	buf_addf(&call->url, "%.*s://%s%s%s%s", (int)scheme_length, scheme,
		 buf_text(&address->host), buf_text(&address->path),
		 address->query.length ? "?" : "", buf_text(&address->query));
	return buf_error(&call->url, "an address", &call->error);
}

/* ---- signing ---- */

/* Headers of one attempt; the first ones are the call's own. */
struct lines {
	const char **list; /* NULL-terminated */
	size_t count;
	struct buf host;
	struct buf date;
	struct buf payload;
	struct buf token;
	struct buf authorization;
};

static void lines_release(struct lines *lines)
{
	free(lines->list);
	buf_release(&lines->host);
	buf_release(&lines->date);
	buf_release(&lines->payload);
	if (lines->token.data)
		secret_wipe(lines->token.data, lines->token.length);
	buf_release(&lines->token);
	buf_release(&lines->authorization);
}

static const char *payload_of(const struct s3 *s3, const struct s3_call *call)
{
	if (call->payload[0])
		return call->payload;
	if (!call->body || !call->body->size)
		return S3_EMPTY_SHA256;
	return is_private(s3) ? S3_UNSIGNED : S3_EMPTY_SHA256;
}

static void own_lines(struct s3 *s3, struct s3_call *call,
		      const struct address *address, const struct s3_keys *keys,
		      int64_t now, struct lines *lines)
{
	char date[17];

	for (size_t i = 0; i < call->header_count; i++)
		lines->list[lines->count++] = call->headers[i];
	buf_addf(&lines->host, "host: %s", buf_text(&address->host));
	lines->list[lines->count++] = buf_text(&lines->host);
	if (!keys->access)
		return;
	if (s3->settings.requester_pays)
		lines->list[lines->count++] = "x-amz-request-payer: requester";
	s3_sign_date(now, date);
	buf_addf(&lines->date, "x-amz-date: %s", date);
	lines->list[lines->count++] = buf_text(&lines->date);
	buf_addf(&lines->payload, "x-amz-content-sha256: %s",
		 payload_of(s3, call));
	lines->list[lines->count++] = buf_text(&lines->payload);
	if (keys->token) {
		buf_addf(&lines->token, "x-amz-security-token: %s",
			 keys->token);
		lines->list[lines->count++] = buf_text(&lines->token);
	}
}

static int sign_lines(struct s3 *s3, struct s3_call *call,
		      const struct address *address, const struct s3_keys *keys,
		      struct lines *lines)
{
	int64_t now = clock_now().tv_sec + atomic_load(&s3->skew);
	struct s3_signing signing = {
		.method = call->method,
		.path = buf_text(&address->path),
		.query = buf_text(&address->query),
		.payload = payload_of(s3, call),
		.access = keys->access,
		.secret = keys->secret,
		.region = address->region,
		.service = "s3",
		.time = now,
	};
	int code;

	lines->list = calloc(call->header_count + 7, sizeof(*lines->list));
	if (!lines->list)
		return store_error_set(&call->error, STORE_NO_MEMORY,
				       "out of memory");
	own_lines(s3, call, address, keys, now, lines);
	if (!keys->access)
		return STORE_OK;
	signing.headers = lines->list;
	signing.header_count = lines->count;
	buf_add_text(&lines->authorization, "authorization: ");
	code = s3_sign(&signing, &lines->authorization, &call->error);
	if (!code)
		lines->list[lines->count++] = buf_text(&lines->authorization);
	return code;
}

/* Everything of one attempt but the sending. */
static int prepare(struct s3 *s3, struct s3_call *call,
		   const struct s3_keys *keys, struct lines *lines)
{
	struct address address = {
		.host = BUF_INIT(1024),
		.path = BUF_INIT(URL_MAX),
		.query = BUF_INIT(URL_MAX),
	};
	int code;

	*lines = (struct lines){
		.host = BUF_INIT(2048),
		.date = BUF_INIT(128),
		.payload = BUF_INIT(256),
		.token = BUF_INIT(HEADER_MAX),
		.authorization = BUF_INIT(HEADER_MAX),
	};
	store_error_clear(&call->error);
	if (call->failed)
		return store_error_set(&call->error, STORE_INVALID,
				       "a value no header can hold");
	code = find_address(s3, call, &address);
	if (!code)
		code = sign_lines(s3, call, &address, keys, lines);
	address_release(&address);
	call->exchange.request = (struct http_request){
		.method = call->method,
		.url = buf_text(&call->url),
		.headers = lines->list,
		.body = call->body,
		.idempotent = call->idempotent,
		.unseen = call->unseen,
		.once = call->once,
		.data = call->data,
		.room = call->room,
		.body_max = call->body_max,
	};
	return code;
}

/* ---- answers that call for another attempt ---- */

/* The region the server names, when it is another one. */
static bool other_region(struct s3 *s3, int status,
			 const struct s3_failure *failure)
{
	char *fresh;
	bool other;

	if (!failure->region[0] ||
	    (status != 301 && status != 307 && status != 400 && status != 403))
		return false;
	fresh = strdup(failure->region);
	if (!fresh)
		return false;
	lock_take(&s3->lock);
	other = strcmp(s3->region, fresh) != 0;
	if (other) {
		char *old = s3->region;

		s3->region = fresh;
		fresh = old;
	}
	lock_drop(&s3->lock);
	free(fresh);
	return other;
}

static bool clock_is_off(struct s3 *s3, const struct s3_call *call)
{
	const char *date = s3_call_answer(call, "date");
	int64_t theirs = date ? http_date(date) : -1;
	int64_t now = clock_now().tv_sec;
	int64_t off;

	if (theirs < 0)
		return false;
	off = theirs - (now + atomic_load(&s3->skew));
	if (off < SKEW_MIN && off > -SKEW_MIN)
		return false;
	atomic_store(&s3->skew, theirs - now);
	return true;
}

/* Once: that they have ended, or, where the server says nothing, may have. */
static bool other_keys(struct s3 *s3, struct s3_call *call,
		       const struct s3_keys *keys,
		       const struct s3_failure *failure)
{
	bool sure = strcmp(failure->code, "ExpiredToken") == 0 ||
		    strcmp(failure->code, "InvalidToken") == 0 ||
		    strcmp(failure->code, "TokenRefreshRequired") == 0;

	if (call->renewed || (!sure && (failure->code[0] || !keys->token)))
		return false;
	call->renewed = true;
	call->doubts = !sure;
	return s3_credentials_refused(s3->credentials, keys->access, sure);
}

static bool is_worth_another(struct s3 *s3, struct s3_call *call,
			     const struct s3_keys *keys,
			     const struct s3_failure *failure)
{
	int status = s3_call_status(call);

	if (other_region(s3, status, failure))
		return true;
	if (status != 400 && status != 403)
		return false;
	/* HEAD tells no code, so the date has to say it. */
	if ((strcmp(failure->code, "RequestTimeTooSkewed") == 0 ||
	     !failure->code[0]) &&
	    clock_is_off(s3, call))
		return true;
	return other_keys(s3, call, keys, failure);
}

/* True: try once more. */
static bool judge(struct s3 *s3, struct s3_call *call,
		  const struct s3_keys *keys, bool last)
{
	struct s3_failure failure;

	call->code = call->exchange.code;
	if (call->code) {
		call->error = call->exchange.error;
		return false;
	}
	if (!s3_failure_read(call, &failure))
		return false;
	call->code = s3_failure_code(call, &failure, &call->error);
	call->doubts = false;
	return !last && is_worth_another(s3, call, keys, &failure);
}

/* ---- sending ---- */

/* But for those that were to be tried with other keys, when these are not. */
static size_t keep_changed(struct s3_call **calls, size_t count,
			   const struct s3_keys *keys,
			   const struct s3_keys *before)
{
	bool same = s3_keys_equal(keys, before);
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		if (!calls[i]->doubts || !same)
			calls[left++] = calls[i];
	return left;
}

/*
 * Send those of `calls`; those to be tried again stay in it.  *used: the keys
 * of the attempt before, then of this one.
 */
static size_t attempt(struct s3 *s3, struct store_context *context,
		      struct s3_call **calls, size_t count,
		      struct s3_keys *used, bool last)
{
	struct http_exchange *exchanges[AT_ONCE];
	struct lines lines[AT_ONCE];
	struct s3_keys keys;
	struct store_error error = STORE_ERROR_INIT;
	size_t sent = 0;
	size_t left = 0;
	int code = s3_credentials_get(s3->credentials, context, &keys, &error);

	if (!code)
		count = keep_changed(calls, count, &keys, used);
	for (size_t i = 0; i < count; i++) {
		calls[i]->error = error;
		calls[i]->code =
			code ? code : prepare(s3, calls[i], &keys, &lines[i]);
		if (!calls[i]->code)
			exchanges[sent++] = &calls[i]->exchange;
	}
	if (sent)
		http_perform(s3->engine, context, exchanges, sent);
	for (size_t i = 0; i < count; i++) {
		bool again =
			!calls[i]->code && judge(s3, calls[i], &keys, last);

		if (!code)
			lines_release(&lines[i]);
		if (again)
			calls[left++] = calls[i];
	}
	s3_keys_release(used);
	*used = keys;
	return left;
}

void s3_send_all(struct s3 *s3, struct store_context *context,
		 struct s3_call *const calls[], size_t count)
{
	struct s3_call *left[AT_ONCE] = { NULL };
	struct s3_keys used = { .access = NULL };

	for (size_t i = 0; i < count; i++)
		left[i] = calls[i];
	for (int try = 1; count; try++)
		count = attempt(s3, context, left, count, &used, try == TRIES);
	s3_keys_release(&used);
}

int s3_send(struct s3 *s3, struct store_context *context, struct s3_call *call,
	    struct store_error *error)
{
	struct s3_call *const calls[] = { call };

	s3_send_all(s3, context, calls, 1);
	if (call->code && error)
		*error = call->error;
	return call->code;
}

bool s3_is_unknown(int code, const struct store_error *error)
{
	return code == STORE_UNAVAILABLE &&
	       (!error->detail || error->detail == 500);
}

/* Did the server refuse it for now, and surely did nothing? */
static bool is_put_off(const struct s3_call *call)
{
	switch (call->code) {
	case STORE_THROTTLED:
		return true;
	case STORE_UNAVAILABLE:
		/* Else nobody knows. */
		return call->error.detail == 503 ||
		       (call->idempotent && call->error.detail);
	case STORE_CORRUPT:
		return call->error.detail == 400;
	default:
		return false;
	}
}

int s3_send_patiently(struct s3 *s3, struct store_context *context,
		      struct s3_call *call, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	int64_t pause = PAUSE_NS;
	int code = s3_send(s3, context, call, &own);

	for (int i = 0; i < PATIENCE && code && is_put_off(call); i++) {
		int64_t hint = call->error.retry_after_ms * NS_PER_MS;
		int64_t wait = hint > pause ? hint : pause;

		if (wait >= store_context_remaining(context))
			break;
		code = store_context_sleep(context, wait, &own);
		if (code)
			break;
		pause *= 2;
		code = s3_send(s3, context, call, &own);
	}
	if (code && error)
		*error = own;
	return code;
}
