// SPDX-License-Identifier: MIT
/* The requests that came, in their order.  Called by proxy_http.c. */
#include "config.h"

#include "tests/servers/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct record_id none_of(const struct records *records)
{
	return (struct record_id){ .age = records->age - 1 };
}

struct record_id records_add(struct records *records, const char *verb,
			     const char *target)
{
	struct record_id id = { records->count, records->age };
	struct record *record;

	if (records->count == records->room) {
		size_t room = records->room ? 2 * records->room : 256;
		struct record *more =
			realloc(records->all, room * sizeof(*more));

		if (!more)
			return none_of(records);
		records->all = more;
		records->room = room;
	}
	record = &records->all[records->count++];
	*record = (struct record){ .status = 0 };
	snprintf(record->verb, sizeof(record->verb), "%s", verb);
	snprintf(record->target, sizeof(record->target), "%s", target);
	return id;
}

struct record *records_get(struct records *records, struct record_id id)
{
	if (id.age != records->age || id.index >= records->count)
		return NULL;
	return &records->all[id.index];
}

void records_forget(struct records *records)
{
	records->count = 0;
	records->age++;
	records->connections = 0;
	memset(records->wire, 0, sizeof(records->wire));
}
