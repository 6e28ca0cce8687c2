/* SPDX-License-Identifier: MIT */
/*
 * Keys: the names of things below a store.
 *
 * A normal key is "" (the root) or components joined by '/', none of them
 * empty, "." or "..", each at most STORE_NAME_MAX bytes, all together at
 * most STORE_KEY_MAX.  Everything but key_normalise() takes normal keys.
 */
#ifndef STOREFS_SRC_KEY_H
#define STOREFS_SRC_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

/*
 * Make `text` normal: empty and "." components vanish, and unless `raw` a
 * '\' counts as '/'.  ".." is INVALID; what is too long is INVALID with
 * detail ENAMETOOLONG.  malloc'd into *key.
 */
int key_normalise(const char *text, bool raw, char **key,
		  struct store_error *error) STORE_WARN_UNUSED;
bool key_is_root(const char *key);
/* The last component, "" of the root; borrowed from `key`. */
const char *key_name(const char *key);
/* Length of the parent's key inside `key`: 0 for a child of the root. */
size_t key_parent_length(const char *key);
/* The parent's key, "" of the root; malloc'd, NULL when out of memory. */
char *key_parent(const char *key);
/* Either may be ""; malloc'd, NULL when out of memory. */
char *key_join(const char *folder, const char *key);
/*
 * As key_join() into a buffer; INVALID with detail ENAMETOOLONG when the
 * whole would exceed `size` - 1 bytes.
 */
int key_join_into(const char *folder, const char *key, char *buffer,
		  size_t size, struct store_error *error) STORE_WARN_UNUSED;
/* Is `key` below `folder` (not the folder itself)? */
bool key_is_below(const char *key, const char *folder);
/*
 * What stands behind `folder` in `key`: "" for the folder itself, NULL when
 * it is not below; borrowed from `key`.
 */
const char *key_relative(const char *key, const char *folder);
/* Number of components, 0 of the root. */
size_t key_depth(const char *key);

#endif
