// SPDX-License-Identifier: MIT
/*
 * Listing a folder, in pages.  Called through the table in sqlite.c; calls
 * scan.c.
 *
 * A cursor is the last name given out behind a letter: `f` a file whose name
 * a folder may have too, `n` any other name, `d` a folder that exists by its
 * children.  It holds no state of ours, so a page can be asked for at any time,
 * and names that come and go between pages disturb nothing else.
 */
#include "config.h"

#include "backends/sqlite/operations.h"
#include "backends/sqlite/scan.h"

#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/key.h"

enum { CURSOR_FILE = 'f', CURSOR_NODE = 'n', CURSOR_IMPLICIT = 'd' };

struct list_job {
	const struct backend_list_request *request;
	size_t prefix; /* length of what all keys below begin with */
	struct store_page page;
	char last; /* kind of the last entry, for the cursor */
};

/* Can a path have this component?  Foreign clients may write any key. */
static bool is_name(const char *name, size_t length)
{
	if (!length || length > STORE_NAME_MAX)
		return false;
	return !(name[0] == '.' &&
		 (length == 1 || (length == 2 && name[1] == '.')));
}

static int add(struct sqlite_txn *txn, struct list_job *job, const char *name,
	       const struct sqlite_entry *entry, char kind)
{
	struct store_info info;

	sqlite_entry_info(entry, &info);
	job->last = kind;
	if (store_page_add(&job->page, name, &info, true))
		return txn_fail(txn, STORE_NO_MEMORY);
	return STORE_OK;
}

/* Something deeper down: tells of a folder, and is skipped with it. */
static int add_below(struct sqlite_txn *txn, struct list_job *job,
		     struct sqlite_scan *scan, const struct sqlite_item *item)
{
	const struct sqlite_entry implicit = { .type = STORE_TYPE_FOLDER };
	const char *name = item->key + job->prefix;
	size_t length = strcspn(name, "/");
	char folder[STORE_KEY_MAX + 1];
	bool listed = true;
	int code = STORE_OK;

	memcpy(folder, item->key, job->prefix + length);
	folder[job->prefix + length] = '\0';
	if (is_name(name, length))
		code = sqlite_folder_is_explicit(txn, folder, &listed);
	if (!code && !listed)
		code = add(txn, job, folder + job->prefix, &implicit,
			   CURSOR_IMPLICIT);
	if (!code)
		code = sqlite_scan_skip(scan, folder);
	return code;
}

static int add_item(struct sqlite_txn *txn, struct list_job *job,
		    struct sqlite_scan *scan, const struct sqlite_item *item)
{
	const char *name = item->key + job->prefix;

	if (strchr(name, '/'))
		return add_below(txn, job, scan, item);
	if (!is_name(name, strlen(name)))
		return STORE_OK;
	return add(txn, job, name, &item->entry,
		   item->from_objects ? CURSOR_FILE : CURSOR_NODE);
}

static int list_scan(struct sqlite_txn *txn, struct list_job *job,
		     struct sqlite_scan *scan)
{
	struct sqlite_item item;
	bool more = true;
	int code = STORE_OK;

	while (!code && job->page.count < job->request->limit) {
		code = sqlite_scan_next(scan, &item, &more);
		if (code || !more)
			return code;
		code = add_item(txn, job, scan, &item);
	}
	if (code || !more || !job->page.count)
		return code;
	const char *last = job->page.entries[job->page.count - 1].name;
	size_t length = strlen(last);

	job->page.next = malloc(length + 2);
	if (!job->page.next)
		return txn_fail(txn, STORE_NO_MEMORY);
	job->page.next[0] = job->last;
	memcpy(job->page.next + 1, last, length + 1);
	return STORE_OK;
}

/* Begin behind the cursor. */
static int list_begin(struct sqlite_txn *txn, const struct list_job *job,
		      struct sqlite_scan *scan)
{
	const struct backend_list_request *request = job->request;
	const char *cursor = request->cursor;
	char key[STORE_KEY_MAX + 1];
	struct sqlite_scan_start start = { .key = NULL };
	int code;

	if (cursor) {
		start.folder_next = cursor[0] == CURSOR_FILE;
		start.key = key;
		code = key_join_into(request->prefix, cursor + 1, key,
				     sizeof(key), txn->error);
		if (code)
			return code;
	}
	code = sqlite_scan_begin(txn, request->prefix, &start, scan);
	if (!code && cursor && cursor[0] == CURSOR_IMPLICIT)
		code = sqlite_scan_skip(scan, key);
	return code;
}

static int list_body(struct sqlite_txn *txn, void *arg)
{
	struct list_job *job = arg;
	struct sqlite_scan scan;
	struct sqlite_entry entry;
	int code = sqlite_entry_find(txn, job->request->prefix, &entry);

	if (code)
		return code;
	if (entry.type != STORE_TYPE_FOLDER)
		return txn_fail(txn, STORE_NOT_DIR);
	code = list_begin(txn, job, &scan);
	if (!code)
		code = list_scan(txn, job, &scan);
	sqlite_scan_end(&scan);
	return code;
}

/* Entries of one page to the end of another. */
static int page_append(struct store_page *page, struct store_page *made,
		       struct store_error *error)
{
	if (!page->count) {
		store_page_release(page);
		*page = *made;
		store_page_init(made);
		return STORE_OK;
	}
	for (size_t i = 0; i < made->count; i++)
		if (store_page_add(page, made->entries[i].name,
				   &made->entries[i].info, true))
			return store_error_set(
				error, STORE_NO_MEMORY, "%s",
				store_code_text(STORE_NO_MEMORY));
	free(page->next);
	page->next = steal_pointer(&made->next);
	return STORE_OK;
}

int sqlite_list(void *self, struct store_context *context,
		const struct backend_list_request *request,
		struct store_page *page, struct store_error *error)
{
	struct list_job job = { .request = request };
	int code;

	job.prefix = strlen(request->prefix);
	job.prefix += job.prefix > 0;
	store_page_init(&job.page);
	code = sqlite_read(self, context, list_body, &job, error);
	if (!code)
		code = page_append(page, &job.page, error);
	store_page_release(&job.page);
	return code;
}
