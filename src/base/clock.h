/* SPDX-License-Identifier: MIT */
/* Time: one place to ask, in nanoseconds. */
#ifndef STOREFS_BASE_CLOCK_H
#define STOREFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* CLOCK_MONOTONIC. */
int64_t clock_monotonic_ns(void);
/* CLOCK_REALTIME. */
struct timespec clock_now(void);

static inline struct timespec timespec_from_ns(int64_t ns)
{
	int64_t sec = ns / NS_PER_SEC;
	int64_t rest = ns % NS_PER_SEC;

	if (rest < 0) {
		rest += NS_PER_SEC;
		sec--;
	}
	return (struct timespec){ .tv_sec = (time_t)sec,
				  .tv_nsec = (long)rest };
}

static inline int timespec_compare(struct timespec a, struct timespec b)
{
	if (a.tv_sec != b.tv_sec)
		return a.tv_sec < b.tv_sec ? -1 : 1;
	return (a.tv_nsec > b.tv_nsec) - (a.tv_nsec < b.tv_nsec);
}

#endif
