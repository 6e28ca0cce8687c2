// SPDX-License-Identifier: MIT
/*
 * See spool.h.  Called by streaming writers on stores that cannot stream;
 * one thread at a time, no locks.
 */
#include "config.h"

#include "src/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/fdio.h"

struct spool {
	int fd; /* -1 while all is in memory */
	uint64_t size;
	unsigned char *data; /* while in memory */
	size_t room;
	struct store_memory_source memory;
	struct store_fd_source file;
};

struct spool *spool_new(void)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	if (spool)
		spool->fd = -1;
	return spool;
}

void spool_free(struct spool *spool)
{
	if (!spool)
		return;
	if (spool->fd >= 0)
		close(spool->fd);
	free(spool->data);
	free(spool);
}

static const char *spool_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && *folder ? folder : "/tmp";
}

/* What went wrong here must not look like a missing or refused key. */
static int spool_error(struct store_error *error, int errnum)
{
	int code = store_error_errno(error, errnum, "temporary file in %s",
				     spool_folder());

	if (code == STORE_NO_SPACE || code == STORE_TOO_LARGE ||
	    code == STORE_NO_MEMORY)
		return code;
	if (error)
		error->code = STORE_INTERNAL;
	return STORE_INTERNAL;
}

/* A nameless file: nothing to clean up after a crash. */
static int open_nameless(const char *folder)
{
	char path[4096];
	int fd;

#ifdef O_TMPFILE
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
#endif
	if (snprintf(path, sizeof(path), "%s/storefs.XXXXXX", folder) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int write_file(int fd, const unsigned char *data, size_t length,
		      uint64_t offset, struct store_error *error)
{
	return fd_write_at(fd, data, length, offset) ? spool_error(error, errno)
						     : STORE_OK;
}

/* From memory to a file. */
static int spool_spill(struct spool *spool, struct store_error *error)
{
	CLEANUP_FD int fd = open_nameless(spool_folder());
	int code;

	if (fd < 0)
		return spool_error(error, errno);
	code = write_file(fd, spool->data, (size_t)spool->size, 0, error);
	if (code)
		return code;
	free(spool->data);
	spool->data = NULL;
	spool->room = 0;
	spool->fd = steal_fd(&fd);
	return STORE_OK;
}

static int spool_grow(struct spool *spool, size_t need,
		      struct store_error *error)
{
	size_t room = spool->room ? spool->room : 64 * 1024;
	unsigned char *data;

	while (room < need)
		room *= 2;
	if (room == spool->room)
		return STORE_OK;
	data = realloc(spool->data, room);
	if (!data)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	spool->data = data;
	spool->room = room;
	return STORE_OK;
}

int spool_write(struct spool *spool, const void *data, size_t length,
		struct store_error *error)
{
	int code = STORE_OK;

	if (!length)
		return STORE_OK;
	if (spool->fd < 0 && length > SPOOL_MEMORY - spool->size)
		code = spool_spill(spool, error);
	if (!code && spool->fd < 0)
		code = spool_grow(spool, (size_t)spool->size + length, error);
	if (!code && spool->fd < 0)
		memcpy(spool->data + spool->size, data, length);
	else if (!code)
		code = write_file(spool->fd, data, length, spool->size, error);
	if (!code)
		spool->size += length;
	return code;
}

struct store_source *spool_source(struct spool *spool)
{
	if (spool->fd < 0)
		return store_memory_source_init(&spool->memory, spool->data,
						spool->size);
	return store_fd_source_init(&spool->file, spool->fd, spool->size);
}
