// SPDX-License-Identifier: MIT
/*
 * Composing: see compose.h.  What stays and is long enough for a part is
 * copied by the server; what is too short for one is read and sent along.
 * Called by put.c.
 */
#include "config.h"

#include "backends/s3/compose.h"

#include <string.h>

/* The kept range at `offset`; else *until is where the next one begins. */
static const struct store_range *kept_at(const struct s3_mixed *mixed,
					 uint64_t offset, uint64_t *until)
{
	for (size_t i = 0; i < mixed->keep_count; i++) {
		const struct store_range *range = &mixed->keep[i];

		if (offset < range->offset) {
			*until = range->offset;
			return NULL;
		}
		if (offset - range->offset < range->length) {
			*until = range->offset + range->length;
			return range;
		}
	}
	*until = mixed->source.size;
	return NULL;
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
		int code = kept ? read_old(mixed, offset, to, part, error)
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
}

/* ---- the plan ---- */

/* The last part may be of any length. */
static bool is_long_enough(const struct s3_mixed *mixed, uint64_t from,
			   uint64_t until)
{
	return until - from >= S3_PART_MIN || until == mixed->source.size;
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
		if (kept && at - offset >= S3_PART_MIN &&
		    is_long_enough(mixed, at, until))
			break;
		if (kept && at - offset < S3_PART_MIN &&
		    until > offset + S3_PART_MIN)
			until = offset + S3_PART_MIN;
		at = until < most ? until : most;
	}
	piece->range.length = at - offset;
}
