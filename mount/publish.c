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
	bool content, created, base_exists, unlinked;
	struct store_version base;
	struct store_attributes attributes;
	uint64_t id; /* st_ino that a new file has shown already */
	struct staging_layer *layer;
	struct store_range *kept; /* owned */
	size_t kept_count;
	struct store_xattr *xattrs; /* owned; the values are the file's */
	size_t xattr_count;
	/* the outcome */
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
	attempt->unlinked = !node->names;
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
	attempt->content =
		file->created || file->staging.changed || file->staging.sealed;
	if (attempt->unlinked)
		return STORE_OK;
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

static int attempt_put(struct attempt *attempt)
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
	int code;

	atomic_fetch_add(&attempt->fs->counters.publishes, 1);
	code = store_write(attempt->fs->store, &attempt->context, attempt->key,
			   &source.source, &options, &attempt->info,
			   &attempt->error);
	/* Whatever the store calls it: it is not the version we knew. */
	if (code == STORE_EXISTS || code == STORE_NOT_FOUND)
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
	if (!attempt->content)
		return store_set_attributes(
			attempt->fs->store, &attempt->context, attempt->key,
			&attempt->attributes, &attempt->info, &attempt->error);
	code = attempt_put(attempt);
	if (!code && attempt->created)
		restore_folder_time(attempt);
	return code;
}

/* ---- the outcome ---- */

static void settle_success_locked(struct attempt *attempt, struct file *file)
	REQUIRES(file->lock)
{
	struct tree *tree = &attempt->fs->tree;
	struct store_error error = STORE_ERROR_INIT;

	file->base_exists = true;
	file->base = attempt->info.version;
	file->epoch++;
	file->failures = 0;
	file->detached_error = false;
	file_drop_reader_locked(file);
	if (attempt->content && staging_settle(&file->staging, true, &error))
		log_warn("%s: stored, but: %s", attempt->key, error.message);
	file->created = false;
	file->replacing = false;
	lock_take(&tree->lock);
	file->node->flags &= (uint8_t)~NODE_UNPUBLISHED;
	node_set_version(file->node, &attempt->info.version);
	node_set_identity(tree, file->node, attempt->info.node);
	file->node->links = attempt->info.links ? attempt->info.links : 1;
	if (file->running_change == file->change) {
		file->node->ctime = node_time_from(attempt->info.ctime);
		file->node->allocated = node_blocks(attempt->info.allocated);
	}
	file->node->checked_ns = clock_monotonic_ns();
	lock_drop(&tree->lock);
	if (!file->staging.changed && !file->attributes)
		file_clean_locked(file);
}

/* Full jitter: anything up to the exponential bound. */
static int64_t retry_pause(unsigned int failures)
{
	int64_t bound = RETRY_BASE_NS;

	while (--failures && bound < RETRY_MAX_NS)
		bound *= 2;
	if (bound > RETRY_MAX_NS)
		bound = RETRY_MAX_NS;
	return bound / 10 + clock_now().tv_nsec % (bound - bound / 10);
}

static void settle_failure_locked(struct attempt *attempt, struct file *file,
				  int code) REQUIRES(file->lock)
{
	struct store_error error = STORE_ERROR_INIT;

	file->attributes |= attempt->attributes.mask;
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
	go = file->dirty && !*abandon;
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
			publish_abandon(file, "its writer was killed");
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

/* ---- giving up ---- */

static int record_write(struct file *file, const char *name, const char *key,
			const char *reason)
{
	CLEANUP_FREE char *text = NULL;
	struct json *record = json_object();
	char path[96];
	int fd, code = STORE_OK;

	code |= json_set(record, "version", json_number(1));
	code |= json_set(record, "key", json_text(key));
	code |= json_set(record, "state", json_text("unfinished"));
	code |= json_set(record, "reason", json_text(reason));
	code |= json_set(record, "base", json_text(file->base.token));
	code |= json_set(record, "time", json_number(clock_now().tv_sec));
	text = json_print(record, false);
	json_free(record);
	snprintf(path, sizeof(path), "%s.json", name);
	fd = openat(file->fs->staging_fd, path,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !text)
		code = STORE_INTERNAL;
	else if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
		 fsync(fd))
		code = STORE_NO_SPACE;
	if (fd >= 0)
		close(fd);
	return code;
}

/* Back to what the store has, or to nothing. */
static void node_revert(struct file *file)
{
	struct tree *tree = &file->fs->tree;
	struct node *node = file->node;

	lock_take(&tree->lock);
	node->flags |= NODE_STALE_PAGES;
	node->checked_ns = 0;
	node->size = file->staging.base_size;
	while (!file->base_exists && node->names)
		tree_drop_name(tree, node->names);
	lock_drop(&tree->lock);
}

void publish_abandon(struct file *file, const char *reason)
{
	struct fs *fs = file->fs;
	CLEANUP_FREE char *name = NULL;
	char key[STORE_KEY_MAX + 1] = "";
	bool kept;

	lock_take(&file->lock);
	if (!file->dirty) {
		lock_drop(&file->lock);
		return;
	}
	lock_take(&fs->tree.lock);
	kept = !node_key(&fs->tree, file->node, NULL, key, NULL);
	lock_drop(&fs->tree.lock);
	if (kept && file->staging.changed)
		name = staging_abandon(&file->staging);
	file->attributes = 0;
	file_clean_locked(file);
	node_revert(file);
	lock_drop(&file->lock);
	if (!name)
		return;
	atomic_fetch_add(&fs->counters.unfinished, 1);
	if (record_write(file, name, key, reason))
		log_error("%s: no record could be written", name);
	log_warn("%s: %s; the bytes are kept in the staging directory as %s",
		 key, reason, name);
	fuse_lowlevel_notify_inval_inode(fs->session, ino_of(fs, file->node), 0,
					 0);
}
