// SPDX-License-Identifier: MIT
/*
 * Staged bytes of one file; see staging.h.  Called by file.c and publish.c,
 * calls only the local disk.
 *
 * Invariants of a layer: lower_limit <= size at all times; present and dirty
 * end at or below size; dirty is inside present; the staging file reads as
 * zeros wherever it is present and was punched.
 */
#include "config.h"

#include "mount/staging.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/sync.h"

enum { LAYER_NAME_MAX = 48, COPY_CHUNK = 1 << 20 };

struct staging_area {
	int dir_fd;
	uint64_t limit;
	_Atomic uint64_t bytes;
	_Atomic uint64_t next;
	struct lock lock;
	struct staging_layer *layers; /* protected by `lock` */
};

struct staging_layer {
	struct staging_area *area;
	struct staging_layer *next, **link; /* protected by the area's lock */
	_Atomic unsigned int references;
	_Atomic bool unlinked; /* or to be left where it is */
	int fd;
	char name[LAYER_NAME_MAX];
	uint64_t size;
	uint64_t lower_limit;
	struct rangemap present;
	struct rangemap dirty;
};

int staging_area_open(int dir_fd, uint64_t limit, struct staging_area **area,
		      struct store_error *error)
{
	struct staging_area *made = calloc(1, sizeof(*made));

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the staging area");
	made->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	if (made->dir_fd < 0) {
		int saved = errno;

		free(made);
		return store_error_errno(error, saved, "staging directory");
	}
	lock_init(&made->lock);
	made->limit = limit;
	*area = made;
	return STORE_OK;
}

void staging_area_close(struct staging_area *area)
{
	if (!area)
		return;
	/* Never closed, and not abandoned: it is in the store. */
	for (const struct staging_layer *layer = area->layers; layer;
	     layer = layer->next)
		if (!atomic_load(&layer->unlinked))
			unlinkat(area->dir_fd, layer->name, 0);
	lock_destroy(&area->lock);
	close(area->dir_fd);
	free(area);
}

uint64_t staging_area_bytes(const struct staging_area *area)
{
	return atomic_load(&area->bytes);
}

/* ---- layers ---- */

/* Its name never meets a file that an earlier run has left. */
static int layer_create_file(struct staging_layer *layer,
			     struct store_error *error)
{
	struct staging_area *area = layer->area;

	do {
		uint64_t number = atomic_fetch_add(&area->next, 1);

		snprintf(layer->name, sizeof(layer->name),
			 "data-%" PRIu64 "-%ld", number, (long)getpid());
		layer->fd = openat(area->dir_fd, layer->name,
				   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	} while (layer->fd < 0 && errno == EEXIST);
	if (layer->fd < 0)
		return store_error_errno(error, errno, "staging file");
	return STORE_OK;
}

static void layer_list(struct staging_layer *layer)
{
	struct staging_area *area = layer->area;

	lock_take(&area->lock);
	layer->next = area->layers;
	layer->link = &area->layers;
	if (layer->next)
		layer->next->link = &layer->next;
	area->layers = layer;
	lock_drop(&area->lock);
}

static void layer_unlist(struct staging_layer *layer)
{
	lock_take(&layer->area->lock);
	*layer->link = layer->next;
	if (layer->next)
		layer->next->link = layer->link;
	lock_drop(&layer->area->lock);
}

static int layer_new(struct staging_area *area, uint64_t lower_size,
		     struct staging_layer **out, struct store_error *error)
{
	struct staging_layer *layer = calloc(1, sizeof(*layer));
	int code;

	if (!layer)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for staging");
	layer->area = area;
	atomic_init(&layer->references, 1);
	layer->size = layer->lower_limit = lower_size;
	code = layer_create_file(layer, error);
	if (code) {
		free(layer);
		return code;
	}
	layer_list(layer);
	*out = layer;
	return STORE_OK;
}

static void layer_unref(struct staging_layer *layer)
{
	if (!layer || atomic_fetch_sub(&layer->references, 1) != 1)
		return;
	layer_unlist(layer);
	atomic_fetch_sub(&layer->area->bytes, rangemap_total(&layer->present));
	close(layer->fd);
	rangemap_release(&layer->present);
	rangemap_release(&layer->dirty);
	free(layer);
}

/* Drop the owner's reference and the file; readers keep the descriptor. */
static void layer_remove(struct staging_layer *layer)
{
	if (!layer)
		return;
	if (!atomic_exchange(&layer->unlinked, true))
		unlinkat(layer->area->dir_fd, layer->name, 0);
	layer_unref(layer);
}

/* Drop the owner's reference; the file stays, whoever reads it still. */
static void layer_leave(struct staging_layer *layer)
{
	atomic_store(&layer->unlinked, true);
	layer_unref(layer);
}

/* Room for `length` more bytes under the budget? */
static int layer_charge(struct staging_layer *layer, uint64_t start,
			uint64_t end, struct store_error *error)
{
	struct staging_area *area = layer->area;
	uint64_t used = atomic_load(&area->bytes);

	if (area->limit && !rangemap_covers(&layer->present, start, end) &&
	    used + (end - start) > area->limit)
		return store_error_set(error, STORE_NO_SPACE,
				       "staging_size is used up");
	return STORE_OK;
}

/* The maps must be reserved. */
static void layer_mark(struct staging_layer *layer, uint64_t start,
		       uint64_t end, bool dirty)
{
	uint64_t before = rangemap_total(&layer->present);

	rangemap_add(&layer->present, start, end);
	if (dirty)
		rangemap_add(&layer->dirty, start, end);
	atomic_fetch_add(&layer->area->bytes,
			 rangemap_total(&layer->present) - before);
	if (end > layer->size)
		layer->size = end;
}

static int layer_reserve(struct staging_layer *layer, struct store_error *error)
{
	int code = rangemap_reserve(&layer->present, error);

	return code ? code : rangemap_reserve(&layer->dirty, error);
}

static int write_all(int fd, const void *data, uint64_t offset, size_t length,
		     struct store_error *error)
{
	const char *bytes = data;

	while (length) {
		ssize_t done = pwrite(fd, bytes, length, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return store_error_errno(error, errno, "staging file");
		bytes += done;
		offset += (uint64_t)done;
		length -= (size_t)done;
	}
	return STORE_OK;
}

/* Zeros to the end where the file is shorter. */
static int read_all(int fd, void *data, uint64_t offset, size_t length,
		    struct store_error *error)
{
	char *bytes = data;

	while (length) {
		ssize_t done = pread(fd, bytes, length, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return store_error_errno(error, errno, "staging file");
		if (done == 0) {
			memset(bytes, 0, length);
			break;
		}
		bytes += done;
		offset += (uint64_t)done;
		length -= (size_t)done;
	}
	return STORE_OK;
}

/* ---- life ---- */

void staging_init(struct staging *staging, struct staging_area *area,
		  uint64_t base_size)
{
	*staging = (struct staging){ .area = area,
				     .size = base_size,
				     .base_size = base_size };
}

void staging_discard(struct staging *staging)
{
	layer_remove(staging->top);
	layer_remove(staging->sealed);
	staging_init(staging, staging->area, staging->base_size);
}

bool staging_abandon(struct staging *staging, struct staging_remains *remains)
{
	struct staging_layer *layer;
	struct store_error error;

	*remains = (struct staging_remains){ 0 };
	if (staging->sealed && staging_settle(staging, false, &error))
		layer_leave(staging->sealed);
	layer = staging->top;
	if (layer) {
		fsync(layer->fd);
		*remains = (struct staging_remains){
			.name = strdup(layer->name),
			.size = layer->size,
			.lower_limit = layer->lower_limit,
			.present = layer->present,
		};
		atomic_fetch_sub(&staging->area->bytes,
				 rangemap_total(&layer->present));
		rangemap_init(&layer->present);
		layer_leave(layer);
	}
	staging_init(staging, staging->area, staging->base_size);
	return remains->name;
}

void staging_remains_release(struct staging_remains *remains)
{
	free(remains->name);
	rangemap_release(&remains->present);
}

/* ---- changing ---- */

static int staging_need_top(struct staging *staging, struct store_error *error)
{
	uint64_t below =
		staging->sealed ? staging->sealed->size : staging->base_size;

	if (staging->top)
		return STORE_OK;
	return layer_new(staging->area, below, &staging->top, error);
}

static int staging_put_bytes(struct staging *staging, const void *data,
			     const struct store_range *range, bool dirty,
			     struct store_error *error)
{
	uint64_t end = range->offset + range->length;
	struct staging_layer *top;
	int code = staging_need_top(staging, error);

	if (code)
		return code;
	top = staging->top;
	code = layer_reserve(top, error);
	if (!code)
		code = layer_charge(top, range->offset, end, error);
	if (!code)
		code = write_all(top->fd, data, range->offset,
				 (size_t)range->length, error);
	if (code)
		return code;
	layer_mark(top, range->offset, end, dirty);
	return STORE_OK;
}

int staging_write(struct staging *staging, const void *data, uint64_t offset,
		  size_t length, struct store_error *error)
{
	struct store_range range = { offset, length };
	int code = staging_put_bytes(staging, data, &range, true, error);

	if (code)
		return code;
	staging->changed = true;
	staging->size = staging->top->size;
	return STORE_OK;
}

int staging_fill(struct staging *staging, const void *data, uint64_t offset,
		 size_t length, struct store_error *error)
{
	struct store_range range = { offset, length };

	return staging_put_bytes(staging, data, &range, false, error);
}

int staging_truncate(struct staging *staging, uint64_t size,
		     struct store_error *error)
{
	int code = staging_need_top(staging, error);
	struct staging_layer *top = staging->top;
	uint64_t before;

	if (!code)
		code = layer_reserve(top, error);
	if (code)
		return code;
	if (size < top->size) {
		/* Drops staged bytes behind the end, so they read as zeros. */
		if (ftruncate(top->fd, (off_t)size))
			return store_error_errno(error, errno, "staging file");
		before = rangemap_total(&top->present);
		rangemap_remove(&top->present, size, UINT64_MAX);
		rangemap_remove(&top->dirty, size, UINT64_MAX);
		atomic_fetch_sub(&staging->area->bytes,
				 before - rangemap_total(&top->present));
		if (top->lower_limit > size)
			top->lower_limit = size;
	}
	top->size = size;
	staging->size = size;
	staging->changed = true;
	return STORE_OK;
}

static int punch_zeros(int fd, uint64_t offset, uint64_t length,
		       struct store_error *error)
{
	static const char zeros[65536];

	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       (off_t)offset, (off_t)length))
		return STORE_OK;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return store_error_errno(error, errno, "staging file");
	while (length) {
		size_t step =
			length < sizeof(zeros) ? (size_t)length : sizeof(zeros);
		int code = write_all(fd, zeros, offset, step, error);

		if (code)
			return code;
		offset += step;
		length -= step;
	}
	return STORE_OK;
}

int staging_punch(struct staging *staging, uint64_t offset, uint64_t length,
		  struct store_error *error)
{
	struct staging_layer *top;
	uint64_t end;
	int code;

	if (offset >= staging->size)
		return STORE_OK;
	end = length > staging->size - offset ? staging->size : offset + length;
	code = staging_need_top(staging, error);
	if (code)
		return code;
	top = staging->top;
	code = layer_reserve(top, error);
	if (!code)
		code = punch_zeros(top->fd, offset, end - offset, error);
	if (code)
		return code;
	layer_mark(top, offset, end, true);
	staging->changed = true;
	return STORE_OK;
}

/* ---- reading ---- */

/*
 * One layer's view: staged, or `below` (*pass is true) up to piece->length,
 * or zeros behind the lower limit.
 */
static void layer_view(struct staging_layer *layer, uint64_t offset,
		       struct staging_piece *piece, bool *pass)
{
	uint64_t until;
	bool inside = rangemap_at(&layer->present, offset, &until);

	*pass = false;
	if (inside) {
		piece->kind = PIECE_STAGED;
		piece->layer = layer;
	} else if (offset < layer->lower_limit) {
		*pass = true;
		if (until > layer->lower_limit)
			until = layer->lower_limit;
	} else {
		piece->kind = PIECE_ZERO;
	}
	if (until - offset < piece->length)
		piece->length = until - offset;
}

void staging_layer_piece(struct staging_layer *layer, uint64_t offset,
			 uint64_t length, struct staging_piece *piece)
{
	bool pass;

	*piece = (struct staging_piece){ .offset = offset, .length = length };
	if (offset >= layer->size) {
		piece->length = 0;
		return;
	}
	if (length > layer->size - offset)
		piece->length = layer->size - offset;
	layer_view(layer, offset, piece, &pass);
	if (pass)
		piece->kind = PIECE_BASE;
}

void staging_piece_at(struct staging *staging, uint64_t offset, uint64_t length,
		      struct staging_piece *piece)
{
	bool pass = true;

	*piece = (struct staging_piece){ .offset = offset, .length = length };
	if (offset >= staging->size) {
		piece->length = 0;
		return;
	}
	if (length > staging->size - offset)
		piece->length = staging->size - offset;
	if (staging->top)
		layer_view(staging->top, offset, piece, &pass);
	if (pass && staging->sealed)
		layer_view(staging->sealed, offset, piece, &pass);
	if (pass)
		piece->kind = PIECE_BASE;
	if (piece->layer)
		atomic_fetch_add(&piece->layer->references, 1);
}

int staging_read_piece(const struct staging_piece *piece, void *data,
		       struct store_error *error)
{
	assert(piece->kind == PIECE_STAGED);
	return read_all(piece->layer->fd, data, piece->offset,
			(size_t)piece->length, error);
}

void staging_piece_release(struct staging_piece *piece)
{
	layer_unref(piece->layer);
	piece->layer = NULL;
}

void staging_piece_data(const struct staging_piece *piece,
			struct store_range *data)
{
	uint64_t end = piece->offset + piece->length;
	off_t start, stop;

	*data = (struct store_range){ piece->offset, piece->length };
	start = lseek(piece->layer->fd, (off_t)piece->offset, SEEK_DATA);
	if (start < 0) {
		if (errno == ENXIO)
			*data = (struct store_range){ end, 0 };
		return;
	}
	if ((uint64_t)start >= end) {
		*data = (struct store_range){ end, 0 };
		return;
	}
	stop = lseek(piece->layer->fd, start, SEEK_HOLE);
	data->offset = (uint64_t)start;
	if (stop < 0 || (uint64_t)stop > end)
		stop = (off_t)end;
	data->length = (uint64_t)stop - (uint64_t)start;
}

/* ---- publishing ---- */

int staging_seal(struct staging *staging, struct store_error *error)
{
	int code;

	assert(!staging->sealed);
	code = staging_need_top(staging, error);
	if (code)
		return code;
	staging->sealed = staging->top;
	staging->top = NULL;
	staging->changed = false;
	return STORE_OK;
}

struct staging_layer *staging_sealed(const struct staging *staging)
{
	return staging->sealed;
}

uint64_t staging_layer_size(const struct staging_layer *layer)
{
	return layer->size;
}

int staging_layer_kept(const struct staging_layer *layer,
		       struct store_range **ranges, size_t *count,
		       struct store_error *error)
{
	uint64_t offset = 0, until;
	struct store_range *made;
	size_t used = 0;

	made = calloc(layer->dirty.count + 1, sizeof(*made));
	if (!made)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for ranges");
	while (offset < layer->lower_limit) {
		bool dirty = rangemap_at(&layer->dirty, offset, &until);

		if (until > layer->lower_limit)
			until = layer->lower_limit;
		if (!dirty)
			made[used++] =
				(struct store_range){ offset, until - offset };
		offset = until;
	}
	*ranges = made;
	*count = used;
	return STORE_OK;
}

/* Copy [start, end) of one staging file over another's. */
static int copy_span(int from, int to, struct span span,
		     struct store_error *error)
{
	CLEANUP_FREE char *chunk = NULL;

	chunk = malloc(COPY_CHUNK);
	if (!chunk)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a copy");
	while (span.start < span.end) {
		uint64_t left = span.end - span.start;
		size_t step = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		int code = read_all(from, chunk, span.start, step, error);

		if (!code)
			code = write_all(to, chunk, span.start, step, error);
		if (code)
			return code;
		span.start += step;
	}
	return STORE_OK;
}

/*
 * Lay `above` over `layer`, whose own bytes count as clean when `stored`.
 * Repeating it after a failure gives the same result, as `above` only ever
 * replaces bytes.
 */
static int layer_merge(struct staging_layer *layer,
		       const struct staging_layer *above, bool stored,
		       struct store_error *error)
{
	int code = STORE_OK;

	if (above->lower_limit < layer->size) {
		if (ftruncate(layer->fd, (off_t)above->lower_limit))
			return store_error_errno(error, errno, "staging file");
		code = layer_reserve(layer, error);
		if (code)
			return code;
		rangemap_remove(&layer->present, above->lower_limit,
				UINT64_MAX);
		rangemap_remove(&layer->dirty, above->lower_limit, UINT64_MAX);
	}
	if (stored)
		rangemap_clear(&layer->dirty);
	for (size_t i = 0; i < above->present.count && !code; i++) {
		struct span span = above->present.spans[i];

		code = layer_reserve(layer, error);
		if (!code)
			code = copy_span(above->fd, layer->fd, span, error);
		if (!code) {
			rangemap_add(&layer->present, span.start, span.end);
			rangemap_add(&layer->dirty, span.start, span.end);
		}
	}
	if (code)
		return code;
	/* After `stored`, the base is the sealed content, all of it. */
	if (stored)
		layer->lower_limit = above->lower_limit;
	else if (layer->lower_limit > above->lower_limit)
		layer->lower_limit = above->lower_limit;
	layer->size = above->size;
	return STORE_OK;
}

int staging_settle(struct staging *staging, bool stored,
		   struct store_error *error)
{
	struct staging_layer *sealed = staging->sealed;
	uint64_t sealed_size = sealed->size;

	if (staging->top) {
		uint64_t before = rangemap_total(&sealed->present);
		int code = layer_merge(sealed, staging->top, stored,
				       stored ? NULL : error);

		atomic_fetch_add(&staging->area->bytes,
				 rangemap_total(&sealed->present) - before);
		if (code && !stored)
			return code;
		/* Without disk for it: the store has all of the sealed bytes. */
		layer_remove(code ? sealed : staging->top);
		if (code)
			sealed = staging->top;
	} else if (stored) {
		rangemap_clear(&sealed->dirty);
		sealed->lower_limit = sealed->size;
	}
	staging->top = sealed;
	staging->sealed = NULL;
	if (stored)
		staging->base_size = sealed_size;
	else
		staging->changed = true;
	return STORE_OK;
}
