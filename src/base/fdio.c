// SPDX-License-Identifier: MIT
/*
 * See fdio.h.  Called by whatever keeps bytes in local files; calls the
 * kernel.  No state, no locks.
 */
#include "config.h"

#include "src/base/fdio.h"

#include <errno.h>
#include <unistd.h>

int fd_write_at(int fd, const void *data, size_t length, uint64_t offset)
{
	const char *at = data;

	while (length) {
		ssize_t put = pwrite(fd, at, length, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		offset += (uint64_t)put;
		length -= (size_t)put;
	}
	return 0;
}

ssize_t fd_read_at(int fd, void *data, size_t length, uint64_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(fd, (char *)data + done, length - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}
