/* SPDX-License-Identifier: MIT */
/*
 * The place where a store appears: what stands there now, and taking it
 * away.
 */
#ifndef STOREFS_MOUNT_MOUNTPOINT_H
#define STOREFS_MOUNT_MOUNTPOINT_H

#include <sys/types.h>

#include "src/control/unmount.h"
#include <storefs/error.h>

/*
 * Resolve to an absolute path (malloc'd into *path).  A dead mount of ours
 * there (its driver has gone) is detached first; a live one is LOCKED;
 * anything but a folder is NOT_DIR.  With `look_only` nothing is detached.
 */
int mountpoint_prepare(const char *given, bool look_only, char **path,
		       struct store_error *error) STORE_WARN_UNUSED;
/*
 * INVALID when one of the two holds the other (or is it); `what` names
 * `other` in the message.  A missing `other` is judged by its nearest
 * existing parent.
 */
int mountpoint_check_apart(const char *mountpoint, const char *other,
			   const char *what, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Enter the mount namespace of a process (its number) or of a path, as -N of
 * mount(8) means it.
 */
int mountpoint_enter(const char *namespace, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Have umount(8) call our helper: without a note of mount(8) that names it,
 * util-linux takes every FUSE mount for the type "fuse".  Starts a process
 * that looks at the mount, so requests must be served soon; its id goes to
 * mountpoint_note_wait().  0 when there is nothing to do.
 */
pid_t mountpoint_note_helper(const char *source, const char *path);
void mountpoint_note_wait(pid_t process);
/* st_dev of what is mounted there, without asking it; 0 when nothing is. */
dev_t mountpoint_device(const char *path);
#endif
