// SPDX-License-Identifier: MIT
/* What the trace of requests shows, and what it never shows. */
#include "config.h"

#include "backends/http/http.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/wire.h"
#include "tests/unit/http_server.h"
#include "tests/unit/unit.h"

static struct http_server server;
static struct http_engine *engine;

static bool answer(struct server_request *request)
{
	http_server_text(request,
			 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	return true;
}

static void setup(void)
{
	const struct http_settings settings = { .proxy = "" };

	http_server_start(&server, answer);
	ck_assert_int_eq(http_engine_new(&settings, &engine, NULL), STORE_OK);
}

static void teardown(void)
{
	http_engine_free(engine);
	http_server_stop(&server);
}

START_TEST(a_traced_request_tells_where_and_how_long)
{
	const struct wire_request request = {
		.method = "PUT",
		.url = "https://store.example:9000/bucket/a%20b",
		.status = 200,
		.attempt = 2,
		.name_ns = 1500000,
		.total_ns = 12 * NS_PER_MS,
		.bytes_in = 3,
		.bytes_out = 4,
		.trace_id = 10,
	};
	struct wire_shown shown;

	ck_assert_str_eq(wire_show(&shown, &request),
			 "request 000000000000000a PUT "
			 "store.example:9000/bucket/a%20b try 2 OK status 200 "
			 "sent 4 got 3 kept connection, ms: name 1.5 "
			 "connect 0.0 tls 0.0 first byte 0.0 total 12.0");
}
END_TEST

START_TEST(a_traced_request_shows_no_secret)
{
	static const char *const urls[] = {
		"http://user:SECRET@host/key?X-Amz-Signature=SECRET#SECRET",
		"http://SECRET@SECRET@host/key?token=SECRET",
		"http://user:SECRET@host?SECRET/key",
		"http://host#SECRET@SECRET/key",
		"user:SECRET@host/key?SECRET",
		"host/key?SECRET=http://SECRET",
	};
	struct wire_request request = { .method = "GET" };
	struct wire_shown shown;
	const char *text;

	request.url = urls[_i];
	text = wire_show(&shown, &request);
	ck_assert_msg(!strstr(text, "SECRET"), "%s", text);
	ck_assert_msg(strstr(text, " GET host"), "%s", text);
}
END_TEST

/* Where all that is logged from now on goes. */
static FILE *log_caught(void)
{
	FILE *caught = tmpfile();

	ck_assert_ptr_nonnull(caught);
	fflush(stderr);
	ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
	log_set_level(LOG_LEVEL_DEBUG);
	return caught;
}

START_TEST(each_attempt_is_traced_without_secrets)
{
	static const char *const headers[] = { "Authorization: SECRET",
					       "X-Amz-Security-Token: SECRET",
					       NULL };
	struct http_exchange exchange = { .request = { .method = "GET",
						       .headers = headers,
						       .idempotent = true } };
	struct http_exchange *all[] = { &exchange };
	struct store_context context;
	FILE *caught = log_caught();
	char text[4096], url[128];

	snprintf(url, sizeof(url), "http://me:SECRET@127.0.0.1:%d/ok?s=SECRET",
		 server.port);
	exchange.request.url = url;
	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	context.trace_id = 0xabc;
	ck_assert_int_eq(http_perform(engine, &context, all, 1), STORE_OK);
	http_exchange_release(&exchange);
	log_set_level(LOG_LEVEL_INFO);
	rewind(caught);
	text[fread(text, 1, sizeof(text) - 1, caught)] = '\0';
	fclose(caught);
	ck_assert_msg(strstr(text, "request 0000000000000abc GET 127.0.0.1:"),
		      "%s", text);
	ck_assert_msg(strstr(text, "/ok try 1 OK status 200"), "%s", text);
	ck_assert_msg(strstr(text, " new connection"), "%s", text);
	ck_assert_msg(!strstr(text, "SECRET"), "%s", text);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("http-trace");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_traced_request_tells_where_and_how_long);
	tcase_add_loop_test(tests, a_traced_request_shows_no_secret, 0, 6);
	tcase_add_test(tests, each_attempt_is_traced_without_secrets);
	return unit_run("http-trace", tests);
}
