/* SPDX-License-Identifier: MIT */
/*
 * Layers of staged bytes: one file on the local disk each, with maps of what
 * is present and what is dirty; and the area they live in.
 *
 * Invariants: lower_limit <= size at all times; present and dirty end at or
 * below size; dirty is inside present; the file reads as zeros wherever it is
 * present and was punched.
 *
 * A layer belongs to one file and is changed under that file's lock only;
 * once `kept` it is never changed again.  References may be given up by any
 * thread.
 */
#ifndef STOREFS_MOUNT_LAYER_H
#define STOREFS_MOUNT_LAYER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "mount/rangemap.h"
#include "src/base/sync.h"

struct staging_area;

struct staging_layer {
	struct staging_area *area;
	struct staging_layer *next, **link; /* protected by the area's lock */
	_Atomic unsigned int references;
	_Atomic bool unlinked; /* or to be left where it is */
	bool kept;	       /* the journal names it, or is about to */
	bool recorded;	       /* the journal has its record */
	bool again;	   /* which may be lost: it is to be written again */
	bool unsound;	   /* its file could not be flushed */
	bool buried;	   /* its room is given back with its file */
	uint64_t position; /* of its record in the journal */
	int fd;
	uint64_t number; /* its file is data-NUMBER */
	uint64_t size;
	uint64_t lower_limit; /* below it, what is not present stands below */
	struct rangemap present;
	struct rangemap dirty;
};

/* A folder for staging files; `limit` bytes in all, 0 for no limit. */
int staging_area_open(int dir_fd, uint64_t limit, struct staging_area **area,
		      struct store_error *error) STORE_WARN_UNUSED;
/*
 * Once all that no store has is abandoned: staging files that are still in
 * use are deleted, those that the journal names are left.
 */
void staging_area_close(struct staging_area *area);
/* How messages call its folder; borrowed. */
void staging_area_call(struct staging_area *area, const char *path);
const char *staging_area_name(const struct staging_area *area);
uint64_t staging_area_bytes(const struct staging_area *area);
/* Counts every time that room was given back. */
uint64_t staging_area_freed(const struct staging_area *area);
/* Data files at most, 0 for no limit: a file costs an inode besides bytes. */
void staging_area_limit_files(struct staging_area *area, uint64_t limit);
/*
 * Set a file aside for a layer that will be made: NO_SPACE when the limit or
 * the file system has none left but for the few the journal may need.
 */
int staging_area_promise(struct staging_area *area, struct store_error *error)
	STORE_WARN_UNUSED;
/* It will not be made. */
void staging_area_unpromise(struct staging_area *area);
int staging_area_fd(const struct staging_area *area);
/* Remove data-NUMBER, which nobody needs; true: it was there. */
bool staging_area_remove(struct staging_area *area, uint64_t number);
/* Does a layer in memory have this number? */
bool staging_area_uses(struct staging_area *area, uint64_t number);
/* Numbers of new layers are above this one. */
void staging_area_begin_at(struct staging_area *area, uint64_t last);
/*
 * Who removes the files of kept layers that nobody needs any more; without
 * one they are removed at once.  Their room is given back by
 * staging_area_unbury().  False: the file is left for the next run.
 */
typedef bool staging_bury_fn(void *arg, uint64_t number, uint64_t bytes);
void staging_area_bury_with(struct staging_area *area, staging_bury_fn *bury,
			    void *arg);
/* A buried file has gone. */
void staging_area_unbury(struct staging_area *area, uint64_t bytes);
/* It stays, for the next run to remove. */
void staging_area_leave_buried(struct staging_area *area);
/* How many are still to be removed. */
uint64_t staging_area_buried(const struct staging_area *area);

/*
 * A new layer over `lower_size` bytes; the caller's reference.  Its file has
 * been promised.
 */
int layer_new(struct staging_area *area, uint64_t lower_size,
	      struct staging_layer **layer, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The layer that `data-NUMBER` holds, kept; its maps are the caller's to set
 * with layer_restore_maps().  `create` makes the file anew.
 */
int layer_restore(struct staging_area *area, uint64_t number, bool create,
		  struct staging_layer **layer, struct store_error *error)
	STORE_WARN_UNUSED;
/* Takes the maps' memory over; the journal has its record. */
void layer_restore_maps(struct staging_layer *layer, uint64_t size,
			uint64_t lower_limit, struct rangemap *present,
			struct rangemap *dirty);
void layer_ref(struct staging_layer *layer);
void layer_unref(struct staging_layer *layer);
/* Drop the owner's reference and the file; readers keep the descriptor. */
void layer_remove(struct staging_layer *layer);
/* Drop the owner's reference; the file stays, whoever reads it still. */
void layer_leave(struct staging_layer *layer);

int layer_write(struct staging_layer *layer, const void *data,
		const struct store_range *range, bool dirty,
		struct store_error *error) STORE_WARN_UNUSED;
int layer_truncate(struct staging_layer *layer, uint64_t size,
		   struct store_error *error) STORE_WARN_UNUSED;
/* Zeros in [offset, end). */
int layer_punch(struct staging_layer *layer, uint64_t offset, uint64_t end,
		struct store_error *error) STORE_WARN_UNUSED;
/* What a call for its file has failed with, naming it. */
int layer_error(const struct staging_layer *layer, int errnum,
		struct store_error *error);
/* All of these bytes; behind the end of the file they are zeros. */
int layer_read(const struct staging_layer *layer, void *data, uint64_t offset,
	       size_t length, struct store_error *error) STORE_WARN_UNUSED;
/*
 * Lay `above` over `layer`.  Repeating it after a failure gives the same
 * result, as `above` only ever replaces bytes.
 */
int layer_merge(struct staging_layer *layer, const struct staging_layer *above,
		struct store_error *error) STORE_WARN_UNUSED;
/* The base has all of its bytes now. */
void layer_make_clean(struct staging_layer *layer);

#endif
