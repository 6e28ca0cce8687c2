// SPDX-License-Identifier: MIT
// posix_suite: O_APPEND, from one and from several processes. Run by
// suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void append_goes_to_the_end_whatever_the_offset(void)
{
	char buf[16];

	t_put("f", "start");
	int fd = t_open("f", O_RDWR | O_APPEND);

	EQ(lseek(fd, 0, SEEK_SET), 0);
	EQ(write(fd, "+one", 4), 4);
	EQ(lseek(fd, 0, SEEK_CUR), 9);
	EQ(lseek(fd, 2, SEEK_SET), 2);
	EQ(read(fd, buf, 3), 3);
	CHECK(memcmp(buf, "art", 3) == 0);
	EQ(write(fd, "+two", 4), 4);
	OK(ftruncate(fd, 5));
	EQ(write(fd, "+three", 6), 6);
	OK(close(fd));
	CHECK(t_holds("f", "start+three"));
}

static void append_sees_the_growth_by_another_handle(void)
{
	int a = open("f", O_CREAT | O_WRONLY | O_APPEND, 0644);
	int b = t_open("f", O_WRONLY | O_APPEND);

	for (int i = 0; i < 5; i++) {
		EQ(write(a, "a", 1), 1);
		EQ(write(b, "bb", 2), 2);
	}
	OK(close(a));
	EQ(write(b, "!", 1), 1);
	OK(close(b));
	CHECK(t_holds("f", "abbabbabbabbabb!"));
}

static void fcntl_switches_append_on_and_off(void)
{
	t_put("f", "0123");
	int fd = t_open("f", O_RDWR);

	EQ(write(fd, "A", 1), 1);
	OK(fcntl(fd, F_SETFL, O_APPEND));
	EQ(write(fd, "B", 1), 1);
	OK(fcntl(fd, F_SETFL, 0));
	EQ(pwrite(fd, "C", 1, 1), 1);
	OK(close(fd));
	CHECK(t_holds("f", "AC23B"));
}

enum { WRITERS = 4, LINES = 250 };

static int append_lines(int who)
{
	char line[32];
	int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644);

	if (fd < 0)
		return 1;
	for (int i = 0; i < LINES; i++) {
		int n = snprintf(line, sizeof(line), "%d %06d ........\n", who,
				 i);

		if (write(fd, line, (size_t)n) != n)
			return 2;
	}
	return close(fd) ? 3 : 0;
}

static void lines_of_several_processes_neither_mix_nor_vanish(void)
{
	pid_t pid[WRITERS];
	int next[WRITERS] = { 0 };
	long lines = 0;
	char line[64];

	for (int i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(append_lines(i));
	}
	for (int i = 0; i < WRITERS; i++)
		t_reap(pid[i]);
	FILE *f = fopen("log", "r");

	CHECK(f != NULL);
	while (f && fgets(line, sizeof(line), f)) {
		int who = -1;
		int n = -1;
		char rest[16] = "";

		lines++;
		if (sscanf(line, "%d %d %15s", &who, &n, rest) != 3 ||
		    who < 0 || who >= WRITERS || n != next[who] ||
		    strcmp(rest, "........") != 0) {
			CHECK(!"a line is torn or out of order");
			break;
		}
		next[who]++;
	}
	EQ(lines, WRITERS * LINES);
	if (f)
		OK(fclose(f));
}

static void open_append_close_from_two_processes(void)
{
	pid_t pid[2];

	for (int p = 0; p < 2; p++) {
		pid[p] = fork();
		if (pid[p] != 0)
			continue;
		for (int i = 0; i < 100; i++) {
			int fd = open("log", O_CREAT | O_WRONLY | O_APPEND,
				      0644);

			if (fd < 0 || write(fd, p ? "p\n" : "c\n", 2) != 2 ||
			    close(fd))
				_exit(1);
		}
		_exit(0);
	}
	t_reap(pid[0]);
	t_reap(pid[1]);
	EQ(t_stat("log").st_size, 400);
}

const struct t_case append_tests[] = {
	T(append_goes_to_the_end_whatever_the_offset),
	T(append_sees_the_growth_by_another_handle),
	T(fcntl_switches_append_on_and_off),
	T(lines_of_several_processes_neither_mix_nor_vanish),
	T(open_append_close_from_two_processes),
	{ NULL, NULL },
};
