// SPDX-License-Identifier: MIT
/*
 * Range sets of staged files: which bytes are present, which are dirty.
 * Called by staging.c under the file's lock.
 */
#include "config.h"

#include "mount/rangemap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RANGEMAP_FIRST = 4 };

void rangemap_init(struct rangemap *map)
{
	*map = (struct rangemap){ 0 };
}

void rangemap_release(struct rangemap *map)
{
	free(map->spans);
	rangemap_init(map);
}

void rangemap_clear(struct rangemap *map)
{
	map->count = 0;
}

int rangemap_reserve(struct rangemap *map, struct store_error *error)
{
	size_t room = map->room ? map->room * 2 : RANGEMAP_FIRST;
	struct span *spans;

	/* A change adds one range at most: a remove in the middle of one. */
	if (map->count + 1 <= map->room)
		return STORE_OK;
	spans = reallocarray(map->spans, room, sizeof(*spans));
	if (!spans)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a range map");
	map->spans = spans;
	map->room = room;
	return STORE_OK;
}

/* Index of the first range that ends after `offset`. */
static size_t rangemap_find(const struct rangemap *map, uint64_t offset)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->spans[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Put `count` spans (0, 1 or 2) in the place of [first, last). */
static void rangemap_replace(struct rangemap *map, size_t first, size_t last,
			     const struct span *spans, size_t count)
{
	assert(map->count - (last - first) + count <= map->room);
	if (map->count > last)
		memmove(&map->spans[first + count], &map->spans[last],
			(map->count - last) * sizeof(*spans));
	if (count)
		memcpy(&map->spans[first], spans, count * sizeof(*spans));
	map->count = map->count - (last - first) + count;
}

void rangemap_add(struct rangemap *map, uint64_t start, uint64_t end)
{
	struct span span = { start, end };
	size_t first, last;

	if (start >= end)
		return;
	/* A range that ends just at `start` is joined as well. */
	first = rangemap_find(map, start ? start - 1 : 0);
	for (last = first; last < map->count && map->spans[last].start <= end;
	     last++) {
		if (map->spans[last].start < span.start)
			span.start = map->spans[last].start;
		if (map->spans[last].end > span.end)
			span.end = map->spans[last].end;
	}
	rangemap_replace(map, first, last, &span, 1);
}

void rangemap_remove(struct rangemap *map, uint64_t start, uint64_t end)
{
	struct span rest[2];
	size_t first, last, count = 0;

	if (start >= end)
		return;
	first = rangemap_find(map, start);
	for (last = first; last < map->count && map->spans[last].start < end;
	     last++)
		;
	if (first == last)
		return;
	if (map->spans[first].start < start)
		rest[count++] = (struct span){ map->spans[first].start, start };
	if (map->spans[last - 1].end > end)
		rest[count++] = (struct span){ end, map->spans[last - 1].end };
	rangemap_replace(map, first, last, rest, count);
}

bool rangemap_covers(const struct rangemap *map, uint64_t start, uint64_t end)
{
	uint64_t until;

	return start >= end ||
	       (rangemap_at(map, start, &until) && until >= end);
}

bool rangemap_at(const struct rangemap *map, uint64_t offset, uint64_t *end)
{
	size_t index = rangemap_find(map, offset);

	if (index == map->count) {
		*end = UINT64_MAX;
		return false;
	}
	if (map->spans[index].start > offset) {
		*end = map->spans[index].start;
		return false;
	}
	*end = map->spans[index].end;
	return true;
}

uint64_t rangemap_total(const struct rangemap *map)
{
	uint64_t total = 0;

	for (size_t i = 0; i < map->count; i++)
		total += map->spans[i].end - map->spans[i].start;
	return total;
}
