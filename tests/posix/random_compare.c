// SPDX-License-Identifier: MIT
// random_ops: is the directory under test what the model is? Called by
// random_main.c after each step; reads both sides, changes neither.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/posix/errname.h"
#include "tests/posix/random.h"

enum { MAX_NAMES = 64, NAME_LEN = 64, MAX_LINKED = 512, LIST_LEN = 4096 };

struct listing {
	int n;
	char names[MAX_NAMES][NAME_LEN];
	unsigned char types[MAX_NAMES];
};

// Pairs of inodes that must be one file on both sides.
struct linked {
	int n;
	ino_t pair[MAX_LINKED][SIDES];
};

bool random_differs(struct rnd *r, const char *format, ...)
{
	va_list ap;

	if (!r->differs) {
		va_start(ap, format);
		vsnprintf(r->why, sizeof(r->why), format, ap);
		va_end(ap);
	}
	r->differs = true;
	return false;
}

bool random_compare_results(struct rnd *r, const struct args *args)
{
	const struct result *a = &r->res[0];
	const struct result *b = &r->res[1];

	if (a->ret != b->ret || a->err != b->err)
		return random_differs(r, "%s gives %ld %s, the model %ld %s",
				      args->op->name, a->ret, errname(a->err),
				      b->ret, errname(b->err));
	if (a->len == b->len && memcmp(a->data, b->data, a->len) == 0)
		return true;
	size_t at = 0;

	while (at < a->len && at < b->len && a->data[at] == b->data[at])
		at++;
	return random_differs(r,
			      "%s gives %zu bytes, the model %zu; the first "
			      "difference is at %zu (%02x, model %02x)",
			      args->op->name, a->len, b->len, at,
			      at < a->len ? a->data[at] : 0,
			      at < b->len ? b->data[at] : 0);
}

static bool compare_times(struct rnd *r, const char *what,
			  const struct stat st[SIDES])
{
	const struct timespec *a = &st[0].st_mtim;
	const struct timespec *b = &st[1].st_mtim;
	bool set = b->tv_sec < EXPLICIT_BEFORE;

	// Bytes in a fifo never reach a file system, their times may or may not.
	if (S_ISFIFO(st[1].st_mode) || S_ISSOCK(st[1].st_mode))
		return true;
	if (set ? a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec
		: a->tv_sec >= EXPLICIT_BEFORE)
		return true;
	return random_differs(r,
			      "%s: mtime is %lld.%09ld, in the model %s"
			      " %lld.%09ld",
			      what, (long long)a->tv_sec, a->tv_nsec,
			      set ? "set to" : "of now", (long long)b->tv_sec,
			      b->tv_nsec);
}

static bool compare_stat(struct rnd *r, const char *what,
			 const struct stat st[SIDES])
{
	const struct stat *a = &st[0];
	const struct stat *b = &st[1];

	if (a->st_mode != b->st_mode)
		return random_differs(r, "%s: mode is %o, in the model %o",
				      what, (unsigned)a->st_mode,
				      (unsigned)b->st_mode);
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return random_differs(
			r, "%s: owner is %u:%u, in the model %u:%u", what,
			a->st_uid, a->st_gid, b->st_uid, b->st_gid);
	if (!S_ISDIR(b->st_mode) && a->st_size != b->st_size)
		return random_differs(r, "%s: size is %lld, in the model %lld",
				      what, (long long)a->st_size,
				      (long long)b->st_size);
	if (!S_ISDIR(b->st_mode) && a->st_nlink != b->st_nlink)
		return random_differs(r, "%s: nlink is %lu, in the model %lu",
				      what, (unsigned long)a->st_nlink,
				      (unsigned long)b->st_nlink);
	return compare_times(r, what, st);
}

static bool compare_bytes(struct rnd *r, const char *what, const int fd[SIDES])
{
	off_t at = 0;

	for (;;) {
		ssize_t n[SIDES];

		for (int s = 0; s < SIDES; s++)
			n[s] = pread(fd[s], r->cmp[s], MAX_IO, at);
		if (n[0] != n[1])
			return random_differs(
				r,
				"%s: reading at %lld gives %zd, in the"
				" model %zd",
				what, (long long)at, n[0], n[1]);
		if (n[0] <= 0)
			return true;
		for (ssize_t i = 0; i < n[0]; i++)
			if (r->cmp[0][i] != r->cmp[1][i])
				return random_differs(
					r,
					"%s: byte %lld is %02x, in the"
					" model %02x",
					what, (long long)at + i, r->cmp[0][i],
					r->cmp[1][i]);
		at += n[0];
	}
}

static bool compare_content(struct rnd *r, const char *rel)
{
	int fd[SIDES];
	int err[SIDES] = { 0 };
	char path[FULL_LEN];
	bool same = true;

	for (int s = 0; s < SIDES; s++) {
		fd[s] = open(random_path(r, s, rel, path),
			     O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd[s] < 0)
			err[s] = errno;
	}
	if (err[0] != err[1])
		same = random_differs(r,
				      "%s: opening gives %s, in the model"
				      " %s",
				      rel, errname(err[0]), errname(err[1]));
	else if (err[0] == 0)
		same = compare_bytes(r, rel, fd);
	for (int s = 0; s < SIDES; s++)
		if (fd[s] >= 0)
			close(fd[s]);
	return same;
}

// The names of the list of attributes in sorted order, without those that
// belong to the driver under test; the count, -1 with errno.
static int xattr_names(const char *path, char *list,
		       const char *names[MAX_NAMES])
{
	ssize_t len = llistxattr(path, list, LIST_LEN);
	int n = 0;

	if (len < 0)
		return -1;
	for (ssize_t at = 0; at < len && n < MAX_NAMES;
	     at += (ssize_t)strlen(list + at) + 1) {
		int k = n;

		if (strncmp(list + at, "user.", 5) != 0 ||
		    strncmp(list + at, "user.storefs.", 13) == 0)
			continue;
		for (; k > 0 && strcmp(names[k - 1], list + at) > 0; k--)
			names[k] = names[k - 1];
		names[k] = list + at;
		n++;
	}
	return n;
}

static bool compare_xattrs(struct rnd *r, const char *rel)
{
	char path[SIDES][FULL_LEN];
	char list[SIDES][LIST_LEN];
	const char *names[SIDES][MAX_NAMES];
	int n[SIDES];

	for (int s = 0; s < SIDES; s++) {
		random_path(r, s, rel, path[s]);
		n[s] = xattr_names(path[s], list[s], names[s]);
	}
	if (n[0] != n[1])
		return random_differs(r, "%s: %d attributes, in the model %d",
				      rel, n[0], n[1]);
	for (int i = 0; i < n[1]; i++) {
		ssize_t len[SIDES];

		for (int s = 0; s < SIDES; s++)
			len[s] = lgetxattr(path[s], names[1][i], r->cmp[s],
					   MAX_IO);
		if (strcmp(names[0][i], names[1][i]) != 0 || len[0] != len[1] ||
		    (len[0] > 0 &&
		     memcmp(r->cmp[0], r->cmp[1], (size_t)len[0]) != 0))
			return random_differs(
				r,
				"%s: attribute %s of %zd bytes, in the"
				" model %s of %zd, or of other bytes",
				rel, names[0][i], len[0], names[1][i], len[1]);
	}
	return true;
}

static bool compare_target(struct rnd *r, const char *rel)
{
	char path[FULL_LEN];
	ssize_t n[SIDES];

	for (int s = 0; s < SIDES; s++)
		n[s] = readlink(random_path(r, s, rel, path), (char *)r->cmp[s],
				MAX_IO);
	if (n[0] == n[1] &&
	    (n[0] <= 0 || memcmp(r->cmp[0], r->cmp[1], (size_t)n[0]) == 0))
		return true;
	return random_differs(r, "%s: the target of the symlink differs", rel);
}

bool random_compare_path(struct rnd *r, const char *rel, bool content)
{
	struct stat st[SIDES];
	char path[FULL_LEN];
	int err[SIDES];

	memset(st, 0, sizeof(st));
	for (int s = 0; s < SIDES; s++)
		err[s] =
			lstat(random_path(r, s, rel, path), &st[s]) ? errno : 0;
	if (err[0] != err[1])
		return random_differs(r, "%s: lstat gives %s, in the model %s",
				      rel, errname(err[0]), errname(err[1]));
	if (err[0] != 0)
		return true;
	if (!compare_stat(r, rel, st))
		return false;
	if (S_ISLNK(st[1].st_mode) && !compare_target(r, rel))
		return false;
	if (!content)
		return true;
	if (S_ISREG(st[1].st_mode) && !compare_content(r, rel))
		return false;
	return compare_xattrs(r, rel);
}

bool random_compare_slot(struct rnd *r, int slot, bool content)
{
	struct stat st[SIDES];
	int fd[SIDES] = { r->fd[0][slot], r->fd[1][slot] };
	char what[32];

	if (fd[1] < 0)
		return true;
	snprintf(what, sizeof(what), "the handle in slot %d", slot);
	for (int s = 0; s < SIDES; s++)
		if (fstat(fd[s], &st[s]))
			return random_differs(r,
					      "%s: fstat gives %s on side"
					      " %d",
					      what, errname(errno), s);
	if (!compare_stat(r, what, st))
		return false;
	int mode = fcntl(fd[1], F_GETFL) & O_ACCMODE;

	if (!content || mode == O_WRONLY || !S_ISREG(st[1].st_mode))
		return true;
	return compare_bytes(r, what, fd);
}

static int read_listing(const char *path, struct listing *l)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	l->n = 0;
	if (!dir)
		return errno;
	while ((e = readdir(dir))) {
		int k = l->n;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (l->n == MAX_NAMES)
			break;
		for (; k > 0 && strcmp(l->names[k - 1], e->d_name) > 0; k--) {
			memcpy(l->names[k], l->names[k - 1], NAME_LEN);
			l->types[k] = l->types[k - 1];
		}
		snprintf(l->names[k], NAME_LEN, "%.63s", e->d_name);
		l->types[k] = e->d_type;
		l->n++;
	}
	closedir(dir);
	return 0;
}

static bool compare_two_listings(struct rnd *r, const char *rel,
				 const struct listing l[SIDES])
{
	for (int i = 0; i < l[0].n || i < l[1].n; i++) {
		const char *a = i < l[0].n ? l[0].names[i] : "(none)";
		const char *b = i < l[1].n ? l[1].names[i] : "(none)";

		if (strcmp(a, b) != 0)
			return random_differs(
				r,
				"listing of '%s': entry %d is %s, in the"
				" model %s",
				rel, i, a, b);
		if (l[0].types[i] != l[1].types[i] &&
		    l[0].types[i] != DT_UNKNOWN)
			return random_differs(
				r,
				"listing of '%s': d_type of %s is %d, in"
				" the model %d",
				rel, a, l[0].types[i], l[1].types[i]);
	}
	return true;
}

bool random_compare_listing(struct rnd *r, const char *rel)
{
	struct listing *l = calloc(SIDES, sizeof(*l));
	char path[FULL_LEN];
	int err[SIDES];
	bool same;

	if (!l)
		return random_differs(r, "no memory for a listing");
	for (int s = 0; s < SIDES; s++)
		err[s] = read_listing(random_path(r, s, rel, path), &l[s]);
	if (err[0] != err[1])
		same = random_differs(r,
				      "listing of '%s' gives %s, in the"
				      " model %s",
				      rel, errname(err[0]), errname(err[1]));
	else
		same = compare_two_listings(r, rel, l);
	free(l);
	return same;
}

// Names that are one inode in the model must be one under test, and the
// reverse.
static bool compare_identity(struct rnd *r, struct linked *seen,
			     const char *rel)
{
	struct stat st[SIDES];
	char path[FULL_LEN];

	for (int s = 0; s < SIDES; s++)
		if (lstat(random_path(r, s, rel, path), &st[s]))
			return random_differs(r, "%s vanished", rel);
	for (int i = 0; i < seen->n; i++)
		if ((seen->pair[i][0] == st[0].st_ino) !=
		    (seen->pair[i][1] == st[1].st_ino))
			return random_differs(
				r,
				"%s: is one inode with another name on one"
				" side only",
				rel);
	if (seen->n < MAX_LINKED) {
		seen->pair[seen->n][0] = st[0].st_ino;
		seen->pair[seen->n][1] = st[1].st_ino;
		seen->n++;
	}
	return true;
}

static bool compare_below(struct rnd *r, const char *rel, struct linked *seen)
{
	struct listing *l = calloc(1, sizeof(*l));
	char path[FULL_LEN];
	bool same = l != NULL;

	if (!random_compare_listing(r, rel) || !l ||
	    read_listing(random_path(r, 1, rel, path), l) != 0) {
		free(l);
		return random_differs(r, "cannot list '%s'", rel);
	}
	for (int i = 0; same && i < l->n; i++) {
		char below[FULL_LEN];
		struct stat st;

		snprintf(below, sizeof(below), "%.3900s%s%s", rel,
			 *rel ? "/" : "", l->names[i]);
		same = random_compare_path(r, below, true) &&
		       compare_identity(r, seen, below);
		if (!same || lstat(random_path(r, 1, below, path), &st))
			break;
		if (S_ISDIR(st.st_mode))
			same = compare_below(r, below, seen);
	}
	free(l);
	return same;
}

bool random_compare_tree(struct rnd *r)
{
	struct linked *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return random_differs(r, "no memory for the comparison");
	bool same = compare_below(r, "", seen);

	free(seen);
	return same;
}
