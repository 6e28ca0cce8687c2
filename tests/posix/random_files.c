// SPDX-License-Identifier: MIT
// random_ops: operations on open handles. Each is applied to one side;
// random_main.c calls them through the table.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/posix/random.h"

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 0x01
#endif
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE 0x02
#endif
#ifndef FALLOC_FL_ZERO_RANGE
#define FALLOC_FL_ZERO_RANGE 0x10
#endif

static void op_open(struct rnd *r, int side, const struct args *args,
		    struct result *res)
{
	char a[FULL_LEN];
	int fd = open(random_path(r, side, args->a, a),
		      args->flags | O_NONBLOCK | O_CLOEXEC, args->mode);

	random_outcome(res, fd);
	r->fd[side][args->slot] = fd;
	if (fd >= 0)
		res->ret = 0;
}

static void op_close(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	random_outcome(res, close(r->fd[side][args->slot]));
	r->fd[side][args->slot] = -1;
}

static void op_read(struct rnd *r, int side, const struct args *args,
		    struct result *res)
{
	int fd = r->fd[side][args->slot];

	random_outcome(res, args->variant % 3
				    ? pread(fd, res->data, args->len, args->off)
				    : read(fd, res->data, args->len));
	if (res->ret > 0)
		res->len = (size_t)res->ret;
}

static void op_write(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	const unsigned char *bytes = random_bytes(r, args->fill, args->len);

	random_outcome(res, write(r->fd[side][args->slot], bytes, args->len));
}

static void op_pwrite(struct rnd *r, int side, const struct args *args,
		      struct result *res)
{
	const unsigned char *bytes = random_bytes(r, args->fill, args->len);

	random_outcome(res, pwrite(r->fd[side][args->slot], bytes, args->len,
				   args->off));
}

static void op_lseek(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	static const int whence[] = { SEEK_SET, SEEK_CUR, SEEK_END };
	int fd = r->fd[side][args->slot];
	struct stat st;

	// Positions in a directory are opaque and may differ.
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		random_outcome(res, 0);
		return;
	}
	unsigned w = args->variant % 3;
	off_t by = w == 0 ? args->off : args->off % 1000 - 500;

	random_outcome(res, (long)lseek(fd, by, whence[w]));
}

static void op_ftruncate(struct rnd *r, int side, const struct args *args,
			 struct result *res)
{
	random_outcome(res, ftruncate(r->fd[side][args->slot], args->off));
}

static void op_fsync(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	int fd = r->fd[side][args->slot];

	random_outcome(res, args->variant % 2 ? fsync(fd) : fdatasync(fd));
}

static void op_fchmod(struct rnd *r, int side, const struct args *args,
		      struct result *res)
{
	random_outcome(res, fchmod(r->fd[side][args->slot], args->mode));
}

static void op_futimens(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	struct timespec ts[2] = { { args->mtime_s, args->mtime_ns },
				  { args->mtime_s, args->mtime_ns } };

	random_outcome(res, futimens(r->fd[side][args->slot], ts));
}

static void op_fallocate(struct rnd *r, int side, const struct args *args,
			 struct result *res)
{
	static const int modes[] = {
		0,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	unsigned n = r->can_zero_range ? 5 : 3;

	random_outcome(res, fallocate(r->fd[side][args->slot],
				      modes[args->variant % n], args->off,
				      (off_t)args->len + 1));
}

static void op_copy_range(struct rnd *r, int side, const struct args *args,
			  struct result *res)
{
	off_t from = args->off;
	off_t to = args->off2;
	size_t done = 0;

	while (done < args->len) {
		ssize_t n = copy_file_range(r->fd[side][args->slot], &from,
					    r->fd[side][args->slot2], &to,
					    args->len - done, 0);

		if (n < 0) {
			random_outcome(res, -1);
			return;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	random_outcome(res, (long)done);
}

// The holder of a handle makes a name for it that did not exist.
static void op_link_handle(struct rnd *r, int side, const struct args *args,
			   struct result *res)
{
	char a[FULL_LEN];
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d",
		 r->fd[side][args->slot]);
	random_outcome(res, linkat(AT_FDCWD, proc, AT_FDCWD,
				   random_path(r, side, args->a, a),
				   AT_SYMLINK_FOLLOW));
}

const struct operation random_file_operations[] = {
	{ "open", 40, USES_A | USES_FREE_SLOT, op_open },
	{ "close", 22, USES_SLOT, op_close },
	{ "read", 20, USES_SLOT | USES_IO, op_read },
	{ "write", 14, USES_SLOT | USES_IO, op_write },
	{ "pwrite", 22, USES_SLOT | USES_IO, op_pwrite },
	{ "lseek", 5, USES_SLOT | USES_IO, op_lseek },
	{ "ftruncate", 8, USES_SLOT | USES_IO, op_ftruncate },
	{ "fsync", 6, USES_SLOT, op_fsync },
	{ "fchmod", 3, USES_SLOT, op_fchmod },
	{ "futimens", 5, USES_SLOT, op_futimens },
	{ "fallocate", 6, USES_SLOT | USES_IO | SETTLES_MTIME, op_fallocate },
	{ "copy_range", 8, USES_SLOT | USES_SLOT2 | USES_IO | SETTLES_MTIME,
	  op_copy_range },
	{ "link_handle", 2, USES_SLOT | USES_A, op_link_handle },
	{ NULL, 0, 0, NULL },
};
