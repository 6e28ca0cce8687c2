// SPDX-License-Identifier: MIT
// stress: several processes do random operations on the same few names of one
// directory, without a model. What must hold whatever their order is:
//  - no call answers an errno that its situation cannot cause (EIO, ESTALE,
//    ENOTCONN, ETIMEDOUT, EINVAL, ENOSYS and the like);
//  - afterwards every record in every file is whole or all zero, each entry
//    of each listing has attributes that agree with it, and everything can
//    be removed.
//
//   stress [--processes N] [--ops N] [--seed N] DIR
//
// Works in DIR/stress, which must not exist. Exit code: 0 all held, 1 not, 2
// usage or trouble.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/errname.h"
#include "tests/posix/prng.h"

enum { RECORD = 64, RECORDS = 4000, MAX_PROCESSES = 32, PATH_LEN = 64 };

struct actor {
	struct prng prng;
	int fd; // an open file, kept over steps; -1: none
	char a[PATH_LEN];
	char b[PATH_LEN];
	int who;
	unsigned seq;
};

// A record tells who wrote it and repeats itself, so that a torn one shows.
static void make_record(unsigned char *rec, int who, unsigned seq)
{
	unsigned char unit[8] = { 'R', (unsigned char)who };

	unit[2] = (unsigned char)seq;
	unit[3] = (unsigned char)(seq >> 8);
	unit[4] = (unsigned char)(seq >> 16);
	for (int i = 0; i < RECORD; i += 8)
		memcpy(rec + i, unit, 8);
}

static bool record_is_whole(const unsigned char *rec)
{
	for (int i = 8; i < RECORD; i += 8)
		if (memcmp(rec, rec + i, 8) != 0)
			return false;
	return rec[0] == 'R' || rec[0] == 0;
}

static void choose_path(struct prng *p, char *path)
{
	static const char *const dirs[] = { "", "", "d0/", "d1/", "d0/d2/" };

	snprintf(path, PATH_LEN, "%s%c%d", dirs[prng_below(p, 5)],
		 prng_below(p, 4) ? 'f' : 'd', (int)prng_below(p, 3));
}

static int keep_open(struct actor *s, int flags)
{
	int fd = open(s->a, flags | O_NONBLOCK, 0644);

	if (fd < 0)
		return -1;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	return 0;
}

static int do_create(struct actor *s)
{
	return keep_open(s, O_CREAT | O_RDWR);
}

static int do_exclusive(struct actor *s)
{
	return keep_open(s, O_CREAT | O_EXCL | O_RDWR);
}

static int do_rewrite(struct actor *s)
{
	return keep_open(s, O_CREAT | O_TRUNC | O_RDWR);
}

static int do_open(struct actor *s)
{
	return keep_open(s, O_RDWR);
}

static int do_close(struct actor *s)
{
	int fd = s->fd;

	s->fd = -1;
	return fd < 0 ? 0 : close(fd);
}

static int do_write(struct actor *s)
{
	unsigned char buf[16 * RECORD];
	size_t n = (size_t)prng_below(&s->prng, 16) + 1;

	if (s->fd < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		make_record(buf + i * RECORD, s->who, s->seq++);
	ssize_t done = pwrite(s->fd, buf, n * RECORD,
			      (off_t)prng_below(&s->prng, RECORDS) * RECORD);

	if (done >= 0 && (size_t)done != n * RECORD)
		errno = EIO;
	return (size_t)done == n * RECORD ? 0 : -1;
}

static int do_read(struct actor *s)
{
	char buf[4096];

	if (s->fd < 0)
		return 0;
	return pread(s->fd, buf, sizeof(buf),
		     (off_t)prng_below(&s->prng, RECORDS) * RECORD) < 0
		       ? -1
		       : 0;
}

static int do_ftruncate(struct actor *s)
{
	off_t len = (off_t)prng_below(&s->prng, RECORDS) * RECORD;

	return s->fd < 0 ? 0 : ftruncate(s->fd, len);
}

static int do_fsync(struct actor *s)
{
	return s->fd < 0 ? 0 : fsync(s->fd);
}

static int do_rename(struct actor *s)
{
	static const unsigned flags[] = { 0, 0, 0, 1, 2 };

	return (int)syscall(SYS_renameat2, AT_FDCWD, s->a, AT_FDCWD, s->b,
			    flags[prng_below(&s->prng, 5)]);
}

static int do_unlink(struct actor *s)
{
	return unlink(s->a);
}

static int do_link(struct actor *s)
{
	return link(s->a, s->b);
}

static int do_symlink(struct actor *s)
{
	return symlink(s->b, s->a);
}

static int do_mkdir(struct actor *s)
{
	return mkdir(s->a, 0755);
}

static int do_rmdir(struct actor *s)
{
	return rmdir(s->a);
}

static int do_stat(struct actor *s)
{
	struct stat st;

	return lstat(s->a, &st);
}

static int do_chmod(struct actor *s)
{
	return chmod(s->a, 0700 | (mode_t)prng_below(&s->prng, 0100));
}

static int do_xattr(struct actor *s)
{
	return prng_below(&s->prng, 3)
		       ? setxattr(s->a, "user.stress", "value", 5, 0)
		       : removexattr(s->a, "user.stress");
}

static int do_list(struct actor *s)
{
	char *slash = strrchr(s->a, '/');

	if (slash)
		*slash = '\0';
	DIR *dir = opendir(slash ? s->a : ".");

	if (!dir)
		return -1;
	errno = 0;
	while (readdir(dir))
		;
	int err = errno;

	closedir(dir);
	errno = err;
	return err ? -1 : 0;
}

static const struct {
	const char *name;
	int weight;
	int (*apply)(struct actor *s);
} operations[] = {
	{ "create", 12, do_create },  { "exclusive", 4, do_exclusive },
	{ "rewrite", 4, do_rewrite }, { "open", 8, do_open },
	{ "close", 8, do_close },     { "write", 24, do_write },
	{ "read", 14, do_read },      { "ftruncate", 4, do_ftruncate },
	{ "fsync", 2, do_fsync },     { "rename", 10, do_rename },
	{ "unlink", 8, do_unlink },   { "link", 4, do_link },
	{ "symlink", 2, do_symlink }, { "mkdir", 6, do_mkdir },
	{ "rmdir", 4, do_rmdir },     { "stat", 8, do_stat },
	{ "chmod", 3, do_chmod },     { "xattr", 3, do_xattr },
	{ "list", 4, do_list },
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

// Whether ERR can come from names and types that others change meanwhile.
static bool is_plausible(const char *op, int err)
{
	switch (err) {
	case ENOENT:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case ELOOP:
		return true;
	case ENODATA:
		return strcmp(op, "xattr") == 0;
	case EPERM: // link() of a directory
		return strcmp(op, "link") == 0;
	case EINVAL: // a directory into itself
		return strcmp(op, "rename") == 0;
	case EBUSY:
		return strcmp(op, "rename") == 0 || strcmp(op, "rmdir") == 0;
	default:
		return false;
	}
}

static int choose(struct prng *p)
{
	int total = 0;

	for (int i = 0; i < OPERATIONS; i++)
		total += operations[i].weight;
	int at = (int)prng_below(p, (uint64_t)total);

	for (int i = 0; i < OPERATIONS; i++) {
		if (at < operations[i].weight)
			return i;
		at -= operations[i].weight;
	}
	return 0;
}

static int act(int who, uint64_t seed, long ops)
{
	struct actor s = { .fd = -1, .who = who };
	int odd = 0;

	prng_init(&s.prng, seed + (uint64_t)who * 1000003);
	for (long i = 0; i < ops && odd < 10; i++) {
		int op = choose(&s.prng);

		choose_path(&s.prng, s.a);
		choose_path(&s.prng, s.b);
		if (operations[op].apply(&s) == 0)
			continue;
		if (is_plausible(operations[op].name, errno))
			continue;
		printf("FAIL process %d, step %ld: %s a=%s b=%s gives %s\n",
		       who, i, operations[op].name, s.a, s.b, errname(errno));
		odd++;
	}
	if (s.fd >= 0 && close(s.fd)) {
		printf("FAIL process %d: the last close gives %s\n", who,
		       errname(errno));
		odd++;
	}
	fflush(stdout);
	return odd ? 1 : 0;
}

// Counts the records of NAME that are neither whole nor zero.
static int torn_records(int dir, const char *name)
{
	unsigned char rec[RECORD];
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW);
	int torn = 0;
	ssize_t n;

	if (fd < 0) {
		printf("FAIL cannot read %s: %s\n", name, errname(errno));
		return 1;
	}
	while ((n = read(fd, rec, sizeof(rec))) > 0)
		torn += n != RECORD || !record_is_whole(rec);
	if (n < 0 || torn)
		printf("FAIL %s: %d torn records\n", name, torn);
	close(fd);
	return torn + (n < 0);
}

static int judge_and_remove(int parent, const char *name);

static int judge_entry(int dir, const struct dirent *e)
{
	struct stat st;
	int faults = 0;

	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW)) {
		printf("FAIL %s is listed but gives %s\n", e->d_name,
		       errname(errno));
		return 1;
	}
	if (e->d_ino != st.st_ino ||
	    (e->d_type != DT_UNKNOWN &&
	     e->d_type != (st.st_mode & S_IFMT) >> 12)) {
		printf("FAIL listing and attributes of %s differ\n", e->d_name);
		faults++;
	}
	if (S_ISDIR(st.st_mode))
		return faults + judge_and_remove(dir, e->d_name);
	if (S_ISREG(st.st_mode))
		faults += torn_records(dir, e->d_name);
	if (unlinkat(dir, e->d_name, 0)) {
		printf("FAIL removing %s: %s\n", e->d_name, errname(errno));
		faults++;
	}
	return faults;
}

static int judge_and_remove(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int faults = 0;

	if (!dir) {
		printf("FAIL opening %s: %s\n", name, errname(errno));
		return 1;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			faults += judge_entry(fd, e);
	closedir(dir);
	if (unlinkat(parent, name, AT_REMOVEDIR)) {
		printf("FAIL removing %s: %s\n", name, errname(errno));
		faults++;
	}
	return faults;
}

static int run(const char *dir, int processes, long ops, uint64_t seed)
{
	pid_t pids[MAX_PROCESSES];
	int faults = 0;

	umask(0);
	if (chdir(dir) || mkdir("stress", 0755) || chdir("stress")) {
		fprintf(stderr, "stress: cannot make %s/stress: %s\n", dir,
			errname(errno));
		return 2;
	}
	fflush(stdout);
	for (int i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(act(i, seed, ops));
	}
	for (int i = 0; i < processes; i++) {
		int status = 0;

		if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 ||
		    status != 0)
			faults++;
	}
	if (chdir(".."))
		return 2;
	faults += judge_and_remove(AT_FDCWD, "stress");
	printf("%d processes, %ld operations each, %d faults\n", processes, ops,
	       faults);
	return faults ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	int processes = 6;
	long ops = 3000;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed = (uint64_t)now.tv_sec;

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (more && strcmp(argv[i], "--processes") == 0)
			processes = (int)strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--ops") == 0)
			ops = strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[++i], NULL, 0);
		else if (argv[i][0] != '-' && !dir)
			dir = argv[i];
		else
			ops = 0;
	}
	if (!dir || ops < 1 || processes < 1 || processes > MAX_PROCESSES) {
		fprintf(stderr, "usage: stress [--processes N] [--ops N]"
				" [--seed N] DIR\n");
		return 2;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	return run(dir, processes, ops, seed);
}
