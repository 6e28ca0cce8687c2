/* SPDX-License-Identifier: MIT */
/*
 * One pending file of an earlier run, back in the tree of this one.
 */
#ifndef STOREFS_MOUNT_RESTORE_H
#define STOREFS_MOUNT_RESTORE_H

#include "mount/fs.h"
#include "mount/pending.h"

/*
 * Show it under its name with its staged bytes; PENDING ones are queued for
 * upload.  Maps and attributes move out of `pending`.  What turns out to be
 * in the store is settled instead, and its record's id is 0 then.
 */
int restore_file(struct fs *fs, struct pending_file *pending,
		 struct store_error *error) STORE_WARN_UNUSED;

#endif
