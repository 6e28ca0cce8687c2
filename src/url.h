/* SPDX-License-Identifier: MIT */
/*
 * URLs of stores: scheme://[user[:password]@][host[:port]]/path?name=value&...
 * Path and values are percent-decoded, '?' starts options, '#' is literal.
 */
#ifndef STOREFS_SRC_URL_H
#define STOREFS_SRC_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "src/option.h"
#include <storefs/error.h>

struct store_url {
	char *scheme;
	char *user;	/* NULL when absent */
	char *password; /* NULL when absent */
	char *host;	/* "" when absent */
	int port;	/* -1 when absent */
	char *path;	/* decoded, with its leading '/'; "" when absent */
	char *query;	/* raw text behind '?', NULL when absent */
};

int store_url_parse(const char *text, struct store_url *url,
		    struct store_error *error) STORE_WARN_UNUSED;
void store_url_release(struct store_url *url);
/*
 * The ?name=value options in order, decoded; `value` is NULL for a bare name.
 * Stops at the first code of `fn` that is not STORE_OK.
 */
int store_url_each_option(const struct store_url *url, option_item_fn *fn,
			  void *arg, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Percent-decode `length` bytes into malloc'd *decoded.  INVALID for a
 * malformed escape or %00; it names `what`, never the text.
 */
int store_url_decode(const char *text, size_t length, const char *what,
		     char **decoded, struct store_error *error)
	STORE_WARN_UNUSED;
/* Does the text start with `scheme:` (letters, digits, + - .)? */
bool store_url_is(const char *text);

#endif
