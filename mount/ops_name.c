// SPDX-License-Identifier: MIT
/*
 * Names: lookup, and everything that makes an entry.  Called by the kernel's
 * requests; calls the node tree and the store.
 *
 * The kernel holds the parent folder while a name is made, so one name is
 * made by one request at a time in one mount.  Passes of the gate keep the
 * folder's own key in place meanwhile.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/foldertime.h"
#include "mount/listed.h"
#include "mount/missing.h"
#include "mount/ops.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "src/base/clock.h"
#include "src/file_type.h"

/* ---- lookup ---- */

/* What memory alone can answer: files the store does not know yet. */
static bool lookup_local(struct op *op, struct node *parent, const char *text,
			 struct fuse_entry_param *entry)
{
	struct fs *fs = op->fs;
	struct name *name;
	bool found;

	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, parent, text);
	found = name && (name->node->flags & NODE_LOCAL);
	if (found)
		fs_fill_entry(fs, name->node, entry);
	lock_drop(&fs->tree.lock);
	return found;
}

static int no_node(struct op *op, const char *text)
{
	return store_error_set(&op->error, STORE_NO_MEMORY,
			       "%s: no memory for a node", text);
}

/* No entry: memory has learned more meanwhile, and forgotten it. */
static int lookup_enter(struct op *op, struct node *parent, const char *text,
			const struct store_info *info,
			struct fuse_entry_param *entry)
{
	struct fs *fs = op->fs;
	struct node *node = NULL;
	bool outdated;

	lock_take(&fs->tree.lock);
	outdated = !tree_find_name(&fs->tree, parent, text) &&
		   tree_lost_since(&fs->tree, parent, text, op->started_ns);
	if (!outdated)
		node = tree_enter(&fs->tree, parent, text, info,
				  op->started_ns);
	if (node)
		fs_fill_entry(fs, node, entry);
	lock_drop(&fs->tree.lock);
	return node || outdated ? STORE_OK : no_node(op, text);
}

static struct missing_folder folder_of(struct op *op, const struct node *parent)
{
	struct missing_folder folder = { .ino = ino_of(op->fs, parent) };

	lock_take(&op->fs->tree.lock);
	folder.number = parent->number;
	lock_drop(&op->fs->tree.lock);
	return folder;
}

int64_t op_missing_since(struct op *op, const struct node *parent,
			 const char *text, int64_t since_ns)
{
	const struct missing_folder folder = folder_of(op, parent);
	struct fs *fs = op->fs;
	int64_t refreshed_ns = atomic_load(&fs->refreshed_ns);
	int64_t asked_ns;
	bool known;

	/* A store that is near is asked for less than memory is. */
	if (fs_can(fs, STORE_CAP_NEAR))
		return 0;
	asked_ns = missing_asked(fs->missing, &folder, text,
				 since_ns > refreshed_ns ? since_ns
							 : refreshed_ns + 1);
	if (!asked_ns)
		return 0;
	lock_take(&fs->tree.lock);
	known = tree_find_name(&fs->tree, parent, text) ||
		tree_lost_since(&fs->tree, parent, text, asked_ns);
	lock_drop(&fs->tree.lock);
	return known || listed_shows(fs->listed, parent, text) ? 0 : asked_ns;
}

/*
 * The kernel asks again for what it makes with O_EXCL or renames to: whether
 * the name is missing still, the store sees when it is made.
 */
static bool lookup_missing(struct op *op, struct node *parent, const char *text,
			   struct fuse_entry_param *entry)
{
	int64_t lasts_ns = op->fs->options->negative_timeout_ns;
	int64_t asked_ns =
		op_missing_since(op, parent, text, op->started_ns - lasts_ns);

	if (asked_ns)
		entry->entry_timeout =
			(double)(asked_ns + lasts_ns - op->started_ns) /
			(double)NS_PER_SEC;
	return asked_ns;
}

static void lookup_missed(struct op *op, struct node *parent, const char *text,
			  struct fuse_entry_param *entry)
{
	const struct missing_folder folder = folder_of(op, parent);
	struct fs *fs = op->fs;

	lock_take(&fs->tree.lock);
	tree_miss_name(&fs->tree, parent, text, op->started_ns);
	lock_drop(&fs->tree.lock);
	entry->entry_timeout =
		(double)fs->options->negative_timeout_ns / (double)NS_PER_SEC;
	missing_note(fs->missing, &folder, text, op->started_ns);
}

static int lookup_store(struct op *op, struct node *parent, const char *text,
			struct fuse_entry_param *entry)
{
	char key[STORE_KEY_MAX + 1];
	struct store_info info;
	struct gate_pass pass;
	int code = op_enter_looking(op, parent, text, key, &pass);

	if (!code && relocation_hides(op->fs, parent, text))
		code = store_error_set(&op->error, STORE_NOT_FOUND,
				       "%s: is being renamed", text);
	if (!code)
		code = listed_stat(op, parent, text, key, &info);
	if (!code)
		code = lookup_enter(op, parent, text, &info, entry);
	while (!code && !entry->ino) {
		op->started_ns = clock_monotonic_ns();
		code = store_stat(op->fs->store, &op->context, key, &info,
				  &op->error);
		if (!code)
			code = lookup_enter(op, parent, text, &info, entry);
	}
	op_leave(op, &pass);
	return code;
}

void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { 0 };
	struct node *folder;
	struct op op;
	int code;

	op_begin(&op, request);
	folder = node_of(op.fs, parent);
	code = op_check_name(&op, name);
	if (!code && !lookup_local(&op, folder, name, &entry) &&
	    !listed_lookup(&op, folder, name, &entry) &&
	    !lookup_missing(&op, folder, name, &entry))
		code = lookup_store(&op, folder, name, &entry);
	if (code == STORE_NOT_FOUND) {
		lookup_missed(&op, folder, name, &entry);
		code = STORE_OK;
	}
	if (code)
		op_error(&op, code);
	else
		op_entry(&op, &entry);
}

void fs_forget(fuse_req_t request, fuse_ino_t ino, uint64_t count)
{
	struct fs *fs = fuse_req_userdata(request);

	lock_take(&fs->tree.lock);
	node_forget(&fs->tree, node_of(fs, ino), count);
	lock_drop(&fs->tree.lock);
	fuse_reply_none(request);
}

void fs_forget_multi(fuse_req_t request, size_t count,
		     struct fuse_forget_data *forgets)
{
	struct fs *fs = fuse_req_userdata(request);

	lock_take(&fs->tree.lock);
	for (size_t i = 0; i < count; i++)
		node_forget(&fs->tree, node_of(fs, forgets[i].ino),
			    forgets[i].nlookup);
	lock_drop(&fs->tree.lock);
	fuse_reply_none(request);
}

/* ---- making ---- */

void op_new_attributes(struct op *op, const struct node *parent, mode_t mode,
		       struct store_attributes *attributes)
{
	struct timespec now = clock_now();

	*attributes = (struct store_attributes){
		.mask = STORE_ATTR_MODE | STORE_ATTR_UID | STORE_ATTR_GID |
			STORE_ATTR_MTIME | STORE_ATTR_ATIME,
		.mode = mode & 07777,
		.uid = op->caller->uid,
		.gid = op->caller->gid,
		.mtime = now,
		.atime = now,
	};
	lock_take(&op->fs->tree.lock);
	if (parent->mode & S_ISGID) {
		attributes->gid = parent->gid;
		if (S_ISDIR(mode))
			attributes->mode |= S_ISGID;
	}
	lock_drop(&op->fs->tree.lock);
}

struct making {
	struct node *parent;
	const char *name;
	mode_t mode;
	dev_t rdev;
	const char *target;
};

static int make_folder(struct op *op, const struct making *making,
		       const char *key,
		       const struct store_attributes *attributes,
		       struct store_info *info)
{
	struct store *store = op->fs->store;

	if (op_missing_since(op, making->parent, making->name,
			     op->started_ns - OP_JUST_NS))
		return store_make_missing_folder(store, &op->context, key,
						 attributes, info, &op->error);
	return store_make_folder(store, &op->context, key, attributes, info,
				 &op->error);
}

static int tell_store(struct op *op, const struct making *making,
		      const char *key,
		      const struct store_attributes *attributes,
		      struct store_info *info)
{
	struct store *store = op->fs->store;
	struct store_memory_source empty;
	struct store_write_options write = {
		.precondition = { .condition = STORE_IF_ABSENT },
		.attributes = attributes,
	};
	struct store_node node = {
		.type = file_type_of(making->mode),
		.target = making->target,
		.rdev = making->rdev,
		.attributes = attributes,
	};

	switch (node.type) {
	case STORE_TYPE_FOLDER:
		return make_folder(op, making, key, attributes, info);
	case STORE_TYPE_FILE:
		return store_write(store, &op->context, key,
				   store_memory_source_init(&empty, "", 0),
				   &write, info, &op->error);
	default:
		return store_make_node(store, &op->context, key, &node, info,
				       &op->error);
	}
}

static int make_in_store(struct op *op, const struct making *making,
			 const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info)
{
	int code = tell_store(op, making, key, attributes, info);

	commit_name_changed(op->fs, key, code);
	return code;
}

/* A missing capability is EPERM for mknod(2), link(2) and symlink(2). */
static int refuse(struct op *op, int code)
{
	if (code == STORE_NOT_SUPPORTED) {
		code = store_error_set(&op->error, STORE_DENIED,
				       "the store cannot keep this");
		op->error.detail = EPERM;
	}
	return code;
}

/* What has just been made. */
static int enter_made(struct op *op, const struct making *making,
		      const struct store_info *info,
		      struct fuse_entry_param *entry)
{
	struct fs *fs = op->fs;
	struct node *node;

	lock_take(&fs->tree.lock);
	node = tree_enter(&fs->tree, making->parent, making->name, info,
			  op->started_ns);
	if (node)
		fs_fill_entry(fs, node, entry);
	lock_drop(&fs->tree.lock);
	return node ? STORE_OK : no_node(op, making->name);
}

static void fs_make(fuse_req_t request, struct making *making,
		    fuse_ino_t parent)
{
	struct store_attributes attributes;
	struct fuse_entry_param entry;
	char key[STORE_KEY_MAX + 1];
	struct store_info info;
	struct gate_pass pass;
	struct op op;
	int code;

	op_begin(&op, request);
	making->parent = node_of(op.fs, parent);
	pass = (struct gate_pass){ .nodes = { making->parent } };
	op_new_attributes(&op, making->parent, making->mode, &attributes);
	code = op_check_name(&op, making->name);
	if (!code)
		code = relocation_wait(&op, making->parent, making->name);
	if (!code)
		code = gate_enter(&op.fs->gate, &pass, &op.context, &op.error);
	if (!code)
		code = op_key(&op, making->parent, making->name, key);
	if (!code)
		code = commit_sync_calls(op.fs, &op.error);
	if (!code)
		code = make_in_store(&op, making, key, &attributes, &info);
	if (!code)
		code = enter_made(&op, making, &info, &entry);
	if (!code)
		foldertime_changed(op.fs, &op.context, making->parent);
	gate_leave(&op.fs->gate, &pass);
	if (code)
		op_error(&op, refuse(&op, code));
	else
		op_entry(&op, &entry);
}

void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name,
	      mode_t mode, dev_t rdev)
{
	struct making making = { .name = name, .mode = mode, .rdev = rdev };

	if (!(mode & S_IFMT))
		making.mode |= S_IFREG;
	fs_make(request, &making, parent);
}

void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name,
	      mode_t mode)
{
	struct making making = { .name = name, .mode = mode | S_IFDIR };

	fs_make(request, &making, parent);
}

void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent,
		const char *name)
{
	struct making making = { .name = name,
				 .mode = S_IFLNK | 0777,
				 .target = target };

	fs_make(request, &making, parent);
}

/* ---- link ---- */

static int link_in_store(struct op *op, struct node *node, struct node *parent,
			 const char *name, struct store_info *info)
{
	char from[STORE_KEY_MAX + 1], to[STORE_KEY_MAX + 1];
	int code = op_key(op, node, NULL, from);

	if (!code)
		code = op_key(op, parent, name, to);
	if (!code)
		code = commit_sync_calls(op->fs, &op->error);
	if (code)
		return code;
	code = store_link(op->fs->store, &op->context, from, to, info,
			  &op->error);
	commit_name_changed(op->fs, to, code);
	return code;
}

static int link_enter(struct op *op, struct node *node, struct node *parent,
		      const char *name, const struct store_info *info,
		      struct fuse_entry_param *entry)
{
	struct fs *fs = op->fs;
	int code;

	lock_take(&fs->tree.lock);
	code = tree_add_name(&fs->tree, parent, name, node);
	if (!code && !(node->flags & NODE_LOCAL))
		node_refresh(&fs->tree, node, info);
	if (!code) {
		node->links = info->links;
		node->ctime = node_time_from(info->ctime);
		node_set_identity(&fs->tree, node, info->node);
		fs_fill_entry(fs, node, entry);
	}
	lock_drop(&fs->tree.lock);
	if (code)
		return store_error_set(&op->error, code,
				       "%s: no memory for a name", name);
	return STORE_OK;
}

static int link_node(struct op *op, struct node *node, struct node *parent,
		     const char *name, struct fuse_entry_param *entry)
{
	struct gate_pass folder = { .nodes = { parent } };
	struct gate_pass linked = { .nodes = { node }, .exclusive = true };
	struct fs *fs = op->fs;
	struct store_info info;
	int code = gate_enter(&fs->gate, &linked, &op->context, &op->error);

	if (!code)
		code = gate_enter(&fs->gate, &folder, &op->context, &op->error);
	node_begin_change(&fs->tree, node);
	if (!code)
		code = link_in_store(op, node, parent, name, &info);
	if (!code)
		code = link_enter(op, node, parent, name, &info, entry);
	node_end_change(&fs->tree, node);
	gate_leave(&fs->gate, &folder);
	gate_leave(&fs->gate, &linked);
	return code;
}

/* A link needs something in the store to link to. */
static int store_before_link(struct op *op, struct file *file)
{
	struct tree *tree = &op->fs->tree;
	bool unpublished;

	lock_take(&tree->lock);
	unpublished = file->node->flags & NODE_UNPUBLISHED;
	lock_drop(&tree->lock);
	return unpublished ? publish_wait(file, &op->context, &op->error)
			   : STORE_OK;
}

void fs_link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name)
{
	struct fuse_entry_param entry;
	struct node *node, *folder;
	struct file *file;
	struct op op;
	int code;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	folder = node_of(op.fs, parent);
	code = op_check_name(&op, name);
	if (!code)
		code = relocation_wait(&op, folder, name);
	file = file_find(op.fs, node);
	if (!code && file)
		code = store_before_link(&op, file);
	if (!code)
		code = link_node(&op, node, folder, name, &entry);
	file_put(file);
	if (code)
		op_error(&op, refuse(&op, code));
	else
		op_entry(&op, &entry);
}
