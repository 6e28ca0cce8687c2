/* SPDX-License-Identifier: MIT */
/*
 * Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), made and read.
 *
 * Made: any number of packets one after the other in a struct buf, whose
 * failure sticks.  Read: sftp_frame() finds a whole packet, then the takers
 * go through its body.  A taker that finds too little gives 0 or "" and sets
 * `bad`, which sticks, too: one check at the end of a packet.  Nothing here
 * believes a length, and nothing reserves memory for one.
 */
#ifndef STOREFS_SFTP_PACKET_H
#define STOREFS_SFTP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/error.h>

struct buf;

enum sftp_type {
	SFTP_INIT = 1,
	SFTP_VERSION = 2,
	SFTP_OPEN = 3,
	SFTP_CLOSE = 4,
	SFTP_READ = 5,
	SFTP_WRITE = 6,
	SFTP_LSTAT = 7,
	SFTP_FSTAT = 8,
	SFTP_SETSTAT = 9,
	SFTP_FSETSTAT = 10,
	SFTP_OPENDIR = 11,
	SFTP_READDIR = 12,
	SFTP_REMOVE = 13,
	SFTP_MKDIR = 14,
	SFTP_RMDIR = 15,
	SFTP_REALPATH = 16,
	SFTP_STAT = 17,
	SFTP_RENAME = 18,
	SFTP_READLINK = 19,
	SFTP_SYMLINK = 20,
	SFTP_STATUS = 101,
	SFTP_HANDLE = 102,
	SFTP_DATA = 103,
	SFTP_NAME = 104,
	SFTP_ATTRS = 105,
	SFTP_EXTENDED = 200,
	SFTP_EXTENDED_REPLY = 201,
};

/* Codes of SFTP_STATUS, section 7 of the draft. */
enum sftp_status {
	SFTP_STATUS_OK = 0,
	SFTP_STATUS_EOF = 1,
	SFTP_STATUS_NO_SUCH_FILE = 2,
	SFTP_STATUS_PERMISSION_DENIED = 3,
	SFTP_STATUS_FAILURE = 4,
	SFTP_STATUS_BAD_MESSAGE = 5,
	SFTP_STATUS_NO_CONNECTION = 6,
	SFTP_STATUS_CONNECTION_LOST = 7,
	SFTP_STATUS_OP_UNSUPPORTED = 8,
};

/* What attributes hold a value, section 5 of the draft. */
enum sftp_attribute {
	SFTP_ATTR_SIZE = 1 << 0,
	SFTP_ATTR_OWNER = 1 << 1, /* uid and gid */
	SFTP_ATTR_MODE = 1 << 2,  /* type and permissions */
	SFTP_ATTR_TIMES = 1 << 3, /* atime and mtime, seconds */
};

struct sftp_attributes {
	uint32_t mask; /* enum sftp_attribute */
	uint32_t mode;
	uint64_t size;
	uint32_t uid;
	uint32_t gid;
	uint32_t atime;
	uint32_t mtime;
};

/* Begin a packet; the result goes to sftp_packet_end(). */
size_t sftp_packet_begin(struct buf *buf, enum sftp_type type);
/* The same of a request: all but SFTP_INIT have an id. */
size_t sftp_request_begin(struct buf *buf, enum sftp_type type, uint32_t id);
void sftp_add_u32(struct buf *buf, uint32_t value);
void sftp_add_u64(struct buf *buf, uint64_t value);
/* At most UINT32_MAX bytes. */
void sftp_add_string(struct buf *buf, const void *data, size_t length);
void sftp_add_text(struct buf *buf, const char *text);
void sftp_add_attributes(struct buf *buf,
			 const struct sftp_attributes *attributes);
/* Fill in the length.  After a failure of `buf` nothing happens. */
void sftp_packet_end(struct buf *buf, size_t begin);

/* What is left of the body of a packet; `data` is borrowed. */
struct sftp_body {
	const unsigned char *data;
	size_t left;
	bool bad;
};

struct sftp_frame {
	size_t size; /* of the whole packet, 0 while it is not all there */
	uint8_t type;
	struct sftp_body body; /* what follows the type */
};

/*
 * The packet at the beginning of `data`.  CORRUPT as soon as its length is
 * known to be 0 or more than `max` bytes, which do not count the length.
 */
int sftp_frame(const void *data, size_t length, size_t max,
	       struct sftp_frame *frame, struct store_error *error)
	STORE_WARN_UNUSED;
uint32_t sftp_take_u32(struct sftp_body *body);
uint64_t sftp_take_u64(struct sftp_body *body);
/* Borrowed from the packet, not terminated. */
const char *sftp_take_string(struct sftp_body *body, size_t *length);
/* Extended pairs are passed over; bits the draft does not have are bad. */
void sftp_take_attributes(struct sftp_body *body,
			  struct sftp_attributes *attributes);
/*
 * A status, in its body after the id: STORE_OK, or the code that fits, with
 * the number as detail and the server's words.  FAILURE says nothing of the
 * reason: INTERNAL, for the caller to look into.  Servers that leave out
 * words or language are understood.
 */
int sftp_take_status(struct sftp_body *body, struct store_error *error)
	STORE_WARN_UNUSED;
/* CORRUPT when a taker found too little; `what` names the packet. */
int sftp_body_check(const struct sftp_body *body, const char *what,
		    struct store_error *error) STORE_WARN_UNUSED;

#endif
