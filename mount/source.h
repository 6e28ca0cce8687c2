/* SPDX-License-Identifier: MIT */
/*
 * SOURCE of the command line: a store of the registry or a URL.
 */
#ifndef STOREFS_MOUNT_SOURCE_H
#define STOREFS_MOUNT_SOURCE_H

#include "mount/options.h"
#include <storefs/registry.h>

struct source {
	const char *text; /* borrowed */
	bool is_url;
	struct store_registry *registry; /* owned, NULL for URLs */
};

/*
 * Look at SOURCE without any request: a name must be in the registry, a URL
 * must be right.  Options of [mounts.NAME] are added to `words` where the
 * command line says nothing.
 */
int source_prepare(const char *text, struct mount_words *words,
		   struct source *source, struct store_error *error)
	STORE_WARN_UNUSED;
void source_release(struct source *source);
int source_open(const struct source *source, struct store **store,
		struct store_error *error) STORE_WARN_UNUSED;
/* For people and /proc/mounts: without options and secrets; malloc'd. */
char *source_masked(const struct source *source);

#endif
