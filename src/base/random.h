/* SPDX-License-Identifier: MIT */
/*
 * Bytes from the kernel's generator, for ids, seeds and jitter.  Not for
 * keys: where the kernel has none to give the clock stands in.
 */
#ifndef STOREFS_BASE_RANDOM_H
#define STOREFS_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *data, size_t length);
/* Never 0. */
uint64_t random_number(void);

#endif
