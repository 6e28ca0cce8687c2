// SPDX-License-Identifier: MIT
// posix_suite: reading and writing: overlapping handles, sparse writes,
// vectors, large requests, what other handles and processes see. Run by
// suite_main.c.
#include "config.h"

#include <sys/uio.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void overlapping_writes_through_two_handles(void)
{
	char buf[32];
	int a = open("f", O_CREAT | O_RDWR, 0644);
	int b = t_open("f", O_RDWR);

	EQ(pwrite(a, "aaaaaaaaaa", 10, 0), 10);
	EQ(pwrite(b, "bbbb", 4, 3), 4);
	EQ(pwrite(a, "cc", 2, 5), 2);
	EQ(pwrite(b, "dd", 2, 9), 2);
	EQ(pread(a, buf, sizeof(buf), 0), 11);
	CHECK(memcmp(buf, "aaabbccaadd", 11) == 0);
	OK(close(a));
	EQ(pread(b, buf, sizeof(buf), 0), 11);
	CHECK(memcmp(buf, "aaabbccaadd", 11) == 0);
	EQ(pwrite(b, "E", 1, 0), 1);
	OK(close(b));
	CHECK(t_holds("f", "Eaabbccaadd"));
}

static void a_reader_sees_a_write_at_once(void)
{
	char buf[16];

	t_put("f", "0000000000");
	int r = t_open("f", O_RDONLY);
	int w = t_open("f", O_WRONLY);

	EQ(pread(r, buf, 10, 0), 10);
	for (char c = '1'; c <= '9'; c++) {
		EQ(pwrite(w, &c, 1, c - '0'), 1);
		EQ(pread(r, buf, 1, c - '0'), 1);
		EQ(buf[0], c);
	}
	EQ(pwrite(w, "tail", 4, 10), 4);
	EQ(t_fstat(r).st_size, 14);
	EQ(pread(r, buf, 16, 8), 6);
	CHECK(memcmp(buf, "89tail", 6) == 0);
	OK(close(r));
	OK(close(w));
}

static void another_process_sees_a_write_before_close(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	EQ(write(fd, "visible", 7), 7);
	pid_t pid = fork();

	if (pid == 0) {
		close(fd);
		EQ(t_stat("f").st_size, 7);
		CHECK(t_holds("f", "visible"));
		int own = t_open("f", O_WRONLY);

		EQ(pwrite(own, "V", 1, 0), 1);
		OK(close(own));
		_exit(0);
	}
	t_reap(pid);
	char buf[8];

	EQ(pread(fd, buf, 8, 0), 7);
	CHECK(memcmp(buf, "Visible", 7) == 0);
	OK(close(fd));
	CHECK(t_holds("f", "Visible"));
}

static void sparse_writes_read_as_zeroes(void)
{
	enum { FAR = 3000000 };
	char *buf = malloc(FAR + 16);
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	if (!buf)
		abort();
	EQ(pwrite(fd, "end", 3, FAR), 3);
	EQ(pwrite(fd, "mid", 3, 100001), 3);
	EQ(t_fstat(fd).st_size, FAR + 3);
	OK(close(fd));
	EQ(t_stat("f").st_size, FAR + 3);
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, buf, FAR + 16, 0), FAR + 3);
	CHECK(memcmp(buf + 100001, "mid", 3) == 0);
	CHECK(memcmp(buf + FAR, "end", 3) == 0);
	long other = 0;

	for (int i = 0; i < FAR; i++)
		other += buf[i] != 0;
	EQ(other, 3);
	OK(close(fd));
	free(buf);
}

static void a_large_hole_reads_as_zeroes_and_is_cut_again(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	off_t far = (off_t)700 << 20;
	char c = 'x';

	EQ(pwrite(fd, "far", 3, far), 3);
	EQ(t_fstat(fd).st_size, far + 3);
	EQ(pread(fd, &c, 1, far - 1), 1);
	EQ(c, 0);
	OK(ftruncate(fd, 10));
	OK(close(fd));
	EQ(t_stat("f").st_size, 10);
}

static void vectors_are_read_and_written(void)
{
	char a[4] = "";
	char b[8] = "";
	char one[] = "one";
	char two[] = "twotwo";
	struct iovec out[2] = { { one, 3 }, { two, 6 } };
	struct iovec in[2] = { { a, 3 }, { b, 6 } };
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	EQ(writev(fd, out, 2), 9);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	EQ(readv(fd, in, 2), 9);
	CHECK(memcmp(a, "one", 3) == 0);
	CHECK(memcmp(b, "twotwo", 6) == 0);
	OK(close(fd));
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static void requests_of_many_sizes_come_back_whole(void)
{
	enum { LEN = 4 << 20 };
	static const size_t steps[] = { 1 << 20, 1 << 17, 4097, 65535, LEN };
	unsigned char *buf = malloc(LEN);

	if (!buf)
		abort();
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		int fd = open("f", O_CREAT | O_TRUNC | O_WRONLY, 0644);

		for (size_t i = 0; i < LEN; i++)
			buf[i] = (unsigned char)(pattern(i) + s);
		for (size_t at = 0; at < LEN; at += steps[s]) {
			size_t n = LEN - at < steps[s] ? LEN - at : steps[s];

			if (write(fd, buf + at, n) != (ssize_t)n)
				CHECK(!"short write");
		}
		OK(close(fd));
		memset(buf, 0, LEN);
		fd = t_open("f", O_RDONLY);
		for (size_t at = 0; at < LEN; at += steps[s]) {
			size_t n = LEN - at < steps[s] ? LEN - at : steps[s];

			if (read(fd, buf + at, n) != (ssize_t)n)
				CHECK(!"short read");
		}
		OK(close(fd));
		long wrong = 0;

		for (size_t i = 0; i < LEN; i++)
			wrong += buf[i] != (unsigned char)(pattern(i) + s);
		EQ(wrong, 0);
	}
	free(buf);
}

static void edits_in_the_middle_keep_the_rest(void)
{
	enum { LEN = 1 << 20 };
	char *buf = malloc(LEN);
	char *back = malloc(LEN);

	if (!buf || !back)
		abort();
	for (size_t i = 0; i < LEN; i++)
		buf[i] = (char)pattern(i);
	int fd = open("f", O_CREAT | O_WRONLY, 0644);

	EQ(write(fd, buf, LEN), LEN);
	OK(close(fd));
	for (off_t at = 5; at < LEN - 10; at += 99991) {
		fd = t_open("f", O_WRONLY);
		EQ(pwrite(fd, "EDIT", 4, at), 4);
		memcpy(buf + at, "EDIT", 4);
		OK(close(fd));
	}
	fd = t_open("f", O_RDONLY);
	EQ(read(fd, back, LEN), LEN);
	CHECK(memcmp(buf, back, LEN) == 0);
	OK(close(fd));
	free(buf);
	free(back);
}

static void bad_buffers_and_offsets_are_refused(void)
{
	char c = 'c';

	t_put("f", "kept");
	int fd = t_open("f", O_RDWR);

	WANT(EINVAL, pwrite(fd, &c, 1, -1));
	WANT(EINVAL, pread(fd, &c, 1, -1));
	EQ(pwrite(fd, &c, 0, 100), 0);
	EQ(t_fstat(fd).st_size, 4);
	EQ(pread(fd, &c, 0, 0), 0);
	OK(close(fd));
	CHECK(t_holds("f", "kept"));
}

static void a_descriptor_passed_to_a_child_shares_its_offset(void)
{
	int fd = open("f", O_CREAT | O_WRONLY, 0644);

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(write(fd, "child ", 6) != 6);
		t_reap(pid);
		EQ(write(fd, "parent ", 7), 7);
	}
	OK(close(fd));
	CHECK(t_holds("f", "child parent child parent child parent "));
}

static void two_commands_into_one_redirection(void)
{
	t_put("f", "old content that is longer than the new one");
	EQ(system("{ echo a; echo b; cat /dev/null; echo c; } > f"), 0);
	CHECK(t_holds("f", "a\nb\nc\n"));
	EQ(system("echo d >> f; (echo e; echo f) >> f"), 0);
	CHECK(t_holds("f", "a\nb\nc\nd\ne\nf\n"));
	EQ(system("printf XX | dd of=f bs=1 seek=2 conv=notrunc 2>/dev/null"),
	   0);
	CHECK(t_holds("f", "a\nXXc\nd\ne\nf\n"));
	EQ(system("exec 3>f; echo 1 >&3; echo 2 >&3; exec 3>&-"), 0);
	CHECK(t_holds("f", "1\n2\n"));
}

const struct t_case write_tests[] = {
	T(overlapping_writes_through_two_handles),
	T(a_reader_sees_a_write_at_once),
	T(another_process_sees_a_write_before_close),
	T(sparse_writes_read_as_zeroes),
	T(a_large_hole_reads_as_zeroes_and_is_cut_again),
	T(vectors_are_read_and_written),
	T(requests_of_many_sizes_come_back_whole),
	T(edits_in_the_middle_keep_the_rest),
	T(bad_buffers_and_offsets_are_refused),
	T(a_descriptor_passed_to_a_child_shares_its_offset),
	T(two_commands_into_one_redirection),
	{ NULL, NULL },
};
