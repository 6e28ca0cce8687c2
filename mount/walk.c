// SPDX-License-Identifier: MIT
/*
 * See walk.h.  Called by relocation.c; calls the store's listings.
 *
 * The calling thread lists; a few workers deal with what it finds.  Each
 * entry that waits or is being dealt with holds its folder, each folder the
 * one above: who lets go of a folder last leaves it.
 *
 * Lock: crew.lock, for the queue and the counts; nothing else is taken
 * under it.
 */
#include "config.h"

#include "mount/walk.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/key.h"

enum { WORKERS = 8, QUEUE_MAX = 64, LIST_PAGE = 500 };

/* A folder of which something is still to be done. */
struct level {
	struct level *parent; /* held */
	char *name;	      /* owned */
	struct store_info info;
	unsigned int holders; /* protected by crew.lock */
	/* of the listing thread */
	struct store_page page;
	size_t at;
	bool begun;
};

struct job {
	struct level *level; /* held */
	char *name;	     /* owned */
	struct store_info info;
};

struct crew {
	struct walk *walk;
	struct lock lock;
	struct condition changed;
	/* protected by `lock` */
	struct job queue[QUEUE_MAX];
	size_t first, count;
	bool listed; /* nothing more will come */
	int code;    /* the first failure, or the first that may pass */
	struct store_error error;
};

void walk_context(const struct walk *walk, struct store_context *context)
{
	store_context_init(context, walk->fs->options->op_timeout_ns,
			   walk->cancel);
}

/* ---- failures ---- */

static void crew_failed(struct crew *crew, int code,
			const struct store_error *error)
{
	lock_take(&crew->lock);
	if (!crew->code ||
	    (store_code_retryable(code) && !store_code_retryable(crew->code))) {
		crew->code = code;
		crew->error = *error;
	}
	condition_broadcast(&crew->changed);
	lock_drop(&crew->lock);
}

static bool crew_stops(struct crew *crew)
{
	const struct walk *walk = crew->walk;
	bool stops;

	if (walk->cancel && store_cancel_is_set(walk->cancel))
		return true;
	lock_take(&crew->lock);
	stops = crew->code &&
		(!walk->go_on || store_code_retryable(crew->code));
	lock_drop(&crew->lock);
	return stops;
}

static void crew_call(struct crew *crew, walk_fn *fn, const char *name,
		      const struct store_info *info)
{
	struct store_error error = STORE_ERROR_INIT;
	int code;

	if (!fn || crew_stops(crew))
		return;
	code = fn(crew->walk, name, info, &error);
	if (code)
		crew_failed(crew, code, &error);
	else
		gate_progress(&crew->walk->fs->gate);
}

static void crew_no_memory(struct crew *crew)
{
	struct store_error error = STORE_ERROR_INIT;

	crew_failed(crew,
		    store_error_set(&error, STORE_NO_MEMORY,
				    "no memory to walk a folder"),
		    &error);
}

/* ---- folders ---- */

static struct level *level_new(struct crew *crew, struct level *parent,
			       char *name, const struct store_info *info)
{
	struct level *level = name ? calloc(1, sizeof(*level)) : NULL;

	if (!level) {
		free(name);
		crew_no_memory(crew);
		return NULL;
	}
	level->name = name;
	level->info = *info;
	level->holders = 1;
	store_page_init(&level->page);
	level->parent = parent;
	lock_take(&crew->lock);
	if (parent)
		parent->holders++;
	lock_drop(&crew->lock);
	return level;
}

static void level_let_go(struct crew *crew, struct level *level)
{
	while (level) {
		struct level *parent = level->parent;
		bool last;

		lock_take(&crew->lock);
		last = --level->holders == 0;
		lock_drop(&crew->lock);
		if (!last)
			return;
		crew_call(crew, crew->walk->leave, level->name, &level->info);
		store_page_release(&level->page);
		free(level->name);
		free(level);
		level = parent;
	}
}

/* ---- workers ---- */

/* False: there is nothing left to do. */
static bool take_job(struct crew *crew, struct job *job)
{
	bool found;

	lock_take(&crew->lock);
	while (!crew->count && !crew->listed)
		condition_wait(&crew->changed, &crew->lock);
	found = crew->count;
	if (found) {
		*job = crew->queue[crew->first];
		crew->first = (crew->first + 1) % QUEUE_MAX;
		crew->count--;
		condition_broadcast(&crew->changed);
	}
	lock_drop(&crew->lock);
	return found;
}

static void *work(void *arg)
{
	struct crew *crew = arg;
	struct job job;

	while (take_job(crew, &job)) {
		crew_call(crew, crew->walk->entry, job.name, &job.info);
		free(job.name);
		level_let_go(crew, job.level);
	}
	return NULL;
}

/* Takes the name over. */
static void add_job(struct crew *crew, struct level *level, char *name,
		    const struct store_info *info)
{
	lock_take(&crew->lock);
	while (crew->count == QUEUE_MAX)
		condition_wait(&crew->changed, &crew->lock);
	level->holders++;
	crew->queue[(crew->first + crew->count++) % QUEUE_MAX] =
		(struct job){ .level = level, .name = name, .info = *info };
	condition_broadcast(&crew->changed);
	lock_drop(&crew->lock);
}

/* ---- listing ---- */

static void list_page(struct crew *crew, struct level *level)
{
	CLEANUP_FREE char *cursor = steal_pointer(&level->page.next);
	CLEANUP_FREE char *key = key_join(crew->walk->folder, level->name);
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	int code;

	store_page_release(&level->page);
	level->at = 0;
	level->begun = true;
	if (!key) {
		crew_no_memory(crew);
		return;
	}
	walk_context(crew->walk, &context);
	code = store_list_page(crew->walk->fs->store, &context, key, cursor,
			       LIST_PAGE, &level->page, &error);
	if (code && code != STORE_NOT_FOUND)
		crew_failed(crew, code, &error);
}

/* The folder to go on with: this one, one in it, or the one above. */
static struct level *next_entry(struct crew *crew, struct level *level)
{
	const struct store_entry *entry = &level->page.entries[level->at++];
	char *name = key_join(level->name, entry->name);
	struct level *below;

	if (!name) {
		crew_no_memory(crew);
		return level;
	}
	if (entry->info.type != STORE_TYPE_FOLDER) {
		add_job(crew, level, name, &entry->info);
		return level;
	}
	below = level_new(crew, level, name, &entry->info);
	if (!below)
		return level;
	crew_call(crew, crew->walk->enter, below->name, &below->info);
	return below;
}

static void list_all(struct crew *crew, struct level *level)
{
	while (level) {
		struct level *parent = level->parent;

		if (crew_stops(crew)) {
			level_let_go(crew, level);
			level = parent;
		} else if (level->at < level->page.count) {
			level = next_entry(crew, level);
		} else if (!level->begun || level->page.next) {
			list_page(crew, level);
		} else {
			level_let_go(crew, level);
			level = parent;
		}
	}
}

static void list_root(struct crew *crew)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	struct store_info info;
	struct level *root;
	int code;

	walk_context(crew->walk, &context);
	code = store_stat(crew->walk->fs->store, &context, crew->walk->folder,
			  &info, &error);
	if (code == STORE_NOT_FOUND)
		return;
	if (code) {
		crew_failed(crew, code, &error);
		return;
	}
	root = level_new(crew, NULL, strdup(""), &info);
	if (!root)
		return;
	crew_call(crew, crew->walk->enter, "", &info);
	list_all(crew, root);
}

/* ---- the whole ---- */

static void run(struct crew *crew)
{
	pthread_t workers[WORKERS];
	unsigned int count = 0;

	while (count < WORKERS &&
	       !pthread_create(&workers[count], NULL, work, crew))
		count++;
	if (count)
		list_root(crew);
	else
		crew_no_memory(crew);
	lock_take(&crew->lock);
	crew->listed = true;
	condition_broadcast(&crew->changed);
	lock_drop(&crew->lock);
	while (count)
		pthread_join(workers[--count], NULL);
}

int walk_run(struct walk *walk, struct store_error *error)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	int code;

	if (!crew)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory to walk a folder");
	crew->walk = walk;
	lock_init(&crew->lock);
	condition_init(&crew->changed);
	run(crew);
	code = crew->code;
	if (code)
		*error = crew->error;
	else if (walk->cancel && store_cancel_is_set(walk->cancel))
		code = store_error_set(error, STORE_CANCELLED, "%s",
				       store_code_text(STORE_CANCELLED));
	condition_destroy(&crew->changed);
	lock_destroy(&crew->lock);
	free(crew);
	return code;
}
