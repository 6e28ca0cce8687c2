/* SPDX-License-Identifier: MIT */
/*
 * The statements, prepared once per connection.
 *
 *	s = sqlite_prepare(connection, SQL_X, error);
 *	if (!s)
 *		return error->code;
 *	bind_text(s, 1, key);
 *	return sqlite_run(connection, s, error);
 *
 * Bound text and blobs are borrowed until the statement is reset.  A
 * statement that is left in the middle keeps its transaction open: reset it.
 */
#ifndef STOREFS_SQLITE_STATEMENT_H
#define STOREFS_SQLITE_STATEMENT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <storefs/error.h>
#include <storefs/types.h>

struct sqlite_connection;

enum sqlite_sql {
	SQL_BEGIN,
	SQL_BEGIN_IMMEDIATE,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_PART_BEGIN,
	SQL_PART_END,
	SQL_PART_ROLLBACK,
	SQL_TABLE_INFO,
	SQL_HAS,
	SQL_HAS_PUBLISH,
	/* asking */
	SQL_LOOKUP,
	SQL_LIST,
	SQL_LIST_SPECIAL,
	SQL_IS_FOLDER,
	SQL_KEY_OF_ROW,
	SQL_DETAILS,
	SQL_TARGET,
	SQL_PUBLISH,
	SQL_NAMES_OF_NODE,
	/* rows of the data table */
	SQL_OBJECT_DATA,
	SQL_OBJECT_INSERT,
	SQL_OBJECT_UPDATE,
	SQL_OBJECT_DELETE,
	SQL_OBJECT_RENAME,
	SQL_OBJECT_RENAME_EMPTY,
	SQL_OBJECT_COPY,
	SQL_OBJECT_COPY_EMPTY,
	SQL_OBJECTS_DELETE,
	SQL_OBJECTS_MOVE,
	SQL_OBJECTS_LARGE,
	/* rows of ours */
	SQL_NODE_INSERT,
	SQL_NODE_UPDATE,
	SQL_NODE_DELETE,
	SQL_NODE_UNLINK,
	SQL_NODE_PUBLISH,
	SQL_NAME_PUT,
	SQL_NAME_LINKED,
	SQL_NAME_DELETE,
	SQL_NAME_MOVE,
	SQL_NAMES_MOVE,
	SQL_PARENT_TOUCH,
	SQL_PURGE_UNLINK,
	SQL_PURGE_XATTRS,
	SQL_PURGE_NODES,
	SQL_PURGE_NAMES,
	SQL_XATTR_GET,
	SQL_XATTR_LIST,
	SQL_XATTR_PUT,
	SQL_XATTR_DELETE,
	SQL_XATTRS_DELETE,
	SQL_XATTRS_COPY,
	SQL_STATEMENTS,
};

/* NULL on failure, with the error set. */
sqlite3_stmt *sqlite_prepare(struct sqlite_connection *connection,
			     enum sqlite_sql which, struct store_error *error);
/* Finalise them all: the shape has changed, or the end has come. */
void sqlite_statements_forget(struct sqlite_connection *connection);
/* One step; resets the statement when it fails. */
int sqlite_step(struct sqlite_connection *connection, sqlite3_stmt *statement,
		bool *row, struct store_error *error) STORE_WARN_UNUSED;
/* To the end, and reset. */
int sqlite_run(struct sqlite_connection *connection, sqlite3_stmt *statement,
	       struct store_error *error) STORE_WARN_UNUSED;

/*
 * The keys below a folder: key >= low AND key < high.  Byte order makes that
 * exact: '0' follows '/'.
 */
struct sqlite_range {
	char low[STORE_KEY_MAX + 3];
	char high[STORE_KEY_MAX + 3]; /* "" for no end */
};
void sqlite_range_below(struct sqlite_range *range, const char *folder);

/*
 * Nothing is copied, so nothing can fail but an index out of range or a
 * length over the limit, which callers have checked.
 */
static inline void bind_text(sqlite3_stmt *s, int i, const char *text)
{
	if (text)
		sqlite3_bind_text(s, i, text, (int)strlen(text), SQLITE_STATIC);
	else
		sqlite3_bind_null(s, i);
}

static inline void bind_number(sqlite3_stmt *s, int i, int64_t number)
{
	sqlite3_bind_int64(s, i, number);
}

static inline void bind_real(sqlite3_stmt *s, int i, double real)
{
	sqlite3_bind_double(s, i, real);
}

static inline void bind_blob(sqlite3_stmt *s, int i, const void *data,
			     uint64_t size)
{
	/* A NULL pointer would be NULL in SQL. */
	sqlite3_bind_blob64(s, i, data ? data : "", size, SQLITE_STATIC);
}

/* Binds i and i + 1.  Every blob sorts behind every text. */
static inline void bind_range(sqlite3_stmt *s, int i,
			      const struct sqlite_range *range)
{
	bind_text(s, i, range->low);
	if (range->high[0])
		bind_text(s, i + 1, range->high);
	else
		bind_blob(s, i + 1, "", 0);
}

#endif
