/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes between descriptors and out of sources.
 *
 * All of them go in steps, look at the context between two, report progress,
 * and leave holes as holes.  Offsets are the same on both sides.
 */
#ifndef STOREFS_BACKENDS_LOCAL_BYTES_H
#define STOREFS_BACKENDS_LOCAL_BYTES_H

#include <sys/types.h>

#include "backends/local/local.h"

/*
 * Copy a range of one file into another, inside the kernel where it can.
 * CHANGED when `from` ends early, CORRUPT when it is the caller's source.
 * `punch`: `to` may hold other data, so that holes have to be made.
 */
struct local_copy {
	const struct local *self;
	int from;
	int to;
	bool is_source;
	bool punch;
};
int local_copy_range(const struct local_copy *copy,
		     struct store_context *context,
		     const struct store_range *range, struct store_error *error)
	STORE_WARN_UNUSED;
/* Write a range of a source; its holes are not written. */
int local_write_range(const struct local *self, struct store_context *context,
		      struct store_source *source, int to,
		      const struct store_range *range,
		      struct store_error *error) STORE_WARN_UNUSED;
/* Everything of a source but the ranges that were kept from `old`. */
int local_write_version(const struct local *self, struct store_context *context,
			const struct backend_put_request *request, int old,
			int to, struct store_error *error) STORE_WARN_UNUSED;
/* fd_write_at() at the end of a long file that grows: the disk may begin. */
int local_append(int fd, const void *data, size_t length, uint64_t offset)
	STORE_WARN_UNUSED;
/*
 * The first stretch of data at or after `offset` and before `end`; length 0
 * when there is only a hole.  File systems that cannot tell have no holes.
 */
void local_next_data(int fd, uint64_t offset, uint64_t end,
		     struct store_range *range);

#endif
