/* SPDX-License-Identifier: MIT */
/*
 * Talking to /dev/fuse ourselves, for one bit and one error.
 *
 * libfuse 3.14 reads that the kernel can look up names of one folder in
 * parallel, and forgets to say that we want it.  Then all lookups of a folder
 * wait for each other, beyond the reach of signals: one name that hangs makes
 * the folder hang.  So the reply to FUSE_INIT gets the bit here.  A libfuse
 * that sets it itself is not disturbed.
 *
 * And libfuse tells nobody that the kernel has let go of the mount before all
 * its threads have finished what they are at: fs->unmounted is triggered then.
 */
#ifndef STOREFS_MOUNT_KERNEL_IO_H
#define STOREFS_MOUNT_KERNEL_IO_H

#include <storefs/error.h>

struct fuse_session;

/* After fuse_session_mount(), before requests are served. */
int kernel_io_install(struct fuse_session *session, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
