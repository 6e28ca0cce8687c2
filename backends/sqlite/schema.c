// SPDX-License-Identifier: MIT
/*
 * Tables of the SQLite store: see schema.h.  Called by connection.c and
 * database.c; calls the connection it is given.
 *
 * remote-store declares `data` as the second column.  Columns are addressed
 * by name on both sides, so their order is ours to choose, and it decides
 * what SQLite can do: a row whose body is followed by other values is built
 * in memory as a whole.  So a table of our making has the body last; one
 * that was there is taken as it is.
 */
#include "config.h"

#include "backends/sqlite/schema.h"

#include <stddef.h>
#include <string.h>

#include "backends/sqlite/connection.h"
#include "backends/sqlite/statement.h"

enum { TABLE_NAME_MAX = 64, SQL_MAX = 8192 };

bool sqlite_table_name_ok(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char others[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t length = strlen(name);

	return length > 0 && length <= TABLE_NAME_MAX &&
	       strchr(letters, name[0]) && strspn(name, others) == length &&
	       sqlite3_strnicmp(name, "sqlite_", 7) != 0;
}

/* ---- templates ---- */

/* The columns beside key and data, with their parameters in an update. */
struct column {
	const char *name;
	size_t present; /* offset of its flag in the shape */
	const char *value;
	/* Parameter that says whether to set it at all, NULL: always. */
	const char *choice;
};

static const struct column columns[] = {
	{ "size", offsetof(struct sqlite_shape, size), "?3", NULL },
	{ "modified_at", offsetof(struct sqlite_shape, modified_at), "?4",
	  NULL },
	{ "content_type", offsetof(struct sqlite_shape, content_type), "?5",
	  "?6" },
	{ "digest", offsetof(struct sqlite_shape, digest), "NULL", NULL },
	{ "extra", offsetof(struct sqlite_shape, extra), "NULL", "?7" },
	{ "user_metadata", offsetof(struct sqlite_shape, user_metadata), "?8",
	  "?9" },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static bool has_column(const struct sqlite_shape *shape,
		       const struct column *column)
{
	return *(const bool *)((const char *)shape + column->present);
}

static void add_set(const struct sqlite_shape *shape, struct buf *sql)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		const struct column *c = &columns[i];

		if (!has_column(shape, c))
			continue;
		if (c->choice)
			buf_addf(sql, ", %s = CASE WHEN %s THEN %s ELSE %s END",
				 c->name, c->choice, c->value, c->name);
		else
			buf_addf(sql, ", %s = %s", c->name, c->value);
	}
}

static void add_list(const struct sqlite_shape *shape, bool values,
		     struct buf *sql)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (has_column(shape, &columns[i]))
			buf_addf(sql, ", %s",
				 values ? columns[i].value : columns[i].name);
}

static void add_same(const struct sqlite_shape *shape, const char *table,
		     struct buf *sql)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (has_column(shape, &columns[i]))
			buf_addf(sql,
				 ", (SELECT %s FROM \"%s\" WHERE rowid = ?1)",
				 columns[i].name, table);
}

static void add_details(const struct sqlite_shape *shape, struct buf *sql)
{
	buf_addf(sql, "%s, %s, %s",
		 shape->content_type ? "content_type" : "NULL",
		 shape->digest ? "digest" : "NULL",
		 shape->user_metadata ? "user_metadata" : "NULL");
}

/*
 * The index has it for nothing.  Else the header of the row tells the length
 * of a blob without a look at it; a text counts characters.
 */
static const char *size_text(const struct sqlite_shape *shape)
{
	if (shape->index)
		return "o.size";
	return "CASE typeof(o.data) WHEN 'blob' THEN length(o.data) "
	       "ELSE length(CAST(o.data AS BLOB)) END";
}

struct template
{
	const char *table;
	const struct sqlite_shape *shape;
	struct buf *sql;
};

/* Words that stand for a name: the suffix behind that of the data table. */
static const struct {
	const char *word;
	const char *suffix;
} names[] = {
	{ "T", "" },
	{ "N", "_storefs_names" },
	{ "D", "_storefs_nodes" },
	{ "X", "_storefs_xattrs" },
	{ "L", "_storefs_list" },
	{ "P", "_storefs_special" },
	{ "K", "_storefs_linked" },
};

static bool is_word(const char *word, size_t length, const char *wanted)
{
	return strlen(wanted) == length && !strncmp(word, wanted, length);
}

static bool add_name(const struct template *t, const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is_word(word, length, names[i].word))
			continue;
		buf_addf(t->sql, "\"%s%s\"", t->table, names[i].suffix);
		return true;
	}
	return false;
}

static void add_word(const struct template *t, const char *word, size_t length)
{
	const struct sqlite_shape *shape = t->shape;

	if (add_name(t, word, length))
		return;
	if (is_word(word, length, "I") && shape->index)
		buf_addf(t->sql, "INDEXED BY \"%s_storefs_list\"", t->table);
	else if (is_word(word, length, "S"))
		buf_add_text(t->sql, size_text(shape));
	else if (is_word(word, length, "M"))
		buf_add_text(t->sql,
			     shape->modified_at ? "o.modified_at" : "0.0");
	else if (is_word(word, length, "SET"))
		add_set(shape, t->sql);
	else if (is_word(word, length, "COLUMNS"))
		add_list(shape, false, t->sql);
	else if (is_word(word, length, "VALUES"))
		add_list(shape, true, t->sql);
	else if (is_word(word, length, "SAME"))
		add_same(shape, t->table, t->sql);
	else if (is_word(word, length, "DETAILS"))
		add_details(shape, t->sql);
}

void sqlite_schema_expand(const char *table, const struct sqlite_shape *shape,
			  const char *template, struct buf *sql)
{
	struct template t = { .table = table, .shape = shape, .sql = sql };

	while (*template) {
		size_t plain = strcspn(template, "{");
		size_t word;

		buf_add(sql, template, plain);
		template += plain;
		if (!*template)
			return;
		word = strcspn(template, "}") - 1;
		add_word(&t, template + 1, word);
		template += word + 2;
	}
}

/* ---- looking ---- */

static void note_column(struct sqlite_shape *shape, const char *name, bool *key,
			bool *data)
{
	*key |= !sqlite3_stricmp(name, "key");
	shape->data_last = !sqlite3_stricmp(name, "data");
	*data |= shape->data_last;
	for (size_t i = 0; i < COLUMNS; i++)
		if (!sqlite3_stricmp(name, columns[i].name))
			*(bool *)((char *)shape + columns[i].present) = true;
}

static int detect_columns(struct sqlite_connection *connection,
			  struct sqlite_shape *shape, struct store_error *error)
{
	struct sqlite3_stmt *s =
		sqlite_prepare(connection, SQL_TABLE_INFO, error);
	bool key = false;
	bool data = false;
	bool row;
	int code;

	if (!s)
		return error->code;
	bind_text(s, 1, connection->table);
	while (!(code = sqlite_step(connection, s, &row, error)) && row)
		note_column(shape, (const char *)sqlite3_column_text(s, 0),
			    &key, &data);
	sqlite3_reset(s);
	shape->table = key || data;
	if (!code && shape->table && !(key && data))
		return store_error_set(
			error, STORE_INVALID,
			"%s: table %s has no columns key and data",
			connection->path, connection->table);
	return code;
}

static int detect(struct sqlite_connection *connection, enum sqlite_sql which,
		  const char *suffix, bool *found, struct store_error *error)
{
	struct sqlite3_stmt *s = sqlite_prepare(connection, which, error);
	int code;

	if (!s)
		return error->code;
	bind_text(s, 1, connection->table);
	bind_text(s, 2, suffix);
	code = sqlite_step(connection, s, found, error);
	sqlite3_reset(s);
	return code;
}

int sqlite_schema_detect(struct sqlite_connection *connection,
			 struct store_error *error)
{
	struct sqlite_shape shape = { .table = false };
	int code = detect_columns(connection, &shape, error);

	if (!code)
		code = detect(connection, SQL_HAS, "_storefs_names",
			      &shape.side, error);
	if (!code)
		code = detect(connection, SQL_HAS, "_storefs_list",
			      &shape.index, error);
	if (!code && shape.side)
		code = detect(connection, SQL_HAS_PUBLISH, "_storefs_nodes",
			      &shape.publish, error);
	if (code)
		return code;
	if (memcmp(&shape, &connection->shape, sizeof(shape)) != 0)
		sqlite_statements_forget(connection);
	connection->shape = shape;
	return STORE_OK;
}

/* ---- making ---- */

static const char table_sql[] =
	"CREATE TABLE {T} (\n"
	"\tkey TEXT PRIMARY KEY NOT NULL,\n"
	"\tsize INTEGER NOT NULL,\n"
	"\tmodified_at REAL NOT NULL,\n"
	"\tcontent_type TEXT,\n"
	"\tdigest TEXT,\n"
	"\textra TEXT,\n"
	"\tuser_metadata TEXT,\n"
	"\tdata BLOB NOT NULL -- last: the others are read without it\n"
	")";

static const char index_sql[] =
	"CREATE INDEX IF NOT EXISTS {L} ON {T} (key, size, modified_at)";

/*
 * Times are nanoseconds since 1970; `type` is that of <storefs/types.h>.
 * A file's version is 0 as long as its content is not ours.
 */
static const char *const side_sql[] = {
	"CREATE TABLE {D} (\n"
	"\tid INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"\ttype INTEGER NOT NULL,\n"
	"\tlinks INTEGER NOT NULL,\n"
	"\tversion INTEGER NOT NULL,\n"
	"\tmode INTEGER,\n"
	"\tuid INTEGER,\n"
	"\tgid INTEGER,\n"
	"\tmtime INTEGER,\n"
	"\tatime INTEGER,\n"
	"\tctime INTEGER NOT NULL,\n"
	"\trdev INTEGER NOT NULL,\n"
	"\ttarget BLOB,\n"
	"\tpublish BLOB\n"
	")",
	"CREATE TABLE {N} (\n"
	"\tkey TEXT PRIMARY KEY NOT NULL,\n"
	"\tnode INTEGER NOT NULL,\n"
	"\ttype INTEGER NOT NULL,\n"
	"\tlinked INTEGER NOT NULL DEFAULT 0,\n"
	"\tobject INTEGER,\n"
	"\tsize INTEGER,\n"
	"\tmodified_at REAL\n"
	") WITHOUT ROWID",
	"CREATE TABLE {X} (\n"
	"\tnode INTEGER NOT NULL,\n"
	"\tname TEXT NOT NULL,\n"
	"\tvalue BLOB NOT NULL,\n"
	"\tPRIMARY KEY (node, name)\n"
	") WITHOUT ROWID",
	/* Few rows in each: plain files are in neither. */
	"CREATE INDEX {P} ON {N} (key) WHERE type <> 1",
	"CREATE INDEX {K} ON {N} (node) WHERE linked = 1",
	/* The root, which always exists. */
	"INSERT INTO {D} (id, type, links, version, mtime, atime, ctime, rdev)"
	" SELECT 1, 2, CASE WHEN EXISTS (SELECT 1 FROM {T}) THEN 1 ELSE 2 END,"
	" 0, now, now, now, 0 FROM"
	" (SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000000 AS now)",
	"INSERT INTO {N} (key, node, type) VALUES ('', 1, 2)",
	NULL,
};

/* For tables of ours made before there was such a column. */
static const char publish_sql[] = "ALTER TABLE {D} ADD COLUMN publish BLOB";

static int create(struct sqlite_connection *connection, const char *template,
		  struct store_error *error)
{
	CLEANUP_BUF struct buf sql = BUF_INIT(SQL_MAX);
	int code;

	sqlite_schema_expand(connection->table, &connection->shape, template,
			     &sql);
	code = buf_error(&sql, "SQL", error);
	if (!code)
		code = sqlite_execute(connection, buf_text(&sql), error);
	return code;
}

int sqlite_schema_create(struct sqlite_connection *connection, bool index,
			 struct store_error *error)
{
	struct sqlite_shape *shape = &connection->shape;
	int code = STORE_OK;

	if (!shape->table) {
		code = create(connection, table_sql, error);
		index = true;
	} else {
		index &= shape->size && shape->modified_at;
	}
	if (!code && index && !shape->index)
		code = create(connection, index_sql, error);
	if (!code && shape->side && !shape->publish)
		code = create(connection, publish_sql, error);
	for (size_t i = 0; !code && !shape->side && side_sql[i]; i++)
		code = create(connection, side_sql[i], error);
	if (!code)
		code = sqlite_schema_detect(connection, error);
	return code;
}
