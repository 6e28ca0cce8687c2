/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one file that is being changed, on local disk.
 *
 * Opening a file does not fetch it.  What is written lands in a sparse
 * staging file with two maps: `present` (bytes that are in the staging file)
 * and `dirty` (bytes that differ from the base version in the store).  What
 * is neither present nor above `lower_limit` still stands in the layer below:
 * the sealed layer while a publish runs, then the base version.
 *
 *	staging_write ...	changes go to the top layer
 *	staging_seal		freeze it: a publish reads a point in time
 *	staging_write ...	go to a new sparse layer above
 *	staging_settle		the publish ended; the layers become one
 *
 * Locking: all functions need the file's lock, except staging_read_piece and
 * staging_source_*, which work on pieces and sealed layers they hold.
 */
#ifndef STOREFS_MOUNT_STAGING_H
#define STOREFS_MOUNT_STAGING_H

#include <stdatomic.h>

#include "mount/rangemap.h"

struct staging_area;
struct staging_layer;

struct staging {
	struct staging_area *area;    /* borrowed */
	struct staging_layer *top;    /* NULL: everything stands in the base */
	struct staging_layer *sealed; /* being published, NULL otherwise */
	bool changed;		      /* the content differs from the base */
	uint64_t size;		      /* of the file as the mount shows it */
	uint64_t base_size;	      /* of the base version */
};

/* Where a piece of a read comes from. */
enum piece_kind { PIECE_STAGED, PIECE_BASE, PIECE_ZERO };
struct staging_piece {
	enum piece_kind kind;
	struct staging_layer *layer; /* of PIECE_STAGED: a reference */
	uint64_t offset;
	uint64_t length;
};

/* A folder for staging files; `limit` bytes in all, 0 for no limit. */
int staging_area_open(int dir_fd, uint64_t limit, struct staging_area **area,
		      struct store_error *error) STORE_WARN_UNUSED;
/*
 * Once all that no store has is abandoned: staging files that are still in
 * use are deleted.
 */
void staging_area_close(struct staging_area *area);
uint64_t staging_area_bytes(const struct staging_area *area);

void staging_init(struct staging *staging, struct staging_area *area,
		  uint64_t base_size);
/* Deletes the staging files: only once the bytes are safe or unwanted. */
void staging_discard(struct staging *staging);
/* What staging_abandon() leaves on disk. */
struct staging_remains {
	char *name; /* of the file in the area; owned */
	uint64_t size;
	uint64_t lower_limit; /* below it, what is not present is the base's */
	struct rangemap present;
};
/*
 * Lets go of the staging files but leaves them on disk, synced, for bytes
 * that no store has confirmed.  False: there are none.  A file that could
 * not be laid under a later one for lack of disk stays beside it.
 */
bool staging_abandon(struct staging *staging, struct staging_remains *remains);
void staging_remains_release(struct staging_remains *remains);

int staging_write(struct staging *staging, const void *data, uint64_t offset,
		  size_t length, struct store_error *error) STORE_WARN_UNUSED;
/* Bytes read from the base: present but not dirty. */
int staging_fill(struct staging *staging, const void *data, uint64_t offset,
		 size_t length, struct store_error *error) STORE_WARN_UNUSED;
int staging_truncate(struct staging *staging, uint64_t size,
		     struct store_error *error) STORE_WARN_UNUSED;
/* Zeros in [offset, offset + length); the size stays. */
int staging_punch(struct staging *staging, uint64_t offset, uint64_t length,
		  struct store_error *error) STORE_WARN_UNUSED;

/*
 * What stands at `offset`: a piece of at most `length` bytes, cut at the end
 * of the file (length 0 there).  Release it.
 */
void staging_piece_at(struct staging *staging, uint64_t offset, uint64_t length,
		      struct staging_piece *piece);
/* Fill a PIECE_STAGED; no lock needed. */
int staging_read_piece(const struct staging_piece *piece, void *data,
		       struct store_error *error) STORE_WARN_UNUSED;
void staging_piece_release(struct staging_piece *piece);
/* Is a staged piece all a hole on disk, or where does its data start? */
void staging_piece_data(const struct staging_piece *piece,
			struct store_range *data);

/*
 * Freeze the present content for a publish; nothing must be sealed.  The
 * sealed layer may be read with the staging_sealed_* functions without lock
 * until staging_settle().
 */
int staging_seal(struct staging *staging, struct store_error *error)
	STORE_WARN_UNUSED;
struct staging_layer *staging_sealed(const struct staging *staging);
uint64_t staging_layer_size(const struct staging_layer *layer);
/*
 * Ranges that may be kept from the base version: not dirty, below the limit.
 * malloc'd into *ranges.
 */
int staging_layer_kept(const struct staging_layer *layer,
		       struct store_range **ranges, size_t *count,
		       struct store_error *error) STORE_WARN_UNUSED;
/* As staging_piece_at, of a sealed layer; pieces hold no reference. */
void staging_layer_piece(struct staging_layer *layer, uint64_t offset,
			 uint64_t length, struct staging_piece *piece);
/*
 * The publish ended: with `stored` the sealed content is the base now.
 * Changes made meanwhile are laid over it.  Without `stored` it can fail,
 * for lack of disk: both layers stay, and reads and a later settle go on
 * working.
 */
int staging_settle(struct staging *staging, bool stored,
		   struct store_error *error) STORE_WARN_UNUSED;

#endif
