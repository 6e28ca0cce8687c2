// SPDX-License-Identifier: MIT
/*
 * The stack of staged layers of one file; see staging.h.  Called by file.c,
 * file_content.c, publish.c and acknowledge.c, calls layer.c.
 */
#include "config.h"

#include "mount/staging.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"

/* ---- life ---- */

void staging_init(struct staging *staging, struct staging_area *area,
		  uint64_t base_size)
{
	*staging = (struct staging){ .area = area,
				     .size = base_size,
				     .base_size = base_size };
}

int staging_promise(struct staging *staging, struct store_error *error)
{
	int code = STORE_OK;

	if (!staging->promised)
		code = staging_area_promise(staging->area, error);
	staging->promised |= !code;
	return code;
}

static void staging_empty(struct staging *staging)
{
	if (staging->promised)
		staging_area_unpromise(staging->area);
	free(staging->layers);
	staging_init(staging, staging->area, staging->base_size);
}

void staging_discard(struct staging *staging)
{
	for (size_t i = 0; i < staging->count; i++)
		layer_remove(staging->layers[i]);
	staging_empty(staging);
}

void staging_leave(struct staging *staging)
{
	for (size_t i = 0; i < staging->count; i++)
		layer_leave(staging->layers[i]);
	staging_empty(staging);
}

/* ---- the stack ---- */

static int stack_reserve(struct staging *staging, struct store_error *error)
{
	size_t room = staging->room ? staging->room * 2 : 2;
	struct staging_layer **layers;

	if (staging->count < staging->room)
		return STORE_OK;
	layers = reallocarray(staging->layers, room,
			      sizeof(struct staging_layer *));
	if (!layers)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for staging");
	staging->layers = layers;
	staging->room = room;
	return STORE_OK;
}

static struct staging_layer *stack_top(const struct staging *staging)
{
	return staging->count ? staging->layers[staging->count - 1] : NULL;
}

/* May this layer still be written? */
static bool may_change(const struct staging *staging, size_t index)
{
	return index >= staging->frozen && !staging->layers[index]->kept;
}

uint64_t staging_top_number(const struct staging *staging)
{
	return staging->count ? stack_top(staging)->number : 0;
}

static int staging_need_top(struct staging *staging, struct store_error *error)
{
	uint64_t below =
		staging->count ? stack_top(staging)->size : staging->base_size;
	int code;

	if (!staging->open && staging->count)
		staging->open = may_change(staging, staging->count - 1);
	if (staging->open)
		return STORE_OK;
	code = stack_reserve(staging, error);
	if (!code)
		code = staging_promise(staging, error);
	if (!code)
		code = layer_new(staging->area, below,
				 &staging->layers[staging->count], error);
	if (code)
		return code;
	staging->promised = false;
	staging->count++;
	staging->open = true;
	return STORE_OK;
}

/* ---- changing ---- */

static int staging_put_bytes(struct staging *staging, const void *data,
			     const struct store_range *range, bool dirty,
			     struct store_error *error)
{
	int code = staging_need_top(staging, error);

	return code ? code
		    : layer_write(stack_top(staging), data, range, dirty,
				  error);
}

int staging_write(struct staging *staging, const void *data, uint64_t offset,
		  size_t length, struct store_error *error)
{
	struct store_range range = { offset, length };
	int code = staging_put_bytes(staging, data, &range, true, error);

	if (code)
		return code;
	staging->changed = true;
	staging->size = stack_top(staging)->size;
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

	if (!code)
		code = layer_truncate(stack_top(staging), size, error);
	if (code)
		return code;
	staging->size = size;
	staging->changed = true;
	return STORE_OK;
}

int staging_punch(struct staging *staging, uint64_t offset, uint64_t length,
		  struct store_error *error)
{
	uint64_t end;
	int code;

	if (offset >= staging->size)
		return STORE_OK;
	end = length > staging->size - offset ? staging->size : offset + length;
	code = staging_need_top(staging, error);
	if (!code)
		code = layer_punch(stack_top(staging), offset, end, error);
	if (code)
		return code;
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

/* What `count` layers show of [offset, size). */
static void stack_piece(struct staging_layer *const *layers, size_t count,
			uint64_t size, struct staging_piece *piece)
{
	bool pass = true;

	if (piece->offset >= size) {
		piece->length = 0;
		return;
	}
	if (piece->length > size - piece->offset)
		piece->length = size - piece->offset;
	while (pass && count--)
		layer_view(layers[count], piece->offset, piece, &pass);
	if (pass)
		piece->kind = PIECE_BASE;
}

void staging_piece_at(struct staging *staging, uint64_t offset, uint64_t length,
		      struct staging_piece *piece)
{
	*piece = (struct staging_piece){ .offset = offset, .length = length };
	stack_piece(staging->layers, staging->count, staging->size, piece);
	if (piece->layer)
		layer_ref(piece->layer);
}

void staging_view_piece(const struct staging_view *view, uint64_t offset,
			uint64_t length, struct staging_piece *piece)
{
	*piece = (struct staging_piece){ .offset = offset, .length = length };
	stack_piece(view->layers, view->count, view->size, piece);
}

int staging_read_piece(const struct staging_piece *piece, void *data,
		       struct store_error *error)
{
	assert(piece->kind == PIECE_STAGED);
	return layer_read(piece->layer, data, piece->offset,
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

/* ---- sealing and freezing ---- */

int staging_seal(struct staging *staging, struct store_error *error)
{
	size_t below;
	int code = STORE_OK;

	if (!staging->count)
		code = staging_need_top(staging, error);
	if (code)
		return code;
	staging->open = false;
	if (staging->count < 2)
		return STORE_OK;
	below = staging->count - 2;
	if (!may_change(staging, below) || !may_change(staging, below + 1))
		return STORE_OK;
	/* Without disk for it both stay, and reads go on through both. */
	if (layer_merge(staging->layers[below], stack_top(staging), NULL))
		return STORE_OK;
	layer_remove(stack_top(staging));
	staging->count--;
	return STORE_OK;
}

int staging_freeze(struct staging *staging, size_t count, bool publish,
		   struct staging_view *view, struct store_error *error)
{
	size_t sealed = staging->count - staging->open;

	assert(sealed && !(publish && staging->frozen));
	if (count > sealed)
		count = sealed;
	view->layers = calloc(count, sizeof(struct staging_layer *));
	if (!view->layers)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for staging");
	view->count = count;
	for (size_t i = 0; i < count; i++) {
		view->layers[i] = staging->layers[i];
		layer_ref(view->layers[i]);
	}
	view->size = view->layers[count - 1]->size;
	if (publish) {
		staging->frozen = count;
		staging->changed = count < staging->count;
	}
	return STORE_OK;
}

void staging_view_release(struct staging_view *view)
{
	for (size_t i = 0; i < view->count; i++)
		layer_unref(view->layers[i]);
	free(view->layers);
	*view = (struct staging_view){ 0 };
}

void staging_view_remove(struct staging_view *view)
{
	for (size_t i = 0; i < view->count; i++)
		layer_remove(view->layers[i]);
	free(view->layers);
	*view = (struct staging_view){ 0 };
}

static int add_dirty(struct rangemap *all, const struct rangemap *dirty,
		     struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < dirty->count && !code; i++) {
		code = rangemap_reserve(all, error);
		if (!code)
			rangemap_add(all, dirty->spans[i].start,
				     dirty->spans[i].end);
	}
	return code;
}

/* What is not in `dirty` below `limit`. */
static int clean_ranges(const struct rangemap *dirty, uint64_t limit,
			struct store_range **ranges, size_t *count,
			struct store_error *error)
{
	uint64_t offset = 0, until;
	struct store_range *made;
	size_t used = 0;

	made = calloc(dirty->count + 1, sizeof(*made));
	if (!made)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for ranges");
	while (offset < limit) {
		bool inside = rangemap_at(dirty, offset, &until);

		if (until > limit)
			until = limit;
		if (!inside)
			made[used++] =
				(struct store_range){ offset, until - offset };
		offset = until;
	}
	*ranges = made;
	*count = used;
	return STORE_OK;
}

int staging_view_kept(const struct staging_view *view,
		      struct store_range **ranges, size_t *count,
		      struct store_error *error)
{
	struct rangemap dirty;
	uint64_t limit = UINT64_MAX;
	int code = STORE_OK;

	rangemap_init(&dirty);
	for (size_t i = 0; i < view->count && !code; i++) {
		if (limit > view->layers[i]->lower_limit)
			limit = view->layers[i]->lower_limit;
		code = add_dirty(&dirty, &view->layers[i]->dirty, error);
	}
	if (!code)
		code = clean_ranges(&dirty, limit, ranges, count, error);
	rangemap_release(&dirty);
	return code;
}

/* ---- settling ---- */

static void stack_drop(struct staging *staging, size_t first, size_t count)
{
	memmove(&staging->layers[first], &staging->layers[first + count],
		(staging->count - first - count) *
			sizeof(struct staging_layer *));
	staging->count -= count;
}

void staging_settle(struct staging *staging, bool stored,
		    struct staging_view *old)
{
	size_t frozen = staging->frozen;

	*old = (struct staging_view){ 0 };
	staging->frozen = 0;
	if (!stored) {
		staging->changed = true;
		return;
	}
	staging->base_size = staging->layers[frozen - 1]->size;
	/* A single layer goes on as a copy of the base that costs nothing. */
	if (frozen == 1 && !staging->layers[0]->kept) {
		layer_make_clean(staging->layers[0]);
		return;
	}
	old->layers = calloc(frozen, sizeof(struct staging_layer *));
	for (size_t i = 0; i < frozen; i++) {
		/* Without memory the next run removes the files. */
		if (old->layers)
			old->layers[old->count++] = staging->layers[i];
		else
			layer_leave(staging->layers[i]);
	}
	stack_drop(staging, 0, frozen);
}

/* It will stand where `lowest` does. */
static int flat_layer_new(const struct staging_layer *lowest,
			  struct staging_layer **made,
			  struct store_error *error)
{
	int code = staging_area_promise(lowest->area, error);

	if (code)
		return code;
	code = layer_new(lowest->area, lowest->lower_limit, made, error);
	if (code)
		staging_area_unpromise(lowest->area);
	return code;
}

int staging_view_flatten(const struct staging_view *view, size_t first,
			 struct staging_view *flat, struct store_error *error)
{
	struct staging_layer *made;
	int code;

	assert(first < view->count);
	*flat = (struct staging_view){ .size = view->size };
	/* Those it replaces, and itself while it changes places with them. */
	flat->layers =
		calloc(view->count - first + 1, sizeof(struct staging_layer *));
	if (!flat->layers)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for staging");
	code = flat_layer_new(view->layers[first], &made, error);
	if (!code)
		flat->layers[flat->count++] = made;
	for (size_t i = first; i < view->count && !code; i++)
		code = layer_merge(made, view->layers[i], error);
	if (code)
		staging_view_remove(flat);
	return code;
}

void staging_swap(struct staging *staging, size_t first, size_t count,
		  struct staging_view *flat)
{
	const size_t size = sizeof(struct staging_layer *);
	struct staging_layer **at = &staging->layers[first];
	size_t in = flat->count;

	assert(first >= staging->frozen &&
	       first + count + staging->open <= staging->count &&
	       staging->count - count + in <= staging->room);
	memcpy(&flat->layers[in], at, count * size);
	memmove(&at[in], &at[count], (staging->count - first - count) * size);
	memcpy(at, flat->layers, in * size);
	memmove(flat->layers, &flat->layers[in], count * size);
	staging->count += in - count;
	flat->count = count;
}
