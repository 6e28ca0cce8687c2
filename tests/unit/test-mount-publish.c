// SPDX-License-Identifier: MIT
/*
 * Publishing without a kernel: what close() and fsync() are told, what stays
 * when it fails, and what the store has in the end.
 */
#include "config.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_fs.h"
#include "tests/unit/unit.h"

static struct mount_fs mount;

static void setup(void)
{
	mount_fs_open(&mount);
}

static void teardown(void)
{
	mount_fs_close(&mount);
}

/* ---- what a close is told ---- */

START_TEST(a_new_file_is_stored)
{
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "hello");
	ck_assert(!memory_has_key(mount.fs.store, "a"));
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "hello");
	ck_assert(!mount_is_dirty(file));
	mount_reads(&mount, file, "hello");
	ck_assert_uint_eq(mount.fs.counters.publishes, 1);
}
END_TEST

START_TEST(an_empty_new_file_is_stored)
{
	struct file *file = mount_create(&mount, "a");

	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "");
}
END_TEST

START_TEST(a_clean_file_sends_nothing)
{
	struct file *file;
	uint64_t puts;

	memory_put(mount.fs.store, "a", "hello");
	puts = mount_puts(&mount);
	file = mount_open(&mount, "a", O_RDWR);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	mount_reads(&mount, file, "hello");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	ck_assert_uint_eq(mount_puts(&mount), puts);
}
END_TEST

START_TEST(an_edit_keeps_the_rest_of_the_file)
{
	struct file *file;

	memory_put(mount.fs.store, "a", "0123456789");
	file = mount_open(&mount, "a", O_RDWR);
	mount_write(&mount, file, 3, "xyz");
	mount_write(&mount, file, 10, "end");
	mount_reads(&mount, file, "012xyz6789end");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "012xyz6789end");
	mount_write(&mount, file, 0, "A");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "A12xyz6789end");
}
END_TEST

START_TEST(an_edit_keeps_the_rest_without_composing)
{
	struct file *file;

	mount.fs.capabilities &= ~(uint64_t)STORE_CAP_COMPOSE;
	memory_put(mount.fs.store, "a", "0123456789");
	file = mount_open(&mount, "a", O_RDWR);
	mount_write(&mount, file, 3, "xyz");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "012xyz6789");
}
END_TEST

START_TEST(attributes_alone_send_no_body)
{
	struct file *file;
	uint64_t puts;

	memory_put(mount.fs.store, "a", "hello");
	puts = mount_puts(&mount);
	file = mount_open(&mount, "a", O_RDWR);
	lock_take(&file->lock);
	lock_take(&mount.fs.tree.lock);
	file->node->mode = 0600;
	lock_drop(&mount.fs.tree.lock);
	file->attributes |= STORE_ATTR_MODE;
	file_dirty_locked(file);
	lock_drop(&file->lock);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	ck_assert(!mount_is_dirty(file));
	ck_assert_uint_eq(mount_puts(&mount), puts);
}
END_TEST

START_TEST(a_failed_put_is_told_and_the_next_try_succeeds)
{
	static const struct {
		const char *fault;
		int code;
	} cases[] = {
		{ "put error=NO_SPACE times=1\n", STORE_NO_SPACE },
		{ "put error=DENIED times=1\n", STORE_DENIED },
		{ "put error=TOO_LARGE times=1\n", STORE_TOO_LARGE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[2] = { (char)('a' + i), '\0' };
		struct file *file = mount_create(&mount, name);

		mount_faults(&mount, cases[i].fault);
		mount_write(&mount, file, 0, "hello");
		ck_assert_int_eq(mount_publish(&mount, file), cases[i].code);
		ck_assert(mount_is_dirty(file));
		ck_assert(!memory_has_key(mount.fs.store, name));
		mount_reads(&mount, file, "hello");
		ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
		memory_is(mount.fs.store, name, "hello");
	}
}
END_TEST

START_TEST(a_failed_edit_leaves_the_old_version_in_the_store)
{
	struct file *file;

	memory_put(mount.fs.store, "a", "0123456789");
	file = mount_open(&mount, "a", O_RDWR);
	mount_write(&mount, file, 3, "xyz");
	mount_faults(&mount, "put error=NO_SPACE times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_NO_SPACE);
	memory_is(mount.fs.store, "a", "0123456789");
	mount_reads(&mount, file, "012xyz6789");
	mount_write(&mount, file, 0, "A");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "A12xyz6789");
}
END_TEST

START_TEST(a_conflict_is_told_and_keeps_both)
{
	struct file *file;

	memory_put(mount.fs.store, "a", "old");
	file = mount_open(&mount, "a", O_RDWR | O_TRUNC);
	mount_write(&mount, file, 0, "mine!");
	memory_put(mount.fs.store, "a", "theirs");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_CHANGED);
	memory_is(mount.fs.store, "a", "theirs");
	mount_reads(&mount, file, "mine!");
	ck_assert(mount_is_dirty(file));
	ck_assert_int_eq(mount_publish(&mount, file), STORE_CHANGED);
	memory_is(mount.fs.store, "a", "theirs");
}
END_TEST

START_TEST(a_new_name_that_is_taken_meanwhile_is_a_conflict)
{
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "mine");
	memory_put(mount.fs.store, "a", "theirs");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_CHANGED);
	memory_is(mount.fs.store, "a", "theirs");
	mount_reads(&mount, file, "mine");
}
END_TEST

START_TEST(an_edited_file_that_is_gone_from_the_store_is_a_conflict)
{
	struct file *file;

	memory_put(mount.fs.store, "a", "old");
	file = mount_open(&mount, "a", O_RDWR | O_TRUNC);
	mount_write(&mount, file, 0, "mine");
	ck_assert_int_eq(store_delete(mount.fs.store, NULL, "a", false, NULL),
			 STORE_OK);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_CHANGED);
	ck_assert(!memory_has_key(mount.fs.store, "a"));
	mount_reads(&mount, file, "mine");
}
END_TEST

START_TEST(with_overwrite_the_last_writer_wins)
{
	struct file *file;

	mount.fs.options->conflict = CONFLICT_OVERWRITE;
	memory_put(mount.fs.store, "a", "old");
	file = mount_open(&mount, "a", O_RDWR | O_TRUNC);
	mount_write(&mount, file, 0, "mine");
	memory_put(mount.fs.store, "a", "theirs");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "mine");
}
END_TEST

/* ---- errors nobody waited for ---- */

/* As its last writer has closed it; the handle stays. */
static void no_writers(struct file *file)
{
	lock_take(&file->lock);
	file->writers = 0;
	lock_drop(&file->lock);
}

START_TEST(what_a_program_is_writing_is_not_sent_by_a_late_attempt)
{
	struct file *file = mount_create(&mount, "a");
	struct store_info info;

	mount_write(&mount, file, 0, "half");
	publish_later(file);
	mount_wait_attempts(file, 1);
	ck_assert_int_eq(store_stat(mount.fs.store, NULL, "a", &info, NULL),
			 STORE_NOT_FOUND);
	mount_write(&mount, file, 4, " and half");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "half and half");
}
END_TEST

START_TEST(a_late_error_is_told_once)
{
	struct store_error error = STORE_ERROR_INIT;
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "hello");
	mount_faults(&mount, "put error=DENIED\n");
	no_writers(file);
	publish_later(file);
	mount_wait_attempts(file, 1);
	ck_assert_int_eq(publish_take_late_error(file, &error), STORE_DENIED);
	ck_assert_int_ne(error.message[0], '\0');
	ck_assert_int_eq(publish_take_late_error(file, &error), STORE_OK);
	mount_reads(&mount, file, "hello");
}
END_TEST

START_TEST(an_error_that_was_told_is_not_late)
{
	struct file *file = mount_create(&mount, "a");

	mount_faults(&mount, "put error=DENIED times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_DENIED);
	ck_assert_int_eq(publish_take_late_error(file, NULL), STORE_OK);
}
END_TEST

START_TEST(a_late_error_ends_with_a_later_success)
{
	struct file *file = mount_create(&mount, "a");

	mount_faults(&mount, "put error=DENIED times=1\n");
	no_writers(file);
	publish_later(file);
	mount_wait_attempts(file, 1);
	mount_write(&mount, file, 0, "more");
	publish_later(file);
	mount_wait_attempts(file, 2);
	ck_assert_int_eq(publish_take_late_error(file, NULL), STORE_OK);
	memory_is(mount.fs.store, "a", "more");
}
END_TEST

START_TEST(what_may_go_away_is_tried_again_without_being_asked)
{
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "hello");
	mount_faults(&mount, "put error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_UNAVAILABLE);
	mount_wait_attempts(file, 2);
	memory_is(mount.fs.store, "a", "hello");
	ck_assert(!mount_is_dirty(file));
}
END_TEST

START_TEST(what_will_not_go_away_waits_to_be_asked)
{
	struct file *file = mount_create(&mount, "a");

	mount_faults(&mount, "put error=DENIED times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_DENIED);
	lock_take(&file->lock);
	ck_assert_int_eq(file->retry_at_ns, 0);
	lock_drop(&file->lock);
}
END_TEST

START_TEST(a_stalled_store_ends_the_wait_in_time)
{
	struct file *file = mount_create(&mount, "a");

	mount.fs.options->op_timeout_ns = 100 * NS_PER_MS;
	door_set(&door.puts_shut, true);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_TIMEOUT);
	ck_assert(mount_is_dirty(file));
	door_set(&door.puts_shut, false);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
}
END_TEST

/* ---- the end of a mount ---- */

START_TEST(abandoned_bytes_stay)
{
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "hello");
	mount_faults(&mount, "put error=DENIED\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_DENIED);
	mount_close(&mount, file);
	publisher_stop(mount.fs.publisher);
	ck_assert_uint_eq(publish_abandon_all(&mount.fs), 1);
	ck_assert_uint_eq(mount.fs.counters.unfinished, 1);
	area_holds(&mount.area, "data-", "hello");
}
END_TEST

START_TEST(a_killed_writer_replaces_nothing_and_its_bytes_stay)
{
	struct file *file;

	memory_put(mount.fs.store, "a", "old");
	file = mount_open(&mount, "a", O_RDWR | O_TRUNC);
	mount_write(&mount, file, 0, "half");
	lock_take(&file->lock);
	file->doomed = true;
	lock_drop(&file->lock);
	/* The last close asks for a publish, which becomes a goodbye. */
	file_ref(file);
	mount_close(&mount, file);
	while (mount_is_dirty(file))
		sched_yield();
	file_put(file);
	memory_is(mount.fs.store, "a", "old");
	while (!atomic_load(&mount.fs.counters.unfinished))
		sched_yield();
}
END_TEST

static TCase *told_cases(void)
{
	TCase *tests = tcase_create("told");

	tcase_set_timeout(tests, 20);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_new_file_is_stored);
	tcase_add_test(tests, an_empty_new_file_is_stored);
	tcase_add_test(tests, a_clean_file_sends_nothing);
	tcase_add_test(tests, an_edit_keeps_the_rest_of_the_file);
	tcase_add_test(tests, an_edit_keeps_the_rest_without_composing);
	tcase_add_test(tests, attributes_alone_send_no_body);
	tcase_add_test(tests, a_failed_put_is_told_and_the_next_try_succeeds);
	tcase_add_test(tests,
		       a_failed_edit_leaves_the_old_version_in_the_store);
	tcase_add_test(tests, a_conflict_is_told_and_keeps_both);
	tcase_add_test(tests, a_new_name_that_is_taken_meanwhile_is_a_conflict);
	tcase_add_test(
		tests,
		an_edited_file_that_is_gone_from_the_store_is_a_conflict);
	tcase_add_test(tests, with_overwrite_the_last_writer_wins);
	return tests;
}

static TCase *late_cases(void)
{
	TCase *tests = tcase_create("late");

	tcase_set_timeout(tests, 20);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests,
		       what_a_program_is_writing_is_not_sent_by_a_late_attempt);
	tcase_add_test(tests, a_late_error_is_told_once);
	tcase_add_test(tests, an_error_that_was_told_is_not_late);
	tcase_add_test(tests, a_late_error_ends_with_a_later_success);
	tcase_add_test(tests,
		       what_may_go_away_is_tried_again_without_being_asked);
	tcase_add_test(tests, what_will_not_go_away_waits_to_be_asked);
	tcase_add_test(tests, a_stalled_store_ends_the_wait_in_time);
	tcase_add_test(tests, abandoned_bytes_stay);
	tcase_add_test(tests,
		       a_killed_writer_replaces_nothing_and_its_bytes_stay);
	return tests;
}

int main(void)
{
	TCase *cases[] = { told_cases(), late_cases(), NULL };

	return unit_run_cases("mount publish", cases);
}
