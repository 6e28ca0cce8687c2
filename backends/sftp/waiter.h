/* SPDX-License-Identifier: MIT */
/*
 * Waiting for another thread, for a cancel flag and for a deadline at once.
 *
 * A waiter is a descriptor that somebody writes to; making one costs a
 * system call, so that they are kept and lent.  A bell is a list of waiters
 * that are woken together; its owner's lock protects it.
 */
#ifndef STOREFS_SFTP_WAITER_H
#define STOREFS_SFTP_WAITER_H

#include <storefs/context.h>

#include "src/base/sync.h"

struct sftp_waiter {
	struct sftp_waiter *next; /* of the list it is in */
	int fd;
};

struct sftp_waiters {
	struct lock lock;
	struct sftp_waiter *idle; /* protected by lock */
};

void sftp_waiters_init(struct sftp_waiters *waiters);
/* Nobody waits any more. */
void sftp_waiters_release(struct sftp_waiters *waiters);
/* One that nobody has woken; NULL when there is no memory or descriptor. */
struct sftp_waiter *sftp_waiter_take(struct sftp_waiters *waiters);
/* NULL is fine.  Nobody may wake it any more. */
void sftp_waiter_give(struct sftp_waiters *waiters, struct sftp_waiter *waiter);
/* Any thread, under any lock. */
void sftp_waiter_wake(struct sftp_waiter *waiter);
/*
 * Until somebody wakes it, or CLOCK_MONOTONIC `until_ns` (INT64_MAX: none):
 * STORE_OK.  STORE_CANCELLED or STORE_TIMEOUT when the context ends before.
 */
int sftp_waiter_wait(struct sftp_waiter *waiter,
		     const struct store_context *context, int64_t until_ns,
		     struct store_error *error) STORE_WARN_UNUSED;

struct sftp_bell {
	struct sftp_waiter *first;
};
void sftp_bell_join(struct sftp_bell *bell, struct sftp_waiter *waiter);
/* Also one that is not in it. */
void sftp_bell_leave(struct sftp_bell *bell, struct sftp_waiter *waiter);
void sftp_bell_ring(struct sftp_bell *bell);

#endif
