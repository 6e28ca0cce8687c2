// SPDX-License-Identifier: MIT
/*
 * See random.h.  Called by whatever needs an id nobody else has; calls the
 * kernel.  No state, no locks.
 */
#include "config.h"

#include "src/base/random.h"

#include <sys/random.h>

#include "src/base/clock.h"

void random_bytes(void *data, size_t length)
{
	unsigned char *bytes = data;

	if (getrandom(data, length, 0) == (ssize_t)length)
		return;
	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)(clock_monotonic_ns() >> (i % 8));
}

uint64_t random_number(void)
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	return number ? number : 1;
}
