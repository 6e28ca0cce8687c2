// SPDX-License-Identifier: MIT
/* Streams, removal and copies that the core puts together by itself. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct store_error error;

static void setup_poor(void)
{
	store_error_clear(&error);
	store = memory_store(MEMORY_POOR);
}

static void setup_whole(void)
{
	store_error_clear(&error);
	store = memory_store(MEMORY_WHOLE);
}

static void teardown(void)
{
	store_close(store);
}

/* Names below the root, to see that nothing is left over. */
static size_t count_all(void)
{
	struct store_totals totals;

	ck_assert_int_eq(
		store_folder_totals(store, NULL, "", -1, &totals, &error),
		STORE_OK);
	return (size_t)(totals.files + totals.folders);
}

/* ---- streams ---- */

START_TEST(a_stream_shows_only_when_committed)
{
	struct store_writer *writer = NULL;
	struct store_info info = { .size = 0 };

	ck_assert_int_eq(
		store_open_writer(store, NULL, "d/a", NULL, &writer, &error),
		STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "one ", 4, &error),
			 STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "", 0, &error), 0);
	ck_assert_int_eq(store_writer_write(writer, NULL, "two", 3, &error), 0);
	ck_assert(!memory_has_key(store, "d/a"));
	ck_assert_int_eq(store_writer_commit(writer, NULL, &info, &error), 0);
	ck_assert_uint_eq(info.size, 7);
	memory_is(store, "d/a", "one two");
}
END_TEST

START_TEST(a_discarded_stream_leaves_nothing)
{
	struct store_writer *writer = NULL;

	ck_assert_int_eq(
		store_open_writer(store, NULL, "d/a", NULL, &writer, &error),
		STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "one", 3, &error), 0);
	store_writer_discard(writer);
	store_writer_discard(NULL);
	ck_assert_uint_eq(count_all(), 0);
}
END_TEST

START_TEST(a_stream_that_cannot_win_fails_at_open)
{
	struct store_write_options any = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_write_options version = {
		.precondition = { STORE_IF_VERSION, { .token = "other" } },
	};
	struct store_writer *writer = NULL;

	memory_put(store, "f", "1");
	memory_put(store, "d/f", "1");
	ck_assert_int_eq(
		store_open_writer(store, NULL, "f", NULL, &writer, &error),
		STORE_EXISTS);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "d", &any, &writer, &error),
		STORE_IS_DIR);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "d", NULL, &writer, &error),
		STORE_IS_DIR);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "f/x/y", &any, &writer, &error),
		STORE_NOT_DIR);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "f", &version, &writer, &error),
		STORE_CHANGED);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "no", &version, &writer, &error),
		STORE_NOT_FOUND);
	ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(a_stream_that_loses_a_race_fails_at_commit)
{
	struct store_writer *writer = NULL;

	ck_assert_int_eq(
		store_open_writer(store, NULL, "a", NULL, &writer, &error),
		STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "x", 1, &error), 0);
	memory_put(store, "a", "theirs");
	ck_assert_int_eq(store_writer_commit(writer, NULL, NULL, &error),
			 STORE_EXISTS);
	memory_is(store, "a", "theirs");
}
END_TEST

START_TEST(a_stream_remembers_its_options)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE,
		.mode = 0640,
	};
	char name[] = "author";
	char value[] = "me";
	struct store_metadata_pair pair = { name, value };
	struct store_metadata metadata = { 1, &pair };
	char content[] = "bytes";
	struct store_xattr xattr = { "user.x", content, 5 };
	struct store_write_options options = {
		.attributes = &attributes,
		.metadata = &metadata,
		.content_type = "text/plain",
		.xattrs = &xattr,
		.xattr_count = 1,
	};
	struct store_writer *writer = NULL;
	struct store_details details;
	struct store_info info;
	void *data = NULL;
	size_t size = 0;

	ck_assert_int_eq(
		store_open_writer(store, NULL, "a", &options, &writer, &error),
		STORE_OK);
	/* What was borrowed for the call may go. */
	memset(&attributes, 0, sizeof(attributes));
	memset(name, 'z', sizeof(name) - 1);
	memset(value, 'z', sizeof(value) - 1);
	memset(content, 'z', sizeof(content) - 1);
	ck_assert_int_eq(store_writer_commit(writer, NULL, NULL, &error), 0);
	ck_assert_int_eq(
		store_stat_details(store, NULL, "a", &info, &details, &error),
		STORE_OK);
	ck_assert_uint_eq(info.attributes.mode, 0640);
	ck_assert_str_eq(store_metadata_get(&details.metadata, "author"), "me");
	ck_assert_str_eq(details.content_type, "text/plain");
	store_details_release(&details);
	ck_assert_int_eq(store_get_xattr(store, NULL, "a", "user.x", &data,
					 &size, &error),
			 STORE_OK);
	ck_assert_uint_eq(size, 5);
	ck_assert_int_eq(memcmp(data, "bytes", 5), 0);
	free(data);
}
END_TEST

START_TEST(a_failed_stream_cannot_be_committed)
{
	static unsigned char piece[1 << 20];
	struct store_writer *writer = NULL;
	int code = STORE_OK;

	setenv("TMPDIR", "/nonexistent", 1);
	ck_assert_int_eq(
		store_open_writer(store, NULL, "a", NULL, &writer, &error),
		STORE_OK);
	for (int i = 0; i < 9 && !code; i++)
		code = store_writer_write(writer, NULL, piece, sizeof(piece),
					  &error);
	ck_assert_int_ne(code, STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "x", 1, &error),
			 code);
	ck_assert_int_eq(store_writer_commit(writer, NULL, NULL, &error), code);
	ck_assert_uint_eq(count_all(), 0);
}
END_TEST

START_TEST(a_large_stream_arrives_whole)
{
	struct store_writer *writer = NULL;
	struct store_reader *reader = NULL;
	static unsigned char piece[1 << 20];
	size_t got = 0;

	unsetenv("TMPDIR");
	ck_assert_int_eq(
		store_open_writer(store, NULL, "a", NULL, &writer, &error),
		STORE_OK);
	for (int i = 0; i < 10; i++) {
		memset(piece, i, sizeof(piece));
		ck_assert_int_eq(store_writer_write(writer, NULL, piece,
						    sizeof(piece), &error),
				 STORE_OK);
	}
	ck_assert_int_eq(store_writer_commit(writer, NULL, NULL, &error), 0);
	ck_assert_int_eq(store_open_reader(store, NULL, "a", NULL, &reader,
					   NULL, &error),
			 STORE_OK);
	ck_assert_uint_eq(store_reader_size(reader), 10 << 20);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(store_read(reader, NULL, piece, sizeof(piece),
					    &got, &error),
				 STORE_OK);
		ck_assert_uint_eq(got, sizeof(piece));
		ck_assert_int_eq(piece[12345], i);
	}
	store_close_reader(reader);
}
END_TEST

/* ---- removal ---- */

static void plant_tree(void)
{
	char key[64];

	for (int i = 0; i < 1200; i++) {
		snprintf(key, sizeof(key), "d/%d/f%d", i % 7, i);
		memory_put(store, key, "x");
	}
	memory_put(store, "d/a/b/c/d/e", "x");
	memory_put(store, "da/x", "x");
	memory_put(store, "d_", "x");
}

START_TEST(removing_a_tree_leaves_its_siblings)
{
	struct store_delete_folder_options options = { .recursive = true };

	plant_tree();
	ck_assert_int_eq(store_delete_folder(store, NULL, "d", NULL, &error),
			 STORE_NOT_EMPTY);
	memory_is(store, "d/a/b/c/d/e", "x");
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "d", &options, &error),
		STORE_OK);
	ck_assert(!memory_has_key(store, "d"));
	ck_assert_uint_eq(count_all(), 3);
}
END_TEST

START_TEST(removing_a_folder_wants_a_folder)
{
	struct store_delete_folder_options options = { .recursive = true };

	memory_put(store, "f", "1");
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "f", &options, &error),
		STORE_NOT_DIR);
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "no", &options, &error),
		STORE_NOT_FOUND);
	options.missing_ok = true;
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "f", &options, &error),
		STORE_NOT_DIR);
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "no", &options, &error),
		STORE_OK);
	options.recursive = false;
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "no", &options, &error),
		STORE_OK);
	memory_is(store, "f", "1");
}
END_TEST

/* A store where names with "stuck" in them cannot be removed. */
static int stubborn_remove(void *self, struct store_context *context,
			   const char *key,
			   const struct store_precondition *precondition,
			   struct store_error *failure)
{
	if (strstr(key, "stuck"))
		return store_error_set(failure, STORE_DENIED, "no");
	return memory_backend.remove(self, context, key, precondition, failure);
}

struct failures {
	int count;
	char keys[4][64];
};

static void note_failure(void *arg, const char *key,
			 const struct store_error *failure)
{
	struct failures *failures = arg;

	ck_assert_int_eq(failure->code, STORE_DENIED);
	ck_assert_int_lt(failures->count, 4);
	snprintf(failures->keys[failures->count++], 64, "%s", key);
}

START_TEST(what_cannot_be_removed_is_reported_and_the_rest_goes)
{
	static struct store_backend stubborn;
	struct store_policy policy = { .retry.max_attempts = 1 };
	struct failures failures = { .count = 0 };
	struct store_delete_folder_options options = {
		.recursive = true,
		.failed = note_failure,
		.arg = &failures,
	};

	stubborn = *memory_table(MEMORY_POOR);
	stubborn.remove = stubborn_remove;
	store_close(store);
	store = memory_assemble(&stubborn, &policy);
	plant_tree();
	memory_put(store, "d/3/stuck", "1");
	memory_put(store, "d/a/b/stuck", "1");
	ck_assert_int_eq(
		store_delete_folder(store, NULL, "d", &options, &error),
		STORE_DENIED);
	ck_assert_ptr_nonnull(strstr(error.message, "stuck"));
	ck_assert_int_eq(failures.count, 2);
	/* d, d/3, d/3/stuck, d/a, d/a/b, d/a/b/stuck; da, da/x, d_ */
	ck_assert_uint_eq(count_all(), 9);
}
END_TEST

START_TEST(deleting_a_folder_as_a_file_leaves_it)
{
	memory_put(store, "d/x", "1");
	ck_assert_int_eq(store_delete(store, NULL, "d", true, &error),
			 STORE_IS_DIR);
	ck_assert_int_eq(store_delete(store, NULL, "no", false, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(store_delete(store, NULL, "no", true, &error),
			 STORE_OK);
	ck_assert_int_eq(store_delete(store, NULL, "d/x/y", true, &error),
			 STORE_OK);
	memory_is(store, "d/x", "1");
}
END_TEST

START_TEST(only_the_version_that_is_meant_is_deleted)
{
	struct store_version other = { .token = "other" };
	struct store_info info;

	memory_put(store, "a", "1");
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error), 0);
	ck_assert_int_eq(store_delete_version(store, NULL, "a", &other, &error),
			 STORE_CHANGED);
	ck_assert_int_eq(
		store_delete_version(store, NULL, "a", &info.version, &error),
		STORE_OK);
	ck_assert(!memory_has_key(store, "a"));
}
END_TEST

/* ---- copies ---- */

static void plant_rich_file(const char *key)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0751,
		.mtime = { 1234567890, 123456789 },
	};
	struct store_metadata_pair pair = { (char[]){ "author" },
					    (char[]){ "me" } };
	struct store_metadata metadata = { 1, &pair };
	struct store_xattr xattr = { "user.x", "bytes", 5 };
	uint8_t publish[STORE_PUBLISH_SIZE] = { 1 };
	struct store_write_options options = {
		.publish = publish,
		.attributes = &attributes,
		.metadata = &metadata,
		.content_type = "text/plain",
		.xattrs = &xattr,
		.xattr_count = 1,
	};
	struct store_memory_source source;

	ck_assert_int_eq(
		store_write(store, NULL, key,
			    store_memory_source_init(&source, "content", 7),
			    &options, NULL, &error),
		STORE_OK);
}

START_TEST(a_copy_keeps_all_that_belongs_to_the_file)
{
	struct store_details details;
	struct store_info info;
	void *data = NULL;
	size_t size = 0;

	plant_rich_file("a");
	ck_assert_int_eq(store_copy(store, NULL, "a", "d/b", 0, &info, &error),
			 STORE_OK);
	ck_assert_uint_eq(info.size, 7);
	memory_is(store, "d/b", "content");
	ck_assert_int_eq(
		store_stat_details(store, NULL, "d/b", &info, &details, &error),
		STORE_OK);
	ck_assert_uint_eq(info.attributes.mode, 0751);
	ck_assert_int_eq(info.attributes.mtime.tv_nsec, 123456789);
	ck_assert_str_eq(store_metadata_get(&details.metadata, "author"), "me");
	ck_assert_str_eq(details.content_type, "text/plain");
	ck_assert_msg(!details.has_publish, "a copy is another put");
	store_details_release(&details);
	ck_assert_int_eq(store_get_xattr(store, NULL, "d/b", "user.x", &data,
					 &size, &error),
			 STORE_OK);
	ck_assert_uint_eq(size, 5);
	free(data);
}
END_TEST

START_TEST(a_copy_follows_the_order_of_errors)
{
	memory_put(store, "a", "1");
	memory_put(store, "b", "2");
	memory_put(store, "d/x", "3");
	ck_assert_int_eq(store_copy(store, NULL, "no", "d", 0, NULL, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(store_copy(store, NULL, "d", "b", 0, NULL, &error),
			 STORE_IS_DIR);
	ck_assert_int_eq(store_copy(store, NULL, "a", "d", STORE_MOVE_OVERWRITE,
				    NULL, &error),
			 STORE_IS_DIR);
	ck_assert_int_eq(store_copy(store, NULL, "a", "b/x", 0, NULL, &error),
			 STORE_NOT_DIR);
	ck_assert_int_eq(store_copy(store, NULL, "a", "b", 0, NULL, &error),
			 STORE_EXISTS);
	memory_is(store, "b", "2");
	ck_assert_int_eq(store_copy(store, NULL, "a", "b", STORE_MOVE_OVERWRITE,
				    NULL, &error),
			 STORE_OK);
	memory_is(store, "b", "1");
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, a_stream_shows_only_when_committed);
	tcase_add_test(tests, a_discarded_stream_leaves_nothing);
	tcase_add_test(tests, a_stream_that_cannot_win_fails_at_open);
	tcase_add_test(tests, a_stream_that_loses_a_race_fails_at_commit);
	tcase_add_test(tests, a_stream_remembers_its_options);
	tcase_add_test(tests, a_large_stream_arrives_whole);
	tcase_add_test(tests, removing_a_tree_leaves_its_siblings);
	tcase_add_test(tests, removing_a_folder_wants_a_folder);
	tcase_add_test(tests, deleting_a_folder_as_a_file_leaves_it);
	tcase_add_test(tests, only_the_version_that_is_meant_is_deleted);
	tcase_add_test(tests, a_copy_keeps_all_that_belongs_to_the_file);
	tcase_add_test(tests, a_copy_follows_the_order_of_errors);
}

int main(void)
{
	TCase *poor = tcase_create("poor");
	TCase *whole = tcase_create("whole");
	TCase *cases[] = { poor, whole, NULL };

	tcase_add_checked_fixture(poor, setup_poor, teardown);
	tcase_add_checked_fixture(whole, setup_whole, teardown);
	add_tests(poor);
	add_tests(whole);
	tcase_add_test(poor, a_failed_stream_cannot_be_committed);
	tcase_add_test(poor,
		       what_cannot_be_removed_is_reported_and_the_rest_goes);
	return unit_run_cases("store-write", cases);
}
