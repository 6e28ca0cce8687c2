// SPDX-License-Identifier: MIT
/* The proxy of the tests does what it is told, to whom, and counts rightly. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "tests/servers/place.h"
#include "tests/servers/proxy.h"
#include "tests/unit/http_server.h"
#include "tests/unit/unit.h"

enum { BIG = 300000, ANSWER_MAX = 4 << 20 };

static struct http_server server;
static char place[] = "/tmp/storefs-proxy-XXXXXX";
static struct proxy settings;
static int port;
static pid_t child;
static char big[BIG];
static struct buf answer;

/* ---- the server behind ---- */

static void send_big(const struct server_request *request)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
	http_server_text(request, head);
	if (strcmp(request->method, "HEAD") != 0)
		http_server_send(request, big, BIG);
}

static bool serve(struct server_request *request)
{
	if (strcmp(request->path, "/big") == 0)
		send_big(request);
	else if (strcmp(request->path, "/chunks") == 0)
		http_server_text(request, "HTTP/1.1 200 OK\r\n"
					  "Transfer-Encoding: chunked\r\n\r\n"
					  "5\r\nhello\r\n6;x=y\r\n world\r\n"
					  "0\r\nX-Trailer: 1\r\n\r\n");
	else if (strcmp(request->path, "/none") == 0)
		http_server_text(request, "HTTP/1.1 204 No\r\n\r\n");
	else
		http_server_text(
			request,
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	return true;
}

/* ---- fixtures ---- */

static void start(bool http)
{
	memcpy(place + sizeof(place) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(place));
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 31 >> 3);
	http_server_start(&server, serve);
	settings = (struct proxy){ .http = http, .port = server.port };
	settings.listener = place_listen(&port);
	settings.control = place_control(place);
	ck_assert_int_ge(settings.listener, 0);
	ck_assert_int_ge(settings.control, 0);
	buf_init(&answer, ANSWER_MAX);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(proxy_serve(&settings));
}

static void setup(void)
{
	start(true);
}

static void teardown(void)
{
	char path[64];

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(settings.listener);
	close(settings.control);
	http_server_stop(&server);
	buf_release(&answer);
	snprintf(path, sizeof(path), "%s/control", place);
	unlink(path);
	rmdir(place);
}

/* ---- a client ---- */

static bool tell(const char *line)
{
	char words[256];
	char *all[16];
	size_t count = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *at = words; at; count++)
		all[count] = strsep(&at, " ");
	all[count] = NULL;
	buf_clear(&answer);
	return place_tell(place, all, &answer);
}

/* Of a send: who meets a reset first hears of it, and nobody after. */
static int say_error;

static int dial(void)
{
	struct pollfd ready = { .fd = place_connect(port), .events = POLLOUT };
	int flags = fcntl(ready.fd, F_GETFL);

	ck_assert_int_ge(ready.fd, 0);
	ck_assert_int_eq(poll(&ready, 1, 10000), 1);
	say_error = 0;
	ck_assert_int_eq(fcntl(ready.fd, F_SETFL, flags & ~O_NONBLOCK), 0);
	return ready.fd;
}

static void say(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent < 0) {
			say_error = errno == EPIPE ? ECONNRESET : errno;
			return;
		}
		data += sent;
		length -= (size_t)sent;
	}
}

/* Up to `most` bytes into `answer`: 0, or errno when the connection broke. */
static int hear(int fd, size_t most)
{
	buf_clear(&answer);
	while (answer.length < most) {
		char data[65536];
		size_t room = most - answer.length;
		ssize_t got = recv(
			fd, data, room < sizeof(data) ? room : sizeof(data), 0);

		if (got < 0)
			return errno;
		if (!got)
			return say_error;
		buf_add(&answer, data, (size_t)got);
	}
	return 0;
}

/* One whole message into `answer`; its status. */
static int hear_message(int fd)
{
	struct message message = { .done = false };
	int status = 0;
	char byte;

	buf_clear(&answer);
	while (!strstr(buf_text(&answer), "\r\n\r\n")) {
		ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
		buf_add(&answer, &byte, 1);
	}
	ck_assert_int_eq(sscanf(answer.data, "HTTP/1.1 %d", &status), 1);
	message_of_answer(&message, answer.data, status, false);
	while (!message.done) {
		ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
		ck_assert_uint_eq(message_take(&message, &byte, 1), 1);
		buf_add(&answer, &byte, 1);
	}
	return status;
}

static void request(int fd, const char *verb, const char *target)
{
	char head[256];
	int length =
		snprintf(head, sizeof(head),
			 "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", verb, target);

	say(fd, head, (size_t)length);
}

static void put(int fd, const char *target, size_t length)
{
	char head[256];
	int some = snprintf(head, sizeof(head),
			    "PUT %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n",
			    target, length);

	say(fd, head, (size_t)some);
	say(fd, big, length);
}

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char big_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 300000"
			       "\r\n\r\n";

static void expect_ok(int fd)
{
	ck_assert_int_eq(hear(fd, sizeof(ok) - 1), 0);
	ck_assert_str_eq(buf_text(&answer), ok);
}

static void expect_count(const char *filter, const char *wanted)
{
	char line[128];

	snprintf(line, sizeof(line), "count %s", filter);
	ck_assert(tell(line));
	ck_assert_str_eq(buf_text(&answer), wanted);
}

static int requests_served(void)
{
	return atomic_load(&server.requests);
}

/* ---- passing on ---- */

START_TEST(bytes_pass_and_are_counted_by_verb)
{
	int fd = dial();

	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
	ck_assert_mem_eq(answer.data, big_head, sizeof(big_head) - 1);
	ck_assert_mem_eq(answer.data + sizeof(big_head) - 1, big, BIG);
	request(fd, "HEAD", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1), 0);
	put(fd, "/x", 100000);
	expect_ok(fd);
	request(fd, "DELETE", "/none");
	ck_assert_int_eq(hear(fd, 19), 0);
	request(fd, "GET", "/y");
	expect_ok(fd);
	ck_assert(tell("counts"));
	ck_assert_ptr_nonnull(strstr(buf_text(&answer),
				     "GET 2 0 300002\nHEAD 1 0 0\n"
				     "PUT 1 100000 2\nDELETE 1 0 0\n"
				     "connections 1\nwire "));
	expect_count("target=/y", "1 0 2\n");
	ck_assert(tell("requests verb=P*"));
	ck_assert_str_eq(buf_text(&answer), "PUT /x 200 100000 2\n");
	ck_assert(tell("forget"));
	expect_count("verb=*", "0 0 0\n");
	close(fd);
}
END_TEST

START_TEST(chunks_are_followed_to_their_end)
{
	int fd = dial();

	for (int i = 0; i < 3; i++) {
		request(fd, "GET", "/chunks");
		ck_assert_int_eq(hear_message(fd), 200);
		ck_assert_ptr_nonnull(strstr(buf_text(&answer), "X-Trailer"));
		request(fd, "GET", "/ok");
		expect_ok(fd);
	}
	expect_count("target=/ok", "3 0 6\n");
	close(fd);
}
END_TEST

START_TEST(a_delay_is_that_of_a_round_trip)
{
	int64_t start_ns = clock_monotonic_ns();
	int fd;

	ck_assert(tell("delay 60"));
	fd = dial();
	request(fd, "GET", "/ok");
	expect_ok(fd);
	ck_assert_int_ge(clock_monotonic_ns() - start_ns, 120 * NS_PER_MS);
	start_ns = clock_monotonic_ns();
	request(fd, "GET", "/ok");
	expect_ok(fd);
	ck_assert_int_ge(clock_monotonic_ns() - start_ns, 60 * NS_PER_MS);
	ck_assert(tell("delay 0"));
	close(fd);
}
END_TEST

START_TEST(a_rate_is_kept)
{
	int64_t start_ns = clock_monotonic_ns();
	int fd = dial();

	ck_assert(tell("rate 1000000"));
	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
	ck_assert_mem_eq(answer.data + sizeof(big_head) - 1, big, BIG);
	ck_assert_int_ge(clock_monotonic_ns() - start_ns, 290 * NS_PER_MS);
	close(fd);
}
END_TEST

/* In its own process: the time it needs is told when it has ended. */
START_TEST(half_a_gigabyte_costs_less_than_a_second)
{
	struct rusage used;
	int fd = dial();
	int64_t us;

	for (int i = 0; i < 400; i++) {
		request(fd, "GET", "/big");
		ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
	}
	close(fd);
	kill(child, SIGKILL);
	ck_assert_int_eq(wait4(child, NULL, 0, &used), child);
	us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	     used.ru_utime.tv_usec + used.ru_stime.tv_usec;
	/* 120 MB went through. */
	printf("# %lld ms for 120 MB\n", (long long)us / 1000);
	ck_assert_int_lt(us, 240000);
}
END_TEST

/* ---- faults ---- */

START_TEST(a_lost_answer_had_reached_the_server)
{
	int fd = dial();

	ck_assert(tell("fault reset-answer verb=PUT"));
	put(fd, "/x", 1000);
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	ck_assert_int_eq(requests_served(), 1);
	close(fd);
	ck_assert(tell("requests"));
	ck_assert_str_eq(buf_text(&answer), "PUT /x 0 1000 0\n");
	/* Once. */
	fd = dial();
	put(fd, "/x", 1000);
	expect_ok(fd);
	close(fd);
}
END_TEST

START_TEST(a_reset_request_has_not)
{
	int fd = dial();

	ck_assert(tell("fault reset-request"));
	put(fd, "/x", 1000);
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	close(fd);
	ck_assert(tell("fault reset-request at=500"));
	fd = dial();
	put(fd, "/x", 1000);
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	close(fd);
	ck_assert_int_eq(requests_served(), 0);
	expect_count("verb=PUT", "2 500 0\n");
}
END_TEST

START_TEST(an_answer_is_cut_where_it_was_asked_for)
{
	static const size_t places[] = { 0, 1, 100000, BIG - 1 };
	char line[64];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = dial();

		snprintf(line, sizeof(line), "fault cut-answer at=%zu",
			 places[i]);
		ck_assert(tell(line));
		request(fd, "GET", "/big");
		ck_assert_int_eq(hear(fd, ANSWER_MAX), 0);
		ck_assert_uint_eq(answer.length,
				  sizeof(big_head) - 1 + places[i]);
		close(fd);
	}
	for (int at = 0; at < 2; at++) {
		int fd = dial();

		ck_assert(tell(at ? "fault reset-answer at=100"
				  : "fault cut-answer"));
		request(fd, "GET", "/big");
		ck_assert_int_eq(hear(fd, ANSWER_MAX), at ? ECONNRESET : 0);
		ck_assert_uint_le(answer.length,
				  at ? sizeof(big_head) - 1 + 100 : 0);
		close(fd);
	}
}
END_TEST

START_TEST(one_bit_is_flipped)
{
	static const size_t places[] = { 0, 77777, BIG - 1 };
	char line[64];
	int fd = dial();

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *body;

		snprintf(line, sizeof(line), "fault flip-answer at=%zu",
			 places[i]);
		ck_assert(tell(line));
		request(fd, "GET", "/big");
		ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
		body = answer.data + sizeof(big_head) - 1;
		ck_assert_int_eq(body[places[i]] ^ big[places[i]], 1);
		body[places[i]] ^= 1;
		ck_assert_mem_eq(body, big, BIG);
	}
	close(fd);
}
END_TEST

START_TEST(a_stall_lasts_as_long_as_it_should)
{
	int64_t start_ns = clock_monotonic_ns();
	struct pollfd more;
	int fd = dial();

	ck_assert(tell("fault stall-answer at=1000 ms=150"));
	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
	ck_assert_mem_eq(answer.data + sizeof(big_head) - 1, big, BIG);
	ck_assert_int_ge(clock_monotonic_ns() - start_ns, 150 * NS_PER_MS);
	ck_assert(tell("fault stall-answer at=1000"));
	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + 1000), 0);
	more = (struct pollfd){ .fd = fd, .events = POLLIN };
	ck_assert_int_eq(poll(&more, 1, 100), 0);
	close(fd);
}
END_TEST

START_TEST(a_hole_swallows)
{
	struct pollfd more;
	int fd = dial();

	ck_assert(tell("fault hole target=/x*"));
	put(fd, "/x/y", BIG);
	more = (struct pollfd){ .fd = fd, .events = POLLIN };
	ck_assert_int_eq(poll(&more, 1, 100), 0);
	ck_assert_int_eq(requests_served(), 0);
	expect_count("verb=PUT", "1 0 0\n");
	close(fd);
}
END_TEST

START_TEST(answers_of_its_own_keep_the_connection)
{
	int fd = dial();

	ck_assert(tell("fault answer status=503 retry=2 count=2"));
	for (int i = 0; i < 2; i++) {
		put(fd, "/x", 5000);
		ck_assert_int_eq(hear_message(fd), 503);
		ck_assert_ptr_nonnull(
			strstr(buf_text(&answer), "\r\nRetry-After: 2\r\n"));
		ck_assert_ptr_nonnull(strstr(buf_text(&answer), "SlowDown"));
	}
	put(fd, "/x", 5000);
	expect_ok(fd);
	ck_assert_int_eq(requests_served(), 1);
	close(fd);
}
END_TEST

START_TEST(faults_hit_whom_they_should)
{
	static const int wanted[] = { 200, 200, 503, 200, 200,
				      200, 503, 200, 200 };
	int fd = dial();

	ck_assert(tell("fault answer verb=GET target=*key skip=1 every=2"
		       " count=1"));
	ck_assert(tell("fault answer verb=GET target=*key skip=4 every=2"
		       " count=1"));
	ck_assert(tell("fault answer verb=PUT"));
	for (size_t i = 0; i < 9; i++) {
		bool other = i == 3 || i == 8;

		request(fd, "GET", other ? "/else" : "/a/key");
		ck_assert_int_eq(hear_message(fd), wanted[i]);
	}
	ck_assert(tell("faults"));
	ck_assert_ptr_nonnull(strstr(buf_text(&answer),
				     "answer verb=PUT target=* seen=0 hits=0"));
	ck_assert(tell("clear"));
	ck_assert(tell("faults"));
	ck_assert_str_eq(buf_text(&answer), "");
	close(fd);
}
END_TEST

START_TEST(nobody_gets_in_or_through)
{
	struct pollfd more;
	int fd;

	ck_assert(tell("fault refuse"));
	fd = dial();
	request(fd, "GET", "/ok");
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	close(fd);
	fd = dial();
	ck_assert(tell("dark"));
	request(fd, "GET", "/ok");
	more = (struct pollfd){ .fd = fd, .events = POLLIN };
	ck_assert_int_eq(poll(&more, 1, 50), 0);
	ck_assert(tell("light"));
	expect_ok(fd);
	ck_assert(tell("drop"));
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	close(fd);
}
END_TEST

START_TEST(what_it_does_not_know_is_refused)
{
	static const char *const lines[] = {
		"nothing",
		"fault",
		"fault nothing",
		"fault hole verb",
		"fault hole at=x",
		"fault hole at=-1",
		"fault hole every=0",
		"fault answer status=99",
		"delay",
		"delay x",
		"rate",
		"count path=x",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_msg(!tell(lines[i]), "%s", lines[i]);
		ck_assert_uint_gt(answer.length, 0);
	}
}
END_TEST

/* ---- any TCP ---- */

static void setup_tcp(void)
{
	start(false);
}

START_TEST(any_protocol_passes)
{
	int fd = dial();

	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, sizeof(big_head) - 1 + BIG), 0);
	ck_assert_mem_eq(answer.data + sizeof(big_head) - 1, big, BIG);
	/* The end of one side is passed on, too. */
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(hear(fd, 1), 0);
	ck_assert_uint_eq(answer.length, 0);
	close(fd);
	expect_count("verb=*", "1 30 300043\n");
}
END_TEST

START_TEST(any_protocol_is_cut)
{
	int fd;

	ck_assert(tell("fault cut-answer at=1234"));
	fd = dial();
	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, ANSWER_MAX), 0);
	ck_assert_uint_eq(answer.length, 1234);
	close(fd);
	ck_assert(tell("fault reset-request at=10"));
	fd = dial();
	request(fd, "GET", "/big");
	ck_assert_int_eq(hear(fd, 1), ECONNRESET);
	close(fd);
}
END_TEST

int main(void)
{
	TCase *http = tcase_create("proxy");
	TCase *tcp = tcase_create("proxy-tcp");
	TCase *cases[] = { http, tcp, NULL };

	tcase_add_checked_fixture(http, setup, teardown);
	tcase_add_checked_fixture(tcp, setup_tcp, teardown);
	tcase_set_timeout(http, 60);
	tcase_set_timeout(tcp, 60);
	tcase_add_test(http, bytes_pass_and_are_counted_by_verb);
	tcase_add_test(http, chunks_are_followed_to_their_end);
	tcase_add_test(http, a_delay_is_that_of_a_round_trip);
	tcase_add_test(http, a_rate_is_kept);
	tcase_add_test(http, half_a_gigabyte_costs_less_than_a_second);
	tcase_add_test(http, a_lost_answer_had_reached_the_server);
	tcase_add_test(http, a_reset_request_has_not);
	tcase_add_test(http, an_answer_is_cut_where_it_was_asked_for);
	tcase_add_test(http, one_bit_is_flipped);
	tcase_add_test(http, a_stall_lasts_as_long_as_it_should);
	tcase_add_test(http, a_hole_swallows);
	tcase_add_test(http, answers_of_its_own_keep_the_connection);
	tcase_add_test(http, faults_hit_whom_they_should);
	tcase_add_test(http, nobody_gets_in_or_through);
	tcase_add_test(http, what_it_does_not_know_is_refused);
	tcase_add_test(tcp, any_protocol_passes);
	tcase_add_test(tcp, any_protocol_is_cut);
	return unit_run_cases("proxy", cases);
}
