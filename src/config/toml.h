/* SPDX-License-Identifier: MIT */
/*
 * The values of TOML 1.0 that fit on one line: basic and literal strings,
 * integers, floats, booleans, and one inline table of these.  Everything
 * else is refused by name.
 *
 * The functions return NULL, or what is wrong as a phrase that quotes
 * nothing of the input (it may be a secret).  `*text` is moved behind what
 * was read.  A buffer that runs full or out of memory keeps that itself.
 */
#ifndef STOREFS_CONFIG_TOML_H
#define STOREFS_CONFIG_TOML_H

#include "src/base/buf.h"

/* Append the value: strings decoded, numbers without '_' and '+'. */
const char *toml_scalar(const char **text, struct buf *out);
/* Nothing but blanks and a comment is left. */
const char *toml_end(const char *text);

/*
 * `{ name = value, ... }`; `fn` is called for each pair and ends the table
 * with a code other than STORE_OK, which *code then is.
 */
typedef int toml_pair_fn(void *arg, const char *name, const char *value);
const char *toml_table(const char **text, toml_pair_fn *fn, void *arg,
		       int *code);

#endif
