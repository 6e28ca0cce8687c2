/* SPDX-License-Identifier: MIT */
/*
 * Immutable, reference-counted content of the memory store.
 *
 * A blob is a size and a sorted array of chunks; what no chunk covers is
 * zeros.  Chunks are shared between blobs, so a version made from ranges of
 * an older one costs what differs.  Nothing of a finished blob changes, so
 * reading needs no lock.  Reference counts are atomic.
 */
#ifndef STOREFS_MEMORY_BLOB_H
#define STOREFS_MEMORY_BLOB_H

#include <stdatomic.h>

#include <storefs/types.h>

enum { BLOB_CHUNK = 65536 };

/* Bytes in chunks, and how many there may be (0: any number). */
struct blob_budget {
	atomic_size_t used;
	uint64_t limit;
};

struct blob;

struct blob *blob_ref(struct blob *blob);
/* NULL is fine. */
void blob_unref(struct blob *blob);
uint64_t blob_size(const struct blob *blob);
/* Bytes in its chunks. */
uint64_t blob_allocated(const struct blob *blob);
/* Copy [offset, offset + length), which lies inside the size. */
void blob_read(const struct blob *blob, uint64_t offset, void *data,
	       size_t length);
/* The first stretch of data at or after `offset`; length 0 for none. */
void blob_next_data(const struct blob *blob, uint64_t offset,
		    struct store_range *range);

/* A blob in the making; one thread. */
struct blob_builder;

struct blob_builder *blob_builder_new(struct blob_budget *budget,
				      struct store_error *error);
/* NULL is fine. */
void blob_builder_free(struct blob_builder *builder);
/* Bytes in order.  NO_SPACE, NO_MEMORY. */
int blob_builder_append(struct blob_builder *builder, const void *data,
			size_t length, struct store_error *error)
	STORE_WARN_UNUSED;
/* End the appending; the builder can only be freed then. */
int blob_builder_finish(struct blob_builder *builder, struct blob **blob,
			struct store_error *error) STORE_WARN_UNUSED;

/*
 * A blob from a source, with the ranges `keep` (ascending, disjoint) taken
 * from `base` instead.  Holes of either stay holes.
 */
struct blob_plan {
	struct store_source *source;
	const struct blob *base; /* NULL when nothing is kept */
	const struct store_range *keep;
	size_t keep_count;
};
int blob_from_plan(const struct blob_plan *plan, struct blob_budget *budget,
		   struct store_context *context, struct blob **blob,
		   struct store_error *error) STORE_WARN_UNUSED;

#endif
