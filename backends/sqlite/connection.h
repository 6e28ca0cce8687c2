/* SPDX-License-Identifier: MIT */
/*
 * One connection to the database, used by one thread at a time.
 *
 * It carries the context of the call that uses it: waiting for a lock and
 * long statements end with that call's deadline or cancellation.
 */
#ifndef STOREFS_SQLITE_CONNECTION_H
#define STOREFS_SQLITE_CONNECTION_H

#include <sqlite3.h>

#include "backends/sqlite/schema.h"
#include "backends/sqlite/statement.h"
#include <storefs/context.h>
#include <storefs/error.h>

/* What a commit waits for the disk with; the order of the option. */
enum sqlite_durable { DURABLE_DATA, DURABLE_FULL, DURABLE_NONE };

/* What every connection of one database shares; immutable. */
struct sqlite_settings {
	char *path; /* absolute */
	char *table;
	bool create;
	enum sqlite_durable sync;
	uint64_t max_size; /* of a body, from the options; 0 for none */
};

struct sqlite_connection {
	sqlite3 *db;
	const char *path;  /* borrowed from the settings */
	const char *table; /* the same */
	struct sqlite_shape shape;
	bool wal;
	bool lazy;		       /* synchronous is NORMAL at the moment */
	struct store_context *context; /* of the call; NULL: between calls */
	bool key_too_long;	       /* why storefs_rebase() failed */
	sqlite3_stmt *statements[SQL_STATEMENTS];
	struct sqlite_connection *next; /* for the pool */
};

enum sqlite_role { SQLITE_READER, SQLITE_WRITER };

/*
 * Open the file.  A writer makes it when the settings say so.  NOT_FOUND,
 * DENIED, CORRUPT ... name the file.
 */
int sqlite_connection_open(const struct sqlite_settings *settings,
			   enum sqlite_role role, struct store_context *context,
			   struct sqlite_connection **connection,
			   struct store_error *error) STORE_WARN_UNUSED;
/* NULL is fine. */
void sqlite_connection_close(struct sqlite_connection *connection);

/* Run statements without results. */
int sqlite_execute(struct sqlite_connection *connection, const char *sql,
		   struct store_error *error) STORE_WARN_UNUSED;
/* The first column of the first row; 0 when there is none. */
int sqlite_ask(struct sqlite_connection *connection, const char *sql,
	       int64_t *answer, struct store_error *error) STORE_WARN_UNUSED;

/*
 * The one translation: a result code of SQLite, not OK, to ours, with the
 * file named.  Returns the code.
 */
int sqlite_fail(const struct sqlite_connection *connection, int result,
		struct store_error *error);

#endif
