// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: rules of the protocol that its steps
 * alone do not tell, as the table in doc/model.md names them.
 */
#include "config.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "mount/pending.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

/* Longer than what travels in a record. */
enum { LONG = 50000 };
static char long_text[LONG + 1];

static void setup(void)
{
	restart_setup();
	memset(long_text, 'x', LONG);
}

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

/* ---- TIDY ---- */

/* Its end is noted, its bytes are still there when the journal is rewritten. */
START_TEST(a_rewrite_knows_whose_stored_bytes_are_left)
{
	struct store_error error = STORE_ERROR_INIT;

	ok(call_store(fs, "a", long_text));
	is_stored("a", long_text);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 1);
	for (int round = 0; round <= _i / DISK_ENDS; round++)
		commit_rewrite(fs->commit, false);
	ck_assert_int_eq(commit_sync(fs, &error), STORE_OK);
	restart(_i % DISK_ENDS, false);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	shows("a", long_text);
}
END_TEST

START_TEST(a_rewrite_keeps_what_is_pending_beside_what_is_stored)
{
	ok(call_store(fs, "a", long_text));
	is_stored("a", long_text);
	shut_the_door();
	ok(call_store(fs, "b", long_text));
	ok(call_store(fs, "c", "short"));
	commit_rewrite(fs->commit, false);
	ok(call_store(fs, "d", "after"));
	restart(_i, true);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	shows("b", long_text);
	is_stored("b", long_text);
	is_stored("c", "short");
	is_stored("d", "after");
}
END_TEST

START_TEST(a_rewrite_keeps_uploads_that_did_not_end)
{
	char key[] = "b", token[] = "token";
	struct record_upload upload = { .file = 3, .key = key, .token = token };
	struct store_error error = STORE_ERROR_INIT;
	struct pending pending;
	uint64_t one = 0, two = 0;

	ck_assert_int_eq(commit_upload(fs, &one, &upload, &error), STORE_OK);
	ck_assert_int_eq(commit_upload(fs, &two, &upload, &error), STORE_OK);
	ck_assert_uint_ne(one, two);
	commit_upload_ended(fs, one);
	commit_rewrite(fs->commit, false);
	ck_assert_int_eq(pending_load(fs->staging_fd, JOURNAL_READ_ONLY,
				      &pending, NULL, &error),
			 STORE_OK);
	ck_assert_uint_eq(pending.upload_count, 1);
	ck_assert_uint_eq(pending.uploads[0].id, two);
	ck_assert_uint_eq(pending.uploads[0].file, 3);
	ck_assert_str_eq(pending.uploads[0].key, "b");
	ck_assert_str_eq(pending.uploads[0].token, "token");
	pending_release(&pending);
}
END_TEST

/* ---- DURABLE_PUT ---- */

/*
 * Stored, and noted as such but not flushed: what nobody has acknowledged
 * carries another id, which no record knows.
 */
START_TEST(what_was_stored_is_durable_before_other_bytes_replace_it)
{
	struct call_handle handle;

	ok(call_store(fs, "a", "one"));
	is_stored("a", "one");
	ok(call_open(fs, "a", O_WRONLY, &handle));
	ok(write_text(&handle, 0, "two"));
	ck_assert_int_eq(publish_wait(file_of(&handle), NULL, NULL), STORE_OK);
	memory_is(fs->store, "a", "two");
	end(_i);
	call_release(&handle);
	begin_again(false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

START_TEST(bytes_of_a_close_that_failed_do_not_overtake_the_journal)
{
	struct call_handle handle;

	ok(call_store(fs, "a", "one"));
	is_stored("a", "one");
	ok(call_open(fs, "a", O_WRONLY | O_TRUNC, &handle));
	ok(write_text(&handle, 0, "two"));
	disk.journal_fails = EIO;
	ck_assert_int_eq(call_fsync(&handle), EIO);
	ck_assert_int_eq(call_close(&handle), EIO);
	ck_assert_uint_eq(drain(), 1);
	memory_is(fs->store, "a", "one");
	restart(_i, false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_uint_eq(fs->counters.failed_files, 0);
}
END_TEST

/* ---- OWN_RECORD ---- */

/* A program that replaces the file, and is killed in the midst of that. */
static void replace_and_die(const char *name)
{
	struct call_handle handle;
	struct file *file;

	ok(call_open(fs, name, O_WRONLY | O_TRUNC, &handle));
	ok(write_text(&handle, 0, "part"));
	file = file_of(&handle);
	lock_take(&file->lock);
	ck_assert(file->replacing);
	file->doomed = true;
	lock_drop(&file->lock);
	call_release(&handle);
}

static void let_go(const char *name)
{
	publisher_pause(fs->publisher, false);
	open_the_door();
	ck_assert_uint_eq(drain(), 0);
	while (!atomic_load(&fs->counters.unfinished))
		sched_yield();
	shows(name, "acknowledged");
	memory_is(fs->store, name, "acknowledged");
}

/* Of a file the store has or has not, on its way or not. */
START_TEST(a_killed_writer_replaces_nothing_that_is_acknowledged)
{
	memory_put(fs->store, "a", "old");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "b" : "a";

		if (_i)
			shut_the_door();
		else
			publisher_pause(fs->publisher, true);
		atomic_store(&fs->counters.unfinished, 0);
		ok(call_store(fs, name, "acknowledged"));
		replace_and_die(name);
		let_go(name);
	}
}
END_TEST

START_TEST(a_killed_writer_does_not_change_what_is_recovered)
{
	publisher_pause(fs->publisher, true);
	ok(call_store(fs, "a", "acknowledged"));
	replace_and_die("a");
	if (_i >= DISK_ENDS) {
		publisher_stop(fs->publisher);
		publish_abandon_all(fs);
	}
	restart(_i % DISK_ENDS, false);
	is_stored("a", "acknowledged");
}
END_TEST

/* ---- a removal that is none ---- */

START_TEST(a_removal_that_was_refused_is_none_after_a_crash)
{
	memory_put(fs->store, "a", "old");
	publisher_pause(fs->publisher, true);
	ok(call_store(fs, "a", "new"));
	mount_faults(mount, "remove error=DENIED\n");
	ck_assert_int_eq(call_unlink(fs, "a"), EACCES);
	mount_faults(mount, "");
	end(_i);
	/* Somebody else does what we could not. */
	ck_assert_int_eq(store_delete(fs->store, NULL, "a", false, NULL), 0);
	begin_again(false);
	ck_assert_uint_eq(drain(), 1);
	shows("a", "new");
}
END_TEST

/* ---- FROM_CHECK, MOVED_BASE, RECOVERED_BASE ---- */

/* Uploads do not begin: a rename waits for one that runs. */
static void hold(void)
{
	publisher_pause(fs->publisher, true);
}

static void go(void)
{
	publisher_pause(fs->publisher, false);
}

/* Written and closed again, without truncating. */
static void edit(const char *path, uint64_t offset, const char *text)
{
	struct call_handle handle;

	ok(call_open(fs, path, O_RDWR, &handle));
	ok(write_text(&handle, offset, text));
	ok(call_close(&handle));
}

static void edited_and_held(void)
{
	memory_put(fs->store, "a", "0123456789");
	hold();
	edit("a", 0, "mine");
}

/* All of it, so that it can be read without its base. */
static void replaced_and_held(void)
{
	memory_put(fs->store, "a", "0123456789");
	hold();
	ok(call_store(fs, "a", "mine"));
}

static void conflict_at(const char *path, const char *theirs, const char *ours)
{
	go();
	door_set(&door.puts_shut, false);
	ck_assert_uint_eq(drain(), 1);
	memory_is(fs->store, path, theirs);
	shows(path, ours);
}

static void others_write_a(void)
{
	memory_put(fs->store, "a", "theirs");
}

/* Names in the store that a conflict has made. */
static int conflicts(void)
{
	struct store_page page;
	int count = 0;

	store_page_init(&page);
	ck_assert_int_eq(
		store_list_page(fs->store, NULL, "", NULL, 100, &page, NULL),
		STORE_OK);
	for (size_t i = 0; i < page.count; i++)
		count += strstr(page.entries[i].name, "(conflict") != NULL;
	store_page_release(&page);
	return count;
}

/* Its end was not noted: the next run recognises it. */
START_TEST(the_loser_of_a_conflict_is_stored_beside_it_once)
{
	char before[64];

	replaced_and_held();
	others_write_a();
	end(_i);
	restart_conflict = CONFLICT_RENAME;
	begin_again(true);
	disk_copy(DISK_KILLED, before);
	door_set(&door.puts_shut, false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_int_eq(conflicts(), 1);
	/* What was pending before the upload is so again. */
	end_with(before);
	begin_again(true);
	door_set(&door.puts_shut, false);
	ck_assert_uint_eq(drain(), 0);
	ck_assert_int_eq(conflicts(), 1);
	memory_is(fs->store, "a", "theirs");
}
END_TEST

static void others_chmod_a(void)
{
	const struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					       .mode = 0600 };

	ck_assert_int_eq(
		store_set_attributes(fs->store, NULL, "a", &mode, NULL, NULL),
		STORE_OK);
}

/* Between the look at the version and the move of it. */
START_TEST(what_others_write_before_a_move_is_not_replaced)
{
	replaced_and_held();
	door.moves_copy = _i % 2;
	door.at_move = others_write_a;
	ok(call_rename(fs, "a", "b", 0));
	if (_i > 1)
		restart(DISK_POWER_CUT, false);
	conflict_at("b", "theirs", "mine");
}
END_TEST

START_TEST(what_moves_unchanged_is_the_base_whatever_its_version)
{
	edited_and_held();
	door.moves_copy = true;
	door.at_move = others_chmod_a;
	ok(call_rename(fs, "a", "b", 0));
	go();
	is_stored("b", "mine456789");
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

START_TEST(a_move_and_the_new_base_are_one_record)
{
	uint64_t frames;

	edited_and_held();
	memory_put(fs->store, "b", "other");
	edit("b", 0, "OTHER");
	door.moves_copy = true;
	frames = journal_position(fs->commit->journal);
	ok(call_rename(fs, "a", "b", 0));
	/* What is going to happen, and what has. */
	ck_assert_uint_eq(journal_position(fs->commit->journal) - frames, 2);
	restart(_i, true);
	shows("b", "mine456789");
	shows_none("a");
	is_stored("b", "mine456789");
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

static void others_write_b(void)
{
	memory_put(fs->store, "b", "theirs");
}

/* The move is all there is of it: nothing tells what came of it. */
START_TEST(what_others_write_after_a_move_is_not_taken_for_it)
{
	replaced_and_held();
	door.moves_copy = _i;
	ok(call_rename(fs, "a", "b", 0));
	others_write_b();
	restart(DISK_POWER_CUT, false);
	conflict_at("b", "theirs", "mine");
}
END_TEST

START_TEST(a_move_that_cannot_be_flushed_loses_nothing)
{
	edited_and_held();
	door.sync_fails = STORE_UNAVAILABLE;
	ok(call_rename(fs, "a", "b", 0));
	ck_assert_int_eq(call_fsyncdir(fs, ""), EIO);
	door.sync_fails = STORE_OK;
	edit("b", 4, "_more_");
	restart(_i, true);
	shows("b", "mine_more_");
	shows_none("a");
	is_stored("b", "mine_more_");
}
END_TEST

START_TEST(what_others_write_before_a_chmod_is_not_replaced)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "0123456789");
	ok(call_open(fs, "a", O_RDWR, &handle));
	hold();
	door.at_attributes = others_write_a;
	ok(call_chmod(fs, "a", 0600));
	ok(write_text(&handle, 0, "mine567890"));
	ok(call_close(&handle));
	conflict_at("a", "theirs", "mine567890");
}
END_TEST

/* ---- SETTLED_LOOK, INHERIT ---- */

static void wait_failed(struct call_handle *handle)
{
	mount_wait_attempts(file_of(handle), 1);
	hold();
}

/* Created and closed, stored, and nobody has heard of it. */
static void arrived_unanswered(struct call_handle *handle)
{
	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	ok(call_create(fs, "a", handle));
	ok(write_text(handle, 0, "hello"));
	ok(call_fsync(handle));
	wait_failed(handle);
	ck_assert_int_eq(stored_puts(), 1);
}

START_TEST(what_has_arrived_is_not_sent_again_under_a_new_name)
{
	struct call_handle handle;

	arrived_unanswered(&handle);
	ok(call_rename(fs, "a", "b", 0));
	if (_i) {
		ok(write_text(&handle, 5, ", world"));
		ok(call_fsync(&handle));
	}
	ok(call_close(&handle));
	go();
	is_stored("b", _i ? "hello, world" : "hello");
	ck_assert_int_eq(stored_puts(), 1 + _i);
	ck_assert(!memory_has_key(fs->store, "a"));
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	restart(DISK_POWER_CUT, false);
	ck_assert_uint_eq(fs->counters.dirty_files, 0);
	shows("b", _i ? "hello, world" : "hello");
}
END_TEST

/* The earlier generation has arrived: the newer one goes over it. */
START_TEST(what_is_newer_than_what_has_arrived_is_sent)
{
	struct call_handle handle;

	arrived_unanswered(&handle);
	ok(write_text(&handle, 0, "HELLO"));
	ok(call_fsync(&handle));
	if (_i)
		ok(call_fsync(&handle));
	ok(call_rename(fs, "a", "b", 0));
	ok(call_close(&handle));
	go();
	is_stored("b", "HELLO");
	ck_assert(!memory_has_key(fs->store, "a"));
}
END_TEST

/* Of the put that has arrived: the end of its id. */
static uint32_t generation_stored(const char *key)
{
	struct store_details details;
	struct store_info info;
	uint32_t generation;

	ck_assert_int_eq(
		store_stat_details(fs->store, NULL, key, &info, &details, NULL),
		STORE_OK);
	ck_assert(details.has_publish);
	memcpy(&generation, details.publish + STORE_PUBLISH_SIZE - 4, 4);
	store_details_release(&details);
	return le32toh(generation);
}

START_TEST(attributes_that_were_set_since_go_to_what_has_arrived)
{
	struct call_handle handle;
	uint32_t arrived;
	char value[64];

	if (_i)
		fs->options->commit = COMMIT_CLOSE;
	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	ok(call_create(fs, "a", &handle));
	ok(write_text(&handle, 0, "hello"));
	if (_i == 2)
		journal_refuses(ENOSPC);
	ck_assert_int_eq(call_fsync(&handle) != 0, _i > 0);
	wait_failed(&handle);
	ck_assert_int_eq(stored_puts(), 1);
	arrived = generation_stored("a");
	ok(call_setxattr(fs, "a", "user.one", "1"));
	go();
	if (_i == 2) { /* the retry comes before any acknowledgement */
		mount_wait_attempts(file_of(&handle), 2);
		journal_recovers();
	}
	ok(call_close(&handle));
	is_stored("a", "hello");
	ok(call_getxattr(fs, "a", "user.one", value, sizeof(value)));
	ck_assert_str_eq(value, "1");
	/* A store that settles lost answers itself takes it for no other. */
	ck_assert_uint_gt(generation_stored("a"), arrived);
}
END_TEST

/* The next one is asked for. */
static void retry_never(struct call_handle *handle)
{
	publisher_retry(fs->publisher, file_of(handle), INT64_MAX);
}

/*
 * A retry has arrived unheard, and so has nothing of what was written since
 * and sent under the same generation: it is not taken for that.
 */
START_TEST(what_was_sent_after_a_retry_that_arrived_is_sent_again)
{
	struct call_handle handle;

	fs->options->commit = COMMIT_CLOSE;
	memory_put(fs->store, "a", "base");
	ok(call_open(fs, "a", O_RDWR, &handle));
	ok(write_text(&handle, 0, "old!"));
	mount_faults(mount, "put error=UNAVAILABLE times=1\n");
	ck_assert_int_ne(call_fsync(&handle), 0);
	retry_never(&handle);
	mount_faults(mount, "put-after error=UNAVAILABLE times=1\n");
	ck_assert_int_ne(call_fsync(&handle), 0);
	retry_never(&handle);
	memory_is(fs->store, "a", "old!");
	/* It meets what has arrived, and is lost on its way over that. */
	mount_faults(mount, "put error=UNAVAILABLE after=1 times=1\n");
	ok(write_text(&handle, 0, "new!"));
	ck_assert_int_ne(call_fsync(&handle), 0);
	retry_never(&handle);
	memory_is(fs->store, "a", "old!");
	ok(call_fsync(&handle));
	ok(call_close(&handle));
	is_stored("a", "new!");
}
END_TEST

/* As the network delivers it: on the condition it was sent with. */
static void arrive_late(const char *key, const struct store_version *base,
			const uint8_t *publish)
{
	struct store_write_options options = {
		.precondition = { .condition = STORE_IF_VERSION,
				  .version = *base },
		.publish = publish,
	};
	struct store_memory_source source;

	ck_assert_int_eq(
		store_write(fs->store, NULL, key,
			    store_memory_source_init(&source, "late", 4),
			    &options, NULL, NULL),
		STORE_OK);
}

START_TEST(a_late_put_of_what_was_replaced_is_ours)
{
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct call_handle handle;
	struct store_info info;

	memory_put(fs->store, "a", "base");
	ck_assert_int_eq(store_stat(fs->store, NULL, "a", &info, NULL),
			 STORE_OK);
	mount_faults(mount, "put error=UNAVAILABLE times=1\n");
	ok(call_open(fs, "a", O_RDWR | O_TRUNC, &handle));
	ok(write_text(&handle, 0, "late"));
	ok(call_fsync(&handle));
	wait_failed(&handle);
	memcpy(publish, file_of(&handle)->publish, sizeof(publish));
	ok(call_close(&handle));
	ok(call_store(fs, "t", "new"));
	ok(call_rename(fs, "t", "a", 0));
	arrive_late("a", &info.version, publish);
	if (_i) {
		ok(call_fsyncdir(fs, ""));
		restart(_i - 1, false);
	}
	go();
	is_stored("a", "new");
	ck_assert(!memory_has_key(fs->store, "t"));
}
END_TEST

static TCase *rewrite_cases(void)
{
	TCase *tests = restart_case("rewrites", setup);

	tcase_add_loop_test(tests, a_rewrite_knows_whose_stored_bytes_are_left,
			    0, 2 * DISK_ENDS);
	tcase_add_loop_test(
		tests, a_rewrite_keeps_what_is_pending_beside_what_is_stored, 0,
		DISK_ENDS);
	tcase_add_test(tests, a_rewrite_keeps_uploads_that_did_not_end);
	return tests;
}

static TCase *put_cases(void)
{
	TCase *tests = restart_case("puts", setup);

	add_ends(tests,
		 what_was_stored_is_durable_before_other_bytes_replace_it);
	add_ends(tests,
		 bytes_of_a_close_that_failed_do_not_overtake_the_journal);
	return tests;
}

static TCase *kept_cases(void)
{
	TCase *tests = restart_case("kept", setup);

	tcase_add_loop_test(
		tests, a_killed_writer_replaces_nothing_that_is_acknowledged, 0,
		2);
	tcase_add_loop_test(tests,
			    a_killed_writer_does_not_change_what_is_recovered,
			    0, 2 * DISK_ENDS);
	add_ends(tests, a_removal_that_was_refused_is_none_after_a_crash);
	return tests;
}

static TCase *move_cases(void)
{
	TCase *tests = restart_case("moves", setup);

	tcase_add_loop_test(
		tests, what_others_write_before_a_move_is_not_replaced, 0, 4);
	tcase_add_test(tests,
		       what_moves_unchanged_is_the_base_whatever_its_version);
	add_ends(tests, the_loser_of_a_conflict_is_stored_beside_it_once);
	tcase_add_loop_test(tests, a_move_and_the_new_base_are_one_record, 0,
			    DISK_ENDS);
	tcase_add_loop_test(tests,
			    what_others_write_after_a_move_is_not_taken_for_it,
			    0, 2);
	tcase_add_loop_test(tests, a_move_that_cannot_be_flushed_loses_nothing,
			    0, DISK_ENDS);
	tcase_add_test(tests, what_others_write_before_a_chmod_is_not_replaced);
	return tests;
}

static TCase *answer_cases(void)
{
	TCase *tests = restart_case("answers", setup);

	tcase_add_loop_test(tests,
			    what_has_arrived_is_not_sent_again_under_a_new_name,
			    0, 2);
	tcase_add_loop_test(tests, what_is_newer_than_what_has_arrived_is_sent,
			    0, 2);
	tcase_add_loop_test(
		tests, attributes_that_were_set_since_go_to_what_has_arrived, 0,
		3);
	tcase_add_test(tests,
		       what_was_sent_after_a_retry_that_arrived_is_sent_again);
	tcase_add_loop_test(tests, a_late_put_of_what_was_replaced_is_ours, 0,
			    1 + DISK_ENDS);
	return tests;
}

int main(void)
{
	TCase *cases[] = { rewrite_cases(), put_cases(),    kept_cases(),
			   move_cases(),    answer_cases(), NULL };

	return unit_run_cases("mount commit rules", cases);
}
