// SPDX-License-Identifier: MIT
/*
 * One request: read, checked, and given to its operation.
 * Called by fake_s3.c, a thread per connection.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/servers/fake_s3_connection.h"
#include "tests/servers/message.h"

static const char *field(const struct fake_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(fields->list[i].name, name) == 0)
			return fields->list[i].value;
	return NULL;
}

const char *fake_header(const struct fake_request *request, const char *name)
{
	return field(&request->headers, name);
}

const char *fake_query(const struct fake_request *request, const char *name)
{
	return field(&request->query, name);
}

bool fake_hit(const struct fake_request *request, enum fake_kind kind)
{
	return request->rule.kind == kind;
}

time_t fake_now(struct fake_s3 *fake)
{
	return time(NULL) + (time_t)fake->ahead;
}

/* ---- the head ---- */

static void fields_free(struct fake_fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		free(fields->list[i].name);
		free(fields->list[i].value);
	}
}

void fake_request_release(struct fake_request *request)
{
	free(request->target);
	free(request->path);
	free(request->bucket);
	free(request->key);
	fields_free(&request->headers);
	fields_free(&request->query);
	fake_blob_drop(request->body);
	buf_release(&request->out);
	buf_release(&request->reply);
}

static bool add_field(struct fake_fields *fields, const char *name,
		      size_t name_length, const char *value,
		      size_t value_length)
{
	struct fake_field *added = &fields->list[fields->count];

	if (fields->count == FAKE_FIELDS_MAX)
		return false;
	added->name = strndup(name, name_length);
	added->value = strndup(value, value_length);
	fields->count++;
	return added->name && added->value;
}

static bool read_headers(struct fake_request *request, const char *head)
{
	const char *line = strstr(head, "\r\n") + 2;

	while (strncmp(line, "\r\n", 2) != 0) {
		size_t length = strcspn(line, "\r");
		const char *colon = memchr(line, ':', length);
		const char *end = line + length;
		const char *value;

		if (!colon || colon == line || isspace((unsigned char)*line))
			return false;
		value = colon + 1;
		while (value < end && (*value == ' ' || *value == '\t'))
			value++;
		while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (!add_field(&request->headers, line, (size_t)(colon - line),
			       value, (size_t)(end - value)))
			return false;
		line += length + 2;
	}
	for (size_t i = 0; i < request->headers.count; i++)
		for (char *c = request->headers.list[i].name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	return true;
}

static bool read_query(struct fake_request *request, const char *query)
{
	while (query && *query) {
		size_t length = strcspn(query, "&");
		const char *equals = memchr(query, '=', length);
		size_t name = equals ? (size_t)(equals - query) : length;
		struct fake_fields *fields = &request->query;

		if (!add_field(fields, query, name, query + name + !!equals,
			       length - name - !!equals) ||
		    !fake_decode(fields->list[fields->count - 1].name, false) ||
		    !fake_decode(fields->list[fields->count - 1].value, false))
			return false;
		query += length;
		query += *query == '&';
	}
	return true;
}

/* BUCKET.s3.localhost in Host, or the first component of the path. */
static bool find_names(struct fake_request *request)
{
	const char *host = fake_header(request, "host");
	const char *domain = host ? strstr(host, ".s3.localhost") : NULL;
	const char *rest = request->path + 1;

	if (!host || *request->path != '/')
		return false;
	if (domain) {
		request->bucket = strndup(host, (size_t)(domain - host));
	} else {
		size_t length = strcspn(rest, "/");

		request->bucket = strndup(rest, length);
		rest += length;
		rest += *rest == '/';
	}
	if (*rest)
		request->key = strdup(rest);
	return request->bucket != NULL;
}

static bool read_head(struct fake_request *request, const char *head)
{
	size_t method = strcspn(head, " ");
	const char *target = head + method + 1;
	size_t length = strcspn(target, " \r");
	char *query;

	if (method >= sizeof(request->method) ||
	    strncmp(target + length, " HTTP/1.1\r\n", 11) != 0)
		return false;
	memcpy(request->method, head, method);
	request->method[method] = '\0';
	request->target = strndup(target, length);
	request->path = strndup(target, strcspn(request->target, "?"));
	query = strchr(request->target, '?');
	return fake_decode(request->path, false) &&
	       read_query(request, query ? query + 1 : NULL) &&
	       read_headers(request, head) && find_names(request);
}

/* ---- checks ---- */

static void match_rules(struct fake_request *request)
{
	struct fake_s3 *fake = request->fake;

	for (size_t i = 0; i < fake->rule_count; i++) {
		struct fake_rule *rule = &fake->rules[i];

		if (fnmatch(rule->verb, request->method, 0) ||
		    fnmatch(rule->target, request->target, 0))
			continue;
		rule->seen++;
		if (rule->seen <= rule->skip || rule->hits >= rule->count ||
		    request->rule.kind)
			continue;
		rule->hits++;
		request->rule = *rule;
	}
}

static bool check_name(struct fake_request *request)
{
	const char *key = request->key;

	if (key && strlen(key) > FAKE_KEY_MAX) {
		fake_fail(request, 400, "KeyTooLongError",
			  "a key has at most 1024 bytes");
		return false;
	}
	for (size_t i = 0; key && i < request->fake->denied_count; i++) {
		if (fnmatch(request->fake->denied[i], key, 0))
			continue;
		fake_fail(request, 403, "AccessDenied", "not that one");
		return false;
	}
	return true;
}

/* Of the bucket: who pays, and who need not sign. */
static bool check_payer(struct fake_request *request)
{
	const struct fake_bucket *bucket =
		fake_bucket_find(request->fake, request->bucket);
	const char *payer = fake_header(request, "x-amz-request-payer");

	if (!bucket || !bucket->payer ||
	    (payer && strcmp(payer, "requester") == 0))
		return true;
	fake_fail(request, 403, "AccessDenied", "somebody has to pay");
	return false;
}

static bool may_come_unsigned(struct fake_request *request)
{
	const struct fake_bucket *bucket =
		fake_bucket_find(request->fake, request->bucket);

	return bucket && bucket->public && !bucket->payer &&
	       !fake_header(request, "authorization") &&
	       (strcmp(request->method, "GET") == 0 ||
		strcmp(request->method, "HEAD") == 0);
}

static bool check_length(struct fake_request *request)
{
	bool uploads = request->key && strcmp(request->method, "PUT") == 0;

	if (!uploads || fake_header(request, "content-length") ||
	    fake_header(request, "x-amz-copy-source"))
		return true;
	fake_fail(request, 411, "MissingContentLength",
		  "Content-Length is missing");
	return false;
}

/* True: it has answered for a rule. */
static bool fail_by_rule(struct fake_request *request)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);

	if (fake_hit(request, FAKE_FAIL)) {
		if (strcmp(request->rule.code, "TemporaryRedirect") == 0 ||
		    strcmp(request->rule.code, "PermanentRedirect") == 0)
			fake_add_header(request, "x-amz-bucket-region: %s",
					request->fake->region);
		if (request->rule.status == 503)
			fake_add_header(request, "Retry-After: 0");
		fake_fail(request, request->rule.status, request->rule.code,
			  "as the test says");
		return true;
	}
	if (!fake_hit(request, FAKE_FAIL_200))
		return false;
	buf_addf(&text,
		 "   <Error><Code>%s</Code><Message>late</Message></Error>",
		 request->rule.code);
	fake_answer_xml(request, &text);
	return true;
}

/* ---- operations ---- */

static void of_bucket(struct fake_request *request, struct fake_bucket *bucket)
{
	const char *method = request->method;

	if (strcmp(method, "PUT") == 0 && !bucket) {
		(void)fake_bucket_make(request->fake, request->bucket, 0);
		fake_answer(request, 200, NULL, 0);
	} else if (!bucket) {
		fake_fail(request, 404, "NoSuchBucket",
			  "there is no such bucket");
	} else if (strcmp(method, "PUT") == 0) {
		fake_fail(request, 409, "BucketAlreadyOwnedByYou",
			  "it is there");
	} else if (strcmp(method, "HEAD") == 0) {
		fake_answer(request, 200, NULL, 0);
	} else if (strcmp(method, "GET") == 0) {
		fake_list(request, bucket);
	} else if (strcmp(method, "POST") == 0 &&
		   fake_query(request, "delete")) {
		fake_objects_delete(request, bucket);
	} else {
		fake_fail(request, 405, "MethodNotAllowed", "not of a bucket");
	}
}

static void of_object(struct fake_request *request, struct fake_bucket *bucket)
{
	const char *method = request->method;

	if (!bucket)
		fake_fail(request, 404, "NoSuchBucket",
			  "there is no such bucket");
	else if (bucket->simulated)
		fake_fail(request, 404, "NoSuchKey", "only a number");
	else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		fake_object_get(request, bucket);
	else if (strcmp(method, "PUT") == 0)
		fake_object_write(request, bucket);
	else if (strcmp(method, "DELETE") == 0)
		fake_object_delete(request, bucket);
	else
		fake_fail(request, 405, "MethodNotAllowed", "not of an object");
}

/* False when it has answered: what can be said before the body is there. */
static bool check_early(struct fake_request *request)
{
	return check_length(request) &&
	       (may_come_unsigned(request) || fake_check_signature(request)) &&
	       check_payer(request) && check_name(request) &&
	       fake_check_storage(request) && !fail_by_rule(request);
}

void fake_run(struct fake_request *request)
{
	struct fake_s3 *fake = request->fake;
	struct fake_bucket *bucket = fake_bucket_find(fake, request->bucket);

	if (!fake_check_sums(request))
		return;
	if (bucket && fake_parts(request, bucket))
		return;
	if (request->key)
		of_object(request, bucket);
	else
		of_bucket(request, bucket);
}

bool fake_begin(struct fake_request *request, const char *head)
{
	if (!read_head(request, head)) {
		fake_fail(request, 400, "InvalidURI", "that is no request");
		return false;
	}
	request->fake->serial++;
	request->fake->requests++;
	match_rules(request);
	return check_early(request);
}
