/* SPDX-License-Identifier: MIT */
/*
 * What unlink, rmdir and rename share: the node that loses a name, and the
 * folder that must outlive its last entry.
 */
#ifndef STOREFS_MOUNT_OPS_CHANGE_H
#define STOREFS_MOUNT_OPS_CHANGE_H

#include "mount/file.h"
#include "mount/ops.h"

/* A node found under a name, referenced; `file` is NULL unless in use. */
struct victim {
	struct node *node;
	struct file *file;
	/* By victim_look(): */
	bool current;		/* its base is what the store has */
	struct store_info seen; /* what that is, where the base matters */
};

/* False (and all NULL) when memory knows nothing under this name. */
bool victim_find(struct fs *fs, struct node *parent, const char *text,
		 struct victim *victim);
/*
 * With an exclusive pass: who opened it while we waited counts.  Whoever
 * comes later finds that the name has gone.
 */
void victim_refresh(struct fs *fs, struct victim *victim);
void victim_look(struct op *op, struct victim *victim, const char *key);
void victim_release(struct fs *fs, struct victim *victim);
/* Only in memory so far, whether or not it will replace something? */
bool victim_is_unpublished(struct fs *fs, const struct victim *victim);
/* Does the store have something under its name? */
bool victim_in_store(struct fs *fs, const struct victim *victim);
/* Let open handles keep what they read, before the store is told. */
int victim_prepare(struct op *op, const struct victim *victim)
	STORE_WARN_UNUSED;
/* And those who are about to open it, while such miss (file.h); after that. */
void victim_keep(struct op *op, const struct victim *victim);
/* The store is being told; others' answers about it are ignored meanwhile. */
void victim_begin(struct fs *fs, const struct victim *victim);
void victim_end(struct fs *fs, const struct victim *victim);
/* It has lost a name. */
void victim_gone(struct fs *fs, const struct victim *victim);
/* Are there files directly below that the store may not know? */
bool folder_has_local(struct fs *fs, const struct node *folder);
/*
 * A folder that exists by its children alone is made explicit before one of
 * them goes: what a process has seen does not vanish under it.
 */
int keep_folder(struct op *op, struct node *folder) STORE_WARN_UNUSED;

#endif
