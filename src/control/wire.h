/* SPDX-License-Identifier: MIT */
/*
 * Lines of JSON over a stream socket, with counted bytes between them: what
 * the driver and those who ask it have in common.
 *
 * Every wait ends at `until_ns` (CLOCK_MONOTONIC, INT64_MAX for never) with
 * TIMEOUT, and as soon as `wake_fd` is readable with CANCELLED.  The other
 * side hanging up is UNAVAILABLE.  For one thread.
 */
#ifndef STOREFS_CONTROL_WIRE_H
#define STOREFS_CONTROL_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include "src/base/buf.h"
#include <storefs/error.h>

struct wire {
	int fd;	     /* a connected stream socket; its owner closes it */
	int wake_fd; /* -1: none */
	/* private: received and not yet handed out */
	size_t start, end;
	char chunk[4096];
};

void wire_init(struct wire *wire, int fd, int wake_fd);
/* The next line, without its end, appended; TOO_LARGE beyond the buffer. */
int wire_line(struct wire *wire, struct buf *line, int64_t until_ns,
	      struct store_error *error) STORE_WARN_UNUSED;
/* Exactly so many bytes. */
int wire_bytes(struct wire *wire, void *data, size_t length, int64_t until_ns,
	       struct store_error *error) STORE_WARN_UNUSED;
int wire_send(struct wire *wire, const void *data, size_t length,
	      int64_t until_ns, struct store_error *error) STORE_WARN_UNUSED;
/* Has the other side closed its end, with nothing left to be read? */
bool wire_hung_up(const struct wire *wire);

#endif
