// SPDX-License-Identifier: MIT
// posix_suite: mappings of files. Run by suite_main.c.
#include "config.h"

#include <sys/mman.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

enum { PAGE = 4096, LEN = 10 * PAGE };

static int lettered(const char *name)
{
	char *buf = malloc(LEN);
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (!buf)
		abort();
	for (int i = 0; i < LEN; i++)
		buf[i] = (char)('a' + i / PAGE);
	EQ(write(fd, buf, LEN), LEN);
	free(buf);
	return fd;
}

static char *mapped(int fd, int prot, int flags)
{
	char *map = mmap(NULL, LEN, prot, flags, fd, 0);

	CHECK(map != MAP_FAILED);
	if (map == MAP_FAILED)
		_exit(3);
	return map;
}

static void a_mapping_reads_the_file(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ, MAP_PRIVATE);

	for (int i = 0; i < LEN; i += PAGE)
		EQ(map[i], 'a' + i / PAGE);
	OK(close(fd));
	EQ(map[LEN - 1], 'j');
	OK(munmap(map, LEN));
}

static void shared_writes_and_reads_agree(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char c = 0;

	map[PAGE + 1] = 'M';
	EQ(pread(fd, &c, 1, PAGE + 1), 1);
	EQ(c, 'M');
	EQ(pwrite(fd, "W", 1, 2 * PAGE), 1);
	EQ(map[2 * PAGE], 'W');
	map[2 * PAGE + 1] = 'X';
	EQ(pwrite(fd, "Y", 1, 2 * PAGE + 2), 1);
	OK(msync(map, LEN, MS_SYNC));
	EQ(map[2 * PAGE], 'W');
	EQ(map[2 * PAGE + 1], 'X');
	EQ(map[2 * PAGE + 2], 'Y');
	OK(munmap(map, LEN));
	OK(close(fd));
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, &c, 1, PAGE + 1), 1);
	EQ(c, 'M');
	EQ(pread(fd, &c, 1, 2 * PAGE + 1), 1);
	EQ(c, 'X');
	EQ(pread(fd, &c, 1, PAGE), 1);
	EQ(c, 'b');
	OK(close(fd));
}

static void a_mapping_written_after_close_reaches_the_file(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char c = 0;

	OK(close(fd));
	map[0] = 'L';
	map[LEN - 1] = 'Z';
	OK(msync(map, LEN, MS_SYNC));
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, &c, 1, 0), 1);
	EQ(c, 'L');
	map[PAGE] = 'Q';
	EQ(pread(fd, &c, 1, PAGE), 1);
	EQ(c, 'Q');
	OK(munmap(map, LEN));
	OK(close(fd));
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, &c, 1, PAGE), 1);
	EQ(c, 'Q');
	EQ(pread(fd, &c, 1, LEN - 1), 1);
	EQ(c, 'Z');
	OK(close(fd));
	EQ(t_stat("f").st_size, LEN);
}

static void private_writes_stay_private(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char c = 0;

	map[0] = 'P';
	EQ(pread(fd, &c, 1, 0), 1);
	EQ(c, 'a');
	OK(munmap(map, LEN));
	OK(close(fd));
	fd = t_open("f", O_RDONLY);
	EQ(pread(fd, &c, 1, 0), 1);
	EQ(c, 'a');
	OK(close(fd));
}

static void two_processes_share_a_mapping(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t pid = fork();

	if (pid == 0) {
		int own = open("f", O_RDWR);
		char *mine = mapped(own, PROT_READ | PROT_WRITE, MAP_SHARED);

		mine[3 * PAGE] = 'C';
		_exit(0);
	}
	t_reap(pid);
	EQ(map[3 * PAGE], 'C');
	OK(munmap(map, LEN));
	OK(close(fd));
}

static void a_mapping_of_an_unlinked_file_lives_on(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(unlink("f"));
	OK(close(fd));
	EQ(map[5 * PAGE], 'f');
	map[5 * PAGE] = 'U';
	EQ(map[5 * PAGE], 'U');
	OK(munmap(map, LEN));
	CHECK(!t_exists("f"));
}

static void the_tail_of_the_last_page_is_zero(void)
{
	t_put("f", "short");
	int fd = t_open("f", O_RDWR);
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	if (map == MAP_FAILED)
		return;
	CHECK(memcmp(map, "short\0\0\0", 8) == 0);
	map[0] = 'S';
	OK(msync(map, PAGE, MS_SYNC));
	EQ(t_fstat(fd).st_size, 5);
	OK(munmap(map, PAGE));
	OK(close(fd));
	CHECK(t_holds("f", "Short"));
}

static void a_grown_file_shows_in_its_mapping(void)
{
	t_put("f", "x");
	int fd = t_open("f", O_RDWR);
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(ftruncate(fd, LEN));
	EQ(map[LEN - 1], 0);
	map[LEN - 1] = 'E';
	EQ(pwrite(fd, "W", 1, 4 * PAGE), 1);
	EQ(map[4 * PAGE], 'W');
	OK(ftruncate(fd, PAGE));
	OK(ftruncate(fd, LEN));
	EQ(map[4 * PAGE], 0);
	EQ(map[LEN - 1], 0);
	OK(munmap(map, LEN));
	OK(close(fd));
}

static void a_mapped_write_moves_mtime_by_msync(void)
{
	int fd = lettered("f");
	char *map = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct t_times t = t_times_of("f");

	map[0] = 'N';
	OK(msync(map, LEN, MS_SYNC));
	t_times_judge(&t, T_MC, __FILE__, __LINE__);
	OK(munmap(map, LEN));
	OK(close(fd));
}

static void protections_follow_the_open_mode(void)
{
	int fd = lettered("f");

	OK(close(fd));
	int r = t_open("f", O_RDONLY);
	int w = t_open("f", O_WRONLY);

	CHECK(mmap(NULL, LEN, PROT_WRITE, MAP_SHARED, r, 0) == MAP_FAILED);
	EQ(errno, EACCES);
	CHECK(mmap(NULL, LEN, PROT_READ, MAP_SHARED, w, 0) == MAP_FAILED);
	EQ(errno, EACCES);
	OK(close(r));
	OK(close(w));
}

const struct t_case mmap_tests[] = {
	T(a_mapping_reads_the_file),
	T(shared_writes_and_reads_agree),
	T(a_mapping_written_after_close_reaches_the_file),
	T(private_writes_stay_private),
	T(two_processes_share_a_mapping),
	T(a_mapping_of_an_unlinked_file_lives_on),
	T(the_tail_of_the_last_page_is_zero),
	T(a_grown_file_shows_in_its_mapping),
	T(a_mapped_write_moves_mtime_by_msync),
	T(protections_follow_the_open_mode),
	{ NULL, NULL },
};
