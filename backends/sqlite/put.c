// SPDX-License-Identifier: MIT
/*
 * Putting files: preconditions, the body, our rows and the parent folder, all
 * in one transaction.  Called through the table in sqlite.c; calls object.c
 * and node.c.
 *
 * A small body is read from its source before the transaction begins.  A
 * larger one is read inside it, so its source should be at hand; that is what
 * staging is for.
 */
#include "config.h"

#include "backends/sqlite/node.h"
#include "backends/sqlite/object.h"
#include "backends/sqlite/operations.h"

#include <inttypes.h>
#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/json.h"

/* Bytes of a body for which nobody minds to wait who writes with it. */
enum { PART_MAX = 64 << 10 };

struct put_job {
	const struct backend_put_request *request;
	struct sqlite_body body;
	const char *metadata; /* JSON, "" to clear, NULL: none given */
	struct store_info *info;
};

/* ---- the rows of the data table ---- */

static double modified_at(const struct sqlite_txn *txn,
			  const struct backend_put_request *request)
{
	const struct store_attributes *a = request->attributes;

	if (a && (a->mask & STORE_ATTR_MTIME))
		return (double)a->mtime.tv_sec + (double)a->mtime.tv_nsec / 1e9;
	return (double)txn->now / 1e9;
}

static int write_row(struct sqlite_txn *txn, const struct put_job *job,
		     const char *key, const struct sqlite_entry *entry,
		     struct sqlite_stamp *stamp)
{
	const struct backend_put_request *request = job->request;
	struct sqlite_object object = {
		.key = key,
		.exists = entry->object,
		.rowid = entry->rowid,
		.old_size = entry->size,
		.old_modified_at = entry->modified_at,
		.modified_at = modified_at(txn, request),
		.keep_columns =
			entry->object && (request->flags & BACKEND_PUT_KEEP),
		.content_type = request->content_type,
		.user_metadata = job->metadata,
	};
	int code = sqlite_object_write(txn, &object, &job->body);

	if (code)
		return code;
	*stamp = (struct sqlite_stamp){ .rowid = object.rowid,
					.size = request->source->size,
					.modified_at = object.modified_at };
	return STORE_OK;
}

/* One more name of the node: the same bytes, unless it is not ours. */
static int write_link(struct sqlite_txn *txn, const struct put_job *job,
		      const char *key)
{
	struct sqlite_stamp stamp;
	struct sqlite_entry entry;
	int code = sqlite_entry_load(txn, key, &entry);

	if (code || !entry.ours)
		return code;
	code = write_row(txn, job, key, &entry, &stamp);
	if (!code)
		code = sqlite_name_put(txn, key, &entry.node, true, &stamp);
	return code;
}

/* The next name of a node behind `key`, in the order of the index. */
struct names {
	char **keys;
	size_t count;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->keys[i]);
	free(names->keys);
}

static int names_add(struct names *names, const char *key)
{
	char **keys = realloc(names->keys, (names->count + 1) * sizeof(*keys));

	if (!keys)
		return STORE_NO_MEMORY;
	names->keys = keys;
	keys[names->count] = strdup(key);
	if (!keys[names->count])
		return STORE_NO_MEMORY;
	names->count++;
	return STORE_OK;
}

/* Collected first: writing changes what is walked over. */
static int names_of(struct sqlite_txn *txn, int64_t node, struct names *names)
{
	sqlite3_stmt *s = txn_prepare(txn, SQL_NAMES_OF_NODE);
	bool row;
	int code;

	if (!s)
		return txn->error->code;
	bind_number(s, 1, node);
	while (!(code = txn_step(txn, s, &row)) && row) {
		code = names_add(names,
				 (const char *)sqlite3_column_text(s, 0));
		if (code) {
			code = txn_fail(txn, code);
			break;
		}
	}
	sqlite3_reset(s);
	return code;
}

static int write_links(struct sqlite_txn *txn, const struct put_job *job,
		       int64_t node)
{
	CLEANUP(names_release) struct names names = { .count = 0 };
	int code = names_of(txn, node, &names);

	for (size_t i = 0; !code && i < names.count; i++)
		if (strcmp(names.keys[i], job->request->key) != 0)
			code = write_link(txn, job, names.keys[i]);
	return code;
}

/* ---- our rows ---- */

static int put_xattrs(struct sqlite_txn *txn, const struct put_job *job,
		      const struct sqlite_node *node)
{
	int code = STORE_OK;

	for (size_t i = 0; !code && i < job->request->xattr_count; i++)
		code = sqlite_xattr_put(txn, node->id,
					&job->request->xattrs[i]);
	return code;
}

/* The node goes on with new content. */
static int keep_node(struct sqlite_txn *txn, const struct put_job *job,
		     struct sqlite_entry *entry)
{
	struct sqlite_node *node = &entry->node;
	/* Changed by somebody else under one of several names? */
	int code = entry->ours
			   ? STORE_OK
			   : sqlite_entry_adopt(txn, job->request->key, entry);

	if (code)
		return code;
	node->attributes.mask |= STORE_ATTR_MTIME;
	node->attributes.mtime = timespec_from_ns(txn->now);
	if (job->request->attributes)
		sqlite_node_set_attributes(node, job->request->attributes);
	node->ctime = txn->now;
	sqlite_node_new_version(txn, node);
	return sqlite_node_update(txn, node);
}

/* New ids count on from the highest, so none may be near the end. */
static int64_t id_asked_for(const struct put_job *job)
{
	uint64_t id = job->request->id;

	return id <= INT64_MAX / 2 ? (int64_t)id : 0;
}

/* A node with nothing of the old one but, if nobody shares it, its id. */
static int fresh_node(struct sqlite_txn *txn, const struct put_job *job,
		      struct sqlite_entry *entry)
{
	struct sqlite_node old = entry->node;
	bool reuse = sqlite_entry_has_file_node(entry) && old.links == 1 &&
		     !job->request->id;
	int code = STORE_OK;

	if (entry->side && !reuse)
		code = sqlite_name_drop(txn, job->request->key, &old);
	sqlite_node_init(txn, STORE_TYPE_FILE, job->request->attributes,
			 &entry->node);
	entry->node.id = id_asked_for(job);
	if (code || !reuse)
		return code ? code
			    : sqlite_node_insert(txn, &entry->node, NULL);
	entry->node.id = old.id;
	entry->node.version = old.version;
	sqlite_node_new_version(txn, &entry->node);
	code = sqlite_xattrs_delete(txn, old.id);
	if (!code)
		code = sqlite_node_update(txn, &entry->node);
	return code;
}

static int put_node(struct sqlite_txn *txn, const struct put_job *job,
		    struct sqlite_entry *entry,
		    const struct sqlite_stamp *stamp)
{
	const char *key = job->request->key;
	bool keep = (job->request->flags & BACKEND_PUT_KEEP) && entry->object;
	int code;

	/* A folder beside the file has the row of this name. */
	if (!txn->connection->shape.side ||
	    (entry->side && entry->node.type == STORE_TYPE_FOLDER))
		return STORE_OK;
	if (keep && sqlite_entry_has_file_node(entry))
		code = keep_node(txn, job, entry);
	else
		code = fresh_node(txn, job, entry);
	if (!code && entry->node.links > 1)
		code = write_links(txn, job, entry->node.id);
	if (!code)
		code = sqlite_name_put(txn, key, &entry->node,
				       entry->node.links > 1, stamp);
	if (!code)
		code = put_xattrs(txn, job, &entry->node);
	if (!code)
		code = sqlite_node_publish(txn, &entry->node,
					   job->request->publish);
	return code;
}

/* ---- the whole ---- */

static int put_check(struct sqlite_txn *txn, const struct put_job *job,
		     struct sqlite_entry *entry)
{
	const struct backend_put_request *request = job->request;
	int code = sqlite_entry_load(txn, request->key, entry);

	if (code)
		return code;
	if (sqlite_entry_file_type(entry) == STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_IS_DIR);
	if (!entry->type)
		code = sqlite_parents_make(txn, request->key);
	if (!code)
		code = sqlite_entry_check(txn, entry, &request->precondition);
	if (!code && request->keep_count && !entry->object)
		code = store_error_set(txn->error, STORE_CHANGED,
				       "no version to keep ranges of");
	return code;
}

static int put_body(struct sqlite_txn *txn, void *arg)
{
	const struct put_job *job = arg;
	const char *key = job->request->key;
	struct sqlite_stamp stamp;
	struct sqlite_entry entry;
	bool is_new;
	int code = put_check(txn, job, &entry);

	if (code)
		return code;
	is_new = !sqlite_entry_file_type(&entry);
	code = sqlite_name_clean(txn, key, &entry);
	if (!code)
		code = write_row(txn, job, key, &entry, &stamp);
	if (!code)
		code = put_node(txn, job, &entry, &stamp);
	if (!code && is_new)
		code = sqlite_parent_touch(txn, key, 0);
	if (!code)
		code = sqlite_entry_report(txn, key, job->info);
	return code;
}

uint64_t sqlite_body_max(const struct sqlite_database *database)
{
	uint64_t limit = database->settings.max_size;

	return limit && limit < SQLITE_BODY_MAX ? limit : SQLITE_BODY_MAX;
}

static int check_size(const struct sqlite_database *database, uint64_t size,
		      struct store_error *error)
{
	uint64_t limit = sqlite_body_max(database);

	if (size <= limit)
		return STORE_OK;
	return store_error_set(error, STORE_TOO_LARGE,
			       "%" PRIu64 " bytes are more than the %" PRIu64
			       " that the store holds in one file",
			       size, limit);
}

/* malloc'd JSON; "" for metadata that are given and empty. */
static int metadata_text(const struct store_metadata *metadata, char **text,
			 struct store_error *error)
{
	struct json *json;

	if (!metadata)
		return STORE_OK;
	if (!metadata->count) {
		*text = strdup("");
	} else {
		json = json_from_metadata(metadata);
		*text = json ? json_print(json, false) : NULL;
		json_free(json);
	}
	if (!*text)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	return STORE_OK;
}

/* Read a small body, so that nobody waits for it as the writer. */
static int read_ahead(const struct backend_put_request *request,
		      unsigned char **data, struct store_error *error)
{
	struct store_source *source = request->source;

	if (request->keep_count || source->size > SQLITE_WHOLE_MAX)
		return STORE_OK;
	*data = malloc(source->size ? (size_t)source->size : 1);
	if (!*data)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	if (!source->size)
		return STORE_OK;
	return source->read(source, 0, *data, (size_t)source->size, error);
}

int sqlite_put(void *self, struct store_context *context,
	       const struct backend_put_request *request,
	       struct store_info *info, struct store_error *error)
{
	struct sqlite_database *database = self;
	CLEANUP_FREE unsigned char *data = NULL;
	CLEANUP_FREE char *metadata = NULL;
	struct put_job job = { .request = request,
			       .body = { .source = request->source,
					 .keep = request->keep,
					 .keep_count = request->keep_count },
			       .info = info };
	int code = check_size(database, request->source->size, error);

	if (!code)
		code = metadata_text(request->metadata, &metadata, error);
	if (!code)
		code = read_ahead(request, &data, error);
	if (code)
		return code;
	store_context_progress(context);
	job.body.whole = data;
	job.metadata = metadata;
	if (data && request->source->size <= PART_MAX)
		return sqlite_write_part(database, context, put_body, &job,
					 error);
	return sqlite_write(database, context, put_body, &job, error);
}
