/* SPDX-License-Identifier: MIT */
/*
 * Names that the store was lately asked for, and that are missing there: for
 * negative_timeout= the kernel believes so, and so does memory.  The kernel
 * asks again all the same before it makes something or renames to it, and has
 * no call that forgets all of them.
 *
 * A folder is known by its address and number: those of one that has gone may
 * be another's by now, but not both.
 *
 * Bounded; the oldest are left to their timeout.  Thread-safe; its lock is of
 * rank 7.
 */
#ifndef STOREFS_MOUNT_MISSING_H
#define STOREFS_MOUNT_MISSING_H

#include <stddef.h>
#include <stdint.h>

struct missing;

struct missing_folder {
	uint64_t ino; /* what the kernel calls it */
	uint64_t number;
};

typedef void missing_fn(void *arg, uint64_t parent, const char *name);

/* NULL: no memory. */
struct missing *missing_new(void);
/* NULL is fine, here and below. */
void missing_free(struct missing *missing);
/* The store was asked at `asked_ns`. */
void missing_note(struct missing *missing, const struct missing_folder *parent,
		  const char *name, int64_t asked_ns);
/*
 * When was the store asked last, if it was at `since_ns` or later?  Else 0.
 * Whether the name was made here meanwhile is for the node tree to tell.
 */
int64_t missing_asked(struct missing *missing,
		      const struct missing_folder *parent, const char *name,
		      int64_t since_ns);
/* Each that was noted, without the lock; they are forgotten. */
void missing_take_all(struct missing *missing, missing_fn *each, void *arg);

#endif
