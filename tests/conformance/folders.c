// SPDX-License-Identifier: MIT
/* D2, D5: folders as such; making their names durable. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int make(const char *key)
{
	return store_make_folder(conf_store, NULL, key, NULL, NULL,
				 &conf_error);
}

static int remove_folder(const char *key, bool recursive, bool missing_ok)
{
	struct store_delete_folder_options options = {
		.recursive = recursive,
		.missing_ok = missing_ok,
	};

	return store_delete_folder(conf_store, NULL, key, &options,
				   &conf_error);
}

/* D2, remote-store 10.7 */
START_TEST(a_file_is_no_folder)
{
	CONF_OK(conf_put("a", "1"));
	CONF_FAILS(STORE_NOT_DIR, remove_folder("a", false, false));
	CONF_FAILS(STORE_NOT_DIR, remove_folder("a", true, true));
	conf_expect("a", "1");
}
END_TEST

/* D2, remote-store 10.8 */
START_TEST(a_folder_with_children_stays_whole)
{
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/e/b", "2"));
	CONF_FAILS(STORE_NOT_EMPTY, remove_folder("d", false, false));
	conf_expect_names("", "d/ d/a d/e/ d/e/b");
}
END_TEST

START_TEST(recursive_removal_leaves_nothing_below)
{
	int many = conf_backend.remote ? conf_rounds(240, 700) : 700;
	char key[64];
	int i;

	for (i = 0; i < many; i++) {
		snprintf(key, sizeof(key), "d/%d/e%d/f%d", i % 7, i % 3, i);
		CONF_OK(conf_put(key, "x"));
	}
	CONF_OK(conf_put("d2/keep", "1"));
	CONF_OK(remove_folder("d", true, false));
	conf_expect_names("", "d2/ d2/keep");
	conf_expect_names("d", "");
}
END_TEST

START_TEST(a_missing_folder_is_not_found_unless_that_is_fine)
{
	CONF_FAILS(STORE_NOT_FOUND, remove_folder("no", false, false));
	CONF_FAILS(STORE_NOT_FOUND, remove_folder("no/such", true, false));
	CONF_OK(remove_folder("no", false, true));
	CONF_OK(remove_folder("no/such", true, true));
}
END_TEST

START_TEST(the_root_cannot_be_removed)
{
	CONF_OK(conf_put("a", "1"));
	CONF_FAILS(STORE_INVALID, remove_folder("", true, true));
	CONF_FAILS(STORE_INVALID, remove_folder("./", false, false));
	conf_expect("a", "1");
}
END_TEST

/* remote-store 10.30 */
START_TEST(an_emptied_folder_stays)
{
	bool folder = false;

	CONF_OK(conf_put("d/e/a", "1"));
	CONF_OK(store_delete(conf_store, NULL, "d/e/a", false, &conf_error));
	CONF_OK(store_is_folder(conf_store, NULL, "d/e", &folder, &conf_error));
	ck_assert(folder);
	conf_expect_names("", "d/ d/e/");
	CONF_OK(remove_folder("d/e", false, false));
	CONF_OK(remove_folder("d", false, false));
	conf_expect_names("", "");
}
END_TEST

START_TEST(a_made_folder_is_empty_and_stays)
{
	struct store_info info;

	CONF_OK(make("d"));
	CONF_OK(conf_stat("d", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	conf_expect_names("", "d/");
	if (conf_backend.persistent) {
		conf_reopen();
		conf_expect_names("", "d/");
	}
	CONF_OK(remove_folder("d", false, false));
	conf_expect_gone("d");
}
END_TEST

START_TEST(a_folder_is_made_with_its_parents)
{
	struct store_info info;

	CONF_OK(store_make_folder(conf_store, NULL, "a/b/c", NULL, &info,
				  &conf_error));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	conf_expect_names("", "a/ a/b/ a/b/c/");
}
END_TEST

START_TEST(a_folder_cannot_be_made_twice_or_over_a_file)
{
	CONF_OK(make("d"));
	CONF_FAILS(STORE_EXISTS, make("d"));
	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_EXISTS, make("f"));
	CONF_FAILS(STORE_NOT_DIR, make("f/d"));
	conf_expect("f", "1");
	conf_expect_names("", "d/ f");
}
END_TEST

START_TEST(a_folder_below_a_file_is_not_found)
{
	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_NOT_FOUND, remove_folder("f/d", true, false));
	CONF_OK(remove_folder("f/d", true, true));
}
END_TEST

/* ---- totals ---- */

/* Others may have made it in the meantime. */
START_TEST(what_was_missing_is_made_once)
{
	struct store_info info;

	CONF_OK(store_make_missing_folder(conf_store, NULL, "d/new", NULL,
					  &info, &conf_error));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	conf_expect_names("", "d/ d/new/");
	CONF_FAILS(STORE_EXISTS,
		   store_make_missing_folder(conf_store, NULL, "d/new", NULL,
					     &info, &conf_error));
	CONF_FAILS(STORE_EXISTS,
		   store_make_missing_folder(conf_store, NULL, "", NULL, &info,
					     &conf_error));
}
END_TEST

START_TEST(totals_of_a_file_or_nothing_are_errors)
{
	struct store_totals totals;

	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_NOT_DIR, store_folder_totals(conf_store, NULL, "f", -1,
						      &totals, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_folder_totals(conf_store, NULL, "no", -1, &totals,
				       &conf_error));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_folder_totals(conf_store, NULL, "f/x", -1, &totals,
				       &conf_error));
}
END_TEST

/* Sum up from a listing what store_folder_totals() should say. */
static void totals_by_hand(const char *folder, struct store_totals *totals)
{
	struct store_list_options all = { .flags = STORE_LIST_FILES |
						   STORE_LIST_FOLDERS |
						   STORE_LIST_COMPLETE,
					  .max_depth = -1 };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;

	*totals = (struct store_totals){ .files = 0 };
	CONF_OK(store_list(conf_store, NULL, folder, &all, &listing,
			   &conf_error));
	for (;;) {
		struct timespec mtime;

		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		if (entry->info.type == STORE_TYPE_FOLDER) {
			totals->folders++;
			continue;
		}
		totals->files++;
		totals->bytes += entry->info.size;
		mtime = entry->info.attributes.mtime;
		if (mtime.tv_sec > totals->newest.tv_sec ||
		    (mtime.tv_sec == totals->newest.tv_sec &&
		     mtime.tv_nsec > totals->newest.tv_nsec))
			totals->newest = mtime;
	}
	store_listing_close(listing);
}

/* remote-store 10.42 */
START_TEST(totals_agree_with_the_listing_of_random_trees)
{
	static const char *const folders[] = { "", "r", "r/1", "r/1/2" };
	struct store_totals wanted;
	struct store_totals totals;
	uint64_t random = conf_seed();
	char text[65];
	char key[128];
	size_t i;

	memset(text, 't', sizeof(text));
	for (i = 0; i < 120; i++) {
		text[conf_random(&random) % 64] = '\0';
		snprintf(key, sizeof(key), "r/%d/%d/file%zu",
			 (int)(conf_random(&random) % 3),
			 (int)(conf_random(&random) % 3), i);
		CONF_OK(conf_put(key, text));
	}
	CONF_OK(conf_put("r/1/direct", "d"));
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		totals_by_hand(folders[i], &wanted);
		CONF_OK(store_folder_totals(conf_store, NULL, folders[i], -1,
					    &totals, &conf_error));
		ck_assert_uint_eq(totals.files, wanted.files);
		ck_assert_uint_eq(totals.bytes, wanted.bytes);
		ck_assert_uint_eq(totals.folders, wanted.folders);
		ck_assert_int_eq(totals.newest.tv_sec, wanted.newest.tv_sec);
	}
}
END_TEST

/* D3 */
START_TEST(totals_stop_at_their_depth)
{
	struct store_totals totals;
	int depth;

	CONF_OK(conf_put("t/f", "1"));
	CONF_OK(conf_put("t/a/f", "22"));
	CONF_OK(conf_put("t/a/b/f", "333"));
	for (depth = 0; depth <= 3; depth++) {
		static const uint64_t bytes[] = { 1, 3, 6, 6 };

		CONF_OK(store_folder_totals(conf_store, NULL, "t", depth,
					    &totals, &conf_error));
		ck_assert_uint_eq(totals.bytes, bytes[depth]);
	}
	CONF_FAILS(STORE_INVALID, store_folder_totals(conf_store, NULL, "t", -2,
						      &totals, &conf_error));
}
END_TEST

/* ---- syncing ---- */

/* Make, move and remove names, sync their folders; no word of goodbye. */
static _Noreturn void change_sync_and_die(void)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store *store = conf_backend.open(&error);
	int code = store ? store_make_folder(store, NULL, "d/e", NULL, NULL,
					     &error)
			 : error.code;

	if (!code)
		code = store_move(store, NULL, "d/a", "d/b", 0, NULL, NULL,
				  &error);
	if (!code)
		code = store_delete(store, NULL, "gone", false, &error);
	if (!code)
		code = store_sync(store, NULL, "d", &error);
	if (!code)
		code = store_sync(store, NULL, "", &error);
	_exit(code ? 1 : 0);
}

START_TEST(names_that_were_synced_outlive_their_process)
{
	int status = -1;
	pid_t child;

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("gone", "2"));
	store_close(conf_store);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		change_sync_and_die();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	conf_store = conf_open();
	conf_expect_names("", "d/ d/b d/e/");
	conf_expect("d/b", "1");
}
END_TEST

START_TEST(syncing_changes_nothing)
{
	struct store_info before;
	struct store_info after;

	CONF_OK(store_sync(conf_store, NULL, "", &conf_error));
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/e/b", "2"));
	CONF_OK(conf_stat("d", &before));
	CONF_OK(store_sync(conf_store, NULL, "d", &conf_error));
	CONF_OK(store_sync(conf_store, NULL, "/d//e/", &conf_error));
	CONF_OK(store_sync(conf_store, NULL, "", &conf_error));
	CONF_OK(conf_stat("d", &after));
	ck_assert_int_eq(before.ctime.tv_sec, after.ctime.tv_sec);
	ck_assert_int_eq(before.ctime.tv_nsec, after.ctime.tv_nsec);
	conf_expect_names("", "d/ d/a d/e/ d/e/b");
	CONF_FAILS(STORE_INVALID,
		   store_sync(conf_store, NULL, "d/../e", &conf_error));
	/* No folder has no names that could be lost. */
	CONF_OK(store_sync(conf_store, NULL, "none", &conf_error));
	CONF_OK(store_sync(conf_store, NULL, "none/below", &conf_error));
	CONF_OK(store_sync(conf_store, NULL, "d/a", &conf_error));
	CONF_OK(store_sync(conf_store, NULL, "d/a/below", &conf_error));
	conf_expect_names("", "d/ d/a d/e/ d/e/b");
}
END_TEST

void conf_add_folders(void)
{
	uint64_t needs = STORE_CAP_FOLDERS;

	conf_add("D2", 0, a_file_is_no_folder);
	conf_add("D2", 0, a_folder_with_children_stays_whole);
	conf_add("D2", 0, recursive_removal_leaves_nothing_below);
	conf_add("D2", 0, a_missing_folder_is_not_found_unless_that_is_fine);
	conf_add("D2", 0, the_root_cannot_be_removed);
	conf_add("D2", 0, a_folder_below_a_file_is_not_found);
	conf_add("D5", needs, an_emptied_folder_stays);
	conf_add("D5", needs, a_made_folder_is_empty_and_stays);
	conf_add("D5", needs, a_folder_is_made_with_its_parents);
	conf_add("D5", needs, a_folder_cannot_be_made_twice_or_over_a_file);
	conf_add("D5", needs, what_was_missing_is_made_once);
	conf_add("P totals", 0, totals_of_a_file_or_nothing_are_errors);
	conf_add("P totals", 0, totals_agree_with_the_listing_of_random_trees);
	conf_add("D3", 0, totals_stop_at_their_depth);
	conf_add("P sync", 0, syncing_changes_nothing);
	if (conf_backend.persistent)
		conf_add("P sync", needs,
			 names_that_were_synced_outlive_their_process);
}
