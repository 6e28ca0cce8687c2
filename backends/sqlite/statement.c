// SPDX-License-Identifier: MIT
/*
 * Every statement of the SQLite store, as templates of schema.c.  Called by
 * all files of this folder; calls connection.c for errors.
 *
 * What every query relies on: keys are compared by bytes, ranges and never
 * LIKE find what is below a folder, and each WHERE has an index, named where
 * the planner might choose another.
 */
#include "config.h"

#include "backends/sqlite/statement.h"

#include "backends/sqlite/connection.h"
#include "src/base/buf.h"

enum { SQL_MAX = 8192 };

/* The columns sqlite_entry_from_row() reads; one more may follow. */
#define OBJECT_COLUMNS "o.rowid, {S}, {M}"
#define SIDE_COLUMNS                                                   \
	"n.object, n.size, n.modified_at, n.type, d.id, d.links, "     \
	"d.version, d.mode, d.uid, d.gid, d.mtime, d.atime, d.ctime, " \
	"d.rdev, length(d.target)"
#define NO_SIDE_COLUMNS                                                \
	"NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, " \
	"NULL, NULL, NULL, NULL, NULL"
#define SIDE_JOIN \
	"LEFT JOIN {N} n ON n.key = o.key LEFT JOIN {D} d ON d.id = n.node "
#define OBJECTS_BELOW \
	"EXISTS (SELECT 1 FROM {T} o {I} WHERE o.key >= ?2 AND o.key < ?3)"
#define SPECIAL_BELOW                                 \
	"EXISTS (SELECT 1 FROM {N} s INDEXED BY {P} " \
	"WHERE s.type <> 1 AND s.key >= ?2 AND s.key < ?3)"
/* Nodes that lose their last name with the range ?1 ?2. */
#define PURGED                                                   \
	"(SELECT n.node FROM {N} n JOIN {D} d ON d.id = n.node " \
	"WHERE n.key >= ?1 AND n.key < ?2 "                      \
	"AND (n.linked = 0 OR d.links <= 0))"

struct sql_text {
	const char *text;
	const char *bare; /* without tables of ours, NULL: the same */
};

static const struct sql_text texts[SQL_STATEMENTS] = {
	[SQL_BEGIN] = { "BEGIN", NULL },
	[SQL_BEGIN_IMMEDIATE] = { "BEGIN IMMEDIATE", NULL },
	[SQL_COMMIT] = { "COMMIT", NULL },
	[SQL_ROLLBACK] = { "ROLLBACK", NULL },
	[SQL_PART_BEGIN] = { "SAVEPOINT part", NULL },
	[SQL_PART_END] = { "RELEASE part", NULL },
	[SQL_PART_ROLLBACK] = { "ROLLBACK TO part", NULL },
	[SQL_TABLE_INFO] = { "SELECT name FROM pragma_table_info(?1)", NULL },
	[SQL_HAS] = { "SELECT 1 FROM sqlite_master "
		      "WHERE name = ?1 || ?2 COLLATE NOCASE",
		      NULL },
	[SQL_HAS_PUBLISH] = { "SELECT 1 FROM pragma_table_info(?1 || ?2) "
			      "WHERE name = 'publish'",
			      NULL },

	[SQL_LOOKUP] = { "SELECT " OBJECT_COLUMNS ", " SIDE_COLUMNS
			 ", " OBJECTS_BELOW " OR " SPECIAL_BELOW
			 " FROM (SELECT ?1 AS key) k "
			 "LEFT JOIN {T} o {I} ON o.key = k.key "
			 "LEFT JOIN {N} n ON n.key = k.key "
			 "LEFT JOIN {D} d ON d.id = n.node",
			 "SELECT " OBJECT_COLUMNS ", " NO_SIDE_COLUMNS
			 ", " OBJECTS_BELOW " FROM (SELECT ?1 AS key) k "
			 "LEFT JOIN {T} o {I} ON o.key = k.key" },
	[SQL_LIST] = { "SELECT " OBJECT_COLUMNS ", " SIDE_COLUMNS ", o.key "
		       "FROM {T} o {I} " SIDE_JOIN
		       "WHERE o.key >= ?1 AND o.key < ?2 ORDER BY o.key",
		       "SELECT " OBJECT_COLUMNS ", " NO_SIDE_COLUMNS
		       ", o.key FROM {T} o {I} "
		       "WHERE o.key >= ?1 AND o.key < ?2 ORDER BY o.key" },
	[SQL_LIST_SPECIAL] = { "SELECT NULL, NULL, NULL, " SIDE_COLUMNS
			       ", n.key FROM {N} n INDEXED BY {P} "
			       "JOIN {D} d ON d.id = n.node WHERE n.type <> 1 "
			       "AND n.key >= ?1 AND n.key < ?2 ORDER BY n.key",
			       NULL },
	[SQL_IS_FOLDER] = { "SELECT 1 FROM {N} WHERE key = ?1 AND type = 2",
			    NULL },
	[SQL_KEY_OF_ROW] = { "SELECT key FROM {T} WHERE rowid = ?1", NULL },
	[SQL_DETAILS] = { "SELECT {DETAILS} FROM {T} WHERE rowid = ?1", NULL },
	[SQL_TARGET] = { "SELECT target FROM {D} WHERE id = ?1", NULL },
	[SQL_PUBLISH] = { "SELECT publish FROM {D} WHERE id = ?1", NULL },
	[SQL_NAMES_OF_NODE] = { "SELECT key FROM {N} INDEXED BY {K} "
				"WHERE node = ?1 AND linked = 1",
				NULL },

	[SQL_OBJECT_DATA] = { "SELECT data FROM {T} WHERE rowid = ?1", NULL },
	[SQL_OBJECT_INSERT] = { "INSERT INTO {T} (key, data{COLUMNS}) "
				"VALUES (?1, ?2{VALUES})",
				NULL },
	[SQL_OBJECT_UPDATE] = { "UPDATE {T} SET data = ?2{SET} "
				"WHERE rowid = ?1",
				NULL },
	[SQL_OBJECT_DELETE] = { "DELETE FROM {T} WHERE rowid = ?1", NULL },
	[SQL_OBJECT_RENAME] = { "UPDATE {T} SET key = ?2 WHERE rowid = ?1",
				NULL },
	[SQL_OBJECT_RENAME_EMPTY] = { "UPDATE {T} SET key = ?2, data = ?3 "
				      "WHERE rowid = ?1",
				      NULL },
	[SQL_OBJECT_COPY] = { "INSERT INTO {T} (key, data{COLUMNS}) "
			      "SELECT ?2, data{COLUMNS} FROM {T} "
			      "WHERE rowid = ?1",
			      NULL },
	[SQL_OBJECT_COPY_EMPTY] = { "INSERT INTO {T} (key, data{COLUMNS}) "
				    "VALUES (?2, ?3{SAME})",
				    NULL },
	[SQL_OBJECTS_DELETE] = { "DELETE FROM {T} "
				 "WHERE key >= ?1 AND key < ?2",
				 NULL },
	[SQL_OBJECTS_MOVE] = { "UPDATE {T} AS o "
			       "SET key = storefs_rebase(key, ?3, ?4) "
			       "WHERE key >= ?1 AND key < ?2 AND {S} <= ?5",
			       NULL },
	[SQL_OBJECTS_LARGE] = { "SELECT o.rowid, {S}, o.key FROM {T} o {I} "
				"WHERE o.key >= ?1 AND o.key < ?2 "
				"AND {S} > ?3 LIMIT 1",
				NULL },

	[SQL_NODE_INSERT] = { "INSERT INTO {D} (id, type, links, version, "
			      "mode, uid, gid, mtime, atime, ctime, rdev, "
			      "target) VALUES (CASE WHEN EXISTS (SELECT 1 FROM "
			      "{D} WHERE id = ?1) THEN NULL ELSE ?1 END, ?2, "
			      "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
			      NULL },
	[SQL_NODE_UPDATE] = { "UPDATE {D} SET type = ?2, links = ?3, "
			      "version = ?4, mode = ?5, uid = ?6, gid = ?7, "
			      "mtime = ?8, atime = ?9, ctime = ?10 "
			      "WHERE id = ?1",
			      NULL },
	[SQL_NODE_DELETE] = { "DELETE FROM {D} WHERE id = ?1", NULL },
	[SQL_NODE_UNLINK] = { "UPDATE {D} SET links = links - 1, ctime = ?2 "
			      "WHERE id = ?1",
			      NULL },
	/* No write where there is none and none was. */
	[SQL_NODE_PUBLISH] = { "UPDATE {D} SET publish = ?2 "
			       "WHERE id = ?1 AND publish IS NOT ?2",
			       NULL },
	[SQL_NAME_PUT] = { "INSERT OR REPLACE INTO {N} (key, node, type, "
			   "linked, object, size, modified_at) "
			   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			   NULL },
	[SQL_NAME_LINKED] = { "UPDATE {N} SET linked = 1 WHERE key = ?1",
			      NULL },
	[SQL_NAME_DELETE] = { "DELETE FROM {N} WHERE key = ?1", NULL },
	[SQL_NAME_MOVE] = { "UPDATE {N} SET key = ?2 WHERE key = ?1", NULL },
	[SQL_NAMES_MOVE] = { "UPDATE {N} "
			     "SET key = storefs_rebase(key, ?3, ?4) "
			     "WHERE key >= ?1 AND key < ?2",
			     NULL },
	/* A count of 1 is one nobody keeps: see sqlite_node_new_folder(). */
	[SQL_PARENT_TOUCH] = { "UPDATE {D} SET mtime = ?2, ctime = ?2, "
			       "links = CASE WHEN links > 1 THEN links + ?3 "
			       "ELSE links END WHERE id = (SELECT node "
			       "FROM {N} WHERE key = ?1 AND type = 2)",
			       NULL },
	[SQL_PURGE_UNLINK] = { "UPDATE {D} SET ctime = ?3, links = links - "
			       "(SELECT count(*) FROM {N} n INDEXED BY {K} "
			       "WHERE n.linked = 1 AND n.node = {D}.id "
			       "AND n.key >= ?1 AND n.key < ?2) "
			       "WHERE id IN (SELECT node FROM {N} "
			       "WHERE key >= ?1 AND key < ?2 AND linked = 1)",
			       NULL },
	[SQL_PURGE_XATTRS] = { "DELETE FROM {X} WHERE node IN " PURGED, NULL },
	[SQL_PURGE_NODES] = { "DELETE FROM {D} WHERE id IN " PURGED, NULL },
	[SQL_PURGE_NAMES] = { "DELETE FROM {N} WHERE key >= ?1 AND key < ?2",
			      NULL },
	[SQL_XATTR_GET] = { "SELECT value FROM {X} "
			    "WHERE node = ?1 AND name = ?2",
			    NULL },
	[SQL_XATTR_LIST] = { "SELECT name FROM {X} WHERE node = ?1 "
			     "ORDER BY name",
			     NULL },
	[SQL_XATTR_PUT] = { "INSERT OR REPLACE INTO {X} (node, name, value) "
			    "VALUES (?1, ?2, ?3)",
			    NULL },
	[SQL_XATTR_DELETE] = { "DELETE FROM {X} WHERE node = ?1 AND name = ?2",
			       NULL },
	[SQL_XATTRS_DELETE] = { "DELETE FROM {X} WHERE node = ?1", NULL },
	[SQL_XATTRS_COPY] = { "INSERT INTO {X} (node, name, value) "
			      "SELECT ?2, name, value FROM {X} WHERE node = ?1",
			      NULL },
};

static int prepare(struct sqlite_connection *connection, enum sqlite_sql which,
		   struct store_error *error)
{
	CLEANUP_BUF struct buf sql = BUF_INIT(SQL_MAX);
	const struct sql_text *text = &texts[which];
	int result;
	int code;

	sqlite_schema_expand(connection->table, &connection->shape,
			     text->bare && !connection->shape.side ? text->bare
								   : text->text,
			     &sql);
	code = buf_error(&sql, "SQL", error);
	if (code)
		return code;
	result = sqlite3_prepare_v3(connection->db, buf_text(&sql), -1,
				    SQLITE_PREPARE_PERSISTENT,
				    &connection->statements[which], NULL);
	return result ? sqlite_fail(connection, result, error) : STORE_OK;
}

sqlite3_stmt *sqlite_prepare(struct sqlite_connection *connection,
			     enum sqlite_sql which, struct store_error *error)
{
	sqlite3_stmt *statement = connection->statements[which];

	if (statement) {
		sqlite3_reset(statement);
		sqlite3_clear_bindings(statement);
		return statement;
	}
	if (prepare(connection, which, error))
		return NULL;
	return connection->statements[which];
}

void sqlite_statements_forget(struct sqlite_connection *connection)
{
	for (int i = 0; i < SQL_STATEMENTS; i++) {
		sqlite3_finalize(connection->statements[i]);
		connection->statements[i] = NULL;
	}
}

int sqlite_step(struct sqlite_connection *connection, sqlite3_stmt *statement,
		bool *row, struct store_error *error)
{
	int result = sqlite3_step(statement);

	if (result == SQLITE_ROW || result == SQLITE_DONE) {
		*row = result == SQLITE_ROW;
		return STORE_OK;
	}
	/* The message is of the connection, so ask before the reset. */
	(void)sqlite_fail(connection, result, error);
	sqlite3_reset(statement);
	return error->code;
}

int sqlite_run(struct sqlite_connection *connection, sqlite3_stmt *statement,
	       struct store_error *error)
{
	bool row = true;
	int code = STORE_OK;

	while (!code && row)
		code = sqlite_step(connection, statement, &row, error);
	sqlite3_reset(statement);
	return code;
}

void sqlite_range_below(struct sqlite_range *range, const char *folder)
{
	size_t length = strlen(folder);

	if (!length) {
		/* No key starts with a smaller byte. */
		memcpy(range->low, "\001", 2);
		range->high[0] = '\0';
		return;
	}
	memcpy(range->low, folder, length);
	memcpy(range->low + length, "/", 2);
	memcpy(range->high, folder, length);
	memcpy(range->high + length, "0", 2);
}
