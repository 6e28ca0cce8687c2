// SPDX-License-Identifier: MIT
/*
 * Records of renames by copies; see commit.h.  Called by relocation.c; calls
 * record.c and journal.c.
 */
#include "config.h"

#include "mount/commit_internal.h"

#include "src/base/step.h"

static void encode_copies(struct buf *frame, const struct record_copies *copies,
			  bool copied)
{
	struct record record = {
		.type = copied ? RECORD_COPIED : RECORD_COPYING,
		.copies = *copies,
	};

	record_encode(frame, &record);
}

static int append(struct fs *fs, const struct buf *frame, unsigned int flags,
		  uint64_t *position, struct store_error *error)
{
	int code = buf_error(frame, "a record", error);

	if (!code)
		code = debts_append(&fs->commit->debts, frame, flags, position,
				    error);
	if (!code) {
		note_position(&fs->commit->acknowledged, *position);
		note_position(&fs->commit->names, *position);
	}
	return code;
}

int commit_copying(struct fs *fs, const struct record_copies *copies,
		   struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	uint64_t position;
	int code;

	if (!fs->commit)
		return STORE_OK;
	STEP("copies: before copying");
	encode_copies(&frame, copies, false);
	code = append(fs, &frame, 0, &position, error);
	if (!code && STEP_WANTED("copies: flush copying"))
		code = journal_sync(fs->commit->journal, position, error);
	STEP("copies: copying");
	return code;
}

/* What a put has sent before is not known to have been sent over this. */
static void encode_file(struct file *file, struct buf *frame)
{
	lock_take(&file->lock);
	if (file->note.id) {
		file->note.generation += file->note.acknowledged;
		note_encode_locked(file, note_state_locked(file), NULL, NULL,
				   frame);
		file->note.top = staging_top_number(&file->staging);
	}
	lock_drop(&file->lock);
}

static void noted(struct file *file, uint64_t position)
{
	lock_take(&file->lock);
	if (file->note.id) {
		file->note.position = position;
		file->note.binding |= file->note.acknowledged;
	}
	lock_drop(&file->lock);
}

static void encode_rebased(struct buf *frame,
			   const struct commit_rebased *rebased, size_t count)
{
	struct record record = { .type = RECORD_FILE };

	for (size_t i = 0; i < count; i++) {
		if (rebased[i].file) {
			encode_file(rebased[i].file, frame);
			continue;
		}
		record.file = *rebased[i].pending;
		record_encode(frame, &record);
	}
}

int commit_copied(struct fs *fs, const struct record_copies *copies,
		  const struct commit_rebased *rebased, size_t count,
		  uint64_t replaced, uint64_t *position,
		  struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record done = { .type = RECORD_DONE, .id = replaced };
	int code;

	*position = 0;
	if (!fs->commit)
		return STORE_OK;
	STEP("copies: before copied");
	encode_rebased(&frame, rebased, count);
	if (replaced)
		record_encode(&frame, &done);
	encode_copies(&frame, copies, true);
	code = append(fs, &frame, 0, position, error);
	for (size_t i = 0; i < count && !code; i++)
		if (rebased[i].file)
			noted(rebased[i].file, *position);
	return code;
}

int commit_copies_settled(struct fs *fs, uint64_t id, struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record record = { .type = RECORD_COPIES_SETTLED, .id = id };
	uint64_t position;
	int code;

	if (!fs->commit)
		return STORE_OK;
	STEP("copies: before settled");
	record_encode(&frame, &record);
	code = append(fs, &frame, JOURNAL_RELEASES, &position, error);
	if (code)
		debts_owe(&fs->commit->debts, &frame, JOURNAL_RELEASES);
	else if (STEP_WANTED("copies: flush settled"))
		code = commit_sync_to(fs, position, error);
	STEP("copies: settled");
	return code;
}
