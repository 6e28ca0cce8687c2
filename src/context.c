// SPDX-License-Identifier: MIT
/*
 * Deadline and cancellation of calls: see <storefs/context.h>.
 *
 * Called by the core, layers and backends; calls only the clock and the
 * locks.  The flag of a cancel object is atomic, so that asking costs
 * nothing; its lock is there for sleepers and for those that follow it, and
 * ranks below every other lock (while it is held only those are triggered).
 */
#include "config.h"

#include <storefs/context.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/sync.h"
#include "src/cancel.h"

struct store_cancel {
	atomic_bool set;
	struct lock lock;
	struct condition woken; /* broadcast once, when set */
	/* Protected by lock: */
	int read_fd;		    /* -1 until asked for */
	int write_fd;		    /* the same descriptor with an eventfd */
	struct store_cancel *below; /* that follow it */
	/* Protected by the lock of `above`: */
	struct store_cancel *next, **link;
	struct store_cancel *above; /* immutable; NULL: follows none */
};

struct store_cancel *store_cancel_new(void)
{
	struct store_cancel *cancel = calloc(1, sizeof(*cancel));

	if (!cancel)
		return NULL;
	atomic_init(&cancel->set, false);
	lock_init(&cancel->lock);
	condition_init(&cancel->woken);
	cancel->read_fd = -1;
	cancel->write_fd = -1;
	return cancel;
}

struct store_cancel *cancel_new_below(struct store_cancel *above)
{
	struct store_cancel *cancel = store_cancel_new();

	if (!cancel || !above)
		return cancel;
	lock_take(&above->lock);
	cancel->above = above;
	cancel->next = above->below;
	cancel->link = &above->below;
	if (cancel->next)
		cancel->next->link = &cancel->next;
	above->below = cancel;
	if (atomic_load(&above->set))
		store_cancel_trigger(cancel);
	lock_drop(&above->lock);
	return cancel;
}

static void cancel_leave(struct store_cancel *cancel)
{
	struct store_cancel *above = cancel->above;

	if (!above)
		return;
	lock_take(&above->lock);
	*cancel->link = cancel->next;
	if (cancel->next)
		cancel->next->link = cancel->link;
	lock_drop(&above->lock);
}

void store_cancel_free(struct store_cancel *cancel)
{
	if (!cancel)
		return;
	assert(!cancel->below);
	cancel_leave(cancel);
	if (cancel->write_fd >= 0 && cancel->write_fd != cancel->read_fd)
		close(cancel->write_fd);
	if (cancel->read_fd >= 0)
		close(cancel->read_fd);
	condition_destroy(&cancel->woken);
	lock_destroy(&cancel->lock);
	free(cancel);
}

static void cancel_signal_locked(struct store_cancel *cancel)
	REQUIRES(cancel->lock)
{
	static const uint64_t one = 1;
	ssize_t written;

	if (cancel->write_fd < 0)
		return;
	do {
		written = write(cancel->write_fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
}

void store_cancel_trigger(struct store_cancel *cancel)
{
	lock_take(&cancel->lock);
	if (!atomic_exchange(&cancel->set, true)) {
		cancel_signal_locked(cancel);
		condition_broadcast(&cancel->woken);
	}
	for (struct store_cancel *one = cancel->below; one; one = one->next)
		store_cancel_trigger(one);
	lock_drop(&cancel->lock);
}

bool store_cancel_is_set(const struct store_cancel *cancel)
{
	return atomic_load(&cancel->set);
}

bool cancel_gives_way(const struct store_cancel *cancel)
{
	return cancel && cancel->above && store_cancel_is_set(cancel) &&
	       !store_cancel_is_set(cancel->above);
}

static void cancel_open_locked(struct store_cancel *cancel)
	REQUIRES(cancel->lock)
{
#ifdef __linux__
	cancel->read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cancel->write_fd = cancel->read_fd;
#else
	int fds[2];

	if (pipe(fds))
		return;
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	cancel->read_fd = fds[0];
	cancel->write_fd = fds[1];
#endif
}

int store_cancel_fd(struct store_cancel *cancel)
{
	int fd;

	lock_take(&cancel->lock);
	if (cancel->read_fd < 0) {
		cancel_open_locked(cancel);
		if (atomic_load(&cancel->set))
			cancel_signal_locked(cancel);
	}
	fd = cancel->read_fd;
	lock_drop(&cancel->lock);
	return fd;
}

void store_context_init(struct store_context *context, int64_t stall_ns,
			struct store_cancel *cancel)
{
	*context = (struct store_context){
		.stall_ns = stall_ns,
		.progress_ns = clock_monotonic_ns(),
		.cancel = cancel,
	};
}

void store_context_progress(struct store_context *context)
{
	if (context && context->stall_ns)
		context->progress_ns = clock_monotonic_ns();
}

/* The nearer end on CLOCK_MONOTONIC, INT64_MAX for none. */
static int64_t context_end(const struct store_context *context)
{
	int64_t end = INT64_MAX;

	if (context->deadline_ns)
		end = context->deadline_ns;
	if (context->stall_ns && context->stall_ns < end - context->progress_ns)
		end = context->progress_ns + context->stall_ns;
	return end;
}

int64_t store_context_remaining(const struct store_context *context)
{
	int64_t left;
	int64_t end;

	if (!context)
		return INT64_MAX;
	end = context_end(context);
	if (end == INT64_MAX)
		return INT64_MAX;
	left = end - clock_monotonic_ns();
	return left > 0 ? left : 0;
}

int store_context_check(const struct store_context *context,
			struct store_error *error)
{
	if (!context)
		return STORE_OK;
	if (context->cancel && store_cancel_is_set(context->cancel))
		return store_error_set(error, STORE_CANCELLED, "%s",
				       store_code_text(STORE_CANCELLED));
	if (store_context_remaining(context) == 0)
		return store_error_set(error, STORE_TIMEOUT, "%s",
				       store_code_text(STORE_TIMEOUT));
	return STORE_OK;
}

static void sleep_until(int64_t until_ns)
{
	struct timespec until = timespec_from_ns(until_ns);
	int result;

	do {
		result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
					 NULL);
	} while (result == EINTR);
}

static void cancel_wait(struct store_cancel *cancel, int64_t until_ns)
{
	lock_take(&cancel->lock);
	while (!atomic_load(&cancel->set))
		if (!condition_wait_until(&cancel->woken, &cancel->lock,
					  until_ns))
			break;
	lock_drop(&cancel->lock);
}

int store_context_sleep(const struct store_context *context, int64_t ns,
			struct store_error *error)
{
	int64_t now = clock_monotonic_ns();
	int64_t until = ns < INT64_MAX - now ? now + ns : INT64_MAX;
	int64_t end = context ? context_end(context) : INT64_MAX;
	bool whole = until <= end;

	if (!whole)
		until = end;
	if (context && context->cancel) {
		cancel_wait(context->cancel, until);
		if (store_cancel_is_set(context->cancel))
			return store_context_check(context, error);
	} else {
		sleep_until(until);
	}
	if (!whole)
		return store_error_set(error, STORE_TIMEOUT, "%s",
				       store_code_text(STORE_TIMEOUT));
	return STORE_OK;
}
