/* SPDX-License-Identifier: MIT */
/*
 * Requests whose answer was lost: did they arrive?
 */
#ifndef STOREFS_MOUNT_ANSWER_H
#define STOREFS_MOUNT_ANSWER_H

#include "mount/file.h"

/* What a file has sent, or may have. */
struct answer_sent {
	struct file_unanswered last;
	uint8_t publish[STORE_PUBLISH_SIZE];
};

enum answer {
	ANSWER_NOT_OURS,
	ANSWER_OURS,	/* some generation since the base */
	ANSWER_THE_LAST /* the one that sent.publish names */
};

/*
 * A put of these is about to be sent, and may arrive without an answer: for
 * stores that keep no publish id.
 */
void answer_expect_locked(struct file *file, const struct record_sent *sent)
	REQUIRES(file->lock);
/* Stores may keep times less exactly than they are sent. */
bool answer_looks_sent(struct tree *tree, const struct record_sent *sent,
		       const struct store_info *info);
/* May the store have done what failed with this code all the same? */
bool answer_leaves_doubt(int code);
/*
 * Does the store have a version under this key that was sent so?  The id of
 * the put tells; a store that keeps none leaves size and the nanoseconds of
 * our own last write.  `info` is that version's.
 */
enum answer answer_of(struct fs *fs, struct store_context *context,
		      const char *key, const struct answer_sent *sent,
		      struct store_info *info);
/*
 * The same for a file that counts as not in the store, before its name
 * changes: if a put has arrived after all, the file is in the store from now
 * on, and stored if there is nothing newer.  To be called with an exclusive
 * pass.
 */
void answer_look(struct op *op, struct file *file, const char *key);
/*
 * The same also for a file that was in the store before, which is about to be
 * copied: nobody would find the id of the put at the copy.
 */
void answer_look_stored(struct op *op, struct file *file, const char *key);

/*
 * `file` takes the name of `replaced` in memory only: a put of that one may
 * still arrive there, and is ours then.
 */
void answer_inherit(struct file *file, struct file *replaced);

#endif
