/* SPDX-License-Identifier: MIT */
/*
 * Folders of the store whose names this mount has changed, and that were not
 * flushed since: what is acknowledged later must not be durable before them.
 * Any thread may call.
 */
#ifndef STOREFS_MOUNT_FOLDERS_H
#define STOREFS_MOUNT_FOLDERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/base/sync.h"
#include <storefs/error.h>

struct folder;
struct fs;

/* So many are remembered; whoever changes one more has them flushed. */
enum { FOLDERS_MAX = 1024 };

struct folders {
	struct fs *fs; /* borrowed */
	struct lock lock;
	struct condition changed; /* a round has ended */
	/* Protected by `lock`: */
	struct folder *first;
	size_t count;
	bool busy; /* a round of flushes runs */
	uint64_t rounds;
	uint64_t asked;		 /* of the last round: what it was to reach, */
	int code;		 /* and how it ended */
	struct store_error last; /* the same */
	/* Atomic; they count changes: */
	_Atomic uint64_t made, durable;
};

void folders_init(struct folders *folders, struct fs *fs);
void folders_release(struct folders *folders);

/* What has this key was made, moved away or here, or removed. */
void folders_change(struct folders *folders, const char *key);
/* The folder itself was removed: no name in it can come back. */
void folders_drop(struct folders *folders, const char *key);
/*
 * All that was changed before is durable when it returns STORE_OK; costs
 * nothing when nothing was.
 */
int folders_sync(struct folders *folders, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The same, if anything was changed in this folder or below it, which is
 * about to have another name.  No pass for a change there may be held by
 * others.
 */
int folders_sync_below(struct folders *folders, const char *key,
		       struct store_error *error) STORE_WARN_UNUSED;

/* Up to here all is to become durable; for folders_are_durable(). */
static inline uint64_t folders_position(const struct folders *folders)
{
	return atomic_load(&folders->made);
}

static inline bool folders_are_durable(const struct folders *folders,
				       uint64_t position)
{
	return atomic_load(&folders->durable) >= position;
}

#endif
