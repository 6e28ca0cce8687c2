// SPDX-License-Identifier: MIT
/*
 * Putting files into the memory store, whole or as a stream.
 *
 * The order is: look whether the put can succeed, build the new content
 * without the lock (this is where the source is read), take the lock, look
 * again, publish.  So readers see the old version or the new one, and nobody
 * waits for a slow source.
 */
#include "config.h"

#include "backends/memory/tree.h"

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* May this put go ahead?  Fills `place`. */
static int put_check(struct memory *memory,
		     const struct backend_put_request *request,
		     struct place *place, struct store_error *error)
	REQUIRES(memory->lock)
{
	int code = tree_target(memory, request->key, place, error);

	if (code)
		return code;
	if (place->node && place->node->type == STORE_TYPE_FOLDER)
		return memory_fail(STORE_IS_DIR, error);
	return tree_check(memory, place->node, &request->precondition, error);
}

/* As put_check, alone; `*base`: the content there, when ranges are kept. */
static int put_prepare(struct memory *memory,
		       const struct backend_put_request *request,
		       struct blob **base, struct store_error *error)
{
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = put_check(memory, request, &place, error);
	if (!code && request->keep_count && place.node &&
	    place.node->type == STORE_TYPE_FILE)
		*base = blob_ref(place.node->blob);
	lock_drop(&memory->lock);
	if (!code && request->keep_count && !*base)
		return store_error_set(error, STORE_CHANGED,
				       "no version to keep ranges of");
	return code;
}

/* A file node with all that the request names and no content. */
static struct node *put_node(const struct backend_put_request *request,
			     const struct node *old, struct store_error *error)
{
	struct node *node =
		node_new(STORE_TYPE_FILE, request->attributes, clock_now());
	size_t i;
	int code;

	if (!node)
		goto fail;
	code = old ? node_copy_extra(node, old) : STORE_OK;
	if (!code)
		code = node_set_metadata(node, request->metadata);
	if (!code)
		code = node_set_content_type(node, request->content_type);
	for (i = 0; !code && i < request->xattr_count; i++)
		code = node_set_xattr(node, &request->xattrs[i]);
	if (!code)
		return node;
fail:
	node_free(node);
	(void)memory_fail(STORE_NO_MEMORY, error);
	return NULL;
}

/* The node stays; attributes that are not named stay with it. */
static void put_into(struct node *old, struct node *made,
		     const struct backend_put_request *request)
{
	struct node_extra *extra = old->extra;
	struct blob *blob = old->blob;

	old->attributes.mtime = made->attributes.mtime;
	if (request->attributes)
		node_set_attributes(old, request->attributes);
	old->ctime = made->ctime;
	old->version = made->version;
	node_set_publish(old, request->publish);
	old->extra = made->extra;
	old->blob = made->blob;
	made->extra = extra;
	made->blob = blob;
	node_free(made);
}

/* Takes over `blob`, also on failure. */
static int put_publish_locked(struct memory *memory,
			      const struct backend_put_request *request,
			      struct blob *blob, struct store_info *info,
			      struct store_error *error) REQUIRES(memory->lock)
{
	struct place place;
	struct node *keep = NULL;
	struct node *node = NULL;
	int code = put_check(memory, request, &place, error);

	if (!code) {
		if ((request->flags & BACKEND_PUT_KEEP) && place.node &&
		    place.node->type == STORE_TYPE_FILE)
			keep = place.node;
		node = put_node(request, keep, error);
	}
	if (!node) {
		blob_unref(blob);
		return code ? code : STORE_NO_MEMORY;
	}
	node->blob = blob;
	node->version = ++memory->versions;
	node_set_publish(node, request->publish);
	if (keep) {
		put_into(keep, node, request);
		node_info(keep, memory->prefix, info);
		return STORE_OK;
	}
	/* The identity outlives a replacement, unless other names have it. */
	if (request->id)
		node->id = request->id;
	else if (place.node && place.node->type == STORE_TYPE_FILE &&
		 place.node->links == 1)
		node->id = place.node->id;
	if (place.node)
		tree_replace(memory, &place, node);
	else
		code = tree_attach(memory, request->key, node, error);
	if (code)
		node_free(node);
	else
		node_info(node, memory->prefix, info);
	return code;
}

static int put_publish(struct memory *memory,
		       const struct backend_put_request *request,
		       struct blob *blob, struct store_info *info,
		       struct store_error *error)
{
	int code;

	lock_take(&memory->lock);
	code = put_publish_locked(memory, request, blob, info, error);
	lock_drop(&memory->lock);
	return code;
}

int memory_put(void *self, struct store_context *context,
	       const struct backend_put_request *request,
	       struct store_info *info, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct blob *base = NULL;
	struct blob *blob = NULL;
	struct blob_plan plan = { .source = request->source,
				  .keep = request->keep,
				  .keep_count = request->keep_count };
	int code = put_prepare(memory, request, &base, error);

	plan.base = base;
	if (!code)
		code = blob_from_plan(&plan, &memory->budget, context, &blob,
				      error);
	if (!code)
		code = put_publish(memory, request, blob, info, error);
	blob_unref(base);
	return code;
}

int memory_upload_begin(void *self, struct store_context *context UNUSED,
			const struct backend_put_request *request,
			void **upload, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct blob_builder *builder;
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = put_check(memory, request, &place, error);
	lock_drop(&memory->lock);
	if (code)
		return code;
	builder = blob_builder_new(&memory->budget, error);
	if (!builder)
		return STORE_NO_MEMORY;
	*upload = builder;
	return STORE_OK;
}

int memory_upload_write(void *self UNUSED, struct store_context *context,
			void *upload, const void *data, size_t length,
			struct store_error *error)
{
	int code = store_context_check(context, error);

	if (!code)
		code = blob_builder_append(upload, data, length, error);
	if (!code)
		store_context_progress(context);
	return code;
}

int memory_upload_commit(void *self, struct store_context *context,
			 void *upload,
			 const struct backend_put_request *request,
			 struct store_info *info, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct blob *blob = NULL;
	int code = store_context_check(context, error);

	if (!code)
		code = blob_builder_finish(upload, &blob, error);
	blob_builder_free(upload);
	if (code)
		return code;
	return put_publish(memory, request, blob, info, error);
}

void memory_upload_abort(void *self UNUSED, void *upload)
{
	blob_builder_free(upload);
}
