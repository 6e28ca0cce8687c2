// SPDX-License-Identifier: MIT
// Fixtures of posix_suite: nodes of every type, small files, attributes and
// the judging of times. The declarations are in harness.h. Called by every
// suite_*.c; calls the checks of harness.c.
#include "config.h"

#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "tests/posix/harness.h"

const char *const t_type_name[T_TYPES] = {
	"reg", "dir", "lnk", "fifo", "sock", "chr", "blk",
};

mode_t t_format(enum t_type type)
{
	static const mode_t format[T_TYPES] = {
		S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK,
	};

	return format[type];
}

int t_n_types_of_root(void)
{
	return t_can(T_SPECIAL) ? T_TYPES : T_FIFO;
}

int t_n_types(void)
{
	int most = t_n_types_of_root();

	return most < T_CHR || (t_is_root() && geteuid() == 0) ? most : T_CHR;
}

int t_make(const char *name, enum t_type type, mode_t mode)
{
	switch (type) {
	case T_REG:
		return t_create(name, O_EXCL, mode);
	case T_DIR:
		return mkdir(name, mode);
	case T_FIFO:
		return mkfifo(name, mode);
	case T_SOCK:
		return mknod(name, S_IFSOCK | mode, 0);
	case T_LNK:
		return symlink("target-of-it", name);
	case T_CHR:
		return mknod(name, S_IFCHR | mode, makedev(1, 3));
	case T_BLK:
		return mknod(name, S_IFBLK | mode, makedev(7, 200));
	default:
		errno = EINVAL;
		return -1;
	}
}

int t_remove(const char *name)
{
	return unlink(name) && (errno != EISDIR || rmdir(name)) ? -1 : 0;
}

int t_create(const char *name, int flags, mode_t mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | flags, mode);

	if (fd < 0)
		return -1;
	return close(fd);
}

int t_try_open(const char *name, int flags)
{
	int fd = open(name, flags, 0644);

	if (fd < 0)
		return -1;
	return close(fd);
}

void t_put(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	OK(fd);
	if (fd < 0)
		return;
	EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

bool t_holds(const char *name, const char *text)
{
	size_t len = strlen(text);
	char *buf = malloc(len + 2);
	int fd = open(name, O_RDONLY);
	bool same = false;

	if (buf && fd >= 0) {
		ssize_t n = read(fd, buf, len + 1);

		same = n == (ssize_t)len && memcmp(buf, text, len) == 0;
	}
	if (fd >= 0)
		close(fd);
	free(buf);
	return same;
}

bool t_exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

struct stat t_stat(const char *name)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	OK(stat(name, &st));
	return st;
}

struct stat t_lstat(const char *name)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	OK(lstat(name, &st));
	return st;
}

struct stat t_fstat(int fd)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	OK(fstat(fd, &st));
	return st;
}

int t_open(const char *name, int flags)
{
	int fd = open(name, flags, 0644);

	OK(fd);
	return fd;
}

char *t_long(char *buf, size_t len, char c)
{
	memset(buf, c, len);
	buf[len] = '\0';
	return buf;
}

int t_renameat2(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

int t_compare_time(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	if (a->tv_nsec != b->tv_nsec)
		return a->tv_nsec < b->tv_nsec ? -1 : 1;
	return 0;
}

// The kernel stamps with its coarse clock, a tick behind the fine one: a
// change is visible only once that clock has left the old time.
static void wait_past(const struct timespec *old)
{
	struct timespec now;
	struct timespec pause = { 0, 1000000 };

	for (int i = 0; i < 5000; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (t_compare_time(&now, old) > 0)
			return;
		nanosleep(&pause, NULL);
	}
	CHECK(!"times of the file system lie in the future");
}

struct t_times t_times_of(const char *name)
{
	struct t_times t = { .fd = open(name, O_PATH | O_NOFOLLOW) };

	OK(t.fd);
	t.old = t_fstat(t.fd);
	wait_past(&t.old.st_ctim);
	// A future mtime can only be one that a test set on purpose.
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t_compare_time(&t.old.st_mtim, &now) <= 0)
		wait_past(&t.old.st_mtim);
	return t;
}

void t_times_judge(struct t_times *t, int moves, const char *file, int line)
{
	struct stat now = t_fstat(t->fd);
	int c = t_compare_time(&now.st_ctim, &t->old.st_ctim);
	int m = t_compare_time(&now.st_mtim, &t->old.st_mtim);

	close(t->fd);
	if (!(moves & T_C_ANY))
		t_check(file, line, c == (moves & T_C ? 1 : 0),
			moves & T_C ? "ctime moved forward" : "ctime stayed");
	if (!(moves & T_M_ANY))
		t_check(file, line, m == (moves & T_M ? 1 : 0),
			moves & T_M ? "mtime moved forward" : "mtime stayed");
}
