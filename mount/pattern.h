/* SPDX-License-Identifier: MIT */
/*
 * What a reader will read next, guessed from what it has read.  Pure; for
 * prefetch.c.
 *
 * In order: several rows at a time, as of threads that share a handle.  From
 * the second read that follows one, a window ahead of the reader; it doubles
 * as long as the reader consumes it.  Where other rows have ended this one is
 * expected to end, too, and passes it with a small window: columns of a table
 * have similar lengths.  A small window is also for files that somebody began
 * to read at the end, where such tables have their index.  Requests that the
 * kernel sends beside each other come in any order and still count.
 *
 * In equal steps: from the fourth read on, the next few steps.  In cells: where
 * rows have the same length and lie at its multiples, as the kernel sends a
 * large read in pieces, the first piece asks for all of the next one.
 *
 * Else nothing: a random reader costs what it reads; but one that fetches pages
 * or cells of a file here and there, each for a round trip, gets the whole file
 * once it has waited for as long as that takes.
 */
#ifndef STOREFS_MOUNT_PATTERN_H
#define STOREFS_MOUNT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/types.h>

#define PATTERN_WINDOW_MIN (UINT64_C(1) << 20)

struct pattern_row {
	uint64_t start;	       /* its first byte */
	uint64_t next;	       /* behind its furthest byte, 0: no row */
	uint64_t ahead;	       /* behind the furthest byte asked for */
	uint64_t window;       /* bytes to be ahead by, 0: not in order */
	uint64_t grown;	       /* what `next` was when the window grew */
	unsigned int in_order; /* reads that followed another */
	uint64_t begun, used;  /* its first and last of the reads */
};

enum { PATTERN_ROWS = 8 };

/* What readers of one version learn from each other; a zeroed one knows nothing. */
struct pattern_habit {
	bool from_end;	/* somebody began with the end */
	uint64_t usual; /* length of the row that was left last, 0: none */
};

/* A zeroed one has read nothing. */
struct pattern {
	struct pattern_row rows[PATTERN_ROWS];
	uint64_t reads;	    /* so far */
	uint64_t last;	    /* offset of the last read */
	int64_t step;	    /* from the one before it */
	unsigned int steps; /* equal ones in a row */
	unsigned int asked; /* steps that were asked for ahead of `last` */
	uint64_t cell; /* length of the row before, if at a multiple of it */
	unsigned int cells; /* so many rows in a row had that */
	uint64_t waited;    /* for pages: bytes that could have come */
	uint64_t swept;	    /* bytes of the whole file asked for since */
};

enum { PATTERN_RANGES = 16 };

/*
 * Note a read of `range` from a file of `size` bytes; the windows grow up to
 * `limit`, together, and a whole file has at most `whole` bytes.  Fills
 * `ranges` with what to ask for now, each one request; returns how many.
 */
size_t pattern_read(struct pattern *pattern, struct pattern_habit *habit,
		    const struct store_range *range, uint64_t size,
		    uint64_t limit, uint64_t whole,
		    struct store_range ranges[PATTERN_RANGES]);

/* Is it reading in order? */
bool pattern_is_ahead(const struct pattern *pattern);

/*
 * What was asked for found no room: windows are halved, and the whole file is
 * waited for anew.
 */
void pattern_shrink(struct pattern *pattern);

#endif
