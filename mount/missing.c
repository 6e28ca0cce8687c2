// SPDX-License-Identifier: MIT
/* See missing.h.  Called by ops_name.c, assemble.c and control_refresh.c. */
#include "config.h"

#include "mount/missing.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/sync.h"

enum { MISSING_NAMES = 4096 };

struct missing_name {
	struct missing_folder parent;
	char *name; /* owned, NULL: none */
	int64_t asked_ns;
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

void missing_note(struct missing *missing, const struct missing_folder *parent,
		  const char *name, int64_t asked_ns)
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
		*at = (struct missing_name){ *parent, copy, asked_ns };
		copy = NULL;
	}
	lock_drop(&missing->lock);
	free(old);
	free(copy);
}

/* From the newest on; those before one that is too old are older still. */
static int64_t asked_locked(const struct missing *missing,
			    const struct missing_folder *parent,
			    const char *name, int64_t since_ns)
	REQUIRES(missing->lock)
{
	for (size_t i = 1; missing->names && i <= MISSING_NAMES; i++) {
		const struct missing_name *at =
			&missing->names[(missing->next - i) % MISSING_NAMES];

		if (!at->name || at->asked_ns < since_ns)
			break;
		if (at->parent.ino == parent->ino &&
		    at->parent.number == parent->number &&
		    strcmp(at->name, name) == 0)
			return at->asked_ns;
	}
	return 0;
}

int64_t missing_asked(struct missing *missing,
		      const struct missing_folder *parent, const char *name,
		      int64_t since_ns)
{
	int64_t asked_ns;

	if (!missing)
		return 0;
	lock_take(&missing->lock);
	asked_ns = asked_locked(missing, parent, name, since_ns);
	lock_drop(&missing->lock);
	return asked_ns;
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
			each(arg, names[i].parent.ino, names[i].name);
	names_free(names);
}
