/* SPDX-License-Identifier: MIT */
/* A source for block caches: bytes that tell their offset, and counts. */
#ifndef STOREFS_TESTS_UNIT_MOUNT_BLOCKS_H
#define STOREFS_TESTS_UNIT_MOUNT_BLOCKS_H

#include <check.h>
#include <sched.h>
#include <stdatomic.h>

#include "mount/blockcache.h"

struct counted_source {
	struct block_source source; /* first */
	uint64_t size;		    /* there are no bytes behind it */
	_Atomic uint64_t requests, bytes, running, most_running;
	_Atomic int held;
	_Atomic int fail;    /* so many calls fail */
	_Atomic bool closed; /* calls wait until it is open */
};

static inline unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)((offset * 2654435761U) >> 13);
}

static inline int counted_read(struct block_source *source,
			       struct store_context *context, uint64_t offset,
			       void *data, size_t length, size_t *got,
			       struct store_error *error)
{
	struct counted_source *self = (struct counted_source *)source;
	uint64_t running = atomic_fetch_add(&self->running, 1) + 1;
	unsigned char *bytes = data;
	int code = STORE_OK;

	atomic_fetch_add(&self->requests, 1);
	if (running > atomic_load(&self->most_running))
		atomic_store(&self->most_running, running);
	while (atomic_load(&self->closed) && !code) {
		sched_yield();
		code = store_context_check(context, error);
	}
	*got = 0;
	for (; !code && *got < length && offset + *got < self->size; ++*got)
		bytes[*got] = byte_at(offset + *got);
	atomic_fetch_add(&self->bytes, *got);
	if (!code && atomic_load(&self->fail) > 0 &&
	    atomic_fetch_sub(&self->fail, 1) > 0)
		code = store_error_set(error, STORE_UNAVAILABLE, "as told");
	atomic_fetch_sub(&self->running, 1);
	return code;
}

static inline void counted_hold(struct block_source *source)
{
	atomic_fetch_add(&((struct counted_source *)source)->held, 1);
}

static inline void counted_drop(struct block_source *source)
{
	atomic_fetch_sub(&((struct counted_source *)source)->held, 1);
}

static inline void counted_init(struct counted_source *self, uint64_t size)
{
	*self = (struct counted_source){ .source = { .hold = counted_hold,
						     .drop = counted_drop,
						     .read = counted_read },
					 .size = size };
}

static inline void check_bytes(const unsigned char *data, uint64_t offset,
			       size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != byte_at(offset + i))
			ck_abort_msg("byte %zu at offset %llu is wrong", i,
				     (unsigned long long)offset);
}

#endif
