// SPDX-License-Identifier: MIT
/*
 * A session against OpenSSH's server, and against a peer that says whatever a
 * test wants it to.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/sftp/session.h"
#include "backends/sftp/transport.h"
#include "backends/sftp/waiter.h"
#include "src/base/clock.h"
#include "src/base/fdio.h"
#include "src/wire.h"
#include "tests/unit/unit.h"

static struct sftp_waiters waiters;
static struct wire_counters counters;
static struct sftp_session_options options;
static struct store_error error;

static void begin(void)
{
	sftp_waiters_init(&waiters);
	options = (struct sftp_session_options){
		.io_timeout = 20 * NS_PER_SEC,
		.waiters = &waiters,
		.counters = &counters,
	};
	store_error_clear(&error);
}

static void end(void)
{
	sftp_waiters_release(&waiters);
}

static uint64_t requests_counted(void)
{
	return counters.values[WIRE_OTHER][WIRE_REQUESTS];
}

/* ---- a stream over a socket, and the peer behind it ---- */

struct stream {
	struct sftp_transport transport;
	int fd;
};

static int stream_fd(struct sftp_transport *transport)
{
	return ((struct stream *)transport)->fd;
}

static int stream_moved(ssize_t moved, size_t *count, struct store_error *told)
{
	if (moved < 0 && errno == EAGAIN)
		moved = 0;
	else if (moved < 0)
		return store_error_set(told, STORE_UNAVAILABLE, "broken off");
	*count = (size_t)moved;
	return STORE_OK;
}

static int stream_read(struct sftp_transport *transport, void *data,
		       size_t length, size_t *got, struct store_error *told)
{
	ssize_t n = recv(stream_fd(transport), data, length, 0);

	if (n == 0)
		return store_error_set(told, STORE_UNAVAILABLE, "ended");
	return stream_moved(n, got, told);
}

static int stream_write(struct sftp_transport *transport, const void *data,
			size_t length, size_t *sent, struct store_error *told)
{
	return stream_moved(
		send(stream_fd(transport), data, length, MSG_NOSIGNAL), sent,
		told);
}

static short stream_events(struct sftp_transport *transport UNUSED,
			   bool sending)
{
	return sending ? POLLIN | POLLOUT : POLLIN;
}

static void stream_close(struct sftp_transport *transport)
{
	close(stream_fd(transport));
	free(transport);
}

static const struct sftp_transport_kind stream_kind = {
	.name = "socket",
	.read = stream_read,
	.write = stream_write,
	.descriptor = stream_fd,
	.events = stream_events,
	.close = stream_close,
};

static struct sftp_transport *stream_new(int *peer)
{
	struct stream *stream = malloc(sizeof(*stream));
	int fds[2];

	ck_assert_ptr_nonnull(stream);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	stream->transport.kind = &stream_kind;
	stream->fd = fds[0];
	*peer = fds[1];
	return &stream->transport;
}

static void say(int peer, const void *data, size_t length)
{
	ck_assert_int_eq(send(peer, data, length, MSG_NOSIGNAL),
			 (ssize_t)length);
}

/* What was asked next: its id, and its type in *type. */
static uint32_t hear(int peer, uint8_t *type)
{
	unsigned char head[9], rest[4096];
	size_t length;

	ck_assert_int_eq(recv(peer, head, 9, MSG_WAITALL), 9);
	length = (size_t)head[2] << 8 | head[3];
	ck_assert_uint_le(length, sizeof(rest));
	if (length > 5)
		ck_assert_int_eq(recv(peer, rest, length - 5, MSG_WAITALL),
				 (ssize_t)length - 5);
	*type = head[4];
	return (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 |
	       (uint32_t)head[7] << 8 | head[8];
}

#define VERSION_3 "\0\0\0\5\2\0\0\0\3"

/* A session with a peer that has greeted. */
static struct sftp_session *session_with(int *peer)
{
	struct sftp_transport *transport = stream_new(peer);
	struct sftp_session *session = NULL;
	struct store_context context;
	uint8_t type;

	say(*peer, VERSION_3, 9);
	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	ck_assert_msg(!sftp_session_start(transport, &options, &context,
					  &session, &error),
		      "%s", error.message);
	hear(*peer, &type);
	ck_assert_uint_eq(type, SFTP_INIT);
	return session;
}

static struct sftp_session *openssh(void)
{
	static const char *const argv[] = { "/usr/lib/openssh/sftp-server",
					    NULL };
	struct sftp_transport *transport;
	struct sftp_session *session = NULL;
	struct store_context context;

	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	ck_assert_int_eq(sftp_command_start(argv, &transport, &error), 0);
	ck_assert_msg(!sftp_session_start(transport, &options, &context,
					  &session, &error),
		      "%s", error.message);
	return session;
}

static int submit(struct sftp_session *session, struct sftp_request *request)
{
	struct store_context context;

	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	return sftp_session_submit(session, &context, request, &error);
}

static int wait_for(struct sftp_session *session, struct sftp_request *request)
{
	struct store_context context;

	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	return sftp_session_wait(session, &context, request, &error);
}

static struct sftp_request *ask_path(struct sftp_session *session,
				     enum sftp_type type, const char *path)
{
	struct sftp_request *request = sftp_request_new(type);

	ck_assert_ptr_nonnull(request);
	sftp_add_text(sftp_request_packet(request), path);
	if (type == SFTP_OPEN) {
		struct sftp_attributes none = { .mask = 0 };

		sftp_add_u32(sftp_request_packet(request), 1);
		sftp_add_attributes(sftp_request_packet(request), &none);
	}
	ck_assert_int_eq(submit(session, request), STORE_OK);
	return request;
}

static struct sftp_request *ask_read(struct sftp_session *session,
				     const char *handle, size_t length,
				     uint64_t offset, void *data, size_t room)
{
	struct sftp_request *request = sftp_request_new(SFTP_READ);
	struct buf *packet;

	ck_assert_ptr_nonnull(request);
	packet = sftp_request_packet(request);
	sftp_add_string(packet, handle, length);
	sftp_add_u64(packet, offset);
	sftp_add_u32(packet, (uint32_t)room);
	sftp_request_into(request, data, room);
	ck_assert_int_eq(submit(session, request), STORE_OK);
	return request;
}

/* ---- with OpenSSH ---- */

START_TEST(what_openssh_announces_is_known)
{
	struct sftp_session *session = openssh();

	ck_assert_uint_eq(sftp_session_server(session)->extensions, 0x3ff);
	ck_assert_uint_eq(sftp_session_server(session)->read_max, 261120);
	ck_assert_uint_eq(sftp_session_server(session)->write_max, 261120);
	sftp_session_unref(session);
}
END_TEST

START_TEST(answers_find_their_requests)
{
	enum { COUNT = 2000 };
	static struct sftp_request *requests[COUNT];
	struct sftp_session *session = openssh();
	uint64_t before = requests_counted();

	for (int i = 0; i < COUNT; i++)
		requests[i] = ask_path(session, SFTP_LSTAT,
				       i % 3 ? "/" : "/nothing/is/here");
	for (int i = COUNT - 1; i >= 0; i--) {
		struct sftp_attributes got;

		ck_assert_int_eq(wait_for(session, requests[i]),
				 i % 3 ? STORE_OK : STORE_NOT_FOUND);
		store_error_clear(&error);
		if (i % 3) {
			sftp_take_attributes(sftp_request_body(requests[i]),
					     &got);
			ck_assert(S_ISDIR(got.mode));
		}
		sftp_session_forget(session, requests[i]);
	}
	ck_assert_uint_eq(requests_counted() - before, COUNT);
	ck_assert_uint_eq(sftp_session_load(session), 0);
	sftp_session_unref(session);
}
END_TEST

/* The handle of a file with `size` bytes, in `handle`. */
static size_t open_file(struct sftp_session *session, size_t size, char *handle)
{
	char path[] = "/tmp/storefs-session-XXXXXX";
	unsigned char *data = malloc(size);
	int fd = mkstemp(path);
	struct sftp_request *request;
	const char *text;
	size_t length;

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + i / 1000);
	ck_assert_int_eq(fd_write_at(fd, data, size, 0), 0);
	close(fd);
	free(data);
	request = ask_path(session, SFTP_OPEN, path);
	ck_assert_int_eq(wait_for(session, request), STORE_OK);
	unlink(path);
	text = sftp_take_string(sftp_request_body(request), &length);
	ck_assert_uint_le(length, 256);
	memcpy(handle, text, length);
	sftp_session_forget(session, request);
	return length;
}

START_TEST(data_comes_to_where_it_was_asked)
{
	enum { PART = 200000, PARTS = 40, SIZE = PART * PARTS };
	static struct sftp_request *requests[PARTS];
	struct sftp_session *session = openssh();
	unsigned char *data = calloc(1, SIZE);
	char handle[256];
	size_t length = open_file(session, SIZE, handle);
	size_t wrong = 0;

	for (size_t i = 0; i < PARTS; i++)
		requests[i] = ask_read(session, handle, length, i * PART,
				       data + i * PART, PART);
	/* Every fourth is not wanted any more, and leaves its place alone. */
	for (size_t i = 0; i < PARTS; i += 4) {
		sftp_session_forget(session, requests[i]);
		memset(data + i * PART, 0xee, PART);
	}
	for (size_t i = 0; i < PARTS; i++) {
		if (i % 4 == 0)
			continue;
		ck_assert_int_eq(wait_for(session, requests[i]), STORE_OK);
		ck_assert_uint_eq(sftp_request_got(requests[i]), PART);
		sftp_session_forget(session, requests[i]);
	}
	for (size_t i = 0; i < SIZE; i++)
		wrong += data[i] != (i / PART % 4 == 0
					     ? 0xee
					     : ((i * 7 + i / 1000) & 0xff));
	ck_assert_uint_eq(wrong, 0);
	requests[0] = ask_read(session, handle, length, SIZE, data, PART);
	ck_assert_int_eq(wait_for(session, requests[0]), STORE_OK);
	ck_assert_uint_eq(sftp_request_got(requests[0]), 0);
	sftp_session_forget(session, requests[0]);
	sftp_session_unref(session);
	free(data);
}
END_TEST

/* ---- with a peer that errs ---- */

/* What it says to a first READ of 4 bytes, whose id is 0. */
static const struct {
	const char *bytes;
	size_t length;
	const char *told;
} lies[] = {
#define LIE(bytes, told)                           \
	{                                          \
		(bytes), sizeof(bytes) - 1, (told) \
	}
	LIE("\xff\xff\xff\xff\x67", "a packet of 4294967295 bytes"),
	LIE("\0\0\0\0", "a packet of 0 bytes"),
	LIE("\0\4\0\1\x67\0\0\0\0", "a packet of 262145 bytes"),
	LIE("\0\0\0\x0a\x67\0\0\0\7\0\0\0\1x", "answers 7, which was not"),
	LIE("\0\0\0\x0e\x67\0\0\0\0\0\0\0\5xxxxx", "sent 5 bytes where 4"),
	LIE("\0\0\0\x09\x67\0\0\0\0\0\0\0\0", "sent 0 bytes where 4"),
	LIE("\0\0\0\x0a\x67\0\0\0\0\0\0\0\2x", "malformed DATA"),
	LIE("\0\0\1\0\x67\0\0\0\0\0\0\0\2x", "malformed DATA"),
	LIE("\0\0\0\x15\x67\0\0\0\0\0\0\0\x0c"
	    "1",
	    "sent 12 bytes where 4"),
	LIE("\0\0\0\x09\x66\0\0\0\0\0\0\0\0", "answers a request 5 with a 102"),
	LIE("\0\0\0\x09\x65\0\0\0\0\0\0\0\0", "answers a request 5 with a 101"),
	LIE("\0\0\0\7\x65\0\0\0\0\0\0", "malformed status"),
	LIE("\0\0\0\3\x65\0\0", "malformed packet"),
	LIE("\0\0\0\5\2\0\0\0\3", "answers 3, which was not"),
};

START_TEST(a_lie_ends_the_session_and_is_named)
{
	unsigned char data[8] = "";
	struct sftp_request *request, *other;
	struct sftp_session *session;
	int peer;

	session = session_with(&peer);
	request = ask_read(session, "h", 1, 0, data, 4);
	other = ask_path(session, SFTP_LSTAT, "x");
	say(peer, lies[_i].bytes, lies[_i].length);
	ck_assert_int_eq(wait_for(session, request), STORE_CORRUPT);
	ck_assert_msg(strstr(error.message, lies[_i].told), "%s, not %s",
		      error.message, lies[_i].told);
	ck_assert_int_eq(wait_for(session, other), STORE_CORRUPT);
	ck_assert(sftp_request_lost(other));
	ck_assert(sftp_session_ended(session));
	ck_assert_uint_eq(data[4], 0);
	sftp_session_forget(session, request);
	sftp_session_forget(session, other);
	sftp_session_unref(session);
	close(peer);
}
END_TEST

static int greeting(const char *bytes, size_t length)
{
	struct sftp_session *session = NULL;
	struct store_context context;
	int peer, code;
	struct sftp_transport *transport = stream_new(&peer);

	store_context_init(&context, NS_PER_SEC / 5, NULL);
	say(peer, bytes, length);
	code = sftp_session_start(transport, &options, &context, &session,
				  &error);
	close(peer);
	return code;
}

START_TEST(greetings_are_not_believed)
{
	ck_assert_int_eq(greeting("\0\0\0\5\2\0\0\0\2", 9),
			 STORE_NOT_SUPPORTED);
	ck_assert_int_eq(greeting("Welcome to the machine\n", 23),
			 STORE_CORRUPT);
	ck_assert_int_eq(greeting("\0\0\0\x09\x65\0\0\0\0\0\0\0\0", 13),
			 STORE_CORRUPT);
	ck_assert_int_eq(greeting("\0\0\0\x0a\2\0\0\0\3\0\0\0\7x", 14),
			 STORE_CORRUPT);
	ck_assert_int_eq(greeting("\0\0", 2), STORE_TIMEOUT);
}
END_TEST

START_TEST(silence_while_an_answer_is_due_ends_the_session)
{
	struct sftp_session *session;
	struct sftp_request *request;
	int64_t start;
	int peer;

	options.io_timeout = NS_PER_SEC / 4;
	session = session_with(&peer);
	start = clock_monotonic_ns();
	request = ask_path(session, SFTP_LSTAT, "x");
	ck_assert_int_eq(wait_for(session, request), STORE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(error.message, "silent"));
	ck_assert_int_ge(clock_monotonic_ns() - start, NS_PER_SEC / 4);
	ck_assert_int_lt(clock_monotonic_ns() - start, 5 * NS_PER_SEC);
	sftp_session_forget(session, request);
	sftp_session_unref(session);
	close(peer);
}
END_TEST

/* Whoever asks in a dead line waits for the rest of the time, not all of it. */
START_TEST(asking_is_no_sign_of_life)
{
	struct sftp_request *requests[64];
	struct sftp_session *session;
	struct store_context context;
	int64_t start;
	int count = 0, peer;

	options.io_timeout = NS_PER_SEC / 2;
	session = session_with(&peer);
	start = clock_monotonic_ns();
	while (!sftp_session_ended(session)) {
		ck_assert_int_lt(count, 64);
		requests[count] = sftp_request_new(SFTP_LSTAT);
		sftp_add_text(sftp_request_packet(requests[count]), "x");
		if (submit(session, requests[count++]))
			break;
		store_context_init(&context, 10 * NS_PER_SEC, NULL);
		ck_assert(!store_context_sleep(&context, NS_PER_SEC / 10,
					       &error));
	}
	ck_assert_int_ge(clock_monotonic_ns() - start, NS_PER_SEC / 2);
	while (count)
		sftp_session_forget(session, requests[--count]);
	sftp_session_unref(session);
	close(peer);
}
END_TEST

START_TEST(an_idle_line_is_kept_alive)
{
	struct sftp_session *session;
	uint8_t type;
	int peer;

	options.keepalive = NS_PER_SEC / 20;
	session = session_with(&peer);
	for (int i = 0; i < 2; i++) {
		uint32_t id = hear(peer, &type);
		unsigned char status[] = "\0\0\0\x09\x65\0\0\0\0\0\0\0\4";

		ck_assert_uint_eq(type, SFTP_REALPATH);
		status[8] = (unsigned char)id;
		say(peer, status, 13);
	}
	ck_assert(!sftp_session_ended(session));
	sftp_session_unref(session);
	close(peer);
}
END_TEST

/* Its answer comes late, and goes nowhere; the next one is understood. */
START_TEST(a_cancelled_request_is_left_to_its_answer)
{
	struct store_cancel *cancel = store_cancel_new();
	unsigned char data[4] = "";
	struct store_context context;
	struct sftp_session *session;
	struct sftp_request *request;
	uint8_t type;
	int peer;

	session = session_with(&peer);
	request = ask_read(session, "h", 1, 0, data, 4);
	ck_assert_uint_eq(hear(peer, &type), 0);
	store_context_init(&context, 10 * NS_PER_SEC, cancel);
	store_cancel_trigger(cancel);
	ck_assert_int_eq(sftp_session_wait(session, &context, request, &error),
			 STORE_CANCELLED);
	sftp_session_forget(session, request);
	ck_assert_uint_gt(sftp_session_load(session), 0);

	request = ask_path(session, SFTP_LSTAT, "x");
	ck_assert_uint_eq(hear(peer, &type), 1);
	say(peer, "\0\0\0\x0d\x67\0\0\0\0\0\0\0\4late", 17);
	say(peer, "\0\0\0\x09\x69\0\0\0\1\0\0\0\0", 13);
	ck_assert_int_eq(wait_for(session, request), STORE_OK);
	ck_assert_uint_eq(data[0], 0);
	sftp_session_forget(session, request);
	ck_assert_uint_eq(sftp_session_load(session), 0);
	sftp_session_unref(session);
	store_cancel_free(cancel);
	close(peer);
}
END_TEST

/* Nobody else knows of it; a server has not many. */
START_TEST(a_handle_that_nobody_waits_for_is_closed)
{
	struct sftp_session *session;
	struct sftp_request *request;
	uint8_t type;
	int peer;

	session = session_with(&peer);
	request = ask_path(session, SFTP_OPEN, "x");
	ck_assert_uint_eq(hear(peer, &type), 0);
	sftp_session_forget(session, request);
	say(peer, "\0\0\0\x0a\x66\0\0\0\0\0\0\0\1h", 14);
	ck_assert_uint_eq(hear(peer, &type), 1);
	ck_assert_uint_eq(type, SFTP_CLOSE);
	say(peer, "\0\0\0\x09\x65\0\0\0\1\0\0\0\0", 13);
	request = ask_path(session, SFTP_LSTAT, "x");
	ck_assert_uint_eq(hear(peer, &type), 2);
	say(peer, "\0\0\0\x09\x69\0\0\0\2\0\0\0\0", 13);
	ck_assert_int_eq(wait_for(session, request), STORE_OK);
	sftp_session_forget(session, request);
	ck_assert_uint_eq(sftp_session_load(session), 0);
	sftp_session_unref(session);
	close(peer);
}
END_TEST

/* What whoever comes next would wait for, too. */
START_TEST(a_line_that_swallows_everything_is_given_up)
{
	struct store_context context;
	struct sftp_session *session;
	struct sftp_request *request;
	int peer;

	options.io_timeout = 3 * NS_PER_SEC;
	session = session_with(&peer);
	request = ask_path(session, SFTP_LSTAT, "x");
	store_context_init(&context, NS_PER_SEC / 2, NULL);
	ck_assert_int_eq(sftp_session_wait(session, &context, request, &error),
			 STORE_TIMEOUT);
	sftp_session_forget(session, request);
	ck_assert(sftp_session_ended(session));
	sftp_session_unref(session);
	close(peer);
}
END_TEST

/* Data byte by byte, and then the answer to what was asked behind it. */
static void *trickle(void *arg)
{
	const int *peer = arg;
	struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	say(*peer, "\0\0\0\x13\x67\0\0\0\0\0\0\0\x0a", 13);
	for (int i = 0; i < 10; i++) {
		nanosleep(&pause, NULL);
		say(*peer, "d", 1);
	}
	say(*peer, "\0\0\0\x09\x69\0\0\0\1\0\0\0\0", 13);
	return NULL;
}

START_TEST(what_waits_behind_others_waits_while_they_move)
{
	struct sftp_request *first, *second;
	struct store_context context;
	struct sftp_session *session;
	unsigned char data[10];
	pthread_t thread;
	int peer;

	session = session_with(&peer);
	first = ask_read(session, "h", 1, 0, data, 10);
	second = ask_path(session, SFTP_LSTAT, "x");
	ck_assert_int_eq(pthread_create(&thread, NULL, trickle, &peer), 0);
	store_context_init(&context, 200 * NS_PER_MS, NULL);
	ck_assert_int_eq(sftp_session_wait(session, &context, second, &error),
			 STORE_OK);
	ck_assert_int_eq(wait_for(session, first), STORE_OK);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	sftp_session_forget(session, first);
	sftp_session_forget(session, second);
	sftp_session_unref(session);
	close(peer);
}
END_TEST

START_TEST(what_is_in_flight_is_bounded_and_waits_in_its_deadline)
{
	static struct sftp_request *requests[64];
	unsigned char *data = malloc(1 << 18);
	struct store_context context;
	struct sftp_session *session;
	struct sftp_request *late = sftp_request_new(SFTP_READ);
	size_t count = 0;
	int peer;

	session = session_with(&peer);
	while (sftp_session_load(session) + (1 << 18) < 8 << 20) {
		ck_assert_uint_lt(count, 64);
		requests[count++] = ask_read(session, "h", 1, 0, data, 250000);
	}
	sftp_add_text(sftp_request_packet(late), "h");
	sftp_add_u64(sftp_request_packet(late), 0);
	sftp_add_u32(sftp_request_packet(late), 1 << 19);
	sftp_request_into(late, data, 1 << 19);
	store_context_init(&context, NS_PER_SEC / 10, NULL);
	ck_assert_int_eq(sftp_session_submit(session, &context, late, &error),
			 STORE_TIMEOUT);
	sftp_session_forget(session, late);
	close(peer);
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(wait_for(session, requests[i]),
				 STORE_UNAVAILABLE);
		sftp_session_forget(session, requests[i]);
	}
	ck_assert_uint_eq(sftp_session_load(session), 0);
	late = sftp_request_new(SFTP_LSTAT);
	ck_assert_int_eq(submit(session, late), STORE_UNAVAILABLE);
	ck_assert(!sftp_request_lost(late));
	sftp_session_forget(session, late);
	sftp_session_unref(session);
	free(data);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-session");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, what_openssh_announces_is_known);
	tcase_add_test(tests, answers_find_their_requests);
	tcase_add_test(tests, data_comes_to_where_it_was_asked);
	tcase_add_loop_test(tests, a_lie_ends_the_session_and_is_named, 0,
			    (int)(sizeof(lies) / sizeof(*lies)));
	tcase_add_test(tests, greetings_are_not_believed);
	tcase_add_test(tests, silence_while_an_answer_is_due_ends_the_session);
	tcase_add_test(tests, asking_is_no_sign_of_life);
	tcase_add_test(tests, an_idle_line_is_kept_alive);
	tcase_add_test(tests, a_cancelled_request_is_left_to_its_answer);
	tcase_add_test(tests, a_handle_that_nobody_waits_for_is_closed);
	tcase_add_test(tests, a_line_that_swallows_everything_is_given_up);
	tcase_add_test(tests, what_waits_behind_others_waits_while_they_move);
	tcase_add_test(tests,
		       what_is_in_flight_is_bounded_and_waits_in_its_deadline);
	return unit_run("sftp-session", tests);
}
