/* SPDX-License-Identifier: MIT */
/*
 * A reader of one stored version, shared by all who read it: straight from
 * the store, or, where reading costs requests, through the block cache.
 * Thread-safe.
 */
#ifndef STOREFS_MOUNT_READER_H
#define STOREFS_MOUNT_READER_H

#include <stdatomic.h>

#include "mount/diskcache.h"
#include "mount/fs.h"
#include "mount/prefetch.h"

struct base_reader {
	struct block_source source; /* first */
	_Atomic unsigned int references;
	struct store_reader *reader;
	struct block_object *object; /* NULL: nothing is cached */
	struct diskcache *disk;	     /* NULL: not on the disk */
	unsigned char disk_id[DISKBLOCK_ID];
	uint64_t size;
};

/*
 * Takes over `opened`, a reader of `key`, whose node has this number and which
 * found `info`; one reference.  NULL: no memory, and `opened` is closed.
 */
struct base_reader *reader_new(struct fs *fs, struct store_reader *opened,
			       const char *key, uint64_t number,
			       const struct store_info *info);
/* So small a file comes with its opening, where a store can do that. */
enum { READER_SMALL = 128 << 10 };
/*
 * What to tell store_open_small() of a file that was last seen with that size
 * and version; 0 when it is long, or here.
 */
size_t reader_expects(const struct fs *fs, const char *key, uint64_t number,
		      const struct store_version *version, uint64_t size);
void reader_hold(struct base_reader *reader);
void reader_put(struct base_reader *reader);
/*
 * Read all of `range`; CHANGED: there is less.  `ahead` (NULL: none) learns
 * what is read, and has what follows fetched.
 */
int reader_read(struct base_reader *reader, struct prefetch *ahead,
		struct store_context *context, const struct store_range *range,
		void *data, struct store_error *error) STORE_WARN_UNUSED;

#endif
