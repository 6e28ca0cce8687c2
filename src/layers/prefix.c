// SPDX-License-Identifier: MIT
/*
 * The prefix layer: a store below a folder of another one.
 *
 * Called by the core only, calls the layer below.  Keys going down get the
 * folder in front, keys coming up lose it; nothing else is changed.  The
 * root of the layer exists even when the folder does not.  No locks, no
 * state but the folder; the backend is borrowed.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/glob.h"
#include "src/key.h"
#include "src/layers/layer.h"
#include "src/layers/layers.h"

struct prefix {
	struct store_backend table;
	struct backend next; /* borrowed */
	char folder[];	     /* a key, not the root */
};

/* A key as the next layer knows it; on the stack, keys are short. */
struct below {
	char key[STORE_KEY_MAX + 1];
};

static int go_below(const struct prefix *prefix, const char *key,
		    struct below *below, struct store_error *error)
{
	return key_join_into(prefix->folder, key, below->key,
			     sizeof(below->key), error);
}

#define PREFIX_NEXT(prefix, slot, ...) \
	((prefix)->next.ops->slot((prefix)->next.self, __VA_ARGS__))

/*
 * What most operations do: the same on the key below the folder.  The other
 * arguments of the slot stand behind `error`, which it gets at its end.
 */
#define PREFIX_BELOW(self, slot, context, upper, error, ...)              \
	({                                                                \
		const struct prefix *prefix_ = (self);                    \
		struct below below_;                                      \
		int code_ = go_below(prefix_, (upper), &below_, (error)); \
                                                                          \
		code_ ? code_                                             \
		      : PREFIX_NEXT(prefix_, slot, (context), below_.key, \
				    ##__VA_ARGS__, (error));              \
	})

/* ---- life ---- */

static void prefix_close(void *self)
{
	free(self);
}

static uint64_t prefix_has(void *self)
{
	struct prefix *prefix = self;

	return layer_has(&prefix->next);
}

static int prefix_ping(void *self, struct store_context *context,
		       struct store_error *error)
{
	struct prefix *prefix = self;

	return PREFIX_NEXT(prefix, ping, context, error);
}

/* ---- asking ---- */

static int prefix_stat(void *self, struct store_context *context,
		       const char *key, struct store_info *info,
		       struct store_details *details, struct store_error *error)
{
	struct prefix *prefix = self;
	struct below below;
	int code = go_below(prefix, key, &below, error);

	if (code)
		return code;
	code = PREFIX_NEXT(prefix, stat, context, below.key, info, details,
			   error);
	if (code != STORE_NOT_FOUND || !key_is_root(key))
		return code;
	store_error_clear(error);
	*info = (struct store_info){
		.type = STORE_TYPE_FOLDER,
		.implicit = true,
		.links = 1,
	};
	return STORE_OK;
}

static int prefix_stat_listed(void *self, struct store_context *context,
			      const char *key, enum store_type listed,
			      struct store_info *info,
			      struct store_details *details,
			      struct store_error *error)
{
	return PREFIX_BELOW(self, stat_listed, context, key, error, listed,
			    info, details);
}

/* Names of a recursive listing are keys: take the folder off them. */
static void strip_entries(const struct prefix *prefix, struct store_page *page,
			  size_t from)
{
	for (size_t i = from; i < page->count; i++) {
		char *name = page->entries[i].name;
		const char *rest = key_relative(name, prefix->folder);

		if (rest)
			memmove(name, rest, strlen(rest) + 1);
	}
}

static int prefix_list(void *self, struct store_context *context,
		       const struct backend_list_request *request,
		       struct store_page *page, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_list_request inner = *request;
	size_t before = page->count;
	struct below below;
	int code = go_below(prefix, request->prefix, &below, error);

	if (code)
		return code;
	inner.prefix = below.key;
	code = PREFIX_NEXT(prefix, list, context, &inner, page, error);
	if (!code && request->recursive)
		strip_entries(prefix, page, before);
	if (code != STORE_NOT_FOUND || !key_is_root(request->prefix) ||
	    request->cursor)
		return code;
	store_error_clear(error);
	return STORE_OK;
}

static int prefix_glob(void *self, struct store_context *context,
		       const char *pattern, const char *cursor,
		       struct store_page *page, struct store_error *error)
{
	struct prefix *prefix = self;
	CLEANUP_FREE char *whole = glob_below(prefix->folder, pattern);
	size_t before = page->count;
	int code;

	if (!whole)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = PREFIX_NEXT(prefix, glob, context, whole, cursor, page, error);
	if (!code)
		strip_entries(prefix, page, before);
	return code;
}

static int prefix_totals(void *self, struct store_context *context,
			 const char *key, struct store_totals *totals,
			 struct store_error *error)
{
	return PREFIX_BELOW(self, totals, context, key, error, totals);
}

static int prefix_usage(void *self, struct store_context *context,
			struct store_usage *usage, struct store_error *error)
{
	struct prefix *prefix = self;

	return PREFIX_NEXT(prefix, usage, context, usage, error);
}

/* ---- reading ---- */

static int prefix_open_reader(void *self, struct store_context *context,
			      const char *key, const struct store_version *pin,
			      void **reader, struct store_info *info,
			      struct store_error *error)
{
	return PREFIX_BELOW(self, open_reader, context, key, error, pin, reader,
			    info);
}

static int prefix_open_small(void *self, struct store_context *context,
			     const char *key, const struct store_version *pin,
			     size_t expected, void **reader,
			     struct store_info *info, struct store_error *error)
{
	return PREFIX_BELOW(self, open_small, context, key, error, pin,
			    expected, reader, info);
}

static int prefix_read(void *self, struct store_context *context, void *reader,
		       uint64_t offset, void *data, size_t length, size_t *got,
		       struct store_error *error)
{
	struct prefix *prefix = self;

	return PREFIX_NEXT(prefix, read, context, reader, offset, data, length,
			   got, error);
}

static void prefix_close_reader(void *self, void *reader)
{
	struct prefix *prefix = self;

	PREFIX_NEXT(prefix, close_reader, reader);
}

static int prefix_reader_data(void *self, void *reader, uint64_t offset,
			      struct store_range *range,
			      struct store_error *error)
{
	struct prefix *prefix = self;

	return PREFIX_NEXT(prefix, reader_data, reader, offset, range, error);
}

/* ---- writing ---- */

static int prefix_put(void *self, struct store_context *context,
		      const struct backend_put_request *request,
		      struct store_info *info, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_put_request inner = *request;
	struct below below;
	int code = go_below(prefix, request->key, &below, error);

	if (code)
		return code;
	inner.key = below.key;
	return PREFIX_NEXT(prefix, put, context, &inner, info, error);
}

static int prefix_put_ahead(void *self, struct store_context *context,
			    const struct backend_put_request *request,
			    struct store_range *range,
			    struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_put_request inner = *request;
	struct below below;
	int code = go_below(prefix, request->key, &below, error);

	if (code)
		return code;
	inner.key = below.key;
	return PREFIX_NEXT(prefix, put_ahead, context, &inner, range, error);
}

static int prefix_drop_upload(void *self, struct store_context *context,
			      const char *key, const char *token,
			      struct store_error *error)
{
	return PREFIX_BELOW(self, drop_upload, context, key, error, token);
}

static int prefix_upload_begin(void *self, struct store_context *context,
			       const struct backend_put_request *request,
			       void **upload, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_put_request inner = *request;
	struct below below;
	int code = go_below(prefix, request->key, &below, error);

	if (code)
		return code;
	inner.key = below.key;
	return PREFIX_NEXT(prefix, upload_begin, context, &inner, upload,
			   error);
}

static int prefix_upload_write(void *self, struct store_context *context,
			       void *upload, const void *data, size_t length,
			       struct store_error *error)
{
	struct prefix *prefix = self;

	return PREFIX_NEXT(prefix, upload_write, context, upload, data, length,
			   error);
}

static void prefix_upload_abort(void *self, void *upload)
{
	struct prefix *prefix = self;

	PREFIX_NEXT(prefix, upload_abort, upload);
}

static int prefix_upload_commit(void *self, struct store_context *context,
				void *upload,
				const struct backend_put_request *request,
				struct store_info *info,
				struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_put_request inner = *request;
	struct below below;
	int code = go_below(prefix, request->key, &below, error);

	if (code) {
		prefix_upload_abort(self, upload);
		return code;
	}
	inner.key = below.key;
	return PREFIX_NEXT(prefix, upload_commit, context, upload, &inner, info,
			   error);
}

static int prefix_make_node(void *self, struct store_context *context,
			    const struct backend_node_request *request,
			    struct store_info *info, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_node_request inner = *request;
	struct below below;
	int code = go_below(prefix, request->key, &below, error);

	if (code)
		return code;
	inner.key = below.key;
	return PREFIX_NEXT(prefix, make_node, context, &inner, info, error);
}

static int prefix_link(void *self, struct store_context *context,
		       const char *from, const char *to,
		       struct store_info *info, struct store_error *error)
{
	struct prefix *prefix = self;
	struct below below;
	struct below target;
	int code = go_below(prefix, from, &below, error);

	if (!code)
		code = go_below(prefix, to, &target, error);
	if (code)
		return code;
	return PREFIX_NEXT(prefix, link, context, below.key, target.key, info,
			   error);
}

static int prefix_make_dir(void *self, struct store_context *context,
			   const char *key,
			   const struct store_attributes *attributes,
			   struct store_info *info, struct store_error *error)
{
	return PREFIX_BELOW(self, make_dir, context, key, error, attributes,
			    info);
}

static int prefix_make_missing_dir(void *self, struct store_context *context,
				   const char *key,
				   const struct store_attributes *attributes,
				   struct store_info *info,
				   struct store_error *error)
{
	return PREFIX_BELOW(self, make_missing_dir, context, key, error,
			    attributes, info);
}

/* ---- changing ---- */

static int prefix_remove(void *self, struct store_context *context,
			 const char *key,
			 const struct store_precondition *precondition,
			 struct store_error *error)
{
	return PREFIX_BELOW(self, remove, context, key, error, precondition);
}

static int prefix_remove_many(void *self, struct store_context *context,
			      const char *folder,
			      const struct backend_removals *removals,
			      struct store_error *error)
{
	return PREFIX_BELOW(self, remove_many, context, folder, error,
			    removals);
}

static int prefix_remove_dir(void *self, struct store_context *context,
			     const char *key, struct store_error *error)
{
	return PREFIX_BELOW(self, remove_dir, context, key, error);
}

static int prefix_sync(void *self, struct store_context *context,
		       const char *key, struct store_error *error)
{
	return PREFIX_BELOW(self, sync, context, key, error);
}

static int prefix_remove_tree(void *self, struct store_context *context,
			      const char *key, struct store_error *error)
{
	return PREFIX_BELOW(self, remove_tree, context, key, error);
}

/* Both keys of a move or copy; `inner` borrows from the two places. */
static int move_below(const struct prefix *prefix,
		      struct backend_move_request *inner, struct below *from,
		      struct below *to, struct store_error *error)
{
	int code = go_below(prefix, inner->from, from, error);

	if (!code)
		code = go_below(prefix, inner->to, to, error);
	inner->from = from->key;
	inner->to = to->key;
	return code;
}

static int prefix_move(void *self, struct store_context *context,
		       const struct backend_move_request *request,
		       struct store_info *info, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_move_request inner = *request;
	struct below from;
	struct below to;
	int code = move_below(prefix, &inner, &from, &to, error);

	if (code)
		return code;
	return PREFIX_NEXT(prefix, move, context, &inner, info, error);
}

static int prefix_copy(void *self, struct store_context *context,
		       const struct backend_move_request *request,
		       struct store_info *info, struct store_error *error)
{
	struct prefix *prefix = self;
	struct backend_move_request inner = *request;
	struct below from;
	struct below to;
	int code = move_below(prefix, &inner, &from, &to, error);

	if (code)
		return code;
	return PREFIX_NEXT(prefix, copy, context, &inner, info, error);
}

static int prefix_set_attributes(void *self, struct store_context *context,
				 const char *key,
				 const struct store_attributes *attributes,
				 struct store_info *info,
				 struct store_error *error)
{
	return PREFIX_BELOW(self, set_attributes, context, key, error,
			    attributes, info);
}

/* ---- extended attributes ---- */

static int prefix_get_xattr(void *self, struct store_context *context,
			    const char *key, const char *name, void **value,
			    size_t *size, struct store_error *error)
{
	return PREFIX_BELOW(self, get_xattr, context, key, error, name, value,
			    size);
}

static int prefix_list_xattrs(void *self, struct store_context *context,
			      const char *key, char **names, size_t *size,
			      struct store_error *error)
{
	return PREFIX_BELOW(self, list_xattrs, context, key, error, names,
			    size);
}

static int prefix_set_xattr(void *self, struct store_context *context,
			    const char *key, const struct store_xattr *xattr,
			    int xattr_flags, struct store_error *error)
{
	return PREFIX_BELOW(self, set_xattr, context, key, error, xattr,
			    xattr_flags);
}

static int prefix_remove_xattr(void *self, struct store_context *context,
			       const char *key, const char *name,
			       struct store_error *error)
{
	return PREFIX_BELOW(self, remove_xattr, context, key, error, name);
}

/* ---- names ---- */

static char *prefix_native_path(void *self, const char *key)
{
	struct prefix *prefix = self;
	CLEANUP_FREE char *whole = key_join(prefix->folder, key);

	if (!whole || !prefix->next.ops->native_path)
		return steal_pointer(&whole);
	return PREFIX_NEXT(prefix, native_path, whole);
}

static char *prefix_to_key(void *self, const char *native)
{
	struct prefix *prefix = self;
	CLEANUP_FREE char *whole = NULL;
	const char *rest;

	if (prefix->next.ops->to_key)
		whole = PREFIX_NEXT(prefix, to_key, native);
	else
		whole = strdup(native);
	rest = whole ? key_relative(whole, prefix->folder) : NULL;
	return rest ? strdup(rest) : NULL;
}

/* The folder goes where the path of the URL ends. */
static char *prefix_identity(void *self)
{
	struct prefix *prefix = self;
	CLEANUP_FREE char *inner =
		prefix->next.ops->identity(prefix->next.self);
	CLEANUP_BUF struct buf whole = BUF_INIT(1 << 20);
	size_t path;

	if (!inner)
		return NULL;
	path = strcspn(inner, "?");
	buf_add(&whole, inner, path);
	if (path && inner[path - 1] != '/')
		buf_add_char(&whole, '/');
	buf_add_text(&whole, prefix->folder);
	buf_add_text(&whole, inner + path);
	return buf_steal(&whole);
}

static char *prefix_local_path(void *self)
{
	struct prefix *prefix = self;

	return prefix->next.ops->local_path(prefix->next.self);
}

static const struct wire_counters *prefix_wire(void *self)
{
	struct prefix *prefix = self;

	return prefix->next.ops->wire(prefix->next.self);
}

static uint64_t prefix_max_size(void *self)
{
	struct prefix *prefix = self;

	return prefix->next.ops->max_size(prefix->next.self);
}

static int prefix_check_xattrs(void *self, const struct store_xattr *xattrs,
			       size_t count, struct store_error *error)
{
	struct prefix *prefix = self;

	return prefix->next.ops->check_xattrs(prefix->next.self, xattrs, count,
					      error);
}

static const struct store_backend prefix_all = {
	.close = prefix_close,
	.has = prefix_has,
	.ping = prefix_ping,
	.stat = prefix_stat,
	.stat_listed = prefix_stat_listed,
	.list = prefix_list,
	.open_reader = prefix_open_reader,
	.open_small = prefix_open_small,
	.read = prefix_read,
	.close_reader = prefix_close_reader,
	.reader_data = prefix_reader_data,
	.put = prefix_put,
	.put_ahead = prefix_put_ahead,
	.drop_upload = prefix_drop_upload,
	.make_node = prefix_make_node,
	.link = prefix_link,
	.remove = prefix_remove,
	.remove_many = prefix_remove_many,
	.make_dir = prefix_make_dir,
	.make_missing_dir = prefix_make_missing_dir,
	.remove_dir = prefix_remove_dir,
	.remove_tree = prefix_remove_tree,
	.move = prefix_move,
	.copy = prefix_copy,
	.set_attributes = prefix_set_attributes,
	.get_xattr = prefix_get_xattr,
	.list_xattrs = prefix_list_xattrs,
	.set_xattr = prefix_set_xattr,
	.remove_xattr = prefix_remove_xattr,
	.glob = prefix_glob,
	.totals = prefix_totals,
	.usage = prefix_usage,
	.sync = prefix_sync,
	.upload_begin = prefix_upload_begin,
	.upload_write = prefix_upload_write,
	.upload_commit = prefix_upload_commit,
	.upload_abort = prefix_upload_abort,
	.identity = prefix_identity,
	.local_path = prefix_local_path,
	.max_size = prefix_max_size,
	.wire = prefix_wire,
	.check_xattrs = prefix_check_xattrs,
};

int layer_prefix(const char *folder, struct backend *backend,
		 struct store_error *error)
{
	size_t size = strlen(folder) + 1;
	struct prefix *prefix = malloc(sizeof(*prefix) + size);

	if (!prefix)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	layer_table(&prefix->table, &prefix_all, backend);
	prefix->table.native_path = prefix_native_path;
	prefix->table.to_key = prefix_to_key;
	prefix->next = *backend;
	memcpy(prefix->folder, folder, size);
	*backend = (struct backend){ &prefix->table, prefix };
	return STORE_OK;
}
