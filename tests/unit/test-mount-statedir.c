// SPDX-License-Identifier: MIT
/* Staging directories: whose they are, and that one mount uses them. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount/statedir.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"
#include <storefs/context.h>

static struct store_error error;
static struct mount_options options;
static struct statedir dir;
static char base[64], place[128];

static void setup(void)
{
	store_error_clear(&error);
	snprintf(base, sizeof(base), "/tmp/storefs-state.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(place, sizeof(place), "%s/a/b/staging", base);
	options = (struct mount_options){ .staging_dir = place };
	dir = (struct statedir){ .fd = -1, .lock_fd = -1 };
}

static int remove_one(const char *path, const struct stat *found, int flag,
		      struct FTW *walk)
{
	(void)found;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void teardown(void)
{
	statedir_close(&dir);
	ck_assert_int_eq(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int open_as(const char *identity, const char *mountpoint,
		   struct statedir *out)
{
	store_error_clear(&error);
	return statedir_open(&options, identity, mountpoint, out, &error);
}

static void open_good(void)
{
	ck_assert_msg(!open_as("store-1", "/mnt", &dir), "%s", error.message);
}

static bool there_is(const char *name)
{
	return !faccessat(dir.fd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

START_TEST(a_missing_directory_is_made_for_its_owner_alone)
{
	struct stat found;

	open_good();
	ck_assert_str_eq(dir.path, place);
	ck_assert_int_eq(fstat(dir.fd, &found), 0);
	ck_assert_int_eq(found.st_mode & 07777, 0700);
	ck_assert(there_is("identity") && there_is("lock"));
	ck_assert(!there_is("identity.new"));
	ck_assert_uint_eq(dir.size_limit, 0);
}
END_TEST

START_TEST(an_open_directory_is_closed_to_others)
{
	struct stat found;

	open_good();
	statedir_close(&dir);
	ck_assert_int_eq(chmod(place, 0755), 0);
	open_good();
	ck_assert_int_eq(fstat(dir.fd, &found), 0);
	ck_assert_int_eq(found.st_mode & 07777, 0700);
}
END_TEST

START_TEST(the_same_mount_comes_back)
{
	open_good();
	statedir_close(&dir);
	open_good();
}
END_TEST

START_TEST(another_store_or_mount_point_is_refused)
{
	struct statedir other;

	open_good();
	statedir_close(&dir);
	ck_assert_int_eq(open_as("store-2", "/mnt", &other), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, place));
	ck_assert_int_eq(open_as("store-1", "/mnt2", &other), STORE_INVALID);
	ck_assert_int_eq(open_as("store-1\nmountpoint /mnt", "", &other),
			 STORE_INVALID);
	ck_assert_int_eq(other.fd, -1);
	ck_assert_ptr_null(other.path);
	open_good();
}
END_TEST

START_TEST(a_second_opener_is_refused_by_name)
{
	struct statedir other;
	char pid[32];

	open_good();
	ck_assert_int_eq(open_as("store-2", "/mnt", &other), STORE_LOCKED);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(error.message, pid));
	ck_assert_ptr_nonnull(strstr(error.message, place));
	statedir_close(&dir);
	open_good();
}
END_TEST

START_TEST(the_same_mount_waits_for_its_last_driver)
{
	int told[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(told), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct store_context context;

		store_context_init(&context, 0, NULL);
		if (open_as("store-1", "/mnt", &dir) ||
		    write(told[1], "", 1) != 1)
			_exit(1);
		_exit(store_context_sleep(&context, 300 * NS_PER_MS, NULL));
	}
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	open_good();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(told[0]);
	close(told[1]);
}
END_TEST

START_TEST(a_folder_with_other_files_is_refused)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/a", base);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/b", base);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(mkdir(place, 0755), 0);
	snprintf(path, sizeof(path), "%s/thesis", place);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(open_as("store-1", "/mnt", &dir), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, place));
	ck_assert_int_eq(unlink(path), 0);
	open_good();
}
END_TEST

START_TEST(the_lock_ends_with_its_process)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct statedir child;

		_exit(open_as("store-1", "/mnt", &child) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	open_good();
}
END_TEST

START_TEST(a_refused_opener_disturbs_nothing)
{
	struct statedir other;
	char line[32] = "";
	int fd;

	open_good();
	ck_assert_int_eq(open_as("store-2", "/mnt", &other), STORE_LOCKED);
	fd = openat(dir.fd, "lock", O_RDONLY);
	ck_assert_int_gt(read(fd, line, sizeof(line) - 1), 0);
	close(fd);
	ck_assert_int_eq(strtol(line, NULL, 10), getpid());
	ck_assert_int_eq(open_as("store-2", "/mnt", &other), STORE_LOCKED);
}
END_TEST

START_TEST(what_an_earlier_run_left_is_kept)
{
	static const char *const names[] = { "data-1", "data-17", "journal",
					     "journal.bad-1", "other" };

	open_good();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close(openat(dir.fd, names[i], O_WRONLY | O_CREAT, 0600));
	statedir_close(&dir);
	open_good();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert(there_is(names[i]));
}
END_TEST

START_TEST(a_share_of_the_disk_becomes_bytes_and_inodes)
{
	struct statvfs found;

	options.staging_size = 50;
	options.staging_percent = true;
	open_good();
	ck_assert_uint_gt(dir.size_limit, 1 << 20);
	ck_assert_int_eq(fstatvfs(dir.fd, &found), 0);
	ck_assert_uint_eq(dir.file_limit, found.f_files / 2);
	statedir_close(&dir);
	options.staging_percent = false;
	open_good();
	ck_assert_uint_eq(dir.size_limit, 50);
	ck_assert_uint_eq(dir.file_limit, 0);
}
END_TEST

START_TEST(a_file_in_the_way_is_told)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a", base);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_ne(open_as("store-1", "/mnt", &dir), STORE_OK);
	ck_assert_ptr_nonnull(strstr(error.message, "staging directory"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/b", base);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	close(open(place, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_ne(open_as("store-1", "/mnt", &dir), STORE_OK);
}
END_TEST

START_TEST(a_lock_that_is_a_link_is_not_followed)
{
	char victim[128];
	struct stat found;

	open_good();
	ck_assert_int_eq(unlinkat(dir.fd, "lock", 0), 0);
	snprintf(victim, sizeof(victim), "%s/victim", base);
	ck_assert_int_eq(symlinkat(victim, dir.fd, "lock"), 0);
	statedir_close(&dir);
	ck_assert_int_ne(open_as("store-1", "/mnt", &dir), STORE_OK);
	ck_assert_int_ne(stat(victim, &found), 0);
}
END_TEST

START_TEST(without_an_option_the_place_depends_on_store_and_mount_point)
{
	char *one = NULL, *two = NULL, *three = NULL;

	options.staging_dir = NULL;
	ck_assert_int_eq(statedir_path(&options, "s", "/m", &one, &error), 0);
	ck_assert_int_eq(statedir_path(&options, "s", "/n", &two, &error), 0);
	ck_assert_int_eq(statedir_path(&options, "t", "/m", &three, &error), 0);
	ck_assert_str_ne(one, two);
	ck_assert_str_ne(one, three);
	ck_assert_str_ne(two, three);
	if (!geteuid())
		ck_assert_ptr_eq(strstr(one, "/var/lib/storefs/"), one);
	free(one);
	free(two);
	free(three);
}
END_TEST

/* ---- what only root can try ---- */

START_TEST(a_directory_of_somebody_else_is_refused)
{
	open_good();
	statedir_close(&dir);
	ck_assert_int_eq(chown(place, 65534, 65534), 0);
	ck_assert_int_eq(open_as("store-1", "/mnt", &dir), STORE_DENIED);
	ck_assert_int_eq(chown(place, 0, 0), 0);
}
END_TEST

START_TEST(a_tmpfs_is_refused_for_what_must_survive)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
	ck_assert_int_eq(mount("none", base, "tmpfs", 0, "size=1m"), 0);
	open_good();
	statedir_close(&dir);
	options.commit = COMMIT_BACKGROUND;
	ck_assert_int_eq(open_as("store-1", "/mnt", &dir), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "staging_volatile"));
	options.staging_volatile = true;
	open_good();
	statedir_close(&dir);
	ck_assert_int_eq(umount2(base, MNT_DETACH), 0);
}
END_TEST

START_TEST(users_have_it_below_their_home)
{
	char *path = NULL;

	options.staging_dir = NULL;
	ck_assert_int_eq(seteuid(65534), 0);
	setenv("XDG_STATE_HOME", "/xdg", 1);
	setenv("HOME", "/home/u", 1);
	ck_assert_int_eq(statedir_path(&options, "s", "/m", &path, &error), 0);
	ck_assert_ptr_eq(strstr(path, "/xdg/storefs/"), path);
	free(path);
	setenv("XDG_STATE_HOME", "relative", 1);
	ck_assert_int_eq(statedir_path(&options, "s", "/m", &path, &error), 0);
	ck_assert_ptr_eq(strstr(path, "/home/u/.local/state/storefs/"), path);
	free(path);
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	ck_assert_int_eq(statedir_path(&options, "s", "/m", &path, &error),
			 STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "staging_dir="));
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("statedir");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_missing_directory_is_made_for_its_owner_alone);
	tcase_add_test(tests, an_open_directory_is_closed_to_others);
	tcase_add_test(tests, the_same_mount_comes_back);
	tcase_add_test(tests, another_store_or_mount_point_is_refused);
	tcase_add_test(tests, a_second_opener_is_refused_by_name);
	tcase_add_test(tests, the_same_mount_waits_for_its_last_driver);
	tcase_add_test(tests, a_folder_with_other_files_is_refused);
	tcase_add_test(tests, the_lock_ends_with_its_process);
	tcase_add_test(tests, a_refused_opener_disturbs_nothing);
	tcase_add_test(tests, what_an_earlier_run_left_is_kept);
	tcase_add_test(tests, a_share_of_the_disk_becomes_bytes_and_inodes);
	tcase_add_test(tests, a_file_in_the_way_is_told);
	tcase_add_test(tests, a_lock_that_is_a_link_is_not_followed);
	tcase_add_test(
		tests,
		without_an_option_the_place_depends_on_store_and_mount_point);
	if (geteuid()) {
		printf("# other owners and tmpfs are only tried by root\n");
		return unit_run("mount statedir", tests);
	}
	tcase_add_test(tests, a_directory_of_somebody_else_is_refused);
	tcase_add_test(tests, a_tmpfs_is_refused_for_what_must_survive);
	tcase_add_test(tests, users_have_it_below_their_home);
	return unit_run("mount statedir", tests);
}
