// SPDX-License-Identifier: MIT
/*
 * Parts that go to an S3 server ahead of the put that makes a file of them:
 * what is sent, how often, and what becomes of it.
 */
#include "config.h"

#include "backends/s3/s3.h"
#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

enum { MIB = 1 << 20, PART = 5 * MIB, SIZE = 23 * MIB };

static unsigned char bytes[SIZE];
static struct store_resume resume;
static struct store_attributes attributes;
static uint8_t publish[STORE_PUBLISH_SIZE];
static bool absent;

static int note_nothing(struct store_resume *noted, struct store_error *own)
{
	(void)noted;
	(void)own;
	return STORE_OK;
}

static void setup(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
	resume = (struct store_resume){ .note = note_nothing };
	attributes = (struct store_attributes){ .mask = STORE_ATTR_MODE,
						.mode = 0640 };
	memset(publish, 0, sizeof(publish));
	absent = false;
	place_begin();
	fake_told("simulate bucket 0");
	store = place_open("bucket", "&single_max=6M&part_size=5M");
	proxy_told("forget");
}

static struct store_write_options options(void)
{
	return (struct store_write_options){
		.precondition.condition =
			absent ? STORE_IF_ABSENT : STORE_IF_ANY,
		.attributes = &attributes,
		.publish = publish,
		.resume = &resume,
	};
}

/* Of a file that has `known` bytes so far; where what was sent ends. */
static uint64_t ahead(uint64_t from, uint64_t known)
{
	struct store_write_options how = options();
	struct store_range range = { from, known - from };
	struct store_memory_source source;

	store_error_clear(&error);
	store_memory_source_init(&source, bytes, known);
	ck_assert_int_eq(store_send_ahead(store, NULL, "k", &source.source,
					  &how, &range, &error),
			 STORE_OK);
	ck_assert_uint_eq(range.offset, from);
	return range.offset + range.length;
}

static void put(uint64_t size, struct store_info *info)
{
	struct store_write_options how = options();
	struct store_memory_source source;

	store_error_clear(&error);
	store_memory_source_init(&source, bytes, size);
	if (store_write(store, NULL, "k", &source.source, &how, info, &error))
		ck_abort_msg("%s", error.message);
	ck_assert_str_eq(resume.token, "");
	fake_told("uploads");
	ck_assert_str_eq(buf_text(&place.answer), "");
}

static void expect_stored(uint64_t size)
{
	size_t got = 0;
	void *data = NULL;

	ck_assert_int_eq(
		store_read_all(store, NULL, "k", SIZE, &data, &got, &error),
		STORE_OK);
	ck_assert_uint_eq(got, size);
	ck_assert_mem_eq(data, bytes, size);
	free(data);
}

static int parts_sent(void)
{
	return proxy_requests("verb=PUT target=*partNumber*");
}

/* Copies of the file over itself. */
static int stamps(void)
{
	return proxy_requests("verb=PUT") - parts_sent();
}

static void expect_same_times(const struct store_info *made,
			      const struct store_info *found)
{
	const struct timespec *one = &made->attributes.mtime;
	const struct timespec *other = &found->attributes.mtime;

	ck_assert_int_eq(one->tv_sec, other->tv_sec);
	ck_assert_int_eq(one->tv_nsec, other->tv_nsec);
	ck_assert_int_ne(other->tv_nsec, 0);
	ck_assert_int_eq(made->ctime.tv_sec, found->ctime.tv_sec);
	ck_assert_int_eq(made->ctime.tv_nsec, found->ctime.tv_nsec);
}

static void expect_nothing_yet(void)
{
	struct store_info info;

	ck_assert_int_eq(store_stat(store, NULL, "k", &info, NULL),
			 STORE_NOT_FOUND);
}

START_TEST(parts_that_went_ahead_are_not_sent_by_the_put)
{
	struct store_info made;
	struct store_info found;

	/* It may yet be small enough for a single put. */
	ck_assert_uint_eq(ahead(0, 6 * MIB), 0);
	ck_assert_str_eq(resume.token, "");
	ck_assert_uint_eq(ahead(0, 12 * MIB), 2 * PART);
	ck_assert_int_eq(parts_sent(), 2);
	ck_assert_uint_eq(ahead(2 * PART, 14 * MIB), 2 * PART);
	ck_assert_uint_eq(ahead(2 * PART, 22 * MIB), 4 * PART);
	ck_assert_int_eq(parts_sent(), 4);
	/* Nobody asks for what was just sent. */
	ck_assert_int_eq(proxy_requests("verb=GET target=*uploadId*"), 0);
	expect_nothing_yet();
	put(SIZE, &made);
	ck_assert_int_eq(parts_sent(), 5);
	ck_assert_int_eq(proxy_requests("verb=POST target=*uploads*"), 1);
	expect_stored(SIZE);
	ck_assert_int_eq(store_stat(store, NULL, "k", &found, NULL), STORE_OK);
	ck_assert(store_version_equal(&made.version, &found.version));
	ck_assert_uint_eq(found.attributes.mode, 0640);
	ck_assert_int_eq(stamps(), 1);
	expect_same_times(&made, &found);
}
END_TEST

START_TEST(a_part_that_has_changed_is_sent_again)
{
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	bytes[PART + 1000] ^= 1;
	put(4 * PART, NULL);
	ck_assert_int_eq(parts_sent(), 5);
	expect_stored(4 * PART);
}
END_TEST

START_TEST(a_file_that_was_cut_has_no_part_too_many)
{
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	put(2 * PART + 100, NULL);
	ck_assert_int_eq(parts_sent(), 4 + 3);
	expect_stored(2 * PART + 100);
}
END_TEST

/* The uploads.c of a mount drops it then; a put alone does not know of it. */
START_TEST(a_file_that_became_small_leaves_its_token)
{
	struct store_write_options how = options();
	struct store_memory_source source;

	ck_assert_uint_eq(ahead(0, 2 * PART), 2 * PART);
	store_memory_source_init(&source, bytes, 100);
	ck_assert_int_eq(store_write(store, NULL, "k", &source.source, &how,
				     NULL, &error),
			 STORE_OK);
	expect_stored(100);
	ck_assert_int_eq(
		store_drop_upload(store, NULL, "k", resume.token, &error),
		STORE_OK);
	fake_told("uploads");
	ck_assert_str_eq(buf_text(&place.answer), "");
	expect_stored(100);
}
END_TEST

START_TEST(attributes_are_those_of_the_put)
{
	struct store_info made, found;

	ck_assert_uint_eq(ahead(0, 2 * PART), 2 * PART);
	attributes.mode = 0600;
	attributes.mask |= STORE_ATTR_MTIME | STORE_ATTR_UID;
	attributes.mtime = (struct timespec){ 1700000000, 5 };
	attributes.uid = 1234;
	ck_assert_uint_eq(ahead(2 * PART, 4 * PART), 4 * PART);
	attributes.mtime = (struct timespec){ 1700000001, 7 };
	put(SIZE, &made);
	ck_assert_int_eq(parts_sent(), 5);
	ck_assert_int_eq(proxy_requests("verb=POST target=*uploads*"), 1);
	ck_assert_int_eq(stamps(), 1);
	expect_stored(SIZE);
	ck_assert_int_eq(store_stat(store, NULL, "k", &found, NULL), STORE_OK);
	ck_assert_uint_eq(found.attributes.mode, 0600);
	ck_assert_uint_eq(found.attributes.uid, 1234);
	ck_assert_int_eq(found.attributes.mtime.tv_sec, 1700000001);
	ck_assert_int_eq(found.attributes.mtime.tv_nsec, 7);
	expect_same_times(&made, &found);
	ck_assert(store_version_equal(&made.version, &found.version));
}
END_TEST

START_TEST(another_put_begins_anew)
{
	publish[15] = 1;
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	publish[15] = 2;
	put(4 * PART, NULL);
	ck_assert_int_eq(parts_sent(), 8);
	ck_assert_int_eq(proxy_requests("verb=POST target=*uploads*"), 2);
	ck_assert_int_eq(stamps(), 0);
	expect_stored(4 * PART);
}
END_TEST

START_TEST(so_does_a_call_in_the_middle)
{
	publish[15] = 1;
	ck_assert_uint_eq(ahead(0, 2 * PART), 2 * PART);
	publish[15] = 2;
	ck_assert_uint_eq(ahead(2 * PART, 4 * PART), 4 * PART);
	ck_assert_int_eq(parts_sent(), 2 + 4);
	put(SIZE, NULL);
	ck_assert_int_eq(parts_sent(), 2 + 4 + 1);
	expect_stored(SIZE);
}
END_TEST

static int put_code(void)
{
	struct store_write_options how = options();
	struct store_memory_source source;

	store_error_clear(&error);
	store_memory_source_init(&source, bytes, SIZE);
	return store_write(store, NULL, "k", &source.source, &how, NULL,
			   &error);
}

static bool is_of_the_put(void)
{
	struct store_details details;
	struct store_info info;
	bool same;

	ck_assert_int_eq(
		store_stat_details(store, NULL, "k", &info, &details, NULL),
		STORE_OK);
	same = details.has_publish &&
	       !memcmp(details.publish, publish, sizeof(publish));
	store_details_release(&details);
	return same;
}

/* Complete, and then nobody can be reached: the put has not arrived. */
START_TEST(attributes_that_were_not_set_are_set_by_the_next_put)
{
	struct store_info found;

	store_close(store);
	store = place_open("bucket", "&single_max=6M&part_size=5M"
				     "&retry_max_attempts=1");
	publish[15] = 1;
	absent = true;
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	attributes.mode = 0600;
	proxy_told("fault answer verb=PUT target=*/k status=503 count=0");
	ck_assert(store_code_retryable(put_code()));
	proxy_told("clear");
	ck_assert_str_ne(resume.token, "");
	ck_assert(!is_of_the_put());
	put(SIZE, NULL);
	ck_assert(is_of_the_put());
	ck_assert_int_eq(parts_sent(), 5);
	ck_assert_int_eq(store_stat(store, NULL, "k", &found, NULL), STORE_OK);
	ck_assert_uint_eq(found.attributes.mode, 0600);
	expect_stored(SIZE);
}
END_TEST

/* What is there by then is not the file of the next generation. */
START_TEST(of_another_put_nothing_has_arrived)
{
	store_close(store);
	store = place_open("bucket", "&single_max=6M&part_size=5M"
				     "&retry_max_attempts=1");
	publish[15] = 1;
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	proxy_told("fault answer verb=PUT target=*/k status=503 count=0");
	ck_assert(store_code_retryable(put_code()));
	proxy_told("clear");
	publish[12] ^= 1;
	bytes[12345] ^= 1;
	put(SIZE, NULL);
	ck_assert(is_of_the_put());
	ck_assert_int_eq(parts_sent(), 5 + 5);
	expect_stored(SIZE);
}
END_TEST

/* Whoever has put another file there meanwhile keeps its attributes. */
START_TEST(what_has_replaced_it_is_not_touched)
{
	struct store_memory_source source;
	struct store_write_options other = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_info info;

	store_close(store);
	store = place_open("bucket", "&single_max=6M&part_size=5M"
				     "&retry_max_attempts=1");
	publish[15] = 1;
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	proxy_told("fault answer verb=PUT target=*/k status=503 count=0");
	ck_assert(store_code_retryable(put_code()));
	proxy_told("clear");
	store_memory_source_init(&source, bytes, 100);
	ck_assert_int_eq(store_write(store, NULL, "k", &source.source, &other,
				     NULL, &error),
			 STORE_OK);
	absent = true;
	ck_assert_int_eq(put_code(), STORE_EXISTS);
	ck_assert_int_eq(store_stat(store, NULL, "k", &info, NULL), STORE_OK);
	ck_assert_uint_eq(info.size, 100);
	ck_assert(!(info.attributes.mask & STORE_ATTR_MODE));
}
END_TEST

START_TEST(a_part_that_fails_ahead_is_sent_by_the_put)
{
	struct store_write_options how = options();
	struct store_range range = { 0, 4 * PART };
	struct store_memory_source source;

	store_close(store);
	store = place_open("bucket", "&single_max=6M&part_size=5M"
				     "&retry_max_attempts=1");
	proxy_told("fault reset-request verb=PUT at=1000 count=0");
	store_memory_source_init(&source, bytes, 4 * PART);
	ck_assert_int_eq(store_send_ahead(store, NULL, "k", &source.source,
					  &how, &range, &error),
			 STORE_UNAVAILABLE);
	ck_assert_str_ne(resume.token, "");
	proxy_told("clear");
	put(SIZE, NULL);
	expect_stored(SIZE);
}
END_TEST

START_TEST(an_upload_that_somebody_has_removed_is_begun_anew)
{
	char token[STORE_TOKEN_MAX + 1];

	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	memcpy(token, resume.token, sizeof(token));
	ck_assert_int_eq(store_drop_upload(store, NULL, "k", token, &error),
			 STORE_OK);
	put(SIZE, NULL);
	ck_assert_int_eq(parts_sent(), 4 + 5);
	expect_stored(SIZE);
}
END_TEST

START_TEST(what_has_no_resume_is_refused)
{
	struct store_write_options how = options();
	struct store_range range = { 0, 4 * PART };
	struct store_memory_source source;

	store_memory_source_init(&source, bytes, 4 * PART);
	range.length++;
	ck_assert_int_eq(store_send_ahead(store, NULL, "k", &source.source,
					  &how, &range, &error),
			 STORE_INVALID);
	how.resume = NULL;
	range.length--;
	ck_assert_int_eq(store_send_ahead(store, NULL, "k", &source.source,
					  &how, &range, &error),
			 STORE_INVALID);
	ck_assert_int_eq(parts_sent(), 0);
}
END_TEST

/* Where nothing is known of the end, 5 TiB have to fit. */
START_TEST(parts_grow_so_that_the_largest_file_fits)
{
	static const uint64_t sizes[] = { S3_PART_MIN, 8 * MIB, S3_PART_MAX };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct s3_upload upload = { .part_size = sizes[i],
					    .open = true };
		uint64_t at = 0;
		unsigned int number = 0;

		ck_assert_uint_eq(s3_upload_part_size(&upload, 1), sizes[i]);
		while (at < S3_SIZE_MAX) {
			uint64_t size = s3_upload_part_size(&upload, ++number);

			ck_assert_uint_ge(size, sizes[i]);
			ck_assert_uint_le(size, S3_PART_MAX);
			at += size;
		}
		ck_assert_uint_le(number, S3_PARTS_MAX);
		upload.open = false;
		ck_assert_uint_eq(s3_upload_part_size(&upload, number),
				  sizes[i]);
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-ahead");

	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, parts_that_went_ahead_are_not_sent_by_the_put);
	tcase_add_test(tests, a_part_that_has_changed_is_sent_again);
	tcase_add_test(tests, a_file_that_was_cut_has_no_part_too_many);
	tcase_add_test(tests, a_file_that_became_small_leaves_its_token);
	tcase_add_test(tests, attributes_are_those_of_the_put);
	tcase_add_test(tests, another_put_begins_anew);
	tcase_add_test(tests, so_does_a_call_in_the_middle);
	tcase_add_test(tests,
		       attributes_that_were_not_set_are_set_by_the_next_put);
	tcase_add_test(tests, of_another_put_nothing_has_arrived);
	tcase_add_test(tests, what_has_replaced_it_is_not_touched);
	tcase_add_test(tests, a_part_that_fails_ahead_is_sent_by_the_put);
	tcase_add_test(tests,
		       an_upload_that_somebody_has_removed_is_begun_anew);
	tcase_add_test(tests, what_has_no_resume_is_refused);
	tcase_add_test(tests, parts_grow_so_that_the_largest_file_fits);
	return unit_run("s3-ahead", tests);
}
