// SPDX-License-Identifier: MIT
/* The core: keys, order of errors, checks ahead of any I/O, child stores. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct store_error error;

static void setup(void)
{
	store_error_clear(&error);
	store = memory_store(MEMORY_WHOLE);
}

static void teardown(void)
{
	store_close(store);
}

/* Calls that reached the backend, of any kind. */
static uint64_t calls_made(void)
{
	uint64_t values[STORE_COUNTERS];
	uint64_t calls = 0;

	store_counters(store, values);
	for (int i = STORE_COUNT_STAT; i <= STORE_COUNT_OTHER; i++)
		calls += values[i];
	return calls;
}

static int write_text(const char *key, const char *text,
		      const struct store_write_options *options)
{
	struct store_memory_source source;

	return store_write(
		store, NULL, key,
		store_memory_source_init(&source, text, strlen(text)), options,
		NULL, &error);
}

START_TEST(keys_are_normalised_on_the_way_in)
{
	memory_put(store, "//x///./y/", "1");
	memory_is(store, "x\\y", "1");
	memory_is(store, "x/y", "1");
}
END_TEST

START_TEST(the_root_is_no_file_and_nothing_is_sent)
{
	static const char *const roots[] = { "", ".", "./", ".//", "./.", "/" };
	struct store_reader *reader = NULL;
	struct store_writer *writer = NULL;
	uint64_t before = calls_made();

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		const char *root = roots[i];

		ck_assert_int_eq(write_text(root, "x", NULL), STORE_INVALID);
		ck_assert_int_eq(store_open_reader(store, NULL, root, NULL,
						   &reader, NULL, &error),
				 STORE_INVALID);
		ck_assert_int_eq(store_open_writer(store, NULL, root, NULL,
						   &writer, &error),
				 STORE_INVALID);
		ck_assert_int_eq(store_delete(store, NULL, root, true, &error),
				 STORE_INVALID);
		ck_assert_int_eq(
			store_delete_folder(store, NULL, root, NULL, &error),
			STORE_INVALID);
		ck_assert_int_eq(store_move(store, NULL, "a", root, 0, NULL,
					    NULL, &error),
				 STORE_INVALID);
		ck_assert_int_eq(
			store_copy(store, NULL, root, "a", 0, NULL, &error),
			STORE_INVALID);
		ck_assert_int_eq(
			store_link(store, NULL, root, "a", NULL, &error),
			STORE_INVALID);
	}
	ck_assert_uint_eq(calls_made(), before);
}
END_TEST

START_TEST(two_dots_are_refused_and_nothing_is_sent)
{
	uint64_t before = calls_made();
	struct store_info info;

	ck_assert_int_eq(store_stat(store, NULL, "a/../b", &info, &error),
			 STORE_INVALID);
	ck_assert_int_eq(write_text("../x", "x", NULL), STORE_INVALID);
	ck_assert_uint_eq(calls_made(), before);
}
END_TEST

START_TEST(the_root_exists_without_asking)
{
	uint64_t before = calls_made();
	bool answer = false;

	ck_assert_int_eq(store_exists(store, NULL, "", &answer, &error), 0);
	ck_assert(answer);
	ck_assert_int_eq(store_is_file(store, NULL, "/", &answer, &error), 0);
	ck_assert(!answer);
	ck_assert_int_eq(store_is_folder(store, NULL, ".", &answer, &error), 0);
	ck_assert(answer);
	ck_assert_uint_eq(calls_made(), before);
}
END_TEST

START_TEST(a_message_names_operation_and_key_once)
{
	struct store_info info;

	ck_assert_int_eq(store_stat(store, NULL, "/no/such", &info, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(strncmp(error.message, "stat 'no/such': ", 16), 0);
	ck_assert_ptr_null(strstr(error.message + 16, "no/such'"));
	ck_assert_int_eq(
		store_move(store, NULL, "a", "b", 0, NULL, NULL, &error),
		STORE_NOT_FOUND);
	ck_assert_int_eq(strncmp(error.message, "move 'a' to 'b': ", 17), 0);
}
END_TEST

START_TEST(nobody_has_to_take_error_context_or_info)
{
	struct store_info info;

	memory_put(store, "a", "1");
	ck_assert_int_eq(store_stat(store, NULL, "b", &info, NULL),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(store_move(store, NULL, "a", "b", 0, NULL, NULL, NULL),
			 STORE_OK);
	ck_assert_int_eq(store_copy(store, NULL, "b", "c", 0, NULL, NULL),
			 STORE_OK);
}
END_TEST

START_TEST(a_context_that_is_over_sends_nothing)
{
	uint64_t before = calls_made();
	struct store_context context;
	struct store_info info;

	store_context_init(&context, 0, NULL);
	context.deadline_ns = 1;
	ck_assert_int_eq(store_stat(store, &context, "a", &info, &error),
			 STORE_TIMEOUT);
	ck_assert_uint_eq(calls_made(), before);
}
END_TEST

START_TEST(writing_without_options_never_replaces)
{
	ck_assert_int_eq(write_text("a", "one", NULL), STORE_OK);
	ck_assert_int_eq(write_text("a", "two", NULL), STORE_EXISTS);
	memory_is(store, "a", "one");
}
END_TEST

static int mute_read(struct store_source *source, uint64_t offset, void *data,
		     size_t length, struct store_error *failure)
{
	(void)source;
	(void)offset;
	(void)data;
	(void)length;
	(void)failure;
	return STORE_UNAVAILABLE;
}

static int odd_read(struct store_source *source, uint64_t offset, void *data,
		    size_t length, struct store_error *failure)
{
	return mute_read(source, offset, data, length, failure) ? 77 : 0;
}

START_TEST(a_source_that_fails_without_a_word_is_still_an_error)
{
	struct store_source mute = { .size = 4, .read = mute_read };
	struct store_source odd = { .size = 4, .read = odd_read };

	ck_assert_int_eq(
		store_write(store, NULL, "a", &mute, NULL, NULL, &error),
		STORE_UNAVAILABLE);
	ck_assert_int_eq(error.code, STORE_UNAVAILABLE);
	ck_assert_int_eq(
		store_write(store, NULL, "a", &odd, NULL, NULL, &error),
		STORE_INTERNAL);
	ck_assert(!memory_has_key(store, "a"));
}
END_TEST

START_TEST(bad_metadata_is_refused_before_anything)
{
	struct store_metadata_pair pair = { (char[]){ "_x" }, (char[]){ "" } };
	struct store_metadata metadata = { 1, &pair };
	struct store_write_options options = { .metadata = &metadata };
	uint64_t before = calls_made();

	ck_assert_int_eq(write_text("a", "x", &options), STORE_INVALID);
	ck_assert_uint_eq(calls_made(), before);
}
END_TEST

START_TEST(bad_metadata_comes_before_a_missing_capability)
{
	struct store_metadata_pair bad = { (char[]){ "_x" }, (char[]){ "" } };
	struct store_metadata_pair good = { (char[]){ "x" }, (char[]){ "" } };
	struct store_metadata metadata = { 1, &bad };
	struct store_write_options options = { .metadata = &metadata };
	struct store_policy policy = { .retry.max_attempts = 1 };
	static struct store_backend plain;

	plain = *memory_table(MEMORY_POOR);
	plain.capabilities &= ~(uint64_t)STORE_CAP_USER_METADATA;
	store_close(store);
	store = memory_assemble(&plain, &policy);
	ck_assert_int_eq(write_text("a", "x", &options), STORE_INVALID);
	metadata.pairs = &good;
	ck_assert_int_eq(write_text("a", "x", &options), STORE_NOT_SUPPORTED);
	metadata.count = 0;
	ck_assert_int_eq(write_text("a", "x", &options), STORE_OK);
}
END_TEST

START_TEST(kept_ranges_must_be_in_order_and_in_bounds)
{
	static const struct store_range wrong[][2] = {
		{ { 0, 4 }, { 3, 1 } },
		{ { 0, 1 }, { 9, 2 } },
		{ { 11, 0 }, { 11, 0 } },
		{ { 1, UINT64_MAX }, { 2, 1 } },
	};
	struct store_write_options options = {
		.precondition = { STORE_IF_VERSION, { .token = "x" } },
		.range_count = 2,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		options.ranges = wrong[i];
		ck_assert_int_eq(write_text("a", "0123456789", &options),
				 STORE_INVALID);
	}
}
END_TEST

START_TEST(an_empty_version_is_no_condition)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
	};

	ck_assert_int_eq(write_text("a", "x", &options), STORE_INVALID);
}
END_TEST

START_TEST(missing_capabilities_come_before_missing_files)
{
	struct store_policy policy = { .retry.max_attempts = 1 };
	static struct store_backend less;

	less = *memory_table(MEMORY_POOR);
	less.capabilities = STORE_CAP_READ | STORE_CAP_METADATA;
	store_close(store);
	store = memory_assemble(&less, &policy);
	ck_assert_int_eq(store_delete(store, NULL, "no", false, &error),
			 STORE_NOT_SUPPORTED);
	ck_assert_int_eq(
		store_move(store, NULL, "no", "a", 0, NULL, NULL, &error),
		STORE_NOT_SUPPORTED);
	ck_assert_int_eq(write_text("a", "x", NULL), STORE_NOT_SUPPORTED);
	ck_assert_int_eq(
		store_make_folder(store, NULL, "a", NULL, NULL, &error),
		STORE_NOT_SUPPORTED);
}
END_TEST

START_TEST(onto_itself_nothing_happens)
{
	struct store_info before;
	struct store_info after = { .links = 0 };

	memory_put(store, "d/a", "1");
	ck_assert_int_eq(store_stat(store, NULL, "d/a", &before, &error), 0);
	ck_assert_int_eq(store_move(store, NULL, "d/a", "/d//a", 0, NULL,
				    &after, &error),
			 STORE_OK);
	ck_assert(store_version_equal(&before.version, &after.version));
	ck_assert_int_eq(
		store_copy(store, NULL, "d/a", "d/a", 0, &after, &error),
		STORE_OK);
	ck_assert_int_eq(store_copy(store, NULL, "d", "d", 0, NULL, &error),
			 STORE_IS_DIR);
	ck_assert_int_eq(
		store_move(store, NULL, "no", "no", 0, NULL, NULL, &error),
		STORE_NOT_FOUND);
	memory_is(store, "d/a", "1");
}
END_TEST

START_TEST(flags_that_do_not_fit_are_refused)
{
	memory_put(store, "a", "1");
	memory_put(store, "b", "2");
	ck_assert_int_eq(store_copy(store, NULL, "a", "b", STORE_MOVE_EXCHANGE,
				    NULL, &error),
			 STORE_INVALID);
	ck_assert_int_eq(store_move(store, NULL, "a", "b",
				    STORE_MOVE_EXCHANGE | STORE_MOVE_OVERWRITE,
				    NULL, NULL, &error),
			 STORE_INVALID);
	ck_assert_int_eq(
		store_move(store, NULL, "a", "b", 1 << 7, NULL, NULL, &error),
		STORE_INVALID);
	ck_assert_int_eq(store_move(store, NULL, "a", "b", STORE_MOVE_EXCHANGE,
				    NULL, NULL, &error),
			 STORE_OK);
	memory_is(store, "a", "2");
}
END_TEST

/* ---- readers ---- */

START_TEST(reads_are_clipped_to_the_file)
{
	struct store_reader *reader = NULL;
	size_t got = 99;
	uint64_t before;
	char data[8];

	memory_put(store, "a", "0123456789");
	ck_assert_int_eq(store_open_reader(store, NULL, "a", NULL, &reader,
					   NULL, &error),
			 STORE_OK);
	ck_assert_uint_eq(store_reader_size(reader), 10);
	ck_assert_int_eq(store_read_at(reader, NULL, 7, data, 8, &got, &error),
			 STORE_OK);
	ck_assert_uint_eq(got, 3);
	before = calls_made();
	ck_assert_int_eq(store_read_at(reader, NULL, 10, data, 8, &got, &error),
			 STORE_OK);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(
		store_read_at(reader, NULL, UINT64_MAX, data, 8, &got, &error),
		STORE_OK);
	ck_assert_uint_eq(got, 0);
	ck_assert_uint_eq(calls_made(), before);
	store_close_reader(reader);
}
END_TEST

START_TEST(sequential_reads_move_on)
{
	struct store_reader *reader = NULL;
	size_t got = 0;
	char data[4];

	memory_put(store, "a", "0123456789");
	ck_assert_int_eq(store_open_reader(store, NULL, "a", NULL, &reader,
					   NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(store_read(reader, NULL, data, 4, &got, &error), 0);
	ck_assert_int_eq(store_read(reader, NULL, data, 4, &got, &error), 0);
	ck_assert_int_eq(memcmp(data, "4567", 4), 0);
	store_seek(reader, 9);
	ck_assert_int_eq(store_read(reader, NULL, data, 4, &got, &error), 0);
	ck_assert_uint_eq(got, 1);
	ck_assert_int_eq(store_read(reader, NULL, data, 4, &got, &error), 0);
	ck_assert_uint_eq(got, 0);
	store_close_reader(reader);
}
END_TEST

START_TEST(reading_all_has_a_limit)
{
	void *data = NULL;
	size_t size = 0;

	memory_put(store, "a", "0123456789");
	ck_assert_int_eq(
		store_read_all(store, NULL, "a", 9, &data, &size, &error),
		STORE_TOO_LARGE);
	ck_assert_ptr_null(data);
	ck_assert_int_eq(
		store_read_all(store, NULL, "a", 10, &data, &size, &error),
		STORE_OK);
	ck_assert_str_eq(data, "0123456789");
	free(data);
}
END_TEST

/* ---- child stores ---- */

START_TEST(a_child_is_the_store_below_a_folder)
{
	struct store *child = NULL;

	memory_put(store, "a/b/c", "1");
	ck_assert_int_eq(store_child(store, "a", &child, &error), STORE_OK);
	memory_is(child, "b/c", "1");
	memory_put(child, "new/x", "2");
	memory_is(store, "a/new/x", "2");
	ck_assert_int_eq(
		store_move(child, NULL, "b/c", "c", 0, NULL, NULL, &error),
		STORE_OK);
	memory_is(store, "a/c", "1");
	ck_assert(!memory_has_key(child, "a"));
	store_close(child);
}
END_TEST

START_TEST(children_outlive_their_parent)
{
	struct store *child = NULL;
	struct store *grandchild = NULL;

	memory_put(store, "a/b/c", "1");
	ck_assert_int_eq(store_child(store, "a", &child, &error), STORE_OK);
	ck_assert_int_eq(store_child(child, "b", &grandchild, &error), 0);
	store_close(child);
	store_close(store);
	memory_is(grandchild, "c", "1");
	store = grandchild; /* for teardown */
}
END_TEST

START_TEST(the_folder_of_a_child_need_not_exist)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store_totals totals;
	struct store *child = NULL;
	struct store_info info;

	ck_assert_int_eq(store_child(store, "x/y", &child, &error), STORE_OK);
	ck_assert_int_eq(store_stat(child, NULL, "", &info, &error), STORE_OK);
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	ck_assert_int_eq(
		store_folder_totals(child, NULL, "", -1, &totals, &error),
		STORE_OK);
	ck_assert_uint_eq(totals.files, 0);
	ck_assert_int_eq(store_list(child, NULL, "", NULL, &listing, &error),
			 STORE_OK);
	ck_assert_int_eq(store_listing_next(listing, NULL, &entry, &error), 0);
	ck_assert_ptr_null(entry);
	store_listing_close(listing);
	memory_put(child, "f", "1");
	memory_is(store, "x/y/f", "1");
	store_close(child);
}
END_TEST

START_TEST(a_child_cannot_be_the_root_or_climb)
{
	struct store *child = NULL;

	ck_assert_int_eq(store_child(store, "", &child, &error), STORE_INVALID);
	ck_assert_int_eq(store_child(store, ".", &child, &error),
			 STORE_INVALID);
	ck_assert_int_eq(store_child(store, "a/..", &child, &error),
			 STORE_INVALID);
	ck_assert_ptr_null(child);
}
END_TEST

START_TEST(equal_stores_share_backend_and_root)
{
	struct store *one = NULL;
	struct store *two = NULL;
	struct store *again = store_ref(store);
	struct store *other = memory_store(MEMORY_WHOLE);

	ck_assert_int_eq(store_child(store, "a", &one, &error), STORE_OK);
	ck_assert_int_eq(store_child(again, "//a", &two, &error), STORE_OK);
	ck_assert(store_equal(store, again));
	ck_assert(store_equal(one, two));
	ck_assert(!store_equal(store, one));
	ck_assert(!store_equal(store, other));
	store_close(one);
	store_close(two);
	store_close(again);
	store_close(other);
}
END_TEST

START_TEST(a_child_keeps_keys_within_their_limit)
{
	char folder[200];
	char key[STORE_KEY_MAX];
	struct store *child = NULL;
	struct store_info info;

	memset(folder, 'f', sizeof(folder) - 1);
	folder[sizeof(folder) - 1] = '\0';
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i % 200 == 199 ? '/' : 'k';
	key[sizeof(key) - 1] = '\0';
	ck_assert_int_eq(store_child(store, folder, &child, &error), STORE_OK);
	ck_assert_int_eq(store_stat(child, NULL, key, &info, &error),
			 STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
	store_close(child);
}
END_TEST

START_TEST(native_paths_come_back_as_keys)
{
	struct store_resolution resolution;
	struct store *child = NULL;
	char *path = NULL;
	char *key = NULL;

	ck_assert_int_eq(store_child(store, "a", &child, &error), STORE_OK);
	ck_assert_int_eq(store_native_path(child, "b\\c", &path, &error), 0);
	ck_assert_str_eq(path, "a/b/c");
	ck_assert_int_eq(store_to_key(child, path, &key, &error), STORE_OK);
	ck_assert_str_eq(key, "b/c");
	free(key);
	ck_assert_int_eq(store_to_key(child, "ab/c", &key, &error),
			 STORE_INVALID);
	free(path);
	ck_assert_int_eq(store_resolve(child, "/b/", &resolution, &error), 0);
	ck_assert_str_eq(resolution.backend, "memory");
	ck_assert_str_eq(resolution.key, "b");
	ck_assert_str_eq(resolution.native_path, "a/b");
	ck_assert_ptr_nonnull(strstr(resolution.identity, "a"));
	store_resolution_release(&resolution);
	store_close(child);
}
END_TEST

START_TEST(raw_keys_keep_the_backslash)
{
	struct store_policy policy = {
		.retry.max_attempts = 1,
		.raw_keys = true,
	};
	struct store *raw = memory_assemble(&memory_backend, &policy);

	memory_put(raw, "a\\b", "1");
	memory_is(raw, "a\\b", "1");
	ck_assert(!memory_has_key(raw, "a"));
	store_close(raw);
}
END_TEST

START_TEST(counters_tell_what_was_asked)
{
	uint64_t values[STORE_COUNTERS];
	struct store *child = NULL;

	memory_put(store, "d/a", "12345");
	memory_is(store, "d/a", "12345");
	ck_assert_int_eq(store_child(store, "d", &child, &error), STORE_OK);
	ck_assert(memory_has_key(child, "a"));
	ck_assert(!memory_has_key(child, "b"));
	store_counters(child, values);
	ck_assert_uint_eq(values[STORE_COUNT_PUT], 1);
	ck_assert_uint_eq(values[STORE_COUNT_BYTES_WRITTEN], 5);
	ck_assert_uint_eq(values[STORE_COUNT_OPEN_READER], 1);
	ck_assert_uint_eq(values[STORE_COUNT_READ], 1);
	ck_assert_uint_eq(values[STORE_COUNT_BYTES_READ], 5);
	ck_assert_uint_eq(values[STORE_COUNT_STAT], 2);
	ck_assert_uint_eq(values[STORE_COUNT_FAILURES], 1);
	for (int i = 0; i < STORE_COUNTERS; i++)
		ck_assert_ptr_nonnull(store_counter_name(i));
	store_close(child);
}
END_TEST

static TCase *cases(void)
{
	TCase *tests = tcase_create("store");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, keys_are_normalised_on_the_way_in);
	tcase_add_test(tests, the_root_is_no_file_and_nothing_is_sent);
	tcase_add_test(tests, two_dots_are_refused_and_nothing_is_sent);
	tcase_add_test(tests, the_root_exists_without_asking);
	tcase_add_test(tests, a_message_names_operation_and_key_once);
	tcase_add_test(tests, nobody_has_to_take_error_context_or_info);
	tcase_add_test(tests, a_context_that_is_over_sends_nothing);
	tcase_add_test(tests, writing_without_options_never_replaces);
	tcase_add_test(tests,
		       a_source_that_fails_without_a_word_is_still_an_error);
	tcase_add_test(tests, bad_metadata_is_refused_before_anything);
	tcase_add_test(tests, bad_metadata_comes_before_a_missing_capability);
	tcase_add_test(tests, kept_ranges_must_be_in_order_and_in_bounds);
	tcase_add_test(tests, an_empty_version_is_no_condition);
	tcase_add_test(tests, missing_capabilities_come_before_missing_files);
	tcase_add_test(tests, onto_itself_nothing_happens);
	tcase_add_test(tests, flags_that_do_not_fit_are_refused);
	tcase_add_test(tests, reads_are_clipped_to_the_file);
	tcase_add_test(tests, sequential_reads_move_on);
	tcase_add_test(tests, reading_all_has_a_limit);
	return tests;
}

static void add_children(TCase *tests)
{
	tcase_add_test(tests, a_child_is_the_store_below_a_folder);
	tcase_add_test(tests, children_outlive_their_parent);
	tcase_add_test(tests, the_folder_of_a_child_need_not_exist);
	tcase_add_test(tests, a_child_cannot_be_the_root_or_climb);
	tcase_add_test(tests, equal_stores_share_backend_and_root);
	tcase_add_test(tests, a_child_keeps_keys_within_their_limit);
	tcase_add_test(tests, native_paths_come_back_as_keys);
	tcase_add_test(tests, raw_keys_keep_the_backslash);
	tcase_add_test(tests, counters_tell_what_was_asked);
}

int main(void)
{
	TCase *tests = cases();

	add_children(tests);
	return unit_run("store", tests);
}
