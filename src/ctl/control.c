// SPDX-License-Identifier: MIT
/*
 * See control.h.  Called by status.  The socket is non-blocking and every
 * wait is a poll with what is left of the time; the answer is bounded.
 */
#include "config.h"

#include "src/ctl/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"

#define CONTROL_ANSWER_MAX ((size_t)8 << 20)

static int control_wait(int fd, short events, int64_t end,
			struct store_error *error)
{
	for (;;) {
		int64_t left = (end - clock_monotonic_ns()) / NS_PER_MS;
		struct pollfd poller = { .fd = fd, .events = events };
		int ready = poll(&poller, 1, left > 0 ? (int)left : 0);

		if (ready > 0)
			return STORE_OK;
		if (ready == 0)
			return store_error_set(error, STORE_TIMEOUT,
					       "the driver does not answer");
		if (errno != EINTR)
			return store_error_errno(error, errno, "poll");
	}
}

static int control_connect(int fd, const char *path, struct store_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path))
		return store_error_set(error, STORE_CORRUPT,
				       "the path of the socket is too long");
	memcpy(address.sun_path, path, length + 1);
	/* A Unix socket connects at once, or its queue is full (EAGAIN). */
	if (!connect(fd, (const struct sockaddr *)(const void *)&address,
		     sizeof(address)))
		return STORE_OK;
	if (errno == EAGAIN)
		return store_error_set(error, STORE_TIMEOUT,
				       "the driver does not answer");
	if (errno == ECONNREFUSED || errno == ENOENT)
		return store_error_set(error, STORE_UNAVAILABLE,
				       "nobody listens on the control socket");
	return store_error_errno(error, errno, "control socket");
}

static int control_send(int fd, const struct buf *line, int64_t end,
			struct store_error *error)
{
	size_t sent = 0;

	while (sent < line->length) {
		ssize_t done;
		int code = control_wait(fd, POLLOUT, end, error);

		if (code)
			return code;
		done = send(fd, line->data + sent, line->length - sent,
			    MSG_NOSIGNAL);
		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return store_error_errno(error, errno,
						 "control socket");
		if (done > 0)
			sent += (size_t)done;
	}
	return STORE_OK;
}

static int control_receive(int fd, struct buf *line, int64_t end,
			   struct store_error *error)
{
	char chunk[4096];

	for (;;) {
		ssize_t got;
		const char *newline;
		int code = control_wait(fd, POLLIN, end, error);

		if (code)
			return code;
		got = recv(fd, chunk, sizeof(chunk), 0);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return store_error_errno(error, errno,
						 "control socket");
		if (got == 0)
			return store_error_set(error, STORE_UNAVAILABLE,
					       "the driver hung up");
		newline = memchr(chunk, '\n', (size_t)got);
		buf_add(line, chunk,
			newline ? (size_t)(newline - chunk) : (size_t)got);
		code = buf_error(line, "the answer of the driver", error);
		if (code || newline)
			return code;
	}
}

int control_ask(const char *socket_path, const char *command, int timeout_ms,
		struct json **answer, struct store_error *error)
{
	int64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	struct buf question CLEANUP_BUF = BUF_INIT(256);
	struct buf line CLEANUP_BUF = BUF_INIT(CONTROL_ANSWER_MAX);
	CLEANUP_FD int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0)
		return store_error_errno(error, errno, "socket");
	buf_addf(&question, "{\"command\":\"%s\"}\n", command);
	code = buf_error(&question, "question", error);
	if (!code)
		code = control_connect(fd, socket_path, error);
	if (!code)
		code = control_send(fd, &question, end, error);
	if (!code)
		code = control_receive(fd, &line, end, error);
	if (code)
		return code;
	code = json_parse(buf_text(&line), line.length, answer, error);
	if (code)
		store_error_prefix(error, "the answer of the driver");
	return code;
}
