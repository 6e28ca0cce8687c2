/* SPDX-License-Identifier: MIT */
/*
 * A spool: bytes of unknown length, in memory at first and beyond
 * SPOOL_MEMORY in an unlinked temporary file below $TMPDIR (/tmp).  Filled
 * from one thread, then read as a source.
 */
#ifndef STOREFS_SRC_SPOOL_H
#define STOREFS_SRC_SPOOL_H

#include <stddef.h>

#include <storefs/types.h>

/* Bytes kept in memory. */
enum { SPOOL_MEMORY = 8 * 1024 * 1024 };

struct spool;

/* NULL when out of memory. */
struct spool *spool_new(void);
void spool_free(struct spool *spool);
/* Append.  A full disk is NO_SPACE; what was there stays. */
int spool_write(struct spool *spool, const void *data, size_t length,
		struct store_error *error) STORE_WARN_UNUSED;
/* All bytes so far; borrowed, good until the next write. */
struct store_source *spool_source(struct spool *spool);

#endif
