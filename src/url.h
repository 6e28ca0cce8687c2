/* SPDX-License-Identifier: MIT */
/*
 * URLs of stores: scheme://[user[:password]@][host[:port]]/path?name=value&...
 * Path and values are percent-decoded, '?' starts options, '#' is literal.
 */
#ifndef STOREFS_SRC_URL_H
#define STOREFS_SRC_URL_H

#include <storefs/error.h>

struct option_values;

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
/* Does the text start with `scheme:` (letters, digits, + - .)? */
bool store_url_is(const char *text);

#endif
