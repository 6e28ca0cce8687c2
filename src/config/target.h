/* SPDX-License-Identifier: MIT */
/*
 * A backend with its options, on the way to become a store: those of its own
 * table, and those that every backend takes (retry_*).
 *
 * A target belongs to one thread while it is filled; after target_check() it
 * is only read and may be opened from any thread.
 */
#ifndef STOREFS_CONFIG_TARGET_H
#define STOREFS_CONFIG_TARGET_H

#include <stdbool.h>

#include "src/backend.h"
#include "src/option.h"
#include "src/store_internal.h"
#include "src/url.h"

struct config_target;

int target_new(const struct store_backend *backend,
	       struct config_target **target, struct store_error *error)
	STORE_WARN_UNUSED;
void target_free(struct config_target *target);

const struct store_backend *target_backend(const struct config_target *target);
/* The option of a name or alias in either table, NULL when unknown. */
const struct store_option *target_find(const struct config_target *target,
				       const char *name);
/* The values an option of either table is kept in. */
const struct option_values *target_values(const struct config_target *target,
					  const char *name);
/*
 * The options by index, those of the backend first; NULL at the end.
 */
const struct store_option *target_option(const struct config_target *target,
					 size_t index);

/* As option_values_set(), over both tables. */
int target_set(struct config_target *target, const char *name, const char *text,
	       const char *source, struct store_error *error) STORE_WARN_UNUSED;
/*
 * As target_set(), but a secret is INVALID and the message names the
 * configuration key to use; for what comes from a command line.
 */
int target_set_open(struct config_target *target, const char *name,
		    const char *text, const char *source,
		    struct store_error *error) STORE_WARN_UNUSED;
/*
 * Take the parts and options of a URL.  Without `allow_secrets` a password
 * or secret option is INVALID, as above.
 */
int target_set_url(struct config_target *target, const struct store_url *url,
		   const char *source, bool allow_secrets,
		   struct store_error *error) STORE_WARN_UNUSED;

/* Is all there and sensible?  No I/O; the mistakes of the user end here. */
int target_check(const struct config_target *target, struct store_error *error)
	STORE_WARN_UNUSED;
int target_open(const struct config_target *target, bool raw_keys,
		struct store **store, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
