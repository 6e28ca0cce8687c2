// SPDX-License-Identifier: MIT
/*
 * What commit=background costs: flushes of the local disk, and requests to
 * the store, counted.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

enum { LONG = 40000, CLOSERS = 16 };
static char long_text[LONG + 1];

static void ok(int code)
{
	ck_assert_int_eq(code, 0);
}

static void setup(void)
{
	restart_setup();
	memset(long_text, 'x', LONG);
	publisher_pause(fs->publisher, true);
	/* A new journal has been made. */
	disk.journal = disk.data = disk.folder = 0;
}

/* Flushes since the last call: of the journal, staging files, the folder. */
static void costs(int journal, int data, int folder)
{
	lock_take(&disk.lock);
	ck_assert_int_eq(disk.journal, journal);
	ck_assert_int_eq(disk.data, data);
	ck_assert_int_eq(disk.folder, folder);
	disk.journal = disk.data = disk.folder = 0;
	lock_drop(&disk.lock);
}

/* ---- closes ---- */

START_TEST(a_small_close_flushes_the_journal_once_and_nothing_else)
{
	uint64_t flushes = commit_flushes(fs);

	costs(0, 0, 0);
	ok(call_store(fs, "a", "hello"));
	costs(1, 0, 0);
	ck_assert_uint_eq(commit_flushes(fs), flushes + 1);
	ok(call_store(fs, "a", "again"));
	costs(1, 0, 0);
	ok(call_store(fs, "b", "other"));
	costs(1, 0, 0);
}
END_TEST

START_TEST(a_long_close_flushes_its_bytes_their_name_and_the_journal)
{
	costs(0, 0, 0);
	ok(call_store(fs, "a", long_text));
	costs(1, 1, 1);
}
END_TEST

START_TEST(a_small_change_of_a_long_file_flushes_no_bytes)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, long_text));
	ok(call_fsync(&handle));
	costs(1, 1, 1);
	ok(write_text(&handle, 100, "small"));
	ok(call_fsync(&handle));
	costs(1, 0, 0);
	ok(call_close(&handle));
	costs(0, 0, 0);
}
END_TEST

START_TEST(a_close_without_a_change_flushes_nothing)
{
	struct call_handle handle;

	ok(call_store(fs, "a", "hello"));
	costs(1, 0, 0);
	ok(call_open(fs, "a", O_RDWR, &handle));
	ok(call_fsync(&handle));
	ok(call_close(&handle));
	costs(0, 0, 0);
}
END_TEST

START_TEST(writing_flushes_nothing)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	for (uint64_t i = 0; i < 10; i++)
		ok(write_text(&handle, i * LONG, long_text));
	ok(call_truncate(fs, "a", 10));
	costs(0, 0, 0);
	ok(call_close(&handle));
	costs(1, 0, 0);
}
END_TEST

START_TEST(a_close_that_waits_for_the_store_flushes_nothing_here)
{
	fs->options->commit = COMMIT_CLOSE;
	publisher_pause(fs->publisher, false);
	ok(call_store(fs, "a", long_text));
	memory_is(fs->store, "a", long_text);
	costs(0, 0, 0);
}
END_TEST

/* ---- uploads ---- */

START_TEST(an_upload_of_what_is_durable_flushes_nothing)
{
	ok(call_store(fs, "a", long_text));
	costs(1, 1, 1);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	ck_assert_int_eq(stored_puts(), 1);
	costs(0, 0, 0);
	/* That it is stored is flushed with others, or later. */
	flusher_round();
	costs(1, 0, 0);
	flusher_round();
	costs(0, 0, 0);
}
END_TEST

START_TEST(ends_are_flushed_with_the_next_close)
{
	ok(call_store(fs, "a", "hello"));
	publisher_pause(fs->publisher, false);
	is_stored("a", "hello");
	publisher_pause(fs->publisher, true);
	costs(1, 0, 0);
	ok(call_store(fs, "b", "more"));
	costs(1, 0, 0);
	ck_assert(graveyard_empty(&fs->commit->graveyard));
	flusher_round();
	costs(0, 0, 0);
}
END_TEST

/* ---- names and attributes ---- */

START_TEST(attributes_are_flushed_when_somebody_asks)
{
	ok(call_store(fs, "a", "hello"));
	costs(1, 0, 0);
	for (mode_t mode = 0600; mode < 0620; mode++)
		ok(call_chmod(fs, "a", mode));
	ok(call_setxattr(fs, "a", "user.one", "1"));
	costs(0, 0, 0);
	ok(call_fsyncdir(fs, ""));
	costs(1, 0, 0);
	ok(call_fsyncdir(fs, ""));
	costs(0, 0, 0);
}
END_TEST

/* Of another file, whose bytes and record were durable already. */
START_TEST(attributes_are_flushed_with_the_next_fsync_of_any_file)
{
	struct call_handle handle;

	ok(call_store(fs, "a", "hello"));
	ok(call_create(fs, "b", &handle));
	ok(write_text(&handle, 0, "more"));
	ok(call_fsync(&handle));
	costs(2, 0, 0);
	ok(call_chmod(fs, "a", 0640));
	costs(0, 0, 0);
	ok(call_fsync(&handle));
	costs(1, 0, 0);
	ok(call_fsync(&handle));
	costs(0, 0, 0);
	call_release(&handle);
}
END_TEST

START_TEST(a_new_file_is_renamed_without_a_flush)
{
	ok(call_store(fs, "a", "hello"));
	costs(1, 0, 0);
	ok(call_rename(fs, "a", "b", 0));
	costs(0, 0, 0);
	ok(call_fsyncdir(fs, ""));
	costs(1, 0, 0);
}
END_TEST

START_TEST(a_safe_save_costs_one_flush_and_one_put)
{
	memory_put(fs->store, "a", "old");
	shows("a", "old");
	costs(0, 0, 0);
	ok(call_store(fs, "a.tmp", "new"));
	ok(call_rename(fs, "a.tmp", "a", 0));
	costs(1, 0, 0);
	publisher_pause(fs->publisher, false);
	is_stored("a", "new");
	/* The first was somebody else's. */
	ck_assert_int_eq(stored_puts(), 2);
	ck_assert(!memory_has_key(fs->store, "a.tmp"));
}
END_TEST

START_TEST(a_pending_file_of_the_store_is_moved_behind_one_flush)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "old");
	ok(call_open(fs, "a", O_RDWR, &handle));
	ok(write_text(&handle, 0, "new"));
	ok(call_close(&handle));
	costs(1, 0, 0);
	ok(call_rename(fs, "a", "b", 0));
	costs(1, 0, 0);
}
END_TEST

START_TEST(names_of_what_is_stored_flush_nothing)
{
	memory_put(fs->store, "a", "old");
	ok(call_mkdir(fs, "d"));
	ok(call_rename(fs, "a", "d/a", 0));
	ok(call_chmod(fs, "d/a", 0600));
	ok(call_unlink(fs, "d/a"));
	ok(call_rmdir(fs, "d"));
	ok(call_fsyncdir(fs, ""));
	costs(0, 0, 0);
}
END_TEST

/* ---- group commit ---- */

static uint64_t crowd;

/* The first flush takes until everybody else has come. */
static void await_crowd(void)
{
	int64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;

	while (journal_position(fs->commit->journal) < crowd) {
		ck_assert_int_lt(clock_monotonic_ns(), until);
		sched_yield();
	}
}

static void *store_one(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "f%d", *(int *)arg);
	return call_store(fs, name, name) ? arg : NULL;
}

START_TEST(closes_at_the_same_time_share_flushes)
{
	pthread_t threads[CLOSERS];
	int numbers[CLOSERS];
	char name[16];
	void *failed;

	costs(0, 0, 0);
	/* Each notes that it writes, and is acknowledged. */
	crowd = journal_position(fs->commit->journal) + 2 * CLOSERS;
	disk.at_journal = await_crowd;
	for (int i = 0; i < CLOSERS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, store_one,
						&numbers[i]),
				 0);
	}
	for (int i = 0; i < CLOSERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	/* The first one's, and that of all the others. */
	costs(2, 0, 0);
	restart(DISK_POWER_CUT, true);
	for (int i = 0; i < CLOSERS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		shows(name, name);
	}
}
END_TEST

/* ---- recovery ---- */

START_TEST(recovery_sends_nothing_for_what_has_arrived)
{
	uint64_t puts;
	char path[64];

	ok(call_store(fs, "a", long_text));
	ok(call_store(fs, "b", "small"));
	disk_copy(DISK_POWER_CUT, path);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	is_stored("b", "small");
	puts = mount_puts(mount);
	end_with(path);
	begin_again(false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
	ck_assert_uint_eq(mount_puts(mount), puts);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
}
END_TEST

START_TEST(recovery_of_nothing_asks_the_store_nothing)
{
	uint64_t before[STORE_COUNTERS], after[STORE_COUNTERS];

	restart(DISK_POWER_CUT, false);
	store_counters(fs->store, before);
	restart(DISK_POWER_CUT, false);
	store_counters(fs->store, after);
	/* The mount looks at the root. */
	ck_assert_uint_eq(after[STORE_COUNT_STAT],
			  before[STORE_COUNT_STAT] + 1);
	after[STORE_COUNT_STAT] = before[STORE_COUNT_STAT];
	ck_assert_int_eq(memcmp(before, after, sizeof(after)), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("cost");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, restart_teardown);
	tcase_add_test(tests,
		       a_small_close_flushes_the_journal_once_and_nothing_else);
	tcase_add_test(
		tests,
		a_long_close_flushes_its_bytes_their_name_and_the_journal);
	tcase_add_test(tests, a_small_change_of_a_long_file_flushes_no_bytes);
	tcase_add_test(tests, a_close_without_a_change_flushes_nothing);
	tcase_add_test(tests, writing_flushes_nothing);
	tcase_add_test(tests,
		       a_close_that_waits_for_the_store_flushes_nothing_here);
	tcase_add_test(tests, an_upload_of_what_is_durable_flushes_nothing);
	tcase_add_test(tests, ends_are_flushed_with_the_next_close);
	tcase_add_test(tests, attributes_are_flushed_when_somebody_asks);
	tcase_add_test(tests,
		       attributes_are_flushed_with_the_next_fsync_of_any_file);
	tcase_add_test(tests, a_new_file_is_renamed_without_a_flush);
	tcase_add_test(tests, a_safe_save_costs_one_flush_and_one_put);
	tcase_add_test(tests,
		       a_pending_file_of_the_store_is_moved_behind_one_flush);
	tcase_add_test(tests, names_of_what_is_stored_flush_nothing);
	tcase_add_test(tests, closes_at_the_same_time_share_flushes);
	tcase_add_test(tests, recovery_sends_nothing_for_what_has_arrived);
	tcase_add_test(tests, recovery_of_nothing_asks_the_store_nothing);
	return unit_run("mount commit cost", tests);
}
