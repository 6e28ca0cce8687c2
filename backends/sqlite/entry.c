// SPDX-License-Identifier: MIT
/*
 * What a key names: see entry.h.  Called by the operations; calls the
 * statements.
 *
 * Version tokens.  "n<id>.<version>" for content of ours: ids are given out
 * once, and the version of a node grows with its content and never shrinks.
 * "f<rowid>.<size>.<modified_at>" for content a foreign client wrote, which is
 * all there is to know of it; every client of the layout sets the time when it
 * writes.
 */
#include "config.h"

#include "backends/sqlite/entry.h"

#include <inttypes.h>
#include <stdio.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

/* Columns of SQL_LOOKUP and the listings. */
enum {
	COLUMN_ROWID,
	COLUMN_SIZE,
	COLUMN_MODIFIED_AT,
	COLUMN_KNOWN_ROWID,
	COLUMN_KNOWN_SIZE,
	COLUMN_KNOWN_MODIFIED_AT,
	COLUMN_TYPE,
	COLUMN_NODE,
	COLUMN_LINKS,
	COLUMN_VERSION,
	COLUMN_MODE,
	COLUMN_UID,
	COLUMN_GID,
	COLUMN_MTIME,
	COLUMN_ATIME,
	COLUMN_CTIME,
	COLUMN_RDEV,
	COLUMN_TARGET,
	COLUMN_CHILDREN,
};

/* ---- reading rows ---- */

static bool is_null(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL;
}

static void read_attributes(sqlite3_stmt *s, struct store_attributes *a)
{
	*a = (struct store_attributes){ .mask = 0 };
	if (!is_null(s, COLUMN_MODE)) {
		a->mask |= STORE_ATTR_MODE;
		a->mode = (uint32_t)sqlite3_column_int64(s, COLUMN_MODE);
	}
	if (!is_null(s, COLUMN_UID)) {
		a->mask |= STORE_ATTR_UID;
		a->uid = (uint32_t)sqlite3_column_int64(s, COLUMN_UID);
	}
	if (!is_null(s, COLUMN_GID)) {
		a->mask |= STORE_ATTR_GID;
		a->gid = (uint32_t)sqlite3_column_int64(s, COLUMN_GID);
	}
	if (!is_null(s, COLUMN_MTIME)) {
		a->mask |= STORE_ATTR_MTIME;
		a->mtime =
			timespec_from_ns(sqlite3_column_int64(s, COLUMN_MTIME));
	}
	if (!is_null(s, COLUMN_ATIME)) {
		a->mask |= STORE_ATTR_ATIME;
		a->atime =
			timespec_from_ns(sqlite3_column_int64(s, COLUMN_ATIME));
	}
}

static void read_node(sqlite3_stmt *s, struct sqlite_node *node)
{
	*node = (struct sqlite_node){
		.id = sqlite3_column_int64(s, COLUMN_NODE),
		.type = (enum store_type)sqlite3_column_int(s, COLUMN_TYPE),
		.links = (uint32_t)sqlite3_column_int64(s, COLUMN_LINKS),
		.version = sqlite3_column_int64(s, COLUMN_VERSION),
		.ctime = sqlite3_column_int64(s, COLUMN_CTIME),
		.rdev = (uint64_t)sqlite3_column_int64(s, COLUMN_RDEV),
		.target_size = (uint64_t)sqlite3_column_int64(s, COLUMN_TARGET),
	};
	read_attributes(s, &node->attributes);
}

/* Is the row of the data table the one we left? */
static bool is_ours(sqlite3_stmt *s, const struct sqlite_entry *entry)
{
	double known = sqlite3_column_double(s, COLUMN_KNOWN_MODIFIED_AT);

	return entry->object && entry->side &&
	       entry->node.type == STORE_TYPE_FILE &&
	       sqlite3_column_int64(s, COLUMN_KNOWN_ROWID) == entry->rowid &&
	       (uint64_t)sqlite3_column_int64(s, COLUMN_KNOWN_SIZE) ==
		       entry->size &&
	       !(known < entry->modified_at) && !(known > entry->modified_at);
}

static enum store_type type_of(const struct sqlite_entry *entry)
{
	if (entry->children ||
	    (entry->side && entry->node.type == STORE_TYPE_FOLDER))
		return STORE_TYPE_FOLDER;
	return sqlite_entry_file_type(entry);
}

void sqlite_entry_from_row(sqlite3_stmt *statement, struct sqlite_entry *entry)
{
	sqlite3_stmt *s = statement;

	*entry = (struct sqlite_entry){
		.object = !is_null(s, COLUMN_ROWID),
		.side = !is_null(s, COLUMN_NODE),
	};
	if (entry->object) {
		entry->rowid = sqlite3_column_int64(s, COLUMN_ROWID);
		entry->size = (uint64_t)sqlite3_column_int64(s, COLUMN_SIZE);
		entry->modified_at =
			sqlite3_column_double(s, COLUMN_MODIFIED_AT);
	}
	if (entry->side)
		read_node(s, &entry->node);
	entry->ours = is_ours(s, entry);
	entry->type = type_of(entry);
}

int sqlite_entry_load(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_LOOKUP);
	struct sqlite_range below;
	bool row;
	int code;

	if (!s)
		return txn->error->code;
	sqlite_range_below(&below, key);
	bind_text(s, 1, key);
	bind_range(s, 2, &below);
	code = txn_step(txn, s, &row);
	if (code)
		return code;
	sqlite_entry_from_row(s, entry);
	entry->children = sqlite3_column_int(s, COLUMN_CHILDREN) != 0;
	sqlite3_reset(s);
	entry->type = key_is_root(key) ? STORE_TYPE_FOLDER : type_of(entry);
	return STORE_OK;
}

int sqlite_entry_find(struct sqlite_txn *txn, const char *key,
		      struct sqlite_entry *entry)
{
	int code = sqlite_entry_load(txn, key, entry);

	if (!code && !entry->type)
		code = txn_fail(txn, STORE_NOT_FOUND);
	return code;
}

/* ---- what it means ---- */

bool sqlite_entry_has_file_node(const struct sqlite_entry *entry)
{
	return entry->object && entry->side &&
	       entry->node.type == STORE_TYPE_FILE;
}

bool sqlite_entry_has_node(const struct sqlite_entry *entry)
{
	return entry->side && entry->type == entry->node.type;
}

enum store_type sqlite_entry_file_type(const struct sqlite_entry *entry)
{
	if (entry->object)
		return STORE_TYPE_FILE;
	/* A file of ours without its row was removed by somebody else. */
	if (entry->side && entry->node.type != STORE_TYPE_FILE)
		return entry->node.type;
	return entry->children ? STORE_TYPE_FOLDER : 0;
}

static struct timespec time_of(double seconds)
{
	int64_t micros;

	if (!(seconds > -9e9 && seconds < 9e9))
		return (struct timespec){ .tv_sec = 0 };
	/* What Python writes has microseconds; more is noise of the format. */
	micros = (int64_t)(seconds * 1e6 + (seconds < 0 ? -0.5 : 0.5));
	return timespec_from_ns(micros * 1000);
}

void sqlite_entry_version(const struct sqlite_entry *entry,
			  struct store_version *version)
{
	uint64_t bits;

	*version = (struct store_version){ .weak = false };
	if (!entry->object || (entry->ours && entry->node.version)) {
		snprintf(version->token, sizeof(version->token),
			 "n%" PRIx64 ".%" PRIx64, (uint64_t)entry->node.id,
			 (uint64_t)entry->node.version);
		return;
	}
	memcpy(&bits, &entry->modified_at, sizeof(bits));
	version->weak = true;
	snprintf(version->token, sizeof(version->token),
		 "f%" PRIx64 ".%" PRIx64 ".%" PRIx64, (uint64_t)entry->rowid,
		 entry->size, bits);
}

/* The file of the data table, and what we know of it. */
static void file_info(const struct sqlite_entry *entry, struct store_info *info)
{
	info->size = entry->size;
	info->allocated = entry->size;
	sqlite_entry_version(entry, &info->version);
	if (entry->ours)
		return;
	/* Tables without the column give 0. */
	if (entry->modified_at > 0) {
		info->attributes.mask |= STORE_ATTR_MTIME;
		info->attributes.mtime = time_of(entry->modified_at);
	}
	if (timespec_compare(info->ctime, info->attributes.mtime) < 0)
		info->ctime = info->attributes.mtime;
	/* Written through one name: the others have other bytes. */
	if (info->links > 1) {
		info->links = 1;
		info->id = 0;
		info->node = 0;
	}
}

void sqlite_entry_info(const struct sqlite_entry *entry,
		       struct store_info *info)
{
	const struct sqlite_node *node = &entry->node;

	*info = (struct store_info){ .type = entry->type, .links = 1 };
	if (sqlite_entry_has_node(entry)) {
		info->links = node->links;
		info->id = (uint64_t)node->id;
		info->node = info->id;
		info->rdev = node->rdev;
		info->size = node->target_size;
		info->attributes = node->attributes;
		info->ctime = timespec_from_ns(node->ctime);
	}
	if (entry->type == STORE_TYPE_FILE)
		file_info(entry, info);
	else if (entry->type == STORE_TYPE_FOLDER)
		info->implicit = !sqlite_entry_has_node(entry);
	else
		sqlite_entry_version(entry, &info->version);
}

int sqlite_entry_check(const struct sqlite_txn *txn,
		       const struct sqlite_entry *entry,
		       const struct store_precondition *precondition)
{
	enum store_type type = sqlite_entry_file_type(entry);
	struct store_version version;

	if (precondition->condition == STORE_IF_ABSENT && type)
		return txn_fail(txn, STORE_EXISTS);
	if (precondition->condition != STORE_IF_VERSION)
		return STORE_OK;
	if (!type)
		return txn_fail(txn, STORE_NOT_FOUND);
	sqlite_entry_version(entry, &version);
	if (type == STORE_TYPE_FOLDER ||
	    !store_version_equal(&version, &precondition->version))
		return txn_fail(txn, STORE_CHANGED);
	return STORE_OK;
}

int sqlite_node_target(struct sqlite_txn *txn, int64_t node, char **target)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_TARGET);
	const char *text;
	bool row;
	int code;

	if (!s)
		return txn->error->code;
	bind_number(s, 1, node);
	code = txn_step(txn, s, &row);
	if (code)
		return code;
	text = row ? (const char *)sqlite3_column_text(s, 0) : NULL;
	*target = strdup(text ? text : "");
	sqlite3_reset(s);
	return *target ? STORE_OK : txn_fail(txn, STORE_NO_MEMORY);
}

int sqlite_entry_report(struct sqlite_txn *txn, const char *key,
			struct store_info *info)
{
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, key, &entry);

	if (!code)
		sqlite_entry_info(&entry, info);
	return code;
}
