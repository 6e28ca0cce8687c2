// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: names that change in the store are
 * flushed there before anything is acknowledged after them, and only then.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void setup(void)
{
	restart_setup();
	publisher_pause(fs->publisher, true);
}

static void others_make(const char *key)
{
	ck_assert_int_eq(
		store_make_folder(fs->store, NULL, key, NULL, NULL, NULL),
		STORE_OK);
}

/* Folders of the store that were flushed since the last call. */
static void synced(const char *keys)
{
	ck_assert_str_eq(door.synced, keys);
	door.synced[0] = '\0';
}

static void edit(const char *path, const char *text)
{
	struct call_handle handle;

	ok(call_open(fs, path, O_RDWR, &handle));
	ok(write_text(&handle, 0, text));
	ok(call_close(&handle));
}

/* ---- what is flushed, and when ---- */

static const char *at_journal;

static void is_synced(void)
{
	at_journal = door.synced[0] ? "after" : "before";
}

static void change_a_name(int kind)
{
	switch (kind) {
	case 0:
		ok(call_mkdir(fs, "d/new"));
		break;
	case 1:
		ok(call_unlink(fs, "d/a"));
		break;
	case 2:
		ok(call_rmdir(fs, "d/e"));
		break;
	case 3:
		ok(call_rename(fs, "d/a", "d/b", 0));
		break;
	case 4:
		ok(call_rename(fs, "d/a", "d/e", RENAME_EXCHANGE));
		break;
	default:
		ok(call_link(fs, "d/a", "d/b"));
	}
}
enum { KINDS = 6 };

START_TEST(a_close_comes_after_the_names_of_the_store)
{
	others_make("d");
	others_make("d/e");
	memory_put(fs->store, "d/a", "old");
	change_a_name(_i);
	synced("");
	disk.at_journal = is_synced;
	ok(call_store(fs, "other", "new"));
	ck_assert_str_eq(at_journal, "after");
	synced("[d]");
	ok(call_store(fs, "other", "newer"));
	synced("");
}
END_TEST

START_TEST(what_is_no_name_of_the_store_flushes_nothing_there)
{
	memory_put(fs->store, "a", "old");
	edit("a", "new");
	ok(call_store(fs, "b", "new"));
	ok(call_rename(fs, "b", "c", 0));
	ok(call_unlink(fs, "c"));
	ck_assert_int_eq(call_rmdir(fs, "none"), ENOENT);
	others_make("full");
	memory_put(fs->store, "full/x", "x");
	ck_assert_int_eq(call_rmdir(fs, "full"), ENOTEMPTY);
	ok(call_store(fs, "b", "newer"));
	synced("");
}
END_TEST

START_TEST(a_folder_is_flushed_once_for_all_that_changed_in_it)
{
	ok(call_mkdir(fs, "d"));
	ok(call_mkdir(fs, "d/one"));
	ok(call_mkdir(fs, "d/two"));
	ok(call_mkdir(fs, "d/three"));
	ok(call_rmdir(fs, "d/two"));
	ok(call_store(fs, "d/a", "new"));
	synced("[d][]");
}
END_TEST

START_TEST(a_folder_that_was_removed_needs_no_flush)
{
	ok(call_mkdir(fs, "d"));
	ok(call_mkdir(fs, "d/one"));
	ok(call_rmdir(fs, "d/one"));
	ok(call_rmdir(fs, "d"));
	ok(call_store(fs, "a", "new"));
	synced("[]");
}
END_TEST

START_TEST(a_folder_is_moved_after_the_names_in_it)
{
	ok(call_mkdir(fs, "d"));
	ok(call_mkdir(fs, "d/one"));
	ok(call_rename(fs, "d", "e", 0));
	synced("[d][]");
	ok(call_mkdir(fs, "other"));
	ok(call_rename(fs, "e", "f", 0));
	synced("");
}
END_TEST

START_TEST(a_file_that_was_kept_is_renamed_after_the_names_of_the_store)
{
	memory_put(fs->store, "a", "old");
	ok(call_store(fs, "b", "new"));
	ok(call_unlink(fs, "a"));
	synced("");
	ok(call_rename(fs, "b", "a", 0));
	synced("[]");
}
END_TEST

START_TEST(names_that_cannot_be_flushed_fail_the_close)
{
	ok(call_mkdir(fs, "d"));
	door.sync_fails = STORE_UNAVAILABLE;
	ck_assert_int_eq(call_store(fs, "a", "new"), EIO);
	ck_assert_int_eq(call_fsyncdir(fs, "d"), EIO);
	door.sync_fails = STORE_OK;
	door.synced[0] = '\0';
	ok(call_store(fs, "b", "new"));
	synced("[]");
}
END_TEST

START_TEST(a_close_that_waits_for_the_store_has_its_names_flushed)
{
	fs->options->commit = COMMIT_CLOSE;
	publisher_pause(fs->publisher, false);
	ok(call_mkdir(fs, "d"));
	ok(call_store(fs, "d/a", "new"));
	synced("[]");
	ok(call_store(fs, "d/b", "new"));
	synced("");
}
END_TEST

START_TEST(more_folders_than_are_remembered_are_flushed)
{
	struct folders *folders = &fs->commit->folders;
	char key[32];

	for (int i = 0; i <= FOLDERS_MAX; i++) {
		snprintf(key, sizeof(key), "d%d/a", i);
		commit_name_changed(fs, key, STORE_OK);
	}
	ck_assert_uint_eq(folders->count, 0);
	ck_assert(folders_are_durable(folders, FOLDERS_MAX + 1));
}
END_TEST

/* ---- moves of what is acknowledged ---- */

static void edited(void)
{
	memory_put(fs->store, "a", "0123456789");
	edit("a", "mine");
}

/* A later file of the old name would be taken for what was moved. */
START_TEST(a_move_that_could_not_be_flushed_is_told_before_what_follows)
{
	edited();
	door.sync_fails = STORE_UNAVAILABLE;
	ok(call_rename(fs, "a", "b", 0));
	ck_assert_int_eq(call_store(fs, "a", "too early"), EIO);
	door.sync_fails = STORE_OK;
	ok(call_store(fs, "a", "brand new"));
	restart(_i, true);
	shows("a", "brand new");
	shows("b", "mine456789");
	is_stored("a", "brand new");
	is_stored("b", "mine456789");
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(a_move_that_could_not_be_flushed_is_told_before_the_next)
{
	edited();
	door.sync_fails = STORE_UNAVAILABLE;
	ok(call_rename(fs, "a", "b", 0));
	ck_assert_int_eq(call_rename(fs, "b", "c", 0), EIO);
	door.sync_fails = STORE_OK;
	ok(call_rename(fs, "b", "c", 0));
	restart(_i, true);
	shows_none("a");
	shows_none("b");
	shows("c", "mine456789");
	is_stored("c", "mine456789");
}
END_TEST

START_TEST(a_move_that_could_not_be_flushed_is_asked_about_by_recovery)
{
	edited();
	door.sync_fails = STORE_UNAVAILABLE;
	ok(call_rename(fs, "a", "b", 0));
	end(_i);
	door.sync_fails = STORE_OK;
	begin_again(true);
	shows_none("a");
	shows("b", "mine456789");
	is_stored("b", "mine456789");
}
END_TEST

START_TEST(a_move_whose_answer_is_lost_took_place)
{
	const char *const lost[] = {
		"move-after error=UNAVAILABLE\n",
		"move-after error=TIMEOUT\n",
		"move-after error=CANCELLED\n",
		"move-after error=INTERNAL\n",
	};

	edited();
	mount_faults(mount, lost[_i % 4]);
	ok(call_rename(fs, "a", "b", 0));
	mount_faults(mount, "");
	shows_none("a");
	shows("b", "mine456789");
	ok(call_fsyncdir(fs, ""));
	restart(_i / 4, true);
	shows_none("a");
	shows("b", "mine456789");
	is_stored("b", "mine456789");
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

START_TEST(a_move_that_is_refused_is_none)
{
	edited();
	mount_faults(mount, "move error=UNAVAILABLE\n");
	ck_assert_int_eq(call_rename(fs, "a", "b", 0), EIO);
	mount_faults(mount, "");
	shows_none("b");
	restart(_i, true);
	shows_none("b");
	is_stored("a", "mine456789");
}
END_TEST

/* ---- recovery ---- */

/* As an older driver may have left it. */
static void append_twin(const char *key, uint64_t id)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct store_error error = STORE_ERROR_INIT;
	struct record record = { .type = RECORD_FILE };
	uint64_t position;

	record.file.id = id;
	record.file.state = RECORD_PENDING;
	record.file.created = record.file.content = true;
	record.file.key = (char *)(uintptr_t)key;
	record_encode(&frame, &record);
	ck_assert_int_eq(journal_append(fs->commit->journal, frame.data,
					frame.length, 0, &position, &error),
			 STORE_OK);
	ck_assert_int_eq(commit_sync(fs, &error), STORE_OK);
}

START_TEST(two_files_of_one_name_do_not_become_one)
{
	ok(call_store(fs, "a", "hello"));
	append_twin("a", 1000);
	restart(_i, true);
	ck_assert_uint_eq(fs->counters.failed_files, 1);
	shows("a", "hello");
	is_stored("a", "hello");
}
END_TEST

/* What was written under a name once is not what is removed there now. */
START_TEST(a_removal_leaves_what_was_never_acknowledged)
{
	struct call_handle handle;

	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "half"));
	end(DISK_KILLED);
	call_release(&handle);
	begin_again(false);
	publisher_pause(fs->publisher, true);
	ck_assert_uint_eq(fs->counters.unfinished, 1);
	memory_put(fs->store, "a", "0123456789");
	edit("a", "mine");
	ok(call_unlink(fs, "a"));
	ok(call_fsyncdir(fs, ""));
	restart(_i, true);
	shows_none("a");
	ck_assert_uint_eq(fs->counters.unfinished, 1);
	area_holds(&mount->area, "data-", "half");
}
END_TEST

static uint64_t id_of(const char *path)
{
	struct call_handle handle;
	uint64_t id;

	ok(call_open(fs, path, O_RDONLY, &handle));
	id = commit_id(file_of(&handle));
	ok(call_close(&handle));
	return id;
}

/* Told, and done, but not told as done. */
static void move_and_stop(const char *from, const char *to, uint64_t replaced)
{
	const struct commit_move move = { .from = from,
					  .to = to,
					  .replaced = replaced };
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(commit_moving(fs, &move, &error), STORE_OK);
	ck_assert_int_eq(store_move(fs->store, NULL, from, to,
				    replaced ? STORE_MOVE_OVERWRITE : 0, NULL,
				    NULL, &error),
			 STORE_OK);
}

START_TEST(two_renames_that_were_interrupted_are_both_followed)
{
	const char *const names[] = { "a", "b", "c" };

	for (int i = 0; i < 3; i++) {
		memory_put(fs->store, names[i], "0123456789");
		edit(names[i], names[i]);
	}
	move_and_stop("a", "b", id_of("b"));
	move_and_stop("c", "d", 0);
	restart(_i, true);
	shows("b", "a123456789");
	shows("d", "c123456789");
	shows_none("a");
	shows_none("c");
	restart(_i, true);
	is_stored("b", "a123456789");
	is_stored("d", "c123456789");
}
END_TEST

START_TEST(a_rename_that_makes_a_name_too_long_keeps_the_bytes)
{
	char to[STORE_KEY_MAX + 1] = "", from[80];
	struct call_handle handle;
	size_t length = 0;

	snprintf(from, sizeof(from), "d/%060d", 7);
	ok(call_mkdir(fs, "d"));
	ok(call_store(fs, from, "hello"));
	while (length < STORE_KEY_MAX - 40) {
		length += (size_t)snprintf(to + length, sizeof(to) - length,
					   "%s%019d", length ? "/" : "", 0);
		if (length < STORE_KEY_MAX - 40)
			others_make(to);
	}
	move_and_stop("d", to, 0);
	restart(_i, false);
	shows(from, "hello");
	ok(call_open(fs, from, O_RDONLY, &handle));
	ck_assert_int_eq(file_of(&handle)->last_code, STORE_INVALID);
	ok(call_close(&handle));
	ck_assert_int_eq(stored_puts(), 0);
	/* Asked for again, it is stored there. */
	is_stored(from, "hello");
}
END_TEST

/* ---- the suite ---- */

static TCase *flush_cases(void)
{
	TCase *tests = restart_case("flushes", setup);

	tcase_add_loop_test(tests, a_close_comes_after_the_names_of_the_store,
			    0, KINDS);
	tcase_add_test(tests,
		       what_is_no_name_of_the_store_flushes_nothing_there);
	tcase_add_test(tests,
		       a_folder_is_flushed_once_for_all_that_changed_in_it);
	tcase_add_test(tests, a_folder_that_was_removed_needs_no_flush);
	tcase_add_test(tests, a_folder_is_moved_after_the_names_in_it);
	tcase_add_test(
		tests,
		a_file_that_was_kept_is_renamed_after_the_names_of_the_store);
	tcase_add_test(tests, names_that_cannot_be_flushed_fail_the_close);
	tcase_add_test(tests,
		       a_close_that_waits_for_the_store_has_its_names_flushed);
	tcase_add_test(tests, more_folders_than_are_remembered_are_flushed);
	return tests;
}

static TCase *move_cases(void)
{
	TCase *tests = restart_case("moves", setup);

	add_ends(tests,
		 a_move_that_could_not_be_flushed_is_told_before_what_follows);
	add_ends(tests,
		 a_move_that_could_not_be_flushed_is_told_before_the_next);
	add_ends(tests,
		 a_move_that_could_not_be_flushed_is_asked_about_by_recovery);
	tcase_add_loop_test(tests, a_move_whose_answer_is_lost_took_place, 0,
			    4 * DISK_ENDS);
	add_ends(tests, a_move_that_is_refused_is_none);
	add_ends(tests, two_files_of_one_name_do_not_become_one);
	add_ends(tests, a_removal_leaves_what_was_never_acknowledged);
	add_ends(tests, two_renames_that_were_interrupted_are_both_followed);
	add_ends(tests, a_rename_that_makes_a_name_too_long_keeps_the_bytes);
	return tests;
}

int main(void)
{
	TCase *cases[] = { flush_cases(), move_cases(), NULL };

	return unit_run_cases("mount commit folders", cases);
}
