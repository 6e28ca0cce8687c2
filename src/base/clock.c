// SPDX-License-Identifier: MIT
/* Clock readings; see clock.h. */
#include "config.h"

#include "src/base/clock.h"

int64_t clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

struct timespec clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}
