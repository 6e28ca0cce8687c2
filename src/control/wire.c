// SPDX-License-Identifier: MIT
/*
 * See wire.h.  Called by client.c and the driver; calls the kernel only.
 */
#include "config.h"

#include "src/control/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/clock.h"

void wire_init(struct wire *wire, int fd, int wake_fd)
{
	wire->fd = fd;
	wire->wake_fd = wake_fd;
	wire->start = wire->end = 0;
}

/* For poll(2), rounded up. */
static int wire_left_ms(int64_t until_ns)
{
	int64_t left;

	if (until_ns == INT64_MAX)
		return -1;
	left = until_ns - clock_monotonic_ns();
	if (left <= 0)
		return 0;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

static int wire_wait(const struct wire *wire, short events, int64_t until_ns,
		     struct store_error *error)
{
	struct pollfd fds[] = { { .fd = wire->fd, .events = events },
				{ .fd = wire->wake_fd, .events = POLLIN } };
	int ready;

	do
		ready = poll(fds, 2, wire_left_ms(until_ns));
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return store_error_errno(error, errno, "control socket");
	if (fds[1].revents)
		return store_error_set(error, STORE_CANCELLED, "cancelled");
	if (!ready)
		return store_error_set(error, STORE_TIMEOUT,
				       "the driver does not answer");
	return STORE_OK;
}

/* At least one byte, and what there is up to so many. */
static int wire_receive(struct wire *wire, void *data, size_t room,
			size_t *length, int64_t until_ns,
			struct store_error *error)
{
	for (;;) {
		int code = wire_wait(wire, POLLIN, until_ns, error);
		ssize_t got;

		if (code)
			return code;
		got = recv(wire->fd, data, room, MSG_DONTWAIT);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return store_error_errno(error, errno,
						 "control socket");
		if (!got)
			return store_error_set(error, STORE_UNAVAILABLE,
					       "the other side hung up");
		*length = (size_t)got;
		return STORE_OK;
	}
}

/* The chunk is empty: receive what there is. */
static int wire_fill(struct wire *wire, int64_t until_ns,
		     struct store_error *error)
{
	wire->start = wire->end = 0;
	return wire_receive(wire, wire->chunk, sizeof(wire->chunk), &wire->end,
			    until_ns, error);
}

int wire_line(struct wire *wire, struct buf *line, int64_t until_ns,
	      struct store_error *error)
{
	for (;;) {
		const char *begin = wire->chunk + wire->start, *newline;
		size_t length = wire->end - wire->start;
		int code;

		newline = length ? memchr(begin, '\n', length) : NULL;
		if (newline)
			length = (size_t)(newline - begin);
		buf_add(line, begin, length);
		wire->start += length + (newline ? 1 : 0);
		code = buf_error(line, "a line of the control socket", error);
		if (!code && !newline)
			code = wire_fill(wire, until_ns, error);
		if (code || newline)
			return code;
	}
}

int wire_bytes(struct wire *wire, void *data, size_t length, int64_t until_ns,
	       struct store_error *error)
{
	size_t ahead = wire->end - wire->start;
	char *bytes = data;
	int code = STORE_OK;

	if (ahead > length)
		ahead = length;
	memcpy(bytes, wire->chunk + wire->start, ahead);
	wire->start += ahead;
	bytes += ahead;
	length -= ahead;
	while (length && !code) {
		size_t got = 0;

		code = wire_receive(wire, bytes, length, &got, until_ns, error);
		bytes += got;
		length -= got;
	}
	return code;
}

int wire_send(struct wire *wire, const void *data, size_t length,
	      int64_t until_ns, struct store_error *error)
{
	const char *bytes = data;

	while (length) {
		int code = wire_wait(wire, POLLOUT, until_ns, error);
		ssize_t sent;

		if (code)
			return code;
		sent = send(wire->fd, bytes, length,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EPIPE)
			return store_error_set(error, STORE_UNAVAILABLE,
					       "the other side hung up");
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return store_error_errno(error, errno,
						 "control socket");
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return STORE_OK;
}

bool wire_hung_up(const struct wire *wire)
{
	char byte;

	return wire->start == wire->end &&
	       !recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}
