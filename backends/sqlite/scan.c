// SPDX-License-Identifier: MIT
/*
 * Merging the two tables: see scan.h.  Called by list.c and stat.c.
 *
 * Both statements walk an index in key order.  Skipping a folder is a new
 * seek in each, so that listing one level costs its entries, whatever is
 * below them.
 */
#include "config.h"

#include "backends/sqlite/scan.h"

/* The column behind those of an entry. */
enum { COLUMN_KEY = 18 };

static bool usable(sqlite3_stmt *s, const char *key)
{
	size_t length = (size_t)sqlite3_column_bytes(s, COLUMN_KEY);

	return key && length <= STORE_KEY_MAX && strlen(key) == length;
}

/* To the next row with a usable key. */
static int advance(struct sqlite_scan *scan, sqlite3_stmt *s, const char **key)
{
	bool row;
	int code;

	while (!(code = txn_step(scan->txn, s, &row)) && row) {
		*key = (const char *)sqlite3_column_text(s, COLUMN_KEY);
		if (usable(s, *key))
			return STORE_OK;
	}
	*key = NULL;
	return code;
}

static int seek(struct sqlite_scan *scan, sqlite3_stmt *s, const char *low,
		const char **key)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	/* Copied: `low` may be what the statement stands on. */
	sqlite3_bind_text(s, 1, low, -1, SQLITE_TRANSIENT);
	if (scan->range.high[0])
		bind_text(s, 2, scan->range.high);
	else
		bind_blob(s, 2, "", 0);
	return advance(scan, s, key);
}

/* The smallest key behind `key`. */
static void behind(const char *key, char *low)
{
	size_t length = strlen(key);

	memcpy(low, key, length);
	memcpy(low + length, "\001", 2);
}

int sqlite_scan_begin(struct sqlite_txn *txn, const char *folder,
		      const struct sqlite_scan_start *start,
		      struct sqlite_scan *scan)
{
	char low[STORE_KEY_MAX + 2];
	const char *object_low;
	const char *special_low;
	int code;

	*scan = (struct sqlite_scan){ .txn = txn };
	sqlite_range_below(&scan->range, folder);
	object_low = scan->range.low;
	special_low = scan->range.low;
	if (start && start->key) {
		behind(start->key, low);
		object_low = low;
		special_low = start->folder_next ? start->key : low;
		if (start->folder_next)
			memcpy(scan->file, start->key, strlen(start->key) + 1);
	}
	scan->objects = txn_prepare(txn, SQL_LIST);
	if (!scan->objects)
		return txn->error->code;
	code = seek(scan, scan->objects, object_low, &scan->object_key);
	if (code || !txn->connection->shape.side)
		return code;
	scan->special = txn_prepare(txn, SQL_LIST_SPECIAL);
	if (!scan->special)
		return txn->error->code;
	return seek(scan, scan->special, special_low, &scan->special_key);
}

static int move_on(struct sqlite_scan *scan)
{
	sqlite3_stmt *given = scan->given;

	scan->given = NULL;
	if (!given)
		return STORE_OK;
	return given == scan->objects
		       ? advance(scan, given, &scan->object_key)
		       : advance(scan, given, &scan->special_key);
}

/* Stand on the item that comes next. */
static bool take(struct sqlite_scan *scan, struct sqlite_item *item)
{
	const char *object = scan->object_key;
	const char *special = scan->special_key;

	item->from_objects =
		object && (!special || strcmp(object, special) <= 0);
	scan->given = item->from_objects ? scan->objects : scan->special;
	item->key = item->from_objects ? object : special;
	sqlite_entry_from_row(scan->given, &item->entry);
	if (!item->from_objects)
		return item->entry.node.type == STORE_TYPE_FOLDER ||
		       strcmp(scan->file, special) != 0;
	/* What else has the name is given out by itself. */
	if (item->entry.node.type != STORE_TYPE_FILE)
		item->entry.side = false;
	item->entry.type = STORE_TYPE_FILE;
	memcpy(scan->file, object, strlen(object) + 1);
	return true;
}

int sqlite_scan_next(struct sqlite_scan *scan, struct sqlite_item *item,
		     bool *more)
{
	bool found = false;
	int code = STORE_OK;

	while (!code && !found) {
		code = move_on(scan);
		if (code)
			return code;
		if (!scan->object_key && !scan->special_key) {
			*more = false;
			return STORE_OK;
		}
		found = take(scan, item);
	}
	*more = true;
	return code;
}

int sqlite_scan_skip(struct sqlite_scan *scan, const char *folder)
{
	char low[STORE_KEY_MAX + 2];
	size_t length = strlen(folder);
	int code = STORE_OK;

	memcpy(low, folder, length);
	/* '0' follows '/'. */
	memcpy(low + length, "0", 2);
	scan->given = NULL;
	if (scan->object_key && strcmp(scan->object_key, low) < 0)
		code = seek(scan, scan->objects, low, &scan->object_key);
	if (!code && scan->special_key && strcmp(scan->special_key, low) < 0)
		code = seek(scan, scan->special, low, &scan->special_key);
	return code;
}

void sqlite_scan_end(struct sqlite_scan *scan)
{
	sqlite3_reset(scan->objects);
	sqlite3_reset(scan->special);
}

int sqlite_folder_is_explicit(struct sqlite_txn *txn, const char *folder,
			      bool *is)
{
	sqlite3_stmt *s;
	bool row = false;
	int code;

	if (!txn->connection->shape.side) {
		*is = false;
		return STORE_OK;
	}
	s = txn_prepare(txn, SQL_IS_FOLDER);
	if (!s)
		return txn->error->code;
	bind_text(s, 1, folder);
	code = txn_step(txn, s, &row);
	sqlite3_reset(s);
	if (!code)
		*is = row;
	return code;
}
