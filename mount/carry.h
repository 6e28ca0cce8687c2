/* SPDX-License-Identifier: MIT */
/*
 * One file, folder or other node of a rename by copies: copied, verified,
 * and only then removed under its old name.
 *
 * A copy counts as a put of its own.  The id of that put is the rename's,
 * followed by a digest of the version that was copied: so a copy is known
 * again, by whoever looks, as one of this rename and of that version.  Nodes
 * without bytes have no id, and are known by being the same.
 *
 * Everything here can be done again, after a failure as after a crash.
 */
#ifndef STOREFS_MOUNT_CARRY_H
#define STOREFS_MOUNT_CARRY_H

#include <stdatomic.h>

#include "mount/walk.h"

struct carry {
	struct fs *fs;
	const char *from, *to; /* keys; borrowed */
	uint64_t id;
	struct store_cancel *cancel; /* may be NULL */
	/* A file is replaced: this version of it, and no other. */
	bool over;
	struct store_version replaced;
	bool recovers; /* an earlier run has begun; it may have removed that */
	bool seen;     /* what is at `to` was lately looked at: no folder */
	/* Of `from` itself, once its copy is seen to be there; else empty. */
	struct store_version copied;
	/* What was not removed, as somebody else has changed it. */
	_Atomic uint64_t left;
	/* There was more in a folder than has been removed. */
	_Atomic bool filled;
};

enum carry_target {
	CARRY_ABSENT,
	CARRY_SAME,    /* a copy of the version asked for */
	CARRY_OLDER,   /* a copy of this rename, but of another version */
	CARRY_FOREIGN, /* anything else */
};

/* What stands at a key, to somebody who holds `source` for what was copied? */
int carry_look(const struct carry *carry, const char *key,
	       const struct store_version *source, enum carry_target *target,
	       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * Is the copy of `from` itself there, of whichever version?  It is no folder,
 * and may be gone.
 */
int carry_has_arrived(struct carry *carry, bool *arrived,
		      struct store_error *error) STORE_WARN_UNUSED;

/*
 * These take the name behind `from` and `to`, "" for themselves, and what a
 * listing or a stat has told.  NOT_EMPTY: somebody else's stands there.
 */
int carry_copy(struct carry *carry, const char *name,
	       const struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int carry_enter(struct carry *carry, const char *name,
		struct store_error *error) STORE_WARN_UNUSED;
int carry_leave(struct carry *carry, const char *name,
		struct store_error *error) STORE_WARN_UNUSED;
/*
 * The source, when its copy is there, or can be made; of who has changed it, it
 * stays.
 */
int carry_remove(struct carry *carry, const char *name,
		 const struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/* The source itself, of which `copied` tells; CHANGED: another by now. */
int carry_remove_copied(struct carry *carry, struct store_error *error)
	STORE_WARN_UNUSED;
/* The copy, if it is one of this rename. */
int carry_undo(struct carry *carry, const char *name,
	       const struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/* A folder of which all has been removed; one that is not empty stays. */
int carry_drop_folder(struct carry *carry, const char *key,
		      struct store_error *error) STORE_WARN_UNUSED;

#endif
