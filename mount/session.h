/* SPDX-License-Identifier: MIT */
/*
 * From a parsed command line to a running mount and back: staging directory,
 * store, mount, readiness, requests, drain, unmount.
 */
#ifndef STOREFS_MOUNT_SESSION_H
#define STOREFS_MOUNT_SESSION_H

#include "mount/cli.h"
#include "mount/fs.h"
#include "mount/source.h"

/*
 * Serve a mount until it ends; the exit status.  `ready_fd` (-1: none) gets
 * a byte once the mount is usable, and is closed.
 */
int session_run(const struct cli *cli, const struct source *source,
		const char *mountpoint, int ready_fd);
/* The kernel has greeted: the mount is usable (called from ops.c). */
void session_ready(struct fs *fs);

/* ---- ending.c: signals ---- */

struct ending;

/*
 * Before any other thread exists: from now on SIGTERM, SIGINT and SIGHUP
 * drain and unmount; a second one does not wait.
 */
int ending_start(struct fs *fs, struct ending **ending,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Publish what is closed and dirty, for drain_timeout at most or until a
 * signal; not once more after a signal has begun it.
 */
void ending_drain(struct ending *ending);
/* Was the mount taken away after a signal? */
bool ending_detached(const struct ending *ending);
/* Once requests are no longer served.  NULL is fine. */
void ending_stop(struct ending *ending);

#endif
