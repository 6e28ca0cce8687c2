// SPDX-License-Identifier: MIT
/*
 * The memory store: the reference of what a store does.
 *
 * What it is: a tree of nodes in this process, gone with the last handle.
 *   `memory:` is private to its handle; all handles opened with the same
 *   `name=` share one tree.
 * Keys: any bytes; a component is a name in a folder.  Folders are explicit
 *   and stay when they are empty.
 * Limits: `limit=` bounds the bytes of content (NO_SPACE beyond); zeros in
 *   aligned stretches of 64 KiB cost nothing.
 * Consistency: every operation is one step under the lock of the instance.
 *   Content is immutable and counted, so a reader keeps its version.  A
 *   version token is given out once and changes with the content only.
 * Concurrency: any number of threads; the lock is held for a few look-ups,
 *   never while a source is read.
 *
 * Called by the core through the table at the end.  Lock ranks: names_lock
 * before the lock of an instance, never both.
 */
#include "config.h"

#include "backends/memory/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/option.h"
#include "src/url.h"

/* What the operations get as `self`. */
struct handle {
	char *name; /* NULL: private */
	uint64_t limit;
	struct memory *memory; /* NULL until it is opened */
};

/* Instances with a name. */
struct shared {
	struct shared *next;
	struct memory *memory;
	size_t handles;
	char name[];
};

static struct lock names_lock = { .mutex = PTHREAD_MUTEX_INITIALIZER };
static struct shared *shared_list; /* protected by names_lock */

struct memory *memory_of(void *self)
{
	struct handle *handle = self;

	return handle->memory;
}

/* ---- life ---- */

static const struct store_option memory_options[] = {
	{ .name = "name",
	  .type = OPTION_TEXT,
	  .help = "Share the tree with all handles of this name" },
	{ .name = "limit",
	  .type = OPTION_SIZE,
	  .help = "Most bytes of content it takes" },
	{ .name = NULL },
};

static int memory_from_url(const struct store_url *url,
			   struct option_values *values UNUSED,
			   const char *source UNUSED, struct store_error *error)
{
	if (url->user || url->password || url->host[0] || url->port >= 0)
		return store_error_set(error, STORE_INVALID,
				       "memory: takes no host");
	if (url->path[0] && strcmp(url->path, "/") != 0)
		return store_error_set(error, STORE_INVALID,
				       "memory: takes no path");
	return STORE_OK;
}

static void memory_close(void *self);

static int memory_configure(const struct option_values *values, void **self,
			    struct store_error *error)
{
	const char *name = option_text(values, "name");
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return memory_fail(STORE_NO_MEMORY, error);
	handle->limit = (uint64_t)option_number(values, "limit");
	if (name) {
		handle->name = strdup(name);
		if (!handle->name) {
			memory_close(handle);
			return memory_fail(STORE_NO_MEMORY, error);
		}
	}
	*self = handle;
	return STORE_OK;
}

static struct shared *shared_find(const char *name) REQUIRES(names_lock)
{
	struct shared *shared;

	for (shared = shared_list; shared; shared = shared->next)
		if (strcmp(shared->name, name) == 0)
			return shared;
	return NULL;
}

static struct shared *shared_new(const struct handle *handle)
	REQUIRES(names_lock)
{
	size_t length = strlen(handle->name) + 1;
	struct shared *shared = calloc(1, sizeof(*shared) + length);

	if (!shared)
		return NULL;
	shared->memory = memory_new(handle->limit);
	if (!shared->memory) {
		free(shared);
		return NULL;
	}
	memcpy(shared->name, handle->name, length);
	shared->next = shared_list;
	shared_list = shared;
	return shared;
}

static int shared_join(struct handle *handle, struct store_error *error)
{
	struct shared *shared;

	lock_take(&names_lock);
	shared = shared_find(handle->name);
	if (!shared)
		shared = shared_new(handle);
	if (shared) {
		shared->handles++;
		handle->memory = shared->memory;
	}
	lock_drop(&names_lock);
	if (!shared)
		return memory_fail(STORE_NO_MEMORY, error);
	return STORE_OK;
}

/* Leave the shared instance; it goes with the last handle. */
static void shared_leave(const struct handle *handle)
{
	struct shared **place;
	struct shared *gone = NULL;

	lock_take(&names_lock);
	for (place = &shared_list; *place; place = &(*place)->next)
		if ((*place)->memory == handle->memory)
			break;
	if (*place && !--(*place)->handles) {
		gone = *place;
		*place = gone->next;
	}
	lock_drop(&names_lock);
	if (!gone)
		return;
	memory_free(gone->memory);
	free(gone);
}

static int memory_open(void *self, struct store_context *context UNUSED,
		       struct store_error *error)
{
	struct handle *handle = self;

	if (handle->name)
		return shared_join(handle, error);
	handle->memory = memory_new(handle->limit);
	if (!handle->memory)
		return memory_fail(STORE_NO_MEMORY, error);
	return STORE_OK;
}

static void memory_close(void *self)
{
	struct handle *handle = self;

	if (handle->memory && handle->name)
		shared_leave(handle);
	else
		memory_free(handle->memory);
	free(handle->name);
	free(handle);
}

static uint64_t memory_has(void *self);

static int memory_ping(void *self UNUSED, struct store_context *context,
		       struct store_error *error)
{
	return store_context_check(context, error);
}

static char *memory_identity(void *self)
{
	const struct handle *handle = self;
	size_t length = handle->name ? strlen(handle->name) : 0;
	char *text = malloc(sizeof("memory:?name=") + length);

	if (!text)
		return NULL;
	memcpy(text, "memory:?name=", sizeof("memory:?name="));
	if (handle->name)
		memcpy(text + strlen(text), handle->name, length + 1);
	else
		text[strlen("memory:")] = '\0';
	return text;
}

static int memory_usage(void *self, struct store_context *context UNUSED,
			struct store_usage *usage,
			struct store_error *error UNUSED)
{
	struct memory *memory = memory_of(self);
	uint64_t used = atomic_load(&memory->budget.used);
	uint64_t limit = memory->budget.limit;

	*usage = (struct store_usage){ .total = limit };
	if (used < limit)
		usage->free = limit - used;
	usage->available = usage->free;
	return STORE_OK;
}

/* ---- asking ---- */

static int memory_stat(void *self, struct store_context *context UNUSED,
		       const char *key, struct store_info *info,
		       struct store_details *details, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = tree_find(memory, key, &place, error);
	if (!code && details && node_details(place.node, details))
		code = memory_fail(STORE_NO_MEMORY, error);
	if (!code)
		node_info(place.node, memory->prefix, info);
	lock_drop(&memory->lock);
	return code;
}

/* Append names behind the cursor; `made` is a page of our own. */
static int list_fill(struct memory *memory, const struct node *folder,
		     const struct backend_list_request *request,
		     struct store_page *made) REQUIRES(memory->lock)
{
	const struct name *name =
		names_after(&folder->children, request->cursor);
	const char *last = NULL;

	while (name && made->count < request->limit) {
		struct store_info info;

		node_info(name->node, memory->prefix, &info);
		if (store_page_add(made, name->text, &info, true))
			return STORE_NO_MEMORY;
		last = name->text;
		name = names_after(&folder->children, last);
	}
	if (!name || !last)
		return STORE_OK;
	made->next = strdup(last);
	return made->next ? STORE_OK : STORE_NO_MEMORY;
}

static int list_locked(struct memory *memory,
		       const struct backend_list_request *request,
		       struct store_page *made, struct store_error *error)
	REQUIRES(memory->lock)
{
	struct place place;
	int code = tree_find(memory, request->prefix, &place, error);

	if (code)
		return code;
	if (place.node->type != STORE_TYPE_FOLDER)
		return memory_fail(STORE_NOT_DIR, error);
	if (list_fill(memory, place.node, request, made))
		return memory_fail(STORE_NO_MEMORY, error);
	return STORE_OK;
}

static int page_append(struct store_page *page, struct store_page *made,
		       struct store_error *error)
{
	size_t i;

	if (!page->count) {
		store_page_release(page);
		*page = *made;
		store_page_init(made);
		return STORE_OK;
	}
	for (i = 0; i < made->count; i++)
		if (store_page_add(page, made->entries[i].name,
				   &made->entries[i].info, true))
			return memory_fail(STORE_NO_MEMORY, error);
	free(page->next);
	page->next = steal_pointer(&made->next);
	return STORE_OK;
}

static int memory_list(void *self, struct store_context *context,
		       const struct backend_list_request *request,
		       struct store_page *page, struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct store_page made;
	int code = store_context_check(context, error);

	if (code)
		return code;
	store_page_init(&made);
	lock_take(&memory->lock);
	code = list_locked(memory, request, &made, error);
	lock_drop(&memory->lock);
	if (!code)
		code = page_append(page, &made, error);
	store_page_release(&made);
	return code;
}

/* ---- reading ---- */

static int open_locked(struct memory *memory, const char *key,
		       const struct store_version *pin, struct place *place,
		       struct store_error *error) REQUIRES(memory->lock)
{
	struct store_precondition wanted = { .condition = STORE_IF_ANY };
	int code = tree_find(memory, key, place, error);

	if (code)
		return code;
	if (place->node->type == STORE_TYPE_FOLDER)
		return memory_fail(STORE_IS_DIR, error);
	if (place->node->type != STORE_TYPE_FILE)
		return store_error_set(error, STORE_INVALID,
				       "is not a regular file");
	if (pin) {
		wanted.condition = STORE_IF_VERSION;
		wanted.version = *pin;
	}
	return tree_check(memory, place->node, &wanted, error);
}

static int memory_open_reader(void *self, struct store_context *context UNUSED,
			      const char *key, const struct store_version *pin,
			      void **reader, struct store_info *info,
			      struct store_error *error)
{
	struct memory *memory = memory_of(self);
	struct place place;
	int code;

	lock_take(&memory->lock);
	code = open_locked(memory, key, pin, &place, error);
	if (!code) {
		*reader = blob_ref(place.node->blob);
		node_info(place.node, memory->prefix, info);
	}
	lock_drop(&memory->lock);
	return code;
}

static int memory_read(void *self UNUSED, struct store_context *context,
		       void *reader, uint64_t offset, void *data, size_t length,
		       size_t *got, struct store_error *error)
{
	uint64_t size = blob_size(reader);
	int code = store_context_check(context, error);

	if (code)
		return code;
	if (offset >= size)
		length = 0;
	else if (length > size - offset)
		length = (size_t)(size - offset);
	blob_read(reader, offset, data, length);
	store_context_progress(context);
	*got = length;
	return STORE_OK;
}

static void memory_close_reader(void *self UNUSED, void *reader)
{
	blob_unref(reader);
}

static int memory_reader_data(void *self UNUSED, void *reader, uint64_t offset,
			      struct store_range *range,
			      struct store_error *error UNUSED)
{
	blob_next_data(reader, offset, range);
	return STORE_OK;
}

/* ---- table ---- */

static const char *const memory_schemes[] = { "memory", NULL };

extern const struct store_backend memory_backend;

/* Without a limit there are no figures to give. */
static uint64_t memory_has(void *self)
{
	const struct handle *handle = self;
	uint64_t all = memory_backend.capabilities;

	return handle->limit ? all : all & ~(uint64_t)STORE_CAP_USAGE;
}

const struct store_backend memory_backend = {
	.name = "memory",
	.schemes = memory_schemes,
	.summary = "files in the memory of this process",
	.options = memory_options,
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL |
			STORE_CAP_COMPOSE | STORE_CAP_PINNED_READ |
			STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |
			STORE_CAP_EXCHANGE | STORE_CAP_POSIX | STORE_CAP_LINKS |
			STORE_CAP_SYMLINKS | STORE_CAP_NODES | STORE_CAP_XATTR |
			STORE_CAP_USAGE | STORE_CAP_SPARSE |
			STORE_CAP_PUBLISH_ID | STORE_CAP_NEAR,
	.concurrency = STORE_PARALLEL,
	.from_url = memory_from_url,
	.configure = memory_configure,
	.open = memory_open,
	.close = memory_close,
	.has = memory_has,
	.ping = memory_ping,
	.stat = memory_stat,
	.list = memory_list,
	.open_reader = memory_open_reader,
	.read = memory_read,
	.close_reader = memory_close_reader,
	.reader_data = memory_reader_data,
	.put = memory_put,
	.make_node = memory_make_node,
	.link = memory_link,
	.remove = memory_remove,
	.make_dir = memory_make_dir,
	.remove_dir = memory_remove_dir,
	.remove_tree = memory_remove_tree,
	.move = memory_move,
	.copy = memory_copy,
	.set_attributes = memory_set_attributes,
	.get_xattr = memory_get_xattr,
	.list_xattrs = memory_list_xattrs,
	.set_xattr = memory_set_xattr,
	.remove_xattr = memory_remove_xattr,
	.usage = memory_usage,
	.upload_begin = memory_upload_begin,
	.upload_write = memory_upload_write,
	.upload_commit = memory_upload_commit,
	.upload_abort = memory_upload_abort,
	.identity = memory_identity,
};
