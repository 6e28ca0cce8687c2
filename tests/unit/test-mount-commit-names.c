// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: names that change above what is
 * acknowledged and not stored yet.  A change that was flushed is there after
 * the end; one that was not is there or is not, as a whole, and no earlier
 * one is missing then.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

/* A rename waits for an upload that runs: none is begun. */
static void hold(void)
{
	publisher_pause(fs->publisher, true);
}

static bool is_there(const char *path)
{
	struct stat found;
	int code = call_stat(fs, path, &found);

	ck_assert(!code || code == ENOENT);
	return !code;
}

static void stored_nowhere(const char *path)
{
	ck_assert_msg(!memory_has_key(fs->store, path), "%s", path);
}

/* Written and closed again, without truncating. */
static void edit(const char *path, uint64_t offset, const char *text)
{
	struct call_handle handle;

	ok(call_open(fs, path, O_RDWR, &handle));
	ok(write_text(&handle, offset, text));
	ok(call_close(&handle));
}

/* ---- files that the store does not know ---- */

START_TEST(a_new_file_is_stored_under_its_new_name_alone)
{
	hold();
	ok(call_store(fs, "a", "hello"));
	ok(call_rename(fs, "a", "b", 0));
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows_none("a");
	shows("b", "hello");
	is_stored("b", "hello");
	stored_nowhere("a");
}
END_TEST

START_TEST(a_rename_that_was_not_flushed_took_place_or_did_not)
{
	const char *name, *other;

	hold();
	ok(call_store(fs, "a", "hello"));
	ok(call_rename(fs, "a", "b", 0));
	restart(_i, true);
	name = is_there("b") ? "b" : "a";
	other = is_there("b") ? "a" : "b";
	shows(name, "hello");
	shows_none(other);
	is_stored(name, "hello");
	stored_nowhere(other);
}
END_TEST

START_TEST(a_rename_is_durable_with_the_next_close_of_anything)
{
	hold();
	ok(call_store(fs, "a", "hello"));
	ok(call_rename(fs, "a", "b", 0));
	ok(call_store(fs, "other", "x"));
	restart(_i, true);
	shows_none("a");
	shows("b", "hello");
	shows("other", "x");
}
END_TEST

START_TEST(a_new_file_takes_the_name_of_another_new_one)
{
	hold();
	ok(call_store(fs, "a", "new"));
	ok(call_store(fs, "b", "old"));
	ok(call_rename(fs, "a", "b", 0));
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows_none("a");
	shows("b", "new");
	is_stored("b", "new");
	stored_nowhere("a");
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

/* Written beside, closed, and renamed over: editors and rsync do. */
START_TEST(a_safe_save_costs_one_put_and_is_never_seen_half_done)
{
	memory_put(fs->store, "a", "old");
	hold();
	shows("a", "old");
	ok(call_store(fs, "a.tmp", "new"));
	ok(call_rename(fs, "a.tmp", "a", 0));
	if (_i / DISK_ENDS)
		ok(call_fsyncdir(fs, ""));
	restart(_i % DISK_ENDS, true);
	if (!_i || _i / DISK_ENDS) {
		shows("a", "new");
		shows_none("a.tmp");
		is_stored("a", "new");
		ck_assert_int_eq(stored_puts(), 2);
	} else {
		shows("a", "old");
		shows("a.tmp", "new");
	}
}
END_TEST

START_TEST(saving_over_an_unfinished_save_keeps_one_of_both)
{
	memory_put(fs->store, "a", "old");
	hold();
	shows("a", "old");
	for (int i = 0; i < 3; i++) {
		char text[8];

		snprintf(text, sizeof(text), "new %d", i);
		ok(call_store(fs, "a.tmp", text));
		ok(call_rename(fs, "a.tmp", "a", 0));
	}
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows("a", "new 2");
	shows_none("a.tmp");
	is_stored("a", "new 2");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

static void others_remove(const char *key)
{
	ck_assert_int_eq(store_delete(fs->store, NULL, key, false, NULL),
			 STORE_OK);
}

START_TEST(a_save_over_what_others_have_removed_is_stored)
{
	memory_put(fs->store, "a", "old");
	hold();
	shows("a", "old");
	ok(call_store(fs, "a.tmp", "new"));
	others_remove("a");
	ok(call_rename(fs, "a.tmp", "a", 0));
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows("a", "new");
	is_stored("a", "new");
	stored_nowhere("a.tmp");
}
END_TEST

/* It was saved over "a", which the store has until the upload. */
START_TEST(a_save_that_moves_on_leaves_what_others_have_put_there)
{
	memory_put(fs->store, "a", "old");
	hold();
	shows("a", "old");
	ok(call_store(fs, "a.tmp", "new"));
	ok(call_rename(fs, "a.tmp", "a", 0));
	memory_put(fs->store, "a", "theirs");
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), ESTALE);
	memory_is(fs->store, "a", "theirs");
	shows("a", "new");
	stored_nowhere("b");
}
END_TEST

START_TEST(an_edited_file_that_others_have_removed_can_be_removed)
{
	memory_put(fs->store, "a", "old");
	hold();
	edit("a", 0, "new");
	others_remove("a");
	ok(call_unlink(fs, "a"));
	ok(call_fsyncdir(fs, ""));
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
}
END_TEST

START_TEST(a_new_file_that_was_removed_does_not_come_back)
{
	hold();
	ok(call_store(fs, "a", "hello"));
	ok(call_unlink(fs, "a"));
	ok(call_fsyncdir(fs, ""));
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
	ck_assert_int_eq(stored_puts(), 0);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	flusher_round();
	restart(_i, false);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
}
END_TEST

START_TEST(a_name_that_was_used_again_has_its_last_bytes)
{
	hold();
	ok(call_store(fs, "a", "one"));
	ok(call_unlink(fs, "a"));
	ok(call_store(fs, "a", "two"));
	restart(_i, true);
	shows("a", "two");
	is_stored("a", "two");
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

/* ---- files that the store knows ---- */

static void edited(void)
{
	memory_put(fs->store, "a", "0123456789");
	hold();
	edit("a", 3, "xyz");
}

START_TEST(an_edited_file_keeps_its_edit_under_a_new_name)
{
	edited();
	ok(call_rename(fs, "a", "b", 0));
	restart(_i, true);
	shows_none("a");
	shows("b", "012xyz6789");
	is_stored("b", "012xyz6789");
	stored_nowhere("a");
}
END_TEST

START_TEST(a_move_whose_answer_was_lost_is_followed)
{
	edited();
	mount_faults(mount, "move-after error=UNAVAILABLE\n");
	ok(call_rename(fs, "a", "b", 0));
	memory_is(fs->store, "b", "0123456789");
	end(_i);
	mount_faults(mount, "");
	begin_again(true);
	shows_none("a");
	shows("b", "012xyz6789");
	is_stored("b", "012xyz6789");
	stored_nowhere("a");
}
END_TEST

START_TEST(a_move_that_was_never_asked_for_did_not_take_place)
{
	edited();
	mount_faults(mount, "move error=UNAVAILABLE\n");
	ck_assert_int_ne(call_rename(fs, "a", "b", 0), 0);
	end(_i);
	mount_faults(mount, "");
	begin_again(true);
	shows_none("b");
	is_stored("a", "012xyz6789");
	stored_nowhere("b");
}
END_TEST

START_TEST(an_edited_file_takes_the_name_of_an_edited_one)
{
	memory_put(fs->store, "a", "aaaa");
	memory_put(fs->store, "b", "bbbb");
	hold();
	edit("a", 0, "A");
	edit("b", 0, "B");
	ok(call_rename(fs, "a", "b", 0));
	restart(_i, true);
	shows_none("a");
	shows("b", "Aaaa");
	is_stored("b", "Aaaa");
	stored_nowhere("a");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(a_move_over_an_edited_file_whose_answer_was_lost_is_followed)
{
	memory_put(fs->store, "a", "aaaa");
	memory_put(fs->store, "b", "bbbb");
	hold();
	edit("a", 0, "A");
	edit("b", 0, "B");
	mount_faults(mount, "move-after error=UNAVAILABLE\n");
	ok(call_rename(fs, "a", "b", 0));
	end(_i);
	mount_faults(mount, "");
	begin_again(true);
	shows_none("a");
	shows("b", "Aaaa");
	is_stored("b", "Aaaa");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(an_edited_file_that_was_removed_does_not_come_back)
{
	edited();
	ok(call_unlink(fs, "a"));
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
}
END_TEST

/* The store has done it, and cannot be asked. */
static void removed_in_the_dark(void)
{
	mount_faults(mount, "remove-after error=UNAVAILABLE\n"
			    "stat error=UNAVAILABLE\n");
	ck_assert_int_ne(call_unlink(fs, "a"), 0);
	mount_faults(mount, "");
	stored_nowhere("a");
}

START_TEST(a_removal_whose_answer_was_lost_is_followed)
{
	edited();
	removed_in_the_dark();
	end(_i);
	begin_again(false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(a_removal_whose_answer_was_lost_took_place)
{
	edited();
	mount_faults(mount, "remove-after error=UNAVAILABLE\n");
	ok(call_unlink(fs, "a"));
	stored_nowhere("a");
	shows_none("a");
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

/* It was told to have failed, so the name is there, and what is staged. */
START_TEST(a_removal_in_the_dark_is_no_conflict)
{
	memory_put(fs->store, "a", "0123456789");
	hold();
	ok(call_store(fs, "a", "new"));
	removed_in_the_dark();
	shows("a", "new");
	publisher_pause(fs->publisher, false);
	is_stored("a", "new");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
	restart(_i, false);
	is_stored("a", "new");
}
END_TEST

START_TEST(a_removal_that_did_not_take_place_leaves_the_edit)
{
	edited();
	mount_faults(mount, "remove error=UNAVAILABLE\n");
	ck_assert_int_ne(call_unlink(fs, "a"), 0);
	end(_i);
	mount_faults(mount, "");
	begin_again(true);
	shows("a", "012xyz6789");
	is_stored("a", "012xyz6789");
}
END_TEST

/* The name may come back with a cut of power: then its last bytes do. */
START_TEST(a_removal_that_cannot_be_flushed_is_none)
{
	memory_put(fs->store, "a", "old");
	hold();
	ok(call_store(fs, "a", "new"));
	door.sync_fails = STORE_UNAVAILABLE;
	ck_assert_int_ne(call_unlink(fs, "a"), 0);
	stored_nowhere("a");
	door.sync_fails = STORE_OK;
	ok(call_store(fs, "other", "x"));
	memory_put(fs->store, "a", "old");
	restart(_i, true);
	shows("a", "new");
}
END_TEST

START_TEST(a_removal_that_could_not_be_flushed_can_be_done_again)
{
	edited();
	door.sync_fails = STORE_UNAVAILABLE;
	ck_assert_int_ne(call_unlink(fs, "a"), 0);
	door.sync_fails = STORE_OK;
	ok(call_unlink(fs, "a"));
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	stored_nowhere("a");
}
END_TEST

START_TEST(names_that_are_exchanged_keep_their_bytes)
{
	ok(call_store(fs, "a", "one"));
	ok(call_store(fs, "b", "two"));
	ok(call_rename(fs, "a", "b", RENAME_EXCHANGE));
	restart(_i, false);
	is_stored("a", "two");
	is_stored("b", "one");
}
END_TEST

/* Files below are on their way when their folders change places. */
START_TEST(files_follow_folders_that_are_exchanged)
{
	ok(call_mkdir(fs, "d"));
	ok(call_mkdir(fs, "e"));
	mount_faults(mount, "put delay=100ms\n");
	ok(call_store(fs, "d/x", "one"));
	ok(call_store(fs, "e/x", "two"));
	ok(call_store(fs, "e/y", "three"));
	ok(call_rename(fs, "d", "e", RENAME_EXCHANGE));
	ok(call_store(fs, "d/y", "four"));
	mount_faults(mount, "");
	restart(_i, true);
	is_stored("d/x", "two");
	is_stored("d/y", "four");
	is_stored("e/x", "one");
	stored_nowhere("e/y");
}
END_TEST

START_TEST(a_second_name_of_a_new_file_has_its_bytes)
{
	ok(call_store(fs, "a", "hello"));
	ok(call_link(fs, "a", "b"));
	restart(_i, false);
	is_stored("a", "hello");
	is_stored("b", "hello");
}
END_TEST

/* ---- folders ---- */

START_TEST(files_follow_their_folder)
{
	ok(call_mkdir(fs, "d"));
	hold();
	ok(call_store(fs, "d/x", "hello"));
	ok(call_store(fs, "d/y", "hallo"));
	ok(call_rename(fs, "d", "e", 0));
	restart(_i, true);
	shows_none("d");
	shows("e/x", "hello");
	shows("e/y", "hallo");
	is_stored("e/x", "hello");
	is_stored("e/y", "hallo");
	stored_nowhere("d/x");
}
END_TEST

START_TEST(files_follow_a_folder_whose_move_was_not_answered)
{
	ok(call_mkdir(fs, "d"));
	hold();
	ok(call_store(fs, "d/x", "hello"));
	mount_faults(mount, "move-after error=UNAVAILABLE\n");
	ok(call_rename(fs, "d", "e", 0));
	end(_i);
	mount_faults(mount, "");
	begin_again(true);
	shows_none("d");
	shows("e/x", "hello");
	is_stored("e/x", "hello");
}
END_TEST

START_TEST(a_folder_that_somebody_has_removed_is_made_again)
{
	ok(call_mkdir(fs, "d"));
	hold();
	ok(call_store(fs, "d/x", "hello"));
	ck_assert_int_eq(store_delete_folder(fs->store, NULL, "d", NULL, NULL),
			 STORE_OK);
	restart(_i, true);
	shows("d/x", "hello");
	is_stored("d/x", "hello");
}
END_TEST

/* The bytes are kept, and the mount works for everybody else. */
START_TEST(a_folder_that_is_a_file_by_now_keeps_nobody_out)
{
	ok(call_mkdir(fs, "d"));
	hold();
	ok(call_store(fs, "d/x", "hello"));
	ok(call_store(fs, "other", "fine"));
	end(_i);
	ck_assert_int_eq(store_delete_folder(fs->store, NULL, "d", NULL, NULL),
			 STORE_OK);
	door_let(1);
	memory_put(fs->store, "d", "a file");
	begin_again(true);
	ck_assert_uint_eq(fs->counters.failed_files, 1);
	shows("d", "a file");
	is_stored("other", "fine");
	restart(_i, false);
	ck_assert_uint_eq(fs->counters.failed_files, 1);
}
END_TEST

/* ---- names that others take ---- */

START_TEST(a_file_that_has_lost_its_name_is_not_acknowledged)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "old");
	ok(call_open(fs, "a", O_RDWR, &handle));
	memory_put(fs->store, "a", "theirs");
	shows("a", "theirs");
	ok(write_text(&handle, 0, "mine"));
	ck_assert_int_eq(call_fsync(&handle), ESTALE);
	end(_i);
	call_release(&handle);
	begin_again(false);
	shows("a", "theirs");
	ck_assert_uint_eq(drain(), 0);
	memory_is(fs->store, "a", "theirs");
	/* Kept, and found by its name. */
	ck_assert_uint_eq(fs->counters.unfinished, 1);
}
END_TEST

static void setup(void)
{
	restart_setup();
}

static TCase *new_cases(void)
{
	TCase *tests = restart_case("new", setup);

	add_ends(tests, a_new_file_is_stored_under_its_new_name_alone);
	add_ends(tests, a_rename_that_was_not_flushed_took_place_or_did_not);
	add_ends(tests, a_rename_is_durable_with_the_next_close_of_anything);
	add_ends(tests, a_new_file_takes_the_name_of_another_new_one);
	tcase_add_loop_test(
		tests, a_safe_save_costs_one_put_and_is_never_seen_half_done, 0,
		2 * DISK_ENDS);
	add_ends(tests, saving_over_an_unfinished_save_keeps_one_of_both);
	add_ends(tests, a_save_over_what_others_have_removed_is_stored);
	tcase_add_test(tests,
		       a_save_that_moves_on_leaves_what_others_have_put_there);
	add_ends(tests, an_edited_file_that_others_have_removed_can_be_removed);
	add_ends(tests, a_new_file_that_was_removed_does_not_come_back);
	add_ends(tests, a_name_that_was_used_again_has_its_last_bytes);
	return tests;
}

static TCase *stored_cases(void)
{
	TCase *tests = restart_case("stored", setup);

	add_ends(tests, an_edited_file_keeps_its_edit_under_a_new_name);
	add_ends(tests, a_move_whose_answer_was_lost_is_followed);
	add_ends(tests, a_move_that_was_never_asked_for_did_not_take_place);
	add_ends(tests, an_edited_file_takes_the_name_of_an_edited_one);
	add_ends(tests,
		 a_move_over_an_edited_file_whose_answer_was_lost_is_followed);
	add_ends(tests, an_edited_file_that_was_removed_does_not_come_back);
	add_ends(tests, a_removal_whose_answer_was_lost_is_followed);
	add_ends(tests, a_removal_whose_answer_was_lost_took_place);
	add_ends(tests, a_removal_in_the_dark_is_no_conflict);
	add_ends(tests, a_removal_that_did_not_take_place_leaves_the_edit);
	add_ends(tests, a_removal_that_cannot_be_flushed_is_none);
	add_ends(tests, a_removal_that_could_not_be_flushed_can_be_done_again);
	add_ends(tests, names_that_are_exchanged_keep_their_bytes);
	add_ends(tests, a_second_name_of_a_new_file_has_its_bytes);
	return tests;
}

static TCase *folder_cases(void)
{
	TCase *tests = restart_case("folders", setup);

	add_ends(tests, files_follow_their_folder);
	add_ends(tests, files_follow_folders_that_are_exchanged);
	add_ends(tests, files_follow_a_folder_whose_move_was_not_answered);
	add_ends(tests, a_folder_that_somebody_has_removed_is_made_again);
	add_ends(tests, a_folder_that_is_a_file_by_now_keeps_nobody_out);
	add_ends(tests, a_file_that_has_lost_its_name_is_not_acknowledged);
	return tests;
}

int main(void)
{
	TCase *cases[] = { new_cases(), stored_cases(), folder_cases(), NULL };

	return unit_run_cases("mount commit names", cases);
}
