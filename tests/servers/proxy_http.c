// SPDX-License-Identifier: MIT
/*
 * What goes through, looked at: where messages begin and end, which request
 * an answer belongs to, and where a fault strikes.  A head is held back until
 * it is complete; bodies are passed on as they come.
 *
 * A plain TCP connection is one request with an endless body each way.
 *
 * Called by proxy.c.
 */
#include "config.h"

#include "tests/servers/proxy.h"

#include <stdio.h>
#include <string.h>

#include "src/base/clock.h"

enum { HEAD_MAX = 65536, HEAD_STEP = 16384 };

static struct record *record_of(const struct flow *flow,
				const struct request *request)
{
	return records_get(&flow->pair->proxy->records, request->record);
}

static struct flow *other(const struct flow *flow)
{
	return &flow->pair->flows[!flow->direction];
}

/* NULL when nobody has asked. */
static struct request *request_of(struct flow *flow)
{
	struct pair *pair = flow->pair;

	if (flow->direction == UP)
		return &pair->asking;
	return pair->request_count ? &pair->requests[0] : NULL;
}

/* ---- striking ---- */

/* The fault, when it is one of this direction. */
static const struct fault *fault_of(struct flow *flow)
{
	const struct request *request = request_of(flow);

	if (!request || !request->fault.kind ||
	    fault_is_of_answer(&request->fault) != (flow->direction == DOWN))
		return NULL;
	return &request->fault;
}

/* False: nothing more of this message is to be passed on. */
static bool strike(struct flow *flow, const struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_HOLE:
		flow->swallows = true;
		return false;
	case FAULT_RESET_REQUEST:
	case FAULT_RESET_ANSWER:
		flow->end = FLOW_RESETS;
		return false;
	case FAULT_CUT_ANSWER:
		flow->end = FLOW_CLOSES;
		return false;
	case FAULT_STALL_REQUEST:
	case FAULT_STALL_ANSWER:
		if (!fault->wait_ns) {
			flow->end = FLOW_STALLS;
			return false;
		}
		flow->hold_ns = clock_monotonic_ns() + fault->wait_ns;
		return true;
	default:
		return true;
	}
}

/* What strikes before the head: true when nothing is to be passed on. */
static bool struck_before(struct flow *flow)
{
	const struct fault *fault = fault_of(flow);

	if (!fault || (fault->at >= 0 && fault->kind != FAULT_HOLE))
		return false;
	return !strike(flow, fault);
}

static void pass(struct flow *flow, const char *data, size_t length)
{
	struct record *record = record_of(flow, request_of(flow));

	if (record && flow->direction == UP)
		record->up += length;
	else if (record)
		record->down += length;
	flow->passed += length;
	flow_emit(flow, data, length);
}

static void pass_body(struct flow *flow, char *data, size_t length)
{
	const struct fault *fault = fault_of(flow);
	uint64_t at = fault && fault->at > 0 ? (uint64_t)fault->at : 0;
	size_t before;

	if (fault && fault->kind == FAULT_ANSWER)
		return;
	if (!fault || at < flow->passed || at - flow->passed >= length) {
		pass(flow, data, length);
		return;
	}
	before = (size_t)(at - flow->passed);
	if (fault->kind == FAULT_FLIP_REQUEST ||
	    fault->kind == FAULT_FLIP_ANSWER) {
		data[before] ^= 1;
	} else if (fault->at >= 0) {
		pass(flow, data, before);
		if (!strike(flow, fault))
			return;
		data += before;
		length -= before;
	}
	pass(flow, data, length);
}

/* ---- requests ---- */

/* In place of the server, which has seen nothing of it. */
static void answer_self(struct flow *flow, bool closes)
{
	static const char body[] =
		"<?xml version=\"1.0\"?>\n"
		"<Error><Code>%s</Code><Message>of the proxy</Message></Error>";
	struct pair *pair = flow->pair;
	struct request *request = &pair->requests[--pair->request_count];
	const struct fault *fault = &request->fault;
	struct record *record = record_of(flow, request);
	CLEANUP_BUF struct buf text = BUF_INIT(1024);
	char retry[64] = "";
	char error[256];

	snprintf(error, sizeof(error), body,
		 fault->status == 503 ? "SlowDown" : "InternalError");
	if (fault->retry_after)
		snprintf(retry, sizeof(retry), "Retry-After: %d\r\n",
			 fault->retry_after);
	buf_addf(&text,
		 "HTTP/1.1 %d Proxy\r\nContent-Length: %zu\r\n%s%s\r\n%s",
		 fault->status, strlen(error), retry,
		 closes ? "Connection: close\r\n" : "",
		 request->bare ? "" : error);
	if (record)
		record->status = fault->status;
	flow_emit(other(flow), buf_text(&text), text.length);
	if (closes) {
		flow->swallows = true;
		other(flow)->end = FLOW_CLOSES;
	}
}

static void request_end(struct flow *flow)
{
	flow->in_body = false;
	buf_clear(&flow->head);
	if (flow->pair->asking.fault.kind == FAULT_ANSWER)
		answer_self(flow, false);
}

static struct request *request_add(struct pair *pair, const char *verb,
				   const char *target)
{
	struct proxy *proxy = pair->proxy;
	struct request *request = &pair->requests[pair->request_count++];
	struct record *record;

	*request = (struct request){
		.record = records_add(&proxy->records, verb, target),
		.fault = faults_match(&proxy->faults, verb, target),
		.bare = strcmp(verb, "HEAD") == 0,
	};
	record = records_get(&proxy->records, request->record);
	if (record)
		record->fault = request->fault.kind;
	pair->asking = *request;
	return request;
}

static void request_begin(struct flow *flow)
{
	const char *head = buf_text(&flow->head);
	struct pair *pair = flow->pair;
	struct request *request;
	char verb[16];
	char target[512];

	if (pair->request_count == PIPELINE_MAX ||
	    sscanf(head, "%15s %511s", verb, target) != 2) {
		pair_kill(pair, true);
		return;
	}
	request = request_add(pair, verb, target);
	flow->passed = 0;
	flow->in_body = true;
	message_of_request(&flow->message, head);
	if (struck_before(flow))
		return;
	if (request->fault.kind == FAULT_ANSWER &&
	    message_has_word(head, "expect", "100-continue")) {
		answer_self(flow, true);
		return;
	}
	if (request->fault.kind != FAULT_ANSWER)
		flow_emit(flow, head, flow->head.length);
	if (flow->message.done)
		request_end(flow);
}

/* ---- answers ---- */

static void answer_end(struct flow *flow)
{
	struct pair *pair = flow->pair;

	flow->in_body = false;
	buf_clear(&flow->head);
	if (!pair->request_count)
		return;
	pair->request_count--;
	memmove(pair->requests, pair->requests + 1,
		pair->request_count * sizeof(pair->requests[0]));
}

static void answer_begin(struct flow *flow)
{
	const char *head = buf_text(&flow->head);
	struct request *request = request_of(flow);
	struct record *record;
	int status = 0;

	if (sscanf(head, "HTTP/1.%*d %d", &status) != 1 || !request) {
		pair_kill(flow->pair, true);
		return;
	}
	if (status < 200 && status != 101) {
		flow_emit(flow, head, flow->head.length);
		buf_clear(&flow->head);
		return;
	}
	flow->passed = 0;
	flow->in_body = true;
	message_of_answer(&flow->message, head, status, request->bare);
	if (struck_before(flow))
		return;
	record = record_of(flow, request);
	if (record)
		record->status = status;
	flow_emit(flow, head, flow->head.length);
	if (flow->message.done)
		answer_end(flow);
}

/* ---- both ---- */

/* How many bytes belong to the head; what follows is left. */
static size_t take_head(struct flow *flow, const char *data, size_t length)
{
	size_t before = flow->head.length;
	size_t from = before > 3 ? before - 3 : 0;
	const char *end;

	if (length > HEAD_STEP)
		length = HEAD_STEP;
	buf_add(&flow->head, data, length);
	if (buf_error(&flow->head, "the head", NULL)) {
		pair_kill(flow->pair, true);
		return length;
	}
	end = memmem(flow->head.data + from, flow->head.length - from,
		     "\r\n\r\n", 4);
	if (!end)
		return length;
	flow->head.length = (size_t)(end - flow->head.data) + 4;
	flow->head.data[flow->head.length] = '\0';
	length = flow->head.length - before;
	if (flow->direction == UP)
		request_begin(flow);
	else
		answer_begin(flow);
	return length;
}

static size_t take_body(struct flow *flow, char *data, size_t length)
{
	size_t took = message_take(&flow->message, data, length);

	if (flow->message.bad) {
		pair_kill(flow->pair, true);
		return length;
	}
	pass_body(flow, data, took);
	if (!flow->message.done || flow->end || flow->swallows)
		return took;
	if (flow->direction == UP)
		request_end(flow);
	else
		answer_end(flow);
	return took;
}

void flow_take(struct flow *flow, char *data, size_t length)
{
	flow->pair->proxy->records.wire[flow->direction] += length;
	while (length && !flow->pair->dead && !flow->end && !flow->swallows) {
		size_t took = flow->in_body ? take_body(flow, data, length)
					    : take_head(flow, data, length);

		data += took;
		length -= took;
	}
}

void pair_begin(struct pair *pair)
{
	for (int i = UP; i <= DOWN; i++) {
		buf_init(&pair->flows[i].head, HEAD_MAX);
		pair->flows[i].message.kind = MESSAGE_ENDLESS;
		pair->flows[i].in_body = !pair->proxy->http;
	}
	if (pair->proxy->http)
		return;
	request_add(pair, "TCP", "");
	(void)struck_before(&pair->flows[UP]);
	(void)struck_before(&pair->flows[DOWN]);
}
