/* SPDX-License-Identifier: MIT */
/*
 * A node of the memory store: what a name leads to.
 *
 * Nodes count their names.  Everything of a node is protected by the lock of
 * its instance; only the content, a struct blob, may be used without.
 */
#ifndef STOREFS_MEMORY_NODE_H
#define STOREFS_MEMORY_NODE_H

#include "backends/memory/blob.h"
#include "backends/memory/names.h"
#include <storefs/types.h>

struct node_xattr {
	struct node_xattr *next;
	void *value;
	size_t size;
	char name[];
};

/* What few nodes have. */
struct node_extra {
	struct store_metadata metadata;
	char *content_type;
	char *target; /* of a symlink */
	uint64_t rdev;
	struct node_xattr *xattrs;
};

struct node {
	enum store_type type;
	uint32_t links;	  /* names; of a folder 0 or 1 */
	uint32_t folders; /* folders directly in this one */
	bool has_publish;
	uint8_t publish[STORE_PUBLISH_SIZE]; /* of the put of the content */
	uint64_t id;
	uint64_t version; /* of the content */
	struct store_attributes attributes;
	struct timespec ctime;
	struct node_extra *extra; /* NULL when there is nothing */
	union {
		struct blob *blob;     /* of a file */
		struct names children; /* of a folder */
	};
};

/*
 * No name, no content.  `attributes` may be NULL; mtime and atime that it
 * does not hold are `now`.  NULL when out of memory.
 */
struct node *node_new(enum store_type type,
		      const struct store_attributes *attributes,
		      struct timespec now);
/* With everything below it; NULL is fine. */
void node_free(struct node *node);
/* Take over the masked attributes. */
void node_set_attributes(struct node *node,
			 const struct store_attributes *attributes);
/* `prefix` makes tokens of different instances differ. */
void node_info(const struct node *node, uint64_t prefix,
	       struct store_info *info);
/* Fill initialised details; only NO_MEMORY can fail it. */
int node_details(const struct node *node, struct store_details *details)
	STORE_WARN_UNUSED;

/* Make room for what few nodes have. */
struct node_extra *node_extra(struct node *node);
/* Copies; NULL leaves what is there.  Only NO_MEMORY can fail them. */
int node_set_metadata(struct node *node, const struct store_metadata *metadata)
	STORE_WARN_UNUSED;
int node_set_content_type(struct node *node, const char *content_type)
	STORE_WARN_UNUSED;
int node_set_target(struct node *node, const char *target) STORE_WARN_UNUSED;
/* NULL for none. */
void node_set_publish(struct node *node, const uint8_t *publish);
/* Everything but names, id, times, content and the id of its put. */
int node_copy_extra(struct node *to, const struct node *from) STORE_WARN_UNUSED;

/* Borrowed; NULL when absent. */
const struct node_xattr *node_get_xattr(const struct node *node,
					const char *name);
int node_set_xattr(struct node *node, const struct store_xattr *xattr)
	STORE_WARN_UNUSED;
void node_remove_xattr(struct node *node, const char *name);

#endif
