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
	place_begin();
	fake_told("simulate bucket 0");
	store = place_open("bucket", "&single_max=6M&part_size=5M");
	proxy_told("forget");
}

static struct store_write_options options(void)
{
	return (struct store_write_options){
		.precondition.condition = STORE_IF_ANY,
		.attributes = &attributes,
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
	/* Nobody had said when: the put tells what the server has made of it. */
	ck_assert_uint_ne(made.attributes.mask & STORE_ATTR_MTIME, 0);
	ck_assert_int_eq(made.attributes.mtime.tv_sec, found.stored);
	ck_assert_int_eq(found.attributes.mtime.tv_sec, found.stored);
	ck_assert_int_eq(found.ctime.tv_sec, found.stored);
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
	ck_assert_int_eq(parts_sent(), 5);
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

START_TEST(a_put_of_other_attributes_begins_anew)
{
	struct store_info found;

	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	attributes.mode = 0600;
	put(4 * PART, NULL);
	ck_assert_int_eq(parts_sent(), 8);
	ck_assert_int_eq(proxy_requests("verb=POST target=*uploads*"), 2);
	expect_stored(4 * PART);
	ck_assert_int_eq(store_stat(store, NULL, "k", &found, NULL), STORE_OK);
	ck_assert_uint_eq(found.attributes.mode, 0600);
	/* As one that nothing went ahead of. */
	ck_assert_int_ne(found.attributes.mtime.tv_nsec, 0);
}
END_TEST

START_TEST(so_does_a_call_in_the_middle)
{
	ck_assert_uint_eq(ahead(0, 2 * PART), 2 * PART);
	attributes.mode = 0600;
	ck_assert_uint_eq(ahead(2 * PART, 4 * PART), 4 * PART);
	ck_assert_int_eq(parts_sent(), 2 + 4);
	put(SIZE, NULL);
	ck_assert_int_eq(parts_sent(), 2 + 4 + 1);
	expect_stored(SIZE);
}
END_TEST

START_TEST(a_time_that_was_given_is_kept)
{
	struct store_info found;

	attributes.mask |= STORE_ATTR_MTIME;
	attributes.mtime = (struct timespec){ 1700000000, 5 };
	ck_assert_uint_eq(ahead(0, 4 * PART), 4 * PART);
	put(SIZE, NULL);
	ck_assert_int_eq(parts_sent(), 5);
	ck_assert_int_eq(store_stat(store, NULL, "k", &found, NULL), STORE_OK);
	ck_assert_int_eq(found.attributes.mtime.tv_sec, 1700000000);
	ck_assert_int_eq(found.attributes.mtime.tv_nsec, 5);
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
	tcase_add_test(tests, a_put_of_other_attributes_begins_anew);
	tcase_add_test(tests, so_does_a_call_in_the_middle);
	tcase_add_test(tests, a_time_that_was_given_is_kept);
	tcase_add_test(tests, a_part_that_fails_ahead_is_sent_by_the_put);
	tcase_add_test(tests,
		       an_upload_that_somebody_has_removed_is_begun_anew);
	tcase_add_test(tests, what_has_no_resume_is_refused);
	tcase_add_test(tests, parts_grow_so_that_the_largest_file_fits);
	return unit_run("s3-ahead", tests);
}
