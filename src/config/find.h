/* SPDX-License-Identifier: MIT */
/*
 * Backends by the words users have for them.  A word that means a backend
 * which this build lacks is NOT_SUPPORTED and says so; any other unknown word
 * is INVALID and suggests the nearest.
 */
#ifndef STOREFS_CONFIG_FIND_H
#define STOREFS_CONFIG_FIND_H

#include <stdbool.h>

#include "src/backend.h"

/* By the `type` of a [backends.NAME] section. */
int backend_find_type(const char *type, const struct store_backend **backend,
		      struct store_error *error) STORE_WARN_UNUSED;
/* By the scheme of a URL, in lower case; "+driver" behind it is ignored. */
int backend_find_scheme(const char *scheme,
			const struct store_backend **backend,
			struct store_error *error) STORE_WARN_UNUSED;
/* Is the word a scheme, so that "word:path" is a URL?  Also of those missing. */
bool backend_is_scheme(const char *word);

#endif
