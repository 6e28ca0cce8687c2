// SPDX-License-Identifier: MIT
// random_ops: operations on names: make, remove, rename, link, attributes.
// Each is applied to one side; random_main.c calls them through the table.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/posix/random.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 0x01
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 0x02
#endif

static void op_mkdir(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res,
		       mkdir(random_path(r, side, args->a, a), args->mode));
}

static void op_rmdir(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, rmdir(random_path(r, side, args->a, a)));
}

static void op_unlink(struct rnd *r, int side, const struct args *args,
		      struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, unlink(random_path(r, side, args->a, a)));
}

// A symlink over a file, where a store cannot do that in one step: in the
// model (the second side) it is refused, too.
static bool refuses_over(const struct rnd *r, int side, const char *a,
			 const char *b)
{
	struct stat from;
	struct stat to;

	return side && r->without && strstr(r->without, "over") &&
	       lstat(a, &from) == 0 && lstat(b, &to) == 0 &&
	       S_ISLNK(from.st_mode) && S_ISREG(to.st_mode);
}

static void op_rename(struct rnd *r, int side, const struct args *args,
		      struct result *res)
{
	static const unsigned flags[] = { 0, 0, RENAME_NOREPLACE,
					  RENAME_EXCHANGE };
	// Where no names can be exchanged the last kind is one more rename.
	bool exchanges = !r->without || !strstr(r->without, "exchange");
	char a[FULL_LEN];
	char b[FULL_LEN];

	unsigned how = flags[args->variant % (exchanges ? 4 : 3)];

	random_path(r, side, args->a, a);
	random_path(r, side, args->b, b);
	if (!how && refuses_over(r, side, a, b)) {
		errno = EXDEV;
		random_outcome(res, -1);
		return;
	}
	random_outcome(res,
		       syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, how));
}

static void op_link(struct rnd *r, int side, const struct args *args,
		    struct result *res)
{
	char a[FULL_LEN];
	char b[FULL_LEN];

	random_outcome(res, link(random_path(r, side, args->a, a),
				 random_path(r, side, args->b, b)));
}

// The target is relative and never climbs, so no side is left through it.
static void op_symlink(struct rnd *r, int side, const struct args *args,
		       struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, symlink(args->b, random_path(r, side, args->a, a)));
}

static void op_readlink(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, readlink(random_path(r, side, args->a, a),
				     (char *)res->data, MAX_IO));
	if (res->ret > 0)
		res->len = (size_t)res->ret;
}

static void op_mknod(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	static const mode_t formats[] = { S_IFIFO, S_IFSOCK, S_IFREG };
	char a[FULL_LEN];

	random_outcome(res, mknod(random_path(r, side, args->a, a),
				  formats[args->variant % 3] | args->mode, 0));
}

static void op_chmod(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res,
		       chmod(random_path(r, side, args->a, a), args->mode));
}

static void op_chown(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	static const uid_t ids[] = { 0, 1, 65534, (uid_t)-1 };
	char a[FULL_LEN];

	if (geteuid() != 0) {
		random_outcome(res, 0);
		return;
	}
	random_outcome(res, lchown(random_path(r, side, args->a, a),
				   ids[args->variant % 4],
				   ids[args->variant / 4 % 4]));
}

static void op_utimens(struct rnd *r, int side, const struct args *args,
		       struct result *res)
{
	char a[FULL_LEN];
	struct timespec ts[2] = { { args->mtime_s, args->mtime_ns },
				  { args->mtime_s, args->mtime_ns } };

	random_outcome(res,
		       utimensat(AT_FDCWD, random_path(r, side, args->a, a), ts,
				 args->variant % 2 ? AT_SYMLINK_NOFOLLOW : 0));
}

static void op_truncate(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res,
		       truncate(random_path(r, side, args->a, a), args->off));
}

static void op_setxattr(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	static const int flags[] = { 0, 0, XATTR_CREATE, XATTR_REPLACE };
	static const char *const names[] = { "user.x", "user.y" };
	char a[FULL_LEN];
	size_t len = args->len % 48;
	const unsigned char *value = random_bytes(r, args->fill, len);

	random_outcome(res, lsetxattr(random_path(r, side, args->a, a),
				      names[args->variant / 4 % 2], value, len,
				      flags[args->variant % 4]));
}

static void op_getxattr(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, lgetxattr(random_path(r, side, args->a, a),
				      args->variant % 2 ? "user.x" : "user.y",
				      res->data, args->variant % 3 ? 64 : 0));
	if (res->ret > 0 && args->variant % 3)
		res->len = (size_t)res->ret;
}

static void op_removexattr(struct rnd *r, int side, const struct args *args,
			   struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res,
		       lremovexattr(random_path(r, side, args->a, a),
				    args->variant % 2 ? "user.x" : "user.y"));
}

static void op_access(struct rnd *r, int side, const struct args *args,
		      struct result *res)
{
	char a[FULL_LEN];

	random_outcome(res, access(random_path(r, side, args->a, a),
				   (int)(args->variant % 8)));
}

// A listing that removes what it sees: every name must come exactly once.
static void op_empty_directory(struct rnd *r, int side, const struct args *args,
			       struct result *res)
{
	char a[FULL_LEN];
	DIR *dir = opendir(random_path(r, side, args->a, a));
	const struct dirent *e;
	long removed = 0;

	if (!dir) {
		random_outcome(res, -1);
		return;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			removed += unlinkat(dirfd(dir), e->d_name, 0) == 0;
	random_outcome(res, closedir(dir) ? -1 : removed);
}

static void op_syncdir(struct rnd *r, int side, const struct args *args,
		       struct result *res)
{
	char a[FULL_LEN];
	int fd = open(random_path(r, side, args->a, a), O_RDONLY | O_DIRECTORY);

	if (fd < 0) {
		random_outcome(res, -1);
		return;
	}
	random_outcome(res, fsync(fd));
	close(fd);
}

const struct operation random_name_operations[] = {
	{ "mkdir", 12, USES_A, op_mkdir },
	{ "rmdir", 8, USES_A, op_rmdir },
	{ "unlink", 18, USES_A, op_unlink },
	{ "rename", 16, USES_A | USES_B, op_rename },
	{ "link", 8, USES_A | USES_B, op_link },
	{ "symlink", 4, USES_A | USES_B, op_symlink },
	{ "readlink", 2, USES_A, op_readlink },
	{ "mknod", 3, USES_A, op_mknod },
	{ "chmod", 5, USES_A, op_chmod },
	{ "lchown", 4, USES_A, op_chown },
	{ "utimens", 6, USES_A, op_utimens },
	{ "truncate", 6, USES_A | USES_IO, op_truncate },
	{ "setxattr", 6, USES_A, op_setxattr },
	{ "getxattr", 2, USES_A, op_getxattr },
	{ "removexattr", 2, USES_A, op_removexattr },
	{ "access", 2, USES_A, op_access },
	{ "empty_directory", 5, USES_A, op_empty_directory },
	{ "syncdir", 1, USES_A, op_syncdir },
	{ NULL, 0, 0, NULL },
};
