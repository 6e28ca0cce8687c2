// SPDX-License-Identifier: MIT
/*
 * See settle.h.  Called by the control commands; calls publish.c, commit.c,
 * and the store for what no file in memory stands for.
 *
 * Order of giving up: the end of the record is appended, then the bytes are
 * given up; they go when that end is durable, which the caller waits for.
 */
#include "config.h"

#include "mount/settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/commit.h"
#include "mount/content.h"
#include "mount/events.h"
#include "mount/op.h"
#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* Cancelling does not signal a condition: look this often. */
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

/* Beyond op_timeout, for an attempt that is about to fail. */
#define SETTLE_PATIENCE_NS (5 * NS_PER_SEC)

/* ---- without a file in memory ---- */

static void forget_one(_Atomic uint64_t *counter)
{
	uint64_t value = atomic_load(counter);

	while (value &&
	       !atomic_compare_exchange_weak(counter, &value, value - 1))
		;
}

static int discard_name(struct fs *fs, const struct inventory_item *item,
			struct store_error *error)
{
	uint64_t number;

	if (unlinkat(fs->staging_fd, item->name, 0) || fsync(fs->staging_fd))
		return store_error_errno(error, errno, "%s", item->name);
	if (data_number(item->name, &number))
		forget_one(&fs->counters.unfinished);
	return STORE_OK;
}

static void remove_data(struct fs *fs, const struct record_file *record)
{
	char name[DATA_NAME_MAX];

	for (size_t i = 0; i < record->layer_count; i++) {
		data_name(record->layers[i], name);
		unlinkat(fs->staging_fd, name, 0);
	}
}

static int end_record(struct fs *fs, const struct inventory_item *item,
		      struct store_error *error)
{
	int code = commit_discard(fs, item->file->record.id, error);

	if (code)
		return code;
	remove_data(fs, &item->file->record);
	forget_one(item->state == INVENTORY_UNFINISHED
			   ? &fs->counters.unfinished
			   : &fs->counters.failed_files);
	return STORE_OK;
}

/* ---- a file in memory ---- */

/* What the kernel has to forget. */
struct shown {
	fuse_ino_t parent, ino;
	char *name; /* owned, NULL: the name stays */
};

static void note_name_locked(struct file *file, struct shown *shown)
	REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;
	const struct name *name;

	lock_take(&tree->lock);
	name = file->node->names;
	shown->ino = ino_of(file->fs, file->node);
	if (name && !file->base_exists) {
		shown->parent = ino_of(file->fs, name->parent);
		shown->name = strdup(name->text);
	}
	lock_drop(&tree->lock);
}

static void tell_kernel(struct fs *fs, struct shown *shown)
{
	if (fs->session && shown->name)
		fuse_lowlevel_notify_inval_entry(fs->session, shown->parent,
						 shown->name,
						 strlen(shown->name));
	if (fs->session)
		fuse_lowlevel_notify_inval_inode(fs->session, shown->ino, 0, 0);
	free(shown->name);
}

/* False: the attempt, or the acknowledgement, does not end. */
static bool wait_idle_locked(struct file *file, struct store_cancel *cancel)
	REQUIRES(file->lock)
{
	int64_t until = clock_monotonic_ns() + SETTLE_PATIENCE_NS +
			file->fs->options->op_timeout_ns;

	while (file->dirty &&
	       (file->note.busy || file->started > file->finished)) {
		if (clock_monotonic_ns() >= until ||
		    store_cancel_is_set(cancel))
			return false;
		condition_wait_until(&file->changed, &file->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
	}
	return true;
}

static void give_up_locked(struct file *file) REQUIRES(file->lock)
{
	file->force = false;
	file->detached_error = false;
	file->last_code = STORE_OK;
	file->unanswered = (struct file_unanswered){ .pending = false };
	file_drop_xattrs_locked(file);
	publish_forget_locked(file, false);
	/* Also under open handles: they see what the store has. */
	staging_discard(&file->staging);
}

static int discard_live(struct file *file, struct store_cancel *cancel,
			struct store_error *error)
{
	struct fs *fs = file->fs;
	struct shown shown = { .name = NULL };
	bool idle, dirty, open;

	lock_take(&file->lock);
	idle = wait_idle_locked(file, cancel);
	dirty = file->dirty;
	open = file->writers && !file->note.acknowledged && !file->last_code;
	if (idle && dirty && !open) {
		note_name_locked(file, &shown);
		give_up_locked(file);
	}
	lock_drop(&file->lock);
	if (!dirty)
		return store_error_set(error, STORE_NOT_FOUND,
				       "%s: it is in the store by now",
				       file->name_hint);
	if (open || !idle)
		return store_error_set(error, STORE_LOCKED, "%s: %s",
				       file->name_hint,
				       open ? "a program is writing it"
					    : "it is being stored just now");
	tell_kernel(fs, &shown);
	return commit_sync(fs, error);
}

int settle_discard(struct fs *fs, struct inventory_item *item,
		   struct store_cancel *cancel, struct store_error *error)
{
	int code;

	if (item->live)
		code = discard_live(item->live, cancel, error);
	else if (item->file)
		code = end_record(fs, item, error);
	else
		code = discard_name(fs, item, error);
	if (!code)
		events_discarded(fs, item->key ? item->key : item->name);
	return code;
}

/* ---- noting ---- */

int settle_note(struct file *file, bool *noted, struct store_error *error)
{
	struct store_error failure;
	int code;

	lock_take(&file->lock);
	code = file->last_code;
	failure = file->last_error;
	*noted =
		file->dirty && code && code != STORE_CANCELLED &&
		file->running_change == file->change &&
		!(file->note.acknowledged && file->note.change == file->change);
	lock_drop(&file->lock);
	if (!*noted)
		return STORE_OK;
	return commit_keep(file,
			   store_code_retryable(code) ? RECORD_PENDING
						      : RECORD_FAILED,
			   failure.message, error);
}

/* ---- storing ---- */

/* Why it cannot be stored now, NULL: it can. */
static const char *obstacle_locked(const struct file *file, bool force)
	REQUIRES(file->lock)
{
	if (file->writers && !file->note.acknowledged)
		return "a program is writing it";
	if (file_is_lost_locked(file) && !force)
		return "its writer was killed; retry --force stores it as it "
		       "is";
	return NULL;
}

/* False: not now, or not without force. */
static bool permit_locked(struct file *file, const struct settle_retry *retry,
			  struct store_error *error) REQUIRES(file->lock)
{
	const char *obstacle = obstacle_locked(file, retry->force);

	if (obstacle) {
		store_error_set(error, STORE_LOCKED, "%s: %s",
				retry->item->key ? retry->item->key
						 : file->name_hint,
				obstacle);
		return false;
	}
	if (retry->force) {
		file->force = true;
		file->doomed = false;
	}
	return true;
}

static void wait_attempt_locked(struct file *file,
				const struct settle_retry *retry)
	REQUIRES(file->lock)
{
	while (file->dirty &&
	       (file->finished < retry->item->awaited || file->gave_way) &&
	       !store_cancel_is_set(retry->cancel))
		condition_wait_until(&file->changed, &file->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
}

static int attempt_live(struct file *file, const struct settle_retry *retry,
			struct store_error *error)
{
	bool permitted;
	int code;

	lock_take(&file->lock);
	permitted = permit_locked(file, retry, error);
	lock_drop(&file->lock);
	if (!permitted)
		return STORE_LOCKED;
	if (!retry->item->awaited)
		publish_attempt(file, true, retry->cancel);
	lock_take(&file->lock);
	wait_attempt_locked(file, retry);
	code = file->dirty ? file->last_code : STORE_OK;
	if (code && error)
		*error = file->last_error;
	lock_drop(&file->lock);
	return code;
}

void settle_queue(struct fs *fs, const struct settle_retry *retry)
{
	struct file *file = retry->item->live;
	bool permitted;

	if (!file || atomic_load(&fs->paused))
		return;
	lock_take(&file->lock);
	permitted = permit_locked(file, retry, NULL);
	if (permitted)
		retry->item->awaited = file->started + 1;
	lock_drop(&file->lock);
	if (permitted)
		publisher_queue(fs->publisher, file);
}

/* Has another file taken its name in the store, so that it has none? */
static bool name_is_lost(struct file *file)
{
	struct tree *tree = &file->fs->tree;
	bool lost;

	lock_take(&tree->lock);
	lost = !file->node->names && (file->node->flags & NODE_LOST);
	lock_drop(&tree->lock);
	return lost;
}

/* Nobody else may be changing what is about to be replaced. */
static int check_alone(const struct settle_retry *retry,
		       struct store_error *error)
{
	const struct inventory *inventory = retry->inventory;

	for (size_t i = 0; i < inventory->count; i++) {
		const struct inventory_item *other = &inventory->items[i];

		if (other != retry->item && other->live && other->key &&
		    !strcmp(other->key, retry->item->key))
			return store_error_set(
				error, STORE_LOCKED,
				"%s: the mount has a newer file of that name "
				"that is not in the store yet",
				other->key);
	}
	return STORE_OK;
}

static int put_content(struct fs *fs, const struct record_file *record,
		       struct content *content, struct store_context *context,
		       struct store_info *info, struct store_error *error)
{
	CLEANUP_FREE struct store_xattr *xattrs =
		calloc(record->xattr_count + 1, sizeof(*xattrs));
	struct store_write_options options = {
		.precondition = { .condition = STORE_IF_ANY },
		.attributes = &record->attributes,
		.keep = !record->created,
		.id = record->created ? record->node : 0,
		.publish = record->publish,
		.xattrs = xattrs,
		.xattr_count = record->xattr_count,
	};

	if (!xattrs)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for attributes");
	for (size_t i = 0; i < record->xattr_count; i++)
		xattrs[i] = (struct store_xattr){
			.name = record->xattrs[i].name,
			.value = record->xattrs[i].value,
			.size = record->xattrs[i].size,
		};
	atomic_fetch_add(&fs->counters.publishes, 1);
	return store_write(fs->store, context, record->key,
			   content_source(content, context), &options, info,
			   error);
}

/* By the record alone, over whatever is there. */
static int force_record(struct fs *fs, const struct settle_retry *retry,
			struct store_error *error)
{
	const struct inventory_item *item = retry->item;
	struct content *content = NULL;
	struct store_context context;
	struct store_info info;
	struct content_request request = { .dir_fd = fs->staging_fd,
					   .file = item->file,
					   .store = fs->store,
					   .context = &context };
	int code = check_alone(retry, error);

	store_context_init(&context, fs->options->op_timeout_ns, retry->cancel);
	if (!code)
		code = content_open(&request, &content, error);
	if (!code)
		code = put_content(fs, &item->file->record, content, &context,
				   &info, error);
	content_close(content);
	if (code)
		return code;
	events_stored(fs, item->file->record.key, info.size);
	return end_record(fs, item, error);
}

static int refuse(const struct inventory_item *item, struct store_error *error)
{
	if (!item->file)
		return store_error_set(error, STORE_INVALID,
				       "%s: it is not known what it belongs "
				       "to; export --raw saves it",
				       item->name);
	if (item->state == INVENTORY_DAMAGED)
		return store_error_set(error, STORE_CORRUPT,
				       "%s: its staged bytes are damaged; "
				       "export --raw saves what there is",
				       item->key);
	return store_error_set(error, STORE_INVALID,
			       "%s: it was never finished; retry --force "
			       "stores it as it is",
			       item->key);
}

int settle_retry(struct fs *fs, const struct settle_retry *retry,
		 struct store_error *error)
{
	const struct inventory_item *item = retry->item;

	if (item->live && retry->force && name_is_lost(item->live))
		return store_error_set(error, STORE_CHANGED,
				       "%s: another file has got its name; "
				       "export and discard it",
				       item->key ? item->key : "?");
	if (item->live)
		return attempt_live(item->live, retry, error);
	if (retry->force && item->state == INVENTORY_UNFINISHED)
		return force_record(fs, retry, error);
	return refuse(item, error);
}
