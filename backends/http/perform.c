// SPDX-License-Identifier: MIT
/*
 * Running exchanges to their end: one loop in the caller's thread, woken by
 * sockets, by the cancel flag and by the nearest limit.
 *
 * An attempt that ends without an answer, or stalls, is made again on a new
 * connection when the request may be sent twice.  Whole operations are
 * repeated by the retry layer, not here.
 *
 * Who cancels a change after its last byte has gone out cannot call it back:
 * the server may do it now or later.  Its answer is waited for, lest a removal
 * that comes after it overtakes it: for a moment by whoever is to end, longer by
 * what only gives way.
 *
 * Called by the stores; calls transfer.c and libcurl.  No locks.
 */
#include "config.h"

#include "backends/http/engine.h"

#include <string.h>

#include "src/base/clock.h"
#include "src/cancel.h"

enum { ATTEMPTS = 3, WAKE_MS = 1000 };
#define GIVE_WAY_NS (10 * NS_PER_SEC)

struct run {
	struct http_engine *engine;
	struct store_context *context;
	struct http_lane *lane;
	struct http_transfer transfers[HTTP_AT_ONCE];
	size_t count;
	size_t running;
	int64_t cancelled_ns; /* when it was seen; 0: it was not */
};

/* ---- attempts ---- */

static void start(struct run *run, struct http_transfer *transfer)
{
	struct http_exchange *exchange = transfer->exchange;
	int code = http_transfer_prepare(transfer);

	if (!code && curl_multi_add_handle(run->lane->multi, transfer->easy))
		code = store_error_set(&exchange->error, STORE_INTERNAL,
				       "libcurl does not take the request");
	exchange->code = code;
	if (code)
		return;
	transfer->running = true;
	run->running++;
}

static void detach(struct run *run, struct http_transfer *transfer)
{
	curl_multi_remove_handle(run->lane->multi, transfer->easy);
	transfer->running = false;
	run->running--;
}

static bool again(struct run *run, struct http_transfer *transfer)
{
	if (!transfer->exchange->request.idempotent ||
	    transfer->attempt + 1 >= ATTEMPTS)
		return false;
	transfer->attempt++;
	start(run, transfer);
	return true;
}

/* Nothing of an answer came: the connection had been given up. */
static bool was_lost(const struct http_transfer *transfer, CURLcode result)
{
	if (transfer->received || transfer->exchange->error.code)
		return false;
	return result == CURLE_GOT_NOTHING || result == CURLE_SEND_ERROR ||
	       result == CURLE_RECV_ERROR;
}

static void ended(struct run *run, struct http_transfer *transfer,
		  CURLcode result)
{
	bool lost = was_lost(transfer, result);

	http_transfer_end(transfer, result);
	detach(run, transfer);
	if (lost)
		again(run, transfer);
}

/* Give one up for a reason of our own. */
static void give_up(struct run *run, struct http_transfer *transfer, int code,
		    const struct store_error *why)
{
	struct http_exchange *exchange = transfer->exchange;

	exchange->error = *why;
	http_transfer_end(transfer, CURLE_ABORTED_BY_CALLBACK);
	detach(run, transfer);
	exchange->code = code;
	exchange->error = *why;
}

/* ---- limits ---- */

static void check_stall(struct run *run, struct http_transfer *transfer,
			int64_t now)
{
	const struct http_settings *settings = &run->engine->settings;
	struct store_error why = STORE_ERROR_INIT;
	int code;

	/* A body on its way out may be stored before the answer. */
	if (!settings->resend_ns || transfer->exchange->request.body ||
	    !transfer->exchange->request.idempotent ||
	    transfer->attempt + 1 >= ATTEMPTS ||
	    now - transfer->moved_ns < settings->resend_ns)
		return;
	code = store_error_set(&why, STORE_TIMEOUT, "the answer stalls");
	give_up(run, transfer, code, &why);
	again(run, transfer);
}

static void check_speed(struct run *run, struct http_transfer *transfer,
			int64_t now)
{
	const struct http_settings *settings = &run->engine->settings;
	struct store_error why = STORE_ERROR_INIT;
	int64_t span;
	int code;

	if (!settings->low_speed || !transfer->received)
		return;
	if (!transfer->window_ns) {
		transfer->window_ns = now;
		transfer->window = 0;
	}
	span = now - transfer->window_ns;
	if (span < settings->low_speed_ns)
		return;
	if (transfer->window >=
	    settings->low_speed * (uint64_t)(span / NS_PER_MS) / 1000) {
		transfer->window_ns = now;
		transfer->window = 0;
		return;
	}
	code = store_error_set(&why, STORE_TIMEOUT,
			       "less than %llu bytes a second",
			       (unsigned long long)settings->low_speed);
	give_up(run, transfer, code, &why);
}

/* Of a call that was cancelled; 0: it waits for no answer any more. */
static int64_t patience_ns(const struct run *run)
{
	int64_t most = run->engine->settings.last_answer_ns, left;

	/* Whom it gives way to has the same time for all it does. */
	if (cancel_gives_way(run->context->cancel))
		most = run->context->stall_ns ? run->context->stall_ns / 3
					      : GIVE_WAY_NS;
	left = run->cancelled_ns + most - clock_monotonic_ns();
	return left > 0 ? left : 0;
}

/* Can only the server still tell what becomes of it? */
static bool is_in_its_hands(const struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->exchange->request;

	if (request->unseen)
		return false;
	if (request->body)
		return transfer->sent == request->body->size;
	return strcmp(request->method, "GET") &&
	       strcmp(request->method, "HEAD");
}

static void check_limits(struct run *run)
{
	struct store_error why = STORE_ERROR_INIT;
	int code = store_context_check(run->context, &why);
	int64_t now = clock_monotonic_ns();
	bool patient;

	if (code == STORE_CANCELLED && !run->cancelled_ns)
		run->cancelled_ns = now;
	patient = code == STORE_CANCELLED && patience_ns(run);
	for (size_t i = 0; i < run->count; i++) {
		struct http_transfer *transfer = &run->transfers[i];

		if (transfer->running && code &&
		    !(patient && is_in_its_hands(transfer)))
			give_up(run, transfer, code, &why);
		if (transfer->running)
			check_stall(run, transfer, now);
		if (transfer->running)
			check_speed(run, transfer, now);
	}
}

static int wait_ms(const struct run *run)
{
	const struct http_settings *settings = &run->engine->settings;
	int64_t left = store_context_remaining(run->context);

	if (settings->resend_ns && settings->resend_ns < left)
		left = settings->resend_ns;
	if (run->cancelled_ns)
		left = patience_ns(run);
	left = left / NS_PER_MS + 1;
	return left > WAKE_MS ? WAKE_MS : (int)left;
}

/* ---- the loop ---- */

static void collect(struct run *run)
{
	CURLMsg *message;
	int queued;

	while ((message = curl_multi_info_read(run->lane->multi, &queued))) {
		struct http_transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
				  (char **)&transfer);
		ended(run, transfer, message->data.result);
	}
}

static void run_all(struct run *run)
{
	struct curl_waitfd cancel = { .fd = -1, .events = CURL_WAIT_POLLIN };
	int busy;

	if (run->context->cancel)
		cancel.fd = store_cancel_fd(run->context->cancel);
	while (run->running) {
		if (curl_multi_perform(run->lane->multi, &busy))
			break;
		collect(run);
		check_limits(run);
		if (!run->running)
			break;
		if (curl_multi_poll(run->lane->multi, &cancel,
				    cancel.fd >= 0 && !run->cancelled_ns,
				    wait_ms(run), NULL))
			break;
	}
}

/* What a broken loop has left running. */
static void end_rest(struct run *run)
{
	struct store_error why = STORE_ERROR_INIT;
	int code = store_error_set(&why, STORE_INTERNAL, "libcurl gave up");

	for (size_t i = 0; i < run->count; i++) {
		if (run->transfers[i].running)
			give_up(run, &run->transfers[i], code, &why);
		http_transfer_release(&run->transfers[i]);
	}
}

static int begin(struct run *run, struct http_exchange *const exchanges[],
		 size_t count)
{
	run->lane = http_lane_take(run->engine);
	if (!run->lane)
		return STORE_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct http_transfer *transfer = &run->transfers[i];
		CURL **easy = &run->lane->easy[i];

		if (!*easy)
			*easy = curl_easy_init();
		if (!*easy)
			return STORE_NO_MEMORY;
		transfer->engine = run->engine;
		transfer->context = run->context;
		transfer->exchange = exchanges[i];
		transfer->easy = *easy;
	}
	run->count = count;
	for (size_t i = 0; i < count; i++)
		start(run, &run->transfers[i]);
	return STORE_OK;
}

int http_perform(struct http_engine *engine, struct store_context *context,
		 struct http_exchange *const exchanges[], size_t count)
{
	struct run run = { .engine = engine, .context = context };
	int code = begin(&run, exchanges, count);

	if (!code) {
		run_all(&run);
		end_rest(&run);
	}
	if (run.lane)
		http_lane_give(engine, run.lane);
	for (size_t i = 0; code && i < count; i++)
		exchanges[i]->code = store_error_set(
			&exchanges[i]->error, STORE_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (exchanges[i]->code)
			return exchanges[i]->code;
	return STORE_OK;
}
