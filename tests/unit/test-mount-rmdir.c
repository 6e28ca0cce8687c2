// SPDX-License-Identifier: MIT
/*
 * Looks at a folder in the middle of an rmdir: the store has done it, and
 * memory has not heard of it yet, or the answer was under way already.
 */
#include "config.h"

#include <check.h>
#include <errno.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void make_folder(void)
{
	ok(call_mkdir(fs, "folder"));
}

static void remove_folder(void)
{
	ok(call_rmdir(fs, "folder"));
}

static void folder_is_gone(void)
{
	shows_none("folder");
	ok(call_mkdir(fs, "folder"));
	ok(call_store(fs, "folder/file", "new"));
	shows("folder/file", "new");
	ck_assert_int_eq(call_rmdir(fs, "folder"), ENOTEMPTY);
}

START_TEST(a_lookup_does_not_bring_back_a_folder)
{
	struct stat found;

	make_folder();
	door.after_stat = remove_folder;
	ck_assert_int_eq(call_look_up(fs, "folder", &found), ENOENT);
	folder_is_gone();
}
END_TEST

START_TEST(a_listing_does_not_bring_back_a_folder)
{
	struct stat found;

	make_folder();
	memory_put(fs->store, "folder2", "so that there is a listing");
	door.after_list = remove_folder;
	call_listed(fs, "folder2", &found);
	folder_is_gone();
}
END_TEST

static int looked;

static void look_meanwhile(void)
{
	struct stat found;

	looked = call_look_up(fs, "folder", &found);
}

static void stat_meanwhile(void)
{
	struct stat found;

	looked = call_stat(fs, "folder", &found);
}

/* Whatever it is told, it is not told it for long. */
START_TEST(who_looks_between_store_and_memory_keeps_no_folder)
{
	make_folder();
	door.after_remove_folder = _i ? stat_meanwhile : look_meanwhile;
	ok(call_rmdir(fs, "folder"));
	ck_assert(!door.after_remove_folder);
	ck_assert(!looked || looked == ENOENT);
	folder_is_gone();
}
END_TEST

static TCase *folder_cases(void)
{
	TCase *tests = restart_case("folders", restart_setup);

	tcase_add_test(tests, a_lookup_does_not_bring_back_a_folder);
	tcase_add_test(tests, a_listing_does_not_bring_back_a_folder);
	tcase_add_loop_test(tests,
			    who_looks_between_store_and_memory_keeps_no_folder,
			    0, 2);
	return tests;
}

int main(void)
{
	TCase *cases[] = { folder_cases(), NULL };

	return unit_run_cases("mount rmdir", cases);
}
