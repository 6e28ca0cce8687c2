// SPDX-License-Identifier: MIT
/*
 * Bytes into records of the journal; the form stands in record.h.  Called by
 * pending.c.
 *
 * The first failure sticks to the cursor and the reads behind it give zeros,
 * so that a body is read without a check after each field.  What a field may
 * hold is checked once all of them are there, by record_check().
 */
#include "config.h"

#include "mount/record.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const unsigned char *at;
	size_t left;
	int code;
	struct store_error *error;
};

static void cursor_fail(struct cursor *cursor, const char *field,
			const char *what)
{
	if (!cursor->code)
		cursor->code = store_error_set(cursor->error, STORE_CORRUPT,
					       "%s: %s", field, what);
}

static void cursor_no_memory(struct cursor *cursor)
{
	if (!cursor->code)
		cursor->code = store_error_set(cursor->error, STORE_NO_MEMORY,
					       "no memory for a record");
}

/* NULL when there are not so many. */
static const void *get_bytes(struct cursor *cursor, uint64_t length,
			     const char *field)
{
	const unsigned char *at = cursor->at;

	if (length > cursor->left)
		cursor_fail(cursor, field, "beyond the end");
	if (cursor->code)
		return NULL;
	cursor->at += length;
	cursor->left -= (size_t)length;
	return at;
}

static uint16_t get_u16(struct cursor *cursor, const char *field)
{
	const void *at = get_bytes(cursor, sizeof(uint16_t), field);
	uint16_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(struct cursor *cursor, const char *field)
{
	const void *at = get_bytes(cursor, sizeof(uint32_t), field);
	uint32_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(struct cursor *cursor, const char *field)
{
	const void *at = get_bytes(cursor, sizeof(uint64_t), field);
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static uint32_t get_flags(struct cursor *cursor, uint32_t known)
{
	uint32_t flags = get_u32(cursor, "flags");

	if (flags & ~known)
		cursor_fail(cursor, "flags", "unknown ones");
	return flags;
}

/* A number of things of at least `each` bytes, which must still be there. */
static size_t get_count(struct cursor *cursor, size_t each, const char *field)
{
	uint32_t count = get_u32(cursor, field);

	if (count > cursor->left / each)
		cursor_fail(cursor, field, "more than there is room for");
	return cursor->code ? 0 : count;
}

/* malloc'd, with a NUL behind. */
static char *get_text(struct cursor *cursor, const char *field)
{
	uint32_t length = get_u32(cursor, field);
	const char *at = get_bytes(cursor, length, field);
	char *text;

	if (!at)
		return NULL;
	if (memchr(at, '\0', length)) {
		cursor_fail(cursor, field, "a zero in a text");
		return NULL;
	}
	text = strndup(at, length);
	if (!text)
		cursor_no_memory(cursor);
	return text;
}

/* malloc'd also when empty. */
static void *get_value(struct cursor *cursor, size_t *size, const char *field)
{
	uint32_t length = get_u32(cursor, field);
	const void *at = get_bytes(cursor, length, field);
	void *value = at ? malloc((size_t)length + 1) : NULL;

	if (!at)
		return NULL;
	if (!value) {
		cursor_no_memory(cursor);
		return NULL;
	}
	memcpy(value, at, length);
	*size = length;
	return value;
}

static void get_token(struct cursor *cursor, struct store_version *version)
{
	uint32_t length = get_u32(cursor, "base");
	const char *at = get_bytes(cursor, length, "base");

	if (!at)
		return;
	if (length >= sizeof(version->token)) {
		cursor_fail(cursor, "base", "too long");
		return;
	}
	if (memchr(at, '\0', length))
		cursor_fail(cursor, "base", "a zero in a text");
	memcpy(version->token, at, length);
}

static void get_time(struct cursor *cursor, struct timespec *time,
		     const char *field)
{
	int64_t seconds = (int64_t)get_u64(cursor, field);

	time->tv_sec = (time_t)seconds;
	time->tv_nsec = (long)get_u32(cursor, field);
	if (time->tv_sec != seconds)
		cursor_fail(cursor, field, "seconds out of range");
}

/* ---- LAYER ---- */

static void get_spans(struct cursor *cursor, uint32_t count,
		      struct rangemap *map, const char *field)
{
	if (count > cursor->left / sizeof(struct span))
		cursor_fail(cursor, field, "more than there is room for");
	if (cursor->code || !count)
		return;
	map->spans = reallocarray(NULL, count, sizeof(*map->spans));
	if (!map->spans) {
		cursor_no_memory(cursor);
		return;
	}
	map->count = map->room = count;
	for (uint32_t i = 0; i < count; i++) {
		map->spans[i].start = get_u64(cursor, field);
		map->spans[i].end = get_u64(cursor, field);
	}
}

static void get_layer(struct cursor *cursor, struct record_layer *layer)
{
	uint32_t flags, present, dirty;

	layer->file = get_u64(cursor, "file");
	layer->number = get_u64(cursor, "number");
	layer->size = get_u64(cursor, "size");
	layer->lower_limit = get_u64(cursor, "lower limit");
	layer->checksum = get_u64(cursor, "checksum");
	layer->data_length = get_u64(cursor, "length");
	flags = get_flags(cursor, RECORD_LAYER_INLINE);
	present = get_u32(cursor, "present");
	dirty = get_u32(cursor, "dirty");
	if (get_u32(cursor, "reserved"))
		cursor_fail(cursor, "reserved", "not zero");
	get_spans(cursor, present, &layer->present, "present");
	get_spans(cursor, dirty, &layer->dirty, "dirty");
	if (flags & RECORD_LAYER_INLINE)
		layer->data = get_bytes(cursor, layer->data_length, "bytes");
}

/* ---- FILE ---- */

static void get_attributes(struct cursor *cursor,
			   struct store_attributes *attributes)
{
	uint32_t mask = get_u32(cursor, "mask");

	attributes->mask = mask;
	if (mask & STORE_ATTR_MODE)
		attributes->mode = get_u32(cursor, "mode");
	if (mask & STORE_ATTR_UID)
		attributes->uid = get_u32(cursor, "uid");
	if (mask & STORE_ATTR_GID)
		attributes->gid = get_u32(cursor, "gid");
	if (mask & STORE_ATTR_MTIME)
		get_time(cursor, &attributes->mtime, "mtime");
	if (mask & STORE_ATTR_ATIME)
		get_time(cursor, &attributes->atime, "atime");
}

static void get_xattrs(struct cursor *cursor, struct record_file *file)
{
	static const char field[] = "extended attribute";
	/* Two lengths, and a name is not empty. */
	size_t count = get_count(cursor, 2 * sizeof(uint32_t) + 1, field);

	if (!count)
		return;
	file->xattrs = calloc(count, sizeof(*file->xattrs));
	if (!file->xattrs) {
		cursor_no_memory(cursor);
		return;
	}
	while (file->xattr_count < count && !cursor->code) {
		struct record_xattr *xattr = &file->xattrs[file->xattr_count++];

		xattr->name = get_text(cursor, field);
		xattr->value = get_value(cursor, &xattr->size, field);
	}
}

static void get_layers(struct cursor *cursor, struct record_file *file)
{
	size_t count = get_count(cursor, sizeof(uint64_t), "layers");

	if (!count)
		return;
	file->layers = reallocarray(NULL, count, sizeof(*file->layers));
	if (!file->layers) {
		cursor_no_memory(cursor);
		return;
	}
	for (size_t i = 0; i < count; i++)
		file->layers[i] = get_u64(cursor, "layers");
	file->layer_count = count;
}

static void get_sent(struct cursor *cursor, struct record_file *file)
{
	size_t count = get_count(cursor, 28, "states sent");

	if (!cursor->code && (!count || count > RECORD_SENT_MAX))
		cursor_fail(cursor, "states sent", "none, or too many");
	while (!cursor->code && file->sent_count < count) {
		struct record_sent *sent = &file->sent[file->sent_count++];

		sent->generation = get_u64(cursor, "generation sent");
		sent->size = get_u64(cursor, "size sent");
		get_time(cursor, &sent->mtime, "mtime sent");
	}
}

static void get_file(struct cursor *cursor, struct record_file *file)
{
	const void *publish;
	uint32_t flags;

	file->id = get_u64(cursor, "id");
	file->generation = get_u64(cursor, "generation");
	file->node = get_u64(cursor, "node");
	file->time = (int64_t)get_u64(cursor, "time");
	file->state = get_u32(cursor, "state");
	file->code = (int32_t)get_u32(cursor, "code");
	flags = get_flags(cursor,
			  RECORD_FILE_CREATED | RECORD_FILE_BASE_EXISTS |
				  RECORD_FILE_CONTENT | RECORD_FILE_WEAK |
				  RECORD_FILE_REASON | RECORD_FILE_BASE_GOES |
				  RECORD_FILE_SENT);
	file->created = flags & RECORD_FILE_CREATED;
	file->base_exists = flags & RECORD_FILE_BASE_EXISTS;
	file->base_goes = flags & RECORD_FILE_BASE_GOES;
	file->content = flags & RECORD_FILE_CONTENT;
	file->base.weak = flags & RECORD_FILE_WEAK;
	publish = get_bytes(cursor, sizeof(file->publish), "publish id");
	if (publish)
		memcpy(file->publish, publish, sizeof(file->publish));
	get_token(cursor, &file->base);
	get_attributes(cursor, &file->attributes);
	file->key = get_text(cursor, "key");
	if (flags & RECORD_FILE_REASON)
		file->reason = get_text(cursor, "reason");
	get_xattrs(cursor, file);
	get_layers(cursor, file);
	if (flags & RECORD_FILE_SENT)
		get_sent(cursor, file);
}

/* ---- any record ---- */

static void get_moving(struct cursor *cursor, struct record_move *move)
{
	move->replaced = get_u64(cursor, "replaced");
	move->seen = get_flags(cursor, RECORD_MOVING_SEEN) & RECORD_MOVING_SEEN;
	if (!move->seen)
		return;
	move->size = get_u64(cursor, "size");
	get_time(cursor, &move->mtime, "mtime");
}

static void get_move(struct cursor *cursor, struct record *record)
{
	struct record_move *move = &record->move;

	if (record->type == RECORD_MOVED)
		move->done =
			get_flags(cursor, RECORD_MOVE_DONE) & RECORD_MOVE_DONE;
	move->from = get_text(cursor,
			      record->type == RECORD_REMOVING ? "key" : "from");
	if (record->type != RECORD_REMOVING)
		move->to = get_text(cursor, "to");
	move->told = record->type != RECORD_MOVED && cursor->left;
	if (move->told && record->type == RECORD_MOVING)
		get_moving(cursor, move);
	else if (move->told)
		move->removed = get_u64(cursor, "id");
}

static void get_copies(struct cursor *cursor, struct record *record)
{
	struct record_copies *copies = &record->copies;
	uint32_t flags;

	copies->id = get_u64(cursor, "id");
	flags = get_flags(cursor, RECORD_COPIES_FOLDER | RECORD_COPIES_OVER);
	copies->folder = flags & RECORD_COPIES_FOLDER;
	copies->over = flags & RECORD_COPIES_OVER;
	copies->copied = record->type == RECORD_COPIED;
	copies->from = get_text(cursor, "from");
	copies->to = get_text(cursor, "to");
}

static void get_upload(struct cursor *cursor, struct record_upload *upload)
{
	upload->id = get_u64(cursor, "id");
	upload->file = get_u64(cursor, "file");
	upload->key = get_text(cursor, "key");
	upload->token = get_text(cursor, "token");
}

static void get_body(struct cursor *cursor, struct record *record)
{
	switch (record->type) {
	case RECORD_LAYER:
		get_layer(cursor, &record->layer);
		break;
	case RECORD_FILE:
		get_file(cursor, &record->file);
		break;
	case RECORD_DONE:
	case RECORD_COPIES_SETTLED:
	case RECORD_UPLOAD_ENDED:
		record->id = get_u64(cursor, "id");
		break;
	case RECORD_COPYING:
	case RECORD_COPIED:
		get_copies(cursor, record);
		break;
	case RECORD_UPLOAD:
		get_upload(cursor, &record->upload);
		break;
	case RECORD_MOVING:
	case RECORD_MOVED:
	case RECORD_REMOVING:
		get_move(cursor, record);
		break;
	}
	if (cursor->left)
		cursor_fail(cursor, "length", "more than the fields");
}

/* A cursor over the body of the next record. */
static struct cursor get_head(struct cursor *cursor, enum record_type *type)
{
	struct cursor body = *cursor;
	uint16_t number = get_u16(cursor, "type");
	uint32_t length;

	if (get_u16(cursor, "reserved"))
		cursor_fail(cursor, "reserved", "not zero");
	length = get_u32(cursor, "length");
	if (!record_type_name(number))
		cursor_fail(cursor, "type", "unknown");
	*type = number;
	body.at = get_bytes(cursor, length, "length");
	body.left = body.at ? length : 0;
	body.code = cursor->code;
	return body;
}

static int get_record(struct cursor *cursor, struct record *record)
{
	struct record made = { .type = RECORD_DONE };
	struct cursor body = get_head(cursor, &made.type);
	int code = body.code;

	if (code)
		return code;
	get_body(&body, &made);
	code = body.code;
	if (code)
		store_error_prefix(cursor->error, "%s",
				   record_type_name(made.type));
	else
		code = record_check(&made, cursor->error);
	if (code)
		record_release(&made);
	else
		*record = made;
	return code;
}

bool record_decode(const void *frame, size_t length, size_t *at,
		   struct record *record, int *code, struct store_error *error)
{
	const unsigned char *bytes = frame;
	struct cursor cursor = { .error = error };

	*code = STORE_OK;
	if (*at >= length)
		return false;
	cursor.at = bytes + *at;
	cursor.left = length - *at;
	*code = get_record(&cursor, record);
	if (*code) {
		store_error_prefix(error, "record at byte %zu", *at);
		return false;
	}
	*at = length - cursor.left;
	return true;
}
