// SPDX-License-Identifier: MIT
/*
 * Renames by copies without a kernel, over a store that cannot move: what
 * becomes of files when steps fail, are done again, or meet other clients.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount/assemble.h"
#include "mount/relocation.h"
#include "mount/walk.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void stored_nowhere(const char *path)
{
	ck_assert_msg(!memory_has_key(fs->store, path), "%s", path);
}

static void others_remove(const char *key)
{
	ck_assert_int_eq(store_delete(fs->store, NULL, key, false, NULL),
			 STORE_OK);
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

static void copies_settle(void)
{
	struct store_context context;

	store_context_init(&context, 0, NULL);
	context.deadline_ns = clock_monotonic_ns() + 10 * NS_PER_SEC;
	ck_assert_uint_eq(relocations_drain(fs, &context), 0);
}

/* ---- the end: as it is now, or as it was at a hook ---- */

static char left[64];

static void take_copy(void)
{
	disk_copy(DISK_KILLED, left);
}

static void copies_take_up(void)
{
	relocations_stop(fs);
	begin_again(false);
}

static void copies_go_on(void)
{
	copies_take_up();
	copies_settle();
}

/* ---- clearing up twice ---- */

static void others_make_two(void)
{
	memory_put(fs->store, "old/f", "two");
	memory_put(fs->store, "log", "two");
}

static void both_have_two(void)
{
	memory_is(fs->store, "new/f", "one");
	memory_is(fs->store, "old/f", "two");
	memory_is(fs->store, "log.1", "one");
	memory_is(fs->store, "log", "two");
}

static void put_one(void)
{
	memory_put(fs->store, "old/f", "one");
	memory_put(fs->store, "log", "one");
}

START_TEST(the_old_name_can_be_used_again_as_soon_as_the_rename_has_returned)
{
	put_one();
	ok(call_rename(fs, "old", "new", 0));
	ok(call_rename(fs, "log", "log.1", 0));
	disk_copy(_i, left);
	others_make_two();
	memory_put(fs->store, "old/more", "more");
	end_with(left);
	copies_go_on();
	both_have_two();
	memory_is(fs->store, "old/more", "more");
}
END_TEST

START_TEST(a_new_file_under_the_old_name_survives_clearing_up_again)
{
	put_one();
	door.at_remove = take_copy;
	ok(call_rename(fs, _i ? "old" : "log", _i ? "new" : "log.1", 0));
	ok(call_rename(fs, _i ? "log" : "old", _i ? "log.1" : "new", 0));
	others_make_two();
	end_with(left);
	copies_go_on();
	if (_i) {
		memory_is(fs->store, "new/f", "one");
		memory_is(fs->store, "old/f", "two");
	} else {
		memory_is(fs->store, "log.1", "one");
		memory_is(fs->store, "log", "two");
	}
}
END_TEST

START_TEST(folders_that_cannot_be_flushed_keep_the_old_name_hidden)
{
	put_one();
	door.sync_fails = STORE_UNAVAILABLE;
	ok(call_rename(fs, "old", "new", 0));
	ck_assert_uint_eq(relocations_count(fs), 1);
	door.sync_fails = STORE_OK;
	/* Waits for the name. */
	ok(call_mkdir(fs, "old"));
	copies_settle();
	ok(call_store(fs, "old/f", "two"));
	ck_assert_uint_eq(drain(), 0);
	end(_i);
	copies_go_on();
	memory_is(fs->store, "new/f", "one");
	memory_is(fs->store, "old/f", "two");
}
END_TEST

/* The store has lost it with a cut of power, say. */
START_TEST(a_copy_that_is_missing_is_made_before_its_source_goes)
{
	put_one();
	door.at_remove = take_copy;
	ok(call_rename(fs, "old", "new", 0));
	others_remove("new/f");
	memory_put(fs->store, "old/f", "one");
	end_with(left);
	copies_go_on();
	memory_is(fs->store, "new/f", "one");
	stored_nowhere("old/f");
}
END_TEST

/* ---- puts without an answer ---- */

static void edit(struct call_handle *handle, const char *text)
{
	ok(write_text(handle, 0, text));
	ok(call_fsync(handle));
}

/* Stored, and nobody has heard of it. */
static void arrives_unanswered(const char *path, struct call_handle *handle)
{
	int puts, code;

	ok(call_open(fs, path, O_RDWR, handle));
	shut_the_door();
	puts = stored_puts();
	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	edit(handle, "one");
	door_wait(&door.puts, puts + 1);
	publisher_pause(fs->publisher, true);
	door_let(1);
	mount_wait_attempts(file_of(handle), 1);
	/* If it is told at all, once. */
	code = publish_take_late_error(file_of(handle), NULL);
	ck_assert(!code || store_code_retryable(code));
	ck_assert_int_eq(stored_puts(), puts + 1);
	mount_faults(mount, "");
}

static void edit_is_stored(const char *key, const char *text, int end_how)
{
	end(end_how);
	copies_go_on();
	is_stored(key, text);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}

START_TEST(
	a_stored_file_whose_put_has_arrived_is_no_conflict_when_it_is_renamed)
{
	bool folder = _i / DISK_ENDS;
	struct call_handle handle;

	memory_put(fs->store, "old/f", "0123456789");
	arrives_unanswered("old/f", &handle);
	ok(call_rename(fs, folder ? "old" : "old/f", "new", 0));
	call_release(&handle);
	edit_is_stored(folder ? "new/f" : "new", "one3456789", _i % DISK_ENDS);
}
END_TEST

START_TEST(what_was_written_on_goes_over_what_has_arrived_and_was_renamed)
{
	struct call_handle handle;

	memory_put(fs->store, "old/f", "0123456789");
	arrives_unanswered("old/f", &handle);
	ok(write_text(&handle, 6, "two"));
	ok(call_fsync(&handle));
	ok(call_rename(fs, "old", "new", 0));
	ok(write_text(&handle, 9, "!"));
	ok(call_close(&handle));
	edit_is_stored("new/f", "one345two!", _i);
}
END_TEST

/* ---- what is told is true ---- */

/* One answer of the copy is lost, and `look` asks for it fails once. */
static void rename_in_doubt(int look)
{
	char faults[128];
	int code;

	memory_put(fs->store, "old", "one");
	memory_put(fs->store, "new", "two");
	snprintf(faults, sizeof(faults),
		 "copy-after error=DENIED times=1\n"
		 "stat error=DENIED key=new after=%d times=1\n",
		 look);
	mount_faults(mount, faults);
	code = call_rename(fs, "old", "new", 0);
	copies_settle();
	mount_faults(mount, "");
	if (!code) {
		memory_is(fs->store, "new", "one");
		stored_nowhere("old");
	} else {
		memory_is(fs->store, "new", "two");
		memory_is(fs->store, "old", "one");
	}
}

START_TEST(a_copy_whose_answer_was_lost_makes_no_answer_untrue)
{
	for (int look = 0; look < 8; look++)
		rename_in_doubt(look);
}
END_TEST

static void cancel_all(void)
{
	op_cancel_all(fs);
}

static void allow_all(void)
{
	lock_take(&fs->running.lock);
	fs->running.cancelled = false;
	lock_drop(&fs->running.lock);
}

/* Looks at a node, and goes on until the one who renames was answered. */
struct looker {
	struct gate_pass pass;
	_Atomic bool inside, answered;
	pthread_t thread;
};

static bool somebody_waits(void)
{
	bool waits;

	lock_take(&fs->gate.lock);
	waits = fs->gate.waiting;
	lock_drop(&fs->gate.lock);
	return waits;
}

static void *look_on(void *arg)
{
	struct looker *looker = arg;

	ck_assert_int_eq(gate_enter(&fs->gate, &looker->pass, NULL, NULL),
			 STORE_OK);
	atomic_store(&looker->inside, true);
	while (!somebody_waits())
		sched_yield();
	cancel_all();
	while (!atomic_load(&looker->answered))
		sched_yield();
	gate_leave(&fs->gate, &looker->pass);
	return NULL;
}

START_TEST(a_rename_that_was_told_to_be_interrupted_does_not_take_place)
{
	struct looker looker = { .pass.looks = true };
	struct call_handle handle;

	put_one();
	ok(call_open(fs, "old/f", O_RDONLY, &handle));
	looker.pass.nodes[0] = file_of(&handle)->node;
	ck_assert_int_eq(pthread_create(&looker.thread, NULL, look_on, &looker),
			 0);
	while (!atomic_load(&looker.inside))
		sched_yield();
	ck_assert_int_eq(call_rename(fs, "old", "new", 0), EINTR);
	atomic_store(&looker.answered, true);
	ck_assert_int_eq(pthread_join(looker.thread, NULL), 0);
	allow_all();
	copies_settle();
	call_release(&handle);
	memory_is(fs->store, "old/f", "one");
	stored_nowhere("new/f");
	shows_none("new");
}
END_TEST

/* Longer than an interrupted caller waits for what is not certain. */
static void interrupt_and_linger(void)
{
	int64_t until = clock_monotonic_ns() + NS_PER_SEC;

	cancel_all();
	while (clock_monotonic_ns() < until)
		sched_yield();
}

static void then_interrupt(void)
{
	disk.at_journal = interrupt_and_linger;
}

START_TEST(a_rename_that_is_being_noted_is_told_to_have_taken_place)
{
	put_one();
	/* COPYING, and then COPIED. */
	disk.at_journal = then_interrupt;
	ok(call_rename(fs, "old", "new", 0));
	allow_all();
	copies_settle();
	memory_is(fs->store, "new/f", "one");
	stored_nowhere("old/f");
}
END_TEST

/* ---- walking ---- */

enum { MANY = 200 };
static _Atomic int entries_tried;

/* One is refused; then the store goes away. */
static int refuse_one(struct walk *walk, const char *name,
		      const struct store_info *info, struct store_error *error)
{
	int code = atomic_fetch_add(&entries_tried, 1) ? STORE_UNAVAILABLE
						       : STORE_DENIED;

	(void)walk;
	(void)info;
	return store_error_set(error, code, "%s", name);
}

START_TEST(a_walk_ends_with_the_store_whatever_was_refused_before)
{
	struct walk walk = {
		.fs = fs,
		.folder = "old",
		.entry = refuse_one,
		.go_on = true,
	};
	struct store_error error = STORE_ERROR_INIT;
	char key[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "old/%d", i);
		memory_put(fs->store, key, "x");
	}
	atomic_store(&entries_tried, 0);
	ck_assert_int_eq(walk_run(&walk, &error), STORE_UNAVAILABLE);
	ck_assert_int_lt(atomic_load(&entries_tried), MANY / 2);
}
END_TEST

static void others_add(void)
{
	memory_put(fs->store, "old/sub/late", "late");
}

/* It has been listed by then. */
START_TEST(what_comes_into_a_folder_that_is_being_emptied_goes_along)
{
	memory_put(fs->store, "old/sub/g", "one");
	door.at_remove = others_add;
	ok(call_rename(fs, "old", "new", 0));
	copies_settle();
	memory_is(fs->store, "new/sub/late", "late");
	stored_nowhere("old");
}
END_TEST

/* ---- the end of a mount ---- */

static _Atomic bool stop_is_held;
static int puts_before;

/* A removal that takes a second, or until an upload slips through. */
static void hold_the_stop(void)
{
	int64_t until = clock_monotonic_ns() + NS_PER_SEC;

	atomic_store(&stop_is_held, true);
	while (clock_monotonic_ns() < until && stored_puts() == puts_before)
		sched_yield();
}

/* What assemble_stop() has ended, and mount_fs_close() ends again. */
static void stop_and_go_on(void)
{
	struct store_error error = STORE_ERROR_INIT;

	flusher_go();
	assemble_stop(fs);
	ck_assert_int_eq(publisher_start(fs, MOUNT_PUBLISHERS, &error),
			 STORE_OK);
	disk_copy(DISK_KILLED, restart_path);
	disk_watch(restart_path);
	mount_faults(mount, "");
	begin_again(false);
	copies_settle();
}

START_TEST(no_upload_comes_between_a_rename_that_stops_and_the_next_mount)
{
	memory_put(fs->store, "a/f", "one");
	memory_put(fs->store, "b/f", "one");
	mount_faults(mount, "remove error=UNAVAILABLE key=a/f\n"
			    "remove error=UNAVAILABLE key=b/f times=5\n");
	ok(call_rename(fs, "a", "c", 0));
	ok(call_store(fs, "c/f", "two"));
	puts_before = stored_puts();
	atomic_store(&stop_is_held, false);
	door.at_remove = hold_the_stop;
	ok(call_rename(fs, "b", "d", 0));
	ck_assert_uint_eq(relocations_count(fs), 2);
	while (!atomic_load(&stop_is_held))
		sched_yield();
	stop_and_go_on();
	is_stored("c/f", "two");
	stored_nowhere("a/f");
	memory_is(fs->store, "d/f", "one");
	stored_nowhere("b/f");
}
END_TEST

/* ---- nodes without bytes ---- */

static void make_symlink(const char *key, const char *target)
{
	const struct store_node node = { .type = STORE_TYPE_SYMLINK,
					 .target = target };
	struct store_error error = STORE_ERROR_INIT;

	if (store_make_node(fs->store, NULL, key, &node, NULL, &error))
		ck_abort_msg("%s: %s", key, error.message);
}

static void symlink_is(const char *key, const char *target)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_details details;
	struct store_info info;

	if (store_stat_details(fs->store, NULL, key, &info, &details, &error))
		ck_abort_msg("%s: %s", key, error.message);
	ck_assert_str_eq(details.target, target);
	store_details_release(&details);
}

/* mv(1) replaces it by itself. */
START_TEST(a_symlink_does_not_replace_a_file)
{
	memory_put(fs->store, "file", "precious");
	make_symlink("link", "target");
	mount_faults(mount, "make error=DENIED\n");
	ck_assert_int_eq(call_rename(fs, "link", "file", 0), EXDEV);
	mount_faults(mount, "");
	ck_assert_int_eq(call_rename(fs, "link", "file", 0), EXDEV);
	memory_is(fs->store, "file", "precious");
	symlink_is("link", "target");
}
END_TEST

START_TEST(a_symlink_replaces_another)
{
	make_symlink("old", "one");
	make_symlink("new", "two");
	ok(call_rename(fs, "old", "new", 0));
	symlink_is("new", "one");
	stored_nowhere("old");
}
END_TEST

START_TEST(a_symlink_that_cannot_be_replaced_stays)
{
	make_symlink("old", "one");
	make_symlink("new", "two");
	mount_faults(mount, "make error=DENIED times=1\n");
	ck_assert_int_eq(call_rename(fs, "old", "new", 0), EACCES);
	copies_settle();
	symlink_is("old", "one");
	symlink_is("new", "two");
}
END_TEST

START_TEST(a_symlink_is_replaced_when_the_store_can_again)
{
	make_symlink("old", "one");
	make_symlink("new", "two");
	mount_faults(mount, "make error=UNAVAILABLE times=3\n");
	ok(call_rename(fs, "old", "new", 0));
	symlink_is("new", "one");
	stored_nowhere("old");
}
END_TEST

START_TEST(a_symlink_that_was_about_to_be_replaced_is_replaced)
{
	make_symlink("old", "one");
	make_symlink("new", "two");
	door.at_remove = take_copy;
	ok(call_rename(fs, "old", "new", 0));
	/* As it was just behind that removal. */
	others_remove("new");
	make_symlink("old", "one");
	end_with(left);
	copies_go_on();
	symlink_is("new", "one");
	stored_nowhere("old");
}
END_TEST

static TCase *copies_case(const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	return tests;
}

static TCase *again_cases(void)
{
	TCase *tests = copies_case("again");

	add_ends(
		tests,
		the_old_name_can_be_used_again_as_soon_as_the_rename_has_returned);
	tcase_add_loop_test(
		tests, a_new_file_under_the_old_name_survives_clearing_up_again,
		0, 2);
	add_ends(tests,
		 folders_that_cannot_be_flushed_keep_the_old_name_hidden);
	tcase_add_test(tests,
		       a_copy_that_is_missing_is_made_before_its_source_goes);
	return tests;
}

static TCase *answer_cases(void)
{
	TCase *tests = copies_case("answers");

	tcase_add_loop_test(
		tests,
		a_stored_file_whose_put_has_arrived_is_no_conflict_when_it_is_renamed,
		0, 2 * DISK_ENDS);
	add_ends(
		tests,
		what_was_written_on_goes_over_what_has_arrived_and_was_renamed);
	return tests;
}

static TCase *told_cases(void)
{
	TCase *tests = copies_case("told");

	tcase_add_test(tests,
		       a_copy_whose_answer_was_lost_makes_no_answer_untrue);
	tcase_add_test(
		tests,
		a_rename_that_was_told_to_be_interrupted_does_not_take_place);
	tcase_add_test(
		tests,
		a_rename_that_is_being_noted_is_told_to_have_taken_place);
	return tests;
}

static TCase *walk_cases(void)
{
	TCase *tests = copies_case("walks");

	tcase_add_test(tests,
		       a_walk_ends_with_the_store_whatever_was_refused_before);
	tcase_add_test(
		tests,
		what_comes_into_a_folder_that_is_being_emptied_goes_along);
	tcase_add_test(
		tests,
		no_upload_comes_between_a_rename_that_stops_and_the_next_mount);
	return tests;
}

static TCase *node_cases(void)
{
	TCase *tests = copies_case("nodes");

	tcase_add_test(tests, a_symlink_does_not_replace_a_file);
	tcase_add_test(tests, a_symlink_replaces_another);
	tcase_add_test(tests, a_symlink_that_cannot_be_replaced_stays);
	tcase_add_test(tests, a_symlink_is_replaced_when_the_store_can_again);
	tcase_add_test(tests,
		       a_symlink_that_was_about_to_be_replaced_is_replaced);
	return tests;
}

int main(void)
{
	TCase *cases[] = { again_cases(), answer_cases(), told_cases(),
			   walk_cases(),  node_cases(),	  NULL };

	return unit_run_cases("mount copies", cases);
}
