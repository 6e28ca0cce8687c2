/* SPDX-License-Identifier: MIT */
/*
 * XXH3-64: finds bytes that a disk or a cut of power changed.  It is no
 * digest: whoever wants two texts with one checksum can make them.
 *
 *	struct checksum *sum = checksum_begin();
 *
 *	if (!sum)
 *		out of memory
 *	checksum_add(sum, data, length);	any number of times
 *	value = checksum_end(sum);
 *
 * gives what checksum64() gives for all the bytes in one piece, on every
 * machine.  One sum belongs to one thread at a time.
 */
#ifndef STOREFS_BASE_CHECKSUM_H
#define STOREFS_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

struct checksum;

uint64_t checksum64(const void *data, size_t length);

/* NULL: out of memory. */
struct checksum *checksum_begin(void);
void checksum_add(struct checksum *sum, const void *data, size_t length);
/* Frees it. */
uint64_t checksum_end(struct checksum *sum);
/* Frees it without asking for the value; NULL is fine. */
void checksum_free(struct checksum *sum);

#endif
