// SPDX-License-Identifier: MIT
/*
 * Reading: a reader is a key and a version.  Called through the table in
 * sqlite.c; calls entry.c and object.c.
 *
 * Each read looks in its own transaction whether the version is still there,
 * and reads the bytes in the same one, so nothing is held between reads and
 * nothing is ever mixed.  A file that was renamed meanwhile is found by the
 * number of its row.  Readers are immutable, hence usable by any thread.
 */
#include "config.h"

#include "backends/sqlite/entry.h"
#include "backends/sqlite/object.h"
#include "backends/sqlite/operations.h"

#include <stdlib.h>

#include "src/base/cleanup.h"

struct sqlite_reader {
	int64_t rowid;
	uint64_t size;
	struct store_version version;
	char key[];
};

/* ---- opening ---- */

struct open_job {
	const char *key;
	const struct store_version *pin; /* may be NULL */
	struct sqlite_reader *reader;
	struct store_info *info;
};

static int open_body(struct sqlite_txn *txn, void *arg)
{
	const struct open_job *job = arg;
	struct sqlite_reader *reader = job->reader;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->key, &entry);

	if (code)
		return code;
	switch (sqlite_entry_file_type(&entry)) {
	case STORE_TYPE_FILE:
		break;
	case STORE_TYPE_FOLDER:
		return txn_fail(txn, STORE_IS_DIR);
	default:
		return store_error_set(txn->error, STORE_INVALID,
				       "is not a regular file");
	}
	sqlite_entry_version(&entry, &reader->version);
	if (job->pin && !store_version_equal(job->pin, &reader->version))
		return txn_fail(txn, STORE_CHANGED);
	reader->rowid = entry.rowid;
	reader->size = entry.size;
	/* Where a folder has the name too, the file is what was opened. */
	entry.type = STORE_TYPE_FILE;
	sqlite_entry_info(&entry, job->info);
	return STORE_OK;
}

int sqlite_open_reader(void *self, struct store_context *context,
		       const char *key, const struct store_version *pin,
		       void **reader, struct store_info *info,
		       struct store_error *error)
{
	size_t length = strlen(key) + 1;
	CLEANUP_FREE struct sqlite_reader *made =
		malloc(sizeof(*made) + length);
	struct open_job job = {
		.key = key, .pin = pin, .reader = made, .info = info
	};
	int code;

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	memcpy(made->key, key, length);
	code = sqlite_read(self, context, open_body, &job, error);
	if (!code)
		*reader = steal_pointer(&made);
	return code;
}

void sqlite_close_reader(void *self UNUSED, void *reader)
{
	free(reader);
}

/* ---- reading ---- */

struct read_job {
	const struct sqlite_reader *reader;
	struct store_range range; /* inside the size */
	void *data;
};

static bool is_version(const struct sqlite_reader *reader,
		       const struct sqlite_entry *entry)
{
	struct store_version version;

	if (!entry->object || entry->rowid != reader->rowid)
		return false;
	sqlite_entry_version(entry, &version);
	return store_version_equal(&version, &reader->version);
}

/* Was it renamed? */
static int find_renamed(struct sqlite_txn *txn,
			const struct sqlite_reader *reader, bool *found)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_KEY_OF_ROW);
	char key[STORE_KEY_MAX + 1];
	struct sqlite_entry entry;
	size_t length;
	bool row;
	int code;

	*found = false;
	if (!s)
		return txn->error->code;
	bind_number(s, 1, reader->rowid);
	code = txn_step(txn, s, &row);
	if (code)
		return code;
	length = row ? (size_t)sqlite3_column_bytes(s, 0) : sizeof(key);
	if (length < sizeof(key))
		memcpy(key, sqlite3_column_blob(s, 0), length);
	sqlite3_reset(s);
	if (length >= sizeof(key))
		return STORE_OK;
	key[length] = '\0';
	code = sqlite_entry_load(txn, key, &entry);
	if (!code)
		*found = is_version(reader, &entry);
	return code;
}

static int verify(struct sqlite_txn *txn, const struct sqlite_reader *reader)
{
	struct sqlite_entry entry;
	bool found;
	int code = sqlite_entry_load(txn, reader->key, &entry);

	if (code || is_version(reader, &entry))
		return code;
	code = find_renamed(txn, reader, &found);
	if (code || found)
		return code;
	return txn_fail(txn, entry.object ? STORE_CHANGED : STORE_NOT_FOUND);
}

static int read_body(struct sqlite_txn *txn, void *arg)
{
	const struct read_job *job = arg;
	const struct sqlite_reader *reader = job->reader;
	int code = verify(txn, reader);

	if (!code)
		code = sqlite_object_read(txn, reader->rowid, reader->size,
					  &job->range, job->data);
	return code;
}

int sqlite_read_at(void *self, struct store_context *context, void *reader,
		   uint64_t offset, void *data, size_t length, size_t *got,
		   struct store_error *error)
{
	const struct sqlite_reader *r = reader;
	struct read_job job = { .reader = r, .data = data };
	int code;

	if (offset > r->size)
		offset = r->size;
	if (length > r->size - offset)
		length = (size_t)(r->size - offset);
	job.range = (struct store_range){ .offset = offset, .length = length };
	code = sqlite_read(self, context, read_body, &job, error);
	if (!code)
		*got = length;
	return code;
}
