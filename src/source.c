// SPDX-License-Identifier: MIT
/*
 * Sources of bytes over memory and over a descriptor.
 *
 * Called by whoever runs a put; one thread at a time per source.
 */
#include "config.h"

#include <storefs/types.h>

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int memory_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct store_memory_source *memory =
		(struct store_memory_source *)(void *)source;

	(void)error;
	if (length)
		memcpy(data, memory->data + offset, length);
	return STORE_OK;
}

struct store_source *store_memory_source_init(struct store_memory_source *s,
					      const void *data, uint64_t size)
{
	s->source = (struct store_source){
		.size = size,
		.read = memory_read,
	};
	s->data = data;
	return &s->source;
}

static struct store_fd_source *fd_source(struct store_source *source)
{
	return (struct store_fd_source *)(void *)source;
}

static int fd_read(struct store_source *source, uint64_t offset, void *data,
		   size_t length, struct store_error *error)
{
	unsigned char *at = data;

	while (length) {
		ssize_t got =
			pread(fd_source(source)->fd, at, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return store_error_errno(error, errno,
						 "reading the source");
		if (got == 0)
			return store_error_set(
				error, STORE_CORRUPT,
				"the source ended after %llu of %llu bytes",
				(unsigned long long)offset,
				(unsigned long long)source->size);
		at += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return STORE_OK;
}

/* [*from, *to) becomes the first data at or after *from; from == to: none. */
static int fd_find_data(int fd, uint64_t *from, uint64_t *to)
{
#ifdef SEEK_DATA
	off_t data = lseek(fd, (off_t)*from, SEEK_DATA);
	off_t hole;

	if (data < 0 && errno == ENXIO) {
		*from = *to;
		return 0;
	}
	if (data < 0)
		return -1;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return -1;
	if ((uint64_t)data >= *to) {
		*from = *to;
		return 0;
	}
	*from = (uint64_t)data;
	if ((uint64_t)hole < *to)
		*to = (uint64_t)hole;
	return 0;
#else
	(void)fd;
	(void)from;
	(void)to;
	return -1;
#endif
}

static int fd_next_data(struct store_source *source, uint64_t offset,
			struct store_range *range, struct store_error *error)
{
	int fd = fd_source(source)->fd;
	off_t saved = lseek(fd, 0, SEEK_CUR);
	uint64_t from = offset;
	uint64_t to = source->size;

	(void)error;
	if (offset >= source->size)
		from = to;
	else if (saved < 0 || fd_find_data(fd, &from, &to))
		from = offset; /* no holes can be told: all is data */
	/* The position belongs to the owner of the descriptor. */
	if (saved >= 0 && lseek(fd, saved, SEEK_SET) < 0)
		return store_error_errno(error, errno, "seeking in the source");
	range->offset = from;
	range->length = to - from;
	return STORE_OK;
}

struct store_source *store_fd_source_init(struct store_fd_source *s, int fd,
					  uint64_t size)
{
	s->source = (struct store_source){
		.size = size,
		.read = fd_read,
		.next_data = fd_next_data,
	};
	s->fd = fd;
	return &s->source;
}
