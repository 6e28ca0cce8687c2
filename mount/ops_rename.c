// SPDX-License-Identifier: MIT
/*
 * rename(2).  Called by the kernel's requests; calls the node tree, file.c
 * and the store.
 *
 * A file the store does not know yet is renamed in memory: its publish goes
 * to the new name, on condition of what stands there.  All others move in
 * the store; what is staged for them follows the node.
 */
#include "config.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>

#include "mount/answer.h"
#include "mount/commit.h"
#include "mount/foldertime.h"
#include "mount/ops_change.h"
#include "mount/place.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"

struct renaming {
	struct node *parent, *new_parent;
	const char *name, *new_name;
	unsigned int flags;
	struct victim source, target; /* target.node may be NULL */
	char from[STORE_KEY_MAX + 1], to[STORE_KEY_MAX + 1];
	struct name *spare; /* owned until the tree takes it */
	bool by_copies;	    /* what the store has, it cannot move in one step */
	bool folder;
	bool again; /* something has to be stored first */
};

static int rename_refused(struct op *op, int code, int errnum, const char *text)
{
	code = store_error_set(&op->error, code, "%s", text);
	op->error.detail = errnum;
	return code;
}

static bool rename_is_atomic(const struct fs *fs, bool folder)
{
	return fs_can(fs,
		      folder ? STORE_CAP_MOVE_FOLDER : STORE_CAP_ATOMIC_MOVE);
}

/* What this mount must not move by copies, mv(1) copies and deletes. */
static int rename_check(struct op *op, struct renaming *renaming)
{
	bool folder, over_folder;
	struct fs *fs = op->fs;

	lock_take(&fs->tree.lock);
	folder = renaming->source.node->type == STORE_TYPE_FOLDER;
	over_folder = renaming->target.node &&
		      renaming->target.node->type == STORE_TYPE_FOLDER;
	lock_drop(&fs->tree.lock);

	if (renaming->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return rename_refused(op, STORE_INVALID, EINVAL,
				      "unknown rename flags");
	if (over_folder && !(renaming->flags & RENAME_EXCHANGE) &&
	    folder_has_local(fs, renaming->target.node))
		return store_error_set(&op->error, STORE_NOT_EMPTY,
				       "%s: files in it are being written",
				       renaming->new_name);
	if ((renaming->flags & RENAME_EXCHANGE) &&
	    !fs_can(fs, STORE_CAP_EXCHANGE))
		return rename_refused(op, STORE_INVALID, EINVAL,
				      "the store cannot exchange names");
	if (rename_is_atomic(fs, folder) || (renaming->flags & RENAME_EXCHANGE))
		return STORE_OK;
	if (fs->options->rename_atomic)
		return rename_refused(op, STORE_INVALID, EXDEV,
				      "the store cannot move atomically");
	if (!relocation_is_possible(fs) &&
	    (folder || !fs_can(fs, STORE_CAP_MOVE)))
		return rename_refused(op, STORE_INVALID, EXDEV,
				      "the store cannot move that");
	renaming->by_copies = relocation_is_possible(fs);
	renaming->folder = folder;
	return STORE_OK;
}

static int rename_keys(struct op *op, struct renaming *renaming)
{
	int code = op_key(op, renaming->parent, renaming->name, renaming->from);

	if (!code)
		code = op_key(op, renaming->new_parent, renaming->new_name,
			      renaming->to);
	return code;
}

static void move_name(struct fs *fs, struct renaming *renaming)
{
	struct name *name;

	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, renaming->parent, renaming->name);
	if (name)
		tree_move_name(&fs->tree, name, renaming->new_parent,
			       steal_pointer(&renaming->spare));
	renaming->source.node->ctime = node_time_from(clock_now());
	lock_drop(&fs->tree.lock);
}

static void target_gone(struct fs *fs, const struct renaming *renaming)
{
	if (renaming->target.node &&
	    renaming->target.node != renaming->source.node)
		victim_gone(fs, &renaming->target);
}

/* ---- a file that only memory knows ---- */

/*
 * What cannot be noted does not take place; what is noted next, by a write
 * say, has the new name.
 */
static int retarget(struct op *op, struct renaming *renaming)
{
	struct file *file = renaming->source.file;
	struct place place = { .replaced = NULL };
	uint64_t replaced = 0;
	int code = place_find(op, file, renaming->from, renaming->to,
			      &renaming->target, &place);

	if (code)
		return code;
	if (renaming->target.node != renaming->source.node) {
		victim_keep(op, &renaming->target);
		replaced = commit_id(renaming->target.file);
	}
	lock_take(&file->lock);
	place_swap_locked(&place, file);
	lock_drop(&file->lock);
	answer_inherit(file, renaming->target.file);
	lock_take(&file->lock);
	code = commit_renamed_locked(file, renaming->to, replaced, &op->error);
	if (code)
		place_swap_locked(&place, file);
	else
		move_name(op->fs, renaming);
	lock_drop(&file->lock);
	place_release(op->fs, &place);
	if (code)
		return code;
	/* Its end has been noted. */
	if (replaced)
		commit_take_id(renaming->target.file);
	target_gone(op->fs, renaming);
	return STORE_OK;
}

/* ---- a file or folder of the store ---- */

static int target_prepare(struct op *op, const struct victim *target)
{
	int code = victim_prepare(op, target);

	if (!code && target->node->type == STORE_TYPE_FILE &&
	    (!target->file || file_opens_miss(op->fs)))
		file_keep_for_openers(op, target->node);
	return code;
}

/* Names in a folder go with it; what they are flushed by is its key. */
static int settle_below(struct op *op, const struct renaming *renaming)
{
	int code = commit_sync_names_below(op->fs, renaming->from, &op->error);

	if (!code && (renaming->flags & RENAME_EXCHANGE))
		code = commit_sync_names_below(op->fs, renaming->to,
					       &op->error);
	return code;
}

/* An answer that tells nothing, or none: where is it? */
static int find_moved(struct op *op, const struct renaming *renaming,
		      struct store_info *info, int code)
{
	struct store *store = op->fs->store;
	struct store_context context;
	struct store_info old;

	/* Whoever was interrupted has told the store all the same. */
	store_context_init(&context, op->fs->options->op_timeout_ns, NULL);
	if (store_stat(store, &context, renaming->from, &old, NULL) !=
		    STORE_NOT_FOUND ||
	    store_stat(store, &context, renaming->to, info, NULL))
		return code;
	store_error_clear(&op->error);
	return STORE_OK;
}

static int ask_to_move(struct op *op, const struct renaming *renaming,
		       unsigned int flags, struct store_info *info)
{
	int code = store_move(op->fs->store, &op->context, renaming->from,
			      renaming->to, flags, NULL, info, &op->error);

	if (op_is_in_doubt(code) && !(flags & STORE_MOVE_EXCHANGE))
		code = find_moved(op, renaming, info, code);
	commit_name_changed(op->fs, renaming->from, code);
	commit_name_changed(op->fs, renaming->to, code);
	return code;
}

static int move_in_store(struct op *op, struct renaming *renaming,
			 struct store_info *info)
{
	/* What the kernel does not know is not replaced. */
	unsigned int flags =
		renaming->target.node && !(renaming->flags & RENAME_NOREPLACE)
			? STORE_MOVE_OVERWRITE
			: 0;
	int code = STORE_OK;

	if (renaming->flags & RENAME_EXCHANGE)
		flags = STORE_MOVE_EXCHANGE;
	else if (renaming->target.node)
		code = target_prepare(op, &renaming->target);
	if (!code)
		code = keep_folder(op, renaming->parent);
	if (!code)
		code = settle_below(op, renaming);
	if (!code)
		code = ask_to_move(op, renaming, flags, info);
	/* Another client has made the name: look it up again. */
	if (code == STORE_EXISTS && !(renaming->flags & RENAME_NOREPLACE))
		code = store_error_set(&op->error, STORE_CHANGED,
				       "%s: exists by now", renaming->to);
	return code;
}

/*
 * The bytes are the same; the token may not be.  What another client has made
 * of it between look and move is no base of ours.
 */
static void follow(struct fs *fs, const struct victim *moved,
		   const struct store_info *info)
{
	if (!moved->current || !file_is_as_seen(&moved->seen, info, 0))
		return;
	lock_take(&fs->tree.lock);
	if (moved->node->flags & NODE_LOCAL)
		node_set_version(moved->node, &info->version);
	else if (moved->node->type == info->type)
		node_refresh(&fs->tree, moved->node, info);
	moved->node->flags &= (uint8_t)~NODE_STALE_PAGES;
	lock_drop(&fs->tree.lock);
	file_advance_base(fs, moved->node, info);
}

/* ---- memory ---- */

static void rename_in_memory(struct op *op, struct renaming *renaming)
{
	move_name(op->fs, renaming);
	target_gone(op->fs, renaming);
}

static void exchange_in_memory(struct op *op, struct renaming *renaming)
{
	struct tree *tree = &op->fs->tree;
	struct name *a, *b;

	lock_take(&tree->lock);
	a = tree_find_name(tree, renaming->parent, renaming->name);
	b = tree_find_name(tree, renaming->new_parent, renaming->new_name);
	if (a && b)
		tree_exchange_names(tree, a, b);
	lock_drop(&tree->lock);
}

/* ---- the whole ---- */

/*
 * The name goes over to bytes that may not be durable yet: those that had it
 * are, if they were acknowledged, and one of both must be.
 */
static int keep_before_replacing(struct op *op, const struct renaming *renaming)
{
	if (!commit_is_acknowledged(renaming->target.file) ||
	    commit_is_acknowledged(renaming->source.file))
		return STORE_OK;
	return commit_file(renaming->source.file, &op->context, &op->error);
}

static int rename_unpublished(struct op *op, struct renaming *renaming)
{
	int code;

	if (renaming->target.node && (renaming->flags & RENAME_NOREPLACE))
		return store_error_set(&op->error, STORE_EXISTS, "%s: exists",
				       renaming->new_name);
	code = keep_before_replacing(op, renaming);
	/* A record tells of its name: those before it are to be there. */
	if (!code && (commit_is_acknowledged(renaming->source.file) ||
		      commit_is_acknowledged(renaming->target.file)))
		code = commit_sync_names(op->fs, &op->error);
	if (!code)
		code = retarget(op, renaming);
	if (code)
		return code;
	lock_take(&op->fs->tree.lock);
	foldertime_touch(op->fs, renaming->parent);
	foldertime_touch(op->fs, renaming->new_parent);
	lock_drop(&op->fs->tree.lock);
	if (renaming->parent != renaming->new_parent)
		foldertime_left(op->fs, &op->context, renaming->parent);
	return STORE_OK;
}

/* Does the journal name a file that is moved, or moved over? */
static bool rename_is_noted(struct fs *fs, const struct renaming *renaming)
{
	if (renaming->flags & RENAME_EXCHANGE)
		return false; /* see rename_publish_both() */
	return (renaming->source.node->type == STORE_TYPE_FOLDER &&
		atomic_load(&fs->counters.dirty_files)) ||
	       commit_is_acknowledged(renaming->source.file) ||
	       commit_is_acknowledged(renaming->target.file);
}

/* What the journal is told of it. */
static struct commit_move move_of(const struct renaming *renaming)
{
	const struct victim *source = &renaming->source;

	return (struct commit_move){
		.from = renaming->from,
		.to = renaming->to,
		.seen = source->file && source->current ? &source->seen : NULL,
		.file = source->file,
		.replaced = commit_id(renaming->target.file),
	};
}

/* Before the store is asked. */
static int tell_moving(struct op *op, const struct renaming *renaming,
		       bool noted)
{
	struct commit_move move = move_of(renaming);
	int code = commit_sync_node(op->fs, renaming->source.node, &op->error);

	if (!code && renaming->target.node)
		code = commit_sync_node(op->fs, renaming->target.node,
					&op->error);
	if (!code && noted)
		code = commit_moving(op->fs, &move, &op->error);
	return code;
}

/*
 * The move must be as durable as the record that tells of it: what cannot be
 * told yet keeps everything back that would come after it.
 */
static void flush_move(struct fs *fs, const struct renaming *renaming)
{
	struct store_error error = STORE_ERROR_INIT;

	if (!commit_sync_names(fs, &error))
		return;
	log_warn("%s: its new name is not flushed yet: %s", renaming->to,
		 error.message);
	commit_await_names(fs);
}

/* It has: memory and the journal follow. */
static void accept_move(struct op *op, struct renaming *renaming, bool noted)
{
	struct commit_move move = move_of(renaming);

	move.done = true;
	if (noted)
		flush_move(op->fs, renaming);
	if (noted && move.replaced)
		commit_take_id(renaming->target.file);
	rename_in_memory(op, renaming);
	if (noted)
		commit_moved(op->fs, &move);
}

static int accept_exchange(struct op *op, struct renaming *renaming)
{
	struct store_info info;
	/* The other one's token may have changed as well. */
	int code = store_stat(op->fs->store, &op->context, renaming->from,
			      &info, &op->error);

	if (!code)
		follow(op->fs, &renaming->target, &info);
	exchange_in_memory(op, renaming);
	return code;
}

/* The store moves it, between two records where the journal needs them. */
static int rename_published(struct op *op, struct renaming *renaming)
{
	bool exchange = renaming->flags & RENAME_EXCHANGE;
	bool noted = rename_is_noted(op->fs, renaming);
	struct store_info info;
	int code;

	victim_look(op, &renaming->source, renaming->from);
	if (exchange)
		victim_look(op, &renaming->target, renaming->to);
	code = tell_moving(op, renaming, noted);
	if (code)
		return code;
	code = move_in_store(op, renaming, &info);
	if (code) {
		const struct commit_move move = move_of(renaming);

		if (noted)
			commit_moved(op->fs, &move);
		return code;
	}
	follow(op->fs, &renaming->source, &info);
	if (exchange)
		return accept_exchange(op, renaming);
	accept_move(op, renaming, noted);
	return STORE_OK;
}

/* ---- what an exchange finds in the store ---- */

struct unstored {
	struct op *op;
	const struct renaming *renaming;
	bool wait; /* until it is in the store */
	bool found;
	int code;
};

/* Is it one of both, and nowhere but here, or below, and in the journal? */
static bool hinders_exchange(const struct unstored *look, struct file *file)
{
	const struct victim *both[] = { &look->renaming->source,
					&look->renaming->target };
	struct fs *fs = look->op->fs;
	bool hinders = false, acknowledged = commit_is_acknowledged(file);

	for (int i = 0; i < 2; i++) {
		lock_take(&fs->tree.lock);
		hinders |= acknowledged &&
			   node_is_below(file->node, both[i]->node);
		lock_drop(&fs->tree.lock);
		hinders |= both[i]->file == file &&
			   victim_is_unpublished(fs, both[i]);
	}
	return hinders;
}

static void look_at_unstored(void *arg, struct file *file)
{
	struct unstored *look = arg;

	if (look->code || !hinders_exchange(look, file))
		return;
	look->found = true;
	if (look->wait)
		look->code = publish_wait(file, &look->op->context,
					  &look->op->error);
}

/*
 * An exchange needs both names in the store; and it is not noted, so that the
 * journal must not know of anything at either name or below.
 */
static int rename_publish_both(struct op *op, const struct renaming *renaming)
{
	struct unstored look = { .op = op, .renaming = renaming, .wait = true };

	publish_each(op->fs, look_at_unstored, &look);
	return look.code;
}

/* While it is held: has any come since? */
static bool is_unstored(struct op *op, const struct renaming *renaming)
{
	struct unstored look = { .op = op, .renaming = renaming };

	publish_each(op->fs, look_at_unstored, &look);
	return look.found;
}

/*
 * A name that exclusive=open has taken in the store moves there, and must not
 * show others an empty file in the place of one that has content.
 */
static int rename_publish_first(struct op *op, const struct renaming *renaming)
{
	struct file *file = renaming->source.file;
	bool waits;

	if (!file)
		return STORE_OK;
	lock_take(&file->lock);
	waits = file->dirty && file->reserved;
	lock_drop(&file->lock);
	return waits ? publish_wait(file, &op->context, &op->error) : STORE_OK;
}

static int rename_held(struct op *op, struct renaming *renaming)
{
	int code = rename_keys(op, renaming);

	if (code)
		return code;
	renaming->again = (renaming->flags & RENAME_EXCHANGE) &&
			  is_unstored(op, renaming);
	if (renaming->again)
		return STORE_OK;
	answer_look(op, renaming->source.file, renaming->from);
	answer_look(op, renaming->target.file, renaming->to);
	renaming->spare = tree_new_name(renaming->new_name);
	if (!renaming->spare)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a name");
	if (victim_is_unpublished(op->fs, &renaming->source) &&
	    renaming->source.file) {
		renaming->by_copies = false;
		return rename_unpublished(op, renaming);
	}
	return renaming->by_copies ? STORE_OK : rename_published(op, renaming);
}

static int rename_by_copies(struct op *op, const struct renaming *renaming)
{
	const struct relocation_request request = {
		.parent = renaming->parent,
		.new_parent = renaming->new_parent,
		.name = renaming->name,
		.new_name = renaming->new_name,
		.source = &renaming->source,
		.target = &renaming->target,
		.replace = !(renaming->flags & RENAME_NOREPLACE),
	};

	return relocation_rename(op, &request);
}

/* With the passes that it takes. */
static int rename_passing(struct op *op, struct renaming *renaming)
{
	struct gate_pass movers = { .nodes = { renaming->source.node,
					       renaming->target.node },
				    .exclusive = true,
				    .hurry = true };
	struct gate_pass folders = { .nodes = { renaming->parent,
						renaming->new_parent } };
	int code = gate_enter(&op->fs->gate, &movers, &op->context, &op->error);

	if (!code)
		code = gate_enter(&op->fs->gate, &folders, &op->context,
				  &op->error);
	if (!code) {
		victim_refresh(op->fs, &renaming->source);
		victim_refresh(op->fs, &renaming->target);
		victim_begin(op->fs, &renaming->source);
		victim_begin(op->fs, &renaming->target);
		code = rename_held(op, renaming);
		victim_end(op->fs, &renaming->source);
		victim_end(op->fs, &renaming->target);
	}
	gate_leave(&op->fs->gate, &folders);
	gate_leave(&op->fs->gate, &movers);
	return code;
}

static int rename_exchange(struct op *op, struct renaming *renaming)
{
	int code;

	if (!renaming->target.node)
		return store_error_set(&op->error, STORE_NOT_FOUND,
				       "nothing to exchange with");
	do {
		code = rename_publish_both(op, renaming);
		if (!code)
			code = rename_passing(op, renaming);
		if (!code && renaming->again)
			code = store_context_check(&op->context, &op->error);
	} while (!code && renaming->again);
	return code;
}

static int rename_run(struct op *op, struct renaming *renaming)
{
	int code = rename_check(op, renaming);

	if (!code)
		code = relocation_wait(op, renaming->new_parent,
				       renaming->new_name);
	if (!code && (renaming->flags & RENAME_EXCHANGE))
		return rename_exchange(op, renaming);
	if (!code)
		code = rename_publish_first(op, renaming);
	/* A folder is in the store; a file may be here only. */
	if (!code && !(renaming->by_copies && renaming->folder))
		code = rename_passing(op, renaming);
	if (!code && renaming->by_copies)
		code = rename_by_copies(op, renaming);
	return code;
}

void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	struct renaming *renaming;
	struct op op;
	int code;

	op_begin(&op, request);
	renaming = calloc(1, sizeof(*renaming));
	if (!renaming) {
		op_error(&op, STORE_NO_MEMORY);
		return;
	}
	renaming->parent = node_of(op.fs, parent);
	renaming->new_parent = node_of(op.fs, new_parent);
	renaming->name = name;
	renaming->new_name = new_name;
	renaming->flags = flags;
	code = op_check_name(&op, new_name);
	if (!code &&
	    !victim_find(op.fs, renaming->parent, name, &renaming->source))
		code = store_error_set(&op.error, STORE_CHANGED,
				       "%s: no longer known", name);
	if (!code) {
		victim_find(op.fs, renaming->new_parent, new_name,
			    &renaming->target);
		code = rename_run(&op, renaming);
	}
	if (!code) {
		foldertime_changed(op.fs, &op.context, renaming->parent);
		foldertime_changed(op.fs, &op.context, renaming->new_parent);
	}
	victim_release(op.fs, &renaming->source);
	victim_release(op.fs, &renaming->target);
	free(renaming->spare);
	free(renaming);
	op_error(&op, code);
}
