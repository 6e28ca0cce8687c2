// SPDX-License-Identifier: MIT
/*
 * One attempt to publish a file; see publish.h.  Called by the publisher's
 * threads, calls staging.c and the store.
 *
 * The order of an attempt:
 *	1 pass the gate, so that key and base stay what they are
 *	2 under the file's lock: freeze the content, note base and attributes
 *	3 put on condition of the base (the store makes it durable)
 *	4 under the file's lock: the new version is the base, or all is staged
 *	  as before; only now may staged bytes be dropped
 *	5 wake the waiters
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/ahead.h"
#include "mount/answer.h"
#include "mount/commit.h"
#include "mount/events.h"
#include "mount/publish_attempt.h"
#include "mount/uploads.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/random.h"
#include "src/base/step.h"
#include "src/cancel.h"

#define RETRY_BASE_NS NS_PER_SEC
#define RETRY_MAX_NS (60 * NS_PER_SEC)

/* ---- freezing ---- */

/* These need the file's lock; see freeze_locked(). */
static void freeze_attributes(struct attempt *attempt)
{
	const struct node *node = attempt->file->node;
	struct tree *tree = &attempt->fs->tree;

	lock_take(&tree->lock);
	attempt->attributes = (struct store_attributes){
		.mask = attempt->file->attributes,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.mtime = node_time_to(node->mtime),
		.atime = node_time_to(node->atime),
	};
	attempt->id = node->number;
	attempt->unlinked = !node->names && !(node->flags & NODE_LOST);
	attempt->lost = !node->names && (node->flags & NODE_LOST);
	lock_drop(&tree->lock);
}

static int freeze_xattrs(struct attempt *attempt)
{
	const struct file_xattr *xattr;
	size_t count = 0;

	for (xattr = attempt->file->xattrs; xattr; xattr = xattr->next)
		count++;
	if (!count)
		return STORE_OK;
	attempt->xattrs = calloc(count, sizeof(*attempt->xattrs));
	if (!attempt->xattrs)
		return store_error_set(&attempt->error, STORE_NO_MEMORY,
				       "no memory for attributes");
	for (xattr = attempt->file->xattrs; xattr; xattr = xattr->next)
		attempt->xattrs[attempt->xattr_count++] =
			(struct store_xattr){ .name = xattr->name,
					      .value = xattr->value,
					      .size = xattr->size };
	return STORE_OK;
}

/* Compose from the base where the store can and something can be kept. */
static int freeze_kept(struct attempt *attempt)
{
	if (!attempt->base_exists || attempt->created || attempt->force ||
	    !fs_can(attempt->fs, STORE_CAP_COMPOSE) || !attempt->base.token[0])
		return STORE_OK;
	return staging_view_kept(&attempt->view, &attempt->kept,
				 &attempt->kept_count, &attempt->error);
}

/*
 * What has been acknowledged goes first while somebody writes on, and alone
 * when a writer was killed: it is an image of one moment, and what is above it
 * is not.  SIZE_MAX: all of it goes.
 */
static size_t acknowledged_layers(const struct file *file)
{
	bool background = file->fs->options->commit == COMMIT_BACKGROUND;
	size_t count = 0;

	if (!file->note.acknowledged ||
	    !(file->doomed || (background && file->writers)))
		return SIZE_MAX;
	while (count < file->staging.count &&
	       file->staging.layers[count]->recorded)
		count++;
	return count || file->doomed ? count : SIZE_MAX;
}

static int freeze_content_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	size_t count = acknowledged_layers(file);
	int code = STORE_OK;

	attempt->content = file->created || file->staging.changed;
	if (!attempt->content)
		return STORE_OK;
	attempt->below = count != SIZE_MAX;
	if (!attempt->below)
		code = staging_seal(&file->staging, &attempt->error);
	else
		file->running_change = file->note.change;
	attempt->partial = file->running_change != file->change;
	/* Attributes alone were acknowledged. */
	if (!count) {
		attempt->content = false;
		return STORE_OK;
	}
	/* After a death the record tells what was sent; see answer_of(). */
	if (attempt->below)
		attempt->attributes.mtime = file->note.mtime;
	if (!code)
		code = staging_freeze(&file->staging, count, true,
				      &attempt->view, &attempt->error);
	return code ? code : freeze_kept(attempt);
}

/*
 * What has gone out under this number may have arrived, and was not this.  An
 * acknowledged number stands for its bytes already.
 */
static void number_anew_locked(struct file *file) REQUIRES(file->lock)
{
	const struct file_unanswered *sent = &file->unanswered;

	if (sent->pending && sent->change &&
	    sent->change != file->running_change &&
	    sent->generation == file->note.generation &&
	    !file->note.acknowledged)
		file->note.generation++;
}

static int freeze_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	int code;

	freeze_attributes(attempt);
	attempt->created = file->created;
	attempt->force = file->force;
	attempt->base_exists = file->base_exists;
	attempt->base_goes = file->base_goes;
	attempt->base = file->base;
	attempt->unanswered = file->unanswered;
	if (attempt->lost && !file->created && !file->staging.changed)
		attempt->unlinked = true;
	if (attempt->unlinked)
		return STORE_OK;
	if (attempt->lost)
		return store_error_set(&attempt->error, STORE_CHANGED,
				       "%s: replaced or removed in the store "
				       "meanwhile",
				       file->name_hint);
	code = freeze_content_locked(attempt, file);
	number_anew_locked(file);
	commit_name_put_locked(file);
	memcpy(attempt->publish, file->publish, sizeof(attempt->publish));
	attempt->generation = file->note.generation;
	attempt->record = file->note.id;
	attempt->position = commit_put_position_locked(file);
	attempt->exact = file->note.acknowledged &&
			 file->running_change == file->note.change;
	attempt->again = file->unanswered.pending &&
			 !file->unanswered.partial && file->unanswered.change &&
			 file->unanswered.change == file->running_change;
	if (attempt->content)
		answer_expect_locked(
			file, &(struct record_sent){
				      .generation = attempt->generation,
				      .size = attempt->view.size,
				      .mtime = attempt->attributes.mtime });
	if (!code && attempt->created)
		code = freeze_xattrs(attempt);
	if (!code) {
		/* What stays behind has another time. */
		file->attributes = attempt->partial ? attempt->attributes.mask &
							      STORE_ATTR_MTIME
						    : 0;
		attempt->upload = steal_pointer(&file->upload);
	}
	return code;
}

/* ---- the outcome ---- */

/* The store has it: this is the base, and what the node shows. */
static void take_result_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	struct tree *tree = &attempt->fs->tree;
	struct node *node = file->node;

	file->base_exists = true;
	file->base_goes = false;
	file->base = attempt->info.version;
	file->epoch++;
	file_drop_reader_locked(file);
	file->reader = steal_pointer(&attempt->reader);
	lock_take(&tree->lock);
	node->flags &= (uint8_t)~NODE_UNPUBLISHED;
	node_set_version(node, &attempt->info.version);
	node_set_identity(tree, node, attempt->info.node);
	node->links = attempt->info.links ? attempt->info.links : 1;
	if (file->running_change == file->change) {
		node->ctime = node_time_from(attempt->info.ctime);
		node->allocated = node_blocks(attempt->info.allocated);
		node->sure = fs_can(attempt->fs, STORE_CAP_POSIX);
	}
	node->checked_ns = clock_monotonic_ns();
	lock_drop(&tree->lock);
}

static void settle_success_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	struct staging_view old = { 0 };

	file->failures = 0;
	file->force = false;
	file->detached_error = false;
	file->unanswered = (struct file_unanswered){ .pending = false };
	memset(file->publish, 0, sizeof(file->publish));
	if (attempt->content || attempt->current)
		take_result_locked(attempt, file);
	if (attempt->content)
		staging_settle(&file->staging, true, &old);
	file->created = false;
	file->reserved = false;
	ahead_forget_locked(file);
	/* Above what was stored somebody may be at it. */
	file->replacing &= attempt->below;
	file_drop_replaced_locked(file);
	file_drop_xattrs_locked(file);
	if (file->note.generation == attempt->generation)
		file->note.acknowledged = false;
	if (!file->staging.changed && !file->attributes) {
		file_clean_locked(file);
	} else {
		if (file->note.id)
			commit_note_locked(file);
		if (!file->writers || file->note.acknowledged)
			publisher_queue(attempt->fs->publisher, file);
	}
	/* The journal has been told: now the bytes may go. */
	staging_view_remove(&old);
}

/* Jitter: anything from a tenth of the exponential bound up to it. */
static int64_t retry_pause(unsigned int failures)
{
	int64_t bound = RETRY_BASE_NS;

	while (--failures && bound < RETRY_MAX_NS)
		bound *= 2;
	if (bound > RETRY_MAX_NS)
		bound = RETRY_MAX_NS;
	return bound / 10 +
	       (int64_t)(random_number() % (uint64_t)(bound - bound / 10));
}

/* Which bytes has a put of this generation brought, if one has arrived? */
static uint64_t sent_change_locked(const struct attempt *attempt,
				   const struct file *file) REQUIRES(file->lock)
{
	const struct file_unanswered *before = &file->unanswered;

	return before->change && before->change != file->running_change &&
			       before->generation == attempt->generation
		       ? SENT_SEVERAL
		       : file->running_change;
}

/* All of it is staged as before, and may have arrived. */
static void take_back_locked(struct attempt *attempt, struct file *file,
			     int code) REQUIRES(file->lock)
{
	struct staging_view none;

	file->attributes |= attempt->attributes.mask;
	if (attempt->view.count && answer_leaves_doubt(code)) {
		struct file_unanswered *sent = &file->unanswered;

		sent->change = sent_change_locked(attempt, file);
		sent->generation = attempt->generation;
		sent->partial = attempt->partial;
		sent->pending = true;
	}
	if (file->staging.frozen)
		staging_settle(&file->staging, false, &none);
}

/* Its bytes are as durable as was promised, and it will be tried again. */
static bool failure_passes_locked(const struct file *file, int code)
	REQUIRES(file->lock)
{
	return store_code_retryable(code) && file->note.acknowledged;
}

static void settle_failure_locked(struct attempt *attempt, struct file *file,
				  int code) REQUIRES(file->lock)
{
	take_back_locked(attempt, file, code);
	file->failures++;
	file->force &= store_code_retryable(code);
	if (!file->waiters && code != STORE_CANCELLED &&
	    file->told_change != file->running_change &&
	    !failure_passes_locked(file, code))
		file->detached_error = true;
	log_warn("publish failed: %s: %s", store_code_name(code),
		 attempt->error.message);
	if (store_code_retryable(code))
		publisher_retry(attempt->fs->publisher, file,
				clock_monotonic_ns() +
					retry_pause(file->failures));
}

/*
 * It has got a name of its own.  Handles go on with what they have opened;
 * what was written meanwhile still stands above it, and is still in conflict.
 */
static void settle_beside_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	struct staging_view none;

	file->failures = 0;
	file->unanswered = (struct file_unanswered){ .pending = false };
	memset(file->publish, 0, sizeof(file->publish));
	file->beside = file->running_change == file->change;
	if (file->beside && !file->handles) {
		publish_forget_locked(file, false);
		return;
	}
	file->attributes |= attempt->attributes.mask;
	staging_settle(&file->staging, false, &none);
	if (file->note.generation == attempt->generation)
		file->note.acknowledged = false;
	if (!file->beside && (!file->writers || file->note.acknowledged))
		publisher_queue(attempt->fs->publisher, file);
}

static void attempt_ends_locked(struct file *file, bool gave_way)
	REQUIRES(file->lock)
{
	file->give_way = NULL;
	file->gave_way = gave_way;
	file->finished++;
	condition_broadcast(&file->changed);
}

static void attempt_skip(struct file *file)
{
	lock_take(&file->lock);
	attempt_ends_locked(file, false);
	lock_drop(&file->lock);
}

/* Was it cancelled for a change of names, and not by whoever asked for it? */
static bool gave_way(const struct attempt *attempt, int code)
{
	return code == STORE_CANCELLED && attempt->give_way &&
	       store_cancel_is_set(attempt->give_way) &&
	       !(attempt->cancel && store_cancel_is_set(attempt->cancel));
}

/* It counts for nobody: who waits for it waits for the next one. */
static void attempt_give_way(struct attempt *attempt)
{
	struct file *file = attempt->file;

	lock_take(&file->lock);
	take_back_locked(attempt, file, STORE_CANCELLED);
	file->running_change = attempt->before;
	file->last_code = STORE_OK;
	attempt_ends_locked(file, true);
	lock_drop(&file->lock);
	publisher_queue(attempt->fs->publisher, file);
}

static void attempt_finish(struct attempt *attempt, int code)
{
	struct file *file = attempt->file;

	lock_take(&file->lock);
	if (attempt->unlinked)
		file_clean_locked(file);
	else if (attempt->beside)
		settle_beside_locked(attempt, file);
	else if (code)
		settle_failure_locked(attempt, file, code);
	else
		settle_success_locked(attempt, file);
	file->last_code = code;
	file->last_error = attempt->error;
	if (code)
		events_failed(attempt->fs, attempt->key, &attempt->error);
	else if (attempt->content && !attempt->unlinked)
		events_stored(attempt->fs, attempt->key, attempt->info.size);
	attempt_ends_locked(file, false);
	lock_drop(&file->lock);
}

/*
 * With commit=background what is being written waits for the close() or
 * fsync() that asks for it.
 */
static bool is_asked_for_locked(const struct file *file) REQUIRES(file->lock)
{
	const struct fs *fs = file->fs;

	return !fs->commit || fs->options->commit != COMMIT_BACKGROUND ||
	       !file->writers || file->waiters || file->note.acknowledged;
}

/* False: there is nothing to do (any more). */
static bool attempt_begin(struct attempt *attempt, bool whole, bool *abandon)
{
	struct file *file = attempt->file;
	bool go, asked;

	lock_take(&file->lock);
	/* Another thread is at it: what it leaves is ours. */
	while (file->started > file->finished || file->ahead.sending) {
		if (file->ahead.sending)
			ahead_wait_locked(file);
		else
			condition_wait(&file->changed, &file->lock);
	}
	*abandon = file_is_lost_locked(file) && !file->writers;
	asked = whole || is_asked_for_locked(file);
	go = file->dirty && !file_is_lost_locked(file) && !file->beside &&
	     asked;
	file->started++;
	file->give_way = go ? attempt->give_way : NULL;
	attempt->before = file->running_change;
	if (asked)
		file->running_change = file->change;
	if (!go) {
		file->finished++;
		file->gave_way = false;
		file->last_code = STORE_OK;
	}
	condition_broadcast(&file->changed);
	lock_drop(&file->lock);
	return go;
}

/*
 * It was queued for what had been closed then, and that was stored since or
 * could not be.  What a program is writing now is no version before it closes.
 */
static bool writes_on_locked(const struct attempt *attempt,
			     const struct file *file) REQUIRES(file->lock)
{
	return file->writers && !file->note.acknowledged && !file->waiters &&
	       !file->image && attempt->before != file->change;
}

static int attempt_freeze(struct attempt *attempt)
{
	struct file *file = attempt->file;
	int code = STORE_OK;

	lock_take(&file->lock);
	attempt->skipped = file->dirty && writes_on_locked(attempt, file);
	file->running_change =
		attempt->skipped ? attempt->before : file->change;
	/* Unlinked while we waited: clean by now. */
	if (!file->dirty)
		attempt->unlinked = true;
	else if (!attempt->skipped)
		code = freeze_locked(attempt, file);
	file->image = false;
	lock_drop(&file->lock);
	return code;
}

/* A put must not be the only one to know of its record, or of its base. */
static int attempt_sync(struct attempt *attempt)
{
	return commit_sync_to(attempt->fs, attempt->position, &attempt->error);
}

/* Bytes that were refused are kept, whatever becomes of this process. */
static void attempt_keep(struct attempt *attempt, int code)
{
	struct store_error error = STORE_ERROR_INIT;

	if (!attempt->view.count || code == STORE_CANCELLED)
		return;
	if (commit_keep(attempt->file,
			store_code_retryable(code) ? RECORD_PENDING
						   : RECORD_FAILED,
			attempt->error.message, &error))
		log_warn("%s: not kept: %s", attempt->key, error.message);
}

/*
 * Another version has taken the place of the base, which goes with the last
 * reader: what the file has of it is staged, so that the bytes of the one who
 * lost are whole.
 */
static void attempt_keep_base(struct attempt *attempt)
{
	struct file *file = attempt->file;
	struct store_error error = STORE_ERROR_INIT;
	bool held;

	lock_take(&file->lock);
	held = file->reader;
	lock_drop(&file->lock);
	if (!held)
		return;
	if (file_fetch_base(file, &attempt->context, &error))
		log_warn("%s: parts of it stand only in a version that the "
			 "store no longer has: %s",
			 attempt->key, error.message);
	/* There may be a layer now that the record does not name. */
	lock_take(&file->lock);
	file->note.change = 0;
	lock_drop(&file->lock);
}

/*
 * A program that has read the file goes on with what it knows of it: the new
 * base is held like the one before, where that is cheap.
 */
static void attempt_hold_base(struct attempt *attempt)
{
	struct file *file = attempt->file;
	bool held;

	lock_take(&file->lock);
	held = file->reader && file->handles;
	lock_drop(&file->lock);
	if (held && attempt->content && fs_can(attempt->fs, STORE_CAP_NEAR) &&
	    fs_can(attempt->fs, STORE_CAP_PINNED_READ))
		attempt->reader =
			file_open_version(file, &attempt->context, attempt->key,
					  &attempt->info.version);
}

/* What the store has of it stays for the next attempt. */
static void attempt_leave_upload(struct attempt *attempt, int code)
{
	struct file *file = attempt->file;

	attempt->upload = upload_put_ended(attempt->upload, code);
	lock_take(&file->lock);
	file->upload = steal_pointer(&attempt->upload);
	lock_drop(&file->lock);
}

static int attempt_send(struct attempt *attempt)
{
	int code = attempt_sync(attempt);

	if (!code)
		code = attempt_request(attempt);
	attempt_leave_upload(attempt, code);
	if (!code && !attempt->beside)
		attempt_hold_base(attempt);
	return code;
}

static void cancel_below(void *arg, struct file *file)
{
	struct tree *tree = &file->fs->tree;
	const struct gate_pass *pass = arg;
	bool below = false;

	lock_take(&tree->lock);
	for (int i = 0; i < 2; i++)
		below |= pass->nodes[i] &&
			 node_is_below(file->node, pass->nodes[i]);
	lock_drop(&tree->lock);
	if (!below)
		return;
	lock_take(&file->lock);
	if (file->give_way)
		store_cancel_trigger(file->give_way);
	lock_drop(&file->lock);
}

void publish_give_way(void *arg, const struct gate_pass *pass)
{
	struct gate_pass changed = *pass;

	publish_each(arg, cancel_below, &changed);
}

void publish_attempt(struct file *file, bool whole, struct store_cancel *cancel)
{
	struct attempt attempt = { .file = file,
				   .fs = file->fs,
				   .cancel = cancel,
				   .pass = { .nodes = { file->node } } };
	bool abandon = false;
	int code;

	attempt.give_way = cancel_new_below(cancel);
	store_context_init(&attempt.context, file->fs->options->op_timeout_ns,
			   attempt.give_way ? attempt.give_way : cancel);
	if (!attempt_begin(&attempt, whole, &abandon)) {
		store_cancel_free(attempt.give_way);
		if (abandon)
			publish_abandon(file, "its writer was killed", false);
		return;
	}
	code = gate_enter(&file->fs->gate, &attempt.pass, &attempt.context,
			  &attempt.error);
	if (!code)
		code = attempt_freeze(&attempt);
	if (!code && !attempt.unlinked && !attempt.skipped)
		code = attempt_send(&attempt);
	if (code == STORE_CHANGED)
		attempt_keep_base(&attempt);
	if (attempt.skipped)
		attempt_skip(file);
	else if (gave_way(&attempt, code))
		attempt_give_way(&attempt);
	else
		attempt_finish(&attempt, code);
	gate_leave(&file->fs->gate, &attempt.pass);
	if (code)
		attempt_keep(&attempt, code);
	if (attempt.reader)
		reader_put(attempt.reader);
	staging_view_release(&attempt.view);
	free(attempt.kept);
	free(attempt.xattrs);
	store_cancel_free(attempt.give_way);
}
