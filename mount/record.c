// SPDX-License-Identifier: MIT
/*
 * Records of the journal as values: what they own, and what may stand in
 * them; see record.h.  Called by record_read.c and record_write.c, so that
 * one rule holds both ways.
 */
#include "config.h"

#include "mount/record.h"

#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/key.h"

static const char *const type_names[] = {
	[RECORD_LAYER] = "LAYER",
	[RECORD_FILE] = "FILE",
	[RECORD_DONE] = "DONE",
	[RECORD_MOVING] = "MOVING",
	[RECORD_MOVED] = "MOVED",
	[RECORD_REMOVING] = "REMOVING",
	[RECORD_COPYING] = "COPYING",
	[RECORD_COPIED] = "COPIED",
	[RECORD_COPIES_SETTLED] = "COPIES_SETTLED",
	[RECORD_UPLOAD] = "UPLOAD",
	[RECORD_UPLOAD_ENDED] = "UPLOAD_ENDED",
};

const char *record_type_name(enum record_type type)
{
	unsigned int index = type;

	return index < sizeof(type_names) / sizeof(type_names[0])
		       ? type_names[index]
		       : NULL;
}

/* ---- memory ---- */

static void file_release(struct record_file *file)
{
	free(file->key);
	free(file->reason);
	for (size_t i = 0; i < file->xattr_count; i++) {
		free(file->xattrs[i].name);
		free(file->xattrs[i].value);
	}
	free(file->xattrs);
	free(file->layers);
}

void record_release(struct record *record)
{
	switch (record->type) {
	case RECORD_LAYER:
		rangemap_release(&record->layer.present);
		rangemap_release(&record->layer.dirty);
		break;
	case RECORD_FILE:
		file_release(&record->file);
		break;
	case RECORD_MOVING:
	case RECORD_MOVED:
	case RECORD_REMOVING:
		free(record->move.from);
		free(record->move.to);
		break;
	case RECORD_COPYING:
	case RECORD_COPIED:
		free(record->copies.from);
		free(record->copies.to);
		break;
	case RECORD_UPLOAD:
		free(record->upload.key);
		free(record->upload.token);
		break;
	case RECORD_DONE:
	case RECORD_COPIES_SETTLED:
	case RECORD_UPLOAD_ENDED:
		break;
	}
	*record = (struct record){ .type = RECORD_DONE };
}

/* ---- rules ---- */

static int refuse(struct store_error *error, const char *what)
{
	return store_error_set(error, STORE_CORRUPT, "%s", what);
}

static bool id_is_valid(uint64_t id)
{
	return id >= 1 && id <= RECORD_ID_MAX;
}

static int check_key(const char *key, const char *field,
		     struct store_error *error)
{
	CLEANUP_FREE char *normal = NULL;
	int code = key_normalise(key, true, &normal, error);

	if (code == STORE_NO_MEMORY)
		return code;
	if (code || strcmp(key, normal) != 0 || key_is_root(key))
		return store_error_set(error, STORE_CORRUPT,
				       "%s: no name of a file", field);
	return STORE_OK;
}

/* Ascending, disjoint, not touching, none empty, all within `size`. */
static bool spans_are_valid(const struct rangemap *map, uint64_t size)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct span *span = &map->spans[i];

		if (span->start >= span->end || span->end > size ||
		    (i && span->start <= span[-1].end))
			return false;
	}
	return true;
}

static bool spans_are_inside(const struct rangemap *map,
			     const struct rangemap *outer)
{
	for (size_t i = 0; i < map->count; i++)
		if (!rangemap_covers(outer, map->spans[i].start,
				     map->spans[i].end))
			return false;
	return true;
}

static int check_layer(const struct record_layer *layer,
		       struct store_error *error)
{
	if (!id_is_valid(layer->file))
		return refuse(error, "file: out of range");
	if (!id_is_valid(layer->number))
		return refuse(error, "number: out of range");
	if (layer->size > INT64_MAX)
		return refuse(error, "size: out of range");
	if (layer->lower_limit > layer->size)
		return refuse(error, "lower limit: above the size");
	if (!spans_are_valid(&layer->present, layer->size))
		return refuse(error, "present: no ranges within the size");
	if (!spans_are_valid(&layer->dirty, layer->size))
		return refuse(error, "dirty: no ranges within the size");
	if (!spans_are_inside(&layer->dirty, &layer->present))
		return refuse(error, "dirty: not all present");
	if (layer->data_length != rangemap_total(&layer->present))
		return refuse(error, "length: not that of the ranges");
	return STORE_OK;
}

static bool nanoseconds_are_valid(const struct timespec *time)
{
	return time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

static int check_attributes(const struct store_attributes *attributes,
			    struct store_error *error)
{
	const uint32_t known = STORE_ATTR_MODE | STORE_ATTR_UID |
			       STORE_ATTR_GID | STORE_ATTR_MTIME |
			       STORE_ATTR_ATIME;
	uint32_t mask = attributes->mask;

	if (mask & ~known)
		return refuse(error, "mask: unknown attributes");
	if (mask & STORE_ATTR_MODE && attributes->mode > 07777)
		return refuse(error, "mode: more than permissions");
	if (mask & STORE_ATTR_MTIME &&
	    !nanoseconds_are_valid(&attributes->mtime))
		return refuse(error, "mtime: nanoseconds out of range");
	if (mask & STORE_ATTR_ATIME &&
	    !nanoseconds_are_valid(&attributes->atime))
		return refuse(error, "atime: nanoseconds out of range");
	return STORE_OK;
}

static int check_xattrs(const struct record_file *file,
			struct store_error *error)
{
	for (size_t i = 0; i < file->xattr_count; i++) {
		const char *name = file->xattrs[i].name;

		if (!*name || strlen(name) > XATTR_NAME_MAX)
			return refuse(error,
				      "extended attribute: length of the name");
		if (file->xattrs[i].size > XATTR_SIZE_MAX)
			return refuse(error, "extended attribute: too long");
	}
	return STORE_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int check_sent(const struct record_file *file, struct store_error *error)
{
	for (size_t i = 0; i < file->sent_count; i++) {
		if (file->sent[i].size > INT64_MAX)
			return refuse(error, "size sent: out of range");
		if (!nanoseconds_are_valid(&file->sent[i].mtime))
			return refuse(error,
				      "mtime sent: nanoseconds out of range");
	}
	return STORE_OK;
}

/* Stacks may be long in a damaged record only, hence no loop in a loop. */
static int check_layers(const struct record_file *file,
			struct store_error *error)
{
	CLEANUP_FREE uint64_t *sorted = NULL;
	size_t count = file->layer_count;

	if (!count)
		return STORE_OK;
	sorted = reallocarray(NULL, count, sizeof(*sorted));
	if (!sorted)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for layers");
	memcpy(sorted, file->layers, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_numbers);
	for (size_t i = 0; i < count; i++) {
		if (!id_is_valid(sorted[i]))
			return refuse(error, "layers: number out of range");
		if (i && sorted[i] == sorted[i - 1])
			return refuse(error, "layers: one is named twice");
	}
	return STORE_OK;
}

static int check_file(const struct record_file *file, struct store_error *error)
{
	int code;

	if (!id_is_valid(file->id))
		return refuse(error, "id: out of range");
	if (file->state < RECORD_UNFINISHED || file->state > RECORD_FAILED)
		return refuse(error, "state: unknown");
	if (file->code > STORE_OK || file->code < STORE_INTERNAL)
		return refuse(error, "code: unknown");
	if (!memchr(file->base.token, '\0', sizeof(file->base.token)))
		return refuse(error, "base: too long");
	if (file->reason && strlen(file->reason) > RECORD_REASON_MAX)
		return refuse(error, "reason: too long");
	code = check_key(file->key, "key", error);
	if (!code)
		code = check_attributes(&file->attributes, error);
	if (!code)
		code = check_xattrs(file, error);
	if (!code)
		code = check_sent(file, error);
	return code ? code : check_layers(file, error);
}

static int check_names(const char *from, const char *to,
		       struct store_error *error)
{
	int code = check_key(from, "from", error);

	if (!code)
		code = check_key(to, "to", error);
	if (code)
		return code;
	if (key_relative(to, from))
		return refuse(error, "to: not outside of from");
	return STORE_OK;
}

static int check_move(const struct record_move *move, struct store_error *error)
{
	int code = check_names(move->from, move->to, error);

	if (code)
		return code;
	if (move->replaced && !id_is_valid(move->replaced))
		return refuse(error, "replaced: out of range");
	if (move->seen && move->size > INT64_MAX)
		return refuse(error, "size: out of range");
	if (move->seen && !nanoseconds_are_valid(&move->mtime))
		return refuse(error, "mtime: nanoseconds out of range");
	return STORE_OK;
}

static int check_removing(const struct record_move *move,
			  struct store_error *error)
{
	if (move->told && !id_is_valid(move->removed))
		return refuse(error, "id: out of range");
	return check_key(move->from, "key", error);
}

static int check_copies(const struct record_copies *copies,
			struct store_error *error)
{
	if (!copies->id)
		return refuse(error, "id: out of range");
	return check_names(copies->from, copies->to, error);
}

static int check_upload(const struct record_upload *upload,
			struct store_error *error)
{
	if (!id_is_valid(upload->id))
		return refuse(error, "id: out of range");
	if (upload->file && !id_is_valid(upload->file))
		return refuse(error, "file: out of range");
	if (!*upload->token || strlen(upload->token) > RECORD_TOKEN_MAX)
		return refuse(error, "token: length");
	return check_key(upload->key, "key", error);
}

static int check_value(const struct record *record, struct store_error *error)
{
	switch (record->type) {
	case RECORD_LAYER:
		return check_layer(&record->layer, error);
	case RECORD_FILE:
		return check_file(&record->file, error);
	case RECORD_UPLOAD:
		return check_upload(&record->upload, error);
	case RECORD_DONE:
	case RECORD_UPLOAD_ENDED:
		if (!id_is_valid(record->id))
			return refuse(error, "id: out of range");
		return STORE_OK;
	case RECORD_MOVING:
	case RECORD_MOVED:
		return check_move(&record->move, error);
	case RECORD_REMOVING:
		return check_removing(&record->move, error);
	case RECORD_COPYING:
	case RECORD_COPIED:
		return check_copies(&record->copies, error);
	case RECORD_COPIES_SETTLED:
		if (!record->id)
			return refuse(error, "id: out of range");
		return STORE_OK;
	}
	return refuse(error, "type: unknown");
}

int record_check(const struct record *record, struct store_error *error)
{
	const char *name = record_type_name(record->type);
	int code = check_value(record, error);

	if (code && name)
		store_error_prefix(error, "%s", name);
	return code;
}
