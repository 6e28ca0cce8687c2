// SPDX-License-Identifier: MIT
/* Extended attributes of the memory store, with the limits of Linux. */
#include "config.h"

#include "backends/memory/tree.h"

#include <string.h>
#include <sys/xattr.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

enum { XATTR_NAME_LIMIT = 255, XATTR_VALUE_LIMIT = 65536 };

static int no_xattr(struct store_error *error)
{
	(void)store_error_set(error, STORE_NOT_FOUND,
			      "no such extended attribute");
	error->detail = ENODATA;
	return STORE_NOT_FOUND;
}

int memory_get_xattr(void *self, struct store_context *context UNUSED,
		     const char *key, const char *name, void **value,
		     size_t *size, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	const struct node_xattr *xattr = NULL;
	struct place place;
	void *copy = NULL;
	int code;

	lock_take(&memory->lock);
	code = tree_find(memory, key, &place, error);
	if (!code) {
		xattr = node_get_xattr(place.node, name);
		if (!xattr)
			code = no_xattr(error);
	}
	if (!code) {
		copy = malloc(xattr->size ? xattr->size : 1);
		if (!copy)
			code = memory_fail(STORE_NO_MEMORY, error);
	}
	if (!code) {
		memcpy(copy, xattr->value, xattr->size);
		*size = xattr->size;
		*value = copy;
	}
	lock_drop(&memory->lock);
	return code;
}

/* Names behind each other with their NULs; NULL: no memory. */
static char *xattr_names(const struct node *node, size_t *size)
{
	const struct node_xattr *first =
		node->extra ? node->extra->xattrs : NULL;
	const struct node_xattr *xattr;
	size_t total = 0;
	size_t at = 0;
	char *names;

	for (xattr = first; xattr; xattr = xattr->next)
		total += strlen(xattr->name) + 1;
	names = malloc(total ? total : 1);
	if (!names)
		return NULL;
	for (xattr = first; xattr; xattr = xattr->next) {
		size_t length = strlen(xattr->name) + 1;

		memcpy(names + at, xattr->name, length);
		at += length;
	}
	*size = total;
	return names;
}

int memory_list_xattrs(void *self, struct store_context *context UNUSED,
		       const char *key, char **names, size_t *size,
		       struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct place place;
	char *list = NULL;
	int code;

	lock_take(&memory->lock);
	code = tree_find(memory, key, &place, error);
	if (!code) {
		list = xattr_names(place.node, size);
		if (!list)
			code = memory_fail(STORE_NO_MEMORY, error);
	}
	lock_drop(&memory->lock);
	if (!code)
		*names = list;
	return code;
}

static int xattr_limits(const struct store_xattr *xattr,
			struct store_error *error)
{
	size_t length = strlen(xattr->name);

	if (!length || length > XATTR_NAME_LIMIT)
		return store_error_set(error, STORE_INVALID,
				       "the name of an extended attribute has "
				       "%zu bytes",
				       length);
	if (xattr->size > XATTR_VALUE_LIMIT)
		return store_error_set(error, STORE_TOO_LARGE,
				       "an extended attribute of %zu bytes",
				       xattr->size);
	return STORE_OK;
}

static int set_xattr_locked(struct memory *memory, const char *key,
			    const struct store_xattr *xattr, int flags,
			    struct store_error *error) REQUIRES(memory->lock)
{
	struct place place;
	bool there;
	int code = tree_find(memory, key, &place, error);

	if (code)
		return code;
	there = node_get_xattr(place.node, xattr->name);
	if ((flags & XATTR_REPLACE) && !there)
		return no_xattr(error);
	if ((flags & XATTR_CREATE) && there)
		return store_error_set(error, STORE_EXISTS,
				       "the extended attribute exists");
	if (node_set_xattr(place.node, xattr))
		return memory_fail(STORE_NO_MEMORY, error);
	place.node->ctime = clock_now();
	return STORE_OK;
}

int memory_set_xattr(void *self, struct store_context *context UNUSED,
		     const char *key, const struct store_xattr *xattr,
		     int xattr_flags, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	int code = xattr_limits(xattr, error);

	if (code)
		return code;
	lock_take(&memory->lock);
	code = set_xattr_locked(memory, key, xattr, xattr_flags, error);
	lock_drop(&memory->lock);
	return code;
}

int memory_remove_xattr(void *self, struct store_context *context UNUSED,
			const char *key, const char *name,
			struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = tree_find(memory, key, &place, error);
	if (!code && !node_get_xattr(place.node, name))
		code = no_xattr(error);
	if (!code) {
		node_remove_xattr(place.node, name);
		place.node->ctime = clock_now();
	}
	lock_drop(&memory->lock);
	return code;
}
