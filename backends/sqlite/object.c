// SPDX-License-Identifier: MIT
/*
 * Rows of the data table: see object.h.  Called by the operations; calls the
 * statements and SQLite's incremental I/O.
 *
 * Changing any column of a row makes SQLite build the whole row anew.  Hence
 * the three ways to write a body:
 *
 *	whole	  up to SQLITE_WHOLE_MAX: one statement
 *	in place  the size stays and only ranges change: write those, and leave
 *		  the other columns, modified_at too
 *	in pieces an empty body of the new size, filled; what is kept comes from
 *		  a snapshot, since the old body is gone by then
 */
#include "config.h"

#include "backends/sqlite/object.h"

#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/key.h"

/* ---- incremental I/O ---- */

struct blob {
	struct sqlite_txn *txn;
	struct sqlite_connection *connection;
	sqlite3_blob *handle;
};

static void blob_release(struct blob *blob)
{
	sqlite3_blob_close(blob->handle);
	blob->handle = NULL;
}

#define CLEANUP_BLOB CLEANUP(blob_release)

static int blob_open(struct blob *blob, int64_t rowid, bool writable)
{
	struct sqlite_connection *connection = blob->connection;
	int result =
		sqlite3_blob_open(connection->db, "main", connection->table,
				  "data", rowid, writable, &blob->handle);

	return result ? sqlite_fail(connection, result, blob->txn->error)
		      : STORE_OK;
}

static int blob_io(struct blob *blob, bool write, const struct store_range *at,
		   void *data)
{
	struct sqlite_txn *txn = blob->txn;
	uint64_t size = (uint64_t)sqlite3_blob_bytes(blob->handle);
	int result;
	int code = store_context_check(txn->context, txn->error);

	if (code)
		return code;
	if (at->length > size || at->offset > size - at->length)
		return store_error_set(txn->error, STORE_CORRUPT,
				       "%s: the body is shorter than its size",
				       blob->connection->path);
	result = write ? sqlite3_blob_write(blob->handle, data, (int)at->length,
					    (int)at->offset)
		       : sqlite3_blob_read(blob->handle, data, (int)at->length,
					   (int)at->offset);
	if (result)
		return sqlite_fail(blob->connection, result, txn->error);
	store_context_progress(txn->context);
	return STORE_OK;
}

int sqlite_object_read(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
		       const struct store_range *range, void *data)
{
	CLEANUP_BLOB struct blob blob = { .txn = txn,
					  .connection = txn->connection };
	int code = blob_open(&blob, rowid, false);

	if (code || !range->length)
		return code;
	if ((uint64_t)sqlite3_blob_bytes(blob.handle) != size)
		return store_error_set(txn->error, STORE_CORRUPT,
				       "%s: the size of the body is wrong",
				       txn->connection->path);
	return blob_io(&blob, false, range, data);
}

/* ---- sources ---- */

static int read_source(struct sqlite_txn *txn, const struct sqlite_body *body,
		       const struct store_range *at, unsigned char *data)
{
	int code = store_context_check(txn->context, txn->error);

	if (!code && at->length)
		code = body->source->read(body->source, at->offset, data,
					  (size_t)at->length, txn->error);
	if (!code)
		store_context_progress(txn->context);
	return code;
}

/* A walk along a new body, writing it piece by piece. */
struct walk {
	struct sqlite_txn *txn;
	const struct sqlite_body *body;
	struct blob *to;
	struct blob *from;   /* of what is kept; NULL: it is there already */
	unsigned char *data; /* room for SQLITE_PIECE bytes */
};

static int write_piece(const struct walk *walk, const struct store_range *piece,
		       bool kept)
{
	int code;

	if (kept)
		code = blob_io(walk->from, false, piece, walk->data);
	else
		code = read_source(walk->txn, walk->body, piece, walk->data);
	if (!code)
		code = blob_io(walk->to, true, piece, walk->data);
	return code;
}

static int write_stretch(const struct walk *walk, uint64_t start, uint64_t end,
			 bool kept)
{
	int code = STORE_OK;

	while (!code && start < end) {
		struct store_range piece = { .offset = start,
					     .length = end - start };

		if (piece.length > SQLITE_PIECE)
			piece.length = SQLITE_PIECE;
		code = write_piece(walk, &piece, kept);
		start += piece.length;
	}
	return code;
}

/* Holes of the source are zeros, which an empty body has already. */
static int write_data(const struct walk *walk, uint64_t start, uint64_t end,
		      bool zeroed)
{
	struct store_source *source = walk->body->source;
	struct store_range data = { .offset = start, .length = end - start };
	int code = STORE_OK;

	if (!zeroed || !source->next_data)
		return write_stretch(walk, start, end, false);
	while (!code && start < end) {
		uint64_t stop;

		code = source->next_data(source, start, &data,
					 walk->txn->error);
		if (code || !data.length || data.offset >= end)
			return code;
		stop = data.offset + data.length;
		if (stop > end)
			stop = end;
		code = write_stretch(walk, data.offset, stop, false);
		start = stop;
	}
	return code;
}

/* Everything of the source, and of what is kept where `from` is open. */
static int write_body(const struct walk *walk, bool zeroed)
{
	const struct sqlite_body *body = walk->body;
	uint64_t at = 0;
	int code = STORE_OK;

	for (size_t i = 0; !code && i < body->keep_count; i++) {
		const struct store_range *keep = &body->keep[i];

		code = write_data(walk, at, keep->offset, zeroed);
		at = keep->offset + keep->length;
		if (!code && walk->from)
			code = write_stretch(walk, keep->offset, at, true);
	}
	if (!code)
		code = write_data(walk, at, body->source->size, zeroed);
	return code;
}

/* ---- the three ways ---- */

static int run_object(struct sqlite_txn *txn,
		      const struct sqlite_object *object,
		      const unsigned char *data, uint64_t size)
{
	sqlite3_stmt *s = txn_prepare(txn, object->exists ? SQL_OBJECT_UPDATE
							  : SQL_OBJECT_INSERT);
	const char *metadata = object->user_metadata;

	if (!s)
		return txn->error->code;
	if (object->exists)
		bind_number(s, 1, object->rowid);
	else
		bind_text(s, 1, object->key);
	if (data)
		bind_blob(s, 2, data, size);
	else
		sqlite3_bind_zeroblob64(s, 2, size);
	bind_number(s, 3, (int64_t)size);
	bind_real(s, 4, object->modified_at);
	bind_text(s, 5, object->content_type);
	bind_number(s, 6, !object->keep_columns || object->content_type);
	bind_number(s, 7, !object->keep_columns);
	bind_text(s, 8, metadata && *metadata ? metadata : NULL);
	bind_number(s, 9, !object->keep_columns || metadata);
	return txn_run(txn, s);
}

static int insert_or_update(struct sqlite_txn *txn,
			    struct sqlite_object *object,
			    const unsigned char *data, uint64_t size)
{
	int code = run_object(txn, object, data, size);

	if (!code && !object->exists)
		object->rowid = sqlite3_last_insert_rowid(txn->connection->db);
	return code;
}

/* The kept ranges of the row into a buffer of the whole body. */
static int read_kept(struct sqlite_txn *txn, const struct sqlite_object *object,
		     const struct sqlite_body *body, unsigned char *data)
{
	CLEANUP_BLOB struct blob old = { .txn = txn,
					 .connection = txn->connection };
	int code = STORE_OK;

	if (!body->keep_count)
		return STORE_OK;
	code = blob_open(&old, object->rowid, false);
	for (size_t i = 0; !code && i < body->keep_count; i++)
		code = blob_io(&old, false, &body->keep[i],
			       data + body->keep[i].offset);
	return code;
}

static int read_rest(struct sqlite_txn *txn, const struct sqlite_body *body,
		     unsigned char *data)
{
	struct store_range gap = { .offset = 0 };
	int code = STORE_OK;

	for (size_t i = 0; !code && i <= body->keep_count; i++) {
		uint64_t end = i < body->keep_count ? body->keep[i].offset
						    : body->source->size;

		gap.length = end - gap.offset;
		code = read_source(txn, body, &gap, data + gap.offset);
		if (i < body->keep_count)
			gap.offset = end + body->keep[i].length;
	}
	return code;
}

static int write_whole(struct sqlite_txn *txn, struct sqlite_object *object,
		       const struct sqlite_body *body)
{
	uint64_t size = body->source->size;
	CLEANUP_FREE unsigned char *data = NULL;
	int code;

	if (body->whole)
		return insert_or_update(txn, object, body->whole, size);
	data = malloc(size ? (size_t)size : 1);
	if (!data)
		return txn_fail(txn, STORE_NO_MEMORY);
	code = read_kept(txn, object, body, data);
	if (!code)
		code = read_rest(txn, body, data);
	if (!code)
		code = insert_or_update(txn, object, data, size);
	return code;
}

/* Would writing in place leave anything behind that is wrong? */
static int can_write_in_place(struct sqlite_txn *txn,
			      const struct sqlite_object *object,
			      const struct sqlite_body *body, bool *can)
{
	sqlite3_stmt *s;
	bool row;
	int code;

	*can = false;
	if (!body->keep_count || object->old_size != body->source->size ||
	    !object->keep_columns || object->content_type ||
	    object->user_metadata)
		return STORE_OK;
	s = txn_prepare(txn, SQL_DETAILS);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, object->rowid);
	code = txn_step(txn, s, &row);
	if (code)
		return code;
	/* The digest of the old body would stay. */
	*can = row && sqlite3_column_type(s, 1) == SQLITE_NULL;
	sqlite3_reset(s);
	return STORE_OK;
}

static int write_in_place(struct sqlite_txn *txn, struct sqlite_object *object,
			  const struct sqlite_body *body)
{
	CLEANUP_FREE unsigned char *data = malloc(SQLITE_PIECE);
	CLEANUP_BLOB struct blob to = { .txn = txn,
					.connection = txn->connection };
	struct walk walk = {
		.txn = txn, .body = body, .to = &to, .data = data
	};
	int code;

	if (!data)
		return txn_fail(txn, STORE_NO_MEMORY);
	code = blob_open(&to, object->rowid, true);
	if (!code)
		code = write_body(&walk, false);
	object->modified_at = object->old_modified_at;
	return code;
}

static int fill_empty(struct sqlite_txn *txn,
		      const struct sqlite_object *object,
		      const struct sqlite_body *body,
		      struct sqlite_connection *snapshot)
{
	CLEANUP_FREE unsigned char *data = malloc(SQLITE_PIECE);
	CLEANUP_BLOB struct blob to = { .txn = txn,
					.connection = txn->connection };
	CLEANUP_BLOB struct blob from = { .txn = txn, .connection = snapshot };
	struct walk walk = {
		.txn = txn, .body = body, .to = &to, .data = data
	};
	int code = data ? STORE_OK : txn_fail(txn, STORE_NO_MEMORY);

	if (!code && snapshot) {
		walk.from = &from;
		code = blob_open(&from, object->rowid, false);
	}
	if (!code)
		code = blob_open(&to, object->rowid, true);
	if (!code)
		code = write_body(&walk, true);
	return code;
}

static int write_in_pieces(struct sqlite_txn *txn, struct sqlite_object *object,
			   const struct sqlite_body *body)
{
	struct sqlite_connection *snapshot = NULL;
	int code = STORE_OK;

	if (body->keep_count)
		code = sqlite_snapshot_begin(txn, &snapshot);
	if (!code)
		code = insert_or_update(txn, object, NULL, body->source->size);
	if (!code)
		code = fill_empty(txn, object, body, snapshot);
	if (snapshot)
		sqlite_snapshot_end(txn);
	return code;
}

int sqlite_object_write(struct sqlite_txn *txn, struct sqlite_object *object,
			const struct sqlite_body *body)
{
	uint64_t size = body->source->size;
	bool in_place;
	int code;

	if (size <= SQLITE_WHOLE_MAX)
		return write_whole(txn, object, body);
	code = can_write_in_place(txn, object, body, &in_place);
	if (code)
		return code;
	if (in_place)
		return write_in_place(txn, object, body);
	if (object->exists)
		txn->database->freed += object->old_size;
	if (!txn->connection->shape.data_last)
		return write_whole(txn, object, body);
	return write_in_pieces(txn, object, body);
}

/* ---- moving rows about ---- */

int sqlite_object_delete(struct sqlite_txn *txn, int64_t rowid, uint64_t size)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_OBJECT_DELETE);

	if (!s)
		return txn->error->code;
	txn->database->freed += size;
	bind_number(s, 1, rowid);
	return txn_run(txn, s);
}

static bool in_one_piece(const struct sqlite_txn *txn, uint64_t size)
{
	return size <= SQLITE_WHOLE_MAX || !txn->connection->shape.data_last;
}

/* All of a body from one row to another. */
static int copy_body(struct blob *from, int64_t from_row, int64_t to_row,
		     uint64_t size)
{
	CLEANUP_FREE unsigned char *data = malloc(SQLITE_PIECE);
	CLEANUP_BLOB struct blob to = { .txn = from->txn,
					.connection = from->txn->connection };
	struct walk walk = {
		.txn = from->txn, .from = from, .to = &to, .data = data
	};
	int code;

	if (!data)
		return txn_fail(from->txn, STORE_NO_MEMORY);
	code = blob_open(from, from_row, false);
	if (!code)
		code = blob_open(&to, to_row, true);
	if (!code)
		code = write_stretch(&walk, 0, size, true);
	return code;
}

/* `empty`: the body is made of zeros, to be filled. */
static int run_keyed(struct sqlite_txn *txn, enum sqlite_sql which,
		     int64_t rowid, const char *key, uint64_t empty)
{
	sqlite3_stmt *s = txn_prepare(txn, which);

	if (!s)
		return txn->error->code;
	bind_number(s, 1, rowid);
	bind_text(s, 2, key);
	/* Statements without that parameter ignore it. */
	sqlite3_bind_zeroblob64(s, 3, empty);
	return txn_run(txn, s);
}

static int rename_in_pieces(struct sqlite_txn *txn, int64_t rowid,
			    uint64_t size, const char *key)
{
	struct sqlite_connection *snapshot = NULL;
	int code = sqlite_snapshot_begin(txn, &snapshot);

	if (code)
		return code;
	code = run_keyed(txn, SQL_OBJECT_RENAME_EMPTY, rowid, key, size);
	if (!code) {
		CLEANUP_BLOB struct blob from = { .txn = txn,
						  .connection = snapshot };

		code = copy_body(&from, rowid, rowid, size);
	}
	sqlite_snapshot_end(txn);
	return code;
}

int sqlite_object_rename(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
			 const char *key)
{
	if (!in_one_piece(txn, size))
		return rename_in_pieces(txn, rowid, size, key);
	return run_keyed(txn, SQL_OBJECT_RENAME, rowid, key, 0);
}

int sqlite_object_copy(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
		       const char *key, int64_t *copy)
{
	CLEANUP_BLOB struct blob from = { .txn = txn,
					  .connection = txn->connection };
	bool whole = in_one_piece(txn, size);
	int64_t made;
	int code;

	code = run_keyed(txn, whole ? SQL_OBJECT_COPY : SQL_OBJECT_COPY_EMPTY,
			 rowid, key, size);
	if (code)
		return code;
	made = sqlite3_last_insert_rowid(txn->connection->db);
	if (!whole)
		code = copy_body(&from, rowid, made, size);
	if (!code)
		*copy = made;
	return code;
}

int sqlite_objects_delete(struct sqlite_txn *txn,
			  const struct sqlite_range *range)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_OBJECTS_DELETE);

	if (!s)
		return txn->error->code;
	txn->database->freed += SQLITE_WHOLE_MAX;
	bind_range(s, 1, range);
	return txn_run(txn, s);
}

/* One large row below `from`, if there is one left. */
static int move_large(struct sqlite_txn *txn, const struct sqlite_range *range,
		      const char *from, const char *to, bool *found)
{
	char key[STORE_KEY_MAX + 1];
	sqlite3_stmt *s = txn_prepare(txn, SQL_OBJECTS_LARGE);
	int64_t rowid;
	uint64_t size;
	int code;

	if (!s)
		return txn->error->code;
	bind_range(s, 1, range);
	bind_number(s, 3, SQLITE_WHOLE_MAX);
	code = txn_step(txn, s, found);
	if (code)
		return code;
	rowid = sqlite3_column_int64(s, 0);
	size = (uint64_t)sqlite3_column_int64(s, 1);
	if (*found)
		code = key_join_into(to,
				     (const char *)sqlite3_column_text(s, 2) +
					     strlen(from) + 1,
				     key, sizeof(key), txn->error);
	sqlite3_reset(s);
	if (!code && *found)
		code = sqlite_object_rename(txn, rowid, size, key);
	return code;
}

int sqlite_objects_move(struct sqlite_txn *txn, const char *from,
			const char *to)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_OBJECTS_MOVE);
	struct sqlite_range range;
	bool found = true;
	int code;

	if (!s)
		return txn->error->code;
	sqlite_range_below(&range, from);
	bind_range(s, 1, &range);
	bind_number(s, 3, (int64_t)strlen(from));
	bind_text(s, 4, to);
	bind_number(s, 5, SQLITE_WHOLE_MAX);
	code = txn_run(txn, s);
	while (!code && found)
		code = move_large(txn, &range, from, to, &found);
	return code;
}
