/* SPDX-License-Identifier: MIT */
/*
 * Secrets: what counts as one, how it looks in a message, how it leaves
 * memory.  No message, dump or log may show more than SECRET_MASK.
 */
#ifndef STOREFS_BASE_SECRET_H
#define STOREFS_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MASK "***"

/* Overwrite memory so that the compiler cannot drop it. */
void secret_wipe(void *data, size_t size);
/* Wipe and free a text; NULL is fine. */
void secret_free(char *text);

/*
 * Does an option of this name hold a secret?  For names without an option
 * table: those of remote-store (key, secret, password, account_key,
 * sas_token, connection_string) and their relatives.
 */
bool secret_name(const char *name);
/*
 * Does a URL hold a password, or an option with a secret's name?  Also true
 * for a malformed one that may.
 */
bool secret_in_url(const char *url);
/*
 * The same URL with those masked; text that is no URL comes back as it is.
 * malloc'd, NULL when out of memory.
 */
char *secret_mask_url(const char *url);

#endif
