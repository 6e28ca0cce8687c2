// SPDX-License-Identifier: MIT
// posix_suite: truncate and ftruncate. Run by suite_main.c.
#include "config.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void truncate_cuts_and_extends_with_zeroes(void)
{
	char buf[32];

	t_put("f", "0123456789");
	OK(truncate("f", 4));
	EQ(t_stat("f").st_size, 4);
	OK(truncate("f", 12));
	EQ(t_stat("f").st_size, 12);
	int fd = t_open("f", O_RDONLY);

	EQ(read(fd, buf, sizeof(buf)), 12);
	CHECK(memcmp(buf, "0123\0\0\0\0\0\0\0\0", 12) == 0);
	OK(close(fd));
	OK(truncate("f", 0));
	CHECK(t_holds("f", ""));
}

static void ftruncate_works_on_the_handle(void)
{
	char buf[32];
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	OK(fd);
	EQ(write(fd, "abcdef", 6), 6);
	OK(ftruncate(fd, 3));
	EQ(t_fstat(fd).st_size, 3);
	EQ(lseek(fd, 0, SEEK_CUR), 6);
	EQ(write(fd, "X", 1), 1);
	EQ(pread(fd, buf, sizeof(buf), 0), 7);
	CHECK(memcmp(buf, "abc\0\0\0X", 7) == 0);
	OK(unlink("f"));
	OK(ftruncate(fd, 2));
	EQ(t_fstat(fd).st_size, 2);
	OK(close(fd));
}

static void truncate_of_odd_sizes(void)
{
	static const off_t sizes[] = {
		1,     511,   4095,    4096,	4097,
		65536, 65537, 1048575, 1048577, 5000011
	};
	unsigned char byte;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		t_put("f", "head");
		OK(truncate("f", sizes[i]));
		EQ(t_stat("f").st_size, sizes[i]);
		int fd = t_open("f", O_RDONLY);

		EQ(pread(fd, &byte, 1, sizes[i] - 1), 1);
		EQ(byte, sizes[i] > 4 ? 0 : "head"[sizes[i] - 1]);
		EQ(pread(fd, &byte, 1, sizes[i]), 0);
		OK(close(fd));
	}
}

static void truncate_moves_times(void)
{
	t_put("f", "content");
	TIMES(T_MC, "f", 0, truncate("f", 3));
	TIMES(T_MC, "f", 0, truncate("f", 30));
	int fd = t_open("f", O_RDWR);

	TIMES(T_MC, "f", 0, ftruncate(fd, 10));
	TIMES(T_MC, "f", 0, ftruncate(fd, 0));
	OK(close(fd));
	TIMES(0, "f", EINVAL, truncate("f", -1));
	TIMES(0, ".", 0, truncate("f", 1));
}

static void truncate_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	OK(mkdir("d", 0755));
	WANT(ENOENT, truncate("none", 0));
	WANT(ENOENT, truncate("none/x", 0));
	WANT(ENOTDIR, truncate("f/x", 0));
	WANT(EISDIR, truncate("d", 0));
	WANT(EINVAL, truncate("f", -1));
	WANT(ENAMETOOLONG, truncate(t_long(name, 256, 'n'), 0));
	WANT(ENAMETOOLONG, truncate(t_long(path, 4096, 'p'), 0));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, truncate("loop1", 0));
	int r = t_open("f", O_RDONLY);
	int w = t_open("f", O_WRONLY);

	WANT(EINVAL, ftruncate(r, 0));
	WANT(EINVAL, ftruncate(w, -1));
	WANT(EBADF, ftruncate(-1, 0));
	OK(close(r));
	OK(close(w));
	CHECK(t_holds("f", "x"));
	if (!t_can(T_SPECIAL))
		return;
	OK(mkfifo("p", 0644));
	WANT(EINVAL, truncate("p", 0));
}

static void truncate_needs_write_permission(void)
{
	t_put("f", "guarded");
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	AS(&bob) TIMES(0, "f", EACCES, truncate("f", 0));
	OK(chmod("f", 0444));
	AS(&alice) WANT(EACCES, truncate("f", 0));
	CHECK(t_holds("f", "guarded"));
	OK(chmod("f", 0200));
	AS(&alice) OK(truncate("f", 3));
	EQ(t_stat("f").st_size, 3);
	OK(mkdir("d", 0755));
	OK(chown("d", alice.uid, alice.gid));
	AS(&alice)
	{
		t_put("d/f", "x");
		OK(chmod("d", 0600));
		WANT(EACCES, truncate("d/f", 0));
	}
}

static void a_read_only_mode_does_not_stop_an_open_handle(void)
{
	OK(mkdir("d", 0777));
	AS(&alice)
	{
		int fd = open("d/f", O_CREAT | O_RDWR, 0);

		OK(fd);
		OK(ftruncate(fd, 5));
		EQ(t_fstat(fd).st_size, 5);
		OK(close(fd));
	}
}

static void the_file_size_limit_is_obeyed(void)
{
	struct rlimit old;
	struct rlimit small;

	OK(getrlimit(RLIMIT_FSIZE, &old));
	small = old;
	small.rlim_cur = 8192;
	signal(SIGXFSZ, SIG_IGN);
	t_put("f", "x");
	int fd = t_open("f", O_WRONLY);

	OK(setrlimit(RLIMIT_FSIZE, &small));
	WANT(EFBIG, truncate("f", 8193));
	WANT(EFBIG, ftruncate(fd, 100000));
	OK(truncate("f", 8192));
	WANT(EFBIG, pwrite(fd, "y", 1, 8192));
	EQ(pwrite(fd, "yy", 2, 8191), 1);
	OK(setrlimit(RLIMIT_FSIZE, &old));
	EQ(t_stat("f").st_size, 8192);
	OK(close(fd));
}

static void other_handles_see_the_cut(void)
{
	char buf[16];

	t_put("f", "0123456789");
	int a = t_open("f", O_RDWR);
	int b = t_open("f", O_RDWR);

	EQ(pread(b, buf, 16, 0), 10);
	OK(ftruncate(a, 4));
	EQ(t_fstat(b).st_size, 4);
	EQ(pread(b, buf, 16, 0), 4);
	OK(ftruncate(a, 8));
	EQ(pread(b, buf, 16, 0), 8);
	CHECK(memcmp(buf, "0123\0\0\0\0", 8) == 0);
	EQ(pwrite(b, "Z", 1, 6), 1);
	OK(truncate("f", 7));
	EQ(pread(a, buf, 16, 0), 7);
	CHECK(memcmp(buf, "0123\0\0Z", 7) == 0);
	OK(close(a));
	OK(close(b));
	EQ(t_stat("f").st_size, 7);
}

static void stale_bytes_do_not_return_after_a_cut(void)
{
	enum { LEN = 300000 };
	char *buf = malloc(LEN);

	if (!buf)
		abort();
	memset(buf, 'S', LEN);
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	EQ(write(fd, buf, LEN), LEN);
	OK(ftruncate(fd, 1000));
	OK(ftruncate(fd, LEN));
	EQ(pread(fd, buf, LEN, 0), LEN);
	CHECK(buf[999] == 'S');
	long stale = 0;

	for (int i = 1000; i < LEN; i++)
		stale += buf[i] != 0;
	EQ(stale, 0);
	OK(close(fd));
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, buf, LEN, 0), LEN);
	stale = 0;
	for (int i = 1000; i < LEN; i++)
		stale += buf[i] != 0;
	EQ(stale, 0);
	OK(close(fd));
	free(buf);
}

const struct t_case truncate_tests[] = {
	T(truncate_cuts_and_extends_with_zeroes),
	T(ftruncate_works_on_the_handle),
	T(truncate_of_odd_sizes),
	T(truncate_moves_times),
	T(truncate_path_errors),
	T(truncate_needs_write_permission),
	T(a_read_only_mode_does_not_stop_an_open_handle),
	T(the_file_size_limit_is_obeyed),
	T(other_handles_see_the_cut),
	T(stale_bytes_do_not_return_after_a_cut),
	{ NULL, NULL },
};
