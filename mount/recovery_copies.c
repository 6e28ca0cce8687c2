// SPDX-License-Identifier: MIT
/*
 * Renames by copies that an earlier run has left; see relocation.h.  Called
 * by recovery.c; calls relocation_steps.c and commit_copies.c.
 *
 * Every step can be done again: a crash here is a crash before it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "mount/relocation_internal.h"
#include "mount/replay.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/base/step.h"
#include "src/key.h"

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

static int settle(struct carry *carry, struct pending *pending,
		  const struct record_copies *copies, bool forward,
		  struct store_error *error)
{
	int code;

	if (!forward)
		return relocation_undo_all(carry, copies, error);
	code = go_forward(carry, pending, copies, error);
	return code ? code : relocation_clear_all(carry, copies->folder, error);
}

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
	bool forward = copies->copied;
	int code = STORE_OK;

	if (!forward && !copies->folder)
		code = carry_has_arrived(&carry, &forward, error);
	if (code)
		return code;
	log_info("%s: an interrupted rename to %s is %s", copies->from,
		 copies->to, forward ? "finished" : "undone");
	code = settle(&carry, pending, copies, forward, error);
	if (!code)
		code = relocation_sync(&carry, error);
	STEP("recovery: copies");
	/* The mount does not wait for what may never be granted. */
	if (code && !store_code_retryable(code) && code != STORE_NO_MEMORY &&
	    code != STORE_NO_SPACE) {
		log_error("%s: renaming it to %s: what is left stays under "
			  "both names: %s",
			  copies->from, copies->to, error->message);
		store_error_clear(error);
		code = STORE_OK;
	}
	return code ? code : commit_copies_settled(fs, copies->id, error);
}
