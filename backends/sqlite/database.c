// SPDX-License-Identifier: MIT
/*
 * Connections and transactions of the SQLite store: see database.h.  Called
 * by every operation; calls connection.c and schema.c.
 *
 * `lock` protects the hand-out of connections only, and is never held while
 * SQLite is called.
 */
#include "config.h"

#include "backends/sqlite/database_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* How often a waiter looks whether its call was cancelled. */
#define WAIT_SLICE_NS (20 * NS_PER_MS)

enum {
	/*
	 * Making the index reads all of a table that was there, so only up to
	 * this size; without it, asking walks along bodies.
	 */
	INDEX_SIZE_MAX = 64 * 1024 * 1024,
	VACUUM_COMMITS = 256,
	VACUUM_FREED = 16 * 1024 * 1024,
};

struct sqlite_database *
sqlite_database_new(const struct sqlite_settings *settings)
{
	struct sqlite_database *database = calloc(1, sizeof(*database));

	if (!database)
		return NULL;
	database->settings = *settings;
	atomic_init(&database->ready, false);
	atomic_init(&database->lacks_side, false);
	atomic_init(&database->lacks_metadata, false);
	atomic_init(&database->lacks_publish, false);
	lock_init(&database->lock);
	condition_init(&database->changed);
	return database;
}

/* Nobody uses it any more, so nothing is locked. */
void sqlite_database_free(struct sqlite_database *database) NO_THREAD_SAFETY
{
	if (!database)
		return;
	while (database->idle) {
		struct sqlite_connection *next = database->idle->next;

		sqlite_connection_close(database->idle);
		database->idle = next;
	}
	sqlite_connection_close(database->snapshot);
	/* Last: it may copy the log into the database. */
	sqlite_connection_close(database->writer);
	condition_destroy(&database->changed);
	lock_destroy(&database->lock);
	free(database->settings.path);
	free(database->settings.table);
	free(database);
}

/* ---- who may ---- */

/* Wait for a release; the time is up at the latest with the context. */
int sqlite_wait_locked(struct sqlite_database *database,
		       struct store_context *context, struct store_error *error)
{
	int64_t slice = store_context_remaining(context);
	int code = store_context_check(context, error);

	if (code)
		return code;
	if (slice > WAIT_SLICE_NS)
		slice = WAIT_SLICE_NS;
	condition_wait_until(&database->changed, &database->lock,
			     clock_monotonic_ns() + slice);
	return STORE_OK;
}

static int writer_take(struct sqlite_database *database,
		       struct store_context *context, struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&database->lock);
	while (!code && database->writing)
		code = sqlite_wait_locked(database, context, error);
	if (!code)
		database->writing = true;
	lock_drop(&database->lock);
	return code;
}

static void writer_drop(struct sqlite_database *database)
{
	lock_take(&database->lock);
	database->writing = false;
	condition_broadcast(&database->changed);
	lock_drop(&database->lock);
}

/* An idle reader, or the right to open one (*connection is NULL then). */
static int reader_wait(struct sqlite_database *database,
		       struct store_context *context,
		       struct sqlite_connection **connection,
		       struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&database->lock);
	while (!code && !database->idle && database->readers == SQLITE_READERS)
		code = sqlite_wait_locked(database, context, error);
	if (!code) {
		*connection = database->idle;
		if (database->idle)
			database->idle = database->idle->next;
		else
			database->readers++;
	}
	lock_drop(&database->lock);
	return code;
}

/* NULL: it could not be opened, or is broken. */
static void reader_drop(struct sqlite_database *database,
			struct sqlite_connection *connection)
{
	lock_take(&database->lock);
	if (connection) {
		connection->next = database->idle;
		database->idle = connection;
	} else {
		database->readers--;
	}
	condition_broadcast(&database->changed);
	lock_drop(&database->lock);
}

static int reader_take(struct sqlite_database *database,
		       struct store_context *context,
		       struct sqlite_connection **connection,
		       struct store_error *error)
{
	int code = reader_wait(database, context, connection, error);

	if (code || *connection)
		return code;
	code = sqlite_connection_open(&database->settings, SQLITE_READER,
				      context, connection, error);
	if (code)
		reader_drop(database, NULL);
	return code;
}

/* ---- transactions ---- */

int sqlite_run_sql(struct sqlite_connection *connection, enum sqlite_sql which,
		   struct store_error *error)
{
	sqlite3_stmt *statement = sqlite_prepare(connection, which, error);

	return statement ? sqlite_run(connection, statement, error)
			 : error->code;
}

/* Away with whatever is open; the error that led here stays. */
void sqlite_roll_back(struct sqlite_connection *connection)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct store_context *context = connection->context;
	int code UNUSED;

	if (sqlite3_get_autocommit(connection->db))
		return;
	/* Not to be interrupted. */
	connection->context = NULL;
	code = sqlite_run_sql(connection, SQL_ROLLBACK, &ignored);
	connection->context = context;
}

/* All that this version makes, but for the index. */
static bool is_complete(const struct sqlite_shape *shape)
{
	return shape->table && shape->side && shape->publish;
}

/*
 * Tables of ours may have been made by another process since.  That they go
 * away is nobody's business but an administrator's.
 */
static int refresh_shape(struct sqlite_connection *connection,
			 struct store_error *error)
{
	if (is_complete(&connection->shape))
		return STORE_OK;
	return sqlite_schema_detect(connection, error);
}

static int no_table(const struct sqlite_connection *connection,
		    struct store_error *error)
{
	return store_error_set(error, STORE_NOT_FOUND, "%s: no table %s",
			       connection->path, connection->table);
}

static int make_tables(struct sqlite_txn *txn)
{
	struct sqlite_connection *connection = txn->connection;
	int64_t pages = 0;
	int64_t page_size = 0;
	int code;

	code = sqlite_ask(connection, "PRAGMA page_count", &pages, txn->error);
	if (!code)
		code = sqlite_ask(connection, "PRAGMA page_size", &page_size,
				  txn->error);
	if (code)
		return code;
	return sqlite_schema_create(
		connection, pages <= INDEX_SIZE_MAX / page_size, txn->error);
}

/* Inside the write transaction, where nobody else makes tables. */
static int complete_tables(struct sqlite_txn *txn)
{
	struct sqlite_connection *connection = txn->connection;
	int code = refresh_shape(connection, txn->error);

	if (code)
		return code;
	if (txn->database->settings.create && !is_complete(&connection->shape))
		return make_tables(txn);
	return connection->shape.table ? STORE_OK
				       : no_table(connection, txn->error);
}

/* Give back a bit of what removals left, now and then. */
void sqlite_vacuum_step(struct sqlite_database *database,
			struct sqlite_connection *connection)
{
	struct store_error ignored = STORE_ERROR_INIT;
	int64_t unused = 0;
	int64_t pages = 0;
	int code;

	if (++database->commits % VACUUM_COMMITS &&
	    database->freed < VACUUM_FREED)
		return;
	database->freed = 0;
	code = sqlite_ask(connection, "PRAGMA freelist_count", &unused,
			  &ignored);
	if (!code)
		code = sqlite_ask(connection, "PRAGMA page_count", &pages,
				  &ignored);
	if (!code && unused > 1024 && unused > pages / 4)
		code = sqlite_execute(connection,
				      "PRAGMA incremental_vacuum(4096)",
				      &ignored);
	/* Whatever came of it, the write itself is done. */
	(void)code;
}

static int64_t timespec_to_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * NS_PER_SEC + time.tv_nsec;
}

int sqlite_ready_body(struct sqlite_txn *txn)
{
	/* Taken as the writer, so that times follow the order of writes. */
	txn->now = timespec_to_ns(clock_now());
	return complete_tables(txn);
}

static int write_transaction(struct sqlite_txn *txn, sqlite_body_fn *body,
			     void *arg)
{
	struct sqlite_connection *connection = txn->connection;
	int code = sqlite_run_sql(connection, SQL_BEGIN_IMMEDIATE, txn->error);

	if (!code)
		code = sqlite_ready_body(txn);
	if (!code && body)
		code = body(txn, arg);
	if (!code)
		code = sqlite_run_sql(connection, SQL_COMMIT, txn->error);
	if (code)
		sqlite_roll_back(connection);
	/* What a failed transaction made of the tables is gone with it. */
	if (code)
		connection->shape.side = false;
	else
		sqlite_vacuum_step(txn->database, connection);
	return code;
}

/* Only with a write-ahead log is an unsynced commit safe from corruption. */
static int choose_sync(struct sqlite_txn *txn)
{
	struct sqlite_connection *connection = txn->connection;
	bool lazy = txn->lazy && connection->wal;
	int code;

	if (txn->database->settings.sync != DURABLE_DATA ||
	    connection->lazy == lazy)
		return STORE_OK;
	code = sqlite_execute(connection,
			      lazy ? "PRAGMA synchronous = NORMAL"
				   : "PRAGMA synchronous = FULL",
			      txn->error);
	if (!code)
		connection->lazy = lazy;
	return code;
}

int sqlite_writer_enter(struct sqlite_txn *txn)
{
	struct sqlite_database *database = txn->database;
	int code = STORE_OK;

	if (!database->writer)
		code = sqlite_connection_open(&database->settings,
					      SQLITE_WRITER, txn->context,
					      &database->writer, txn->error);
	if (code)
		return code;
	txn->connection = database->writer;
	txn->connection->context = txn->context;
	txn->connection->key_too_long = false;
	return choose_sync(txn);
}

int sqlite_write_as_writer(struct sqlite_txn *txn, sqlite_body_fn *body,
			   void *arg)
{
	int code = sqlite_writer_enter(txn);

	if (!code)
		code = write_transaction(txn, body, arg);
	if (txn->connection)
		txn->connection->context = NULL;
	return code;
}

static int write_with(struct sqlite_txn *txn, sqlite_body_fn *body, void *arg)
{
	int code = writer_take(txn->database, txn->context, txn->error);

	if (code)
		return code;
	code = sqlite_write_as_writer(txn, body, arg);
	writer_drop(txn->database);
	return code;
}

int sqlite_write(struct sqlite_database *database,
		 struct store_context *context, sqlite_body_fn *body, void *arg,
		 struct store_error *error)
{
	struct sqlite_txn txn = { .database = database,
				  .context = context,
				  .error = error };

	return write_with(&txn, body, arg);
}

int sqlite_write_name(struct sqlite_database *database,
		      struct store_context *context, sqlite_body_fn *body,
		      void *arg, struct store_error *error)
{
	struct sqlite_txn txn = { .database = database,
				  .context = context,
				  .error = error,
				  .lazy = true };

	return write_with(&txn, body, arg);
}

/*
 * The write-ahead log holds all that is not in the database file; commits
 * that were not synced are in it in their order.  A descriptor of the log may
 * be opened and closed freely: SQLite has no locks on it.  It is one log for
 * all folders.
 */
int sqlite_sync(void *self, struct store_context *context,
		const char *key UNUSED, struct store_error *error)
{
	struct sqlite_database *database = self;
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX);
	CLEANUP_FD int fd = -1;
	int code = store_context_check(context, error);

	if (code || database->settings.sync != DURABLE_DATA)
		return code;
	buf_addf(&path, "%s-wal", database->settings.path);
	code = buf_error(&path, "log", error);
	if (code)
		return code;
	fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? STORE_OK
				       : store_error_errno(error, errno, "%s",
							   buf_text(&path));
	if (fdatasync(fd))
		return store_error_errno(error, errno, "%s", buf_text(&path));
	return STORE_OK;
}

static int read_transaction(struct sqlite_txn *txn, sqlite_body_fn *body,
			    void *arg)
{
	struct sqlite_connection *connection = txn->connection;
	int code = sqlite_run_sql(connection, SQL_BEGIN, txn->error);

	if (!code)
		code = refresh_shape(connection, txn->error);
	if (!code && !connection->shape.table)
		code = no_table(connection, txn->error);
	if (!code)
		code = body(txn, arg);
	sqlite_roll_back(connection);
	return code;
}

int sqlite_read(struct sqlite_database *database, struct store_context *context,
		sqlite_body_fn *body, void *arg, struct store_error *error)
{
	struct sqlite_txn txn = { .database = database,
				  .context = context,
				  .error = error };
	int code = STORE_OK;

	if (!atomic_load(&database->ready))
		code = sqlite_database_open(database, context, error);
	if (!code)
		code = reader_take(database, context, &txn.connection, error);
	if (code)
		return code;
	txn.connection->context = context;
	code = read_transaction(&txn, body, arg);
	txn.connection->context = NULL;
	reader_drop(database, txn.connection);
	return code;
}

/* ---- opening ---- */

/* An id belongs to a version of ours, which is known by the time of its row. */
static bool lacks_publish(const struct sqlite_database *database,
			  const struct sqlite_shape *shape)
{
	return !shape->modified_at ||
	       (!database->settings.create && !shape->publish);
}

/* Does the file have what reading needs? */
static int open_body(struct sqlite_database *database,
		     struct store_context *context, struct store_error *error)
{
	struct sqlite_connection *writer = database->writer;
	int code = STORE_OK;

	if (!writer) {
		code = sqlite_connection_open(&database->settings,
					      SQLITE_WRITER, context, &writer,
					      error);
		if (code)
			return code;
		database->writer = writer;
	}
	writer->context = context;
	code = sqlite_schema_detect(writer, error);
	writer->context = NULL;
	if (!code && writer->shape.table && !database->settings.create) {
		atomic_store(&database->lacks_side, !writer->shape.side);
		atomic_store(&database->lacks_metadata,
			     !writer->shape.user_metadata);
	}
	if (!code && writer->shape.table)
		atomic_store(&database->lacks_publish,
			     lacks_publish(database, &writer->shape));
	return code;
}

int sqlite_database_open(struct sqlite_database *database,
			 struct store_context *context,
			 struct store_error *error)
{
	bool table = false;
	int code = writer_take(database, context, error);

	if (code)
		return code;
	code = open_body(database, context, error);
	if (!code)
		table = database->writer->shape.table;
	if (!code && !table && !database->settings.create)
		code = no_table(database->writer, error);
	writer_drop(database);
	/* A table that is there is left alone until something is written. */
	if (!code && !table)
		code = sqlite_write(database, context, NULL, NULL, error);
	if (!code)
		atomic_store(&database->ready, true);
	return code;
}

/* ---- the state before ---- */

int sqlite_snapshot_begin(struct sqlite_txn *txn,
			  struct sqlite_connection **snapshot)
{
	struct sqlite_database *database = txn->database;
	int64_t ignored;
	int code = STORE_OK;

	if (!database->snapshot)
		code = sqlite_connection_open(&database->settings,
					      SQLITE_READER, txn->context,
					      &database->snapshot, txn->error);
	if (code)
		return code;
	database->snapshot->context = txn->context;
	code = sqlite_run_sql(database->snapshot, SQL_BEGIN, txn->error);
	/* The first look is what fixes the state. */
	if (!code)
		code = sqlite_ask(database->snapshot, "PRAGMA schema_version",
				  &ignored, txn->error);
	if (code)
		sqlite_snapshot_end(txn);
	else
		*snapshot = database->snapshot;
	return code;
}

void sqlite_snapshot_end(struct sqlite_txn *txn)
{
	struct sqlite_connection *snapshot = txn->database->snapshot;

	if (!snapshot)
		return;
	sqlite_roll_back(snapshot);
	snapshot->context = NULL;
}
