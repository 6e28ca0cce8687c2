/* SPDX-License-Identifier: MIT */
/*
 * The nodes the kernel knows: names, attributes, lookup counts.
 *
 * A node is a file, folder or special file; a name is one directory entry of
 * it.  Keys are made by walking up the names, so renaming a folder changes
 * one name.  Folders have one name, other nodes may have several (hard
 * links).  A node without a name has been unlinked.
 *
 * Budget: 300 bytes per entry the kernel holds, name and token included.
 *
 * Locking: everything here needs the tree's lock (struct tree.lock, rank 1)
 * unless it says otherwise; nothing here blocks.
 */
#ifndef STOREFS_MOUNT_NODE_H
#define STOREFS_MOUNT_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/clock.h"
#include "src/base/sync.h"
#include <storefs/types.h>

struct file;
struct node;

struct name {
	struct name *chain;  /* of the hash table */
	struct node *parent; /* a reference */
	struct node *node;
	struct name *alias; /* next name of the same node */
	char text[];
};

enum node_flags {
	NODE_IMPLICIT = 1 << 0,	   /* a folder without a marker of its own */
	NODE_UNPUBLISHED = 1 << 1, /* created here, not in the store yet */
	NODE_TOUCHED = 1 << 2,	   /* folder times are ahead of the store */
	NODE_REPLACED = 1 << 3,	 /* the name has another version in the store */
	NODE_LOCAL = 1 << 4,	 /* memory is ahead of the store */
	NODE_TIMES_SET = 1 << 6, /* a folder's mtime was set on purpose */
	NODE_LOST =
		1 << 7, /* its last name went to another file in the store */
	NODE_STALE_PAGES = 1
			   << 5, /* the kernel's pages are of another version */
};

struct node_time {
	int64_t sec;
	uint32_t nsec;
} __attribute__((packed, aligned(4)));

struct node {
	struct node *chain;  /* of the hash table */
	struct name *names;  /* NULL: unlinked */
	struct file *file;   /* open or dirty, else NULL; owns it */
	char *version;	     /* token, NULL when unknown; owned */
	uint64_t number;     /* st_ino */
	uint64_t store_node; /* identity for hard links, 0 none */
	uint64_t size;	     /* of devices: rdev */
	int64_t checked_ns;  /* CLOCK_MONOTONIC of the last look, 0 never */
	uint32_t lookups;    /* held by the kernel */
	uint32_t references; /* of names below, files and running calls */
	uint32_t allocated;  /* in units of 4 KiB, rounded up */
	uint32_t links;
	uint32_t uid, gid;
	uint32_t stored;  /* store_info.stored of these attributes, 0 unknown */
	uint16_t mode;	  /* permission bits */
	uint16_t busy;	  /* calls that are changing it in the store */
	uint8_t type;	  /* enum store_type */
	uint8_t flags;	  /* enum node_flags */
	bool resized : 1; /* the kernel may know another size */
	bool dated : 1;	  /* a folder's time was set on purpose in the store */
	bool sure : 1;	  /* the attributes are those of checked_ns, or ours */
	struct node_time mtime, ctime, atime;
};

struct tree {
	struct lock lock;
	/* protected by `lock` */
	struct node *root;
	struct name **names; /* hash table by parent and text */
	size_t name_count, name_room;
	struct node **nodes; /* all but the root: hash table by store_node */
	size_t node_count, node_room;
	uint64_t numbers; /* drawn by own_number() */
	int64_t *lost_ns; /* by hash of a name; see tree_lost_since() */
	/* immutable */
	uint32_t default_uid, default_gid;
	uint16_t file_mode, dir_mode; /* where the store keeps none */
	/*
	 * The store drops what is below a second of times, and so does
	 * everybody: an editor that saw more would take the rest for a change.
	 */
	bool whole_seconds;
	uint64_t seed;
};

/* Is that the time which was sent, as far as the store keeps it? */
static inline bool tree_keeps_time(const struct tree *tree,
				   struct timespec sent, struct timespec kept)
{
	if (tree->whole_seconds)
		sent.tv_nsec = 0;
	return !timespec_compare(sent, kept);
}

int tree_init(struct tree *tree, struct store_error *error) STORE_WARN_UNUSED;
void tree_release(struct tree *tree);

/* The name below a folder that is in memory, or NULL. */
struct name *tree_find_name(struct tree *tree, const struct node *parent,
			    const char *text) REQUIRES(tree->lock);
/*
 * The node that `info` describes under this name: the known one refreshed,
 * another name of a known hard link, or a new one.  A known node of another
 * type, or one whose bytes are in use and have changed, loses the name to a
 * new node.  The store was asked at `asked_ns` (CLOCK_MONOTONIC): what
 * memory learned since then, and all of a node with NODE_LOCAL, stays.
 * NULL when out of memory.
 */
struct node *tree_enter(struct tree *tree, struct node *parent,
			const char *text, const struct store_info *info,
			int64_t asked_ns) REQUIRES(tree->lock);
/* Give a known node one more name, taking it from whoever has it. */
int tree_add_name(struct tree *tree, struct node *parent, const char *text,
		  struct node *node) REQUIRES(tree->lock) STORE_WARN_UNUSED;
/*
 * Drop one name; the node lives on while it is referenced.  tree_lose_name()
 * does so because the store no longer has the node there, which nobody here
 * asked for.
 */
void tree_lose_name(struct tree *tree, struct name *name) REQUIRES(tree->lock);
void tree_drop_name(struct tree *tree, struct name *name) REQUIRES(tree->lock);
/*
 * The store, asked at `asked_ns`, has no such name: it is lost, unless memory
 * knows better, as tree_enter() does.
 */
void tree_miss_name(struct tree *tree, const struct node *parent,
		    const char *text, int64_t asked_ns) REQUIRES(tree->lock);
/*
 * May the name have been dropped or given to another node since `asked_ns`, or
 * its node forgotten with something newer?  Never wrongly false; now and then
 * wrongly true, as only a hash of the name is kept.
 */
bool tree_lost_since(struct tree *tree, const struct node *parent,
		     const char *text, int64_t asked_ns) REQUIRES(tree->lock);
/*
 * Move a name; the target's name, if any, is dropped first.  Cannot fail
 * once `spare` was made by tree_new_name().
 */
struct name *tree_new_name(const char *text);
void tree_move_name(struct tree *tree, struct name *name, struct node *parent,
		    struct name *spare) REQUIRES(tree->lock);
/* Let two names change their nodes. */
void tree_exchange_names(struct tree *tree, struct name *a, struct name *b)
	REQUIRES(tree->lock);

void node_ref(struct tree *tree, struct node *node) REQUIRES(tree->lock);
void node_unref(struct tree *tree, struct node *node) REQUIRES(tree->lock);
/* The kernel forgets `count` lookups. */
void node_forget(struct tree *tree, struct node *node, uint64_t count)
	REQUIRES(tree->lock);

/*
 * The node's key, or that of a name below it (`text` not NULL), into
 * `key`[STORE_KEY_MAX + 1].  NOT_FOUND for unlinked nodes, INVALID with
 * detail ENAMETOOLONG.
 */
int node_key(struct tree *tree, const struct node *node, const char *text,
	     char *key, struct store_error *error) REQUIRES(tree->lock)
	STORE_WARN_UNUSED;
/* Is `node` this folder or somewhere below it? */
bool node_is_below(const struct node *node, const struct node *folder);

/*
 * As tree_enter for a node by itself; false: the store has another file
 * there now, and the node must not become that one.
 */
bool node_update(struct tree *tree, struct node *node,
		 const struct store_info *info, int64_t asked_ns)
	REQUIRES(tree->lock) STORE_WARN_UNUSED;
/*
 * A listing that was asked for at `asked_ns` shows `info`: does the node have
 * what else there is to know of that? Then it has been looked at.
 */
bool node_confirm(struct node *node, const struct store_info *info,
		  int64_t asked_ns) STORE_WARN_UNUSED;
/* Take over what the store told, unconditionally. */
void node_refresh(struct tree *tree, struct node *node,
		  const struct store_info *info) REQUIRES(tree->lock);
/*
 * For how long memory may still answer for the attributes of a node that was
 * looked at no longer than `timeout_ns` ago; 0: the store has to be asked.
 */
int64_t node_lasts(const struct node *node, int64_t timeout_ns);
/*
 * Between these two, what the store tells others of the node may be ahead of
 * memory or behind it: it is ignored.  Both take the tree's lock.
 */
void node_begin_change(struct tree *tree, struct node *node);
void node_end_change(struct tree *tree, struct node *node);
/* Change the identity for hard links (0 for none). */
void node_set_identity(struct tree *tree, struct node *node,
		       uint64_t store_node) REQUIRES(tree->lock);
/* False when out of memory: the version counts as unknown then. */
bool node_set_version(struct node *node, const struct store_version *version);
/* Its token stays empty when it is unknown. */
void node_get_version(const struct node *node, struct store_version *version);
bool node_has_version(const struct node *node,
		      const struct store_version *version);

/* Every name below a folder that memory knows; none may go meanwhile. */
typedef void tree_visit_name_fn(void *arg, const struct name *name);
void tree_visit_names_below(struct tree *tree, const struct node *folder,
			    tree_visit_name_fn *visit, void *arg)
	REQUIRES(tree->lock);
/* The nodes of these names: one that has several of them as often. */
typedef void tree_visit_fn(void *arg, struct node *node);
void tree_visit_below(struct tree *tree, const struct node *folder,
		      tree_visit_fn *visit, void *arg) REQUIRES(tree->lock);

static inline struct node_time node_time_from(struct timespec time)
{
	return (struct node_time){ .sec = time.tv_sec,
				   .nsec = (uint32_t)time.tv_nsec };
}

static inline struct timespec node_time_to(struct node_time time)
{
	return (struct timespec){ .tv_sec = (time_t)time.sec,
				  .tv_nsec = (long)time.nsec };
}

/* struct node.allocated of a number of bytes, and back. */
static inline uint32_t node_blocks(uint64_t bytes)
{
	uint64_t blocks = (bytes + 4095) / 4096;

	return blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks;
}

#endif
