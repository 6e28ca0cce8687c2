/* SPDX-License-Identifier: MIT */
/*
 * All that is below a folder, in the order of keys, from both tables: files
 * from the data table, everything else from ours.  A file and a folder of one
 * key come behind each other.
 *
 * Keys that no path can have (too long, or with a NUL) are left out.
 */
#ifndef STOREFS_SQLITE_SCAN_H
#define STOREFS_SQLITE_SCAN_H

#include "backends/sqlite/entry.h"

/* Where to begin: "as if this key had just been seen". */
struct sqlite_scan_start {
	const char *key; /* NULL: at the beginning */
	/* The file of that key was seen, a folder of that key not yet. */
	bool folder_next;
};

struct sqlite_scan {
	struct sqlite_txn *txn;
	struct sqlite_range range;
	sqlite3_stmt *objects;
	sqlite3_stmt *special; /* NULL without tables of ours */
	/* What they stand on; NULL at their end. */
	const char *object_key;
	const char *special_key;
	/* The one that was given out and has to move first. */
	sqlite3_stmt *given;
	/* Last file given out: it hides a symlink and the like. */
	char file[STORE_KEY_MAX + 1];
};

struct sqlite_item {
	const char *key; /* borrowed until the next call */
	struct sqlite_entry entry;
	bool from_objects;
};

int sqlite_scan_begin(struct sqlite_txn *txn, const char *folder,
		      const struct sqlite_scan_start *start,
		      struct sqlite_scan *scan) STORE_WARN_UNUSED;
/* *more is false at the end. */
int sqlite_scan_next(struct sqlite_scan *scan, struct sqlite_item *item,
		     bool *more) STORE_WARN_UNUSED;
/* Go on behind all that is below `folder`. */
int sqlite_scan_skip(struct sqlite_scan *scan, const char *folder)
	STORE_WARN_UNUSED;
void sqlite_scan_end(struct sqlite_scan *scan);

/* Does a folder have a row of its own? */
int sqlite_folder_is_explicit(struct sqlite_txn *txn, const char *folder,
			      bool *is) STORE_WARN_UNUSED;

#endif
