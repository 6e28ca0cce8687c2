// SPDX-License-Identifier: MIT
// posix_suite: mkdir and rmdir. Run by suite_main.c.
#include "config.h"

#include <dirent.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void mkdir_applies_mode_and_umask(void)
{
	static const struct {
		mode_t mode;
		mode_t mask;
		mode_t want;
	} rows[] = {
		{ 0755, 0, 0755 },   { 0151, 0, 0151 },	    { 0, 0, 0 },
		{ 0777, 022, 0755 }, { 0753, 0100, 0653 },  { 0777, 0777, 0 },
		{ 01777, 0, 01777 }, { 01777, 022, 01755 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		umask(rows[i].mask);
		OK(mkdir("d", rows[i].mode));
		EQ(MODE("d"), rows[i].want);
		CHECK(S_ISDIR(t_lstat("d").st_mode));
		OK(rmdir("d"));
	}
	umask(0);
}

static void mkdir_takes_the_ids_of_the_process(void)
{
	OK(mkdir("p", 0777));
	AS(&alice) OK(mkdir("p/d", 0700));
	if (t_is_root()) {
		EQ(t_stat("p/d").st_uid, alice.uid);
		EQ(t_stat("p/d").st_gid, alice.gid);
	}
	OK(mkdir("own", 0700));
	EQ(t_stat("own").st_uid, geteuid());
}

static void mkdir_and_rmdir_move_the_times_of_the_parent(void)
{
	OK(mkdir("p", 0755));
	TIMES(T_MC, "p", 0, mkdir("p/d", 0755));
	TIMES(0, "p", EEXIST, mkdir("p/d", 0755));
	TIMES(T_MC, "p", 0, rmdir("p/d"));
	TIMES(0, "p", ENOENT, rmdir("p/d"));
	OK(mkdir("p/e", 0755));
	OK(t_create("p/e/f", 0, 0644));
	TIMES(0, "p", ENOTEMPTY, rmdir("p/e"));
	TIMES(0, "p/e", ENOTEMPTY, rmdir("p/e"));
}

static void mkdir_refuses_an_existing_name(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EEXIST, mkdir("n", 0755));
		EQ(t_lstat("n").st_mode & S_IFMT, t_format((enum t_type)i));
		OK(t_remove("n"));
	}
	WANT(EEXIST, mkdir(".", 0755));
	WANT(EEXIST, mkdir("..", 0755));
}

static void mkdir_and_rmdir_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	WANT(ENOENT, mkdir("none/d", 0755));
	WANT(ENOENT, mkdir("", 0755));
	WANT(ENOTDIR, mkdir("f/d", 0755));
	WANT(ENAMETOOLONG, mkdir(t_long(name, 256, 'n'), 0755));
	WANT(ENAMETOOLONG, mkdir(t_long(path, 4096, 'p'), 0755));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, mkdir("loop1/d", 0755));
	WANT(ENOENT, rmdir("none"));
	WANT(ENOENT, rmdir("none/d"));
	WANT(ENOTDIR, rmdir("f/d"));
	WANT(ENAMETOOLONG, rmdir(name));
	WANT(ENAMETOOLONG, rmdir(path));
	WANT(ELOOP, rmdir("loop1/d"));
	WANT(EINVAL, rmdir("."));
	WANT(ENOTDIR, rmdir("loop1"));
}

static void rmdir_refuses_what_is_no_directory(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		if (i == T_DIR)
			continue;
		OK(t_make("n", (enum t_type)i, 0644));
		TIMES(0, "n", ENOTDIR, rmdir("n"));
		OK(unlink("n"));
	}
	OK(mkdir("d", 0755));
	OK(symlink("d", "s"));
	WANT(ENOTDIR, rmdir("s"));
	CHECK(t_exists("d"));
}

static void rmdir_refuses_a_directory_with_any_entry(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		OK(mkdir("d", 0755));
		OK(t_make("d/n", (enum t_type)i, 0644));
		WANT(ENOTEMPTY, rmdir("d"));
		CHECK(t_exists("d/n"));
		OK(t_remove("d/n"));
		OK(rmdir("d"));
		CHECK(!t_exists("d"));
	}
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	WANT(ENOTEMPTY, rmdir("d/e/.."));
}

static void mkdir_needs_permissions(void)
{
	OK(mkdir("p", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("p", alice.uid, alice.gid));
	AS(&bob) TIMES(0, "p", EACCES, mkdir("p/d", 0755));
	AS(&alice)
	{
		OK(mkdir("p/d", 0755));
		OK(chmod("p", 0555));
		WANT(EACCES, mkdir("p/e", 0755));
		WANT(EACCES, rmdir("p/d"));
		OK(chmod("p", 0644));
		WANT(EACCES, mkdir("p/e", 0755));
		WANT(EACCES, rmdir("p/d"));
		OK(chmod("p", 0755));
	}
	AS(&bob) TIMES(0, "p", EACCES, rmdir("p/d"));
	AS(&alice) OK(rmdir("p/d"));
}

static void a_removed_directory_that_is_open_stays_usable(void)
{
	OK(mkdir("d", 0755));
	int fd = t_open("d", O_RDONLY | O_DIRECTORY);

	OK(rmdir("d"));
	CHECK(S_ISDIR(t_fstat(fd).st_mode));
	WANT(ENOENT, mkdirat(fd, "e", 0755));
	WANT(ENOENT, openat(fd, "f", O_CREAT | O_WRONLY, 0644));
	OK(mkdir("d", 0700));
	CHECK(t_stat("d").st_ino != t_fstat(fd).st_ino);
	OK(close(fd));
}

static void a_subdirectory_is_created_with_trailing_slashes(void)
{
	OK(mkdir("d/", 0755));
	OK(mkdir("d//e///", 0755));
	CHECK(S_ISDIR(t_lstat("d/e").st_mode));
	OK(rmdir("d/e/"));
	OK(rmdir("d//"));
}

static void directories_nest_deeply(void)
{
	enum { DEPTH = 120 };

	for (int i = 0; i < DEPTH; i++) {
		OK(mkdir("deep", 0755));
		OK(chdir("deep"));
	}
	t_put("f", "bottom");
	CHECK(t_holds("f", "bottom"));
	OK(unlink("f"));
	for (int i = 0; i < DEPTH; i++) {
		OK(chdir(".."));
		OK(rmdir("deep"));
	}
}

const struct t_case mkdir_tests[] = {
	T(mkdir_applies_mode_and_umask),
	T(mkdir_takes_the_ids_of_the_process),
	T(mkdir_and_rmdir_move_the_times_of_the_parent),
	T(mkdir_refuses_an_existing_name),
	T(mkdir_and_rmdir_path_errors),
	T(rmdir_refuses_what_is_no_directory),
	T(rmdir_refuses_a_directory_with_any_entry),
	T(mkdir_needs_permissions),
	T(a_removed_directory_that_is_open_stays_usable),
	T(a_subdirectory_is_created_with_trailing_slashes),
	T(directories_nest_deeply),
	{ NULL, NULL },
};
