// SPDX-License-Identifier: MIT
/* F: writing, reading and deleting whole files. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

#include "src/base/cleanup.h"

/* F1 */
START_TEST(a_missing_file_is_not_found_before_any_data)
{
	struct store_reader *reader = NULL;
	struct store_info info;
	void *data = NULL;
	size_t size = 7;

	CONF_FAILS(STORE_NOT_FOUND,
		   store_open_reader(conf_store, NULL, "no", NULL, &reader,
				     &info, &conf_error));
	ck_assert_ptr_null(reader);
	CONF_FAILS(STORE_NOT_FOUND,
		   store_open_reader(conf_store, NULL, "no/such/file", NULL,
				     &reader, &info, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND, store_read_all(conf_store, NULL, "no", 100,
						   &data, &size, &conf_error));
	ck_assert_ptr_null(data);
	ck_assert_uint_eq(size, 7);
	CONF_FAILS(STORE_NOT_FOUND, conf_stat("no", &info));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_delete(conf_store, NULL, "no", false, &conf_error));
	CONF_OK(store_delete(conf_store, NULL, "no", true, &conf_error));
	CONF_OK(store_delete(conf_store, NULL, "no/such", true, &conf_error));
}
END_TEST

/* F1, remote-store 10.6 */
START_TEST(a_folder_is_no_file_and_keeps_its_children)
{
	struct store_reader *reader = NULL;

	CONF_OK(conf_put("d/f", "1"));
	CONF_FAILS(STORE_IS_DIR, store_open_reader(conf_store, NULL, "d", NULL,
						   &reader, NULL, &conf_error));
	CONF_FAILS(STORE_IS_DIR,
		   store_delete(conf_store, NULL, "d", false, &conf_error));
	CONF_FAILS(STORE_IS_DIR,
		   store_delete(conf_store, NULL, "d", true, &conf_error));
	conf_expect("d/f", "1");
}
END_TEST

/* remote-store 10.9 */
START_TEST(below_a_file_there_is_nothing)
{
	struct store_reader *reader = NULL;
	bool there = true;

	CONF_OK(conf_put("file.txt", "1"));
	conf_expect_gone("file.txt/child");
	CONF_FAILS(STORE_NOT_FOUND,
		   store_open_reader(conf_store, NULL, "file.txt/child", NULL,
				     &reader, NULL, &conf_error));
	CONF_OK(store_exists(conf_store, NULL, "file.txt/child", &there,
			     &conf_error));
	ck_assert(!there);
	CONF_OK(store_is_folder(conf_store, NULL, "file.txt/a/b", &there,
				&conf_error));
	ck_assert(!there);
	CONF_FAILS(STORE_NOT_FOUND,
		   store_delete(conf_store, NULL, "file.txt/child", false,
				&conf_error));
	CONF_OK(store_delete(conf_store, NULL, "file.txt/child", true,
			     &conf_error));
	conf_expect_names("file.txt", "");
	conf_expect_names("file.txt/child", "");
	conf_expect("file.txt", "1");
}
END_TEST

/* remote-store 10.9: where folders are real, a file cannot have children. */
START_TEST(a_file_cannot_be_made_below_a_file)
{
	CONF_OK(conf_put("file.txt", "1"));
	CONF_FAILS(STORE_NOT_DIR, conf_put("file.txt/child", "2"));
	CONF_FAILS(STORE_NOT_DIR, conf_put_over("file.txt/a/b", "2"));
	conf_expect("file.txt", "1");
	conf_expect_names("", "file.txt");
}
END_TEST

/* F2, remote-store 10.11 */
START_TEST(writing_an_existing_key_leaves_the_old_bytes)
{
	CONF_OK(conf_put("a", "old"));
	CONF_FAILS(STORE_EXISTS, conf_put("a", "new and longer"));
	conf_expect("a", "old");
	conf_expect_names("", "a");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(overwriting_replaces_all_bytes)
{
	CONF_OK(conf_put_over("a", "long old content"));
	conf_expect("a", "long old content");
	CONF_OK(conf_put_over("a", "short"));
	conf_expect("a", "short");
	CONF_OK(conf_put_over("a", ""));
	conf_expect("a", "");
	conf_expect_names("", "a");
	conf_expect_no_leftovers();
}
END_TEST

/* remote-store 10.10 */
START_TEST(a_file_cannot_replace_a_folder)
{
	CONF_OK(conf_put("d/f", "1"));
	CONF_FAILS(STORE_IS_DIR, conf_put_over("d", "2"));
	CONF_FAILS(STORE_IS_DIR, conf_put("d", "2"));
	conf_expect("d/f", "1");
}
END_TEST

/* F8, remote-store 10.35 */
START_TEST(the_result_of_a_write_is_what_stat_tells)
{
	static const char text[] = "some bytes";
	struct store_info written;
	struct store_info later;

	CONF_OK(conf_put_bytes("a/b", text, strlen(text), NULL, &written));
	CONF_OK(conf_stat("a/b", &later));
	ck_assert_uint_eq(written.size, strlen(text));
	ck_assert_int_eq(written.type, STORE_TYPE_FILE);
	ck_assert_str_eq(written.version.token, later.version.token);
	ck_assert_uint_eq(written.id, later.id);
	ck_assert_int_eq(written.ctime.tv_sec, later.ctime.tv_sec);
	ck_assert_int_eq(written.ctime.tv_nsec, later.ctime.tv_nsec);
	ck_assert_uint_eq(written.attributes.mask, later.attributes.mask);
	ck_assert_int_eq(written.attributes.mtime.tv_nsec,
			 later.attributes.mtime.tv_nsec);
}
END_TEST

START_TEST(every_size_around_a_block_survives)
{
	static const size_t sizes[] = { 0,	1,	 4095,	  4096,
					4097,	65535,	 65536,	  65537,
					131072, 1048575, 1048576, 1048577,
					3000001 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char key[32];
		CLEANUP_FREE unsigned char *data = malloc(sizes[i] + 1);

		ck_assert_ptr_nonnull(data);
		conf_fill(data, sizes[i], i);
		snprintf(key, sizeof(key), "size-%zu", sizes[i]);
		CONF_OK(conf_put_bytes(key, data, sizes[i], NULL, NULL));
		conf_expect_bytes(key, data, sizes[i]);
	}
}
END_TEST

static void expect_range(struct store_reader *reader,
			 const unsigned char *whole, size_t size,
			 struct store_range range)
{
	CLEANUP_FREE unsigned char *part = malloc((size_t)range.length);
	size_t wanted = 0;
	size_t got = 0;

	ck_assert_ptr_nonnull(part);
	if (range.offset < size)
		wanted = size - (size_t)range.offset;
	if (wanted > range.length)
		wanted = (size_t)range.length;
	CONF_OK(store_read_at(reader, NULL, range.offset, part,
			      (size_t)range.length, &got, &conf_error));
	ck_assert_uint_eq(got, wanted);
	ck_assert(wanted == 0 ||
		  memcmp(part, whole + range.offset, wanted) == 0);
}

START_TEST(any_range_reads_the_right_bytes)
{
	enum { SIZE = 300000 };
	static const struct store_range fixed[] = {
		{ 0, 1 },	 { SIZE - 8, 8 },  { SIZE - 8, 100 },
		{ SIZE, 10 },	 { SIZE + 5, 10 }, { 65530, 12 },
		{ 0, SIZE * 2 },
	};
	CLEANUP_FREE unsigned char *data = malloc(SIZE);
	struct store_reader *reader = NULL;
	uint64_t random = conf_seed();
	size_t i;

	ck_assert_ptr_nonnull(data);
	conf_fill(data, SIZE, 5);
	CONF_OK(conf_put_bytes("a", data, SIZE, NULL, NULL));
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	ck_assert_uint_eq(store_reader_size(reader), SIZE);
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		expect_range(reader, data, SIZE, fixed[i]);
	for (i = 0; i < 200; i++) {
		struct store_range range = {
			.offset = conf_random(&random) % (SIZE + 1000),
			.length = conf_random(&random) % 70000 + 1,
		};

		expect_range(reader, data, SIZE, range);
	}
	store_close_reader(reader);
}
END_TEST

START_TEST(sequential_reading_and_seeking_have_a_position)
{
	struct store_reader *reader = NULL;
	char part[8] = "";
	size_t got = 0;

	CONF_OK(conf_put("a", "0123456789"));
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	CONF_OK(store_read(reader, NULL, part, 4, &got, &conf_error));
	ck_assert_uint_eq(got, 4);
	ck_assert_mem_eq(part, "0123", 4);
	CONF_OK(store_read(reader, NULL, part, 4, &got, &conf_error));
	ck_assert_mem_eq(part, "4567", 4);
	CONF_OK(store_read(reader, NULL, part, 4, &got, &conf_error));
	ck_assert_uint_eq(got, 2);
	CONF_OK(store_read(reader, NULL, part, 4, &got, &conf_error));
	ck_assert_uint_eq(got, 0);
	store_seek(reader, 1);
	CONF_OK(store_read(reader, NULL, part, 2, &got, &conf_error));
	ck_assert_mem_eq(part, "12", 2);
	store_seek(reader, 100);
	CONF_OK(store_read(reader, NULL, part, 2, &got, &conf_error));
	ck_assert_uint_eq(got, 0);
	store_close_reader(reader);
}
END_TEST

/* F6, remote-store 10.31 */
START_TEST(the_end_of_a_large_file_is_one_small_read)
{
	enum { SIZE = 8 << 20 };
	CLEANUP_FREE unsigned char *data = malloc(SIZE);
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];
	struct store_reader *reader = NULL;
	unsigned char end[8];
	size_t got = 0;

	ck_assert_ptr_nonnull(data);
	conf_fill(data, SIZE, 6);
	CONF_OK(conf_put_bytes("a", data, SIZE, NULL, NULL));
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	store_counters(conf_store, before);
	store_seek(reader, SIZE - 8);
	CONF_OK(store_read(reader, NULL, end, 8, &got, &conf_error));
	store_counters(conf_store, after);
	store_close_reader(reader);
	ck_assert_uint_eq(got, 8);
	ck_assert_mem_eq(end, data + SIZE - 8, 8);
	ck_assert_uint_eq(after[STORE_COUNT_READ] - before[STORE_COUNT_READ],
			  1);
	ck_assert_uint_le(after[STORE_COUNT_BYTES_READ] -
				  before[STORE_COUNT_BYTES_READ],
			  65536);
}
END_TEST

START_TEST(read_all_has_a_limit)
{
	void *data = NULL;
	size_t size = 0;

	CONF_OK(conf_put("a", "12345"));
	CONF_FAILS(STORE_TOO_LARGE, store_read_all(conf_store, NULL, "a", 4,
						   &data, &size, &conf_error));
	ck_assert_ptr_null(data);
	CONF_OK(store_read_all(conf_store, NULL, "a", 5, &data, &size,
			       &conf_error));
	ck_assert_uint_eq(size, 5);
	ck_assert_str_eq(data, "12345");
	free(data);
}
END_TEST

START_TEST(deleting_removes_just_that_file)
{
	bool there = true;

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/b", "2"));
	CONF_OK(store_delete(conf_store, NULL, "d/a", false, &conf_error));
	conf_expect_gone("d/a");
	CONF_OK(store_is_file(conf_store, NULL, "d/a", &there, &conf_error));
	ck_assert(!there);
	conf_expect("d/b", "2");
	CONF_FAILS(STORE_NOT_FOUND,
		   store_delete(conf_store, NULL, "d/a", false, &conf_error));
	CONF_OK(conf_put("d/a", "again"));
	conf_expect("d/a", "again");
}
END_TEST

/* D6, remote-store 10.28 */
START_TEST(what_another_handle_writes_is_seen_at_once)
{
	struct store *other = conf_open();
	struct store_memory_source source;

	CONF_OK(store_write(other, NULL, "d/a",
			    store_memory_source_init(&source, "one", 3), NULL,
			    NULL, &conf_error));
	conf_expect("d/a", "one");
	conf_expect_names("", "d/ d/a");
	CONF_OK(store_delete(other, NULL, "d/a", false, &conf_error));
	conf_expect_gone("d/a");
	CONF_OK(conf_put("d/a", "two"));
	store_close(other);
	conf_expect("d/a", "two");
}
END_TEST

/* F5, remote-store 10.19: the source of a put breaks off. */
struct broken_source {
	struct store_source source;
	uint64_t good;
};

static int broken_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct broken_source *broken = (struct broken_source *)(void *)source;

	if (offset + length > broken->good)
		return store_error_set(error, STORE_CORRUPT, "broken source");
	memset(data, 'b', length);
	return STORE_OK;
}

static int put_broken(const char *key, uint64_t good, bool over)
{
	struct broken_source broken = {
		.source = { .size = 5 << 20, .read = broken_read },
		.good = good,
	};
	struct store_write_options options = {
		.precondition.condition = over ? STORE_IF_ANY : STORE_IF_ABSENT,
	};

	return store_write(conf_store, NULL, key, &broken.source, &options,
			   NULL, &conf_error);
}

START_TEST(a_failing_source_leaves_the_old_file_and_nothing_else)
{
	static const uint64_t stops[] = { 0, 1 << 20, (5 << 20) - 1 };
	size_t i;

	CONF_OK(conf_put("old", "old"));
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		CONF_FAILS(STORE_CORRUPT, put_broken("old", stops[i], true));
		CONF_FAILS(STORE_CORRUPT, put_broken("new", stops[i], false));
	}
	conf_expect("old", "old");
	conf_expect_gone("new");
	conf_expect_names("", "old");
	conf_expect_no_leftovers();
}
END_TEST

void conf_add_files(void)
{
	conf_add("F1", 0, a_missing_file_is_not_found_before_any_data);
	conf_add("F1", 0, a_folder_is_no_file_and_keeps_its_children);
	conf_add("F1", 0, below_a_file_there_is_nothing);
	conf_add("F1", STORE_CAP_FOLDERS, a_file_cannot_be_made_below_a_file);
	conf_add("F1", STORE_CAP_FOLDERS, a_file_cannot_replace_a_folder);
	conf_add("F1", 0, every_size_around_a_block_survives);
	conf_add("F1", 0, any_range_reads_the_right_bytes);
	conf_add("F1", 0, sequential_reading_and_seeking_have_a_position);
	conf_add("F1", 0, read_all_has_a_limit);
	conf_add("F1", 0, deleting_removes_just_that_file);
	conf_add("F2", 0, writing_an_existing_key_leaves_the_old_bytes);
	conf_add("F2", 0, overwriting_replaces_all_bytes);
	conf_add("F5", 0,
		 a_failing_source_leaves_the_old_file_and_nothing_else);
	conf_add("F6", STORE_CAP_SEEKABLE_READ,
		 the_end_of_a_large_file_is_one_small_read);
	conf_add("F8", STORE_CAP_WRITE_RESULT,
		 the_result_of_a_write_is_what_stat_tells);
	conf_add("D6", 0, what_another_handle_writes_is_seen_at_once);
}
