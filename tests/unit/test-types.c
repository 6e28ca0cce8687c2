// SPDX-License-Identifier: MIT
/* User metadata (F9), versions, pages, sources. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include <storefs/types.h>
#include "tests/unit/unit.h"

static int check_pair(const char *name, const char *value)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_metadata metadata;
	int code;

	store_metadata_init(&metadata);
	ck_assert_int_eq(store_metadata_add(&metadata, name, value), STORE_OK);
	code = store_metadata_check(&metadata, &error);
	ck_assert_int_eq(code, error.code);
	store_metadata_release(&metadata);
	return code;
}

START_TEST(metadata_keeps_pairs_in_order)
{
	struct store_metadata metadata;

	store_metadata_init(&metadata);
	ck_assert_int_eq(store_metadata_add(&metadata, "b", "1"), STORE_OK);
	ck_assert_int_eq(store_metadata_add(&metadata, "a", "2"), STORE_OK);
	ck_assert_uint_eq(metadata.count, 2);
	ck_assert_str_eq(metadata.pairs[0].name, "b");
	ck_assert_str_eq(store_metadata_get(&metadata, "a"), "2");
	ck_assert_ptr_null(store_metadata_get(&metadata, "B"));
	store_metadata_release(&metadata);
	ck_assert_uint_eq(metadata.count, 0);
}
END_TEST

START_TEST(metadata_names_are_printable_ascii)
{
	ck_assert_int_eq(check_pair("author", "x"), STORE_OK);
	ck_assert_int_eq(check_pair("a b-c.d~", ""), STORE_OK);
	ck_assert_int_eq(check_pair("", "x"), STORE_INVALID);
	ck_assert_int_eq(check_pair("_x", "x"), STORE_INVALID);
	ck_assert_int_eq(check_pair("\xc3\xa9", "x"), STORE_INVALID);
	ck_assert_int_eq(check_pair("a\n", "x"), STORE_INVALID);
	ck_assert_int_eq(check_pair("a\x7f", "x"), STORE_INVALID);
}
END_TEST

START_TEST(metadata_values_are_utf8)
{
	static const char *const good[] = {
		"\xc3\xa9",	"\xe2\x82\xac",	    "\xf0\x9f\x98\x80",
		"\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "a\nb",
	};
	static const char *const bad[] = {
		"\xff",
		"\xc3",
		"\xc0\x80",
		"\xe0\x80\x80",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf0\x80\x80\x80",
		"x\x80",
		"\xe2\x82",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(check_pair("n", good[i]), STORE_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(check_pair("n", bad[i]), STORE_INVALID);
}
END_TEST

START_TEST(metadata_has_a_limit_of_2048_bytes)
{
	char value[STORE_METADATA_MAX + 1];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	ck_assert_int_eq(check_pair("n", value), STORE_INVALID);
	value[STORE_METADATA_MAX - 1] = '\0';
	ck_assert_int_eq(check_pair("n", value), STORE_OK);
}
END_TEST

START_TEST(a_metadata_name_stands_once)
{
	struct store_metadata metadata;

	store_metadata_init(&metadata);
	ck_assert_int_eq(store_metadata_add(&metadata, "n", "1"), STORE_OK);
	ck_assert_int_eq(store_metadata_add(&metadata, "n", "1"), STORE_OK);
	ck_assert_int_eq(store_metadata_check(&metadata, NULL), STORE_INVALID);
	store_metadata_release(&metadata);
}
END_TEST

START_TEST(empty_versions_equal_nothing)
{
	struct store_version a = { .token = "1-2" };
	struct store_version b = { .token = "1-2", .weak = true };
	struct store_version none = { .weak = false };

	ck_assert(store_version_equal(&a, &b));
	ck_assert(!store_version_equal(&none, &none));
	b.token[0] = '2';
	ck_assert(!store_version_equal(&a, &b));
}
END_TEST

START_TEST(a_page_grows_and_empties)
{
	struct store_info info = { .type = STORE_TYPE_FILE, .size = 7 };
	struct store_page page;
	char name[16];

	store_page_init(&page);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(store_page_add(&page, name, &info, i % 2),
				 STORE_OK);
	}
	ck_assert_uint_eq(page.count, 1000);
	ck_assert_str_eq(page.entries[999].name, "n999");
	ck_assert(page.entries[999].complete);
	ck_assert_uint_eq(page.entries[500].info.size, 7);
	page.next = strdup("cursor");
	store_page_release(&page);
	ck_assert_uint_eq(page.count, 0);
	ck_assert_ptr_null(page.next);
	ck_assert_int_eq(store_page_add(&page, "again", &info, true), STORE_OK);
	store_page_release(&page);
}
END_TEST

START_TEST(a_memory_source_gives_any_range)
{
	struct store_memory_source memory;
	struct store_source *source =
		store_memory_source_init(&memory, "0123456789", 10);
	char data[4] = "";

	ck_assert_uint_eq(source->size, 10);
	ck_assert_int_eq(source->read(source, 7, data, 3, NULL), STORE_OK);
	ck_assert_str_eq(data, "789");
}
END_TEST

static FILE *sparse_file(void)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(ftruncate(fileno(file), 8 << 20), 0);
	ck_assert_int_eq(pwrite(fileno(file), "data", 4, 4 << 20), 4);
	return file;
}

START_TEST(a_descriptor_source_tells_holes_and_keeps_the_position)
{
	FILE *file = sparse_file();
	struct store_fd_source fd_source;
	struct store_source *source =
		store_fd_source_init(&fd_source, fileno(file), 8 << 20);
	struct store_range range = { 0, 0 };
	uint64_t end;
	char data[4];

	ck_assert_int_eq(lseek(fileno(file), 123, SEEK_SET), 123);
	ck_assert_int_eq(source->next_data(source, 0, &range, NULL), STORE_OK);
	/* A file system without holes calls all of it data. */
	ck_assert(range.offset <= 4 << 20);
	end = range.offset + range.length;
	ck_assert(end > 4 << 20);
	ck_assert_int_eq(source->next_data(source, 8 << 20, &range, NULL),
			 STORE_OK);
	ck_assert(range.length == 0);
	ck_assert_int_eq(source->read(source, 4 << 20, data, 4, NULL),
			 STORE_OK);
	ck_assert_int_eq(memcmp(data, "data", 4), 0);
	ck_assert_int_eq(lseek(fileno(file), 0, SEEK_CUR), 123);
	fclose(file);
}
END_TEST

START_TEST(a_descriptor_source_cut_short_is_an_error)
{
	struct store_error error = STORE_ERROR_INIT;
	FILE *file = sparse_file();
	struct store_fd_source fd_source;
	struct store_source *source =
		store_fd_source_init(&fd_source, fileno(file), 9 << 20);
	char data[8];

	ck_assert_int_eq(source->read(source, (8 << 20) - 4, data, 8, &error),
			 STORE_CORRUPT);
	ck_assert_int_eq(error.code, STORE_CORRUPT);
	fclose(file);
}
END_TEST

START_TEST(every_bit_has_a_name_and_no_other)
{
	for (int bit = 0; bit <= 30; bit++)
		ck_assert_ptr_nonnull(
			store_capability_name(UINT64_C(1) << bit));
	ck_assert_ptr_null(store_capability_name(UINT64_C(1) << 31));
	ck_assert_ptr_null(store_capability_name(0));
	ck_assert_ptr_null(store_capability_name(3));
	ck_assert_str_eq(store_type_name(STORE_TYPE_FOLDER), "folder");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("types");

	tcase_add_test(tests, metadata_keeps_pairs_in_order);
	tcase_add_test(tests, metadata_names_are_printable_ascii);
	tcase_add_test(tests, metadata_values_are_utf8);
	tcase_add_test(tests, metadata_has_a_limit_of_2048_bytes);
	tcase_add_test(tests, a_metadata_name_stands_once);
	tcase_add_test(tests, empty_versions_equal_nothing);
	tcase_add_test(tests, a_page_grows_and_empties);
	tcase_add_test(tests, a_memory_source_gives_any_range);
	tcase_add_test(tests,
		       a_descriptor_source_tells_holes_and_keeps_the_position);
	tcase_add_test(tests, a_descriptor_source_cut_short_is_an_error);
	tcase_add_test(tests, every_bit_has_a_name_and_no_other);
	return unit_run("types", tests);
}
