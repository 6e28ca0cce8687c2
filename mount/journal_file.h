/* SPDX-License-Identifier: MIT */
/*
 * Writing a journal file: room ahead, frames, and a new file in the old
 * one's place.  Private to mount/journal*.c; no locks of its own.
 */
#ifndef STOREFS_MOUNT_JOURNAL_FILE_H
#define STOREFS_MOUNT_JOURNAL_FILE_H

#include "mount/journal.h"
#include "mount/journal_frame.h"

enum {
	JOURNAL_CHUNK = 1 << 20,    /* allocated at once */
	JOURNAL_RESERVE = 64 << 10, /* kept for what gives room back */
	JOURNAL_LOW = 768 << 10,    /* with less room ahead more is made, */
	JOURNAL_STEP = 4 << 20,	    /* so much at a time */
};

struct journal_file {
	int fd; /* owned */
	uint64_t id;
	uint64_t end;  /* where the next frame goes; zeros from here on */
	uint64_t room; /* up to here the disk has given its blocks */
	uint64_t size; /* of the file */
};

#define JOURNAL_FILE_INIT \
	{                 \
		.fd = -1  \
	}

/* `journal.new` with a header and no frames. */
int journal_file_create(int dir_fd, struct journal_file *file,
			struct store_error *error) STORE_WARN_UNUSED;
void journal_file_close(struct journal_file *file);
/* Remove `journal.new`, should there be one. */
void journal_file_discard(int dir_fd);
/*
 * Flush it and give it the name `journal`.  *renamed tells, also after an
 * error, whether it has the name now.
 */
int journal_file_install(int dir_fd, struct journal_file *file, bool *renamed,
			 struct store_error *error) STORE_WARN_UNUSED;

/*
 * Room for `length` more bytes and the reserve; the latter is only asked for
 * with JOURNAL_RELEASES, not needed.
 */
int journal_file_reserve(struct journal_file *file, uint64_t length,
			 unsigned int flags, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Write zeros into `step` bytes behind `from`, where nothing is, and have the
 * disk take them: blocks that were written once are flushed again without the
 * file system's own journal.  0 or an errno; ENOSPC, when little is left,
 * before anything is written.
 */
int journal_file_widen(int fd, uint64_t from, uint64_t step);
/* Room for what comes, if the disk has any. */
void journal_file_look_ahead(struct journal_file *file);
/*
 * Append a frame, whose id is set here.  After a failure the file reads as
 * before, but when *spoiled is set.
 */
int journal_file_append(struct journal_file *file, struct journal_frame *frame,
			const void *payload, unsigned int flags, bool *spoiled,
			struct store_error *error) STORE_WARN_UNUSED;
/* Zeros over bytes of the file. */
int journal_file_wipe(struct journal_file *file, uint64_t from, uint64_t to,
		      struct store_error *error) STORE_WARN_UNUSED;
/* The header anew. */
int journal_file_write_header(struct journal_file *file,
			      struct store_error *error) STORE_WARN_UNUSED;

#endif
