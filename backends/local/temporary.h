/* SPDX-License-Identifier: MIT */
/*
 * New files before they have their name.
 *
 * A temporary has no name at all (O_TMPFILE) until it needs one; where that
 * cannot be had, and for the moment before a rename, it is called
 * ".storefs-tmp." and 16 hex digits.  Its creator holds a flock on it: who
 * gets the flock of a named one knows that it was left behind by a crash.
 */
#ifndef STOREFS_BACKENDS_LOCAL_TEMPORARY_H
#define STOREFS_BACKENDS_LOCAL_TEMPORARY_H

#include "backends/local/path.h"

struct local_temporary {
	int fd;
	bool named;
	char name[48];
};
#define LOCAL_TEMPORARY_INIT \
	{                    \
		.fd = -1     \
	}

/* -1 with errno.  `mode` is subject to the umask. */
int local_temporary_make(struct local *self, const struct local_place *place,
			 mode_t mode, struct local_temporary *temporary)
	STORE_WARN_UNUSED;
/* A fresh hidden name; `kind` stands before the digits, "" for none. */
void local_hidden_name(struct local *self, const char *kind, char name[48]);
/* Link a nameless file: -1 with errno, EEXIST when the name is taken. */
int local_link_fd(int fd, int dir, const char *name) STORE_WARN_UNUSED;
/* Give it a hidden name in its folder, if it has none. */
int local_temporary_name(struct local *self, const struct local_place *place,
			 struct local_temporary *temporary) STORE_WARN_UNUSED;
/* Give it a name that must be free (EEXIST). */
int local_temporary_publish(const struct local_place *place,
			    struct local_temporary *temporary, const char *name)
	STORE_WARN_UNUSED;
/* Remove and close it; fine after it got its name. */
void local_temporary_drop(const struct local_place *place,
			  struct local_temporary *temporary);

/* Has nobody written on it for an hour?  For systems without flocks. */
bool local_is_forgotten(int fd);
/*
 * Remove a hidden name that a crash left behind, or finish the journal it
 * is; leaves those alone whose creator lives.
 */
void local_sweep_name(struct local *self, int dir, const char *name);
/* The same for all in a folder; true when one was removed. */
bool local_sweep_folder(struct local *self, int dir);

/* renameat2(2): -1 with errno, EINVAL where it does not know the flags. */
int local_rename(int from_dir, const char *from, int to_dir, const char *to,
		 unsigned int flags) STORE_WARN_UNUSED;
/* Its flags, where the C library does not name them. */
enum { LOCAL_RENAME_NOREPLACE = 1, LOCAL_RENAME_EXCHANGE = 2 };

#endif
