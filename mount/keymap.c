// SPDX-License-Identifier: MIT
/*
 * A treap, ordered by key and id; see keymap.h.  Called by replay.c.
 *
 * '/' sorts before every other byte, so that a folder and all below it stand
 * next to each other: nothing like `a.b` comes between `a` and `a/b`.
 * Priorities are scrambled ids, so the depth is logarithmic whatever the keys,
 * and with a seed of each run also for ids that somebody has chosen.
 */
#include "config.h"

#include "mount/keymap.h"

#include <stddef.h>

#include "src/base/random.h"
#include "src/key.h"

static int byte_rank(char byte)
{
	return byte == '/' ? 1 : byte ? (unsigned char)byte + 1 : 0;
}

static int key_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return byte_rank(*a) - byte_rank(*b);
}

static int node_compare(const struct keymap_node *a,
			const struct keymap_node *b)
{
	int order = key_compare(a->key, b->key);

	return order ? order : (a->id > b->id) - (a->id < b->id);
}

static uint64_t scramble(uint64_t id)
{
	id = (id ^ (id >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	id = (id ^ (id >> 27)) * UINT64_C(0x94d049bb133111eb);
	return id ^ (id >> 31);
}

/* What comes before `at` to *left, the rest to *right. */
static void split_at(struct keymap_node *node, const struct keymap_node *at,
		     struct keymap_node **left, struct keymap_node **right)
{
	while (node) {
		if (node_compare(node, at) < 0) {
			*left = node;
			left = &node->right;
			node = node->right;
		} else {
			*right = node;
			right = &node->left;
			node = node->left;
		}
	}
	*left = *right = NULL;
}

/* All of `left` comes before all of `right`. */
static struct keymap_node *merge(struct keymap_node *left,
				 struct keymap_node *right)
{
	struct keymap_node *root = NULL, **link = &root;

	while (left && right) {
		if (left->priority > right->priority) {
			*link = left;
			link = &left->right;
			left = left->right;
		} else {
			*link = right;
			link = &right->left;
			right = right->left;
		}
	}
	*link = left ? left : right;
	return root;
}

void keymap_add(struct keymap *map, struct keymap_node *node)
{
	struct keymap_node **link = &map->root;

	if (!map->seed)
		map->seed = random_number();
	node->priority = scramble(node->id ^ map->seed);
	while (*link && (*link)->priority > node->priority)
		link = node_compare(node, *link) < 0 ? &(*link)->left
						     : &(*link)->right;
	split_at(*link, node, &node->left, &node->right);
	*link = node;
}

void keymap_remove(struct keymap *map, struct keymap_node *node)
{
	struct keymap_node **link = &map->root;

	while (*link != node)
		link = node_compare(node, *link) < 0 ? &(*link)->left
						     : &(*link)->right;
	*link = merge(node->left, node->right);
}

/* Before the folder and what is below it: < 0, among them: 0. */
static int folder_compare(const struct keymap_node *node, const char *folder)
{
	return key_relative(node->key, folder) ? 0
					       : key_compare(node->key, folder);
}

/* What compares below `limit` to *left, the rest to *right. */
static void split_folder(struct keymap_node *node, const char *folder,
			 int limit, struct keymap_node **left,
			 struct keymap_node **right)
{
	while (node) {
		if (folder_compare(node, folder) < limit) {
			*left = node;
			left = &node->right;
			node = node->right;
		} else {
			*right = node;
			right = &node->left;
			node = node->left;
		}
	}
	*left = *right = NULL;
}

/* In front of `next`, in order. */
static struct keymap_node *to_list(struct keymap_node *node,
				   struct keymap_node *next)
{
	while (node) {
		struct keymap_node *left = node->left;

		node->right = to_list(node->right, next);
		node->left = NULL;
		next = node;
		node = left;
	}
	return next;
}

struct keymap_node *keymap_take(struct keymap *map, const char *key)
{
	struct keymap_node *before, *rest, *taken, *after;

	split_folder(map->root, key, 0, &before, &rest);
	split_folder(rest, key, 1, &taken, &after);
	map->root = merge(before, after);
	return to_list(taken, NULL);
}

static void visit_node(struct keymap_node *node, const char *key,
		       keymap_visit_fn *visit)
{
	while (node) {
		int order = key_compare(key, node->key);

		if (order <= 0)
			visit_node(node->left, key, visit);
		if (order == 0)
			visit(node);
		node = order >= 0 ? node->right : NULL;
	}
}

void keymap_visit(const struct keymap *map, const char *key,
		  keymap_visit_fn *visit)
{
	visit_node(map->root, key, visit);
}
