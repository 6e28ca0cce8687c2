// SPDX-License-Identifier: MIT
/*
 * Records of files with staged changes; see commit.h.  Called by file.c,
 * publish.c and acknowledge.c; calls record.c and journal.c.
 */
#include "config.h"

#include "mount/commit_internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/random.h"
#include "src/base/step.h"

void commit_name_put_locked(struct file *file)
{
	static const uint8_t none[STORE_PUBLISH_SIZE];
	uint32_t generation = htole32((uint32_t)file->note.generation);

	if (!memcmp(file->publish, none, sizeof(none)))
		random_bytes(file->publish, STORE_PUBLISH_SIZE - 4);
	memcpy(file->publish + STORE_PUBLISH_SIZE - 4, &generation, 4);
}

/* Layers that the journal knows, or (unacknowledged) all. */
static size_t noted_layers(const struct file *file, uint64_t *numbers)
{
	const struct staging *staging = &file->staging;
	size_t count = 0;

	for (size_t i = 0; i < staging->count; i++)
		if (!file->note.acknowledged || staging->layers[i]->recorded)
			numbers[count++] = staging->layers[i]->number;
	return count;
}

static size_t noted_xattrs(const struct file *file, struct record_xattr *xattrs)
{
	size_t count = 0;

	for (struct file_xattr *one = file->xattrs; one; one = one->next) {
		if (xattrs)
			xattrs[count] = (struct record_xattr){
				.name = one->name,
				.value = one->value,
				.size = one->size,
			};
		count++;
	}
	return count;
}

/* Needs the file's lock; takes the tree's. */
static int noted_node(struct file *file, struct record_file *record, char *key)
{
	struct tree *tree = &file->fs->tree;
	const struct node *node = file->node;
	uint32_t mask = file->attributes;
	int code;

	if (file->created)
		mask |= STORE_ATTR_MODE | STORE_ATTR_UID | STORE_ATTR_GID;
	/* What is being sent may never arrive. */
	if (file->started > file->finished)
		mask |= file->note.attributes;
	file->note.attributes = mask;
	lock_take(&tree->lock);
	code = node_key(tree, node, NULL, key, NULL);
	record->node = node->number;
	record->attributes = (struct store_attributes){
		.mask = mask,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.mtime = node_time_to(node->mtime),
		.atime = node_time_to(node->atime),
	};
	file->note.mtime = record->attributes.mtime;
	lock_drop(&tree->lock);
	return code;
}

bool note_is_lost_locked(struct file *file)
{
	struct tree *tree = &file->fs->tree;
	const struct node *node = file->node;
	char key[STORE_KEY_MAX + 1];
	bool lost;

	lock_take(&tree->lock);
	lost = (node->names || (node->flags & NODE_LOST)) &&
	       node_key(tree, node, NULL, key, NULL);
	lock_drop(&tree->lock);
	return lost;
}

void note_encode_locked(struct file *file, enum record_state state,
			const char *reason, const char *name, struct buf *frame)
{
	char key[STORE_KEY_MAX + 1];
	CLEANUP_FREE uint64_t *layers =
		calloc(file->staging.count + 1, sizeof(*layers));
	CLEANUP_FREE struct record_xattr *xattrs =
		calloc(noted_xattrs(file, NULL) + 1, sizeof(*xattrs));
	struct record record = { .type = RECORD_FILE };
	struct record_file *out = &record.file;

	if (!layers || !xattrs) {
		frame->failed = STORE_NO_MEMORY;
		return;
	}
	commit_name_put_locked(file);
	if (noted_node(file, out, key)) {
		/* What has been acknowledged stays under its last name. */
		if (!note_is_lost_locked(file) || file->note.acknowledged ||
		    !file->name_hint[0])
			return;
		memcpy(key, file->name_hint, sizeof(file->name_hint));
		state = RECORD_UNFINISHED;
	}
	out->id = file->note.id;
	out->generation = file->note.generation;
	out->state = state;
	out->code = state == RECORD_FAILED ? file->last_code : 0;
	out->created = file->created;
	out->base_exists = file->base_exists;
	out->base_goes = file->base_goes;
	out->base = file->base;
	out->time = clock_now().tv_sec;
	out->key = name ? (char *)(uintptr_t)name : key;
	out->reason = (char *)(uintptr_t)reason;
	memcpy(out->publish, file->publish, sizeof(out->publish));
	out->xattrs = xattrs;
	out->xattr_count = noted_xattrs(file, xattrs);
	out->layers = layers;
	out->layer_count = noted_layers(file, layers);
	out->content = file->created || out->layer_count;
	out->sent_count = file->unanswered.sent_count;
	memcpy(out->sent, file->unanswered.sent, sizeof(out->sent));
	record_encode(frame, &record);
}

enum record_state note_state_locked(const struct file *file)
{
	if (!file->note.acknowledged)
		return RECORD_UNFINISHED;
	if (file->last_code && !store_code_retryable(file->last_code) &&
	    file->last_code != STORE_CANCELLED)
		return RECORD_FAILED;
	return RECORD_PENDING;
}

int note_append_locked(struct file *file, const struct buf *frame,
		       unsigned int flags, struct store_error *error)
{
	struct commit *commit = file->fs->commit;
	uint64_t position, number;
	bool gone;
	int code = buf_error(frame, "a record", error);

	if (!code && frame->length)
		code = debts_append(&commit->debts, frame, flags, &position,
				    error);
	if (code || !frame->length)
		return code;
	file->note.position = position;
	file->note.binding |= file->note.acknowledged;
	if (!file->note.binding)
		return STORE_OK;
	lock_take(&file->fs->tree.lock);
	number = file->node->number;
	gone = !file->node->names;
	lock_drop(&file->fs->tree.lock);
	note_end(commit, number, position);
	if (gone)
		note_position(&commit->names, position);
	return STORE_OK;
}

int note_append_or_owe_locked(struct file *file, const struct buf *frame,
			      unsigned int flags, struct store_error *error)
{
	int code = note_append_locked(file, frame, flags, error);

	if (code && (file->note.binding || (flags & JOURNAL_RELEASES)))
		debts_owe(&file->fs->commit->debts, frame, flags);
	return code;
}

void note_id_locked(struct file *file)
{
	if (!file->note.id)
		file->note.id =
			atomic_fetch_add(&file->fs->commit->last_id, 1) + 1;
}

void commit_note_locked(struct file *file)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct store_error error = STORE_ERROR_INIT;

	if (!file->fs->commit)
		return;
	note_id_locked(file);
	/* A put with the former number is not known to have sent this. */
	file->note.generation += file->note.acknowledged;
	note_encode_locked(file, note_state_locked(file), NULL, NULL, &frame);
	file->note.top = staging_top_number(&file->staging);
	if (!note_append_locked(file, &frame, 0, &error))
		return;
	log_warn("%s: not noted: %s", file->name_hint, error.message);
	if (file->note.binding)
		debts_owe_state(&file->fs->commit->debts, &frame,
				file->note.id);
}

void commit_note_attributes_locked(struct file *file)
{
	commit_note_locked(file);
	if (file->fs->commit && file->note.binding)
		note_position(&file->fs->commit->names, file->note.position);
}

void commit_note_content_locked(struct file *file)
{
	/* Bytes above an acknowledged generation are not tied to it. */
	if (!file->fs->commit || file->note.acknowledged ||
	    file->note.top == staging_top_number(&file->staging))
		return;
	commit_note_locked(file);
}

/* What comes next has another id; an acknowledgement may be under way. */
static void note_forget_locked(struct file *file) REQUIRES(file->lock)
{
	file->note = (struct file_note){
		.generation = file->note.generation,
		.busy = file->note.busy,
	};
}

bool commit_is_acknowledged(struct file *file)
{
	bool acknowledged;

	if (!file)
		return false;
	lock_take(&file->lock);
	acknowledged = file->note.acknowledged;
	lock_drop(&file->lock);
	return acknowledged;
}

uint64_t commit_id(struct file *file)
{
	uint64_t id = 0;

	if (!file)
		return 0;
	lock_take(&file->lock);
	if (file->note.acknowledged)
		id = file->note.id;
	lock_drop(&file->lock);
	return id;
}

uint64_t commit_take_id(struct file *file)
{
	uint64_t id = commit_id(file);

	if (!id)
		return 0;
	lock_take(&file->lock);
	note_forget_locked(file);
	lock_drop(&file->lock);
	return id;
}

int commit_renamed_locked(struct file *file, const char *key, uint64_t replaced,
			  struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record done = { .type = RECORD_DONE, .id = replaced };
	bool refuses = file->note.acknowledged || replaced;
	int code;

	if (!file->fs->commit || (!file->note.id && !replaced))
		return STORE_OK;
	STEP("commit: before rename");
	note_id_locked(file);
	note_encode_locked(file, note_state_locked(file), NULL, key, &frame);
	if (replaced)
		record_encode(&frame, &done);
	code = refuses ? note_append_locked(file, &frame,
					    replaced ? JOURNAL_RELEASES : 0,
					    error)
		       : note_append_or_owe_locked(file, &frame, 0, error);
	if (!code)
		note_position(&file->fs->commit->names, file->note.position);
	STEP("commit: renamed");
	return refuses ? code : STORE_OK;
}

int commit_leaving(struct file *file, struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct fs *fs = file->fs;
	uint64_t position;
	bool told;
	int code = STORE_OK;

	lock_take(&file->lock);
	file->base_goes = true;
	told = fs->commit && file->note.acknowledged;
	if (told) {
		note_encode_locked(file, note_state_locked(file), NULL, NULL,
				   &frame);
		code = note_append_locked(file, &frame, 0, error);
	}
	position = file->note.position;
	lock_drop(&file->lock);
	if (!code && told && STEP_WANTED("commit: flush move"))
		code = commit_sync_to(fs, position, error);
	STEP("commit: moving");
	return code;
}

static void encode_done_locked(const struct file *file, struct buf *frame)
	REQUIRES(file->lock)
{
	struct record record = { .type = RECORD_DONE, .id = file->note.id };

	STEP("commit: before done");
	record_encode(frame, &record);
}

int commit_drop(struct file *file, struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	int code;

	if (!commit_id(file))
		return STORE_OK;
	lock_take(&file->lock);
	encode_done_locked(file, &frame);
	code = note_append_locked(file, &frame, JOURNAL_RELEASES, error);
	if (!code) {
		note_position(&file->fs->commit->names, file->note.position);
		note_forget_locked(file);
		STEP("commit: done");
	}
	lock_drop(&file->lock);
	return code;
}

void commit_done_locked(struct file *file)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct store_error error = STORE_ERROR_INIT;

	memset(file->publish, 0, sizeof(file->publish));
	if (!file->fs->commit || !file->note.id)
		return;
	encode_done_locked(file, &frame);
	if (note_append_or_owe_locked(file, &frame, JOURNAL_RELEASES, &error))
		log_warn("%s: not noted as stored: %s", file->name_hint,
			 error.message);
	STEP("commit: done");
	note_forget_locked(file);
}
