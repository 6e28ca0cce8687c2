/* SPDX-License-Identifier: MIT */
/* What diskcache.c and diskcache_open.c share. */
#ifndef STOREFS_MOUNT_DISKCACHE_INDEX_H
#define STOREFS_MOUNT_DISKCACHE_INDEX_H

#include <stdatomic.h>

#include "mount/diskcache.h"
#include "src/base/sync.h"

struct disk_entry {
	struct diskblock block;
	uint64_t number;    /* no other entry has had it */
	int64_t touched_ns; /* when the disk was told of a use */
	struct disk_entry *newer, *older;
};

/* Of an entry and its place in the tree, about. */
#define DISK_ENTRY_MEMORY (sizeof(struct disk_entry) + 64)

struct diskcache {
	char *path, *identity; /* owned */
	int fd, mark_fd;
	uint64_t most;		 /* blocks */
	_Atomic uint64_t serial; /* of temporary files */
	struct lock lock;
	/* protected by `lock` */
	void *entries; /* tsearch(3) */
	uint64_t numbers;
	struct disk_entry *newest, *oldest;
	int failed; /* errno of the last write, 0: it went well */
	struct diskcache_stats stats;
};

/*
 * Take room for a block of `length` bytes, for which older ones go.  False:
 * there is less altogether.
 */
bool diskcache_make_room(struct diskcache *cache, uint64_t length);
void diskcache_give_room(struct diskcache *cache, uint64_t length);
/* As the newest; its room is taken.  False: it is here, or no memory. */
bool diskcache_add_locked(struct diskcache *cache,
			  const struct diskblock *block) REQUIRES(cache->lock);

#endif
