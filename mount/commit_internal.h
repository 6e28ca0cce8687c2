/* SPDX-License-Identifier: MIT */
/*
 * What commit.c, commit_note.c and acknowledge.c share: see commit.h.
 */
#ifndef STOREFS_MOUNT_COMMIT_INTERNAL_H
#define STOREFS_MOUNT_COMMIT_INTERNAL_H

#include "mount/commit.h"
#include "mount/debts.h"
#include "mount/folders.h"
#include "mount/graveyard.h"
#include "src/base/buf.h"

/* Slots for the ends of records, by st_ino. */
enum { COMMIT_ENDS = 1024 };

struct commit {
	struct fs *fs;
	struct journal *journal;
	struct folders folders;
	struct debts debts; /* what it is still to be told */
	/* Of the last record of a name or attribute changed in memory only. */
	_Atomic uint64_t names;
	/*
	 * Position up to which what was noted of these nodes is; several
	 * nodes share a slot, which costs a flush now and then.
	 */
	_Atomic uint64_t ends[COMMIT_ENDS];
	struct graveyard graveyard;
	_Atomic uint64_t last_id;
	/* Position of the last record about an acknowledged file. */
	_Atomic uint64_t acknowledged;
	uint64_t live_size; /* of the journal after the last rewrite */
	/* The flusher's own: it has told that it cannot. */
	bool told_flush, told_rewrite;
	struct lock lock;
	struct condition wake;
	bool stopping; /* protected by `lock` */
	bool hurry;    /* the same: somebody waits for room */
	bool narrow;   /* the same: the journal needs room */
	pthread_t thread;
};

/*
 * Write the journal anew with what still counts.  `mending`: some of its
 * frames may be lost.
 */
void commit_rewrite(struct commit *commit, bool mending);
/* After an append: has room made while nobody waits for it. */
void commit_look_ahead(struct commit *commit);
/* Raise a position; several threads may. */
void note_position(_Atomic uint64_t *last, uint64_t position);
/* Something was appended about this node. */
void note_end(struct commit *commit, uint64_t number, uint64_t position);
/* Give the file an id for its records. */
void note_id_locked(struct file *file) REQUIRES(file->lock);
/* Has its name, or a folder above, gone to others in the store? */
bool note_is_lost_locked(struct file *file) REQUIRES(file->lock);
/* What its record says of it. */
enum record_state note_state_locked(const struct file *file)
	REQUIRES(file->lock);
/*
 * Its FILE record under `name`, or its present one, unless it has none.  One
 * that has lost its place is noted as unfinished.
 */
void note_encode_locked(struct file *file, enum record_state state,
			const char *reason, const char *name, struct buf *frame)
	REQUIRES(file->lock);
/* One frame; what it tells of is noted from now on. */
int note_append_locked(struct file *file, const struct buf *frame,
		       unsigned int flags, struct store_error *error)
	REQUIRES(file->lock) STORE_WARN_UNUSED;
/* The same for what has happened already: if not now, then later. */
int note_append_or_owe_locked(struct file *file, const struct buf *frame,
			      unsigned int flags, struct store_error *error)
	REQUIRES(file->lock) STORE_WARN_UNUSED;

#endif
