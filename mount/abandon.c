// SPDX-License-Identifier: MIT
/*
 * Giving up on a file: its staged bytes are kept in the staging directory
 * with a record of what they are, and the mount goes back to what the store
 * has.  Called by the publisher's threads (writers that were killed while
 * they replaced a file) and at the end of a mount.
 *
 * Order: bytes and record are durable; only then does the mount forget them.
 */
#include "config.h"

#include "mount/commit.h"
#include "mount/publish.h"
#include "mount/uploads.h"
#include "src/base/log.h"

/* Back to what the store has, or to nothing. */
static void node_revert(struct file *file)
{
	struct tree *tree = &file->fs->tree;
	struct node *node = file->node;

	lock_take(&tree->lock);
	node->flags |= NODE_STALE_PAGES;
	node->checked_ns = 0;
	node->sure = false;
	node->resized |= node->size != file->staging.base_size;
	node->size = file->staging.base_size;
	while (!file->base_exists && node->names)
		tree_drop_name(tree, node->names);
	lock_drop(&tree->lock);
}

/* Not when somebody has opened it again, or an attempt has begun. */
static bool may_abandon_locked(struct file *file, bool ending)
	REQUIRES(file->lock)
{
	return file->dirty && file->started == file->finished &&
	       (ending || (file_is_lost_locked(file) && !file->writers));
}

/* Is there anything in it that only we have? */
static bool worth_keeping_locked(struct file *file) REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;
	bool named;

	lock_take(&tree->lock);
	named = file->node->names || (file->node->flags & NODE_LOST);
	lock_drop(&tree->lock);
	return named && !file->beside &&
	       (file->staging.changed || file->note.acknowledged);
}

static void forget_locked(struct file *file, bool kept) REQUIRES(file->lock)
{
	if (kept) {
		file->note = (struct file_note){ 0 };
		upload_leave(file->upload);
		file->upload = NULL;
		staging_leave(&file->staging);
	}
	file->attributes = 0;
	file_clean_locked(file);
	if (!kept && !file->handles)
		staging_discard(&file->staging);
}

void publish_forget_locked(struct file *file, bool kept)
{
	forget_locked(file, kept);
	node_revert(file);
}

bool publish_abandon(struct file *file, const char *reason, bool ending)
{
	struct fs *fs = file->fs;
	struct store_error error = STORE_ERROR_INIT;
	enum record_state state;
	bool kept, given_up, noted;

	lock_take(&file->lock);
	kept = may_abandon_locked(file, ending) && worth_keeping_locked(file);
	state = file->note.acknowledged ? RECORD_PENDING : RECORD_UNFINISHED;
	/* What a killed writer left above it does not become a part of it. */
	noted = file->doomed && file->note.acknowledged;
	lock_drop(&file->lock);
	if (kept && !noted && commit_keep(file, state, reason, &error))
		log_error("%s: %s; its record may be missing: %s",
			  file->name_hint, reason, error.message);
	lock_take(&file->lock);
	given_up = may_abandon_locked(file, ending);
	/* At the end the tree goes as it is. */
	if (given_up && ending)
		forget_locked(file, kept);
	else if (given_up)
		publish_forget_locked(file, kept);
	lock_drop(&file->lock);
	if (!kept || !given_up)
		return false;
	if (state == RECORD_UNFINISHED)
		atomic_fetch_add(&fs->counters.unfinished, 1);
	log_warn("%s: %s; the bytes are kept in the staging directory",
		 file->name_hint, reason);
	if (fs->session && !ending)
		fuse_lowlevel_notify_inval_inode(fs->session,
						 ino_of(fs, file->node), 0, 0);
	return true;
}
