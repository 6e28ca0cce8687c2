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
 * While one makes room (`widening`) appending goes on in the room there is.
 */
#include "config.h"

#include "mount/journal_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/step.h"

/* Nobody waits for others longer than half of this. */
#define GATHER_MAX_NS (4 * NS_PER_MS)

static void give_error(struct store_error *error, const struct store_error *why)
{
	if (error)
		*error = *why;
}

void journal_break_locked(struct journal *self, const struct store_error *why)
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
			journal_break_locked(self, &why);
		give_error(error, &why);
		return code;
	}
	self->appended = frame->sequence;
	return STORE_OK;
}

static bool has_room_locked(const struct journal *self, size_t length)
	REQUIRES(self->lock)
{
	return self->file.room - self->file.end >=
	       journal_frame_size((uint32_t)length) + JOURNAL_RESERVE;
}

/* Where room is being made no other may be. */
static int wait_room_locked(struct journal *self, size_t length,
			    struct store_error *error) REQUIRES(self->lock)
{
	int code = wait_locked(self, error);

	while (!code && self->widening && !has_room_locked(self, length)) {
		condition_wait(&self->changed, &self->lock);
		code = wait_locked(self, error);
	}
	return code;
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
	code = wait_room_locked(journal, length, error);
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

/* ---- room ahead ---- */

static bool is_narrow_locked(const struct journal *self) REQUIRES(self->lock)
{
	return !self->rewriting && !self->widening && !self->cramped &&
	       !self->broken.code && !self->read_only &&
	       self->file.room < self->file.end + JOURNAL_LOW;
}

bool journal_is_narrow(struct journal *journal)
{
	bool narrow;

	lock_take(&journal->lock);
	narrow = is_narrow_locked(journal);
	lock_drop(&journal->lock);
	return narrow;
}

static void widened_locked(struct journal *self, int failed)
	REQUIRES(self->lock)
{
	struct store_error why = STORE_ERROR_INIT;

	self->widening = false;
	self->cramped = failed;
	if (failed && ftruncate(self->file.fd, (off_t)self->file.size))
		self->file.size = self->file.room + JOURNAL_STEP;
	if (!failed) {
		self->file.room += JOURNAL_STEP;
		if (self->file.size < self->file.room)
			self->file.size = self->file.room;
	} else if (failed != ENOSPC && failed != EDQUOT) {
		/* It may have been that of a frame. */
		store_error_errno(&why, failed, "journal: cannot be flushed");
		journal_break_locked(self, &why);
	}
	condition_broadcast(&self->changed);
}

void journal_widen(struct journal *journal)
{
	uint64_t from;
	int fd, failed;

	lock_take(&journal->lock);
	if (!is_narrow_locked(journal)) {
		lock_drop(&journal->lock);
		return;
	}
	journal->widening = true;
	from = journal->file.room;
	fd = journal->file.fd;
	lock_drop(&journal->lock);
	failed = journal_file_widen(fd, from, JOURNAL_STEP);
	STEP("journal: widened");
	lock_take(&journal->lock);
	widened_locked(journal, failed);
	lock_drop(&journal->lock);
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

	if (self->durable - before < 2 || self->appended != self->durable ||
	    (self->widening && !has_room_locked(self, 0)))
		return;
	/* There is nobody to tell: the next frame says it, too. */
	if (append_locked(self, &mark, NULL, 0, NULL))
		return;
	STEP("journal: marked");
}

/*
 * Those whom the last flush served are about to come back while the others
 * wait: they would take turns, each half waiting for the flush of the other.
 * Half of a flush is waited for them; one alone is never waited for.
 */
static void gather_locked(struct journal *self) REQUIRES(self->lock)
{
	int64_t until = clock_monotonic_ns() + self->flush_ns / 2;

	while (self->waiting < self->expected && clock_monotonic_ns() < until)
		condition_wait_until(&self->gathered, &self->lock, until);
}

static void timed_locked(struct journal *self, int64_t start)
	REQUIRES(self->lock)
{
	int64_t took = clock_monotonic_ns() - start;

	if (took > GATHER_MAX_NS)
		took = GATHER_MAX_NS;
	self->flush_ns += (took - self->flush_ns) / 8;
	self->expected = self->waiting;
}

/* Flush for all who have appended by now. */
static void flush_locked(struct journal *self) REQUIRES(self->lock)
{
	struct store_error why = STORE_ERROR_INIT;
	uint64_t until, before = self->durable;
	int fd = self->file.fd;
	int64_t start;

	self->flushing = true;
	self->flushes++;
	gather_locked(self);
	until = self->appended;
	start = clock_monotonic_ns();
	lock_drop(&self->lock);
	STEP("journal: before flush");
	if (STEP_WANTED("journal: flush") && fdatasync(fd))
		store_error_errno(&why, errno, "journal: cannot be flushed");
	STEP("journal: flushed");
	lock_take(&self->lock);
	self->flushing = false;
	timed_locked(self, start);
	if (why.code) {
		journal_break_locked(self, &why);
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
	if (++journal->waiting == journal->expected)
		condition_signal(&journal->gathered);
	code = sync_locked(journal, position, error);
	journal->waiting--;
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
		journal_break_locked(self, why);
		return;
	}
	self->durable = self->appended;
	store_error_clear(&self->broken);
	self->cramped = false;
	/* The blocks of the old file may do for what the disk refused. */
	journal_file_look_ahead(&self->file);
}

int journal_replace(struct journal *self, bool mending, journal_write_fn *write,
		    void *arg, struct store_error *error)
{
	struct store_error why = STORE_ERROR_INIT;
	bool renamed;
	int code;

	lock_take(&self->lock);
	while (self->rewriting || self->flushing || self->widening)
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
	return journal_replace(journal, false, write, arg, error);
}

/* ---- life ---- */

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	assert(!journal->flushing && !journal->rewriting && !journal->widening);
	journal_file_close(&journal->file);
	journal_file_close(&journal->next);
	if (journal->dir_fd >= 0)
		close(journal->dir_fd);
	condition_destroy(&journal->changed);
	condition_destroy(&journal->gathered);
	lock_destroy(&journal->lock);
	free(journal);
}
