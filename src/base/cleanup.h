/* SPDX-License-Identifier: MIT */
/*
 * Cleanup attributes for owned locals: declare with them, and leave with
 * steal_pointer() or steal_fd() on success.  The cleanups keep errno.
 */
#ifndef STOREFS_BASE_CLEANUP_H
#define STOREFS_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD CLEANUP(cleanup_fd)
#define UNUSED __attribute__((unused))

static inline void cleanup_free(void *pointer)
{
	int saved = errno;

	free(*(void **)pointer);
	errno = saved;
}

static inline void cleanup_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void *steal_pointer_raw(void *pointer)
{
	void *value = *(void **)pointer;

	*(void **)pointer = NULL;
	return value;
}

#define steal_pointer(pointer) \
	((__typeof__(*(pointer)))steal_pointer_raw(pointer))

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#endif
