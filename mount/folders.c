// SPDX-License-Identifier: MIT
/*
 * See folders.h.  Called by commit.c and debts.c, calls the store.
 *
 * One thread flushes for all who wait.  A key stands for its folder until
 * the next flush: whoever moves a folder has what is below it flushed first.
 */
#include "config.h"

#include "mount/folders.h"

#include <stdlib.h>
#include <string.h>

#include "mount/fs.h"
#include "src/base/log.h"
#include "src/key.h"

struct folder {
	struct folder *next;
	char key[];
};

void folders_init(struct folders *folders, struct fs *fs)
{
	*folders = (struct folders){ .fs = fs };
	lock_init(&folders->lock);
	condition_init(&folders->changed);
}

static void list_free(struct folder *list)
{
	while (list) {
		struct folder *folder = list;

		list = folder->next;
		free(folder);
	}
}

void folders_release(struct folders *folders)
{
	list_free(folders->first);
	condition_destroy(&folders->changed);
	lock_destroy(&folders->lock);
}

/* ---- what was changed ---- */

static bool is_listed_locked(const struct folders *folders, const char *key,
			     size_t length) REQUIRES(folders->lock)
{
	const struct folder *folder = folders->first;

	while (folder &&
	       (strncmp(folder->key, key, length) != 0 || folder->key[length]))
		folder = folder->next;
	return folder;
}

/* False: there is no memory for it. */
static bool add_locked(struct folders *folders, const char *key, size_t length)
	REQUIRES(folders->lock)
{
	struct folder *folder;

	if (is_listed_locked(folders, key, length))
		return true;
	folder = malloc(sizeof(*folder) + length + 1);
	if (!folder)
		return false;
	memcpy(folder->key, key, length);
	folder->key[length] = '\0';
	folder->next = folders->first;
	folders->first = folder;
	folders->count++;
	return true;
}

static int sync_one(struct folders *folders, const char *key,
		    struct store_error *error)
{
	struct fs *fs = folders->fs;
	struct store_context context;

	/* Whoever is interrupted meanwhile has changed the name all the same */
	store_context_init(&context, fs->options->op_timeout_ns, NULL);
	return store_sync(fs->store, &context, key, error);
}

/* Now, as it cannot be remembered. */
static void sync_at_once(struct folders *folders, const char *key,
			 size_t length)
{
	struct store_error error = STORE_ERROR_INIT;
	char folder[STORE_KEY_MAX + 1];

	memcpy(folder, key, length);
	folder[length] = '\0';
	if (sync_one(folders, folder, &error))
		log_warn("%s: not flushed: %s", folder, error.message);
}

void folders_change(struct folders *folders, const char *key)
{
	size_t length = key_parent_length(key);
	bool added, full;

	lock_take(&folders->lock);
	added = add_locked(folders, key, length);
	full = folders->count > FOLDERS_MAX;
	atomic_fetch_add(&folders->made, 1);
	lock_drop(&folders->lock);
	if (!added)
		sync_at_once(folders, key, length);
	else if (full && folders_sync(folders, NULL))
		log_warn("%s: not flushed", key);
}

void folders_drop(struct folders *folders, const char *key)
{
	struct folder **link = &folders->first, *folder;

	lock_take(&folders->lock);
	while (*link && strcmp((*link)->key, key) != 0)
		link = &(*link)->next;
	folder = *link;
	if (folder) {
		*link = folder->next;
		folders->count--;
		free(folder);
	}
	lock_drop(&folders->lock);
}

/* ---- flushing ---- */

/* What is left of a round that failed. */
static void give_back_locked(struct folders *folders, struct folder *list)
	REQUIRES(folders->lock)
{
	while (list) {
		struct folder *folder = list;

		list = folder->next;
		if (is_listed_locked(folders, folder->key,
				     strlen(folder->key))) {
			free(folder);
			continue;
		}
		folder->next = folders->first;
		folders->first = folder;
		folders->count++;
	}
}

static int round_locked(struct folders *folders) REQUIRES(folders->lock)
{
	struct folder *list = folders->first, *done;
	uint64_t reaches = atomic_load(&folders->made);
	struct store_error error = STORE_ERROR_INIT;
	int code = STORE_OK;

	folders->busy = true;
	folders->first = NULL;
	folders->count = 0;
	lock_drop(&folders->lock);
	while (list && !code) {
		code = sync_one(folders, list->key, &error);
		if (code)
			break;
		done = list;
		list = list->next;
		free(done);
	}
	lock_take(&folders->lock);
	give_back_locked(folders, list);
	if (!code)
		atomic_store(&folders->durable, reaches);
	folders->busy = false;
	folders->rounds++;
	folders->asked = reaches;
	folders->code = code;
	folders->last = error;
	condition_broadcast(&folders->changed);
	return code;
}

/* One that others run, or an own one: *code, if it was to reach `wanted`. */
static void await_round_locked(struct folders *folders, uint64_t wanted,
			       int *code) REQUIRES(folders->lock)
{
	uint64_t seen = folders->rounds;

	if (!folders->busy) {
		*code = round_locked(folders);
		return;
	}
	while (folders->rounds == seen)
		condition_wait(&folders->changed, &folders->lock);
	if (folders->asked >= wanted)
		*code = folders->code;
}

int folders_sync(struct folders *folders, struct store_error *error)
{
	uint64_t wanted = atomic_load(&folders->made);
	int code = STORE_OK;

	if (folders_are_durable(folders, wanted))
		return STORE_OK;
	lock_take(&folders->lock);
	while (!code && !folders_are_durable(folders, wanted))
		await_round_locked(folders, wanted, &code);
	if (code && error)
		*error = folders->last;
	lock_drop(&folders->lock);
	return code;
}

int folders_sync_below(struct folders *folders, const char *key,
		       struct store_error *error)
{
	const struct folder *folder;
	bool concerned;

	lock_take(&folders->lock);
	/* Nobody sees what a round that runs has taken. */
	concerned = folders->busy;
	for (folder = folders->first; folder && !concerned;
	     folder = folder->next)
		concerned = key_relative(folder->key, key);
	lock_drop(&folders->lock);
	return concerned ? folders_sync(folders, error) : STORE_OK;
}
