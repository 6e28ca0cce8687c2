// SPDX-License-Identifier: MIT
/*
 * Bounded buffer: see buf.h.  Growth doubles; vsnprintf measures first.
 */
#include "config.h"

#include "src/base/buf.h"

#include <stdio.h>
#include <string.h>

enum { BUF_FIRST = 64 };

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
	buf->length = 0;
	buf->failed = STORE_OK;
	if (buf->data)
		buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL; false leaves `failed` set. */
static bool buf_reserve(struct buf *buf, size_t more)
{
	size_t room = buf->room ? buf->room : BUF_FIRST;
	char *data;

	if (buf->failed)
		return false;
	if (more > buf->max || buf->length > buf->max - more) {
		buf->failed = STORE_TOO_LARGE;
		return false;
	}
	while (room < buf->length + more + 1)
		room *= 2;
	if (room == buf->room)
		return true;
	data = realloc(buf->data, room);
	if (!data) {
		buf->failed = STORE_NO_MEMORY;
		return false;
	}
	buf->data = data;
	buf->room = room;
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t length)
{
	if (!buf_reserve(buf, length))
		return;
	if (length)
		memcpy(buf->data + buf->length, data, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

void buf_drop(struct buf *buf, size_t length)
{
	if (!length)
		return;
	buf->length -= length;
	memmove(buf->data, buf->data + length, buf->length + 1);
}

char *buf_extend(struct buf *buf, size_t length)
{
	char *place;

	if (!buf_reserve(buf, length))
		return NULL;
	place = buf->data + buf->length;
	buf->length += length;
	buf->data[buf->length] = '\0';
	return place;
}

void buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_vaddf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0 || !buf_reserve(buf, (size_t)length))
		return;
	vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
	buf->length += (size_t)length;
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(buf, format, args);
	va_end(args);
}

int buf_error(const struct buf *buf, const char *what,
	      struct store_error *error)
{
	if (buf->failed == STORE_TOO_LARGE)
		return store_error_set(error, STORE_TOO_LARGE,
				       "%s: more than %zu bytes", what,
				       buf->max);
	if (buf->failed)
		return store_error_set(error, buf->failed, "%s: %s", what,
				       store_code_text(buf->failed));
	return STORE_OK;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_steal(struct buf *buf)
{
	char *data;

	buf_add(buf, "", 0);
	if (buf->failed)
		return NULL;
	data = buf->data;
	buf_init(buf, buf->max);
	return data;
}
