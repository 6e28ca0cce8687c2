// SPDX-License-Identifier: MIT
/*
 * Opening a staging journal: reading what is there, and mending it; see
 * journal.h.  Called by whatever recovers staged changes; calls journal.c and
 * the parts in mount/journal_*.c.
 */
#include "config.h"

#include "mount/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mount/journal_bad.h"
#include "mount/journal_scan.h"
#include "src/base/step.h"

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
		code = journal_replace(self, !scan->id, copy_frames, scan,
				       error);
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
	bool flush = STEP_WANTED("journal: flush found");

	self->flushes++;
	if (flush && fdatasync(self->file.fd)) {
		store_error_errno(&why, errno, "journal: cannot be flushed");
		journal_break_locked(self, &why);
	}
	STEP("journal: flushed what was found");
#ifdef HAVE_POSIX_FADVISE
	if (flush) /* that would begin to write, too */
		posix_fadvise(self->file.fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
}

static int read_file(struct journal *self, unsigned int flags,
		     journal_read_fn *read, void *arg,
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
		findings->last = scan.sequence;
		for (size_t i = 0; i < scan.damage_count; i++)
			findings->bad_bytes += scan.damage[i].length;
	}
	if (!code && scan.damage_count && !self->read_only)
		code = mend(self, &scan, error);
	else if (!code && scan.holes && (flags & JOURNAL_KEEP))
		code = journal_bad_keep(self->dir_fd, &scan, error);
	journal_scan_release(&scan);
	return code;
}

static int open_file(struct journal *self, unsigned int flags,
		     journal_read_fn *read, void *arg,
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
		code = read_file(self, flags, read, arg, findings, error);
	else if (self->read_only)
		return STORE_OK;
	else
		code = journal_replace(self, true, NULL, NULL, error);
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
	condition_init(&self->gathered);
	self->read_only = flags & JOURNAL_READ_ONLY;
	self->file = (struct journal_file)JOURNAL_FILE_INIT;
	self->file.end = JOURNAL_HEADER_SIZE;
	self->next = (struct journal_file)JOURNAL_FILE_INIT;
	self->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	code = self->dir_fd < 0
		       ? store_error_errno(error, errno, "journal")
		       : open_file(self, flags, read, arg, &found, error);
	if (code) {
		journal_close(self);
		return code;
	}
	found.quarantine = journal_bad_count(self->dir_fd, NULL);
	*findings = found;
	*journal = self;
	return STORE_OK;
}
