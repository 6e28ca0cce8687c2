/* SPDX-License-Identifier: MIT */
/*
 * The cache directory: blocks of stored versions on the local disk, kept from
 * one mount to the next (diskblock.h tells their files).
 *
 *	DIR/storefs-cache	marks it as ours, locked while mounted
 *	DIR/ab/...		the blocks, by the beginning of their id
 *	DIR/tmp-N		one that is being written
 *
 * A block is named by a digest of the store, the key and the version, and
 * checks itself, so that whatever is found belongs to what is asked for, or is
 * removed.  Nothing is flushed: a crash costs blocks.  Whatever goes wrong here
 * costs a request to the store and a line in the log.  The least recently used
 * blocks go when room is needed, which is taken before a block is written, or
 * when there are more than memory is for.
 *
 * Thread-safe.
 */
#ifndef STOREFS_MOUNT_DISKCACHE_H
#define STOREFS_MOUNT_DISKCACHE_H

#include "mount/diskblock.h"

struct diskcache;

struct diskcache_request {
	const char *path;     /* made when it is missing, but no parent */
	const char *identity; /* of the store */
	uint64_t size;	      /* bytes, or percent of its file system; 0: all */
	uint64_t memory;      /* bytes for what is known of blocks */
	bool percent;
};

struct diskcache_stats {
	uint64_t limit;	  /* bytes, 0: none */
	uint64_t used;	  /* bytes of disk */
	uint64_t blocks;  /* so many */
	uint64_t found;	  /* bytes that were asked for and were here */
	uint64_t written; /* bytes */
	uint64_t evicted; /* blocks */
	uint64_t damaged; /* blocks that were not what was written */
	uint64_t failed;  /* blocks that could not be written */
};

/*
 * LOCKED: another mount has it.  INVALID: it holds something else, is of a
 * newer format or of another user; then nothing in it is touched.
 */
int diskcache_open(const struct diskcache_request *request,
		   struct diskcache **cache, struct store_error *error)
	STORE_WARN_UNUSED;
/* NULL is fine. */
void diskcache_close(struct diskcache *cache);
void diskcache_stats(struct diskcache *cache, struct diskcache_stats *stats);

/* What names the blocks of a version. */
int diskcache_id(const struct diskcache *cache, const char *key,
		 const struct store_version *version,
		 unsigned char id[DISKBLOCK_ID], struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The first bytes of `range`: how many are here, copied to `data`.  0: none,
 * and *gap, at least 1, tells how many to ask the store for: those in a row
 * that are not here, and what of little is here between them.
 */
size_t diskcache_read(struct diskcache *cache,
		      const unsigned char id[DISKBLOCK_ID],
		      const struct store_range *range, void *data, size_t *gap);
/* Keep what *gap told; smaller blocks within it go. */
void diskcache_write(struct diskcache *cache,
		     const unsigned char id[DISKBLOCK_ID],
		     const struct store_range *range, const void *data);

#endif
