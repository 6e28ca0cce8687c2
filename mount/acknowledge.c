// SPDX-License-Identifier: MIT
/*
 * Making staged changes durable on the local disk; see commit.h.  Called by
 * ops_file.c (close and fsync) and publish.c; calls staging.c and journal.c.
 *
 * Order (doc/journal.md, C0 to C5): names that changed in the store are
 * flushed there; the layers are sealed and marked as kept
 * under the file's lock; flushed without it; LAYER and FILE are appended
 * under it again, in one frame; the journal is flushed.
 */
#include "config.h"

#include "mount/commit_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mount/layer_keep.h"
#include "mount/publish.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"

struct acknowledgement {
	struct file *file;
	enum record_state state;
	const char *reason;
	bool keep; /* nobody has asked for what is being written */
	bool lost; /* there is no place to publish to */
	bool needed;
	uint64_t id;
	uint64_t change;
	uint64_t position;	  /* to be durable */
	bool appended;		  /* a frame of ours is there, */
	bool copied;		  /* whose layer stands for earlier ones */
	bool was_acknowledged;	  /* before it */
	struct staging_view view; /* to be named; empty for none */
	size_t first;		  /* of the view: from here on one is made */
	bool needs_copy;	  /* nothing else will do */
	struct staging_view flat; /* that one, then those it stands for */
	struct buf frame;
};

static bool file_has_name(struct file *file)
{
	struct tree *tree = &file->fs->tree;
	bool named;

	lock_take(&tree->lock);
	named = file->node->names || (file->node->flags & NODE_LOST);
	lock_drop(&tree->lock);
	return named;
}

static bool has_content(const struct file *file)
{
	return file->created || file->staging.changed || file->staging.frozen;
}

/*
 * Which layers become one: all that no publish has when there are many, and
 * those whose file could not be flushed.  The kernel has forgotten what it
 * could not write, and a further flush of that file would tell nothing.
 */
static int choose_copy_locked(struct acknowledgement *ack, struct file *file,
			      struct store_error *error) REQUIRES(file->lock)
{
	size_t frozen = file->staging.frozen, sound = 0;

	ack->first = ack->view.count;
	while (sound < ack->view.count && !ack->view.layers[sound]->unsound)
		sound++;
	ack->needs_copy = sound < ack->view.count;
	if (ack->needs_copy && sound < frozen)
		return store_error_set(error, STORE_UNAVAILABLE,
				       "%s: a staging file could not be "
				       "flushed",
				       file->name_hint);
	if (ack->needs_copy)
		ack->first = sound;
	if (ack->view.count - frozen > STAGING_DEPTH)
		ack->first = frozen;
	return STORE_OK;
}

/* Seal what there is, and mark it: from now on it does not change. */
static int take_layers_locked(struct acknowledgement *ack, struct file *file,
			      struct store_error *error) REQUIRES(file->lock)
{
	struct staging *staging = &file->staging;
	int code = STORE_OK;

	if (!has_content(file) || ack->change == file->note.change)
		return STORE_OK;
	code = staging_seal(staging, error);
	if (!code)
		code = staging_freeze(staging, SIZE_MAX, false, &ack->view,
				      error);
	for (size_t i = 0; i < ack->view.count; i++)
		ack->view.layers[i]->kept = true;
	return code ? code : choose_copy_locked(ack, file, error);
}

static int acknowledge_begin(struct acknowledgement *ack,
			     struct store_error *error)
{
	struct file *file = ack->file;
	int code = STORE_OK;

	lock_take(&file->lock);
	while (file->note.busy)
		condition_wait(&file->changed, &file->lock);
	ack->position = file->note.position;
	ack->change = file->change;
	/* An attempt that covered all of it was asked for by a close. */
	if (ack->keep && file->note.acknowledged && file->writers &&
	    file->running_change != file->change)
		ack->change = file->note.change;
	ack->lost = file->dirty && note_is_lost_locked(file);
	if (ack->lost)
		ack->state = RECORD_UNFINISHED;
	ack->needed =
		file->dirty && file_has_name(file) &&
		!(ack->lost && file->note.acknowledged) &&
		!(ack->state == RECORD_PENDING && file->note.acknowledged &&
		  file->note.change == ack->change);
	if (ack->needed) {
		note_id_locked(file);
		ack->id = file->note.id;
		code = take_layers_locked(ack, file, error);
		file->note.busy = !code;
	}
	lock_drop(&file->lock);
	return code;
}

static int keep_layer(struct acknowledgement *ack, struct staging_layer *layer,
		      bool *named, struct store_error *error)
{
	struct record record = { .type = RECORD_LAYER };
	void *data = NULL;
	int code =
		layer_keep(layer, ack->id, &record.layer, &data, named, error);

	if (!code)
		record_encode(&ack->frame, &record);
	else
		layer->unsound = code != STORE_NO_MEMORY;
	free(data);
	return code;
}

/* Without room for a copy a high stack stays as it is. */
static int copy_layers(struct acknowledgement *ack, struct store_error *error)
{
	int code;

	if (ack->first == ack->view.count)
		return STORE_OK;
	code = staging_view_flatten(&ack->view, ack->first, &ack->flat,
				    ack->needs_copy ? error : NULL);
	if (!code)
		ack->flat.layers[0]->kept = true;
	return ack->needs_copy ? code : STORE_OK;
}

/* C1: the bytes, and (C2) the names of the files they are in. */
static int flush_layers(struct acknowledgement *ack, struct store_error *error)
{
	bool named = false;
	int code = copy_layers(ack, error);
	size_t count = ack->flat.count ? ack->first : ack->view.count;

	for (size_t i = 0; i < count && !code; i++)
		if (!ack->view.layers[i]->recorded ||
		    ack->view.layers[i]->again)
			code = keep_layer(ack, ack->view.layers[i], &named,
					  error);
	if (!code && ack->flat.count)
		code = keep_layer(ack, ack->flat.layers[0], &named, error);
	if (!code && named && STEP_WANTED("commit: flush names") &&
	    fsync(ack->file->fs->staging_fd))
		code = store_error_errno(
			error, errno, "%s",
			staging_area_name(ack->file->fs->area));
	STEP("commit: names");
	return code;
}

/* Is everything that was sealed still to be stored, and ours to replace? */
static bool layers_are_current(const struct acknowledgement *ack,
			       const struct file *file)
{
	const struct staging *staging = &file->staging;
	size_t count = ack->view.count;

	return !count ||
	       (staging->count >= count &&
		staging->layers[count - 1] == ack->view.layers[count - 1] &&
		(!ack->flat.count || staging->frozen <= ack->first));
}

/* The frame has the records of the layers from `known` on, and of some below. */
static void written_locked(struct acknowledgement *ack, struct file *file,
			   size_t known, size_t count) REQUIRES(file->lock)
{
	struct staging_layer **layers = file->staging.layers;

	ack->position = file->note.position;
	ack->appended = true;
	ack->copied = ack->flat.count;
	for (size_t i = 0; i < count; i++) {
		if (i < known && !layers[i]->again)
			continue;
		layers[i]->position = ack->position;
		layers[i]->again = false;
	}
}

/* C3: LAYER and FILE in one frame.  Without it nothing is as it tells. */
static int append_frame_locked(struct acknowledgement *ack, struct file *file,
			       struct store_error *error) REQUIRES(file->lock)
{
	struct staging *staging = &file->staging;
	const struct file_note was = file->note;
	size_t count = ack->view.count, known = 0;
	int code;

	if (ack->flat.count) {
		staging_swap(staging, ack->first, count - ack->first,
			     &ack->flat);
		count = ack->first + 1;
	}
	while (known < count && staging->layers[known]->recorded)
		known++;
	for (size_t i = known; i < count; i++)
		staging->layers[i]->recorded = true;
	file->note.generation += !was.acknowledged || was.change != ack->change;
	file->note.change = ack->change;
	file->note.top = staging_top_number(staging);
	file->note.acknowledged = ack->state != RECORD_UNFINISHED;
	note_encode_locked(file, ack->state, ack->reason, NULL, &ack->frame);
	code = note_append_locked(file, &ack->frame, 0, error);
	if (!code) {
		written_locked(ack, file, known, count);
		ack->was_acknowledged = was.acknowledged;
		return STORE_OK;
	}
	file->note = was;
	for (size_t i = known; i < count; i++)
		staging->layers[i]->recorded = false;
	if (ack->flat.count)
		staging_swap(staging, ack->first, 1, &ack->flat);
	return code;
}

/* *again: what was sealed is not it any more. */
static int append_records_locked(struct acknowledgement *ack, struct file *file,
				 bool *again, struct store_error *error)
	REQUIRES(file->lock)
{
	int code;

	/* Stored or removed meanwhile, with all that was sealed. */
	if (!file->dirty || !file_has_name(file))
		return STORE_OK;
	/* Stored, and changed again: what has this id is settled. */
	*again = file->note.id != ack->id || !layers_are_current(ack, file);
	if (*again)
		return STORE_OK;
	code = append_frame_locked(ack, file, error);
	if (!code)
		STEP("commit: records");
	return code;
}

static int acknowledge_once(struct acknowledgement *ack, bool *again,
			    struct store_error *error)
{
	struct file *file = ack->file;
	int code;

	*again = false;
	buf_init(&ack->frame, JOURNAL_FRAME_MAX);
	code = acknowledge_begin(ack, error);
	if (code || !ack->needed) {
		staging_view_release(&ack->view);
		return code;
	}
	code = flush_layers(ack, error);
	lock_take(&file->lock);
	if (!code)
		code = append_records_locked(ack, file, again, error);
	file->note.busy = false;
	condition_broadcast(&file->changed);
	/* Layers that no record names, either now or yet. */
	staging_view_remove(&ack->flat);
	lock_drop(&file->lock);
	staging_view_release(&ack->view);
	buf_release(&ack->frame);
	return code;
}

/*
 * After a failed flush the kernel may have forgotten the frame: whoever asks
 * next has all of it written again.  What was acknowledged before stays so,
 * and its layers stay named by whatever is noted meanwhile.
 */
static void forget_frame(const struct acknowledgement *ack)
{
	struct file *file = ack->file;

	lock_take(&file->lock);
	file->note.change = 0;
	if (ack->appended && file->note.id == ack->id)
		file->note.acknowledged &= ack->was_acknowledged;
	for (size_t i = 0; ack->appended && i < file->staging.count; i++) {
		struct staging_layer *layer = file->staging.layers[i];

		if (!layer->recorded || layer->position != ack->position)
			continue;
		layer->again = true;
		layer->recorded = ack->copied;
	}
	lock_drop(&file->lock);
}

static int acknowledge(struct acknowledgement *ack,
		       const struct store_context *context,
		       struct store_error *error)
{
	struct fs *fs = ack->file->fs;
	struct gate_pass pass = { .nodes = { ack->file->node }, .looks = true };
	struct store_context waiting = *context;
	bool again = true;
	int code = STORE_OK;

	/* Names do not keep anybody from keeping the bytes. */
	if (!ack->keep)
		code = commit_sync_names(fs, error);
	if (!code)
		code = gate_enter(&fs->gate, &pass, &waiting, error);
	while (!code && again)
		code = acknowledge_once(ack, &again, error);
	gate_leave(&fs->gate, &pass);
	if (code)
		return code;
	commit_look_ahead(fs->commit);
	code = commit_sync_promised(fs, ack->position, error);
	if (code)
		forget_frame(ack);
	else if (ack->lost && !ack->keep)
		code = store_error_set(error, STORE_CHANGED,
				       "%s: replaced or removed in the store "
				       "meanwhile",
				       ack->file->name_hint);
	STEP("commit: acknowledged");
	return code;
}

/*
 * Told of an earlier failure, and of nothing else: what there is by now is
 * kept like what had failed, so that an export does not give the older bytes.
 */
static void keep_refused(struct file *file, const struct store_context *context,
			 const struct store_error *late)
{
	struct acknowledgement ack = {
		.file = file,
		.state = store_code_retryable(late->code) ? RECORD_PENDING
							  : RECORD_FAILED,
		.reason = late->message,
	};
	struct store_error error = STORE_ERROR_INIT;

	if (acknowledge(&ack, context, &error))
		log_warn("%s: not kept: %s", file->name_hint, error.message);
}

int commit_file(struct file *file, const struct store_context *context,
		struct store_error *error)
{
	struct acknowledgement ack = { .file = file, .state = RECORD_PENDING };
	struct store_error late = STORE_ERROR_INIT;
	int code;

	if (!file->fs->commit)
		return STORE_OK;
	code = publish_take_late_error(file, &late);
	if (!code)
		return acknowledge(&ack, context, error);
	keep_refused(file, context, &late);
	if (error)
		*error = late;
	return code;
}

int commit_keep(struct file *file, enum record_state state, const char *reason,
		struct store_error *error)
{
	struct acknowledgement ack = {
		.file = file, .state = state, .reason = reason, .keep = true
	};
	struct store_context context;

	if (!file->fs->commit)
		return STORE_OK;
	store_context_init(&context, file->fs->options->op_timeout_ns, NULL);
	return acknowledge(&ack, &context, error);
}

int commit_close_clean(struct file *file, struct store_error *error)
{
	struct fs *fs = file->fs;
	int code = publish_take_late_error(file, error);

	if (code || fs->options->commit != COMMIT_BACKGROUND)
		return code;
	code = commit_sync_names(fs, error);
	return code ? code : commit_sync_calls(fs, error);
}

int commit_close(struct file *file, const struct store_context *context,
		 struct store_error *error)
{
	int code;

	if (file->fs->options->commit == COMMIT_CLOSE) {
		code = publish_wait(file, context, error);
		return code ? code : commit_sync_names(file->fs, error);
	}
	code = commit_file(file, context, error);
	if (!code)
		publish_later(file);
	return code;
}
