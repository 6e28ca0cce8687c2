// SPDX-License-Identifier: MIT
/*
 * Attributes: getattr, setattr, readlink, statfs.  Called by the kernel's
 * requests; calls the node tree, file.c and the store.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/ops.h"
#include "mount/publish.h"
#include "src/base/clock.h"

/* statfs of stores without figures: room for whatever comes. */
#define USAGE_UNKNOWN (UINT64_C(1) << 50)

/* ---- getattr ---- */

/* Memory is right about dirty files, and all there is of unlinked ones. */
static bool node_is_memory(struct fs *fs, const struct node *node)
{
	bool memory;

	lock_take(&fs->tree.lock);
	memory = (node->flags & NODE_LOCAL) ||
		 (!node->names && node != fs->tree.root);
	lock_drop(&fs->tree.lock);
	return memory;
}

/* The store says it is not there: is memory all there is, then? */
static bool node_answers_itself(struct fs *fs, const struct node *node)
{
	bool open;

	lock_take(&fs->tree.lock);
	open = node->file;
	lock_drop(&fs->tree.lock);
	return open || node_is_memory(fs, node);
}

/*
 * The kernel asks by what it has found under a name: with ESTALE it looks the
 * name up again, and makes the file where open(2) says O_CREAT.
 */
static int node_missing(struct op *op, const struct node *node, const char *key)
{
	bool folder;

	lock_take(&op->fs->tree.lock);
	folder = node->type == STORE_TYPE_FOLDER;
	lock_drop(&op->fs->tree.lock);
	if (folder)
		return STORE_NOT_FOUND;
	file_open_missed(op->fs);
	return store_error_set(&op->error, STORE_CHANGED,
			       "%s: removed in the store", key);
}

/* What a folder without a marker is, one question alone does not tell. */
static int stat_node(struct op *op, const struct node *node, const char *key,
		     struct store_info *info)
{
	struct fs *fs = op->fs;
	enum store_type type;
	bool implicit;

	lock_take(&fs->tree.lock);
	type = (enum store_type)node->type;
	implicit = node->flags & NODE_IMPLICIT || node == fs->tree.root;
	lock_drop(&fs->tree.lock);
	if (implicit)
		return store_stat(fs->store, &op->context, key, info,
				  &op->error);
	return store_stat_listed(fs->store, &op->context, key, type, info,
				 &op->error);
}

static int node_ask(struct op *op, struct node *node)
{
	struct tree *tree = &op->fs->tree;
	char key[STORE_KEY_MAX + 1];
	struct store_info info;
	struct gate_pass pass;
	bool taken;
	int code = op_enter_looking(op, node, NULL, key, &pass);

	if (!code)
		code = stat_node(op, node, key, &info);
	op_leave(op, &pass);
	/* Unlinked, written to or lost while we asked: memory knows. */
	if (code == STORE_NOT_FOUND && node_answers_itself(op->fs, node))
		return STORE_OK;
	if (code == STORE_NOT_FOUND)
		return node_missing(op, node, key);
	if (code)
		return code;
	lock_take(&tree->lock);
	taken = node_update(tree, node, &info, op->started_ns) || node->file;
	lock_drop(&tree->lock);
	if (taken)
		return STORE_OK;
	return store_error_set(&op->error, STORE_CHANGED,
			       "%s: another kind of file now", key);
}

/*
 * The kernel drops its attributes with each change of ours; memory has made
 * that change, too, and what others do is looked for when it was due anyway.
 */
static int64_t known_for(struct fs *fs, const struct node *node)
{
	int64_t left = 0;

	if (fs_can(fs, STORE_CAP_NEAR))
		return 0;
	lock_take(&fs->tree.lock);
	if (node->checked_ns > atomic_load(&fs->refreshed_ns))
		left = node_lasts(node, fs->options->attr_timeout_ns);
	/* Without markers the store alone knows the times of folders. */
	if (node->type == STORE_TYPE_FOLDER && !fs_can(fs, STORE_CAP_MARKERS))
		left = 0;
	lock_drop(&fs->tree.lock);
	return left;
}

static void op_attributes(struct op *op, struct node *node, int64_t timeout_ns)
{
	struct fs *fs = op->fs;
	struct stat attributes;

	lock_take(&fs->tree.lock);
	fs_fill_stat(fs, node, &attributes);
	node->resized = false;
	lock_drop(&fs->tree.lock);
	op_done(op);
	fuse_reply_attr(op->request, &attributes,
			(double)timeout_ns / (double)NS_PER_SEC);
}

void fs_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node;
	struct op op;
	int64_t known_ns;
	int code = STORE_OK;

	(void)fi;
	op_begin(&op, request);
	node = node_of(op.fs, ino);
	known_ns = known_for(op.fs, node);
	if (node_is_memory(op.fs, node))
		known_ns = op.fs->options->attr_timeout_ns;
	if (!known_ns) {
		code = node_ask(&op, node);
		known_ns = op.fs->options->attr_timeout_ns;
	}
	if (code)
		op_error(&op, code);
	else
		op_attributes(&op, node, known_ns);
}

/* ---- setattr ---- */

static bool wants_times(int to_set)
{
	return to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME |
			 FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_ATIME_NOW);
}

static void wanted_attributes(const struct stat *attr, int to_set,
			      struct store_attributes *wanted)
{
	struct timespec now = clock_now();

	*wanted = (struct store_attributes){ .mode = attr->st_mode & 07777,
					     .uid = attr->st_uid,
					     .gid = attr->st_gid,
					     .mtime = attr->st_mtim,
					     .atime = attr->st_atim };
	if (to_set & FUSE_SET_ATTR_MODE)
		wanted->mask |= STORE_ATTR_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		wanted->mask |= STORE_ATTR_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		wanted->mask |= STORE_ATTR_GID;
	if (!wants_times(to_set))
		return;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		wanted->mask |= STORE_ATTR_MTIME;
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		wanted->mask |= STORE_ATTR_ATIME;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		wanted->mtime = now;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		wanted->atime = now;
}

static void node_set(struct fs *fs, struct node *node,
		     const struct store_attributes *wanted)
{
	lock_take(&fs->tree.lock);
	if (wanted->mask & STORE_ATTR_MODE)
		node->mode = (uint16_t)wanted->mode;
	if (wanted->mask & STORE_ATTR_UID)
		node->uid = wanted->uid;
	if (wanted->mask & STORE_ATTR_GID)
		node->gid = wanted->gid;
	if (wanted->mask & STORE_ATTR_MTIME)
		node->mtime = node_time_from(wanted->mtime);
	if (wanted->mask & STORE_ATTR_ATIME)
		node->atime = node_time_from(wanted->atime);
	node->ctime = node_time_from(clock_now());
	lock_drop(&fs->tree.lock);
}

/* Dirty and unlinked files keep it in memory; a publish takes it along. */
static bool set_in_memory(struct op *op, struct node *node,
			  const struct store_attributes *wanted)
{
	struct file *file = file_find(op->fs, node);
	bool memory = node_is_memory(op->fs, node);

	if (memory && file) {
		lock_take(&file->lock);
		memory = file->dirty;
		if (memory) {
			node_set(op->fs, node, wanted);
			file->attributes |= wanted->mask;
			file_dirty_locked(file);
			if (file->note.id)
				commit_note_attributes_locked(file);
		}
		lock_drop(&file->lock);
		/* Clean by now, or unlinked and of no concern to a store. */
		if (!memory && node_is_memory(op->fs, node)) {
			node_set(op->fs, node, wanted);
			memory = true;
		}
	} else if (memory) {
		node_set(op->fs, node, wanted);
	}
	file_put(file);
	return memory;
}

/* Our own change: the kernel's pages stay right. */
static void set_accept(struct fs *fs, struct node *node,
		       const struct store_attributes *wanted,
		       const struct store_info *info)
{
	lock_take(&fs->tree.lock);
	if (wanted->mask & STORE_ATTR_MTIME) {
		node->flags &= (uint8_t)~NODE_TOUCHED;
		if (node->type == STORE_TYPE_FOLDER)
			node->flags |= NODE_TIMES_SET;
	}
	if (node->flags & NODE_LOCAL)
		node_set_version(node, &info->version);
	else
		node_refresh(&fs->tree, node, info);
	node->flags &= (uint8_t)~NODE_STALE_PAGES;
	lock_drop(&fs->tree.lock);
}

/*
 * The driver of an ordinary user reads a store of files as its owner; what is
 * open goes on to be read after the owner has given up to read it.
 */
static void hold_for_handles(struct op *op, struct file *file,
			     const struct store_attributes *wanted)
{
	if (!file || !(wanted->mask & STORE_ATTR_MODE) ||
	    (wanted->mode & S_IRUSR) || !fs_can(op->fs, STORE_CAP_PINNED_READ))
		return;
	/* Then reading tells why. */
	if (file_hold_base(op, file))
		store_error_clear(&op->error);
}

/* With an exclusive pass: no publish runs. */
static int set_held(struct op *op, struct node *node,
		    const struct store_attributes *wanted)
{
	struct fs *fs = op->fs;
	struct file *file = file_find(fs, node);
	char key[STORE_KEY_MAX + 1];
	struct store_info info, seen = { .links = 1 };
	bool current = true;
	int code = op_key(op, node, NULL, key);

	if (!code) {
		current = file_base_is_current(file, &op->context, key, &seen);
		code = commit_sync_calls(fs, &op->error);
	}
	if (!code) {
		hold_for_handles(op, file, wanted);
		code = store_set_attributes(fs->store, &op->context, key,
					    wanted, &info, &op->error);
	}
	if (!code && current && file_is_as_seen(&seen, &info, wanted->mask)) {
		set_accept(fs, node, wanted, &info);
		file_advance_base(fs, node, &info);
	}
	file_put(file);
	return code;
}

static int set_in_store(struct op *op, struct node *node,
			const struct store_attributes *wanted)
{
	struct gate_pass pass = { .nodes = { node }, .exclusive = true };
	struct fs *fs = op->fs;
	int code = gate_enter(&fs->gate, &pass, &op->context, &op->error);

	/* It may have become dirty while we waited. */
	if (!code && !set_in_memory(op, node, wanted)) {
		node_begin_change(&fs->tree, node);
		code = set_held(op, node, wanted);
		node_end_change(&fs->tree, node);
	}
	gate_leave(&fs->gate, &pass);
	return code;
}

static int set_attributes(struct op *op, struct node *node,
			  const struct store_attributes *wanted)
{
	const struct mount_options *options = op->fs->options;

	if (((wanted->mask & STORE_ATTR_UID) && options->have_uid) ||
	    ((wanted->mask & STORE_ATTR_GID) && options->have_gid)) {
		int code = store_error_set(&op->error, STORE_DENIED,
					   "owners are set by uid= and gid=");

		op->error.detail = EPERM;
		return code;
	}
	if (set_in_memory(op, node, wanted))
		return STORE_OK;
	return set_in_store(op, node, wanted);
}

/* truncate(2) without a descriptor: open, truncate, close. */
static int truncate_closed(struct op *op, struct node *node, uint64_t size)
{
	struct file *file = file_get(op->fs, node);
	bool fresh, last;
	int code;

	if (!file)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a file");
	code = file_open(op, file, O_WRONLY, &fresh);
	if (code) {
		file_put(file);
		return code;
	}
	code = file_truncate(op, file, size);
	lock_take(&file->lock);
	file->handles--;
	last = --file->writers == 0;
	lock_drop(&file->lock);
	if (!code && last)
		code = commit_close(file, &op->context, &op->error);
	file_put(file);
	return code;
}

static bool node_is_file(struct fs *fs, const struct node *node)
{
	bool file;

	lock_take(&fs->tree.lock);
	file = node->type == STORE_TYPE_FILE;
	lock_drop(&fs->tree.lock);
	return file;
}

static int set_size(struct op *op, struct node *node, uint64_t size,
		    const struct fuse_file_info *fi)
{
	if (!node_is_file(op->fs, node))
		return store_error_set(&op->error, STORE_INVALID, "not a file");
	if (fi && fi->fh) {
		const struct handle *handle =
			(struct handle *)(uintptr_t)fi->fh;

		return file_truncate(op, handle->file, size);
	}
	return truncate_closed(op, node, size);
}

void fs_setattr(fuse_req_t request, fuse_ino_t ino, struct stat *attr,
		int to_set, struct fuse_file_info *fi)
{
	struct store_attributes wanted;
	struct node *node;
	struct op op;
	int code = STORE_OK;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	wanted_attributes(attr, to_set, &wanted);
	if (to_set & FUSE_SET_ATTR_SIZE)
		code = set_size(&op, node, (uint64_t)attr->st_size, fi);
	if (!code && wanted.mask)
		code = set_attributes(&op, node, &wanted);
	if (code)
		op_error(&op, code);
	else
		op_attributes(&op, node, op.fs->options->attr_timeout_ns);
}

/* ---- readlink, statfs ---- */

/* How long a name may be another's in the store before it is so here. */
#define TURN_NS (10 * NS_PER_MS)
enum { TURNS = 30 };

/* `target` stays NULL when the store has no symlink there. */
static int read_target(struct op *op, const struct node *node, char **target)
{
	struct store_details details;
	char key[STORE_KEY_MAX + 1];
	struct store_info info;
	struct gate_pass pass;
	int code = op_enter_looking(op, node, NULL, key, &pass);

	if (!code)
		code = store_stat_details(op->fs->store, &op->context, key,
					  &info, &details, &op->error);
	op_leave(op, &pass);
	if (code)
		return code;
	if (info.type == STORE_TYPE_SYMLINK)
		*target = steal_pointer(&details.target);
	store_details_release(&details);
	return STORE_OK;
}

/*
 * A file that replaces a symlink is there in the store a moment before the
 * tree knows.  The kernel looks the name up again when the node is stale.
 */
void fs_readlink(fuse_req_t request, fuse_ino_t ino)
{
	CLEANUP_FREE char *target = NULL;
	struct node *node;
	struct op op;
	int code, turns = 0;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	code = read_target(&op, node, &target);
	while (!code && !target && turns++ < TURNS &&
	       !store_context_sleep(&op.context, TURN_NS, NULL))
		code = read_target(&op, node, &target);
	if (code && !(turns && code == STORE_NOT_FOUND)) {
		op_error(&op, code);
		return;
	}
	store_error_clear(&op.error);
	op_done(&op);
	if (target)
		fuse_reply_readlink(request, target);
	else
		fuse_reply_err(request, ESTALE);
}

void fs_statfs(fuse_req_t request, fuse_ino_t ino)
{
	struct store_usage usage = { .total = USAGE_UNKNOWN,
				     .free = USAGE_UNKNOWN,
				     .available = USAGE_UNKNOWN,
				     .nodes = UINT32_MAX,
				     .nodes_free = UINT32_MAX };
	struct statvfs out = { .f_bsize = 4096,
			       .f_frsize = 4096,
			       .f_namemax = STORE_NAME_MAX };
	struct op op;
	int code = STORE_OK;

	(void)ino;
	op_begin(&op, request);
	if (fs_can(op.fs, STORE_CAP_USAGE))
		code = store_usage(op.fs->store, &op.context, &usage,
				   &op.error);
	if (code) {
		op_error(&op, code);
		return;
	}
	out.f_blocks = usage.total / out.f_frsize;
	out.f_bfree = usage.free / out.f_frsize;
	out.f_bavail = usage.available / out.f_frsize;
	out.f_files = usage.nodes;
	out.f_ffree = out.f_favail = usage.nodes_free;
	op_done(&op);
	fuse_reply_statfs(request, &out);
}
