// SPDX-License-Identifier: MIT
/*
 * Making folders, symlinks, special nodes and hard links.  Called through
 * the table in sqlite.c; calls node.c, and object.c for links.
 *
 * A hard link is one row in the data table per name, so that every client
 * reads it; the names share one node, and a put through one of them writes
 * all rows in its transaction.
 */
#include "config.h"

#include "backends/sqlite/node.h"
#include "backends/sqlite/object.h"
#include "backends/sqlite/operations.h"

/* Take a free name, with the folders above it. */
static int take_name(struct sqlite_txn *txn, const char *key)
{
	struct sqlite_entry entry;
	int code = sqlite_entry_load(txn, key, &entry);

	if (!code && entry.type)
		code = txn_fail(txn, STORE_EXISTS);
	if (!code && !txn->connection->shape.side)
		code = txn_fail(txn, STORE_NOT_SUPPORTED);
	if (!code)
		code = sqlite_name_clean(txn, key, &entry);
	if (!code)
		code = sqlite_parents_make(txn, key);
	return code;
}

/* ---- nodes ---- */

struct node_job {
	const struct backend_node_request *request;
	struct store_info *info;
};

static int node_body(struct sqlite_txn *txn, void *arg)
{
	const struct node_job *job = arg;
	const struct backend_node_request *request = job->request;
	bool symlink = request->type == STORE_TYPE_SYMLINK;
	struct sqlite_node node;
	int code = take_name(txn, request->key);

	if (code)
		return code;
	sqlite_node_init(txn, request->type, request->attributes, &node);
	node.rdev = request->rdev;
	code = sqlite_node_insert(txn, &node, symlink ? request->target : NULL);
	if (!code)
		code = sqlite_name_put(txn, request->key, &node, false, NULL);
	if (!code)
		code = sqlite_parent_touch(txn, request->key, 0);
	if (!code)
		code = sqlite_entry_report(txn, request->key, job->info);
	return code;
}

int sqlite_make_node(void *self, struct store_context *context,
		     const struct backend_node_request *request,
		     struct store_info *info, struct store_error *error)
{
	struct node_job job = { .request = request, .info = info };

	return sqlite_write_name(self, context, node_body, &job, error);
}

/* ---- folders ---- */

struct dir_job {
	const char *key;
	const struct store_attributes *attributes;
	struct store_info *info;
};

/*
 * A folder that exists by what is below it gets a row of its own, so that it
 * stays: that is what making it can mean.
 */
static int make_explicit(struct sqlite_txn *txn, const struct dir_job *job,
			 struct sqlite_entry *entry)
{
	int code = sqlite_entry_adopt(txn, job->key, entry);

	if (code || !job->attributes)
		return code;
	sqlite_node_set_attributes(&entry->node, job->attributes);
	return sqlite_node_update(txn, &entry->node);
}

static int dir_body(struct sqlite_txn *txn, void *arg)
{
	const struct dir_job *job = arg;
	struct sqlite_entry entry;
	int code = sqlite_entry_load(txn, job->key, &entry);

	if (code)
		return code;
	if (*job->key && entry.type == STORE_TYPE_FOLDER &&
	    !sqlite_entry_has_node(&entry)) {
		code = make_explicit(txn, job, &entry);
	} else {
		code = take_name(txn, job->key);
		if (!code)
			code = sqlite_folder_make(txn, job->key,
						  job->attributes);
	}
	if (!code)
		code = sqlite_entry_report(txn, job->key, job->info);
	return code;
}

int sqlite_make_dir(void *self, struct store_context *context, const char *key,
		    const struct store_attributes *attributes,
		    struct store_info *info, struct store_error *error)
{
	struct dir_job job = { .key = key,
			       .attributes = attributes,
			       .info = info };

	return sqlite_write_name(self, context, dir_body, &job, error);
}

/* ---- hard links ---- */

struct link_job {
	const char *from;
	const char *to;
	struct store_info *info;
};

static int mark_linked(struct sqlite_txn *txn, const char *key)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_NAME_LINKED);

	if (!s)
		return txn->error->code;
	bind_text(s, 1, key);
	return txn_run(txn, s);
}

/* The second name, with a row of its own for the body of a file. */
static int link_name(struct sqlite_txn *txn, const struct link_job *job,
		     const struct sqlite_entry *entry)
{
	struct sqlite_stamp stamp = { .size = entry->size,
				      .modified_at = entry->modified_at };
	int code = STORE_OK;

	if (entry->object)
		code = sqlite_object_copy(txn, entry->rowid, entry->size,
					  job->to, &stamp.rowid);
	if (!code)
		code = mark_linked(txn, job->from);
	if (!code)
		code = sqlite_name_put(txn, job->to, &entry->node, true,
				       entry->object ? &stamp : NULL);
	return code;
}

static int link_body(struct sqlite_txn *txn, void *arg)
{
	const struct link_job *job = arg;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->from, &entry);

	if (code)
		return code;
	if (entry.type == STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_IS_DIR);
	code = take_name(txn, job->to);
	if (!code)
		code = sqlite_entry_adopt(txn, job->from, &entry);
	if (code)
		return code;
	entry.node.links++;
	entry.node.ctime = txn->now;
	code = sqlite_node_update(txn, &entry.node);
	if (!code)
		code = link_name(txn, job, &entry);
	if (!code)
		code = sqlite_parent_touch(txn, job->to, 0);
	if (!code)
		code = sqlite_entry_report(txn, job->to, job->info);
	return code;
}

int sqlite_link(void *self, struct store_context *context, const char *from,
		const char *to, struct store_info *info,
		struct store_error *error)
{
	struct link_job job = { .from = from, .to = to, .info = info };

	return sqlite_write_name(self, context, link_body, &job, error);
}
