// SPDX-License-Identifier: MIT
/*
 * Asking about one key, and about everything below a folder.
 *
 * Called through <storefs/store.h>; calls the backend and the listing.
 */
#include "config.h"

#include "src/store_core.h"

#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

static int stat_any(struct store *store, struct store_context *context,
		    const char *key, struct store_info *info,
		    struct store_details *details, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "stat", context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code)
		code = call_needs(&call, STORE_CAP_METADATA);
	if (!code)
		code = core_stat(&call, call.key, &found, details);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

int store_stat(struct store *store, struct store_context *context,
	       const char *key, struct store_info *info,
	       struct store_error *error)
{
	return stat_any(store, context, key, info, NULL, error);
}

static int stat_listed(struct store *store, struct store_context *context,
		       const char *key, enum store_type listed,
		       struct store_info *info, struct store_details *details,
		       struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "stat", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = call_needs(&call, STORE_CAP_METADATA);
	if (!code && call.ops->stat_listed)
		code = call.ops->stat_listed(call.self, call.context, call.key,
					     listed, &found, details,
					     &call.error);
	else if (!code)
		code = core_stat(&call, call.key, &found, details);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

int store_stat_listed(struct store *store, struct store_context *context,
		      const char *key, enum store_type listed,
		      struct store_info *info, struct store_error *error)
{
	return stat_listed(store, context, key, listed, info, NULL, error);
}

int store_stat_listed_details(struct store *store,
			      struct store_context *context, const char *key,
			      enum store_type listed, struct store_info *info,
			      struct store_details *details,
			      struct store_error *error)
{
	struct store_details found;
	int code;

	store_details_init(&found);
	code = stat_listed(store, context, key, listed, info, &found, error);
	if (code)
		store_details_release(&found);
	else
		*details = found;
	return code;
}

int store_stat_details(struct store *store, struct store_context *context,
		       const char *key, struct store_info *info,
		       struct store_details *details, struct store_error *error)
{
	struct store_details found;
	int code;

	store_details_init(&found);
	code = stat_any(store, context, key, info, &found, error);
	if (code)
		store_details_release(&found);
	else
		*details = found;
	return code;
}

/* The type of what is there, 0 when nothing is. */
static int probe(struct store *store, struct store_context *context,
		 const char *what, const char *key, int *type,
		 struct store_error *error)
{
	struct store_info info = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, what, context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code && key_is_root(call.key)) {
		/* Decided by the key alone, also in an absent container. */
		*type = STORE_TYPE_FOLDER;
		return call_end(&call, STORE_OK, error);
	}
	if (!code)
		code = core_stat(&call, call.key, &info, NULL);
	if (!code)
		*type = (int)info.type;
	else if (code == STORE_NOT_FOUND) {
		*type = 0;
		code = STORE_OK;
	}
	return call_end(&call, code, error);
}

int store_exists(struct store *store, struct store_context *context,
		 const char *key, bool *answer, struct store_error *error)
{
	int type;
	int code = probe(store, context, "exists", key, &type, error);

	if (!code)
		*answer = type != 0;
	return code;
}

int store_is_file(struct store *store, struct store_context *context,
		  const char *key, bool *answer, struct store_error *error)
{
	int type;
	int code = probe(store, context, "is file", key, &type, error);

	if (!code)
		*answer = type == STORE_TYPE_FILE;
	return code;
}

int store_is_folder(struct store *store, struct store_context *context,
		    const char *key, bool *answer, struct store_error *error)
{
	int type;
	int code = probe(store, context, "is folder", key, &type, error);

	if (!code)
		*answer = type == STORE_TYPE_FOLDER;
	return code;
}

/* ---- totals ---- */

static void totals_add(struct store_totals *totals,
		       const struct store_info *info)
{
	if (info->type == STORE_TYPE_FOLDER) {
		totals->folders++;
		return;
	}
	totals->files++;
	if (info->type == STORE_TYPE_FILE)
		totals->bytes += info->size;
	if ((info->attributes.mask & STORE_ATTR_MTIME) &&
	    timespec_compare(info->attributes.mtime, totals->newest) > 0)
		totals->newest = info->attributes.mtime;
}

static int totals_walk(struct call *call, int max_depth,
		       struct store_totals *totals)
{
	struct store_list_options options = { .max_depth = max_depth };
	struct store_listing *listing = NULL;
	int code = core_walk_open(call, call->key, &options, &listing);

	while (!code) {
		const struct store_entry *entry = NULL;

		code = core_walk_next(call, listing, &entry);
		if (code || !entry)
			break;
		totals_add(totals, &entry->info);
	}
	store_listing_close(listing);
	return code;
}

static int totals_check(struct call *call)
{
	struct store_info info = { .links = 1 };
	int code;

	if (key_is_root(call->key))
		return STORE_OK;
	code = core_stat(call, call->key, &info, NULL);
	if (!code && info.type != STORE_TYPE_FOLDER)
		code = call_fail(call, STORE_NOT_DIR);
	return code;
}

int store_folder_totals(struct store *store, struct store_context *context,
			const char *key, int max_depth,
			struct store_totals *totals, struct store_error *error)
{
	struct store_totals found = { .files = 0 };
	struct call call;
	int code = call_begin(&call, store, "totals of", context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code && max_depth < -1)
		code = store_error_set(&call.error, STORE_INVALID,
				       "a negative depth");
	if (!code)
		code = call_needs(&call, STORE_CAP_METADATA);
	if (!code)
		code = totals_check(&call);
	if (!code && call.ops->totals && max_depth == -1) {
		code = call.ops->totals(call.self, call.context, call.key,
					&found, &call.error);
		/* The root is there, whatever became of its container. */
		if (code == STORE_NOT_FOUND && key_is_root(call.key))
			code = STORE_OK;
	} else if (!code) {
		code = totals_walk(&call, max_depth, &found);
	}
	if (!code)
		*totals = found;
	return call_end(&call, code, error);
}
