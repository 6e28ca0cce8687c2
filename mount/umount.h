/* SPDX-License-Identifier: MIT */
/* umount.fuse.storefs: drain, then unmount. */
#ifndef STOREFS_MOUNT_UMOUNT_H
#define STOREFS_MOUNT_UMOUNT_H

#include "mount/cli.h"

/* The exit status. */
int umount_run(const struct cli *cli);

#endif
