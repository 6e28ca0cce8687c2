// SPDX-License-Identifier: MIT
/*
 * Several writes in one transaction: whoever finds no writer at work takes
 * all who wait, and they share one flush.  Called by put.c, calls database.c.
 *
 * A write that fails takes its own changes back and leaves those of others.
 * Where the transaction as a whole comes to nothing each is run again, alone,
 * so that each gets the outcome it would have had.
 */
#include "config.h"

#include "backends/sqlite/database_internal.h"

struct sqlite_part {
	struct sqlite_part *next;
	struct sqlite_txn txn;
	sqlite_body_fn *body;
	void *arg;
	int code;
	enum { PART_WAITS, PART_RUNS, PART_ENDED } state;
};

static int run_part_body(struct sqlite_part *part)
{
	struct sqlite_connection *connection = part->txn.connection;
	struct store_error ignored = STORE_ERROR_INIT;
	int code = sqlite_ready_body(&part->txn);

	if (!code)
		code = part->body(&part->txn, part->arg);
	if (!code)
		return sqlite_run_sql(connection, SQL_PART_END,
				      part->txn.error);
	connection->shape.side = false;
	connection->context = NULL;
	/* Some errors have ended the whole transaction. */
	if (!sqlite3_get_autocommit(connection->db) &&
	    (sqlite_run_sql(connection, SQL_PART_ROLLBACK, &ignored) ||
	     sqlite_run_sql(connection, SQL_PART_END, &ignored)))
		sqlite_roll_back(connection);
	return code;
}

static int run_part(struct sqlite_part *part)
{
	struct sqlite_connection *connection = part->txn.connection;
	int code;

	connection->context = part->txn.context;
	connection->key_too_long = false;
	code = sqlite_run_sql(connection, SQL_PART_BEGIN, part->txn.error);
	return code ? code : run_part_body(part);
}

/*
 * All of them between one BEGIN and one COMMIT; false: none of it happened,
 * and nobody knows yet what becomes of those without an error.
 */
static bool run_together(struct sqlite_part *parts)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct sqlite_connection *connection;
	bool done = true;

	if (sqlite_writer_enter(&parts->txn))
		return false;
	connection = parts->txn.connection;
	if (sqlite_run_sql(connection, SQL_BEGIN_IMMEDIATE, &ignored)) {
		connection->context = NULL;
		return false;
	}
	for (struct sqlite_part *part = parts; part && done;
	     part = part->next) {
		part->txn.connection = connection;
		part->code = run_part(part);
		done = !sqlite3_get_autocommit(connection->db);
	}
	/* Nobody's call may take the others' with it. */
	connection->context = NULL;
	done = done && !sqlite_run_sql(connection, SQL_COMMIT, &ignored);
	sqlite_roll_back(connection);
	if (done)
		sqlite_vacuum_step(parts->txn.database, connection);
	else
		connection->shape.side = false;
	return done;
}

static void run_parts(struct sqlite_part *parts)
{
	if (parts->next && run_together(parts))
		return;
	for (struct sqlite_part *part = parts; part; part = part->next) {
		store_error_clear(part->txn.error);
		part->code = sqlite_write_as_writer(&part->txn, part->body,
						    part->arg);
	}
}

size_t sqlite_parts_waiting(const struct sqlite_database *database)
{
	const struct sqlite_part *part = database->parts;
	size_t count = 0;

	for (; part; part = part->next)
		count++;
	return count;
}

/* Those who wait, in their order. */
static struct sqlite_part *take_parts_locked(struct sqlite_database *database)
	REQUIRES(database->lock)
{
	struct sqlite_part *taken = NULL;

	while (database->parts) {
		struct sqlite_part *part = database->parts;

		database->parts = part->next;
		part->state = PART_RUNS;
		part->next = taken;
		taken = part;
	}
	return taken;
}

static void lead_locked(struct sqlite_database *database)
	REQUIRES(database->lock)
{
	struct sqlite_part *parts = take_parts_locked(database);

	database->writing = true;
	lock_drop(&database->lock);
	run_parts(parts);
	lock_take(&database->lock);
	while (parts) {
		struct sqlite_part *part = parts;

		parts = part->next;
		part->state = PART_ENDED;
	}
	database->writing = false;
	condition_broadcast(&database->changed);
}

/* Its call is over before anybody took it. */
static int withdraw_locked(struct sqlite_database *database,
			   struct sqlite_part *part, int code)
	REQUIRES(database->lock)
{
	struct sqlite_part **link = &database->parts;

	while (*link != part)
		link = &(*link)->next;
	*link = part->next;
	return code;
}

static int await_part_locked(struct sqlite_database *database,
			     struct sqlite_part *part) REQUIRES(database->lock)
{
	int code;

	while (part->state != PART_ENDED) {
		if (part->state == PART_RUNS) {
			condition_wait(&database->changed, &database->lock);
		} else if (!database->writing) {
			lead_locked(database);
		} else {
			code = sqlite_wait_locked(database, part->txn.context,
						  part->txn.error);
			if (code && part->state == PART_WAITS)
				return withdraw_locked(database, part, code);
		}
	}
	return part->code;
}

int sqlite_write_part(struct sqlite_database *database,
		      struct store_context *context, sqlite_body_fn *body,
		      void *arg, struct store_error *error)
{
	struct sqlite_part part = { .txn = { .database = database,
					     .context = context,
					     .error = error },
				    .body = body,
				    .arg = arg };
	int code;

	lock_take(&database->lock);
	part.next = database->parts;
	database->parts = &part;
	code = await_part_locked(database, &part);
	lock_drop(&database->lock);
	return code;
}
