// SPDX-License-Identifier: MIT
/*
 * The registry: see <storefs/registry.h>.  Called by programs; calls file.c
 * and document.c to read, registry_load.c to understand, target.c to open.
 *
 * Everything but the slots is immutable once open, so lookups take no lock.
 * A slot's lock is not held while its backend is opened.
 */
#include "config.h"

#include "src/config/registry.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/text.h"
#include "src/config/open.h"

static void slot_init(struct registry_slot *slot)
{
	lock_init(&slot->lock);
	condition_init(&slot->changed);
}

static void slot_destroy(struct registry_slot *slot)
{
	if (slot->root)
		store_close(slot->root);
	condition_destroy(&slot->changed);
	lock_destroy(&slot->lock);
}

/*
 * Wait while another thread is opening.  True: the outcome is in *root or
 * *failure.  False: the caller is to open it, and has to call
 * slot_finish().
 */
static bool slot_begin_locked(struct registry_slot *slot, struct store **root,
			      struct store_error *failure) REQUIRES(slot->lock)
{
	const unsigned int failures = slot->failures;

	slot->waiting++;
	while (slot->opening)
		condition_wait(&slot->changed, &slot->lock);
	slot->waiting--;
	if (slot->root) {
		*root = slot->root;
		return true;
	}
	if (slot->failures != failures) {
		*failure = slot->failure;
		return true;
	}
	slot->opening = true;
	return false;
}

static void slot_finish(struct registry_slot *slot, struct store *root,
			const struct store_error *failure)
{
	lock_take(&slot->lock);
	slot->opening = false;
	slot->root = root;
	if (!root) {
		slot->failures++;
		slot->failure = *failure;
	}
	lock_drop(&slot->lock);
	condition_broadcast(&slot->changed);
}

/* The shared store of the whole backend, borrowed from the registry. */
static int slot_get(struct registry_backend *backend, bool raw_keys,
		    struct store **root, struct store_error *error)
{
	struct registry_slot *slot = &backend->slots[raw_keys];
	struct store_error failure = STORE_ERROR_INIT;
	struct store *opened = NULL;
	bool done;
	int code;

	lock_take(&slot->lock);
	done = slot_begin_locked(slot, &opened, &failure);
	lock_drop(&slot->lock);
	if (!done) {
		code = target_open(backend->target, raw_keys, &opened,
				   &failure);
		if (code && !failure.code)
			failure.code = code;
		slot_finish(slot, opened, &failure);
	}
	if (opened) {
		*root = opened;
		return STORE_OK;
	}
	code = failure.code;
	if (error)
		*error = failure;
	return code;
}

/* ---- life ---- */

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "registry: %s",
			       store_code_text(STORE_NO_MEMORY));
}

/* Every section may be a backend, and every section makes one store. */
static int make_room(struct store_registry *registry, struct store_error *error)
{
	const size_t count = registry->document.count;

	registry->names = calloc(count + 1, sizeof(*registry->names));
	registry->stores = calloc(count + 1, sizeof(*registry->stores));
	registry->backends = calloc(count + 1, sizeof(*registry->backends));
	if (!registry->names || !registry->stores || !registry->backends)
		return no_memory(error);
	for (size_t i = 0; i < count; i++) {
		slot_init(&registry->backends[i].slots[false]);
		slot_init(&registry->backends[i].slots[true]);
	}
	return STORE_OK;
}

static int load(struct store_registry *registry, const char *path,
		struct store_error *error)
{
	struct config_bytes bytes = { 0 };
	int code = config_bytes_read(path, &bytes, error);

	if (!code)
		code = config_document_parse(&bytes, &registry->document,
					     error);
	config_bytes_release(&bytes);
	if (!code)
		code = make_room(registry, error);
	if (!code)
		code = registry_load(registry, error);
	return code;
}

int store_registry_open(const char *path, struct store_registry **result,
			struct store_error *error)
{
	struct store_registry *registry = calloc(1, sizeof(*registry));
	int code;

	if (!registry)
		return no_memory(error);
	code = load(registry, path, error);
	if (code) {
		store_registry_close(registry);
		return code;
	}
	*result = registry;
	return STORE_OK;
}

void store_registry_close(struct store_registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; registry->stores && i < registry->store_count; i++)
		free(registry->stores[i].root);
	for (size_t i = 0; registry->backends && i < registry->document.count;
	     i++) {
		slot_destroy(&registry->backends[i].slots[false]);
		slot_destroy(&registry->backends[i].slots[true]);
		target_free(registry->backends[i].target);
	}
	free(registry->names);
	free(registry->stores);
	free(registry->backends);
	config_document_release(&registry->document);
	free(registry);
}

/* ---- asking ---- */

const char *store_registry_path(const struct store_registry *registry)
{
	return registry->document.path;
}

const char *const *store_registry_names(const struct store_registry *registry,
					size_t *count)
{
	if (count)
		*count = registry->store_count;
	return (const char *const *)registry->names;
}

const struct registry_store *
registry_find(const struct store_registry *registry, const char *name)
{
	for (size_t i = 0; i < registry->store_count; i++) {
		if (!strcmp(registry->stores[i].name, name))
			return &registry->stores[i];
	}
	return NULL;
}

static int not_found(const struct store_registry *registry, const char *name,
		     struct store_error *error)
{
	struct text_nearest nearest = { .name = name };
	struct text_shown shown;

	text_show(&shown, name);
	for (size_t i = 0; i < registry->store_count; i++)
		text_nearest_try(&nearest, registry->stores[i].name);
	if (!registry->document.path)
		return store_error_set(error, STORE_NOT_FOUND,
				       "no store '%s': there is no "
				       "configuration file",
				       shown.text);
	if (nearest.found)
		return store_error_set(error, STORE_NOT_FOUND,
				       "no store '%s' in %s, did you mean "
				       "'%s'?",
				       shown.text, registry->document.path,
				       nearest.found);
	return store_error_set(error, STORE_NOT_FOUND, "no store '%s' in %s",
			       shown.text, registry->document.path);
}

int registry_check_name(const struct store_registry *registry, const char *name,
			struct store_error *error)
{
	if (registry_find(registry, name))
		return STORE_OK;
	return not_found(registry, name, error);
}

/* ---- opening ---- */

/* A store of its own, because the options of this one are not shared. */
static int open_alone(const struct store_registry *registry,
		      const struct registry_backend *backend,
		      const struct store_open_options *options,
		      struct store **root, struct store_error *error)
{
	struct config_target *target = NULL;
	int code = registry_make_target(&registry->document, backend->section,
					target_backend(backend->target),
					&target, error);

	if (!code)
		code = target_set_options(target, options, error);
	if (!code)
		code = target_open(target, options->raw_keys, root, error);
	target_free(target);
	return code;
}

/* The part of `root` this store is; a handle of its own. */
static int open_part(const struct registry_store *entry, struct store *root,
		     struct store **store, struct store_error *error)
{
	struct store *whole;

	if (*entry->root)
		return store_child(root, entry->root, store, error);
	whole = store_ref(root);
	if (!whole)
		return no_memory(error);
	*store = whole;
	return STORE_OK;
}

int store_registry_get(struct store_registry *registry, const char *name,
		       const struct store_open_options *options,
		       struct store **store, struct store_error *error)
{
	const struct registry_store *entry = registry_find(registry, name);
	const bool alone = options && options->options && options->options[0];
	struct store *root = NULL;
	int code;

	if (!entry)
		return not_found(registry, name, error);
	if (!entry->backend->target) {
		if (error)
			*error = entry->backend->missing;
		return entry->backend->missing.code;
	}
	if (alone)
		code = open_alone(registry, entry->backend, options, &root,
				  error);
	else
		code = slot_get(entry->backend, options && options->raw_keys,
				&root, error);
	if (!code)
		code = open_part(entry, root, store, error);
	if (alone && root)
		store_close(root);
	if (code)
		store_error_prefix(error, "store '%s'", name);
	return code;
}
