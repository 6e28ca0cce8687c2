/* SPDX-License-Identifier: MIT */
/*
 * What the journal could not be told when it happened: ends, moves and notes
 * whose frame found no room, or a disk that failed.  They are appended in
 * their order as soon as the journal takes anything again, before anything
 * else; until then nobody may act as if they stood there.  Any thread may
 * call.
 */
#ifndef STOREFS_MOUNT_DEBTS_H
#define STOREFS_MOUNT_DEBTS_H

#include <stdatomic.h>

#include "mount/folders.h"
#include "mount/journal.h"
#include "src/base/buf.h"
#include "src/base/sync.h"

struct debt;

/*
 * Bytes of owed frames, at most: what comes later is lost.  States of the same
 * file take the place of each other, so that this is some 100,000 files.
 */
enum { DEBTS_MAX = 64 << 20 };

struct debts {
	struct journal *journal;       /* borrowed */
	const struct folders *folders; /* the same */
	struct lock lock;	       /* held across the journal's own */
	/* Protected by `lock`: */
	struct debt *first, **end;
	struct debt **states; /* where the states at the end begin */
	size_t bytes;
	/* Atomic: */
	_Atomic bool any;
	_Atomic bool lost;     /* some frame could not even be kept */
	_Atomic uint64_t paid; /* position of the last one that was owed */
};

void debts_init(struct debts *debts, struct journal *journal,
		const struct folders *folders);
void debts_release(struct debts *debts);

/* This frame, which is complete, is owed; `flags` of journal_append(). */
void debts_owe(struct debts *debts, const struct buf *frame,
	       unsigned int flags);
/* The same for a frame that tells the state of file `id` and nothing else. */
void debts_owe_state(struct debts *debts, const struct buf *frame, uint64_t id);
/*
 * What is owed from now on tells of names in the store that are not durable
 * yet: it waits until they are, up to this position of the folders.
 */
void debts_await(struct debts *debts, uint64_t folders);
/*
 * Append what is owed; STORE_OK: all of it, up to `paid`.  Once a frame was
 * lost it fails until the next mount, which asks the store.
 */
int debts_pay(struct debts *debts, struct store_error *error) STORE_WARN_UNUSED;
/* Append a frame behind all that is owed; see journal_append(). */
int debts_append(struct debts *debts, const struct buf *frame,
		 unsigned int flags, uint64_t *position,
		 struct store_error *error) STORE_WARN_UNUSED;

#endif
