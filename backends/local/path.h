/* SPDX-License-Identifier: MIT */
/*
 * From keys to descriptors, never leaving the root.
 *
 * Symlinks are data: one among the parents of a key is refused wherever it
 * leads.  Only the root itself may be reached through symlinks, once.
 */
#ifndef STOREFS_BACKENDS_LOCAL_PATH_H
#define STOREFS_BACKENDS_LOCAL_PATH_H

#include <sys/types.h>

#include "backends/local/local.h"

/*
 * Where a name stands: the open folder and the last component.  The
 * descriptor is this place's own, so that it can carry a flock.
 */
struct local_place {
	int dir;
	bool bare;	   /* no right to read it: neither flock nor fsync */
	unsigned int made; /* parents that local_place_make() made */
	char name[STORE_NAME_MAX + 1];
};
#define LOCAL_PLACE_INIT  \
	{                 \
		.dir = -1 \
	}

/* As store_error_errno() with "<verb>: ..."; the core names the key. */
int local_fail(struct store_error *error, int errnum, const char *verb)
	STORE_WARN_UNUSED;
/* The same for a key that has to exist: below a file is NOT_FOUND. */
int local_fail_source(struct store_error *error, int errnum, const char *verb)
	STORE_WARN_UNUSED;
/* The same for a key that is to be made: below a file is NOT_DIR. */
int local_fail_target(struct store_error *error, int errnum, const char *verb)
	STORE_WARN_UNUSED;

/* Is the name one of our temporaries? */
bool local_name_is_hidden(const char *name);
/* INVALID for a key with such a component. */
int local_check_key(const char *key, struct store_error *error)
	STORE_WARN_UNUSED;

/* Does this system resolve paths below a descriptor by itself? */
bool local_openat2_works(void);
/*
 * openat() of a path below the root ("" is the root), close-on-exec; the
 * last component is not followed either.  -1 with errno.
 */
int local_open_path(struct local *self, const char *path, int flags)
	STORE_WARN_UNUSED;
/* The same for a checked key that has to exist, with its error. */
int local_open_key(struct local *self, const char *key, int flags, int *fd,
		   struct store_error *error) STORE_WARN_UNUSED;

/* The place of a key whose parent exists. */
int local_place_find(struct local *self, const char *key,
		     struct local_place *place, struct store_error *error)
	STORE_WARN_UNUSED;
/* The place of a key; missing parents, also the root, are made. */
int local_place_make(struct local *self, const char *key,
		     struct local_place *place, struct store_error *error)
	STORE_WARN_UNUSED;
/* Remove again, as far as they are empty, the parents that were made. */
void local_place_undo(struct local *self, const char *key,
		      const struct local_place *place);
void local_place_release(struct local_place *place);
/* Was the folder of this place removed meanwhile? */
bool local_place_is_gone(const struct local_place *place);
/* fsync the folder, when the options ask for it: -1 with errno. */
int local_place_sync(const struct local *self, const struct local_place *place)
	STORE_WARN_UNUSED;

/* Is there a root?  Opens one that appeared; -1 with errno, ENOENT if not. */
int local_root_check(struct local *self) STORE_WARN_UNUSED;
/* Open the configured root; -1 with errno, ENOENT while it is missing. */
int local_root_open(struct local *self) STORE_WARN_UNUSED;
/* Make the root and what is missing above it, then open it. */
int local_root_make(struct local *self) STORE_WARN_UNUSED;

/*
 * flock the folder of a place against the other writers of every process;
 * released with the descriptor or by local_unlock().  Waits as long as the
 * context allows, a minute without one: LOCKED.
 */
int local_lock(struct local *self, struct store_context *context, int fd,
	       struct store_error *error) STORE_WARN_UNUSED;
void local_unlock(int fd);

#endif
