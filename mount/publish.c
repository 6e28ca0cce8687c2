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

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/base/log.h"

#define RETRY_BASE_NS NS_PER_SEC
#define RETRY_MAX_NS (60 * NS_PER_SEC)

struct attempt {
	struct file *file;
	struct fs *fs;
	struct store_context context;
	struct store_error error;
	struct gate_pass pass;
	char key[STORE_KEY_MAX + 1];
	/* the frozen state */
	bool content, created, base_exists;
	bool unlinked; /* by somebody here: nothing is to be published */
	bool lost;     /* by somebody else: there is no place to publish to */
	struct store_version base;
	struct store_attributes attributes;
	uint64_t id; /* st_ino that a new file has shown already */
	struct staging_layer *layer;
	struct store_range *kept; /* owned */
	size_t kept_count;
	struct store_xattr *xattrs; /* owned; the values are the file's */
	size_t xattr_count;
	struct file_unanswered unanswered;
	/* the outcome */
	bool current; /* attributes went to the version that is the base */
	struct store_info info;
};

/* ---- the source: a sealed layer over the base ---- */

struct layer_source {
	struct store_source source;
	struct attempt *attempt;
};

static int layer_source_read(struct store_source *source, uint64_t offset,
			     void *data, size_t length,
			     struct store_error *error)
{
	struct layer_source *self = (struct layer_source *)source;
	struct attempt *attempt = self->attempt;
	struct base_reader *reader;
	struct staging_piece piece;
	char *bytes = data;
	size_t got;
	int code = STORE_OK;

	for (; length && !code; offset += piece.length, bytes += piece.length,
				length -= (size_t)piece.length) {
		staging_layer_piece(attempt->layer, offset, length, &piece);
		assert(piece.length);
		if (piece.kind == PIECE_ZERO) {
			memset(bytes, 0, (size_t)piece.length);
		} else if (piece.kind == PIECE_STAGED) {
			code = staging_read_piece(&piece, bytes, error);
		} else {
			code = file_base_reader(attempt->file,
						&attempt->context, &reader,
						error);
			if (code)
				return code;
			code = store_read_at(reader->reader, &attempt->context,
					     offset, bytes,
					     (size_t)piece.length, &got, error);
			reader_put(reader);
			if (!code && got != piece.length)
				code = store_error_set(error, STORE_CHANGED,
						       "the base is shorter "
						       "than it was");
		}
	}
	return code;
}

static int layer_source_data(struct store_source *source, uint64_t offset,
			     struct store_range *range,
			     struct store_error *error)
{
	struct layer_source *self = (struct layer_source *)source;
	struct staging_piece piece;

	(void)error;
	for (;; offset = piece.offset + piece.length) {
		staging_layer_piece(self->attempt->layer, offset,
				    UINT64_MAX - offset, &piece);
		*range = (struct store_range){ piece.offset, piece.length };
		if (!piece.length || piece.kind == PIECE_BASE)
			return STORE_OK;
		if (piece.kind == PIECE_ZERO)
			continue;
		staging_piece_data(&piece, range);
		if (range->length)
			return STORE_OK;
	}
}

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
	if (!attempt->base_exists || attempt->created ||
	    !fs_can(attempt->fs, STORE_CAP_COMPOSE) || !attempt->base.token[0])
		return STORE_OK;
	return staging_layer_kept(attempt->layer, &attempt->kept,
				  &attempt->kept_count, &attempt->error);
}

static int freeze_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	int code = STORE_OK;

	freeze_attributes(attempt);
	attempt->created = file->created;
	attempt->base_exists = file->base_exists;
	attempt->base = file->base;
	attempt->unanswered = file->unanswered;
	attempt->content =
		file->created || file->staging.changed || file->staging.sealed;
	if (attempt->lost && !attempt->content)
		attempt->unlinked = true;
	if (attempt->unlinked)
		return STORE_OK;
	if (attempt->lost)
		return store_error_set(&attempt->error, STORE_CHANGED,
				       "%s: replaced or removed in the store "
				       "meanwhile",
				       file->name_hint);
	/* A settle that lacked disk is made up for first. */
	if (file->staging.sealed)
		code = staging_settle(&file->staging, false, &attempt->error);
	if (!code && attempt->content)
		code = staging_seal(&file->staging, &attempt->error);
	if (!code && attempt->content) {
		attempt->layer = staging_sealed(&file->staging);
		code = freeze_kept(attempt);
	}
	if (!code && attempt->created)
		code = freeze_xattrs(attempt);
	if (!code)
		file->attributes = 0;
	return code;
}

/* ---- the request ---- */

static struct store_precondition
attempt_condition(const struct attempt *attempt)
{
	if (attempt->fs->options->conflict == CONFLICT_OVERWRITE &&
	    !attempt->kept_count)
		return (struct store_precondition){ .condition = STORE_IF_ANY };
	if (!attempt->base_exists)
		return (struct store_precondition){ .condition =
							    STORE_IF_ABSENT };
	if (!attempt->base.token[0])
		return (struct store_precondition){ .condition = STORE_IF_ANY };
	return (struct store_precondition){ .condition = STORE_IF_VERSION,
					    .version = attempt->base };
}

static int put_once(struct attempt *attempt)
{
	struct layer_source source = {
		.source = { .size = staging_layer_size(attempt->layer),
			    .read = layer_source_read,
			    .next_data = layer_source_data },
		.attempt = attempt,
	};
	struct store_write_options options = {
		.precondition = attempt_condition(attempt),
		.attributes = &attempt->attributes,
		.keep = !attempt->created,
		.id = attempt->created ? attempt->id : 0,
		.ranges = attempt->kept,
		.range_count = attempt->kept_count,
		.xattrs = attempt->xattrs,
		.xattr_count = attempt->xattr_count,
	};

	atomic_fetch_add(&attempt->fs->counters.publishes, 1);
	return store_write(attempt->fs->store, &attempt->context, attempt->key,
			   &source.source, &options, &attempt->info,
			   &attempt->error);
}

/*
 * An earlier attempt had no answer, and now the store has another version:
 * is it ours after all?  Size and the nanoseconds of our own last write say
 * so.  Then it is the base.
 */
static bool answer_was_lost(struct attempt *attempt)
{
	const struct file_unanswered *sent = &attempt->unanswered;
	struct store_info info;

	if (!sent->pending ||
	    store_stat(attempt->fs->store, &attempt->context, attempt->key,
		       &info, NULL) ||
	    info.size != sent->size ||
	    !(info.attributes.mask & STORE_ATTR_MTIME) ||
	    timespec_compare(info.attributes.mtime, sent->mtime))
		return false;
	attempt->base_exists = true;
	attempt->base = info.version;
	return true;
}

/*
 * The name was renamed over in memory, and what it has in the store has other
 * names, through which this mount has changed it since: that version is as
 * good.  The pass, for the caller to leave, keeps further changes out.
 */
static bool replaced_was_changed(struct attempt *attempt,
				 struct gate_pass *pass)
{
	struct tree *tree = &attempt->fs->tree;
	struct node *node;

	lock_take(&attempt->file->lock);
	node = attempt->file->replaced;
	lock_drop(&attempt->file->lock);
	if (!node)
		return false;
	*pass = (struct gate_pass){ .nodes = { node }, .exclusive = true };
	if (gate_enter(&attempt->fs->gate, pass, &attempt->context, NULL))
		return false;
	lock_take(&tree->lock);
	attempt->base = (struct store_version){ 0 };
	if (node->version)
		memcpy(attempt->base.token, node->version,
		       strlen(node->version) + 1);
	lock_drop(&tree->lock);
	return attempt->base.token[0];
}

static bool code_is_conflict(int code)
{
	return code == STORE_EXISTS || code == STORE_NOT_FOUND ||
	       code == STORE_CHANGED;
}

static int attempt_put(struct attempt *attempt)
{
	struct gate_pass replaced = { .held = false };
	int code = put_once(attempt);
	bool conflict = code_is_conflict(code);

	if (conflict && (answer_was_lost(attempt) ||
			 replaced_was_changed(attempt, &replaced))) {
		code = put_once(attempt);
		conflict = code_is_conflict(code);
	}
	gate_leave(&attempt->fs->gate, &replaced);
	/* Whatever the store calls it: it is not the version we knew. */
	if (conflict)
		code = store_error_set(&attempt->error, STORE_CHANGED,
				       "%s: changed in the store meanwhile",
				       attempt->key);
	return code;
}

/*
 * The store moves a folder's mtime when a new file arrives.  The mount moved
 * it when the file was created; if somebody has set it since, it is set again.
 */
static void restore_folder_time(struct attempt *attempt)
{
	struct tree *tree = &attempt->fs->tree;
	struct store_attributes times = { .mask = STORE_ATTR_MTIME };
	struct store_error error = STORE_ERROR_INIT;
	const struct node *folder = NULL;
	char key[STORE_KEY_MAX + 1];
	bool wanted = false;

	lock_take(&tree->lock);
	if (attempt->file->node->names)
		folder = attempt->file->node->names->parent;
	if (folder && (folder->flags & NODE_TIMES_SET)) {
		times.mtime = node_time_to(folder->mtime);
		wanted = !node_key(tree, folder, NULL, key, NULL);
	}
	lock_drop(&tree->lock);
	if (wanted &&
	    store_set_attributes(attempt->fs->store, &attempt->context, key,
				 &times, NULL, &error))
		log_warn("%s: its time was not kept: %s", key, error.message);
}

static int attempt_request(struct attempt *attempt)
{
	struct tree *tree = &attempt->fs->tree;
	int code;

	lock_take(&tree->lock);
	code = node_key(tree, attempt->file->node, NULL, attempt->key,
			&attempt->error);
	lock_drop(&tree->lock);
	if (code)
		return code;
	if (!attempt->content) {
		attempt->current = file_base_is_current(
			attempt->file, &attempt->context, attempt->key);
		return store_set_attributes(
			attempt->fs->store, &attempt->context, attempt->key,
			&attempt->attributes, &attempt->info, &attempt->error);
	}
	code = attempt_put(attempt);
	if (!code && attempt->created)
		restore_folder_time(attempt);
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
	file->base = attempt->info.version;
	file->epoch++;
	file_drop_reader_locked(file);
	lock_take(&tree->lock);
	node->flags &= (uint8_t)~NODE_UNPUBLISHED;
	node_set_version(node, &attempt->info.version);
	node_set_identity(tree, node, attempt->info.node);
	node->links = attempt->info.links ? attempt->info.links : 1;
	if (file->running_change == file->change) {
		node->ctime = node_time_from(attempt->info.ctime);
		node->allocated = node_blocks(attempt->info.allocated);
	}
	node->checked_ns = clock_monotonic_ns();
	lock_drop(&tree->lock);
}

static void settle_success_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	struct store_error error = STORE_ERROR_INIT;

	file->failures = 0;
	file->detached_error = false;
	file->unanswered.pending = false;
	if (attempt->content || attempt->current)
		take_result_locked(attempt, file);
	if (attempt->content && staging_settle(&file->staging, true, &error))
		log_warn("%s: stored, but: %s", attempt->key, error.message);
	file->created = false;
	file->replacing = false;
	file_drop_replaced_locked(file);
	file_drop_xattrs_locked(file);
	if (!file->staging.changed && !file->attributes)
		file_clean_locked(file);
	else if (!file->writers)
		publisher_queue(attempt->fs->publisher, file);
}

static uint64_t random_number(void)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint64_t)clock_monotonic_ns() * 2654435761U;
	return number;
}

/* Full jitter: anything up to the exponential bound. */
static int64_t retry_pause(unsigned int failures)
{
	int64_t bound = RETRY_BASE_NS;

	while (--failures && bound < RETRY_MAX_NS)
		bound *= 2;
	if (bound > RETRY_MAX_NS)
		bound = RETRY_MAX_NS;
	return bound / 10 + (int64_t)(random_number() % (uint64_t)bound);
}

/* May the store have done it all the same? */
static bool code_leaves_doubt(int code)
{
	return code == STORE_UNAVAILABLE || code == STORE_TIMEOUT ||
	       code == STORE_CANCELLED || code == STORE_INTERNAL;
}

static void settle_failure_locked(struct attempt *attempt, struct file *file,
				  int code) REQUIRES(file->lock)
{
	struct store_error error = STORE_ERROR_INIT;

	file->attributes |= attempt->attributes.mask;
	if (attempt->layer && code_leaves_doubt(code))
		file->unanswered = (struct file_unanswered){
			.pending = true,
			.size = staging_layer_size(attempt->layer),
			.mtime = attempt->attributes.mtime,
		};
	if (file->staging.sealed &&
	    staging_settle(&file->staging, false, &error))
		log_warn("%s: %s", attempt->key, error.message);
	file->failures++;
	if (!file->waiters && code != STORE_CANCELLED &&
	    file->told_change != file->running_change)
		file->detached_error = true;
	log_warn("publish failed: %s: %s", store_code_name(code),
		 attempt->error.message);
	if (store_code_retryable(code))
		publisher_retry(attempt->fs->publisher, file,
				clock_monotonic_ns() +
					retry_pause(file->failures));
}

static void attempt_finish(struct attempt *attempt, int code)
{
	struct file *file = attempt->file;

	lock_take(&file->lock);
	if (attempt->unlinked)
		file_clean_locked(file);
	else if (code)
		settle_failure_locked(attempt, file, code);
	else
		settle_success_locked(attempt, file);
	file->last_code = code;
	file->last_error = attempt->error;
	file->finished++;
	condition_broadcast(&file->changed);
	lock_drop(&file->lock);
}

/* False: there is nothing to do (any more). */
static bool attempt_begin(struct attempt *attempt, bool *abandon)
{
	struct file *file = attempt->file;
	bool go;

	lock_take(&file->lock);
	/* Another thread is at it: what it leaves is ours. */
	while (file->started > file->finished)
		condition_wait(&file->changed, &file->lock);
	*abandon = file->dirty && file->doomed && !file->writers;
	go = file->dirty && !file->doomed;
	file->started++;
	file->running_change = file->change;
	if (!go) {
		file->finished++;
		file->last_code = STORE_OK;
	}
	condition_broadcast(&file->changed);
	lock_drop(&file->lock);
	return go;
}

static int attempt_freeze(struct attempt *attempt)
{
	struct file *file = attempt->file;
	int code = STORE_OK;

	lock_take(&file->lock);
	file->running_change = file->change;
	/* Unlinked while we waited: clean by now. */
	if (file->dirty)
		code = freeze_locked(attempt, file);
	else
		attempt->unlinked = true;
	lock_drop(&file->lock);
	return code;
}

void publish_attempt(struct file *file, struct store_cancel *cancel)
{
	struct attempt attempt = { .file = file,
				   .fs = file->fs,
				   .pass = { .nodes = { file->node } } };
	bool abandon = false;
	int code;

	store_context_init(&attempt.context, file->fs->options->op_timeout_ns,
			   cancel);
	if (!attempt_begin(&attempt, &abandon)) {
		if (abandon)
			publish_abandon(file, "its writer was killed", false);
		return;
	}
	code = gate_enter(&file->fs->gate, &attempt.pass, &attempt.context,
			  &attempt.error);
	if (!code)
		code = attempt_freeze(&attempt);
	if (!code && !attempt.unlinked)
		code = attempt_request(&attempt);
	attempt_finish(&attempt, code);
	gate_leave(&file->fs->gate, &attempt.pass);
	free(attempt.kept);
	free(attempt.xattrs);
}
