// SPDX-License-Identifier: MIT
/*
 * What a rename by copies removes: its sources, or its copies; see
 * relocation.h.  Called by relocation_steps.c and by recovery; calls walk.c
 * and carry.c.  No locks.
 */
#include "config.h"

#include "mount/relocation_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/key.h"

/* What comes while a folder is being emptied is not in its listing. */
enum { WALKS = 5 };

/* Until the folders are gone, or something has to stay in them. */
static int walk_until_empty(struct walk *walk, struct carry *carry,
			    struct store_error *error)
{
	int code = STORE_OK;

	for (int walks = 0; !code && walks < WALKS; walks++) {
		atomic_store(&carry->left, 0);
		atomic_store(&carry->filled, false);
		code = walk_run(walk, error);
		if (!atomic_load(&carry->filled) || atomic_load(&carry->left))
			break;
	}
	if (!code && atomic_load(&carry->filled))
		log_warn("%s: is not empty yet; %" PRIu64
			 " things in it stay, and what comes now",
			 walk->folder, atomic_load(&carry->left));
	return code;
}

static int walk_remove(struct walk *walk, const char *name,
		       const struct store_info *info, struct store_error *error)
{
	return carry_remove(walk->arg, name, info, error);
}

static int walk_drop_source(struct walk *walk, const char *name,
			    const struct store_info *info,
			    struct store_error *error)
{
	struct carry *carry = walk->arg;
	CLEANUP_FREE char *key = key_join(carry->from, name);

	(void)info;
	if (!key)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a key");
	return carry_drop_folder(carry, key, error);
}

int relocation_clear_all(struct carry *carry, bool folder,
			 struct store_error *error)
{
	struct walk walk = {
		.fs = carry->fs,
		.folder = carry->from,
		.cancel = carry->cancel,
		.entry = walk_remove,
		.leave = walk_drop_source,
		.arg = carry,
		.go_on = true,
	};
	struct store_context context;
	struct store_info info;
	int code;

	if (folder)
		return walk_until_empty(&walk, carry, error);
	walk_context(&walk, &context);
	code = store_stat(carry->fs->store, &context, carry->from, &info,
			  error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	return code ? code : carry_remove(carry, "", &info, error);
}

struct undoing {
	struct carry *carry;
	bool keep; /* the folder itself was there before */
};

static int walk_undo(struct walk *walk, const char *name,
		     const struct store_info *info, struct store_error *error)
{
	const struct undoing *undoing = walk->arg;

	return carry_undo(undoing->carry, name, info, error);
}

static int walk_drop_copy(struct walk *walk, const char *name,
			  const struct store_info *info,
			  struct store_error *error)
{
	const struct undoing *undoing = walk->arg;
	CLEANUP_FREE char *key = key_join(undoing->carry->to, name);

	(void)info;
	if (undoing->keep && !*name)
		return STORE_OK;
	if (!key)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a key");
	return carry_drop_folder(undoing->carry, key, error);
}

int relocation_undo_all(struct carry *carry, const struct record_copies *copies,
			struct store_error *error)
{
	struct undoing undoing = { .carry = carry, .keep = copies->over };
	struct walk walk = {
		.fs = carry->fs,
		.folder = carry->to,
		.cancel = carry->cancel,
		.entry = walk_undo,
		.leave = walk_drop_copy,
		.arg = &undoing,
		.go_on = true,
	};
	struct store_context context;
	struct store_info info;
	int code;

	if (copies->folder)
		return walk_until_empty(&walk, carry, error);
	/* What it would have replaced is there still, or cannot be had back. */
	if (copies->over)
		return STORE_OK;
	walk_context(&walk, &context);
	code = store_stat(carry->fs->store, &context, carry->to, &info, error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	return code ? code : carry_undo(carry, "", &info, error);
}

static int sync_parent(const struct carry *carry, const char *key,
		       struct store_error *error)
{
	CLEANUP_FREE char *parent = key_parent(key);
	struct store_context context;

	if (!parent)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a key");
	store_context_init(&context, carry->fs->options->op_timeout_ns,
			   carry->cancel);
	return store_sync(carry->fs->store, &context, parent, error);
}

/* What the record asks for must be as durable as its end. */
int relocation_sync(const struct carry *carry, struct store_error *error)
{
	int code = sync_parent(carry, carry->to, error);

	return code ? code : sync_parent(carry, carry->from, error);
}
