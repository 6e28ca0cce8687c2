// SPDX-License-Identifier: MIT
/* A program as transport, and OpenSSH's server behind it. */
#include "config.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/packet.h"
#include "backends/sftp/transport.h"
#include "src/base/buf.h"
#include "tests/unit/unit.h"

enum { MAX = 1 << 18 };

#define START(...) start((const char *const[]){ __VA_ARGS__, NULL })

static struct sftp_transport *start(const char *const *argv)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_transport *transport;

	ck_assert_msg(!sftp_command_start(argv, &transport, &error), "%s",
		      error.message);
	return transport;
}

static void wait_for(struct sftp_transport *transport, bool sending)
{
	struct pollfd wanted = {
		.fd = transport->kind->descriptor(transport),
		.events = transport->kind->events(transport, sending),
	};

	ck_assert_int_eq(poll(&wanted, 1, -1), 1);
}

static void send_all(struct sftp_transport *transport, const struct buf *buf)
{
	struct store_error error = STORE_ERROR_INIT;
	size_t done = 0, sent;

	while (done < buf->length) {
		wait_for(transport, true);
		ck_assert_int_eq(transport->kind->write(
					 transport, buf->data + done,
					 buf->length - done, &sent, &error),
				 STORE_OK);
		done += sent;
	}
}

/* The next packet, in `buf`. */
static struct sftp_frame receive(struct sftp_transport *transport,
				 struct buf *buf)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_frame frame = { 0 };
	char c;
	size_t got;

	buf_clear(buf);
	while (!frame.size) {
		wait_for(transport, false);
		ck_assert_msg(
			!transport->kind->read(transport, &c, 1, &got, &error),
			"%s", error.message);
		buf_add(buf, &c, got);
		ck_assert_int_eq(
			sftp_frame(buf->data, buf->length, MAX, &frame, &error),
			STORE_OK);
	}
	return frame;
}

static int read_until_end(struct sftp_transport *transport,
			  struct store_error *error)
{
	char byte;
	size_t got;
	int code;

	do {
		wait_for(transport, false);
		code = transport->kind->read(transport, &byte, 1, &got, error);
	} while (!code);
	return code;
}

static void add_lstat(struct buf *buf, uint32_t id, const char *path)
{
	size_t begin = sftp_request_begin(buf, SFTP_LSTAT, id);

	sftp_add_text(buf, path);
	sftp_packet_end(buf, begin);
}

START_TEST(several_requests_under_way_are_answered_by_openssh)
{
	struct sftp_transport *server = START("/usr/lib/openssh/sftp-server");
	CLEANUP_BUF struct buf requests = BUF_INIT(MAX);
	CLEANUP_BUF struct buf answer = BUF_INIT(MAX);
	struct store_error error = STORE_ERROR_INIT;
	size_t begin = sftp_packet_begin(&requests, SFTP_INIT);
	struct sftp_attributes attributes;
	struct sftp_frame frame;

	sftp_add_u32(&requests, 3);
	sftp_packet_end(&requests, begin);
	add_lstat(&requests, 71, "/");
	add_lstat(&requests, 72, "/nothing/is/here");
	send_all(server, &requests);

	frame = receive(server, &answer);
	ck_assert_uint_eq(frame.type, SFTP_VERSION);
	ck_assert_uint_eq(sftp_take_u32(&frame.body), 3);
	frame = receive(server, &answer);
	ck_assert_uint_eq(frame.type, SFTP_ATTRS);
	ck_assert_uint_eq(sftp_take_u32(&frame.body), 71);
	sftp_take_attributes(&frame.body, &attributes);
	ck_assert_int_eq(sftp_body_check(&frame.body, "attributes", &error),
			 STORE_OK);
	ck_assert_uint_eq(frame.body.left, 0);
	ck_assert(S_ISDIR(attributes.mode));
	frame = receive(server, &answer);
	ck_assert_uint_eq(frame.type, SFTP_STATUS);
	ck_assert_uint_eq(sftp_take_u32(&frame.body), 72);
	ck_assert_int_eq(sftp_take_status(&frame.body, &error),
			 STORE_NOT_FOUND);
	server->kind->close(server);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_named)
{
	const char *const argv[] = { "no-such-program-at-all", NULL };
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_transport *transport;

	ck_assert_int_eq(sftp_command_start(argv, &transport, &error),
			 STORE_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.message, argv[0]));
}
END_TEST

START_TEST(the_last_complaint_of_a_program_is_told)
{
	struct sftp_transport *transport =
		START("sh", "-c", "echo first >&2; echo no route >&2");
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(read_until_end(transport, &error), STORE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(error.message, ": no route"));
	ck_assert_ptr_null(strstr(error.message, "first"));
	transport->kind->close(transport);
}
END_TEST

START_TEST(a_program_that_complains_without_end_does_not_hang)
{
	struct sftp_transport *transport =
		START("sh", "-c", "head -c 1000000 /dev/zero >&2; exit 1");
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(read_until_end(transport, &error), STORE_UNAVAILABLE);
	transport->kind->close(transport);
}
END_TEST

START_TEST(nothing_blocks_on_a_program_that_is_silent)
{
	struct sftp_transport *transport = START(
		"sh", "-c", "trap '' TERM HUP; while :; do sleep 60; done");
	struct store_error error = STORE_ERROR_INIT;
	static const char data[4096];
	size_t moved = 1;
	char byte;

	ck_assert_int_eq(
		transport->kind->read(transport, &byte, 1, &moved, &error),
		STORE_OK);
	ck_assert_uint_eq(moved, 0);
	do
		ck_assert_int_eq(transport->kind->write(transport, data,
							sizeof(data), &moved,
							&error),
				 STORE_OK);
	while (moved);
	transport->kind->close(transport);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-command");

	tcase_add_test(tests,
		       several_requests_under_way_are_answered_by_openssh);
	tcase_add_test(tests, a_program_that_is_not_there_is_named);
	tcase_add_test(tests, the_last_complaint_of_a_program_is_told);
	tcase_add_test(tests,
		       a_program_that_complains_without_end_does_not_hang);
	tcase_add_test(tests, nothing_blocks_on_a_program_that_is_silent);
	return unit_run("sftp-command", tests);
}
