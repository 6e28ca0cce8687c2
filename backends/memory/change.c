// SPDX-License-Identifier: MIT
/*
 * Making, removing, moving and changing nodes of the memory store.  Each
 * operation is one short function that locks around a `_locked` one.
 */
#include "config.h"

#include "backends/memory/tree.h"

#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* Is `key` the folder `folder` or below it? */
static bool key_below(const char *key, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(key, folder, length) == 0 && key[length] == '/';
}

/* ---- making ---- */

/* Give a new node its name; takes it over, also on failure. */
static int attach_new(struct memory *memory, const char *key, struct node *node,
		      struct store_info *info, struct store_error *error)
{
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = tree_target(memory, key, &place, error);
	if (!code && place.node)
		code = memory_fail(STORE_EXISTS, error);
	if (!code) {
		node->version = ++memory->versions;
		code = tree_attach(memory, key, node, error);
	}
	if (!code)
		node_info(node, memory->prefix, info);
	lock_drop(&memory->lock);
	if (code)
		node_free(node);
	return code;
}

int memory_make_node(void *self, struct store_context *context UNUSED,
		     const struct backend_node_request *request,
		     struct store_info *info, struct store_error *error)
{
	struct node *node =
		node_new(request->type, request->attributes, clock_now());

	if (!node || !node_extra(node)) {
		node_free(node);
		return memory_fail(STORE_NO_MEMORY, error);
	}
	node->extra->rdev = request->rdev;
	if (request->type == STORE_TYPE_SYMLINK &&
	    node_set_target(node, request->target)) {
		node_free(node);
		return memory_fail(STORE_NO_MEMORY, error);
	}
	return attach_new(memory_of(self), request->key, node, info, error);
}

int memory_make_dir(void *self, struct store_context *context UNUSED,
		    const char *key, const struct store_attributes *attributes,
		    struct store_info *info, struct store_error *error)
{
	struct node *node =
		node_new(STORE_TYPE_FOLDER, attributes, clock_now());

	if (!node)
		return memory_fail(STORE_NO_MEMORY, error);
	if (!*key) {
		node_free(node);
		return memory_fail(STORE_EXISTS, error);
	}
	return attach_new(memory_of(self), key, node, info, error);
}

static int link_locked(struct memory *memory, const char *from, const char *to,
		       struct store_info *info, struct store_error *error)
	REQUIRES(memory->lock)
{
	struct place source;
	struct place target;
	int code = tree_find(memory, from, &source, error);

	if (code)
		return code;
	if (source.node->type == STORE_TYPE_FOLDER)
		return memory_fail(STORE_IS_DIR, error);
	code = tree_target(memory, to, &target, error);
	if (code)
		return code;
	if (target.node)
		return memory_fail(STORE_EXISTS, error);
	code = tree_attach(memory, to, source.node, error);
	if (!code)
		node_info(source.node, memory->prefix, info);
	return code;
}

int memory_link(void *self, struct store_context *context UNUSED,
		const char *from, const char *to, struct store_info *info,
		struct store_error *error)
{
	struct memory *memory = memory_of(self);
	int code;

	lock_take(&memory->lock);
	code = link_locked(memory, from, to, info, error);
	lock_drop(&memory->lock);
	return code;
}

/* ---- removing ---- */

static int remove_locked(struct memory *memory, const char *key,
			 const struct store_precondition *precondition,
			 struct store_error *error) REQUIRES(memory->lock)
{
	struct place place;
	int code = tree_find(memory, key, &place, error);

	if (code)
		return code;
	if (place.node->type == STORE_TYPE_FOLDER)
		return memory_fail(STORE_IS_DIR, error);
	code = tree_check(memory, place.node, precondition, error);
	if (!code)
		tree_detach(memory, &place);
	return code;
}

int memory_remove(void *self, struct store_context *context UNUSED,
		  const char *key,
		  const struct store_precondition *precondition,
		  struct store_error *error)
{
	struct memory *memory = memory_of(self);
	int code;

	lock_take(&memory->lock);
	code = remove_locked(memory, key, precondition, error);
	lock_drop(&memory->lock);
	return code;
}

static int remove_folder_locked(struct memory *memory, const char *key,
				bool with_children, struct store_error *error)
	REQUIRES(memory->lock)
{
	struct place place;
	int code = tree_find(memory, key, &place, error);

	if (code)
		return code;
	if (place.node->type != STORE_TYPE_FOLDER)
		return memory_fail(STORE_NOT_DIR, error);
	if (!place.name)
		return store_error_set(error, STORE_INVALID,
				       "the root cannot be removed");
	if (!with_children && place.node->children.root)
		return memory_fail(STORE_NOT_EMPTY, error);
	tree_detach(memory, &place);
	return STORE_OK;
}

static int remove_folder(void *self, const char *key, bool with_children,
			 struct store_error *error)
{
	struct memory *memory = memory_of(self);
	int code;

	lock_take(&memory->lock);
	code = remove_folder_locked(memory, key, with_children, error);
	lock_drop(&memory->lock);
	return code;
}

int memory_remove_dir(void *self, struct store_context *context UNUSED,
		      const char *key, struct store_error *error)
{
	return remove_folder(self, key, false, error);
}

int memory_remove_tree(void *self, struct store_context *context UNUSED,
		       const char *key, struct store_error *error)
{
	return remove_folder(self, key, true, error);
}

/* ---- moving ---- */

/* May `source` take the place of `target`, which exists? */
static int replace_check(const struct backend_move_request *request,
			 const struct node *source, const struct node *target,
			 struct store_error *error)
{
	bool folder = target->type == STORE_TYPE_FOLDER;

	if (source->type != STORE_TYPE_FOLDER && folder)
		return memory_fail(STORE_IS_DIR, error);
	if (!(request->flags & BACKEND_MOVE_REPLACE))
		return memory_fail(STORE_EXISTS, error);
	if (source->type == STORE_TYPE_FOLDER && !folder)
		return memory_fail(STORE_NOT_DIR, error);
	if (folder && target->children.root)
		return memory_fail(STORE_NOT_EMPTY, error);
	return STORE_OK;
}

static int exchange_locked(struct memory *memory,
			   const struct backend_move_request *request,
			   const struct place *source,
			   const struct place *target,
			   struct store_error *error) REQUIRES(memory->lock)
{
	int code;

	if (!target->node)
		return memory_fail(STORE_NOT_FOUND, error);
	if (key_below(request->from, request->to))
		return store_error_set(error, STORE_INVALID,
				       "lies below the other");
	code = tree_check(memory, target->node, &request->precondition, error);
	if (!code && source->node != target->node)
		tree_exchange(source, target);
	return code;
}

/* Put what `source` names under the name of `target`. */
static int rename_locked(struct memory *memory,
			 const struct backend_move_request *request,
			 const struct place *source, const struct place *target,
			 struct store_error *error) REQUIRES(memory->lock)
{
	int code = STORE_OK;

	if (target->node)
		code = replace_check(request, source->node, target->node,
				     error);
	if (!code)
		code = tree_check(memory, target->node, &request->precondition,
				  error);
	if (code || target->node == source->node)
		return code;
	if (target->node)
		tree_replace(memory, target, source->node);
	else
		code = tree_attach(memory, request->to, source->node, error);
	if (!code)
		tree_detach(memory, source);
	return code;
}

static int move_locked(struct memory *memory,
		       const struct backend_move_request *request,
		       struct store_info *info, struct store_error *error)
	REQUIRES(memory->lock)
{
	struct place source;
	struct place target;
	int code = tree_find(memory, request->from, &source, error);

	if (code)
		return code;
	if (source.node->type == STORE_TYPE_FOLDER &&
	    key_below(request->to, request->from))
		return store_error_set(error, STORE_INVALID,
				       "a folder cannot move below itself");
	code = tree_target(memory, request->to, &target, error);
	if (code)
		return code;
	if (strcmp(request->from, request->to) == 0)
		code = STORE_OK;
	else if (request->flags & BACKEND_MOVE_EXCHANGE)
		code = exchange_locked(memory, request, &source, &target,
				       error);
	else
		code = rename_locked(memory, request, &source, &target, error);
	if (!code)
		node_info(source.node, memory->prefix, info);
	return code;
}

int memory_move(void *self, struct store_context *context UNUSED,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	int code;

	lock_take(&memory->lock);
	code = move_locked(memory, request, info, error);
	lock_drop(&memory->lock);
	return code;
}

/* A file of its own with content, attributes and all the rest of `from`. */
static struct node *node_copy(const struct node *from)
{
	struct node *node =
		node_new(from->type, &from->attributes, clock_now());

	if (!node)
		return NULL;
	node->blob = blob_ref(from->blob);
	if (node_copy_extra(node, from)) {
		node_free(node);
		return NULL;
	}
	return node;
}

/* `*at` is the node that tells of the copy. */
static int copy_locked(struct memory *memory,
		       const struct backend_move_request *request,
		       struct node **at, struct store_error *error)
	REQUIRES(memory->lock)
{
	struct place source;
	struct place target;
	struct node *node;
	int code = tree_find(memory, request->from, &source, error);

	if (!code && source.node->type == STORE_TYPE_FOLDER)
		code = memory_fail(STORE_IS_DIR, error);
	else if (!code && source.node->type != STORE_TYPE_FILE)
		code = store_error_set(error, STORE_INVALID,
				       "it is no regular file");
	if (!code)
		code = tree_check(memory, source.node, &request->source, error);
	if (!code)
		code = tree_target(memory, request->to, &target, error);
	if (!code && target.node && target.node != source.node)
		code = replace_check(request, source.node, target.node, error);
	if (!code)
		code = tree_check(memory, target.node, &request->precondition,
				  error);
	if (code)
		return code;
	*at = source.node;
	if (target.node == source.node)
		return STORE_OK;
	node = node_copy(source.node);
	if (!node)
		return memory_fail(STORE_NO_MEMORY, error);
	node->version = ++memory->versions;
	node_set_publish(node, request->publish);
	*at = node;
	if (target.node) {
		if (target.node->links == 1)
			node->id = target.node->id;
		tree_replace(memory, &target, node);
		return STORE_OK;
	}
	code = tree_attach(memory, request->to, node, error);
	if (code)
		node_free(node);
	return code;
}

int memory_copy(void *self, struct store_context *context UNUSED,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct node *at = NULL;
	int code;

	lock_take(&memory->lock);
	code = copy_locked(memory, request, &at, error);
	if (!code)
		node_info(at, memory->prefix, info);
	lock_drop(&memory->lock);
	return code;
}

int memory_set_attributes(void *self, struct store_context *context UNUSED,
			  const char *key,
			  const struct store_attributes *attributes,
			  struct store_info *info, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = tree_find(memory, key, &place, error);
	if (!code) {
		node_set_attributes(place.node, attributes);
		place.node->ctime = clock_now();
		node_info(place.node, memory->prefix, info);
	}
	lock_drop(&memory->lock);
	return code;
}
