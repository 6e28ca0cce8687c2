// SPDX-License-Identifier: MIT
// posix_suite: flock and fcntl locks between processes. Run by suite_main.c.
#include "config.h"

#include <signal.h>
#include <sys/file.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static struct flock region(short type, off_t start, off_t len)
{
	struct flock l;

	memset(&l, 0, sizeof(l));
	l.l_type = type;
	l.l_whence = SEEK_SET;
	l.l_start = start;
	l.l_len = len;
	return l;
}

static int lock_region(int fd, short type, off_t start, off_t len)
{
	struct flock l = region(type, start, len);

	return fcntl(fd, F_SETLK, &l);
}

// Runs CHECKS in a child with its own handle of "f".
static void in_child(void (*checks)(int fd))
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = t_open("f", O_RDWR);

		checks(fd);
		_exit(0);
	}
	t_reap(pid);
}

static void expect_flock_refused(int fd)
{
	WANT(EAGAIN, flock(fd, LOCK_EX | LOCK_NB));
	WANT(EAGAIN, flock(fd, LOCK_SH | LOCK_NB));
}

static void expect_flock_shared(int fd)
{
	OK(flock(fd, LOCK_SH | LOCK_NB));
	WANT(EAGAIN, flock(fd, LOCK_EX | LOCK_NB));
}

static void expect_flock_free(int fd)
{
	OK(flock(fd, LOCK_EX | LOCK_NB));
}

static void flock_excludes_other_processes(void)
{
	t_put("f", "x");
	int fd = t_open("f", O_RDWR);

	OK(flock(fd, LOCK_EX));
	in_child(expect_flock_refused);
	OK(flock(fd, LOCK_SH));
	in_child(expect_flock_shared);
	OK(flock(fd, LOCK_UN));
	in_child(expect_flock_free);
	OK(flock(fd, LOCK_EX));
	int copy = dup(fd);

	OK(close(fd));
	in_child(expect_flock_refused);
	OK(close(copy));
	in_child(expect_flock_free);
}

static void flock_belongs_to_the_handle(void)
{
	t_put("f", "x");
	int a = t_open("f", O_RDWR);
	int b = t_open("f", O_RDWR);

	OK(flock(a, LOCK_EX));
	WANT(EAGAIN, flock(b, LOCK_EX | LOCK_NB));
	OK(flock(a, LOCK_EX | LOCK_NB));
	OK(close(a));
	OK(flock(b, LOCK_EX | LOCK_NB));
	OK(close(b));
}

static void expect_first_half_locked(int fd)
{
	struct flock l = region(F_WRLCK, 0, 10);

	WANT(EAGAIN, lock_region(fd, F_WRLCK, 0, 10));
	WANT(EAGAIN, lock_region(fd, F_RDLCK, 40, 20));
	OK(lock_region(fd, F_WRLCK, 50, 50));
	OK(fcntl(fd, F_GETLK, &l));
	EQ(l.l_type, F_WRLCK);
	EQ(l.l_start, 0);
	EQ(l.l_len, 50);
	EQ(l.l_pid, getppid());
}

static void expect_reading_only(int fd)
{
	OK(lock_region(fd, F_RDLCK, 0, 0));
	WANT(EAGAIN, lock_region(fd, F_WRLCK, 0, 1));
}

static void expect_all_free(int fd)
{
	struct flock l = region(F_WRLCK, 0, 0);

	OK(fcntl(fd, F_GETLK, &l));
	EQ(l.l_type, F_UNLCK);
	OK(lock_region(fd, F_WRLCK, 0, 0));
}

static void record_locks_exclude_by_range(void)
{
	t_put("f", "x");
	int fd = t_open("f", O_RDWR);

	OK(lock_region(fd, F_WRLCK, 0, 50));
	OK(lock_region(fd, F_WRLCK, 0, 50));
	in_child(expect_first_half_locked);
	OK(lock_region(fd, F_RDLCK, 0, 0));
	in_child(expect_reading_only);
	OK(lock_region(fd, F_UNLCK, 0, 0));
	in_child(expect_all_free);
	OK(close(fd));
}

static void record_locks_end_with_any_close(void)
{
	t_put("f", "x");
	int a = t_open("f", O_RDWR);
	int b = t_open("f", O_RDWR);

	OK(lock_region(a, F_WRLCK, 0, 0));
	OK(close(b));
	in_child(expect_all_free);
	OK(close(a));
}

static void locks_end_with_the_process(void)
{
	int pipe_fd[2];
	char c;

	t_put("f", "x");
	OK(pipe(pipe_fd));
	pid_t pid = fork();

	if (pid == 0) {
		int fd = t_open("f", O_RDWR);

		OK(lock_region(fd, F_WRLCK, 0, 0));
		OK(flock(fd, LOCK_EX));
		OK(write(pipe_fd[1], "x", 1) == 1 ? 0 : -1);
		pause();
		_exit(1);
	}
	EQ(read(pipe_fd[0], &c, 1), 1);
	int fd = t_open("f", O_RDWR);

	WANT(EAGAIN, lock_region(fd, F_WRLCK, 0, 1));
	WANT(EAGAIN, flock(fd, LOCK_EX | LOCK_NB));
	OK(kill(pid, SIGKILL));
	OK(waitpid(pid, NULL, 0));
	OK(flock(fd, LOCK_EX));
	OK(lock_region(fd, F_WRLCK, 0, 1));
	OK(close(fd));
	OK(close(pipe_fd[0]));
	OK(close(pipe_fd[1]));
}

// A blocked locker gets the lock when the holder lets go.
static void a_waiting_lock_is_granted(void)
{
	t_put("f", "before");
	int fd = t_open("f", O_RDWR);

	OK(lock_region(fd, F_WRLCK, 0, 0));
	pid_t pid = fork();

	if (pid == 0) {
		int own = t_open("f", O_RDWR);
		struct flock l = region(F_WRLCK, 0, 0);

		OK(fcntl(own, F_SETLKW, &l));
		CHECK(t_holds("f", "after!"));
		_exit(0);
	}
	EQ(pwrite(fd, "after!", 6, 0), 6);
	OK(lock_region(fd, F_UNLCK, 0, 0));
	t_reap(pid);
	OK(close(fd));
}

static void increment(int fd)
{
	struct flock l = region(F_WRLCK, 0, 0);
	char buf[16] = "";

	if (fcntl(fd, F_SETLKW, &l))
		_exit(1);
	if (pread(fd, buf, 15, 0) < 0)
		_exit(2);
	int n = snprintf(buf, sizeof(buf), "%06ld", strtol(buf, NULL, 10) + 1);

	if (pwrite(fd, buf, (size_t)n, 0) != n)
		_exit(3);
	l.l_type = F_UNLCK;
	if (fcntl(fd, F_SETLK, &l))
		_exit(4);
}

static void a_counter_under_lock_loses_nothing(void)
{
	pid_t pid[4];

	t_put("f", "000000");
	for (int p = 0; p < 4; p++) {
		pid[p] = fork();
		if (pid[p] != 0)
			continue;
		int fd = open("f", O_RDWR);

		for (int i = 0; i < 100; i++)
			increment(fd);
		_exit(close(fd) != 0);
	}
	for (int p = 0; p < 4; p++)
		t_reap(pid[p]);
	CHECK(t_holds("f", "000400"));
}

static void lock_modes_follow_the_open_mode(void)
{
	t_put("f", "x");
	int r = t_open("f", O_RDONLY);
	int w = t_open("f", O_WRONLY);

	WANT(EBADF, lock_region(r, F_WRLCK, 0, 0));
	WANT(EBADF, lock_region(w, F_RDLCK, 0, 0));
	OK(lock_region(r, F_RDLCK, 0, 0));
	OK(close(r));
	OK(close(w));
}

const struct t_case locks_tests[] = {
	T(flock_excludes_other_processes),
	T(flock_belongs_to_the_handle),
	T(record_locks_exclude_by_range),
	T(record_locks_end_with_any_close),
	T(locks_end_with_the_process),
	T(a_waiting_lock_is_granted),
	T(a_counter_under_lock_loses_nothing),
	T(lock_modes_follow_the_open_mode),
	{ NULL, NULL },
};
