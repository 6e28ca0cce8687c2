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
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"
#include "src/base/log.h"

enum { VERIFY_CHUNK = 16384 };
/*
 * What is read has been written once, but a hole costs nothing to make, and a
 * mount waits for its checksum.  So much of holes is counted at one start.
 */
#define HOLES_MAX (UINT64_C(16) << 30)

struct verifying {
	int dir_fd;
	uint64_t holes_left;
};

/* Fills the buffer; CORRUPT when the file ends before. */
static int read_exactly(int fd, void *data, uint64_t offset, size_t length)
{
	ssize_t got = fd_read_at(fd, data, length, offset);

	if (got < 0)
		return store_error_errno(NULL, errno, "data file");
	return (size_t)got == length ? STORE_OK : STORE_CORRUPT;
}

static int add_data(struct checksum *sum, int fd, struct span span)
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

static void add_zeros(struct checksum *sum, uint64_t length)
{
	static const char zeros[VERIFY_CHUNK];

	while (length) {
		size_t step =
			length < sizeof(zeros) ? (size_t)length : sizeof(zeros);

		checksum_add(sum, zeros, step);
		length -= step;
	}
}

/*
 * Where the next data, or hole, begins in the span; its end when there is none
 * in it.  What a file system cannot tell is data.
 */
static uint64_t find(int fd, struct span span, int whence)
{
	off_t found = lseek(fd, (off_t)span.start, whence);

	if (found < 0 && errno != ENXIO)
		return whence == SEEK_DATA ? span.start : span.end;
	return found < 0 || (uint64_t)found > span.end ? span.end
						       : (uint64_t)found;
}

/* False: there are more holes than can be waited for. */
static bool add_span(struct verifying *verifying, struct checksum *sum, int fd,
		     struct span span, int *code)
{
	while (span.start < span.end && !*code) {
		struct span data = { .start = find(fd, span, SEEK_DATA) };
		uint64_t hole = data.start - span.start;

		if (hole > verifying->holes_left)
			return false;
		verifying->holes_left -= hole;
		add_zeros(sum, hole);
		span.start = data.start;
		data.end = find(fd, span, SEEK_HOLE);
		if (data.end == data.start)
			data.end = span.end;
		*code = add_data(sum, fd, data);
		span.start = data.end;
	}
	return true;
}

/* A name that is gone, is no file or too short, has lost the bytes. */
static int open_data(int dir_fd, uint64_t number, uint64_t length, int *out)
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
	if (!S_ISREG(found.st_mode) || (uint64_t)found.st_size < length)
		return STORE_CORRUPT;
	*out = steal_fd(&fd);
	return STORE_OK;
}

/* Every byte is there, as the file is as long as that. */
static void tell_unread(const struct record_layer *layer)
{
	log_warn("data-%" PRIu64 " has more holes than can be checked at a "
		 "start; it is taken for what was written",
		 layer->number);
}

static int verify_file(struct verifying *verifying,
		       const struct record_layer *layer)
{
	const struct rangemap *present = &layer->present;
	struct checksum *sum;
	CLEANUP_FD int fd = -1;
	bool whole = true;
	int code = STORE_OK;

	if (present->count)
		code = open_data(verifying->dir_fd, layer->number,
				 present->spans[present->count - 1].end, &fd);
	if (code)
		return code;
	sum = checksum_begin();
	if (!sum)
		return STORE_NO_MEMORY;
	for (size_t i = 0; i < present->count && !code && whole; i++)
		whole = add_span(verifying, sum, fd, present->spans[i], &code);
	if (!whole)
		tell_unread(layer);
	if (checksum_end(sum) != layer->checksum && whole && !code)
		code = STORE_CORRUPT;
	return code;
}

static int verify_layer(struct verifying *verifying,
			const struct record_layer *layer)
{
	if (!layer->data)
		return verify_file(verifying, layer);
	if (checksum64(layer->data, (size_t)layer->data_length) !=
	    layer->checksum)
		return STORE_CORRUPT;
	return STORE_OK;
}

static int measure_layer(struct verifying *verifying,
			 const struct record_layer *layer)
{
	const struct rangemap *present = &layer->present;
	char name[DATA_NAME_MAX];
	struct stat found;

	if (layer->data || !present->count)
		return STORE_OK;
	data_name(layer->number, name);
	if (fstatat(verifying->dir_fd, name, &found, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? STORE_CORRUPT
				       : store_error_errno(NULL, errno, "data");
	if (!S_ISREG(found.st_mode) ||
	    (uint64_t)found.st_size < present->spans[present->count - 1].end)
		return STORE_CORRUPT;
	return STORE_OK;
}

typedef int check_layer_fn(struct verifying *verifying,
			   const struct record_layer *layer);

static void check_layers(int dir_fd, struct pending *pending,
			 check_layer_fn *check)
{
	struct verifying verifying = { .dir_fd = dir_fd,
				       .holes_left = HOLES_MAX };

	for (size_t i = 0; i < pending->count; i++) {
		struct pending_file *file = &pending->files[i];

		file->damaged = false;
		for (size_t j = 0; j < file->record.layer_count; j++) {
			struct pending_layer *layer = file->layers[j];

			if (layer)
				layer->code = check(&verifying, &layer->record);
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
