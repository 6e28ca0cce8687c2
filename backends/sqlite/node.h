/* SPDX-License-Identifier: MIT */
/*
 * Rows of ours: nodes, names, extended attributes.  All of it is for the
 * body of a write; without our tables every function does nothing.
 */
#ifndef STOREFS_SQLITE_NODE_H
#define STOREFS_SQLITE_NODE_H

#include "backends/sqlite/entry.h"

/*
 * A node about to be made: one name, ctime, atime and mtime now, version of
 * its own; then what `attributes` (may be NULL) hold.
 */
void sqlite_node_init(const struct sqlite_txn *txn, enum store_type type,
		      const struct store_attributes *attributes,
		      struct sqlite_node *node);
/* Take over the masked attributes. */
void sqlite_node_set_attributes(struct sqlite_node *node,
				const struct store_attributes *attributes);
/* The content changes now. */
void sqlite_node_new_version(const struct sqlite_txn *txn,
			     struct sqlite_node *node);
/* Fills node->id.  `target` of a symlink, else NULL. */
int sqlite_node_insert(struct sqlite_txn *txn, struct sqlite_node *node,
		       const char *target) STORE_WARN_UNUSED;
/* Everything but rdev, target and publish. */
int sqlite_node_update(struct sqlite_txn *txn, const struct sqlite_node *node)
	STORE_WARN_UNUSED;

/* The id of the put that makes the content, STORE_PUBLISH_SIZE bytes or NULL. */
int sqlite_node_publish(struct sqlite_txn *txn, const struct sqlite_node *node,
			const uint8_t *publish) STORE_WARN_UNUSED;

/* What the row of the data table looks like now. */
struct sqlite_stamp {
	int64_t rowid;
	uint64_t size;
	double modified_at;
};
/* Make or replace a name.  `stamp` of a file, else NULL. */
int sqlite_name_put(struct sqlite_txn *txn, const char *key,
		    const struct sqlite_node *node, bool linked,
		    const struct sqlite_stamp *stamp) STORE_WARN_UNUSED;
/* Remove a name; its node goes with the last one. */
int sqlite_name_drop(struct sqlite_txn *txn, const char *key,
		     const struct sqlite_node *node) STORE_WARN_UNUSED;
/* Remove all names in a range, and the nodes that lose their last. */
int sqlite_names_purge(struct sqlite_txn *txn, const struct sqlite_range *range)
	STORE_WARN_UNUSED;
/*
 * Drop a row of ours that does not count (the file was removed or replaced
 * by a foreign client), so that the key is free; `entry` is mended.
 */
int sqlite_name_clean(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry) STORE_WARN_UNUSED;

/*
 * Make the folders above a key that are not there at all; what exists only
 * by what is below it stays so.  A file above is NOT_DIR.
 */
int sqlite_parents_make(struct sqlite_txn *txn, const char *key)
	STORE_WARN_UNUSED;
/* Make a folder under a name that is free; counts it in the one above. */
int sqlite_folder_make(struct sqlite_txn *txn, const char *key,
		       const struct store_attributes *attributes)
	STORE_WARN_UNUSED;
/* A name was made or removed in the folder of `key`; `folders` of them. */
int sqlite_parent_touch(struct sqlite_txn *txn, const char *key, int folders)
	STORE_WARN_UNUSED;
/*
 * Give what the key names a node of its own that holds what a stat tells
 * now: a foreign file, an implicit folder, the root.  Does nothing where
 * there is one that is right.
 */
int sqlite_entry_adopt(struct sqlite_txn *txn, const char *key,
		       struct sqlite_entry *entry) STORE_WARN_UNUSED;

int sqlite_xattr_put(struct sqlite_txn *txn, int64_t node,
		     const struct store_xattr *xattr) STORE_WARN_UNUSED;
int sqlite_xattrs_delete(struct sqlite_txn *txn, int64_t node)
	STORE_WARN_UNUSED;
int sqlite_xattrs_copy(struct sqlite_txn *txn, int64_t from, int64_t to)
	STORE_WARN_UNUSED;

#endif
