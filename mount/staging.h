/* SPDX-License-Identifier: MIT */
/*
 * Staged bytes of one file: a stack of layers over the base version.
 *
 *	base		the version in the store
 *	layers[0..n)	what was written since, the lowest first
 *
 * Only the highest layer is written, and only while `open`; sealing closes
 * it.  A publish freezes the layers from the lowest up and reads them without
 * a lock; what is written meanwhile goes into layers above.  A layer that
 * the journal names (`kept`) is never written again, others are merged when
 * they are sealed, so that the stack stays low.
 *
 *	write   the top exists from the first write on
 *	seal    the top is closed, and laid over the one below where allowed
 *	freeze  a publish (or the journal) takes what is sealed
 *	settle  the publish ended; what was stored is the base
 *
 * Locking: all functions need the file's lock, except staging_read_piece and
 * staging_view_*, which work on pieces and views they hold.
 */
#ifndef STOREFS_MOUNT_STAGING_H
#define STOREFS_MOUNT_STAGING_H

#include "mount/layer.h"

/* Sealed layers of one file at most; beyond it they are copied into one. */
enum { STAGING_DEPTH = 8 };

struct staging {
	struct staging_area *area;     /* borrowed */
	struct staging_layer **layers; /* owned, as are the references */
	size_t count, room;
	size_t frozen;	    /* of them, being published */
	bool open;	    /* the highest may be written */
	bool promised;	    /* a file is set aside for the next layer */
	bool changed;	    /* the content differs from base and frozen */
	uint64_t size;	    /* of the file as the mount shows it */
	uint64_t base_size; /* of the base version */
};

/* Where a piece of a read comes from. */
enum piece_kind { PIECE_STAGED, PIECE_BASE, PIECE_ZERO };
struct staging_piece {
	enum piece_kind kind;
	struct staging_layer *layer; /* of PIECE_STAGED: a reference */
	uint64_t offset;
	uint64_t length;
};

void staging_init(struct staging *staging, struct staging_area *area,
		  uint64_t base_size);
/* Deletes the staging files: only once the bytes are safe or unwanted. */
void staging_discard(struct staging *staging);
/* Sets a file aside, so that the next layer can be made. */
int staging_promise(struct staging *staging, struct store_error *error)
	STORE_WARN_UNUSED;
/* Lets go of the staging files but leaves them on disk. */
void staging_leave(struct staging *staging);

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

/* Close the top; afterwards there is a layer at least. */
int staging_seal(struct staging *staging, struct store_error *error)
	STORE_WARN_UNUSED;
/* The highest layer's number, 0 without one. */
uint64_t staging_top_number(const struct staging *staging);

/* Sealed layers that are read together, the lowest first. */
struct staging_view {
	struct staging_layer **layers; /* owned, as are the references */
	size_t count;
	uint64_t size; /* of the file they show */
};
/*
 * The lowest `count` layers (all that are sealed, when there are fewer), at
 * least one.  With `publish` they stay as they are until staging_settle();
 * there is one publish at a time.
 */
int staging_freeze(struct staging *staging, size_t count, bool publish,
		   struct staging_view *view, struct store_error *error)
	STORE_WARN_UNUSED;
void staging_view_release(struct staging_view *view);
/*
 * Ranges that may be kept from the base version: dirty in no layer, below
 * all limits.  malloc'd into *ranges.
 */
int staging_view_kept(const struct staging_view *view,
		      struct store_range **ranges, size_t *count,
		      struct store_error *error) STORE_WARN_UNUSED;
/* As staging_piece_at; pieces hold no reference. */
void staging_view_piece(const struct staging_view *view, uint64_t offset,
			uint64_t length, struct staging_piece *piece);
/*
 * The publish ended: with `stored` the frozen content is the base now.  What
 * is given up is left in `old`, for staging_view_remove() once the journal
 * has been told.
 */
void staging_settle(struct staging *staging, bool stored,
		    struct staging_view *old);
/*
 * Copy the layers of a view from `first` on, all of them kept, into one that
 * is not.  It is the only layer in `flat`, which has room for all of them.
 * Nothing else changes, and no lock is needed.
 */
int staging_view_flatten(const struct staging_view *view, size_t first,
			 struct staging_view *flat, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Put the layers of `flat` in the place of `count` sealed ones, which are
 * left in `flat`; the same again, with the counts exchanged and before
 * anything else, takes it back.  A publish must have none of them.
 */
void staging_swap(struct staging *staging, size_t first, size_t count,
		  struct staging_view *flat);
/* Give up layers, once the journal does not name them. */
void staging_view_remove(struct staging_view *view);

#endif
