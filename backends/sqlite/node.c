// SPDX-License-Identifier: MIT
/*
 * Rows of ours: see node.h.  Called by the operations that write; calls the
 * statements.
 *
 * Invariants: `links` of a node that is no folder is the number of rows in
 * T_storefs_names that lead to it, and as soon as it was two all of them are
 * marked `linked`, which is how the others are found.
 */
#include "config.h"

#include "backends/sqlite/node.h"

#include "src/base/clock.h"
#include "src/key.h"

static bool has_tables(const struct sqlite_txn *txn)
{
	return txn->connection->shape.side;
}

static int64_t to_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * NS_PER_SEC + time.tv_nsec;
}

/* ---- nodes ---- */

void sqlite_node_set_attributes(struct sqlite_node *node,
				const struct store_attributes *attributes)
{
	struct store_attributes *a = &node->attributes;

	a->mask |= attributes->mask;
	if (attributes->mask & STORE_ATTR_MODE)
		a->mode = attributes->mode;
	if (attributes->mask & STORE_ATTR_UID)
		a->uid = attributes->uid;
	if (attributes->mask & STORE_ATTR_GID)
		a->gid = attributes->gid;
	if (attributes->mask & STORE_ATTR_MTIME)
		a->mtime = attributes->mtime;
	if (attributes->mask & STORE_ATTR_ATIME)
		a->atime = attributes->atime;
}

/* From the clock, so that a restored copy does not repeat a version. */
void sqlite_node_new_version(const struct sqlite_txn *txn,
			     struct sqlite_node *node)
{
	node->version = node->version < txn->now ? txn->now : node->version + 1;
}

void sqlite_node_init(const struct sqlite_txn *txn, enum store_type type,
		      const struct store_attributes *attributes,
		      struct sqlite_node *node)
{
	*node = (struct sqlite_node){
		.type = type,
		.links = type == STORE_TYPE_FOLDER ? 2 : 1,
		.version = txn->now,
		.ctime = txn->now,
		.attributes = { .mask = STORE_ATTR_MTIME | STORE_ATTR_ATIME,
				.mtime = timespec_from_ns(txn->now),
				.atime = timespec_from_ns(txn->now) },
	};
	if (attributes)
		sqlite_node_set_attributes(node, attributes);
}

/* Parameters 2 to 10, which inserting and updating share. */
static void bind_node(sqlite3_stmt *s, const struct sqlite_node *node)
{
	const struct store_attributes *a = &node->attributes;

	bind_number(s, 2, node->type);
	bind_number(s, 3, node->links);
	bind_number(s, 4, node->version);
	/* Unbound is NULL. */
	if (a->mask & STORE_ATTR_MODE)
		bind_number(s, 5, a->mode);
	if (a->mask & STORE_ATTR_UID)
		bind_number(s, 6, a->uid);
	if (a->mask & STORE_ATTR_GID)
		bind_number(s, 7, a->gid);
	if (a->mask & STORE_ATTR_MTIME)
		bind_number(s, 8, to_ns(a->mtime));
	if (a->mask & STORE_ATTR_ATIME)
		bind_number(s, 9, to_ns(a->atime));
	bind_number(s, 10, node->ctime);
}

int sqlite_node_insert(struct sqlite_txn *txn, struct sqlite_node *node,
		       const char *target)
{
	sqlite3_stmt *s;
	int code;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_NODE_INSERT);
	if (!s)
		return txn->error->code;
	/* Without an id, or with one in use, it gets one never used before. */
	if (node->id)
		bind_number(s, 1, node->id);
	bind_node(s, node);
	bind_number(s, 11, (int64_t)node->rdev);
	if (target)
		bind_blob(s, 12, target, strlen(target));
	code = txn_run(txn, s);
	if (!code)
		node->id = sqlite3_last_insert_rowid(txn->connection->db);
	return code;
}

int sqlite_node_update(struct sqlite_txn *txn, const struct sqlite_node *node)
{
	sqlite3_stmt *s;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_NODE_UPDATE);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, node->id);
	bind_node(s, node);
	return txn_run(txn, s);
}

int sqlite_node_publish(struct sqlite_txn *txn, const struct sqlite_node *node,
			const uint8_t *publish)
{
	sqlite3_stmt *s;

	if (!txn->connection->shape.publish)
		return STORE_OK;
	s = txn_prepare(txn, SQL_NODE_PUBLISH);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, node->id);
	if (publish)
		bind_blob(s, 2, publish, STORE_PUBLISH_SIZE);
	return txn_run(txn, s);
}

/* ---- statements with a key or a number ---- */

static int run_key(struct sqlite_txn *txn, enum sqlite_sql which,
		   const char *key)
{
	sqlite3_stmt *s = txn_prepare(txn, which);

	if (!s)
		return txn->error->code;
	bind_text(s, 1, key);
	return txn_run(txn, s);
}

static int run_number(struct sqlite_txn *txn, enum sqlite_sql which,
		      int64_t number)
{
	sqlite3_stmt *s = txn_prepare(txn, which);

	if (!s)
		return txn->error->code;
	bind_number(s, 1, number);
	return txn_run(txn, s);
}

static int run_range(struct sqlite_txn *txn, enum sqlite_sql which,
		     const struct sqlite_range *range)
{
	sqlite3_stmt *s = txn_prepare(txn, which);

	if (!s)
		return txn->error->code;
	bind_range(s, 1, range);
	/* Only one of them has it; the others ignore it. */
	bind_number(s, 3, txn->now);
	return txn_run(txn, s);
}

/* ---- names ---- */

int sqlite_name_put(struct sqlite_txn *txn, const char *key,
		    const struct sqlite_node *node, bool linked,
		    const struct sqlite_stamp *stamp)
{
	sqlite3_stmt *s;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_NAME_PUT);
	if (!s)
		return txn->error->code;
	bind_text(s, 1, key);
	bind_number(s, 2, node->id);
	bind_number(s, 3, node->type);
	bind_number(s, 4, linked);
	if (stamp) {
		bind_number(s, 5, stamp->rowid);
		bind_number(s, 6, (int64_t)stamp->size);
		bind_real(s, 7, stamp->modified_at);
	}
	return txn_run(txn, s);
}

static int node_unlink(struct sqlite_txn *txn, const struct sqlite_node *node)
{
	sqlite3_stmt *s;
	int code;

	if (node->type == STORE_TYPE_FOLDER || node->links <= 1) {
		code = run_number(txn, SQL_XATTRS_DELETE, node->id);
		if (!code)
			code = run_number(txn, SQL_NODE_DELETE, node->id);
		return code;
	}
	s = txn_prepare(txn, SQL_NODE_UNLINK);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, node->id);
	bind_number(s, 2, txn->now);
	return txn_run(txn, s);
}

int sqlite_name_drop(struct sqlite_txn *txn, const char *key,
		     const struct sqlite_node *node)
{
	int code;

	if (!has_tables(txn))
		return STORE_OK;
	code = node_unlink(txn, node);
	if (!code)
		code = run_key(txn, SQL_NAME_DELETE, key);
	return code;
}

int sqlite_names_purge(struct sqlite_txn *txn, const struct sqlite_range *range)
{
	int code;

	if (!has_tables(txn))
		return STORE_OK;
	code = run_range(txn, SQL_PURGE_UNLINK, range);
	if (!code)
		code = run_range(txn, SQL_PURGE_XATTRS, range);
	if (!code)
		code = run_range(txn, SQL_PURGE_NODES, range);
	if (!code)
		code = run_range(txn, SQL_PURGE_NAMES, range);
	return code;
}

int sqlite_name_clean(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry)
{
	bool file = entry->side && entry->node.type == STORE_TYPE_FILE;
	int code;

	/* A folder beside a file stays; anything else must fit. */
	if (!entry->side || entry->node.type == STORE_TYPE_FOLDER ||
	    file == entry->object)
		return STORE_OK;
	code = sqlite_name_drop(txn, key, &entry->node);
	entry->side = false;
	return code;
}

int sqlite_parent_touch(struct sqlite_txn *txn, const char *key, int folders)
{
	char parent[STORE_KEY_MAX + 1];
	size_t length = key_parent_length(key);
	sqlite3_stmt *s;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_PARENT_TOUCH);
	if (!s)
		return txn->error->code;
	memcpy(parent, key, length);
	parent[length] = '\0';
	bind_text(s, 1, parent);
	bind_number(s, 2, txn->now);
	bind_number(s, 3, folders);
	return txn_run(txn, s);
}

/* ---- folders ---- */

int sqlite_folder_make(struct sqlite_txn *txn, const char *key,
		       const struct store_attributes *attributes)
{
	struct sqlite_node node;
	int code;

	sqlite_node_init(txn, STORE_TYPE_FOLDER, attributes, &node);
	code = sqlite_node_insert(txn, &node, NULL);
	if (!code)
		code = sqlite_name_put(txn, key, &node, false, NULL);
	if (!code)
		code = sqlite_parent_touch(txn, key, 1);
	return code;
}

/* Length of the nearest folder above `key` that is there, 0 for the root. */
static int nearest_folder(struct sqlite_txn *txn, const char *key,
			  size_t *length)
{
	char parent[STORE_KEY_MAX + 1];
	struct sqlite_entry entry;

	for (*length = key_parent_length(key); *length;
	     *length = key_parent_length(parent)) {
		int code;

		memcpy(parent, key, *length);
		parent[*length] = '\0';
		code = sqlite_entry_load(txn, parent, &entry);
		if (code)
			return code;
		/* What is there stands in order, and so does all above. */
		if (entry.type == STORE_TYPE_FOLDER)
			return STORE_OK;
		if (entry.type)
			return txn_fail(txn, STORE_NOT_DIR);
		code = sqlite_name_clean(txn, parent, &entry);
		if (code)
			return code;
	}
	return STORE_OK;
}

int sqlite_parents_make(struct sqlite_txn *txn, const char *key)
{
	char parent[STORE_KEY_MAX + 1];
	size_t end = key_parent_length(key);
	size_t at;
	int code = nearest_folder(txn, key, &at);

	while (!code && at < end && has_tables(txn)) {
		at += at > 0;
		at += strcspn(key + at, "/");
		memcpy(parent, key, at);
		parent[at] = '\0';
		code = sqlite_folder_make(txn, parent, NULL);
	}
	return code;
}

/* ---- adopting ---- */

/* The node may have other names, which have nothing to do with it any more. */
static int leave_links(struct sqlite_txn *txn, const char *key,
		       struct sqlite_entry *entry)
{
	int64_t old = entry->node.id;
	struct sqlite_node left = entry->node;
	int code;

	entry->node.id = 0;
	entry->node.links = 1;
	entry->node.rdev = 0;
	code = sqlite_node_insert(txn, &entry->node, NULL);
	if (!code)
		code = sqlite_xattrs_copy(txn, old, entry->node.id);
	if (!code)
		code = sqlite_name_drop(txn, key, &left);
	return code;
}

static int adopt_file(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry)
{
	struct sqlite_stamp stamp = { .rowid = entry->rowid,
				      .size = entry->size,
				      .modified_at = entry->modified_at };
	struct sqlite_node *node = &entry->node;
	struct store_info info;
	int code = sqlite_name_clean(txn, key, entry);

	if (code)
		return code;
	sqlite_entry_info(entry, &info);
	if (!entry->side)
		*node = (struct sqlite_node){ .links = 1,
					      .type = STORE_TYPE_FILE };
	node->attributes = info.attributes;
	node->ctime = to_ns(info.ctime);
	node->version = 0;
	if (!entry->side)
		code = sqlite_node_insert(txn, node, NULL);
	else if (node->links > 1)
		code = leave_links(txn, key, entry);
	else
		code = sqlite_node_update(txn, node);
	if (!code)
		code = sqlite_name_put(txn, key, node, false, &stamp);
	return code;
}

/* Nobody has counted the folders in it, so nobody will. */
static int adopt_folder(struct sqlite_txn *txn, const char *key,
			struct sqlite_entry *entry)
{
	struct sqlite_node *node = &entry->node;
	int code = STORE_OK;

	/* A name has one row; the file beside the folder goes without. */
	if (entry->side)
		code = sqlite_name_drop(txn, key, node);
	if (code)
		return code;
	sqlite_node_init(txn, STORE_TYPE_FOLDER, NULL, node);
	node->links = 1;
	code = sqlite_node_insert(txn, node, NULL);
	if (!code)
		code = sqlite_name_put(txn, key, node, false, NULL);
	return code;
}

int sqlite_entry_adopt(struct sqlite_txn *txn, const char *key,
		       struct sqlite_entry *entry)
{
	int code;

	if (sqlite_entry_has_node(entry) &&
	    (entry->type != STORE_TYPE_FILE || entry->ours))
		return STORE_OK;
	if (!has_tables(txn))
		return txn_fail(txn, STORE_NOT_SUPPORTED);
	if (entry->type == STORE_TYPE_FOLDER)
		code = adopt_folder(txn, key, entry);
	else
		code = adopt_file(txn, key, entry);
	entry->side = true;
	entry->ours = entry->type == STORE_TYPE_FILE;
	return code;
}

/* ---- extended attributes ---- */

int sqlite_xattr_put(struct sqlite_txn *txn, int64_t node,
		     const struct store_xattr *xattr)
{
	sqlite3_stmt *s;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_XATTR_PUT);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, node);
	bind_text(s, 2, xattr->name);
	bind_blob(s, 3, xattr->value, xattr->size);
	return txn_run(txn, s);
}

int sqlite_xattrs_delete(struct sqlite_txn *txn, int64_t node)
{
	return has_tables(txn) ? run_number(txn, SQL_XATTRS_DELETE, node)
			       : STORE_OK;
}

int sqlite_xattrs_copy(struct sqlite_txn *txn, int64_t from, int64_t to)
{
	sqlite3_stmt *s;

	if (!has_tables(txn))
		return STORE_OK;
	s = txn_prepare(txn, SQL_XATTRS_COPY);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, from);
	bind_number(s, 2, to);
	return txn_run(txn, s);
}
