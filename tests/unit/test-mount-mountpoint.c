// SPDX-License-Identifier: MIT
/* Mount points: what may be near them, and what stands there. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/mountpoint.h"
#include "tests/unit/unit.h"

static struct store_error error;
static char base[64];
static char made[2][128];

/* A path below `base`, valid until the next but one. */
static const char *at(const char *name)
{
	static int turn;

	turn = !turn;
	snprintf(made[turn], sizeof(made[turn]), "%s/%s", base, name);
	return made[turn];
}

static void setup(void)
{
	static const char *const folders[] = { "mnt", "mnt/in", "mnt2", "out",
					       "with space\tand\\tab" };

	store_error_clear(&error);
	snprintf(base, sizeof(base), "/tmp/storefs-point.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ck_assert_int_eq(mkdir(at(folders[i]), 0755), 0);
	close(open(at("file"), O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(symlink(at("mnt/in"), at("link")), 0);
}

static void teardown(void)
{
	static const char *const names[] = {
		"mnt/in", "mnt",  "mnt2", "out", "with space\tand\\tab",
		"file",	  "link", ""
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_int_eq(remove(at(names[i])), 0);
}

static int apart(const char *mountpoint, const char *other)
{
	store_error_clear(&error);
	return mountpoint_check_apart(mountpoint, other, "thing", &error);
}

/* ---- apart ---- */

START_TEST(neighbours_are_apart)
{
	ck_assert_int_eq(apart(at("mnt"), at("out")), STORE_OK);
	/* The longer name begins with the shorter. */
	ck_assert_int_eq(apart(at("mnt"), at("mnt2")), STORE_OK);
	ck_assert_int_eq(apart(at("mnt2"), at("mnt")), STORE_OK);
	ck_assert_int_eq(apart(at("mnt"), at("file")), STORE_OK);
}
END_TEST

START_TEST(the_inside_of_a_mount_point_is_refused_by_name)
{
	ck_assert_int_eq(apart(at("mnt"), at("mnt/in")), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "thing"));
	ck_assert_ptr_nonnull(strstr(error.message, at("mnt/in")));
	ck_assert_int_eq(apart(at("mnt"), at("mnt")), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), at("mnt/")), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), at("out/../mnt/in")), STORE_INVALID);
}
END_TEST

START_TEST(what_holds_the_mount_point_is_refused)
{
	ck_assert_int_eq(apart(at("mnt/in"), at("mnt")), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), base), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), "/"), STORE_INVALID);
}
END_TEST

START_TEST(links_are_followed)
{
	ck_assert_int_eq(apart(at("mnt"), at("link")), STORE_INVALID);
}
END_TEST

START_TEST(what_does_not_exist_yet_is_judged_by_its_parent)
{
	ck_assert_int_eq(apart(at("mnt"), at("mnt/in/new/er")), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), at("link/new")), STORE_INVALID);
	ck_assert_int_eq(apart(at("mnt"), at("out/new/er")), STORE_OK);
	ck_assert_int_eq(apart(at("mnt"), at("new")), STORE_OK);
	ck_assert_int_eq(apart(at("mnt"), "/nonexistent/new"), STORE_OK);
}
END_TEST

/* ---- preparing ---- */

START_TEST(a_folder_is_resolved)
{
	char *path = NULL;

	ck_assert_int_eq(
		mountpoint_prepare(at("link/../in/"), false, &path, &error),
		STORE_OK);
	ck_assert_str_eq(path, at("mnt/in"));
	free(path);
}
END_TEST

START_TEST(anything_but_a_folder_is_refused)
{
	char *path = NULL;

	ck_assert_int_eq(mountpoint_prepare(at("file"), false, &path, &error),
			 STORE_NOT_DIR);
	ck_assert_int_eq(mountpoint_prepare(at("new"), false, &path, &error),
			 STORE_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.message, "new"));
	ck_assert_ptr_null(path);
}
END_TEST

/* ---- mounted ---- */

START_TEST(nothing_is_mounted_on_a_plain_folder)
{
	ck_assert_uint_eq(mountpoint_device(at("mnt")), 0);
	ck_assert_int_ne(mountpoint_unmount(at("mnt"), false, &error),
			 STORE_OK);
	ck_assert_ptr_nonnull(strstr(error.message, "mnt"));
}
END_TEST

static void own_namespace(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
}

START_TEST(mounts_with_blanks_in_their_names_are_found)
{
	struct stat found;

	own_namespace();
	ck_assert_int_eq(
		mount("none", at("with space\tand\\tab"), "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(stat(at("with space\tand\\tab"), &found), 0);
	ck_assert_uint_eq(mountpoint_device(at("with space\tand\\tab")),
			  found.st_dev);
	ck_assert_uint_eq(mountpoint_device(at("with")), 0);
	ck_assert_int_eq(
		mountpoint_unmount(at("with space\tand\\tab"), false, &error),
		STORE_OK);
	ck_assert_uint_eq(mountpoint_device(at("with space\tand\\tab")), 0);
}
END_TEST

START_TEST(the_topmost_of_several_mounts_counts)
{
	struct stat found;

	own_namespace();
	ck_assert_int_eq(mount("none", at("mnt"), "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(mount("none", at("mnt"), "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(stat(at("mnt"), &found), 0);
	ck_assert_uint_eq(mountpoint_device(at("mnt")), found.st_dev);
	ck_assert_int_eq(umount(at("mnt")), 0);
	ck_assert_int_eq(umount(at("mnt")), 0);
}
END_TEST

START_TEST(a_busy_mount_is_only_detached_lazily)
{
	int fd;

	own_namespace();
	ck_assert_int_eq(mount("none", at("mnt"), "tmpfs", 0, NULL), 0);
	fd = open(at("mnt"), O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(mountpoint_unmount(at("mnt"), false, &error),
			 STORE_OK);
	ck_assert_int_eq(mountpoint_unmount(at("mnt"), true, &error), STORE_OK);
	close(fd);
	ck_assert_uint_eq(mountpoint_device(at("mnt")), 0);
}
END_TEST

START_TEST(mounts_of_others_are_no_obstacle)
{
	char *path = NULL;

	own_namespace();
	ck_assert_int_eq(mount("none", at("mnt"), "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(mountpoint_prepare(at("mnt"), false, &path, &error),
			 STORE_OK);
	free(path);
	ck_assert_int_eq(umount(at("mnt")), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("mountpoint");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, neighbours_are_apart);
	tcase_add_test(tests, the_inside_of_a_mount_point_is_refused_by_name);
	tcase_add_test(tests, what_holds_the_mount_point_is_refused);
	tcase_add_test(tests, links_are_followed);
	tcase_add_test(tests, what_does_not_exist_yet_is_judged_by_its_parent);
	tcase_add_test(tests, a_folder_is_resolved);
	tcase_add_test(tests, anything_but_a_folder_is_refused);
	tcase_add_test(tests, nothing_is_mounted_on_a_plain_folder);
	if (geteuid()) {
		printf("# mounts are only tried by root\n");
		return unit_run("mount mountpoint", tests);
	}
	tcase_add_test(tests, mounts_with_blanks_in_their_names_are_found);
	tcase_add_test(tests, the_topmost_of_several_mounts_counts);
	tcase_add_test(tests, a_busy_mount_is_only_detached_lazily);
	tcase_add_test(tests, mounts_of_others_are_no_obstacle);
	return unit_run("mount mountpoint", tests);
}
