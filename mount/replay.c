// SPDX-License-Identifier: MIT
/*
 * Replaying a journal; see replay.h.  Called by pending.c, calls
 * record_decode() and keeps tables: files by id, files by key, layers by
 * number.
 *
 * Bytes of layers that no file names any more are freed at once, so that
 * memory is bounded by what is pending and not by the journal's length; that
 * their numbers were used is remembered.
 */
#include "config.h"

#include "mount/replay.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/key.h"

struct replay_file {
	struct keymap_node node; /* first: keymap.c hands it back */
	struct record_file record;
	bool removing;
};

struct replay_layer {
	struct pending_layer *layer; /* owned; NULL: no record, or dropped */
	size_t uses;		     /* files that name it */
	bool settled;		     /* a file named it, and none does now */
};

/* Stands for a file that is settled. */
static struct replay_file replay_gone;

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for the pending files");
}

/* ---- memory ---- */

void replay_init(struct replay *replay)
{
	*replay = (struct replay){ .last_id = 0 };
}

void replay_layer_free(struct pending_layer *layer)
{
	if (!layer)
		return;
	rangemap_release(&layer->record.present);
	rangemap_release(&layer->record.dirty);
	free((void *)(uintptr_t)layer->record.data);
	free(layer);
}

static void file_record_release(struct record_file *file)
{
	struct record record = { .type = RECORD_FILE, .file = *file };

	record_release(&record);
}

static void move_release(struct record_move *move)
{
	free(move->from);
	free(move->to);
}

static void copies_release(struct record_copies *copies)
{
	free(copies->from);
	free(copies->to);
}

static void upload_release(struct record_upload *upload)
{
	free(upload->key);
	free(upload->token);
}

void replay_release(struct replay *replay)
{
	for (size_t i = 0; i < replay->files.room; i++) {
		struct replay_file *file = replay->files.entries[i].value;

		if (!file || file == &replay_gone)
			continue;
		file_record_release(&file->record);
		free(file);
	}
	for (size_t i = 0; i < replay->layers.room; i++) {
		struct replay_layer *layer = replay->layers.entries[i].value;

		if (layer)
			replay_layer_free(layer->layer);
		free(layer);
	}
	for (size_t i = 0; i < replay->move_count; i++)
		move_release(&replay->moves[i]);
	free(replay->moves);
	for (size_t i = 0; i < replay->copies_count; i++)
		copies_release(&replay->copies[i]);
	free(replay->copies);
	for (size_t i = 0; i < replay->upload_count; i++)
		upload_release(&replay->uploads[i]);
	free(replay->uploads);
	idmap_release(&replay->files);
	idmap_release(&replay->layers);
	replay_init(replay);
}

/* ---- layers ---- */

/* Made where there is none; NULL: out of memory. */
static struct replay_layer *layer_at(struct replay *replay, uint64_t number)
{
	void **slot = idmap_at(&replay->layers, number);

	if (!slot)
		return NULL;
	if (!*slot)
		*slot = calloc(1, sizeof(struct replay_layer));
	if (number > replay->last_layer)
		replay->last_layer = number;
	return *slot;
}

static int layers_use(struct replay *replay, const struct record_file *file,
		      struct store_error *error)
{
	for (size_t i = 0; i < file->layer_count; i++) {
		struct replay_layer *layer = layer_at(replay, file->layers[i]);

		if (!layer)
			return no_memory(error);
		layer->uses++;
	}
	return STORE_OK;
}

static void layers_unuse(struct replay *replay, const struct record_file *file)
{
	for (size_t i = 0; i < file->layer_count; i++) {
		struct replay_layer *layer =
			idmap_get(&replay->layers, file->layers[i]);

		if (--layer->uses)
			continue;
		layer->settled = true;
		replay_layer_free(layer->layer);
		layer->layer = NULL;
	}
}

/* Takes the record's maps over and copies its bytes. */
static struct pending_layer *layer_new(struct record_layer *record)
{
	struct pending_layer *layer = calloc(1, sizeof(*layer));
	void *data = NULL;

	if (layer && record->data) {
		data = malloc((size_t)record->data_length + 1);
		if (data)
			memcpy(data, record->data, (size_t)record->data_length);
	}
	if (!layer || (record->data && !data)) {
		free(layer);
		return NULL;
	}
	layer->record = *record;
	layer->record.data = data;
	rangemap_init(&record->present);
	rangemap_init(&record->dirty);
	return layer;
}

static int apply_layer(struct replay *replay, struct record_layer *record,
		       struct store_error *error)
{
	struct replay_layer *layer = layer_at(replay, record->number);
	struct pending_layer *made = layer ? layer_new(record) : NULL;

	if (!made)
		return no_memory(error);
	replay_layer_free(layer->layer);
	layer->layer = made;
	layer->settled = false;
	if (record->file > replay->last_id)
		replay->last_id = record->file;
	return STORE_OK;
}

/* ---- files ---- */

static void file_free(struct replay *replay, struct replay_file *file)
{
	keymap_remove(&replay->keys, &file->node);
	layers_unuse(replay, &file->record);
	file_record_release(&file->record);
	free(file);
	replay->live--;
}

static int apply_file(struct replay *replay, struct record_file *record,
		      struct store_error *error)
{
	struct replay_file *file = calloc(1, sizeof(*file));
	void **slot = file ? idmap_at(&replay->files, record->id) : NULL;
	struct replay_file *old;
	int code;

	/* Before the old ones are let go: most layers are in both. */
	code = slot ? layers_use(replay, record, error) : no_memory(error);
	if (code) {
		free(file);
		return code;
	}
	old = *slot;
	*slot = file;
	file->record = *record;
	*record = (struct record_file){ .id = record->id };
	file->node.key = file->record.key;
	file->node.id = file->record.id;
	if (old && old != &replay_gone)
		file_free(replay, old);
	keymap_add(&replay->keys, &file->node);
	replay->live++;
	if (file->record.id > replay->last_id)
		replay->last_id = file->record.id;
	return STORE_OK;
}

static int apply_done(struct replay *replay, uint64_t id,
		      struct store_error *error)
{
	void **slot = idmap_at(&replay->files, id);

	if (!slot)
		return no_memory(error);
	if (*slot && *slot != &replay_gone)
		file_free(replay, *slot);
	*slot = &replay_gone;
	if (id > replay->last_id)
		replay->last_id = id;
	return STORE_OK;
}

/* ---- names ---- */

static int apply_moving(struct replay *replay, struct record_move *move,
			struct store_error *error)
{
	if (replay->move_count == replay->move_room) {
		size_t room = replay->move_room ? replay->move_room * 2 : 4;
		struct record_move *moves =
			reallocarray(replay->moves, room, sizeof(*moves));

		if (!moves)
			return no_memory(error);
		replay->moves = moves;
		replay->move_room = room;
	}
	replay->moves[replay->move_count++] = *move;
	*move = (struct record_move){ .from = NULL };
	return STORE_OK;
}

static void drop_moving(struct replay *replay, const struct record_move *moved)
{
	struct record_move *moves = replay->moves;
	size_t at = 0;

	while (at < replay->move_count &&
	       (strcmp(moves[at].from, moved->from) != 0 ||
		strcmp(moves[at].to, moved->to) != 0))
		at++;
	if (at == replay->move_count)
		return;
	move_release(&moves[at]);
	replay->move_count--;
	memmove(&moves[at], &moves[at + 1],
		(replay->move_count - at) * sizeof(*moves));
}

/* Its bytes are kept, but no store could be asked for such a name. */
static int refuse_key(struct record_file *file, struct store_error *error)
{
	char *reason = strdup("renaming a folder made its name too long");

	if (!reason)
		return no_memory(error);
	free(file->reason);
	file->reason = reason;
	file->state = RECORD_FAILED;
	file->code = STORE_INVALID;
	return STORE_OK;
}

int replay_move_key(struct record_file *file, const char *from, const char *to,
		    struct store_error *error)
{
	char *key = key_join(to, key_relative(file->key, from));

	if (!key)
		return no_memory(error);
	if (strlen(key) > STORE_KEY_MAX) {
		free(key);
		return refuse_key(file, error);
	}
	free(file->key);
	file->key = key;
	return STORE_OK;
}

static int rewrite_keys(struct replay *replay, const char *from, const char *to,
			struct store_error *error)
{
	struct keymap_node *node, *next;
	int code = STORE_OK;

	for (node = keymap_take(&replay->keys, from); node; node = next) {
		struct replay_file *file = (struct replay_file *)node;

		next = node->right;
		if (!code)
			code = replay_move_key(&file->record, from, to, error);
		node->key = file->record.key;
		keymap_add(&replay->keys, node);
	}
	return code;
}

static int apply_moved(struct replay *replay, const struct record_move *move,
		       struct store_error *error)
{
	drop_moving(replay, move);
	return move->done ? rewrite_keys(replay, move->from, move->to, error)
			  : STORE_OK;
}

static size_t find_copies(const struct replay *replay, uint64_t id)
{
	size_t at = 0;

	while (at < replay->copies_count && replay->copies[at].id != id)
		at++;
	return at;
}

static void drop_copies(struct replay *replay, uint64_t id)
{
	size_t at = find_copies(replay, id);

	if (at == replay->copies_count)
		return;
	copies_release(&replay->copies[at]);
	replay->copies_count--;
	memmove(&replay->copies[at], &replay->copies[at + 1],
		(replay->copies_count - at) * sizeof(*replay->copies));
}

static int apply_copies(struct replay *replay, struct record_copies *copies,
			struct store_error *error)
{
	struct record_copies *grown;
	int code = STORE_OK;

	drop_copies(replay, copies->id);
	if (replay->copies_count == replay->copies_room) {
		size_t room = replay->copies_room ? replay->copies_room * 2 : 4;

		grown = reallocarray(replay->copies, room, sizeof(*grown));
		if (!grown)
			return no_memory(error);
		replay->copies = grown;
		replay->copies_room = room;
	}
	if (copies->copied)
		code = rewrite_keys(replay, copies->from, copies->to, error);
	replay->copies[replay->copies_count++] = *copies;
	*copies = (struct record_copies){ .id = copies->id };
	return code;
}

static void drop_upload(struct replay *replay, uint64_t id)
{
	size_t at = 0;

	while (at < replay->upload_count && replay->uploads[at].id != id)
		at++;
	if (at == replay->upload_count)
		return;
	upload_release(&replay->uploads[at]);
	replay->uploads[at] = replay->uploads[--replay->upload_count];
}

/* Its key stays: in the store nobody renames what is not there yet. */
static int apply_upload(struct replay *replay, struct record_upload *upload,
			struct store_error *error)
{
	struct record_upload *grown;

	drop_upload(replay, upload->id);
	if (upload->id > replay->last_id)
		replay->last_id = upload->id;
	if (replay->upload_count == replay->upload_room) {
		size_t room = replay->upload_room ? replay->upload_room * 2 : 4;

		grown = reallocarray(replay->uploads, room, sizeof(*grown));
		if (!grown)
			return no_memory(error);
		replay->uploads = grown;
		replay->upload_room = room;
	}
	replay->uploads[replay->upload_count++] = *upload;
	*upload = (struct record_upload){ .id = upload->id };
	return STORE_OK;
}

/* What was never acknowledged has no name in the store to lose. */
static void mark_removing(struct keymap_node *node)
{
	struct replay_file *file = (struct replay_file *)node;

	file->removing |= file->record.state != RECORD_UNFINISHED;
}

static void apply_removing(struct replay *replay,
			   const struct record_move *move)
{
	struct replay_file *file;

	if (!move->told) {
		keymap_visit(&replay->keys, move->from, mark_removing);
		return;
	}
	file = idmap_get(&replay->files, move->removed);
	if (file && file != &replay_gone &&
	    !strcmp(file->record.key, move->from))
		file->removing = true;
}

/* ---- frames ---- */

/* Takes what it needs out of the record. */
static int apply(struct replay *replay, struct record *record,
		 struct store_error *error)
{
	switch (record->type) {
	case RECORD_LAYER:
		return apply_layer(replay, &record->layer, error);
	case RECORD_FILE:
		return apply_file(replay, &record->file, error);
	case RECORD_DONE:
		return apply_done(replay, record->id, error);
	case RECORD_MOVING:
		return apply_moving(replay, &record->move, error);
	case RECORD_MOVED:
		return apply_moved(replay, &record->move, error);
	case RECORD_REMOVING:
		apply_removing(replay, &record->move);
		return STORE_OK;
	case RECORD_COPYING:
	case RECORD_COPIED:
		return apply_copies(replay, &record->copies, error);
	case RECORD_COPIES_SETTLED:
		drop_copies(replay, record->id);
		return STORE_OK;
	case RECORD_UPLOAD:
		return apply_upload(replay, &record->upload, error);
	case RECORD_UPLOAD_ENDED:
		drop_upload(replay, record->id);
		return STORE_OK;
	}
	return STORE_OK;
}

struct record_list {
	struct record *records; /* owned */
	size_t count, room;
};

static void list_release(struct record_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		record_release(&list->records[i]);
	free(list->records);
}

static int list_add(struct record_list *list, struct record *record,
		    struct store_error *error)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 4;
		struct record *records =
			reallocarray(list->records, room, sizeof(*records));

		if (!records) {
			record_release(record);
			return no_memory(error);
		}
		list->records = records;
		list->room = room;
	}
	list->records[list->count++] = *record;
	return STORE_OK;
}

int replay_frame(struct replay *replay, const void *payload, size_t length,
		 struct store_error *error)
{
	struct record_list list CLEANUP(list_release) = { .count = 0 };
	struct record record;
	size_t at = 0;
	int code;

	while (record_decode(payload, length, &at, &record, &code, error)) {
		code = list_add(&list, &record, error);
		if (code)
			return code;
	}
	for (size_t i = 0; i < list.count && !code; i++)
		code = apply(replay, &list.records[i], error);
	return code;
}

/* ---- the outcome ---- */

enum replay_owner replay_owner_of(const struct replay *replay, uint64_t number)
{
	const struct replay_layer *layer = idmap_get(&replay->layers, number);

	if (!layer)
		return REPLAY_NOBODY;
	if (layer->uses)
		return REPLAY_LIVE;
	if (layer->settled)
		return REPLAY_SETTLED;
	/* Its file never named it, and has no use for it any more. */
	if (layer->layer &&
	    idmap_get(&replay->files, layer->layer->record.file) ==
		    &replay_gone)
		return REPLAY_SETTLED;
	return REPLAY_NOBODY;
}

static int compare_files(const void *a, const void *b)
{
	const struct pending_file *left = a, *right = b;

	return (left->record.id > right->record.id) -
	       (left->record.id < right->record.id);
}

static int resolve_layers(const struct replay *replay,
			  struct pending_file *file, struct store_error *error)
{
	size_t count = file->record.layer_count;

	/* One more: none at all is no lack of memory. */
	file->layers = calloc(count + 1, sizeof(struct pending_layer *));
	if (!file->layers)
		return no_memory(error);
	for (size_t i = 0; i < count; i++) {
		const struct replay_layer *layer =
			idmap_get(&replay->layers, file->record.layers[i]);

		/* Bytes of another file would be worse than none. */
		if (layer->layer &&
		    layer->layer->record.file == file->record.id)
			file->layers[i] = layer->layer;
	}
	return STORE_OK;
}

static int take_files(struct replay *replay, struct pending *pending,
		      struct store_error *error)
{
	int code = STORE_OK;

	pending->files = calloc(replay->live + 1, sizeof(*pending->files));
	if (!pending->files)
		return no_memory(error);
	for (size_t i = 0; i < replay->files.room && !code; i++) {
		struct replay_file *file = replay->files.entries[i].value;
		struct pending_file *taken = &pending->files[pending->count];

		if (!file || file == &replay_gone)
			continue;
		pending->count++;
		taken->record = file->record;
		taken->removing = file->removing;
		replay->files.entries[i].value = NULL;
		free(file);
		code = resolve_layers(replay, taken, error);
	}
	qsort(pending->files, pending->count, sizeof(*pending->files),
	      compare_files);
	return code;
}

static int take_layers(struct replay *replay, struct pending *pending,
		       struct store_error *error)
{
	pending->layers = calloc(replay->layers.count + 1,
				 sizeof(struct pending_layer *));
	if (!pending->layers)
		return no_memory(error);
	for (size_t i = 0; i < replay->layers.room; i++) {
		struct replay_layer *layer = replay->layers.entries[i].value;

		if (!layer || !layer->uses || !layer->layer)
			continue;
		pending->layers[pending->layer_count++] = layer->layer;
		layer->layer = NULL;
	}
	return STORE_OK;
}

int replay_finish(struct replay *replay, struct pending *pending,
		  struct store_error *error)
{
	int code = take_files(replay, pending, error);

	if (!code)
		code = take_layers(replay, pending, error);
	pending->moves = replay->moves;
	pending->move_count = replay->move_count;
	replay->moves = NULL;
	replay->move_count = 0;
	pending->copies = replay->copies;
	pending->copies_count = replay->copies_count;
	replay->copies = NULL;
	replay->copies_count = 0;
	pending->uploads = replay->uploads;
	pending->upload_count = replay->upload_count;
	replay->uploads = NULL;
	replay->upload_count = 0;
	if (replay->last_id > pending->last_id)
		pending->last_id = replay->last_id;
	if (replay->last_layer > pending->last_layer)
		pending->last_layer = replay->last_layer;
	replay_release(replay);
	return code;
}
