// SPDX-License-Identifier: MIT
/* See missing.h.  Called by ops_name.c, assemble.c and control_refresh.c. */
#include "config.h"

#include "mount/missing.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/sync.h"

enum { MISSING_NAMES = 4096 };

struct missing_name {
	uint64_t parent;
	char *name; /* owned, NULL: none */
};

struct missing {
	struct lock lock;
	/* protected by `lock` */
	struct missing_name *names; /* MISSING_NAMES, a ring */
	size_t next;
};

static struct missing_name *names_new(void)
{
	return calloc(MISSING_NAMES, sizeof(struct missing_name));
}

static void names_free(struct missing_name *names)
{
	for (size_t i = 0; names && i < MISSING_NAMES; i++)
		free(names[i].name);
	free(names);
}

struct missing *missing_new(void)
{
	struct missing *missing = calloc(1, sizeof(*missing));

	if (!missing)
		return NULL;
	lock_init(&missing->lock);
	return missing;
}

void missing_free(struct missing *missing)
{
	if (!missing)
		return;
	names_free(missing->names);
	lock_destroy(&missing->lock);
	free(missing);
}

void missing_note(struct missing *missing, uint64_t parent, const char *name)
{
	struct missing_name *at;
	char *copy, *old = NULL;

	if (!missing)
		return;
	copy = strdup(name);
	lock_take(&missing->lock);
	if (!missing->names)
		missing->names = names_new();
	if (missing->names && copy) {
		at = &missing->names[missing->next++ % MISSING_NAMES];
		old = at->name;
		*at = (struct missing_name){ parent, copy };
		copy = NULL;
	}
	lock_drop(&missing->lock);
	free(old);
	free(copy);
}

void missing_take_all(struct missing *missing, missing_fn *each, void *arg)
{
	struct missing_name *names;

	if (!missing)
		return;
	lock_take(&missing->lock);
	names = missing->names;
	missing->names = NULL;
	lock_drop(&missing->lock);
	for (size_t i = 0; names && i < MISSING_NAMES; i++)
		if (names[i].name)
			each(arg, names[i].parent, names[i].name);
	names_free(names);
}
