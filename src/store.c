// SPDX-License-Identifier: MIT
/*
 * A store: its life, what it is, names.
 *
 * store_assemble() stacks the layers; store_child() puts a prefix on top.
 * Stores of one backend share it by reference count, so that it does not
 * matter which is closed first.  No locks: everything but the count and the
 * counters is immutable.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

/* Opening may not hang: no caller has a deadline for it. */
static const int64_t OPEN_STALL_NS = 30 * NS_PER_SEC;

static void shared_drop(struct store_shared *shared)
{
	if (atomic_fetch_sub(&shared->references, 1) != 1)
		return;
	shared->top.ops->close(shared->top.self);
	free(shared);
}

static int out_of_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* A store at `root` of a shared backend; takes a reference of its own. */
static int store_new(struct store_shared *shared, const char *root,
		     bool raw_keys, struct store **store,
		     struct store_error *error)
{
	struct store *made = calloc(1, sizeof(*made));
	int code = STORE_OK;

	if (!made)
		return out_of_memory(error);
	made->backend = shared->top;
	made->raw_keys = raw_keys;
	made->root = strdup(root);
	if (!made->root)
		code = out_of_memory(error);
	else if (!key_is_root(root))
		code = layer_prefix(root, &made->backend, error);
	if (code) {
		free(made->root);
		free(made);
		return code;
	}
	made->shared = shared;
	atomic_fetch_add(&shared->references, 1);
	*store = made;
	return STORE_OK;
}

static int stack_layers(struct store_shared *shared,
			const struct store_policy *policy,
			struct store_error *error)
{
	int code = STORE_OK;

	if (shared->top.ops->concurrency == STORE_SERIAL)
		code = layer_serial(&shared->top, error);
	if (!code && policy->fault_file)
		code = layer_fault(policy->fault_file, &shared->top, error);
	if (!code)
		code = layer_trace(&shared->counters, &shared->top, error);
	if (!code && policy->retry.max_attempts > 1)
		code = layer_retry(&policy->retry, &shared->counters,
				   &shared->top, error);
	return code;
}

int store_assemble(const struct store_backend *ops, void *self,
		   const struct store_policy *policy, struct store **store,
		   struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct store_shared *shared = calloc(1, sizeof(*shared));
	struct store_context context;
	int code;

	if (!shared) {
		ops->close(self);
		return out_of_memory(error);
	}
	atomic_init(&shared->references, 1);
	shared->top = (struct backend){ ops, self };
	store_context_init(&context, OPEN_STALL_NS, NULL);
	code = stack_layers(shared, policy, &own);
	if (!code)
		code = shared->top.ops->open(shared->top.self, &context, &own);
	if (!code)
		code = store_new(shared, "", policy->raw_keys, store, &own);
	/* The store holds a reference now, or nobody does. */
	shared_drop(shared);
	if (code && error) {
		*error = own;
		store_error_prefix(error, "open %s store", ops->name);
	}
	return code;
}

struct store *store_ref(struct store *store)
{
	struct store *made = NULL;

	if (store_new(store->shared, store->root, store->raw_keys, &made, NULL))
		return NULL;
	return made;
}

int store_child(struct store *store, const char *folder, struct store **child,
		struct store_error *error)
{
	CLEANUP_FREE char *root = NULL;
	struct call call;
	int code = call_begin(&call, store, "child", NULL);

	if (!code)
		code = call_key(&call, folder, CALL_NO_ROOT);
	if (!code) {
		root = key_join(store->root, call.key);
		if (!root)
			code = out_of_memory(&call.error);
		else if (strlen(root) > STORE_KEY_MAX)
			code = store_error_set(&call.error, STORE_INVALID,
					       "a key of more than %d bytes",
					       STORE_KEY_MAX);
	}
	if (!code)
		code = store_new(store->shared, root, store->raw_keys, child,
				 &call.error);
	return call_end(&call, code, error);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	/* The prefix borrows what is shared: it goes first. */
	if (!key_is_root(store->root))
		store->backend.ops->close(store->backend.self);
	shared_drop(store->shared);
	free(store->root);
	free(store);
}

bool store_equal(const struct store *a, const struct store *b)
{
	return a->shared == b->shared && strcmp(a->root, b->root) == 0;
}

/* ---- what it is ---- */

/* What nobody would be told of. */
#define LISTED_LACKS (STORE_CAP_POSIX | STORE_CAP_SYMLINKS | STORE_CAP_XATTR)

uint64_t store_capabilities(const struct store *store)
{
	uint64_t has = layer_has(&store->backend);

	return store->listed_only ? has & ~(uint64_t)LISTED_LACKS : has;
}

void store_tell_listed(struct store *store)
{
	store->listed_only = true;
}

bool store_supports(const struct store *store, enum store_capability one)
{
	return (store_capabilities(store) & one) != 0;
}

const char *store_backend_name(const struct store *store)
{
	return store->backend.ops->name;
}

char *store_identity(const struct store *store)
{
	return store->backend.ops->identity(store->backend.self);
}

char *store_local_path(const struct store *store)
{
	const struct backend *backend = &store->backend;

	if (!backend->ops->local_path)
		return NULL;
	return backend->ops->local_path(backend->self);
}

uint64_t store_max_size(const struct store *store)
{
	const struct backend *backend = &store->backend;

	if (!backend->ops->max_size)
		return 0;
	return backend->ops->max_size(backend->self);
}

int store_ping(struct store *store, struct store_context *context,
	       struct store_error *error)
{
	struct store_info info;
	struct call call;
	int code = call_begin(&call, store, "ping", context);

	if (!code && call.ops->ping)
		code = call.ops->ping(call.self, call.context, &call.error);
	else if (!code)
		code = core_stat(&call, "", &info, NULL);
	return call_end(&call, code, error);
}

int store_usage(struct store *store, struct store_context *context,
		struct store_usage *usage, struct store_error *error)
{
	struct store_usage found = { .total = 0 };
	struct call call;
	int code = call_begin(&call, store, "usage", context);

	if (!code)
		code = call_needs(&call, STORE_CAP_USAGE);
	if (!code && !call.ops->usage)
		code = call_fail(&call, STORE_NOT_SUPPORTED);
	if (!code)
		code = call.ops->usage(call.self, call.context, &found,
				       &call.error);
	if (!code)
		*usage = found;
	return call_end(&call, code, error);
}

/* ---- names, without I/O ---- */

static char *native_of(const struct store *store, const char *key)
{
	if (!store->backend.ops->native_path)
		return strdup(key);
	return store->backend.ops->native_path(store->backend.self, key);
}

int store_native_path(struct store *store, const char *key, char **path,
		      struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "native path", NULL);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code) {
		char *native = native_of(store, call.key);

		if (native)
			*path = native;
		else
			code = call_fail(&call, STORE_NO_MEMORY);
	}
	return call_end(&call, code, error);
}

int store_to_key(struct store *store, const char *path, char **key,
		 struct store_error *error)
{
	CLEANUP_FREE char *found = NULL;
	char *normal = NULL;
	struct call call;
	int code = call_begin(&call, store, "to key", NULL);

	if (store->backend.ops->to_key)
		found = store->backend.ops->to_key(store->backend.self, path);
	else
		found = strdup(path);
	if (!code && !found)
		code = store_error_set(&call.error, STORE_INVALID,
				       "'%s' is not below this store", path);
	/* Slashes are the path's own here, whatever the store's rule. */
	if (!code)
		code = key_normalise(found, true, &normal, &call.error);
	if (!code)
		*key = normal;
	return call_end(&call, code, error);
}

int store_resolve(struct store *store, const char *key,
		  struct store_resolution *resolution,
		  struct store_error *error)
{
	struct store_resolution found = {
		.backend = store_backend_name(store),
	};
	struct call call;
	int code = call_begin(&call, store, "resolve", NULL);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code) {
		found.key = strdup(call.key);
		found.native_path = native_of(store, call.key);
		found.identity = store_identity(store);
		if (!found.key || !found.native_path || !found.identity)
			code = call_fail(&call, STORE_NO_MEMORY);
	}
	if (code)
		store_resolution_release(&found);
	else
		*resolution = found;
	return call_end(&call, code, error);
}

void store_resolution_release(struct store_resolution *resolution)
{
	free(resolution->key);
	free(resolution->native_path);
	free(resolution->identity);
	*resolution = (struct store_resolution){ .backend = NULL };
}

/* ---- counters ---- */

const char *store_counter_name(enum store_counter counter)
{
	static const char *const names[STORE_COUNTERS] = {
		[STORE_COUNT_STAT] = "stat",
		[STORE_COUNT_LIST] = "list",
		[STORE_COUNT_OPEN_READER] = "open_reader",
		[STORE_COUNT_READ] = "read",
		[STORE_COUNT_PUT] = "put",
		[STORE_COUNT_MAKE] = "make",
		[STORE_COUNT_REMOVE] = "remove",
		[STORE_COUNT_MOVE] = "move",
		[STORE_COUNT_COPY] = "copy",
		[STORE_COUNT_SET] = "set",
		[STORE_COUNT_OTHER] = "other",
		[STORE_COUNT_RETRIES] = "retries",
		[STORE_COUNT_FAILURES] = "failures",
		[STORE_COUNT_BYTES_READ] = "bytes_read",
		[STORE_COUNT_BYTES_WRITTEN] = "bytes_written",
	};

	return counter < STORE_COUNTERS ? names[counter] : NULL;
}

void store_counters(const struct store *store, uint64_t values[STORE_COUNTERS])
{
	const struct layer_counters *counters = &store->shared->counters;

	for (int i = 0; i < STORE_COUNTERS; i++)
		values[i] = atomic_load_explicit(&counters->values[i],
						 memory_order_relaxed);
}

bool store_in_seconds(const struct store *store)
{
	return store->backend.ops->whole_seconds;
}

const struct wire_counters *store_wire(const struct store *store)
{
	const struct backend *backend = &store->backend;

	return backend->ops->wire ? backend->ops->wire(backend->self) : NULL;
}
