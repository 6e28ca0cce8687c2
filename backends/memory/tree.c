// SPDX-License-Identifier: MIT
/*
 * The tree of the memory store: see tree.h.  Called by memory.c, write.c,
 * change.c and xattr.c with the lock held; calls node.c and names.c.
 *
 * Time rules are those of POSIX: adding, removing or renaming a name changes
 * mtime and ctime of its folder and ctime of its node.
 */
#include "config.h"

#include "backends/memory/tree.h"

#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

int memory_fail(int code, struct store_error *error)
{
	return store_error_set(error, code, "%s", store_code_text(code));
}

struct memory *memory_new(uint64_t limit)
{
	static atomic_uint instances;
	struct timespec now = clock_now();
	struct memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->root = node_new(STORE_TYPE_FOLDER, NULL, now);
	if (!memory->root) {
		free(memory);
		return NULL;
	}
	lock_init(&memory->lock);
	memory->ids = 1;
	memory->root->id = 1;
	memory->root->links = 1;
	memory->random = 0x9e3779b9u ^ (uint32_t)now.tv_nsec;
	if (!memory->random)
		memory->random = 1;
	memory->prefix = (uint64_t)now.tv_sec * (uint64_t)NS_PER_SEC +
			 (uint64_t)now.tv_nsec +
			 ((uint64_t)atomic_fetch_add(&instances, 1) << 48);
	memory->budget.limit = limit;
	atomic_init(&memory->budget.used, 0);
	return memory;
}

void memory_free(struct memory *memory)
{
	if (!memory)
		return;
	node_free(memory->root);
	lock_destroy(&memory->lock);
	free(memory);
}

/* xorshift32: spreads priorities; nobody can aim at the time of opening. */
static uint32_t tree_random(struct memory *memory) REQUIRES(memory->lock)
{
	uint32_t value = memory->random;

	value ^= value << 13;
	value ^= value >> 17;
	value ^= value << 5;
	memory->random = value;
	return value;
}

int tree_walk(struct memory *memory, const char *key, struct place *place)
{
	struct node *folder = memory->root;

	*place = (struct place){ .node = *key ? NULL : folder };
	if (!*key)
		return STORE_OK;
	for (;;) {
		size_t length = strcspn(key, "/");
		struct name *name;

		if (folder->type != STORE_TYPE_FOLDER)
			return STORE_NOT_DIR;
		name = names_find(&folder->children, key, length);
		if (!key[length]) {
			place->parent = folder;
			place->name = name;
			place->node = name ? name->node : NULL;
			return STORE_OK;
		}
		if (!name)
			return STORE_NOT_FOUND;
		folder = name->node;
		key += length + 1;
	}
}

int tree_find(struct memory *memory, const char *key, struct place *place,
	      struct store_error *error)
{
	if (tree_walk(memory, key, place) || !place->node)
		return memory_fail(STORE_NOT_FOUND, error);
	return STORE_OK;
}

int tree_target(struct memory *memory, const char *key, struct place *place,
		struct store_error *error)
{
	if (tree_walk(memory, key, place) == STORE_NOT_DIR)
		return memory_fail(STORE_NOT_DIR, error);
	return STORE_OK;
}

static void folder_touch(struct node *folder, struct timespec now)
{
	folder->attributes.mtime = now;
	folder->ctime = now;
}

/* Give a detached node a detached name in a detached folder ... */
static struct name *chain_above(struct memory *memory, const char *text,
				size_t length, struct name *below)
	REQUIRES(memory->lock)
{
	struct node *folder = node_new(STORE_TYPE_FOLDER, NULL, clock_now());
	struct name *name;

	if (!folder)
		return NULL;
	name = name_new(text, length, folder, tree_random(memory));
	if (!name) {
		node_free(folder);
		return NULL;
	}
	folder->id = ++memory->ids;
	folder->links = 1;
	folder->folders = below->node->type == STORE_TYPE_FOLDER;
	names_insert(&folder->children, below);
	return name;
}

/* Free the names and folders above `node`, not the node. */
static void chain_free(struct name *name, const struct node *node)
{
	while (name->node != node) {
		struct node *folder = name->node;

		free(name);
		name = names_pop(&folder->children);
		node_free(folder);
	}
	free(name);
}

/* ... for every component of `path`: the topmost name, NULL: no memory. */
static struct name *chain_new(struct memory *memory, const char *path,
			      struct node *node) REQUIRES(memory->lock)
{
	size_t end = strlen(path);
	size_t start = end;
	struct name *name = NULL;

	for (;;) {
		struct name *above;

		while (start && path[start - 1] != '/')
			start--;
		above = name ? chain_above(memory, path + start, end - start,
					   name)
			     : name_new(path + start, end - start, node,
					tree_random(memory));
		if (!above && name)
			chain_free(name, node);
		if (!above || !start)
			return above;
		name = above;
		end = --start;
	}
}

int tree_attach(struct memory *memory, const char *key, struct node *node,
		struct store_error *error)
{
	struct timespec now = clock_now();
	struct node *folder = memory->root;
	struct name *top;

	for (;;) {
		size_t length = strcspn(key, "/");
		struct name *name = NULL;

		if (key[length])
			name = names_find(&folder->children, key, length);
		if (!name)
			break;
		folder = name->node;
		key += length + 1;
	}
	top = chain_new(memory, key, node);
	if (!top)
		return memory_fail(STORE_NO_MEMORY, error);
	names_insert(&folder->children, top);
	if (top->node->type == STORE_TYPE_FOLDER)
		folder->folders++;
	folder_touch(folder, now);
	if (!node->id)
		node->id = ++memory->ids;
	node->links++;
	node->ctime = now;
	return STORE_OK;
}

/* The node has lost a name. */
static void node_unlinked(struct node *node, struct timespec now)
{
	node->ctime = now;
	if (!--node->links)
		node_free(node);
}

void tree_replace(struct memory *memory, const struct place *place,
		  struct node *node)
{
	struct timespec now = clock_now();
	struct node *old = place->node;

	if (!node->id)
		node->id = ++memory->ids;
	place->name->node = node;
	node->links++;
	node->ctime = now;
	if (node->type == STORE_TYPE_FOLDER)
		place->parent->folders++;
	if (old->type == STORE_TYPE_FOLDER)
		place->parent->folders--;
	folder_touch(place->parent, now);
	node_unlinked(old, now);
}

void tree_detach(struct memory *memory, const struct place *place)
{
	struct timespec now = clock_now();

	(void)memory;
	names_remove(&place->parent->children, place->name);
	if (place->node->type == STORE_TYPE_FOLDER)
		place->parent->folders--;
	folder_touch(place->parent, now);
	free(place->name);
	node_unlinked(place->node, now);
}

void tree_exchange(const struct place *a, const struct place *b)
{
	struct timespec now = clock_now();

	a->name->node = b->node;
	b->name->node = a->node;
	if (a->node->type == STORE_TYPE_FOLDER) {
		a->parent->folders--;
		b->parent->folders++;
	}
	if (b->node->type == STORE_TYPE_FOLDER) {
		b->parent->folders--;
		a->parent->folders++;
	}
	folder_touch(a->parent, now);
	folder_touch(b->parent, now);
	a->node->ctime = now;
	b->node->ctime = now;
}

static bool has_version(const struct memory *memory, const struct node *node,
			const struct store_version *version)
{
	struct store_info info;

	node_info(node, memory->prefix, &info);
	return strcmp(info.version.token, version->token) == 0;
}

int tree_check(const struct memory *memory, const struct node *node,
	       const struct store_precondition *precondition,
	       struct store_error *error)
{
	if (precondition->condition == STORE_IF_ABSENT && node)
		return memory_fail(STORE_EXISTS, error);
	if (precondition->condition != STORE_IF_VERSION)
		return STORE_OK;
	if (!node)
		return memory_fail(STORE_NOT_FOUND, error);
	if (!has_version(memory, node, &precondition->version))
		return memory_fail(STORE_CHANGED, error);
	return STORE_OK;
}
