/* SPDX-License-Identifier: MIT */
/*
 * Rows of the data table: bodies and the columns beside them.
 *
 * Bodies up to SQLITE_WHOLE_MAX pass through memory in one piece.  Larger
 * ones are written and copied in pieces of SQLITE_PIECE, as long as the body
 * is the last column; in a table of another making SQLite itself needs the
 * whole row in memory (twice), and there is no way around that.
 */
#ifndef STOREFS_SQLITE_OBJECT_H
#define STOREFS_SQLITE_OBJECT_H

#include "backends/sqlite/database.h"

enum {
	SQLITE_WHOLE_MAX = 4 * 1024 * 1024,
	SQLITE_PIECE = 1024 * 1024,
};

/* Where the bytes of a new body come from. */
struct sqlite_body {
	struct store_source *source;
	/* Ranges of the old body that stay where they are. */
	const struct store_range *keep;
	size_t keep_count;
	/* All of `source`, when it was read before; `keep` is empty then. */
	const unsigned char *whole;
};

/* What a row is to be. */
struct sqlite_object {
	const char *key;
	bool exists; /* it is row `rowid`, with what is `old_...` */
	int64_t rowid;
	uint64_t old_size;
	double old_modified_at;
	double modified_at;
	/* Leave content_type, extra and user_metadata unless given. */
	bool keep_columns;
	const char *content_type;  /* NULL: none given */
	const char *user_metadata; /* JSON; "" to clear; NULL: none given */
};

/*
 * Insert or rewrite a row.  `object` then tells where it is and its
 * modified_at, which an edit inside a large body leaves as it was.
 */
int sqlite_object_write(struct sqlite_txn *txn, struct sqlite_object *object,
			const struct sqlite_body *body) STORE_WARN_UNUSED;
int sqlite_object_delete(struct sqlite_txn *txn, int64_t rowid, uint64_t size)
	STORE_WARN_UNUSED;
/* The row keeps its number. */
int sqlite_object_rename(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
			 const char *key) STORE_WARN_UNUSED;
/* A second row with everything but the key. */
int sqlite_object_copy(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
		       const char *key, int64_t *copy) STORE_WARN_UNUSED;
/* All rows below a folder. */
int sqlite_objects_delete(struct sqlite_txn *txn,
			  const struct sqlite_range *range) STORE_WARN_UNUSED;
int sqlite_objects_move(struct sqlite_txn *txn, const char *from,
			const char *to) STORE_WARN_UNUSED;

/*
 * [offset, offset + length) of a body, which lies inside `size`.  CORRUPT
 * when the body is shorter than that.
 */
int sqlite_object_read(struct sqlite_txn *txn, int64_t rowid, uint64_t size,
		       const struct store_range *range, void *data)
	STORE_WARN_UNUSED;

#endif
