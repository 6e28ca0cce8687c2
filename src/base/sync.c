// SPDX-License-Identifier: MIT
/* Thin pthread wrappers; see sync.h.  Failures here are bugs of ours. */
#include "config.h"

#include "src/base/sync.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

void lock_init(struct lock *lock)
{
	int result UNUSED = pthread_mutex_init(&lock->mutex, NULL);

	assert(result == 0);
}

void lock_destroy(struct lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

void lock_take(struct lock *lock) NO_THREAD_SAFETY
{
	int result UNUSED = pthread_mutex_lock(&lock->mutex);

	assert(result == 0);
}

void lock_drop(struct lock *lock) NO_THREAD_SAFETY
{
	int result UNUSED = pthread_mutex_unlock(&lock->mutex);

	assert(result == 0);
}

void condition_init(struct condition *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&condition->cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

void condition_destroy(struct condition *condition)
{
	pthread_cond_destroy(&condition->cond);
}

void condition_wait(struct condition *condition, struct lock *lock)
{
	pthread_cond_wait(&condition->cond, &lock->mutex);
}

int condition_wait_until(struct condition *condition, struct lock *lock,
			 int64_t until_ns)
{
	struct timespec until = timespec_from_ns(until_ns);

	return pthread_cond_timedwait(&condition->cond, &lock->mutex, &until) !=
	       ETIMEDOUT;
}

void condition_broadcast(struct condition *condition)
{
	pthread_cond_broadcast(&condition->cond);
}

void condition_signal(struct condition *condition)
{
	pthread_cond_signal(&condition->cond);
}
