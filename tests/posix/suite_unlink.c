// SPDX-License-Identifier: MIT
// posix_suite: unlink, and the life of files without a name. Run by
// suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void unlink_removes_every_type_but_directories(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(i == T_DIR ? EISDIR : 0, unlink("n"));
		EQ(t_exists("n"), i == T_DIR);
		if (i == T_DIR)
			OK(rmdir("n"));
		WANT(ENOENT, unlink("n"));
	}
}

static void unlink_moves_the_times_of_parent_and_of_remaining_links(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	OK(mkdir("d", 0755));
	t_put("d/f", "x");
	OK(link("d/f", "g"));
	TIMES(T_MC, "d", 0, unlink("d/f"));
	OK(link("g", "d/f"));
	TIMES(T_C, "g", 0, unlink("d/f"));
	TIMES(0, "d", ENOENT, unlink("d/f"));
	EQ(t_stat("g").st_nlink, 1);
}

static void unlink_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	WANT(ENOENT, unlink("none"));
	WANT(ENOENT, unlink("none/x"));
	WANT(ENOENT, unlink(""));
	WANT(ENOTDIR, unlink("f/x"));
	WANT(ENOTDIR, unlink("f/"));
	WANT(ENAMETOOLONG, unlink(t_long(name, 256, 'n')));
	WANT(ENAMETOOLONG, unlink(t_long(path, 4096, 'p')));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, unlink("loop1/x"));
	OK(unlink("loop1"));
	CHECK(!t_exists("loop1"));
	CHECK(t_holds("f", "x"));
}

static void unlink_needs_permission_on_the_directory(void)
{
	OK(mkdir("d", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("d", alice.uid, alice.gid));
	AS(&alice) t_put("d/f", "x");
	AS(&bob) TIMES(0, "d/f", EACCES, unlink("d/f"));
	AS(&alice)
	{
		OK(chmod("d", 0555));
		WANT(EACCES, unlink("d/f"));
		OK(chmod("d", 0600));
		WANT(EACCES, unlink("d/f"));
		OK(chmod("d", 0700));
		OK(chmod("d/f", 0));
		OK(unlink("d/f"));
	}
	OK(chmod("d", 0777));
	t_put("d/roots", "x");
	AS(&bob) OK(unlink("d/roots"));
	CHECK(!t_exists("d/roots"));
}

static void an_unlinked_file_stays_readable_and_writable(void)
{
	char buf[32];

	t_put("f", "still here");
	int fd = t_open("f", O_RDWR);
	ino_t ino = t_fstat(fd).st_ino;

	OK(unlink("f"));
	WANT(ENOENT, open("f", O_RDONLY));
	EQ(t_fstat(fd).st_nlink, 0);
	EQ(t_fstat(fd).st_ino, ino);
	EQ(read(fd, buf, sizeof(buf)), 10);
	CHECK(memcmp(buf, "still here", 10) == 0);
	EQ(write(fd, " and more", 9), 9);
	EQ(t_fstat(fd).st_size, 19);
	EQ(pread(fd, buf, sizeof(buf), 6), 13);
	CHECK(memcmp(buf, "here and more", 13) == 0);
	OK(ftruncate(fd, 5));
	OK(fchmod(fd, 0600));
	OK(fsync(fd));
	EQ(t_fstat(fd).st_size, 5);
	EQ(t_fstat(fd).st_mode & 0777, 0600);
	OK(close(fd));
	CHECK(!t_exists("f"));
}

static void what_is_open_is_read_after_its_mode_and_name_are_gone(void)
{
	char buf[16];

	t_put("f", "still here");
	int fd = t_open("f", O_RDWR);
	int writer = t_open("f", O_WRONLY);

	OK(chmod("f", 0));
	EQ(pread(fd, buf, sizeof(buf), 0), 10);
	CHECK(memcmp(buf, "still here", 10) == 0);
	OK(unlink("f"));
	EQ(pread(fd, buf, sizeof(buf), 0), 10);
	EQ(pwrite(writer, "S", 1, 0), 1);
	EQ(pread(fd, buf, sizeof(buf), 0), 10);
	CHECK(memcmp(buf, "Still here", 10) == 0);
	OK(close(writer));
	OK(close(fd));
}

static void a_file_that_nobody_may_read_is_removed_while_open(void)
{
	t_put("f", "x");
	OK(chmod("f", 0200));
	int fd = t_open("f", O_WRONLY);

	OK(unlink("f"));
	OK(close(fd));
	CHECK(!t_exists("f"));
}

static void unlinking_a_never_closed_file_leaves_no_name(void)
{
	OK(mkdir("d", 0755));
	int fd = open("d/f", O_CREAT | O_EXCL | O_RDWR, 0644);
	char buf[8];

	EQ(write(fd, "gone", 4), 4);
	OK(unlink("d/f"));
	EQ(t_fstat(fd).st_nlink, 0);
	EQ(pread(fd, buf, 8, 0), 4);
	// Whatever keeps the bytes must not keep the directory.
	OK(rmdir("d"));
	OK(close(fd));
	CHECK(!t_exists("d"));
}

static void a_name_can_be_reused_while_the_old_file_is_open(void)
{
	char buf[16];

	t_put("f", "first");
	int first = t_open("f", O_RDWR);

	OK(unlink("f"));
	t_put("f", "second");
	int second = t_open("f", O_RDWR);

	CHECK(t_fstat(first).st_ino != t_fstat(second).st_ino);
	EQ(pwrite(first, "F", 1, 0), 1);
	EQ(pread(first, buf, 16, 0), 5);
	CHECK(memcmp(buf, "First", 5) == 0);
	OK(close(first));
	CHECK(t_holds("f", "second"));
	OK(unlink("f"));
	OK(mkdir("f", 0755));
	EQ(pread(second, buf, 16, 0), 6);
	OK(close(second));
	CHECK(S_ISDIR(t_lstat("f").st_mode));
}

static void many_unlinked_files_stay_apart(void)
{
	enum { N = 40 };
	int fd[N];
	char c;

	for (int i = 0; i < N; i++) {
		fd[i] = open("same", O_CREAT | O_EXCL | O_RDWR, 0644);
		OK(fd[i]);
		c = (char)('A' + i % 26);
		EQ(write(fd[i], &c, 1), 1);
		OK(unlink("same"));
	}
	for (int i = 0; i < N; i++) {
		EQ(pread(fd[i], &c, 1, 0), 1);
		EQ(c, 'A' + i % 26);
		OK(close(fd[i]));
	}
}

static void an_unlinked_symlink_leaves_its_target(void)
{
	t_put("f", "kept");
	OK(symlink("f", "s"));
	OK(unlink("s"));
	CHECK(t_holds("f", "kept"));
}

static void an_unlinked_file_is_gone_for_a_forked_child_too(void)
{
	char buf[8];

	t_put("f", "shared");
	int fd = t_open("f", O_RDWR);

	OK(unlink("f"));
	pid_t pid = fork();

	if (pid == 0) {
		EQ(pwrite(fd, "child!", 6, 0), 6);
		OK(close(fd));
		_exit(t_exists("f"));
	}
	t_reap(pid);
	EQ(pread(fd, buf, 8, 0), 6);
	CHECK(memcmp(buf, "child!", 6) == 0);
	EQ(t_fstat(fd).st_nlink, 0);
	OK(close(fd));
}

const struct t_case unlink_tests[] = {
	T(unlink_removes_every_type_but_directories),
	T(unlink_moves_the_times_of_parent_and_of_remaining_links),
	T(unlink_path_errors),
	T(unlink_needs_permission_on_the_directory),
	T(an_unlinked_file_stays_readable_and_writable),
	T(what_is_open_is_read_after_its_mode_and_name_are_gone),
	T(a_file_that_nobody_may_read_is_removed_while_open),
	T(unlinking_a_never_closed_file_leaves_no_name),
	T(a_name_can_be_reused_while_the_old_file_is_open),
	T(many_unlinked_files_stay_apart),
	T(an_unlinked_symlink_leaves_its_target),
	T(an_unlinked_file_is_gone_for_a_forked_child_too),
	{ NULL, NULL },
};
