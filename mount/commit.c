// SPDX-License-Identifier: MIT
/*
 * The staging journal of a mount: its life, its thread, and the names that
 * are about to change; see commit.h.  Called by session.c and ops_*.c; calls
 * journal.c and pending.c.
 */
#include "config.h"

#include "mount/commit_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "mount/pending.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"

/* What is noted without a flush is flushed after this time at most. */
#define FLUSH_NS NS_PER_SEC

/* A journal is rewritten when it is this long and half of it is of no use. */
#define REWRITE_SIZE (UINT64_C(64) << 20)

/* ---- flushing ---- */

/* With all that is owed. */
static int sync_to(struct commit *commit, uint64_t position,
		   struct store_error *error)
{
	uint64_t paid;
	int code = STORE_OK;

	/* It may wait for them. */
	if (atomic_load(&commit->debts.any))
		code = folders_sync(&commit->folders, error);
	if (!code)
		code = debts_pay(&commit->debts, error);
	if (code)
		return code;
	paid = atomic_load(&commit->debts.paid);
	return journal_sync(commit->journal, paid > position ? paid : position,
			    error);
}

int commit_sync_to(struct fs *fs, uint64_t position, struct store_error *error)
{
	return fs->commit ? sync_to(fs->commit, position, error) : STORE_OK;
}

int commit_sync(struct fs *fs, struct store_error *error)
{
	struct commit *commit = fs->commit;

	return commit ? sync_to(commit, journal_position(commit->journal),
				error)
		      : STORE_OK;
}

int commit_sync_notes(struct fs *fs, struct store_error *error)
{
	struct commit *commit = fs->commit;

	return commit ? sync_to(commit, atomic_load(&commit->acknowledged),
				error)
		      : STORE_OK;
}

void note_position(_Atomic uint64_t *last, uint64_t position)
{
	uint64_t seen = atomic_load(last);

	while (seen < position &&
	       !atomic_compare_exchange_weak(last, &seen, position))
		;
}

void note_end(struct commit *commit, uint64_t number, uint64_t position)
{
	note_position(&commit->acknowledged, position);
	note_position(&commit->ends[number % COMMIT_ENDS], position);
}

/* Changes of names keep their order, also those in memory only. */
static uint64_t end_of(const struct commit *commit, uint64_t number)
{
	uint64_t position = atomic_load(&commit->ends[number % COMMIT_ENDS]);
	uint64_t names = atomic_load(&commit->names);

	return names > position ? names : position;
}

int commit_sync_node(struct fs *fs, const struct node *node,
		     struct store_error *error)
{
	struct commit *commit = fs->commit;
	uint64_t number;
	bool folder;

	if (!commit || !node)
		return commit_sync_notes(fs, error);
	lock_take(&fs->tree.lock);
	number = node->number;
	folder = node->type == STORE_TYPE_FOLDER;
	lock_drop(&fs->tree.lock);
	if (folder)
		return commit_sync_notes(fs, error);
	return sync_to(commit, end_of(commit, number), error);
}

int commit_sync_promised(struct fs *fs, uint64_t position,
			 struct store_error *error)
{
	struct commit *commit = fs->commit;
	uint64_t names = commit ? atomic_load(&commit->names) : 0;

	return commit_sync_to(fs, names > position ? names : position, error);
}

int commit_sync_calls(struct fs *fs, struct store_error *error)
{
	return commit_sync_promised(fs, 0, error);
}

uint64_t commit_put_position_locked(const struct file *file)
{
	const struct commit *commit = file->fs->commit;
	uint64_t number;

	if (!commit)
		return 0;
	if (file->note.acknowledged &&
	    file->running_change == file->note.change)
		return file->note.position;
	lock_take(&file->fs->tree.lock);
	number = file->node->number;
	lock_drop(&file->fs->tree.lock);
	return end_of(commit, number);
}

/* ---- names ---- */

static struct record move_record(enum record_type type, const char *from,
				 const char *to)
{
	return (struct record){
		.type = type,
		.move = { .from = (char *)(uintptr_t)from,
			  .to = (char *)(uintptr_t)to },
	};
}

static int append_and_flush(struct commit *commit, const struct record *record,
			    struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	uint64_t position;
	int code;

	record_encode(&frame, record);
	code = buf_error(&frame, "a record", error);
	if (!code)
		code = debts_append(&commit->debts, &frame, 0, &position,
				    error);
	if (!code && STEP_WANTED("commit: flush move"))
		code = journal_sync(commit->journal, position, error);
	STEP("commit: moving");
	return code;
}

int commit_removing(struct fs *fs, const char *key, uint64_t id,
		    struct store_error *error)
{
	struct record record = move_record(RECORD_REMOVING, key, NULL);

	record.move.told = true;
	record.move.removed = id;
	return fs->commit ? append_and_flush(fs->commit, &record, error)
			  : STORE_OK;
}

int commit_moving(struct fs *fs, const struct commit_move *move,
		  struct store_error *error)
{
	struct record record = move_record(RECORD_MOVING, move->from, move->to);

	if (!fs->commit)
		return STORE_OK;
	record.move.told = true;
	record.move.replaced = move->replaced;
	if (move->seen && (move->seen->attributes.mask & STORE_ATTR_MTIME)) {
		record.move.seen = true;
		record.move.size = move->seen->size;
		record.move.mtime = move->seen->attributes.mtime;
	}
	return append_and_flush(fs->commit, &record, error);
}

static int append_end(struct commit *commit, const struct buf *frame,
		      uint64_t *position, struct store_error *error)
{
	int code = buf_error(frame, "a record", error);

	if (!code)
		code = debts_append(&commit->debts, frame, JOURNAL_RELEASES,
				    position, error);
	if (!code)
		note_position(&commit->acknowledged, *position);
	return code;
}

static void encode_done(struct buf *frame, uint64_t id)
{
	struct record record = { .type = RECORD_DONE, .id = id };

	record_encode(frame, &record);
}

void commit_settle(struct fs *fs, uint64_t id)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct store_error error = STORE_ERROR_INIT;
	uint64_t position;

	encode_done(&frame, id);
	if (!append_end(fs->commit, &frame, &position, &error))
		return;
	log_warn("not noted as settled: %s", error.message);
	debts_owe(&fs->commit->debts, &frame, JOURNAL_RELEASES);
}

int commit_discard(struct fs *fs, uint64_t id, struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	uint64_t position;
	int code;

	encode_done(&frame, id);
	code = append_end(fs->commit, &frame, &position, error);
	return code ? code : commit_sync(fs, error);
}

static void encode_moved(const struct commit_move *move, struct buf *frame)
{
	struct record moved = move_record(RECORD_MOVED, move->from, move->to);
	struct record file = { .type = RECORD_FILE };

	moved.move.done = move->done;
	record_encode(frame, &moved);
	if (move->done && move->record) {
		file.file = *move->record;
		record_encode(frame, &file);
	}
	if (move->done && move->replaced)
		encode_done(frame, move->replaced);
}

static int append_moved(struct commit *commit, const struct buf *frame,
			struct store_error *error)
{
	uint64_t position;
	int code = append_end(commit, frame, &position, error);

	if (code)
		debts_owe(&commit->debts, frame, JOURNAL_RELEASES);
	else
		note_position(&commit->names, position);
	return code;
}

/* With its record: its key is another one, and its base may be. */
static int append_moved_file(struct commit *commit, struct file *file,
			     struct buf *frame, struct store_error *error)
{
	int code;

	lock_take(&file->lock);
	if (file->note.acknowledged) {
		note_encode_locked(file, note_state_locked(file), NULL, NULL,
				   frame);
		code = note_append_or_owe_locked(file, frame, JOURNAL_RELEASES,
						 error);
		if (!code)
			note_position(&commit->names, file->note.position);
	} else {
		code = append_moved(commit, frame, error);
	}
	lock_drop(&file->lock);
	return code;
}

void commit_moved(struct fs *fs, const struct commit_move *move)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct store_error error = STORE_ERROR_INIT;
	struct commit *commit = fs->commit;
	int code;

	if (!commit)
		return;
	STEP("commit: before moved");
	encode_moved(move, &frame);
	if (move->done && move->file)
		code = append_moved_file(commit, move->file, &frame, &error);
	else
		code = append_moved(commit, &frame, &error);
	if (code)
		log_warn("%s: not noted as moved: %s", move->from,
			 error.message);
	STEP("commit: moved");
}

/* ---- writing the journal anew ---- */

static int rewrite_layers(const struct pending_file *file, struct buf *frame,
			  struct store_error *error)
{
	struct record record = { .type = RECORD_LAYER };

	for (size_t i = 0; i < file->record.layer_count; i++) {
		if (!file->layers[i])
			continue;
		record.layer = file->layers[i]->record;
		record_encode(frame, &record);
	}
	return buf_error(frame, "a record", error);
}

static int rewrite_file(struct journal *journal,
			const struct pending_file *file,
			struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record record = { .type = RECORD_FILE };
	int code = rewrite_layers(file, &frame, error);

	record.file = file->record;
	record_encode(&frame, &record);
	if (!code)
		code = buf_error(&frame, "a record", error);
	if (!code)
		code = journal_rewrite_add(journal, frame.data, frame.length,
					   error);
	return code;
}

struct rewriting {
	struct commit *commit;
	struct pending pending; /* what it finds */
	struct graveyard_told told;
};

static int rewrite_record(struct journal *journal, const struct record *record,
			  struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	int code;

	record_encode(&frame, record);
	code = buf_error(&frame, "a record", error);
	return code ? code
		    : journal_rewrite_add(journal, frame.data, frame.length,
					  error);
}

/*
 * Data files of settled files that are still there: layers of a file that is
 * done, or the next run could not tell them from bytes nobody has stored.
 */
static int rewrite_settled(struct rewriting *rewriting, struct journal *journal,
			   struct store_error *error)
{
	const struct pending *pending = &rewriting->pending;
	struct record done = { .type = RECORD_DONE };
	int code = STORE_OK;

	if (!pending->settled_count)
		return STORE_OK;
	done.id = atomic_fetch_add(&rewriting->commit->last_id, 1) + 1;
	for (size_t i = 0; i < pending->settled_count && !code; i++) {
		struct record layer = {
			.type = RECORD_LAYER,
			.layer = { .file = done.id,
				   .number = pending->settled[i] },
		};

		code = rewrite_record(journal, &layer, error);
	}
	return code ? code : rewrite_record(journal, &done, error);
}

static int rewrite_live(const struct pending *pending, struct journal *journal,
			struct store_error *error)
{
	struct record record;
	int code = STORE_OK;

	for (size_t i = 0; i < pending->count && !code; i++) {
		code = rewrite_file(journal, &pending->files[i], error);
		if (code || !pending->files[i].removing)
			continue;
		record = move_record(RECORD_REMOVING,
				     pending->files[i].record.key, NULL);
		record.move.told = true;
		record.move.removed = pending->files[i].record.id;
		code = rewrite_record(journal, &record, error);
	}
	record.type = RECORD_MOVING;
	for (size_t i = 0; i < pending->move_count && !code; i++) {
		record.move = pending->moves[i];
		code = rewrite_record(journal, &record, error);
	}
	return code;
}

/* To be told first: the keys of the files are as COPIED has made them. */
static int rewrite_copies(const struct pending *pending,
			  struct journal *journal, struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->copies_count && !code; i++) {
		struct record record = {
			.type = pending->copies[i].copied ? RECORD_COPIED
							  : RECORD_COPYING,
			.copies = pending->copies[i],
		};

		code = rewrite_record(journal, &record, error);
	}
	return code;
}

static int rewrite_uploads(const struct pending *pending,
			   struct journal *journal, struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < pending->upload_count && !code; i++) {
		struct record record = {
			.type = RECORD_UPLOAD,
			.upload = pending->uploads[i],
		};

		code = rewrite_record(journal, &record, error);
	}
	return code;
}

/*
 * What a failed flush has lost was given a position all the same, and the new
 * file would call it durable.
 */
static int check_end(const struct pending *pending, struct journal *journal,
		     struct store_error *error)
{
	uint64_t position = journal_position(journal);

	if (pending->findings.last >= position)
		return STORE_OK;
	return store_error_set(error, STORE_CORRUPT,
			       "journal: the disk has lost %" PRIu64
			       " frames at its end",
			       position - pending->findings.last);
}

/* What counts is what a replay of the journal finds. */
static int rewrite_all(void *arg, struct journal *journal,
		       struct store_error *error)
{
	struct rewriting *rewriting = arg;
	struct commit *commit = rewriting->commit;
	struct pending *pending = &rewriting->pending;
	int code;

	rewriting->told.position = journal_position(journal);
	rewriting->told.paid = atomic_load(&commit->debts.paid);
	code = pending_load(commit->fs->staging_fd,
			    JOURNAL_READ_ONLY | JOURNAL_KEEP, pending, NULL,
			    error);
	if (!code)
		code = check_end(pending, journal, error);
	if (code)
		return code;
	code = rewrite_copies(pending, journal, error);
	if (!code)
		code = rewrite_uploads(pending, journal, error);
	if (!code)
		code = rewrite_settled(rewriting, journal, error);
	return code ? code : rewrite_live(pending, journal, error);
}

/* Once a second is too often to tell the same. */
static void tell_once(bool *told, int code, const char *what,
		      const struct store_error *error)
{
	if (code && !*told)
		log_warn("%s: %s", what, error->message);
	*told = code;
}

/*
 * One that mends the journal has other files in graves spared: what it has
 * found given up is removed, whatever became of the frames that said so.
 */
void commit_rewrite(struct commit *commit, bool mending)
{
	struct rewriting rewriting = { .commit = commit };
	struct store_error error = STORE_ERROR_INIT;
	int code = journal_rewrite(commit->journal, rewrite_all, &rewriting,
				   &error);

	tell_once(&commit->told_rewrite, code,
		  "the journal cannot be rewritten", &error);
	if (!code && mending) {
		rewriting.told.numbers = rewriting.pending.settled;
		rewriting.told.count = rewriting.pending.settled_count;
		graveyard_spare(&commit->graveyard, &rewriting.told);
		graveyard_empty(&commit->graveyard);
		/* Or a cut of power brings back what nobody knows. */
		if (fsync(commit->fs->staging_fd) &&
		    store_error_errno(&error, errno, "%s",
				      staging_area_name(commit->fs->area)))
			log_warn("%s", error.message);
	}
	pending_release(&rewriting.pending);
	commit->live_size = journal_size(commit->journal);
}

static void rewrite_if_needed(struct commit *commit)
{
	bool broken = journal_is_broken(commit->journal);
	uint64_t size = journal_size(commit->journal);

	if (broken || (size >= REWRITE_SIZE && size >= 2 * commit->live_size))
		commit_rewrite(commit, broken);
}

/* ---- the thread that flushes what nobody waits for ---- */

static void flush_round(struct commit *commit)
{
	struct store_error error = STORE_ERROR_INIT;
	int code = sync_to(commit, journal_position(commit->journal), &error);

	tell_once(&commit->told_flush, code, "journal", &error);
	graveyard_empty(&commit->graveyard);
	rewrite_if_needed(commit);
}

static void *flush_thread(void *arg)
{
	struct commit *commit = arg;
	bool stopping = false, narrow;

	while (!stopping) {
		lock_take(&commit->lock);
		if (!commit->stopping && !commit->hurry && !commit->narrow)
			condition_wait_until(&commit->wake, &commit->lock,
					     clock_monotonic_ns() + FLUSH_NS);
		stopping = commit->stopping;
		narrow = commit->narrow && !commit->hurry && !stopping;
		commit->hurry = commit->narrow = false;
		lock_drop(&commit->lock);
		if (narrow)
			journal_widen(commit->journal);
		else
			flush_round(commit);
	}
	return NULL;
}

void commit_look_ahead(struct commit *commit)
{
	if (!journal_is_narrow(commit->journal))
		return;
	lock_take(&commit->lock);
	commit->narrow = true;
	condition_broadcast(&commit->wake);
	lock_drop(&commit->lock);
}

void commit_make_room(struct fs *fs)
{
	struct commit *commit = fs->commit;

	if (!commit)
		return;
	lock_take(&commit->lock);
	commit->hurry = true;
	condition_broadcast(&commit->wake);
	lock_drop(&commit->lock);
}

/* ---- life ---- */

int commit_start(struct fs *fs, struct journal *journal, uint64_t last_id,
		 struct store_error *error)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	if (!commit)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the journal");
	commit->fs = fs;
	commit->journal = journal;
	atomic_store(&commit->last_id, last_id);
	folders_init(&commit->folders, fs);
	debts_init(&commit->debts, journal, &commit->folders);
	graveyard_init(&commit->graveyard, &commit->debts, fs->area);
	lock_init(&commit->lock);
	condition_init(&commit->wake);
	if (pthread_create(&commit->thread, NULL, flush_thread, commit)) {
		graveyard_release(&commit->graveyard);
		debts_release(&commit->debts);
		folders_release(&commit->folders);
		lock_destroy(&commit->lock);
		condition_destroy(&commit->wake);
		free(commit);
		return store_error_set(error, STORE_NO_MEMORY,
				       "no thread for the journal");
	}
	staging_area_bury_with(fs->area, graveyard_bury, &commit->graveyard);
	fs->commit = commit;
	return STORE_OK;
}

void commit_stop(struct commit *commit)
{
	if (!commit)
		return;
	lock_take(&commit->lock);
	commit->stopping = true;
	condition_broadcast(&commit->wake);
	lock_drop(&commit->lock);
	pthread_join(commit->thread, NULL);
	staging_area_bury_with(commit->fs->area, NULL, NULL);
	commit->fs->commit = NULL;
	graveyard_release(&commit->graveyard);
	debts_release(&commit->debts);
	folders_release(&commit->folders);
	journal_close(commit->journal);
	lock_destroy(&commit->lock);
	condition_destroy(&commit->wake);
	free(commit);
}

uint64_t commit_flushes(const struct fs *fs)
{
	return fs->commit ? journal_flushes(fs->commit->journal) : 0;
}

uint64_t commit_journal_size(const struct fs *fs)
{
	return fs->commit ? journal_size(fs->commit->journal) : 0;
}
