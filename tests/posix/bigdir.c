// SPDX-License-Identifier: MIT
// bigdir: one directory with very many files: created, listed (each name
// exactly once), some of them looked at, and removed while paging through
// the listing. Prints the rate of each part.
//
//   bigdir [--files N] [--keep] DIR
//
// Works in DIR/big, which must not exist; --keep stops before the removal,
// for rm -rf or a look at the memory of a driver. Exit code: 0 all names were
// right, 1 not, 2 usage.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/errname.h"

struct big {
	const char *dir;
	long files;
	bool keep;
	int fd; // of the directory
	unsigned char *seen;
	struct timespec start;
};

static void begin(struct big *b)
{
	clock_gettime(CLOCK_MONOTONIC, &b->start);
}

static void finish(const struct big *b, const char *what, long n)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	double s = (double)(now.tv_sec - b->start.tv_sec) +
		   (double)(now.tv_nsec - b->start.tv_nsec) / 1e9;

	printf("%s: %ld in %.2f s, %.0f per second\n", what, n, s,
	       s > 0 ? (double)n / s : 0.0);
	fflush(stdout);
}

static void name_of(long i, char *buf, size_t len)
{
	snprintf(buf, len, "file-%08ld.dat", i);
}

// The number in a name, -1 when it is none of ours.
static long number_of(const struct big *b, const char *name)
{
	char back[32];

	if (strncmp(name, "file-", 5) != 0)
		return -1;
	long i = strtol(name + 5, NULL, 10);

	name_of(i, back, sizeof(back));
	return strcmp(back, name) == 0 && i >= 0 && i < b->files ? i : -1;
}

static int create_all(struct big *b)
{
	char name[32];

	begin(b);
	for (long i = 0; i < b->files; i++) {
		name_of(i, name, sizeof(name));
		int fd = openat(b->fd, name, O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd < 0 || close(fd)) {
			printf("FAIL creating %s: %s\n", name, errname(errno));
			return -1;
		}
	}
	finish(b, "created", b->files);
	return 0;
}

static DIR *open_listing(const struct big *b)
{
	int fd = openat(b->fd, ".", O_RDONLY | O_DIRECTORY);

	return fd < 0 ? NULL : fdopendir(fd);
}

// Counts in what is listed; -1 when a name comes twice or is not ours.
static int note_name(struct big *b, const char *name, long *count)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	long i = number_of(b, name);

	if (i < 0 || b->seen[i]) {
		printf("FAIL %s is listed %s\n", name,
		       i < 0 ? "but was not made" : "twice");
		return -1;
	}
	b->seen[i] = 1;
	(*count)++;
	return 0;
}

// Lists all names; with REMOVE each is unlinked as soon as it is seen.
static int list_all(struct big *b, bool remove, const char *what)
{
	DIR *dir = open_listing(b);
	const struct dirent *e;
	long count = 0;
	int rc = dir ? 0 : -1;

	memset(b->seen, 0, (size_t)b->files);
	begin(b);
	while (rc == 0 && (e = readdir(dir))) {
		long before = count;

		rc = note_name(b, e->d_name, &count);
		if (rc == 0 && remove && count > before &&
		    unlinkat(b->fd, e->d_name, 0)) {
			printf("FAIL removing %s: %s\n", e->d_name,
			       errname(errno));
			rc = -1;
		}
	}
	if (dir)
		closedir(dir);
	finish(b, what, count);
	if (rc == 0 && count != b->files) {
		printf("FAIL %ld names of %ld are listed\n", count, b->files);
		rc = -1;
	}
	return rc;
}

static int stat_some(struct big *b)
{
	long step = b->files > 2000 ? b->files / 2000 : 1;
	char name[32];
	struct stat st;
	long n = 0;

	begin(b);
	for (long i = 0; i < b->files; i += step, n++) {
		name_of(i, name, sizeof(name));
		if (fstatat(b->fd, name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode) || st.st_size != 0) {
			printf("FAIL looking at %s\n", name);
			return -1;
		}
	}
	finish(b, "looked at", n);
	return 0;
}

static int run(struct big *b)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/big", b->dir) >=
		    (int)sizeof(path) ||
	    mkdir(path, 0755)) {
		printf("FAIL making %s: %s\n", path, errname(errno));
		return -1;
	}
	b->fd = open(path, O_RDONLY | O_DIRECTORY);
	if (b->fd < 0 || create_all(b) || list_all(b, false, "listed") ||
	    stat_some(b))
		return -1;
	if (b->keep)
		return 0;
	if (list_all(b, true, "removed while listing"))
		return -1;
	if (rmdir(path)) {
		printf("FAIL removing %s: %s\n", path, errname(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct big b = { .files = 100000, .fd = -1 };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--files") == 0 && i + 1 < argc)
			b.files = strtol(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--keep") == 0)
			b.keep = true;
		else if (argv[i][0] != '-' && !b.dir)
			b.dir = argv[i];
		else
			b.files = 0;
	}
	if (!b.dir || b.files < 1 || b.files > 99999999) {
		fprintf(stderr, "usage: bigdir [--files N] [--keep] DIR\n");
		return 2;
	}
	b.seen = calloc(1, (size_t)b.files);
	if (!b.seen)
		return 2;
	int rc = run(&b);

	if (b.fd >= 0)
		close(b.fd);
	free(b.seen);
	return rc ? 1 : 0;
}
