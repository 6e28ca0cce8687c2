/* SPDX-License-Identifier: MIT */
/* What store_open_url() shares with the registry. */
#ifndef STOREFS_CONFIG_OPEN_H
#define STOREFS_CONFIG_OPEN_H

#include "src/config/target.h"
#include <storefs/store.h>

/*
 * Set the "name=value" pairs of `options` (may be NULL); secrets only with
 * its allow_secrets.
 */
int target_set_options(struct config_target *target,
		       const struct store_open_options *options,
		       struct store_error *error) STORE_WARN_UNUSED;

#endif
