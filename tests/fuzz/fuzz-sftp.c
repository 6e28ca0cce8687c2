// SPDX-License-Identifier: MIT
/*
 * What an SFTP server says: whatever comes, a session gives each of its
 * requests an answer that belongs to it or an error of one line, writes
 * nowhere but into the memory it was given, and ends.
 *
 * The first byte tells how it comes: the lowest four bits are the size of the
 * parts, as a power of 2; with 16 the reads are forgotten meanwhile; with 32
 * the bytes are the greeting.
 */
#include "config.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/sftp/session.h"
#include "backends/sftp/transport.h"
#include "backends/sftp/waiter.h"
#include "src/base/clock.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

enum { FORGETS = 16, GREETS = 32, SMALL = 64, LARGE = 40000 };

/* ---- a server of these bytes ---- */

struct script {
	struct sftp_transport transport;
	const uint8_t *greeting; /* said when the session greets */
	size_t greeting_left;
	const uint8_t *bytes; /* said once all is asked */
	size_t left;
	size_t part;
	size_t wanted; /* packets before */
	struct buf heard;
	int fd; /* always readable */
};

static size_t packets_heard(const struct script *script)
{
	size_t count = 0, at = 0;
	struct sftp_frame frame;

	while (!sftp_frame(script->heard.data + at, script->heard.length - at,
			   SIZE_MAX, &frame, NULL) &&
	       frame.size) {
		at += frame.size;
		count++;
	}
	return count;
}

static size_t say(const struct script *script, const uint8_t **from,
		  size_t *left, void *data, size_t length)
{
	if (length > script->part)
		length = script->part;
	if (length > *left)
		length = *left;
	memcpy(data, *from, length);
	*from += length;
	*left -= length;
	return length;
}

static int script_read(struct sftp_transport *transport, void *data,
		       size_t length, size_t *got, struct store_error *error)
{
	struct script *script = (struct script *)transport;

	CHECK(length > 0);
	*got = 0;
	if (script->greeting_left)
		*got = say(script, &script->greeting, &script->greeting_left,
			   data, length);
	else if (packets_heard(script) < script->wanted)
		return STORE_OK;
	else if (script->left)
		*got = say(script, &script->bytes, &script->left, data, length);
	else
		return store_error_set(error, STORE_UNAVAILABLE, "the end");
	return STORE_OK;
}

static int script_write(struct sftp_transport *transport, const void *data,
			size_t length, size_t *sent,
			struct store_error *error UNUSED)
{
	struct script *script = (struct script *)transport;

	buf_add(&script->heard, data, length);
	CHECK(!script->heard.failed);
	*sent = length;
	return STORE_OK;
}

static int script_fd(struct sftp_transport *transport)
{
	return ((struct script *)transport)->fd;
}

static short script_events(struct sftp_transport *transport UNUSED,
			   bool sending UNUSED)
{
	return POLLIN;
}

static void script_close(struct sftp_transport *transport)
{
	struct script *script = (struct script *)transport;

	close(script->fd);
	buf_release(&script->heard);
	free(script);
}

static const struct sftp_transport_kind script_kind = {
	.name = "script",
	.read = script_read,
	.write = script_write,
	.descriptor = script_fd,
	.events = script_events,
	.close = script_close,
};

static struct sftp_transport *script_new(const uint8_t *bytes, size_t size,
					 size_t wanted, uint8_t ways)
{
	static const uint8_t greeting[] = "\0\0\0\5\2\0\0\0\3";
	struct script *script = calloc(1, sizeof(*script));

	CHECK(script);
	script->transport.kind = &script_kind;
	if (!(ways & GREETS)) {
		script->greeting = greeting;
		script->greeting_left = sizeof(greeting) - 1;
	}
	script->bytes = bytes;
	script->left = size;
	script->wanted = ways & GREETS ? 0 : wanted;
	script->part = (size_t)1 << (ways & 15);
	script->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(script->fd >= 0);
	buf_init(&script->heard, SIZE_MAX);
	return &script->transport;
}

/* ---- what is asked ---- */

enum { REQUESTS = 8 };
static const enum sftp_type types[REQUESTS] = {
	SFTP_LSTAT,    SFTP_READ,     SFTP_READDIR, SFTP_OPEN,
	SFTP_REALPATH, SFTP_EXTENDED, SFTP_MKDIR,   SFTP_READ,
};

struct asked {
	struct sftp_request *requests[REQUESTS];
	unsigned char *into[REQUESTS]; /* a byte more than the room */
	size_t room[REQUESTS];
};

static void ask(struct asked *asked, size_t i)
{
	struct sftp_request *request =
		types[i] == SFTP_EXTENDED
			? sftp_request_extended(SFTP_EXT_STATVFS)
			: sftp_request_new(types[i]);

	CHECK(request);
	sftp_add_text(sftp_request_packet(request), "x");
	asked->requests[i] = request;
	if (types[i] != SFTP_READ)
		return;
	asked->room[i] = i == 1 ? SMALL : LARGE;
	asked->into[i] = malloc(asked->room[i] + 1);
	CHECK(asked->into[i]);
	asked->into[i][asked->room[i]] = 0xa5;
	sftp_request_into(request, asked->into[i], asked->room[i]);
}

static void check_names(struct sftp_body *body)
{
	uint32_t count = sftp_take_u32(body);

	while (count-- && !body->bad) {
		struct sftp_attributes attributes;
		const char *name;
		size_t length, all = 0;

		name = sftp_take_string(body, &length);
		for (size_t i = 0; i < length; i++)
			all += (unsigned char)name[i];
		CHECK(all <= length * 255);
		sftp_take_string(body, &length);
		sftp_take_attributes(body, &attributes);
	}
}

static void check_body(enum sftp_type type, struct sftp_body *body)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_attributes attributes;
	size_t before = body->left, length;

	if (!body->data)
		return;
	if (type == SFTP_LSTAT)
		sftp_take_attributes(body, &attributes);
	else if (type == SFTP_OPEN)
		sftp_take_string(body, &length);
	else if (type == SFTP_EXTENDED)
		for (int i = 0; i < 11; i++)
			sftp_take_u64(body);
	else
		check_names(body);
	CHECK(body->left <= before);
	check_error(sftp_body_check(body, "body", &error), &error);
}

static void check_answer(struct sftp_session *session,
			 const struct asked *asked, size_t i)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	int code;

	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	code = sftp_session_wait(session, &context, asked->requests[i], &error);
	CHECK(code != STORE_TIMEOUT);
	check_error(code, &error);
	CHECK(sftp_request_got(asked->requests[i]) <= asked->room[i]);
	if (!code && types[i] != SFTP_READ && types[i] != SFTP_MKDIR)
		check_body(types[i], sftp_request_body(asked->requests[i]));
}

static void converse(struct sftp_session *session, uint8_t ways)
{
	struct store_error error = STORE_ERROR_INIT;
	struct asked asked = { .room = { 0 } };
	struct store_context context;
	int code = STORE_OK;
	size_t count = 0;

	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	for (; !code && count < REQUESTS; count++) {
		ask(&asked, count);
		code = sftp_session_submit(session, &context,
					   asked.requests[count], &error);
	}
	check_error(code, &error);
	for (size_t i = 0; i < count; i++) {
		if (code || (ways & FORGETS && types[i] == SFTP_READ))
			continue;
		check_answer(session, &asked, i);
	}
	for (size_t i = 0; i < count; i++) {
		sftp_session_forget(session, asked.requests[i]);
		CHECK(!asked.into[i] || asked.into[i][asked.room[i]] == 0xa5);
		free(asked.into[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_waiters waiters;
	const struct sftp_session_options options = {
		.io_timeout = 20 * NS_PER_SEC,
		.waiters = &waiters,
	};
	struct sftp_session *session = NULL;
	struct store_context context;
	uint8_t ways = size ? data[0] : 0;
	int code;

	sftp_waiters_init(&waiters);
	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	code = sftp_session_start(script_new(data + (size > 0),
					     size ? size - 1 : 0, REQUESTS + 1,
					     ways),
				  &options, &context, &session, &error);
	CHECK(code != STORE_TIMEOUT);
	check_error(code, &error);
	if (!code)
		converse(session, ways);
	sftp_session_unref(session);
	sftp_waiters_release(&waiters);
	return 0;
}
