/* SPDX-License-Identifier: MIT */
/*
 * Mutex and condition with names for clang's -Wthread-safety.
 *
 * Lock explicitly in a short function, do the work in a `_locked` helper
 * marked REQUIRES(lock), unlock once.  Locks are never held across a store
 * call, a callback or a FUSE reply.
 */
#ifndef STOREFS_BASE_SYNC_H
#define STOREFS_BASE_SYNC_H

#include <pthread.h>
#include <stdint.h>

#if defined(__clang__)
#define CAPABILITY(name) __attribute__((capability(name)))
#define ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define NO_THREAD_SAFETY __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(name)
#define ACQUIRE(...)
#define RELEASE(...)
#define REQUIRES(...)
#define NO_THREAD_SAFETY
#endif

struct CAPABILITY("mutex") lock {
	pthread_mutex_t mutex;
};

/* Waits are timed on CLOCK_MONOTONIC. */
struct condition {
	pthread_cond_t cond;
};

void lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock) ACQUIRE(*lock);
void lock_drop(struct lock *lock) RELEASE(*lock);

void condition_init(struct condition *condition);
void condition_destroy(struct condition *condition);
void condition_wait(struct condition *condition, struct lock *lock)
	REQUIRES(*lock);
/* Wait until CLOCK_MONOTONIC `until_ns` at most; false: the time is up. */
int condition_wait_until(struct condition *condition, struct lock *lock,
			 int64_t until_ns) REQUIRES(*lock);
void condition_broadcast(struct condition *condition);
/* Wake one of those who wait, when any of them will do. */
void condition_signal(struct condition *condition);

#endif
