// SPDX-License-Identifier: MIT
/*
 * Copies whose other end is a descriptor: standard streams, pipes, devices.
 * Nothing is known of their length, so bytes go through a writer, which shows
 * nothing before its commit.  See copy.h; called by cp and cat.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "src/ctl/copy.h"

#define STREAM_CHUNK ((size_t)1 << 20)

/* Sleep until the descriptor is ready or the run is cancelled. */
static int stream_wait(const struct copy *copy, int fd, short events,
		       const char *name, struct store_error *error)
{
	struct pollfd polls[2] = {
		{ .fd = fd, .events = events },
		{ .fd = copy->ctl->cancel ? store_cancel_fd(copy->ctl->cancel)
					  : -1,
		  .events = POLLIN },
	};

	while (poll(polls, 2, -1) < 0)
		if (errno != EINTR)
			return store_error_errno(error, errno, "%s", name);
	if (ctl_cancelled(copy->ctl))
		return store_error_set(error, STORE_CANCELLED, "%s: cancelled",
				       name);
	return STORE_OK;
}

/* *got is 0 at the end. */
static int stream_read(const struct copy *copy, int fd, const char *name,
		       void *data, size_t *got, struct store_error *error)
{
	for (;;) {
		ssize_t length;
		int code = stream_wait(copy, fd, POLLIN, name, error);

		if (code)
			return code;
		length = read(fd, data, STREAM_CHUNK);
		if (length >= 0) {
			*got = (size_t)length;
			return STORE_OK;
		}
		if (errno != EINTR && errno != EAGAIN)
			return store_error_errno(error, errno, "%s", name);
	}
}

static int stream_write(const struct copy *copy, int fd, const char *name,
			const char *data, size_t length,
			struct store_error *error)
{
	while (length > 0) {
		ssize_t done;
		int code = stream_wait(copy, fd, POLLOUT, name, error);

		if (code)
			return code;
		done = write(fd, data, length);
		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return store_error_errno(error, errno, "%s", name);
		if (done > 0) {
			data += done;
			length -= (size_t)done;
		}
	}
	return STORE_OK;
}

/* Returns who failed through *reading, for the message. */
static int stream_fill(struct copy *copy, int fd, const char *name,
		       struct store_writer *writer, bool *reading,
		       struct store_error *error)
{
	CLEANUP_FREE char *data = malloc(STREAM_CHUNK);
	int code;

	if (!data)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	for (;;) {
		size_t got = 0;

		*reading = true;
		code = stream_read(copy, fd, name, data, &got, error);
		if (code || got == 0)
			return code;
		*reading = false;
		code = store_writer_write(writer, ctl_context(copy->ctl), data,
					  got, error);
		if (code)
			return code;
	}
}

int copy_from_fd(struct copy *copy, int fd, const char *name, const char *to)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE,
		.mode = 0666u & ~(uint32_t)copy->umask,
	};
	struct store_write_options options = {
		.precondition = { .condition = copy->no_clobber
						       ? STORE_IF_ABSENT
						       : STORE_IF_ANY },
	};
	struct store_writer *writer;
	struct store_info info;
	bool reading = false;
	int code;

	if (store_supports(copy->to, STORE_CAP_POSIX))
		options.attributes = &attributes;
	code = store_open_writer(copy->to, ctl_context(copy->ctl), to, &options,
				 &writer, &error);
	if (!code) {
		code = stream_fill(copy, fd, name, writer, &reading, &error);
		if (code)
			store_writer_discard(writer);
		else
			code = store_writer_commit(
				writer, ctl_context(copy->ctl), &info, &error);
	}
	if (code == STORE_EXISTS && copy->no_clobber) {
		copy_skipped(copy, name, to);
		return STORE_OK;
	}
	if (code && reading)
		return ctl_fail(copy->ctl, NULL, NULL, &error);
	if (code)
		return ctl_fail(copy->ctl, copy->to_label, to, &error);
	copy_done(copy, name, to, &info);
	return STORE_OK;
}

static int stream_drain(struct copy *copy, struct store_reader *reader, int fd,
			const char *name, bool *writing,
			struct store_error *error)
{
	CLEANUP_FREE char *data = malloc(STREAM_CHUNK);
	int code;

	if (!data)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	for (;;) {
		size_t got = 0;

		*writing = false;
		code = store_read(reader, ctl_context(copy->ctl), data,
				  STREAM_CHUNK, &got, error);
		if (code || got == 0)
			return code;
		*writing = true;
		code = stream_write(copy, fd, name, data, got, error);
		if (code)
			return code;
	}
}

int copy_to_fd(struct copy *copy, const char *from, int fd, const char *name)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_reader *reader;
	bool writing = false;
	int code = store_open_reader(copy->from, ctl_context(copy->ctl), from,
				     NULL, &reader, NULL, &error);

	if (code)
		return ctl_fail(copy->ctl, copy->from_label, from, &error);
	fflush(stdout);
	code = stream_drain(copy, reader, fd, name, &writing, &error);
	store_close_reader(reader);
	if (code && writing)
		return ctl_fail(copy->ctl, NULL, NULL, &error);
	if (code)
		return ctl_fail(copy->ctl, copy->from_label, from, &error);
	return STORE_OK;
}
