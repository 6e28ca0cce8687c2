// SPDX-License-Identifier: MIT
/*
 * The staging journal; see journal.h.  Called by whatever acknowledges or
 * recovers staged changes; calls the parts in mount/journal_*.c and the
 * local disk, nothing else.
 *
 * One lock, below all others of the driver.  It is held while a frame is
 * written into the page cache, never during a flush: one thread at a time
 * flushes (`flushing`) or writes a new file (`rewriting`), and the others
 * wait for `changed`.
 */
#include "config.h"

#include "mount/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mount/journal_bad.h"
#include "mount/journal_file.h"
#include "mount/journal_scan.h"
#include "src/base/cleanup.h"
#include "src/base/step.h"
#include "src/base/sync.h"

struct journal {
	/* immutable */
	int dir_fd;
	bool read_only;

	struct lock lock;
	struct condition changed;

	/* protected by `lock`; `file` is not replaced while flushing */
	struct journal_file file;
	uint64_t appended; /* sequence number of the last frame */
	uint64_t durable;  /* up to here all frames are */
	bool flushing;
	bool rewriting;
	uint64_t flushes;
	struct store_error broken; /* its code: STORE_OK while it is not */

	/* of the thread that rewrites */
	struct journal_file next;
	uint64_t next_appended;
};

static void give_error(struct store_error *error, const struct store_error *why)
{
	if (error)
		*error = *why;
}

static void break_locked(struct journal *self, const struct store_error *why)
	REQUIRES(self->lock)
{
	if (!self->broken.code)
		self->broken = *why;
}

/* Until nobody writes a new file, which takes everybody's place. */
static int wait_locked(struct journal *self, struct store_error *error)
	REQUIRES(self->lock)
{
	while (self->rewriting)
		condition_wait(&self->changed, &self->lock);
	if (self->broken.code)
		give_error(error, &self->broken);
	return self->broken.code;
}

/* ---- append ---- */

static int append_locked(struct journal *self, struct journal_frame *frame,
			 const void *payload, unsigned int flags,
			 struct store_error *error) REQUIRES(self->lock)
{
	struct store_error why = STORE_ERROR_INIT;
	bool spoiled = false;
	int code;

	frame->sequence = self->appended + !frame->mark;
	frame->durable = self->durable;
	code = journal_file_append(&self->file, frame, payload, flags, &spoiled,
				   &why);
	if (code) {
		if (spoiled)
			break_locked(self, &why);
		give_error(error, &why);
		return code;
	}
	self->appended = frame->sequence;
	return STORE_OK;
}

static int check_length(size_t length, struct store_error *error)
{
	if (length <= JOURNAL_FRAME_MAX)
		return STORE_OK;
	return store_error_set(error, STORE_TOO_LARGE,
			       "journal: a record of %zu bytes", length);
}

int journal_append(struct journal *journal, const void *payload, size_t length,
		   unsigned int flags, uint64_t *position,
		   struct store_error *error)
{
	struct journal_frame frame = { .length = (uint32_t)length };
	int code = check_length(length, error);

	if (code)
		return code;
	if (journal->read_only)
		return store_error_set(error, STORE_READ_ONLY,
				       "journal: open for reading only");
	lock_take(&journal->lock);
	code = wait_locked(journal, error);
	if (!code)
		code = append_locked(journal, &frame, payload, flags, error);
	lock_drop(&journal->lock);
	if (code)
		return code;
	STEP("journal: appended");
	if (position)
		*position = frame.sequence;
	return STORE_OK;
}

uint64_t journal_position(struct journal *journal)
{
	uint64_t position;

	lock_take(&journal->lock);
	position = journal->appended;
	lock_drop(&journal->lock);
	return position;
}

uint64_t journal_size(struct journal *journal)
{
	uint64_t size;

	lock_take(&journal->lock);
	size = journal->file.end - JOURNAL_HEADER_SIZE;
	lock_drop(&journal->lock);
	return size;
}

/* ---- sync ---- */

/*
 * The frames of one flush reach the disk together, and only a later frame
 * tells that they did.  Where none has followed a mark does, or the loss of
 * one of them would be taken for a flush that never ended.
 */
static void vouch_locked(struct journal *self, uint64_t before)
	REQUIRES(self->lock)
{
	struct journal_frame mark = { .mark = true };

	if (self->durable - before < 2 || self->appended != self->durable)
		return;
	/* There is nobody to tell: the next frame says it, too. */
	if (append_locked(self, &mark, NULL, 0, NULL))
		return;
	STEP("journal: marked");
}

/* Flush for all who have appended by now. */
static void flush_locked(struct journal *self) REQUIRES(self->lock)
{
	struct store_error why = STORE_ERROR_INIT;
	uint64_t until = self->appended, before = self->durable;
	int fd = self->file.fd;

	self->flushing = true;
	self->flushes++;
	lock_drop(&self->lock);
	STEP("journal: before flush");
	if (STEP_WANTED("journal: flush") && fdatasync(fd))
		store_error_errno(&why, errno, "journal: cannot be flushed");
	STEP("journal: flushed");
	lock_take(&self->lock);
	self->flushing = false;
	if (why.code) {
		break_locked(self, &why);
	} else {
		self->durable = until;
		vouch_locked(self, before);
	}
	condition_broadcast(&self->changed);
}

static int sync_locked(struct journal *self, uint64_t position,
		       struct store_error *error) REQUIRES(self->lock)
{
	int code;

	assert(position <= self->appended);
	while (self->durable < position) {
		code = wait_locked(self, error);
		if (code)
			return code;
		if (self->durable >= position)
			break;
		if (self->flushing)
			condition_wait(&self->changed, &self->lock);
		else
			flush_locked(self);
	}
	return STORE_OK;
}

int journal_sync(struct journal *journal, uint64_t position,
		 struct store_error *error)
{
	int code;

	lock_take(&journal->lock);
	code = sync_locked(journal, position, error);
	lock_drop(&journal->lock);
	return code;
}

bool journal_is_durable(struct journal *journal, uint64_t position)
{
	bool durable;

	lock_take(&journal->lock);
	durable = position <= journal->durable;
	lock_drop(&journal->lock);
	return durable;
}

uint64_t journal_flushes(struct journal *journal)
{
	uint64_t flushes;

	lock_take(&journal->lock);
	flushes = journal->flushes;
	lock_drop(&journal->lock);
	return flushes;
}

bool journal_is_broken(struct journal *journal)
{
	bool broken;

	lock_take(&journal->lock);
	broken = journal->broken.code != STORE_OK;
	lock_drop(&journal->lock);
	return broken;
}

/* ---- rewrite ---- */

static int add_next(struct journal *self, struct journal_frame *frame,
		    const void *payload, struct store_error *error)
{
	bool spoiled;

	frame->sequence = self->next_appended + !frame->mark;
	/* The reserve is asked for once, when all has been added. */
	if (journal_file_append(&self->next, frame, payload, JOURNAL_RELEASES,
				&spoiled, error))
		return error->code;
	self->next_appended = frame->sequence;
	return STORE_OK;
}

int journal_rewrite_add(struct journal *journal, const void *payload,
			size_t length, struct store_error *error)
{
	struct journal_frame frame = { .length = (uint32_t)length };
	struct store_error why = STORE_ERROR_INIT;

	assert(journal->rewriting);
	if (check_length(length, &why) ||
	    add_next(journal, &frame, payload, &why))
		give_error(error, &why);
	else
		STEP("journal: added to the new file");
	return why.code;
}

/* The new file counts only when it is durable as a whole: its end says so. */
static int mark_next(struct journal *self, struct store_error *error)
{
	struct journal_frame mark = { .mark = true,
				      .durable = self->next_appended };

	return self->next_appended ? add_next(self, &mark, NULL, error)
				   : STORE_OK;
}

/*
 * A full disk may have no room for a new reserve next to the old file.  The
 * new one is taken without when the old one's blocks will do for it, or when
 * there is nothing to lose.
 */
static int reserve_next(struct journal *self, bool mending,
			struct store_error *error)
{
	bool later =
		mending || self->next.end + JOURNAL_RESERVE <= self->file.room;

	return journal_file_reserve(&self->next, 0,
				    later ? JOURNAL_RELEASES : 0, error);
}

/* Everything up to the rename, and the flush of the name. */
static int write_next(struct journal *self, bool mending,
		      journal_write_fn *write, void *arg, bool *renamed,
		      struct store_error *error)
{
	int code = journal_file_create(self->dir_fd, &self->next, error);

	*renamed = false;
	if (code)
		return code;
	if (write)
		code = write(arg, self, error);
	if (!code)
		code = mark_next(self, error);
	if (!code)
		code = reserve_next(self, mending, error);
	if (!code)
		code = journal_file_install(self->dir_fd, &self->next, renamed,
					    error);
	if (!*renamed) {
		journal_file_close(&self->next);
		journal_file_discard(self->dir_fd);
	}
	return code;
}

static void take_next_locked(struct journal *self,
			     const struct store_error *why) REQUIRES(self->lock)
{
	journal_file_close(&self->file);
	self->file = self->next;
	self->next = (struct journal_file)JOURNAL_FILE_INIT;
	self->appended = self->next_appended;
	/* The name may be that of either file after the next cut of power. */
	if (why->code) {
		break_locked(self, why);
		return;
	}
	self->durable = self->appended;
	store_error_clear(&self->broken);
	/* The blocks of the old file may do for what the disk refused. */
	journal_file_look_ahead(&self->file);
}

/* `mending`: what there is cannot be appended to. */
static int replace_file(struct journal *self, bool mending,
			journal_write_fn *write, void *arg,
			struct store_error *error)
{
	struct store_error why = STORE_ERROR_INIT;
	bool renamed;
	int code;

	lock_take(&self->lock);
	while (self->rewriting || self->flushing)
		condition_wait(&self->changed, &self->lock);
	self->rewriting = true;
	self->flushes++;
	self->next_appended = self->appended;
	mending = mending || self->broken.code;
	lock_drop(&self->lock);

	code = write_next(self, mending, write, arg, &renamed, &why);

	lock_take(&self->lock);
	if (renamed)
		take_next_locked(self, &why);
	self->rewriting = false;
	condition_broadcast(&self->changed);
	lock_drop(&self->lock);
	if (code)
		give_error(error, &why);
	return code;
}

int journal_rewrite(struct journal *journal, journal_write_fn *write, void *arg,
		    struct store_error *error)
{
	if (journal->read_only)
		return store_error_set(error, STORE_READ_ONLY,
				       "journal: open for reading only");
	return replace_file(journal, false, write, arg, error);
}

/* ---- open ---- */

static int copy_frame(void *arg, const void *payload, size_t length,
		      struct store_error *error)
{
	return journal_rewrite_add(arg, payload, length, error);
}

static int copy_frames(void *arg, struct journal *journal,
		       struct store_error *error)
{
	uint64_t frames;

	return journal_scan_read(arg, copy_frame, journal, &frames, error);
}

/*
 * Damage costs disk to keep.  On a full one the room ahead pays for it: what
 * is lost by that is room for appending, until somebody makes some.
 */
static int keep_damage(struct journal *self, struct journal_scan *scan,
		       struct store_error *error)
{
	uint64_t used =
		scan->end > scan->dirty_end ? scan->end : scan->dirty_end;
	int code = journal_bad_keep(self->dir_fd, scan, error);

	if (code != STORE_NO_SPACE || used >= self->file.size ||
	    ftruncate(self->file.fd, (off_t)used))
		return code;
	self->file.size = used;
	return journal_bad_keep(self->dir_fd, scan, error);
}

/* The end and the header are put right where they stand. */
static int mend_in_place(struct journal *self, const struct journal_scan *scan,
			 struct store_error *error)
{
	struct journal_frame mark = { .mark = true,
				      .sequence = scan->sequence,
				      .durable = scan->sequence };
	bool spoiled;
	int code = STORE_OK;

	if (scan->header_damaged)
		code = journal_file_write_header(&self->file, error);
	if (!code && scan->dirty_end > scan->end)
		code = journal_file_wipe(&self->file, scan->end,
					 scan->dirty_end, error);
	/* What is wiped may be all that vouched for a hole that stays. */
	if (!code && scan->holes)
		code = journal_file_append(&self->file, &mark, NULL,
					   JOURNAL_RELEASES, &spoiled, error);
	STEP("journal: end wiped");
	/* Or an old frame might be found again behind a new one. */
	if (!code && STEP_WANTED("journal: flush wiped end") &&
	    fdatasync(self->file.fd))
		code = store_error_errno(error, errno, "journal");
	STEP("journal: mended");
	return code;
}

static int mend(struct journal *self, struct journal_scan *scan,
		struct store_error *error)
{
	int code = keep_damage(self, scan, error);

	if (code)
		return code;
	/*
	 * A hole inside goes with a new file.  Without room for one it stays,
	 * and is found and kept again at the next opening.
	 */
	if (scan->holes || !scan->id) {
		code = replace_file(self, !scan->id, copy_frames, scan, error);
		if (code != STORE_NO_SPACE || !scan->id)
			return code;
	}
	return mend_in_place(self, scan, error);
}

static void take_over(struct journal *self, const struct journal_scan *scan)
{
	self->file.id = scan->id;
	self->file.end = scan->end;
	self->file.room = scan->end;
	self->file.size = scan->size;
	self->appended = scan->sequence;
	self->durable = scan->sequence;
}

/*
 * What a driver before us appended without a flush must be durable before
 * anybody acts on it; what one of its flushes lost must not be read from
 * memory as if it were on the disk.
 */
static void settle_on_disk(struct journal *self) NO_THREAD_SAFETY
{
	struct store_error why = STORE_ERROR_INIT;

	self->flushes++;
	if (STEP_WANTED("journal: flush found") && fdatasync(self->file.fd)) {
		store_error_errno(&why, errno, "journal: cannot be flushed");
		break_locked(self, &why);
	}
	STEP("journal: flushed what was found");
#ifdef HAVE_POSIX_FADVISE
	posix_fadvise(self->file.fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
}

static int read_file(struct journal *self, journal_read_fn *read, void *arg,
		     struct journal_findings *findings,
		     struct store_error *error)
{
	struct journal_scan scan;
	int code;

	if (!self->read_only)
		settle_on_disk(self);
	code = journal_scan_file(self->file.fd, &scan, error);
	if (!code)
		code = journal_scan_read(&scan, read, arg, &findings->frames,
					 error);
	if (!code) {
		take_over(self, &scan);
		for (size_t i = 0; i < scan.damage_count; i++)
			findings->bad_bytes += scan.damage[i].length;
	}
	if (!code && scan.damage_count && !self->read_only)
		code = mend(self, &scan, error);
	journal_scan_release(&scan);
	return code;
}

static int open_file(struct journal *self, journal_read_fn *read, void *arg,
		     struct journal_findings *findings,
		     struct store_error *error)
{
	int code;

	self->file.fd = openat(self->dir_fd, "journal",
			       (self->read_only ? O_RDONLY : O_RDWR) |
				       O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (self->file.fd < 0 && errno != ENOENT)
		return store_error_errno(error, errno, "journal");
	if (self->file.fd >= 0)
		code = read_file(self, read, arg, findings, error);
	else if (self->read_only)
		return STORE_OK;
	else
		code = replace_file(self, true, NULL, NULL, error);
	if (code || self->read_only)
		return code;
	/* What a crash left of a new file that never counted. */
	journal_file_discard(self->dir_fd);
	/* Appending asks again, and says so when there is none. */
	journal_file_look_ahead(&self->file);
	return STORE_OK;
}

int journal_open(int dir_fd, unsigned int flags, journal_read_fn *read,
		 void *arg, struct journal **journal,
		 struct journal_findings *findings, struct store_error *error)
{
	struct journal_findings found = { 0 };
	struct journal *self = calloc(1, sizeof(*self));
	int code;

	if (!self)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the journal");
	lock_init(&self->lock);
	condition_init(&self->changed);
	self->read_only = flags & JOURNAL_READ_ONLY;
	self->file = (struct journal_file)JOURNAL_FILE_INIT;
	self->file.end = JOURNAL_HEADER_SIZE;
	self->next = (struct journal_file)JOURNAL_FILE_INIT;
	self->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	code = self->dir_fd < 0 ? store_error_errno(error, errno, "journal")
				: open_file(self, read, arg, &found, error);
	if (code) {
		journal_close(self);
		return code;
	}
	found.quarantine = journal_bad_count(self->dir_fd, NULL);
	*findings = found;
	*journal = self;
	return STORE_OK;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	assert(!journal->flushing && !journal->rewriting);
	journal_file_close(&journal->file);
	journal_file_close(&journal->next);
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	condition_destroy(&journal->changed);
	lock_destroy(&journal->lock);
	free(journal);
}
