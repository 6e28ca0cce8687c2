// SPDX-License-Identifier: MIT
/*
 * Removing names, folders and whole trees, each in one transaction.  Called
 * through the table in sqlite.c; calls node.c and object.c.
 */
#include "config.h"

#include "backends/sqlite/node.h"
#include "backends/sqlite/object.h"
#include "backends/sqlite/operations.h"

#include "src/base/cleanup.h"

/* ---- one name ---- */

struct remove_job {
	const char *key;
	const struct store_precondition *precondition;
};

static int remove_body(struct sqlite_txn *txn, void *arg)
{
	const struct remove_job *job = arg;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (code)
		return code;
	if (sqlite_entry_file_type(&entry) == STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_IS_DIR);
	code = sqlite_entry_check(txn, &entry, job->precondition);
	if (!code && entry.object)
		code = sqlite_object_delete(txn, entry.rowid, entry.size);
	/* A folder beside the file stays. */
	if (!code && entry.side && entry.node.type != STORE_TYPE_FOLDER)
		code = sqlite_name_drop(txn, job->key, &entry.node);
	if (!code)
		code = sqlite_parent_touch(txn, job->key, 0);
	return code;
}

int sqlite_remove(void *self, struct store_context *context, const char *key,
		  const struct store_precondition *precondition,
		  struct store_error *error)
{
	struct remove_job job = { .key = key, .precondition = precondition };

	return sqlite_write_name(self, context, remove_body, &job, error);
}

/* ---- folders ---- */

struct tree_job {
	const char *key;
	bool with_children;
};

static int tree_body(struct sqlite_txn *txn, void *arg)
{
	const struct tree_job *job = arg;
	struct sqlite_range below;
	struct sqlite_entry entry;
	int folders = 0;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (code)
		return code;
	if (entry.type != STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_NOT_DIR);
	if (!*job->key)
		return store_error_set(txn->error, STORE_INVALID,
				       "the root cannot be removed");
	if (entry.children && !job->with_children)
		return txn_fail(txn, STORE_NOT_EMPTY);
	sqlite_range_below(&below, job->key);
	if (entry.children)
		code = sqlite_objects_delete(txn, &below);
	/* Also of an empty folder: names that foreign clients left behind. */
	if (!code)
		code = sqlite_names_purge(txn, &below);
	if (!code && sqlite_entry_has_node(&entry)) {
		folders = -1;
		code = sqlite_name_drop(txn, job->key, &entry.node);
	}
	if (!code)
		code = sqlite_parent_touch(txn, job->key, folders);
	return code;
}

int sqlite_remove_dir(void *self, struct store_context *context,
		      const char *key, struct store_error *error)
{
	struct tree_job job = { .key = key };

	return sqlite_write_name(self, context, tree_body, &job, error);
}

int sqlite_remove_tree(void *self, struct store_context *context,
		       const char *key, struct store_error *error)
{
	struct tree_job job = { .key = key, .with_children = true };

	return sqlite_write_name(self, context, tree_body, &job, error);
}
