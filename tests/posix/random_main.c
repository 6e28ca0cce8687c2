// SPDX-License-Identifier: MIT
// random_ops: applies thousands of random operations to a directory under
// test and to a model directory, and compares result, errno, content and
// attributes after every step, and the whole tree every --every steps.
//
//   random_ops --mount DIR --model DIR [--seed N] [--ops N] [--every N]
//              [--remount CMD] [--remounts N] [--tamper KIND]
//              [--without OPERATION,...]
//
// Both directories must be empty. --remount runs CMD with sh -c N times (4)
// over the run, with all handles and mappings closed, and compares the tree
// afterwards. --tamper (content, mode, name, xattr, size, mtime, link) spoils
// one entry of the directory under test halfway: the program must then fail,
// which proves that it can. Exit code: 0 no difference, 1 a difference, 2
// usage or trouble.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/errname.h"
#include "tests/posix/random.h"
#include "tests/posix/random_choose.h"

#ifndef FALLOC_FL_ZERO_RANGE
#define FALLOC_FL_ZERO_RANGE 0x10
#endif

struct options {
	const char *remount;
	const char *tamper;
	long ops;
	long every;
	long remounts;
	bool verbose;
};

const char *random_path(const struct rnd *r, int side, const char *rel,
			char *buf)
{
	// A path that does not fit would be cut on one side only.
	if (snprintf(buf, FULL_LEN, "%s/%s", r->root[side], rel) >= FULL_LEN)
		abort();
	return buf;
}

void random_outcome(struct result *res, long ret)
{
	res->ret = ret;
	res->err = ret == -1 ? errno : 0;
	res->len = 0;
}

const unsigned char *random_bytes(struct rnd *r, uint64_t fill, size_t len)
{
	struct prng p;

	prng_init(&p, fill);
	prng_fill(&p, r->bytes, len);
	return r->bytes;
}

static void close_all(struct rnd *r)
{
	random_unmap_all(r);
	for (int slot = 0; slot < SLOTS; slot++) {
		int err[SIDES] = { 0 };

		if (r->fd[1][slot] < 0)
			continue;
		for (int s = 0; s < SIDES; s++) {
			if (close(r->fd[s][slot]))
				err[s] = errno;
			r->fd[s][slot] = -1;
		}
		if (err[0] != err[1])
			random_differs(r, "close of slot %d gives %s", slot,
				       errname(err[0]));
	}
}

// truncate() to the present size may or may not move mtime: avoid it.
static void avoid_same_size(struct rnd *r, struct args *args)
{
	char path[FULL_LEN];
	struct stat st;
	int err = -1;

	if (strcmp(args->op->name, "truncate") == 0)
		err = stat(random_path(r, 1, args->a, path), &st);
	else if (strcmp(args->op->name, "ftruncate") == 0)
		err = fstat(r->fd[1][args->slot], &st);
	if (err == 0 && st.st_size == args->off)
		args->off++;
}

static void settle_mtime(struct rnd *r, const struct args *args)
{
	int slot = args->op->uses & USES_SLOT2 ? args->slot2 : args->slot;
	struct timespec ts[2] = { { args->mtime_s, args->mtime_ns },
				  { args->mtime_s, args->mtime_ns } };
	int err[SIDES];

	for (int s = 0; s < SIDES; s++)
		err[s] = futimens(r->fd[s][slot], ts) ? errno : 0;
	if (err[0] != err[1])
		random_differs(r, "futimens gives %s, in the model %s",
			       errname(err[0]), errname(err[1]));
}

static void parent_of(const char *rel, char *parent)
{
	const char *slash = strrchr(rel, '/');
	size_t len = slash ? (size_t)(slash - rel) : 0;

	memcpy(parent, rel, len);
	parent[len] = '\0';
}

static bool compare_touched(struct rnd *r, const struct args *args)
{
	int uses = args->op->uses;
	bool content = args->variant % 3 == 0;
	char parent[REL_LEN];

	if (!random_compare_results(r, args))
		return false;
	if (uses & SETTLES_MTIME)
		settle_mtime(r, args);
	if (uses & USES_A) {
		parent_of(args->a, parent);
		if (!random_compare_path(r, args->a, content) ||
		    !random_compare_listing(r, parent) ||
		    (*parent && !random_compare_path(r, parent, content)))
			return false;
	}
	if (uses & USES_B) {
		parent_of(args->b, parent);
		if (!random_compare_path(r, args->b, content) ||
		    !random_compare_listing(r, parent))
			return false;
	}
	if ((uses & (USES_SLOT | USES_FREE_SLOT)) &&
	    !random_compare_slot(r, args->slot, content))
		return false;
	if ((uses & USES_SLOT2) &&
	    !random_compare_slot(r, args->slot2, content))
		return false;
	// Any other handle may have been changed through a link or a mapping.
	return random_compare_slot(r, (int)(args->variant % SLOTS), content) &&
	       !r->differs;
}

static bool one_step(struct rnd *r, bool verbose)
{
	struct args args;

	random_choose(r, &args);
	avoid_same_size(r, &args);
	for (int s = 0; s < SIDES; s++)
		args.op->apply(r, s, &args, &r->res[s]);
	random_remember(r, &args);
	if (verbose)
		printf("%ld %s -> %ld\n", r->step, args.op->name,
		       r->res[1].ret);
	return compare_touched(r, &args);
}

static bool remount(struct rnd *r, const char *cmd)
{
	close_all(r);
	if (r->differs)
		return false;
	fflush(stdout);
	int code = system(cmd);

	if (code != 0)
		return random_differs(r, "the remount command ended with %d",
				      code);
	return random_compare_tree(r);
}

// Spoils NAME, a regular file, in one way.
static int tamper_file(const char *name, const char *kind)
{
	struct timespec ts[2] = { { 7, 7 }, { 7, 7 } };
	struct stat st;
	char other[FULL_LEN + 8];
	char c = 0;
	int fd;

	snprintf(other, sizeof(other), "%s-2", name);
	if (stat(name, &st))
		return -1;
	if (strcmp(kind, "mode") == 0)
		return chmod(name, st.st_mode ^ 0010);
	if (strcmp(kind, "name") == 0)
		return rename(name, other);
	if (strcmp(kind, "xattr") == 0)
		return setxattr(name, "user.x", "tampered", 8, 0);
	if (strcmp(kind, "size") == 0)
		return truncate(name, st.st_size + 1);
	if (strcmp(kind, "mtime") == 0)
		return utimensat(AT_FDCWD, name, ts, 0);
	if (strcmp(kind, "link") == 0)
		return link(name, other);
	if (strcmp(kind, "content") != 0 || st.st_size == 0)
		return -1;
	fd = open(name, O_RDWR);
	ts[1] = st.st_mtim;
	if (fd < 0 || pread(fd, &c, 1, st.st_size / 2) != 1)
		return -1;
	c = (char)(c ^ 1);
	if (pwrite(fd, &c, 1, st.st_size / 2) != 1 || futimens(fd, ts))
		return -1;
	return close(fd);
}

// Looks for a file at the top of the directory under test; false when there
// is none to spoil now.
static bool tamper(const struct rnd *r, const char *kind)
{
	DIR *dir = opendir(r->root[0]);
	const struct dirent *e;
	bool done = false;

	while (dir && !done && (e = readdir(dir))) {
		char path[FULL_LEN];
		struct stat st;

		random_path(r, 0, e->d_name, path);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			done = tamper_file(path, kind) == 0;
	}
	if (dir)
		closedir(dir);
	return done;
}

static bool whole_tree_due(struct rnd *r, const struct options *o,
			   bool *tampered)
{
	if (o->tamper && !*tampered && r->step >= o->ops / 2)
		*tampered = tamper(r, o->tamper);
	return *tampered || r->step % o->every == o->every - 1;
}

static bool run(struct rnd *r, const struct options *o)
{
	long between = o->remount ? o->ops / (o->remounts + 1) + 1 : 0;
	bool tampered = false;

	for (r->step = 0; r->step < o->ops; r->step++) {
		if (!one_step(r, o->verbose))
			return false;
		if (whole_tree_due(r, o, &tampered) && !random_compare_tree(r))
			return false;
		if (between && r->step % between == between - 1 &&
		    !remount(r, o->remount))
			return false;
	}
	r->step--;
	close_all(r);
	if (r->differs || !random_compare_tree(r))
		return false;
	return !o->remount || remount(r, o->remount);
}

static bool probe_zero_range(struct rnd *r)
{
	bool both = true;

	for (int s = 0; s < SIDES; s++) {
		char path[FULL_LEN];
		int fd = open(random_path(r, s, "probe", path),
			      O_CREAT | O_RDWR, 0600);

		both = both && fd >= 0 &&
		       fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 10) == 0;
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
	return both;
}

static int prepare(struct rnd *r)
{
	for (int s = 0; s < SIDES; s++) {
		struct stat st;

		for (int slot = 0; slot < SLOTS; slot++)
			r->fd[s][slot] = -1;
		for (int m = 0; m < MAPS; m++)
			r->maps[m].path_fd[s] = -1;
		r->cmp[s] = malloc(MAX_IO);
		r->res[s].data = malloc(MAX_IO);
		if (!r->cmp[s] || !r->res[s].data)
			return -1;
		if (strlen(r->root[s]) > FULL_LEN - 256 ||
		    stat(r->root[s], &st) || !S_ISDIR(st.st_mode)) {
			fprintf(stderr, "random_ops: no directory %s\n",
				r->root[s]);
			return -1;
		}
	}
	r->bytes = malloc(MAX_IO);
	if (!r->bytes)
		return -1;
	r->can_zero_range = probe_zero_range(r);
	umask(0);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void release(struct rnd *r)
{
	for (int s = 0; s < SIDES; s++) {
		free(r->cmp[s]);
		free(r->res[s].data);
	}
	free(r->bytes);
	free(r);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: random_ops --mount DIR --model DIR [--seed N]\n"
		"       [--ops N] [--every N] [--remount CMD] [--remounts N]\n"
		"       [--tamper KIND] [--without OPERATION,...] [-v]\n");
	return 2;
}

static int parse(int argc, char **argv, struct rnd *r, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0) {
			o->verbose = true;
			continue;
		}
		if (i + 1 == argc)
			return -1;
		const char *name = argv[i];
		const char *value = argv[++i];

		if (strcmp(name, "--mount") == 0)
			r->root[0] = value;
		else if (strcmp(name, "--model") == 0)
			r->root[1] = value;
		else if (strcmp(name, "--seed") == 0)
			r->seed = strtoull(value, NULL, 0);
		else if (strcmp(name, "--ops") == 0)
			o->ops = strtol(value, NULL, 10);
		else if (strcmp(name, "--every") == 0)
			o->every = strtol(value, NULL, 10);
		else if (strcmp(name, "--remount") == 0)
			o->remount = value;
		else if (strcmp(name, "--remounts") == 0)
			o->remounts = strtol(value, NULL, 10);
		else if (strcmp(name, "--without") == 0)
			r->without = value;
		else if (strcmp(name, "--tamper") == 0)
			o->tamper = value;
		else
			return -1;
	}
	return r->root[0] && r->root[1] && o->ops > 0 && o->every > 0 &&
			       o->remounts > 0
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	struct options o = { .ops = 5000, .every = 100, .remounts = 4 };
	struct rnd *r = calloc(1, sizeof(*r));
	struct timespec now;

	if (!r)
		return 2;
	clock_gettime(CLOCK_REALTIME, &now);
	r->seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec % 1000;
	if (parse(argc, argv, r, &o)) {
		free(r);
		return usage();
	}
	prng_init(&r->prng, r->seed);
	printf("seed %llu, %ld operations\n", (unsigned long long)r->seed,
	       o.ops);
	if (prepare(r)) {
		release(r);
		return 2;
	}
	bool same = run(r, &o) && !r->differs;

	if (same)
		printf("%ld operations, no difference\n", o.ops);
	else
		random_report(r);
	release(r);
	return same ? 0 : 1;
}
