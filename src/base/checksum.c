// SPDX-License-Identifier: MIT
/*
 * xxHash, of which this is the only user; see checksum.h.  Called by
 * whatever keeps bytes on the local disk.  No locks.
 */
#include "config.h"

#include "src/base/checksum.h"

#include <stdlib.h>
#include <xxhash.h>

/* The library hands out its state by pointer only. */
struct checksum {
	XXH3_state_t *state;
};

uint64_t checksum64(const void *data, size_t length)
{
	return XXH3_64bits(data, length);
}

struct checksum *checksum_begin(void)
{
	struct checksum *sum = malloc(sizeof(*sum));

	if (!sum)
		return NULL;
	sum->state = XXH3_createState();
	if (!sum->state) {
		free(sum);
		return NULL;
	}
	XXH3_64bits_reset(sum->state);
	return sum;
}

void checksum_add(struct checksum *sum, const void *data, size_t length)
{
	XXH3_64bits_update(sum->state, data, length);
}

uint64_t checksum_end(struct checksum *sum)
{
	uint64_t value = XXH3_64bits_digest(sum->state);

	checksum_free(sum);
	return value;
}

void checksum_free(struct checksum *sum)
{
	if (!sum)
		return;
	XXH3_freeState(sum->state);
	free(sum);
}
