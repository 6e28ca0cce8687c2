/* SPDX-License-Identifier: MIT */
/*
 * What journal.c (appending, flushing, new files) and journal_open.c (what is
 * found) share: see journal.h.
 */
#ifndef STOREFS_MOUNT_JOURNAL_INTERNAL_H
#define STOREFS_MOUNT_JOURNAL_INTERNAL_H

#include "mount/journal.h"
#include "mount/journal_file.h"
#include "src/base/sync.h"

struct journal {
	/* immutable */
	int dir_fd;
	bool read_only;

	struct lock lock;
	struct condition changed;
	struct condition gathered; /* all who were expected wait */

	/* protected by `lock`; `file` is not replaced while flushing */
	struct journal_file file;
	uint64_t appended; /* sequence number of the last frame */
	uint64_t durable;  /* up to here all frames are */
	bool flushing;
	bool rewriting;
	bool widening;
	bool cramped; /* there is no room to be made */
	uint64_t flushes;
	unsigned int waiting;	   /* in journal_sync() */
	unsigned int expected;	   /* were there at the end of the last flush */
	int64_t flush_ns;	   /* what a flush takes, about */
	struct store_error broken; /* its code: STORE_OK while it is not */

	/* of the thread that rewrites */
	struct journal_file next;
	uint64_t next_appended;
};

/* From now on nothing is appended or flushed. */
void journal_break_locked(struct journal *self, const struct store_error *why)
	REQUIRES(self->lock);
/* A new file in the old one's place; `mending`: that cannot be appended to. */
int journal_replace(struct journal *self, bool mending, journal_write_fn *write,
		    void *arg, struct store_error *error) STORE_WARN_UNUSED;

#endif
