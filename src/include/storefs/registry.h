/* SPDX-License-Identifier: MIT */
/*
 * The registry: named stores from a configuration file.
 *
 *	[backends.main]
 *	type = s3
 *	bucket = analytics-data
 *	[stores.reports]
 *	backend = main
 *	root_path = reports
 *	[mounts.reports]
 *	commit = background
 *
 * The same file may be written in the simple TOML form of remote-store:
 * quoted strings, and `options = { bucket = "analytics-data" }`, `retry = {
 * max_attempts = 5 }` on one line.  ${VAR} and ${VAR:-default} in values are
 * replaced, $${ is a literal ${.  A backend without [stores.NAME] of its own
 * is also a store of that name with its whole root.
 *
 * A backend is opened when its first store is asked for, and shared by all
 * stores that name it.  Threads: all functions may be called at any time
 * except store_registry_close(), which must be the last.
 */
#ifndef STOREFS_REGISTRY_H
#define STOREFS_REGISTRY_H

#include <storefs/store.h>

#ifdef __cplusplus
extern "C" {
#endif

struct store_registry;

/*
 * Read a file.  `path` NULL: the usual places in order: $STOREFS_CONFIG
 * (never when setuid), $XDG_CONFIG_HOME/storefs/storefs.ini (~/.config),
 * /etc/storefs/storefs.ini; none of them: an empty registry.  Every mistake
 * is INVALID and names file, line and key.  A file that holds a secret and
 * is readable by others is DENIED.
 */
int store_registry_open(const char *path, struct store_registry **registry,
			struct store_error *error) STORE_WARN_UNUSED;
void store_registry_close(struct store_registry *registry);
/* The file that was read, NULL when none. */
const char *store_registry_path(const struct store_registry *registry);
/* Names of the stores, sorted; *count may be NULL; borrowed, NULL-ended. */
const char *const *store_registry_names(const struct store_registry *registry,
					size_t *count);
/* Open a store by name; NOT_FOUND suggests the nearest one. */
int store_registry_get(struct store_registry *registry, const char *name,
		       const struct store_open_options *options,
		       struct store **store, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * Effective values and where each came from, masked: called once per option
 * of every backend, store and mount.  `source` is "file:line", "default" or
 * "environment NAME".
 */
typedef void store_config_fn(void *arg, const char *section, const char *key,
			     const char *value, const char *source);
void store_registry_explain(const struct store_registry *registry,
			    store_config_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
