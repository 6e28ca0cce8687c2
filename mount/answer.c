// SPDX-License-Identifier: MIT
/*
 * Lost answers; see answer.h.  Called by publish_put.c before a
 * conflict is told, and by ops_*.c before a name changes; calls the store.
 */
#include "config.h"

#include "mount/answer.h"

#include <string.h>

#include "src/base/clock.h"

bool answer_leaves_doubt(int code)
{
	return code == STORE_UNAVAILABLE || code == STORE_TIMEOUT ||
	       code == STORE_CANCELLED || code == STORE_INTERNAL;
}

static bool is_same(const struct record_sent *a, const struct record_sent *b)
{
	return a->generation == b->generation && a->size == b->size &&
	       !timespec_compare(a->mtime, b->mtime);
}

void answer_expect_locked(struct file *file, const struct record_sent *sent)
{
	struct file_unanswered *all = &file->unanswered;
	size_t kept = 0;

	if (fs_can(file->fs, STORE_CAP_PUBLISH_ID))
		return;
	while (kept < all->sent_count && !is_same(&all->sent[kept], sent))
		kept++;
	if (kept == RECORD_SENT_MAX)
		kept--;
	if (kept == all->sent_count)
		all->sent_count++;
	memmove(all->sent + 1, all->sent, kept * sizeof(*all->sent));
	all->sent[0] = *sent;
}

bool answer_looks_sent(struct tree *tree, const struct record_sent *sent,
		       const struct store_info *info)
{
	return sent->size == info->size &&
	       (info->attributes.mask & STORE_ATTR_MTIME) &&
	       tree_keeps_time(tree, sent->mtime, info->attributes.mtime);
}

static bool was_sent(struct tree *tree, const struct file_unanswered *sent,
		     const struct store_info *info)
{
	for (size_t i = 0; i < sent->sent_count; i++)
		if (answer_looks_sent(tree, &sent->sent[i], info))
			return true;
	return false;
}

enum answer answer_of(struct fs *fs, struct store_context *context,
		      const char *key, const struct answer_sent *sent,
		      struct store_info *info)
{
	const size_t same = STORE_PUBLISH_SIZE - 4;
	struct store_details details;
	bool ours, last = false;

	if (store_stat_details(fs->store, context, key, info, &details, NULL))
		return ANSWER_NOT_OURS;
	if (fs_can(fs, STORE_CAP_PUBLISH_ID)) {
		ours = details.has_publish &&
		       !memcmp(details.publish, sent->publish, same);
		last = ours &&
		       !memcmp(details.publish + same, sent->publish + same, 4);
	} else {
		ours = sent->last.pending &&
		       was_sent(&fs->tree, &sent->last, info);
	}
	store_details_release(&details);
	if (last)
		return ANSWER_THE_LAST;
	return ours ? ANSWER_OURS : ANSWER_NOT_OURS;
}

/* What is staged goes over it. */
static void take_base_locked(struct file *file, const struct store_info *info)
	REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;

	file->base_exists = true;
	file->base_goes = false;
	file->base = info->version;
	file->epoch++;
	file->unanswered = (struct file_unanswered){ .pending = false };
	/* It would look for the version that was replaced. */
	if (!fs_can(file->fs, STORE_CAP_PINNED_READ))
		file_drop_reader_locked(file);
	lock_take(&tree->lock);
	file->node->flags &= (uint8_t)~NODE_UNPUBLISHED;
	lock_drop(&tree->lock);
}

/* Is what was acknowledged last all there is of it? */
static bool has_nothing_newer_locked(const struct file *file)
	REQUIRES(file->lock)
{
	return file->dirty && file->note.acknowledged &&
	       file->note.change == file->change;
}

/* It has all of it.  The journal is told before the bytes go. */
static void settle_locked(struct file *file, const struct store_info *info)
	REQUIRES(file->lock)
{
	struct tree *tree = &file->fs->tree;

	file->failures = 0;
	file->force = false;
	file->detached_error = false;
	file->last_code = STORE_OK;
	file->attributes = 0;
	file_drop_xattrs_locked(file);
	file_clean_locked(file);
	file_rebase_locked(file, info);
	lock_take(&tree->lock);
	node_refresh(tree, file->node, info);
	lock_drop(&tree->lock);
	condition_broadcast(&file->changed);
}

static bool is_base_locked(const struct file *file,
			   const struct store_version *version)
	REQUIRES(file->lock)
{
	return file->base_exists && store_version_equal(&file->base, version);
}

static void take_arrived(struct file *file, const struct store_info *info,
			 enum answer answer)
{
	lock_take(&file->lock);
	if (is_base_locked(file, &info->version)) {
		lock_drop(&file->lock);
		return;
	}
	take_base_locked(file, info);
	if (answer == ANSWER_THE_LAST && has_nothing_newer_locked(file))
		settle_locked(file, info);
	lock_drop(&file->lock);
}

static void look(struct op *op, struct file *file, const char *key, bool stored)
{
	struct answer_sent sent;
	struct store_info info;
	enum answer answer;
	bool looks;

	lock_take(&file->lock);
	sent.last = file->unanswered;
	memcpy(sent.publish, file->publish, sizeof(sent.publish));
	lock_take(&op->fs->tree.lock);
	looks = stored || file->node->flags & NODE_UNPUBLISHED;
	lock_drop(&op->fs->tree.lock);
	lock_drop(&file->lock);
	if (!looks || !sent.last.pending)
		return;
	answer = answer_of(op->fs, &op->context, key, &sent, &info);
	if (answer != ANSWER_NOT_OURS)
		take_arrived(file, &info, answer);
}

void answer_look(struct op *op, struct file *file, const char *key)
{
	if (file)
		look(op, file, key, false);
}

void answer_look_stored(struct op *op, struct file *file, const char *key)
{
	look(op, file, key, true);
}

void answer_inherit(struct file *file, struct file *replaced)
{
	struct answer_sent sent;
	uint64_t generation;

	if (!replaced || replaced == file)
		return;
	lock_take(&replaced->lock);
	sent.last = replaced->unanswered;
	memcpy(sent.publish, replaced->publish, sizeof(sent.publish));
	generation = replaced->note.generation;
	lock_drop(&replaced->lock);
	if (!sent.last.pending)
		return;
	lock_take(&file->lock);
	file->unanswered = sent.last;
	file->unanswered.change = 0;
	memcpy(file->publish, sent.publish, sizeof(file->publish));
	/* None of both has sent this number. */
	if (file->note.generation < generation)
		file->note.generation = generation;
	file->note.generation++;
	lock_drop(&file->lock);
}
