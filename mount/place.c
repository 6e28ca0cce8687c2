// SPDX-License-Identifier: MIT
/*
 * See place.h.  Called by ops_rename.c; calls the node tree and the store.
 */
#include "config.h"

#include "mount/place.h"

#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "src/base/cleanup.h"
#include "src/key.h"

void place_swap_locked(struct place *place, struct file *file)
{
	struct place was = { .base = file->base,
			     .replaced = file->replaced,
			     .base_exists = file->base_exists,
			     .base_goes = file->base_goes,
			     .replacing = file->replacing,
			     .unanswered = file->unanswered };

	memcpy(was.publish, file->publish, sizeof(was.publish));
	file->base = place->base;
	file->replaced = place->replaced;
	file->base_exists = place->base_exists;
	file->base_goes = place->base_goes;
	file->replacing = place->replacing;
	file->unanswered = place->unanswered;
	memcpy(file->publish, place->publish, sizeof(place->publish));
	*place = was;
}

void place_release(struct fs *fs, struct place *place)
{
	if (!place->replaced)
		return;
	lock_take(&fs->tree.lock);
	node_unref(&fs->tree, place->replaced);
	lock_drop(&fs->tree.lock);
}

/* What stands under the new name in the store; *replaces: anything at all. */
static int look_at_target(struct op *op, const char *key,
			  const struct victim *target, struct store_info *info,
			  bool *replaces)
{
	int code;

	*replaces = target->node && victim_in_store(op->fs, target);
	if (!*replaces)
		return STORE_OK;
	code = victim_prepare(op, target);
	if (!code)
		code = store_stat(op->fs->store, &op->context, key, info,
				  &op->error);
	/* Another client has removed it: the name is free. */
	*replaces = code != STORE_NOT_FOUND;
	return *replaces ? code : STORE_OK;
}

/* It was changed here through another name of it, perhaps. */
static bool old_base_locked(struct file *file, struct store_version *base)
	REQUIRES(file->lock)
{
	const char *version;

	*base = file->base;
	lock_take(&file->fs->tree.lock);
	version = file->replaced ? file->replaced->version : NULL;
	if (version)
		memcpy(base->token, version, strlen(version) + 1);
	lock_drop(&file->fs->tree.lock);
	return file->base_exists;
}

/* What another client has put there since is not ours to remove. */
static int delete_base(struct op *op, const char *key,
		       const struct store_version *base)
{
	int code;

	if (!base->token[0])
		return store_delete(op->fs->store, &op->context, key, true,
				    &op->error);
	code = store_delete_version(op->fs->store, &op->context, key, base,
				    &op->error);
	return code == STORE_NOT_FOUND ? STORE_OK : code;
}

/* As durable as the record that will say that there is no base. */
static int sync_folder_of(struct op *op, const char *key)
{
	CLEANUP_FREE char *folder = key_parent(key);

	if (!folder)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a key");
	return store_sync(op->fs->store, &op->context, folder, &op->error);
}

/*
 * The file stands for an object that its old name still has.  If the removal
 * is all there is of the rename, the name is free for the file's put.
 */
static int remove_old_base(struct op *op, struct file *file, const char *key)
{
	struct store_version base;
	bool stale;
	int code;

	lock_take(&file->lock);
	stale = old_base_locked(file, &base);
	lock_drop(&file->lock);
	if (!stale)
		return STORE_OK;
	code = commit_leaving(file, &op->error);
	if (!code)
		code = delete_base(op, key, &base);
	if (!code && commit_is_acknowledged(file))
		code = sync_folder_of(op, key);
	if (code)
		return code;
	lock_take(&file->lock);
	file->base_exists = file->base_goes = false;
	lock_drop(&file->lock);
	return STORE_OK;
}

int place_find(struct op *op, struct file *file, const char *from,
	       const char *to, const struct victim *target, struct place *place)
{
	struct store_info info;
	bool replaces;
	int code = look_at_target(op, to, target, &info, &replaces);

	if (!code)
		code = remove_old_base(op, file, from);
	if (code)
		return code;
	lock_take(&file->lock);
	place->base = file->base;
	place->unanswered = file->unanswered;
	memcpy(place->publish, file->publish, sizeof(place->publish));
	lock_drop(&file->lock);
	if (!replaces)
		return STORE_OK;
	place->base_exists = place->replacing = true;
	place->base = info.version;
	if (info.links > 1) {
		lock_take(&op->fs->tree.lock);
		node_ref(&op->fs->tree, target->node);
		lock_drop(&op->fs->tree.lock);
		place->replaced = target->node;
	}
	return STORE_OK;
}
