// SPDX-License-Identifier: MIT
/*
 * Recovery; see recovery.h and doc/journal.md.  Called by session.c, calls
 * pending.c, commit.c and the store.
 *
 * Order: what has been read is made durable; interrupted changes of names
 * are settled by what the store has; files are restored one by one; data
 * files that only settled records name are removed; renames by copies go on.
 */
#include "config.h"

#include "mount/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/commit.h"
#include "mount/pending.h"
#include "mount/relocation.h"
#include "mount/replay.h"
#include "mount/restore.h"
#include "mount/uploads.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"
#include "src/key.h"

/* ---- interrupted changes of names ---- */

static int key_exists(struct fs *fs, const char *key, bool *exists,
		      struct store_info *info, struct store_error *error)
{
	struct store_context context;
	int code;

	store_context_init(&context, fs->options->op_timeout_ns, NULL);
	code = store_stat(fs->store, &context, key, info, error);
	*exists = !code;
	return code == STORE_NOT_FOUND ? STORE_OK : code;
}

static void settle(struct fs *fs, struct pending_file *file)
{
	commit_settle(fs, file->record.id);
	file->record.id = 0;
}

/* Does the move end this one, which has the new name already? */
static bool is_replaced(const struct pending_file *file,
			const struct record_move *move)
{
	if (move->told)
		return file->record.id == move->replaced;
	return !strcmp(file->record.key, move->to) &&
	       file->record.state != RECORD_UNFINISHED && !file->damaged;
}

/* What was moved is the base if it is what should be: moving may rename it. */
static void follow_base(struct record_file *record,
			const struct record_move *move,
			const struct store_info *info)
{
	if (record->base_exists && move->seen && info->size == move->size &&
	    (info->attributes.mask & STORE_ATTR_MTIME) &&
	    !timespec_compare(info->attributes.mtime, move->mtime))
		record->base = info->version;
}

/*
 * What was at `to` has been replaced; what was at `from` is there.  *moved:
 * the file itself, if there is one.
 */
static int follow_move(struct fs *fs, struct pending *pending,
		       const struct record_move *move,
		       const struct store_info *info,
		       const struct record_file **moved,
		       struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->count && !code; i++) {
		struct pending_file *file = &pending->files[i];
		const char *rest = key_relative(file->record.key, move->from);
		bool itself = rest && !*rest;

		/* Settled by what was looked at before. */
		if (!file->record.id)
			continue;
		if (!rest && is_replaced(file, move))
			settle(fs, file);
		if (!rest)
			continue;
		code = replay_move_key(&file->record, move->from, move->to,
				       error);
		if (code || !itself || file->record.state == RECORD_UNFINISHED)
			continue;
		follow_base(&file->record, move, info);
		*moved = &file->record;
	}
	return code;
}

/* Whether the store moved it is told by where it is. */
static int settle_move(struct fs *fs, struct pending *pending,
		       const struct record_move *move,
		       struct store_error *error)
{
	struct commit_move settled = { .from = move->from, .to = move->to };
	struct store_info info;
	bool from, to = false;
	int code = key_exists(fs, move->from, &from, &info, error);

	if (!code && !from)
		code = key_exists(fs, move->to, &to, &info, error);
	if (code)
		return code;
	settled.done = !from && to;
	log_info("%s: an interrupted rename to %s %s", move->from, move->to,
		 settled.done ? "took place" : "did not take place");
	if (settled.done)
		code = follow_move(fs, pending, move, &info, &settled.record,
				   error);
	if (!code)
		commit_moved(fs, &settled);
	return code;
}

/* Removed, or still what it was? */
static int settle_removal(struct fs *fs, struct pending_file *file,
			  struct store_error *error)
{
	struct store_info info;
	bool exists;
	int code = key_exists(fs, file->record.key, &exists, &info, error);

	if (!code && !exists)
		settle(fs, file);
	return code;
}

static int settle_names(struct fs *fs, struct pending *pending,
			struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->copies_count && !code; i++)
		code = relocation_recover(fs, pending, &pending->copies[i],
					  error);
	for (size_t i = 0; i < pending->move_count && !code; i++)
		code = settle_move(fs, pending, &pending->moves[i], error);
	for (size_t i = 0; i < pending->count && !code; i++)
		if (pending->files[i].removing && pending->files[i].record.id)
			code = settle_removal(fs, &pending->files[i], error);
	return code;
}

/* ---- files ---- */

/* Is there a byte of it? */
static bool has_data(int dir_fd, const struct pending_file *file)
{
	char name[DATA_NAME_MAX];

	for (size_t i = 0; i < file->record.layer_count; i++) {
		data_name(file->record.layers[i], name);
		if (file->layers[i] || !faccessat(dir_fd, name, F_OK, 0))
			return true;
	}
	return false;
}

/* Is it the store, or this machine, that cannot do any more? */
static bool ends_recovery(int code)
{
	return store_code_retryable(code) || code == STORE_NO_MEMORY ||
	       code == STORE_NO_SPACE || code == STORE_CANCELLED ||
	       code == STORE_INTERNAL;
}

/* One that has no place any more keeps nobody from the others. */
static int take_up_whole(struct fs *fs, struct pending_file *file,
			 struct store_error *error)
{
	int code = restore_file(fs, file, error);

	if (!code || ends_recovery(code))
		return code;
	store_error_clear(error);
	atomic_fetch_add(&fs->counters.failed_files, 1);
	return STORE_OK;
}

static int take_up(struct fs *fs, struct pending_file *file,
		   struct store_error *error)
{
	const struct record_file *record = &file->record;

	if (record->state == RECORD_UNFINISHED) {
		if (!has_data(fs->staging_fd, file)) {
			settle(fs, file);
			return STORE_OK;
		}
		atomic_fetch_add(&fs->counters.unfinished, 1);
		return STORE_OK;
	}
	if (file->damaged) {
		log_error("%s: staged bytes cannot be read back; what there "
			  "is stays in the staging directory",
			  record->key);
		atomic_fetch_add(&fs->counters.failed_files, 1);
		return STORE_OK;
	}
	return take_up_whole(fs, file, error);
}

static void remove_data(struct fs *fs, const uint64_t *numbers, size_t count)
{
	char name[DATA_NAME_MAX];

	for (size_t i = 0; i < count; i++) {
		data_name(numbers[i], name);
		unlinkat(fs->staging_fd, name, 0);
	}
}

/* By an earlier run, or by this one. */
static void remove_settled(struct fs *fs, const struct pending *pending)
{
	remove_data(fs, pending->settled, pending->settled_count);
	for (size_t i = 0; i < pending->count; i++)
		if (!pending->files[i].record.id)
			remove_data(fs, pending->files[i].record.layers,
				    pending->files[i].record.layer_count);
}

static int take_up_all(struct fs *fs, struct pending *pending,
		       struct store_error *error)
{
	int code = commit_sync(fs, error);

	if (!code)
		code = uploads_found(fs, pending->uploads,
				     pending->upload_count, error);
	if (!code)
		code = settle_names(fs, pending, error);
	STEP("recovery: names");
	for (size_t i = 0; i < pending->count && !code; i++) {
		if (pending->files[i].record.id)
			code = take_up(fs, &pending->files[i], error);
		STEP("recovery: file");
	}
	if (!code)
		code = commit_sync(fs, error);
	if (code)
		return code;
	remove_settled(fs, pending);
	uploads_claimed(fs);
	return relocations_go(fs, error);
}

static void tell(struct fs *fs, const struct pending *pending)
{
	if (pending->findings.bad_bytes || pending->bad_records)
		log_error("%s/journal has %" PRIu64
			  " bytes and %u records that cannot be read; they "
			  "are kept in %s/journal.bad-*",
			  fs->staging_path, pending->findings.bad_bytes,
			  pending->bad_records, fs->staging_path);
	if (pending->orphan_count)
		log_warn("%zu staged files of an earlier run belong to no "
			 "record; they are kept",
			 pending->orphan_count);
	atomic_fetch_add(&fs->counters.unfinished, pending->orphan_count);
	if (atomic_load(&fs->counters.dirty_files))
		log_info("%" PRIu64 " files of an earlier run go on",
			 atomic_load(&fs->counters.dirty_files));
}

int recovery_run(struct fs *fs, struct store_error *error)
{
	struct pending pending;
	struct journal *journal = NULL;
	int code = pending_load(fs->staging_fd, 0, &pending, &journal, error);

	if (code)
		return code;
	code = pending_check_numbers(&pending, error);
	if (!code) {
		pending_verify(fs->staging_fd, &pending);
		staging_area_begin_at(fs->area, pending.last_layer);
		code = commit_start(fs, journal, pending.last_id, error);
	}
	if (code)
		journal_close(journal);
	else
		code = take_up_all(fs, &pending, error);
	if (!code)
		tell(fs, &pending);
	pending_release(&pending);
	return code;
}
