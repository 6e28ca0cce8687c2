// SPDX-License-Identifier: MIT
// A small seeded generator (splitmix64): the same seed gives the same
// sequence on every machine and C library. Not for secrets.
#ifndef STOREFS_TESTS_POSIX_PRNG_H
#define STOREFS_TESTS_POSIX_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

// Starts the sequence of SEED.
void prng_init(struct prng *p, uint64_t seed);

// The next 64 bits.
uint64_t prng_next(struct prng *p);

// A number in [0, bound); 0 when bound is 0.
uint64_t prng_below(struct prng *p, uint64_t bound);

// Fills BUF with LEN bytes of the sequence.
void prng_fill(struct prng *p, void *buf, size_t len);

#endif
