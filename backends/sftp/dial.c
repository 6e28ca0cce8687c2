// SPDX-License-Identifier: MIT
/*
 * See dial.h.  Names are looked up by a thread of their own, which is left
 * alone when nobody can wait for it any longer: getaddrinfo(3) cannot be told
 * to stop.
 */
#include "config.h"

#include "backends/sftp/dial.h"

#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* Of the thread that looks it up, and of the one that wants to know. */
struct lookup {
	atomic_int references;
	int done_fd; /* readable when the rest is there */
	int result;  /* of getaddrinfo(3) */
	struct addrinfo *found;
	char service[8];
	char host[];
};

static void lookup_put(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->references, 1) != 1)
		return;
	if (lookup->found)
		freeaddrinfo(lookup->found);
	close(lookup->done_fd);
	free(lookup);
}

static void *look_up(void *arg)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct lookup *lookup = arg;

	lookup->result = getaddrinfo(lookup->host, lookup->service, &hints,
				     &lookup->found);
	(void)!eventfd_write(lookup->done_fd, 1);
	lookup_put(lookup);
	return NULL;
}

static struct lookup *lookup_new(const char *host, uint16_t port)
{
	size_t length = strlen(host) + 1;
	struct lookup *lookup = calloc(1, sizeof(*lookup) + length);

	if (!lookup)
		return NULL;
	lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->done_fd < 0) {
		free(lookup);
		return NULL;
	}
	atomic_init(&lookup->references, 1);
	memcpy(lookup->host, host, length);
	snprintf(lookup->service, sizeof(lookup->service), "%u",
		 (unsigned int)port);
	return lookup;
}

static int lookup_start(struct lookup *lookup, struct store_error *error)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int errnum = pthread_attr_init(&attributes);

	if (errnum)
		return store_error_errno(error, errnum, "a thread");
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&lookup->references, 1);
	errnum = pthread_create(&thread, &attributes, look_up, lookup);
	pthread_attr_destroy(&attributes);
	if (!errnum)
		return STORE_OK;
	lookup_put(lookup);
	return store_error_errno(error, errnum, "a thread");
}

/* ---- waiting ---- */

int sftp_wait(int fd, short events, struct store_context *context,
	      struct store_error *error)
{
	int cancelled = context->cancel ? store_cancel_fd(context->cancel) : -1;
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = cancelled, .events = POLLIN } };
	int code = store_context_check(context, error);

	while (!code) {
		int64_t left = store_context_remaining(context) / NS_PER_MS;
		/* Without a descriptor a cancel is looked for. */
		int64_t most = context->cancel && cancelled < 0 ? 100 : INT_MAX;
		int ready;

		left = left < most ? left + 1 : most;
		ready = poll(fds, 2, (int)(left < INT_MAX ? left : INT_MAX));
		if (ready < 0 && errno != EINTR)
			return store_error_errno(error, errno, "poll");
		if (ready > 0 && fds[0].revents)
			return STORE_OK;
		code = store_context_check(context, error);
	}
	return code;
}

/* ---- connecting ---- */

/* Whatever the reason: the next address may do. */
static int unreachable(int errnum, struct store_error *error)
{
	store_error_errno(error, errnum, "connect");
	error->code = STORE_UNAVAILABLE;
	return STORE_UNAVAILABLE;
}

static int finish_connect(int fd, struct store_context *context,
			  struct store_error *error)
{
	int errnum = 0;
	socklen_t length = sizeof(errnum);
	int code = sftp_wait(fd, POLLOUT, context, error);

	if (code)
		return code;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &length))
		errnum = errno;
	if (!errnum)
		return STORE_OK;
	return unreachable(errnum, error);
}

static int connect_to(const struct addrinfo *to, struct store_context *context,
		      int *out, struct store_error *error)
{
	static const int on = 1;
	CLEANUP_FD int fd = socket(to->ai_family,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   to->ai_protocol);
	int code = STORE_OK;

	if (fd < 0)
		return unreachable(errno, error);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, to->ai_addr, to->ai_addrlen)) {
		if (errno != EINPROGRESS)
			return unreachable(errno, error);
		code = finish_connect(fd, context, error);
	}
	if (!code)
		*out = steal_fd(&fd);
	return code;
}

static int lookup_error(const struct lookup *lookup, struct store_error *error)
{
	/* Never NOT_FOUND, which says something of the store's files. */
	return store_error_set(error, STORE_UNAVAILABLE, "%s",
			       gai_strerror(lookup->result));
}

/* One that swallows everything leaves time for those behind it. */
static struct store_context share_of(const struct store_context *context,
				     const struct addrinfo *to)
{
	struct store_context share = *context;
	int64_t left = store_context_remaining(context);
	int64_t count = 0;

	for (; to; to = to->ai_next)
		count++;
	if (left < INT64_MAX)
		share.deadline_ns = clock_monotonic_ns() + left / count;
	return share;
}

static int connect_to_any(const struct lookup *lookup,
			  struct store_context *context, int *fd,
			  struct store_error *error)
{
	int code = STORE_UNAVAILABLE;

	if (lookup->result)
		return lookup_error(lookup, error);
	for (const struct addrinfo *to = lookup->found; to; to = to->ai_next) {
		struct store_context share = share_of(context, to);

		store_error_clear(error);
		code = connect_to(to, &share, fd, error);
		if (code != STORE_UNAVAILABLE && code != STORE_TIMEOUT)
			break;
	}
	return code;
}

int sftp_dial(const char *host, uint16_t port, struct store_context *context,
	      int *fd, struct store_error *error)
{
	struct lookup *lookup = lookup_new(host, port);
	int code;

	if (!lookup)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = lookup_start(lookup, error);
	if (!code)
		code = sftp_wait(lookup->done_fd, POLLIN, context, error);
	if (!code)
		code = connect_to_any(lookup, context, fd, error);
	lookup_put(lookup);
	if (code)
		return store_error_prefix(error, "%s port %u", host,
					  (unsigned int)port);
	return STORE_OK;
}
