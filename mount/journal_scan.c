// SPDX-License-Identifier: MIT
/*
 * Reading a journal file; see journal_scan.h.  Called by journal_open.c
 * and by journal_bad.c for the bytes to keep.  Nothing that is
 * read is trusted before its checksum held.  No locks.
 */
#include "config.h"

#include "mount/journal_scan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/journal_frame.h"

enum { WINDOW_SIZE = 1 << 20, BLOCK_SIZE = 4096 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- bytes ---- */

/*
 * An unreadable block must not look like the zeros behind the end, so it
 * gets a content that no frame and no end has.
 */
static void fill_unreadable(struct journal_scan *scan, size_t wanted)
{
	uint64_t at = scan->window_start + scan->window_length;
	uint64_t length = smaller(BLOCK_SIZE - at % BLOCK_SIZE,
				  wanted - scan->window_length);

	memset(scan->window + scan->window_length, 0xff, (size_t)length);
	scan->window_length += (size_t)length;
}

static int fill_window(struct journal_scan *scan, size_t wanted,
		       struct store_error *error)
{
	scan->window_length = 0;
	while (scan->window_length < wanted) {
		ssize_t got = pread(
			scan->fd, scan->window + scan->window_length,
			wanted - scan->window_length,
			(off_t)(scan->window_start + scan->window_length));

		if (got > 0) {
			scan->window_length += (size_t)got;
		} else if (got == 0) {
			/* Cut by somebody while we read. */
			memset(scan->window + scan->window_length, 0,
			       wanted - scan->window_length);
			scan->window_length = wanted;
		} else if (errno == EIO) {
			fill_unreadable(scan, wanted);
		} else if (errno != EINTR) {
			return store_error_errno(error, errno,
						 "reading the journal");
		}
	}
	return STORE_OK;
}

static int grow_window(struct journal_scan *scan, size_t room,
		       struct store_error *error)
{
	if (room <= scan->window_room)
		return STORE_OK;
	free(scan->window);
	scan->window_length = 0;
	scan->window_room = 0;
	scan->window = malloc(room);
	if (!scan->window)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory to read the journal");
	scan->window_room = room;
	return STORE_OK;
}

/* How many bytes from there on are in memory. */
static size_t in_window(const struct journal_scan *scan, uint64_t offset)
{
	if (offset < scan->window_start ||
	    offset - scan->window_start >= scan->window_length)
		return 0;
	return scan->window_length - (size_t)(offset - scan->window_start);
}

int journal_scan_bytes(struct journal_scan *scan, uint64_t offset,
		       size_t length, const unsigned char **bytes,
		       struct store_error *error)
{
	size_t wanted = length > WINDOW_SIZE ? length : WINDOW_SIZE;
	int code;

	assert(offset <= scan->size && length <= scan->size - offset);
	if (!scan->window || in_window(scan, offset) < length) {
		wanted = (size_t)smaller(wanted, scan->size - offset);
		code = grow_window(scan, wanted ? wanted : 1, error);
		if (code)
			return code;
		scan->window_start = offset;
		code = fill_window(scan, wanted, error);
		if (code)
			return code;
	}
	*bytes = scan->window + (offset - scan->window_start);
	return STORE_OK;
}

/* ---- frames ---- */

static void note_dirty(struct journal_scan *scan, uint64_t offset,
		       const unsigned char *bytes, size_t length)
{
	for (size_t i = length; i; i--)
		if (bytes[i - 1]) {
			scan->dirty_end = offset + i;
			return;
		}
}

/* Go on to where a frame may begin, or to the end of the file. */
static int find_candidate(struct journal_scan *scan, uint64_t *at,
			  struct store_error *error)
{
	const unsigned char *bytes;
	size_t length, i;
	int code;

	while (*at < scan->size) {
		length = in_window(scan, *at);
		if (length < JOURNAL_FRAME_HEADER)
			length = (size_t)smaller(scan->size - *at, WINDOW_SIZE);
		code = journal_scan_bytes(scan, *at, length, &bytes, error);
		if (code)
			return code;
		for (i = 0; i + JOURNAL_FRAME_HEADER <= length;
		     i += JOURNAL_ALIGNMENT) {
			if (journal_frame_begins(bytes + i)) {
				*at += i;
				return STORE_OK;
			}
			note_dirty(scan, *at + i, bytes + i, JOURNAL_ALIGNMENT);
		}
		if (*at + length == scan->size) {
			note_dirty(scan, *at + i, bytes + i, length - i);
			i = length;
		}
		*at += i;
	}
	return STORE_OK;
}

/* Is there a whole frame?  *size is what it takes in the file. */
static int check_frame(struct journal_scan *scan, uint64_t at,
		       struct journal_frame *frame, bool *good,
		       struct store_error *error)
{
	const unsigned char *bytes;
	uint64_t used;
	int code;

	*good = false;
	code = journal_scan_bytes(scan, at, JOURNAL_FRAME_HEADER, &bytes,
				  error);
	if (code)
		return code;
	journal_frame_decode(bytes, frame);
	used = JOURNAL_FRAME_HEADER + (uint64_t)frame->length;
	if (frame->length > JOURNAL_FRAME_MAX || used > scan->size - at ||
	    !frame->id || (scan->id && frame->id != scan->id) ||
	    !frame->sequence || frame->sequence > JOURNAL_SEQUENCE_MAX ||
	    frame->durable > frame->sequence)
		return STORE_OK;
	code = journal_scan_bytes(scan, at, (size_t)used, &bytes, error);
	if (!code)
		*good = journal_frame_check(bytes, frame->length);
	return code;
}

static int new_run(struct journal_scan *scan, const struct journal_run *run,
		   struct store_error *error)
{
	struct journal_run *runs;

	/* Room is doubled whenever the count is a power of two. */
	if (!(scan->run_count & (scan->run_count - 1))) {
		runs = reallocarray(scan->runs,
				    scan->run_count ? scan->run_count * 2 : 1,
				    sizeof(*runs));
		if (!runs)
			return store_error_set(error, STORE_NO_MEMORY,
					       "no memory to read the journal");
		scan->runs = runs;
	}
	scan->runs[scan->run_count++] = *run;
	return STORE_OK;
}

static int take_frame(struct journal_scan *scan, uint64_t at,
		      const struct journal_frame *frame,
		      struct store_error *error)
{
	uint64_t end = at + journal_frame_size(frame->length);
	uint64_t before = frame->sequence - !frame->mark;
	struct journal_run *last =
		scan->run_count ? &scan->runs[scan->run_count - 1] : NULL;

	scan->dirty_end = smaller(end, scan->size);
	/* A copy of an old frame is no frame. */
	if (last && before < last->last)
		return STORE_OK;
	scan->id = frame->id;
	if (frame->durable > scan->durable)
		scan->durable = frame->durable;
	if (last && last->end == at && last->last == before) {
		last->end = end;
		last->last = frame->sequence;
		return STORE_OK;
	}
	return new_run(scan,
		       &(struct journal_run){ .start = at,
					      .end = end,
					      .before = before,
					      .last = frame->sequence },
		       error);
}

static int find_frames(struct journal_scan *scan, struct store_error *error)
{
	uint64_t at = JOURNAL_HEADER_SIZE;
	struct journal_frame frame;
	bool good;
	int code;

	for (;;) {
		code = find_candidate(scan, &at, error);
		if (code || at >= scan->size)
			return code;
		code = check_frame(scan, at, &frame, &good, error);
		if (!code && good)
			code = take_frame(scan, at, &frame, error);
		if (code)
			return code;
		if (good) {
			at += journal_frame_size(frame.length);
		} else {
			at += JOURNAL_ALIGNMENT;
			scan->dirty_end = at + JOURNAL_ALIGNMENT;
		}
	}
}

/* ---- what counts, and what is damage ---- */

/* Were the frames that are missing before this run ever promised? */
static bool run_counts(const struct journal_scan *scan, size_t index)
{
	const struct journal_run *run = &scan->runs[index];

	if (index == 0 ? run->start == JOURNAL_HEADER_SIZE
		       : run[-1].last == run->before)
		return true;
	return run->before <= scan->durable;
}

static void add_damage(struct journal_scan *scan, uint64_t offset, uint64_t end)
{
	struct journal_damage *last =
		scan->damage_count ? &scan->damage[scan->damage_count - 1]
				   : NULL;

	if (last && last->offset + last->length == offset)
		last->length += end - offset;
	else
		scan->damage[scan->damage_count++] =
			(struct journal_damage){ .offset = offset,
						 .length = end - offset };
}

static int judge(struct journal_scan *scan, struct store_error *error)
{
	size_t count = 0;

	while (count < scan->run_count && run_counts(scan, count))
		count++;
	scan->run_count = count;
	scan->damage = calloc(count + 2, sizeof(*scan->damage));
	if (!scan->damage)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory to read the journal");
	scan->end = JOURNAL_HEADER_SIZE;
	if (scan->header_damaged)
		add_damage(scan, 0, smaller(scan->size, scan->end));
	for (size_t i = 0; i < count; i++) {
		const struct journal_run *run = &scan->runs[i];

		if (run->start > scan->end) {
			add_damage(scan, scan->end, run->start);
			scan->holes = true;
		}
		scan->end = run->end;
		scan->sequence = run->last;
	}
	if (scan->dirty_end > scan->end)
		add_damage(scan, scan->end, scan->dirty_end);
	return STORE_OK;
}

int journal_scan_file(int fd, struct journal_scan *scan,
		      struct store_error *error)
{
	enum journal_header_kind kind;
	const unsigned char *bytes;
	struct stat found;
	int code;

	*scan = (struct journal_scan){ .fd = fd };
	if (fstat(fd, &found))
		return store_error_errno(error, errno, "journal");
	if (!S_ISREG(found.st_mode))
		return store_error_set(error, STORE_CORRUPT,
				       "journal: not a file");
	scan->size = (uint64_t)found.st_size;
	code = journal_scan_bytes(
		scan, 0, (size_t)smaller(scan->size, JOURNAL_HEADER_SIZE),
		&bytes, error);
	if (code)
		return code;
	kind = journal_header_decode(
		bytes, (size_t)smaller(scan->size, JOURNAL_HEADER_SIZE),
		&scan->id);
	if (kind == JOURNAL_HEADER_NEWER)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "journal: written by a newer version");
	scan->header_damaged = kind != JOURNAL_HEADER_GOOD;
	code = find_frames(scan, error);
	if (!code && kind == JOURNAL_HEADER_FOREIGN && !scan->run_count)
		return store_error_set(error, STORE_CORRUPT,
				       "journal: not a journal of storefs");
	return code ? code : judge(scan, error);
}

void journal_scan_release(struct journal_scan *scan)
{
	free(scan->runs);
	free(scan->damage);
	free(scan->window);
	*scan = (struct journal_scan){ .fd = -1 };
}

static int read_frame(struct journal_scan *scan, uint64_t at,
		      struct journal_frame *frame, journal_read_fn *read,
		      void *arg, struct store_error *error)
{
	const unsigned char *bytes;
	bool good;
	int code = check_frame(scan, at, frame, &good, error);

	if (code)
		return code;
	if (!good)
		return store_error_set(error, STORE_CORRUPT,
				       "journal: changed while it was read");
	if (frame->mark)
		return STORE_OK;
	code = journal_scan_bytes(scan, at,
				  JOURNAL_FRAME_HEADER + (size_t)frame->length,
				  &bytes, error);
	return code ? code
		    : read(arg, bytes + JOURNAL_FRAME_HEADER, frame->length,
			   error);
}

int journal_scan_read(struct journal_scan *scan, journal_read_fn *read,
		      void *arg, uint64_t *frames, struct store_error *error)
{
	const struct journal_run *run = scan->runs;
	struct journal_frame frame;
	uint64_t at;
	int code;

	*frames = 0;
	for (size_t i = 0; i < scan->run_count; i++, run++)
		for (at = run->start; at < run->end;
		     at += journal_frame_size(frame.length)) {
			code = read_frame(scan, at, &frame, read, arg, error);
			if (code)
				return code;
			*frames += !frame.mark;
		}
	return STORE_OK;
}
