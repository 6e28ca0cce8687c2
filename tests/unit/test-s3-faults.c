// SPDX-License-Identifier: MIT
/*
 * S3 on a line that fails and a server that errs: the right bytes or an
 * error, in bounded time, and never somebody else's version overwritten.
 */
#include "config.h"

#include <time.h>

#include "src/base/clock.h"
#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

enum { SIZE = 1 << 20, STEP = 100 << 10, BIG = 23 << 20 };
/* Names of a simulated bucket; sanitizers take ten times as long. */
#ifdef SANITIZED
enum { MANY = 50000 };
#else
enum { MANY = 1000000 };
#endif

static unsigned char bytes[BIG];

static void setup(void)
{
	char line[64];

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
	place_begin();
	fake_told("simulate bucket 0");
	snprintf(line, sizeof(line), "simulate many %d", MANY);
	fake_told(line);
}

/* ---- the store, briefly ---- */

static int put_as(const char *key, size_t size,
		  const struct store_precondition *precondition,
		  const uint8_t *publish)
{
	struct store_write_options options = { .publish = publish };
	struct store_memory_source source;

	if (precondition)
		options.precondition = *precondition;
	store_error_clear(&error);
	return store_write(store, NULL, key,
			   store_memory_source_init(&source, bytes, size),
			   &options, NULL, &error);
}

static const struct store_precondition any = { .condition = STORE_IF_ANY };
static const struct store_precondition absent = {
	.condition = STORE_IF_ABSENT,
};
static const uint8_t id[STORE_PUBLISH_SIZE] = { 7, 7, 7 };

static void open_and_put(const char *options, size_t size)
{
	store = place_open("bucket", options);
	ck_assert_int_eq(put_as("k", size, &any, NULL), STORE_OK);
}

/* The right bytes, or the code of the failure. */
static int get_within(int64_t limit_ns, size_t size)
{
	struct store_context context;
	int64_t start = clock_monotonic_ns();
	size_t got = 0;
	void *data = NULL;
	int code;

	store_context_init(&context, limit_ns, NULL);
	store_error_clear(&error);
	code = store_read_all(store, &context, "k", BIG, &data, &got, &error);
	ck_assert_int_lt(clock_monotonic_ns() - start,
			 limit_ns + 5 * NS_PER_SEC);
	if (!code) {
		ck_assert_uint_eq(got, size);
		ck_assert_mem_eq(data, bytes, size);
	}
	free(data);
	return code;
}

static int get(size_t size)
{
	return get_within(20 * NS_PER_SEC, size);
}

static void expect_stored(size_t size)
{
	ck_assert_int_eq(get(size), STORE_OK);
}

static void expect_no_uploads(void)
{
	fake_told("uploads");
	ck_assert_str_eq(buf_text(&place.answer), "");
}

/* ---- bodies ---- */

START_TEST(an_answer_cut_anywhere_is_read_again)
{
	char line[128];

	open_and_put("", SIZE);
	for (size_t at = 0; at < SIZE; at += STEP) {
		snprintf(line, sizeof(line), "fault %s-answer verb=GET at=%zu",
			 at / STEP % 2 ? "cut" : "reset", at);
		proxy_told(line);
		ck_assert_int_eq(get(SIZE), STORE_OK);
	}
	/* And one that always is cut is an error. */
	proxy_told("fault cut-answer verb=GET at=1000 count=0");
	ck_assert_int_eq(get(SIZE), STORE_UNAVAILABLE);
}
END_TEST

START_TEST(an_upload_cut_anywhere_is_sent_again)
{
	char line[128];

	open_and_put("", SIZE);
	for (size_t at = 0; at < SIZE; at += 3 * STEP) {
		snprintf(line, sizeof(line),
			 "fault reset-request verb=PUT at=%zu", at);
		proxy_told(line);
		ck_assert_int_eq(put_as("k", SIZE, &any, NULL), STORE_OK);
	}
	expect_stored(SIZE);
}
END_TEST

START_TEST(flipped_bits_of_an_upload_are_refused)
{
	store = place_open("bucket", "&retry_max_attempts=1");
	proxy_told("fault flip-request verb=PUT at=12345");
	ck_assert_int_eq(put_as("k", SIZE, &any, NULL), STORE_CORRUPT);
	ck_assert_int_eq(get(SIZE), STORE_NOT_FOUND);
	/* A part is sent again. */
	store_close(store);
	store = place_open("bucket", "&single_max=5M&part_size=5M");
	proxy_told("fault flip-request verb=PUT target=*partNumber=2* "
		   "at=2345678");
	ck_assert_int_eq(put_as("k", BIG, &any, NULL), STORE_OK);
	expect_stored(BIG);
	expect_no_uploads();
}
END_TEST

/* What the server keeps a checksum of. */
START_TEST(flipped_bits_of_an_answer_are_found)
{
	open_and_put("&checksum=crc32c", SIZE);
	proxy_told("fault flip-answer verb=GET at=54321 count=0");
	ck_assert_int_eq(get(SIZE), STORE_CORRUPT);
	proxy_told("clear");
	/* Once: read again. */
	proxy_told("fault flip-answer verb=GET at=54321");
	ck_assert_int_eq(get(SIZE), STORE_OK);
	fake_told("rule twisted verb=GET at=77 count=0");
	ck_assert_int_eq(get(SIZE), STORE_CORRUPT);
}
END_TEST

START_TEST(wrong_lengths_and_ranges_are_no_bytes)
{
	static const char *const rules[] = {
		"rule longer verb=GET at=100 count=0",
		"rule shorter verb=GET at=100 count=0",
		"rule other-etag verb=GET count=0",
	};
	struct store_reader *reader = NULL;
	char data[1000];
	size_t got;

	open_and_put("", SIZE);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		fake_told("clear");
		fake_told(rules[i]);
		ck_assert_int_ne(get(SIZE), STORE_OK);
	}
	fake_told("clear");
	ck_assert_int_eq(store_open_reader(store, NULL, "k", NULL, &reader,
					   NULL, &error),
			 STORE_OK);
	/* Asked for twice. */
	fake_told("rule other-range verb=GET at=1 count=2");
	ck_assert_int_eq(store_read_at(reader, NULL, 5000, data, sizeof(data),
				       &got, &error),
			 STORE_CORRUPT);
	ck_assert_int_eq(store_read_at(reader, NULL, 5000, data, sizeof(data),
				       &got, &error),
			 STORE_OK);
	ck_assert_mem_eq(data, bytes + 5000, sizeof(data));
	store_close_reader(reader);
}
END_TEST

/* ---- silence ---- */

START_TEST(a_black_hole_ends_by_the_limit)
{
	struct store_context context;
	struct store_info info;

	open_and_put("&retry_max_attempts=1", SIZE);
	proxy_told("fault hole count=0");
	ck_assert_int_eq(get_within(NS_PER_SEC, SIZE), STORE_TIMEOUT);
	store_context_init(&context, NS_PER_SEC / 2, NULL);
	ck_assert_int_eq(store_stat(store, &context, "k", &info, &error),
			 STORE_TIMEOUT);
	/* And with the whole line gone; then everything goes on. */
	proxy_told("clear");
	proxy_told("dark");
	ck_assert_int_eq(get_within(NS_PER_SEC / 2, SIZE), STORE_TIMEOUT);
	proxy_told("light");
	expect_stored(SIZE);
}
END_TEST

static int note_nothing(struct store_resume *resume, struct store_error *own)
{
	(void)resume;
	(void)own;
	return STORE_OK;
}

/* Who drops one may wait for less long than who sends it. */
START_TEST(an_upload_is_dropped_in_the_time_of_the_call)
{
	struct store_resume resume = { .note = note_nothing };
	struct store_write_options options = {
		.precondition = any,
		.resume = &resume,
	};
	struct store_memory_source source;
	struct store_context context;
	int64_t start;

	store = place_open("bucket", "&retry_max_attempts=1&single_max=5M"
				     "&part_size=5M");
	proxy_told("fault reset-request verb=PUT at=1000 count=0");
	store_context_init(&context, NS_PER_SEC, NULL);
	ck_assert_int_eq(
		store_write(store, &context, "k",
			    store_memory_source_init(&source, bytes, BIG),
			    &options, NULL, &error),
		STORE_UNAVAILABLE);
	proxy_told("clear");
	proxy_told("fault hole count=0");
	store_context_init(&context, NS_PER_SEC / 2, NULL);
	start = clock_monotonic_ns();
	ck_assert_int_eq(
		store_drop_upload(store, &context, "k", resume.token, &error),
		STORE_TIMEOUT);
	ck_assert_int_lt(clock_monotonic_ns() - start, 5 * NS_PER_SEC);
	proxy_told("clear");
	ck_assert_int_eq(
		store_drop_upload(store, NULL, "k", resume.token, &error),
		STORE_OK);
	expect_no_uploads();
}
END_TEST

/* Somebody takes the upload for one that nobody will complete. */
struct stolen_source {
	struct store_source source;
	struct store_resume *resume;
	bool stolen;
};

static int stolen_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *own)
{
	struct stolen_source *self = (struct stolen_source *)(void *)source;

	memcpy(data, bytes + offset, length);
	if (self->stolen)
		return STORE_OK;
	self->stolen = true;
	return store_drop_upload(store, NULL, "k", self->resume->token, own);
}

START_TEST(an_upload_that_somebody_has_removed_is_no_conflict)
{
	struct store_resume resume = { .note = note_nothing };
	struct store_write_options options = { .resume = &resume };
	struct stolen_source stolen = {
		.source = { .size = BIG, .read = stolen_read },
		.resume = &resume,
	};

	store = place_open("bucket", "&retry_max_attempts=1&single_max=5M"
				     "&part_size=5M");
	ck_assert_int_eq(store_write(store, NULL, "k", &stolen.source, &options,
				     NULL, &error),
			 STORE_UNAVAILABLE);
	ck_assert_int_eq(store_write(store, NULL, "k", &stolen.source, &options,
				     NULL, &error),
			 STORE_OK);
	expect_stored(BIG);
	expect_no_uploads();
}
END_TEST

static int missing_read(struct store_source *source, uint64_t offset,
			void *data, size_t length, struct store_error *own)
{
	(void)source;
	memset(data, 0, length);
	return offset ? store_error_set(own, STORE_NOT_FOUND, "gone") : 0;
}

START_TEST(a_source_that_is_missing_is_told_as_that)
{
	struct store_source source = { .size = BIG, .read = missing_read };

	store = place_open("bucket", "&single_max=5M&part_size=5M");
	ck_assert_int_eq(
		store_write(store, NULL, "k", &source, NULL, NULL, &error),
		STORE_NOT_FOUND);
	expect_no_uploads();
}
END_TEST

START_TEST(a_read_that_stalls_is_sent_again)
{
	open_and_put("&resend_after=200ms", SIZE);
	proxy_told("fault stall-answer verb=GET at=300000");
	ck_assert_int_eq(get(SIZE), STORE_OK);
	/* As is one whose answer never begins. */
	proxy_told("fault stall-answer verb=GET");
	ck_assert_int_eq(get(SIZE), STORE_OK);
}
END_TEST

/* ---- storms ---- */

START_TEST(a_storm_of_slow_down_passes)
{
	open_and_put("&retry_max_attempts=6", 1000);
	proxy_told("forget");
	fake_told("rule fail verb=* count=4");
	ck_assert_int_eq(get(1000), STORE_OK);
	fake_told("rule fail verb=PUT count=4");
	ck_assert_int_eq(put_as("k", 1000, &any, NULL), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5);
	/* One that does not pass. */
	fake_told("rule fail count=0");
	ck_assert_int_eq(put_as("k", 1000, &any, NULL), STORE_THROTTLED);
}
END_TEST

/* What has been sent is not sent again. */
START_TEST(a_storm_in_mid_upload_costs_only_the_parts_it_hits)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M"
				     "&conditions=yes");
	proxy_told("forget");
	fake_told("rule fail verb=PUT target=*partNumber=2* count=2");
	fake_told("rule fail verb=PUT target=*partNumber=4* count=1 "
		  "status=500 code=InternalError");
	fake_told("rule fail verb=POST target=*uploadId=* count=1");
	fake_told("rule fail verb=POST target=*uploads=* count=1");
	ck_assert_int_eq(put_as("k", BIG, &absent, NULL), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5 + 3);
	ck_assert_int_eq(proxy_requests("verb=POST"), 2 + 2);
	expect_stored(BIG);
	expect_no_uploads();
}
END_TEST

/* What it says then is nothing about conditions. */
START_TEST(a_server_that_errs_while_it_is_tried_out_is_tried_again)
{
	char key[16];

	fake_told("rule fail verb=PUT target=*probe* count=2");
	store = place_open("bucket", "&conditions=probe");
	ck_assert(store_supports(store, STORE_CAP_CONDITIONAL));
	store_close(store);
	store = place_open("bucket", "&retry_max_attempts=1");
	fake_told("rule fail verb=DELETE target=*probe* count=1 status=500 "
		  "code=InternalError");
	fake_told("rule fail verb=PUT target=*probe* count=1 status=500 "
		  "code=InternalError skip=1");
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "n%d", i);
		ck_assert_int_eq(put_as(key, 1, &absent, NULL), STORE_OK);
	}
	ck_assert(store_supports(store, STORE_CAP_CONDITIONAL));
}
END_TEST

/* ---- errors with status 200 ---- */

START_TEST(an_error_with_status_200_is_one)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M"
				     "&conditions=yes&retry_max_attempts=1");
	fake_told("rule fail-200 verb=POST target=*uploadId=* "
		  "code=AccessDenied");
	ck_assert_int_eq(put_as("k", BIG, &absent, NULL), STORE_DENIED);
	expect_no_uploads();
	ck_assert_int_eq(get(BIG), STORE_NOT_FOUND);
	/* One that says to try again is heeded. */
	fake_told("rule fail-200 verb=POST target=*uploadId=* "
		  "code=InternalError");
	ck_assert_int_eq(put_as("k", BIG, &absent, NULL), STORE_OK);
	expect_stored(BIG);
	fake_told("rule fail-200 verb=PUT code=AccessDenied");
	ck_assert_int_eq(store_copy(store, NULL, "k", "c", 0, NULL, &error),
			 STORE_DENIED);
	/* Not even half of an answer is one. */
	fake_told("rule broken-xml verb=PUT");
	ck_assert_int_ne(store_copy(store, NULL, "k", "c", 0, NULL, &error),
			 STORE_OK);
}
END_TEST

/* ---- listings ---- */

static int list_all(const char *folder, int depth, size_t *count)
{
	struct store_list_options options = {
		.flags = depth ? STORE_LIST_FILES : 0,
		.max_depth = depth,
	};
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	int code = store_list(store, NULL, folder, &options, &listing, &error);

	for (*count = 0; !code; (*count)++) {
		code = store_listing_next(listing, NULL, &entry, &error);
		if (code || !entry)
			break;
	}
	store_listing_close(listing);
	return code;
}

START_TEST(listings_that_lie_are_errors)
{
	static const char *const rules[] = { "endless", "no-token",
					     "other-names", "broken-xml" };
	char line[128];
	size_t count;

	open_and_put("&retry_max_attempts=1", 1);
	ck_assert_int_eq(put_as("d/k", 1, &any, NULL), STORE_OK);
	ck_assert_int_eq(list_all("d", 0, &count), STORE_OK);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		fake_told("clear");
		snprintf(line, sizeof(line),
			 "rule %s target=*list-type* "
			 "count=0",
			 rules[i]);
		fake_told(line);
		ck_assert_msg(list_all("d", 0, &count), "%s", rules[i]);
	}
	/* The third page is missing. */
	fake_told("clear");
	store_close(store);
	store = place_open("many", "&retry_max_attempts=1");
	fake_told("rule fail target=*list-type* skip=2 count=0");
	ck_assert_int_eq(list_all("", -1, &count), STORE_THROTTLED);
	ck_assert_uint_eq(count, 2000);
}
END_TEST

static long peak_kib(void)
{
	char line[256];
	long peak = 0;
	FILE *file = fopen("/proc/self/status", "re");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %ld", &peak) == 1)
			break;
	fclose(file);
	return peak;
}

START_TEST(a_million_names_are_listed_in_bounded_memory)
{
	long before;
	size_t count;

	store = place_open("many", "");
	ck_assert_int_eq(list_all("d000007", 0, &count), STORE_OK);
	ck_assert_uint_eq(count, 1000);
	ck_assert_int_eq(list_all("", 0, &count), STORE_OK);
	ck_assert_uint_eq(count, MANY / 1000);
	before = peak_kib();
	proxy_told("forget");
	ck_assert_int_eq(list_all("", -1, &count), STORE_OK);
	ck_assert_uint_eq(count, MANY);
	ck_assert_int_eq(proxy_requests("verb=*"), MANY / 1000);
	/* A sanitizer keeps what was freed. */
#ifndef SANITIZED
	ck_assert_int_lt(peak_kib() - before, 8 << 10);
#else
	(void)before;
#endif
}
END_TEST

/* ---- answers that are lost ---- */

START_TEST(a_put_whose_answer_is_lost_is_settled)
{
	struct store_precondition exact = { .condition = STORE_IF_VERSION };
	struct store_info info;
	uint8_t next[STORE_PUBLISH_SIZE] = { 9 };

	store = place_open("bucket", "&conditions=yes");
	proxy_told("fault reset-answer verb=PUT");
	ck_assert_int_eq(put_as("k", SIZE, &absent, id), STORE_OK);
	expect_stored(SIZE);
	ck_assert_int_eq(store_stat(store, NULL, "k", &info, &error), STORE_OK);
	exact.version = info.version;
	proxy_told("fault reset-answer verb=PUT");
	ck_assert_int_eq(put_as("k", 1000, &exact, next), STORE_OK);
	expect_stored(1000);
	/* The base has gone with it: nobody overwrites that unseen. */
	ck_assert_int_eq(put_as("k", 500, &exact, id), STORE_CHANGED);
	/* What never arrived is told as that; on a new connection, since
	 * libcurl tries again by itself on one that was kept. */
	proxy_told("drop");
	proxy_told("fault reset-request verb=PUT");
	ck_assert_int_eq(put_as("n", 10, &absent, id), STORE_UNAVAILABLE);
	ck_assert_int_eq(put_as("n", 10, &absent, id), STORE_OK);
}
END_TEST

START_TEST(a_folder_whose_answer_is_lost_is_made_once)
{
	store = place_open("bucket", "&conditions=yes&retry_max_attempts=1");
	proxy_told("fault reset-answer verb=PUT");
	ck_assert_int_eq(
		store_make_folder(store, NULL, "d", NULL, NULL, &error),
		STORE_OK);
	ck_assert_int_eq(
		store_make_folder(store, NULL, "d", NULL, NULL, &error),
		STORE_EXISTS);
}
END_TEST

START_TEST(a_completion_whose_answer_is_lost_is_settled)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M"
				     "&conditions=yes");
	proxy_told("forget");
	proxy_told("fault reset-answer verb=POST target=*uploadId=*");
	ck_assert_int_eq(put_as("k", BIG, &absent, id), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5);
	expect_stored(BIG);
	expect_no_uploads();
	/* One that never arrived is sent again, without the parts. */
	proxy_told("forget");
	proxy_told("fault reset-request verb=POST target=*uploadId=*");
	ck_assert_int_eq(put_as("n", BIG, &absent, id), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5);
	expect_no_uploads();
	/* The version of somebody else is no version of ours. */
	ck_assert_int_eq(put_as("n", BIG, &absent,
				(const uint8_t *)"another"
						 "another id"),
			 STORE_EXISTS);
	expect_no_uploads();
}
END_TEST

/* ---- keys and clocks ---- */

START_TEST(keys_that_end_in_mid_upload_are_renewed)
{
	char path[64];
	char options[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/credentials", place.dir);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "[default]\naws_access_key_id=one\n"
		      "aws_secret_access_key=s1\naws_session_token=t1\n");
	fclose(file);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	fake_told("key one s1 t1");
	snprintf(options, sizeof(options),
		 "&single_max=5M&part_size=5M&credentials_file=%s", path);
	store = place_open("bucket", options);
	ck_assert_int_eq(put_as("k", 1, &any, NULL), STORE_OK);
	/* Others are there before the old ones end. */
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "[default]\naws_access_key_id=two\n"
		      "aws_secret_access_key=s2\naws_session_token=t2\n");
	fclose(file);
	fake_told("key two s2 t2");
	fake_told("expire one");
	proxy_told("forget");
	ck_assert_int_eq(put_as("k", BIG, &any, NULL), STORE_OK);
	expect_stored(BIG);
	/* With nothing new, they have ended. */
	fake_told("expire two");
	ck_assert_int_eq(put_as("k", 1, &any, NULL), STORE_DENIED);
	unlink(path);
}
END_TEST

START_TEST(a_clock_that_is_set_in_mid_upload_is_followed)
{
	open_and_put("", 1);
	fake_told("clock 7200");
	ck_assert_int_eq(put_as("k", SIZE, &any, NULL), STORE_OK);
	fake_told("clock -7200");
	expect_stored(SIZE);
	fake_told("clock 0");
	expect_stored(SIZE);
}
END_TEST

START_TEST(a_folder_that_is_forbidden_is_denied_and_the_rest_is_not)
{
	open_and_put("", 1);
	ck_assert_int_eq(put_as("no/k", 1, &any, NULL), STORE_OK);
	fake_told("deny no/*");
	ck_assert_int_eq(put_as("no/k", 1, &any, NULL), STORE_DENIED);
	ck_assert_int_eq(store_delete(store, NULL, "no/k", true, &error),
			 STORE_DENIED);
	ck_assert_int_eq(put_as("k", 1, &any, NULL), STORE_OK);
	fake_told("permit");
	ck_assert_int_eq(put_as("no/k", 1, &any, NULL), STORE_OK);
}
END_TEST

START_TEST(a_region_that_changes_is_followed)
{
	open_and_put("", 1);
	fake_told("region eu-north-1");
	ck_assert_int_eq(put_as("k", SIZE, &any, NULL), STORE_OK);
	fake_told("region us-west-2");
	expect_stored(SIZE);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-faults");

	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, an_answer_cut_anywhere_is_read_again);
	tcase_add_test(tests, an_upload_cut_anywhere_is_sent_again);
	tcase_add_test(tests, flipped_bits_of_an_upload_are_refused);
	tcase_add_test(tests, flipped_bits_of_an_answer_are_found);
	tcase_add_test(tests, wrong_lengths_and_ranges_are_no_bytes);
	tcase_add_test(tests, a_black_hole_ends_by_the_limit);
	tcase_add_test(tests, an_upload_is_dropped_in_the_time_of_the_call);
	tcase_add_test(tests,
		       an_upload_that_somebody_has_removed_is_no_conflict);
	tcase_add_test(tests, a_source_that_is_missing_is_told_as_that);
	tcase_add_test(tests, a_read_that_stalls_is_sent_again);
	tcase_add_test(tests, a_storm_of_slow_down_passes);
	tcase_add_test(tests,
		       a_storm_in_mid_upload_costs_only_the_parts_it_hits);
	tcase_add_test(tests,
		       a_server_that_errs_while_it_is_tried_out_is_tried_again);
	tcase_add_test(tests, an_error_with_status_200_is_one);
	tcase_add_test(tests, listings_that_lie_are_errors);
	tcase_add_test(tests, a_million_names_are_listed_in_bounded_memory);
	tcase_add_test(tests, a_put_whose_answer_is_lost_is_settled);
	tcase_add_test(tests, a_folder_whose_answer_is_lost_is_made_once);
	tcase_add_test(tests, a_completion_whose_answer_is_lost_is_settled);
	tcase_add_test(tests, keys_that_end_in_mid_upload_are_renewed);
	tcase_add_test(tests, a_clock_that_is_set_in_mid_upload_is_followed);
	tcase_add_test(
		tests,
		a_folder_that_is_forbidden_is_denied_and_the_rest_is_not);
	tcase_add_test(tests, a_region_that_changes_is_followed);
	return unit_run("s3-faults", tests);
}
