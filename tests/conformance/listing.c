// SPDX-License-Identifier: MIT
/* D1, D3, D4: listings, whole and page by page. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

static void expect_listing(const char *folder,
			   const struct store_list_options *options,
			   const char *names)
{
	char *found = conf_names(conf_store, folder, options);

	ck_assert_str_eq(found, names);
	free(found);
}

/* D1, remote-store 10.22 */
START_TEST(a_missing_folder_lists_empty)
{
	expect_listing("no", NULL, "");
	expect_listing("no/such", NULL, "");
	CONF_OK(conf_put("f", "1"));
	expect_listing("f", NULL, "");
	expect_listing("f/x", NULL, "");
}
END_TEST

START_TEST(direct_children_are_listed_once_with_whole_keys)
{
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/e/b", "2"));
	CONF_OK(conf_put("d/e/c", "3"));
	CONF_OK(conf_put("top", "4"));
	expect_listing("", NULL, "d/ top");
	expect_listing("d", NULL, "d/a d/e/");
	expect_listing("/d//e/", NULL, "d/e/b d/e/c");
}
END_TEST

START_TEST(files_and_folders_are_told_apart)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES };
	struct store_list_options folders = { .flags = STORE_LIST_FOLDERS };

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("d/b", "2"));
	expect_listing("", &files, "a");
	expect_listing("", &folders, "d/");
	files.max_depth = -1;
	folders.max_depth = -1;
	expect_listing("", &files, "a d/b");
	expect_listing("", &folders, "d/");
}
END_TEST

/* D3, remote-store 10.23 */
START_TEST(depth_limits_are_inclusive)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES };
	struct store_list_options folders = { .flags = STORE_LIST_FOLDERS };
	struct store_listing *listing = NULL;

	CONF_OK(conf_put("t/f0", "x"));
	CONF_OK(conf_put("t/a/f1", "x"));
	CONF_OK(conf_put("t/a/b/f2", "x"));
	CONF_OK(conf_put("t/a/b/c/f3", "x"));
	expect_listing("t", &files, "t/f0");
	expect_listing("t", &folders, "t/a/");
	files.max_depth = folders.max_depth = 1;
	expect_listing("t", &files, "t/a/f1 t/f0");
	expect_listing("t", &folders, "t/a/ t/a/b/");
	files.max_depth = folders.max_depth = 2;
	expect_listing("t", &files, "t/a/b/f2 t/a/f1 t/f0");
	expect_listing("t", &folders, "t/a/ t/a/b/ t/a/b/c/");
	files.max_depth = 3;
	expect_listing("t", &files, "t/a/b/c/f3 t/a/b/f2 t/a/f1 t/f0");
	files.max_depth = -1;
	expect_listing("t", &files, "t/a/b/c/f3 t/a/b/f2 t/a/f1 t/f0");
	files.max_depth = -2;
	CONF_FAILS(STORE_INVALID, store_list(conf_store, NULL, "t", &files,
					     &listing, &conf_error));
	ck_assert_ptr_null(listing);
}
END_TEST

/* remote-store 10.23: the pattern filters what is shown, not the walk. */
START_TEST(a_pattern_filters_names_at_every_depth)
{
	struct store_list_options options = {
		.flags = STORE_LIST_FILES,
		.max_depth = -1,
		.pattern = "*.csv",
	};

	CONF_OK(conf_put("a.csv", "x"));
	CONF_OK(conf_put("a.txt", "x"));
	CONF_OK(conf_put("d/b.csv", "x"));
	CONF_OK(conf_put("d/e/c.csv", "x"));
	CONF_OK(conf_put("d/e/c.csv.gz", "x"));
	expect_listing("", &options, "a.csv d/b.csv d/e/c.csv");
	options.max_depth = 0;
	expect_listing("", &options, "a.csv");
	options.max_depth = 1;
	options.pattern = "?.[!t]*";
	expect_listing("", &options, "a.csv d/b.csv");
}
END_TEST

START_TEST(entries_tell_type_size_and_time)
{
	struct store_list_options complete = { .flags = STORE_LIST_COMPLETE };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store_info info;

	CONF_OK(conf_put("a", "12345"));
	CONF_OK(conf_stat("a", &info));
	CONF_OK(store_list(conf_store, NULL, "", &complete, &listing,
			   &conf_error));
	CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
	ck_assert_ptr_nonnull(entry);
	ck_assert_str_eq(entry->name, "a");
	ck_assert_int_eq(entry->info.type, STORE_TYPE_FILE);
	ck_assert_uint_eq(entry->info.size, 5);
	ck_assert_uint_eq(entry->info.id, info.id);
	ck_assert_int_eq(entry->info.attributes.mtime.tv_sec,
			 info.attributes.mtime.tv_sec);
	ck_assert_int_eq(entry->info.attributes.mtime.tv_nsec,
			 info.attributes.mtime.tv_nsec);
	store_listing_close(listing);
}
END_TEST

/* ---- many ---- */

enum { MANY = 2500, PER_PAGE = 100 };

static int many;

static void put_many(void)
{
	char key[32];
	int i;

	/* Half of them are still more than readdir() gives at a time. */
	many = conf_rounds(conf_backend.remote ? MANY / 10 : MANY / 2, MANY);
	for (i = 0; i < many; i++) {
		snprintf(key, sizeof(key), "d/%04d", i * 7 % many);
		CONF_OK(conf_put(key, "x"));
	}
}

/* Mark the number in a name of put_many(); it must be the first time. */
static void mark(bool *seen, const char *name)
{
	int number = (int)strtol(name, NULL, 10);

	ck_assert_int_ge(number, 0);
	ck_assert_int_lt(number, many);
	ck_assert_msg(!seen[number], "%s is listed twice", name);
	seen[number] = true;
}

/* D4, remote-store 10.24 */
START_TEST(many_keys_are_listed_once_each)
{
	static bool seen[MANY];
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	size_t count = 0;

	put_many();
	CONF_OK(store_list(conf_store, NULL, "d", NULL, &listing, &conf_error));
	for (;;) {
		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		mark(seen, entry->name + 2);
		count++;
	}
	store_listing_close(listing);
	ck_assert_int_eq((int)count, many);
}
END_TEST

static void remove_entries(const struct store_page *page)
{
	char key[64];
	size_t i;

	for (i = 0; i < page->count; i++) {
		snprintf(key, sizeof(key), "d/%s", page->entries[i].name);
		CONF_OK(store_delete(conf_store, NULL, key, false,
				     &conf_error));
	}
}

/* Page through "d", removing what was seen or not; how many there were. */
static size_t page_through(bool *seen, bool removing)
{
	char *cursor = NULL;
	size_t count = 0;

	do {
		struct store_page page;
		size_t i;

		store_page_init(&page);
		CONF_OK(store_list_page(conf_store, NULL, "d", cursor, PER_PAGE,
					&page, &conf_error));
		ck_assert_uint_le(page.count, PER_PAGE);
		ck_assert(page.count > 0 || !page.next);
		for (i = 0; i < page.count; i++)
			mark(seen, page.entries[i].name);
		count += page.count;
		if (removing)
			remove_entries(&page);
		free(cursor);
		cursor = page.next ? strdup(page.next) : NULL;
		store_page_release(&page);
	} while (cursor);
	return count;
}

/* D4 */
START_TEST(pages_hold_each_key_once)
{
	static bool seen[MANY];

	put_many();
	ck_assert_uint_eq(page_through(seen, false), (size_t)many);
}
END_TEST

/* D4: as rm -rf does. */
START_TEST(removal_while_paging_sees_each_key_once)
{
	static bool seen[MANY];

	put_many();
	ck_assert_uint_eq(page_through(seen, true), (size_t)many);
	conf_expect_names("d", "");
}
END_TEST

/* D4: what is there all the time is seen, whatever comes and goes. */
START_TEST(additions_while_paging_hide_nothing)
{
	static bool seen[MANY];
	struct store_page page;
	char *cursor = NULL;
	size_t count = 0;
	char key[64];
	int i = 0;

	put_many();
	do {
		size_t k;

		store_page_init(&page);
		CONF_OK(store_list_page(conf_store, NULL, "d", cursor, PER_PAGE,
					&page, &conf_error));
		for (k = 0; k < page.count; k++) {
			if (page.entries[k].name[0] == 'n')
				continue;
			mark(seen, page.entries[k].name);
			count++;
		}
		free(cursor);
		cursor = page.next ? strdup(page.next) : NULL;
		store_page_release(&page);
		snprintf(key, sizeof(key), "d/new%d", i++);
		CONF_OK(conf_put(key, "x"));
	} while (cursor);
	ck_assert_int_eq((int)count, many);
}
END_TEST

START_TEST(a_page_of_a_missing_folder_is_not_found)
{
	struct store_page page;

	store_page_init(&page);
	CONF_FAILS(STORE_NOT_FOUND,
		   store_list_page(conf_store, NULL, "no", NULL, 10, &page,
				   &conf_error));
	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_NOT_DIR, store_list_page(conf_store, NULL, "f", NULL,
						  10, &page, &conf_error));
	ck_assert_uint_eq(page.count, 0);
	store_page_release(&page);
}
END_TEST

/* D2: a walk that removes as it goes. */
START_TEST(a_listing_survives_the_removal_of_what_it_told)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES,
					    .max_depth = -1 };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	size_t count = 0;

	put_many();
	CONF_OK(store_list(conf_store, NULL, "", &files, &listing,
			   &conf_error));
	for (;;) {
		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		CONF_OK(store_delete(conf_store, NULL, entry->name, false,
				     &conf_error));
		count++;
	}
	store_listing_close(listing);
	ck_assert_int_eq((int)count, many);
	conf_expect_names("d", "");
}
END_TEST

START_TEST(a_listing_may_be_left_early)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;

	put_many();
	CONF_OK(store_list(conf_store, NULL, "d", NULL, &listing, &conf_error));
	CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
	ck_assert_ptr_nonnull(entry);
	store_listing_close(listing);
}
END_TEST

void conf_add_listing(void)
{
	conf_add("D1", 0, a_missing_folder_lists_empty);
	conf_add("D1", 0, direct_children_are_listed_once_with_whole_keys);
	conf_add("D1", 0, files_and_folders_are_told_apart);
	conf_add("D1", 0, entries_tell_type_size_and_time);
	conf_add("D1", STORE_CAP_FOLDERS,
		 a_page_of_a_missing_folder_is_not_found);
	conf_add("D3", 0, depth_limits_are_inclusive);
	conf_add("D3", 0, a_pattern_filters_names_at_every_depth);
	conf_add("D4", 0, many_keys_are_listed_once_each);
	conf_add("D4", 0, pages_hold_each_key_once);
	conf_add("D4", 0, removal_while_paging_sees_each_key_once);
	conf_add("D4", 0, additions_while_paging_hide_nothing);
	conf_add("D4", 0, a_listing_survives_the_removal_of_what_it_told);
	conf_add("D4", 0, a_listing_may_be_left_early);
}
