// SPDX-License-Identifier: MIT
// Seeded numbers for the random exercisers (random_ops, fsx). One generator
// belongs to one thread; no locks.
#include "config.h"

#include <string.h>

#include "tests/posix/prng.h"

void prng_init(struct prng *p, uint64_t seed)
{
	p->state = seed;
}

uint64_t prng_next(struct prng *p)
{
	uint64_t z = p->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
	return bound ? prng_next(p) % bound : 0;
}

void prng_fill(struct prng *p, void *buf, size_t len)
{
	unsigned char *out = buf;

	while (len > 0) {
		uint64_t word = prng_next(p);
		size_t n = len < sizeof(word) ? len : sizeof(word);

		memcpy(out, &word, n);
		out += n;
		len -= n;
	}
}
