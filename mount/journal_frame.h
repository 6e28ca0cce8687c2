/* SPDX-License-Identifier: MIT */
/*
 * The form of the journal's header and frames as bytes; see journal.h.
 * Private to mount/journal*.c.
 */
#ifndef STOREFS_MOUNT_JOURNAL_FRAME_H
#define STOREFS_MOUNT_JOURNAL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_HEADER_SIZE = 40,
	JOURNAL_FRAME_HEADER = 40,
	JOURNAL_ALIGNMENT = 8,
};

/* Behind it nothing is believed: no writer gets there. */
#define JOURNAL_SEQUENCE_MAX (UINT64_MAX >> 1)

enum journal_header_kind {
	JOURNAL_HEADER_GOOD,
	JOURNAL_HEADER_NEWER,
	JOURNAL_HEADER_DAMAGED, /* cut off, or bits flipped */
	JOURNAL_HEADER_FOREIGN, /* as damaged, and it may be no journal */
};

void journal_header_encode(unsigned char bytes[JOURNAL_HEADER_SIZE],
			   uint64_t id);
/* *id is set for a good one. */
enum journal_header_kind journal_header_decode(const unsigned char *bytes,
					       size_t length, uint64_t *id);

struct journal_frame {
	/*
	 * Says `durable`, and nothing to the reader; it has the number of
	 * the frame before.
	 */
	bool mark;
	uint32_t length; /* of the payload */
	uint64_t id;	 /* of the file it was written into */
	uint64_t sequence;
	uint64_t durable; /* all frames up to it were, when this was written */
};

/* Bytes in the file of a frame with a payload of that length. */
uint64_t journal_frame_size(uint64_t length);
/* All of them; payload may be NULL with length 0. */
void journal_frame_encode(unsigned char *bytes,
			  const struct journal_frame *frame,
			  const void *payload);
/* Could a frame begin with these JOURNAL_FRAME_HEADER bytes? */
bool journal_frame_begins(const unsigned char *bytes);
/* What the head says, which may be nonsense until it was checked. */
void journal_frame_decode(const unsigned char *bytes,
			  struct journal_frame *frame);
/* Are these the bytes that were written, up to the end of the payload? */
bool journal_frame_check(const unsigned char *bytes, uint32_t length);

#endif
