/* SPDX-License-Identifier: MIT */
/*
 * Where an HTTP/1.1 message ends (RFC 9112, section 6), for servers and
 * proxies of tests.
 */
#ifndef STOREFS_TESTS_SERVERS_MESSAGE_H
#define STOREFS_TESTS_SERVERS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_kind {
	MESSAGE_EMPTY,
	MESSAGE_SIZED,
	MESSAGE_CHUNKED,
	MESSAGE_ENDLESS, /* as long as the connection */
};

enum message_chunk {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_DATA,
	CHUNK_DATA_END,
	CHUNK_TRAILER,
};

struct message {
	enum message_kind kind;
	uint64_t left; /* of the body, or of this chunk */
	enum message_chunk chunk;
	bool digits; /* the size of the chunk has one */
	bool last;   /* the chunk of size 0 */
	size_t line; /* bytes of the trailer line at hand */
	bool done;   /* the message is complete */
	bool bad;
};

/*
 * A header of a head whose lines end in CR LF: a pointer into it, and the
 * length of the value without blanks around; NULL when it is not there.
 */
const char *message_header(const char *head, const char *name, size_t *length);
/* Is that word in the header, or one of its words? */
bool message_has_word(const char *head, const char *name, const char *word);

/* What kind of body the head of a request promises. */
void message_of_request(struct message *message, const char *head);
/* And that of an answer; `bare`: to HEAD. */
void message_of_answer(struct message *message, const char *head, int status,
		       bool bare);
/* How many of these bytes belong to the body, framing included. */
size_t message_take(struct message *message, const char *data, size_t length);

#endif
