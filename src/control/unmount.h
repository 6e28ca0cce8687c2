/* SPDX-License-Identifier: MIT */
/* Taking a mount away: for the driver, the helper of umount(8), storectl. */
#ifndef STOREFS_CONTROL_UNMOUNT_H
#define STOREFS_CONTROL_UNMOUNT_H

#include <storefs/error.h>

/*
 * Unmount; `lazy` detaches and never waits.  As an ordinary user through
 * fusermount3.
 */
int mountpoint_unmount(const char *path, bool lazy, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
