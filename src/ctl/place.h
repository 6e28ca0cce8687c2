/* SPDX-License-Identifier: MIT */
/*
 * Operands of storectl.
 *
 *	NAME:path		a key in a store of the registry
 *	NAME:			its root
 *	scheme://...!/key	a key in the store of a URL
 *	scheme://.../folder/	the root of the store of that URL
 *	scheme://.../file	file, http(s), sftp, s3, az: the last component
 *				is the key; of other schemes the store's root
 *	anything else		a local path; ./a:b where it has a colon
 *
 * `?option=value` may follow a URL; key and path of a URL are
 * percent-decoded, those of NAME:path and local paths never.  In keys given
 * here `\` counts as `/`.  Local paths become keys of a local store of the
 * folder they are in, so that commands know stores only.
 */
#ifndef STOREFS_CTL_PLACE_H
#define STOREFS_CTL_PLACE_H

#include <stdbool.h>

#include "src/base/cleanup.h"
#include "src/ctl/ctl.h"

struct place {
	struct store *store; /* borrowed from ctl */
	char *label; /* what stands before a key when the place is shown */
	char *key;   /* relative to the store, normal */
	bool local;  /* given as a local path */
	bool folder; /* ended in '/', or is a root */
	bool itself; /* a local path ending in . or .. */
};
#define PLACE_INIT            \
	{                     \
		.store = NULL \
	}
#define CLEANUP_PLACE CLEANUP(place_release)

enum place_flags {
	PLACE_FOLLOW = 1 << 0, /* a local path that is a symlink is followed */
	PLACE_STORE = 1 << 1,  /* names a store: the whole URL, no key */
	/* A local path is a pattern: relative to where we are, or to /. */
	PLACE_PATTERN = 1 << 2,
};

/*
 * Parse and open.  The message of an error is complete, and without secrets:
 * ctl_fail(ctl, NULL, NULL, error).
 */
int place_open(struct ctl *ctl, const char *text, unsigned int flags,
	       struct place *place, struct store_error *error)
	STORE_WARN_UNUSED;
void place_release(struct place *place);
/* As place_open(), a failure is told: false. */
bool place_want(struct ctl *ctl, const char *text, unsigned int flags,
		struct place *place);

/* Is it the root of its store? */
bool place_is_root(const struct place *place);

#endif
