// SPDX-License-Identifier: MIT
/*
 * Asking about one key, and totals of a folder.  Called through the table in
 * sqlite.c; calls entry.c.
 */
#include "config.h"

#include "backends/sqlite/operations.h"
#include "backends/sqlite/scan.h"

#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/key.h"

struct stat_job {
	const char *key;
	struct store_info *info;
	struct store_details *details; /* may be NULL */
};

/* ---- details ---- */

static int copy_text(const struct sqlite_txn *txn, const unsigned char *text,
		     char **copy)
{
	if (!text)
		return STORE_OK;
	*copy = strdup((const char *)text);
	return *copy ? STORE_OK : txn_fail(txn, STORE_NO_MEMORY);
}

/* A foreign client may have put anything there; that is no error of ours. */
static int copy_metadata(const struct sqlite_txn *txn,
			 const unsigned char *text,
			 struct store_metadata *metadata)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct json *json = NULL;
	int code;

	if (!text)
		return STORE_OK;
	code = json_parse((const char *)text, strlen((const char *)text), &json,
			  &ignored);
	if (!code)
		code = json_to_metadata(json, metadata, &ignored);
	json_free(json);
	return code == STORE_NO_MEMORY ? txn_fail(txn, code) : STORE_OK;
}

static int file_details(struct sqlite_txn *txn, int64_t rowid,
			struct store_details *details)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_DETAILS);
	bool row;
	int code;

	if (!s)
		return txn->error->code;
	bind_number(s, 1, rowid);
	code = txn_step(txn, s, &row);
	if (!code && row)
		code = copy_text(txn, sqlite3_column_text(s, 0),
				 &details->content_type);
	if (!code && row)
		code = copy_text(txn, sqlite3_column_text(s, 1),
				 &details->digest);
	if (!code && row)
		code = copy_metadata(txn, sqlite3_column_text(s, 2),
				     &details->metadata);
	sqlite3_reset(s);
	return code;
}

/* Of the version that is there: content that is not ours came by no put. */
static int file_publish(struct sqlite_txn *txn,
			const struct sqlite_entry *entry,
			struct store_details *details)
{
	sqlite3_stmt *s;
	bool row;
	int code;

	if (!txn->connection->shape.publish || !entry->ours ||
	    !entry->node.version)
		return STORE_OK;
	s = txn_prepare(txn, SQL_PUBLISH);
	if (!s)
		return txn->error->code;
	bind_number(s, 1, entry->node.id);
	code = txn_step(txn, s, &row);
	if (!code && row && sqlite3_column_bytes(s, 0) == STORE_PUBLISH_SIZE) {
		details->has_publish = true;
		memcpy(details->publish, sqlite3_column_blob(s, 0),
		       STORE_PUBLISH_SIZE);
	}
	sqlite3_reset(s);
	return code;
}

static int fill_details(struct sqlite_txn *txn,
			const struct sqlite_entry *entry,
			struct store_details *details)
{
	int code = STORE_OK;

	if (entry->type == STORE_TYPE_FILE) {
		code = file_details(txn, entry->rowid, details);
		if (!code)
			code = file_publish(txn, entry, details);
	} else if (entry->type == STORE_TYPE_SYMLINK) {
		code = sqlite_node_target(txn, entry->node.id,
					  &details->target);
	}
	return code;
}

static int stat_body(struct sqlite_txn *txn, void *arg)
{
	const struct stat_job *job = arg;
	struct store_details made;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (code)
		return code;
	store_details_init(&made);
	if (job->details)
		code = fill_details(txn, &entry, &made);
	if (code) {
		store_details_release(&made);
		return code;
	}
	if (job->details)
		*job->details = made;
	sqlite_entry_info(&entry, job->info);
	return STORE_OK;
}

int sqlite_stat(void *self, struct store_context *context, const char *key,
		struct store_info *info, struct store_details *details,
		struct store_error *error)
{
	struct stat_job job = { .key = key, .info = info, .details = details };

	return sqlite_read(self, context, stat_body, &job, error);
}

/* ---- totals ---- */

struct totals_job {
	const char *key;
	size_t prefix; /* length of what all keys below begin with */
	struct store_totals totals;
	/* Folder part of the last key, whose folders have been counted. */
	char folder[STORE_KEY_MAX + 1];
};

static void add_entry(struct totals_job *job, const struct sqlite_entry *entry)
{
	struct store_info info;

	sqlite_entry_info(entry, &info);
	if (info.type == STORE_TYPE_FOLDER) {
		job->totals.folders++;
		return;
	}
	job->totals.files++;
	if (info.type == STORE_TYPE_FILE)
		job->totals.bytes += info.size;
	if ((info.attributes.mask & STORE_ATTR_MTIME) &&
	    timespec_compare(job->totals.newest, info.attributes.mtime) < 0)
		job->totals.newest = info.attributes.mtime;
}

/*
 * Count the folders above `key` that the key before did not have and that
 * have no row of their own.  Keys come in byte order, so those below one
 * folder come together.
 */
static int add_folders(struct sqlite_txn *txn, struct totals_job *job,
		       const char *key)
{
	size_t length = key_parent_length(key);
	size_t at;

	for (at = job->prefix; at < length; at++) {
		char folder[STORE_KEY_MAX + 1];
		bool counted;
		int code;

		at += strcspn(key + at, "/");
		if (!strncmp(job->folder, key, at) &&
		    (job->folder[at] == '/' || !job->folder[at]))
			continue;
		memcpy(folder, key, at);
		folder[at] = '\0';
		code = sqlite_folder_is_explicit(txn, folder, &counted);
		if (code)
			return code;
		job->totals.folders += !counted;
	}
	memcpy(job->folder, key, length);
	job->folder[length] = '\0';
	return STORE_OK;
}

static int totals_scan(struct sqlite_txn *txn, struct totals_job *job)
{
	struct sqlite_scan scan;
	struct sqlite_item item;
	bool more = true;
	int code = sqlite_scan_begin(txn, job->key, NULL, &scan);

	while (!code && more) {
		code = sqlite_scan_next(&scan, &item, &more);
		if (code || !more)
			break;
		add_entry(job, &item.entry);
		code = add_folders(txn, job, item.key);
	}
	sqlite_scan_end(&scan);
	return code;
}

static int totals_body(struct sqlite_txn *txn, void *arg)
{
	struct totals_job *job = arg;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (!code && entry.type != STORE_TYPE_FOLDER)
		code = txn_fail(txn, STORE_NOT_DIR);
	if (!code)
		code = totals_scan(txn, job);
	return code;
}

int sqlite_totals(void *self, struct store_context *context, const char *key,
		  struct store_totals *totals, struct store_error *error)
{
	struct totals_job job = { .key = key };
	int code;

	job.prefix = strlen(key);
	job.prefix += job.prefix > 0;
	code = sqlite_read(self, context, totals_body, &job, error);
	if (!code)
		*totals = job.totals;
	return code;
}
