/* SPDX-License-Identifier: MIT */
/*
 * Reading ahead: what a reader will want next is fetched into the block cache
 * by threads of ours, several ranges at a time.
 *
 * All readers together may be ahead by half of what nobody has reserved of the
 * cache's budget; each gets an equal share, and less when blocks find no room.
 * Thread-safe; one reader may be used by several threads.
 */
#ifndef STOREFS_MOUNT_PREFETCH_H
#define STOREFS_MOUNT_PREFETCH_H

#include "mount/blockcache.h"

struct prefetcher;
struct prefetch;

/*
 * `threads`: requests at a time; they are started when there is work.
 * `stall_ns`: as in struct store_context.  NULL: no memory.
 */
struct prefetcher *prefetcher_new(struct blockcache *cache,
				  unsigned int threads, int64_t stall_ns);
/*
 * Cancel and forget everything, also for readers that are still open, and wait
 * until no thread of ours uses an object or a source; nothing is read ahead
 * from here on.
 */
void prefetcher_stop(struct prefetcher *prefetcher);
/* Once it is stopped.  Readers that were never closed are lost. */
void prefetcher_free(struct prefetcher *prefetcher);

/* A reader of one object.  NULL: no memory, which prefetch_read() takes. */
struct prefetch *prefetch_open(struct prefetcher *prefetcher);
/* What is not under way is forgotten, what is, is cancelled. */
void prefetch_close(struct prefetch *prefetch);
/*
 * The reader is about to read `range` of an object of `size` bytes: ask for
 * what comes behind it.  Does not wait.  Failures are not told: whoever needs
 * the bytes asks for them anew.  The source is held for as long as needed.
 */
void prefetch_read(struct prefetch *prefetch, struct block_object *object,
		   struct block_source *source, uint64_t size,
		   const struct store_range *range);

#endif
