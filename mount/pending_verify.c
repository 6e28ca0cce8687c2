// SPDX-License-Identifier: MIT
/*
 * The bytes of pending files against the checksums of their records; see
 * pending.h.  Called by recovery.c and what storectl asks of a staging
 * directory; reads the local disk only.
 */
#include "config.h"

#include "mount/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"

enum { VERIFY_CHUNK = 16384 };

/* Fills the buffer; CORRUPT when the file ends before. */
static int read_exactly(int fd, void *data, uint64_t offset, size_t length)
{
	ssize_t got = fd_read_at(fd, data, length, offset);

	if (got < 0)
		return store_error_errno(NULL, errno, "data file");
	return (size_t)got == length ? STORE_OK : STORE_CORRUPT;
}

static int add_span(struct checksum *sum, int fd, struct span span)
{
	char chunk[VERIFY_CHUNK];

	while (span.start < span.end) {
		uint64_t left = span.end - span.start;
		size_t step =
			left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
		int code = read_exactly(fd, chunk, span.start, step);

		if (code)
			return code;
		checksum_add(sum, chunk, step);
		span.start += step;
	}
	return STORE_OK;
}

/* A name that is gone, or is no file, has lost the bytes. */
static int open_data(int dir_fd, uint64_t number, int *out)
{
	char name[DATA_NAME_MAX];
	CLEANUP_FD int fd = -1;
	struct stat found;

	data_name(number, name);
	fd = openat(dir_fd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return STORE_CORRUPT;
	if (fd < 0 || fstat(fd, &found))
		return store_error_errno(NULL, errno, "data file");
	if (!S_ISREG(found.st_mode))
		return STORE_CORRUPT;
	*out = steal_fd(&fd);
	return STORE_OK;
}

static int verify_file(int dir_fd, const struct record_layer *layer)
{
	struct checksum *sum;
	CLEANUP_FD int fd = -1;
	int code = STORE_OK;

	if (layer->present.count)
		code = open_data(dir_fd, layer->number, &fd);
	if (code)
		return code;
	sum = checksum_begin();
	if (!sum)
		return STORE_NO_MEMORY;
	for (size_t i = 0; i < layer->present.count && !code; i++)
		code = add_span(sum, fd, layer->present.spans[i]);
	if (checksum_end(sum) != layer->checksum && !code)
		code = STORE_CORRUPT;
	return code;
}

static int verify_layer(int dir_fd, const struct record_layer *layer)
{
	if (!layer->data)
		return verify_file(dir_fd, layer);
	if (checksum64(layer->data, (size_t)layer->data_length) !=
	    layer->checksum)
		return STORE_CORRUPT;
	return STORE_OK;
}

static int measure_layer(int dir_fd, const struct record_layer *layer)
{
	const struct rangemap *present = &layer->present;
	char name[DATA_NAME_MAX];
	struct stat found;

	if (layer->data || !present->count)
		return STORE_OK;
	data_name(layer->number, name);
	if (fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? STORE_CORRUPT
				       : store_error_errno(NULL, errno, "data");
	if (!S_ISREG(found.st_mode) ||
	    (uint64_t)found.st_size < present->spans[present->count - 1].end)
		return STORE_CORRUPT;
	return STORE_OK;
}

typedef int check_layer_fn(int dir_fd, const struct record_layer *layer);

static void check_layers(int dir_fd, struct pending *pending,
			 check_layer_fn *check)
{
	for (size_t i = 0; i < pending->count; i++) {
		struct pending_file *file = &pending->files[i];

		file->damaged = false;
		for (size_t j = 0; j < file->record.layer_count; j++) {
			struct pending_layer *layer = file->layers[j];

			if (layer)
				layer->code = check(dir_fd, &layer->record);
			if (!layer || layer->code)
				file->damaged = true;
		}
	}
}

void pending_measure(int dir_fd, struct pending *pending)
{
	check_layers(dir_fd, pending, measure_layer);
}

void pending_verify(int dir_fd, struct pending *pending)
{
	check_layers(dir_fd, pending, verify_layer);
}
