/* SPDX-License-Identifier: MIT */
/*
 * Patterns over keys, the same for every backend.
 *
 * A pattern is components joined by '/'.  Inside a component `*` matches any
 * characters, `?` one, [abc] [a-z] [!abc] one of a set or outside of it; an
 * unclosed '[' is itself, as is ']' first in a set.  A component `**` matches
 * any number of components, also none.  A character is one of UTF-8, or a
 * byte that is not part of one.  Nothing is special about a leading dot.
 * There is no escape: [*] is a star.
 *
 * Except for glob_check() all take checked patterns.  Pure, any thread.
 */
#ifndef STOREFS_SRC_GLOB_H
#define STOREFS_SRC_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

/*
 * Is it a pattern?  Empty, or `**` together with anything else in one
 * component, is INVALID.  It must be normal as a key is (key_normalise).
 */
int glob_check(const char *pattern, struct store_error *error)
	STORE_WARN_UNUSED;
/* Does the whole key match? */
bool glob_match(const char *pattern, const char *key);
/* May anything below this folder match? ("" is the root: always) */
bool glob_match_below(const char *pattern, const char *folder);
/* One component against a pattern of one component. */
bool glob_match_name(const char *pattern, const char *name);
/* Is it a plain key, without anything special? */
bool glob_is_literal(const char *pattern);
/*
 * Length of the longest leading folder that is literal: all matches are
 * below pattern[0..length).  0 for the root; never the last component.
 */
size_t glob_prefix_length(const char *pattern);
/*
 * Most levels of folders below that prefix a match can lie in: 0 for its
 * direct children, -1 for no limit.
 */
int glob_depth(const char *pattern);
/*
 * The pattern for the same matches below a folder that is taken literally;
 * malloc'd, NULL when out of memory.
 */
char *glob_below(const char *folder, const char *pattern);

#endif
