// SPDX-License-Identifier: MIT
/*
 * One layer of staged bytes, and the area; see layer.h.  Called by staging.c,
 * layer_keep.c and restore.c, calls only the local disk.
 */
#include "config.h"

#include "mount/layer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mount/pending.h"
#include "mount/spare.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"

enum { COPY_CHUNK = 1 << 20 };
/* Left for a new journal, and for what is kept of a damaged one. */
enum { INODES_KEPT = 8 };

struct staging_area {
	int dir_fd;
	const char *path; /* for messages; borrowed, may be NULL */
	uint64_t limit;
	uint64_t file_limit;
	_Atomic uint64_t bytes;
	_Atomic uint64_t files;	   /* on the disk */
	_Atomic uint64_t promised; /* files that will be made */
	_Atomic uint64_t buried;   /* files that will go, */
	_Atomic uint64_t buried_bytes;
	_Atomic uint64_t freed; /* how often */
	_Atomic uint64_t last;	/* number given out */
	staging_bury_fn *bury;
	void *bury_arg;
	struct spares spares;
	struct lock lock;
	struct staging_layer *layers; /* protected by `lock` */
};

/* ---- the area ---- */

bool staging_area_remove(struct staging_area *area, uint64_t number)
{
	char name[DATA_NAME_MAX];

	data_name(number, name);
	return spares_give(&area->spares, name) ||
	       !unlinkat(area->dir_fd, name, 0);
}

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
	spares_init(&made->spares, made->dir_fd);
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
		if (!atomic_load(&layer->unlinked) && !layer->kept)
			staging_area_remove(area, layer->number);
	spares_release(&area->spares);
	lock_destroy(&area->lock);
	close(area->dir_fd);
	free(area);
}

uint64_t staging_area_bytes(const struct staging_area *area)
{
	return atomic_load(&area->bytes);
}

uint64_t staging_area_freed(const struct staging_area *area)
{
	return atomic_load(&area->freed);
}

void staging_area_call(struct staging_area *area, const char *path)
{
	area->path = path;
}

const char *staging_area_name(const struct staging_area *area)
{
	return area->path ? area->path : "staging directory";
}

int staging_area_fd(const struct staging_area *area)
{
	return area->dir_fd;
}

bool staging_area_uses(struct staging_area *area, uint64_t number)
{
	bool found = false;

	lock_take(&area->lock);
	for (const struct staging_layer *layer = area->layers; layer && !found;
	     layer = layer->next)
		found = layer->number == number;
	lock_drop(&area->lock);
	return found;
}

void staging_area_begin_at(struct staging_area *area, uint64_t last)
{
	atomic_store(&area->last, last);
}

void staging_area_bury_with(struct staging_area *area, staging_bury_fn *bury,
			    void *arg)
{
	area->bury = bury;
	area->bury_arg = arg;
}

static void area_refund(struct staging_area *area, uint64_t bytes)
{
	atomic_fetch_sub(&area->bytes, bytes);
	atomic_fetch_add(&area->freed, 1);
}

void staging_area_unbury(struct staging_area *area, uint64_t bytes)
{
	atomic_fetch_sub(&area->buried_bytes, bytes);
	atomic_fetch_sub(&area->buried, 1);
	atomic_fetch_sub(&area->files, 1);
	atomic_fetch_add(&area->freed, 1);
}

void staging_area_leave_buried(struct staging_area *area)
{
	atomic_fetch_sub(&area->buried, 1);
}

uint64_t staging_area_buried(const struct staging_area *area)
{
	return atomic_load(&area->buried);
}

void staging_area_limit_files(struct staging_area *area, uint64_t limit)
{
	area->file_limit = limit;
}

/* Has the file system this many inodes left?  Some have no fixed number. */
static bool area_has_inodes(const struct staging_area *area, uint64_t wanted)
{
	struct statvfs found;

	return fstatvfs(area->dir_fd, &found) || !found.f_files ||
	       found.f_favail >= wanted + INODES_KEPT;
}

int staging_area_promise(struct staging_area *area, struct store_error *error)
{
	uint64_t promised = atomic_fetch_add(&area->promised, 1) + 1;
	uint64_t files = atomic_load(&area->files) + promised;

	if (area->file_limit && files > area->file_limit)
		store_error_set(error, STORE_NO_SPACE,
				"staging_size is used up: %llu files",
				(unsigned long long)area->file_limit);
	else if (!area_has_inodes(area, promised))
		store_error_set(error, STORE_NO_SPACE,
				"no inodes left for staging");
	else
		return STORE_OK;
	staging_area_unpromise(area);
	return STORE_NO_SPACE;
}

void staging_area_unpromise(struct staging_area *area)
{
	atomic_fetch_sub(&area->promised, 1);
}

/* ---- life of a layer ---- */

static int layer_open(struct staging_layer *layer, int flags)
{
	char name[DATA_NAME_MAX];

	data_name(layer->number, name);
	layer->fd = openat(layer->area->dir_fd, name,
			   O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return layer->fd < 0 ? -1 : 0;
}

static int layer_open_new(struct staging_layer *layer)
{
	char name[DATA_NAME_MAX];

	data_name(layer->number, name);
	if (spares_take(&layer->area->spares, name))
		return layer_open(layer, 0);
	return layer_open(layer, O_CREAT | O_EXCL);
}

int layer_error(const struct staging_layer *layer, int errnum,
		struct store_error *error)
{
	char name[DATA_NAME_MAX];

	data_name(layer->number, name);
	return store_error_errno(error, errnum, "%s/%s",
				 staging_area_name(layer->area), name);
}

/* Its name never meets a file that an earlier run has left. */
static int layer_create_file(struct staging_layer *layer,
			     struct store_error *error)
{
	do
		layer->number = atomic_fetch_add(&layer->area->last, 1) + 1;
	while (layer_open_new(layer) && errno == EEXIST);
	if (layer->fd < 0)
		return layer_error(layer, errno, error);
	atomic_fetch_add(&layer->area->files, 1);
	staging_area_unpromise(layer->area);
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

static struct staging_layer *layer_alloc(struct staging_area *area,
					 struct store_error *error)
{
	struct staging_layer *layer = calloc(1, sizeof(*layer));

	if (!layer) {
		store_error_set(error, STORE_NO_MEMORY,
				"no memory for staging");
		return NULL;
	}
	layer->area = area;
	atomic_init(&layer->references, 1);
	return layer;
}

int layer_new(struct staging_area *area, uint64_t lower_size,
	      struct staging_layer **out, struct store_error *error)
{
	struct staging_layer *layer = layer_alloc(area, error);
	int code;

	if (!layer)
		return STORE_NO_MEMORY;
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

int layer_restore(struct staging_area *area, uint64_t number, bool create,
		  struct staging_layer **out, struct store_error *error)
{
	struct staging_layer *layer = layer_alloc(area, error);

	if (!layer)
		return STORE_NO_MEMORY;
	layer->number = number;
	layer->kept = layer->recorded = true;
	if (layer_open(layer, create ? O_CREAT | O_TRUNC : 0)) {
		int code = layer_error(layer, errno, error);

		free(layer);
		return code;
	}
	atomic_fetch_add(&area->files, 1);
	layer_list(layer);
	*out = layer;
	return STORE_OK;
}

void layer_restore_maps(struct staging_layer *layer, uint64_t size,
			uint64_t lower_limit, struct rangemap *present,
			struct rangemap *dirty)
{
	layer->size = size;
	layer->lower_limit = lower_limit;
	layer->present = *present;
	layer->dirty = *dirty;
	rangemap_init(present);
	rangemap_init(dirty);
	atomic_fetch_add(&layer->area->bytes, rangemap_total(&layer->present));
}

void layer_ref(struct staging_layer *layer)
{
	atomic_fetch_add(&layer->references, 1);
}

void layer_unref(struct staging_layer *layer)
{
	if (!layer || atomic_fetch_sub(&layer->references, 1) != 1)
		return;
	layer_unlist(layer);
	if (!layer->buried)
		area_refund(layer->area, rangemap_total(&layer->present));
	close(layer->fd);
	rangemap_release(&layer->present);
	rangemap_release(&layer->dirty);
	free(layer);
}

/* From here on its bytes are those of its grave. */
static void layer_bury(struct staging_layer *layer)
{
	struct staging_area *area = layer->area;
	uint64_t bytes = rangemap_total(&layer->present);

	layer->buried = true;
	atomic_fetch_add(&area->buried, 1);
	atomic_fetch_add(&area->buried_bytes, bytes);
	atomic_fetch_sub(&area->bytes, bytes);
	if (!area->bury(area->bury_arg, layer->number, bytes))
		staging_area_leave_buried(area);
}

void layer_remove(struct staging_layer *layer)
{
	struct staging_area *area;
	uint64_t number;
	bool remove, bury;

	if (!layer)
		return;
	area = layer->area;
	number = layer->number;
	remove = !atomic_exchange(&layer->unlinked, true);
	bury = layer->kept && area->bury;
	if (remove && bury)
		layer_bury(layer);
	layer_unref(layer);
	if (remove && !bury && staging_area_remove(area, number))
		atomic_fetch_sub(&area->files, 1);
}

void layer_leave(struct staging_layer *layer)
{
	atomic_store(&layer->unlinked, true);
	layer_unref(layer);
}

/* ---- bytes ---- */

/* Bytes of [start, end) that are not present yet. */
static uint64_t layer_lacks(const struct staging_layer *layer, uint64_t start,
			    uint64_t end)
{
	uint64_t lacking = 0, until;

	while (start < end) {
		bool inside = rangemap_at(&layer->present, start, &until);

		if (until > end)
			until = end;
		if (!inside)
			lacking += until - start;
		start = until;
	}
	return lacking;
}

/* Take room under the budget before anything is written. */
static int layer_charge(struct staging_layer *layer, uint64_t bytes,
			struct store_error *error)
{
	struct staging_area *area = layer->area;
	uint64_t used = atomic_load(&area->bytes);

	do {
		if (area->limit && bytes &&
		    used + bytes + atomic_load(&area->buried_bytes) >
			    area->limit)
			return store_error_set(error, STORE_NO_SPACE,
					       "staging_size is used up");
	} while (!atomic_compare_exchange_weak(&area->bytes, &used,
					       used + bytes));
	return STORE_OK;
}

/* It was not used: nobody has got any room by that. */
static void layer_uncharge(struct staging_layer *layer, uint64_t bytes)
{
	atomic_fetch_sub(&layer->area->bytes, bytes);
}

static int layer_reserve(struct staging_layer *layer, struct store_error *error)
{
	int code = rangemap_reserve(&layer->present, error);

	return code ? code : rangemap_reserve(&layer->dirty, error);
}

static int write_all(const struct staging_layer *layer, const void *data,
		     uint64_t offset, size_t length, struct store_error *error)
{
	return fd_write_at(layer->fd, data, length, offset)
		       ? layer_error(layer, errno, error)
		       : STORE_OK;
}

/* Zeros to the end where the file is shorter. */
int layer_read(const struct staging_layer *layer, void *data, uint64_t offset,
	       size_t length, struct store_error *error)
{
	ssize_t got = fd_read_at(layer->fd, data, length, offset);

	if (got < 0)
		return layer_error(layer, errno, error);
	memset((char *)data + got, 0, length - (size_t)got);
	return STORE_OK;
}

/* The maps must be reserved, the room taken. */
static void layer_mark(struct staging_layer *layer, uint64_t start,
		       uint64_t end, bool dirty)
{
	rangemap_add(&layer->present, start, end);
	if (dirty)
		rangemap_add(&layer->dirty, start, end);
	if (end > layer->size)
		layer->size = end;
}

int layer_write(struct staging_layer *layer, const void *data,
		const struct store_range *range, bool dirty,
		struct store_error *error)
{
	uint64_t end = range->offset + range->length;
	uint64_t lacking = layer_lacks(layer, range->offset, end);
	int code = layer_reserve(layer, error);

	if (!code)
		code = layer_charge(layer, lacking, error);
	if (code)
		return code;
	code = write_all(layer, data, range->offset, (size_t)range->length,
			 error);
	if (code) {
		layer_uncharge(layer, lacking);
		return code;
	}
	layer_mark(layer, range->offset, end, dirty);
	return STORE_OK;
}

/* Drops what is behind `size`, so that it reads as zeros. */
static int layer_cut(struct staging_layer *layer, uint64_t size,
		     struct store_error *error)
{
	uint64_t before = rangemap_total(&layer->present);
	int code = layer_reserve(layer, error);

	if (code)
		return code;
	if (ftruncate(layer->fd, (off_t)size))
		return layer_error(layer, errno, error);
	rangemap_remove(&layer->present, size, UINT64_MAX);
	rangemap_remove(&layer->dirty, size, UINT64_MAX);
	area_refund(layer->area, before - rangemap_total(&layer->present));
	if (layer->lower_limit > size)
		layer->lower_limit = size;
	return STORE_OK;
}

int layer_truncate(struct staging_layer *layer, uint64_t size,
		   struct store_error *error)
{
	int code = STORE_OK;

	if (size < layer->size)
		code = layer_cut(layer, size, error);
	if (!code)
		layer->size = size;
	return code;
}

static int punch_zeros(const struct staging_layer *layer, uint64_t offset,
		       uint64_t length, struct store_error *error)
{
	static const char zeros[65536];

	if (!fallocate(layer->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       (off_t)offset, (off_t)length))
		return STORE_OK;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return layer_error(layer, errno, error);
	while (length) {
		size_t step =
			length < sizeof(zeros) ? (size_t)length : sizeof(zeros);
		int code = write_all(layer, zeros, offset, step, error);

		if (code)
			return code;
		offset += step;
		length -= step;
	}
	return STORE_OK;
}

int layer_punch(struct staging_layer *layer, uint64_t offset, uint64_t end,
		struct store_error *error)
{
	uint64_t lacking = layer_lacks(layer, offset, end);
	int code = layer_reserve(layer, error);

	if (!code)
		code = layer_charge(layer, lacking, error);
	if (code)
		return code;
	code = punch_zeros(layer, offset, end - offset, error);
	if (code) {
		layer_uncharge(layer, lacking);
		return code;
	}
	layer_mark(layer, offset, end, true);
	return STORE_OK;
}

/* ---- merging ---- */

/* Copy [start, end) of one staging file over another's. */
static int copy_span(const struct staging_layer *from,
		     const struct staging_layer *to, struct span span,
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
		int code = layer_read(from, chunk, span.start, step, error);

		if (!code)
			code = write_all(to, chunk, span.start, step, error);
		if (code)
			return code;
		span.start += step;
	}
	return STORE_OK;
}

/* A copy needs no more room than both have taken already. */
static int layer_take_span(struct staging_layer *layer,
			   const struct staging_layer *above, struct span span,
			   struct store_error *error)
{
	uint64_t lacking = layer_lacks(layer, span.start, span.end);
	int code = layer_reserve(layer, error);

	if (!code)
		code = copy_span(above, layer, span, error);
	if (code)
		return code;
	atomic_fetch_add(&layer->area->bytes, lacking);
	rangemap_add(&layer->present, span.start, span.end);
	return STORE_OK;
}

int layer_merge(struct staging_layer *layer, const struct staging_layer *above,
		struct store_error *error)
{
	int code = STORE_OK;

	if (above->lower_limit < layer->size)
		code = layer_cut(layer, above->lower_limit, error);
	/* Room for its ranges, also should not all of them get here. */
	if (layer->size < above->size)
		layer->size = above->size;
	for (size_t i = 0; i < above->present.count && !code; i++)
		code = layer_take_span(layer, above, above->present.spans[i],
				       error);
	for (size_t i = 0; i < above->dirty.count && !code; i++) {
		code = rangemap_reserve(&layer->dirty, error);
		if (!code)
			rangemap_add(&layer->dirty, above->dirty.spans[i].start,
				     above->dirty.spans[i].end);
	}
	if (code)
		return code;
	if (layer->lower_limit > above->lower_limit)
		layer->lower_limit = above->lower_limit;
	layer->size = above->size;
	return STORE_OK;
}

void layer_make_clean(struct staging_layer *layer)
{
	rangemap_clear(&layer->dirty);
	layer->lower_limit = layer->size;
}
