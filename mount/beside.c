// SPDX-License-Identifier: MIT
/*
 * Names for the loser of a conflict; see beside.h.  Called by
 * publish_put.c.
 */
#include "config.h"

#include "mount/beside.h"

#include <stdio.h>
#include <string.h>

enum { SUFFIX_MAX = 160, HOST_SHOWN = 64 };

/* At most `room` bytes of a name, without half a character at the end. */
static size_t cut_name(const char *name, size_t room)
{
	size_t length = strlen(name);

	if (length <= room)
		return length;
	length = room;
	while (length && ((unsigned char)name[length] & 0xc0) == 0x80)
		length--;
	return length;
}

int beside_key(const char *key, const char *host, time_t when,
	       unsigned int number, char out[STORE_KEY_MAX + 1],
	       struct store_error *error)
{
	const char *slash = strrchr(key, '/');
	const char *name = slash ? slash + 1 : key;
	char stamp[32] = "", suffix[SUFFIX_MAX], again[16] = "";
	struct tm utc;
	int length;

	if (gmtime_r(&when, &utc))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	if (number > 1)
		snprintf(again, sizeof(again), " %u", number);
	snprintf(suffix, sizeof(suffix), " (conflict %.*s %s%s)", HOST_SHOWN,
		 host, stamp, again);
	length = snprintf(out, STORE_KEY_MAX + 1, "%.*s%.*s%s",
			  (int)(name - key), key,
			  (int)cut_name(name, STORE_NAME_MAX - strlen(suffix)),
			  name, suffix);
	if (length > STORE_KEY_MAX)
		return store_error_set(error, STORE_INVALID,
				       "%s: no room for a name beside it", key);
	return STORE_OK;
}
