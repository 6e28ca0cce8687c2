// SPDX-License-Identifier: MIT
// posix_suite: mtime and ctime of reads and writes, and the identity of a
// file (st_ino, d_ino, d_type) over its life. Times of the other calls are
// judged in the suite of the call. Run by suite_main.c.
#include "config.h"

#include <dirent.h>
#include <time.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void write_moves_mtime_and_ctime(void)
{
	t_put("f", "x");
	int fd = t_open("f", O_RDWR);
	char buf[4];

	TIMES(T_MC, "f", 0, pwrite(fd, "y", 1, 0));
	TIMES(T_MC, "f", 0, pwrite(fd, "same size", 9, 0));
	TIMES(0, ".", 0, pwrite(fd, "z", 1, 0));
	TIMES(0, "f", 0, pwrite(fd, "", 0, 0));
	TIMES(0, "f", 0, pread(fd, buf, sizeof(buf), 0));
	TIMES(0, "f", 0, fsync(fd));
	TIMES(0, "f", 0, close(fd));
}

static void reading_and_listing_moves_nothing(void)
{
	OK(mkdir("d", 0755));
	t_put("d/f", "x");
	TIMES(0, "d/f", 0, t_holds("d/f", "x") ? 0 : -1);
	TIMES(0, "d/f", 0, access("d/f", R_OK));
	DIR *dir = opendir("d");

	TIMES(0, "d", 0, readdir(dir) ? 0 : -1);
	OK(closedir(dir));
	TIMES(0, "d", ENOENT, access("d/none", F_OK));
	TIMES(0, "d", 0, chdir("d"));
}

static void close_keeps_the_mtime_of_the_last_write(void)
{
	int fd = open("f", O_CREAT | O_WRONLY, 0644);

	EQ(write(fd, "a", 1), 1);
	struct stat open_st = t_fstat(fd);

	TIMES(0, "f", 0, close(fd));
	struct stat closed = t_stat("f");

	EQ(t_compare_time(&closed.st_mtim, &open_st.st_mtim), 0);
	TIMES(0, "f", 0, t_try_open("f", O_RDWR));
}

static void new_files_have_the_time_of_now(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		struct timespec before;
		struct timespec after;

		clock_gettime(CLOCK_REALTIME, &before);
		OK(t_make("n", (enum t_type)i, 0644));
		clock_gettime(CLOCK_REALTIME, &after);
		struct stat st = t_lstat("n");

		CHECK(st.st_mtim.tv_sec >= before.tv_sec - 1);
		CHECK(st.st_mtim.tv_sec <= after.tv_sec + 1);
		CHECK(st.st_ctim.tv_sec >= before.tv_sec - 1);
		CHECK(st.st_ctim.tv_sec <= after.tv_sec + 1);
		OK(t_remove("n"));
	}
}

static void inode_numbers_survive_the_life_of_a_file(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	ino_t ino = t_fstat(fd).st_ino;

	CHECK(ino != 0);
	EQ(t_stat("f").st_ino, ino);
	EQ(write(fd, "abc", 3), 3);
	EQ(t_stat("f").st_ino, ino);
	OK(close(fd));
	EQ(t_stat("f").st_ino, ino);
	t_put("f", "rewritten");
	EQ(t_stat("f").st_ino, ino);
	OK(rename("f", "g"));
	EQ(t_stat("g").st_ino, ino);
	OK(mkdir("d", 0755));
	OK(rename("g", "d/g"));
	OK(truncate("d/g", 1));
	OK(chmod("d/g", 0600));
	EQ(t_stat("d/g").st_ino, ino);
	ino_t dir = t_stat("d").st_ino;

	OK(rename("d", "e"));
	EQ(t_stat("e").st_ino, dir);
	EQ(t_stat("e/g").st_ino, ino);
}

static void a_replaced_name_has_the_inode_of_its_new_file(void)
{
	t_put("a", "A");
	t_put("b", "B");
	ino_t a = t_stat("a").st_ino;
	ino_t b = t_stat("b").st_ino;

	CHECK(a != b);
	OK(rename("a", "b"));
	EQ(t_stat("b").st_ino, a);
	t_put("a", "again");
	CHECK(t_stat("a").st_ino != a);
}

static void directory_entries_agree_with_stat(void)
{
	char name[32];
	int seen = 0;

	for (int i = 0; i < t_n_types(); i++) {
		snprintf(name, sizeof(name), "n-%s", t_type_name[i]);
		OK(t_make(name, (enum t_type)i, 0644));
	}
	DIR *dir = opendir(".");
	const struct dirent *e;

	CHECK(dir != NULL);
	while (dir && (e = readdir(dir))) {
		struct stat st = t_lstat(e->d_name);

		if (strcmp(e->d_name, "..") == 0)
			continue;
		CHECK(e->d_type == DT_UNKNOWN ||
		      e->d_type == (st.st_mode & S_IFMT) >> 12);
		EQ(e->d_ino, st.st_ino);
		seen += strcmp(e->d_name, ".") != 0;
	}
	EQ(seen, t_n_types());
	OK(closedir(dir));
}

static void link_counts_of_directories_are_one_or_real(void)
{
	OK(mkdir("d", 0755));
	nlink_t empty = t_stat("d").st_nlink;

	CHECK(empty == 1 || empty == 2);
	OK(mkdir("d/a", 0755));
	OK(mkdir("d/b", 0755));
	nlink_t two = t_stat("d").st_nlink;

	CHECK(two == 1 || two == 4);
	OK(rename("d/a", "a"));
	OK(rmdir("d/b"));
	CHECK(t_stat("d").st_nlink == empty);
}

static void sizes_and_blocks_make_sense(void)
{
	char buf[8192];

	memset(buf, 'b', sizeof(buf));
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	OK(fsync(fd));
	struct stat st = t_fstat(fd);

	EQ(st.st_size, 8192);
	CHECK(st.st_blocks >= 1);
	CHECK(st.st_blksize >= 512);
	OK(close(fd));
	OK(t_create("empty", 0, 0644));
	EQ(t_stat("empty").st_size, 0);
}

const struct t_case times_tests[] = {
	T(write_moves_mtime_and_ctime),
	T(reading_and_listing_moves_nothing),
	T(close_keeps_the_mtime_of_the_last_write),
	T(new_files_have_the_time_of_now),
	T(inode_numbers_survive_the_life_of_a_file),
	T(a_replaced_name_has_the_inode_of_its_new_file),
	T(directory_entries_agree_with_stat),
	T(link_counts_of_directories_are_one_or_real),
	T(sizes_and_blocks_make_sense),
	{ NULL, NULL },
};
