/* SPDX-License-Identifier: MIT */
/*
 * Mounted stores, as the kernel lists them, and the way to their drivers.
 * Nothing here touches a mount but in a child process, so nothing can hang on
 * one.  For one thread.
 */
#ifndef STOREFS_CONTROL_MOUNTS_H
#define STOREFS_CONTROL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "src/control/client.h"

struct mount_entry {
	char *source;
	char *target;
	dev_t device;
	uid_t owner; /* who mounted it */
};

struct mount_list {
	size_t count;
	struct mount_entry *entries;
};

/* All mounts of type fuse.storefs.  Release the list also after a failure. */
int mount_list_read(struct mount_list *list, struct store_error *error)
	STORE_WARN_UNUSED;
void mount_list_release(struct mount_list *list);
/* The mount an absolute path is on or below, NULL when it is on none. */
const struct mount_entry *mount_list_find(const struct mount_list *list,
					  const char *path);
/*
 * The mount that a path as given is on or below, and what is left of the path
 * there (malloc'd into *rest, "" for the mount point).  NOT_FOUND; TIMEOUT
 * when looking a symlink up takes longer.
 */
int mount_list_locate(const struct mount_list *list, const char *operand,
		      int timeout_ms, const struct mount_entry **mount,
		      char **rest, struct store_error *error) STORE_WARN_UNUSED;
/*
 * Connect to the driver of a mount: by the mount's device, else by asking the
 * mount for its socket, for which a store that does not answer may be in the
 * way.  UNAVAILABLE for a mount whose driver is gone, TIMEOUT, DENIED.
 */
int mount_connect(const struct mount_entry *mount, int timeout_ms,
		  struct client **client, struct store_error *error)
	STORE_WARN_UNUSED;
/* realpath(3), malloc'd into *real; waits `timeout_ms` at most. */
int mount_resolve(const char *path, int timeout_ms, char **real,
		  struct store_error *error) STORE_WARN_UNUSED;

#endif
