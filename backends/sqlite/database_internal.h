/* SPDX-License-Identifier: MIT */
/*
 * What database.c and part.c share: see database.h.
 */
#ifndef STOREFS_SQLITE_DATABASE_INTERNAL_H
#define STOREFS_SQLITE_DATABASE_INTERNAL_H

#include "backends/sqlite/database.h"

/* Wait for a release; the time is up at the latest with the context. */
int sqlite_wait_locked(struct sqlite_database *database,
		       struct store_context *context, struct store_error *error)
	REQUIRES(database->lock) STORE_WARN_UNUSED;

/*
 * These are for whoever is the writer (`writing`).
 */

/* Give the transaction its connection, set up for this call. */
int sqlite_writer_enter(struct sqlite_txn *txn) STORE_WARN_UNUSED;
/* A whole transaction. */
int sqlite_write_as_writer(struct sqlite_txn *txn, sqlite_body_fn *body,
			   void *arg) STORE_WARN_UNUSED;
/* Inside of one, before its body: the tables, and the time. */
int sqlite_ready_body(struct sqlite_txn *txn) STORE_WARN_UNUSED;
/* Behind one. */
void sqlite_vacuum_step(struct sqlite_database *database,
			struct sqlite_connection *connection);

/* A statement without results. */
int sqlite_run_sql(struct sqlite_connection *connection, enum sqlite_sql which,
		   struct store_error *error) STORE_WARN_UNUSED;
/* Away with whatever is open; the error that led here stays. */
void sqlite_roll_back(struct sqlite_connection *connection);

#endif
