// SPDX-License-Identifier: MIT
/*
 * The content of an open file: reads, writes, holes; see file.h.  Called by
 * ops_file.c and ops_attr.c; calls staging.c and the store's readers.
 */
#include "config.h"

#include "mount/ahead.h"
#include "mount/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

enum { HOLD_CHUNK = 1 << 20 };
/* Cancelling does not signal a condition: look this often. */
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

static int file_read_base(struct file *file, struct prefetch *ahead,
			  struct store_context *context,
			  const struct staging_piece *piece, void *data,
			  struct store_error *error)
{
	struct store_range range = { piece->offset, piece->length };
	struct base_reader *reader;
	int code = file_base_reader(file, context, &reader, error);

	if (code)
		return code;
	code = reader_read(reader, ahead, context, &range, data, error);
	reader_put(reader);
	if (code == STORE_NOT_FOUND)
		return store_error_set(error, STORE_CHANGED,
				       "the file was removed while open");
	return code;
}

static int file_read_piece(const struct handle *handle,
			   struct store_context *context,
			   const struct staging_piece *piece, void *data,
			   struct store_error *error)
{
	switch (piece->kind) {
	case PIECE_STAGED:
		return staging_read_piece(piece, data, error);
	case PIECE_BASE:
		return file_read_base(handle->file, handle->ahead, context,
				      piece, data, error);
	default:
		memset(data, 0, (size_t)piece->length);
		return STORE_OK;
	}
}

static void file_piece(struct file *file, uint64_t offset, uint64_t length,
		       struct staging_piece *piece)
{
	lock_take(&file->lock);
	staging_piece_at(&file->staging, offset, length, piece);
	lock_drop(&file->lock);
}

/*
 * When did the base last change hands, and is it about to?  What was sent
 * without an answer may have arrived: whoever looks or sends next finds out.
 */
static uint64_t file_epoch(struct file *file, bool *publishing)
{
	uint64_t epoch;

	lock_take(&file->lock);
	epoch = file->epoch;
	*publishing = file->started > file->finished ||
		      (file->dirty && file->unanswered.pending);
	lock_drop(&file->lock);
	return epoch;
}

/*
 * The base was not the version we took it for.  If a publish of our own is
 * the reason, the next look finds the new one.
 */
static bool file_base_moved(struct file *file, struct store_context *context,
			    uint64_t epoch)
{
	bool publishing;

	while (file_epoch(file, &publishing) == epoch && publishing) {
		lock_take(&file->lock);
		if (file->epoch == epoch)
			condition_wait_until(&file->changed, &file->lock,
					     clock_monotonic_ns() +
						     LOOK_AGAIN_NS);
		lock_drop(&file->lock);
		if (store_context_check(context, NULL))
			return false;
	}
	return file_epoch(file, &publishing) != epoch;
}

/* Who took the name away has staged it for the handles. */
static bool file_was_fetched(struct file *file, uint64_t offset)
{
	struct staging_piece piece;

	file_piece(file, offset, 1, &piece);
	staging_piece_release(&piece);
	return piece.kind != PIECE_BASE;
}

int file_read(const struct handle *handle, struct store_context *context,
	      void *data, const struct store_range *range, size_t *got,
	      struct store_error *error)
{
	struct file *file = handle->file;
	char *bytes = data;
	size_t done = 0;

	while (done < range->length) {
		struct staging_piece piece;
		bool publishing;
		uint64_t epoch = file_epoch(file, &publishing);
		int code;

		file_piece(file, range->offset + done, range->length - done,
			   &piece);
		if (!piece.length)
			break;
		code = file_read_piece(handle, context, &piece, bytes + done,
				       error);
		staging_piece_release(&piece);
		if (code == STORE_CHANGED &&
		    (file_was_fetched(file, piece.offset) ||
		     file_base_moved(file, context, epoch)))
			continue;
		if (code)
			return code;
		done += (size_t)piece.length;
	}
	*got = done;
	return STORE_OK;
}

static int file_check_size(struct op *op, uint64_t end)
{
	uint64_t limit = op->fs->max_size;

	if (!limit || end <= limit)
		return STORE_OK;
	return store_error_set(&op->error, STORE_TOO_LARGE,
			       "the store holds files of up to %llu bytes",
			       (unsigned long long)limit);
}

static int file_write_once(struct op *op, struct file *file, const void *data,
			   const struct store_range *range)
{
	int code;

	lock_take(&file->lock);
	code = staging_write(&file->staging, data, range->offset,
			     (size_t)range->length, &op->error);
	if (!code) {
		file->written = true;
		file->doomed = false;
		file_dirty_locked(file);
		file_stamp_locked(file);
		ahead_wrote_locked(file, range);
	}
	lock_drop(&file->lock);
	return code;
}

bool file_wait_for_room(struct op *op, uint64_t freed)
{
	struct fs *fs = op->fs;
	uint64_t buried = 0, before;

	while (staging_area_freed(fs->area) == freed) {
		before = buried;
		buried = staging_area_buried(fs->area);
		if (!buried && !publisher_is_busy(fs->publisher))
			return false;
		if (buried > before)
			commit_make_room(fs);
		if (store_context_sleep(&op->context, LOOK_AGAIN_NS, NULL))
			return false;
	}
	store_context_progress(&op->context);
	return true;
}

int file_write(struct op *op, struct file *file, const void *data,
	       const struct store_range *range)
{
	int code = file_check_size(op, range->offset + range->length);
	uint64_t freed;

	if (code)
		return code;
	do {
		freed = staging_area_freed(op->fs->area);
		code = file_write_once(op, file, data, range);
	} while (code == STORE_NO_SPACE && file_wait_for_room(op, freed));
	return code;
}

int file_truncate(struct op *op, struct file *file, uint64_t size)
{
	int code = file_check_size(op, size);
	uint64_t freed;

	if (code)
		return code;
	do {
		freed = staging_area_freed(op->fs->area);
		lock_take(&file->lock);
		code = file_truncate_locked(file, size, &op->error);
		lock_drop(&file->lock);
	} while (code == STORE_NO_SPACE && file_wait_for_room(op, freed));
	return code;
}

enum { ZEROING = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE };

static int file_allocate_locked(struct op *op, struct file *file, int mode,
				const struct store_range *range)
	REQUIRES(file->lock)
{
	uint64_t end = range->offset + range->length;
	int code = STORE_OK;

	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > file->staging.size)
		code = file_truncate_locked(file, end, &op->error);
	if (!code && (mode & ZEROING))
		code = staging_punch(&file->staging, range->offset,
				     range->length, &op->error);
	if (code)
		return code;
	/* Its times change whatever it does, as on other file systems. */
	file->written = true;
	file_dirty_locked(file);
	file_stamp_locked(file);
	return STORE_OK;
}

int file_allocate(struct op *op, struct file *file, int mode,
		  const struct store_range *range)
{
	uint64_t freed;
	int code = STORE_OK;

	if (mode & ~(ZEROING | FALLOC_FL_KEEP_SIZE))
		return store_error_set(&op->error, STORE_NOT_SUPPORTED,
				       "fallocate mode 0x%x", (unsigned)mode);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		code = file_check_size(op, range->offset + range->length);
	if (code)
		return code;
	do {
		freed = staging_area_freed(op->fs->area);
		lock_take(&file->lock);
		code = file_allocate_locked(op, file, mode, range);
		lock_drop(&file->lock);
	} while (code == STORE_NO_SPACE && file_wait_for_room(op, freed));
	return code;
}

/* The first data inside a piece; length 0 when it is all a hole. */
static int piece_data(struct op *op, struct file *file,
		      const struct staging_piece *piece,
		      struct store_range *data)
{
	uint64_t end = piece->offset + piece->length;
	struct base_reader *reader;
	int code = STORE_OK;

	*data = (struct store_range){ end, 0 };
	if (piece->kind == PIECE_STAGED)
		staging_piece_data(piece, data);
	if (piece->kind != PIECE_BASE)
		return STORE_OK;
	code = file_base_reader(file, &op->context, &reader, &op->error);
	if (code)
		return code;
	code = store_reader_data(reader->reader, piece->offset, data,
				 &op->error);
	reader_put(reader);
	if (!code && (!data->length || data->offset >= end))
		*data = (struct store_range){ end, 0 };
	else if (!code && data->offset + data->length > end)
		data->length = end - data->offset;
	return code;
}

int file_seek(struct op *op, struct file *file, int whence, uint64_t offset,
	      uint64_t *found)
{
	struct staging_piece piece;
	struct store_range data;
	int code;

	file_piece(file, offset, UINT64_MAX - offset, &piece);
	if (!piece.length)
		return store_error_set(&op->error, STORE_NOT_FOUND,
				       "an offset behind the end");
	while (piece.length) {
		uint64_t end = piece.offset + piece.length;

		code = piece_data(op, file, &piece, &data);
		staging_piece_release(&piece);
		if (code)
			return code;
		if (whence == SEEK_DATA && data.length) {
			*found = data.offset;
			return STORE_OK;
		}
		if (whence == SEEK_HOLE &&
		    (!data.length || data.offset > offset)) {
			*found = offset;
			return STORE_OK;
		}
		offset = whence == SEEK_HOLE ? data.offset + data.length : end;
		file_piece(file, offset, UINT64_MAX - offset, &piece);
	}
	*found = offset;
	if (whence == SEEK_HOLE)
		return STORE_OK;
	return store_error_set(&op->error, STORE_NOT_FOUND,
			       "no data behind the offset");
}

/* ---- keeping what handles read ---- */

/* Stage what was fetched, but for what has been written meanwhile. */
static int file_fill(struct file *file, const char *data,
		     const struct store_range *range, struct store_error *error)
{
	uint64_t end = range->offset + range->length;
	struct staging_piece piece;
	int code = STORE_OK;

	lock_take(&file->lock);
	for (uint64_t at = range->offset; !code && at < end;
	     at = piece.offset + piece.length) {
		staging_piece_at(&file->staging, at, end - at, &piece);
		staging_piece_release(&piece);
		if (!piece.length)
			break;
		if (piece.kind == PIECE_BASE)
			code = staging_fill(&file->staging,
					    data + (at - range->offset), at,
					    (size_t)piece.length, error);
	}
	lock_drop(&file->lock);
	return code;
}

int file_fetch_base(struct file *file, struct store_context *context,
		    struct store_error *error)
{
	CLEANUP_FREE char *chunk = malloc(HOLD_CHUNK);
	struct staging_piece piece;
	uint64_t offset = 0;

	if (!chunk)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a copy");
	for (;; offset += piece.length) {
		struct store_range range;
		int code;

		file_piece(file, offset, HOLD_CHUNK, &piece);
		staging_piece_release(&piece);
		if (!piece.length)
			return STORE_OK;
		if (piece.kind != PIECE_BASE)
			continue;
		range = (struct store_range){ piece.offset, piece.length };
		code = file_read_base(file, NULL, context, &piece, chunk,
				      error);
		if (!code)
			code = file_fill(file, chunk, &range, error);
		if (code)
			return code;
	}
}

int file_hold_base(struct op *op, struct file *file)
{
	struct base_reader *reader;
	bool needed;
	int code;

	lock_take(&file->lock);
	needed = file->handles && file->base_exists;
	lock_drop(&file->lock);
	if (!needed)
		return STORE_OK;
	if (!fs_can(op->fs, STORE_CAP_PINNED_READ))
		return file_fetch_base(file, &op->context, &op->error);
	code = file_base_reader(file, &op->context, &reader, &op->error);
	if (!code)
		reader_put(reader);
	return code;
}

/* ---- keeping what somebody may be about to open ---- */

/* Larger ones are not copied for somebody who may not come. */
#define KEEP_SIZE_MAX (UINT64_C(1) << 20)
/* An open comes again within this time, if it does; a far store pays for it. */
#define MISSED_NS (10 * NS_PER_SEC)
#define MISSED_FAR_NS NS_PER_SEC

static bool file_hold(struct op *op, struct file *file)
{
	struct base_reader *reader;
	bool small, held;

	lock_take(&file->lock);
	/* By its handles, or because nothing of it is in the store. */
	held = file->handles || (file->dirty && !file->base_exists);
	small = file->staging.size <= KEEP_SIZE_MAX;
	lock_drop(&file->lock);
	if (held)
		return small;
	if (!fs_can(op->fs, STORE_CAP_PINNED_READ))
		return small &&
		       (fs_can(op->fs, STORE_CAP_NEAR) ||
			file_opens_miss(op->fs)) &&
		       !file_fetch_base(file, &op->context, &op->error);
	if (file_base_reader(file, &op->context, &reader, &op->error))
		return false;
	reader_put(reader);
	return true;
}

void file_open_missed(struct fs *fs)
{
	atomic_store(&fs->missed_open_ns, clock_monotonic_ns());
}

bool file_opens_miss(const struct fs *fs)
{
	int64_t missed = atomic_load(&fs->missed_open_ns);

	return missed &&
	       clock_monotonic_ns() - missed <
		       (fs_can(fs, STORE_CAP_NEAR) ? MISSED_NS : MISSED_FAR_NS);
}

void file_keep_for_openers(struct op *op, struct node *node)
{
	struct fs *fs = op->fs;
	struct file *file = file_get(fs, node), *old;

	if (!file || !file_hold(op, file)) {
		store_error_clear(&op->error);
		file_put(file);
		return;
	}
	lock_take(&file->lock);
	file->held = true;
	lock_drop(&file->lock);
	lock_take(&fs->tree.lock);
	old = fs->kept[fs->kept_next];
	fs->kept[fs->kept_next] = file;
	fs->kept_next = (fs->kept_next + 1) % FS_KEPT_FILES;
	lock_drop(&fs->tree.lock);
	file_put(old);
}

void file_kept_release(struct fs *fs)
{
	for (int i = 0; i < FS_KEPT_FILES; i++) {
		file_put(fs->kept[i]);
		fs->kept[i] = NULL;
	}
}
