// SPDX-License-Identifier: MIT
/*
 * Answers of S3 servers that no server here gives on demand: another region,
 * a clock that is off, keys that have ended, failures with status 200,
 * listings that break off, conflicts, and conditions that are ignored.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/http/http.h"
#include "backends/s3/sign.h"
#include "src/base/clock.h"
#include "tests/unit/http_server.h"
#include "tests/unit/unit.h"

#include <storefs/store.h>

static struct http_server server;
static struct store *store;
static struct store_error error;

static void reply(const struct server_request *request, const char *status,
		  const char *headers, const char *body)
{
	char text[8192];

	snprintf(text, sizeof(text),
		 "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
		 strlen(body), headers,
		 strcmp(request->method, "HEAD") == 0 ? "" : body);
	http_server_text(request, text);
}

#define FAILURE(code) "<?xml version=\"1.0\"?>\n<Error><Code>" code "</Code>"
#define REGION "<Region>eu-central-1</Region></Error>"
#define FOUND "ETag: \"e1\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void begin(server_answer_fn *answer, const char *options)
{
	char url[512];

	setenv("AWS_ACCESS_KEY_ID", "access", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("AWS_REGION", "us-east-1", 1);
	setenv("no_proxy", "*", 1);
	http_server_start(&server, answer);
	snprintf(url, sizeof(url),
		 "s3://bucket?retry_max_attempts=1&"
		 "endpoint_url=http://127.0.0.1:%d%s",
		 server.port, options);
	store_error_clear(&error);
	if (store_open_url(url, NULL, &store, &error))
		ck_abort_msg("%s", error.message);
}

static void end(void)
{
	store_close(store);
	http_server_stop(&server);
}

static int put(const char *key, enum store_condition condition)
{
	struct store_memory_source source;
	struct store_write_options options = {
		.precondition.condition = condition,
	};

	store_error_clear(&error);
	return store_write(store, NULL, key,
			   store_memory_source_init(&source, "1", 1), &options,
			   NULL, &error);
}

/* ---- settled inside ---- */

static bool other_region(struct server_request *request)
{
	if (strstr(request->head, "/eu-central-1/s3/aws4_request"))
		reply(request, "200 OK", FOUND, "");
	else
		reply(request, "400 Bad Request", "",
		      FAILURE("AuthorizationHeaderMalformed") REGION);
	return true;
}

START_TEST(another_region_is_taken_from_the_answer)
{
	begin(other_region, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_OK);
	ck_assert_int_eq(atomic_load(&server.requests), 2);
	/* And kept. */
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_OK);
	ck_assert_int_eq(atomic_load(&server.requests), 3);
	end();
}
END_TEST

/* Of a server that is two hours ahead. */
static bool ahead(struct server_request *request)
{
	int64_t there = clock_now().tv_sec + 7200;
	time_t when = (time_t)there;
	char headers[128];
	char hour[17];
	struct tm tm;

	s3_sign_date(there, hour);
	gmtime_r(&when, &tm);
	strftime(headers, sizeof(headers), "Date: %a, %d %b %Y %T GMT\r\n",
		 &tm);
	/* Up to the minute, or the one that has just begun. */
	hour[13] = '\0';
	if (strstr(request->head, hour)) {
		reply(request, "200 OK", FOUND, "");
		return true;
	}
	reply(request, "403 Forbidden", headers,
	      FAILURE("RequestTimeTooSkewed") "</Error>");
	return true;
}

START_TEST(a_clock_that_is_off_is_corrected)
{
	begin(ahead, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_OK);
	ck_assert_int_le(atomic_load(&server.requests), 3);
	end();
}
END_TEST

/* The first request comes with keys that have ended. */
static bool ended(struct server_request *request)
{
	if (atomic_fetch_add(&request->server->marks, 1))
		reply(request, "200 OK", FOUND, "");
	else
		reply(request, "400 Bad Request", "",
		      FAILURE("ExpiredToken") "</Error>");
	return true;
}

START_TEST(keys_that_have_ended_are_fetched_once_more)
{
	begin(ended, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_OK);
	ck_assert_int_eq(atomic_load(&server.requests), 2);
	end();
}
END_TEST

static bool conflicts(struct server_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		reply(request, "404 Not Found", "", "");
	else if (atomic_fetch_add(&request->server->marks, 1) < 2)
		reply(request, "409 Conflict", "",
		      FAILURE("ConditionalRequestConflict") "</Error>");
	else
		reply(request, "200 OK", FOUND, "");
	return true;
}

START_TEST(a_conflict_of_conditions_is_tried_again)
{
	begin(conflicts, "&conditions=yes");
	ck_assert_int_eq(put("a", STORE_IF_ABSENT), STORE_OK);
	ck_assert_int_eq(atomic_load(&server.requests), 3);
	end();
}
END_TEST

/* ---- failures ---- */

static bool denied(struct server_request *request)
{
	reply(request, "403 Forbidden", "", FAILURE("AccessDenied") "</Error>");
	return true;
}

START_TEST(denied_stays_denied_and_is_asked_once)
{
	begin(denied, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_DENIED);
	ck_assert_int_eq(atomic_load(&server.requests), 1);
	ck_assert_int_eq(error.detail, 403);
	ck_assert_int_eq(store_delete(store, NULL, "a", true, &error),
			 STORE_DENIED);
	end();
}
END_TEST

static bool denied_without_a_word(struct server_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		atomic_fetch_add(&request->server->marks, 1);
	reply(request, "403 Forbidden", "", "");
	return true;
}

/* Keys that have ended look like this, too, but these are all there are. */
START_TEST(denied_without_a_word_is_asked_once_with_the_same_keys)
{
	struct store_info info;

	setenv("AWS_SESSION_TOKEN", "token", 1);
	begin(denied_without_a_word, "");
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error),
				 STORE_DENIED);
		ck_assert_int_eq(atomic_load(&server.marks), i);
	}
	end();
	unsetenv("AWS_SESSION_TOKEN");
}
END_TEST

static char credentials_path[256];

static void write_credentials(const char *token)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s.new", credentials_path);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fprintf(file,
		"[default]\naws_access_key_id=a\naws_secret_access_key=s\n"
		"aws_session_token=%s\n",
		token);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(path, credentials_path), 0);
}

/* To this one the first token has ended. */
static bool second_token(struct server_request *request)
{
	if (!atomic_fetch_add(&request->server->marks, 1))
		write_credentials("two");
	if (!strstr(request->head, "x-amz-security-token: two"))
		reply(request, "403 Forbidden", "", "");
	else
		reply(request, "200 OK", FOUND,
		      strcmp(request->method, "HEAD") == 0
			      ? "x"
			      : "<ListBucketResult/>");
	return true;
}

START_TEST(denied_without_a_word_is_asked_again_with_other_keys)
{
	char options[512];
	struct store_info info;
	int fd;

	snprintf(credentials_path, sizeof(credentials_path),
		 "%s/storefs-keys-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	fd = mkstemp(credentials_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	write_credentials("one");
	snprintf(options, sizeof(options),
		 "&profile=default&credentials_file=%s", credentials_path);
	begin(second_token, options);
	unsetenv("AWS_ACCESS_KEY_ID");
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error), STORE_OK);
	end();
	unlink(credentials_path);
}
END_TEST

static bool ends_always(struct server_request *request)
{
	reply(request, "400 Bad Request", "",
	      FAILURE("ExpiredToken") "</Error>");
	return true;
}

START_TEST(keys_that_have_ended_for_good_are_tried_twice)
{
	begin(ends_always, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_DENIED);
	ck_assert_int_eq(atomic_load(&server.requests), 2);
	end();
}
END_TEST

static bool slow_down(struct server_request *request)
{
	reply(request, "503 Slow Down", "Retry-After: 3\r\n",
	      FAILURE("SlowDown") "</Error>");
	return true;
}

START_TEST(slow_down_carries_its_hint)
{
	begin(slow_down, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_THROTTLED);
	ck_assert_int_eq(error.retry_after_ms, 3000);
	end();
}
END_TEST

static bool full(struct server_request *request)
{
	reply(request, "403 Forbidden", "",
	      FAILURE("QuotaExceeded") "<Message>a\tb</Message></Error>");
	return true;
}

START_TEST(a_quota_is_no_denial)
{
	begin(full, "");
	ck_assert_int_eq(put("a", STORE_IF_ANY), STORE_NO_SPACE);
	end();
}
END_TEST

static bool copy_fails_late(struct server_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		reply(request,
		      strstr(request->path, "/to") ? "404 Not Found" : "200 OK",
		      FOUND, "x");
	else if (strcmp(request->method, "GET") == 0)
		reply(request, "200 OK", "", "<ListBucketResult/>");
	else
		reply(request, "200 OK", "",
		      "  " FAILURE("InternalError") "</Error>");
	return true;
}

START_TEST(a_failure_with_status_200_is_a_failure)
{
	begin(copy_fails_late, "");
	ck_assert_int_eq(store_copy(store, NULL, "from", "to", 0, NULL, &error),
			 STORE_UNAVAILABLE);
	end();
}
END_TEST

/* Some server has begun an upload, or none; its name is not to be read. */
static bool begins_namelessly(struct server_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		reply(request, "404 Not Found", "", "");
	else
		reply(request, "200 OK", "", "<Initiate");
	return true;
}

static int note_nothing(struct store_resume *resume, struct store_error *own)
{
	(void)resume;
	(void)own;
	return STORE_OK;
}

START_TEST(an_upload_whose_name_is_unreadable_is_looked_for_later)
{
	static char bytes[6 << 20];
	struct store_resume resume = { .note = note_nothing };
	struct store_write_options options = { .resume = &resume };
	struct store_memory_source source;

	begin(begins_namelessly, "&single_max=5M&part_size=5M");
	ck_assert_int_eq(store_write(store, NULL, "k",
				     store_memory_source_init(&source, bytes,
							      sizeof(bytes)),
				     &options, NULL, &error),
			 STORE_CORRUPT);
	ck_assert_int_eq(strncmp(resume.token, "0 ", 2), 0);
	end();
}
END_TEST

static bool breaks_off(struct server_request *request)
{
	if (strstr(request->path, "continuation-token=next"))
		reply(request, "404 Not Found", "",
		      FAILURE("NoSuchBucket") "</Error>");
	else
		reply(request, "200 OK", "",
		      "<ListBucketResult><IsTruncated>true</IsTruncated>"
		      "<EncodingType>url</EncodingType>"
		      "<NextContinuationToken>next</NextContinuationToken>"
		      "<Contents><Key>a+b%2Bc</Key><Size>1</Size></Contents>"
		      "<Contents><Key>x%2F%2Fy</Key><Size>1</Size></Contents>"
		      "</ListBucketResult>");
	return true;
}

START_TEST(a_listing_that_breaks_off_is_an_error)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;

	begin(breaks_off, "");
	ck_assert_int_eq(store_list(store, NULL, "", NULL, &listing, &error),
			 STORE_OK);
	ck_assert_int_eq(store_listing_next(listing, NULL, &entry, &error),
			 STORE_OK);
	ck_assert_str_eq(entry->name, "a b+c");
	ck_assert_int_eq(store_listing_next(listing, NULL, &entry, &error),
			 STORE_NOT_FOUND);
	store_listing_close(listing);
	end();
}
END_TEST

/* Also when it was asked to encode them. */
static bool encodes_nothing(struct server_request *request)
{
	reply(request, "200 OK", "",
	      "<ListBucketResult>"
	      "<Contents><Key>100%25+1</Key><Size>1</Size></Contents>"
	      "<Contents><Key>50% off</Key><Size>1</Size></Contents>"
	      "</ListBucketResult>");
	return true;
}

START_TEST(names_are_decoded_only_where_they_are_encoded)
{
	static const char *const names[] = { "100%25+1", "50% off" };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;

	begin(encodes_nothing, "");
	ck_assert_int_eq(store_list(store, NULL, "", NULL, &listing, &error),
			 STORE_OK);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
			store_listing_next(listing, NULL, &entry, &error),
			STORE_OK);
		ck_assert_str_eq(entry->name, names[i]);
	}
	store_listing_close(listing);
	end();
}
END_TEST

/* ---- a server that ignores every condition ---- */

static bool ignores(struct server_request *request)
{
	if (strcmp(request->method, "HEAD") == 0 &&
	    strstr(request->path, "/new"))
		reply(request, "404 Not Found", "", "");
	else if (strcmp(request->method, "POST") == 0 &&
		 strstr(request->path, "uploads="))
		reply(request, "200 OK", "",
		      "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
		      "</InitiateMultipartUploadResult>");
	else if (strcmp(request->method, "POST") == 0)
		reply(request, "200 OK", "",
		      "<CompleteMultipartUploadResult><ETag>\"e\"</ETag>"
		      "</CompleteMultipartUploadResult>");
	else if (strstr(request->head, "\r\nx-amz-copy-source:"))
		reply(request, "200 OK", FOUND,
		      "<CopyObjectResult><ETag>\"e\"</ETag>"
		      "</CopyObjectResult>");
	else
		reply(request, "200 OK", FOUND, "x");
	return true;
}

START_TEST(ignored_conditions_are_checked_before_and_not_claimed)
{
	begin(ignores, "&conditions=probe");
	ck_assert(!store_supports(store, STORE_CAP_CONDITIONAL));
	ck_assert_int_eq(put("new", STORE_IF_ABSENT), STORE_OK);
	ck_assert_int_eq(put("old", STORE_IF_ABSENT), STORE_EXISTS);
	end();
}
END_TEST

/* The same, but for a server that refuses whatever has a condition. */
static bool refuses(struct server_request *request)
{
	if (strstr(request->head, "\r\nif-match:") ||
	    strstr(request->head, "\r\nif-none-match:")) {
		reply(request, "412 Precondition Failed", "",
		      FAILURE("PreconditionFailed") "</Error>");
		return true;
	}
	return ignores(request);
}

START_TEST(a_condition_that_never_holds_is_not_used)
{
	begin(refuses, "&conditions=probe");
	/* If-Match is refused with the right version, too. */
	ck_assert(!store_supports(store, STORE_CAP_CONDITIONAL));
	ck_assert_int_eq(put("old", STORE_IF_ABSENT), STORE_EXISTS);
	end();
}
END_TEST

/* ---- a server with other words for a version ---- */

static int put_over(const char *key, const char *etag)
{
	static const uint8_t id[STORE_PUBLISH_SIZE] = { 7, 7, 7 };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.publish = id,
	};
	struct store_memory_source source;

	snprintf(options.precondition.version.token,
		 sizeof(options.precondition.version.token), "%s", etag);
	store_error_clear(&error);
	return store_write(store, NULL, key,
			   store_memory_source_init(&source, "1", 1), &options,
			   NULL, &error);
}

static atomic_uint unguarded; /* replaced, whatever was there */

static bool takes_no_quotes(struct server_request *request)
{
	static const char name[] = "\r\nif-match: ";
	const char *match = strstr(request->head, name);

	if (match && strncmp(match + strlen(name), "e1\r\n", 4) != 0) {
		reply(request, "412 Precondition Failed", "",
		      FAILURE("PreconditionFailed") "</Error>");
		return true;
	}
	if (strcmp(request->method, "PUT") == 0 &&
	    strstr(request->path, "/old"))
		atomic_fetch_add(&unguarded, !match);
	return ignores(request);
}

START_TEST(a_version_is_never_replaced_on_trust)
{
	atomic_store(&unguarded, 0);
	begin(takes_no_quotes, "");
	/* Not even by the first, when nothing is known of the server. */
	ck_assert_int_eq(put_over("old", "e1"), STORE_OK);
	ck_assert_int_eq(put_over("old", "e0"), STORE_CHANGED);
	ck_assert_int_eq(put_over("old", "e1"), STORE_OK);
	ck_assert_uint_eq(atomic_load(&unguarded), 0);
	end();
}
END_TEST

static bool errs_at_the_loser(struct server_request *request)
{
	if (strcmp(request->method, "PUT") != 0)
		return ignores(request);
	reply(request, "500 Internal Server Error", "",
	      FAILURE("UnknownError") "</Error>");
	return true;
}

START_TEST(who_lost_a_race_is_told_so_where_the_server_only_errs)
{
	begin(errs_at_the_loser, "&conditions=yes&retry_max_attempts=1");
	ck_assert_int_eq(put_over("old", "e0"), STORE_CHANGED);
	/* Who has lost nothing may try again. */
	ck_assert_int_eq(put_over("old", "e1"), STORE_UNAVAILABLE);
	end();
}
END_TEST

/* The base of an edit is gone while its kept ranges are read. */
static int read_changed(struct store_source *source, uint64_t offset,
			void *data, size_t length, struct store_error *failed)
{
	(void)source;
	(void)offset;
	(void)data;
	(void)length;
	return store_error_set(failed, STORE_CHANGED, "the source changed");
}

START_TEST(a_source_that_changed_is_no_name_that_is_taken)
{
	struct store_source source = { .size = 1, .read = read_changed };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ABSENT,
	};

	begin(ignores, "&conditions=yes");
	ck_assert_int_eq(store_write(store, NULL, "new", &source, &options,
				     NULL, &error),
			 STORE_CHANGED);
	end();
}
END_TEST

/* Copies with a condition are refused, as by Swift. */
static bool copies_on_no_condition(struct server_request *request)
{
	if (strstr(request->path, "list-type=2")) {
		reply(request, "200 OK", "",
		      "<ListBucketResult></ListBucketResult>");
		return true;
	}
	if (!strstr(request->head, "\r\nx-amz-copy-source:") ||
	    !strstr(request->head, "\r\nif-none-match:"))
		return ignores(request);
	reply(request, "501 Not Implemented", "",
	      FAILURE("NotImplemented") "</Error>");
	return true;
}

START_TEST(a_server_that_copies_on_no_condition_copies)
{
	begin(copies_on_no_condition, "");
	ck_assert_int_eq(store_copy(store, NULL, "old", "new", 0, NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(
		store_copy(store, NULL, "old", "old2", 0, NULL, &error),
		STORE_EXISTS);
	end();
}
END_TEST

/* What is staged for one server must not go to another. */
START_TEST(a_server_named_by_the_environment_is_part_of_the_identity)
{
	CLEANUP_FREE char *identity = NULL;

	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	ck_assert_int_eq(store_open_url("s3://bucket/a", NULL, &store, &error),
			 STORE_OK);
	identity = store_identity(store);
	ck_assert_str_eq(identity,
			 "s3://bucket/a?endpoint_url=http://127.0.0.1:1");
	store_close(store);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-answers");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, another_region_is_taken_from_the_answer);
	tcase_add_test(tests, a_clock_that_is_off_is_corrected);
	tcase_add_test(tests, keys_that_have_ended_are_fetched_once_more);
	tcase_add_test(tests, a_conflict_of_conditions_is_tried_again);
	tcase_add_test(tests, denied_stays_denied_and_is_asked_once);
	tcase_add_test(tests,
		       denied_without_a_word_is_asked_once_with_the_same_keys);
	tcase_add_test(tests,
		       denied_without_a_word_is_asked_again_with_other_keys);
	tcase_add_test(tests, keys_that_have_ended_for_good_are_tried_twice);
	tcase_add_test(tests, slow_down_carries_its_hint);
	tcase_add_test(tests, a_quota_is_no_denial);
	tcase_add_test(tests, a_failure_with_status_200_is_a_failure);
	tcase_add_test(tests,
		       an_upload_whose_name_is_unreadable_is_looked_for_later);
	tcase_add_test(tests, a_listing_that_breaks_off_is_an_error);
	tcase_add_test(tests, names_are_decoded_only_where_they_are_encoded);
	tcase_add_test(tests,
		       ignored_conditions_are_checked_before_and_not_claimed);
	tcase_add_test(tests, a_condition_that_never_holds_is_not_used);
	tcase_add_test(tests, a_version_is_never_replaced_on_trust);
	tcase_add_test(tests, a_server_that_copies_on_no_condition_copies);
	tcase_add_test(tests, a_source_that_changed_is_no_name_that_is_taken);
	tcase_add_test(tests,
		       who_lost_a_race_is_told_so_where_the_server_only_errs);
	tcase_add_test(
		tests,
		a_server_named_by_the_environment_is_part_of_the_identity);
	return unit_run("s3-answers", tests);
}
