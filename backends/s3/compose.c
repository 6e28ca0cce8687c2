// SPDX-License-Identifier: MIT
/*
 * Composing: see compose.h.  What stays and is long enough for a part is
 * copied by the server; what is too short for one is read and sent along.
 * Called by put.c.
 */
#include "config.h"

#include "backends/s3/compose.h"

#include <stdlib.h>
#include <string.h>

/* Two ranges no further apart than this are fetched as one. */
enum { GAP = 64 * 1024 };

/* The kept range at `offset`; else *until is where the next one begins. */
static const struct store_range *kept_at(const struct s3_mixed *mixed,
					 uint64_t offset, uint64_t *until)
{
	size_t low = 0;
	size_t high = mixed->keep_count;

	/* The first that ends behind it; there may be very many. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct store_range *range = &mixed->keep[middle];

		if (range->offset + range->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == mixed->keep_count) {
		*until = mixed->source.size;
		return NULL;
	}
	if (offset < mixed->keep[low].offset) {
		*until = mixed->keep[low].offset;
		return NULL;
	}
	*until = mixed->keep[low].offset + mixed->keep[low].length;
	return &mixed->keep[low];
}

/* ---- the source ---- */

static int read_old(struct s3_mixed *mixed, uint64_t offset, void *data,
		    size_t length, struct store_error *error)
{
	void *reader = NULL;
	size_t got = 0;
	int code = s3_open_object(mixed->object, mixed->version,
				  mixed->old_size, &reader, error);

	if (code)
		return code;
	code = s3_read(mixed->s3, mixed->context, reader, offset, data, length,
		       &got, error);
	s3_close_reader(mixed->s3, reader);
	if (!code && got != length)
		code = store_error_set(error, STORE_CORRUPT,
				       "the old version is shorter");
	return code;
}

static const struct s3_held *held_at(const struct s3_mixed *mixed,
				     uint64_t offset)
{
	for (size_t i = 0; i < mixed->held_count; i++) {
		const struct store_range *range = &mixed->held[i].range;

		if (offset >= range->offset &&
		    offset - range->offset < range->length)
			return &mixed->held[i];
	}
	return NULL;
}

/* Of one kept range; *length becomes what was read. */
static int read_kept(struct s3_mixed *mixed, uint64_t offset, void *data,
		     size_t *length, struct store_error *error)
{
	const struct s3_held *held = held_at(mixed, offset);
	uint64_t skip;

	if (!held)
		return read_old(mixed, offset, data, *length, error);
	skip = offset - held->range.offset;
	if (*length > held->range.length - skip)
		*length = (size_t)(held->range.length - skip);
	memcpy(data, held->data + skip, *length);
	return STORE_OK;
}

static int mixed_read(struct store_source *source, uint64_t offset, void *data,
		      size_t length, struct store_error *error)
{
	struct s3_mixed *mixed = (struct s3_mixed *)(void *)source;
	char *to = data;

	while (length) {
		uint64_t until;
		bool kept = kept_at(mixed, offset, &until);
		size_t part = until - offset < length ? (size_t)(until - offset)
						      : length;
		int code = kept ? read_kept(mixed, offset, to, &part, error)
				: mixed->fresh->read(mixed->fresh, offset, to,
						     part, error);

		if (code)
			return code;
		offset += part;
		to += part;
		length -= part;
	}
	return STORE_OK;
}

void s3_mixed_init(struct s3_mixed *mixed)
{
	mixed->source = (struct store_source){
		.size = mixed->fresh->size,
		.read = mixed_read,
	};
	mixed->least = S3_PART_MIN;
}

/* ---- what is held ---- */

/* Where that ends what is fetched together, beginning with a kept `at`. */
static uint64_t span_end(const struct s3_mixed *mixed, uint64_t at,
			 uint64_t end)
{
	uint64_t span = at;

	while (at < end && at - span <= GAP) {
		uint64_t until;

		if (kept_at(mixed, at, &until))
			span = until;
		at = until;
	}
	return span < end ? span : end;
}

static int hold(struct s3_mixed *mixed, uint64_t from, uint64_t until,
		struct store_error *error)
{
	size_t length = (size_t)(until - from);
	struct s3_held *grown = reallocarray(mixed->held, mixed->held_count + 1,
					     sizeof(*grown));
	char *data;
	int code;

	if (grown)
		mixed->held = grown;
	data = grown ? malloc(length) : NULL;
	if (!data)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = read_old(mixed, from, data, length, error);
	if (code) {
		free(data);
		return code;
	}
	grown[mixed->held_count++] = (struct s3_held){
		.range = { from, length },
		.data = data,
	};
	mixed->held_bytes += length;
	return STORE_OK;
}

int s3_mixed_hold(struct s3_mixed *mixed, const struct store_range *range,
		  struct store_error *error)
{
	uint64_t end = range->offset + range->length;
	uint64_t at = range->offset;

	while (at < end) {
		uint64_t until;
		int code;

		if (!kept_at(mixed, at, &until)) {
			at = until;
			continue;
		}
		until = span_end(mixed, at, end);
		if (until - at > S3_HELD_MAX - mixed->held_bytes)
			break;
		code = hold(mixed, at, until, error);
		if (code)
			return code;
		at = until;
	}
	return STORE_OK;
}

bool s3_mixed_is_full(const struct s3_mixed *mixed)
{
	return mixed->held_bytes + S3_PART_MIN > S3_HELD_MAX;
}

void s3_mixed_drop(struct s3_mixed *mixed)
{
	for (size_t i = 0; i < mixed->held_count; i++)
		free(mixed->held[i].data);
	free(mixed->held);
	mixed->held = NULL;
	mixed->held_count = 0;
	mixed->held_bytes = 0;
}

/* ---- the plan ---- */

/* The last part may be of any length. */
static bool is_long_enough(const struct s3_mixed *mixed, uint64_t from,
			   uint64_t until)
{
	return until - from >= mixed->least || until == mixed->source.size;
}

void s3_mixed_piece(const struct s3_mixed *mixed, uint64_t offset,
		    uint64_t part, struct s3_piece *piece)
{
	uint64_t most = offset + part;
	uint64_t at = offset;
	uint64_t until;

	if (most > mixed->source.size)
		most = mixed->source.size;
	piece->range.offset = offset;
	piece->kept = kept_at(mixed, offset, &until) &&
		      is_long_enough(mixed, offset, until);
	if (piece->kept) {
		/* Leave no rest too short to be copied. */
		if (until - offset > S3_PART_MAX)
			until = offset + S3_PART_MAX / 2;
		piece->range.length = until - offset;
		return;
	}
	while (at < most) {
		bool kept = kept_at(mixed, at, &until);

		/* Short of a part it takes some of what would be copied. */
		if (kept && at - offset >= mixed->least &&
		    is_long_enough(mixed, at, until))
			break;
		if (kept && at - offset < mixed->least &&
		    until > offset + mixed->least)
			until = offset + mixed->least;
		at = until < most ? until : most;
	}
	piece->range.length = at - offset;
}

static unsigned int count_pieces(const struct s3_mixed *mixed, uint64_t part)
{
	unsigned int count = 0;
	struct s3_piece piece;

	for (uint64_t at = 0; at < mixed->source.size && count <= S3_PARTS_MAX;
	     count++) {
		s3_mixed_piece(mixed, at, part, &piece);
		at += piece.range.length;
	}
	return count;
}

/* With all of them as long as `part`, the number is that of any upload. */
void s3_mixed_plan(struct s3_mixed *mixed, uint64_t part)
{
	mixed->least = S3_PART_MIN;
	while (mixed->least < part && count_pieces(mixed, part) > S3_PARTS_MAX)
		mixed->least =
			mixed->least < part / 2 ? mixed->least * 2 : part;
}
