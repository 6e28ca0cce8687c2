/* SPDX-License-Identifier: MIT */
/*
 * What a key names: its row in the data table, its row in ours, and what
 * the two mean together.
 *
 * A folder is there when it has a row of its own or anything below it.  A
 * foreign client may put a file where a folder is: both are there then, `type`
 * says folder, and operations on files find the file.  A file of a foreign
 * client replaces any other node of ours.
 */
#ifndef STOREFS_SQLITE_ENTRY_H
#define STOREFS_SQLITE_ENTRY_H

#include "backends/sqlite/database.h"
#include "src/backend.h"

/* A row of T_storefs_nodes. */
struct sqlite_node {
	int64_t id;
	enum store_type type;
	/* Of a folder: 2 and the folders in it, or 1 when nobody counts. */
	uint32_t links;
	int64_t version; /* of the content; 0: not ours */
	struct store_attributes attributes;
	int64_t ctime; /* ns */
	uint64_t rdev;
	uint64_t target_size;
};

struct sqlite_entry {
	/* The row in the data table. */
	bool object;
	int64_t rowid;
	uint64_t size;
	double modified_at;

	/* The row in T_storefs_names with its node, whether it counts or not. */
	bool side;
	struct sqlite_node node;

	bool ours;     /* the file is as we wrote it */
	bool children; /* there is something below */
	/* What the key names; 0 for nothing. */
	enum store_type type;
};

/* Read the columns that SQL_LOOKUP and the listings begin with. */
void sqlite_entry_from_row(sqlite3_stmt *statement, struct sqlite_entry *entry);
/* Look a key up; what is missing is no error but type 0. */
int sqlite_entry_load(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry) STORE_WARN_UNUSED;
/* As sqlite_entry_load, but missing is NOT_FOUND. */
int sqlite_entry_find(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry) STORE_WARN_UNUSED;

/* The node counts: it is what `type` says. */
bool sqlite_entry_has_node(const struct sqlite_entry *entry);
/* The node is that of the file in the data table. */
bool sqlite_entry_has_file_node(const struct sqlite_entry *entry);
/* What an operation on files finds: a file before a folder. */
enum store_type sqlite_entry_file_type(const struct sqlite_entry *entry);

/* What a stat tells. */
void sqlite_entry_info(const struct sqlite_entry *entry,
		       struct store_info *info);
/* The token of the file (or special node), whatever `type` says. */
void sqlite_entry_version(const struct sqlite_entry *entry,
			  struct store_version *version);
/* EXISTS, CHANGED, NOT_FOUND, for what operations on files find. */
int sqlite_entry_check(const struct sqlite_txn *txn,
		       const struct sqlite_entry *entry,
		       const struct store_precondition *precondition)
	STORE_WARN_UNUSED;

/* The target of a symlink, malloc'd. */
int sqlite_node_target(struct sqlite_txn *txn, int64_t node, char **target)
	STORE_WARN_UNUSED;
/* As of now: load and tell. */
int sqlite_entry_report(struct sqlite_txn *txn, const char *key,
			struct store_info *info) STORE_WARN_UNUSED;

#endif
