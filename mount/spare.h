/* SPDX-License-Identifier: MIT */
/*
 * Spare staging files: those of small layers that nobody needs any more, kept
 * empty under names of their own (`spare-N`) to become layers again.  A file
 * system is slow to hand out inodes that were freed a moment ago, and every
 * small close would make and free one.
 *
 * Any thread may call; the functions block on the local disk only.
 */
#ifndef STOREFS_MOUNT_SPARE_H
#define STOREFS_MOUNT_SPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/sync.h"

/* As many as are used up between two flushes of the journal. */
enum { SPARES_MAX = 1024 };

struct spares {
	int dir_fd;  /* borrowed */
	size_t most; /* none on a disk that is short of inodes */
	struct lock lock;
	uint64_t numbers[SPARES_MAX]; /* protected by `lock` */
	size_t count;		      /* the same */
	uint64_t last;		      /* the same */
};

/* Removes those of an earlier run; without that none is ever kept. */
void spares_init(struct spares *spares, int dir_fd);
/* Removes all. */
void spares_release(struct spares *spares);

/*
 * Give an empty file this name, which nobody has; false: there is none to be
 * had.
 */
bool spares_take(struct spares *spares, const char *name);
/*
 * The file loses its name, and its bytes unless somebody has it open; false:
 * it is as before.
 */
bool spares_give(struct spares *spares, const char *name);

#endif
