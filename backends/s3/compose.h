/* SPDX-License-Identifier: MIT */
/*
 * A new version made of ranges of the old one and of new bytes: the source
 * that shows both as one, and the plan of its parts.
 *
 * Bytes of a part are read twice, to sum them up and to send them.  Those of
 * the old version are fetched once: they are held while their part is sent.
 */
#ifndef STOREFS_BACKENDS_S3_COMPOSE_H
#define STOREFS_BACKENDS_S3_COMPOSE_H

#include "backends/s3/s3.h"

/* Most bytes held at a time; what goes beyond is fetched each time. */
enum { S3_HELD_MAX = 12 << 20 };

struct s3_held {
	struct store_range range;
	char *data;
};

struct s3_mixed {
	struct store_source source; /* first member */
	struct s3 *s3;
	struct store_context *context;
	const char *object;
	const struct store_version *version; /* the old one */
	uint64_t old_size;
	struct store_source *fresh;
	const struct store_range *keep;
	size_t keep_count;
	uint64_t least; /* shortest part but the last */
	struct s3_held *held;
	size_t held_count;
	uint64_t held_bytes;
};
/* The caller sets all but `source`, `least` and what is held. */
void s3_mixed_init(struct s3_mixed *mixed);
/*
 * Choose `least` so that parts of `part` bytes, which s3_part_size() gives, are
 * no more than S3_PARTS_MAX: between spread changes, less is copied then.
 */
void s3_mixed_plan(struct s3_mixed *mixed, uint64_t part);

/* One part of the new version. */
struct s3_piece {
	struct store_range range;
	bool kept; /* to be copied inside the store */
};
/* The piece that begins at `offset`, with parts of `part` bytes. */
void s3_mixed_piece(const struct s3_mixed *mixed, uint64_t offset,
		    uint64_t part, struct s3_piece *piece);

/* Fetch what is to be sent of the old version in `range`. */
int s3_mixed_hold(struct s3_mixed *mixed, const struct store_range *range,
		  struct store_error *error) STORE_WARN_UNUSED;
/* No room for what one more part may need? */
bool s3_mixed_is_full(const struct s3_mixed *mixed);
void s3_mixed_drop(struct s3_mixed *mixed);

#endif
