/* SPDX-License-Identifier: MIT */
/*
 * Everything below a folder of the store, several entries at a time.
 *
 * Folders are entered before anything in them is dealt with, and left when
 * all below has been; other entries come in any order.  Memory is bounded by
 * a page per level and a short queue, however many entries there are.
 */
#ifndef STOREFS_MOUNT_WALK_H
#define STOREFS_MOUNT_WALK_H

#include "mount/fs.h"

struct walk;

/* `name` is relative to the folder that is walked, "" for itself. */
typedef int walk_fn(struct walk *walk, const char *name,
		    const struct store_info *info, struct store_error *error);

struct walk {
	struct fs *fs;
	const char *folder;	     /* its key */
	struct store_cancel *cancel; /* ends it; may be NULL */
	/* Called from several threads at the same time. */
	walk_fn *entry;
	walk_fn *enter; /* of a folder; may be NULL */
	walk_fn *leave; /* the same, not after a failure */
	void *arg;
	/*
	 * A failure ends the walk, unless the rest is to be tried, too; one
	 * that may pass always does.
	 */
	bool go_on;
};

/* The context of one step of a walk. */
void walk_context(const struct walk *walk, struct store_context *context);
/* The first failure, or the first that may pass.  A folder that is not there is an empty walk. */
int walk_run(struct walk *walk, struct store_error *error) STORE_WARN_UNUSED;

#endif
