// SPDX-License-Identifier: MIT
/*
 * Header and frames as bytes; see journal_frame.h and, for the form itself,
 * journal.h.  Called by all of mount/journal*.c.  No I/O, no locks.
 */
#include "config.h"

#include "mount/journal_frame.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "mount/journal.h"
#include "src/base/checksum.h"

static const unsigned char header_text[] = "storefs journal\n";

enum {
	TEXT_SIZE = sizeof(header_text) - 1,
	HEADER_VERSION = TEXT_SIZE,
	HEADER_ID = HEADER_VERSION + 8,
	HEADER_CHECKSUM = HEADER_ID + 8,

	FRAME_CHECKSUM = 0,
	FRAME_MAGIC = 8,
	FRAME_LENGTH = 12,
	FRAME_ID = 16,
	FRAME_SEQUENCE = 24,
	FRAME_DURABLE = 32,
};

static const uint32_t magic_frame = 0x4d415246; /* "FRAM" */
static const uint32_t magic_mark = 0x4b52414d;	/* "MARK" */

static void put32(unsigned char *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

static void put64(unsigned char *bytes, uint64_t value)
{
	value = htole64(value);
	memcpy(bytes, &value, sizeof(value));
}

static uint32_t get32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

/* ---- header ---- */

void journal_header_encode(unsigned char bytes[JOURNAL_HEADER_SIZE],
			   uint64_t id)
{
	memset(bytes, 0, JOURNAL_HEADER_SIZE);
	memcpy(bytes, header_text, TEXT_SIZE);
	put32(bytes + HEADER_VERSION, JOURNAL_VERSION);
	put64(bytes + HEADER_ID, id);
	put64(bytes + HEADER_CHECKSUM, checksum64(bytes, HEADER_CHECKSUM));
}

static enum journal_header_kind judge_damaged(const unsigned char *bytes,
					      size_t length)
{
	size_t text = length < TEXT_SIZE ? length : TEXT_SIZE;

	if (memcmp(bytes, header_text, text))
		return JOURNAL_HEADER_FOREIGN;
	/* The version of a newer one, or flipped bits: not for us to say. */
	if (length >= HEADER_VERSION + sizeof(uint32_t) &&
	    get32(bytes + HEADER_VERSION) != JOURNAL_VERSION)
		return JOURNAL_HEADER_FOREIGN;
	return JOURNAL_HEADER_DAMAGED;
}

enum journal_header_kind journal_header_decode(const unsigned char *bytes,
					       size_t length, uint64_t *id)
{
	uint32_t version;

	if (length < JOURNAL_HEADER_SIZE ||
	    get64(bytes + HEADER_CHECKSUM) !=
		    checksum64(bytes, HEADER_CHECKSUM) ||
	    memcmp(bytes, header_text, TEXT_SIZE))
		return judge_damaged(bytes, length);
	version = get32(bytes + HEADER_VERSION);
	if (version > JOURNAL_VERSION)
		return JOURNAL_HEADER_NEWER;
	if (version < JOURNAL_VERSION)
		return JOURNAL_HEADER_FOREIGN;
	*id = get64(bytes + HEADER_ID);
	/* Nobody writes a 0; frames would have to be of any id. */
	return *id ? JOURNAL_HEADER_GOOD : JOURNAL_HEADER_DAMAGED;
}

/* ---- frames ---- */

uint64_t journal_frame_size(uint64_t length)
{
	uint64_t size = JOURNAL_FRAME_HEADER + length;

	return (size + JOURNAL_ALIGNMENT - 1) / JOURNAL_ALIGNMENT *
	       JOURNAL_ALIGNMENT;
}

static uint64_t frame_checksum(const unsigned char *bytes, uint32_t length)
{
	return checksum64(bytes + FRAME_MAGIC,
			  JOURNAL_FRAME_HEADER - FRAME_MAGIC + (size_t)length);
}

void journal_frame_encode(unsigned char *bytes,
			  const struct journal_frame *frame,
			  const void *payload)
{
	size_t used = JOURNAL_FRAME_HEADER + (size_t)frame->length;

	assert(frame->length <= JOURNAL_FRAME_MAX);
	put32(bytes + FRAME_MAGIC, frame->mark ? magic_mark : magic_frame);
	put32(bytes + FRAME_LENGTH, frame->length);
	put64(bytes + FRAME_ID, frame->id);
	put64(bytes + FRAME_SEQUENCE, frame->sequence);
	put64(bytes + FRAME_DURABLE, frame->durable);
	if (frame->length)
		memcpy(bytes + JOURNAL_FRAME_HEADER, payload, frame->length);
	memset(bytes + used, 0,
	       (size_t)journal_frame_size(frame->length) - used);
	put64(bytes + FRAME_CHECKSUM, frame_checksum(bytes, frame->length));
}

bool journal_frame_begins(const unsigned char *bytes)
{
	uint32_t magic = get32(bytes + FRAME_MAGIC);

	return magic == magic_frame || magic == magic_mark;
}

void journal_frame_decode(const unsigned char *bytes,
			  struct journal_frame *frame)
{
	*frame = (struct journal_frame){
		.mark = get32(bytes + FRAME_MAGIC) == magic_mark,
		.length = get32(bytes + FRAME_LENGTH),
		.id = get64(bytes + FRAME_ID),
		.sequence = get64(bytes + FRAME_SEQUENCE),
		.durable = get64(bytes + FRAME_DURABLE),
	};
}

bool journal_frame_check(const unsigned char *bytes, uint32_t length)
{
	return get64(bytes + FRAME_CHECKSUM) == frame_checksum(bytes, length);
}
