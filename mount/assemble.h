/* SPDX-License-Identifier: MIT */
/*
 * What a mount consists of beside the kernel's part, put together and taken
 * apart: for session.c, and for offline.c, which has no kernel's part.
 */
#ifndef STOREFS_MOUNT_ASSEMBLE_H
#define STOREFS_MOUNT_ASSEMBLE_H

#include "mount/fs.h"
#include "mount/source.h"

/* Nothing has to be asked of it yet; sets fs->source, too. */
int assemble_store(struct fs *fs, const struct source *source,
		   struct store_error *error) STORE_WARN_UNUSED;
/* The store's root is looked at: it has to be there and usable. */
int assemble_tree(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;
/* Once the store is open: its cache and its reading ahead, if it is not near. */
int assemble_reading(struct fs *fs, struct store_error *error)
	STORE_WARN_UNUSED;
/* After that: cache_dir=; without it the mount works, and says so. */
void assemble_cache(struct fs *fs);
/*
 * After staging directory and tree: publisher, journal, and what an earlier
 * run has left.  `paused`: no upload is begun.
 */
int assemble_queue(struct fs *fs, bool paused, struct store_error *error)
	STORE_WARN_UNUSED;
/* Ends what assemble_queue() began; what is not in the store is kept. */
void assemble_stop(struct fs *fs);
/* The rest, but for the staging directory itself. */
void assemble_release(struct fs *fs);

#endif
