// SPDX-License-Identifier: MIT
/*
 * Giving up on a file: its staged bytes are kept in the staging directory
 * with a record of what they are, and the mount goes back to what the store
 * has.  Called by the publisher's threads (writers that were killed while
 * they replaced a file) and at the end of a mount.
 *
 * Order: bytes synced, record synced, directory synced; only then does the
 * mount forget them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/base/log.h"

enum { RECORD_VERSION = 1, RECORD_NAME_MAX = 96 };

/* ---- the record ---- */

struct unfinished {
	const char *key, *reason, *base;
	struct staging_remains remains;
};

static struct json *tell_span(const struct span *span)
{
	struct json *pair = json_array();

	if (pair && !json_append(pair, json_number((int64_t)span->start)) &&
	    !json_append(pair, json_number((int64_t)span->end)))
		return pair;
	json_free(pair);
	return NULL;
}

/* Where the file has bytes; the rest is the base's below the limit. */
static struct json *tell_present(const struct rangemap *present)
{
	struct json *spans = json_array();

	for (size_t i = 0; spans && i < present->count; i++) {
		if (!json_append(spans, tell_span(&present->spans[i])))
			continue;
		json_free(spans);
		spans = NULL;
	}
	return spans;
}

static char *record_text(const struct unfinished *unfinished)
{
	const struct staging_remains *remains = &unfinished->remains;
	struct json *record = json_object();
	char *text = NULL;
	int failed = !record;

	failed |= json_set(record, "version", json_number(RECORD_VERSION));
	failed |= json_set(record, "key", json_text(unfinished->key));
	failed |= json_set(record, "state", json_text("unfinished"));
	failed |= json_set(record, "reason", json_text(unfinished->reason));
	failed |= json_set(record, "base", json_text(unfinished->base));
	failed |= json_set(record, "time", json_number(clock_now().tv_sec));
	failed |= json_set(record, "size", json_number((int64_t)remains->size));
	failed |= json_set(record, "base_limit",
			   json_number((int64_t)remains->lower_limit));
	failed |= json_set(record, "present", tell_present(&remains->present));
	if (!failed)
		text = json_print(record, false);
	json_free(record);
	return text;
}

static int record_write(int dir_fd, const struct unfinished *unfinished,
			struct store_error *error)
{
	CLEANUP_FREE char *text = record_text(unfinished);
	char name[RECORD_NAME_MAX];
	CLEANUP_FD int fd = -1;

	if (!text)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a record");
	snprintf(name, sizeof(name), "%s.json", unfinished->remains.name);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fsync(fd) || fsync(dir_fd))
		return store_error_errno(error, errno, "%s", name);
	return STORE_OK;
}

/* ---- the mount ---- */

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

/*
 * Take the staged bytes away from the file; false when there is nothing to
 * keep, or when it is not to be given up after all.
 */
static bool take_remains(struct file *file, bool ending,
			 struct unfinished *unfinished, char *key)
{
	struct fs *fs = file->fs;
	bool unlinked, kept = false;

	lock_take(&file->lock);
	/* Somebody has opened it again, or an attempt has begun. */
	if (!file->dirty || file->started > file->finished ||
	    (!ending && (!file->doomed || file->writers))) {
		lock_drop(&file->lock);
		return false;
	}
	lock_take(&fs->tree.lock);
	unlinked = !file->node->names && !(file->node->flags & NODE_LOST);
	if (node_key(&fs->tree, file->node, NULL, key, NULL))
		snprintf(key, STORE_KEY_MAX + 1, "%s", file->name_hint);
	lock_drop(&fs->tree.lock);
	if (!unlinked && (file->staging.changed || file->staging.sealed))
		kept = staging_abandon(&file->staging, &unfinished->remains);
	file->attributes = 0;
	file_clean_locked(file);
	node_revert(file);
	lock_drop(&file->lock);
	return kept;
}

bool publish_abandon(struct file *file, const char *reason, bool ending)
{
	struct fs *fs = file->fs;
	struct store_error error = STORE_ERROR_INIT;
	char key[STORE_KEY_MAX + 1] = "";
	struct store_version base;
	struct unfinished unfinished = { .key = key, .reason = reason };

	lock_take(&file->lock);
	base = file->base;
	lock_drop(&file->lock);
	unfinished.base = base.token;
	if (!take_remains(file, ending, &unfinished, key))
		return false;
	atomic_fetch_add(&fs->counters.unfinished, 1);
	if (record_write(fs->staging_fd, &unfinished, &error))
		log_error("no record of %s: %s", unfinished.remains.name,
			  error.message);
	log_warn("%s: %s; the bytes are kept in the staging directory as %s",
		 key, reason, unfinished.remains.name);
	staging_remains_release(&unfinished.remains);
	if (fs->session && !ending)
		fuse_lowlevel_notify_inval_inode(fs->session,
						 ino_of(fs, file->node), 0, 0);
	return true;
}
