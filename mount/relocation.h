/* SPDX-License-Identifier: MIT */
/*
 * Renaming where the store cannot move in one step: copy, verify, remove, in
 * that order, so that every file is complete under its old name or its new
 * one at any moment, also of a crash.
 *
 *	R1	COPYING is noted and flushed
 *	R2	folders are made, everything else is copied and verified,
 *		several at a time
 *	R3	COPIED is noted and flushed, with the new base of each file in
 *		use; from here on the new names hold
 *	R4	what was copied is removed, on condition that it is still what
 *		was copied (a file whose copy this run has seen is not looked
 *		at again before), and then the folders; again when more has come
 *		into them
 *	R5	COPIES_SETTLED is noted and flushed; only then the old name can
 *		be used again
 *
 * What has no bytes (a symlink) cannot take a name from something else in one
 * step: it replaces no file (EXDEV); another of its kind is removed first, put
 * back when the new one cannot be made, and replaced by recovery after a crash.
 *
 * A failure before R3, a signal, or a crash undoes R2: only copies of this
 * rename are removed.  After R3 it is finished, by this mount or the next.  A
 * file has one copy, which cannot be there by halves: if it is there after a
 * crash, the rename is finished too.
 *
 * Who asked waits for R5.  After a signal he is answered within a second,
 * truly: before R3 that it was interrupted, and then it does not take place;
 * else that it took place, once COPIED is flushed.  (Of one file over another
 * nobody knows, while the store does not tell whether the copy arrived.)  The
 * rest follows in the background; meanwhile the name that is being emptied is
 * hidden, and nobody can make it anew.  So it is in a mount that has taken it
 * up from another one, see recovery_copies.c.
 */
#ifndef STOREFS_MOUNT_RELOCATION_H
#define STOREFS_MOUNT_RELOCATION_H

#include "mount/ops_change.h"
#include "mount/pending.h"

struct relocations;

int relocations_start(struct fs *fs, struct store_error *error)
	STORE_WARN_UNUSED;
/* How many are under way. */
size_t relocations_count(struct fs *fs);
/* Wait for those that run, until the context ends; how many are left? */
unsigned int relocations_drain(struct fs *fs, struct store_context *context);
/* Stop those that run; the next mount goes on. */
void relocations_stop(struct fs *fs);

/* Can this store rename so? */
bool relocation_is_possible(const struct fs *fs);

struct relocation_request {
	struct node *parent, *new_parent;
	const char *name, *new_name;
	/* What the tree has there; `target` may have no node. */
	const struct victim *source, *target;
	bool replace; /* what is at the target */
};
/* No pass of the gate may be held. */
int relocation_rename(struct op *op, const struct relocation_request *request)
	STORE_WARN_UNUSED;

/* Is the name one that is being emptied? */
bool relocation_hides(struct fs *fs, const struct node *parent,
		      const char *name);
/*
 * Or was it, since then?  What the store listed before may still have the
 * copies that are gone.
 */
bool relocation_hid(struct fs *fs, const struct node *parent, const char *name,
		    int64_t since_ns);
/*
 * Wait until it is not: before something is made there.  To be called before
 * a pass is asked for.
 */
int relocation_wait(struct op *op, const struct node *parent, const char *name)
	STORE_WARN_UNUSED;

/*
 * Take up what an earlier run has left; nobody may use the mount yet.  Keys
 * and bases in `pending` follow, what takes long waits for relocations_go().
 */
int relocation_recover(struct fs *fs, struct pending *pending,
		       const struct record_copies *copies,
		       struct store_error *error) STORE_WARN_UNUSED;
/* Once all that is pending is in its place. */
int relocations_go(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;

#endif
