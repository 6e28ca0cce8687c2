// SPDX-License-Identifier: MIT
/*
 * Opening a connection, its settings, and the translation of errors: see
 * connection.h.  Called by database.c; the only callbacks SQLite has from us
 * are here.
 *
 * A database of our making is in WAL mode, so that readers and the writer do
 * not wait for each other and a commit is one synced append; it has
 * auto_vacuum=INCREMENTAL, whose pointer maps also let a read reach the end
 * of a large body without walking along it.  Of a database that was there
 * nothing persistent is changed.
 */
#include "config.h"

#include "backends/sqlite/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/key.h"

/* Small puts write a handful of pages, large reads walk over all of a body. */
#define PAGE_SIZE "8192"
/* 16 MiB between two copies of the log into the database. */
#define CHECKPOINT_PAGES "2048"
/* What the log keeps of the disk after a large put: 64 MiB. */
#define JOURNAL_LIMIT "67108864"

enum {
	PROGRESS_STEPS = 4000,
	LOCK_WAITS_MAX = 6000, /* a minute, for calls without any limit */
};

/* ---- errors ---- */

/* Why the call has to end, when its context is the cause. */
static bool context_over(const struct sqlite_connection *connection,
			 const char *what, struct store_error *error)
{
	int code;

	if (!connection->context)
		return false;
	code = store_context_check(connection->context, error);
	if (code && what)
		(void)store_error_prefix(error, "%s: %s", connection->path,
					 what);
	return code != STORE_OK;
}

/* SQLite's errno may be stale, so look again. */
static int open_failure(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return STORE_INVALID;
		return access(path, R_OK) ? STORE_DENIED : STORE_UNAVAILABLE;
	}
	if (errno == EACCES)
		return STORE_DENIED;
	return errno == ENOENT || errno == ENOTDIR ? STORE_NOT_FOUND
						   : STORE_UNAVAILABLE;
}

static int io_failure(const struct sqlite_connection *connection)
{
	int number = connection->db ? sqlite3_system_errno(connection->db) : 0;

	if (number == ENOSPC || number == EDQUOT)
		return STORE_NO_SPACE;
	return number == EROFS ? STORE_READ_ONLY : STORE_UNAVAILABLE;
}

static int failure_code(const struct sqlite_connection *connection, int result)
{
	switch (result & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return STORE_LOCKED;
	case SQLITE_FULL:
		return STORE_NO_SPACE;
	case SQLITE_TOOBIG:
		return STORE_TOO_LARGE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STORE_CORRUPT;
	case SQLITE_READONLY:
		return STORE_READ_ONLY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return STORE_DENIED;
	case SQLITE_CANTOPEN:
		return open_failure(connection->path);
	case SQLITE_IOERR:
		return io_failure(connection);
	case SQLITE_NOMEM:
		return STORE_NO_MEMORY;
	case SQLITE_CONSTRAINT: /* a table of another making wants more */
		return STORE_INVALID;
	case SQLITE_INTERRUPT:
		return STORE_CANCELLED;
	default:
		return STORE_INTERNAL;
	}
}

int sqlite_fail(const struct sqlite_connection *connection, int result,
		struct store_error *error)
{
	const char *text = connection->db ? sqlite3_errmsg(connection->db)
					  : sqlite3_errstr(result);
	int code = failure_code(connection, result);

	if (code == STORE_LOCKED &&
	    context_over(connection, "locked by another process", error))
		return error->code;
	if (code == STORE_CANCELLED && context_over(connection, NULL, error))
		return error->code;
	if (connection->key_too_long) {
		(void)store_error_set(error, STORE_INVALID,
				      "a key below would be too long");
		error->detail = ENAMETOOLONG;
		return STORE_INVALID;
	}
	/* The table was dropped: an absent store, not a bug. */
	if (code == STORE_INTERNAL && !strncmp(text, "no such table", 13))
		code = STORE_NOT_FOUND;
	(void)store_error_set(error, code, "%s: %s", connection->path, text);
	error->detail = result;
	return code;
}

/* ---- callbacks ---- */

static int wait_for_lock(void *arg, int count)
{
	const struct sqlite_connection *connection = arg;
	struct store_error ignored = STORE_ERROR_INIT;
	int64_t pause = count < 10 ? NS_PER_MS : 10 * NS_PER_MS;

	if (count > LOCK_WAITS_MAX &&
	    (!connection->context ||
	     store_context_remaining(connection->context) == INT64_MAX))
		return 0;
	return store_context_sleep(connection->context, pause, &ignored) ==
	       STORE_OK;
}

/* Steps of a statement are progress; only an end set from outside counts. */
static int keep_going(void *arg)
{
	const struct sqlite_connection *connection = arg;
	struct store_error ignored = STORE_ERROR_INIT;

	if (!connection->context)
		return 0;
	if (store_context_check(connection->context, &ignored))
		return 1;
	store_context_progress(connection->context);
	return 0;
}

/* storefs_rebase(key, n, folder): the key without n bytes, below `folder`. */
static void rebase(sqlite3_context *call, int count, sqlite3_value **values)
{
	struct sqlite_connection *connection = sqlite3_user_data(call);
	const char *key = (const char *)sqlite3_value_text(values[0]);
	size_t length = (size_t)sqlite3_value_bytes(values[0]);
	size_t skip = (size_t)sqlite3_value_int64(values[1]);
	const char *folder = (const char *)sqlite3_value_text(values[2]);
	size_t before = (size_t)sqlite3_value_bytes(values[2]);
	char text[STORE_KEY_MAX];

	(void)count;
	if (!key || !folder || skip > length) {
		sqlite3_result_error_nomem(call);
		return;
	}
	if (length - skip > sizeof(text) ||
	    before > sizeof(text) - (length - skip)) {
		connection->key_too_long = true;
		sqlite3_result_error_toobig(call);
		return;
	}
	memcpy(text, folder, before);
	memcpy(text + before, key + skip, length - skip);
	sqlite3_result_text(call, text, (int)(before + length - skip),
			    SQLITE_TRANSIENT);
}

/* ---- opening ---- */

int sqlite_execute(struct sqlite_connection *connection, const char *sql,
		   struct store_error *error)
{
	int result = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);

	return result ? sqlite_fail(connection, result, error) : STORE_OK;
}

int sqlite_ask(struct sqlite_connection *connection, const char *sql,
	       int64_t *answer, struct store_error *error)
{
	sqlite3_stmt *s = NULL;
	int result = sqlite3_prepare_v2(connection->db, sql, -1, &s, NULL);
	bool row = false;
	int code;

	if (result)
		return sqlite_fail(connection, result, error);
	code = sqlite_step(connection, s, &row, error);
	if (!code)
		*answer = row ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return code;
}

/* Does a pragma answer with this text? */
static int ask_text(struct sqlite_connection *connection, const char *sql,
		    const char *wanted, bool *is, struct store_error *error)
{
	sqlite3_stmt *s = NULL;
	int result = sqlite3_prepare_v2(connection->db, sql, -1, &s, NULL);
	const char *text;
	bool row = false;
	int code;

	if (result)
		return sqlite_fail(connection, result, error);
	code = sqlite_step(connection, s, &row, error);
	text = row ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (!code)
		*is = text && !sqlite3_stricmp(text, wanted);
	sqlite3_finalize(s);
	return code;
}

static int install(struct sqlite_connection *connection,
		   struct store_error *error)
{
	int result;

	sqlite3_extended_result_codes(connection->db, 1);
	sqlite3_busy_handler(connection->db, wait_for_lock, connection);
	sqlite3_progress_handler(connection->db, PROGRESS_STEPS, keep_going,
				 connection);
	result = sqlite3_create_function_v2(
		connection->db, "storefs_rebase", 3,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		connection, rebase, NULL, NULL, NULL);
	return result ? sqlite_fail(connection, result, error) : STORE_OK;
}

/* A file without a page is new: only then the persistent settings are ours. */
static int set_up_new(struct sqlite_connection *connection,
		      struct store_error *error)
{
	int64_t pages = 0;
	int code = sqlite_ask(connection, "PRAGMA page_count", &pages, error);

	if (code || pages)
		return code;
	return sqlite_execute(connection,
			      "PRAGMA page_size = " PAGE_SIZE ";"
			      "PRAGMA auto_vacuum = INCREMENTAL;"
			      "PRAGMA journal_mode = WAL",
			      error);
}

static int set_up_writer(struct sqlite_connection *connection,
			 const struct sqlite_settings *settings,
			 struct store_error *error)
{
	int code = sqlite_execute(connection,
				  settings->sync == DURABLE_NONE
					  ? "PRAGMA synchronous = NORMAL"
					  : "PRAGMA synchronous = FULL",
				  error);

	connection->lazy = settings->sync == DURABLE_NONE;

	/*
	 * Spilling outside WAL mode waits for readers, and one of them may be
	 * ourselves: see sqlite_snapshot().
	 */
	if (!code && !connection->wal)
		code = sqlite_execute(connection, "PRAGMA cache_spill = OFF",
				      error);
	if (code)
		return code;
	return sqlite_execute(connection,
			      "PRAGMA wal_autocheckpoint = " CHECKPOINT_PAGES
			      "; PRAGMA journal_size_limit = " JOURNAL_LIMIT
			      "; PRAGMA secure_delete = FAST"
			      "; PRAGMA foreign_keys = OFF",
			      error);
}

static int set_up(struct sqlite_connection *connection,
		  const struct sqlite_settings *settings, enum sqlite_role role,
		  struct store_error *error)
{
	bool utf8 = false;
	int code = STORE_OK;

	if (role == SQLITE_WRITER && settings->create)
		code = set_up_new(connection, error);
	if (!code)
		code = ask_text(connection, "PRAGMA encoding", "UTF-8", &utf8,
				error);
	if (!code && !utf8)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "%s: its text is not in UTF-8",
				       connection->path);
	if (!code)
		code = ask_text(connection, "PRAGMA journal_mode", "wal",
				&connection->wal, error);
	if (code)
		return code;
	if (role == SQLITE_WRITER)
		return set_up_writer(connection, settings, error);
	return sqlite_execute(connection, "PRAGMA query_only = ON", error);
}

static int open_file(struct sqlite_connection *connection,
		     const struct sqlite_settings *settings,
		     enum sqlite_role role, struct store_error *error)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	int result;
	int code;

	if (role == SQLITE_WRITER && settings->create)
		flags |= SQLITE_OPEN_CREATE;
	result =
		sqlite3_open_v2(connection->path, &connection->db, flags, NULL);
	if (result)
		return sqlite_fail(connection, result, error);
	code = install(connection, error);
	if (!code)
		code = set_up(connection, settings, role, error);
	if (!code)
		code = sqlite_schema_detect(connection, error);
	return code;
}

int sqlite_connection_open(const struct sqlite_settings *settings,
			   enum sqlite_role role, struct store_context *context,
			   struct sqlite_connection **connection,
			   struct store_error *error)
{
	struct sqlite_connection *made = calloc(1, sizeof(*made));
	int code;

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	made->path = settings->path;
	made->table = settings->table;
	made->context = context;
	code = open_file(made, settings, role, error);
	made->context = NULL;
	if (code)
		sqlite_connection_close(made);
	else
		*connection = made;
	return code;
}

void sqlite_connection_close(struct sqlite_connection *connection)
{
	int result UNUSED;

	if (!connection)
		return;
	sqlite_statements_forget(connection);
	/* Also of a failed open.  v2: a statement left over is no leak. */
	result = sqlite3_close_v2(connection->db);
	free(connection);
}
