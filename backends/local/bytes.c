// SPDX-License-Identifier: MIT
/*
 * Moving bytes between descriptors and out of sources.
 *
 * Called by puts, copies and journals.  A descriptor source is copied inside
 * the kernel, which on file systems with reflinks shares the blocks instead.
 * Long files are handed to the disk as they are written, so that the fsync
 * at the end, which nothing can interrupt, finds little left to do.
 */
#include "config.h"

#include "backends/local/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/fdio.h"

enum {
	KERNEL_CHUNK = 8 << 20, /* copied by the kernel in one step */
	FLUSH_EVERY = 32 << 20, /* bytes after which the disk may begin */
};

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 1
#endif
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE 2
#endif

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void local_next_data(int fd, uint64_t offset, uint64_t end,
		     struct store_range *range)
{
	uint64_t from = smaller(offset, end);
	uint64_t to = end;
#ifdef SEEK_DATA
	off_t data = lseek(fd, (off_t)from, SEEK_DATA);

	if (data < 0 && errno == ENXIO) {
		from = end;
	} else if (data >= 0) {
		off_t hole = lseek(fd, data, SEEK_HOLE);

		from = smaller((uint64_t)data, end);
		if (hole > data)
			to = smaller((uint64_t)hole, end);
	}
#else
	(void)fd;
#endif
	range->offset = from;
	range->length = to - from;
}

/* Let the disk begin with every FLUSH_EVERY bytes that were written. */
static void flush_behind(int fd, uint64_t before, uint64_t after)
{
#ifdef SYNC_FILE_RANGE_WRITE
	uint64_t from = before / FLUSH_EVERY;
	uint64_t to = after / FLUSH_EVERY;

	/* A hint: a failure shows again at the fsync. */
	if (from != to)
		sync_file_range(fd, (off64_t)(from * FLUSH_EVERY),
				(off64_t)((to - from) * FLUSH_EVERY),
				SYNC_FILE_RANGE_WRITE);
#else
	(void)fd;
	(void)before;
	(void)after;
#endif
}

int local_append(int fd, const void *data, size_t length, uint64_t offset)
{
	if (fd_write_at(fd, data, length, offset))
		return -1;
	flush_behind(fd, offset, offset + length);
	return 0;
}

/* ---- between descriptors ---- */

/* Bytes copied inside the kernel, 0 when it cannot, -1 with errno. */
static ssize_t kernel_step(const struct local_copy *copy, uint64_t offset,
			   uint64_t length)
{
#ifdef HAVE_COPY_FILE_RANGE
	off_t in = (off_t)offset;
	off_t out = (off_t)offset;
	ssize_t got;

	if (copy->self->portable)
		return 0;
	got = copy_file_range(copy->from, &in, copy->to, &out,
			      (size_t)smaller(length, KERNEL_CHUNK), 0);
	if (got >= 0)
		return got;
	switch (errno) {
	case EXDEV:
	case EINVAL:
	case ENOSYS:
	case EOPNOTSUPP:
	case EPERM:
	case EBADF:
		return 0;
	default:
		return -1;
	}
#else
	(void)copy;
	(void)offset;
	(void)length;
	return 0;
#endif
}

/* One step: bytes copied, 0 at the end of `from`, -1 with errno. */
static ssize_t copy_step(const struct local_copy *copy, uint64_t offset,
			 uint64_t length)
{
	CLEANUP_FREE char *room = NULL;
	ssize_t got = kernel_step(copy, offset, length);

	if (got)
		return got;
	length = smaller(length, LOCAL_CHUNK);
	room = malloc((size_t)length);
	if (!room)
		return -1;
	got = fd_read_at(copy->from, room, (size_t)length, offset);
	if (got > 0 && fd_write_at(copy->to, room, (size_t)got, offset))
		return -1;
	return got;
}

static int copy_data(const struct local_copy *copy,
		     struct store_context *context,
		     const struct store_range *range, struct store_error *error)
{
	uint64_t offset = range->offset;
	uint64_t end = range->offset + range->length;

	while (offset < end) {
		int code = store_context_check(context, error);
		ssize_t got;

		if (code)
			return code;
		got = copy_step(copy, offset, end - offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return store_error_errno(error, errno, "copy data");
		if (got == 0)
			return store_error_set(
				error,
				copy->is_source ? STORE_CORRUPT : STORE_CHANGED,
				"the file became shorter while it was copied");
		flush_behind(copy->to, offset, offset + (uint64_t)got);
		offset += (uint64_t)got;
		store_context_progress(context);
	}
	return STORE_OK;
}

/* Zeros without a hole, where holes cannot be made. */
static int write_zeros(int fd, uint64_t offset, uint64_t length)
{
	CLEANUP_FREE char *zeros = NULL;

	if (!length)
		return 0;
	zeros = calloc(1, (size_t)smaller(length, LOCAL_CHUNK));
	if (!zeros)
		return -1;
	while (length) {
		size_t step = (size_t)smaller(length, LOCAL_CHUNK);

		if (fd_write_at(fd, zeros, step, offset))
			return -1;
		offset += step;
		length -= step;
	}
	return 0;
}

static int make_hole(const struct local_copy *copy, uint64_t offset,
		     uint64_t length)
{
	if (!copy->punch || !length)
		return 0;
#ifdef HAVE_FALLOCATE
	if (fallocate(copy->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)offset, (off_t)length) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
#endif
	return write_zeros(copy->to, offset, length);
}

int local_copy_range(const struct local_copy *copy,
		     struct store_context *context,
		     const struct store_range *range, struct store_error *error)
{
	uint64_t offset = range->offset;
	uint64_t end = range->offset + range->length;

	while (offset < end) {
		struct store_range data;
		int code;

		local_next_data(copy->from, offset, end, &data);
		if (!data.length)
			data.offset = end;
		if (make_hole(copy, offset, data.offset - offset))
			return store_error_errno(error, errno, "make a hole");
		code = copy_data(copy, context, &data, error);
		if (code)
			return code;
		offset = data.offset + data.length;
	}
	return STORE_OK;
}

/* ---- out of a source ---- */

/* The descriptor of a store_fd_source, -1 for any other. */
static int source_fd(struct store_source *source)
{
	struct store_fd_source probe;

	store_fd_source_init(&probe, -1, 0);
	if (source->read != probe.source.read)
		return -1;
	return ((struct store_fd_source *)(void *)source)->fd;
}

static int pump(struct store_context *context, struct store_source *source,
		int to, const struct store_range *range,
		struct store_error *error)
{
	size_t room = (size_t)smaller(range->length, LOCAL_CHUNK);
	CLEANUP_FREE char *data = malloc(room ? room : 1);
	uint64_t end = range->offset + range->length;

	if (!data)
		return store_error_errno(error, ENOMEM, "write");
	for (uint64_t at = range->offset; at < end;) {
		size_t step = (size_t)smaller(end - at, LOCAL_CHUNK);
		int code = store_context_check(context, error);

		if (!code)
			code = source->read(source, at, data, step, error);
		if (code)
			return code;
		if (fd_write_at(to, data, step, at))
			return store_error_errno(error, errno, "write");
		flush_behind(to, at, at + step);
		at += step;
		store_context_progress(context);
	}
	return STORE_OK;
}

static int write_data(const struct local *self, struct store_context *context,
		      struct store_source *source, int to,
		      const struct store_range *range,
		      struct store_error *error)
{
	const struct local_copy copy = {
		.self = self,
		.from = source_fd(source),
		.to = to,
		.is_source = true,
	};

	if (copy.from >= 0 && !self->portable)
		return copy_data(&copy, context, range, error);
	return pump(context, source, to, range, error);
}

int local_write_range(const struct local *self, struct store_context *context,
		      struct store_source *source, int to,
		      const struct store_range *range,
		      struct store_error *error)
{
	uint64_t offset = range->offset;
	uint64_t end = range->offset + range->length;

	if (!source->next_data)
		return write_data(self, context, source, to, range, error);
	while (offset < end) {
		struct store_range data = { 0 };
		int code = source->next_data(source, offset, &data, error);

		if (code)
			return code;
		if (!data.length || data.offset >= end)
			return STORE_OK;
		data.length = smaller(data.length, end - data.offset);
		code = write_data(self, context, source, to, &data, error);
		if (code)
			return code;
		offset = data.offset + data.length;
	}
	return STORE_OK;
}

int local_write_version(const struct local *self, struct store_context *context,
			const struct backend_put_request *request, int old,
			int to, struct store_error *error)
{
	const struct local_copy copy = { .self = self, .from = old, .to = to };
	struct store_range gap = { 0 };
	int code;

	if (ftruncate(to, (off_t)request->source->size))
		return store_error_errno(error, errno, "write");
	for (size_t i = 0; i < request->keep_count; i++) {
		const struct store_range *kept = &request->keep[i];

		gap.length = kept->offset - gap.offset;
		code = local_write_range(self, context, request->source, to,
					 &gap, error);
		if (!code)
			code = local_copy_range(&copy, context, kept, error);
		if (code)
			return code;
		gap.offset = kept->offset + kept->length;
	}
	gap.length = request->source->size - gap.offset;
	return local_write_range(self, context, request->source, to, &gap,
				 error);
}
