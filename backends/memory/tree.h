/* SPDX-License-Identifier: MIT */
/*
 * An instance of the memory store: the tree of names and its lock.
 *
 *	lock_take(&memory->lock);
 *	code = tree_find(memory, key, &place, error);
 *	...
 *	lock_drop(&memory->lock);
 *
 * One lock protects all nodes and names.  It is never held while a source is
 * read or anything of a caller is called.
 */
#ifndef STOREFS_MEMORY_TREE_H
#define STOREFS_MEMORY_TREE_H

#include "backends/memory/node.h"
#include "src/backend.h"
#include "src/base/sync.h"

struct memory {
	/* immutable */
	uint64_t prefix; /* of version tokens */
	struct node *root;

	struct blob_budget budget; /* atomic */

	struct lock lock;
	/* protected by lock */
	uint64_t ids;	   /* last one given out */
	uint64_t versions; /* last one given out */
	uint32_t random;   /* state of the priorities */
};

/* NULL when out of memory.  `limit` of content bytes, 0 for none. */
struct memory *memory_new(uint64_t limit);
/* NULL is fine.  No reader may be left. */
void memory_free(struct memory *memory);

/* Where a key leads. */
struct place {
	struct node *parent; /* folder of the name; NULL for the root */
	struct name *name;   /* NULL for the root, and when absent */
	struct node *node;   /* NULL when absent */
};

/*
 * STORE_OK when everything above the key is a folder: `place->node` tells
 * whether the key is there.  Else NOT_FOUND or NOT_DIR, without a message.
 */
int tree_walk(struct memory *memory, const char *key, struct place *place)
	REQUIRES(memory->lock);
/* As tree_walk, but a missing key is NOT_FOUND, also below a file. */
int tree_find(struct memory *memory, const char *key, struct place *place,
	      struct store_error *error) REQUIRES(memory->lock);
/*
 * Where a new name is to go: as tree_walk, but missing parents are fine and
 * a file above is NOT_DIR.
 */
int tree_target(struct memory *memory, const char *key, struct place *place,
		struct store_error *error) REQUIRES(memory->lock);
/*
 * Give `node` the free name `key`, with the missing folders above it, or do
 * nothing (NO_MEMORY).  tree_target() has succeeded.  Counts the link and
 * touches parent and node; a node without an id gets one.
 */
int tree_attach(struct memory *memory, const char *key, struct node *node,
		struct store_error *error) REQUIRES(memory->lock);
/* Put `node` in the place of what has the name; that loses the name. */
void tree_replace(struct memory *memory, const struct place *place,
		  struct node *node) REQUIRES(memory->lock);
/* Remove a name; its node goes with the last one. */
void tree_detach(struct memory *memory, const struct place *place)
	REQUIRES(memory->lock);
/* Swap the nodes of two names. */
void tree_exchange(const struct place *a, const struct place *b);
/* STORE_OK, EXISTS, CHANGED or NOT_FOUND; `node` may be NULL. */
int tree_check(const struct memory *memory, const struct node *node,
	       const struct store_precondition *precondition,
	       struct store_error *error) STORE_WARN_UNUSED;
/* An error with the usual text of the code; the core adds the key. */
int memory_fail(int code, struct store_error *error);

/* Operations of write.c, as in backend.h. */
int memory_put(void *self, struct store_context *context,
	       const struct backend_put_request *request,
	       struct store_info *info, struct store_error *error);
int memory_upload_begin(void *self, struct store_context *context,
			const struct backend_put_request *request,
			void **upload, struct store_error *error);
int memory_upload_write(void *self, struct store_context *context, void *upload,
			const void *data, size_t length,
			struct store_error *error);
int memory_upload_commit(void *self, struct store_context *context,
			 void *upload,
			 const struct backend_put_request *request,
			 struct store_info *info, struct store_error *error);
void memory_upload_abort(void *self, void *upload);

/* Operations of change.c. */
int memory_make_node(void *self, struct store_context *context,
		     const struct backend_node_request *request,
		     struct store_info *info, struct store_error *error);
int memory_make_dir(void *self, struct store_context *context, const char *key,
		    const struct store_attributes *attributes,
		    struct store_info *info, struct store_error *error);
int memory_link(void *self, struct store_context *context, const char *from,
		const char *to, struct store_info *info,
		struct store_error *error);
int memory_remove(void *self, struct store_context *context, const char *key,
		  const struct store_precondition *precondition,
		  struct store_error *error);
int memory_remove_dir(void *self, struct store_context *context,
		      const char *key, struct store_error *error);
int memory_remove_tree(void *self, struct store_context *context,
		       const char *key, struct store_error *error);
int memory_move(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error);
int memory_copy(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error);
int memory_set_attributes(void *self, struct store_context *context,
			  const char *key,
			  const struct store_attributes *attributes,
			  struct store_info *info, struct store_error *error);

/* Operations of xattr.c. */
int memory_get_xattr(void *self, struct store_context *context, const char *key,
		     const char *name, void **value, size_t *size,
		     struct store_error *error);
int memory_list_xattrs(void *self, struct store_context *context,
		       const char *key, char **names, size_t *size,
		       struct store_error *error);
int memory_set_xattr(void *self, struct store_context *context, const char *key,
		     const struct store_xattr *xattr, int xattr_flags,
		     struct store_error *error);
int memory_remove_xattr(void *self, struct store_context *context,
			const char *key, const char *name,
			struct store_error *error);

/* The handle that the operations get as `self`; see memory.c. */
struct memory *memory_of(void *self);

#endif
