// SPDX-License-Identifier: MIT
/*
 * Files of an earlier run; see restore.h.  Called by recovery.c, calls the
 * node tree, staging.c and the store.
 */
#include "config.h"

#include "mount/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/answer.h"
#include "mount/commit.h"
#include "mount/publish.h"
#include "mount/uploads.h"
#include "src/base/clock.h"
#include "src/base/fdio.h"
#include "src/base/log.h"

struct restoring {
	struct fs *fs;
	struct pending_file *pending;
	struct store_context context;
	struct node *node;	/* a reference */
	struct store_info info; /* of what the store has there */
	bool exists;
	bool arrived; /* it is of an earlier state of this file */
};

/* ---- the name ---- */

/* Takes the caller's reference of `parent`, gives one of the child. */
static int enter(struct restoring *restoring, struct node *parent,
		 const char *name, const struct store_info *info,
		 struct store_error *error)
{
	struct tree *tree = &restoring->fs->tree;
	struct node *node;

	lock_take(&tree->lock);
	node = tree_enter(tree, parent, name, info, clock_monotonic_ns());
	if (node)
		node_ref(tree, node);
	node_unref(tree, parent);
	restoring->node = node;
	lock_drop(&tree->lock);
	if (node)
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY,
			       "%s: no memory for a node", name);
}

/* A folder that somebody has removed meanwhile is made again. */
static int ask_folder(struct restoring *restoring, const char *key,
		      struct store_info *info, struct store_error *error)
{
	struct fs *fs = restoring->fs;
	int code = store_stat(fs->store, &restoring->context, key, info, error);

	if (code == STORE_NOT_FOUND)
		code = store_make_folder(fs->store, &restoring->context, key,
					 NULL, info, error);
	if (!code && info->type != STORE_TYPE_FOLDER)
		code = store_error_set(error, STORE_NOT_DIR,
				       "%s: no longer a folder", key);
	return code;
}

/* What the store has there; a name that is free is ours. */
static int ask_file(struct restoring *restoring, const char *key,
		    struct store_error *error)
{
	const struct record_file *record = &restoring->pending->record;
	struct store_info *info = &restoring->info;
	int code = store_stat(restoring->fs->store, &restoring->context, key,
			      info, error);

	restoring->exists = !code && info->type == STORE_TYPE_FILE;
	if (code && code != STORE_NOT_FOUND)
		return code;
	if (!restoring->exists) {
		*info = (struct store_info){
			.type = STORE_TYPE_FILE,
			.links = 1,
			.id = record->node,
			.attributes = record->attributes,
			.ctime = record->attributes.mtime,
		};
	}
	return STORE_OK;
}

static int find_place(struct restoring *restoring, struct store_error *error)
{
	struct fs *fs = restoring->fs;
	char key[STORE_KEY_MAX + 1], *slash, *name = key;
	struct store_info info;
	int code = STORE_OK;

	snprintf(key, sizeof(key), "%s", restoring->pending->record.key);
	lock_take(&fs->tree.lock);
	restoring->node = fs->tree.root;
	node_ref(&fs->tree, restoring->node);
	lock_drop(&fs->tree.lock);
	while (!code && (slash = strchr(name, '/'))) {
		*slash = '\0';
		code = ask_folder(restoring, key, &info, error);
		if (!code)
			code = enter(restoring, restoring->node, name, &info,
				     error);
		*slash = '/';
		name = slash + 1;
	}
	if (!code)
		code = ask_file(restoring, key, error);
	if (!code)
		code = enter(restoring, restoring->node, name, &restoring->info,
			     error);
	return code;
}

/* ---- what has arrived ---- */

/*
 * A put of the earlier run may have arrived without its answer: then what is
 * staged goes over that version.  True: the store has all there is.
 */
static bool find_arrived(struct restoring *restoring)
{
	const struct record_file *record = &restoring->pending->record;
	const struct store_info *info = &restoring->info;
	struct store_details details;
	struct store_info again;
	bool whole;

	if (!restoring->exists || record->state != RECORD_PENDING ||
	    (record->base_exists &&
	     store_version_equal(&record->base, &info->version)) ||
	    store_stat_details(restoring->fs->store, &restoring->context,
			       record->key, &again, &details, NULL))
		return false;
	restoring->arrived =
		details.has_publish &&
		store_version_equal(&info->version, &again.version) &&
		!memcmp(details.publish, record->publish,
			STORE_PUBLISH_SIZE - 4);
	whole = restoring->arrived &&
		!memcmp(details.publish, record->publish, STORE_PUBLISH_SIZE);
	store_details_release(&details);
	return whole;
}

/* ---- the bytes ---- */

static int write_inline(const struct staging_layer *layer,
			const struct record_layer *record,
			struct store_error *error)
{
	const char *data = record->data;

	for (size_t i = 0; i < record->present.count; i++) {
		const struct span *span = &record->present.spans[i];
		size_t length = (size_t)(span->end - span->start);

		if (fd_write_at(layer->fd, data, length, span->start))
			return layer_error(layer, errno, error);
		data += length;
	}
	return STORE_OK;
}

static int restore_layer(struct fs *fs, struct pending_layer *pending,
			 struct staging_layer **layer,
			 struct store_error *error)
{
	struct record_layer *record = &pending->record;
	int code = layer_restore(fs->area, record->number, record->data, layer,
				 error);

	if (code)
		return code;
	if (record->data)
		code = write_inline(*layer, record, error);
	layer_restore_maps(*layer, record->size, record->lower_limit,
			   &record->present, &record->dirty);
	if (code)
		layer_leave(*layer);
	return code;
}

static int restore_stack_locked(struct restoring *restoring, struct file *file,
				struct store_error *error) REQUIRES(file->lock)
{
	struct pending_file *pending = restoring->pending;
	struct staging *staging = &file->staging;
	size_t count = pending->record.layer_count;
	uint64_t base_size = restoring->exists ? restoring->info.size : 0;
	int code = STORE_OK;

	staging_init(staging, restoring->fs->area, base_size);
	if (!count)
		return STORE_OK;
	staging->layers = calloc(count, sizeof(struct staging_layer *));
	if (!staging->layers)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for staging");
	staging->room = count;
	while (staging->count < count && !code) {
		code = restore_layer(restoring->fs,
				     pending->layers[staging->count],
				     &staging->layers[staging->count], error);
		staging->count += !code;
	}
	if (code)
		return code;
	staging->size = staging->layers[count - 1]->size;
	staging->changed = true;
	return STORE_OK;
}

/* ---- the rest ---- */

static void restore_node_locked(struct restoring *restoring, struct file *file)
	REQUIRES(file->lock)
{
	const struct record_file *record = &restoring->pending->record;
	const struct store_attributes *attributes = &record->attributes;
	struct tree *tree = &restoring->fs->tree;
	struct node *node = file->node;

	lock_take(&tree->lock);
	if (attributes->mask & STORE_ATTR_MODE)
		node->mode = (uint16_t)attributes->mode;
	if (attributes->mask & STORE_ATTR_UID)
		node->uid = attributes->uid;
	if (attributes->mask & STORE_ATTR_GID)
		node->gid = attributes->gid;
	if (attributes->mask & STORE_ATTR_MTIME)
		node->mtime = node_time_from(attributes->mtime);
	if (attributes->mask & STORE_ATTR_ATIME)
		node->atime = node_time_from(attributes->atime);
	node->size = file->staging.size;
	if (!restoring->exists)
		node->flags |= NODE_UNPUBLISHED;
	lock_drop(&tree->lock);
}

static int restore_xattrs_locked(const struct record_file *record,
				 struct file *file, struct store_error *error)
	REQUIRES(file->lock)
{
	int code = STORE_OK;

	for (size_t i = 0; i < record->xattr_count && !code; i++) {
		struct store_xattr xattr = { .name = record->xattrs[i].name,
					     .value = record->xattrs[i].value,
					     .size = record->xattrs[i].size };

		code = file_add_xattr_locked(file, &xattr, error);
	}
	return code;
}

static int restore_locked(struct restoring *restoring, struct file *file,
			  struct store_error *error) REQUIRES(file->lock)
{
	const struct record_file *record = &restoring->pending->record;
	int code = restore_stack_locked(restoring, file, error);

	if (!code)
		code = restore_xattrs_locked(record, file, error);
	if (code)
		return code;
	file->base_exists = record->base_exists || restoring->arrived;
	file->base_goes = record->base_goes && !restoring->arrived;
	file->base =
		restoring->arrived ? restoring->info.version : record->base;
	file->created = record->created;
	file->attributes = record->attributes.mask;
	memcpy(file->publish, record->publish, sizeof(file->publish));
	/*
	 * Puts of the earlier run may have arrived, of these bytes or, where
	 * no id tells, of what the record says was sent before.
	 */
	file->unanswered = (struct file_unanswered){ .pending = true };
	for (size_t i = record->sent_count; i--;)
		answer_expect_locked(file, &record->sent[i]);
	answer_expect_locked(file, &(struct record_sent){
					   .generation = record->generation,
					   .size = file->staging.size,
					   .mtime = record->attributes.mtime });
	file_dirty_locked(file);
	file->note = (struct file_note){
		.id = record->id,
		.generation = record->generation,
		.change = file->change,
		.top = staging_top_number(&file->staging),
		.mtime = record->attributes.mtime,
		.acknowledged = true,
		.binding = true,
	};
	if (record->state == RECORD_FAILED) {
		/* Whoever was told may have been killed with the driver. */
		file->detached_error = true;
		file->last_code = record->code;
		store_error_set(&file->last_error, record->code, "%s",
				record->reason ? record->reason
					       : "an earlier run failed");
	}
	if (record->state == RECORD_PENDING)
		file->upload =
			uploads_claim(restoring->fs, record->id, record->key);
	restore_node_locked(restoring, file);
	return STORE_OK;
}

static int take_over_locked(struct restoring *restoring, struct file *file,
			    struct store_error *error) REQUIRES(file->lock)
{
	int code = restore_locked(restoring, file, error);

	if (code)
		staging_leave(&file->staging);
	return code;
}

static int restore_open(struct restoring *restoring, struct store_error *error)
{
	struct fs *fs = restoring->fs;
	struct file *file = file_get(fs, restoring->node);
	int code;

	if (!file)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a file");
	lock_take(&file->lock);
	/* Its layers would be taken for those of the other one. */
	if (file->dirty)
		code = store_error_set(error, STORE_CHANGED,
				       "%s: another file has this name",
				       restoring->pending->record.key);
	else
		code = take_over_locked(restoring, file, error);
	lock_drop(&file->lock);
	if (!code && restoring->pending->record.state == RECORD_PENDING)
		publisher_queue(fs->publisher, file);
	file_put(file);
	return code;
}

int restore_file(struct fs *fs, struct pending_file *pending,
		 struct store_error *error)
{
	struct restoring restoring = { .fs = fs, .pending = pending };
	int code;

	store_context_init(&restoring.context, fs->options->op_timeout_ns,
			   NULL);
	code = find_place(&restoring, error);
	if (!code && find_arrived(&restoring)) {
		commit_settle(fs, pending->record.id);
		pending->record.id = 0;
	} else if (!code) {
		code = restore_open(&restoring, error);
	}
	if (restoring.node) {
		lock_take(&fs->tree.lock);
		node_unref(&fs->tree, restoring.node);
		lock_drop(&fs->tree.lock);
	}
	if (code)
		log_error("%s: cannot be taken up: %s", pending->record.key,
			  error->message);
	return code;
}
