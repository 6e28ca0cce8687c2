// SPDX-License-Identifier: MIT
/* Listings, patterns, totals: clauses D1 to D4, on a whole and a poor store. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct store_error error;

static void setup(void)
{
	static const char *const keys[] = {
		"a.csv",     "top.txt",	    "d/b.csv",	     "d/c.txt",
		"d/e/f.csv", "d/e/g/h.csv", "d/e/g/i/j.csv", "a_b/x",
		"axb/y",     "a%/z",	    "Up/u",	     "up/l",
		"data/one",  "dataset/f",
	};

	store_error_clear(&error);
	store = memory_store(MEMORY_POOR);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		memory_put(store, keys[i], "12345");
}

static void teardown(void)
{
	store_close(store);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that is listed, sorted, with a blank behind each; malloc'd. */
static char *drain(struct store_listing *listing)
{
	struct buf text = BUF_INIT(1 << 20);
	const struct store_entry *entry = NULL;
	char *names[64];
	size_t count = 0;

	for (;;) {
		int code = store_listing_next(listing, NULL, &entry, &error);

		ck_assert_msg(code == STORE_OK, "%s", error.message);
		if (!entry)
			break;
		ck_assert_uint_lt(count, 64);
		names[count++] = strdup(entry->name);
	}
	store_listing_close(listing);
	qsort(names, count, sizeof(names[0]), compare);
	for (size_t i = 0; i < count; i++) {
		buf_addf(&text, "%s ", names[i]);
		free(names[i]);
	}
	return buf_steal(&text);
}

static void lists(const char *folder, const struct store_list_options *options,
		  const char *expected)
{
	struct store_listing *listing = NULL;
	char *got;

	ck_assert_int_eq(
		store_list(store, NULL, folder, options, &listing, &error),
		STORE_OK);
	got = drain(listing);
	ck_assert_str_eq(got, expected);
	free(got);
}

static void globs(struct store *where, const char *pattern,
		  const char *expected)
{
	struct store_listing *listing = NULL;
	char *got;

	ck_assert_int_eq(store_glob(where, NULL, pattern, &listing, &error),
			 STORE_OK);
	got = drain(listing);
	ck_assert_msg(strcmp(got, expected) == 0, "%s: %s", pattern, got);
	free(got);
}

START_TEST(the_default_is_direct_children)
{
	lists("d", NULL, "d/b.csv d/c.txt d/e ");
	lists("/d/", NULL, "d/b.csv d/c.txt d/e ");
}
END_TEST

START_TEST(a_missing_folder_or_a_file_is_an_empty_listing)
{
	struct store_list_options all = { .max_depth = -1 };

	lists("no", NULL, "");
	lists("d/no/x", &all, "");
	lists("d/c.txt", NULL, "");
	lists("d/c.txt/x", &all, "");
}
END_TEST

START_TEST(depth_is_inclusive)
{
	struct store_list_options options = { .flags = STORE_LIST_FILES };

	lists("d", &options, "d/b.csv d/c.txt ");
	options.max_depth = 1;
	lists("d", &options, "d/b.csv d/c.txt d/e/f.csv ");
	options.max_depth = 2;
	lists("d", &options, "d/b.csv d/c.txt d/e/f.csv d/e/g/h.csv ");
	options.max_depth = 3;
	lists("d", &options,
	      "d/b.csv d/c.txt d/e/f.csv d/e/g/h.csv d/e/g/i/j.csv ");
	options.max_depth = -1;
	lists("d", &options,
	      "d/b.csv d/c.txt d/e/f.csv d/e/g/h.csv d/e/g/i/j.csv ");
}
END_TEST

START_TEST(a_depth_below_minus_one_is_refused)
{
	struct store_list_options options = { .max_depth = -2 };
	struct store_listing *listing = NULL;

	ck_assert_int_eq(
		store_list(store, NULL, "", &options, &listing, &error),
		STORE_INVALID);
	ck_assert_ptr_null(listing);
}
END_TEST

START_TEST(folders_only_and_files_only)
{
	struct store_list_options options = { .flags = STORE_LIST_FOLDERS,
					      .max_depth = -1 };

	lists("d", &options, "d/e d/e/g d/e/g/i ");
	options.max_depth = 0;
	lists("d", &options, "d/e ");
}
END_TEST

START_TEST(a_filter_does_not_prune)
{
	struct store_list_options options = { .max_depth = -1,
					      .pattern = "[fh].csv" };

	lists("d", &options, "d/e/f.csv d/e/g/h.csv ");
	options.pattern = "e";
	lists("", &options, "d/e ");
}
END_TEST

START_TEST(siblings_with_similar_names_stay_out)
{
	struct store_list_options options = { .max_depth = -1 };

	lists("a_b", &options, "a_b/x ");
	lists("a%", &options, "a%/z ");
	lists("UP", &options, "");
	lists("up", &options, "up/l ");
	lists("data", &options, "data/one ");
}
END_TEST

START_TEST(entries_have_what_a_stat_would_tell)
{
	struct store_list_options options = { .flags = STORE_LIST_FILES |
						       STORE_LIST_COMPLETE };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store_info info;

	ck_assert_int_eq(
		store_list(store, NULL, "a_b", &options, &listing, &error),
		STORE_OK);
	ck_assert_int_eq(store_listing_next(listing, NULL, &entry, &error), 0);
	ck_assert_ptr_nonnull(entry);
	ck_assert(entry->complete);
	ck_assert_int_eq(store_stat(store, NULL, entry->name, &info, &error),
			 STORE_OK);
	ck_assert_uint_eq(entry->info.size, info.size);
	ck_assert(store_version_equal(&entry->info.version, &info.version));
	store_listing_close(listing);
}
END_TEST

START_TEST(patterns_find_files_by_their_whole_key)
{
	globs(store, "*.txt", "top.txt ");
	globs(store, "**/*.csv",
	      "a.csv d/b.csv d/e/f.csv d/e/g/h.csv d/e/g/i/j.csv ");
	globs(store, "d/*", "d/b.csv d/c.txt ");
	globs(store, "d/*/*.csv", "d/e/f.csv ");
	globs(store, "d/**/[fj].csv", "d/e/f.csv d/e/g/i/j.csv ");
	globs(store, "d/e", "");
	globs(store, "d/c.txt", "d/c.txt ");
	globs(store, "//d//c.txt", "d/c.txt ");
	globs(store, "no/*", "");
	globs(store, "d/c.txt/*", "");
	globs(store, "a[_]b/*", "a_b/x ");
	globs(store, "?p/?", "Up/u up/l ");
}
END_TEST

START_TEST(bad_patterns_are_refused)
{
	struct store_listing *listing = NULL;

	ck_assert_int_eq(store_glob(store, NULL, "a**", &listing, &error),
			 STORE_INVALID);
	ck_assert_int_eq(store_glob(store, NULL, "", &listing, &error),
			 STORE_INVALID);
	ck_assert_int_eq(store_glob(store, NULL, "../*", &listing, &error),
			 STORE_INVALID);
}
END_TEST

START_TEST(a_pattern_asks_only_where_something_can_match)
{
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];

	store_counters(store, before);
	globs(store, "d/e/*.csv", "d/e/f.csv ");
	store_counters(store, after);
	ck_assert_uint_eq(after[STORE_COUNT_LIST] - before[STORE_COUNT_LIST],
			  1);
	store_counters(store, before);
	globs(store, "d/x*/**", "");
	store_counters(store, after);
	ck_assert_uint_eq(after[STORE_COUNT_LIST] - before[STORE_COUNT_LIST],
			  1);
}
END_TEST

START_TEST(a_child_globs_below_its_folder)
{
	struct store *child = NULL;

	ck_assert_int_eq(store_child(store, "d/e", &child, &error), STORE_OK);
	globs(child, "*.csv", "f.csv ");
	globs(child, "**/*.csv", "f.csv g/h.csv g/i/j.csv ");
	store_close(child);
}
END_TEST

START_TEST(totals_count_what_is_below)
{
	struct store_totals totals;

	ck_assert_int_eq(
		store_folder_totals(store, NULL, "d", -1, &totals, &error),
		STORE_OK);
	ck_assert_uint_eq(totals.files, 5);
	ck_assert_uint_eq(totals.folders, 3);
	ck_assert_uint_eq(totals.bytes, 25);
	ck_assert(totals.newest.tv_sec > 0);
	ck_assert_int_eq(
		store_folder_totals(store, NULL, "d", 1, &totals, &error),
		STORE_OK);
	ck_assert_uint_eq(totals.files, 3);
	ck_assert_int_eq(store_folder_totals(store, NULL, "d/c.txt", -1,
					     &totals, &error),
			 STORE_NOT_DIR);
	ck_assert_int_eq(
		store_folder_totals(store, NULL, "no", -1, &totals, &error),
		STORE_NOT_FOUND);
	ck_assert_int_eq(
		store_folder_totals(store, NULL, "", -2, &totals, &error),
		STORE_INVALID);
}
END_TEST

START_TEST(many_files_are_listed_once_each)
{
	struct store_list_options options = { .flags = STORE_LIST_FILES };
	static bool seen[2500];
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	char key[32];

	for (int i = 0; i < 2500; i++) {
		snprintf(key, sizeof(key), "many/%d", i);
		memory_put(store, key, "");
	}
	ck_assert_int_eq(
		store_list(store, NULL, "many", &options, &listing, &error),
		STORE_OK);
	for (int i = 0; i < 2500; i++) {
		int number = -1;

		ck_assert_int_eq(
			store_listing_next(listing, NULL, &entry, &error),
			STORE_OK);
		ck_assert_ptr_nonnull(entry);
		ck_assert_int_eq(sscanf(entry->name, "many/%d", &number), 1);
		ck_assert(!seen[number]);
		seen[number] = true;
	}
	ck_assert_int_eq(store_listing_next(listing, NULL, &entry, &error), 0);
	ck_assert_ptr_null(entry);
	store_listing_close(listing);
}
END_TEST

START_TEST(one_page_at_a_time)
{
	struct store_page page;
	size_t calls = 0;

	store_page_init(&page);
	do {
		size_t before = page.count;

		ck_assert_int_eq(store_list_page(store, NULL, "d", page.next, 2,
						 &page, &error),
				 STORE_OK);
		ck_assert_uint_le(page.count - before, 2);
		calls++;
	} while (page.next);
	ck_assert_uint_eq(page.count, 3);
	ck_assert_uint_ge(calls, 2);
	store_page_release(&page);
	ck_assert_int_eq(
		store_list_page(store, NULL, "no", NULL, 2, &page, &error),
		STORE_NOT_FOUND);
	ck_assert_uint_eq(page.count, 0);
	store_page_release(&page);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("store-list");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_default_is_direct_children);
	tcase_add_test(tests, a_missing_folder_or_a_file_is_an_empty_listing);
	tcase_add_test(tests, depth_is_inclusive);
	tcase_add_test(tests, a_depth_below_minus_one_is_refused);
	tcase_add_test(tests, folders_only_and_files_only);
	tcase_add_test(tests, a_filter_does_not_prune);
	tcase_add_test(tests, siblings_with_similar_names_stay_out);
	tcase_add_test(tests, entries_have_what_a_stat_would_tell);
	tcase_add_test(tests, patterns_find_files_by_their_whole_key);
	tcase_add_test(tests, bad_patterns_are_refused);
	tcase_add_test(tests, a_pattern_asks_only_where_something_can_match);
	tcase_add_test(tests, a_child_globs_below_its_folder);
	tcase_add_test(tests, totals_count_what_is_below);
	tcase_add_test(tests, many_files_are_listed_once_each);
	tcase_add_test(tests, one_page_at_a_time);
	return unit_run("store-list", tests);
}
