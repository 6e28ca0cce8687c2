// SPDX-License-Identifier: MIT
/*
 * Frames of the staging journal: what is read keeps the rules and gives the
 * same bytes when it is written again, and replaying it leaves a table that
 * holds together.
 */
#include "config.h"

#include "mount/replay.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static void check_code(int code, const struct store_error *error)
{
	CHECK(code == STORE_OK || code == STORE_CORRUPT);
	check_error(code, error);
}

static void check_records(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct buf again CLEANUP_BUF = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record record;
	size_t at = 0, before = 0;
	int code;

	while (record_decode(data, size, &at, &record, &code, &error)) {
		CHECK(code == STORE_OK);
		CHECK(at > before && at <= size);
		CHECK(record_check(&record, &error) == STORE_OK);
		buf_clear(&again);
		record_encode(&again, &record);
		CHECK(again.failed == STORE_OK);
		CHECK(again.length == at - before);
		CHECK(!memcmp(again.data, data + before, again.length));
		record_release(&record);
		before = at;
	}
	CHECK(at == before);
	CHECK(code || at == size);
	check_code(code, &error);
}

static void check_file(const struct pending_file *file)
{
	CHECK(file->record.key && *file->record.key);
	for (size_t i = 0; i < file->record.layer_count; i++) {
		const struct pending_layer *layer = file->layers[i];

		if (!layer)
			continue;
		CHECK(layer->record.number == file->record.layers[i]);
		CHECK(layer->record.file == file->record.id);
		CHECK(layer->record.data_length ==
		      rangemap_total(&layer->record.present));
	}
}

static void check_table(struct replay *replay)
{
	struct store_error error = STORE_ERROR_INIT;
	struct pending pending = { .count = 0 };

	CHECK(replay_finish(replay, &pending, &error) == STORE_OK);
	for (size_t i = 0; i < pending.count; i++) {
		check_file(&pending.files[i]);
		CHECK(pending.files[i].record.id <= pending.last_id);
		CHECK(!i || pending.files[i - 1].record.id <
				    pending.files[i].record.id);
	}
	for (size_t i = 0; i < pending.move_count; i++)
		CHECK(pending.moves[i].from && pending.moves[i].to);
	pending_release(&pending);
}

/* All in one frame, twice: the second time everything is there already. */
static void check_one_frame(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct replay replay;

	replay_init(&replay);
	for (int i = 0; i < 2; i++)
		check_code(replay_frame(&replay, data, size, &error), &error);
	check_table(&replay);
}

/* As far as it can be read, each record in a frame of its own. */
static void check_many_frames(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct replay replay;
	struct record record;
	size_t at = 0, before = 0;
	int code;

	replay_init(&replay);
	while (record_decode(data, size, &at, &record, &code, &error)) {
		record_release(&record);
		CHECK(replay_frame(&replay, data + before, at - before,
				   &error) == STORE_OK);
		before = at;
	}
	for (uint64_t number = 1; number < 16; number++)
		replay_owner_of(&replay, number);
	check_table(&replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_records(data, size);
	check_one_frame(data, size);
	check_many_frames(data, size);
	return 0;
}
