// SPDX-License-Identifier: MIT
/*
 * Attributes and extended attributes.  They live in our tables only: the row
 * in the data table is not touched, so they cost nothing however large the
 * body, and the version of the content stays.  Called through the table in
 * sqlite.c; calls node.c.
 */
#include "config.h"

#include "backends/sqlite/node.h"
#include "backends/sqlite/operations.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"

/* The limits of Linux. */
enum {
	XATTR_NAME_LIMIT = 255,
	XATTR_VALUE_LIMIT = 65536,
	XATTR_NAMES_LIMIT = 65536,
};

/* ---- attributes ---- */

struct set_job {
	const char *key;
	const struct store_attributes *attributes;
	struct store_info *info;
};

static int set_body(struct sqlite_txn *txn, void *arg)
{
	const struct set_job *job = arg;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (!code)
		code = sqlite_entry_adopt(txn, job->key, &entry);
	if (code)
		return code;
	sqlite_node_set_attributes(&entry.node, job->attributes);
	entry.node.ctime = txn->now;
	code = sqlite_node_update(txn, &entry.node);
	if (!code)
		code = sqlite_entry_report(txn, job->key, job->info);
	return code;
}

int sqlite_set_attributes(void *self, struct store_context *context,
			  const char *key,
			  const struct store_attributes *attributes,
			  struct store_info *info, struct store_error *error)
{
	struct set_job job = { .key = key,
			       .attributes = attributes,
			       .info = info };

	return sqlite_write_name(self, context, set_body, &job, error);
}

/* ---- extended attributes ---- */

struct xattr_job {
	const char *key;
	const char *name;
	const struct store_xattr *xattr; /* to set; NULL: to remove */
	int flags;
	void *value;
	size_t size;
	struct buf names;
};

static int no_xattr(const struct sqlite_txn *txn)
{
	(void)store_error_set(txn->error, STORE_NOT_FOUND,
			      "no such extended attribute");
	txn->error->detail = ENODATA;
	return STORE_NOT_FOUND;
}

static int copy_value(const struct sqlite_txn *txn, sqlite3_stmt *s,
		      struct xattr_job *job)
{
	const void *value = sqlite3_column_blob(s, 0);

	job->size = (size_t)sqlite3_column_bytes(s, 0);
	job->value = malloc(job->size ? job->size : 1);
	if (!job->value)
		return txn_fail(txn, STORE_NO_MEMORY);
	if (job->size)
		memcpy(job->value, value, job->size);
	return STORE_OK;
}

/* Is it there?  With `job` its value is copied. */
static int find_xattr(struct sqlite_txn *txn, const struct sqlite_entry *entry,
		      const char *name, struct xattr_job *job, bool *found)
{
	sqlite3_stmt *s;
	int code;

	*found = false;
	if (!txn->connection->shape.side || !sqlite_entry_has_node(entry))
		return STORE_OK;
	s = txn_prepare(txn, SQL_XATTR_GET);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, entry->node.id);
	bind_text(s, 2, name);
	code = txn_step(txn, s, found);
	if (!code && *found && job)
		code = copy_value(txn, s, job);
	sqlite3_reset(s);
	return code;
}

static int get_body(struct sqlite_txn *txn, void *arg)
{
	struct xattr_job *job = arg;
	struct sqlite_entry entry;
	bool found;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (!code)
		code = find_xattr(txn, &entry, job->name, job, &found);
	if (!code && !found)
		code = no_xattr(txn);
	return code;
}

int sqlite_get_xattr(void *self, struct store_context *context, const char *key,
		     const char *name, void **value, size_t *size,
		     struct store_error *error)
{
	struct xattr_job job = { .key = key, .name = name };
	int code = sqlite_read(self, context, get_body, &job, error);

	if (code) {
		free(job.value);
		return code;
	}
	*value = job.value;
	*size = job.size;
	return STORE_OK;
}

static int list_body(struct sqlite_txn *txn, void *arg)
{
	struct xattr_job *job = arg;
	struct sqlite_entry entry;
	sqlite3_stmt *s;
	bool row;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (code || !txn->connection->shape.side ||
	    !sqlite_entry_has_node(&entry))
		return code;
	s = txn_prepare(txn, SQL_XATTR_LIST);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, entry.node.id);
	while (!(code = txn_step(txn, s, &row)) && row)
		buf_add(&job->names, sqlite3_column_text(s, 0),
			(size_t)sqlite3_column_bytes(s, 0) + 1);
	sqlite3_reset(s);
	if (!code)
		code = buf_error(&job->names, "extended attributes",
				 txn->error);
	return code;
}

int sqlite_list_xattrs(void *self, struct store_context *context,
		       const char *key, char **names, size_t *size,
		       struct store_error *error)
{
	struct xattr_job job = { .key = key,
				 .names = BUF_INIT(XATTR_NAMES_LIMIT) };
	int code = sqlite_read(self, context, list_body, &job, error);
	size_t length = job.names.length;
	char *text;

	if (code) {
		buf_release(&job.names);
		return code;
	}
	text = buf_steal(&job.names);
	if (!text)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	*names = text;
	*size = length;
	return STORE_OK;
}

static int delete_xattr(struct sqlite_txn *txn, int64_t node, const char *name)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_XATTR_DELETE);

	if (!s)
		return txn->error->code;
	bind_number(s, 1, node);
	bind_text(s, 2, name);
	return txn_run(txn, s);
}

static int change_check(const struct sqlite_txn *txn,
			const struct xattr_job *job, bool found)
{
	if (!found && (!job->xattr || (job->flags & XATTR_REPLACE)))
		return no_xattr(txn);
	if (found && job->xattr && (job->flags & XATTR_CREATE))
		return txn_fail(txn, STORE_EXISTS);
	return STORE_OK;
}

static int change_body(struct sqlite_txn *txn, void *arg)
{
	const struct xattr_job *job = arg;
	struct sqlite_entry entry;
	bool found;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (!code)
		code = find_xattr(txn, &entry, job->name, NULL, &found);
	if (!code)
		code = change_check(txn, job, found);
	if (!code)
		code = sqlite_entry_adopt(txn, job->key, &entry);
	if (code)
		return code;
	if (job->xattr)
		code = sqlite_xattr_put(txn, entry.node.id, job->xattr);
	else
		code = delete_xattr(txn, entry.node.id, job->name);
	entry.node.ctime = txn->now;
	if (!code)
		code = sqlite_node_update(txn, &entry.node);
	return code;
}

int sqlite_set_xattr(void *self, struct store_context *context, const char *key,
		     const struct store_xattr *xattr, int xattr_flags,
		     struct store_error *error)
{
	struct xattr_job job = { .key = key,
				 .name = xattr->name,
				 .xattr = xattr,
				 .flags = xattr_flags };

	if (!*xattr->name || strlen(xattr->name) > XATTR_NAME_LIMIT)
		return store_error_set(error, STORE_INVALID,
				       "the name of an extended attribute "
				       "has 1 to %d bytes",
				       XATTR_NAME_LIMIT);
	if (xattr->size > XATTR_VALUE_LIMIT)
		return store_error_set(error, STORE_TOO_LARGE,
				       "an extended attribute has at most "
				       "%d bytes",
				       XATTR_VALUE_LIMIT);
	return sqlite_write_name(self, context, change_body, &job, error);
}

int sqlite_remove_xattr(void *self, struct store_context *context,
			const char *key, const char *name,
			struct store_error *error)
{
	struct xattr_job job = { .key = key, .name = name };

	return sqlite_write_name(self, context, change_body, &job, error);
}
