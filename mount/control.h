/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one line of JSON in, one line out.
 *
 *	{"command":"status"}	what the mount is doing
 *	{"command":"drain","timeout":SECONDS}	publish and wait (drain_timeout): {"undone":N}
 *
 * Only the user who mounted may connect (the directory is 0700).
 */
#ifndef STOREFS_MOUNT_CONTROL_H
#define STOREFS_MOUNT_CONTROL_H

#include "mount/fs.h"

struct control;

/*
 * Listen on `path` (also fs->control_path afterwards) and serve in a thread.
 */
int control_start(struct fs *fs, const char *path, struct control **control,
		  struct store_error *error) STORE_WARN_UNUSED;
/* Ends the thread and removes the socket.  NULL is fine. */
void control_stop(struct control *control);

/*
 * The client's side: send a command to the socket of a mount and read the
 * answer (malloc'd).  Waits at most timeout_ns.
 */
int control_ask(const char *path, const char *command, int64_t timeout_ns,
		char **answer, struct store_error *error) STORE_WARN_UNUSED;

#endif
