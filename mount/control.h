/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one line of JSON in, one or more out.
 *
 *	status		what the mount is doing
 *	pending		what is not in the store: one line per file, and a
 *			last one with "done"; "offline":true does not ask the
 *			store which version it has
 *	export		"name":ID|KEY, "raw": lines {"bytes":N}, followed by
 *			so many bytes, and {"zeros":N}, until "done"
 *	discard		"name"
 *	retry		"name" or "all", "force": a line per file that could
 *			not be stored, and a last one with "done"
 *	drain		wait until all is in the store; "timeout_ms" (0: for
 *			ever, without one drain_timeout), "key": it and below
 *			only, "progress": lines meanwhile
 *	pause, resume	no uploads are begun
 *	refresh		"key": what is known of it and of what is below is asked
 *			of the store again; "names": of so many
 *	events		lines of events.h until somebody hangs up
 *
 * A command is {"command":NAME,...}; texts of any bytes may be given, and
 * are told, in base64 under NAME_b64.  A failure is answered by
 * {"error":TEXT,"code":NAME}, as the last line.  Commands may be sent ahead.
 *
 * Only the user who mounted, and root, may connect.  Beside the socket in the
 * staging directory there is one without a file, by the mount's device, so
 * that nobody needs to touch a mount whose store does not answer.
 */
#ifndef STOREFS_MOUNT_CONTROL_H
#define STOREFS_MOUNT_CONTROL_H

#include "mount/fs.h"

struct control;
struct offline;

/*
 * Listen on `path` (also fs->control_path afterwards) and serve in a thread.
 */
int control_start(struct fs *fs, const char *path, struct control **control,
		  struct store_error *error) STORE_WARN_UNUSED;
/* Ends the thread and removes the socket.  NULL is fine. */
void control_stop(struct control *control);

/*
 * Without a mount: serve one connection until the other side hangs up.
 */
void control_serve_offline(struct offline *offline, int fd);

#endif
