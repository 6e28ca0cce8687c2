// SPDX-License-Identifier: MIT
/* Waiting; see waiter.h.  The lock is a leaf. */
#include "config.h"

#include "backends/sftp/waiter.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

void sftp_waiters_init(struct sftp_waiters *waiters)
{
	lock_init(&waiters->lock);
	waiters->idle = NULL;
}

static void waiter_free(struct sftp_waiter *waiter)
{
	close(waiter->fd);
	free(waiter);
}

void sftp_waiters_release(struct sftp_waiters *waiters)
{
	while (waiters->idle) {
		struct sftp_waiter *waiter = waiters->idle;

		waiters->idle = waiter->next;
		waiter_free(waiter);
	}
	lock_destroy(&waiters->lock);
}

static struct sftp_waiter *waiter_new(void)
{
	struct sftp_waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return NULL;
	waiter->next = NULL;
	waiter->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (waiter->fd < 0) {
		free(waiter);
		return NULL;
	}
	return waiter;
}

struct sftp_waiter *sftp_waiter_take(struct sftp_waiters *waiters)
{
	struct sftp_waiter *waiter;

	lock_take(&waiters->lock);
	waiter = waiters->idle;
	if (waiter)
		waiters->idle = waiter->next;
	lock_drop(&waiters->lock);
	return waiter ? waiter : waiter_new();
}

static void waiter_drain(struct sftp_waiter *waiter)
{
	uint64_t count;
	ssize_t got UNUSED = read(waiter->fd, &count, sizeof(count));
}

void sftp_waiter_give(struct sftp_waiters *waiters, struct sftp_waiter *waiter)
{
	if (!waiter)
		return;
	waiter_drain(waiter);
	lock_take(&waiters->lock);
	waiter->next = waiters->idle;
	waiters->idle = waiter;
	lock_drop(&waiters->lock);
}

void sftp_waiter_wake(struct sftp_waiter *waiter)
{
	static const uint64_t one = 1;
	ssize_t written;

	do
		written = write(waiter->fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

/* For poll: rounded up, so that nobody spins for the last millisecond. */
static int wait_ms(const struct store_context *context, int64_t until_ns)
{
	int64_t left = store_context_remaining(context);
	int64_t ms;

	if (until_ns != INT64_MAX) {
		int64_t rest = until_ns - clock_monotonic_ns();

		if (rest < left)
			left = rest > 0 ? rest : 0;
	}
	if (left == INT64_MAX)
		return -1;
	ms = left / NS_PER_MS + 1;
	return ms < 60000 ? (int)ms : 60000;
}

int sftp_waiter_wait(struct sftp_waiter *waiter,
		     const struct store_context *context, int64_t until_ns,
		     struct store_error *error)
{
	struct pollfd fds[2] = {
		{ .fd = waiter->fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};

	if (context && context->cancel)
		fds[1].fd = store_cancel_fd(context->cancel);
	for (;;) {
		int code = store_context_check(context, error);

		if (code)
			return code;
		if (poll(fds, 2, wait_ms(context, until_ns)) > 0 &&
		    fds[0].revents) {
			waiter_drain(waiter);
			return STORE_OK;
		}
		if (clock_monotonic_ns() >= until_ns)
			return STORE_OK;
	}
}

void sftp_bell_join(struct sftp_bell *bell, struct sftp_waiter *waiter)
{
	waiter->next = bell->first;
	bell->first = waiter;
}

void sftp_bell_leave(struct sftp_bell *bell, struct sftp_waiter *waiter)
{
	struct sftp_waiter **link = &bell->first;

	while (*link && *link != waiter)
		link = &(*link)->next;
	if (*link)
		*link = waiter->next;
}

void sftp_bell_ring(struct sftp_bell *bell)
{
	for (struct sftp_waiter *one = bell->first; one; one = one->next)
		sftp_waiter_wake(one);
}
