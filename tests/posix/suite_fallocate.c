// SPDX-License-Identifier: MIT
// posix_suite: fallocate, and lseek for data and holes. Run by suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

enum { LEN = 100000 };

static int filled(const char *name)
{
	char *buf = malloc(LEN);
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (!buf)
		abort();
	memset(buf, 'F', LEN);
	EQ(write(fd, buf, LEN), LEN);
	free(buf);
	return fd;
}

// How many bytes of [from, to) differ from C.
static long differing(int fd, off_t from, off_t to, char c)
{
	size_t len = (size_t)(to - from);
	char *buf = malloc(len);
	long n = 0;

	if (!buf)
		abort();
	EQ(pread(fd, buf, len, from), len);
	for (size_t i = 0; i < len; i++)
		n += buf[i] != c;
	free(buf);
	return n;
}

static void allocation_extends_and_keeps_content(void)
{
	int fd = filled("f");

	TIMES(T_C | T_M_ANY, "f", 0, fallocate(fd, 0, LEN - 10, 5010));
	EQ(t_fstat(fd).st_size, LEN + 5000);
	EQ(differing(fd, 0, LEN, 'F'), 0);
	EQ(differing(fd, LEN, LEN + 5000, 0), 0);
	OK(fallocate(fd, 0, 0, 100));
	EQ(t_fstat(fd).st_size, LEN + 5000);
	OK(close(fd));
	EQ(t_stat("f").st_size, LEN + 5000);
	fd = t_open("f", O_RDONLY);
	EQ(differing(fd, 0, LEN, 'F'), 0);
	EQ(differing(fd, LEN, LEN + 5000, 0), 0);
	OK(close(fd));
}

static void allocation_with_keep_size_leaves_the_size(void)
{
	int fd = filled("f");
	int err = SYS(fallocate(fd, FALLOC_FL_KEEP_SIZE, LEN, 100000));

	CHECK(err == 0 || err == EOPNOTSUPP);
	EQ(t_fstat(fd).st_size, LEN);
	EQ(differing(fd, 0, LEN, 'F'), 0);
	OK(close(fd));
	EQ(t_stat("f").st_size, LEN);
}

static void a_punched_hole_reads_as_zeroes(void)
{
	int fd = filled("f");
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	TIMES(T_C | T_M_ANY, "f", 0, fallocate(fd, mode, 1000, 50000));
	EQ(t_fstat(fd).st_size, LEN);
	EQ(differing(fd, 0, 1000, 'F'), 0);
	EQ(differing(fd, 1000, 51000, 0), 0);
	EQ(differing(fd, 51000, LEN, 'F'), 0);
	OK(fallocate(fd, mode, LEN - 100, 100000));
	EQ(t_fstat(fd).st_size, LEN);
	OK(fallocate(fd, mode, LEN + 1000, 1000));
	EQ(t_fstat(fd).st_size, LEN);
	EQ(pwrite(fd, "W", 1, 2000), 1);
	OK(close(fd));
	fd = t_open("f", O_RDONLY);
	EQ(differing(fd, 0, 1000, 'F'), 0);
	EQ(differing(fd, 1000, 51000, 0), 1);
	EQ(differing(fd, 51000, LEN - 100, 'F'), 0);
	EQ(differing(fd, LEN - 100, LEN, 0), 0);
	OK(close(fd));
}

static void a_zeroed_range_reads_as_zeroes(void)
{
	int fd = filled("f");
	int err = SYS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 10, 20));

	CHECK(err == 0 || err == EOPNOTSUPP);
	if (err) {
		t_skip("no FALLOC_FL_ZERO_RANGE here");
		OK(close(fd));
		return;
	}
	EQ(differing(fd, 0, 10, 'F'), 0);
	EQ(differing(fd, 10, 30, 0), 0);
	EQ(differing(fd, 30, LEN, 'F'), 0);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, LEN - 5, 10));
	EQ(t_fstat(fd).st_size, LEN + 5);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, LEN, 99));
	EQ(t_fstat(fd).st_size, LEN + 5);
	OK(close(fd));
}

static void fallocate_errors(void)
{
	int fd = filled("f");
	int ro = t_open("f", O_RDONLY);
	int dir = t_open(".", O_RDONLY);

	WANT(EINVAL, fallocate(fd, 0, 0, 0));
	WANT(EINVAL, fallocate(fd, 0, -1, 10));
	WANT(EINVAL, fallocate(fd, 0, 0, -1));
	WANT(EBADF, fallocate(ro, 0, 0, 10));
	WANT(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	WANT(EBADF, fallocate(dir, 0, 0, 10));
	WANT(EBADF, fallocate(-1, 0, 0, 10));
	EQ(posix_fallocate(fd, 0, LEN + 1), 0);
	EQ(t_fstat(fd).st_size, LEN + 1);
	OK(close(fd));
	OK(close(ro));
	OK(close(dir));
}

// The extents that lseek reports must tile the file, and what it calls a
// hole must read as zeroes.
static void judge_extents(int fd)
{
	off_t size = t_fstat(fd).st_size;
	off_t at = 0;
	int steps = 0;

	while (at < size && steps++ < 1000) {
		off_t data = lseek(fd, at, SEEK_DATA);

		if (data < 0) {
			EQ(errno, ENXIO);
			data = size;
		}
		CHECK(data >= at && data <= size);
		if (data > at)
			EQ(differing(fd, at, data, 0), 0);
		if (data >= size)
			break;
		off_t hole = lseek(fd, data, SEEK_HOLE);

		CHECK(hole > data && hole <= size);
		if (hole <= data)
			break;
		at = hole;
	}
	CHECK(steps < 1000);
	WANT(ENXIO, (int)lseek(fd, size, SEEK_DATA));
	WANT(ENXIO, (int)lseek(fd, size + 1, SEEK_HOLE));
	WANT(ENXIO, (int)lseek(fd, size, SEEK_HOLE));
}

static void data_and_holes_tile_the_file(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	EQ(pwrite(fd, "one", 3, 0), 3);
	EQ(pwrite(fd, "two", 3, 500000), 3);
	OK(ftruncate(fd, 900000));
	judge_extents(fd);
	OK(fsync(fd));
	judge_extents(fd);
	OK(close(fd));
	fd = t_open("f", O_RDWR);
	judge_extents(fd);
	EQ(pwrite(fd, "three", 5, 700000), 5);
	judge_extents(fd);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		     600000));
	judge_extents(fd);
	OK(close(fd));
	fd = filled("g");
	EQ(lseek(fd, 0, SEEK_DATA), 0);
	EQ(lseek(fd, 10, SEEK_HOLE), LEN);
	judge_extents(fd);
	OK(close(fd));
	fd = open("empty", O_CREAT | O_RDWR, 0644);
	judge_extents(fd);
	OK(ftruncate(fd, 10000));
	judge_extents(fd);
	OK(close(fd));
}

const struct t_case fallocate_tests[] = {
	T(allocation_extends_and_keeps_content),
	T(allocation_with_keep_size_leaves_the_size),
	T(a_punched_hole_reads_as_zeroes),
	T(a_zeroed_range_reads_as_zeroes),
	T(fallocate_errors),
	T(data_and_holes_tile_the_file),
	{ NULL, NULL },
};
