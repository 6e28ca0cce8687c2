/* SPDX-License-Identifier: MIT */
/*
 * The times of folders when names in them change.
 *
 * Most stores move them by themselves, with the names that they have.  One
 * that has markers only (STORE_CAP_MARKERS) keeps what it was told last: memory
 * shows the time of the change, and the store is told when it has a time that
 * was set on purpose, which would come back with the next mount.
 */
#ifndef STOREFS_MOUNT_FOLDERTIME_H
#define STOREFS_MOUNT_FOLDERTIME_H

#include "mount/op.h"

/* It is later than the store knows. */
void foldertime_touch(struct fs *fs, struct node *folder)
	REQUIRES(fs->tree.lock);
/* Names in it have changed, in the store or only here. */
void foldertime_changed(struct fs *fs, struct store_context *context,
			struct node *folder);
/*
 * A name that the store never had, so that it does not move the time by
 * itself, has come and gone.  Only where telling it costs no request
 * elsewhere.
 */
void foldertime_left(struct fs *fs, struct store_context *context,
		     const struct node *folder);
/*
 * A file that was made here has come into the store; with a pass on it.  A
 * time that somebody has set since it was made stays.
 */
void foldertime_published(struct fs *fs, struct store_context *context,
			  const struct node *node);

#endif
