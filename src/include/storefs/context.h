/* SPDX-License-Identifier: MIT */
/*
 * What a call may cost: deadline, cancellation, trace id.
 *
 * A struct store_context lives on the caller's stack for one call (or for a
 * group of calls that share a deadline).  NULL means: no deadline, cannot be
 * cancelled.  One context belongs to one thread at a time; the cancel object
 * it points to may be triggered from any thread.
 */
#ifndef STOREFS_CONTEXT_H
#define STOREFS_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <storefs/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A flag that wakes sleepers.  Reference holders: only the creator. */
struct store_cancel;

/* NULL when out of memory. */
struct store_cancel *store_cancel_new(void);
void store_cancel_free(struct store_cancel *cancel);
/* Set the flag and wake everybody who waits.  Async-signal-unsafe. */
void store_cancel_trigger(struct store_cancel *cancel);
bool store_cancel_is_set(const struct store_cancel *cancel);
/*
 * A descriptor that polls readable once the flag is set, made on first use,
 * owned by the cancel object; -1 when none can be had.
 */
int store_cancel_fd(struct store_cancel *cancel);

struct store_context {
	/*
	 * Longest time without progress, in nanoseconds; 0 for none.  Progress
	 * is a byte moved or a step finished: store_context_progress().
	 */
	int64_t stall_ns;
	/* Absolute end on CLOCK_MONOTONIC, in nanoseconds; 0 for none. */
	int64_t deadline_ns;
	/* Start of the present stretch without progress, CLOCK_MONOTONIC. */
	int64_t progress_ns;
	struct store_cancel *cancel; /* borrowed, may be NULL */
	uint64_t trace_id;	     /* for logs; 0 for none */
};

/* Begin: no deadline but "no progress for stall_ns" (0 for none). */
void store_context_init(struct store_context *context, int64_t stall_ns,
			struct store_cancel *cancel);
/* Something moved: the stall clock starts anew.  NULL is fine. */
void store_context_progress(struct store_context *context);
/*
 * May the call go on?  STORE_OK, STORE_CANCELLED or STORE_TIMEOUT.
 */
int store_context_check(const struct store_context *context,
			struct store_error *error) STORE_WARN_UNUSED;
/*
 * Nanoseconds left until the nearer of stall and deadline, at least 0;
 * INT64_MAX when there is no limit.
 */
int64_t store_context_remaining(const struct store_context *context);
/*
 * Sleep for `ns`, or less when cancelled or out of time: STORE_OK after the
 * whole time, else STORE_CANCELLED or STORE_TIMEOUT at once.
 */
int store_context_sleep(const struct store_context *context, int64_t ns,
			struct store_error *error) STORE_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
