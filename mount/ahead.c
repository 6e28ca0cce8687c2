// SPDX-License-Identifier: MIT
/*
 * See ahead.h.  Called by file.c, file_content.c and publish.c; calls the
 * store, and uploads.c for the token.
 */
#include "config.h"

#include "mount/ahead.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "mount/publish.h"
#include "mount/uploads.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/cancel.h"

/* New bytes that are worth a call, and those of one call. */
#define FIRST_BYTES (UINT64_C(16) << 20)
#define STEP_BYTES (UINT64_C(16) << 20)
/* As of a put. */
#define SEND_BUFFERS (UINT64_C(1) << 20)
/*
 * A file that is written faster than this gains nothing, and would cost a
 * request more: what is said of it has to be set once it is complete.
 */
#define SLOW_NS NS_PER_SEC
/* A put waits for what gets on. */
#define PATIENCE_NS (2 * NS_PER_SEC)
#define LOOK_NS (NS_PER_SEC / 4)

struct ahead {
	struct fs *fs;
	struct store_cancel *cancel;
	struct lock lock;
	struct condition wake;
	/* protected by `lock` */
	struct file *first, **end; /* each a reference */
	bool stopping;
	/* immutable after the start */
	pthread_t thread;
};

/* ---- which files ---- */

/* Is it written from front to back, and nothing of it settled otherwise? */
static bool is_wanted_locked(const struct file *file) REQUIRES(file->lock)
{
	const struct file_ahead *ahead = &file->ahead;

	return !ahead->off && !ahead->puts && file->dirty && file->writers &&
	       !file->doomed && !file->force && !file->beside &&
	       !file->note.acknowledged && !file->unanswered.pending &&
	       file->started == file->finished &&
	       ahead->front == file->staging.size &&
	       !atomic_load(&file->fs->paused);
}

/* Is it time for a batch? */
static bool is_due_locked(const struct file *file) REQUIRES(file->lock)
{
	const struct file_ahead *ahead = &file->ahead;
	uint64_t bytes = ahead->front - ahead->asked;

	if (bytes < (ahead->begun ? STEP_BYTES : FIRST_BYTES) ||
	    !is_wanted_locked(file))
		return false;
	return ahead->begun ||
	       clock_monotonic_ns() - ahead->since_ns >= SLOW_NS;
}

static void queue_locked(struct file *file) REQUIRES(file->lock)
{
	struct ahead *ahead = file->fs->ahead;

	file->ahead.queued = true;
	file_ref(file);
	lock_take(&ahead->lock);
	file->ahead.next = NULL;
	*ahead->end = file;
	ahead->end = &file->ahead.next;
	condition_signal(&ahead->wake);
	lock_drop(&ahead->lock);
}

void ahead_wrote_locked(struct file *file, const struct store_range *range)
{
	struct file_ahead *ahead = &file->ahead;
	uint64_t end = range->offset + range->length;

	if (!file->fs->ahead)
		return;
	if (range->length && range->offset <= ahead->front &&
	    end > ahead->front)
		ahead->front = end;
	if (!range->length && range->offset < ahead->front)
		ahead->front = range->offset;
	/* What was sent is cut off: the put sorts it out. */
	ahead->off |= ahead->front < ahead->asked;
	if (!ahead->since_ns)
		ahead->since_ns = clock_monotonic_ns();
	if (!ahead->queued && !ahead->sending && is_due_locked(file))
		queue_locked(file);
}

static void cancel_locked(struct file *file) REQUIRES(file->lock)
{
	if (file->ahead.cancel)
		store_cancel_trigger(file->ahead.cancel);
}

void ahead_wait_locked(struct file *file)
{
	int64_t begun_ns = clock_monotonic_ns();

	file->ahead.puts++;
	while (file->ahead.sending) {
		int64_t now = clock_monotonic_ns();

		if (now - begun_ns >= PATIENCE_NS &&
		    now - file->ahead.moved_ns >= PATIENCE_NS)
			cancel_locked(file);
		condition_wait_until(&file->changed, &file->lock,
				     now + LOOK_NS);
	}
	file->ahead.puts--;
}

void ahead_forget_locked(struct file *file)
{
	/* It was removed. */
	cancel_locked(file);
	file->ahead.front = file->ahead.sent = file->ahead.asked = 0;
	file->ahead.since_ns = 0;
	file->ahead.off = file->ahead.begun = false;
}

/* ---- sending ---- */

struct batch {
	struct store_source source;
	struct file *file;
	struct store_range range;
	struct store_write_options options;
	struct store_attributes attributes;
	struct upload *upload;
	struct store_cancel *cancel;
	uint8_t publish[STORE_PUBLISH_SIZE];
	char key[STORE_KEY_MAX + 1];
};

/* A write may come in between: then it is not this part that is kept. */
static int batch_read(struct store_source *source, uint64_t offset, void *data,
		      size_t length, struct store_error *error)
{
	struct batch *batch = (struct batch *)source;
	struct file *file = batch->file;
	char *bytes = data;
	int code = STORE_OK;

	while (length && !code) {
		struct staging_piece piece;

		lock_take(&file->lock);
		file->ahead.moved_ns = clock_monotonic_ns();
		staging_piece_at(&file->staging, offset, length, &piece);
		lock_drop(&file->lock);
		if (!piece.length || piece.kind == PIECE_BASE)
			code = store_error_set(error, STORE_CHANGED,
					       "not written as a whole");
		else if (piece.kind == PIECE_ZERO)
			memset(bytes, 0, (size_t)piece.length);
		else
			code = staging_read_piece(&piece, bytes, error);
		staging_piece_release(&piece);
		offset += piece.length;
		bytes += piece.length;
		length -= (size_t)piece.length;
	}
	return code;
}

/* What the put will say, too: the close() that acknowledges it counts one up. */
static void name_locked(struct batch *batch, struct file *file)
	REQUIRES(file->lock)
{
	uint32_t generation = (uint32_t)file->note.generation +
			      (file->fs->options->commit == COMMIT_BACKGROUND);

	commit_name_put_locked(file);
	generation = htole32(generation);
	memcpy(batch->publish, file->publish, sizeof(batch->publish));
	memcpy(batch->publish + STORE_PUBLISH_SIZE - 4, &generation, 4);
}

/* False: it has no name any more. */
static bool say_locked(struct batch *batch, struct file *file)
	REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;
	const struct node *node = file->node;
	struct store_error error = STORE_ERROR_INIT;
	bool named;

	lock_take(&tree->lock);
	named = node->names &&
		!node_key(tree, file->node, NULL, batch->key, &error);
	batch->attributes = (struct store_attributes){
		.mask = file->attributes,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.mtime = node_time_to(node->mtime),
		.atime = node_time_to(node->atime),
	};
	batch->options.id = file->created ? node->number : 0;
	lock_drop(&tree->lock);
	return named;
}

static struct store_precondition condition_locked(const struct file *file)
	REQUIRES(file->lock)
{
	struct store_precondition condition = {
		.condition = STORE_IF_ABSENT,
	};

	if (file->fs->options->conflict == CONFLICT_OVERWRITE)
		condition.condition = STORE_IF_ANY;
	if (!file->base_exists || condition.condition == STORE_IF_ANY)
		return condition;
	condition.condition =
		file->base.token[0] ? STORE_IF_VERSION : STORE_IF_ANY;
	condition.version = file->base;
	return condition;
}

static void choose_locked(struct batch *batch, struct file *file)
	REQUIRES(file->lock)
{
	batch->range.offset = file->ahead.sent;
	batch->range.length = file->ahead.front - file->ahead.sent;
	file->ahead.asked = file->ahead.front;
	batch->source = (struct store_source){
		.size = batch->range.offset + batch->range.length,
		.read = batch_read,
	};
	batch->options.precondition = condition_locked(file);
	batch->options.attributes = &batch->attributes;
	batch->options.keep = !file->created;
	batch->options.publish = batch->publish;
	batch->options.resume = &batch->upload->resume;
}

static bool batch_begin(struct batch *batch)
{
	struct file *file = batch->file;

	lock_take(&file->lock);
	file->ahead.queued = false;
	if (is_wanted_locked(file) && say_locked(batch, file))
		batch->upload = upload_for(
			file->fs, steal_pointer(&file->upload), batch->key,
			file->note.id, file->ahead.front);
	if (batch->upload) {
		name_locked(batch, file);
		choose_locked(batch, file);
		file->ahead.begun = file->ahead.sending = true;
		file->ahead.cancel = batch->cancel;
	}
	lock_drop(&file->lock);
	return batch->upload;
}

static void batch_end(struct batch *batch, int code)
{
	struct file *file = batch->file;

	lock_take(&file->lock);
	if (code)
		file->ahead.off = true;
	else
		file->ahead.sent = batch->range.offset + batch->range.length;
	/* It may have been removed, or renamed, meanwhile. */
	if (file->dirty && file->ahead.begun)
		file->upload = steal_pointer(&batch->upload);
	file->ahead.sending = false;
	file->ahead.cancel = NULL;
	condition_broadcast(&file->changed);
	if (is_due_locked(file))
		queue_locked(file);
	lock_drop(&file->lock);
	upload_drop(batch->upload);
}

static int batch_send(struct batch *batch, struct fs *fs)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	int code;

	/* Others who send go on, each within its own time without progress. */
	store_context_init(&context, 0, batch->cancel);
	code = fs_buffer_take(fs, BLOCKCACHE_UPLOADS, SEND_BUFFERS, &context,
			      &error);
	if (code)
		return code;
	store_context_init(&context, fs->options->op_timeout_ns, batch->cancel);
	code = store_send_ahead(fs->store, &context, batch->key, &batch->source,
				&batch->options, &batch->range, &error);
	fs_buffer_give(fs, BLOCKCACHE_UPLOADS, SEND_BUFFERS);
	/* No failure: the put will tell. */
	if (code)
		log_debug("%s: not sent ahead: %s", batch->key, error.message);
	return code;
}

static void send_file(struct fs *fs, struct file *file)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (batch)
		batch->cancel = cancel_new_below(fs->ahead->cancel);
	if (!batch || !batch->cancel) {
		free(batch);
		lock_take(&file->lock);
		file->ahead.queued = false;
		lock_drop(&file->lock);
		return;
	}
	batch->file = file;
	if (batch_begin(batch))
		batch_end(batch, batch_send(batch, fs));
	store_cancel_free(batch->cancel);
	free(batch);
}

static struct file *next_file(struct ahead *ahead)
{
	struct file *file;

	lock_take(&ahead->lock);
	while (!ahead->first && !ahead->stopping)
		condition_wait(&ahead->wake, &ahead->lock);
	file = ahead->first;
	if (file)
		ahead->first = file->ahead.next;
	if (!ahead->first)
		ahead->end = &ahead->first;
	lock_drop(&ahead->lock);
	return file;
}

static void *ahead_thread(void *arg)
{
	struct ahead *ahead = arg;
	struct file *file;

	while ((file = next_file(ahead))) {
		send_file(ahead->fs, file);
		file_put(file);
	}
	return NULL;
}

/* ---- life ---- */

static void ahead_free(struct ahead *ahead)
{
	store_cancel_free(ahead->cancel);
	lock_destroy(&ahead->lock);
	condition_destroy(&ahead->wake);
	free(ahead);
}

int ahead_start(struct fs *fs, struct store_error *error)
{
	struct ahead *ahead;

	if (!fs_can(fs, STORE_CAP_RESUME))
		return STORE_OK;
	ahead = calloc(1, sizeof(*ahead));
	if (!ahead)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory to send ahead");
	ahead->fs = fs;
	ahead->end = &ahead->first;
	ahead->cancel = store_cancel_new();
	lock_init(&ahead->lock);
	condition_init(&ahead->wake);
	if (!ahead->cancel ||
	    pthread_create(&ahead->thread, NULL, ahead_thread, ahead)) {
		ahead_free(ahead);
		return store_error_set(error, STORE_NO_MEMORY,
				       "no thread to send ahead");
	}
	fs->ahead = ahead;
	return STORE_OK;
}

void ahead_stop(struct fs *fs)
{
	struct ahead *ahead = fs->ahead;

	if (!ahead)
		return;
	lock_take(&ahead->lock);
	ahead->stopping = true;
	store_cancel_trigger(ahead->cancel);
	condition_broadcast(&ahead->wake);
	lock_drop(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	fs->ahead = NULL;
	ahead_free(ahead);
}
