// SPDX-License-Identifier: MIT
/*
 * Opening files; see file.h.  Called by ops_file.c and ops_attr.c; calls file.c
 * and the store.
 */
#include "config.h"

#include "mount/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "src/base/clock.h"

/*
 * Is what memory knows of the file good enough for this open?  Unlinked and
 * dirty files exist only here.
 */
static bool file_is_sure(struct op *op, struct file *file, bool reads)
{
	struct fs *fs = op->fs;
	bool sure, unlinked;
	int64_t checked;

	lock_take(&file->lock);
	lock_take(&fs->tree.lock);
	unlinked = !file->node->names;
	checked = file->node->checked_ns;
	lock_drop(&fs->tree.lock);
	sure = file->dirty || unlinked ||
	       (checked && (!reads || file->reader) && file->base.token[0] &&
		checked > atomic_load(&fs->refreshed_ns) &&
		op->started_ns - checked < fs->options->attr_timeout_ns);
	lock_drop(&file->lock);
	return sure;
}

static int file_look(struct op *op, struct file *file, bool reads,
		     struct base_reader **reader, struct store_info *info)
{
	char key[STORE_KEY_MAX + 1];
	struct gate_pass pass;
	int code;

	if (reads)
		return file_open_reader(file, &op->context, NULL, reader, info,
					&op->error);
	code = op_enter_looking(op, file->node, NULL, key, &pass);
	if (!code)
		code = store_stat_listed(op->fs->store, &op->context, key,
					 STORE_TYPE_FILE, info, &op->error);
	op_leave(op, &pass);
	if (!code && info->type != STORE_TYPE_FILE)
		return store_error_set(&op->error, STORE_CHANGED,
				       "%s: no longer a file", key);
	return code;
}

/*
 * The store answered: take its version over, unless handles of another one
 * are open.  An answer older than what memory has learned is ignored, and so
 * is one from before a switch of names.
 */
static int file_accept(struct op *op, struct file *file,
		       const struct store_info *info, unsigned int switches,
		       bool *fresh)
{
	struct node *node = file->node;
	struct tree *tree = &op->fs->tree;
	bool known, old, taken;

	lock_take(&file->lock);
	lock_take(&tree->lock);
	known = node_has_version(node, &info->version);
	old = file->dirty || node->busy || node->checked_ns > op->started_ns ||
	      switches != atomic_load(&op->fs->switches);
	taken = known || !file->handles || !node->version;
	if (!old && taken)
		node_refresh(tree, node, info);
	else if (!old)
		node->flags |= NODE_REPLACED;
	if (node->flags & NODE_STALE_PAGES)
		*fresh = false;
	node->flags &= (uint8_t)~NODE_STALE_PAGES;
	lock_drop(&tree->lock);
	/* Whoever reads a weak version goes on with the reader he has. */
	if (!old && taken && !(known && file->handles && info->version.weak))
		file_rebase_locked(file, info);
	lock_drop(&file->lock);
	if (old || taken)
		return STORE_OK;
	return store_error_set(&op->error, STORE_CHANGED,
			       "the file was replaced in the store");
}

/*
 * O_TRUNC reaches us with the open, so the kernel leaves the set-id bits to
 * us: who may not keep them clears them.
 */
static void file_clear_set_ids_locked(struct op *op, struct file *file)
	REQUIRES(file->lock)
{
	struct tree *tree = &op->fs->tree;
	mode_t clear = S_ISUID;

	if (op->caller->uid == 0)
		return;
	lock_take(&tree->lock);
	if (file->node->mode & S_IXGRP)
		clear |= S_ISGID;
	if (file->node->mode & clear) {
		file->node->mode &= (uint16_t)~clear;
		file->attributes |= STORE_ATTR_MODE;
	}
	lock_drop(&tree->lock);
}

/* Without a name and without handles nothing of it is left. */
static bool file_is_gone_locked(struct file *file) REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;
	bool gone;

	lock_take(&tree->lock);
	gone = !file->node->names && !file->handles && !file->held;
	lock_drop(&tree->lock);
	return gone;
}

static int file_missed(struct op *op)
{
	return store_error_set(&op->error, STORE_CHANGED,
			       "the file was removed");
}

static int file_open_locked(struct op *op, struct file *file, int flags)
	REQUIRES(file->lock)
{
	int code = STORE_OK;

	if (file_is_gone_locked(file))
		code = file_missed(op);
	if (!code && (flags & O_TRUNC)) {
		code = file_truncate_locked(file, 0, &op->error);
		file_clear_set_ids_locked(op, file);
	}
	if (code)
		return code;
	file->handles++;
	file->writers += (flags & O_ACCMODE) != O_RDONLY;
	return STORE_OK;
}

/*
 * The kernel has not heard of the size the file has by now.  It asks again
 * before it reads, but not before it appends: there it looks the name up.
 */
static int file_tell_size(struct op *op, const struct file *file, int flags)
{
	struct fs *fs = op->fs;
	bool resized;

	lock_take(&fs->tree.lock);
	resized = file->node->resized && !(flags & O_TRUNC) &&
		  !(file->node->flags & NODE_LOCAL);
	/* The next open is to do it. */
	if (resized && (flags & O_APPEND))
		file->node->flags |= NODE_STALE_PAGES;
	lock_drop(&fs->tree.lock);
	if (!resized)
		return STORE_OK;
	if (flags & O_APPEND)
		return store_error_set(&op->error, STORE_CHANGED,
				       "the file has another size by now");
	if (fs->session)
		fuse_lowlevel_notify_inval_inode(fs->session,
						 ino_of(fs, file->node), -1, 0);
	return STORE_OK;
}

/*
 * Is its name being changed?  Whoever takes it away holds the bytes for those
 * who have the file open, and has counted them already.
 */
static bool file_is_changing_locked(struct file *file) REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;
	bool changing;

	lock_take(&tree->lock);
	changing = file->node->busy && !file->handles;
	lock_drop(&tree->lock);
	return changing;
}

/* The store has it no more.  1: it went while we looked, and memory knows. */
static int file_not_found(struct op *op, const struct file *file)
{
	bool unlinked;

	lock_take(&op->fs->tree.lock);
	unlinked = !file->node->names;
	lock_drop(&op->fs->tree.lock);
	if (!unlinked)
		return file_missed(op);
	store_error_clear(&op->error);
	return 1;
}

/* 1: names changed meanwhile; once more. */
static int open_once(struct op *op, struct file *file, int flags, bool *fresh,
		     bool *changing)
{
	unsigned int switches = atomic_load(&op->fs->switches);
	bool reads = (flags & O_ACCMODE) != O_WRONLY && !(flags & O_TRUNC);
	struct base_reader *reader = NULL;
	struct store_info info;
	uint64_t freed;
	int code = STORE_OK;

	if (!file_is_sure(op, file, reads)) {
		code = file_look(op, file, reads, &reader, &info);
		if (code == STORE_NOT_FOUND)
			code = file_not_found(op, file);
		if (!code)
			code = file_accept(op, file, &info, switches, fresh);
	}
	if (!code)
		code = file_tell_size(op, file, flags);
	lock_take(&file->lock);
	if (!code && reader)
		reader = file_share_reader_locked(file, reader, &info.version);
	freed = staging_area_freed(op->fs->area);
	if (!code && changing)
		*changing = file_is_changing_locked(file);
	/* Whoever switches them counts those that are open, from then on. */
	if (!code && switches != atomic_load(&op->fs->switches))
		code = 1;
	if (!code && !(changing && *changing))
		code = file_open_locked(op, file, flags);
	lock_drop(&file->lock);
	while (code == STORE_NO_SPACE && file_wait_for_room(op, freed)) {
		freed = staging_area_freed(op->fs->area);
		lock_take(&file->lock);
		code = file_open_locked(op, file, flags);
		lock_drop(&file->lock);
	}
	if (reader)
		reader_put(reader);
	return code;
}

/* With `changing` it may be left alone, which is told there. */
static int open_now(struct op *op, struct file *file, int flags, bool *fresh,
		    bool *changing)
{
	int code;

	do
		code = open_once(op, file, flags, fresh, changing);
	while (code == 1);
	return code;
}

int file_open(struct op *op, struct file *file, int flags, bool *fresh)
{
	struct gate_pass pass = { .nodes = { file->node }, .looks = true };
	bool changing = false;
	int code;

	*fresh = true;
	code = open_now(op, file, flags, fresh, &changing);
	if (code || !changing)
		return code;
	code = gate_enter(&op->fs->gate, &pass, &op->context, &op->error);
	if (!code)
		code = open_now(op, file, flags, fresh, NULL);
	gate_leave(&op->fs->gate, &pass);
	return code;
}
