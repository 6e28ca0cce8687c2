// SPDX-License-Identifier: MIT
/*
 * Records of the journal into bytes; the form stands in record.h.  Called by
 * commit.c, commit_note.c and acknowledge.c.
 */
#include "config.h"

#include "mount/record.h"

#include <endian.h>
#include <string.h>

static void put_u16(struct buf *frame, uint16_t value)
{
	value = htole16(value);
	buf_add(frame, &value, sizeof(value));
}

static void put_u32(struct buf *frame, uint32_t value)
{
	value = htole32(value);
	buf_add(frame, &value, sizeof(value));
}

static void put_u64(struct buf *frame, uint64_t value)
{
	value = htole64(value);
	buf_add(frame, &value, sizeof(value));
}

static void put_bytes(struct buf *frame, const void *data, size_t length)
{
	if (length > UINT32_MAX && !frame->failed)
		frame->failed = STORE_TOO_LARGE;
	put_u32(frame, (uint32_t)length);
	buf_add(frame, data, length);
}

static void put_text(struct buf *frame, const char *text)
{
	put_bytes(frame, text, strlen(text));
}

static void put_count(struct buf *frame, size_t count)
{
	if (count > UINT32_MAX && !frame->failed)
		frame->failed = STORE_TOO_LARGE;
	put_u32(frame, (uint32_t)count);
}

static void put_time(struct buf *frame, const struct timespec *time)
{
	put_u64(frame, (uint64_t)time->tv_sec);
	put_u32(frame, (uint32_t)time->tv_nsec);
}

static void put_spans(struct buf *frame, const struct rangemap *map)
{
	for (size_t i = 0; i < map->count; i++) {
		put_u64(frame, map->spans[i].start);
		put_u64(frame, map->spans[i].end);
	}
}

static void put_layer(struct buf *frame, const struct record_layer *layer)
{
	put_u64(frame, layer->file);
	put_u64(frame, layer->number);
	put_u64(frame, layer->size);
	put_u64(frame, layer->lower_limit);
	put_u64(frame, layer->checksum);
	put_u64(frame, layer->data_length);
	put_u32(frame, layer->data ? RECORD_LAYER_INLINE : 0);
	put_count(frame, layer->present.count);
	put_count(frame, layer->dirty.count);
	put_u32(frame, 0);
	put_spans(frame, &layer->present);
	put_spans(frame, &layer->dirty);
	if (!layer->data)
		return;
	if (layer->data_length > frame->max && !frame->failed)
		frame->failed = STORE_TOO_LARGE;
	buf_add(frame, layer->data, (size_t)layer->data_length);
}

static uint32_t file_flags(const struct record_file *file)
{
	return (file->created ? RECORD_FILE_CREATED : 0u) |
	       (file->base_exists ? RECORD_FILE_BASE_EXISTS : 0u) |
	       (file->content ? RECORD_FILE_CONTENT : 0u) |
	       (file->base.weak ? RECORD_FILE_WEAK : 0u) |
	       (file->reason ? RECORD_FILE_REASON : 0u) |
	       (file->base_goes ? RECORD_FILE_BASE_GOES : 0u) |
	       (file->sent_count ? RECORD_FILE_SENT : 0u);
}

static void put_attributes(struct buf *frame,
			   const struct store_attributes *attributes)
{
	uint32_t mask = attributes->mask;

	put_u32(frame, mask);
	if (mask & STORE_ATTR_MODE)
		put_u32(frame, attributes->mode);
	if (mask & STORE_ATTR_UID)
		put_u32(frame, attributes->uid);
	if (mask & STORE_ATTR_GID)
		put_u32(frame, attributes->gid);
	if (mask & STORE_ATTR_MTIME)
		put_time(frame, &attributes->mtime);
	if (mask & STORE_ATTR_ATIME)
		put_time(frame, &attributes->atime);
}

static void put_file(struct buf *frame, const struct record_file *file)
{
	put_u64(frame, file->id);
	put_u64(frame, file->generation);
	put_u64(frame, file->node);
	put_u64(frame, (uint64_t)file->time);
	put_u32(frame, file->state);
	put_u32(frame, (uint32_t)file->code);
	put_u32(frame, file_flags(file));
	buf_add(frame, file->publish, sizeof(file->publish));
	put_text(frame, file->base.token);
	put_attributes(frame, &file->attributes);
	put_text(frame, file->key);
	if (file->reason)
		put_text(frame, file->reason);
	put_count(frame, file->xattr_count);
	for (size_t i = 0; i < file->xattr_count; i++) {
		put_text(frame, file->xattrs[i].name);
		put_bytes(frame, file->xattrs[i].value, file->xattrs[i].size);
	}
	put_count(frame, file->layer_count);
	for (size_t i = 0; i < file->layer_count; i++)
		put_u64(frame, file->layers[i]);
	if (!file->sent_count)
		return;
	put_count(frame, file->sent_count);
	for (size_t i = 0; i < file->sent_count; i++) {
		put_u64(frame, file->sent[i].generation);
		put_u64(frame, file->sent[i].size);
		put_time(frame, &file->sent[i].mtime);
	}
}

static void put_moving(struct buf *frame, const struct record_move *move)
{
	put_text(frame, move->from);
	put_text(frame, move->to);
	if (!move->told)
		return;
	put_u64(frame, move->replaced);
	put_u32(frame, move->seen ? RECORD_MOVING_SEEN : 0);
	if (!move->seen)
		return;
	put_u64(frame, move->size);
	put_time(frame, &move->mtime);
}

static void put_copies(struct buf *frame, const struct record_copies *copies)
{
	put_u64(frame, copies->id);
	put_u32(frame, (copies->folder ? RECORD_COPIES_FOLDER : 0u) |
			       (copies->over ? RECORD_COPIES_OVER : 0u));
	put_text(frame, copies->from);
	put_text(frame, copies->to);
}

static void put_body(struct buf *frame, const struct record *record)
{
	switch (record->type) {
	case RECORD_LAYER:
		put_layer(frame, &record->layer);
		return;
	case RECORD_FILE:
		put_file(frame, &record->file);
		return;
	case RECORD_DONE:
	case RECORD_COPIES_SETTLED:
	case RECORD_UPLOAD_ENDED:
		put_u64(frame, record->id);
		return;
	case RECORD_UPLOAD:
		put_u64(frame, record->upload.id);
		put_u64(frame, record->upload.file);
		put_text(frame, record->upload.key);
		put_text(frame, record->upload.token);
		return;
	case RECORD_COPYING:
	case RECORD_COPIED:
		put_copies(frame, &record->copies);
		return;
	case RECORD_MOVED:
		put_u32(frame, record->move.done ? RECORD_MOVE_DONE : 0);
		put_text(frame, record->move.from);
		put_text(frame, record->move.to);
		return;
	case RECORD_MOVING:
		put_moving(frame, &record->move);
		return;
	case RECORD_REMOVING:
		put_text(frame, record->move.from);
		if (record->move.told)
			put_u64(frame, record->move.removed);
		return;
	}
}

void record_encode(struct buf *frame, const struct record *record)
{
	int code = frame->failed ? STORE_OK : record_check(record, NULL);
	size_t start, length;
	uint32_t form;

	if (code)
		frame->failed = code == STORE_NO_MEMORY ? code : STORE_INTERNAL;
	put_u16(frame, (uint16_t)record->type);
	put_u16(frame, 0);
	put_u32(frame, 0);
	start = frame->length;
	/* Also of a record that is refused nothing is looked at. */
	if (!frame->failed)
		put_body(frame, record);
	length = frame->length - start;
	if (length > UINT32_MAX && !frame->failed)
		frame->failed = STORE_TOO_LARGE;
	if (frame->failed)
		return;
	form = htole32((uint32_t)length);
	memcpy(frame->data + start - sizeof(form), &form, sizeof(form));
}
