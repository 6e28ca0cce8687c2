// SPDX-License-Identifier: MIT
/*
 * The layer made of hooks (layer.h): each slot of the table, between the two.
 * Called as any backend is; calls its hooks and the next backend.  Readers
 * and uploads are wrapped, so that the hooks know their key.  No locks.
 */
#include "config.h"

#include "src/layers/layer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/layers/layers.h"

/* An open reader or upload of the next backend. */
struct handle {
	void *inner;
	char key[];
};

int layer_before(struct layer *layer, struct layer_call *call)
{
	if (!layer->hooks->before)
		return STORE_OK;
	return layer->hooks->before(layer->hook, call);
}

bool layer_after(struct layer *layer, struct layer_call *call, int *code)
{
	bool again = layer->hooks->after &&
		     layer->hooks->after(layer->hook, call, code);

	call->attempt++;
	return again;
}

static struct handle *handle_new(const char *key, struct store_error *error)
{
	size_t size = strlen(key) + 1;
	struct handle *handle = malloc(sizeof(*handle) + size);

	if (!handle) {
		store_error_set(error, STORE_NO_MEMORY, "out of memory");
		return NULL;
	}
	handle->inner = NULL;
	memcpy(handle->key, key, size);
	return handle;
}

/* ---- life ---- */

static int layer_open(void *self, struct store_context *context,
		      struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_OPEN, "", context, error);

	return LAYER_RUN(layer, &call, LAYER_NEXT(layer, open, context, error));
}

static void layer_close(void *self)
{
	struct layer *layer = self;

	layer->next.ops->close(layer->next.self);
	if (layer->hooks->free)
		layer->hooks->free(layer->hook);
	free(layer);
}

static uint64_t layer_own_has(void *self)
{
	struct layer *layer = self;

	return layer_has(&layer->next) & ~layer->without;
}

static int layer_ping(void *self, struct store_context *context,
		      struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_PING, "", context, error);

	return LAYER_RUN(layer, &call, LAYER_NEXT(layer, ping, context, error));
}

/* ---- asking ---- */

static int layer_stat(void *self, struct store_context *context,
		      const char *key, struct store_info *info,
		      struct store_details *details, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_STAT, key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, stat, context, key, info, details, error));
}

static int layer_stat_listed(void *self, struct store_context *context,
			     const char *key, enum store_type listed,
			     struct store_info *info,
			     struct store_details *details,
			     struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_STAT, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, stat_listed, context, key, listed,
				    info, details, error));
}

/* A try that failed half-way may have left entries behind. */
static int list_once(struct layer *layer, struct store_context *context,
		     const struct backend_list_request *request,
		     struct store_page *page, struct store_error *error)
{
	size_t count = page->count;
	int code = LAYER_NEXT(layer, list, context, request, page, error);

	while (code && page->count > count)
		free(page->entries[--page->count].name);
	return code;
}

static int layer_list(void *self, struct store_context *context,
		      const struct backend_list_request *request,
		      struct store_page *page, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_LIST, request->prefix, context, error);

	return LAYER_RUN(layer, &call,
			 list_once(layer, context, request, page, error));
}

static int layer_glob(void *self, struct store_context *context,
		      const char *pattern, const char *cursor,
		      struct store_page *page, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_GLOB, pattern, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, glob, context, pattern, cursor, page, error));
}

static int layer_totals(void *self, struct store_context *context,
			const char *key, struct store_totals *totals,
			struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_TOTALS, key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, totals, context, key, totals, error));
}

static int layer_usage(void *self, struct store_context *context,
		       struct store_usage *usage, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_USAGE, "", context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, usage, context, usage, error));
}

/* ---- reading ---- */

static int layer_open_small(void *self, struct store_context *context,
			    const char *key, const struct store_version *pin,
			    size_t expected, void **reader,
			    struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = handle_new(key, error);
	struct layer_call call =
		LAYER_CALL(LAYER_OPEN_READER, key, context, error);
	int code;

	if (!handle)
		return STORE_NO_MEMORY;
	code = LAYER_RUN(
		layer, &call,
		expected ? LAYER_NEXT(layer, open_small, context, key, pin,
				      expected, &handle->inner, info, error)
			 : LAYER_NEXT(layer, open_reader, context, key, pin,
				      &handle->inner, info, error));
	if (code) {
		free(handle);
		return code;
	}
	*reader = handle;
	return STORE_OK;
}

static int layer_open_reader(void *self, struct store_context *context,
			     const char *key, const struct store_version *pin,
			     void **reader, struct store_info *info,
			     struct store_error *error)
{
	return layer_open_small(self, context, key, pin, 0, reader, info,
				error);
}

static int read_once(struct layer *layer, struct layer_call *call, void *inner,
		     struct store_range range, void *data)
{
	size_t got = 0;
	int code = LAYER_NEXT(layer, read, call->context, inner, range.offset,
			      data, (size_t)range.length, &got, call->error);

	if (!code)
		call->read = got;
	return code;
}

static int layer_read(void *self, struct store_context *context, void *reader,
		      uint64_t offset, void *data, size_t length, size_t *got,
		      struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = reader;
	struct store_range range = { offset, length };
	struct layer_call call =
		LAYER_CALL(LAYER_READ, handle->key, context, error);
	int code =
		LAYER_RUN(layer, &call,
			  read_once(layer, &call, handle->inner, range, data));

	if (!code)
		*got = (size_t)call.read;
	return code;
}

static int layer_reader_data(void *self, void *reader, uint64_t offset,
			     struct store_range *range,
			     struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = reader;
	struct layer_call call =
		LAYER_CALL(LAYER_READER_DATA, handle->key, NULL, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, reader_data, handle->inner, offset,
				    range, error));
}

static void layer_close_reader(void *self, void *reader)
{
	struct layer *layer = self;
	struct handle *handle = reader;
	struct layer_call call = {
		.op = LAYER_CLOSE_READER,
		.ending = true,
		.key = handle->key,
	};

	(void)LAYER_RUN(
		layer, &call,
		(LAYER_NEXT(layer, close_reader, handle->inner), STORE_OK));
	free(handle);
}

/* ---- writing ---- */

static int put_once(struct layer *layer, struct layer_call *call,
		    const struct backend_put_request *request,
		    struct store_info *info)
{
	int code = LAYER_NEXT(layer, put, call->context, request, info,
			      call->error);

	if (code)
		return code;
	call->written = request->source->size;
	for (size_t i = 0; i < request->keep_count; i++)
		call->written -= request->keep[i].length;
	return STORE_OK;
}

static int layer_put(void *self, struct store_context *context,
		     const struct backend_put_request *request,
		     struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_PUT, request->key, context, error);

	call.conditional = request->precondition.condition != STORE_IF_ANY;
	return LAYER_RUN(layer, &call, put_once(layer, &call, request, info));
}

static int send_once(struct layer *layer, struct layer_call *call,
		     const struct backend_put_request *request,
		     struct store_range *range)
{
	int code = LAYER_NEXT(layer, put_ahead, call->context, request, range,
			      call->error);

	if (!code)
		call->written = range->length;
	return code;
}

static int layer_put_ahead(void *self, struct store_context *context,
			   const struct backend_put_request *request,
			   struct store_range *range, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_PUT_AHEAD, request->key, context, error);

	return LAYER_RUN(layer, &call, send_once(layer, &call, request, range));
}

static int layer_drop_upload(void *self, struct store_context *context,
			     const char *key, const char *token,
			     struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_DROP_UPLOAD, key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, drop_upload, context, key, token, error));
}

static int layer_upload_begin(void *self, struct store_context *context,
			      const struct backend_put_request *request,
			      void **upload, struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = handle_new(request->key, error);
	struct layer_call call =
		LAYER_CALL(LAYER_UPLOAD_BEGIN, request->key, context, error);
	int code;

	if (!handle)
		return STORE_NO_MEMORY;
	code = LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, upload_begin, context, request,
				    &handle->inner, error));
	if (code) {
		free(handle);
		return code;
	}
	*upload = handle;
	return STORE_OK;
}

static int layer_upload_write(void *self, struct store_context *context,
			      void *upload, const void *data, size_t length,
			      struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = upload;
	struct layer_call call =
		LAYER_CALL(LAYER_UPLOAD_WRITE, handle->key, context, error);

	call.written = length;
	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, upload_write, context, handle->inner,
				    data, length, error));
}

static int commit_once(struct layer *layer, struct layer_call *call,
		       struct handle *handle,
		       const struct backend_put_request *request,
		       struct store_info *info)
{
	void *inner = steal_pointer(&handle->inner);

	return LAYER_NEXT(layer, upload_commit, call->context, inner, request,
			  info, call->error);
}

static int layer_upload_commit(void *self, struct store_context *context,
			       void *upload,
			       const struct backend_put_request *request,
			       struct store_info *info,
			       struct store_error *error)
{
	struct layer *layer = self;
	struct handle *handle = upload;
	struct layer_call call =
		LAYER_CALL(LAYER_UPLOAD_COMMIT, handle->key, context, error);
	int code = LAYER_RUN(layer, &call,
			     commit_once(layer, &call, handle, request, info));

	/* Refused by a hook: the upload ends all the same. */
	if (handle->inner)
		LAYER_NEXT(layer, upload_abort, handle->inner);
	free(handle);
	return code;
}

static void layer_upload_abort(void *self, void *upload)
{
	struct layer *layer = self;
	struct handle *handle = upload;
	struct layer_call call = {
		.op = LAYER_UPLOAD_ABORT,
		.ending = true,
		.key = handle->key,
	};

	(void)LAYER_RUN(
		layer, &call,
		(LAYER_NEXT(layer, upload_abort, handle->inner), STORE_OK));
	free(handle);
}

static int layer_make_node(void *self, struct store_context *context,
			   const struct backend_node_request *request,
			   struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_MAKE_NODE, request->key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, make_node, context, request, info, error));
}

static int layer_link(void *self, struct store_context *context,
		      const char *from, const char *to, struct store_info *info,
		      struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = {
		.op = LAYER_LINK,
		.key = from,
		.to = to,
		.context = context,
		.error = error,
	};

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, link, context, from, to, info, error));
}

static int layer_make_dir(void *self, struct store_context *context,
			  const char *key,
			  const struct store_attributes *attributes,
			  struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_MAKE_DIR, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, make_dir, context, key, attributes,
				    info, error));
}

static int layer_make_missing_dir(void *self, struct store_context *context,
				  const char *key,
				  const struct store_attributes *attributes,
				  struct store_info *info,
				  struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_MAKE_DIR, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, make_missing_dir, context, key,
				    attributes, info, error));
}

/* ---- changing ---- */

static int layer_remove(void *self, struct store_context *context,
			const char *key,
			const struct store_precondition *precondition,
			struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = LAYER_CALL(LAYER_REMOVE, key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, remove, context, key, precondition, error));
}

static int layer_remove_many(void *self, struct store_context *context,
			     const char *folder,
			     const struct backend_removals *removals,
			     struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_REMOVE_MANY, folder, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, remove_many, context, folder,
				    removals, error));
}

/* A slot that takes a key and nothing else. */
#define LAYER_OF_KEY(slot, op)                                              \
	static int layer_##slot(void *self, struct store_context *context,  \
				const char *key, struct store_error *error) \
	{                                                                   \
		struct layer *layer = self;                                 \
		struct layer_call call =                                    \
			LAYER_CALL((op), key, context, error);              \
                                                                            \
		return LAYER_RUN(                                           \
			layer, &call,                                       \
			LAYER_NEXT(layer, slot, context, key, error));      \
	}

LAYER_OF_KEY(remove_dir, LAYER_REMOVE_DIR)
LAYER_OF_KEY(remove_tree, LAYER_REMOVE_TREE)
LAYER_OF_KEY(sync, LAYER_SYNC)

static int layer_move(void *self, struct store_context *context,
		      const struct backend_move_request *request,
		      struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = {
		.op = LAYER_MOVE,
		.key = request->from,
		.to = request->to,
		.context = context,
		.error = error,
	};

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, move, context, request, info, error));
}

static int layer_copy(void *self, struct store_context *context,
		      const struct backend_move_request *request,
		      struct store_info *info, struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call = {
		.op = LAYER_COPY,
		.key = request->from,
		.to = request->to,
		.context = context,
		.error = error,
	};

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, copy, context, request, info, error));
}

static int layer_set_attributes(void *self, struct store_context *context,
				const char *key,
				const struct store_attributes *attributes,
				struct store_info *info,
				struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_SET_ATTRIBUTES, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, set_attributes, context, key,
				    attributes, info, error));
}

/* ---- names, no calls ---- */

static char *layer_native_path(void *self, const char *key)
{
	struct layer *layer = self;

	return LAYER_NEXT(layer, native_path, key);
}

static char *layer_to_key(void *self, const char *native)
{
	struct layer *layer = self;

	return LAYER_NEXT(layer, to_key, native);
}

static char *layer_identity(void *self)
{
	struct layer *layer = self;

	return layer->next.ops->identity(layer->next.self);
}

static char *layer_local_path(void *self)
{
	struct layer *layer = self;

	return layer->next.ops->local_path(layer->next.self);
}

static uint64_t layer_max_size(void *self)
{
	struct layer *layer = self;

	return layer->next.ops->max_size(layer->next.self);
}

static const struct wire_counters *layer_wire(void *self)
{
	struct layer *layer = self;

	return layer->next.ops->wire(layer->next.self);
}

static const struct store_backend layer_all = {
	.open = layer_open,
	.close = layer_close,
	.has = layer_own_has,
	.ping = layer_ping,
	.stat = layer_stat,
	.stat_listed = layer_stat_listed,
	.list = layer_list,
	.open_reader = layer_open_reader,
	.open_small = layer_open_small,
	.read = layer_read,
	.close_reader = layer_close_reader,
	.reader_data = layer_reader_data,
	.put = layer_put,
	.put_ahead = layer_put_ahead,
	.drop_upload = layer_drop_upload,
	.make_node = layer_make_node,
	.link = layer_link,
	.remove = layer_remove,
	.remove_many = layer_remove_many,
	.make_dir = layer_make_dir,
	.make_missing_dir = layer_make_missing_dir,
	.remove_dir = layer_remove_dir,
	.remove_tree = layer_remove_tree,
	.move = layer_move,
	.copy = layer_copy,
	.set_attributes = layer_set_attributes,
	.get_xattr = layer_get_xattr,
	.list_xattrs = layer_list_xattrs,
	.set_xattr = layer_set_xattr,
	.remove_xattr = layer_remove_xattr,
	.glob = layer_glob,
	.totals = layer_totals,
	.usage = layer_usage,
	.sync = layer_sync,
	.upload_begin = layer_upload_begin,
	.upload_write = layer_upload_write,
	.upload_commit = layer_upload_commit,
	.upload_abort = layer_upload_abort,
	.native_path = layer_native_path,
	.to_key = layer_to_key,
	.identity = layer_identity,
	.local_path = layer_local_path,
	.max_size = layer_max_size,
	.wire = layer_wire,
	.check_xattrs = layer_check_xattrs,
};

int layer_wrap(const struct layer_hooks *hooks, void *hook,
	       struct backend *backend, struct store_error *error)
{
	struct layer *layer = malloc(sizeof(*layer));

	if (!layer)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	layer_table(&layer->table, &layer_all, backend);
	layer->next = *backend;
	layer->hooks = hooks;
	layer->hook = hook;
	layer->without = hooks->without ? hooks->without(hook) : 0;
	layer_table_cut(&layer->table, layer->without);
	*backend = (struct backend){ &layer->table, layer };
	return STORE_OK;
}
