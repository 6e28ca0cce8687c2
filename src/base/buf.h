/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer with a hard maximum, always NUL-terminated.
 *
 * The first failure (no memory, or more than `max` bytes) sticks: later
 * appends do nothing, and buf_error() tells.  So a chain of appends needs
 * one check at the end.
 */
#ifndef STOREFS_BASE_BUF_H
#define STOREFS_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "src/base/cleanup.h"
#include <storefs/error.h>

struct buf {
	char *data; /* NUL-terminated once anything was appended */
	size_t length;
	size_t room;
	size_t max;
	int failed; /* STORE_OK, STORE_NO_MEMORY or STORE_TOO_LARGE */
};

#define BUF_INIT(maximum)        \
	{                        \
		.max = (maximum) \
	}
#define CLEANUP_BUF CLEANUP(buf_release)

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);
/* Empty, keeps memory, forgets a failure. */
void buf_clear(struct buf *buf);
void buf_add(struct buf *buf, const void *data, size_t length);
/* Take the first `length` bytes, which there are, away. */
void buf_drop(struct buf *buf, size_t length);
/* Append `length` bytes for the caller to fill; NULL after a failure. */
char *buf_extend(struct buf *buf, size_t length);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) STORE_PRINTF(2, 3);
void buf_vaddf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* STORE_OK, or the first failure with `what` in the message. */
int buf_error(const struct buf *buf, const char *what,
	      struct store_error *error) STORE_WARN_UNUSED;
/* "" while empty; borrowed. */
const char *buf_text(const struct buf *buf);
/* Hand the memory over (malloc'd, "" when empty); NULL after a failure. */
char *buf_steal(struct buf *buf);

#endif
