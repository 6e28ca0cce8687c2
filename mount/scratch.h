/* SPDX-License-Identifier: MIT */
/*
 * A buffer per thread for the bytes of one request, so that large reads do
 * not map and unmap memory each time.  Valid until the thread asks again.
 */
#ifndef STOREFS_MOUNT_SCRATCH_H
#define STOREFS_MOUNT_SCRATCH_H

#include <stddef.h>

/* At least `size` bytes, borrowed; NULL when out of memory. */
char *scratch_get(size_t size);

#endif
