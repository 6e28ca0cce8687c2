/* SPDX-License-Identifier: MIT */
/*
 * The staging directory of one mount: where it is, whose it is, and that
 * only one mount uses it.
 *
 *	DIR/identity	the store and mount point it belongs to
 *	DIR/lock	locked while mounted; holds the process id
 *	DIR/control	the control socket
 *	DIR/journal	what is pending (journal.h)
 *	DIR/data-*	staged bytes that it names
 *
 * Staged files of an earlier run are never removed here.
 */
#ifndef STOREFS_MOUNT_STATEDIR_H
#define STOREFS_MOUNT_STATEDIR_H

#include "mount/options.h"

struct statedir {
	char *path; /* owned */
	int fd;
	int lock_fd;
	uint64_t size_limit; /* bytes, 0: none */
	uint64_t file_limit; /* the same share of the inodes, 0: none */
};

/*
 * Find or make it, check it and lock it.  `identity` names the store without
 * secrets, `mountpoint` is absolute.  LOCKED: another mount has it.
 */
int statedir_open(const struct mount_options *options, const char *identity,
		  const char *mountpoint, struct statedir *dir,
		  struct store_error *error) STORE_WARN_UNUSED;
/*
 * Take one that is there already, without a mount: NOT_FOUND when it is none,
 * LOCKED at once when a mount uses it.  A driver that is about to end is
 * waited for.
 */
int statedir_adopt(const char *path, struct statedir *dir,
		   struct store_error *error) STORE_WARN_UNUSED;
/* The store and the mount point it belongs to; malloc'd. */
int statedir_identity(const struct statedir *dir, char **store,
		      char **mountpoint, struct store_error *error)
	STORE_WARN_UNUSED;
void statedir_close(struct statedir *dir);
/* Where it would be; malloc'd into *path, nothing is made. */
int statedir_path(const struct mount_options *options, const char *identity,
		  const char *mountpoint, char **path,
		  struct store_error *error) STORE_WARN_UNUSED;

#endif
