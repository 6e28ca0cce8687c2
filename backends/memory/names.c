// SPDX-License-Identifier: MIT
/*
 * Treap of names: see names.h.  A heap by priority, a search tree by text.
 * No recursion: names come from outside, so depth must not cost stack.
 */
#include "config.h"

#include "backends/memory/names.h"

#include <stdlib.h>
#include <string.h>

struct name *name_new(const char *text, size_t length, struct node *node,
		      uint32_t priority)
{
	struct name *name = malloc(sizeof(*name) + length + 1);

	if (!name)
		return NULL;
	name->left = NULL;
	name->right = NULL;
	name->node = node;
	name->priority = priority;
	name->length = (uint16_t)length;
	memcpy(name->text, text, length);
	name->text[length] = '\0';
	return name;
}

/* As memcmp: `name` against the text. */
static int name_compare(const struct name *name, const char *text,
			size_t length)
{
	size_t both = name->length < length ? name->length : length;
	int order = memcmp(name->text, text, both);

	if (order)
		return order;
	return (name->length > length) - (name->length < length);
}

struct name *names_find(const struct names *names, const char *text,
			size_t length)
{
	struct name *at = names->root;

	while (at) {
		int order = name_compare(at, text, length);

		if (!order)
			return at;
		at = order < 0 ? at->right : at->left;
	}
	return NULL;
}

struct name *names_after(const struct names *names, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	struct name *at = names->root;
	struct name *best = NULL;

	while (at) {
		if (text && name_compare(at, text, length) <= 0) {
			at = at->right;
		} else {
			best = at;
			at = at->left;
		}
	}
	return best;
}

void names_insert(struct names *names, struct name *name)
{
	struct name **place = &names->root;
	struct name **left = &name->left;
	struct name **right = &name->right;
	struct name *rest;

	while (*place && (*place)->priority >= name->priority) {
		if (name_compare(*place, name->text, name->length) < 0)
			place = &(*place)->right;
		else
			place = &(*place)->left;
	}
	rest = *place;
	*place = name;
	while (rest) {
		if (name_compare(rest, name->text, name->length) < 0) {
			*left = rest;
			left = &rest->right;
			rest = rest->right;
		} else {
			*right = rest;
			right = &rest->left;
			rest = rest->left;
		}
	}
	*left = NULL;
	*right = NULL;
}

void names_remove(struct names *names, struct name *name)
{
	struct name **place = &names->root;
	struct name *left = name->left;
	struct name *right = name->right;

	while (*place != name) {
		if (name_compare(*place, name->text, name->length) < 0)
			place = &(*place)->right;
		else
			place = &(*place)->left;
	}
	while (left && right) {
		if (left->priority >= right->priority) {
			*place = left;
			place = &left->right;
			left = left->right;
		} else {
			*place = right;
			place = &right->left;
			right = right->left;
		}
	}
	*place = left ? left : right;
	name->left = NULL;
	name->right = NULL;
}

struct name *names_pop(struct names *names)
{
	struct name *at = names->root;

	if (!at)
		return NULL;
	/* Turn the left spine over until the root has no left child. */
	while (at->left) {
		struct name *left = at->left;

		at->left = left->right;
		left->right = at;
		at = left;
	}
	names->root = at->right;
	at->right = NULL;
	return at;
}
