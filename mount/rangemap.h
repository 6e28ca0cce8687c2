/* SPDX-License-Identifier: MIT */
/*
 * A set of byte offsets as ascending, disjoint, never touching ranges.
 * Not thread-safe.  Lookups are O(log n); changes move the tail of an array,
 * which for the ranges of one file is cheaper than any tree.
 */
#ifndef STOREFS_MOUNT_RANGEMAP_H
#define STOREFS_MOUNT_RANGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/types.h>

struct span {
	uint64_t start;
	uint64_t end; /* exclusive, above start */
};

struct rangemap {
	struct span *spans; /* owned */
	size_t count;
	size_t room;
};

void rangemap_init(struct rangemap *map);
void rangemap_release(struct rangemap *map);
void rangemap_clear(struct rangemap *map);
/*
 * Make the next add or remove certain not to need memory; to be called
 * before the bytes are written, so that a map never lags behind them.
 */
int rangemap_reserve(struct rangemap *map, struct store_error *error)
	STORE_WARN_UNUSED;
/* Add or remove [start, end); empty ranges are fine.  Needs a reserve. */
void rangemap_add(struct rangemap *map, uint64_t start, uint64_t end);
void rangemap_remove(struct rangemap *map, uint64_t start, uint64_t end);
/* All of [start, end) inside? */
bool rangemap_covers(const struct rangemap *map, uint64_t start, uint64_t end);
/*
 * What holds at `offset`, and up to where: true inside a range (*end is its
 * end), false in a gap (*end is the next range's start, or UINT64_MAX).
 */
bool rangemap_at(const struct rangemap *map, uint64_t offset, uint64_t *end);
/* Sum of all lengths. */
uint64_t rangemap_total(const struct rangemap *map);

#endif
