// SPDX-License-Identifier: MIT
/* Buffers of threads, freed when they end; see scratch.h. */
#include "config.h"

#include "mount/scratch.h"

#include <pthread.h>
#include <stdlib.h>

struct scratch {
	size_t size;
	char data[];
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void scratch_init(void)
{
	/* Without a key every request gets NULL, and says so. */
	pthread_key_create(&scratch_key, free);
}

char *scratch_get(size_t size)
{
	struct scratch *scratch;

	pthread_once(&scratch_once, scratch_init);
	scratch = pthread_getspecific(scratch_key);
	if (scratch && scratch->size >= size)
		return scratch->data;
	free(scratch);
	scratch = malloc(sizeof(*scratch) + size);
	if (scratch)
		scratch->size = size;
	if (pthread_setspecific(scratch_key, scratch)) {
		free(scratch);
		return NULL;
	}
	return scratch ? scratch->data : NULL;
}
