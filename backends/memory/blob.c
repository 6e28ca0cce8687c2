// SPDX-License-Identifier: MIT
/*
 * Content of the memory store: see blob.h.
 *
 * Called by memory.c and write.c, never with the lock of an instance held;
 * calls the source of a put.  Invariants: pieces are sorted by index, no
 * piece is empty, and no chunk ends in a zero byte, so a chunk of zeros does
 * not exist.
 */
#include "config.h"

#include "backends/memory/blob.h"

#include <string.h>

#include "src/base/cleanup.h"

/* Bytes of one BLOB_CHUNK-aligned stretch; those behind `length` are 0. */
struct chunk {
	atomic_uint refs;
	uint32_t length;
	struct blob_budget *budget;
	unsigned char data[];
};

struct piece {
	uint64_t index; /* offset / BLOB_CHUNK */
	struct chunk *chunk;
};

struct blob {
	atomic_uint refs;
	uint64_t size;
	uint64_t allocated;
	size_t count;
	struct piece *pieces;
};

struct blob_builder {
	struct blob_budget *budget;
	struct blob *blob;
	size_t room;	       /* of blob->pieces */
	unsigned char *buffer; /* the chunk being filled */
	size_t fill;
	size_t buffer_room;
};

/* ---- chunks ---- */

static int budget_take(struct blob_budget *budget, size_t bytes,
		       struct store_error *error)
{
	size_t used = atomic_fetch_add(&budget->used, bytes) + bytes;

	if (!budget->limit || used <= budget->limit)
		return STORE_OK;
	atomic_fetch_sub(&budget->used, bytes);
	return store_error_set(error, STORE_NO_SPACE,
			       "the memory store is full");
}

static void chunk_unref(struct chunk *chunk)
{
	if (!chunk || atomic_fetch_sub(&chunk->refs, 1) != 1)
		return;
	atomic_fetch_sub(&chunk->budget->used, chunk->length);
	free(chunk);
}

static int chunk_new(struct blob_budget *budget, const unsigned char *data,
		     size_t length, struct chunk **out,
		     struct store_error *error)
{
	struct chunk *chunk;
	int code = budget_take(budget, length, error);

	if (code)
		return code;
	chunk = malloc(sizeof(*chunk) + length);
	if (!chunk) {
		atomic_fetch_sub(&budget->used, length);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	atomic_init(&chunk->refs, 1);
	chunk->length = (uint32_t)length;
	chunk->budget = budget;
	memcpy(chunk->data, data, length);
	*out = chunk;
	return STORE_OK;
}

/* ---- finished blobs ---- */

static struct blob *blob_new(void)
{
	struct blob *blob = calloc(1, sizeof(*blob));

	if (blob)
		atomic_init(&blob->refs, 1);
	return blob;
}

struct blob *blob_ref(struct blob *blob)
{
	atomic_fetch_add(&blob->refs, 1);
	return blob;
}

void blob_unref(struct blob *blob)
{
	size_t i;

	if (!blob || atomic_fetch_sub(&blob->refs, 1) != 1)
		return;
	for (i = 0; i < blob->count; i++)
		chunk_unref(blob->pieces[i].chunk);
	free(blob->pieces);
	free(blob);
}

uint64_t blob_size(const struct blob *blob)
{
	return blob->size;
}

uint64_t blob_allocated(const struct blob *blob)
{
	return blob->allocated;
}

/* Position of the first piece at or after `index`. */
static size_t blob_find(const struct blob *blob, uint64_t index)
{
	size_t low = 0;
	size_t high = blob->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (blob->pieces[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The chunk at this index, NULL for a hole. */
static struct chunk *blob_chunk(const struct blob *blob, uint64_t index)
{
	size_t at = blob_find(blob, index);

	if (at == blob->count || blob->pieces[at].index != index)
		return NULL;
	return blob->pieces[at].chunk;
}

void blob_read(const struct blob *blob, uint64_t offset, void *data,
	       size_t length)
{
	unsigned char *out = data;

	while (length) {
		const struct chunk *chunk =
			blob_chunk(blob, offset / BLOB_CHUNK);
		size_t skip = (size_t)(offset % BLOB_CHUNK);
		size_t part = BLOB_CHUNK - skip;
		size_t have = 0;

		if (part > length)
			part = length;
		if (chunk && chunk->length > skip)
			have = chunk->length - skip;
		if (have > part)
			have = part;
		if (have)
			memcpy(out, chunk->data + skip, have);
		memset(out + have, 0, part - have);
		out += part;
		offset += part;
		length -= part;
	}
}

void blob_next_data(const struct blob *blob, uint64_t offset,
		    struct store_range *range)
{
	size_t at = blob_find(blob, offset / BLOB_CHUNK);
	uint64_t start;
	uint64_t end;

	*range = (struct store_range){ .offset = blob->size };
	if (at == blob->count || offset >= blob->size)
		return;
	start = blob->pieces[at].index * BLOB_CHUNK;
	end = start;
	while (at < blob->count && blob->pieces[at].index * BLOB_CHUNK == end) {
		end += BLOB_CHUNK;
		at++;
	}
	if (start < offset)
		start = offset;
	if (end > blob->size)
		end = blob->size;
	range->offset = start;
	range->length = end - start;
}

/* ---- building ---- */

struct blob_builder *blob_builder_new(struct blob_budget *budget,
				      struct store_error *error)
{
	struct blob_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		goto fail;
	builder->budget = budget;
	builder->blob = blob_new();
	if (!builder->blob)
		goto fail;
	return builder;
fail:
	blob_builder_free(builder);
	(void)store_error_set(error, STORE_NO_MEMORY, "out of memory");
	return NULL;
}

void blob_builder_free(struct blob_builder *builder)
{
	if (!builder)
		return;
	blob_unref(builder->blob);
	free(builder->buffer);
	free(builder);
}

/* Room for a chunk of `length` bytes to be filled in. */
static int builder_reserve(struct blob_builder *builder, size_t length,
			   struct store_error *error)
{
	unsigned char *buffer;

	if (length <= builder->buffer_room)
		return STORE_OK;
	buffer = realloc(builder->buffer, length);
	if (!buffer)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	builder->buffer = buffer;
	builder->buffer_room = length;
	return STORE_OK;
}

/* Takes the reference of `chunk`, also on failure. */
static int builder_add(struct blob_builder *builder, uint64_t index,
		       struct chunk *chunk, struct store_error *error)
{
	struct blob *blob = builder->blob;

	if (blob->count == builder->room) {
		size_t room = builder->room ? builder->room * 2 : 1;
		struct piece *pieces =
			realloc(blob->pieces, room * sizeof(*pieces));

		if (!pieces) {
			chunk_unref(chunk);
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
		}
		blob->pieces = pieces;
		builder->room = room;
	}
	blob->pieces[blob->count++] =
		(struct piece){ .index = index, .chunk = chunk };
	blob->allocated += chunk->length;
	return STORE_OK;
}

/* Keep the first `length` bytes of the buffer unless they are zeros. */
static int builder_flush(struct blob_builder *builder, uint64_t index,
			 size_t length, struct store_error *error)
{
	struct chunk *chunk = NULL;
	int code;

	while (length && !builder->buffer[length - 1])
		length--;
	if (!length)
		return STORE_OK;
	code = chunk_new(builder->budget, builder->buffer, length, &chunk,
			 error);
	if (code)
		return code;
	return builder_add(builder, index, chunk, error);
}

int blob_builder_append(struct blob_builder *builder, const void *data,
			size_t length, struct store_error *error)
{
	const unsigned char *from = data;
	int code = builder_reserve(builder, BLOB_CHUNK, error);

	while (!code && length) {
		size_t part = BLOB_CHUNK - builder->fill;

		if (part > length)
			part = length;
		memcpy(builder->buffer + builder->fill, from, part);
		builder->fill += part;
		builder->blob->size += part;
		from += part;
		length -= part;
		if (builder->fill < BLOB_CHUNK)
			break;
		builder->fill = 0;
		code = builder_flush(builder,
				     builder->blob->size / BLOB_CHUNK - 1,
				     BLOB_CHUNK, error);
	}
	return code;
}

int blob_builder_finish(struct blob_builder *builder, struct blob **blob,
			struct store_error *error)
{
	int code = builder_flush(builder, builder->blob->size / BLOB_CHUNK,
				 builder->fill, error);

	if (!code)
		*blob = steal_pointer(&builder->blob);
	return code;
}

/* ---- plans ---- */

/* What a stretch of the new version is made of. */
struct segment {
	bool kept;
	uint64_t end;
};

/* `*next` is the first kept range that may hold or follow `offset`. */
static struct segment plan_segment(const struct blob_plan *plan,
				   uint64_t offset, size_t *next)
{
	const struct store_range *range;

	while (*next < plan->keep_count) {
		range = &plan->keep[*next];
		if (offset < range->offset)
			return (struct segment){ false, range->offset };
		if (offset < range->offset + range->length)
			return (struct segment){ true, range->offset +
							       range->length };
		(*next)++;
	}
	return (struct segment){ false, plan->source->size };
}

/* First data of the segment at or after `offset`; its end when none. */
static int segment_data(const struct blob_plan *plan, struct segment segment,
			uint64_t offset, struct store_range *range,
			struct store_error *error)
{
	struct store_range found = { .offset = offset,
				     .length = segment.end - offset };

	if (segment.kept) {
		blob_next_data(plan->base, offset, &found);
	} else if (plan->source->next_data) {
		int code = plan->source->next_data(plan->source, offset, &found,
						   error);

		if (code)
			return code;
	}
	if (!found.length || found.offset >= segment.end) {
		*range = (struct store_range){ .offset = segment.end };
		return STORE_OK;
	}
	if (found.offset < offset) {
		found.length -= offset - found.offset;
		found.offset = offset;
	}
	if (found.length > segment.end - found.offset)
		found.length = segment.end - found.offset;
	*range = found;
	return STORE_OK;
}

/* Move `*offset` to the next data of the plan, or to its end. */
static int plan_next(const struct blob_plan *plan, uint64_t *offset,
		     size_t *next, struct store_error *error)
{
	while (*offset < plan->source->size) {
		struct segment segment = plan_segment(plan, *offset, next);
		struct store_range range;
		int code = segment_data(plan, segment, *offset, &range, error);

		if (code)
			return code;
		*offset = range.offset;
		if (range.length)
			return STORE_OK;
	}
	return STORE_OK;
}

/* Fill the buffer with [start, end) of the new version. */
static int plan_fill(const struct blob_plan *plan, struct blob_builder *builder,
		     struct store_range chunk, size_t next,
		     struct store_error *error)
{
	uint64_t end = chunk.offset + chunk.length;
	uint64_t offset = chunk.offset;

	memset(builder->buffer, 0, (size_t)chunk.length);
	while (offset < end) {
		struct segment segment = plan_segment(plan, offset, &next);
		struct store_range range;
		unsigned char *to;
		int code;

		if (segment.end > end)
			segment.end = end;
		code = segment_data(plan, segment, offset, &range, error);
		if (code)
			return code;
		to = builder->buffer + (range.offset - chunk.offset);
		if (range.length && segment.kept)
			blob_read(plan->base, range.offset, to,
				  (size_t)range.length);
		else if (range.length)
			code = plan->source->read(plan->source, range.offset,
						  to, (size_t)range.length,
						  error);
		if (code)
			return code;
		offset = range.offset + range.length;
	}
	return STORE_OK;
}

/* One chunk: shared when all of it is kept, else built. */
static int plan_chunk(const struct blob_plan *plan,
		      struct blob_builder *builder, uint64_t offset,
		      size_t next, struct store_error *error)
{
	uint64_t index = offset / BLOB_CHUNK;
	struct store_range range = { .offset = index * BLOB_CHUNK,
				     .length = BLOB_CHUNK };
	struct segment segment;
	struct chunk *chunk;
	int code;

	if (range.length > plan->source->size - range.offset)
		range.length = plan->source->size - range.offset;
	segment = plan_segment(plan, range.offset, &next);
	if (segment.kept && segment.end - range.offset >= range.length) {
		chunk = blob_chunk(plan->base, index);
		if (chunk && chunk->length <= range.length) {
			atomic_fetch_add(&chunk->refs, 1);
			return builder_add(builder, index, chunk, error);
		}
	}
	code = builder_reserve(builder, (size_t)range.length, error);
	if (!code)
		code = plan_fill(plan, builder, range, next, error);
	if (code)
		return code;
	return builder_flush(builder, index, (size_t)range.length, error);
}

/* The first kept range that ends behind the start of the chunk at `offset`. */
static size_t plan_rewind(const struct blob_plan *plan, uint64_t offset,
			  size_t next)
{
	uint64_t start = offset - offset % BLOB_CHUNK;

	while (next &&
	       plan->keep[next - 1].offset + plan->keep[next - 1].length >
		       start)
		next--;
	return next;
}

static int plan_run(const struct blob_plan *plan, struct blob_builder *builder,
		    struct store_context *context, struct store_error *error)
{
	uint64_t offset = 0;
	size_t next = 0;
	int code;

	for (;;) {
		code = store_context_check(context, error);
		if (!code)
			code = plan_next(plan, &offset, &next, error);
		if (code || offset >= plan->source->size)
			return code;
		code = plan_chunk(plan, builder, offset,
				  plan_rewind(plan, offset, next), error);
		if (code)
			return code;
		store_context_progress(context);
		offset = (offset / BLOB_CHUNK + 1) * BLOB_CHUNK;
	}
}

int blob_from_plan(const struct blob_plan *plan, struct blob_budget *budget,
		   struct store_context *context, struct blob **blob,
		   struct store_error *error)
{
	struct blob_builder *builder = blob_builder_new(budget, error);
	int code;

	if (!builder)
		return STORE_NO_MEMORY;
	builder->blob->size = plan->source->size;
	code = plan_run(plan, builder, context, error);
	if (!code)
		*blob = steal_pointer(&builder->blob);
	blob_builder_free(builder);
	return code;
}
