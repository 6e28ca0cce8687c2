/* SPDX-License-Identifier: MIT */
/*
 * Reading a journal file, whatever became of it: which frames count, and
 * which bytes are damage.  Private to mount/journal*.c.
 *
 * Frames that follow each other, in place and number, are a run.  Between
 * runs something is missing.  It is damage to skip when it had been durable
 * before (a frame behind it says so); otherwise the writes of the last
 * moments reached the disk out of order, and the journal ends there.
 */
#ifndef STOREFS_MOUNT_JOURNAL_SCAN_H
#define STOREFS_MOUNT_JOURNAL_SCAN_H

#include "mount/journal.h"

struct journal_run {
	uint64_t start, end; /* offsets */
	uint64_t before;     /* sequence number that comes just before */
	uint64_t last;	     /* the highest in it */
};

struct journal_damage {
	uint64_t offset, length;
};

struct journal_scan {
	int fd; /* borrowed */
	uint64_t size;
	uint64_t id; /* 0: neither the header nor a frame tells */
	bool header_damaged;
	struct journal_run *runs; /* owned; those that count */
	size_t run_count;
	struct journal_damage *damage; /* owned; ascending */
	size_t damage_count;
	bool holes;	    /* damage lies before a frame that counts */
	uint64_t end;	    /* behind the last frame that counts */
	uint64_t dirty_end; /* behind the last byte that is not zero */
	uint64_t sequence;  /* of the last frame that counts, or 0 */
	/* private to journal_scan.c */
	uint64_t durable; /* the highest number that a frame vouches for */
	unsigned char *window;
	size_t window_room, window_length;
	uint64_t window_start;
};

/*
 * Look through the whole file.  NOT_SUPPORTED and CORRUPT as journal_open().
 * Release `scan` in any case.
 */
int journal_scan_file(int fd, struct journal_scan *scan,
		      struct store_error *error) STORE_WARN_UNUSED;
void journal_scan_release(struct journal_scan *scan);
/* The frames that count go through `read`; *frames is their number. */
int journal_scan_read(struct journal_scan *scan, journal_read_fn *read,
		      void *arg, uint64_t *frames, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Bytes of the file, inside its size, borrowed until the next call.  Blocks
 * that the disk refuses to read are 0xff.
 */
int journal_scan_bytes(struct journal_scan *scan, uint64_t offset,
		       size_t length, const unsigned char **bytes,
		       struct store_error *error) STORE_WARN_UNUSED;

#endif
