/* SPDX-License-Identifier: MIT */
/*
 * Threads that read files of a mount to their end, for cmd_warm.c.  Beside
 * warm_pool_add(), which one thread calls, nothing here is for callers in
 * parallel.
 */
#ifndef STOREFS_CTL_WARM_POOL_H
#define STOREFS_CTL_WARM_POOL_H

#include <stdint.h>

#include <storefs/error.h>

struct warm_pool;

struct warm_counts {
	uint64_t files; /* read to their end */
	uint64_t bytes;
	uint64_t failed; /* files */
};

/* Of a file that could not be read; by one thread at a time. */
typedef void warm_failed_fn(void *arg, const char *path,
			    const struct store_error *error);

int warm_pool_new(warm_failed_fn *failed, void *arg, struct warm_pool **pool,
		  struct store_error *error) STORE_WARN_UNUSED;
/* One more file; takes `path`, malloc'd; waits while many wait to be read. */
void warm_pool_add(struct warm_pool *pool, char *path);
/* One that could not be found out about. */
void warm_pool_fail(struct warm_pool *pool, const char *path, int error_number);
/* Once all have been read.  NULL is fine. */
void warm_pool_finish(struct warm_pool *pool, struct warm_counts *counts);

#endif
