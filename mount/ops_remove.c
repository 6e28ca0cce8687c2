// SPDX-License-Identifier: MIT
/*
 * unlink and rmdir.  Called by the kernel's requests; calls the node tree,
 * file.c and the store.
 *
 * An exclusive pass on the node waits for a publish that runs and keeps the
 * next one out, so a removed file never comes back by a late upload.
 */
#include "config.h"

#include <errno.h>

#include "mount/answer.h"
#include "mount/commit.h"
#include "mount/foldertime.h"
#include "mount/ops_change.h"
#include "mount/publish.h"
#include "src/base/clock.h"
#include "src/base/log.h"

/* What was done is asked for, but not for long: an interrupt has 1 s in all. */
#define ASK_NS (250 * NS_PER_MS)

bool victim_find(struct fs *fs, struct node *parent, const char *text,
		 struct victim *victim)
{
	struct name *name;

	*victim = (struct victim){ 0 };
	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, parent, text);
	if (name) {
		victim->node = name->node;
		node_ref(&fs->tree, victim->node);
	}
	lock_drop(&fs->tree.lock);
	if (victim->node)
		victim->file = file_find(fs, victim->node);
	return victim->node;
}

void victim_refresh(struct fs *fs, struct victim *victim)
{
	if (victim->node && !victim->file)
		victim->file = file_find(fs, victim->node);
}

void victim_look(struct op *op, struct victim *victim, const char *key)
{
	victim->current = file_base_is_current(victim->file, &op->context, key,
					       &victim->seen);
}

void victim_release(struct fs *fs, struct victim *victim)
{
	file_put(victim->file);
	if (!victim->node)
		return;
	lock_take(&fs->tree.lock);
	node_unref(&fs->tree, victim->node);
	lock_drop(&fs->tree.lock);
}

bool victim_is_unpublished(struct fs *fs, const struct victim *victim)
{
	bool unpublished;

	if (!victim->node)
		return false;
	lock_take(&fs->tree.lock);
	unpublished = victim->node->flags & NODE_UNPUBLISHED;
	lock_drop(&fs->tree.lock);
	return unpublished;
}

bool victim_in_store(struct fs *fs, const struct victim *victim)
{
	bool exists;

	if (!victim_is_unpublished(fs, victim) || !victim->file)
		return true;
	lock_take(&victim->file->lock);
	exists = victim->file->base_exists;
	lock_drop(&victim->file->lock);
	return exists;
}

int victim_prepare(struct op *op, const struct victim *victim)
{
	bool open;
	int code;

	if (!victim->file || victim_is_unpublished(op->fs, victim))
		return STORE_OK;
	lock_take(&victim->file->lock);
	open = victim->file->handles;
	lock_drop(&victim->file->lock);
	if (!open)
		return STORE_OK;
	code = file_hold_base(op, victim->file);
	if (!code)
		code = file_hold_xattrs(op, victim->file);
	/*
	 * What this driver may not read, its handles could not have read either;
	 * who may write a folder may remove such a file.
	 */
	if (code == STORE_DENIED) {
		store_error_clear(&op->error);
		code = STORE_OK;
	}
	return code;
}

void victim_keep(struct op *op, const struct victim *victim)
{
	if (victim->node && victim->node->type == STORE_TYPE_FILE &&
	    file_opens_miss(op->fs))
		file_keep_for_openers(op, victim->node);
}

void victim_begin(struct fs *fs, const struct victim *victim)
{
	if (victim->node)
		node_begin_change(&fs->tree, victim->node);
}

void victim_end(struct fs *fs, const struct victim *victim)
{
	if (victim->node)
		node_end_change(&fs->tree, victim->node);
}

void victim_gone(struct fs *fs, const struct victim *victim)
{
	struct node *node = victim->node;
	bool unlinked;

	lock_take(&fs->tree.lock);
	if (node->links)
		node->links--;
	node->ctime = node_time_from(clock_now());
	unlinked = !node->names;
	lock_drop(&fs->tree.lock);
	if (!victim->file || !unlinked)
		return;
	/* Handles go on with what is staged; nothing is to be published. */
	lock_take(&victim->file->lock);
	file_clean_locked(victim->file);
	lock_drop(&victim->file->lock);
}

/* There already, to whoever makes one; attributes are what gives it an object. */
static int mark_folder(struct op *op, const char *key)
{
	const struct store_attributes now = {
		.mask = STORE_ATTR_MTIME,
		.mtime = clock_now(),
	};
	int code = store_set_attributes(op->fs->store, &op->context, key, &now,
					NULL, &op->error);

	/* Removed by others meanwhile. */
	return code == STORE_NOT_FOUND ? STORE_OK : code;
}

int keep_folder(struct op *op, struct node *folder)
{
	char key[STORE_KEY_MAX + 1];
	bool implicit;
	int code;

	lock_take(&op->fs->tree.lock);
	implicit = folder->flags & NODE_IMPLICIT;
	lock_drop(&op->fs->tree.lock);
	if (!implicit || folder == op->fs->tree.root)
		return STORE_OK;
	code = op_key(op, folder, NULL, key);
	if (code)
		return code;
	code = fs_can(op->fs, STORE_CAP_MARKERS)
		       ? mark_folder(op, key)
		       : store_make_folder(op->fs->store, &op->context, key,
					   NULL, NULL, &op->error);
	commit_name_changed(op->fs, key, code);
	if (code == STORE_EXISTS)
		code = STORE_OK;
	if (code)
		return code;
	lock_take(&op->fs->tree.lock);
	folder->flags &= (uint8_t)~NODE_IMPLICIT;
	lock_drop(&op->fs->tree.lock);
	return STORE_OK;
}

/* ---- unlink ---- */

/* Other names of a dirty file shall have its bytes. */
static int publish_for_links(struct op *op, const struct victim *victim)
{
	bool linked;

	if (!victim->file)
		return STORE_OK;
	lock_take(&op->fs->tree.lock);
	linked = victim->node->links > 1;
	lock_drop(&op->fs->tree.lock);
	if (!linked)
		return STORE_OK;
	return publish_wait(victim->file, &op->context, &op->error);
}

/* Then it is shown here, whether or not the store still has a version. */
static bool victim_is_dirty(const struct victim *victim)
{
	bool dirty;

	if (!victim->file)
		return false;
	lock_take(&victim->file->lock);
	dirty = victim->file->dirty;
	lock_drop(&victim->file->lock);
	return dirty;
}

/* It keeps its name, but its base may have gone. */
static void base_may_have_gone(struct file *file)
{
	if (!file)
		return;
	lock_take(&file->lock);
	file->base_goes |= file->dirty && file->base_exists;
	lock_drop(&file->lock);
}

/* An answer that was lost or not waited for: the store tells what it has. */
static int unlink_ask(struct op *op, const struct victim *victim,
		      const char *key, int code)
{
	struct store_context context;
	struct store_info info;

	if (!answer_leaves_doubt(code))
		return code;
	store_context_init(&context, 0, NULL);
	context.deadline_ns = clock_monotonic_ns() + ASK_NS;
	if (store_stat(op->fs->store, &context, key, &info, NULL) ==
	    STORE_NOT_FOUND)
		return STORE_OK;
	base_may_have_gone(victim->file);
	return code;
}

/* A record of the file as it is ends what the journal has of its removal. */
static void removal_refused(struct fs *fs, struct file *file)
{
	struct store_error error = STORE_ERROR_INIT;

	lock_take(&file->lock);
	commit_note_attributes_locked(file);
	lock_drop(&file->lock);
	if (commit_sync_notes(fs, &error))
		log_warn("%s: that it was not removed may be forgotten: %s",
			 file->name_hint, error.message);
}

static int unlink_in_store(struct op *op, struct node *parent, const char *name,
			   const struct victim *victim)
{
	char key[STORE_KEY_MAX + 1];
	uint64_t noted = commit_id(victim->file);
	int code = victim_prepare(op, victim);

	if (!code)
		victim_keep(op, victim);
	if (!code)
		code = keep_folder(op, parent);
	if (!code)
		code = op_key(op, parent, name, key);
	if (!code)
		code = commit_sync_node(op->fs, victim->node, &op->error);
	if (!code && noted)
		code = commit_removing(op->fs, key, noted, &op->error);
	if (code)
		return code;
	code = store_delete(op->fs->store, &op->context, key,
			    victim_is_dirty(victim), &op->error);
	code = unlink_ask(op, victim, key, code);
	commit_name_changed(op->fs, key, code);
	if (code && noted && !answer_leaves_doubt(code))
		removal_refused(op->fs, victim->file);
	if (code || !noted)
		return code;
	/* The removal must be as durable as the record that tells of it. */
	code = commit_sync_names(op->fs, &op->error);
	if (code)
		base_may_have_gone(victim->file);
	return code;
}

static int unlink_unstored(struct op *op, const struct victim *victim)
{
	victim_keep(op, victim);
	return commit_drop(victim->file, &op->error);
}

static void unlink_in_memory(struct fs *fs, struct node *parent,
			     const char *text, const struct victim *victim,
			     bool touched)
{
	struct name *name;

	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, parent, text);
	if (name && name->node == victim->node)
		tree_drop_name(&fs->tree, name);
	if (touched)
		foldertime_touch(fs, parent);
	lock_drop(&fs->tree.lock);
	if (victim->node)
		victim_gone(fs, victim);
}

void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	char key[STORE_KEY_MAX + 1];
	struct victim victim;
	struct gate_pass pass;
	struct node *folder;
	struct op op;
	bool stored = true;
	int code;

	op_begin(&op, request);
	folder = node_of(op.fs, parent);
	pass = (struct gate_pass){ .nodes = { folder } };
	if (victim_find(op.fs, folder, name, &victim))
		pass = (struct gate_pass){ .nodes = { victim.node },
					   .exclusive = true };
	pass.hurry = pass.exclusive;
	code = publish_for_links(&op, &victim);
	if (!code)
		code = gate_enter(&op.fs->gate, &pass, &op.context, &op.error);
	if (!code) {
		victim_refresh(op.fs, &victim);
		if (!op_key(&op, folder, name, key))
			answer_look(&op, victim.file, key);
		stored = victim_in_store(op.fs, &victim);
		victim_begin(op.fs, &victim);
		code = stored ? unlink_in_store(&op, folder, name, &victim)
			      : unlink_unstored(&op, &victim);
		if (!code)
			unlink_in_memory(op.fs, folder, name, &victim, !stored);
		if (!code && !stored)
			foldertime_left(op.fs, &op.context, folder);
		victim_end(op.fs, &victim);
	}
	if (!code)
		foldertime_changed(op.fs, &op.context, folder);
	gate_leave(&op.fs->gate, &pass);
	victim_release(op.fs, &victim);
	op_error(&op, code);
}

/* ---- rmdir ---- */

struct child_search {
	const struct node *folder;
	bool found;
};

static void child_check(void *arg, struct file *file)
{
	struct child_search *search = arg;
	struct tree *tree = &file->fs->tree;
	const struct name *name;

	lock_take(&tree->lock);
	for (name = file->node->names; name; name = name->alias)
		if (name->parent == search->folder)
			search->found = true;
	lock_drop(&tree->lock);
}

bool folder_has_local(struct fs *fs, const struct node *folder)
{
	struct child_search search = { .folder = folder };

	if (atomic_load(&fs->counters.dirty_files))
		publish_each(fs, child_check, &search);
	return search.found;
}

static int rmdir_in_store(struct op *op, struct node *parent, const char *name,
			  const struct victim *victim)
{
	struct store_delete_folder_options options = { .recursive = false };
	char key[STORE_KEY_MAX + 1];
	int code;

	if (victim->node && folder_has_local(op->fs, victim->node))
		return store_error_set(&op->error, STORE_NOT_EMPTY,
				       "%s: files in it are being written",
				       name);
	code = keep_folder(op, parent);
	if (!code)
		code = op_key(op, parent, name, key);
	if (!code)
		code = commit_sync_calls(op->fs, &op->error);
	if (code)
		return code;
	code = store_delete_folder(op->fs->store, &op->context, key, &options,
				   &op->error);
	if (code)
		commit_name_changed(op->fs, key, code);
	else
		commit_folder_gone(op->fs, key);
	return code;
}

/*
 * Without victim_begin(): what a look at the folder brings meanwhile changes
 * no base, and goes with the name; later ones find that it was lost since.
 */
void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct victim victim;
	struct gate_pass pass;
	struct node *folder;
	struct op op;
	int code;

	op_begin(&op, request);
	folder = node_of(op.fs, parent);
	pass = (struct gate_pass){ .nodes = { folder } };
	if (victim_find(op.fs, folder, name, &victim))
		pass = (struct gate_pass){ .nodes = { victim.node },
					   .exclusive = true };
	code = gate_enter(&op.fs->gate, &pass, &op.context, &op.error);
	if (!code)
		code = rmdir_in_store(&op, folder, name, &victim);
	if (!code)
		unlink_in_memory(op.fs, folder, name, &victim, false);
	if (!code)
		foldertime_changed(op.fs, &op.context, folder);
	gate_leave(&op.fs->gate, &pass);
	victim_release(op.fs, &victim);
	op_error(&op, code);
}
