// SPDX-License-Identifier: MIT
/* The HTTP engine against a server that behaves as badly as it is told. */
#include "config.h"

#include "backends/http/http.h"
#include "src/base/clock.h"
#include "src/wire.h"
#include "src/cancel.h"
#include "tests/unit/http_server.h"
#include "tests/unit/unit.h"

static struct http_server server;
static struct http_engine *engine;
static struct http_settings settings;

static bool stalls_once(struct server_request *request)
{
	if (!atomic_fetch_add(&request->server->marks, 1)) {
		http_server_wait(request);
		return false;
	}
	http_server_text(request,
			 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	return true;
}

/* The first connection is closed without a word. */
static bool closes_once(struct server_request *request)
{
	if (!atomic_fetch_add(&request->server->marks, 1))
		return false;
	http_server_text(request,
			 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	return true;
}

static bool trickle(struct server_request *request)
{
	http_server_text(request,
			 "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 1000; i++) {
		struct timespec pause = { 0, 20 * NS_PER_MS };

		if (send(request->fd, "x", 1, MSG_NOSIGNAL) != 1)
			break;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool too_many_headers(struct server_request *request)
{
	http_server_text(request, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++)
		http_server_text(
			request,
			"X-Filler: 0123456789012345678901234567890\r\n");
	http_server_text(request, "Content-Length: 0\r\n\r\n");
	return false;
}

static bool echo(struct server_request *request)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nAsked: %d\r\n\r\n",
		 request->length,
		 strcasestr(request->head, "\r\nexpect:") != NULL);
	http_server_text(request, head);
	http_server_send(request, request->body, request->length);
	return true;
}

/* It has all of the request, and answers when it is told to. */
static bool late(struct server_request *request)
{
	atomic_store(&request->server->marks, 1);
	while (atomic_load(&request->server->marks) == 1)
		sched_yield();
	return echo(request);
}

static bool answer(struct server_request *request)
{
	static const struct {
		const char *path;
		const char *text;
	} texts[] = {
		{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
			 "ETag: \"e\"\r\nX-Odd:   a  b \r\n\r\nhello" },
		{ "/busy", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n"
			   "Retry-After: 7\r\n\r\nbusy" },
		{ "/moved", "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n"
			    "Location: /ok\r\n\r\n" },
		{ "/long", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
			   "012345678" },
	};

	if (strcmp(request->path, "/echo") == 0)
		return echo(request);
	if (strcmp(request->path, "/late") == 0)
		return late(request);
	if (strcmp(request->path, "/stall-once") == 0)
		return stalls_once(request);
	if (strcmp(request->path, "/close-once") == 0)
		return closes_once(request);
	if (strcmp(request->path, "/trickle") == 0)
		return trickle(request);
	if (strcmp(request->path, "/headers") == 0)
		return too_many_headers(request);
	if (strcmp(request->path, "/short") == 0) {
		http_server_text(request, "HTTP/1.1 200 OK\r\n"
					  "Content-Length: 10\r\n\r\nhello");
		return false;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(request->path, texts[i].path) == 0) {
			http_server_text(request, texts[i].text);
			return true;
		}
	http_server_wait(request);
	return false;
}

static void setup(void)
{
	settings = (struct http_settings){ .proxy = "" };
	http_server_start(&server, answer);
	engine = NULL;
}

static void teardown(void)
{
	http_engine_free(engine);
	http_server_stop(&server);
}

static const char *url(const char *path)
{
	static _Thread_local char text[4][128];
	static _Thread_local int next;

	next = (next + 1) % 4;
	snprintf(text[next], sizeof(text[next]), "http://127.0.0.1:%d%s",
		 server.port, path);
	return text[next];
}

static int perform_in(struct store_context *context,
		      struct http_exchange *exchange)
{
	struct http_exchange *all[] = { exchange };

	if (!engine)
		ck_assert_int_eq(http_engine_new(&settings, &engine, NULL), 0);
	return http_perform(engine, context, all, 1);
}

static int perform(struct http_exchange *exchange)
{
	struct store_context context;

	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	return perform_in(&context, exchange);
}

static void get(struct http_exchange *exchange, const char *path)
{
	*exchange = (struct http_exchange){
		.request = { .method = "GET",
			     .url = url(path),
			     .idempotent = true },
	};
}

/* ---- answers ---- */

START_TEST(an_answer_has_status_headers_and_body)
{
	struct http_exchange exchange;

	get(&exchange, "/ok");
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_int_eq(exchange.response.status, 200);
	ck_assert_str_eq(buf_text(&exchange.response.body), "hello");
	ck_assert_str_eq(http_header(&exchange.response, "etag"), "\"e\"");
	ck_assert_str_eq(http_header(&exchange.response, "x-odd"), "a  b");
	ck_assert_ptr_null(http_header(&exchange.response, "x-none"));
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(every_status_is_an_answer_and_tells_when_to_come_again)
{
	struct http_exchange exchange;

	get(&exchange, "/busy");
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_int_eq(exchange.response.status, 503);
	ck_assert_int_eq(exchange.response.retry_after_ms, 7000);
	ck_assert_int_eq(http_status_code(503), STORE_UNAVAILABLE);
	http_exchange_release(&exchange);
	get(&exchange, "/moved");
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_int_eq(exchange.response.status, 301);
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(a_body_fills_the_room_it_is_given_and_no_more)
{
	struct http_exchange exchange;
	char data[9];

	get(&exchange, "/long");
	exchange.request.data = data;
	exchange.request.room = sizeof(data);
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_uint_eq(exchange.response.got, sizeof(data));
	ck_assert_mem_eq(data, "012345678", sizeof(data));
	http_exchange_release(&exchange);
	get(&exchange, "/long");
	exchange.request.data = data;
	exchange.request.room = sizeof(data) - 1;
	ck_assert_int_eq(perform(&exchange), STORE_CORRUPT);
	http_exchange_release(&exchange);
	/* What is no success goes elsewhere. */
	get(&exchange, "/busy");
	exchange.request.data = data;
	exchange.request.room = sizeof(data);
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_uint_eq(exchange.response.got, 0);
	ck_assert_str_eq(buf_text(&exchange.response.body), "busy");
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(bodies_and_headers_are_bounded)
{
	struct http_exchange exchange;

	get(&exchange, "/long");
	exchange.request.body_max = 8;
	ck_assert_int_eq(perform(&exchange), STORE_TOO_LARGE);
	http_exchange_release(&exchange);
	get(&exchange, "/headers");
	ck_assert_int_eq(perform(&exchange), STORE_TOO_LARGE);
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(an_answer_cut_short_is_no_answer)
{
	struct http_exchange exchange;

	get(&exchange, "/short");
	ck_assert_int_eq(perform(&exchange), STORE_UNAVAILABLE);
	ck_assert_str_ne(exchange.error.message, "");
	http_exchange_release(&exchange);
}
END_TEST

/* ---- connections ---- */

static uint64_t of_gets(enum wire_count count)
{
	return atomic_load(&http_wire(engine)->values[WIRE_GET][count]);
}

START_TEST(connections_are_kept_and_shared)
{
	struct http_exchange exchange;

	for (int i = 0; i < 10; i++) {
		get(&exchange, "/ok");
		ck_assert_int_eq(perform(&exchange), STORE_OK);
		http_exchange_release(&exchange);
	}
	ck_assert_int_eq(atomic_load(&server.connections), 1);
	ck_assert_uint_eq(of_gets(WIRE_REQUESTS), 10);
	ck_assert_uint_eq(of_gets(WIRE_CONNECTIONS), 1);
	ck_assert_uint_eq(of_gets(WIRE_RECEIVED), 50);
	ck_assert_uint_eq(of_gets(WIRE_FAILED), 0);
}
END_TEST

START_TEST(two_exchanges_run_beside_each_other)
{
	struct http_exchange one;
	struct http_exchange two;
	struct http_exchange *both[] = { &one, &two };
	struct store_context context;

	settings.resend_ns = 100 * NS_PER_MS;
	ck_assert_int_eq(http_engine_new(&settings, &engine, NULL), 0);
	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	get(&one, "/ok");
	get(&two, "/stall-once");
	ck_assert_int_eq(http_perform(engine, &context, both, 2), STORE_OK);
	ck_assert_str_eq(buf_text(&one.response.body), "hello");
	ck_assert_str_eq(buf_text(&two.response.body), "ok");
	http_exchange_release(&one);
	http_exchange_release(&two);
}
END_TEST

START_TEST(nobody_listening_is_unavailable)
{
	struct http_exchange exchange;

	get(&exchange, "/ok");
	exchange.request.url = "http://127.0.0.1:1/";
	ck_assert_int_eq(perform(&exchange), STORE_UNAVAILABLE);
	http_exchange_release(&exchange);
	get(&exchange, "/ok");
	exchange.request.url = "file:///etc/passwd";
	ck_assert_int_eq(perform(&exchange), STORE_INVALID);
	http_exchange_release(&exchange);
}
END_TEST

/* ---- sending again ---- */

START_TEST(what_may_be_sent_twice_is_sent_again_when_lost)
{
	struct http_exchange exchange;

	get(&exchange, "/close-once");
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_str_eq(buf_text(&exchange.response.body), "ok");
	http_exchange_release(&exchange);
	ck_assert_int_eq(atomic_load(&server.requests), 2);
}
END_TEST

START_TEST(what_may_not_be_sent_twice_is_not)
{
	struct http_exchange exchange;

	get(&exchange, "/close-once");
	exchange.request.idempotent = false;
	ck_assert_int_eq(perform(&exchange), STORE_UNAVAILABLE);
	http_exchange_release(&exchange);
	ck_assert_int_eq(atomic_load(&server.requests), 1);
}
END_TEST

START_TEST(a_stalled_read_is_sent_again)
{
	struct http_exchange exchange;

	settings.resend_ns = 100 * NS_PER_MS;
	get(&exchange, "/stall-once");
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_str_eq(buf_text(&exchange.response.body), "ok");
	http_exchange_release(&exchange);
	ck_assert_uint_eq(of_gets(WIRE_AGAIN), 1);
	ck_assert_uint_eq(of_gets(WIRE_REQUESTS), 2);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_stall_ends_with_the_context)
{
	struct http_exchange exchange;
	struct store_context context;
	int64_t start = clock_monotonic_ns();

	store_context_init(&context, 200 * NS_PER_MS, NULL);
	get(&exchange, "/hang");
	ck_assert_int_eq(perform_in(&context, &exchange), STORE_TIMEOUT);
	ck_assert_int_lt(clock_monotonic_ns() - start, 10 * NS_PER_SEC);
	http_exchange_release(&exchange);
}
END_TEST

static void *cancel_soon(void *arg)
{
	struct timespec pause = { 0, 50 * NS_PER_MS };

	nanosleep(&pause, NULL);
	store_cancel_trigger(arg);
	return NULL;
}

START_TEST(cancelling_ends_a_request_at_once)
{
	struct store_cancel *cancel = store_cancel_new();
	struct http_exchange exchange;
	struct store_context context;
	int64_t start;
	pthread_t thread;

	/* No limit but the flag; the loop would sleep for a second. */
	store_context_init(&context, 0, cancel);
	get(&exchange, "/ok");
	ck_assert_int_eq(perform_in(&context, &exchange), STORE_OK);
	http_exchange_release(&exchange);
	get(&exchange, "/hang");
	start = clock_monotonic_ns();
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
	ck_assert_int_eq(perform_in(&context, &exchange), STORE_CANCELLED);
	ck_assert_int_lt(clock_monotonic_ns() - start, 900 * NS_PER_MS);
	pthread_join(thread, NULL);
	http_exchange_release(&exchange);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(a_trickle_is_given_up)
{
	struct http_exchange exchange;

	settings.low_speed = 10000;
	settings.low_speed_ns = 300 * NS_PER_MS;
	get(&exchange, "/trickle");
	ck_assert_int_eq(perform(&exchange), STORE_TIMEOUT);
	http_exchange_release(&exchange);
}
END_TEST

/* ---- sending ---- */

static int read_pattern(void *arg, uint64_t offset, void *data, size_t length,
			struct store_error *error)
{
	unsigned char *to = data;

	(void)arg;
	(void)error;
	for (size_t i = 0; i < length; i++)
		to[i] = (unsigned char)((offset + i) * 7);
	return STORE_OK;
}

static int read_fails(void *arg, uint64_t offset, void *data, size_t length,
		      struct store_error *error)
{
	(void)arg;
	(void)offset;
	(void)data;
	(void)length;
	return store_error_set(error, STORE_CORRUPT, "the source is bad");
}

START_TEST(a_body_arrives_as_it_was_given)
{
	struct http_body body = { .size = 900001, .read = read_pattern };
	struct http_exchange exchange;
	const unsigned char *found;

	get(&exchange, "/echo");
	exchange.request.method = "PUT";
	exchange.request.body = &body;
	ck_assert_int_eq(perform(&exchange), STORE_OK);
	ck_assert_uint_eq(exchange.response.body.length, body.size);
	found = (const unsigned char *)exchange.response.body.data;
	for (size_t i = 0; i < body.size; i++)
		if (found[i] != (unsigned char)(i * 7))
			ck_abort_msg("byte %zu", i);
	http_exchange_release(&exchange);
}
END_TEST

/* What would wait for "100 Continue" costs a round trip more, or a second. */
START_TEST(only_a_large_body_asks_before_it_comes)
{
	static const struct {
		uint64_t size;
		const char *asked;
	} cases[] = { { 1100, "0" }, { 1 << 20, "1" } };

	for (size_t i = 0; i < 2; i++) {
		struct http_body body = { .size = cases[i].size,
					  .read = read_pattern };
		struct http_exchange exchange;

		get(&exchange, "/echo");
		exchange.request.method = "POST";
		exchange.request.body = &body;
		ck_assert_int_eq(perform(&exchange), STORE_OK);
		ck_assert_str_eq(http_header(&exchange.response, "asked"),
				 cases[i].asked);
		http_exchange_release(&exchange);
	}
}
END_TEST

START_TEST(a_source_that_fails_is_the_failure)
{
	struct http_body body = { .size = 100, .read = read_fails };
	struct http_exchange exchange;

	get(&exchange, "/echo");
	exchange.request.method = "PUT";
	exchange.request.body = &body;
	ck_assert_int_eq(perform(&exchange), STORE_CORRUPT);
	ck_assert_str_eq(exchange.error.message, "the source is bad");
	http_exchange_release(&exchange);
}
END_TEST

/* ---- changes that are cancelled ---- */

struct cancelling {
	struct store_cancel *cancel;
	bool answers; /* a while after the loop has seen the flag */
};

enum { GIVES_WAY, ENDS };

static void *cancel_what_was_sent(void *arg)
{
	const struct cancelling *what = arg;

	while (!atomic_load(&server.marks))
		sched_yield();
	store_cancel_trigger(what->cancel);
	nanosleep(&(struct timespec){ 0, 100 * NS_PER_MS }, NULL);
	if (what->answers)
		atomic_store(&server.marks, 2);
	return NULL;
}

static int put_and_cancel(struct http_exchange *exchange, int how, bool answers,
			  bool unseen, int64_t stall_ns)
{
	struct http_body body = { .size = 1000, .read = read_pattern };
	struct store_cancel *above = store_cancel_new();
	struct store_cancel *cancel = cancel_new_below(above);
	struct cancelling what = { how == ENDS ? above : cancel, answers };
	struct store_context context;
	pthread_t thread;
	int code;

	store_context_init(&context, stall_ns, cancel);
	get(exchange, "/late");
	exchange->request.method = "PUT";
	exchange->request.body = &body;
	exchange->request.unseen = unseen;
	ck_assert_int_eq(
		pthread_create(&thread, NULL, cancel_what_was_sent, &what), 0);
	code = perform_in(&context, exchange);
	pthread_join(thread, NULL);
	atomic_store(&server.marks, 2);
	store_cancel_free(cancel);
	store_cancel_free(above);
	return code;
}

START_TEST(the_answer_to_a_change_that_was_sent_is_heard)
{
	struct http_exchange exchange;

	/* The time of who only gives way does not end with it. */
	settings.last_answer_ns = _i == ENDS ? 50 * NS_PER_SEC : 1;
	ck_assert_int_eq(put_and_cancel(&exchange, _i, true, false, 0),
			 STORE_OK);
	ck_assert_int_eq(exchange.response.status, 200);
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(the_answer_to_a_change_is_not_waited_for_long)
{
	struct http_exchange exchange;
	int64_t start = clock_monotonic_ns();

	ck_assert_int_eq(
		put_and_cancel(&exchange, _i, false, false, 2 * NS_PER_SEC),
		STORE_CANCELLED);
	ck_assert_int_lt(clock_monotonic_ns() - start, 10 * NS_PER_SEC);
	http_exchange_release(&exchange);
}
END_TEST

START_TEST(what_nobody_sees_may_come_late)
{
	struct http_exchange exchange;

	settings.last_answer_ns = 50 * NS_PER_SEC;
	ck_assert_int_eq(put_and_cancel(&exchange, _i, false, true, 0),
			 STORE_CANCELLED);
	http_exchange_release(&exchange);
}
END_TEST

/* ---- threads, dates ---- */

static void *many_requests(void *arg)
{
	struct http_exchange exchange;

	(void)arg;
	for (int i = 0; i < 50; i++) {
		get(&exchange, "/ok");
		exchange.request.url = arg;
		if (perform(&exchange) ||
		    strcmp(buf_text(&exchange.response.body), "hello") != 0)
			return arg;
		http_exchange_release(&exchange);
	}
	return NULL;
}

START_TEST(threads_share_an_engine)
{
	char address[128];
	pthread_t threads[8];

	snprintf(address, sizeof(address), "%s", url("/ok"));
	ck_assert_int_eq(http_engine_new(&settings, &engine, NULL), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						many_requests, address),
				 0);
	for (int i = 0; i < 8; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_int_eq(atomic_load(&server.requests), 400);
	ck_assert_int_le(atomic_load(&server.connections), 8);
}
END_TEST

START_TEST(hints_are_seconds_or_dates)
{
	ck_assert_int_eq(http_retry_after("3"), 3000);
	ck_assert_int_eq(http_retry_after("0"), 0);
	ck_assert_int_eq(http_retry_after("soon"), 0);
	ck_assert_int_eq(http_retry_after("99999999999999999999"), 0);
	ck_assert_int_eq(http_retry_after("1000000"), 86400000);
	ck_assert_int_eq(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
	ck_assert_int_eq(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	ck_assert_int_eq(http_date("nonsense"), -1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("http");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, an_answer_has_status_headers_and_body);
	tcase_add_test(tests,
		       every_status_is_an_answer_and_tells_when_to_come_again);
	tcase_add_test(tests, a_body_fills_the_room_it_is_given_and_no_more);
	tcase_add_test(tests, bodies_and_headers_are_bounded);
	tcase_add_test(tests, an_answer_cut_short_is_no_answer);
	tcase_add_test(tests, connections_are_kept_and_shared);
	tcase_add_test(tests, two_exchanges_run_beside_each_other);
	tcase_add_test(tests, nobody_listening_is_unavailable);
	tcase_add_test(tests, what_may_be_sent_twice_is_sent_again_when_lost);
	tcase_add_test(tests, what_may_not_be_sent_twice_is_not);
	tcase_add_test(tests, a_stalled_read_is_sent_again);
	tcase_add_test(tests, a_stall_ends_with_the_context);
	tcase_add_test(tests, cancelling_ends_a_request_at_once);
	tcase_add_loop_test(
		tests, the_answer_to_a_change_that_was_sent_is_heard, 0, 2);
	tcase_add_loop_test(
		tests, the_answer_to_a_change_is_not_waited_for_long, 0, 2);
	tcase_add_loop_test(tests, what_nobody_sees_may_come_late, 0, 2);
	tcase_add_test(tests, a_trickle_is_given_up);
	tcase_add_test(tests, a_body_arrives_as_it_was_given);
	tcase_add_test(tests, only_a_large_body_asks_before_it_comes);
	tcase_add_test(tests, a_source_that_fails_is_the_failure);
	tcase_add_test(tests, threads_share_an_engine);
	tcase_add_test(tests, hints_are_seconds_or_dates);
	return unit_run("http", tests);
}
