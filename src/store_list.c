// SPDX-License-Identifier: MIT
/*
 * Listings: one page, a walk with depth and filter, a glob.
 *
 * A walk goes depth first and holds one page per level of folders.  A level
 * that is missing, or turned into a file, when its first page is asked for
 * is empty; after that every failure is the caller's, never a short list.
 * After a failure the walk stands where it stood.
 *
 * Called through <storefs/store.h> and by the core's own walks; a listing
 * belongs to one thread at a time.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/glob.h"
#include "src/key.h"

struct level {
	char *folder; /* owned */
	char *cursor; /* of the next page, NULL at first and at the end */
	bool begun;
	struct store_page page;
	size_t at; /* next entry of the page */
};

struct store_listing {
	struct store *store;
	/* Immutable: */
	char *folder;	    /* where it starts, for messages */
	unsigned int flags; /* with FILES or FOLDERS, or both */
	int max_depth;
	char *pattern; /* of the last component, NULL for any */
	char *glob;    /* of the whole key, NULL for any */
	bool native;   /* the backend does the globbing */
	bool flat;     /* the backend lists recursively */
	/* Of the walk: */
	struct level *levels;
	size_t count;
	size_t room;
	struct store_entry current; /* what the caller sees; owns its name */
};

static void level_release(struct level *level)
{
	free(level->folder);
	free(level->cursor);
	store_page_release(&level->page);
}

/* Takes `folder` over, also on failure. */
static int level_push(struct call *call, struct store_listing *listing,
		      char *folder)
{
	size_t room = listing->room ? listing->room * 2 : 8;
	struct level *level;

	if (!folder)
		return call_fail(call, STORE_NO_MEMORY);
	if (listing->count == listing->room) {
		level = realloc(listing->levels, room * sizeof(*level));
		if (!level) {
			free(folder);
			return call_fail(call, STORE_NO_MEMORY);
		}
		listing->levels = level;
		listing->room = room;
	}
	level = &listing->levels[listing->count++];
	*level = (struct level){ .folder = folder };
	store_page_init(&level->page);
	return STORE_OK;
}

static void level_pop(struct store_listing *listing)
{
	level_release(&listing->levels[--listing->count]);
}

/* ---- pages ---- */

static int level_request(struct call *call, struct store_listing *listing,
			 const struct level *level, struct store_page *page)
{
	struct backend_list_request request = {
		.prefix = level->folder,
		.recursive = listing->flat,
		.complete = (listing->flags & STORE_LIST_COMPLETE) != 0,
		.cursor = level->cursor,
		.limit = STORE_PAGE,
	};

	if (listing->native)
		return call->ops->glob(call->self, call->context, listing->glob,
				       level->cursor, page, &call->error);
	return core_page(call, &request, page);
}

static int level_fetch(struct call *call, struct store_listing *listing)
{
	struct level *level = &listing->levels[listing->count - 1];
	struct store_page page;
	int code;

	store_page_init(&page);
	code = level_request(call, listing, level, &page);
	if (code) {
		store_page_release(&page);
		if (level->begun ||
		    (code != STORE_NOT_FOUND && code != STORE_NOT_DIR))
			return code;
		store_error_clear(&call->error);
	}
	level->begun = true;
	free(level->cursor);
	level->cursor = steal_pointer(&page.next);
	store_page_release(&level->page);
	level->page = page;
	level->at = 0;
	return STORE_OK;
}

/* ---- entries ---- */

static bool is_wanted(const struct store_listing *listing,
		      const struct store_info *info, const char *key)
{
	unsigned int kind = info->type == STORE_TYPE_FOLDER ? STORE_LIST_FOLDERS
							    : STORE_LIST_FILES;

	if (!(listing->flags & kind))
		return false;
	if (listing->glob && !listing->native &&
	    !glob_match(listing->glob, key))
		return false;
	return !listing->pattern ||
	       glob_match_name(listing->pattern, key_name(key));
}

static bool is_entered(const struct store_listing *listing,
		       const struct store_info *info, const char *key)
{
	if (info->type != STORE_TYPE_FOLDER || listing->flat || listing->native)
		return false;
	if (listing->max_depth >= 0 &&
	    listing->count > (size_t)listing->max_depth)
		return false;
	return !listing->glob || glob_match_below(listing->glob, key);
}

/* Ask for what the listing did not tell; *gone when it vanished since. */
static int entry_complete(struct call *call,
			  const struct store_listing *listing, const char *key,
			  struct store_entry *entry, bool *gone)
{
	struct store_info info = { .links = 1 };
	int code;

	*gone = false;
	if (entry->complete || !(listing->flags & STORE_LIST_COMPLETE))
		return STORE_OK;
	code = core_stat(call, key, &info, NULL);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(&call->error);
		*gone = true;
		return STORE_OK;
	}
	if (code)
		return code;
	entry->info = info;
	entry->complete = true;
	return STORE_OK;
}

/*
 * Take the next entry of the present page; *found when the caller wants it.
 * It then stands in listing->current.
 */
static int entry_take(struct call *call, struct store_listing *listing,
		      bool *found)
{
	struct level *level = &listing->levels[listing->count - 1];
	struct store_entry *entry = &level->page.entries[level->at];
	CLEANUP_FREE char *key = NULL;
	bool gone = false;
	int code = STORE_OK;

	if (listing->flat || listing->native)
		key = strdup(entry->name);
	else
		key = key_join(level->folder, entry->name);
	if (!key)
		return call_fail(call, STORE_NO_MEMORY);
	*found = is_wanted(listing, &entry->info, key);
	if (*found)
		code = entry_complete(call, listing, key, entry, &gone);
	if (code)
		return code;
	*found = *found && !gone;
	if (*found) {
		free(listing->current.name);
		listing->current = *entry;
		listing->current.name = key;
	}
	level->at++;
	if (!gone && is_entered(listing, &entry->info, key)) {
		code = level_push(call, listing, strdup(key));
		/* Not `level`: it may have moved. */
		if (code)
			listing->levels[listing->count - 1].at--;
	}
	if (*found)
		key = NULL;
	return code;
}

int core_walk_next(struct call *call, struct store_listing *listing,
		   const struct store_entry **entry)
{
	while (listing->count) {
		struct level *level = &listing->levels[listing->count - 1];
		bool found = false;
		int code = STORE_OK;

		if (level->at < level->page.count)
			code = entry_take(call, listing, &found);
		else if (!level->begun || level->cursor)
			code = level_fetch(call, listing);
		else
			level_pop(listing);
		if (code)
			return code;
		if (found) {
			*entry = &listing->current;
			return STORE_OK;
		}
	}
	*entry = NULL;
	return STORE_OK;
}

/* ---- opening ---- */

static struct store_listing *listing_new(struct call *call, const char *folder)
{
	struct store_listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	listing->store = call->store;
	listing->folder = strdup(folder);
	if (!listing->folder) {
		free(listing);
		return NULL;
	}
	return listing;
}

int core_walk_open(struct call *call, const char *folder,
		   const struct store_list_options *options,
		   struct store_listing **listing)
{
	static const unsigned int both = STORE_LIST_FILES | STORE_LIST_FOLDERS;
	struct store_listing *made = listing_new(call, folder);
	int code;

	if (!made)
		return call_fail(call, STORE_NO_MEMORY);
	made->flags = options ? options->flags : 0;
	made->max_depth = options ? options->max_depth : 0;
	if (!(made->flags & both))
		made->flags |= both;
	made->flat = call->ops->lists_recursively && made->max_depth == -1 &&
		     !(made->flags & STORE_LIST_FOLDERS);
	if (options && options->pattern) {
		made->pattern = strdup(options->pattern);
		if (!made->pattern) {
			store_listing_close(made);
			return call_fail(call, STORE_NO_MEMORY);
		}
	}
	code = level_push(call, made, strdup(folder));
	if (code) {
		store_listing_close(made);
		return code;
	}
	*listing = made;
	return STORE_OK;
}

int store_list(struct store *store, struct store_context *context,
	       const char *folder, const struct store_list_options *options,
	       struct store_listing **listing, struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "list", context);

	if (!code)
		code = call_key(&call, folder, CALL_ROOT_TOO);
	if (!code && options && options->max_depth < -1)
		code = store_error_set(&call.error, STORE_INVALID,
				       "a negative depth");
	if (!code)
		code = call_needs(&call, STORE_CAP_LIST);
	if (!code)
		code = core_walk_open(&call, call.key, options, listing);
	return call_end(&call, code, error);
}

/* ---- glob ---- */

/* A pattern without anything special names at most one file. */
static int glob_literal(struct call *call, struct store_listing *listing)
{
	struct level *level = &listing->levels[0];
	struct store_info info = { .links = 1 };
	int code = core_stat(call, listing->glob, &info, NULL);

	if (code && code != STORE_NOT_FOUND)
		return code;
	store_error_clear(&call->error);
	level->begun = true;
	if (code || info.type == STORE_TYPE_FOLDER)
		return STORE_OK;
	if (store_page_add(&level->page, key_name(listing->glob), &info, true))
		return call_fail(call, STORE_NO_MEMORY);
	return STORE_OK;
}

static int glob_open(struct call *call, const char *pattern,
		     struct store_listing **listing)
{
	struct store_list_options options = {
		.flags = STORE_LIST_FILES,
		.max_depth = glob_depth(pattern),
	};
	CLEANUP_FREE char *folder =
		strndup(pattern, glob_prefix_length(pattern));
	struct store_listing *made = NULL;
	int code;

	if (!folder)
		return call_fail(call, STORE_NO_MEMORY);
	code = core_walk_open(call, folder, &options, &made);
	if (code)
		return code;
	made->glob = strdup(pattern);
	if (!made->glob)
		code = call_fail(call, STORE_NO_MEMORY);
	else if (glob_is_literal(pattern) && call->ops->stat)
		code = glob_literal(call, made);
	else
		made->native = call->ops->glob != NULL;
	if (code)
		store_listing_close(made);
	else
		*listing = made;
	return code;
}

int store_glob(struct store *store, struct store_context *context,
	       const char *pattern, struct store_listing **listing,
	       struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "glob", context);

	/* A pattern follows the rules of keys. */
	if (!code)
		code = call_key(&call, pattern, CALL_ROOT_TOO);
	if (!code)
		code = glob_check(call.key, &call.error);
	if (!code)
		code = call_needs(&call, STORE_CAP_LIST);
	if (!code)
		code = glob_open(&call, call.key, listing);
	return call_end(&call, code, error);
}

/* ---- the rest of the API ---- */

int store_listing_next(struct store_listing *listing,
		       struct store_context *context,
		       const struct store_entry **entry,
		       struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, listing->store, "list", context);

	if (!code)
		code = core_walk_next(&call, listing, entry);
	if (code)
		call.key = strdup(listing->folder);
	return call_end(&call, code, error);
}

void store_listing_close(struct store_listing *listing)
{
	if (!listing)
		return;
	while (listing->count)
		level_pop(listing);
	free(listing->levels);
	free(listing->folder);
	free(listing->pattern);
	free(listing->glob);
	free(listing->current.name);
	free(listing);
}

int store_list_page(struct store *store, struct store_context *context,
		    const char *folder, const char *cursor, size_t limit,
		    struct store_page *page, struct store_error *error)
{
	struct backend_list_request request = {
		.complete = true,
		.cursor = cursor,
		.limit = limit ? limit : 1,
	};
	struct call call;
	int code = call_begin(&call, store, "list", context);

	if (!code)
		code = call_key(&call, folder, CALL_ROOT_TOO);
	if (!code)
		code = call_needs(&call, STORE_CAP_LIST);
	request.prefix = call.key;
	if (!code)
		code = core_page(&call, &request, page);
	return call_end(&call, code, error);
}
