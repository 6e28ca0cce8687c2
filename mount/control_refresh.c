// SPDX-License-Identifier: MIT
/*
 * The command refresh; see control.h.  Called by control.c; calls the node
 * tree and the kernel.
 *
 * Nothing is asked of the store here: what is known of names at the key and
 * below stops being believed, by the kernel and by who opens a file.  Pages
 * stay until an open finds another version; versions on the disk and in memory
 * are what they are.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "mount/control_call.h"
#include "mount/missing.h"
#include "mount/op.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/control/client.h"

/* One name of a node. */
struct known {
	fuse_ino_t ino, parent;
	bool folder;
	char *name; /* owned, NULL: the root */
};

struct refresh {
	struct fs *fs;
	struct known *list; /* owned */
	size_t count, room;
	bool failed;
};

static struct known *known_add(struct refresh *refresh)
{
	if (refresh->count == refresh->room) {
		size_t room = refresh->room ? 2 * refresh->room : 256;
		struct known *list =
			reallocarray(refresh->list, room, sizeof(*list));

		if (!list) {
			refresh->failed = true;
			return NULL;
		}
		refresh->list = list;
		refresh->room = room;
	}
	refresh->list[refresh->count] = (struct known){ .name = NULL };
	return &refresh->list[refresh->count++];
}

static struct known *note_node(struct refresh *refresh, struct node *node)
{
	struct known *known = known_add(refresh);

	if (!known)
		return NULL;
	known->ino = ino_of(refresh->fs, node);
	known->folder = node->type == STORE_TYPE_FOLDER;
	return known;
}

/* The tree's lock is held. */
static void note_name(void *arg, const struct name *name)
{
	struct refresh *refresh = arg;
	struct known *known = note_node(refresh, name->node);

	if (!known)
		return;
	known->parent = ino_of(refresh->fs, name->parent);
	known->name = strdup(name->text);
	refresh->failed |= !known->name;
}

/* *name: NULL for the root.  NULL: memory knows nothing of that key. */
static struct node *find_locked(struct tree *tree, const char *key,
				const struct name **name) REQUIRES(tree->lock)
{
	struct node *node = tree->root;

	*name = NULL;
	while (node && *key) {
		char text[STORE_NAME_MAX + 1];
		size_t length = strcspn(key, "/");

		if (length > STORE_NAME_MAX)
			return NULL;
		memcpy(text, key, length);
		text[length] = '\0';
		*name = tree_find_name(tree, node, text);
		node = *name ? (*name)->node : NULL;
		key += length + (key[length] == '/');
	}
	return node;
}

static void tell_missing(void *arg, uint64_t parent, const char *name)
{
	const struct fs *fs = arg;

	fuse_lowlevel_notify_inval_entry(fs->session, parent, name,
					 strlen(name));
}

/* A folder's name is not taken from processes that work in it. */
static void tell_kernel(const struct fs *fs, const struct known *known)
{
	if (known->name && !known->folder)
		fuse_lowlevel_notify_inval_entry(fs->session, known->parent,
						 known->name,
						 strlen(known->name));
	fuse_lowlevel_notify_inval_inode(fs->session, known->ino, -1, 0);
}

static int collect(struct refresh *refresh, const char *key,
		   struct store_error *error)
{
	struct tree *tree = &refresh->fs->tree;
	const struct name *name;
	struct node *node;

	lock_take(&tree->lock);
	node = find_locked(tree, key, &name);
	if (name)
		note_name(refresh, name);
	else if (node)
		(void)note_node(refresh, node);
	if (node)
		tree_visit_names_below(tree, node, note_name, refresh);
	lock_drop(&tree->lock);
	if (refresh->failed)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a list of names");
	return STORE_OK;
}

static int answer(struct control_call *call, size_t count,
		  struct store_error *error)
{
	struct line line;

	line_init(&line);
	line_flag(&line, "done", true);
	line_number(&line, "names", count);
	return control_send(call, &line, error);
}

int control_refresh(struct control_call *call, struct store_error *error)
{
	struct refresh refresh = { .fs = call->fs };
	CLEANUP_FREE char *key = NULL;
	int code = client_get_bytes(call->command, "key", &key, error);

	/* First: what is learned from here on need not be told. */
	if (!code)
		atomic_store(&call->fs->refreshed_ns, clock_monotonic_ns());
	if (!code)
		code = collect(&refresh, key ? key : "", error);
	if (!code && call->fs->session) {
		for (size_t i = 0; i < refresh.count; i++)
			tell_kernel(call->fs, &refresh.list[i]);
		missing_take_all(call->fs->missing, tell_missing, call->fs);
	}
	for (size_t i = 0; i < refresh.count; i++)
		free(refresh.list[i].name);
	free(refresh.list);
	return code ? code : answer(call, refresh.count, error);
}
