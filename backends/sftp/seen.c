// SPDX-License-Identifier: MIT
/* Names that were told; see seen.h. */
#include "config.h"

#include "backends/sftp/seen.h"

#include <stdbool.h>
#include <stdlib.h>

static uint64_t hash_name(uint64_t seed, const char *name)
{
	uint64_t hash = seed;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x9e3779b97f4a7c15u +
		       (hash >> 29);
	return hash ? hash : 1;
}

static bool seen_put(uint64_t *hashes, size_t room, uint64_t hash)
{
	size_t at = hash & (room - 1);

	while (hashes[at] && hashes[at] != hash)
		at = (at + 1) & (room - 1);
	if (hashes[at])
		return false;
	hashes[at] = hash;
	return true;
}

static bool seen_grow(struct sftp_seen *seen)
{
	size_t room = seen->room ? 2 * seen->room : 256;
	uint64_t *hashes = calloc(room, sizeof(*hashes));

	if (!hashes)
		return false;
	for (size_t i = 0; i < seen->room; i++)
		if (seen->hashes[i])
			seen_put(hashes, room, seen->hashes[i]);
	free(seen->hashes);
	seen->hashes = hashes;
	seen->room = room;
	return true;
}

int sftp_seen_add(struct sftp_seen *seen, uint64_t seed, const char *name)
{
	if (2 * seen->count >= seen->room && !seen_grow(seen))
		return -1;
	if (!seen_put(seen->hashes, seen->room, hash_name(seed, name)))
		return 0;
	seen->count++;
	return 1;
}

void sftp_seen_release(struct sftp_seen *seen)
{
	free(seen->hashes);
}
