// SPDX-License-Identifier: MIT
/*
 * commit=background when the local disk fails, and when much happens while
 * it is being flushed: what was acknowledged stays, what was not is not
 * taken for it.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "mount/pending.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

/* Longer than what travels in a record. */
enum { LONG = 40000 };
static char long_text[LONG + 1];

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void setup(void)
{
	restart_setup();
	memset(long_text, 'x', LONG);
	publisher_pause(fs->publisher, true);
}

/* ---- the journal refuses ---- */

START_TEST(what_found_no_room_in_the_journal_is_written_by_the_next_fsync)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "hello"));
	disk.append_fails = ENOSPC;
	ck_assert_int_eq(call_fsync(&handle), ENOSPC);
	ok(call_fsync(&handle));
	end(_i);
	call_release(&handle);
	begin_again(true);
	is_stored("a", "hello");
}
END_TEST

START_TEST(a_later_state_without_room_leaves_the_one_before)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "one"));
	ok(call_fsync(&handle));
	ok(write_text(&handle, 0, "two"));
	disk.append_fails = ENOSPC;
	ck_assert_int_eq(call_fsync(&handle), ENOSPC);
	ok(call_chmod(fs, "a", 0600));
	ok(call_fsyncdir(fs, ""));
	end(_i);
	call_release(&handle);
	begin_again(true);
	is_stored("a", "one");
}
END_TEST

START_TEST(after_a_failed_flush_the_next_fsync_writes_all_of_it_again)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "hello"));
	disk.journal_fails = EIO;
	ck_assert_int_eq(call_fsync(&handle), EIO);
	ck_assert_int_eq(call_fsync(&handle), EIO);
	flusher_mend();
	ok(call_fsync(&handle));
	end(_i);
	call_release(&handle);
	begin_again(true);
	is_stored("a", "hello");
}
END_TEST

START_TEST(a_failed_flush_leaves_what_was_acknowledged_before)
{
	struct call_handle handle;
	struct stat found;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "one"));
	ok(call_fsync(&handle));
	ok(write_text(&handle, 3, " two"));
	disk.journal_fails = EIO;
	ck_assert_int_eq(call_fsync(&handle), EIO);
	flusher_mend();
	/* A record of its own, which must go on naming those bytes. */
	ok(call_chmod(fs, "a", 0600));
	ok(call_fsyncdir(fs, ""));
	end(_i);
	call_release(&handle);
	begin_again(true);
	/* The later state may have got there or not. */
	ok(call_stat(fs, "a", &found));
	ck_assert(found.st_size == 3 || found.st_size == 7);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	is_stored("a", found.st_size == 3 ? "one" : "one two");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(a_journal_is_mended_whatever_waits_to_be_removed)
{
	publisher_pause(fs->publisher, false);
	ok(call_store(fs, "a", "hello"));
	is_stored("a", "hello");
	/* Its end is noted and not flushed. */
	disk.journal_fails = EIO;
	ck_assert_int_eq(call_fsyncdir(fs, ""), EIO);
	flusher_mend();
	ok(call_store(fs, "b", "more"));
	is_stored("b", "more");
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	restart(_i, false);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
}
END_TEST

START_TEST(a_removal_is_known_to_the_mended_journal)
{
	memory_put(fs->store, "a", "0123456789");
	shows("a", "0123456789");
	ok(call_store(fs, "a", "new"));
	mount_faults(mount, "remove-after error=UNAVAILABLE times=1\n"
			    "stat error=UNAVAILABLE times=1\n");
	ck_assert_int_ne(call_unlink(fs, "a"), 0);
	disk.journal_fails = EIO;
	ck_assert_int_eq(call_store(fs, "b", "more"), EIO);
	flusher_mend();
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

START_TEST(bytes_whose_end_cannot_be_noted_stay_until_it_can)
{
	ok(call_store(fs, "a", long_text));
	journal_refuses(ENOSPC);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	ck_assert(!graveyard_empty(&fs->commit->graveyard));
	ck_assert_int_eq(area_count(&mount->area, "data-"), 1);
	end(_i);
	journal_refuses(0);
	begin_again(false);
	is_stored("a", long_text);
	ck_assert_int_eq(stored_puts(), 1);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
}
END_TEST

/* Room included, or a limit for staging is used up by what is gone. */
START_TEST(bytes_whose_end_was_noted_late_are_removed)
{
	ok(call_store(fs, "a", long_text));
	journal_refuses(ENOSPC);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	ck_assert(!graveyard_empty(&fs->commit->graveyard));
	ck_assert_uint_gt(staging_area_buried(fs->area), 0);
	journal_recovers();
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	ck_assert_uint_eq(staging_area_buried(fs->area), 0);
	restart(_i, false);
	is_stored("a", long_text);
	ck_assert_int_eq(stored_puts(), 1);
}
END_TEST

/* Once the journal is written anew, and before what it has told is asked. */
START_TEST(bytes_whose_end_is_noted_while_a_journal_is_mended_are_removed)
{
	struct graveyard_told told = { 0 };
	struct store_error error = STORE_ERROR_INIT;

	ok(call_store(fs, "a", long_text));
	journal_refuses(ENOSPC);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	told.position = journal_position(fs->commit->journal);
	told.paid = atomic_load(&fs->commit->debts.paid);
	journal_refuses(0);
	commit_rewrite(fs->commit, false);
	ck_assert_int_eq(commit_sync(fs, &error), STORE_OK);
	graveyard_spare(&fs->commit->graveyard, &told);
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
}
END_TEST

START_TEST(a_refused_operation_leaves_the_removal_of_bytes_as_it_was)
{
	ok(call_store(fs, "a", long_text));
	disk.append_fails = ENOSPC;
	ck_assert_int_eq(call_unlink(fs, "a"), ENOSPC);
	publisher_pause(fs->publisher, false);
	is_stored("a", long_text);
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	ck_assert_uint_eq(staging_area_buried(fs->area), 0);
}
END_TEST

/* One state is owed, the last one, however many there were. */
START_TEST(many_changes_without_room_leave_the_journal_usable)
{
	struct stat found;

	ok(call_store(fs, "a", "hello"));
	ok(call_store(fs, "b", "more"));
	journal_refuses(ENOSPC);
	for (unsigned int i = 0; i < 1000; i++) {
		ok(call_chmod(fs, "a", 0600 + (i & 7)));
		ok(call_chmod(fs, "b", 0700 + (i & 7)));
	}
	ck_assert_uint_lt(fs->commit->debts.bytes, 2000);
	journal_recovers();
	ok(call_store(fs, "c", "usable"));
	restart(_i, false);
	ok(call_stat(fs, "a", &found));
	ck_assert_uint_eq(found.st_mode & 07777, 0607);
	ok(call_stat(fs, "b", &found));
	ck_assert_uint_eq(found.st_mode & 07777, 0707);
	is_stored("c", "usable");
}
END_TEST

/* ---- ends that cannot be noted ---- */

/* Stored, and the journal does not know: its record is still that of then. */
static void store_without_a_note(const char *path, const char *text)
{
	ok(call_store(fs, path, text));
	journal_refuses(ENOSPC);
	publisher_pause(fs->publisher, false);
	is_stored(path, text);
	publisher_pause(fs->publisher, true);
}

START_TEST(a_name_is_not_removed_before_its_end_is_noted)
{
	store_without_a_note("a", "hello");
	ck_assert_int_eq(call_unlink(fs, "a"), ENOSPC);
	memory_is(fs->store, "a", "hello");
	journal_recovers();
	ok(call_unlink(fs, "a"));
	restart(_i, false);
	shows_none("a");
	ck_assert_uint_eq(drain(), 0);
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

START_TEST(a_name_is_not_moved_before_its_end_is_noted)
{
	store_without_a_note("a", "hello");
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), ENOSPC);
	journal_recovers();
	ok(call_rename(fs, "a", "b", 0));
	restart(_i, false);
	shows_none("a");
	is_stored("b", "hello");
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

START_TEST(a_folder_is_not_moved_before_the_end_of_what_is_in_it_is_noted)
{
	ok(call_mkdir(fs, "d"));
	store_without_a_note("d/a", "hello");
	ck_assert_int_eq(call_rename(fs, "d", "e", 0), ENOSPC);
	journal_recovers();
	ok(call_rename(fs, "d", "e", 0));
	restart(_i, false);
	shows_none("d");
	is_stored("e/a", "hello");
}
END_TEST

/* Or the next mount took the one it finds for somebody else's. */
START_TEST(a_version_is_not_followed_by_another_before_it_is_noted)
{
	struct call_handle handle;

	publisher_pause(fs->publisher, false);
	shut_the_door();
	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "first"));
	ok(call_fsync(&handle));
	door_wait(&door.puts, 1);
	ok(write_text(&handle, 0, "again"));
	ok(call_fsync(&handle));
	journal_refuses(ENOSPC);
	open_the_door();
	mount_wait_attempts(file_of(&handle), 2);
	memory_is(fs->store, "a", "first");
	end(_i);
	journal_refuses(0);
	call_release(&handle);
	begin_again(false);
	is_stored("a", "again");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(what_a_dead_journal_was_not_told_the_next_mount_finds_out)
{
	store_without_a_note("a", "hello");
	ck_assert_int_eq(call_unlink(fs, "a"), ENOSPC);
	end(_i);
	journal_refuses(0);
	begin_again(false);
	is_stored("a", "hello");
	ck_assert_int_eq(stored_puts(), 1);
	ok(call_unlink(fs, "a"));
	shows_none("a");
}
END_TEST

/* ---- names that only the journal tells of ---- */

START_TEST(an_unlink_that_cannot_be_noted_is_refused)
{
	ok(call_store(fs, "a", "hello"));
	journal_refuses(EROFS);
	ck_assert_int_eq(call_unlink(fs, "a"), EROFS);
	shows("a", "hello");
	journal_recovers();
	ok(call_store(fs, "b", "gone"));
	ok(call_unlink(fs, "b"));
	ok(call_fsyncdir(fs, ""));
	restart(_i, false);
	shows_none("b");
	is_stored("a", "hello");
	ck_assert(!memory_has_key(fs->store, "b"));
}
END_TEST

START_TEST(a_rename_that_cannot_be_noted_is_refused)
{
	memory_put(fs->store, "stored", "old");
	ok(call_store(fs, "a", "hello"));
	ok(call_store(fs, "b", "more"));
	journal_refuses(EROFS);
	ck_assert_int_eq(call_rename(fs, "a", "c", 0), EROFS);
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), EROFS);
	ck_assert_int_eq(call_rename(fs, "a", "stored", 0), EROFS);
	shows("a", "hello");
	shows("b", "more");
	shows_none("c");
	journal_recovers();
	restart(_i, false);
	is_stored("a", "hello");
	is_stored("b", "more");
	is_stored("stored", "old");
	ck_assert(!memory_has_key(fs->store, "c"));
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(what_could_not_be_renamed_is_stored_and_renamed_later)
{
	memory_put(fs->store, "stored", "old");
	ok(call_store(fs, "a", "hello"));
	ok(call_store(fs, "b", "new"));
	journal_refuses(EROFS);
	ck_assert_int_eq(call_rename(fs, "a", "stored", 0), EROFS);
	ck_assert_int_eq(call_rename(fs, "b", "stored", 0), EROFS);
	journal_recovers();
	ok(call_rename(fs, "b", "stored", 0));
	ok(call_fsyncdir(fs, ""));
	restart(_i, false);
	is_stored("a", "hello");
	is_stored("stored", "new");
	ck_assert(!memory_has_key(fs->store, "b"));
}
END_TEST

/* ---- staging files refuse ---- */

/* The kernel forgets what it could not write, and says so once. */
START_TEST(bytes_that_could_not_be_flushed_go_to_another_file)
{
	struct call_handle handle;
	uint64_t number;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, long_text));
	number = staging_top_number(&file_of(&handle)->staging);
	disk.data_fails = EIO;
	ck_assert_int_eq(call_fsync(&handle), EIO);
	ok(call_fsync(&handle));
	ck_assert_uint_ne(staging_top_number(&file_of(&handle)->staging),
			  number);
	end(_i);
	call_release(&handle);
	begin_again(true);
	is_stored("a", long_text);
}
END_TEST

static void flip_a_byte(const char *folder, const char *name, off_t offset)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	char byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, offset), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, offset), 1);
	close(fd);
	close(dir);
}

START_TEST(damaged_bytes_are_kept_and_not_published)
{
	char name[DATA_NAME_MAX];
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, long_text));
	ok(call_fsync(&handle));
	data_name(staging_top_number(&file_of(&handle)->staging), name);
	ok(call_store(fs, "b", "fine"));
	end(_i);
	call_release(&handle);
	flip_a_byte(restart_path, name, LONG / 2);
	begin_again(false);
	ck_assert_uint_eq(fs->counters.failed_files, 1);
	shows_none("a");
	is_stored("b", "fine");
	ck_assert(!memory_has_key(fs->store, "a"));
	ck_assert_int_eq(area_count(&mount->area, name), 1);
}
END_TEST

static void put_stray(const char *folder)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/data-%llu", folder,
		 (unsigned long long)RECORD_ID_MAX);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* The highest number there is: what is acknowledged is so all the same. */
START_TEST(a_stray_name_ends_no_counting)
{
	ok(call_store(fs, "a", "before"));
	end(_i);
	put_stray(restart_path);
	begin_again(true);
	ok(call_store(fs, "b", long_text));
	restart(DISK_KILLED, true);
	shows("a", "before");
	shows("b", long_text);
	is_stored("a", "before");
	is_stored("b", long_text);
	ck_assert_int_eq(area_count(&mount->area, "data-9223372036854775807"),
			 1);
}
END_TEST

/* ---- much happens during a flush ---- */

static char copied[64];

static void note_and_copy(void)
{
	ok(call_chmod(fs, "a", 0640));
	ok(call_fsyncdir(fs, ""));
	disk_copy(DISK_POWER_CUT, copied);
}

/* A stack is copied into one layer; the end comes before its record. */
START_TEST(a_stack_that_is_being_copied_is_still_what_was_acknowledged)
{
	enum { PART = 4000 };
	struct call_handle handle;
	size_t count = 0;

	ok(call_create(fs, "a", &handle));
	/* Only a copy of many parts is long enough for a file. */
	disk.at_data = note_and_copy;
	for (copied[0] = '\0'; !copied[0]; count++) {
		ck_assert_uint_lt(count, LONG / PART);
		memset(long_text + count * PART, 'a' + (int)count, PART);
		ok(call_write(&handle, count * PART, long_text + count * PART,
			      PART));
		ok(call_fsync(&handle));
	}
	ck_assert_uint_gt(count, STAGING_DEPTH);
	end_with(copied);
	call_release(&handle);
	begin_again(true);
	/* All but what was about to be acknowledged. */
	long_text[(count - 1) * PART] = '\0';
	shows("a", long_text);
	is_stored("a", long_text);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

static struct file *waited;

static void let_the_first_through(void)
{
	door_let(1);
	mount_wait_attempts(waited, 1);
}

START_TEST(an_upload_that_ends_during_a_flush_takes_nothing_with_it)
{
	struct call_handle handle;

	publisher_pause(fs->publisher, false);
	shut_the_door();
	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "first"));
	ok(call_fsync(&handle));
	door_wait(&door.puts, 1);
	long_text[0] = '!';
	ok(write_text(&handle, 0, long_text));
	waited = file_of(&handle);
	disk.at_data = let_the_first_through;
	ok(call_fsync(&handle));
	memory_is(fs->store, "a", "first");
	end(_i);
	call_release(&handle);
	begin_again(true);
	shows("a", long_text);
	is_stored("a", long_text);
}
END_TEST

static struct call_handle *writing;

static void write_more(void)
{
	ok(write_text(writing, 5, " and more"));
}

START_TEST(what_is_written_during_a_flush_is_not_part_of_it)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, long_text));
	writing = &handle;
	disk.at_data = write_more;
	ok(call_fsync(&handle));
	end(_i);
	call_release(&handle);
	begin_again(true);
	shows("a", long_text);
	is_stored("a", long_text);
}
END_TEST

static TCase *journal_cases(void)
{
	TCase *tests = restart_case("journal", setup);

	add_ends(
		tests,
		what_found_no_room_in_the_journal_is_written_by_the_next_fsync);
	add_ends(tests, a_later_state_without_room_leaves_the_one_before);
	add_ends(tests,
		 after_a_failed_flush_the_next_fsync_writes_all_of_it_again);
	add_ends(tests, a_failed_flush_leaves_what_was_acknowledged_before);
	add_ends(tests, a_journal_is_mended_whatever_waits_to_be_removed);
	add_ends(tests, a_removal_is_known_to_the_mended_journal);
	add_ends(tests, bytes_whose_end_cannot_be_noted_stay_until_it_can);
	add_ends(tests, bytes_whose_end_was_noted_late_are_removed);
	tcase_add_test(
		tests,
		bytes_whose_end_is_noted_while_a_journal_is_mended_are_removed);
	tcase_add_test(
		tests,
		a_refused_operation_leaves_the_removal_of_bytes_as_it_was);
	add_ends(tests, many_changes_without_room_leave_the_journal_usable);
	return tests;
}

static TCase *end_cases(void)
{
	TCase *tests = restart_case("ends", setup);

	add_ends(tests, a_name_is_not_removed_before_its_end_is_noted);
	add_ends(tests, a_name_is_not_moved_before_its_end_is_noted);
	add_ends(
		tests,
		a_folder_is_not_moved_before_the_end_of_what_is_in_it_is_noted);
	add_ends(tests,
		 a_version_is_not_followed_by_another_before_it_is_noted);
	add_ends(tests,
		 what_a_dead_journal_was_not_told_the_next_mount_finds_out);
	return tests;
}

static TCase *name_cases(void)
{
	TCase *tests = restart_case("names", setup);

	add_ends(tests, an_unlink_that_cannot_be_noted_is_refused);
	add_ends(tests, a_rename_that_cannot_be_noted_is_refused);
	add_ends(tests, what_could_not_be_renamed_is_stored_and_renamed_later);
	return tests;
}

static TCase *data_cases(void)
{
	TCase *tests = restart_case("data", setup);

	add_ends(tests, bytes_that_could_not_be_flushed_go_to_another_file);
	add_ends(tests, damaged_bytes_are_kept_and_not_published);
	add_ends(tests, a_stray_name_ends_no_counting);
	tcase_add_test(
		tests,
		a_stack_that_is_being_copied_is_still_what_was_acknowledged);
	add_ends(tests,
		 an_upload_that_ends_during_a_flush_takes_nothing_with_it);
	add_ends(tests, what_is_written_during_a_flush_is_not_part_of_it);
	return tests;
}

int main(void)
{
	TCase *cases[] = { journal_cases(), end_cases(), name_cases(),
			   data_cases(), NULL };

	return unit_run_cases("mount commit disk", cases);
}
