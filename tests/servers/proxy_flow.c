// SPDX-License-Identifier: MIT
/*
 * One direction: bytes wait until they are due, and go out in their order.
 * What is due at once is sent without a copy.
 *
 * A delay counts for half each way, and once more in whole for the handshake.
 * A rate is that of a line which all connections share.
 *
 * Called by proxy.c and proxy_http.c.
 */
#include "config.h"

#include "tests/servers/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/clock.h"

/* A slow line takes its time for every packet, not for a megabyte. */
enum { PACKET = 16384 };

/* ---- when ---- */

static int64_t transfer_ns(const struct proxy *proxy, size_t length)
{
	return (int64_t)((double)length * (double)NS_PER_SEC /
			 (double)proxy->rate);
}

static int64_t due_at(struct flow *flow, size_t length, int64_t now)
{
	struct proxy *proxy = flow->pair->proxy;
	int64_t *free_ns = &proxy->free_ns[flow->direction];
	int64_t due = now;

	if (proxy->rate) {
		if (*free_ns < now)
			*free_ns = now;
		*free_ns += transfer_ns(proxy, length);
		due = *free_ns;
	}
	due += proxy->delay_ns / 2;
	if (due < flow->pair->open_ns + proxy->delay_ns / 2)
		due = flow->pair->open_ns + proxy->delay_ns / 2;
	if (due < flow->hold_ns)
		due = flow->hold_ns;
	if (flow->last && due < flow->last->due_ns)
		due = flow->last->due_ns;
	return due;
}

int64_t flow_due(const struct flow *flow)
{
	return flow->first ? flow->first->due_ns : INT64_MAX;
}

/* ---- sending ---- */

/* Bytes that went, 0 when the other end is full; -1: broken. */
static ssize_t send_some(const struct flow *flow, const char *data,
			 size_t length)
{
	ssize_t sent = send(flow->to, data, length, MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? 0 : -1;
}

static void queue(struct flow *flow, const char *data, size_t length,
		  int64_t due)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + length);

	if (!chunk) {
		pair_kill(flow->pair, true);
		return;
	}
	*chunk = (struct chunk){ .due_ns = due, .length = length };
	memcpy(chunk->data, data, length);
	if (flow->last)
		flow->last->next = chunk;
	else
		flow->first = chunk;
	flow->last = chunk;
	flow->queued += length;
}

void flow_emit(struct flow *flow, const char *data, size_t length)
{
	int64_t now = clock_monotonic_ns();

	while (length && !flow->pair->dead) {
		size_t some = length;
		int64_t due;

		if (flow->pair->proxy->rate && some > PACKET)
			some = PACKET;
		due = due_at(flow, some, now);
		if (!flow->first && due <= now && !flow->pair->proxy->dark) {
			ssize_t sent = send_some(flow, data, some);

			if (sent < 0) {
				pair_kill(flow->pair, false);
				return;
			}
			data += sent;
			length -= (size_t)sent;
			some -= (size_t)sent;
		}
		if (some)
			queue(flow, data, some, due);
		data += some;
		length -= some;
	}
}

bool flow_pump(struct flow *flow, int64_t now)
{
	while (flow->first && flow->first->due_ns <= now) {
		struct chunk *chunk = flow->first;
		ssize_t sent = send_some(flow, chunk->data + chunk->sent,
					 chunk->length - chunk->sent);

		if (sent < 0)
			return false;
		chunk->sent += (size_t)sent;
		flow->queued -= (size_t)sent;
		if (chunk->sent < chunk->length)
			return true;
		flow->first = chunk->next;
		if (!flow->first)
			flow->last = NULL;
		free(chunk);
	}
	return true;
}

void flow_free(struct flow *flow)
{
	while (flow->first) {
		struct chunk *chunk = flow->first;

		flow->first = chunk->next;
		free(chunk);
	}
	buf_release(&flow->head);
}
