/* SPDX-License-Identifier: MIT */
/*
 * Pointers by number, for replaying a journal: numbers from 1 on, nothing is
 * ever taken out.  Not thread-safe.
 */
#ifndef STOREFS_MOUNT_IDMAP_H
#define STOREFS_MOUNT_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
	uint64_t id; /* 0: free */
	void *value; /* borrowed */
};

struct idmap {
	struct idmap_entry *entries; /* owned */
	size_t count;
	size_t room; /* a power of two, or 0 */
};

void idmap_init(struct idmap *map);
/* Not what the values point to. */
void idmap_release(struct idmap *map);
/* NULL when there is none. */
void *idmap_get(const struct idmap *map, uint64_t id);
/*
 * Where the value of `id` stands, NULL at first; good until the next call.
 * NULL: out of memory.
 */
void **idmap_at(struct idmap *map, uint64_t id);

#endif
