// SPDX-License-Identifier: MIT
// The parts of random_ops: what a step is, the two sides it is applied to,
// and how they are compared.
//
// Side 0 is the directory under test, side 1 the model, a directory of a
// local file system. A step is chosen once and applied to both; whatever
// differs afterwards is a difference of the directory under test.
#ifndef STOREFS_TESTS_POSIX_RANDOM_H
#define STOREFS_TESTS_POSIX_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tests/posix/prng.h"

enum {
	SIDES = 2,
	SLOTS = 8,	 // handles open at one time
	MAPS = 3,	 // mappings at one time
	MAP_LEN = 65536, // bytes of a mapping
	MAX_IO = 65536,	 // bytes of one read or write
	REL_LEN = 32,	 // a path below a side
	FULL_LEN = 4096,
	HISTORY = 30,		      // steps shown with a difference
	EXPLICIT_BEFORE = 1000000000, // mtimes below were set, not taken
};

// What a step was chosen to be. An operation uses the fields it needs.
struct args {
	const struct operation *op;
	char a[REL_LEN];
	char b[REL_LEN];
	int slot;
	int slot2;
	int map;
	int flags; // of open
	unsigned variant;
	mode_t mode;
	off_t off;
	off_t off2;
	size_t len;
	uint64_t fill; // seed of the bytes written
	long mtime_s;
	long mtime_ns;
};

struct result {
	long ret;
	int err;
	size_t len; // bytes in data
	unsigned char *data;
};

// What an operation needs before it can be applied, and what it touches.
enum {
	USES_A = 1,
	USES_B = 2,
	USES_SLOT = 4,	     // a handle that is open
	USES_SLOT2 = 8,	     // a second one, possibly the same
	USES_FREE_SLOT = 16, // a slot without handle
	USES_MAP = 32,	     // a mapping that exists
	USES_FREE_MAP = 64,
	USES_IO = 128,	     // offset, length and bytes
	SETTLES_MTIME = 256, // POSIX leaves open whether mtime moves
};

struct rnd;

struct operation {
	const char *name;
	int weight;
	int uses;
	void (*apply)(struct rnd *r, int side, const struct args *args,
		      struct result *res);
};

struct mapping {
	unsigned char *at[SIDES]; // NULL: no mapping here
	int path_fd[SIDES];	  // O_PATH, to ask for the size
	bool writable;
	off_t off;
};

struct rnd {
	struct prng prng;
	uint64_t seed;
	const char *root[SIDES];
	int fd[SIDES][SLOTS]; // -1: closed
	struct mapping maps[MAPS];
	struct result res[SIDES];
	unsigned char *bytes;	   // MAX_IO, for writing
	unsigned char *cmp[SIDES]; // MAX_IO each, for comparing
	bool can_zero_range;
	const char *without; // "link,mknod": operations not chosen; or NULL;
			     // "over": no symlink replaces a file
	long step;
	struct args history[HISTORY];
	struct result outcome[HISTORY];
	bool differs;
	char why[2048];
};

// random_names.c, random_files.c, random_maps.c: tables ended by a NULL name.
extern const struct operation random_name_operations[];
extern const struct operation random_file_operations[];
extern const struct operation random_map_operations[];

// "root/rel" of SIDE in BUF of FULL_LEN bytes; returns BUF.
const char *random_path(const struct rnd *r, int side, const char *rel,
			char *buf);
// Keeps RET and, when it is -1, errno.
void random_outcome(struct result *res, long ret);
// The LEN bytes of FILL, in r->bytes.
const unsigned char *random_bytes(struct rnd *r, uint64_t fill, size_t len);
void random_unmap_all(struct rnd *r);

// random_compare.c. Each notes the first difference in r->why and returns
// false; true means that both sides agree.
__attribute__((format(printf, 2, 3))) bool
random_differs(struct rnd *r, const char *format, ...);
bool random_compare_results(struct rnd *r, const struct args *args);
bool random_compare_path(struct rnd *r, const char *rel, bool content);
bool random_compare_slot(struct rnd *r, int slot, bool content);
bool random_compare_listing(struct rnd *r, const char *rel_dir);
bool random_compare_tree(struct rnd *r);

// random_log.c
void random_remember(struct rnd *r, const struct args *args);
void random_report(const struct rnd *r);

#endif
