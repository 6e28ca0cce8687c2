/* SPDX-License-Identifier: MIT */
/*
 * Bytes of stored versions in memory, shared by all who read them: each byte
 * is asked of the store once, however many wait for it.
 *
 * An object is one version of one file.  Its bytes stand in blocks, which are
 * the very ranges that were asked for: a random reader costs what it reads,
 * a prefetcher asks for long ranges.  A version never changes, so neither
 * does a block; what nobody uses goes when the budget is needed, the least
 * recently used first, also of objects that nobody has open.
 *
 * The budget is that of all memory for content: requests and uploads reserve
 * their buffers here, and blocks give way.
 *
 * Thread-safe.  No lock is held while the store is asked.
 */
#ifndef STOREFS_MOUNT_BLOCKCACHE_H
#define STOREFS_MOUNT_BLOCKCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/context.h>
#include <storefs/types.h>

#include "mount/pattern.h"

struct blockcache;
struct block_object;

/* Asks the store for bytes of one version; called by several threads. */
struct block_source {
	/* For who asks later (prefetch.h); only as long as it is held. */
	void (*hold)(struct block_source *source);
	void (*drop)(struct block_source *source);
	/* As store_read_at(). */
	int (*read)(struct block_source *source, struct store_context *context,
		    uint64_t offset, void *data, size_t length, size_t *got,
		    struct store_error *error);
};

struct blockcache_stats {
	uint64_t used;	   /* bytes of the budget, */
	uint64_t reserved; /* so many of which are no blocks */
	uint64_t peak;	   /* the most that ever were */
	uint64_t found;	   /* bytes that readers found or waited for */
	uint64_t fetched;  /* bytes asked of the store, */
	uint64_t requests; /* in so many calls, */
	uint64_t uncached; /* so many of which found no room */
	uint64_t evicted;  /* bytes that made room for others */
};

/* Each may reserve half of the budget, so that neither waits for the other. */
enum blockcache_use { BLOCKCACHE_READS, BLOCKCACHE_UPLOADS, BLOCKCACHE_USES };

/* `budget`: bytes of memory.  NULL: no memory. */
struct blockcache *blockcache_new(uint64_t budget);
/* When all objects have been put. */
void blockcache_free(struct blockcache *cache);
void blockcache_stats(struct blockcache *cache, struct blockcache_stats *stats);

/*
 * Wait until there is room for a buffer of `bytes`, at most half of the
 * budget, and take it.  Nobody waits here who has reserved something.
 */
int blockcache_reserve(struct blockcache *cache, enum blockcache_use use,
		       uint64_t bytes, const struct store_context *context,
		       struct store_error *error) STORE_WARN_UNUSED;
void blockcache_release(struct blockcache *cache, enum blockcache_use use,
			uint64_t bytes);
/* Bytes that are not reserved. */
uint64_t blockcache_room(struct blockcache *cache);

/* Is anything of that version here? */
bool blockcache_has(struct blockcache *cache, uint64_t file,
		    const struct store_version *version);
/*
 * The object of this version of this file, also when it was put before and
 * some of its blocks are still here; a reference.  `file`: what tells files
 * apart for as long as the cache lives.  NULL: no memory.
 */
struct block_object *blockcache_get(struct blockcache *cache, uint64_t file,
				    const struct store_version *version);
/* A further reference. */
void blockcache_hold(struct block_object *object);
void blockcache_put(struct block_object *object);
/* For prefetch.c, under its lock; it goes with the object. */
struct pattern_habit *blockcache_habit(struct block_object *object);

/*
 * Read all of `range`, which ends within the file, into `data`.  What is not
 * here is asked of `source` in this thread; what another thread is asking for
 * is waited for, and asked for anew when that one fails: its error is its
 * own.  CHANGED: the source has fewer bytes.
 */
int blockcache_read(struct block_object *object, struct block_source *source,
		    struct store_context *context,
		    const struct store_range *range, void *data,
		    struct store_error *error) STORE_WARN_UNUSED;
/*
 * Have what is missing of `range` here, for nobody in particular: one call of
 * the source for each gap.  What is under way elsewhere is left to those.
 * NO_SPACE: the budget has no room that is not in use.
 */
int blockcache_fill(struct block_object *object, struct block_source *source,
		    struct store_context *context,
		    const struct store_range *range, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
