/* SPDX-License-Identifier: MIT */
/*
 * From a parsed command line to a running mount and back: staging directory,
 * store, mount, readiness, requests, drain, unmount.
 */
#ifndef STOREFS_MOUNT_SESSION_H
#define STOREFS_MOUNT_SESSION_H

#include "mount/cli.h"
#include "mount/fs.h"

/*
 * Mount and serve.  In the foreground this returns the exit status when the
 * mount has ended; otherwise the calling process returns as soon as the
 * mount is usable (0) or has failed (32), and a child serves it.
 */
int session_run(const struct cli *cli);
/* The kernel has greeted: the mount is usable (called from ops.c). */
void session_ready(struct fs *fs);

#endif
