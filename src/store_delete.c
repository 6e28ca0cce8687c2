// SPDX-License-Identifier: MIT
/*
 * Removing files and folders.
 *
 * A recursive removal is one call where the backend has one.  Otherwise it
 * walks depth first with a page per level, removing what it lists; what
 * cannot be removed is reported and left, its folders with it.
 *
 * Called through <storefs/store.h>; no locks.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/text.h"
#include "src/key.h"

/* ---- files ---- */

static int delete_file(struct store *store, struct store_context *context,
		       const char *key,
		       const struct store_precondition *precondition,
		       struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "delete", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = call_needs(&call, STORE_CAP_DELETE);
	if (!code)
		code = call.ops->remove(call.self, call.context, call.key,
					precondition, &call.error);
	return call_end(&call, code, error);
}

int store_delete(struct store *store, struct store_context *context,
		 const char *key, bool missing_ok, struct store_error *error)
{
	struct store_precondition any = { .condition = STORE_IF_ANY };
	struct store_error own = STORE_ERROR_INIT;
	int code = delete_file(store, context, key, &any, &own);

	if (code == STORE_NOT_FOUND && missing_ok)
		return STORE_OK;
	if (code && error)
		*error = own;
	return code;
}

int store_delete_version(struct store *store, struct store_context *context,
			 const char *key, const struct store_version *version,
			 struct store_error *error)
{
	struct store_precondition exact = {
		.condition = STORE_IF_VERSION,
		.version = *version,
	};

	return delete_file(store, context, key, &exact, error);
}

/* ---- folders ---- */

/* A folder on its way out. */
struct doomed {
	char *key;    /* owned */
	char *cursor; /* next page */
	bool begun;
	bool spoiled; /* something in it stays */
	struct store_page page;
	size_t at;
};

struct sweep {
	struct call *call;
	const struct store_delete_folder_options *options;
	struct doomed *levels;
	size_t count;
	size_t room;
	int first; /* the first failure, its message in call->error */
	struct store_error error; /* of the step at hand */
};

static int no_memory(struct sweep *sweep)
{
	return store_error_set(&sweep->error, STORE_NO_MEMORY, "out of memory");
}

/* Takes `key` over, also on failure. */
static int sweep_push(struct sweep *sweep, char *key)
{
	size_t room = sweep->room ? sweep->room * 2 : 8;
	struct doomed *levels;

	if (key && sweep->count == sweep->room) {
		levels = realloc(sweep->levels, room * sizeof(*levels));
		if (!levels) {
			free(key);
			return no_memory(sweep);
		}
		sweep->levels = levels;
		sweep->room = room;
	}
	if (!key)
		return no_memory(sweep);
	sweep->levels[sweep->count] = (struct doomed){ .key = key };
	store_page_init(&sweep->levels[sweep->count++].page);
	return STORE_OK;
}

static void doomed_release(struct doomed *doomed)
{
	free(doomed->key);
	free(doomed->cursor);
	store_page_release(&doomed->page);
}

/*
 * A key could not be removed: tell, remember the first, go on.  A failure is
 * only returned when nothing more can be done at all.
 */
static int sweep_failed(struct sweep *sweep, const char *key, int code)
{
	struct call *call = sweep->call;
	struct text_shown shown;

	if (sweep->options && sweep->options->failed)
		sweep->options->failed(sweep->options->arg, key, &sweep->error);
	if (!sweep->first) {
		sweep->first = code;
		call->error = sweep->error;
		if (strcmp(key, call->key) != 0)
			store_error_prefix(&call->error, "'%s'",
					   text_show(&shown, key));
	}
	for (size_t i = 0; i < sweep->count; i++)
		sweep->levels[i].spoiled = true;
	store_error_clear(&sweep->error);
	return store_context_check(call->context, &sweep->error);
}

/* The result of removing one key; gone already is as good. */
static int sweep_removed(struct sweep *sweep, const char *key, int code)
{
	if (code == STORE_NOT_FOUND) {
		store_error_clear(&sweep->error);
		code = STORE_OK;
	}
	if (code)
		return sweep_failed(sweep, key, code);
	store_context_progress(sweep->call->context);
	return STORE_OK;
}

static int sweep_entry(struct sweep *sweep)
{
	struct store_precondition any = { .condition = STORE_IF_ANY };
	struct doomed *level = &sweep->levels[sweep->count - 1];
	struct store_entry *entry = &level->page.entries[level->at++];
	CLEANUP_FREE char *key = key_join(level->key, entry->name);
	struct call *call = sweep->call;
	int code;

	if (!key)
		return no_memory(sweep);
	if (entry->info.type == STORE_TYPE_FOLDER)
		return sweep_push(sweep, steal_pointer(&key));
	if (call->ops->remove_many)
		return STORE_OK;
	code = store_context_check(call->context, &sweep->error);
	if (!code)
		code = call->ops->remove(call->self, call->context, key, &any,
					 &sweep->error);
	return sweep_removed(sweep, key, code);
}

/* ---- many at once ---- */

struct batch {
	struct sweep *sweep;
	const char **names; /* borrowed from the page */
	size_t count;
	int code; /* nothing more can be done */
};

static void batch_failed(void *arg, size_t index,
			 const struct store_error *error)
{
	struct batch *batch = arg;
	struct sweep *sweep = batch->sweep;
	struct doomed *level = &sweep->levels[sweep->count - 1];
	CLEANUP_FREE char *key = key_join(level->key, batch->names[index]);
	int code;

	sweep->error = *error;
	code = key ? sweep_failed(sweep, key, error->code) : no_memory(sweep);
	if (!batch->code)
		batch->code = code;
}

/* The files of the page in one call; its folders are left to be entered. */
static int sweep_files(struct sweep *sweep)
{
	struct doomed *level = &sweep->levels[sweep->count - 1];
	struct store_page *page = &level->page;
	struct call *call = sweep->call;
	struct batch batch = { .sweep = sweep };
	struct backend_removals removals = {
		.failed = batch_failed,
		.arg = &batch,
	};
	int code = STORE_OK;

	batch.names =
		calloc(page->count ? page->count : 1, sizeof(*batch.names));
	if (!batch.names)
		return no_memory(sweep);
	for (size_t i = 0; i < page->count; i++)
		if (page->entries[i].info.type != STORE_TYPE_FOLDER)
			batch.names[batch.count++] = page->entries[i].name;
	removals.names = batch.names;
	removals.count = batch.count;
	if (batch.count)
		code = call->ops->remove_many(call->self, call->context,
					      level->key, &removals,
					      &sweep->error);
	if (code)
		code = sweep_failed(sweep, level->key, code);
	else
		store_context_progress(call->context);
	free(batch.names);
	return code ? code : batch.code;
}

static int sweep_page(struct sweep *sweep)
{
	struct doomed *level = &sweep->levels[sweep->count - 1];
	struct call *call = sweep->call;
	struct backend_list_request request = {
		.prefix = level->key,
		.cursor = level->cursor,
		.limit = STORE_PAGE,
	};
	struct store_page page;
	int code;

	store_page_init(&page);
	code = store_context_check(call->context, &sweep->error);
	if (!code)
		code = call->ops->list(call->self, call->context, &request,
				       &page, &sweep->error);
	level->begun = true;
	free(level->cursor);
	level->cursor = NULL;
	store_page_release(&level->page);
	level->at = 0;
	if (code) {
		/* The folder stays with what is in it. */
		store_page_release(&page);
		return sweep_removed(sweep, level->key, code);
	}
	level->cursor = steal_pointer(&page.next);
	level->page = page;
	return call->ops->remove_many ? sweep_files(sweep) : STORE_OK;
}

/* All that was in it has been tried: the folder itself. */
static int sweep_pop(struct sweep *sweep)
{
	struct doomed level = sweep->levels[--sweep->count];
	struct call *call = sweep->call;
	int code = STORE_OK;

	/* Where folders are not kept, an empty one is gone by itself. */
	if (!level.spoiled && call->ops->remove_dir) {
		code = call->ops->remove_dir(call->self, call->context,
					     level.key, &sweep->error);
		code = sweep_removed(sweep, level.key, code);
	}
	doomed_release(&level);
	return code;
}

static int sweep_run(struct sweep *sweep)
{
	int code = sweep_push(sweep, strdup(sweep->call->key));

	while (!code && sweep->count) {
		struct doomed *level = &sweep->levels[sweep->count - 1];

		if (level->at < level->page.count)
			code = sweep_entry(sweep);
		else if (!level->begun || level->cursor)
			code = sweep_page(sweep);
		else
			code = sweep_pop(sweep);
	}
	while (sweep->count)
		doomed_release(&sweep->levels[--sweep->count]);
	free(sweep->levels);
	if (sweep->first)
		return sweep->first;
	if (code)
		sweep->call->error = sweep->error;
	return code;
}

/* Is it a folder at all? */
static int check_folder(struct call *call)
{
	struct store_info info = { .links = 1 };
	int code = core_stat(call, call->key, &info, NULL);

	if (!code && info.type != STORE_TYPE_FOLDER)
		code = call_fail(call, STORE_NOT_DIR);
	return code;
}

/* All or nothing: what could not be removed is the folder. */
static int delete_at_once(struct call *call,
			  const struct store_delete_folder_options *options)
{
	int code = call->ops->remove_tree(call->self, call->context, call->key,
					  &call->error);

	if (code && code != STORE_NOT_FOUND && code != STORE_NOT_DIR &&
	    options->failed)
		options->failed(options->arg, call->key, &call->error);
	return code;
}

static int delete_tree(struct call *call,
		       const struct store_delete_folder_options *options)
{
	struct sweep sweep = { .call = call, .options = options };
	int code;

	if (call->ops->remove_tree)
		return delete_at_once(call, options);
	code = check_folder(call);
	if (!code)
		code = call_needs(call, STORE_CAP_LIST);
	store_error_clear(&sweep.error);
	return code ? code : sweep_run(&sweep);
}

/* Where folders are only names: one that exists has something in it. */
static int delete_implicit(struct call *call)
{
	int code = check_folder(call);

	return code ? code : call_fail(call, STORE_NOT_EMPTY);
}

int store_delete_folder(struct store *store, struct store_context *context,
			const char *key,
			const struct store_delete_folder_options *options,
			struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "delete folder", context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code && key_is_root(call.key))
		code = store_error_set(&call.error, STORE_INVALID,
				       "the root of a store stays");
	if (!code)
		code = call_needs(&call, STORE_CAP_DELETE);
	if (!code && options && options->recursive)
		code = delete_tree(&call, options);
	else if (!code && call.ops->remove_dir)
		code = call.ops->remove_dir(call.self, call.context, call.key,
					    &call.error);
	else if (!code)
		code = delete_implicit(&call);
	if (code == STORE_NOT_FOUND && options && options->missing_ok)
		code = STORE_OK;
	return call_end(&call, code, error);
}
