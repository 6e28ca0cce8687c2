// SPDX-License-Identifier: MIT
/*
 * The loop of the proxy: see proxy.h.  Sockets are watched for what can be
 * done with them now; a timer wakes for what is due later.
 */
#include "config.h"

#include "tests/servers/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "tests/servers/place.h"

enum {
	READ_MAX = 512 << 10,
	QUEUE_MAX = 32 << 20, /* on a slow line, each direction */
	QUEUE_NOW = 1 << 20,  /* on a fast one */
	EVENTS = 64,
};

/* ---- connections ---- */

void pair_kill(struct pair *pair, bool reset)
{
	const struct linger at_once = { .l_onoff = 1 };

	for (int i = UP; i <= DOWN && reset; i++)
		setsockopt(pair->flows[i].from, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
	pair->dead = true;
}

static void pair_free(struct pair *pair)
{
	for (int i = UP; i <= DOWN; i++) {
		if (pair->flows[i].from >= 0)
			close(pair->flows[i].from);
		flow_free(&pair->flows[i]);
	}
	free(pair);
}

static void watch(struct pair *pair, enum direction direction, uint32_t events)
{
	struct flow *flow = &pair->flows[direction];
	struct epoll_event event = { .events = events, .data.ptr = flow };
	uint32_t *watched = &pair->watched[direction];
	int operation = EPOLL_CTL_MOD;

	if (*watched == events)
		return;
	/* Nothing wanted is not even an error wanted. */
	if (!events)
		operation = EPOLL_CTL_DEL;
	else if (!*watched)
		operation = EPOLL_CTL_ADD;
	if (epoll_ctl(pair->proxy->epoll, operation, flow->from, &event))
		pair_kill(pair, true);
	*watched = events;
}

static uint32_t wanted(const struct pair *pair, enum direction direction,
		       int64_t now)
{
	const struct flow *flow = &pair->flows[direction];
	const struct flow *back = &pair->flows[!direction];
	const struct proxy *proxy = pair->proxy;
	size_t most = proxy->delay_ns || proxy->rate ? QUEUE_MAX : QUEUE_NOW;
	uint32_t events = 0;

	if (proxy->dark)
		return 0;
	if (flow->end == FLOW_STALLS)
		events |= EPOLLRDHUP;
	else if (!flow->ended && !flow->end && flow->queued < most)
		events |= EPOLLIN;
	if (flow_due(back) <= now)
		events |= EPOLLOUT;
	return events;
}

static void end_flow(struct flow *flow)
{
	if (flow->first)
		return;
	if (flow->end == FLOW_RESETS)
		pair_kill(flow->pair, true);
	if ((!flow->ended && flow->end != FLOW_CLOSES) || flow->closed)
		return;
	flow->closed = true;
	shutdown(flow->to, SHUT_WR);
}

/* Send what can be sent, end what is at its end, and watch for the rest. */
static void pair_settle(struct pair *pair, int64_t now)
{
	struct flow *up = &pair->flows[UP];
	struct flow *down = &pair->flows[DOWN];

	for (int i = UP; i <= DOWN && !pair->dead && !pair->proxy->dark; i++) {
		if (!flow_pump(&pair->flows[i], now))
			pair_kill(pair, false);
		else
			end_flow(&pair->flows[i]);
	}
	/* The client is gone, and no answer is to come. */
	if (up->ended && (down->closed || down->end || up->swallows))
		pair_kill(pair, false);
	for (int i = UP; i <= DOWN && !pair->dead; i++)
		watch(pair, (enum direction)i,
		      wanted(pair, (enum direction)i, now));
}

static void pair_new(struct proxy *proxy, int client, int server)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	const int one = 1;

	if (!pair) {
		close(client);
		close(server);
		return;
	}
	pair->proxy = proxy;
	pair->flows[UP] = (struct flow){ .from = client, .to = server };
	pair->flows[DOWN] = (struct flow){ .from = server, .to = client };
	for (int i = UP; i <= DOWN; i++) {
		pair->flows[i].pair = pair;
		pair->flows[i].direction = (enum direction)i;
		setsockopt(pair->flows[i].from, IPPROTO_TCP, TCP_NODELAY, &one,
			   sizeof(one));
	}
	pair->open_ns = clock_monotonic_ns() + proxy->delay_ns;
	pair->next = proxy->pairs;
	proxy->pairs = pair;
	proxy->records.connections++;
	pair_begin(pair);
	pair_settle(pair, clock_monotonic_ns());
}

static void refuse(int client)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
}

static void accept_one(struct proxy *proxy)
{
	int client = accept4(proxy->listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
	int server;

	if (client < 0)
		return;
	if (faults_match(&proxy->faults, "", "").kind) {
		refuse(client);
		return;
	}
	server = place_connect(proxy->port);
	if (server < 0)
		refuse(client);
	else
		pair_new(proxy, client, server);
}

/* ---- events ---- */

static void read_some(struct flow *flow)
{
	static char data[READ_MAX];
	ssize_t got = recv(flow->from, data, sizeof(data), 0);

	if (got > 0)
		flow_take(flow, data, (size_t)got);
	else if (!got)
		flow->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		pair_kill(flow->pair, flow->direction == DOWN);
}

static void on_flow(struct flow *flow, uint32_t events)
{
	struct pair *pair = flow->pair;

	if (pair->dead)
		return;
	if (flow->end == FLOW_STALLS && events & (EPOLLRDHUP | EPOLLHUP))
		pair_kill(pair, false);
	else if (events & EPOLLERR)
		pair_kill(pair, flow->direction == DOWN);
	else if (events & (EPOLLIN | EPOLLHUP) && !flow->ended && !flow->end)
		read_some(flow);
	pair_settle(pair, clock_monotonic_ns());
}

static void settle_all(struct proxy *proxy)
{
	int64_t now = clock_monotonic_ns();

	for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
		if (!pair->dead)
			pair_settle(pair, now);
}

static void reap(struct proxy *proxy)
{
	struct pair **at = &proxy->pairs;

	while (*at) {
		struct pair *pair = *at;

		if (!pair->dead) {
			at = &pair->next;
			continue;
		}
		*at = pair->next;
		pair_free(pair);
	}
}

static void on_event(struct proxy *proxy, const struct epoll_event *event)
{
	uint64_t ticks;

	if (event->data.ptr == &proxy->listener) {
		accept_one(proxy);
	} else if (event->data.ptr == &proxy->control) {
		place_serve(proxy->control, proxy_command, proxy);
		settle_all(proxy);
	} else if (event->data.ptr == &proxy->timer) {
		if (read(proxy->timer, &ticks, sizeof(ticks)) > 0)
			settle_all(proxy);
	} else {
		on_flow(event->data.ptr, event->events);
	}
}

/* The first chunk that waits for its time, not for its socket. */
static int64_t next_due(const struct proxy *proxy)
{
	int64_t next = INT64_MAX;

	for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
		for (int i = UP; i <= DOWN; i++) {
			int64_t due = flow_due(&pair->flows[i]);

			if (due < next && !(pair->watched[!i] & EPOLLOUT))
				next = due;
		}
	return next;
}

static void arm(const struct proxy *proxy)
{
	struct itimerspec when = { .it_value.tv_sec = 0 };
	int64_t next = proxy->dark ? INT64_MAX : next_due(proxy);

	if (next != INT64_MAX)
		when.it_value = timespec_from_ns(next);
	timerfd_settime(proxy->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static bool watch_own(struct proxy *proxy, int *fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

	return !epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, *fd, &event);
}

int proxy_serve(struct proxy *proxy)
{
	struct epoll_event events[EVENTS];

	proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
	proxy->timer =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (proxy->epoll < 0 || proxy->timer < 0 ||
	    !watch_own(proxy, &proxy->listener) ||
	    !watch_own(proxy, &proxy->control) ||
	    !watch_own(proxy, &proxy->timer)) {
		fprintf(stderr, "proxy: no epoll\n");
		return 1;
	}
	for (;;) {
		int count;

		arm(proxy);
		count = epoll_wait(proxy->epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++)
			on_event(proxy, &events[i]);
		reap(proxy);
	}
}
