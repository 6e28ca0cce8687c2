// SPDX-License-Identifier: MIT
// fsx: random reads, writes, mapped reads and writes, truncations, holes,
// reopenings and syncs of one file, checked against an image in memory after
// every operation that reads.
//
//   fsx [--seed N] [--ops N] [--max BYTES] [--handles N] [--spoil] FILE
//
// FILE is created, or truncated. --handles uses that many descriptors of the
// file at once. --spoil turns one byte of the image halfway, so the program
// must fail: that proves that it can. Exit code: 0 all reads were right, 1
// one was wrong or an operation failed, 2 usage.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/errname.h"
#include "tests/posix/prng.h"

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 0x01
#endif
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE 0x02
#endif

enum { MAX_HANDLES = 8, HISTORY = 20 };

struct fsx;

struct fsx_op {
	const char *name;
	int weight;
	// Applies the operation to the file and to the image; -1 with errno
	// when the file system refused what it may not refuse.
	int (*apply)(struct fsx *x, size_t off, size_t len);
};

struct fsx_step {
	const char *name;
	size_t off;
	size_t len;
	int handle;
};

struct fsx {
	struct prng prng;
	uint64_t seed;
	const char *path;
	long ops;
	size_t max;
	int handles;
	bool spoil;
	int fd[MAX_HANDLES];
	int current;
	unsigned char *image;
	unsigned char *buf;
	size_t size;
	long step;
	size_t page;
	struct fsx_step history[HISTORY];
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

// Compares what was read at OFF with the image.
static int verify(struct fsx *x, const unsigned char *got, size_t off,
		  size_t len)
{
	if (memcmp(got, x->image + off, len) == 0)
		return 0;
	size_t i = 0;
	size_t wrong = 0;

	while (got[i] == x->image[off + i])
		i++;
	for (size_t k = i; k < len; k++)
		wrong += got[k] != x->image[off + k];
	printf("WRONG byte %zu is %02x, should be %02x; %zu bytes of %zu are"
	       " wrong\n",
	       off + i, got[i], x->image[off + i], wrong, len);
	errno = 0;
	return -1;
}

static int verify_size(struct fsx *x)
{
	struct stat by_fd;
	struct stat by_name;

	if (fstat(x->fd[x->current], &by_fd) || stat(x->path, &by_name))
		return -1;
	if ((size_t)by_fd.st_size == x->size &&
	    (size_t)by_name.st_size == x->size)
		return 0;
	printf("WRONG size %lld by handle, %lld by name, should be %zu\n",
	       (long long)by_fd.st_size, (long long)by_name.st_size, x->size);
	errno = 0;
	return -1;
}

static int do_read(struct fsx *x, size_t off, size_t len)
{
	size_t want = off < x->size ? least(len, x->size - off) : 0;
	ssize_t n = pread(x->fd[x->current], x->buf, len, (off_t)off);

	if (n < 0)
		return -1;
	if ((size_t)n != want) {
		printf("WRONG read of %zu at %zu gives %zd, should give %zu\n",
		       len, off, n, want);
		errno = 0;
		return -1;
	}
	return verify(x, x->buf, off, want);
}

static void grow_image(struct fsx *x, size_t to)
{
	if (to <= x->size)
		return;
	memset(x->image + x->size, 0, to - x->size);
	x->size = to;
}

static int do_write(struct fsx *x, size_t off, size_t len)
{
	prng_fill(&x->prng, x->buf, len);
	if (pwrite(x->fd[x->current], x->buf, len, (off_t)off) != (ssize_t)len)
		return -1;
	if (len == 0)
		return 0;
	grow_image(x, off + len);
	memcpy(x->image + off, x->buf, len);
	return 0;
}

static int do_append(struct fsx *x, size_t off, size_t len)
{
	(void)off;
	len = least(len / 4, x->max - x->size);
	return do_write(x, x->size, len);
}

// Maps the pages around [off, off+len), within the file; NULL: nothing there.
static unsigned char *map_range(struct fsx *x, size_t off, size_t *len,
				int prot)
{
	size_t skip = off % x->page;

	if (off >= x->size)
		return NULL;
	*len = least(*len, x->size - off);
	if (*len == 0)
		return NULL;
	unsigned char *map = mmap(NULL, *len + skip, prot, MAP_SHARED,
				  x->fd[x->current], (off_t)(off - skip));

	return map;
}

static int do_mapread(struct fsx *x, size_t off, size_t len)
{
	unsigned char *map = map_range(x, off, &len, PROT_READ);

	if (!map)
		return 0;
	if (map == MAP_FAILED)
		return -1;
	memcpy(x->buf, map + off % x->page, len);
	if (munmap(map, len + off % x->page))
		return -1;
	return verify(x, x->buf, off, len);
}

static int do_mapwrite(struct fsx *x, size_t off, size_t len)
{
	unsigned char *map = map_range(x, off, &len, PROT_READ | PROT_WRITE);
	bool sync = prng_below(&x->prng, 2);

	if (!map)
		return 0;
	if (map == MAP_FAILED)
		return -1;
	prng_fill(&x->prng, x->buf, len);
	memcpy(map + off % x->page, x->buf, len);
	memcpy(x->image + off, x->buf, len);
	if (sync && msync(map, len + off % x->page, MS_SYNC))
		return -1;
	return munmap(map, len + off % x->page);
}

static int do_truncate(struct fsx *x, size_t off, size_t len)
{
	int rc = len % 2 ? ftruncate(x->fd[x->current], (off_t)off)
			 : truncate(x->path, (off_t)off);

	if (rc)
		return -1;
	grow_image(x, off);
	x->size = off;
	return 0;
}

static int do_punch(struct fsx *x, size_t off, size_t len)
{
	if (fallocate(x->fd[x->current],
		      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		      (off_t)len + 1))
		return -1;
	if (off < x->size)
		memset(x->image + off, 0, least(len + 1, x->size - off));
	return 0;
}

static int do_allocate(struct fsx *x, size_t off, size_t len)
{
	if (off + len + 1 > x->max)
		return 0;
	if (fallocate(x->fd[x->current], 0, (off_t)off, (off_t)len + 1))
		return -1;
	grow_image(x, off + len + 1);
	return 0;
}

static int do_copy(struct fsx *x, size_t off, size_t len)
{
	off_t from = (off_t)prng_below(&x->prng, x->size + 1);
	off_t to = (off_t)off;
	size_t done = 0;

	len = least(len, x->size - (size_t)from);
	if ((size_t)from + len > off && (size_t)from < off + len)
		return 0;
	memcpy(x->buf, x->image + from, len);
	while (done < len) {
		ssize_t n = copy_file_range(x->fd[x->current], &from, x->fd[0],
					    &to, len - done, 0);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	if (len > 0) {
		grow_image(x, off + len);
		memcpy(x->image + off, x->buf, len);
	}
	return 0;
}

static int do_reopen(struct fsx *x, size_t off, size_t len)
{
	(void)off;
	(void)len;
	if (close(x->fd[x->current]))
		return -1;
	x->fd[x->current] = open(x->path, O_RDWR);
	return x->fd[x->current] < 0 ? -1 : verify_size(x);
}

static int do_reopen_all(struct fsx *x, size_t off, size_t len)
{
	for (int i = 0; i < x->handles; i++)
		if (close(x->fd[i]))
			return -1;
	for (int i = 0; i < x->handles; i++) {
		x->fd[i] = open(x->path, O_RDWR);
		if (x->fd[i] < 0)
			return -1;
	}
	return do_read(x, off, len);
}

static int do_fsync(struct fsx *x, size_t off, size_t len)
{
	(void)off;
	return len % 2 ? fsync(x->fd[x->current])
		       : fdatasync(x->fd[x->current]);
}

static const struct fsx_op operations[] = {
	{ "read", 20, do_read },
	{ "write", 20, do_write },
	{ "append", 6, do_append },
	{ "mapread", 14, do_mapread },
	{ "mapwrite", 14, do_mapwrite },
	{ "truncate", 6, do_truncate },
	{ "punch", 5, do_punch },
	{ "allocate", 3, do_allocate },
	{ "copy", 5, do_copy },
	{ "reopen", 5, do_reopen },
	{ "reopen_all", 3, do_reopen_all },
	{ "fsync", 4, do_fsync },
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static const struct fsx_op *choose(struct prng *p)
{
	int total = 0;

	for (int i = 0; i < OPERATIONS; i++)
		total += operations[i].weight;
	int at = (int)prng_below(p, (uint64_t)total);

	for (int i = 0; i < OPERATIONS; i++) {
		if (at < operations[i].weight)
			return &operations[i];
		at -= operations[i].weight;
	}
	return &operations[0];
}

static int one_step(struct fsx *x)
{
	const struct fsx_op *op = choose(&x->prng);
	struct fsx_step *h = &x->history[x->step % HISTORY];

	x->current = (int)prng_below(&x->prng, (uint64_t)x->handles);
	h->name = op->name;
	h->handle = x->current;
	h->off = (size_t)prng_below(&x->prng, x->max);
	if (prng_below(&x->prng, 6) == 0)
		h->off -= h->off % x->page;
	h->len =
		(size_t)prng_below(&x->prng, least(x->max - h->off, 70000) + 1);
	int rc = op->apply(x, h->off, h->len);

	return rc ? rc : verify_size(x);
}

static void report(const struct fsx *x)
{
	int err = errno;
	long first = x->step < HISTORY ? 0 : x->step - HISTORY + 1;

	for (long s = first; s <= x->step; s++)
		printf("%8ld %s handle=%d off=%zu len=%zu\n", s,
		       x->history[s % HISTORY].name,
		       x->history[s % HISTORY].handle,
		       x->history[s % HISTORY].off,
		       x->history[s % HISTORY].len);
	printf("FAILED at step %ld, seed %llu%s%s\n", x->step,
	       (unsigned long long)x->seed, err ? ": " : "",
	       err ? errname(err) : "");
}

// Turns one byte of the image and reads the file before it is overwritten.
static int spoil_image(struct fsx *x)
{
	x->spoil = false;
	x->image[x->size / 2] ^= 1;
	return do_reopen_all(x, 0, x->max);
}

static int run(struct fsx *x)
{
	for (int i = 0; i < x->handles; i++) {
		x->fd[i] = open(x->path, O_RDWR | O_CREAT | (i ? 0 : O_TRUNC),
				0644);
		if (x->fd[i] < 0)
			return -1;
	}
	for (x->step = 0; x->step < x->ops; x->step++) {
		if (x->spoil && x->step >= x->ops / 2 && x->size > 0 &&
		    spoil_image(x))
			return -1;
		if (one_step(x))
			return -1;
	}
	x->step--;
	// Everything once more, through fresh handles.
	return do_reopen_all(x, 0, x->max);
}

static int parse(int argc, char **argv, struct fsx *x)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--spoil") == 0)
			x->spoil = true;
		else if (more && strcmp(argv[i], "--seed") == 0)
			x->seed = strtoull(argv[++i], NULL, 0);
		else if (more && strcmp(argv[i], "--ops") == 0)
			x->ops = strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--max") == 0)
			x->max = strtoul(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--handles") == 0)
			x->handles = (int)strtol(argv[++i], NULL, 10);
		else if (argv[i][0] != '-' && !x->path)
			x->path = argv[i];
		else
			return -1;
	}
	return x->path && x->ops > 0 && x->max > 0 && x->handles > 0 &&
			       x->handles <= MAX_HANDLES
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	struct timespec now;
	struct fsx x = { .ops = 5000, .max = 300000, .handles = 1 };

	clock_gettime(CLOCK_REALTIME, &now);
	x.seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec % 1000;
	x.page = (size_t)sysconf(_SC_PAGESIZE);
	if (parse(argc, argv, &x)) {
		fprintf(stderr, "usage: fsx [--seed N] [--ops N] [--max BYTES]"
				" [--handles N] [--spoil] FILE\n");
		return 2;
	}
	// A step may reach 70,000 bytes past the largest offset.
	x.image = calloc(1, x.max + 70002);
	x.buf = malloc(x.max + 70002);
	if (!x.image || !x.buf) {
		fprintf(stderr, "fsx: out of memory\n");
		free(x.image);
		free(x.buf);
		return 2;
	}
	prng_init(&x.prng, x.seed);
	printf("seed %llu, %ld operations, %d handles\n",
	       (unsigned long long)x.seed, x.ops, x.handles);
	int rc = run(&x);

	if (rc)
		report(&x);
	else
		printf("%ld operations, every read was right\n", x.ops);
	free(x.image);
	free(x.buf);
	return rc ? 1 : 0;
}
