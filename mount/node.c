// SPDX-License-Identifier: MIT
/*
 * Nodes and names; see node.h.  Called by the operations (ops_*.c), file.c
 * and publish.c; calls nothing that blocks.
 *
 * A node is freed when it has no lookups, no references and no file.  Its
 * names go with it, except that unpublished nodes are kept by their file.
 */
#include "config.h"

#include "mount/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/random.h"

enum { TREE_FIRST_ROOM = 1024, LOST_ROOM = 4096 };
/* Between making a folder, or changing it, and the store's doing it. */
enum { SAME_TIME_S = 2 };
/* ---- hashing ---- */

static uint64_t hash_mix(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ (value >> 33);
}

static uint64_t name_hash_value(const struct tree *tree,
				const struct node *parent, const char *text)
{
	uint64_t hash = tree->seed ^ hash_mix((uintptr_t)parent);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash_mix(hash);
}

static size_t name_slot(const struct tree *tree, const struct node *parent,
			const char *text)
{
	return (size_t)(name_hash_value(tree, parent, text) &
			(tree->name_room - 1));
}

static size_t identity_slot(const struct tree *tree, uint64_t identity)
{
	return (size_t)(hash_mix(identity ^ tree->seed) &
			(tree->node_room - 1));
}

/* Nodes without an identity are found by nobody, but are in the table. */
static size_t node_slot(const struct tree *tree, const struct node *node)
{
	return identity_slot(tree, node->store_node ? node->store_node
						    : node->number);
}

/* Growing is a matter of speed: without memory the chains get longer. */
static void names_grow(struct tree *tree)
{
	size_t old_room = tree->name_room;
	struct name **old = tree->names;
	struct name **room = calloc(old_room * 2, sizeof(*room));

	if (!room)
		return;
	tree->names = room;
	tree->name_room = old_room * 2;
	for (size_t i = 0; i < old_room; i++) {
		while (old[i]) {
			struct name *name = old[i];
			size_t slot = name_slot(tree, name->parent, name->text);

			old[i] = name->chain;
			name->chain = room[slot];
			room[slot] = name;
		}
	}
	free(old);
}

static void nodes_grow(struct tree *tree)
{
	size_t old_room = tree->node_room;
	struct node **old = tree->nodes;
	struct node **room = calloc(old_room * 2, sizeof(*room));

	if (!room)
		return;
	tree->nodes = room;
	tree->node_room = old_room * 2;
	for (size_t i = 0; i < old_room; i++) {
		while (old[i]) {
			struct node *node = old[i];
			size_t slot = node_slot(tree, node);

			old[i] = node->chain;
			node->chain = room[slot];
			room[slot] = node;
		}
	}
	free(old);
}

static void name_hash(struct tree *tree, struct name *name)
{
	size_t slot;

	if (tree->name_count > 2 * tree->name_room)
		names_grow(tree);
	slot = name_slot(tree, name->parent, name->text);
	name->chain = tree->names[slot];
	tree->names[slot] = name;
	tree->name_count++;
}

static void name_unhash(struct tree *tree, struct name *name)
{
	struct name **link =
		&tree->names[name_slot(tree, name->parent, name->text)];

	while (*link != name)
		link = &(*link)->chain;
	*link = name->chain;
	tree->name_count--;
}

static void node_hash(struct tree *tree, struct node *node)
{
	size_t slot = node_slot(tree, node);

	node->chain = tree->nodes[slot];
	tree->nodes[slot] = node;
}

static void node_unhash(struct tree *tree, struct node *node)
{
	struct node **link = &tree->nodes[node_slot(tree, node)];

	while (*link != node)
		link = &(*link)->chain;
	*link = node->chain;
}

void node_set_identity(struct tree *tree, struct node *node,
		       uint64_t store_node)
{
	if (node->store_node == store_node)
		return;
	node_unhash(tree, node);
	node->store_node = store_node;
	node_hash(tree, node);
}

static void node_set_number(struct tree *tree, struct node *node,
			    uint64_t number)
{
	if (node->number == number)
		return;
	node_unhash(tree, node);
	node->number = number;
	node_hash(tree, node);
}

static struct node *identity_find(struct tree *tree, uint64_t store_node)
{
	struct node *node = tree->nodes[identity_slot(tree, store_node)];

	while (node && node->store_node != store_node)
		node = node->chain;
	return node;
}

/* ---- tree ---- */

int tree_init(struct tree *tree, struct store_error *error)
{
	lock_init(&tree->lock);
	tree->seed = random_number();
	tree->name_room = tree->node_room = TREE_FIRST_ROOM;
	tree->names = calloc(tree->name_room, sizeof(struct name *));
	tree->nodes = calloc(tree->node_room, sizeof(struct node *));
	tree->lost_ns = calloc(LOST_ROOM, sizeof(*tree->lost_ns));
	tree->root = calloc(1, sizeof(*tree->root));
	if (!tree->names || !tree->nodes || !tree->lost_ns || !tree->root)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the node table");
	tree->root->type = STORE_TYPE_FOLDER;
	tree->root->lookups = 1;
	tree->root->references = 1;
	tree->root->links = 2;
	tree->root->number = 1;
	tree->root->mode = tree->dir_mode;
	tree->node_count = 1;
	return STORE_OK;
}

static void node_free(struct node *node)
{
	if (!node)
		return;
	free(node->version);
	free(node);
}

/* What is still held at the end belongs to a kernel that has gone. */
void tree_release(struct tree *tree)
{
	for (size_t i = 0; tree->names && i < tree->name_room; i++) {
		struct name *next;

		for (struct name *name = tree->names[i]; name; name = next) {
			next = name->chain;
			free(name);
		}
	}
	for (size_t i = 0; tree->nodes && i < tree->node_room; i++) {
		struct node *next;

		for (struct node *node = tree->nodes[i]; node; node = next) {
			next = node->chain;
			node_free(node);
		}
	}
	node_free(tree->root);
	free(tree->names);
	free(tree->nodes);
	free(tree->lost_ns);
	lock_destroy(&tree->lock);
}

struct name *tree_find_name(struct tree *tree, const struct node *parent,
			    const char *text)
{
	struct name *name = tree->names[name_slot(tree, parent, text)];

	while (name && (name->parent != parent || strcmp(name->text, text)))
		name = name->chain;
	return name;
}

struct name *tree_new_name(const char *text)
{
	size_t length = strlen(text);
	struct name *name = calloc(1, sizeof(*name) + length + 1);

	if (name)
		memcpy(name->text, text, length + 1);
	return name;
}

static void name_attach(struct tree *tree, struct name *name,
			struct node *parent, struct node *node)
	REQUIRES(tree->lock)
{
	name->parent = parent;
	name->node = node;
	name->alias = node->names;
	node->names = name;
	node_ref(tree, parent);
	name_hash(tree, name);
}

/* Out of the tables and of its node; the caller frees it. */
static void name_detach(struct tree *tree, struct name *name)
	REQUIRES(tree->lock)
{
	struct name **link = &name->node->names;

	name_unhash(tree, name);
	while (*link != name)
		link = &(*link)->alias;
	*link = name->alias;
	name->alias = NULL;
}

static int64_t *lost_slot(struct tree *tree, const struct node *parent,
			  const char *text)
{
	return &tree->lost_ns[name_hash_value(tree, parent, text) &
			      (LOST_ROOM - 1)];
}

bool tree_lost_since(struct tree *tree, const struct node *parent,
		     const char *text, int64_t asked_ns)
{
	return *lost_slot(tree, parent, text) >= asked_ns;
}

/* An answer from before is not that of now, also once the name is forgotten. */
static void name_changes(struct tree *tree, const struct node *parent,
			 const char *text) REQUIRES(tree->lock)
{
	*lost_slot(tree, parent, text) = clock_monotonic_ns();
}

void tree_drop_name(struct tree *tree, struct name *name)
{
	struct node *parent = name->parent;

	name_changes(tree, parent, name->text);
	name_detach(tree, name);
	free(name);
	node_unref(tree, parent);
}

void tree_lose_name(struct tree *tree, struct name *name)
{
	if (!name->alias && name->node->names == name)
		name->node->flags |= NODE_LOST;
	tree_drop_name(tree, name);
}

static int name_give(struct tree *tree, struct node *parent, const char *text,
		     struct node *node) REQUIRES(tree->lock)
{
	struct name *known = tree_find_name(tree, parent, text);
	struct name *name;

	if (known && known->node == node)
		return STORE_OK;
	name = tree_new_name(text);
	if (!name)
		return STORE_NO_MEMORY;
	if (known)
		tree_lose_name(tree, known);
	name_attach(tree, name, parent, node);
	return STORE_OK;
}

int tree_add_name(struct tree *tree, struct node *parent, const char *text,
		  struct node *node)
{
	name_changes(tree, parent, text);
	return name_give(tree, parent, text, node);
}

void tree_move_name(struct tree *tree, struct name *name, struct node *parent,
		    struct name *spare)
{
	struct node *node = name->node;
	struct name *target = tree_find_name(tree, parent, spare->text);

	if (target == name) {
		free(spare);
		return;
	}
	if (target)
		tree_drop_name(tree, target);
	name_changes(tree, parent, spare->text);
	name_attach(tree, spare, parent, node);
	tree_drop_name(tree, name);
}

void tree_exchange_names(struct tree *tree, struct name *a, struct name *b)
{
	struct node *a_node = a->node, *b_node = b->node;
	struct node *a_parent = a->parent, *b_parent = b->parent;

	name_changes(tree, a_parent, a->text);
	name_changes(tree, b_parent, b->text);
	name_detach(tree, a);
	name_detach(tree, b);
	name_attach(tree, a, a_parent, b_node);
	name_attach(tree, b, b_parent, a_node);
	node_unref(tree, a_parent);
	node_unref(tree, b_parent);
}

/* ---- references ---- */

void node_ref(struct tree *tree UNUSED, struct node *node)
{
	node->references++;
}

/* An answer that is older than what the node knew must not make it again. */
static void name_remember(struct tree *tree, const struct name *name)
	REQUIRES(tree->lock)
{
	int64_t *last = lost_slot(tree, name->parent, name->text);
	int64_t known = name->node->checked_ns;

	if (!known)
		known = clock_monotonic_ns();
	if (*last < known)
		*last = known;
}

/* Climbs: freeing a node may free the folders above it. */
static void node_reap(struct tree *tree, struct node *node) REQUIRES(tree->lock)
{
	if (node->lookups || node->references || node->file)
		return;
	while (node->names) {
		struct name *name = node->names;
		struct node *parent = name->parent;

		name_remember(tree, name);
		name_detach(tree, name);
		free(name);
		parent->references--;
		node_reap(tree, parent);
	}
	node_unhash(tree, node);
	tree->node_count--;
	node_free(node);
}

void node_unref(struct tree *tree, struct node *node)
{
	assert(node->references);
	node->references--;
	node_reap(tree, node);
}

void node_forget(struct tree *tree, struct node *node, uint64_t count)
{
	node->lookups -=
		count < node->lookups ? (uint32_t)count : node->lookups;
	node_reap(tree, node);
}

/* ---- attributes ---- */

bool node_set_version(struct node *node, const struct store_version *version)
{
	char *copy = NULL;

	if (node_has_version(node, version))
		return true;
	if (version->token[0])
		copy = strdup(version->token);
	free(node->version);
	node->version = copy;
	return copy || !version->token[0];
}

void node_get_version(const struct node *node, struct store_version *version)
{
	*version = (struct store_version){ .weak = false };
	if (node->version)
		memcpy(version->token, node->version,
		       strlen(node->version) + 1);
}

bool node_has_version(const struct node *node,
		      const struct store_version *version)
{
	return node->version && !strcmp(node->version, version->token);
}

/* No time of its last change: somebody has set it, or kept it. */
static bool time_is_set(const struct store_info *info)
{
	int64_t mtime = info->attributes.mtime.tv_sec;
	int64_t ctime = info->ctime.tv_sec;

	return (info->attributes.mask & STORE_ATTR_MTIME) &&
	       (mtime > ctime || ctime - mtime > SAME_TIME_S);
}

static void node_refresh_times(struct node *node, const struct store_info *info)
{
	const struct store_attributes *a = &info->attributes;
	struct timespec mtime = node_time_to(node->mtime);

	node->dated = node->type == STORE_TYPE_FOLDER && time_is_set(info);
	if ((node->flags & NODE_TOUCHED) && (a->mask & STORE_ATTR_MTIME) &&
	    timespec_compare(a->mtime, mtime) < 0)
		return;
	node->flags &= (uint8_t)~NODE_TOUCHED;
	if (a->mask & STORE_ATTR_MTIME)
		node->mtime = node_time_from(a->mtime);
	node->ctime = info->ctime.tv_sec || info->ctime.tv_nsec
			      ? node_time_from(info->ctime)
			      : node->mtime;
	node->atime = a->mask & STORE_ATTR_ATIME ? node_time_from(a->atime)
						 : node->mtime;
}

void node_refresh(struct tree *tree, struct node *node,
		  const struct store_info *info)
{
	const struct store_attributes *a = &info->attributes;
	bool folder = info->type == STORE_TYPE_FOLDER;
	bool device =
		info->type == STORE_TYPE_CHAR || info->type == STORE_TYPE_BLOCK;

	node->type = (uint8_t)info->type;
	node->mode = a->mask & STORE_ATTR_MODE
			     ? (uint16_t)(a->mode & 07777)
			     : (folder ? tree->dir_mode : tree->file_mode);
	node->uid = a->mask & STORE_ATTR_UID ? a->uid : tree->default_uid;
	node->gid = a->mask & STORE_ATTR_GID ? a->gid : tree->default_gid;
	node_refresh_times(node, info);
	node->resized |= !folder && !device && node->size != info->size;
	node->size = device ? info->rdev : info->size;
	node->allocated = node_blocks(info->allocated);
	node->links = info->links ? info->links : 1;
	/* A folder that recovery has entered without asking, and nobody saw. */
	if (folder && info->id && !node->lookups && node != tree->root)
		node_set_number(tree, node, info->id);
	if (info->implicit)
		node->flags |= NODE_IMPLICIT;
	else
		node->flags &= (uint8_t)~NODE_IMPLICIT;
	node->flags &= (uint8_t)~NODE_REPLACED;
	/* A weak token may be that of a later version, unless it was settled. */
	if (node->version && (!node_has_version(node, &info->version) ||
			      (info->version.weak && !node->stored)))
		node->flags |= NODE_STALE_PAGES;
	node_set_version(node, &info->version);
	node->stored = info->settled ? (uint32_t)info->stored : 0;
	if (!folder)
		node_set_identity(tree, node, info->node);
	node->checked_ns = clock_monotonic_ns();
	node->sure = true;
}

/* Does memory know better than an answer to a question of `asked_ns`? */
static bool node_is_ahead(const struct node *node, int64_t asked_ns)
{
	return (node->flags & NODE_LOCAL) || node->busy ||
	       node->checked_ns > asked_ns;
}

int64_t node_lasts(const struct node *node, int64_t timeout_ns)
{
	int64_t left = node->checked_ns + timeout_ns - clock_monotonic_ns();

	if (!node->sure || !node->checked_ns || node->busy ||
	    (node->flags & NODE_REPLACED))
		return 0;
	return left > 0 ? left : 0;
}

void node_begin_change(struct tree *tree, struct node *node)
{
	lock_take(&tree->lock);
	node->busy++;
	node->sure = false;
	lock_drop(&tree->lock);
}

void node_end_change(struct tree *tree, struct node *node)
{
	lock_take(&tree->lock);
	node->busy--;
	node->checked_ns = clock_monotonic_ns();
	lock_drop(&tree->lock);
}

void tree_miss_name(struct tree *tree, const struct node *parent,
		    const char *text, int64_t asked_ns)
{
	struct name *name = tree_find_name(tree, parent, text);

	if (name && !node_is_ahead(name->node, asked_ns))
		tree_lose_name(tree, name);
}

/*
 * Lay `info` over a node that may be the same; false when that would mix two
 * files: open handles go on reading the version they began with.
 */
static bool node_take(struct tree *tree, struct node *node,
		      const struct store_info *info, int64_t asked_ns)
	REQUIRES(tree->lock)
{
	if (node->flags & NODE_REPLACED)
		return false;
	if (node_is_ahead(node, asked_ns))
		return true;
	if (node->type != info->type)
		return false;
	if (node->file && node->version &&
	    !node_has_version(node, &info->version))
		return false;
	node_refresh(tree, node, info);
	return true;
}

/*
 * A number for a file that the store has none for yet; it goes into the store
 * with the file.  Drawn from 2^62, as each mount draws its own, and a store
 * that counts on from the highest must not meet the next one.
 */
static uint64_t own_number(struct tree *tree)
{
	uint64_t number = hash_mix(tree->seed ^ ++tree->numbers);

	return (number >> 2) | (UINT64_C(1) << 32);
}

static struct node *node_new(struct tree *tree, const struct store_info *info)
	REQUIRES(tree->lock)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	/* Shown from now on, whatever the store does to the file. */
	node->number = info->id ? info->id : own_number(tree);
	tree->node_count++;
	if (tree->node_count > 2 * tree->node_room)
		nodes_grow(tree);
	node_hash(tree, node);
	node_refresh(tree, node, info);
	return node;
}

struct node *tree_enter(struct tree *tree, struct node *parent,
			const char *text, const struct store_info *info,
			int64_t asked_ns)
{
	struct name *known = tree_find_name(tree, parent, text);
	struct node *node = NULL;

	if (known && node_take(tree, known->node, info, asked_ns))
		return known->node;
	if (info->links > 1 && info->node && info->type != STORE_TYPE_FOLDER)
		node = identity_find(tree, info->node);
	if (node && !node_take(tree, node, info, asked_ns))
		node = NULL;
	if (!node)
		node = node_new(tree, info);
	if (!node)
		return NULL;
	if (name_give(tree, parent, text, node)) {
		node_reap(tree, node);
		return NULL;
	}
	return node;
}

bool node_confirm(struct node *node, const struct store_info *info,
		  int64_t asked_ns)
{
	if (node->flags & NODE_LOCAL)
		return true;
	if (node->busy || (node->flags & NODE_REPLACED) ||
	    node->type != info->type || !node->stored ||
	    node->stored != (uint32_t)info->stored ||
	    !node_has_version(node, &info->version))
		return false;
	if (node->checked_ns < asked_ns) {
		node->checked_ns = asked_ns;
		node->sure = true;
	}
	return true;
}

bool node_update(struct tree *tree, struct node *node,
		 const struct store_info *info, int64_t asked_ns)
{
	return node_take(tree, node, info, asked_ns);
}

void tree_visit_names_below(struct tree *tree, const struct node *folder,
			    tree_visit_name_fn *visit, void *arg)
{
	for (size_t i = 0; i < tree->name_room; i++)
		for (const struct name *name = tree->names[i]; name;
		     name = name->chain)
			if (node_is_below(name->parent, folder))
				visit(arg, name);
}

struct visiting {
	tree_visit_fn *visit;
	void *arg;
};

static void visit_node(void *arg, const struct name *name)
{
	const struct visiting *visiting = arg;

	visiting->visit(visiting->arg, name->node);
}

void tree_visit_below(struct tree *tree, const struct node *folder,
		      tree_visit_fn *visit, void *arg)
{
	struct visiting visiting = { visit, arg };

	tree_visit_names_below(tree, folder, visit_node, &visiting);
}
