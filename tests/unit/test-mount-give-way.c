// SPDX-License-Identifier: MIT
/*
 * An upload that does not get on is in the way of a change of names: it gives
 * way, and what it sent counts as a put without an answer.  Without that the
 * calls here fail after op_timeout, which is longer than a test may take.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>

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

static void setup(void)
{
	restart_setup();
	fs->options->op_timeout_ns = 100 * NS_PER_SEC;
}

/* Closed, and its upload stands before the store. */
static void uploading(const char *path)
{
	int before = door.puts;

	shut_the_door();
	ok(call_store(fs, path, "hello"));
	door_wait(&door.puts, before + 1);
}

static void nothing_is_left(const char *path)
{
	door_set(&door.answers_shut, false);
	open_the_door();
	ck_assert_uint_eq(drain(), 0);
	shows_none(path);
	stored_nowhere(path);
}

START_TEST(a_file_that_is_uploaded_can_be_removed)
{
	uploading("a");
	ok(call_unlink(fs, "a"));
	shows_none("a");
	nothing_is_left("a");
	ck_assert_int_eq(stored_puts(), 0);
}
END_TEST

START_TEST(a_new_version_that_is_uploaded_can_be_removed)
{
	memory_put(fs->store, "a", "old");
	uploading("a");
	ok(call_unlink(fs, "a"));
	nothing_is_left("a");
}
END_TEST

START_TEST(a_file_that_is_uploaded_can_be_renamed)
{
	uploading("a");
	ok(call_rename(fs, "a", "b", 0));
	shows("b", "hello");
	shows_none("a");
	is_stored("b", "hello");
	stored_nowhere("a");
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

START_TEST(a_file_that_is_uploaded_can_be_replaced)
{
	uploading("a");
	ok(call_store(fs, "t", "newer"));
	ok(call_rename(fs, "t", "a", 0));
	is_stored("a", "newer");
	stored_nowhere("t");
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

START_TEST(a_folder_can_be_renamed_above_an_upload)
{
	ok(call_mkdir(fs, "d"));
	uploading("d/x");
	ok(call_rename(fs, "d", "e", 0));
	shows_none("d");
	is_stored("e/x", "hello");
	stored_nowhere("d/x");
}
END_TEST

/* The store has it, and its answer does not come. */
static void arrived_unanswered(void)
{
	door_set(&door.answers_shut, true);
	ok(call_store(fs, "a", "hello"));
	door_wait(&door.stored, 1);
}

START_TEST(what_has_arrived_is_moved_and_not_sent_again)
{
	arrived_unanswered();
	ok(call_rename(fs, "a", "b", 0));
	door_set(&door.answers_shut, false);
	is_stored("b", "hello");
	stored_nowhere("a");
	ck_assert_int_eq(stored_puts(), 1);
	restart(_i, false);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
	shows("b", "hello");
}
END_TEST

START_TEST(what_has_arrived_is_removed)
{
	arrived_unanswered();
	ok(call_unlink(fs, "a"));
	nothing_is_left("a");
	restart(_i, false);
	nothing_is_left("a");
}
END_TEST

/* ---- those who wait for it ---- */

static struct reading {
	struct call_handle handle;
	char text[64];
	int code;
	_Atomic bool done;
	pthread_t thread;
} reading;

static void *read_it(void *arg)
{
	reading.code =
		call_read(&reading.handle, reading.text, sizeof(reading.text));
	reading.done = true;
	return arg;
}

/* Whoever looks whether it has arrived is slow. */
static void reading_goes_on(void)
{
	int64_t until = clock_monotonic_ns() + 300 * NS_PER_MS;

	while (!reading.done && clock_monotonic_ns() < until)
		sched_yield();
	door.after_stat = reading_goes_on;
}

START_TEST(who_reads_what_has_been_replaced_waits_for_what_has_arrived)
{
	struct call_handle writer;
	int stored;

	memory_put(fs->store, "a", "0123456789");
	stored = door.stored;
	ok(call_open(fs, "a", O_WRONLY, &writer));
	ok(call_write(&writer, 3, "xyz", 3));
	/* Nothing is asked of the store for that. */
	ok(call_open(fs, "a", O_RDONLY, &reading.handle));
	door_set(&door.answers_shut, true);
	ok(call_close(&writer));
	door_wait(&door.stored, stored + 1);
	ck_assert_int_eq(pthread_create(&reading.thread, NULL, read_it, NULL),
			 0);
	door.after_stat = reading_goes_on;
	/* Nor is it sent again at once. */
	publisher_pause(fs->publisher, true);
	ok(call_rename(fs, "a", "b", 0));
	door.after_stat = NULL;
	publisher_pause(fs->publisher, false);
	ck_assert_int_eq(pthread_join(reading.thread, NULL), 0);
	ok(reading.code);
	ck_assert_str_eq(reading.text, "012xyz6789");
	call_release(&reading.handle);
}
END_TEST

struct writer {
	struct call_handle handle;
	int code;
	pthread_t thread;
};

static void *sync_it(void *arg)
{
	struct writer *writer = arg;

	writer->code = call_fsync(&writer->handle);
	return NULL;
}

static void sync_begin(struct writer *writer)
{
	ck_assert_int_eq(pthread_create(&writer->thread, NULL, sync_it, writer),
			 0);
}

static void sync_end(struct writer *writer)
{
	ck_assert_int_eq(pthread_join(writer->thread, NULL), 0);
	ok(writer->code);
	ok(call_close(&writer->handle));
}

static void wait_for_waiters(struct file *file, unsigned int wanted)
{
	unsigned int waiters;

	do {
		sched_yield();
		lock_take(&file->lock);
		waiters = file->waiters;
		lock_drop(&file->lock);
	} while (waiters < wanted);
}

/* One waits for the upload that runs, the other for the next one. */
START_TEST(who_waits_for_an_upload_waits_for_the_next_one)
{
	struct writer first, second;

	fs->options->commit = COMMIT_CLOSE;
	shut_the_door();
	ok(call_create(fs, "a", &first.handle));
	ok(write_text(&first.handle, 0, "hello"));
	sync_begin(&first);
	door_wait(&door.puts, 1);
	ok(call_open(fs, "a", O_RDWR, &second.handle));
	if (_i)
		ok(write_text(&second.handle, 5, ", world"));
	sync_begin(&second);
	wait_for_waiters(file_of(&first.handle), 2);
	ok(call_rename(fs, "a", "b", 0));
	open_the_door();
	sync_end(&first);
	sync_end(&second);
	is_stored("b", _i ? "hello, world" : "hello");
	stored_nowhere("a");
}
END_TEST

int main(void)
{
	TCase *tests = restart_case("give way", setup);
	TCase *cases[] = { tests, NULL };

	tcase_add_test(tests, a_file_that_is_uploaded_can_be_removed);
	tcase_add_test(tests, a_new_version_that_is_uploaded_can_be_removed);
	tcase_add_test(tests, a_file_that_is_uploaded_can_be_renamed);
	tcase_add_test(tests, a_file_that_is_uploaded_can_be_replaced);
	tcase_add_test(tests, a_folder_can_be_renamed_above_an_upload);
	add_ends(tests, what_has_arrived_is_moved_and_not_sent_again);
	add_ends(tests, what_has_arrived_is_removed);
	tcase_add_test(
		tests,
		who_reads_what_has_been_replaced_waits_for_what_has_arrived);
	tcase_add_loop_test(
		tests, who_waits_for_an_upload_waits_for_the_next_one, 0, 2);
	return unit_run_cases("mount give way", cases);
}
