/* SPDX-License-Identifier: MIT */
/*
 * The environment, and ${VAR} in values of the configuration.
 */
#ifndef STOREFS_CONFIG_ENVIRONMENT_H
#define STOREFS_CONFIG_ENVIRONMENT_H

#include <stdbool.h>

#include <storefs/error.h>

/* getenv(), but NULL for everything when the program is setuid or setgid. */
const char *environment_get(const char *name);

struct environment_value {
	char *text;	/* malloc'd */
	char *variable; /* malloc'd: the first variable used, NULL for none */
	/*
	 * Does something of the value stand in the file?  Not when it is made
	 * with ${VAR} and no ${VAR:-default} has a default.
	 */
	bool written;
};

/*
 * Replace ${VAR} and ${VAR:-default} (for a variable that is unset or
 * empty); $${ is a literal ${, a lone $ is itself.  A default ends at the
 * first '}'.  INVALID names `place` ("FILE:LINE: section.key") and the
 * variable, never a value.
 */
int environment_expand(const char *text, const char *place,
		       struct environment_value *value,
		       struct store_error *error) STORE_WARN_UNUSED;
void environment_value_release(struct environment_value *value);

#endif
