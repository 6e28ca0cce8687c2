// SPDX-License-Identifier: MIT
/*
 * Renaming, exchanging and copying.  Called through the table in sqlite.c;
 * calls node.c and object.c.
 *
 * A folder is renamed by changing the key of everything below it, in one
 * transaction.  Nodes, and with them versions and attributes, go along.
 */
#include "config.h"

#include "backends/sqlite/node.h"
#include "backends/sqlite/object.h"
#include "backends/sqlite/operations.h"

#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

/* Where one of two goes meanwhile: no key begins with '/'. */
static const char aside[] = "//storefs-exchange";

struct move_job {
	const struct backend_move_request *request;
	struct store_info *info;
	struct sqlite_entry from;
	struct sqlite_entry to;
};

/* ---- carrying ---- */

static int run_keys(struct sqlite_txn *txn, enum sqlite_sql which,
		    const char *from, const char *to)
{
	sqlite3_stmt *s = txn_prepare(txn, which);

	if (!s)
		return txn->error->code;
	bind_text(s, 1, from);
	bind_text(s, 2, to);
	return txn_run(txn, s);
}

static int move_names(struct sqlite_txn *txn, const char *from, const char *to)
{
	struct sqlite_range range;
	sqlite3_stmt *s;
	int code;

	/* Names there that do not count are in the way. */
	sqlite_range_below(&range, to);
	code = sqlite_names_purge(txn, &range);
	if (code)
		return code;
	s = txn_prepare(txn, SQL_NAMES_MOVE);
	if (!s)
		return txn->error->code;
	sqlite_range_below(&range, from);
	bind_range(s, 1, &range);
	bind_number(s, 3, (int64_t)strlen(from));
	bind_text(s, 4, to);
	return txn_run(txn, s);
}

/* Everything `entry` is, to a key that is free. */
static int carry(struct sqlite_txn *txn, const struct sqlite_entry *entry,
		 const char *from, const char *to)
{
	bool side = txn->connection->shape.side;
	bool folder = entry->type == STORE_TYPE_FOLDER;
	int code = STORE_OK;

	if (folder)
		code = sqlite_objects_move(txn, from, to);
	else if (entry->object)
		code = sqlite_object_rename(txn, entry->rowid, entry->size, to);
	if (!code && side && folder)
		code = move_names(txn, from, to);
	if (!code && sqlite_entry_has_node(entry))
		code = run_keys(txn, SQL_NAME_MOVE, from, to);
	return code;
}

static int renamed(struct sqlite_txn *txn, struct sqlite_entry *entry)
{
	if (!sqlite_entry_has_node(entry))
		return STORE_OK;
	entry->node.ctime = txn->now;
	return sqlite_node_update(txn, &entry->node);
}

/* Does the folder above count it? */
static int counted(const struct sqlite_entry *entry)
{
	return entry->type == STORE_TYPE_FOLDER && sqlite_entry_has_node(entry);
}

/* ---- checks ---- */

/* May something of this type take the place of `to`, which exists? */
static int replace_check(const struct sqlite_txn *txn,
			 const struct move_job *job, enum store_type type)
{
	const struct sqlite_entry *to = &job->to;
	bool folder = to->type == STORE_TYPE_FOLDER;

	if (type != STORE_TYPE_FOLDER && folder)
		return txn_fail(txn, STORE_IS_DIR);
	if (!(job->request->flags & BACKEND_MOVE_REPLACE))
		return txn_fail(txn, STORE_EXISTS);
	if (type == STORE_TYPE_FOLDER && !folder)
		return txn_fail(txn, STORE_NOT_DIR);
	if (folder && to->children)
		return txn_fail(txn, STORE_NOT_EMPTY);
	return STORE_OK;
}

/* Two names of one node, with the same bytes? */
static bool same_node(const struct sqlite_entry *a,
		      const struct sqlite_entry *b)
{
	return sqlite_entry_has_node(a) && sqlite_entry_has_node(b) &&
	       a->node.id == b->node.id && a->ours == b->ours;
}

static int load_target(struct sqlite_txn *txn, struct move_job *job)
{
	const char *to = job->request->to;
	int code = sqlite_entry_load(txn, to, &job->to);

	if (!code && !job->to.type)
		code = sqlite_parents_make(txn, to);
	return code;
}

/* Make the key free: what is there may be replaced, or does not count. */
static int clear_target(struct sqlite_txn *txn, struct move_job *job)
{
	struct sqlite_entry *to = &job->to;
	const char *key = job->request->to;
	int code = sqlite_name_clean(txn, key, to);

	if (!code && to->object && to->type != STORE_TYPE_FOLDER)
		code = sqlite_object_delete(txn, to->rowid, to->size);
	if (!code && sqlite_entry_has_node(to))
		code = sqlite_name_drop(txn, key, &to->node);
	return code;
}

/* ---- renaming ---- */

static int rename_entry(struct sqlite_txn *txn, struct move_job *job)
{
	const struct backend_move_request *request = job->request;
	int folders = counted(&job->from);
	int code = STORE_OK;

	if (job->to.type)
		code = replace_check(txn, job, job->from.type);
	if (!code)
		code = sqlite_entry_check(txn, &job->to,
					  &request->precondition);
	if (code || same_node(&job->from, &job->to))
		return code;
	code = clear_target(txn, job);
	if (!code)
		code = carry(txn, &job->from, request->from, request->to);
	if (!code)
		code = renamed(txn, &job->from);
	if (!code)
		code = sqlite_parent_touch(txn, request->from, -folders);
	if (!code)
		code = sqlite_parent_touch(txn, request->to,
					   folders - counted(&job->to));
	return code;
}

static int exchange_keys(struct sqlite_txn *txn, struct move_job *job)
{
	const char *from = job->request->from;
	const char *to = job->request->to;
	int code = carry(txn, &job->from, from, aside);

	if (!code)
		code = carry(txn, &job->to, to, from);
	if (!code)
		code = carry(txn, &job->from, aside, to);
	return code;
}

static int exchange_entries(struct sqlite_txn *txn, struct move_job *job)
{
	const struct backend_move_request *request = job->request;
	int folders = counted(&job->from) - counted(&job->to);
	int code;

	if (!job->to.type)
		return txn_fail(txn, STORE_NOT_FOUND);
	if (key_is_below(request->from, request->to))
		return store_error_set(txn->error, STORE_INVALID,
				       "lies below the other");
	code = sqlite_entry_check(txn, &job->to, &request->precondition);
	if (code || same_node(&job->from, &job->to))
		return code;
	code = exchange_keys(txn, job);
	if (!code)
		code = renamed(txn, &job->from);
	if (!code)
		code = renamed(txn, &job->to);
	if (!code)
		code = sqlite_parent_touch(txn, request->from, -folders);
	if (!code)
		code = sqlite_parent_touch(txn, request->to, folders);
	return code;
}

static int move_body(struct sqlite_txn *txn, void *arg)
{
	struct move_job *job = arg;
	const struct backend_move_request *request = job->request;
	int code = sqlite_entry_find(txn, request->from, &job->from);

	if (code)
		return code;
	if (job->from.type == STORE_TYPE_FOLDER &&
	    key_is_below(request->to, request->from))
		return store_error_set(txn->error, STORE_INVALID,
				       "a folder cannot move below itself");
	code = load_target(txn, job);
	if (code)
		return code;
	if (strcmp(request->from, request->to) == 0)
		code = STORE_OK;
	else if (request->flags & BACKEND_MOVE_EXCHANGE)
		code = exchange_entries(txn, job);
	else
		code = rename_entry(txn, job);
	if (!code)
		code = sqlite_entry_report(txn, request->to, job->info);
	return code;
}

int sqlite_move(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error)
{
	struct move_job job = { .request = request, .info = info };

	return sqlite_write_name(self, context, move_body, &job, error);
}

/* ---- copying ---- */

/* The node of the copy: all of the source's but names and identity. */
static int copy_node(struct sqlite_txn *txn, struct move_job *job, bool reuse,
		     struct sqlite_node *node)
{
	struct store_info info;
	int code;

	sqlite_entry_info(&job->from, &info);
	sqlite_node_init(txn, job->from.type, &info.attributes, node);
	if (!reuse)
		return sqlite_node_insert(txn, node, NULL);
	node->id = job->to.node.id;
	node->version = job->to.node.version;
	sqlite_node_new_version(txn, node);
	code = sqlite_xattrs_delete(txn, node->id);
	return code ? code : sqlite_node_update(txn, node);
}

static int copy_side(struct sqlite_txn *txn, struct move_job *job, bool reuse,
		     const struct sqlite_stamp *stamp)
{
	struct sqlite_node node;
	int code = copy_node(txn, job, reuse, &node);

	if (!code && (reuse || job->request->publish))
		code = sqlite_node_publish(txn, &node, job->request->publish);
	if (!code && sqlite_entry_has_node(&job->from))
		code = sqlite_xattrs_copy(txn, job->from.node.id, node.id);
	if (!code)
		code = sqlite_name_put(txn, job->request->to, &node, false,
				       job->from.object ? stamp : NULL);
	return code;
}

static int copy_entry(struct sqlite_txn *txn, struct move_job *job)
{
	const struct sqlite_entry *from = &job->from;
	struct sqlite_entry *to = &job->to;
	const char *key = job->request->to;
	bool is_new = !to->type;
	bool reuse = from->object && sqlite_entry_has_file_node(to) &&
		     to->node.links == 1;
	struct sqlite_stamp stamp = { .size = from->size,
				      .modified_at = from->modified_at };
	int code = sqlite_name_clean(txn, key, to);

	if (!code && to->object)
		code = sqlite_object_delete(txn, to->rowid, to->size);
	if (!code && !reuse && sqlite_entry_has_node(to))
		code = sqlite_name_drop(txn, key, &to->node);
	if (!code && from->object)
		code = sqlite_object_copy(txn, from->rowid, from->size, key,
					  &stamp.rowid);
	if (!code && txn->connection->shape.side)
		code = copy_side(txn, job, reuse, &stamp);
	if (!code && is_new)
		code = sqlite_parent_touch(txn, key, 0);
	return code;
}

static int copy_check(struct sqlite_txn *txn, struct move_job *job)
{
	const struct backend_move_request *request = job->request;
	int code = sqlite_entry_find(txn, request->from, &job->from);

	if (code)
		return code;
	job->from.type = sqlite_entry_file_type(&job->from);
	if (job->from.type == STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_IS_DIR);
	if (job->from.type != STORE_TYPE_FILE)
		return store_error_set(txn->error, STORE_INVALID,
				       "it is no regular file");
	code = sqlite_entry_check(txn, &job->from, &request->source);
	if (!code)
		code = load_target(txn, job);
	if (!code && job->to.type && strcmp(request->from, request->to) != 0 &&
	    !same_node(&job->from, &job->to))
		code = replace_check(txn, job, job->from.type);
	if (!code)
		code = sqlite_entry_check(txn, &job->to,
					  &request->precondition);
	return code;
}

static int copy_body(struct sqlite_txn *txn, void *arg)
{
	struct move_job *job = arg;
	const struct backend_move_request *request = job->request;
	int code = copy_check(txn, job);

	if (!code && strcmp(request->from, request->to) != 0 &&
	    !same_node(&job->from, &job->to))
		code = copy_entry(txn, job);
	if (!code)
		code = sqlite_entry_report(txn, request->to, job->info);
	return code;
}

int sqlite_copy(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error)
{
	struct move_job job = { .request = request, .info = info };

	return sqlite_write(self, context, copy_body, &job, error);
}
