/* SPDX-License-Identifier: MIT */
/*
 * An open database: one connection that writes, up to SQLITE_READERS that
 * read, and transactions on them.
 *
 *	static int job_body(struct sqlite_txn *txn, void *arg);
 *	code = sqlite_write(database, context, job_body, &job, error);
 *
 * One operation is one transaction.  Readers run beside each other and beside
 * the writer (WAL); writers of this process queue here, those of others at
 * the lock of the file.  Both waits end with the context of the call.
 *
 * The body of a write does not commit by itself and leaves no trace when it
 * fails, so that several of them may run in one transaction, for one flush.
 */
#ifndef STOREFS_SQLITE_DATABASE_H
#define STOREFS_SQLITE_DATABASE_H

#include <stdatomic.h>

#include "backends/sqlite/connection.h"
#include "src/base/sync.h"

enum { SQLITE_READERS = 8 };

struct sqlite_database {
	/* immutable */
	struct sqlite_settings settings;

	/* Set once, when the file has been opened. */
	atomic_bool ready;
	/* What of a table we may not make was there then. */
	atomic_bool lacks_side;
	atomic_bool lacks_metadata;
	atomic_bool lacks_publish;

	struct lock lock;
	struct condition changed; /* broadcast with every release */
	/* protected by lock */
	struct sqlite_connection *idle; /* readers nobody uses */
	struct sqlite_part *parts; /* waiting for a writer, the last first */
	int readers;		   /* open ones, used or not */
	bool writing;		   /* somebody is the writer */

	/* Belong to whoever is the writer. */
	struct sqlite_connection *writer;
	struct sqlite_connection *snapshot; /* NULL until it is needed */
	uint64_t commits;
	uint64_t freed; /* bytes of bodies since the last vacuum step */
};

/* A running transaction. */
struct sqlite_txn {
	struct sqlite_database *database;
	struct sqlite_connection *connection;
	struct store_context *context;
	struct store_error *error;
	bool lazy;   /* see sqlite_write_name() */
	int64_t now; /* ns since 1970 */
};

typedef int sqlite_body_fn(struct sqlite_txn *txn, void *arg);

/* Takes over the texts in `settings`; NULL when out of memory. */
struct sqlite_database *
sqlite_database_new(const struct sqlite_settings *settings);
/* NULL is fine. */
void sqlite_database_free(struct sqlite_database *database);
/*
 * Open the file and make the tables, as far as settings allow.  Without
 * `create` a missing file or table is NOT_FOUND; every later operation tries
 * again.
 */
int sqlite_database_open(struct sqlite_database *database,
			 struct store_context *context,
			 struct store_error *error) STORE_WARN_UNUSED;

/* Run `body` on one consistent state of the database. */
int sqlite_read(struct sqlite_database *database, struct store_context *context,
		sqlite_body_fn *body, void *arg, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Run `body` as the writer; commits when it returns STORE_OK.  The commit is
 * durable, and with it all before it.
 */
int sqlite_write(struct sqlite_database *database,
		 struct store_context *context, sqlite_body_fn *body, void *arg,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * The same for a body that is short and may run again: with those of others
 * who wait for the writer, too, it becomes one transaction.  Each has its own
 * outcome all the same.
 */
int sqlite_write_part(struct sqlite_database *database,
		      struct store_context *context, sqlite_body_fn *body,
		      void *arg, struct store_error *error) STORE_WARN_UNUSED;
/* How many of them wait for the writer to end. */
size_t sqlite_parts_waiting(const struct sqlite_database *database)
	REQUIRES(database->lock);
/*
 * The same for changes of names and attributes: with sync=data they become
 * durable with the next sqlite_write(), sqlite_sync() or checkpoint, in
 * their order.
 */
int sqlite_write_name(struct sqlite_database *database,
		      struct store_context *context, sqlite_body_fn *body,
		      void *arg, struct store_error *error) STORE_WARN_UNUSED;
/* Make all that was committed durable. */
int sqlite_sync(void *self, struct store_context *context, const char *key,
		struct store_error *error) STORE_WARN_UNUSED;

/*
 * For the body of a write: a second connection that sees the database as it
 * was when the transaction began, to copy from while that is overwritten.
 * End it before the body returns.
 */
int sqlite_snapshot_begin(struct sqlite_txn *txn,
			  struct sqlite_connection **snapshot)
	STORE_WARN_UNUSED;
void sqlite_snapshot_end(struct sqlite_txn *txn);

/* sqlite_prepare() and friends on the transaction. */
static inline sqlite3_stmt *txn_prepare(struct sqlite_txn *txn,
					enum sqlite_sql which)
{
	return sqlite_prepare(txn->connection, which, txn->error);
}

static inline STORE_WARN_UNUSED int txn_step(struct sqlite_txn *txn,
					     sqlite3_stmt *statement, bool *row)
{
	return sqlite_step(txn->connection, statement, row, txn->error);
}

static inline STORE_WARN_UNUSED int txn_run(struct sqlite_txn *txn,
					    sqlite3_stmt *statement)
{
	return sqlite_run(txn->connection, statement, txn->error);
}

/* An error of ours with the usual text; the core adds the key. */
static inline int txn_fail(const struct sqlite_txn *txn, int code)
{
	return store_error_set(txn->error, code, "%s", store_code_text(code));
}

#endif
