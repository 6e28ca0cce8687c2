/* SPDX-License-Identifier: MIT */
/*
 * Which configuration file, and its bytes.
 */
#ifndef STOREFS_CONFIG_FILE_H
#define STOREFS_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

enum { CONFIG_FILE_MAX = 1024 * 1024 };

struct config_bytes {
	char *path;  /* malloc'd, NULL: no file at any of the usual places */
	char *data;  /* malloc'd, with a NUL behind the last byte */
	size_t size; /* at most CONFIG_FILE_MAX */
	bool shared; /* group or others may read it */
};

/*
 * Read `path`, or with NULL the first that exists of $STOREFS_CONFIG,
 * $XDG_CONFIG_HOME/storefs/storefs.ini (~/.config) and
 * /etc/storefs/storefs.ini.  A file that is named (by `path` or
 * $STOREFS_CONFIG) must exist: NOT_FOUND.  Pipes are read to their end.
 */
int config_bytes_read(const char *path, struct config_bytes *bytes,
		      struct store_error *error) STORE_WARN_UNUSED;
void config_bytes_release(struct config_bytes *bytes);

#endif
