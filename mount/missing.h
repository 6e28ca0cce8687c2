/* SPDX-License-Identifier: MIT */
/*
 * Names that the kernel was lately told are missing, and believes so for
 * negative_timeout=: it has no call that forgets them all.  Bounded; the
 * oldest are left to their timeout.  Thread-safe; its lock is of rank 7.
 */
#ifndef STOREFS_MOUNT_MISSING_H
#define STOREFS_MOUNT_MISSING_H

#include <stddef.h>
#include <stdint.h>

struct missing;

typedef void missing_fn(void *arg, uint64_t parent, const char *name);

/* NULL: no memory. */
struct missing *missing_new(void);
/* NULL is fine, here and below. */
void missing_free(struct missing *missing);
void missing_note(struct missing *missing, uint64_t parent, const char *name);
/* Each that was noted, without the lock; they are forgotten. */
void missing_take_all(struct missing *missing, missing_fn *each, void *arg);

#endif
