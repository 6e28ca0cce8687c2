/* SPDX-License-Identifier: MIT */
/*
 * conflict=rename: where the bytes of the second of two writers go.
 */
#ifndef STOREFS_MOUNT_BESIDE_H
#define STOREFS_MOUNT_BESIDE_H

#include <time.h>

#include <storefs/types.h>

/*
 * "folder/name (conflict HOST 20260131T235959Z)", with " N" before the
 * bracket for `number` above 1; the name is cut where the component would be
 * too long, at a character's end.  INVALID when the key is too long then.
 */
int beside_key(const char *key, const char *host, time_t when,
	       unsigned int number, char out[STORE_KEY_MAX + 1],
	       struct store_error *error) STORE_WARN_UNUSED;

#endif
