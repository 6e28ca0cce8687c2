// SPDX-License-Identifier: MIT
/*
 * From sections to backends and stores.  Called by registry.c once; calls
 * find.c and target.c.  Everything a user can get wrong is found here, with
 * file and line, before any store is asked for; only a backend that this
 * build lacks waits until somebody wants it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"
#include "src/config/find.h"
#include "src/config/registry.h"
#include "src/key.h"

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "registry: %s",
			       store_code_text(STORE_NO_MEMORY));
}

/* ---- secrets ---- */

/* A secret in the file, the file being readable by others: DENIED. */
static int check_secret(const struct config_document *document,
			const struct config_section *section,
			const struct config_entry *entry, bool secret,
			struct store_error *error)
{
	if (!document->shared || !entry->written || !*entry->value)
		return STORE_OK;
	if (!secret && !secret_in_url(entry->value))
		return STORE_OK;
	return store_error_set(error, STORE_DENIED,
			       "%s: %s.%s is a secret, but others can read the "
			       "file: chmod 600 it, or write ${VARIABLE}",
			       entry->source, section->title, entry->name);
}

/* For sections without a table of options: the name decides. */
static int check_secrets_by_name(const struct config_document *document,
				 const struct config_section *section,
				 struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; !code && i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];

		code = check_secret(document, section, entry,
				    secret_name(entry->name), error);
	}
	return code;
}

/* ---- options of a backend ---- */

/* The name an option has in the tables: retry = { x } is retry_x. */
static bool table_name(const struct config_entry *entry, char *name,
		       size_t size)
{
	const char *prefix = entry->group == CONFIG_RETRY ? "retry_" : "";

	if (strlen(prefix) + strlen(entry->name) >= size)
		return false;
	memcpy(name, prefix, strlen(prefix));
	memcpy(name + strlen(prefix), entry->name, strlen(entry->name) + 1);
	return true;
}

const struct store_option *
registry_entry_option(const struct config_target *target,
		      const struct config_entry *entry)
{
	char name[128];

	return table_name(entry, name, sizeof(name)) ? target_find(target, name)
						     : NULL;
}

/* Has the option been set before, perhaps by an alias or in a table? */
static int check_twice(const struct config_target *target,
		       const struct store_option *option,
		       const struct config_section *section,
		       const struct config_entry *entry,
		       struct store_error *error)
{
	const char *before = option_source(target_values(target, option->name),
					   option->name);

	if (!before || !strcmp(before, "default"))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "%s: %s.%s was set at %s already", entry->source,
			       section->title, option->name, before);
}

/* `url` of a backend that has no such option: the parts of the URL. */
static int set_from_url(struct config_target *target,
			const struct config_entry *entry,
			struct store_error *error)
{
	const struct store_backend *backend = NULL;
	struct store_url url;
	int code = store_url_parse(entry->value, &url, error);

	if (code) {
		store_error_prefix(error, "%s: url", entry->source);
		return code;
	}
	code = backend_find_scheme(url.scheme, &backend, error);
	if (!code && backend != target_backend(target))
		code = store_error_set(error, STORE_INVALID,
				       "a %s store has no URLs of this scheme",
				       target_backend(target)->name);
	/* SQLAlchemy's "sqlite+pysqlite" names a driver we do not have. */
	if (!code) {
		url.scheme[strcspn(url.scheme, "+")] = '\0';
		code = target_set_url(target, &url, entry->source, true, error);
	} else {
		store_error_prefix(error, "%s: url", entry->source);
	}
	store_url_release(&url);
	return code;
}

static int apply_entry(struct config_target *target,
		       const struct config_section *section,
		       const struct config_entry *entry,
		       struct store_error *error)
{
	const struct store_option *option;
	char name[128];
	int code;

	if (!table_name(entry, name, sizeof(name)))
		return store_error_set(error, STORE_INVALID,
				       "%s: the name of an option is too long",
				       entry->source);
	option = target_find(target, name);
	if (!option && !strcmp(name, "url"))
		return set_from_url(target, entry, error);
	code = option ? check_twice(target, option, section, entry, error)
		      : STORE_OK;
	if (code)
		return code;
	return target_set(target, name, entry->value, entry->source, error);
}

int registry_make_target(const struct config_document *document,
			 const struct config_section *section,
			 const struct store_backend *backend,
			 struct config_target **result,
			 struct store_error *error)
{
	struct config_target *target = NULL;
	int code = target_new(backend, &target, error);

	for (size_t i = 0; !code && i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];
		const struct store_option *option =
			registry_entry_option(target, entry);

		if (entry->group == CONFIG_PLAIN &&
		    !strcmp(entry->name, "type"))
			continue;
		code = check_secret(document, section, entry,
				    option && option->flags & OPTION_SECRET,
				    error);
		if (!code)
			code = apply_entry(target, section, entry, error);
	}
	if (!code) {
		code = target_check(target, error);
		if (code)
			store_error_prefix(error, "%s: [%s]", section->source,
					   section->title);
	}
	if (code) {
		target_free(target);
		return code;
	}
	*result = target;
	return STORE_OK;
}

/* ---- backends ---- */

static const struct config_entry *find_url(const struct config_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		if (section->entries[i].group != CONFIG_RETRY &&
		    !strcmp(section->entries[i].name, "url"))
			return &section->entries[i];
	}
	return NULL;
}

/* Without a type, or for remote-store's sql-blob, the URL tells. */
static int find_by_url(const struct config_section *section,
		       const struct store_backend **backend,
		       struct store_error *error)
{
	const struct config_entry *entry = find_url(section);
	struct store_url url;
	int code;

	if (!entry)
		return store_error_set(
			error, STORE_INVALID, "'%s' is missing",
			config_section_get(section, "type") ? "url" : "type");
	code = store_url_parse(entry->value, &url, error);
	if (code)
		return code;
	code = backend_find_scheme(url.scheme, backend, error);
	store_url_release(&url);
	return code;
}

static int find_backend(const struct config_section *section,
			const struct store_backend **backend,
			struct store_error *error)
{
	const struct config_entry *type = config_section_get(section, "type");
	const char *source = type ? type->source : section->source;
	int code;

	if (type && strcmp(type->value, "sql-blob") != 0)
		code = backend_find_type(type->value, backend, error);
	else
		code = find_by_url(section, backend, error);
	if (code)
		store_error_prefix(error, "%s: [%s]", source, section->title);
	return code;
}

static int load_backend(struct store_registry *registry,
			const struct config_section *section,
			struct store_error *error)
{
	struct registry_backend *entry =
		&registry->backends[registry->backend_count++];
	const struct store_backend *backend = NULL;
	int code;

	entry->section = section;
	code = find_backend(section, &backend, &entry->missing);
	if (code == STORE_NOT_SUPPORTED)
		return check_secrets_by_name(&registry->document, section,
					     error);
	if (code) {
		if (error)
			*error = entry->missing;
		return code;
	}
	return registry_make_target(&registry->document, section, backend,
				    &entry->target, error);
}

static struct registry_backend *
find_loaded(const struct store_registry *registry, const char *name,
	    struct text_nearest *nearest)
{
	for (size_t i = 0; i < registry->backend_count; i++) {
		const char *known = registry->backends[i].section->name;

		if (!strcmp(known, name))
			return &registry->backends[i];
		text_nearest_try(nearest, known);
	}
	return NULL;
}

/* ---- stores ---- */

static int check_store_names(const struct config_section *section,
			     struct store_error *error)
{
	if (backend_is_scheme(section->name))
		return store_error_set(error, STORE_INVALID,
				       "%s: '%s' is the scheme of URLs and "
				       "cannot name a store",
				       section->source, section->name);
	for (size_t i = 0; i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];
		struct text_nearest nearest = { .name = entry->name };

		if (entry->group != CONFIG_PLAIN)
			return store_error_set(
				error, STORE_INVALID,
				"%s: %s.options: a store has no options of "
				"its own; set '%s' in its backend's section",
				entry->source, section->title, entry->name);
		if (!strcmp(entry->name, "backend") ||
		    !strcmp(entry->name, "root_path"))
			continue;
		text_nearest_try(&nearest, "backend");
		text_nearest_try(&nearest, "root_path");
		return store_error_set(
			error, STORE_INVALID,
			"%s: unknown option '%s' of a store%s%s%s",
			entry->source, entry->name,
			nearest.found ? ", did you mean '" : "",
			nearest.found ? nearest.found : "",
			nearest.found ? "'?" : "");
	}
	return STORE_OK;
}

static int store_root(const struct config_section *section, char **root,
		      struct store_error *error)
{
	const struct config_entry *entry =
		config_section_get(section, "root_path");
	int code = key_normalise(entry ? entry->value : "", false, root, error);

	if (code)
		store_error_prefix(error, "%s: %s.root_path",
				   entry ? entry->source : section->source,
				   section->title);
	return code;
}

static int load_store(struct store_registry *registry,
		      const struct config_section *section,
		      struct store_error *error)
{
	const struct config_entry *named =
		config_section_get(section, "backend");
	struct registry_store *store = &registry->stores[registry->store_count];
	struct text_nearest nearest = { .name = named ? named->value : "" };
	struct text_shown shown;
	int code = check_store_names(section, error);

	if (code)
		return code;
	if (!named)
		return store_error_set(error, STORE_INVALID,
				       "%s: [%s]: 'backend' is missing",
				       section->source, section->title);
	store->backend = find_loaded(registry, named->value, &nearest);
	if (!store->backend)
		return store_error_set(
			error, STORE_INVALID,
			"%s: [%s]: there is no [backends.%s]%s%s%s",
			named->source, section->title,
			text_show(&shown, named->value),
			nearest.found ? ", did you mean '" : "",
			nearest.found ? nearest.found : "",
			nearest.found ? "'?" : "");
	code = store_root(section, &store->root, error);
	if (code)
		return code;
	store->name = section->name;
	store->section = section;
	registry->store_count++;
	return STORE_OK;
}

/* A backend nobody names a store for is a store itself. */
static int load_implicit(struct store_registry *registry,
			 struct registry_backend *backend,
			 struct store_error *error)
{
	const char *name = backend->section->name;
	struct registry_store *store = &registry->stores[registry->store_count];

	if (config_document_find(&registry->document, CONFIG_STORES, name) ||
	    backend_is_scheme(name))
		return STORE_OK;
	store->root = strdup("");
	if (!store->root)
		return no_memory(error);
	store->name = name;
	store->backend = backend;
	registry->store_count++;
	return STORE_OK;
}

static int check_mount(struct store_registry *registry,
		       const struct config_section *section,
		       struct store_error *error)
{
	struct text_nearest nearest = { .name = section->name };

	if (!registry_find(registry, section->name)) {
		for (size_t i = 0; i < registry->store_count; i++)
			text_nearest_try(&nearest, registry->stores[i].name);
		return store_error_set(
			error, STORE_INVALID,
			"%s: [%s]: there is no store of this name%s%s%s",
			section->source, section->title,
			nearest.found ? ", did you mean '" : "",
			nearest.found ? nearest.found : "",
			nearest.found ? "'?" : "");
	}
	return check_secrets_by_name(&registry->document, section, error);
}

/* ---- all of it ---- */

static int by_name(const void *a, const void *b)
{
	const struct registry_store *left = a, *right = b;

	return strcmp(left->name, right->name);
}

typedef int section_fn(struct store_registry *registry,
		       const struct config_section *section,
		       struct store_error *error);

static int each_section(struct store_registry *registry, enum config_kind kind,
			section_fn *fn, struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; !code && i < registry->document.count; i++) {
		if (registry->document.sections[i].kind == kind)
			code = fn(registry, &registry->document.sections[i],
				  error);
	}
	return code;
}

int registry_load(struct store_registry *registry, struct store_error *error)
{
	int code = each_section(registry, CONFIG_BACKENDS, load_backend, error);

	if (!code)
		code = each_section(registry, CONFIG_STORES, load_store, error);
	for (size_t i = 0; !code && i < registry->backend_count; i++)
		code = load_implicit(registry, &registry->backends[i], error);
	if (!code)
		code = each_section(registry, CONFIG_MOUNTS, check_mount,
				    error);
	if (code)
		return code;
	qsort(registry->stores, registry->store_count,
	      sizeof(*registry->stores), by_name);
	for (size_t i = 0; i < registry->store_count; i++)
		registry->names[i] = registry->stores[i].name;
	return STORE_OK;
}
