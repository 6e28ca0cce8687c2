// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: a saved file that leaves its name
 * before its upload.  It had replaced a file of the store, which goes with the
 * rename; whatever ends in the middle of that, its absence is no conflict.
 */
#include "config.h"

#include <check.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

/* No upload begins. */
static void hold(void)
{
	publisher_pause(fs->publisher, true);
}

static void go(void)
{
	publisher_pause(fs->publisher, false);
}

static void stored_nowhere(const char *path)
{
	ck_assert_msg(!memory_has_key(fs->store, path), "%s", path);
}

/* "new" is "a", where the store has "old" still. */
static void saved_over_a(void)
{
	memory_put(fs->store, "a", "old");
	hold();
	shows("a", "old");
	ok(call_store(fs, "a.tmp", "new"));
	ok(call_rename(fs, "a.tmp", "a", 0));
	ok(call_fsyncdir(fs, ""));
}

static void stays_a(void)
{
	shows("a", "new");
	shows_none("b");
	is_stored("a", "new");
	stored_nowhere("b");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}

START_TEST(a_saved_file_leaves_nothing_behind)
{
	saved_over_a();
	ok(call_rename(fs, "a", "b", 0));
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows_none("a");
	is_stored("b", "new");
	stored_nowhere("a");
}
END_TEST

START_TEST(what_went_without_an_answer_is_no_conflict)
{
	saved_over_a();
	mount_faults(mount, "remove-after error=UNAVAILABLE\n");
	ck_assert_int_ne(call_rename(fs, "a", "b", 0), 0);
	stored_nowhere("a");
	mount_faults(mount, "");
	go();
	stays_a();
}
END_TEST

START_TEST(an_end_behind_the_removal_is_no_conflict)
{
	saved_over_a();
	mount_faults(mount, "remove-after error=UNAVAILABLE\n");
	ck_assert_int_ne(call_rename(fs, "a", "b", 0), 0);
	stored_nowhere("a");
	end(_i % DISK_ENDS);
	mount_faults(mount, "");
	begin_again(true);
	if (_i >= DISK_ENDS) {
		commit_rewrite(fs->commit, false);
		restart(_i % DISK_ENDS, true);
	}
	stays_a();
}
END_TEST

static void disk_fails(void)
{
	lock_take(&disk.lock);
	disk.append_fails = EIO;
	disk.append_stays = true;
	lock_drop(&disk.lock);
}

static void disk_works(void)
{
	lock_take(&disk.lock);
	disk.append_fails = 0;
	disk.append_stays = false;
	lock_drop(&disk.lock);
}

/* What cannot be told does not take place, and is known all the same. */
START_TEST(a_disk_that_fails_behind_the_removal_makes_no_conflict)
{
	saved_over_a();
	door.at_remove = disk_fails;
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), EIO);
	stored_nowhere("a");
	disk_works();
	if (_i < DISK_ENDS)
		restart(_i, true);
	else
		go();
	stays_a();
}
END_TEST

START_TEST(nothing_goes_that_the_journal_does_not_know)
{
	saved_over_a();
	disk_fails();
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), EIO);
	memory_is(fs->store, "a", "old");
	disk_works();
	restart(_i, true);
	stays_a();
}
END_TEST

/* It may come back then, and the name stays what it is. */
START_TEST(a_removal_that_cannot_be_flushed_is_no_rename)
{
	saved_over_a();
	door.sync_fails = STORE_UNAVAILABLE;
	ck_assert_int_ne(call_rename(fs, "a", "b", 0), 0);
	door.sync_fails = STORE_OK;
	if (_i < DISK_ENDS)
		restart(_i, true);
	else
		go();
	stays_a();
}
END_TEST

static void others_write_a(void)
{
	memory_put(fs->store, "a", "theirs");
}

START_TEST(what_others_write_there_meanwhile_is_a_conflict)
{
	saved_over_a();
	door.at_remove = others_write_a;
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), ESTALE);
	restart(_i, false);
	ck_assert_uint_eq(drain(), 1);
	memory_is(fs->store, "a", "theirs");
	shows("a", "new");
	stored_nowhere("b");
}
END_TEST

/* What stood under the new name is replaced by the upload only. */
START_TEST(a_name_with_a_file_gets_another_one)
{
	memory_put(fs->store, "b", "other");
	shows("b", "other");
	saved_over_a();
	ok(call_rename(fs, "a", "b", 0));
	memory_is(fs->store, "b", "other");
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows_none("a");
	is_stored("b", "new");
	stored_nowhere("a");
}
END_TEST

int main(void)
{
	TCase *tests = restart_case("leave", restart_setup);
	TCase *cases[] = { tests, NULL };

	add_ends(tests, a_saved_file_leaves_nothing_behind);
	tcase_add_test(tests, what_went_without_an_answer_is_no_conflict);
	tcase_add_loop_test(tests, an_end_behind_the_removal_is_no_conflict, 0,
			    2 * DISK_ENDS);
	tcase_add_loop_test(
		tests, a_disk_that_fails_behind_the_removal_makes_no_conflict,
		0, DISK_ENDS + 1);
	add_ends(tests, nothing_goes_that_the_journal_does_not_know);
	tcase_add_loop_test(tests,
			    a_removal_that_cannot_be_flushed_is_no_rename, 0,
			    DISK_ENDS + 1);
	add_ends(tests, what_others_write_there_meanwhile_is_a_conflict);
	add_ends(tests, a_name_with_a_file_gets_another_one);
	return unit_run_cases("mount commit leave", cases);
}
