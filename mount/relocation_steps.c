// SPDX-License-Identifier: MIT
/*
 * The steps of one rename by copies; see relocation.h.  Called by
 * relocation.c from the rename's own thread, and by recovery; calls
 * relocation_check.c, walk.c, carry.c and commit_copies.c.
 *
 * The passes of the gate are held from begin to end.  While the store copies
 * or removes, those who look may pass; they are kept out for the moment in
 * which names, bases and records change together.
 */
#include "config.h"

#include "mount/relocation_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mount/answer.h"
#include "mount/commit.h"
#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/random.h"
#include "src/base/step.h"
#include "src/key.h"

static void new_context(struct relocation *one, struct store_cancel *cancel)
{
	store_context_init(&one->op.context, one->fs->options->op_timeout_ns,
			   cancel);
}

/* ---- R1 ---- */

static int enter_gate(struct relocation *one)
{
	struct op *op = &one->op;
	struct gate *gate = &one->fs->gate;
	int code;

	one->movers = (struct gate_pass){ .nodes = { one->source.node,
						     one->target.node },
					  .exclusive = true,
					  .open = true,
					  .hurry = true };
	one->folders =
		(struct gate_pass){ .nodes = { one->parent, one->new_parent } };
	code = gate_enter(gate, &one->movers, &op->context, &op->error);
	return code ? code
		    : gate_enter(gate, &one->folders, &op->context, &op->error);
}

/* Are the names still those of the nodes? */
static int check_tree(struct relocation *one)
{
	struct tree *tree = &one->fs->tree;
	const struct name *from, *to;
	bool same;

	lock_take(&tree->lock);
	from = tree_find_name(tree, one->parent, one->name);
	to = tree_find_name(tree, one->new_parent, one->new_name);
	same = from && from->node == one->source.node &&
	       (to ? to->node : NULL) == one->target.node;
	lock_drop(&tree->lock);
	return same ? STORE_OK
		    : store_error_set(&one->op.error, STORE_CHANGED,
				      "%s: is another file by now", one->name);
}

static int take_key(struct relocation *one, const struct node *parent,
		    const char *name, char **key)
{
	char text[STORE_KEY_MAX + 1];
	int code = op_key(&one->op, parent, name, text);

	if (code)
		return code;
	*key = strdup(text);
	return *key ? STORE_OK
		    : store_error_set(&one->op.error, STORE_NO_MEMORY,
				      "no memory for a key");
}

static bool file_is_below(const struct relocation *one, struct file *file)
{
	struct tree *tree = &one->fs->tree;
	bool below;

	lock_take(&tree->lock);
	below = node_is_below(file->node, one->source.node);
	lock_drop(&tree->lock);
	return below;
}

/* A put without an answer has arrived before the copy, or will not count. */
static void look_for_put(void *arg, struct file *file)
{
	struct relocation *one = arg;
	char key[STORE_KEY_MAX + 1];

	if (file_is_below(one, file) &&
	    !op_key(&one->op, file->node, NULL, key))
		answer_look_stored(&one->op, file, key);
}

static int prepare(struct relocation *one)
{
	struct op *op = &one->op;
	struct fs *fs = one->fs;
	int code = STORE_OK;

	if (atomic_load(&fs->counters.dirty_files))
		publish_each(fs, look_for_put, one);
	new_context(one, one->cancel);
	if (one->record.over)
		code = victim_prepare(op, &one->target);
	if (!code && one->record.over)
		victim_keep(op, &one->target);
	if (!code)
		code = keep_folder(op, one->parent);
	if (!code)
		code = commit_sync_node(fs, one->source.node, &op->error);
	if (!code && one->target.node)
		code = commit_sync_node(fs, one->target.node, &op->error);
	return code;
}

static void set_up_carry(struct relocation *one)
{
	one->carry = (struct carry){
		.fs = one->fs,
		.from = one->record.from,
		.to = one->record.to,
		.id = one->record.id,
		.cancel = one->cancel,
		.over = one->record.over && !one->record.folder,
		.replaced = one->target_info.version,
		.recovers = one->resumed,
		.seen = one->seen,
	};
}

static int check_names(struct relocation *one)
{
	int code = check_tree(one);

	if (!code)
		code = take_key(one, one->parent, one->name, &one->record.from);
	if (!code)
		code = take_key(one, one->new_parent, one->new_name,
				&one->record.to);
	if (!code)
		code = relocation_check_source(one);
	return code ? code : relocation_check_target(one);
}

int relocation_begin(struct relocation *one)
{
	int code;

	new_context(one, one->cancel);
	code = enter_gate(one);
	if (code)
		return code;
	one->entered = true;
	new_context(one, one->cancel);
	victim_refresh(one->fs, &one->source);
	victim_refresh(one->fs, &one->target);
	victim_begin(one->fs, &one->source);
	victim_begin(one->fs, &one->target);
	code = check_names(one);
	if (!code)
		code = prepare(one);
	if (code)
		return code;
	one->record.id = random_number();
	set_up_carry(one);
	if (!one->record.over)
		relocation_hide(one, one->new_parent, one->new_name);
	one->noted = true;
	return commit_copying(one->fs, &one->record, &one->op.error);
}

int relocation_take_up(struct relocation *one,
		       const struct record_copies *copies)
{
	int code;

	one->record = *copies;
	one->record.from = strdup(copies->from);
	one->record.to = strdup(copies->to);
	if (!one->record.from || !one->record.to)
		return store_error_set(&one->op.error, STORE_NO_MEMORY,
				       "no memory for a key");
	new_context(one, one->stop);
	code = enter_gate(one);
	if (code)
		return code;
	one->resumed = one->noted = true;
	one->switched = one->kept = copies->copied;
	set_up_carry(one);
	if (one->switched)
		relocation_hide(one, one->parent, one->name);
	else if (!one->record.over)
		relocation_hide(one, one->new_parent, one->new_name);
	return STORE_OK;
}

/* ---- R2 ---- */

static int walk_copy(struct walk *walk, const char *name,
		     const struct store_info *info, struct store_error *error)
{
	return carry_copy(walk->arg, name, info, error);
}

static int walk_enter(struct walk *walk, const char *name,
		      const struct store_info *info, struct store_error *error)
{
	(void)info;
	return carry_enter(walk->arg, name, error);
}

static int walk_leave(struct walk *walk, const char *name,
		      const struct store_info *info, struct store_error *error)
{
	(void)info;
	return carry_leave(walk->arg, name, error);
}

/*
 * The file is there once and for all if its copy is, whoever failed to tell:
 * what it has replaced cannot be had back.
 */
static int copy_arrived(struct relocation *one, int code)
{
	struct store_error error = STORE_ERROR_INIT;
	struct carry carry = one->carry;
	bool arrived = false;

	carry.cancel = one->stop;
	if (!one->record.over || carry_has_arrived(&carry, &arrived, &error) ||
	    !arrived)
		return code;
	store_error_clear(&one->op.error);
	return STORE_OK;
}

/* There is no way back, also for somebody who was told otherwise. */
static void take_arrived(struct relocation *one)
{
	one->arrived = one->record.over && !one->record.folder;
	if (one->arrived)
		(void)relocation_bind(one);
}

int relocation_copy(struct relocation *one)
{
	struct walk walk = {
		.fs = one->fs,
		.folder = one->record.from,
		.cancel = one->cancel,
		.entry = walk_copy,
		.enter = walk_enter,
		.leave = walk_leave,
		.arg = &one->carry,
	};
	int code;

	if (one->record.folder)
		return walk_run(&walk, &one->op.error);
	code = carry_copy(&one->carry, "", &one->info, &one->op.error);
	if (code)
		code = copy_arrived(one, code);
	if (!code)
		take_arrived(one);
	return code;
}

/* ---- R3 ---- */

/* A file in use, whose base is under another name now. */
struct follower {
	struct file *file; /* a reference */
	struct store_version was;
	struct store_info info; /* of the copy */
	bool follows;
};

struct followers {
	struct relocation *one;
	struct follower *list;
	size_t count, room;
	bool failed;
};

static void follower_add(void *arg, struct node *node)
{
	struct followers *all = arg;

	if (!node->file || all->failed)
		return;
	if (all->count == all->room) {
		size_t room = all->room ? all->room * 2 : 16;
		struct follower *list =
			reallocarray(all->list, room, sizeof(*list));

		all->failed = !list;
		if (!list)
			return;
		all->list = list;
		all->room = room;
	}
	all->list[all->count++] = (struct follower){ .file = node->file };
	node->file->references++;
}

static int followers_find(struct relocation *one, struct followers *all)
{
	struct tree *tree = &one->fs->tree;

	*all = (struct followers){ .one = one };
	lock_take(&tree->lock);
	follower_add(all, one->source.node);
	if (one->record.folder)
		tree_visit_below(tree, one->source.node, follower_add, all);
	lock_drop(&tree->lock);
	return all->failed ? store_error_set(&one->op.error, STORE_NO_MEMORY,
					     "no memory for files in use")
			   : STORE_OK;
}

static void followers_release(struct followers *all)
{
	for (size_t i = 0; i < all->count; i++)
		file_put(all->list[i].file);
	free(all->list);
}

/* Is its base what was copied?  Else it stays, and a put is a conflict. */
static int follow(struct relocation *one, struct follower *follower)
{
	struct file *file = follower->file;
	char key[STORE_KEY_MAX + 1], moved[STORE_KEY_MAX + 1];
	enum carry_target target;
	struct op *op = &one->op;
	bool exists;
	int code = op_key(op, file->node, NULL, key);

	lock_take(&file->lock);
	exists = file->base_exists;
	follower->was = file->base;
	lock_drop(&file->lock);
	if (!code && exists)
		code = key_join_into(one->record.to,
				     key_relative(key, one->record.from), moved,
				     sizeof(moved), &op->error);
	if (!code && exists)
		code = carry_look(&one->carry, moved, &follower->was, &target,
				  &follower->info, &op->error);
	if (code || !exists)
		return code;
	follower->follows = target == CARRY_SAME;
	return STORE_OK;
}

static void rebase_locked(struct file *file, const struct store_version *base)
	REQUIRES(file->lock)
{
	file->base = *base;
	file->epoch++;
	/* It would read under the old name. */
	if (!fs_can(file->fs, STORE_CAP_PINNED_READ))
		file_drop_reader_locked(file);
}

static void followers_rebase(struct followers *all, bool back)
{
	for (size_t i = 0; i < all->count; i++) {
		struct follower *one = &all->list[i];

		if (!one->follows)
			continue;
		lock_take(&one->file->lock);
		rebase_locked(one->file, back ? &one->was : &one->info.version);
		lock_drop(&one->file->lock);
	}
}

static uint64_t replaced_id(struct relocation *one)
{
	struct file *file = one->target.file;
	uint64_t id;

	if (!file)
		return 0;
	lock_take(&file->lock);
	id = file->note.acknowledged ? file->note.id : 0;
	lock_drop(&file->lock);
	return id;
}

static int note_copied(struct relocation *one, struct followers *all)
{
	CLEANUP_FREE struct commit_rebased *rebased =
		calloc(all->count + 1, sizeof(*rebased));
	uint64_t position;
	size_t count = 0;

	if (!rebased)
		return store_error_set(&one->op.error, STORE_NO_MEMORY,
				       "no memory for files in use");
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].follows)
			rebased[count++].file = all->list[i].file;
	return commit_copied(one->fs, &one->record, rebased, count,
			     replaced_id(one), &position, &one->op.error);
}

/* What memory knows of versions is of the old name.  Under the tree's lock. */
static void forget_version(void *arg, struct node *node) NO_THREAD_SAFETY
{
	struct tree *tree = arg;

	node->checked_ns = clock_monotonic_ns();
	node->sure = false;
	if (node->file)
		return;
	free(node->version);
	node->version = NULL;
	if (node->type != STORE_TYPE_FOLDER)
		node_set_identity(tree, node, 0);
}

static void switch_names(struct relocation *one, struct followers *all)
{
	struct fs *fs = one->fs;
	struct tree *tree = &fs->tree;
	struct name *name;

	lock_take(&tree->lock);
	name = tree_find_name(tree, one->parent, one->name);
	if (name)
		tree_move_name(tree, name, one->new_parent,
			       steal_pointer(&one->spare));
	one->source.node->ctime = node_time_from(clock_now());
	forget_version(tree, one->source.node);
	if (one->record.folder)
		tree_visit_below(tree, one->source.node, forget_version, tree);
	for (size_t i = 0; i < all->count; i++) {
		const struct follower *follower = &all->list[i];

		if (!follower->follows)
			continue;
		node_set_version(follower->file->node, &follower->info.version);
		node_set_identity(tree, follower->file->node,
				  follower->info.node);
	}
	lock_drop(&tree->lock);
	if (one->target.node && one->target.node != one->source.node) {
		commit_take_id(one->target.file);
		victim_gone(fs, &one->target);
	}
}

static int switch_closed(struct relocation *one)
{
	struct followers all;
	int code;

	atomic_fetch_add(&one->fs->switches, 1);
	code = followers_find(one, &all);
	for (size_t i = 0; i < all.count && !code; i++)
		code = follow(one, &all.list[i]);
	if (!code && !relocation_bind(one) && !one->arrived)
		code = store_error_set(&one->op.error, STORE_CANCELLED, "%s",
				       store_code_text(STORE_CANCELLED));
	if (!code) {
		followers_rebase(&all, false);
		code = note_copied(one, &all);
		if (code)
			followers_rebase(&all, true);
	}
	if (!code) {
		one->record.copied = one->switched = true;
		switch_names(one, &all);
		relocation_hide(one, one->parent, one->name);
	}
	atomic_fetch_add(&one->fs->switches, 1);
	followers_release(&all);
	return code;
}

static int switch_over(struct relocation *one)
{
	struct op *op = &one->op;
	struct gate *gate = &one->fs->gate;
	int code;

	/* From here on it is quicker to go on than to go back. */
	new_context(one, one->stop);
	one->carry.cancel = one->stop;
	code = gate_close(gate, &one->movers, &op->context, &op->error);
	if (code)
		return code;
	code = switch_closed(one);
	gate_reopen(gate, &one->movers);
	return code;
}

int relocation_switch(struct relocation *one)
{
	int code = STORE_OK;

	new_context(one, one->cancel);
	if (!one->arrived)
		code = store_context_check(&one->op.context, &one->op.error);
	return code ? code : switch_over(one);
}

/* As long as it takes; false when the mount ends before. */
static bool flush_patiently(struct relocation *one)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;

	while (commit_sync(one->fs, &error)) {
		log_warn("%s: renamed to %s, and not noted yet: %s",
			 one->record.from, one->record.to, error.message);
		store_context_init(&context, 0, one->stop);
		if (store_context_sleep(&context, NS_PER_SEC, NULL))
			return false;
	}
	return true;
}

bool relocation_keep(struct relocation *one)
{
	one->kept =
		!STEP_WANTED("copies: flush copied") || flush_patiently(one);
	STEP("copies: copied");
	return one->kept;
}

/* ---- R4, and back ---- */

int relocation_clear(struct relocation *one)
{
	int code;

	one->carry.cancel = one->stop;
	one->carry.over = false;
	/* Its copy has just been seen. */
	if (one->carry.copied.token[0]) {
		code = carry_remove_copied(&one->carry, &one->op.error);
		one->carry.copied.token[0] = '\0';
		if (code != STORE_CHANGED)
			return code;
		store_error_clear(&one->op.error);
	}
	return relocation_clear_all(&one->carry, one->record.folder,
				    &one->op.error);
}

/* A copy over another file may have arrived after all: go on with it. */
static int settle_over(struct relocation *one)
{
	bool arrived = false;
	int code = carry_has_arrived(&one->carry, &arrived, &one->op.error);

	if (code || !arrived)
		return code;
	take_arrived(one);
	code = switch_over(one);
	if (!code && !relocation_keep(one))
		code = STORE_CANCELLED;
	return code ? code : relocation_clear(one);
}

int relocation_undo(struct relocation *one)
{
	one->carry.cancel = one->stop;
	if (!one->record.folder && one->record.over)
		return settle_over(one);
	return relocation_undo_all(&one->carry, &one->record, &one->op.error);
}

/* ---- R5 ---- */

void relocation_settle(struct relocation *one)
{
	struct store_error error = STORE_ERROR_INIT;

	if (!commit_copies_settled(one->fs, one->record.id, &error))
		return;
	relocation_let_answer(one);
	(void)flush_patiently(one);
}

void relocation_end(struct relocation *one)
{
	struct fs *fs = one->fs;

	relocation_hide(one, NULL, NULL);
	if (one->entered) {
		victim_end(fs, &one->source);
		victim_end(fs, &one->target);
	}
	gate_leave(&fs->gate, &one->folders);
	gate_leave(&fs->gate, &one->movers);
}
