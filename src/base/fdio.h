/* SPDX-License-Identifier: MIT */
/*
 * pread(2) and pwrite(2) of all that was asked for, interrupted or not.
 */
#ifndef STOREFS_BASE_FDIO_H
#define STOREFS_BASE_FDIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0, or -1 with errno; some of it may have been written then. */
int fd_write_at(int fd, const void *data, size_t length, uint64_t offset)
	__attribute__((warn_unused_result));
/* How many, fewer only at the end of the file; or -1 with errno. */
ssize_t fd_read_at(int fd, void *data, size_t length, uint64_t offset)
	__attribute__((warn_unused_result));

#endif
