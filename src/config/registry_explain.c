// SPDX-License-Identifier: MIT
/*
 * What the registry holds, for people: effective values and their sources,
 * masked; and the raw options of a mount.  Called by storectl and the mount.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/config/registry.h"

struct explainer {
	store_config_fn *fn;
	void *arg;
};

static void tell(const struct explainer *explainer, const char *section,
		 const char *key, const char *value,
		 const struct config_entry *entry)
{
	struct buf source CLEANUP_BUF = BUF_INIT(64 * 1024);

	if (entry && entry->variable)
		buf_addf(&source, "environment %s", entry->variable);
	else
		buf_add_text(&source, entry ? entry->source : "default");
	explainer->fn(explainer->arg, section, key, value, buf_text(&source));
}

/* A value without a table: its name and look decide what is masked. */
static void tell_entry(const struct explainer *explainer,
		       const struct config_section *section,
		       const struct config_entry *entry)
{
	char *masked CLEANUP_FREE = secret_mask_url(entry->value);
	const bool hidden =
		!masked || (secret_name(entry->name) && *entry->value);

	tell(explainer, section->title, entry->name,
	     hidden ? SECRET_MASK : masked, entry);
}

static void tell_entries(const struct explainer *explainer,
			 const struct config_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		tell_entry(explainer, section, &section->entries[i]);
}

/* The entry that set an option, NULL when none did. */
static const struct config_entry *
entry_of(const struct registry_backend *backend,
	 const struct store_option *option)
{
	for (size_t i = 0; i < backend->section->count; i++) {
		const struct config_entry *entry =
			&backend->section->entries[i];

		if (registry_entry_option(backend->target, entry) == option)
			return entry;
	}
	return NULL;
}

static void tell_option(const struct explainer *explainer,
			const struct registry_backend *backend,
			const struct store_option *option)
{
	const struct option_values *values =
		target_values(backend->target, option->name);
	const struct config_entry *entry = entry_of(backend, option);
	const char *source = option_source(values, option->name);
	char *shown CLEANUP_FREE = option_shown(values, option->name);
	const char *value = shown ? shown : SECRET_MASK;

	if (option->flags & OPTION_HIDDEN && !entry)
		return;
	/* A part of `url` has a source but no entry of its own. */
	if (!entry && source)
		explainer->fn(explainer->arg, backend->section->title,
			      option->name, value, source);
	else
		tell(explainer, backend->section->title, option->name, value,
		     entry);
}

static void tell_backend(const struct explainer *explainer,
			 const struct registry_backend *backend)
{
	const struct config_entry *type =
		config_section_get(backend->section, "type");
	const struct store_option *option;

	if (!backend->target) {
		tell_entries(explainer, backend->section);
		return;
	}
	tell(explainer, backend->section->title, "type",
	     target_backend(backend->target)->name, type);
	for (size_t i = 0; (option = target_option(backend->target, i)); i++)
		tell_option(explainer, backend, option);
}

static void tell_store(const struct explainer *explainer,
		       const struct registry_store *store)
{
	struct buf title CLEANUP_BUF = BUF_INIT(256);

	buf_addf(&title, "stores.%s", store->name);
	tell(explainer, buf_text(&title), "backend",
	     store->backend->section->name,
	     store->section ? config_section_get(store->section, "backend")
			    : NULL);
	tell(explainer, buf_text(&title), "root_path", store->root,
	     store->section ? config_section_get(store->section, "root_path")
			    : NULL);
}

void store_registry_explain(const struct store_registry *registry,
			    store_config_fn *fn, void *arg)
{
	const struct explainer explainer = { fn, arg };

	for (size_t i = 0; i < registry->backend_count; i++)
		tell_backend(&explainer, &registry->backends[i]);
	for (size_t i = 0; i < registry->store_count; i++)
		tell_store(&explainer, &registry->stores[i]);
	for (size_t i = 0; i < registry->document.count; i++) {
		if (registry->document.sections[i].kind == CONFIG_MOUNTS)
			tell_entries(&explainer,
				     &registry->document.sections[i]);
	}
}

int registry_each_mount_option(const struct store_registry *registry,
			       const char *name, registry_entry_fn *fn,
			       void *arg, struct store_error *error)
{
	const struct config_section *section =
		config_document_find(&registry->document, CONFIG_MOUNTS, name);
	int code = STORE_OK;

	for (size_t i = 0; !code && section && i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];

		code = fn(arg, entry->name, entry->value, entry->source, error);
	}
	return code;
}
