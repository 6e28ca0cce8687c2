// SPDX-License-Identifier: MIT
/*
 * The calls of the disk that the tests of the journal are linked to instead
 * of the C library's; see mount_journal.h.
 */
#include "config.h"

#include <errno.h>

#include "tests/unit/mount_journal.h"

int (*hook_flush)(int fd);
int (*hook_allocate)(int fd);
int (*hook_rename)(void);
int (*hook_write)(int fd, size_t *length, off_t offset);
int (*hook_read)(int fd, size_t *length, off_t offset);

int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
ssize_t __real_pwrite(int fd, const void *data, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset);
ssize_t __real_pread(int fd, void *data, size_t length, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t length, off_t offset);

static int fails(int failed)
{
	if (failed)
		errno = failed;
	return failed ? -1 : 0;
}

int __wrap_fsync(int fd)
{
	return fails(hook_flush ? hook_flush(fd) : 0);
}

int __wrap_fdatasync(int fd)
{
	return fails(hook_flush ? hook_flush(fd) : 0);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (fails(hook_allocate ? hook_allocate(fd) : 0))
		return -1;
	return __real_fallocate(fd, mode, offset, length);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	if (fails(hook_rename ? hook_rename() : 0))
		return -1;
	return __real_renameat(from_fd, from, to_fd, to);
}

/* A hook may shorten the write: the next one goes on behind it. */
ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset)
{
	if (fails(hook_write ? hook_write(fd, &length, offset) : 0))
		return -1;
	return __real_pwrite(fd, data, length, offset);
}

ssize_t __wrap_pread(int fd, void *data, size_t length, off_t offset)
{
	if (fails(hook_read ? hook_read(fd, &length, offset) : 0))
		return -1;
	return __real_pread(fd, data, length, offset);
}
