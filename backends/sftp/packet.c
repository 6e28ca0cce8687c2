// SPDX-License-Identifier: MIT
/* Packets of SFTP version 3: see packet.h.  Numbers are big-endian. */
#include "config.h"

#include "backends/sftp/packet.h"

#include <string.h>

#include "src/base/buf.h"
#include "src/base/text.h"

enum { LENGTH_SIZE = 4, WORDS_MAX = 200 };

/* The bit of attributes that are followed by pairs of strings. */
static const uint32_t ATTR_EXTENDED = UINT32_C(0x80000000);

static void put_u32(unsigned char *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const unsigned char *bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | bytes[i];
	return value;
}

size_t sftp_packet_begin(struct buf *buf, enum sftp_type type)
{
	size_t begin = buf->length;

	sftp_add_u32(buf, 0);
	buf_add_char(buf, (char)type);
	return begin;
}

size_t sftp_request_begin(struct buf *buf, enum sftp_type type, uint32_t id)
{
	size_t begin = sftp_packet_begin(buf, type);

	sftp_add_u32(buf, id);
	return begin;
}

void sftp_add_u32(struct buf *buf, uint32_t value)
{
	unsigned char bytes[4];

	put_u32(bytes, value);
	buf_add(buf, bytes, sizeof(bytes));
}

void sftp_add_u64(struct buf *buf, uint64_t value)
{
	sftp_add_u32(buf, (uint32_t)(value >> 32));
	sftp_add_u32(buf, (uint32_t)value);
}

void sftp_add_string(struct buf *buf, const void *data, size_t length)
{
	sftp_add_u32(buf, (uint32_t)length);
	buf_add(buf, data, length);
}

void sftp_add_text(struct buf *buf, const char *text)
{
	sftp_add_string(buf, text, strlen(text));
}

void sftp_add_attributes(struct buf *buf,
			 const struct sftp_attributes *attributes)
{
	sftp_add_u32(buf, attributes->mask);
	if (attributes->mask & SFTP_ATTR_SIZE)
		sftp_add_u64(buf, attributes->size);
	if (attributes->mask & SFTP_ATTR_OWNER) {
		sftp_add_u32(buf, attributes->uid);
		sftp_add_u32(buf, attributes->gid);
	}
	if (attributes->mask & SFTP_ATTR_MODE)
		sftp_add_u32(buf, attributes->mode);
	if (attributes->mask & SFTP_ATTR_TIMES) {
		sftp_add_u32(buf, attributes->atime);
		sftp_add_u32(buf, attributes->mtime);
	}
}

void sftp_packet_end(struct buf *buf, size_t begin)
{
	if (!buf->failed)
		put_u32((unsigned char *)buf->data + begin,
			(uint32_t)(buf->length - begin - LENGTH_SIZE));
}

int sftp_frame(const void *data, size_t length, size_t max,
	       struct sftp_frame *frame, struct store_error *error)
{
	const unsigned char *bytes = data;
	uint32_t size;

	*frame = (struct sftp_frame){ 0 };
	if (length < LENGTH_SIZE)
		return STORE_OK;
	size = get_u32(bytes);
	if (!size || size > max)
		return store_error_set(error, STORE_CORRUPT,
				       "the server sent a packet of %lu bytes",
				       (unsigned long)size);
	if (size > length - LENGTH_SIZE)
		return STORE_OK;
	frame->size = LENGTH_SIZE + (size_t)size;
	frame->type = bytes[LENGTH_SIZE];
	frame->body.data = bytes + LENGTH_SIZE + 1;
	frame->body.left = size - 1;
	return STORE_OK;
}

/* The next `length` bytes, NULL when there are fewer. */
static const unsigned char *take(struct sftp_body *body, size_t length)
{
	const unsigned char *bytes = body->data;

	if (body->bad || length > body->left) {
		body->bad = true;
		return NULL;
	}
	body->data += length;
	body->left -= length;
	return bytes;
}

uint32_t sftp_take_u32(struct sftp_body *body)
{
	const unsigned char *bytes = take(body, 4);

	return bytes ? get_u32(bytes) : 0;
}

uint64_t sftp_take_u64(struct sftp_body *body)
{
	const unsigned char *bytes = take(body, 8);

	if (!bytes)
		return 0;
	return (uint64_t)get_u32(bytes) << 32 | get_u32(bytes + 4);
}

const char *sftp_take_string(struct sftp_body *body, size_t *length)
{
	uint32_t size = sftp_take_u32(body);
	const unsigned char *bytes = take(body, size);

	*length = bytes ? size : 0;
	return bytes ? (const char *)bytes : "";
}

/* Each pair takes bytes of the packet, so that a count cannot lie for long. */
static void pass_over_pairs(struct sftp_body *body)
{
	uint32_t count = sftp_take_u32(body);
	size_t length;

	while (count-- && !body->bad) {
		sftp_take_string(body, &length);
		sftp_take_string(body, &length);
	}
}

void sftp_take_attributes(struct sftp_body *body,
			  struct sftp_attributes *attributes)
{
	const uint32_t known = SFTP_ATTR_SIZE | SFTP_ATTR_OWNER |
			       SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	uint32_t mask = sftp_take_u32(body);

	*attributes = (struct sftp_attributes){ .mask = mask & known };
	/* What follows an unknown bit cannot be told from what comes next. */
	if (mask & ~(known | ATTR_EXTENDED))
		body->bad = true;
	if (mask & SFTP_ATTR_SIZE)
		attributes->size = sftp_take_u64(body);
	/* No file has as much, and nobody here could name its end. */
	if (attributes->size > INT64_MAX)
		body->bad = true;
	if (mask & SFTP_ATTR_OWNER) {
		attributes->uid = sftp_take_u32(body);
		attributes->gid = sftp_take_u32(body);
	}
	if (mask & SFTP_ATTR_MODE)
		attributes->mode = sftp_take_u32(body);
	if (mask & SFTP_ATTR_TIMES) {
		attributes->atime = sftp_take_u32(body);
		attributes->mtime = sftp_take_u32(body);
	}
	if (mask & ATTR_EXTENDED)
		pass_over_pairs(body);
	if (body->bad)
		*attributes = (struct sftp_attributes){ 0 };
}

static int status_code(uint32_t status)
{
	switch (status) {
	case SFTP_STATUS_NO_SUCH_FILE:
		return STORE_NOT_FOUND;
	case SFTP_STATUS_PERMISSION_DENIED:
		return STORE_DENIED;
	case SFTP_STATUS_NO_CONNECTION:
	case SFTP_STATUS_CONNECTION_LOST:
		return STORE_UNAVAILABLE;
	case SFTP_STATUS_OP_UNSUPPORTED:
		return STORE_NOT_SUPPORTED;
	default:
		return STORE_INTERNAL;
	}
}

int sftp_take_status(struct sftp_body *body, struct store_error *error)
{
	uint32_t status = sftp_take_u32(body);
	char words[WORDS_MAX + 1] = "";
	struct text_shown shown;
	size_t length = 0;
	const char *said = "";
	int code;

	if (!body->bad && body->left)
		said = sftp_take_string(body, &length);
	if (body->bad)
		return sftp_body_check(body, "status", error);
	if (status == SFTP_STATUS_OK)
		return STORE_OK;
	if (length > WORDS_MAX)
		length = WORDS_MAX;
	memcpy(words, said, length);
	code = store_error_set(error, status_code(status),
			       "the server answers %lu%s%s",
			       (unsigned long)status, words[0] ? ": " : "",
			       text_show(&shown, words));
	if (error && status <= INT32_MAX)
		error->detail = (int)status;
	return code;
}

int sftp_body_check(const struct sftp_body *body, const char *what,
		    struct store_error *error)
{
	if (!body->bad)
		return STORE_OK;
	return store_error_set(error, STORE_CORRUPT,
			       "the server sent a malformed %s", what);
}
