// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: calls keep their order.  What only the
 * journal tells of so far is durable before the store changes in any way that
 * a crash does not take back.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>

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

static void make_folder(void)
{
	ok(call_mkdir(fs, "new"));
}

static void remove_folder(void)
{
	ok(call_rmdir(fs, "old"));
}

static void change_mode(void)
{
	ok(call_chmod(fs, "stored", 0600));
}

static void set_attribute(void)
{
	ok(call_setxattr(fs, "stored", "user.x", "value"));
}

static void remove_attribute(void)
{
	ok(call_removexattr(fs, "stored", "user.had"));
}

static void add_link(void)
{
	ok(call_link(fs, "stored", "linked"));
}

static void (*const changes[])(void) = { make_folder,	   remove_folder,
					 change_mode,	   set_attribute,
					 remove_attribute, add_link };
enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };

static void pending_beside_stored(void)
{
	ok(call_mkdir(fs, "old"));
	memory_put(fs->store, "stored", "x");
	ok(call_setxattr(fs, "stored", "user.had", "value"));
	hold();
	ok(call_store(fs, "a", "hello"));
}

START_TEST(a_removal_here_does_not_stay_behind_what_follows_in_the_store)
{
	pending_beside_stored();
	ok(call_unlink(fs, "a"));
	changes[_i]();
	restart(DISK_POWER_CUT, true);
	shows_none("a");
}
END_TEST

START_TEST(a_rename_here_does_not_stay_behind_what_follows_in_the_store)
{
	pending_beside_stored();
	ok(call_rename(fs, "a", "b", 0));
	changes[_i]();
	restart(DISK_POWER_CUT, true);
	shows_none("a");
	shows("b", "hello");
}
END_TEST

START_TEST(a_mode_set_here_does_not_stay_behind_what_follows_in_the_store)
{
	struct stat found;

	pending_beside_stored();
	ok(call_chmod(fs, "a", 0640));
	changes[_i]();
	restart(DISK_POWER_CUT, true);
	ok(call_stat(fs, "a", &found));
	ck_assert_uint_eq(found.st_mode & 07777, 0640);
}
END_TEST

/* ---- and what is acknowledged ---- */

static void rename_pending(void)
{
	ok(call_rename(fs, "a", "b", 0));
}

static void unlink_pending(void)
{
	ok(call_unlink(fs, "a"));
}

static void mode_of_pending(void)
{
	ok(call_chmod(fs, "a", 0640));
}

static void (*const noted[])(void) = { rename_pending, unlink_pending,
				       mode_of_pending };
enum { NOTED = sizeof(noted) / sizeof(noted[0]) };

/* Whoever opens a file for writing may find that there is nothing to write. */
START_TEST(a_close_of_what_was_not_changed_acknowledges_the_calls_before_it)
{
	struct call_handle handle;
	struct stat found;

	pending_beside_stored();
	noted[_i]();
	ok(call_open(fs, "stored", O_WRONLY, &handle));
	ok(call_close(&handle));
	restart(DISK_POWER_CUT, true);
	if (noted[_i] == mode_of_pending) {
		ok(call_stat(fs, "a", &found));
		ck_assert_uint_eq(found.st_mode & 07777, 0640);
		return;
	}
	shows_none("a");
	if (noted[_i] == rename_pending)
		shows("b", "hello");
}
END_TEST

/* ---- and what is uploaded ---- */

/* A close that fails leaves what was acknowledged, and writes above it. */
START_TEST(bytes_of_nobody_do_not_overtake_the_calls_before_them)
{
	struct call_handle handle;
	struct store_info info;

	hold();
	ok(call_store(fs, "b", "hello"));
	ok(call_store(fs, "a", "one"));
	ok(call_chmod(fs, "b", 0640));
	ok(call_open(fs, "a", O_WRONLY | O_TRUNC, &handle));
	disk.append_fails = EIO;
	ck_assert_int_eq(call_close(&handle), EIO);
	disk.journal_fails = EIO;
	publisher_pause(fs->publisher, false);
	ck_assert_uint_eq(drain(), 2);
	ck_assert_int_eq(store_stat(fs->store, NULL, "a", &info, NULL),
			 STORE_NOT_FOUND);
	restart(DISK_POWER_CUT, false);
	is_stored("a", "one");
	is_stored("b", "hello");
}
END_TEST

int main(void)
{
	TCase *tests = restart_case("order", restart_setup);
	TCase *cases[] = { tests, NULL };

	tcase_add_loop_test(
		tests,
		a_removal_here_does_not_stay_behind_what_follows_in_the_store,
		0, CHANGES);
	tcase_add_loop_test(
		tests,
		a_rename_here_does_not_stay_behind_what_follows_in_the_store, 0,
		CHANGES);
	tcase_add_loop_test(
		tests,
		a_mode_set_here_does_not_stay_behind_what_follows_in_the_store,
		0, CHANGES);
	tcase_add_loop_test(
		tests,
		a_close_of_what_was_not_changed_acknowledges_the_calls_before_it,
		0, NOTED);
	tcase_add_test(tests,
		       bytes_of_nobody_do_not_overtake_the_calls_before_them);

	return unit_run_cases("mount commit order", cases);
}
