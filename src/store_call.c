// SPDX-License-Identifier: MIT
/*
 * One call of the public API: keys in, checks, error out.  See store_core.h.
 *
 * Called by the other src/store*.c; takes no lock.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/text.h"
#include "src/key.h"

int call_begin(struct call *call, struct store *store, const char *what,
	       struct store_context *context)
{
	call->store = store;
	call->ops = store->backend.ops;
	call->self = store->backend.self;
	call->what = what;
	call->key = NULL;
	call->to = NULL;
	/* Not the whole struct: a message is half a kilobyte. */
	store_error_clear(&call->error);
	if (!context) {
		store_context_init(&call->no_limit, 0, NULL);
		context = &call->no_limit;
	}
	call->context = context;
	return store_context_check(context, &call->error);
}

static int root_refused(struct call *call)
{
	return store_error_set(&call->error, STORE_INVALID,
			       "the root of a store is no file");
}

int call_key(struct call *call, const char *text, enum call_root root)
{
	int code = key_normalise(text, call->store->raw_keys, &call->key,
				 &call->error);

	if (!code && root == CALL_NO_ROOT && key_is_root(call->key))
		code = root_refused(call);
	return code;
}

int call_keys(struct call *call, const char *from, const char *to)
{
	int code = call_key(call, from, CALL_ROOT_TOO);

	if (!code)
		code = key_normalise(to, call->store->raw_keys, &call->to,
				     &call->error);
	if (code)
		return code;
	if (key_is_root(call->key) || key_is_root(call->to))
		return root_refused(call);
	return STORE_OK;
}

bool call_has(const struct call *call, uint64_t capabilities)
{
	return (store_capabilities(call->store) & capabilities) == capabilities;
}

int call_needs(struct call *call, uint64_t capabilities)
{
	uint64_t missing = capabilities & ~store_capabilities(call->store);
	const char *name = store_capability_name(missing & -missing);

	if (!missing)
		return STORE_OK;
	return store_error_set(&call->error, STORE_NOT_SUPPORTED,
			       "a %s store lacks %s", call->ops->name,
			       name ? name : "that");
}

int call_fail(struct call *call, int code)
{
	return store_error_set(&call->error, code, "%s", store_code_text(code));
}

static void add_place(struct call *call)
{
	struct text_shown from;
	struct text_shown to;

	if (call->to)
		store_error_prefix(&call->error, "%s '%s' to '%s'", call->what,
				   text_show(&from, call->key),
				   text_show(&to, call->to));
	else if (call->key && call->key[0])
		store_error_prefix(&call->error, "%s '%s'", call->what,
				   text_show(&from, call->key));
	else
		store_error_prefix(&call->error, "%s", call->what);
}

/*
 * A source is the caller's code and may fail without a word, or with a
 * number of its own; nobody above has to live with that.
 */
static int known_failure(struct call *call, int code)
{
	if (code > 0 || code < STORE_INTERNAL)
		code = STORE_INTERNAL;
	if (call->error.code != code)
		store_error_set(&call->error, code, "%s",
				store_code_text(code));
	return code;
}

int call_end(struct call *call, int code, struct store_error *error)
{
	if (code) {
		code = known_failure(call, code);
		add_place(call);
		if (error)
			*error = call->error;
	}
	free(call->key);
	free(call->to);
	return code;
}

/* ---- what is told ---- */

static void tell_listed(struct store_info *info)
{
	const struct timespec stored = { .tv_sec = info->stored };

	*info = (struct store_info){
		.type = info->type,
		.implicit = info->implicit,
		.links = 1,
		.size = info->size,
		.ctime = info->stored ? stored : info->ctime,
		.version = info->version,
		.stored = info->stored,
		.settled = info->settled,
	};
	if (info->type == STORE_TYPE_FOLDER) {
		info->ctime = (struct timespec){ .tv_sec = 0 };
		info->version = (struct store_version){ .weak = false };
		return;
	}
	info->type = STORE_TYPE_FILE;
	info->attributes.mask = STORE_ATTR_MTIME;
	info->attributes.mtime = info->ctime;
}

void call_info(const struct call *call, const struct store_info *found,
	       struct store_info *info)
{
	if (!info)
		return;
	*info = *found;
	if (call->store->listed_only)
		tell_listed(info);
}

int core_stat(struct call *call, const char *key, struct store_info *info,
	      struct store_details *details)
{
	if (!call->ops->stat)
		return call_fail(call, STORE_NOT_SUPPORTED);
	return call->ops->stat(call->self, call->context, key, info, details,
			       &call->error);
}

/* Drop the entries from `count` on. */
static void page_cut(struct store_page *page, size_t count)
{
	while (page->count > count)
		free(page->entries[--page->count].name);
}

int core_page(struct call *call, const struct backend_list_request *request,
	      struct store_page *page)
{
	size_t before = page->count;
	int code = store_context_check(call->context, &call->error);
	/* The old cursor may be the one in the request: freed afterwards. */
	CLEANUP_FREE char *old = steal_pointer(&page->next);

	if (!code)
		code = call->ops->list(call->self, call->context, request, page,
				       &call->error);
	if (code) {
		page_cut(page, before);
		free(page->next);
		page->next = steal_pointer(&old);
		return code;
	}
	for (size_t i = before; call->store->listed_only && i < page->count;
	     i++) {
		tell_listed(&page->entries[i].info);
		page->entries[i].complete = true;
	}
	store_context_progress(call->context);
	return STORE_OK;
}
