// SPDX-License-Identifier: MIT
/*
 * Lost answers; see answer.h.  Called by publish.c before a conflict is
 * told, and by ops_*.c before a name changes; calls the store.
 */
#include "config.h"

#include "mount/answer.h"

#include <string.h>

#include "src/base/clock.h"

bool answer_is_ours(struct fs *fs, struct store_context *context,
		    const char *key, const struct answer_sent *sent,
		    struct store_info *info)
{
	struct store_details details;
	bool ours;

	if (store_stat_details(fs->store, context, key, info, &details, NULL))
		return false;
	if (fs_can(fs, STORE_CAP_PUBLISH_ID))
		ours = details.has_publish &&
		       !memcmp(details.publish, sent->publish,
			       STORE_PUBLISH_SIZE - 4);
	else
		ours = sent->last.pending && info->size == sent->last.size &&
		       (info->attributes.mask & STORE_ATTR_MTIME) &&
		       !timespec_compare(info->attributes.mtime,
					 sent->last.mtime);
	store_details_release(&details);
	return ours;
}

/* It has arrived: what is staged goes over it. */
static void take_arrived(struct file *file, const struct store_info *info)
{
	struct tree *tree = &file->fs->tree;

	lock_take(&file->lock);
	file->base_exists = true;
	file->base = info->version;
	file->epoch++;
	file->unanswered.pending = false;
	lock_take(&tree->lock);
	file->node->flags &= (uint8_t)~NODE_UNPUBLISHED;
	lock_drop(&tree->lock);
	lock_drop(&file->lock);
}

void answer_look(struct op *op, struct file *file, const char *key)
{
	struct answer_sent sent;
	struct store_info info;
	bool unpublished;

	if (!file)
		return;
	lock_take(&file->lock);
	sent.last = file->unanswered;
	memcpy(sent.publish, file->publish, sizeof(sent.publish));
	lock_take(&op->fs->tree.lock);
	unpublished = file->node->flags & NODE_UNPUBLISHED;
	lock_drop(&op->fs->tree.lock);
	lock_drop(&file->lock);
	if (unpublished && sent.last.pending &&
	    answer_is_ours(op->fs, &op->context, key, &sent, &info))
		take_arrived(file, &info);
}
