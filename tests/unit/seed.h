/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for property tests (splitmix64).  The seed is printed once;
 * SEED=N in the environment repeats a run.
 */
#ifndef STOREFS_TESTS_UNIT_SEED_H
#define STOREFS_TESTS_UNIT_SEED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/clock.h"

static uint64_t seed_state;

/* In main(), before the tests: each of them then begins with this seed. */
static inline void seed_start(void)
{
	const char *text = getenv("SEED");

	seed_state = text ? strtoull(text, NULL, 10)
			  : (uint64_t)clock_monotonic_ns() ^ (uint64_t)getpid()
								     << 40;
	printf("# SEED=%" PRIu64 "\n", seed_state);
	fflush(stdout);
}

static inline uint64_t seed_next(void)
{
	uint64_t z = seed_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number in [0, bound), bound above 0. */
static inline uint64_t seed_below(uint64_t bound)
{
	return seed_next() % bound;
}

#endif
