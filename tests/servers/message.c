// SPDX-License-Identifier: MIT
/* See message.h.  Called by the proxy and by the servers for tests. */
#include "config.h"

#include "tests/servers/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *message_header(const char *head, const char *name, size_t *length)
{
	size_t named = strlen(name);
	const char *line = head;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, name, named) == 0 && line[named] == ':') {
			const char *value = line + named + 1;
			const char *end = strstr(value, "\r\n");

			if (!end)
				end = value + strlen(value);
			while (*value == ' ' || *value == '\t')
				value++;
			while (end > value &&
			       (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			*length = (size_t)(end - value);
			return value;
		}
	}
	return NULL;
}

bool message_has_word(const char *head, const char *name, const char *word)
{
	size_t wanted = strlen(word);
	size_t length;
	const char *value = message_header(head, name, &length);

	while (value && length) {
		size_t one = strcspn(value, ", \r");

		if (one > length)
			one = length;
		if (one == wanted && strncasecmp(value, word, one) == 0)
			return true;
		one += one < length;
		value += one;
		length -= one;
	}
	return false;
}

static void judge(struct message *message, const char *head)
{
	size_t length;
	const char *size;

	*message = (struct message){ .kind = MESSAGE_ENDLESS };
	if (message_has_word(head, "transfer-encoding", "chunked")) {
		message->kind = MESSAGE_CHUNKED;
		return;
	}
	size = message_header(head, "content-length", &length);
	if (!size)
		return;
	message->kind = MESSAGE_SIZED;
	if (!length || length > 18)
		message->bad = true;
	for (size_t i = 0; i < length && !message->bad; i++) {
		message->bad = !isdigit((unsigned char)size[i]);
		message->left = 10 * message->left + (uint64_t)(size[i] - '0');
	}
	message->done = !message->left;
}

static void set_empty(struct message *message)
{
	*message = (struct message){ .kind = MESSAGE_EMPTY, .done = true };
}

void message_of_request(struct message *message, const char *head)
{
	judge(message, head);
	if (message->kind == MESSAGE_ENDLESS)
		set_empty(message);
}

void message_of_answer(struct message *message, const char *head, int status,
		       bool bare)
{
	judge(message, head);
	if (bare || status < 200 || status == 204 || status == 304)
		set_empty(message);
}

/* ---- chunks ---- */

static void size_char(struct message *message, char c)
{
	if (isxdigit((unsigned char)c) && message->left >> 56 == 0) {
		int digit = isdigit((unsigned char)c)
				    ? c - '0'
				    : tolower((unsigned char)c) - 'a' + 10;

		message->left = message->left * 16 + (uint64_t)digit;
		message->digits = true;
	} else if (c == '\n' && message->digits) {
		message->last = !message->left;
		message->chunk = message->last ? CHUNK_TRAILER : CHUNK_DATA;
		message->line = 0;
	} else if (c == ';' && message->digits) {
		message->chunk = CHUNK_EXTENSION;
	} else if (c != '\r' || !message->digits) {
		message->bad = true;
	}
}

static void trailer_char(struct message *message, char c)
{
	if (c == '\n') {
		message->done = !message->line;
		message->line = 0;
	} else if (c != '\r') {
		message->line++;
	}
}

static void frame_char(struct message *message, char c)
{
	switch (message->chunk) {
	case CHUNK_EXTENSION:
		if (c != '\n')
			break;
		message->chunk = CHUNK_SIZE;
		/* fall through */
	case CHUNK_SIZE:
		size_char(message, c);
		break;
	case CHUNK_DATA_END:
		if (c == '\n') {
			message->chunk = CHUNK_SIZE;
			message->digits = false;
		} else if (c != '\r') {
			message->bad = true;
		}
		break;
	case CHUNK_TRAILER:
		trailer_char(message, c);
		break;
	case CHUNK_DATA:
		break;
	}
}

static size_t take_chunks(struct message *message, const char *data,
			  size_t length)
{
	size_t at = 0;

	while (at < length && !message->done && !message->bad) {
		size_t some = length - at;

		if (message->chunk != CHUNK_DATA) {
			frame_char(message, data[at++]);
			continue;
		}
		if (some > message->left)
			some = (size_t)message->left;
		message->left -= some;
		at += some;
		if (!message->left)
			message->chunk = CHUNK_DATA_END;
	}
	return at;
}

size_t message_take(struct message *message, const char *data, size_t length)
{
	switch (message->kind) {
	case MESSAGE_ENDLESS:
		return length;
	case MESSAGE_CHUNKED:
		return take_chunks(message, data, length);
	case MESSAGE_SIZED:
		if (length > message->left)
			length = (size_t)message->left;
		message->left -= length;
		message->done = !message->left;
		return length;
	default:
		return 0;
	}
}
