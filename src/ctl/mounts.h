/* SPDX-License-Identifier: MIT */
/*
 * Mounted stores, as the kernel lists them: nothing here touches a mount, so
 * nothing here can hang on one.
 */
#ifndef STOREFS_CTL_MOUNTS_H
#define STOREFS_CTL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

struct mount_entry {
	char *source;
	char *target;
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
 * Ask a mount for the socket that controls it: malloc'd into *socket.  A
 * child process asks, so that a driver that does not answer costs at most
 * `timeout_ms`: UNAVAILABLE for a mount whose driver is gone, TIMEOUT,
 * DENIED.
 */
int mount_control_path(const char *target, int timeout_ms, char **socket,
		       struct store_error *error) STORE_WARN_UNUSED;
/* realpath(3) in the same way, malloc'd into *real. */
int mount_resolve(const char *path, int timeout_ms, char **real,
		  struct store_error *error) STORE_WARN_UNUSED;

#endif
