// SPDX-License-Identifier: MIT
/*
 * Renames by copies that a mount leaves in the middle, and the next one takes
 * up without waiting for a store that fails: what shows meanwhile, what waits,
 * and what the store has when it is back.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount/relocation.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

#define NO_REMOVING "remove error=UNAVAILABLE key=%s/*\n"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void stored_nowhere(const char *key)
{
	ck_assert_msg(!memory_has_key(fs->store, key), "%s", key);
}

/* ---- life ---- */

static void setup(void)
{
	struct store_error error = STORE_ERROR_INIT;

	restart_setup();
	restart_copies = true;
	/* Those to come are as poor. */
	fs->capabilities &= ~(STORE_CAP_ATOMIC_MOVE | STORE_CAP_MOVE_FOLDER |
			      STORE_CAP_MOVE | STORE_CAP_EXCHANGE);
	ck_assert_int_eq(relocations_start(fs, &error), STORE_OK);
}

static void teardown(void)
{
	relocations_stop(fs);
	restart_teardown();
}

/* Nothing is removed below this folder, until the store is back. */
static void store_fails_below(const char *folder, const char *more)
{
	char rules[256];

	snprintf(rules, sizeof(rules), NO_REMOVING "%s", folder, more);
	mount_faults(mount, rules);
}

static void renames_end(void)
{
	struct store_context context;

	store_context_init(&context, 0, NULL);
	context.deadline_ns = clock_monotonic_ns() + 20 * NS_PER_SEC;
	ck_assert_uint_eq(relocations_drain(fs, &context), 0);
}

static void store_is_back(void)
{
	mount_faults(mount, "");
	renames_end();
}

static void next_mount(void)
{
	char left[64];

	disk_copy(DISK_KILLED, left);
	end_with(left);
	relocations_stop(fs);
	begin_again(false);
	ck_assert_uint_eq(relocations_count(fs), 1);
}

/* ---- scenes ---- */

static void put_tree(void)
{
	memory_put(fs->store, "top/old/f", "one");
	memory_put(fs->store, "top/old/g", "two");
	memory_put(fs->store, "top/other", "three");
}

static ino_t number_of(const char *path)
{
	struct stat found;

	ok(call_stat(fs, path, &found));
	return found.st_ino;
}

/* It took place; the old name is not empty yet. */
static void leave_finishing(void)
{
	put_tree();
	store_fails_below("top/old", "");
	ok(call_rename(fs, "top/old", "top/new", 0));
	next_mount();
}

/* It did not: one copy has been made, and cannot be removed. */
static void leave_undoing(void)
{
	put_tree();
	store_fails_below("top/new", "copy error=DENIED after=1\n");
	ck_assert_int_eq(call_rename(fs, "top/old", "top/new", 0), EACCES);
	ck_assert(memory_has_key(fs->store, "top/new/f") ||
		  memory_has_key(fs->store, "top/new/g"));
	store_fails_below("top/new", "");
	next_mount();
}

static void others_work(void)
{
	shows("top/other", "three");
	ok(call_store(fs, "top/third", "3"));
	ok(call_store(fs, "fourth", "4"));
	is_stored("top/third", "3");
	is_stored("fourth", "4");
	ok(call_mkdir(fs, "top/folder"));
	ok(call_rename(fs, "top/third", "top/folder/third", 0));
	ok(call_unlink(fs, "fourth"));
}

static void finished(void)
{
	memory_is(fs->store, "top/new/f", "one");
	memory_is(fs->store, "top/new/g", "two");
	stored_nowhere("top/old");
	shows_none("top/old");
}

static void undone(void)
{
	memory_is(fs->store, "top/old/f", "one");
	memory_is(fs->store, "top/old/g", "two");
	stored_nowhere("top/new");
	shows_none("top/new");
}

/* ---- what shows ---- */

START_TEST(a_rename_is_finished_when_the_store_is_back)
{
	leave_finishing();
	shows("top/new/f", "one");
	shows("top/new/g", "two");
	shows_none("top/old");
	shows_none("top/old/f");
	others_work();
	ck_assert(memory_has_key(fs->store, "top/old/f"));
	store_is_back();
	finished();
	ok(call_store(fs, "top/old", "again"));
	is_stored("top/old", "again");
}
END_TEST

START_TEST(a_rename_is_undone_when_the_store_is_back)
{
	leave_undoing();
	shows("top/old/f", "one");
	shows("top/old/g", "two");
	shows_none("top/new");
	others_work();
	store_is_back();
	undone();
	ok(call_mkdir(fs, "top/new"));
}
END_TEST

static _Atomic bool removing, listed;

static void wait_for_the_listing(void)
{
	atomic_store(&removing, true);
	while (!atomic_load(&listed))
		sched_yield();
}

static void end_behind_the_listing(void)
{
	atomic_store(&listed, true);
	renames_end();
}

/* The store has told of it when it was there, and it is gone. */
START_TEST(what_is_hidden_shows_in_no_listing_that_was_asked_for_before_its_end)
{
	const char *hidden = _i ? "new" : "old", *shown = _i ? "old" : "new";

	memory_put(fs->store, "old/f", "one");
	memory_put(fs->store, "old/g", "two");
	store_fails_below(hidden, _i ? "copy error=DENIED after=1\n" : "");
	ck_assert_int_eq(call_rename(fs, "old", "new", 0), _i ? EACCES : 0);
	store_fails_below(hidden, "");
	next_mount();
	door_hang(&door.at_remove, wait_for_the_listing);
	mount_faults(mount, "");
	while (!atomic_load(&removing))
		sched_yield();
	door_hang(&door.after_list, end_behind_the_listing);
	ck_assert(!call_lists(fs, hidden));
	ck_assert(atomic_load(&listed));
	ck_assert(call_lists(fs, shown));
	/* It is free: what is made there later shows. */
	memory_put(fs->store, _i ? "new/h" : "old/h", "three");
	ck_assert(call_lists(fs, hidden));
}
END_TEST

START_TEST(every_mount_goes_on_until_it_is_done)
{
	void (*leave[])(void) = { leave_finishing, leave_undoing };
	void (*ended[])(void) = { finished, undone };

	leave[_i]();
	for (int mounts = 0; mounts < 3; mounts++)
		next_mount();
	store_is_back();
	ended[_i]();
}
END_TEST

/* The next one has nothing to do: its end was noted. */
START_TEST(what_is_done_is_done_once)
{
	leave_finishing();
	store_is_back();
	memory_put(fs->store, "top/old/f", "another");
	end(_i);
	relocations_stop(fs);
	begin_again(false);
	ck_assert_uint_eq(relocations_count(fs), 0);
	shows("top/old/f", "another");
	shows("top/new/f", "one");
}
END_TEST

START_TEST(folders_keep_their_numbers)
{
	ino_t top, other, folder;

	leave_finishing();
	top = number_of("top");
	folder = number_of("top/new");
	other = number_of("top/other");
	store_is_back();
	end(DISK_KILLED);
	relocations_stop(fs);
	begin_again(false);
	ck_assert_uint_eq(relocations_count(fs), 0);
	ck_assert_uint_eq(number_of("top"), top);
	ck_assert_uint_eq(number_of("top/new"), folder);
	ck_assert_uint_eq(number_of("top/other"), other);
}
END_TEST

/* ---- what waits ---- */

static void edit(const char *path, const char *text)
{
	struct call_handle handle;

	ok(call_open(fs, path, O_RDWR | O_TRUNC, &handle));
	ok(write_text(&handle, 0, text));
	ok(call_close(&handle));
}

/* Or R4 would take it for somebody else's, and leave the old one there. */
START_TEST(uploads_below_the_new_name_wait_until_the_old_one_is_gone)
{
	int puts;

	leave_finishing();
	puts = stored_puts();
	edit("top/new/f", "edited");
	ok(call_store(fs, "top/new/more", "more"));
	shows("top/new/f", "edited");
	/* In the journal it stands with the copy as its base. */
	next_mount();
	shows("top/new/f", "edited");
	shows("top/new/more", "more");
	ck_assert_int_eq(stored_puts(), puts);
	store_is_back();
	stored_nowhere("top/old");
	is_stored("top/new/f", "edited");
	is_stored("top/new/more", "more");
	is_stored("top/new/g", "two");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(uploads_below_the_old_name_wait_until_the_new_one_is_gone)
{
	leave_undoing();
	edit("top/old/f", "edited");
	ok(call_store(fs, "top/old/more", "more"));
	next_mount();
	shows("top/old/f", "edited");
	shows("top/old/more", "more");
	store_is_back();
	stored_nowhere("top/new");
	is_stored("top/old/f", "edited");
	is_stored("top/old/more", "more");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

/* A pending edit from before the rename has the copy for its base. */
START_TEST(what_was_pending_before_follows_the_rename)
{
	put_tree();
	publisher_pause(fs->publisher, true);
	edit("top/old/f", "edited");
	store_fails_below("top/old", "");
	ok(call_rename(fs, "top/old", "top/new", 0));
	next_mount();
	shows("top/new/f", "edited");
	store_is_back();
	stored_nowhere("top/old");
	is_stored("top/new/f", "edited");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

enum { MANY = 3 * MOUNT_PUBLISHERS };

/* More than there are threads to upload. */
START_TEST(uploads_that_wait_for_a_name_keep_no_others_waiting)
{
	int64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;
	char path[64];

	leave_finishing();
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "top/new/%d", i);
		ok(call_store(fs, path, "more"));
	}
	if (_i)
		next_mount();
	ok(call_store(fs, "fourth", "4"));
	while (!memory_has_key(fs->store, "fourth")) {
		ck_assert_int_lt(clock_monotonic_ns(), until);
		sched_yield();
	}
	stored_nowhere("top/new/0");
	store_is_back();
	is_stored("top/new/0", "more");
	snprintf(path, sizeof(path), "top/new/%d", MANY - 1);
	is_stored(path, "more");
	finished();
}
END_TEST

struct maker {
	pthread_t thread;
	_Atomic bool made;
};

static void *make_old(void *arg)
{
	struct maker *maker = arg;

	ok(call_mkdir(fs, "top/old"));
	atomic_store(&maker->made, true);
	return NULL;
}

START_TEST(the_old_name_is_free_when_it_is_empty)
{
	struct maker maker = { .made = false };

	leave_finishing();
	ck_assert_int_eq(pthread_create(&maker.thread, NULL, make_old, &maker),
			 0);
	others_work();
	ck_assert(!atomic_load(&maker.made));
	store_is_back();
	ck_assert_int_eq(pthread_join(maker.thread, NULL), 0);
	stored_nowhere("top/old/f");
	ok(call_store(fs, "top/old/f", "again"));
	is_stored("top/old/f", "again");
	is_stored("top/new/f", "one");
}
END_TEST

/* Several at a time, one within the folder of another. */
START_TEST(renames_that_ran_side_by_side_do_so_again)
{
	put_tree();
	memory_put(fs->store, "top/old2/f", "one");
	mount_faults(mount, "remove error=UNAVAILABLE key=top/old/*\n"
			    "remove error=UNAVAILABLE key=top/old2/*\n");
	ok(call_rename(fs, "top/old", "top/new", 0));
	ok(call_rename(fs, "top/old2", "new2", 0));
	end(DISK_KILLED);
	relocations_stop(fs);
	begin_again(false);
	ck_assert_uint_eq(relocations_count(fs), 2);
	shows("new2/f", "one");
	shows_none("top/old2");
	store_is_back();
	finished();
	stored_nowhere("top/old2");
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_whose_old_name_cannot_be_removed_keeps_nobody_waiting)
{
	memory_put(fs->store, "old", "one");
	memory_put(fs->store, "top/other", "three");
	mount_faults(mount, "remove error=UNAVAILABLE key=old\n");
	ok(call_rename(fs, "old", "new", 0));
	next_mount();
	shows("new", "one");
	shows_none("old");
	others_work();
	ck_assert(memory_has_key(fs->store, "old"));
	store_is_back();
	stored_nowhere("old");
	memory_is(fs->store, "new", "one");
}
END_TEST

static TCase *resumed_case(const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	return tests;
}

static TCase *shown_cases(void)
{
	TCase *tests = resumed_case("what shows");

	tcase_add_test(tests, a_rename_is_finished_when_the_store_is_back);
	tcase_add_test(tests, a_rename_is_undone_when_the_store_is_back);
	tcase_add_loop_test(
		tests,
		what_is_hidden_shows_in_no_listing_that_was_asked_for_before_its_end,
		0, 2);
	tcase_add_loop_test(tests, every_mount_goes_on_until_it_is_done, 0, 2);
	add_ends(tests, what_is_done_is_done_once);
	tcase_add_test(tests, folders_keep_their_numbers);
	tcase_add_test(
		tests,
		a_file_whose_old_name_cannot_be_removed_keeps_nobody_waiting);
	return tests;
}

static TCase *waiting_cases(void)
{
	TCase *tests = resumed_case("what waits");

	tcase_add_test(
		tests,
		uploads_below_the_new_name_wait_until_the_old_one_is_gone);
	tcase_add_test(
		tests,
		uploads_below_the_old_name_wait_until_the_new_one_is_gone);
	tcase_add_test(tests, what_was_pending_before_follows_the_rename);
	tcase_add_loop_test(tests,
			    uploads_that_wait_for_a_name_keep_no_others_waiting,
			    0, 2);
	tcase_add_test(tests, the_old_name_is_free_when_it_is_empty);
	tcase_add_test(tests, renames_that_ran_side_by_side_do_so_again);
	return tests;
}

int main(void)
{
	TCase *const cases[] = { shown_cases(), waiting_cases(), NULL };

	return unit_run_cases("renames by copies that go on", cases);
}
