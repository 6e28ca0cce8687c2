// SPDX-License-Identifier: MIT
/*
 * Records of uploads that outlive a put; see commit.h.  Called by uploads.c;
 * calls record.c and journal.c.
 */
#include "config.h"

#include "mount/commit_internal.h"

#include "src/base/log.h"

int commit_upload(struct fs *fs, uint64_t *id,
		  const struct record_upload *upload, struct store_error *error)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record record = { .type = RECORD_UPLOAD, .upload = *upload };
	struct commit *commit = fs->commit;
	uint64_t position;
	int code;

	if (!commit)
		return STORE_OK;
	if (!*id)
		*id = atomic_fetch_add(&commit->last_id, 1) + 1;
	record.upload.id = *id;
	record_encode(&frame, &record);
	code = buf_error(&frame, "a record", error);
	/* A put gives room back when all is well: it may use the reserve. */
	if (!code)
		code = debts_append(&commit->debts, &frame, JOURNAL_RELEASES,
				    &position, error);
	return code ? code : commit_sync_to(fs, position, error);
}

void commit_upload_ended(struct fs *fs, uint64_t id)
{
	CLEANUP_BUF struct buf frame = BUF_INIT(JOURNAL_FRAME_MAX);
	struct record record = { .type = RECORD_UPLOAD_ENDED, .id = id };
	struct store_error error = STORE_ERROR_INIT;
	struct commit *commit = fs->commit;
	uint64_t position;

	if (!commit)
		return;
	record_encode(&frame, &record);
	/* One that is lost costs the next mount a question. */
	if (debts_append(&commit->debts, &frame, JOURNAL_RELEASES, &position,
			 &error))
		log_info("an upload is not noted as ended: %s", error.message);
}
