// SPDX-License-Identifier: MIT
// posix_suite: utimensat and futimens. Run by suite_main.c.
#include "config.h"

#include <time.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

#ifndef UTIME_NOW
#define UTIME_NOW ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)
#endif

static int set_times(const char *name, time_t a, long an, time_t m, long mn)
{
	struct timespec ts[2] = { { a, an }, { m, mn } };

	return utimensat(AT_FDCWD, name, ts, AT_SYMLINK_NOFOLLOW);
}

#define ATIME(name, s, ns)                             \
	do {                                           \
		EQ(t_lstat(name).st_atim.tv_sec, s);   \
		EQ(t_lstat(name).st_atim.tv_nsec, ns); \
	} while (0)
#define MTIME(name, s, ns)                             \
	do {                                           \
		EQ(t_lstat(name).st_mtim.tv_sec, s);   \
		EQ(t_lstat(name).st_mtim.tv_nsec, ns); \
	} while (0)

static void nanoseconds_are_kept_for_every_type(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		OK(set_times("n", 1234567890, 123456789, 987654321, 999999999));
		MTIME("n", 987654321, 999999999);
		ATIME("n", 1234567890, 123456789);
		OK(rename("n", "m"));
		MTIME("m", 987654321, 999999999);
		OK(t_remove("m"));
	}
}

static void omit_leaves_and_now_sets_the_clock(void)
{
	t_put("f", "x");
	OK(set_times("f", 100, 1, 200, 2));
	OK(set_times("f", 0, UTIME_OMIT, 300, 3));
	ATIME("f", 100, 1);
	MTIME("f", 300, 3);
	OK(set_times("f", 400, 4, 0, UTIME_OMIT));
	ATIME("f", 400, 4);
	MTIME("f", 300, 3);
	TIMES(T_C_ANY, "f", 0, set_times("f", 0, UTIME_OMIT, 0, UTIME_OMIT));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	OK(set_times("f", 0, UTIME_NOW, 0, UTIME_OMIT));
	CHECK(llabs((long long)t_stat("f").st_atim.tv_sec - now.tv_sec) < 5);
	MTIME("f", 300, 3);
	OK(set_times("f", 500, 5, 0, UTIME_NOW));
	ATIME("f", 500, 5);
	CHECK(llabs((long long)t_stat("f").st_mtim.tv_sec - now.tv_sec) < 5);
	OK(set_times("f", 1, 0, 1, 0));
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK(llabs((long long)t_stat("f").st_mtim.tv_sec - now.tv_sec) < 5);
	CHECK(llabs((long long)t_stat("f").st_atim.tv_sec - now.tv_sec) < 5);
}

static void times_before_1970_and_after_2038_are_kept(void)
{
	t_put("f", "x");
	OK(set_times("f", 0, 0, 0, 0));
	MTIME("f", 0, 0);
	OK(set_times("f", -5, 500000000, -1000000, 250000000));
	MTIME("f", -1000000, 250000000);
	ATIME("f", -5, 500000000);
	if (sizeof(time_t) > 4) {
		long long late = 5000000000LL;

		OK(set_times("f", (time_t)late, 7, (time_t)late + 1, 8));
		MTIME("f", late + 1, 8);
		ATIME("f", late, 7);
	}
}

static void utimensat_moves_ctime(void)
{
	t_put("f", "x");
	OK(mkdir("d", 0755));
	TIMES(T_C | T_M_ANY, "f", 0, set_times("f", 1, 1, 2, 2));
	TIMES(T_C | T_M_ANY, "d", 0, set_times("d", 1, 1, 2, 2));
	TIMES(0, ".", 0, set_times("f", 3, 3, 4, 4));
	TIMES(0, "f", EINVAL, set_times("f", 1, 1000000000, 2, 2));
	TIMES(0, "f", EINVAL, set_times("f", 1, 1, 2, -1));
}

static void futimens_and_symlinks(void)
{
	struct timespec ts[2] = { { 11, 22 }, { 33, 44 } };

	t_put("f", "x");
	OK(symlink("f", "s"));
	OK(set_times("s", 5, 5, 6, 6));
	MTIME("s", 6, 6);
	OK(utimensat(AT_FDCWD, "s", ts, 0));
	MTIME("f", 33, 44);
	MTIME("s", 6, 6);
	int fd = t_open("f", O_RDONLY);

	ts[1].tv_sec = 55;
	OK(futimens(fd, ts));
	MTIME("f", 55, 44);
	OK(unlink("f"));
	ts[1].tv_sec = 66;
	OK(futimens(fd, ts));
	EQ(t_fstat(fd).st_mtim.tv_sec, 66);
	OK(close(fd));
}

static void mtime_set_on_an_open_written_file_survives_close(void)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 2 } };
	int fd = open("f", O_CREAT | O_WRONLY, 0644);

	EQ(write(fd, "archived", 8), 8);
	OK(futimens(fd, ts));
	OK(close(fd));
	MTIME("f", 2000, 2);
	fd = t_open("f", O_RDWR);
	MTIME("f", 2000, 2);
	EQ(write(fd, "A", 1), 1);
	CHECK(t_fstat(fd).st_mtim.tv_sec > 1000000);
	OK(close(fd));
	CHECK(t_stat("f").st_mtim.tv_sec > 1000000);
	OK(set_times("f", 1000, 1, 2000, 2));
	fd = t_open("f", O_RDWR);
	OK(close(fd));
	MTIME("f", 2000, 2);
}

static void utimensat_permissions(void)
{
	struct timespec ts[2] = { { 1, 1 }, { 2, 2 } };
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct timespec half[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	t_put("f", "x");
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	OK(chmod("f", 0444));
	AS(&alice)
	{
		OK(utimensat(AT_FDCWD, "f", ts, 0));
		OK(utimensat(AT_FDCWD, "f", NULL, 0));
		OK(utimensat(AT_FDCWD, "f", half, 0));
	}
	AS(&bob)
	{
		TIMES(0, "f", EPERM, utimensat(AT_FDCWD, "f", ts, 0));
		TIMES(0, "f", EACCES, utimensat(AT_FDCWD, "f", NULL, 0));
		WANT(EACCES, utimensat(AT_FDCWD, "f", now, 0));
		WANT(EPERM, utimensat(AT_FDCWD, "f", half, 0));
		OK(utimensat(AT_FDCWD, "f", omit, 0));
	}
	OK(chmod("f", 0666));
	AS(&bob)
	{
		OK(utimensat(AT_FDCWD, "f", NULL, 0));
		OK(utimensat(AT_FDCWD, "f", now, 0));
		WANT(EPERM, utimensat(AT_FDCWD, "f", half, 0));
		WANT(EPERM, utimensat(AT_FDCWD, "f", ts, 0));
	}
}

static void utimensat_path_errors(void)
{
	struct timespec ts[2] = { { 1, 1 }, { 2, 2 } };
	char name[512];

	t_put("f", "x");
	WANT(ENOENT, utimensat(AT_FDCWD, "none", ts, 0));
	WANT(ENOTDIR, utimensat(AT_FDCWD, "f/x", ts, 0));
	WANT(ENAMETOOLONG, utimensat(AT_FDCWD, t_long(name, 256, 'n'), ts, 0));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, utimensat(AT_FDCWD, "loop1", ts, 0));
	OK(utimensat(AT_FDCWD, "loop1", ts, AT_SYMLINK_NOFOLLOW));
	WANT(EBADF, futimens(-1, ts));
}

const struct t_case utimens_tests[] = {
	T(nanoseconds_are_kept_for_every_type),
	T(omit_leaves_and_now_sets_the_clock),
	T(times_before_1970_and_after_2038_are_kept),
	T(utimensat_moves_ctime),
	T(futimens_and_symlinks),
	T(mtime_set_on_an_open_written_file_survives_close),
	T(utimensat_permissions),
	T(utimensat_path_errors),
	{ NULL, NULL },
};
