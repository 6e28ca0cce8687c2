// SPDX-License-Identifier: MIT
// posix_suite: copy_file_range and sendfile. Run by suite_main.c.
#include "config.h"

#include <sys/sendfile.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

enum { LEN = 300000 };

static int numbered(const char *name)
{
	char *buf = malloc(LEN);
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (!buf)
		abort();
	for (int i = 0; i < LEN; i++)
		buf[i] = (char)(i * 13 + (i >> 9));
	EQ(write(fd, buf, LEN), LEN);
	free(buf);
	return fd;
}

// Copies all of LEN bytes, however small the pieces are.
static long copy_all(int in, off_t *from, int out, off_t *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = copy_file_range(in, from, out, to, len - done, 0);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (long)done;
}

static bool same_range(int a, off_t at, int b, off_t bt, size_t len)
{
	char *x = malloc(len);
	char *y = malloc(len);

	if (!x || !y)
		abort();
	bool same = pread(a, x, len, at) == (ssize_t)len &&
		    pread(b, y, len, bt) == (ssize_t)len &&
		    memcmp(x, y, len) == 0;

	free(x);
	free(y);
	return same;
}

static void a_whole_file_is_copied(void)
{
	int in = numbered("in");
	int out = open("out", O_CREAT | O_RDWR, 0644);

	EQ(lseek(in, 0, SEEK_SET), 0);
	EQ(copy_all(in, NULL, out, NULL, LEN), LEN);
	EQ(lseek(in, 0, SEEK_CUR), LEN);
	EQ(lseek(out, 0, SEEK_CUR), LEN);
	CHECK(same_range(in, 0, out, 0, LEN));
	EQ(copy_all(in, NULL, out, NULL, 10), 0);
	OK(close(out));
	out = t_open("out", O_RDONLY);
	EQ(t_fstat(out).st_size, LEN);
	CHECK(same_range(in, 0, out, 0, LEN));
	OK(close(in));
	OK(close(out));
}

static void a_range_is_copied_into_the_middle(void)
{
	int in = numbered("in");
	int out = numbered("out");
	off_t from = 12345;
	off_t to = 100001;

	TIMES(T_MC, "out", 0,
	      copy_all(in, &from, out, &to, 50000) == 50000 ? 0 : -1);
	EQ(from, 62345);
	EQ(to, 150001);
	EQ(lseek(in, 0, SEEK_CUR), LEN);
	CHECK(same_range(in, 12345, out, 100001, 50000));
	CHECK(same_range(in, 0, out, 0, 100001));
	CHECK(same_range(in, 150001, out, 150001, LEN - 150001));
	from = 0;
	to = 400000;
	EQ(copy_all(in, &from, out, &to, 1000), 1000);
	EQ(t_fstat(out).st_size, 401000);
	char c = 'x';

	EQ(pread(out, &c, 1, LEN + 5), 1);
	EQ(c, 0);
	OK(close(in));
	OK(close(out));
}

static void a_copy_within_one_file(void)
{
	int fd = numbered("f");
	off_t from = 0;
	off_t to = LEN;

	EQ(copy_all(fd, &from, fd, &to, 1000), 1000);
	CHECK(same_range(fd, 0, fd, LEN, 1000));
	EQ(t_fstat(fd).st_size, LEN + 1000);
	from = 0;
	to = 500;
	WANT(EINVAL, copy_file_range(fd, &from, fd, &to, 1000, 0));
	OK(close(fd));
}

static void copying_stops_at_the_end_of_the_source(void)
{
	int in = numbered("in");
	int out = open("out", O_CREAT | O_RDWR, 0644);
	off_t from = LEN - 100;
	off_t to = 0;

	EQ(copy_all(in, &from, out, &to, 5000), 100);
	EQ(t_fstat(out).st_size, 100);
	from = LEN + 100;
	EQ(copy_all(in, &from, out, &to, 5000), 0);
	OK(close(in));
	OK(close(out));
}

static void copy_errors(void)
{
	int in = numbered("in");
	int ro = t_open("in", O_RDONLY);
	int wo = open("out", O_CREAT | O_WRONLY, 0644);
	int ap = t_open("out", O_WRONLY | O_APPEND);
	int dir = t_open(".", O_RDONLY);
	off_t from = 0;
	off_t to = 0;

	WANT(EBADF, copy_file_range(in, &from, ro, &to, 10, 0));
	WANT(EBADF, copy_file_range(wo, &from, in, &to, 10, 0));
	WANT(EBADF, copy_file_range(in, &from, ap, &to, 10, 0));
	WANT(EINVAL, copy_file_range(in, &from, wo, &to, 10, 1));
	WANT(EISDIR, copy_file_range(dir, &from, wo, &to, 10, 0));
	EQ(t_fstat(wo).st_size, 0);
	OK(close(in));
	OK(close(ro));
	OK(close(wo));
	OK(close(ap));
	OK(close(dir));
}

static void a_copy_of_bytes_not_yet_closed(void)
{
	int in = open("in", O_CREAT | O_RDWR, 0644);
	int out = open("out", O_CREAT | O_RDWR, 0644);
	off_t from = 0;
	off_t to = 0;

	EQ(write(in, "fresh bytes", 11), 11);
	EQ(copy_all(in, &from, out, &to, 11), 11);
	EQ(pwrite(in, "FRESH", 5, 0), 5);
	OK(close(in));
	OK(close(out));
	CHECK(t_holds("in", "FRESH bytes"));
	CHECK(t_holds("out", "fresh bytes"));
}

static void sendfile_copies(void)
{
	int in = numbered("in");
	int out = open("out", O_CREAT | O_RDWR, 0644);
	off_t from = 0;
	size_t done = 0;

	while (done < LEN) {
		ssize_t n = sendfile(out, in, &from, LEN - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	EQ(done, LEN);
	CHECK(same_range(in, 0, out, 0, LEN));
	OK(close(in));
	OK(close(out));
}

const struct t_case copy_tests[] = {
	T(a_whole_file_is_copied),
	T(a_range_is_copied_into_the_middle),
	T(a_copy_within_one_file),
	T(copying_stops_at_the_end_of_the_source),
	T(copy_errors),
	T(a_copy_of_bytes_not_yet_closed),
	T(sendfile_copies),
	{ NULL, NULL },
};
