/* SPDX-License-Identifier: MIT */
/*
 * What an earlier run of this mount has left in its staging directory.
 */
#ifndef STOREFS_MOUNT_RECOVERY_H
#define STOREFS_MOUNT_RECOVERY_H

#include "mount/fs.h"

/*
 * Open the journal of fs->staging_fd, start its writer (fs->commit), and
 * take up what is pending: shown by the mount, and queued for its upload;
 * renames by copies go on in threads of their own.  The store, the tree and
 * the publisher must be there, and nobody may use the mount yet.  Fails when
 * the store cannot be asked: nothing has been changed then that a next try
 * would miss.
 */
int recovery_run(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;

#endif
