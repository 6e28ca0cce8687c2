// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: what close() and fsync() have
 * acknowledged is there after the process was killed or the power was cut,
 * and is stored once.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

/* Longer than what travels in a record. */
enum { LONG = 50000 };
static char long_text[LONG + 1];

static void setup(void)
{
	restart_setup();
	memset(long_text, 'x', LONG);
	memcpy(long_text, "begin", 5);
	memcpy(long_text + LONG - 3, "end", 3);
}

/* ---- what a close has acknowledged ---- */

START_TEST(a_closed_file_is_there_and_is_stored_once)
{
	shut_the_door();
	ck_assert_int_eq(call_store(fs, "a", "hello"), 0);
	restart(_i, true);
	shows("a", "hello");
	ck_assert(!memory_has_key(fs->store, "a"));
	is_stored("a", "hello");
	ck_assert_int_eq(stored_puts(), 1);
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	/* Nothing of it is left for a third run. */
	restart(_i, false);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	shows("a", "hello");
}
END_TEST

START_TEST(a_long_closed_file_is_there)
{
	shut_the_door();
	ck_assert_int_eq(call_store(fs, "a", long_text), 0);
	ck_assert_int_eq(disk.data, 1);
	restart(_i, true);
	shows("a", long_text);
	is_stored("a", long_text);
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

START_TEST(an_empty_file_is_there_after_fsync)
{
	struct call_handle handle;

	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	end(_i);
	call_release(&handle);
	begin_again(true);
	shows("a", "");
	is_stored("a", "");
}
END_TEST

START_TEST(an_edit_is_there_and_the_rest_is_the_stores)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "0123456789");
	shut_the_door();
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	ck_assert_int_eq(write_text(&handle, 3, "xyz"), 0);
	ck_assert_int_eq(call_close(&handle), 0);
	restart(_i, true);
	shows("a", "012xyz6789");
	memory_is(fs->store, "a", "0123456789");
	is_stored("a", "012xyz6789");
}
END_TEST

START_TEST(a_truncated_file_is_there)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "0123456789");
	shut_the_door();
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	ck_assert_int_eq(call_truncate(fs, "a", 4), 0);
	ck_assert_int_eq(write_text(&handle, 6, "xyz"), 0);
	ck_assert_int_eq(call_truncate(fs, "a", 8), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	end(_i);
	call_release(&handle);
	begin_again(false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	/* The hole would end the text. */
	ck_assert_int_eq(write_text(&handle, 4, "__"), 0);
	ck_assert_int_eq(call_close(&handle), 0);
	is_stored("a", "0123__xy");
}
END_TEST

/* A stack of many layers is copied into one on the way. */
START_TEST(every_fsync_of_many_is_a_state_that_comes_back)
{
	char want[256] = "";
	struct call_handle handle;

	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	for (int i = 0; i < 25; i++) {
		char text[16];

		snprintf(text, sizeof(text), "[%d]", i);
		ck_assert_int_eq(write_text(&handle, (uint64_t)(3 * i), text),
				 0);
		memcpy(want + 3 * i, text, strlen(text) + 1);
		ck_assert_int_eq(call_fsync(&handle), 0);
		if (i % 6 != 5)
			continue;
		end(_i);
		call_release(&handle);
		begin_again(true);
		shows("a", want);
		ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	}
	ck_assert_int_eq(call_close(&handle), 0);
	is_stored("a", want);
	/* An earlier state may have been on its way. */
	ck_assert_int_le(stored_puts(), 2);
}
END_TEST

START_TEST(a_high_stack_becomes_one_layer)
{
	struct call_handle handle;
	struct file *file;

	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	file = file_of(&handle);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(write_text(&handle, (uint64_t)i, "x!"), 0);
		ck_assert_int_eq(call_fsync(&handle), 0);
		/* What an upload has taken stays below what is copied. */
		ck_assert_uint_le(file->staging.count, 2 * STAGING_DEPTH + 2);
	}
	ck_assert_int_eq(call_close(&handle), 0);
	is_stored("a", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx!");
}
END_TEST

/* ---- what nobody has acknowledged ---- */

START_TEST(what_was_written_since_the_last_fsync_is_not_published)
{
	struct call_handle handle;

	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "one"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	ck_assert_int_eq(write_text(&handle, 1, "???"), 0);
	end(_i);
	call_release(&handle);
	begin_again(true);
	shows("a", "one");
	is_stored("a", "one");
	/* The rest is kept for whoever misses it. */
	if (_i == DISK_KILLED)
		ck_assert_uint_eq(fs->counters.unfinished, 1);
}
END_TEST

START_TEST(what_was_never_acknowledged_is_kept_and_not_shown)
{
	struct call_handle handle;

	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "half"), 0);
	end(_i);
	call_release(&handle);
	begin_again(false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	ck_assert(!memory_has_key(fs->store, "a"));
	ck_assert_int_eq(stored_puts(), 0);
	if (_i == DISK_KILLED) {
		ck_assert_uint_eq(fs->counters.unfinished, 1);
		area_holds(&mount->area, "data-", "half");
	}
}
END_TEST

START_TEST(a_failed_upload_does_not_acknowledge_what_is_being_written)
{
	struct call_handle handle;

	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "one"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	door_wait(&door.puts, 1);
	ck_assert_int_eq(write_text(&handle, 1, "???"), 0);
	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	open_the_door();
	mount_wait_attempts(file_of(&handle), 1);
	stop_uploads();
	end(_i);
	call_release(&handle);
	begin_again(true);
	shows("a", "one");
}
END_TEST

/* ---- the store and the journal disagree ---- */

START_TEST(a_stored_file_whose_end_was_not_noted_is_not_sent_again)
{
	char path[64];

	shut_the_door();
	ck_assert_int_eq(call_store(fs, "a", "hello"), 0);
	disk_copy(_i, path);
	is_stored("a", "hello");
	ck_assert_int_eq(stored_puts(), 1);
	end_with(path);
	begin_again(false);
	is_stored("a", "hello");
	ck_assert_int_eq(stored_puts(), 1);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(an_edit_whose_end_was_not_noted_is_not_sent_again)
{
	struct call_handle handle;
	char path[64];

	memory_put(fs->store, "a", "0123456789");
	shut_the_door();
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	ck_assert_int_eq(write_text(&handle, 3, "xyz"), 0);
	ck_assert_int_eq(call_close(&handle), 0);
	disk_copy(_i, path);
	is_stored("a", "012xyz6789");
	end_with(path);
	begin_again(false);
	is_stored("a", "012xyz6789");
	/* The one before was somebody else's. */
	ck_assert_int_eq(stored_puts(), 2);
}
END_TEST

START_TEST(a_put_whose_answer_was_lost_is_settled_by_its_id)
{
	struct call_handle handle;

	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "hello"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	mount_wait_attempts(file_of(&handle), 1);
	stop_uploads();
	memory_is(fs->store, "a", "hello");
	end(_i);
	call_release(&handle);
	begin_again(false);
	is_stored("a", "hello");
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

/*
 * The first state arrives unheard, then comes a second one; in the same run,
 * or the next one sends it.
 */
enum { SAME_RUN = DISK_ENDS, RUNS };

static void second_over_unheard(const char *first, const char *second,
				int64_t seconds, int run)
{
	struct call_handle handle;

	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	shut_the_door();
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, first), 0);
	if (seconds)
		ck_assert_int_eq(call_touch(fs, "a", seconds), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	/* The first at the door was somebody else's. */
	door_wait(&door.puts, 2);
	publisher_pause(fs->publisher, run == SAME_RUN);
	door_let(1);
	mount_wait_attempts(file_of(&handle), 1);
	if (run != SAME_RUN)
		stop_uploads();
	/* It is tried again: nothing to tell. */
	ck_assert_int_eq(publish_take_late_error(file_of(&handle), NULL), 0);
	ck_assert_int_eq(write_text(&handle, 0, second), 0);
	if (seconds)
		ck_assert_int_eq(call_touch(fs, "a", seconds), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	if (run == SAME_RUN) {
		call_release(&handle);
		publisher_pause(fs->publisher, false);
		return;
	}
	end((enum disk_end)run);
	call_release(&handle);
	begin_again(true);
}

START_TEST(a_later_state_goes_over_a_put_whose_answer_was_lost)
{
	memory_put(fs->store, "a", "0123456789");
	second_over_unheard("abc", "ABCD", 0, _i);
	memory_is(fs->store, "a", "abc3456789");
	is_stored("a", "ABCD456789");
}
END_TEST

START_TEST(a_later_state_goes_over_a_lost_answer_without_composing)
{
	memory_put(fs->store, "a", "0123456789");
	mount->fs.capabilities &= ~(uint64_t)STORE_CAP_COMPOSE;
	second_over_unheard("abc", "ABCD", 0, _i);
	is_stored("a", "ABCD456789");
}
END_TEST

/* As cp -p and rsync -a set times: neither they nor the size differ. */
START_TEST(a_later_state_of_the_same_size_and_time_is_not_taken_for_stored)
{
	memory_put(fs->store, "a", "0123456789");
	second_over_unheard("abc", "ABC", 1000000000, _i);
	is_stored("a", "ABC3456789");
}
END_TEST

/* Size and time are all that such a store has. */
START_TEST(a_store_without_ids_keeps_no_state_for_a_later_one)
{
	memory_put(fs->store, "a", "0123456789");
	mount->fs.capabilities &= ~(uint64_t)STORE_CAP_PUBLISH_ID;
	second_over_unheard("abc", "ABC", 1000000000, _i);
	is_stored("a", "ABC3456789");
}
END_TEST

START_TEST(a_store_without_ids_has_what_was_sent_before_a_change)
{
	memory_put(fs->store, "a", "0123456789");
	mount->fs.capabilities &= ~(uint64_t)STORE_CAP_PUBLISH_ID;
	second_over_unheard("abc", "0123456789ABC", 0, _i);
	is_stored("a", "0123456789ABC");
}
END_TEST

START_TEST(a_conflict_keeps_both_and_waits_to_be_asked)
{
	struct call_handle handle;

	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "mine"), 0);
	memory_put(fs->store, "a", "theirs");
	shut_the_door();
	ck_assert_int_eq(call_close(&handle), 0);
	for (int i = 0; i < 3; i++) {
		restart(_i, false);
		ck_assert_uint_eq(drain(), 1);
		memory_is(fs->store, "a", "theirs");
		shows("a", "mine");
	}
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

START_TEST(a_conflict_that_was_told_comes_back_as_one)
{
	struct store_error error = STORE_ERROR_INIT;
	struct call_handle handle;

	memory_put(fs->store, "a", "old");
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	memory_put(fs->store, "a", "theirs");
	ck_assert_int_eq(write_text(&handle, 0, "mine"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	mount_wait_attempts(file_of(&handle), 1);
	stop_uploads();
	ck_assert_int_eq(publish_take_late_error(file_of(&handle), &error),
			 STORE_CHANGED);
	end(_i);
	call_release(&handle);
	begin_again(false);
	ck_assert_int_eq(call_open(fs, "a", O_RDONLY, &handle), 0);
	lock_take(&file_of(&handle)->lock);
	ck_assert_int_eq(file_of(&handle)->last_code, STORE_CHANGED);
	ck_assert_uint_eq(file_of(&handle)->started, 0);
	lock_drop(&file_of(&handle)->lock);
	call_release(&handle);
	shows("a", "mine");
	memory_is(fs->store, "a", "theirs");
}
END_TEST

/* Told of what had failed before, in its place: export is to have it all. */
START_TEST(a_close_that_is_refused_keeps_what_was_written_since)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "old");
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	memory_put(fs->store, "a", "theirs");
	ck_assert_int_eq(write_text(&handle, 0, "mine"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	mount_wait_attempts(file_of(&handle), 1);
	stop_uploads();
	ck_assert_int_eq(write_text(&handle, 0, "more"), 0);
	ck_assert_int_eq(call_fsync(&handle), ESTALE);
	end(_i);
	call_release(&handle);
	begin_again(false);
	ck_assert_uint_eq(drain(), 1);
	shows("a", "more");
	memory_is(fs->store, "a", "theirs");
}
END_TEST

/* ---- one is being sent while the next is acknowledged ---- */

enum moment {
	FIRST_AT_THE_DOOR,
	SECOND_WRITTEN,
	SECOND_ACKNOWLEDGED,
	FIRST_STORED,
	BOTH_STORED,
	MOMENTS
};

static void reach(enum moment moment, struct call_handle *handle)
{
	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", handle), 0);
	ck_assert_int_eq(write_text(handle, 0, "first state"), 0);
	ck_assert_int_eq(call_fsync(handle), 0);
	door_wait(&door.puts, 1);
	if (moment == FIRST_AT_THE_DOOR)
		return;
	ck_assert_int_eq(write_text(handle, 6, "second, longer"), 0);
	if (moment == SECOND_WRITTEN)
		return;
	ck_assert_int_eq(call_fsync(handle), 0);
	if (moment == SECOND_ACKNOWLEDGED)
		return;
	door_let(1);
	door_wait(&door.puts, 2);
	memory_is(fs->store, "a", "first state");
	if (moment == FIRST_STORED)
		return;
	open_the_door();
	mount_wait_attempts(file_of(handle), 2);
}

START_TEST(whatever_is_being_sent_the_last_acknowledged_state_wins)
{
	enum moment moment = _i / DISK_ENDS;
	const char *want = moment < SECOND_ACKNOWLEDGED
				   ? "first state"
				   : "first second, longer";
	struct call_handle handle;

	reach(moment, &handle);
	end(_i % DISK_ENDS);
	call_release(&handle);
	begin_again(true);
	shows("a", want);
	is_stored("a", want);
	ck_assert_int_eq(stored_puts(), moment < FIRST_STORED ? 1 : 2);
}
END_TEST

/* What was at the door arrives, and the answer is never heard. */
/* It waits for the attempt before it, and finds that all is stored. */
START_TEST(an_attempt_too_many_takes_nothing_that_is_being_written)
{
	struct call_handle handle;
	struct file *file;

	publisher_pause(fs->publisher, false);
	shut_the_door();
	ck_assert_int_eq(call_create(fs, "a", &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "first"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	file = file_of(&handle);
	door_wait(&door.puts, 1);
	publisher_queue(fs->publisher, file);
	ck_assert_int_eq(write_text(&handle, 5, " and more"), 0);
	open_the_door();
	mount_wait_attempts(file, 2);
	memory_is(fs->store, "a", "first");
	ck_assert_int_eq(call_fsync(&handle), 0);
	mount_wait_attempts(file, 3);
	memory_is(fs->store, "a", "first and more");
	call_release(&handle);
	is_stored("a", "first and more");
}
END_TEST

START_TEST(what_was_being_sent_may_have_arrived)
{
	enum moment moment = _i / DISK_ENDS;
	const char *want = moment < SECOND_ACKNOWLEDGED
				   ? "first state"
				   : "first second, longer";
	struct call_handle handle;
	char path[64];

	reach(moment, &handle);
	disk_copy(_i % DISK_ENDS, path);
	door_let(1);
	mount_wait_attempts(file_of(&handle), 1);
	end_with(path);
	call_release(&handle);
	memory_is(fs->store, "a", "first state");
	begin_again(true);
	shows("a", want);
	is_stored("a", want);
	ck_assert_int_eq(stored_puts(), moment < SECOND_ACKNOWLEDGED ? 1 : 2);
}
END_TEST

/* ---- attributes ---- */

static void mode_is(const char *path, unsigned int mode)
{
	struct stat found;

	ck_assert_int_eq(call_stat(fs, path, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, mode);
}

static void stored_mode_is(const char *path, unsigned int mode)
{
	struct store_info info;

	ck_assert_int_eq(store_stat(fs->store, NULL, path, &info, NULL),
			 STORE_OK);
	ck_assert(info.attributes.mask & STORE_ATTR_MODE);
	ck_assert_uint_eq(info.attributes.mode & 07777, mode);
}

START_TEST(attributes_set_after_a_close_come_along)
{
	struct stat found;
	char value[64];

	publisher_pause(fs->publisher, true);
	ck_assert_int_eq(call_store(fs, "a", "hello"), 0);
	ck_assert_int_eq(call_chmod(fs, "a", 0600), 0);
	ck_assert_int_eq(call_touch(fs, "a", 1234567890), 0);
	ck_assert_int_eq(call_setxattr(fs, "a", "user.one", "1"), 0);
	ck_assert_int_eq(call_setxattr(fs, "a", "user.two", "2"), 0);
	ck_assert_int_eq(call_removexattr(fs, "a", "user.one"), 0);
	ck_assert_int_eq(call_fsyncdir(fs, ""), 0);
	for (int i = 0; i < 2; i++) {
		restart(_i, true);
		shows("a", "hello");
		mode_is("a", 0600);
		ck_assert_int_eq(call_stat(fs, "a", &found), 0);
		ck_assert_int_eq(found.st_mtim.tv_sec, 1234567890);
		ck_assert_int_eq(call_getxattr(fs, "a", "user.two", value, 64),
				 0);
		ck_assert_str_eq(value, "2");
		ck_assert_int_eq(call_getxattr(fs, "a", "user.one", value, 64),
				 ENODATA);
	}
	is_stored("a", "hello");
	stored_mode_is("a", 0600);
	ck_assert_int_eq(call_getxattr(fs, "a", "user.two", value, 64), 0);
	ck_assert_str_eq(value, "2");
}
END_TEST

START_TEST(a_mode_that_is_being_sent_is_not_lost_with_the_answer)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "old");
	shut_the_door();
	ck_assert_int_eq(call_open(fs, "a", O_RDWR, &handle), 0);
	ck_assert_int_eq(write_text(&handle, 0, "one"), 0);
	ck_assert_int_eq(call_chmod(fs, "a", 0600), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	/* The first was somebody else's. */
	door_wait(&door.puts, 2);
	ck_assert_int_eq(write_text(&handle, 0, "two"), 0);
	ck_assert_int_eq(call_fsync(&handle), 0);
	end(_i);
	call_release(&handle);
	begin_again(true);
	mode_is("a", 0600);
	is_stored("a", "two");
	stored_mode_is("a", 0600);
}
END_TEST

START_TEST(attributes_of_a_stored_file_need_no_journal)
{
	memory_put(fs->store, "a", "hello");
	ck_assert_int_eq(call_chmod(fs, "a", 0600), 0);
	restart(_i, false);
	mode_is("a", 0600);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
}
END_TEST

static void add_runs(TCase *tests, const TTest *test)
{
	tcase_add_loop_test(tests, test, 0, RUNS);
}

static TCase *closed_cases(void)
{
	TCase *tests = restart_case("closed", setup);

	add_ends(tests, a_closed_file_is_there_and_is_stored_once);
	add_ends(tests, a_long_closed_file_is_there);
	add_ends(tests, an_empty_file_is_there_after_fsync);
	add_ends(tests, an_edit_is_there_and_the_rest_is_the_stores);
	add_ends(tests, a_truncated_file_is_there);
	add_ends(tests, every_fsync_of_many_is_a_state_that_comes_back);
	tcase_add_test(tests, a_high_stack_becomes_one_layer);
	add_ends(tests, what_was_written_since_the_last_fsync_is_not_published);
	add_ends(tests, what_was_never_acknowledged_is_kept_and_not_shown);
	add_ends(tests,
		 a_failed_upload_does_not_acknowledge_what_is_being_written);
	return tests;
}

static TCase *store_cases(void)
{
	TCase *tests = restart_case("store", setup);

	add_ends(tests,
		 a_stored_file_whose_end_was_not_noted_is_not_sent_again);
	add_ends(tests, an_edit_whose_end_was_not_noted_is_not_sent_again);
	add_ends(tests, a_put_whose_answer_was_lost_is_settled_by_its_id);
	add_runs(tests, a_later_state_goes_over_a_put_whose_answer_was_lost);
	add_runs(tests,
		 a_later_state_goes_over_a_lost_answer_without_composing);
	add_ends(
		tests,
		a_later_state_of_the_same_size_and_time_is_not_taken_for_stored);
	add_runs(tests, a_store_without_ids_keeps_no_state_for_a_later_one);
	add_runs(tests, a_store_without_ids_has_what_was_sent_before_a_change);
	add_ends(tests, a_conflict_keeps_both_and_waits_to_be_asked);
	add_ends(tests, a_conflict_that_was_told_comes_back_as_one);
	add_ends(tests, a_close_that_is_refused_keeps_what_was_written_since);
	tcase_add_loop_test(
		tests, whatever_is_being_sent_the_last_acknowledged_state_wins,
		0, MOMENTS * DISK_ENDS);
	tcase_add_test(tests,
		       an_attempt_too_many_takes_nothing_that_is_being_written);
	tcase_add_loop_test(tests, what_was_being_sent_may_have_arrived, 0,
			    FIRST_STORED * DISK_ENDS);
	return tests;
}

static TCase *attribute_cases(void)
{
	TCase *tests = restart_case("attributes", setup);

	add_ends(tests, attributes_set_after_a_close_come_along);
	add_ends(tests, a_mode_that_is_being_sent_is_not_lost_with_the_answer);
	add_ends(tests, attributes_of_a_stored_file_need_no_journal);
	return tests;
}

int main(void)
{
	TCase *cases[] = { closed_cases(), store_cases(), attribute_cases(),
			   NULL };

	return unit_run_cases("mount commit", cases);
}
