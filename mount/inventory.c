// SPDX-License-Identifier: MIT
/*
 * See inventory.h.  Called by the control commands; calls pending.c and the
 * publisher's list.
 *
 * Live files are looked at before the journal is read: what was stored in
 * between is listed once more, but nothing is missing.
 */
#include "config.h"

#include "mount/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* Times that a list which changes is made anew. */
enum { LOADS_MAX = 3 };

const char *inventory_state_name(enum inventory_state state)
{
	static const char *const names[] = {
		[INVENTORY_PENDING] = "pending",
		[INVENTORY_UPLOADING] = "uploading",
		[INVENTORY_OPEN] = "open",
		[INVENTORY_FAILED] = "failed",
		[INVENTORY_UNFINISHED] = "unfinished",
		[INVENTORY_DAMAGED] = "damaged",
		[INVENTORY_ORPHAN] = "orphan",
	};

	return names[state];
}

static struct inventory_item *add(struct inventory *inventory)
{
	if (inventory->count == inventory->room) {
		size_t room = inventory->room ? inventory->room * 2 : 16;
		struct inventory_item *items =
			reallocarray(inventory->items, room, sizeof(*items));

		if (!items)
			return NULL;
		inventory->items = items;
		inventory->room = room;
	}
	inventory->items[inventory->count] =
		(struct inventory_item){ .state = INVENTORY_PENDING };
	return &inventory->items[inventory->count++];
}

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for the list of files");
}

/* ---- live files ---- */

struct live_search {
	struct inventory *inventory;
	bool failed;
};

enum inventory_state inventory_state_locked(const struct file *file)
{
	if (file->started > file->finished)
		return INVENTORY_UPLOADING;
	if (file->last_code && !store_code_retryable(file->last_code) &&
	    file->last_code != STORE_CANCELLED)
		return INVENTORY_FAILED;
	if (file->writers && !file->note.acknowledged)
		return INVENTORY_OPEN;
	return file_is_lost_locked(file) ? INVENTORY_UNFINISHED
					 : INVENTORY_PENDING;
}

static bool live_take_locked(struct inventory_item *item,
			     const struct file *file) REQUIRES(file->lock)
{
	item->state = inventory_state_locked(file);
	item->id = file->note.id;
	item->size_known = true;
	item->size = file->staging.size;
	item->code = file->last_code;
	item->attempts = file->failures;
	item->retry_at_ns = publisher_retry_at(file->fs->publisher, file);
	if (item->code)
		item->reason = strdup(file->last_error.message);
	return item->reason || !item->code;
}

static void live_add(void *arg, struct file *file)
{
	struct live_search *search = arg;
	struct tree *tree = &file->fs->tree;
	char key[STORE_KEY_MAX + 1];
	struct inventory_item *item;
	bool dirty, named;

	lock_take(&tree->lock);
	named = !node_key(tree, file->node, NULL, key, NULL);
	lock_drop(&tree->lock);
	lock_take(&file->lock);
	dirty = file->dirty;
	item = dirty ? add(search->inventory) : NULL;
	if (item && live_take_locked(item, file)) {
		item->live = file;
		file_ref(file);
		/* The name may be lost to another file; the record has it. */
		item->key = named ? strdup(key) : NULL;
	}
	lock_drop(&file->lock);
	search->failed |=
		dirty && (!item || !item->live || (named && !item->key));
}

static int add_live(struct fs *fs, struct inventory *inventory,
		    struct store_error *error)
{
	struct live_search search = { .inventory = inventory };

	publish_each(fs, live_add, &search);
	return search.failed ? no_memory(error) : STORE_OK;
}

static int compare_ids(const void *a, const void *b)
{
	const struct inventory_item *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* ---- records ---- */

static uint64_t data_size(int dir_fd, uint64_t number)
{
	char name[DATA_NAME_MAX];
	struct stat found;

	data_name(number, name);
	return fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW)
		       ? 0
		       : (uint64_t)found.st_size;
}

/* Also of one whose layers nothing was recorded of. */
static void record_size(int dir_fd, struct inventory_item *item)
{
	const struct pending_file *file = item->file;
	size_t count = file->record.layer_count;
	uint64_t number;

	if (!count)
		return;
	number = file->record.layers[count - 1];
	item->size_known = true;
	item->size = file->layers[count - 1]
			     ? file->layers[count - 1]->record.size
			     : data_size(dir_fd, number);
}

static enum inventory_state record_state(const struct pending_file *file)
{
	if (file->record.state == RECORD_UNFINISHED)
		return INVENTORY_UNFINISHED;
	if (file->damaged)
		return INVENTORY_DAMAGED;
	return file->record.state == RECORD_FAILED ? INVENTORY_FAILED
						   : INVENTORY_PENDING;
}

static bool record_take(int dir_fd, struct inventory_item *item,
			struct pending_file *file)
{
	const struct record_file *record = &file->record;

	item->file = file;
	item->time = record->time;
	if (!item->live) {
		item->id = record->id;
		item->state = record_state(file);
		item->code = record->code;
		record_size(dir_fd, item);
		if (item->state == INVENTORY_DAMAGED)
			item->code = STORE_CORRUPT;
		item->reason = record->reason ? strdup(record->reason) : NULL;
		if (record->reason && !item->reason)
			return false;
	}
	if (!item->key)
		item->key = strdup(record->key);
	return item->key;
}

/* A mount has all but these in memory: else it was stored just now. */
static bool is_left_alone(struct fs *fs, struct pending_file *file)
{
	struct pending one = { .files = file, .count = 1 };

	if (!fs->publisher || file->record.state == RECORD_UNFINISHED)
		return true;
	if (!file->damaged)
		pending_verify(fs->staging_fd, &one);
	return file->damaged;
}

static struct inventory_item *find_live(struct inventory *inventory,
					size_t live_count, uint64_t id)
{
	struct inventory_item wanted = { .id = id };

	return live_count ? bsearch(&wanted, inventory->items, live_count,
				    sizeof(wanted), compare_ids)
			  : NULL;
}

static int add_records(struct fs *fs, struct inventory *inventory,
		       struct store_error *error)
{
	size_t live_count = inventory->count;

	if (live_count)
		qsort(inventory->items, live_count, sizeof(*inventory->items),
		      compare_ids);
	for (size_t i = 0; i < inventory->pending.count; i++) {
		struct pending_file *file = &inventory->pending.files[i];
		struct inventory_item *item =
			find_live(inventory, live_count, file->record.id);

		if (!item && !is_left_alone(fs, file))
			continue;
		if (!item)
			item = add(inventory);
		if (!item || !record_take(fs->staging_fd, item, file))
			return no_memory(error);
	}
	return STORE_OK;
}

/* ---- what no record names ---- */

static int add_file(struct fs *fs, struct inventory *inventory,
		    const char *name, struct store_error *error)
{
	struct inventory_item *item;
	struct stat found;

	if (fstatat(fs->staging_fd, name, &found, AT_SYMLINK_NOFOLLOW))
		return STORE_OK;
	item = add(inventory);
	if (item)
		item->name = strdup(name);
	if (!item || !item->name)
		return no_memory(error);
	item->state = INVENTORY_ORPHAN;
	item->size_known = true;
	item->size = (uint64_t)found.st_size;
	item->time = (int64_t)found.st_mtim.tv_sec;
	return STORE_OK;
}

/* Of a running mount, what is being written has no record yet. */
static int add_orphans(struct fs *fs, struct inventory *inventory,
		       struct store_error *error)
{
	const struct pending *pending = &inventory->pending;
	char name[DATA_NAME_MAX];
	int code = STORE_OK;

	for (size_t i = 0; i < pending->orphan_count && !code; i++) {
		if (fs->area &&
		    staging_area_uses(fs->area, pending->orphans[i]))
			continue;
		data_name(pending->orphans[i], name);
		code = add_file(fs, inventory, name, error);
	}
	return code;
}

/* What could not be read of the journal. */
static int add_quarantine(struct fs *fs, struct inventory *inventory,
			  struct store_error *error)
{
	int fd =
		openat(fs->staging_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int code = STORE_OK;

	if (!listing) {
		code = store_error_errno(error, errno, "staging directory");
		if (fd >= 0)
			close(fd);
		return code;
	}
	while (!code && (entry = readdir(listing)))
		if (!strncmp(entry->d_name, "journal.bad-", 12))
			code = add_file(fs, inventory, entry->d_name, error);
	closedir(listing);
	return code;
}

static int load_once(struct fs *fs, struct inventory *inventory,
		     struct store_error *error)
{
	struct inventory made = { .count = 0 };
	int code = fs->publisher ? add_live(fs, &made, error) : STORE_OK;

	if (!code)
		code = pending_load(fs->staging_fd, JOURNAL_READ_ONLY,
				    &made.pending, NULL, error);
	/* A mount has looked when it took them up. */
	if (!code && !fs->publisher)
		pending_verify(fs->staging_fd, &made.pending);
	if (!code)
		code = add_records(fs, &made, error);
	if (!code)
		code = add_orphans(fs, &made, error);
	if (!code)
		code = add_quarantine(fs, &made, error);
	if (code)
		inventory_release(&made);
	else
		*inventory = made;
	return code;
}

static size_t count_damaged(const struct inventory *inventory)
{
	size_t count = 0;

	for (size_t i = 0; i < inventory->count; i++)
		count += inventory->items[i].state == INVENTORY_DAMAGED;
	return count;
}

/*
 * What seems damaged beside a mount may have been stored and removed since
 * the journal was read: then it is gone from there the next time.
 */
int inventory_load(struct fs *fs, struct inventory *inventory,
		   struct store_error *error)
{
	size_t before = 0, damaged;
	int code = load_once(fs, inventory, error);

	for (int i = 0; i < LOADS_MAX && !code && fs->publisher; i++) {
		damaged = count_damaged(inventory);
		if (damaged == before)
			break;
		before = damaged;
		inventory_release(inventory);
		code = load_once(fs, inventory, error);
	}
	return code;
}

void inventory_release(struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->count; i++) {
		struct inventory_item *item = &inventory->items[i];

		free(item->name);
		free(item->key);
		free(item->reason);
		file_put(item->live);
	}
	free(inventory->items);
	pending_release(&inventory->pending);
	*inventory = (struct inventory){ .count = 0 };
}

/* ---- finding one ---- */

static bool item_matches(const struct inventory_item *item, const char *name)
{
	char id[32];

	snprintf(id, sizeof(id), "%" PRIu64, item->id);
	if (item->id && !strcmp(name, id))
		return true;
	if (item->name)
		return !strcmp(name, item->name);
	if (!strncmp(name, "./", 2))
		name += 2;
	return item->key && !strcmp(name, item->key);
}

int inventory_find(struct inventory *inventory, const char *name,
		   struct inventory_item **out, struct store_error *error)
{
	struct inventory_item *found = NULL;

	for (size_t i = 0; i < inventory->count; i++) {
		struct inventory_item *item = &inventory->items[i];

		if (!item_matches(item, name))
			continue;
		if (found)
			return store_error_set(error, STORE_INVALID,
					       "%s: could be several files; "
					       "give an id",
					       name);
		found = item;
	}
	if (!found)
		return store_error_set(error, STORE_NOT_FOUND,
				       "%s: nothing of that name is pending",
				       name);
	*out = found;
	return STORE_OK;
}
