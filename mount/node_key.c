// SPDX-License-Identifier: MIT
/* The keys of nodes; see node.h. Called by whoever calls the store. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "mount/node.h"

/* Write `text` so that it ends at key[*start], with a '/' behind if needed. */
static bool key_prepend(char *key, size_t *start, const char *text)
{
	size_t length = strlen(text);
	size_t slash = key[*start] != '\0';

	if (length + slash > *start)
		return false;
	if (slash)
		key[--*start] = '/';
	*start -= length;
	memcpy(key + *start, text, length);
	return true;
}

int node_key(struct tree *tree, const struct node *node, const char *text,
	     char *key, struct store_error *error)
{
	size_t start = STORE_KEY_MAX;
	bool fits = true;

	key[start] = '\0';
	if (text)
		fits = key_prepend(key, &start, text);
	for (; fits && node != tree->root; node = node->names->parent) {
		if (!node->names)
			return store_error_set(error, STORE_NOT_FOUND,
					       "the file was removed");
		fits = key_prepend(key, &start, node->names->text);
	}
	if (!fits) {
		int code = store_error_set(error, STORE_INVALID,
					   "the path is too long for a key");
		if (error)
			error->detail = ENAMETOOLONG;
		return code;
	}
	memmove(key, key + start, STORE_KEY_MAX - start + 1);
	return STORE_OK;
}

bool node_is_below(const struct node *node, const struct node *folder)
{
	while (node && node != folder)
		node = node->names ? node->names->parent : NULL;
	return node == folder;
}
