// SPDX-License-Identifier: MIT
/*
 * A hash table with linear probing, at most half full; see idmap.h.  Called
 * by replay.c.
 */
#include "config.h"

#include "mount/idmap.h"

#include <stdlib.h>

enum { IDMAP_FIRST = 64 };

void idmap_init(struct idmap *map)
{
	*map = (struct idmap){ .count = 0 };
}

void idmap_release(struct idmap *map)
{
	free(map->entries);
	idmap_init(map);
}

/* Numbers come in runs and in steps: multiply, and use the upper bits. */
static size_t idmap_hash(uint64_t id)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The entry of `id`, or the free one where it belongs. */
static struct idmap_entry *idmap_find(const struct idmap *map, uint64_t id)
{
	size_t at = idmap_hash(id) & (map->room - 1);

	while (map->entries[at].id && map->entries[at].id != id)
		at = (at + 1) & (map->room - 1);
	return &map->entries[at];
}

static int idmap_grow(struct idmap *map)
{
	struct idmap grown = {
		.count = map->count,
		.room = map->room ? map->room * 2 : IDMAP_FIRST,
	};

	grown.entries = calloc(grown.room, sizeof(*grown.entries));
	if (!grown.entries)
		return -1;
	for (size_t i = 0; i < map->room; i++)
		if (map->entries[i].id)
			*idmap_find(&grown, map->entries[i].id) =
				map->entries[i];
	free(map->entries);
	*map = grown;
	return 0;
}

void *idmap_get(const struct idmap *map, uint64_t id)
{
	/* A free entry has no value. */
	return map->room ? idmap_find(map, id)->value : NULL;
}

void **idmap_at(struct idmap *map, uint64_t id)
{
	struct idmap_entry *entry;

	if (map->count >= map->room / 2 && idmap_grow(map))
		return NULL;
	entry = idmap_find(map, id);
	if (!entry->id) {
		entry->id = id;
		map->count++;
	}
	return &entry->value;
}
