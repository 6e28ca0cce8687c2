/* SPDX-License-Identifier: MIT */
/*
 * What the publish of a file replaces: found anew, and exchanged at once, when
 * a file that only memory knows gets another name.
 */
#ifndef STOREFS_MOUNT_PLACE_H
#define STOREFS_MOUNT_PLACE_H

#include "mount/file.h"
#include "mount/ops_change.h"

struct place {
	struct store_version base;
	struct node *replaced; /* with other names; a reference */
	bool base_exists, base_goes, replacing;
	/* What was sent and may arrive there. */
	struct file_unanswered unanswered;
	uint8_t publish[STORE_PUBLISH_SIZE];
};

/*
 * The place under the key `to`, where `target` (its node may be NULL) is.  An
 * object that the file stands for under its old key is removed, unless another
 * client has changed it.  `place` is zeros before.
 */
int place_find(struct op *op, struct file *file, const char *from,
	       const char *to, const struct victim *target, struct place *place)
	STORE_WARN_UNUSED;
/* The file gets this one, and `place` is what it had. */
void place_swap_locked(struct place *place, struct file *file)
	REQUIRES(file->lock);
/* The reference in it; NULL there is fine. */
void place_release(struct fs *fs, struct place *place);

#endif
