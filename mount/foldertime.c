// SPDX-License-Identifier: MIT
/*
 * Times of folders; see foldertime.h.  Called by ops_*.c after a change of
 * names and by publish_put.c; calls the store.
 */
#include "config.h"

#include "mount/foldertime.h"

#include "src/base/clock.h"
#include "src/base/log.h"

void foldertime_touch(struct fs *fs, struct node *folder)
{
	(void)fs;
	folder->mtime = folder->ctime = node_time_from(clock_now());
	folder->flags |= NODE_TOUCHED;
	folder->flags &= (uint8_t)~NODE_TIMES_SET;
}

static void tell(struct fs *fs, struct store_context *context, const char *key,
		 const struct store_attributes *times)
{
	struct store_error error = STORE_ERROR_INIT;

	if (store_set_attributes(fs->store, context, key, times, NULL, &error))
		log_warn("%s: its time was not kept: %s", key, error.message);
}

/* Whoever sets its time has an exclusive pass: before this, or behind it. */
static void replace_time(struct fs *fs, struct store_context *context,
			 struct node *folder)
{
	struct store_attributes times = { .mask = STORE_ATTR_MTIME };
	struct gate_pass pass = { .nodes = { folder } };
	char key[STORE_KEY_MAX + 1];
	bool wanted;

	if (gate_enter(&fs->gate, &pass, context, NULL))
		return;
	lock_take(&fs->tree.lock);
	wanted = folder->dated && !(folder->flags & NODE_TIMES_SET) &&
		 !node_key(&fs->tree, folder, NULL, key, NULL);
	if (wanted) {
		foldertime_touch(fs, folder);
		folder->dated = false;
		times.mtime = node_time_to(folder->mtime);
	}
	lock_drop(&fs->tree.lock);
	if (wanted)
		tell(fs, context, key, &times);
	gate_leave(&fs->gate, &pass);
}

void foldertime_changed(struct fs *fs, struct store_context *context,
			struct node *folder)
{
	bool dated;

	if (!fs_can(fs, STORE_CAP_MARKERS))
		return;
	lock_take(&fs->tree.lock);
	foldertime_touch(fs, folder);
	dated = folder->dated;
	lock_drop(&fs->tree.lock);
	if (dated)
		replace_time(fs, context, folder);
}

void foldertime_left(struct fs *fs, struct store_context *context,
		     const struct node *folder)
{
	struct store_attributes times = { .mask = STORE_ATTR_MTIME };
	char key[STORE_KEY_MAX + 1];
	bool wanted;

	if (!fs_can(fs, STORE_CAP_NEAR) || !fs_can(fs, STORE_CAP_POSIX))
		return;
	lock_take(&fs->tree.lock);
	times.mtime = node_time_to(folder->mtime);
	wanted = (folder->flags & NODE_TOUCHED) &&
		 !node_key(&fs->tree, folder, NULL, key, NULL);
	lock_drop(&fs->tree.lock);
	if (wanted)
		tell(fs, context, key, &times);
}

/* It has moved with the new name, against what somebody has set. */
static void restore_time(struct fs *fs, struct store_context *context,
			 const struct node *folder)
{
	struct store_attributes times = { .mask = STORE_ATTR_MTIME };
	struct tree *tree = &fs->tree;
	char key[STORE_KEY_MAX + 1];
	bool wanted;

	lock_take(&tree->lock);
	times.mtime = node_time_to(folder->mtime);
	wanted = (folder->flags & NODE_TIMES_SET) &&
		 !node_key(tree, folder, NULL, key, NULL);
	lock_drop(&tree->lock);
	if (wanted)
		tell(fs, context, key, &times);
}

void foldertime_published(struct fs *fs, struct store_context *context,
			  const struct node *node)
{
	struct node *folder = NULL;
	bool dated = false;

	lock_take(&fs->tree.lock);
	if (node->names)
		folder = node->names->parent;
	if (folder)
		dated = folder->dated && (folder->flags & NODE_TOUCHED);
	lock_drop(&fs->tree.lock);
	if (!folder)
		return;
	if (!fs_can(fs, STORE_CAP_MARKERS))
		restore_time(fs, context, folder);
	else if (dated)
		replace_time(fs, context, folder);
}
