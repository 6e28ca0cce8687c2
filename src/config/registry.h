/* SPDX-License-Identifier: MIT */
/*
 * The registry inside the tree: what the mount asks beyond
 * <storefs/registry.h>, and what the files registry*.c share.
 */
#ifndef STOREFS_CONFIG_REGISTRY_H
#define STOREFS_CONFIG_REGISTRY_H

#include "src/base/sync.h"
#include "src/config/document.h"
#include "src/config/target.h"
#include <storefs/registry.h>

/*
 * The options of [mounts.NAME] in the order of the file, for the mount's own
 * table.  `source` is "FILE:LINE".  No such section: nothing is called.
 * Stops at the first code of `fn` that is not STORE_OK.
 */
typedef int registry_entry_fn(void *arg, const char *name, const char *value,
			      const char *source, struct store_error *error);
int registry_each_mount_option(const struct store_registry *registry,
			       const char *name, registry_entry_fn *fn,
			       void *arg, struct store_error *error)
	STORE_WARN_UNUSED;

/* Is there a store of this name?  NOT_FOUND suggests the nearest. */
int registry_check_name(const struct store_registry *registry, const char *name,
			struct store_error *error) STORE_WARN_UNUSED;

/* ---- for registry*.c only ---- */

/*
 * One backend, opened by whoever asks first; the others wait for the same
 * attempt and share its outcome.
 */
struct registry_slot {
	struct lock lock; /* lowest rank: nothing is locked under it */
	struct condition changed;
	/* protected by lock */
	struct store *root; /* NULL until open */
	bool opening;
	unsigned int waiting; /* threads that wait for it */
	unsigned int failures;
	struct store_error failure; /* the last */
};

struct registry_backend {
	const struct config_section *section;
	struct config_target *target; /* NULL: this build lacks it */
	struct store_error missing;   /* why, then */
	/* By raw_keys, which belongs to an opened instance. */
	struct registry_slot slots[2];
};

struct registry_store {
	const char *name;		      /* borrowed from a section */
	const struct config_section *section; /* NULL: the backend itself */
	struct registry_backend *backend;
	char *root; /* normal key, "" for all of the backend */
};

/* All immutable after store_registry_open() but for the slots. */
struct store_registry {
	struct config_document document;
	struct registry_backend *backends;
	size_t backend_count;
	struct registry_store *stores; /* sorted by name */
	size_t store_count;
	const char **names; /* of the stores, NULL-terminated */
};

/* Make backends and stores of the document; every mistake is named. */
int registry_load(struct store_registry *registry, struct store_error *error)
	STORE_WARN_UNUSED;
/* A new target with the options of a [backends.NAME] section. */
int registry_make_target(const struct config_document *document,
			 const struct config_section *section,
			 const struct store_backend *backend,
			 struct config_target **target,
			 struct store_error *error) STORE_WARN_UNUSED;
/* The backend's option an entry sets, NULL when unknown. */
const struct store_option *
registry_entry_option(const struct config_target *target,
		      const struct config_entry *entry);
/* NULL when there is none. */
const struct registry_store *
registry_find(const struct store_registry *registry, const char *name);

#endif
