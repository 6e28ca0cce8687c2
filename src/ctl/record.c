// SPDX-License-Identifier: MIT
/*
 * JSON lines; see out.h.  A failure sticks, so that a record is built
 * without a check per member.
 */
#include "config.h"

#include "src/ctl/out.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "src/base/json.h"

void record_init(struct record *record)
{
	record->json = json_object();
	record->failed = !record->json;
}

void record_release(struct record *record)
{
	json_free(record->json);
	record->json = NULL;
}

void record_json(struct record *record, const char *name, struct json *json)
{
	if (!record->json) {
		json_free(json);
		return;
	}
	if (json_set(record->json, name, json))
		record->failed = true;
}

void record_text(struct record *record, const char *name, const char *text)
{
	record_json(record, name, json_text(text));
}

void record_number(struct record *record, const char *name, uint64_t number)
{
	record_json(
		record, name,
		json_number(number > INT64_MAX ? INT64_MAX : (int64_t)number));
}

void record_flag(struct record *record, const char *name, bool flag)
{
	record_json(record, name, json_flag(flag));
}

void record_bytes(struct record *record, const char *name, const char *text)
{
	CLEANUP_FREE char *encoded = NULL;
	CLEANUP_FREE char *longer = NULL;
	size_t length = strlen(text);
	size_t room = strlen(name) + sizeof("_b64");

	if (utf8_is_valid(text, length)) {
		record_text(record, name, text);
		return;
	}
	encoded = base64_encode(text, length);
	longer = malloc(room);
	if (!encoded || !longer) {
		record->failed = true;
		return;
	}
	snprintf(longer, room, "%s_b64", name);
	record_text(record, longer, encoded);
}

void record_time(struct record *record, const char *name, struct timespec when)
{
	char text[OUT_TIME_MAX];

	record_text(record, name, out_time(when, text));
}

static void record_attributes(struct record *record,
			      const struct store_attributes *attributes)
{
	char mode[8];

	if (attributes->mask & STORE_ATTR_MODE) {
		snprintf(mode, sizeof(mode), "%04o", attributes->mode & 07777);
		record_text(record, "mode", mode);
	}
	if (attributes->mask & STORE_ATTR_UID)
		record_number(record, "uid", attributes->uid);
	if (attributes->mask & STORE_ATTR_GID)
		record_number(record, "gid", attributes->gid);
}

void record_info(struct record *record, const struct store_info *info,
		 bool complete)
{
	const char *type = store_type_name(info->type);

	record_text(record, "type", type ? type : "unknown");
	if (info->type != STORE_TYPE_FOLDER)
		record_number(record, "size", info->size);
	if (info->attributes.mask & STORE_ATTR_MTIME)
		record_time(record, "mtime", info->attributes.mtime);
	if (!complete)
		return;
	record_attributes(record, &info->attributes);
	record_number(record, "links", info->links);
	if (info->ctime.tv_sec || info->ctime.tv_nsec)
		record_time(record, "ctime", info->ctime);
	if (info->implicit)
		record_flag(record, "implicit", true);
	if (info->version.token[0])
		record_text(record, "version", info->version.token);
	if (info->version.weak)
		record_flag(record, "weak", true);
}

int record_print(struct record *record, FILE *stream, struct store_error *error)
{
	CLEANUP_FREE char *line = NULL;

	if (!record->failed)
		line = json_print(record->json, false);
	if (!line)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	fputs(line, stream);
	fputc('\n', stream);
	return STORE_OK;
}
