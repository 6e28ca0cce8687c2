/* SPDX-License-Identifier: MIT */
/*
 * The staging journal: an append-only file of frames, each of which is read
 * back whole or not at all.
 *
 * Appending orders; syncing makes durable.  Several threads that sync at the
 * same time share one flush of the disk (group commit): the first of them
 * flushes for all whose frames have been appended by then.
 *
 * The file, all integers little-endian:
 *
 *	header	"storefs journal\n", u32 format version, u32 reserved (0),
 *		u64 id of the file, u64 checksum of the 32 bytes before
 *	frame	u64 checksum of all that follows but the zeros, u32 magic,
 *		u32 length of the payload, u64 id of the file, u64 sequence
 *		number, u64 sequence number up to which all frames were
 *		durable when this one was appended, payload, zeros up to a
 *		multiple of 8
 *	mark	a frame of another magic, without a payload: has the number
 *		of the frame before, and is there to say that it was durable
 *
 * Checksums are XXH3-64.  The id is random: a frame that is part of staged
 * data is none of this file.  Sequence numbers rise by one; a new file goes
 * on where the old one was.
 *
 * Space is allocated ahead and reads as zeros; the journal ends at the first
 * frame of zeros, with nothing but zeros behind it.  What cannot be read
 * (a torn end, flipped bits) is skipped up to the next frame that can, when
 * what is missing had been durable.  What had not was promised to nobody:
 * there the journal ends, so that after a cut of power it holds a prefix of
 * what was appended.  A copy of everything left out is kept as
 * `journal.bad-N`; nothing is ever overwritten before that.  A newer format
 * (the header keeps its form) is refused untouched.
 *
 * After a failed flush the kernel may have forgotten what it could not
 * write: the journal then counts as broken, and only a rewrite of all that
 * counts into a new file mends it.
 *
 * Any thread may call; the functions block on the local disk only.
 */
#ifndef STOREFS_MOUNT_JOURNAL_H
#define STOREFS_MOUNT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/error.h>

struct journal;

/* Bytes of one frame's payload, at most. */
#define JOURNAL_FRAME_MAX (UINT32_C(64) << 20)

/* The payload of a frame, in the order in which they were appended. */
typedef int journal_read_fn(void *arg, const void *payload, size_t length,
			    struct store_error *error);

struct journal_findings {
	uint64_t frames;	 /* that were read */
	uint64_t last;		 /* sequence number of the last one, or 0 */
	uint64_t bad_bytes;	 /* that could not be read, and were kept */
	unsigned int quarantine; /* files of that kind, old ones included */
};

enum journal_flags {
	JOURNAL_READ_ONLY = 1 << 0, /* change nothing, quarantine nothing */
	/*
	 * With it, for who is about to write another in its place: but copies
	 * of what is left out before the last frame.
	 */
	JOURNAL_KEEP = 1 << 1,
};

/*
 * Open `journal` in the directory, made where there is none (not with
 * JOURNAL_READ_ONLY: then it counts as empty), and read it whole through
 * `read`, which stops it with an error.  CORRUPT when it is not a journal
 * at all, NOT_SUPPORTED when a newer version wrote it.
 */
int journal_open(int dir_fd, unsigned int flags, journal_read_fn *read,
		 void *arg, struct journal **journal,
		 struct journal_findings *findings, struct store_error *error)
	STORE_WARN_UNUSED;
/* Without a flush.  NULL is fine. */
void journal_close(struct journal *journal);

enum journal_append_flags {
	/*
	 * It gives room back later (done, discarded): may use the reserve
	 * that is kept allocated for this, so that a full disk can be emptied.
	 */
	JOURNAL_RELEASES = 1 << 0,
};

/*
 * Append one frame; *position (may be NULL) is what to give to
 * journal_sync().  NO_SPACE leaves the journal as it was.
 */
int journal_append(struct journal *journal, const void *payload, size_t length,
		   unsigned int flags, uint64_t *position,
		   struct store_error *error) STORE_WARN_UNUSED;
/* The position of the last frame appended. */
uint64_t journal_position(struct journal *journal);
/* All frames up to `position` are durable when it returns STORE_OK. */
int journal_sync(struct journal *journal, uint64_t position,
		 struct store_error *error) STORE_WARN_UNUSED;
bool journal_is_durable(struct journal *journal, uint64_t position);

/*
 * There is little room left for frames: time for journal_widen(), in a thread
 * that nobody waits for.  Appending makes room, too, but of a kind that makes
 * flushes slow.
 */
bool journal_is_narrow(struct journal *journal);
void journal_widen(struct journal *journal);

/* Bytes of frames in the file. */
uint64_t journal_size(struct journal *journal);
/* Flushes so far, for counting. */
uint64_t journal_flushes(struct journal *journal);
bool journal_is_broken(struct journal *journal);

/*
 * Put a new file in the journal's place that holds what `write` appends by
 * journal_rewrite_add(): written, flushed, renamed over the old one, and the
 * directory flushed.  Everybody else waits.  Until the rename the old file
 * counts, also after a failure.  All positions given out before are durable
 * afterwards.
 */
typedef int journal_write_fn(void *arg, struct journal *journal,
			     struct store_error *error);
int journal_rewrite(struct journal *journal, journal_write_fn *write, void *arg,
		    struct store_error *error) STORE_WARN_UNUSED;
int journal_rewrite_add(struct journal *journal, const void *payload,
			size_t length, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
