// SPDX-License-Identifier: MIT
/*
 * Renames by copies that an earlier run has left; see relocation.h.  Called
 * by recovery.c; calls relocation.c and commit_copies.c.
 *
 * Every step can be done again: a crash here is a crash before it.
 *
 * What asks the store for every file of a folder is left to a thread, which
 * begins when all that is pending is in its place, and does what the rename's
 * own thread would have done: it clears up behind COPIED, or undoes what came
 * before it, until that works or the mount ends.  Before anything is taken up,
 * and without the store, it gets the passes and the hidden name that thread
 * had.  Nothing pending depends on it meanwhile:
 *
 *	key	COPIED has rewritten it when the journal was read; of what is
 *		undone it is the old one, as it always was
 *	base	stands in one frame with COPIED, as the version of the copy, and
 *		nothing puts or removes below the new name while it is held; of
 *		what is undone it is the source, which stays, and which the pass
 *		keeps as it was copied.  (What was never finished and is of a
 *		run before that one keeps its base, as if nobody had died: it
 *		was not in memory then, and is put by force only.)
 *	bytes	staged ones have nothing to do with the store; all below the
 *		name that is not hidden is complete
 *
 * What is pending shows at once, under the one name that can be found, and is
 * put once the pass has been left: a put between would be taken for somebody
 * else's file, and keep its source from being removed.
 *
 * Several at a time had passes that went together in the mount before: so they
 * do here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "mount/relocation_internal.h"
#include "mount/replay.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/base/step.h"
#include "src/key.h"

/* ---- what is pending under the name of a file ---- */

/* What was pending at `to` has been replaced; what was below `from` follows. */
static int follow(struct fs *fs, struct pending *pending,
		  const struct record_copies *copies, struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->count && !code; i++) {
		struct record_file *record = &pending->files[i].record;
		const char *rest = key_relative(record->key, copies->from);

		if (!record->id)
			continue;
		if (rest)
			code = replay_move_key(record, copies->from, copies->to,
					       error);
		if (rest || strcmp(record->key, copies->to) != 0 ||
		    record->state == RECORD_UNFINISHED ||
		    pending->files[i].damaged)
			continue;
		commit_settle(fs, record->id);
		record->id = 0;
	}
	return code;
}

/* Files that were based on what was copied are based on the copy. */
static int rebase(const struct carry *carry, struct record_file *record,
		  bool *rebased, struct store_error *error)
{
	enum carry_target target;
	struct store_info info;
	int code;

	*rebased = false;
	if (!record->id || !record->base_exists ||
	    !key_relative(record->key, carry->to))
		return STORE_OK;
	code = carry_look(carry, record->key, &record->base, &target, &info,
			  error);
	if (code || target != CARRY_SAME)
		return code;
	record->base = info.version;
	*rebased = true;
	return STORE_OK;
}

static int rebase_all(struct carry *carry, struct pending *pending,
		      struct commit_rebased *list, size_t *count,
		      struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->count && !code; i++) {
		struct record_file *record = &pending->files[i].record;
		bool rebased;

		code = rebase(carry, record, &rebased, error);
		if (!code && rebased)
			list[(*count)++].pending = record;
	}
	return code;
}

/* The new names hold: noted before anything follows from it. */
static int go_forward(struct carry *carry, struct pending *pending,
		      const struct record_copies *copies,
		      struct store_error *error)
{
	CLEANUP_FREE struct commit_rebased *list =
		calloc(pending->count + 1, sizeof(*list));
	uint64_t position = 0;
	size_t count = 0;
	int code = STORE_OK;

	if (!list)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for pending files");
	if (!copies->copied)
		code = follow(carry->fs, pending, copies, error);
	if (!code)
		code = rebase_all(carry, pending, list, &count, error);
	if (!code && (count || !copies->copied))
		code = commit_copied(carry->fs, copies, list, count, 0,
				     &position, error);
	return code ? code : commit_sync_to(carry->fs, position, error);
}

/* ---- where it is ---- */

struct place {
	struct fs *fs;
	struct node *parent, *new_parent; /* references */
	struct victim source, target;
};

static void place_release(struct place *place)
{
	struct tree *tree = &place->fs->tree;

	victim_release(place->fs, &place->source);
	victim_release(place->fs, &place->target);
	lock_take(&tree->lock);
	if (place->parent)
		node_unref(tree, place->parent);
	if (place->new_parent)
		node_unref(tree, place->new_parent);
	lock_drop(&tree->lock);
}

/*
 * Entered as a folder, which the store is not asked about: whoever looks it
 * up learns what it is.  Takes the reference of `parent`, gives one of it.
 */
static struct node *enter(struct tree *tree, struct node *parent,
			  const char *name, const struct store_info *info)
	REQUIRES(tree->lock)
{
	struct node *node = tree_enter(tree, parent, name, info, 0);

	if (node)
		node_ref(tree, node);
	node_unref(tree, parent);
	return node;
}

static const struct store_info folder = { .type = STORE_TYPE_FOLDER };

static int find_node(struct fs *fs, const char *key,
		     const struct store_info *info, struct node **found,
		     struct store_error *error)
{
	char text[STORE_KEY_MAX + 1], *name = text, *slash;
	struct node *node;

	snprintf(text, sizeof(text), "%s", key);
	lock_take(&fs->tree.lock);
	node = fs->tree.root;
	node_ref(&fs->tree, node);
	while (node && (slash = strchr(name, '/'))) {
		*slash = '\0';
		node = enter(&fs->tree, node, name, &folder);
		name = slash + 1;
	}
	if (node && *name)
		node = enter(&fs->tree, node, name, info);
	lock_drop(&fs->tree.lock);
	*found = node;
	return node ? STORE_OK
		    : store_error_set(error, STORE_NO_MEMORY,
				      "%s: no memory for a node", key);
}

static int find_parent(struct fs *fs, const char *key, struct node **found,
		       struct store_error *error)
{
	CLEANUP_FREE char *parent = key_parent(key);

	if (!parent)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a key");
	return find_node(fs, parent, &folder, found, error);
}

/* As in the tree of the mount that began: see relocation_steps.c. */
static int find_place(struct place *place, const struct record_copies *copies,
		      const struct store_info *info, struct store_error *error)
{
	struct fs *fs = place->fs;
	int code = find_parent(fs, copies->from, &place->parent, error);

	if (!code)
		code = find_parent(fs, copies->to, &place->new_parent, error);
	if (!code)
		code = find_node(fs, copies->copied ? copies->to : copies->from,
				 info, &place->source.node, error);
	if (!code && !copies->copied && copies->over)
		code = find_node(fs, copies->to, info, &place->target.node,
				 error);
	return code;
}

/* Passes and hidden name are those it had; a thread does the rest. */
static int resume(struct fs *fs, const struct record_copies *copies,
		  const struct store_info *info, struct store_error *error)
{
	struct place place = { .fs = fs };
	int code = find_place(&place, copies, info, error);

	if (!code) {
		const struct relocation_request request = {
			.parent = place.parent,
			.new_parent = place.new_parent,
			.name = key_name(copies->from),
			.new_name = key_name(copies->to),
			.source = &place.source,
			.target = &place.target,
		};

		code = relocation_resume(fs, &request, copies, error);
	}
	place_release(&place);
	return code;
}

/* ---- a file ---- */

/* What it is: the old name has it still, where the new one has it not yet. */
static int find_info(struct carry *carry, struct store_info *info,
		     struct store_error *error)
{
	const char *keys[] = { carry->to, carry->from };
	struct store_context context;
	int code = STORE_NOT_FOUND;

	for (int i = 0; i < 2 && code == STORE_NOT_FOUND; i++) {
		store_context_init(&context, carry->fs->options->op_timeout_ns,
				   NULL);
		code = store_stat(carry->fs->store, &context, keys[i], info,
				  error);
	}
	if (code != STORE_NOT_FOUND)
		return code;
	/* Somebody has removed both; its name is held all the same. */
	store_error_clear(error);
	*info = (struct store_info){ .type = STORE_TYPE_FILE };
	return STORE_OK;
}

static int finish_file(struct carry *carry, struct pending *pending,
		       const struct record_copies *copies,
		       struct store_error *error)
{
	struct record_copies copied = *copies;
	struct store_info info;
	int code = go_forward(carry, pending, copies, error);

	if (!code)
		code = find_info(carry, &info, error);
	copied.copied = true;
	return code ? code : resume(carry->fs, &copied, &info, error);
}

/* It has no copy, or one that is somebody else's: nothing is left of it. */
static int end_file(struct carry *carry, const struct record_copies *copies,
		    struct store_error *error)
{
	int code = relocation_undo_all(carry, copies, error);

	if (!code)
		code = relocation_sync(carry, error);
	STEP("recovery: copies");
	return code ? code
		    : commit_copies_settled(carry->fs, copies->id, error);
}

/*
 * Whether it took place decides about the key of what is pending under its
 * name: the store is asked before anything is taken up, as it is about each
 * pending file.
 */
static int recover_file(struct carry *carry, struct pending *pending,
			const struct record_copies *copies,
			struct store_error *error)
{
	bool forward = copies->copied;
	int code = STORE_OK;

	if (!forward)
		code = carry_has_arrived(carry, &forward, error);
	if (code)
		return code;
	if (forward)
		code = finish_file(carry, pending, copies, error);
	else
		code = end_file(carry, copies, error);
	if (!code || store_code_retryable(code) || code == STORE_NO_MEMORY ||
	    code == STORE_NO_SPACE)
		return code;
	/* The mount does not wait for what may never be granted. */
	log_error("%s: renaming it to %s: what is left stays under both "
		  "names: %s",
		  copies->from, copies->to, error->message);
	store_error_clear(error);
	return commit_copies_settled(carry->fs, copies->id, error);
}

/* ---- both ---- */

int relocation_recover(struct fs *fs, struct pending *pending,
		       const struct record_copies *copies,
		       struct store_error *error)
{
	struct carry carry = {
		.fs = fs,
		.from = copies->from,
		.to = copies->to,
		.id = copies->id,
		.over = copies->over && !copies->folder,
		.recovers = true,
	};

	if (!copies->folder)
		return recover_file(&carry, pending, copies, error);
	log_info("%s: an interrupted rename to %s goes on: it is %s",
		 copies->from, copies->to,
		 copies->copied ? "finished" : "undone");
	return resume(fs, copies, &folder, error);
}
