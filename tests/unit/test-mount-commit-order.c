// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: calls keep their order.  What only the
 * journal tells of so far is durable before the store changes in any way that
 * a crash does not take back.
 */
#include "config.h"

#include <check.h>

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

	return unit_run_cases("mount commit order", cases);
}
