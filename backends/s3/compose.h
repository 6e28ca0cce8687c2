/* SPDX-License-Identifier: MIT */
/*
 * A new version made of ranges of the old one and of new bytes: the source
 * that shows both as one, and the plan of its parts.
 */
#ifndef STOREFS_BACKENDS_S3_COMPOSE_H
#define STOREFS_BACKENDS_S3_COMPOSE_H

#include "backends/s3/s3.h"

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
};
/* All but `source` is set by the caller. */
void s3_mixed_init(struct s3_mixed *mixed);

/* One part of the new version. */
struct s3_piece {
	struct store_range range;
	bool kept; /* to be copied inside the store */
};
/* The piece that begins at `offset`, with parts of `part` bytes. */
void s3_mixed_piece(const struct s3_mixed *mixed, uint64_t offset,
		    uint64_t part, struct s3_piece *piece);

#endif
