/* SPDX-License-Identifier: MIT */
/*
 * Parts of large files that go to the store while a program still writes them
 * from front to back.  Nothing depends on it: the put that follows goes on with
 * the file's upload, and compares every part with the bytes it sends.
 *
 *	ahead_wrote_locked()	a write: how far does the file stand?
 *	ahead_wait_locked()	a put begins
 *	ahead_forget_locked()	the file is stored, or has gone
 *
 * One thread per mount sends, a batch at a time; a file that is sent has no
 * other attempt meanwhile.  Locks: that of a file, then our own.
 */
#ifndef STOREFS_MOUNT_AHEAD_H
#define STOREFS_MOUNT_AHEAD_H

#include "mount/file.h"

/* Without STORE_CAP_RESUME nothing is started. */
int ahead_start(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;
/* Before the publisher ends. */
void ahead_stop(struct fs *fs);
/* Bytes of the file were written, or (length 0) it was cut at `offset`. */
void ahead_wrote_locked(struct file *file, const struct store_range *range)
	REQUIRES(file->lock);
void ahead_forget_locked(struct file *file) REQUIRES(file->lock);
/* What is on its way ends first, unless it does not get on. */
void ahead_wait_locked(struct file *file) REQUIRES(file->lock);

#endif
