// SPDX-License-Identifier: MIT
/*
 * Nodes of the memory store: see node.h.  Called by tree.c, memory.c and
 * write.c with the lock of the instance held, or on nodes nobody else sees
 * yet.  Freeing a tree uses no recursion.
 */
#include "config.h"

#include "backends/memory/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

struct node *node_new(enum store_type type,
		      const struct store_attributes *attributes,
		      struct timespec now)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->type = type;
	node->attributes.mask = STORE_ATTR_MTIME | STORE_ATTR_ATIME;
	node->attributes.mtime = now;
	node->attributes.atime = now;
	node->ctime = now;
	if (attributes)
		node_set_attributes(node, attributes);
	return node;
}

static void extra_free(struct node_extra *extra)
{
	struct node_xattr *xattr;

	if (!extra)
		return;
	while (extra->xattrs) {
		xattr = extra->xattrs;
		extra->xattrs = xattr->next;
		free(xattr->value);
		free(xattr);
	}
	store_metadata_release(&extra->metadata);
	free(extra->content_type);
	free(extra->target);
	free(extra);
}

/* Free one node whose children are gone. */
static void node_free_one(struct node *node)
{
	if (node->type == STORE_TYPE_FILE)
		blob_unref(node->blob);
	extra_free(node->extra);
	free(node);
}

/* Empty a folder; names of folders in it go onto `*pending`. */
static void node_empty(struct node *folder, struct name **pending,
		       struct timespec now)
{
	struct name *name;

	while ((name = names_pop(&folder->children))) {
		struct node *child = name->node;

		if (child->type == STORE_TYPE_FOLDER) {
			name->left = *pending;
			*pending = name;
			continue;
		}
		child->ctime = now;
		if (!--child->links)
			node_free_one(child);
		free(name);
	}
}

void node_free(struct node *node)
{
	struct timespec now = clock_now();
	struct name *pending = NULL;

	if (!node)
		return;
	while (node->type == STORE_TYPE_FOLDER) {
		struct name *name;

		node_empty(node, &pending, now);
		if (!pending)
			break;
		node_free_one(node);
		name = pending;
		pending = name->left;
		node = name->node;
		free(name);
	}
	node_free_one(node);
}

void node_set_attributes(struct node *node,
			 const struct store_attributes *attributes)
{
	struct store_attributes *own = &node->attributes;

	own->mask |= attributes->mask;
	if (attributes->mask & STORE_ATTR_MODE)
		own->mode = attributes->mode & 07777;
	if (attributes->mask & STORE_ATTR_UID)
		own->uid = attributes->uid;
	if (attributes->mask & STORE_ATTR_GID)
		own->gid = attributes->gid;
	if (attributes->mask & STORE_ATTR_MTIME)
		own->mtime = attributes->mtime;
	if (attributes->mask & STORE_ATTR_ATIME)
		own->atime = attributes->atime;
}

void node_info(const struct node *node, uint64_t prefix,
	       struct store_info *info)
{
	*info = (struct store_info){
		.type = node->type,
		.links = node->links,
		.id = node->id,
		.node = node->id,
		.attributes = node->attributes,
		.ctime = node->ctime,
	};
	if (node->type == STORE_TYPE_FOLDER) {
		info->links = 2 + node->folders;
		return;
	}
	snprintf(info->version.token, sizeof(info->version.token),
		 "%016" PRIx64 "-%" PRIx64, prefix, node->version);
	if (node->type == STORE_TYPE_FILE) {
		info->size = blob_size(node->blob);
		info->allocated = blob_allocated(node->blob);
	}
	if (!node->extra)
		return;
	info->rdev = node->extra->rdev;
	if (node->extra->target)
		info->size = strlen(node->extra->target);
}

/* strdup() that takes NULL and keeps it. */
static int copy_text(const char *text, char **copy)
{
	*copy = text ? strdup(text) : NULL;
	return text && !*copy ? STORE_NO_MEMORY : STORE_OK;
}

static int copy_metadata(const struct store_metadata *from,
			 struct store_metadata *to)
{
	size_t i;
	int code = STORE_OK;

	for (i = 0; !code && i < from->count; i++)
		code = store_metadata_add(to, from->pairs[i].name,
					  from->pairs[i].value);
	return code;
}

static int copy_details(const struct node_extra *extra,
			struct store_details *copy)
{
	int code = copy_text(extra->content_type, &copy->content_type);

	if (!code)
		code = copy_text(extra->target, &copy->target);
	if (!code)
		code = copy_metadata(&extra->metadata, &copy->metadata);
	return code;
}

int node_details(const struct node *node, struct store_details *details)
{
	struct store_details copy;
	int code = STORE_OK;

	store_details_init(&copy);
	copy.has_publish = node->has_publish;
	memcpy(copy.publish, node->publish, sizeof(copy.publish));
	if (node->extra)
		code = copy_details(node->extra, &copy);
	if (code)
		store_details_release(&copy);
	else
		*details = copy;
	return code;
}

struct node_extra *node_extra(struct node *node)
{
	if (!node->extra) {
		node->extra = calloc(1, sizeof(*node->extra));
		if (node->extra)
			store_metadata_init(&node->extra->metadata);
	}
	return node->extra;
}

int node_set_metadata(struct node *node, const struct store_metadata *metadata)
{
	struct store_metadata copy;

	if (!metadata || (!metadata->count && !node->extra))
		return STORE_OK;
	store_metadata_init(&copy);
	if (!node_extra(node) || copy_metadata(metadata, &copy)) {
		store_metadata_release(&copy);
		return STORE_NO_MEMORY;
	}
	store_metadata_release(&node->extra->metadata);
	node->extra->metadata = copy;
	return STORE_OK;
}

/* Replace an owned text by a copy; NULL leaves it. */
static int replace_text(char **place, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return STORE_NO_MEMORY;
	free(*place);
	*place = copy;
	return STORE_OK;
}

int node_set_content_type(struct node *node, const char *content_type)
{
	if (!content_type)
		return STORE_OK;
	if (!node_extra(node))
		return STORE_NO_MEMORY;
	return replace_text(&node->extra->content_type, content_type);
}

int node_set_target(struct node *node, const char *target)
{
	if (!node_extra(node))
		return STORE_NO_MEMORY;
	return replace_text(&node->extra->target, target);
}

void node_set_publish(struct node *node, const uint8_t *publish)
{
	node->has_publish = publish != NULL;
	if (publish)
		memcpy(node->publish, publish, sizeof(node->publish));
	else
		memset(node->publish, 0, sizeof(node->publish));
}

int node_copy_extra(struct node *to, const struct node *from)
{
	const struct node_xattr *xattr;
	int code;

	if (!from->extra)
		return STORE_OK;
	if (!node_extra(to))
		return STORE_NO_MEMORY;
	to->extra->rdev = from->extra->rdev;
	code = node_set_metadata(to, &from->extra->metadata);
	if (!code)
		code = node_set_content_type(to, from->extra->content_type);
	if (!code && from->extra->target)
		code = node_set_target(to, from->extra->target);
	for (xattr = from->extra->xattrs; !code && xattr; xattr = xattr->next) {
		struct store_xattr one = { .name = xattr->name,
					   .value = xattr->value,
					   .size = xattr->size };

		code = node_set_xattr(to, &one);
	}
	return code;
}

const struct node_xattr *node_get_xattr(const struct node *node,
					const char *name)
{
	const struct node_xattr *xattr;

	if (!node->extra)
		return NULL;
	for (xattr = node->extra->xattrs; xattr; xattr = xattr->next)
		if (strcmp(xattr->name, name) == 0)
			return xattr;
	return NULL;
}

int node_set_xattr(struct node *node, const struct store_xattr *xattr)
{
	size_t length = strlen(xattr->name) + 1;
	struct node_xattr *added;

	if (!node_extra(node))
		return STORE_NO_MEMORY;
	added = malloc(sizeof(*added) + length);
	if (!added)
		return STORE_NO_MEMORY;
	added->value = malloc(xattr->size ? xattr->size : 1);
	if (!added->value) {
		free(added);
		return STORE_NO_MEMORY;
	}
	if (xattr->size)
		memcpy(added->value, xattr->value, xattr->size);
	added->size = xattr->size;
	memcpy(added->name, xattr->name, length);
	node_remove_xattr(node, xattr->name);
	added->next = node->extra->xattrs;
	node->extra->xattrs = added;
	return STORE_OK;
}

void node_remove_xattr(struct node *node, const char *name)
{
	struct node_xattr **place;
	struct node_xattr *xattr;

	if (!node->extra)
		return;
	for (place = &node->extra->xattrs; *place; place = &(*place)->next) {
		if (strcmp((*place)->name, name) != 0)
			continue;
		xattr = *place;
		*place = xattr->next;
		free(xattr->value);
		free(xattr);
		return;
	}
}
