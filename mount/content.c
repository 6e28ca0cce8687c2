// SPDX-License-Identifier: MIT
/*
 * See content.h.  Called by the control commands and settle.c; calls
 * staging.c for what a stack of layers shows, and the store.
 *
 * Data files are opened first and checked then: what is stored and removed
 * meanwhile stays readable.
 */
#include "config.h"

#include "mount/content.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/staging.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"

struct content_source {
	struct store_source source;
	struct content *content;
	struct store_context *context;
};

struct content {
	/* Its layers are made here, and belong to no area. */
	struct staging_view view;
	struct store_reader *base; /* NULL: none is needed */
	bool raw;
	struct content_source source;
};

/* ---- layers ---- */

/* Bytes of the journal itself get a file in memory. */
static int open_inline(struct staging_layer *layer,
		       const struct record_layer *record,
		       struct store_error *error)
{
	const char *data = record->data;
	int code = STORE_OK;

	layer->fd = memfd_create("storefs", MFD_CLOEXEC);
	if (layer->fd < 0)
		return store_error_errno(error, errno,
					 "memory for staged bytes");
	for (size_t i = 0; i < record->present.count && !code; i++) {
		const struct span *span = &record->present.spans[i];
		size_t length = (size_t)(span->end - span->start);

		if (fd_write_at(layer->fd, data, length, span->start))
			code = store_error_errno(error, errno,
						 "memory for staged bytes");
		data += length;
	}
	return code;
}

static int open_data(int dir_fd, const char *name, int *out,
		     struct store_error *error)
{
	CLEANUP_FD int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat found;

	if (fd < 0 && errno == ENOENT)
		return store_error_set(error, STORE_CORRUPT, "%s is missing",
				       name);
	if (fd < 0 || fstat(fd, &found))
		return store_error_errno(error, errno, "%s", name);
	if (!S_ISREG(found.st_mode))
		return store_error_set(error, STORE_CORRUPT, "%s is no file",
				       name);
	*out = steal_fd(&fd);
	return STORE_OK;
}

static int copy_map(const struct rangemap *from, struct rangemap *to,
		    struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < from->count && !code; i++) {
		code = rangemap_reserve(to, error);
		if (!code)
			rangemap_add(to, from->spans[i].start,
				     from->spans[i].end);
	}
	return code;
}

/* Of a layer without a record: what the file holds. */
static int guess_map(struct staging_layer *layer, struct store_error *error)
{
	off_t end = lseek(layer->fd, 0, SEEK_END), start = 0, stop;
	int code = STORE_OK;

	layer->size = end > 0 ? (uint64_t)end : 0;
	while (!code && (start = lseek(layer->fd, start, SEEK_DATA)) >= 0) {
		stop = lseek(layer->fd, start, SEEK_HOLE);
		if (stop < 0)
			stop = end;
		code = rangemap_reserve(&layer->present, error);
		if (!code)
			rangemap_add(&layer->present, (uint64_t)start,
				     (uint64_t)stop);
		start = stop;
	}
	return code;
}

static int open_layer(const struct content_request *request, size_t index,
		      struct staging_layer *layer, struct store_error *error)
{
	const struct pending_layer *pending = request->file->layers[index];
	const struct record_layer *record = pending ? &pending->record : NULL;
	char name[DATA_NAME_MAX];
	int code;

	data_name(request->file->record.layers[index], name);
	layer->fd = -1;
	layer->lower_limit = UINT64_MAX;
	if (record && record->data)
		code = open_inline(layer, record, error);
	else if (record && !record->present.count)
		code = STORE_OK;
	else
		code = open_data(request->dir_fd, name, &layer->fd, error);
	if (code)
		return code;
	if (!record)
		return guess_map(layer, error);
	layer->size = record->size;
	layer->lower_limit = record->lower_limit;
	return copy_map(&record->present, &layer->present, error);
}

static void free_layer(struct staging_layer *layer)
{
	if (layer->fd >= 0)
		close(layer->fd);
	rangemap_release(&layer->present);
	free(layer);
}

/* A raw stack is of those layers that are there. */
static int open_layers(const struct content_request *request,
		       struct staging_view *view, struct store_error *error)
{
	size_t count = request->file->record.layer_count;
	int code = STORE_OK;

	view->layers = calloc(count + 1, sizeof(struct staging_layer *));
	for (size_t i = 0; i < count && !code; i++) {
		struct staging_layer *layer = calloc(1, sizeof(*layer));

		if (!view->layers || !layer) {
			free(layer);
			return store_error_set(error, STORE_NO_MEMORY,
					       "no memory for layers");
		}
		code = open_layer(request, i, layer, error);
		if (code) {
			free_layer(layer);
			if (request->flags & CONTENT_RAW)
				code = STORE_OK;
			continue;
		}
		view->layers[view->count++] = layer;
		view->size = layer->size;
	}
	return code;
}

static int check_layers(const struct content_request *request,
			struct store_error *error)
{
	struct pending_file file = *request->file;
	struct pending one = { .files = &file, .count = 1 };

	pending_verify(request->dir_fd, &one);
	if (!file.damaged)
		return STORE_OK;
	return store_error_set(error, STORE_CORRUPT,
			       "%s: staged bytes are missing or are not what "
			       "was written",
			       file.record.key);
}

/* ---- the base ---- */

static bool needs_base(const struct content *content)
{
	struct staging_piece piece;
	uint64_t offset = 0;

	for (; offset < content->view.size; offset += piece.length) {
		staging_view_piece(&content->view, offset, UINT64_MAX - offset,
				   &piece);
		if (piece.kind == PIECE_BASE)
			return true;
	}
	return false;
}

static int open_base(const struct content_request *request,
		     struct content *content, struct store_error *error)
{
	const struct record_file *record = &request->file->record;
	const struct store_version *pin =
		record->base.token[0] ? &record->base : NULL;
	int code;

	if (!request->store)
		return store_error_set(error, STORE_INVALID,
				       "%s: parts of it stand in the store "
				       "only, which has to be named",
				       record->key);
	code = store_open_reader(request->store, request->context, record->key,
				 pin, &content->base, NULL, error);
	if (code != STORE_CHANGED && code != STORE_NOT_FOUND)
		return code;
	return store_error_set(error, STORE_CHANGED,
			       "%s: parts of it stand in version %s only, "
			       "which the store no longer has",
			       record->key,
			       pin ? record->base.token : "(unknown)");
}

/* ---- life ---- */

static int fill(const struct content_request *request, struct content *content,
		struct store_error *error)
{
	bool raw = request->flags & CONTENT_RAW;
	int code = open_layers(request, &content->view, error);

	content->raw = raw;
	if (code || raw)
		return code;
	code = check_layers(request, error);
	if (code)
		return code;
	/* Attributes only: the content is the base's. */
	if (!content->view.count && request->file->record.base_exists) {
		code = open_base(request, content, error);
		if (!code)
			content->view.size = store_reader_size(content->base);
		return code;
	}
	return needs_base(content) ? open_base(request, content, error)
				   : STORE_OK;
}

int content_open(const struct content_request *request, struct content **out,
		 struct store_error *error)
{
	struct content *content = calloc(1, sizeof(*content));
	int code;

	if (!content)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a content");
	code = fill(request, content, error);
	if (code)
		content_close(content);
	else
		*out = content;
	return code;
}

int content_open_file(int dir_fd, const char *name, struct content **out,
		      struct store_error *error)
{
	struct content *content = calloc(1, sizeof(*content));
	struct staging_layer *layer = calloc(1, sizeof(*layer));
	struct staging_view view = {
		.layers = calloc(1, sizeof(struct staging_layer *)),
	};
	int code;

	if (!content || !layer || !view.layers) {
		free(content);
		free(layer);
		free(view.layers);
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a content");
	}
	layer->fd = -1;
	view.layers[view.count++] = layer;
	content->view = view;
	content->raw = true;
	code = open_data(dir_fd, name, &layer->fd, error);
	if (!code)
		code = guess_map(layer, error);
	content->view.size = layer->size;
	if (code)
		content_close(content);
	else
		*out = content;
	return code;
}

void content_close(struct content *content)
{
	if (!content)
		return;
	for (size_t i = 0; i < content->view.count; i++)
		free_layer(content->view.layers[i]);
	free(content->view.layers);
	if (content->base)
		store_close_reader(content->base);
	free(content);
}

/* ---- reading ---- */

uint64_t content_size(const struct content *content)
{
	return content->view.size;
}

static void piece_at(const struct content *content, uint64_t offset,
		     uint64_t length, struct staging_piece *piece)
{
	staging_view_piece(&content->view, offset, length, piece);
	if (piece->kind == PIECE_BASE && content->raw)
		piece->kind = PIECE_ZERO;
}

void content_piece(const struct content *content, uint64_t offset,
		   uint64_t *length, bool *zeros)
{
	struct staging_piece piece;

	piece_at(content, offset, *length, &piece);
	*length = piece.length;
	*zeros = piece.kind == PIECE_ZERO;
}

static int read_base(struct content *content, struct store_context *context,
		     const struct staging_piece *piece, void *data,
		     struct store_error *error)
{
	size_t got = 0;
	int code;

	store_context_progress(context);
	code = store_read_at(content->base, context, piece->offset, data,
			     (size_t)piece->length, &got, error);
	if (!code && got != piece->length)
		code = store_error_set(error, STORE_CHANGED,
				       "the base is shorter than it was");
	return code;
}

int content_read(struct content *content, struct store_context *context,
		 uint64_t offset, void *data, size_t length,
		 struct store_error *error)
{
	struct staging_piece piece;
	char *bytes = data;
	int code = STORE_OK;

	for (; length && !code; offset += piece.length, bytes += piece.length,
				length -= (size_t)piece.length) {
		piece_at(content, offset, length, &piece);
		assert(piece.length);
		if (piece.kind == PIECE_STAGED)
			code = staging_read_piece(&piece, bytes, error);
		else if (piece.kind == PIECE_BASE)
			code = read_base(content, context, &piece, bytes,
					 error);
		else
			memset(bytes, 0, (size_t)piece.length);
	}
	return code;
}

static int source_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct content_source *self = (struct content_source *)source;

	return content_read(self->content, self->context, offset, data, length,
			    error);
}

struct store_source *content_source(struct content *content,
				    struct store_context *context)
{
	content->source = (struct content_source){
		.source = { .size = content->view.size, .read = source_read },
		.content = content,
		.context = context,
	};
	return &content->source.source;
}
