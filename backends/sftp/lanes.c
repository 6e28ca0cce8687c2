// SPDX-License-Identifier: MIT
/* See lanes.h.  Called by put*.c; calls the pool.  No locks. */
#include "config.h"

#include "backends/sftp/lanes.h"

#include <stdlib.h>

#include "backends/sftp/put_internal.h"

/* Bytes between two looks for another connection. */
enum { WIDEN_STEP = 2 << 20 };

/* One is left to those who ask for little, unless there are but two. */
static size_t lanes_most(const struct putting *putting)
{
	unsigned int all = putting->call->sftp->settings.connections;
	size_t most = all > 2 ? all - 2 : all - 1;

	return most < SFTP_LANES_MAX ? most : SFTP_LANES_MAX;
}

/* By OpenSSH's server, which alone has the second of these. */
static bool lanes_are_served(const struct putting *putting)
{
	const struct sftp_session *session = putting->call->session;

	return sftp_session_has(session, SFTP_EXT_FSYNC) &&
	       sftp_session_has(session, SFTP_EXT_LSETSTAT);
}

/* What a lane says is what the put says. */
static int lane_code(struct putting *putting, struct sftp_lane *lane, int code)
{
	if (!code)
		return STORE_OK;
	putting->lanes.lost |=
		code == STORE_UNAVAILABLE && sftp_call_lost(&lane->call);
	*putting->call->error = lane->error;
	return code;
}

/* ---- one more ---- */

/* A server may lead each connection elsewhere: then it has no such file. */
static int lane_open(struct putting *putting, struct sftp_lane *lane)
{
	struct sftp_ask ask = { .type = SFTP_OPEN,
				.path = putting->temporary.text,
				.flags = SFTP_OPEN_WRITE };
	struct sftp_request *request;
	int code = sftp_call_send(&lane->call, &ask, &request);

	return code ? code
		    : sftp_call_handle(&lane->call, &request, &lane->handle);
}

static struct sftp_session *further_session(struct putting *putting)
{
	struct sftp_lanes *lanes = &putting->lanes;
	struct sftp_session *used[SFTP_LANES_MAX + 1];
	size_t count = 0;

	used[count++] = putting->call->session;
	for (size_t i = 0; i < lanes->count; i++)
		used[count++] = lanes->lanes[i].call.session;
	return sftp_pool_further(&putting->call->sftp->pool, used, count);
}

void sftp_lanes_widen(struct putting *putting, uint64_t offset)
{
	struct sftp_lanes *lanes = &putting->lanes;
	struct sftp_session *session;
	struct sftp_lane *lane;

	/* The size tells of copies only while nothing stands behind them. */
	lanes->none |= putting->request->keep_count > 0;
	if (lanes->none || lanes->count >= lanes_most(putting) ||
	    offset - lanes->asked < WIDEN_STEP || !lanes_are_served(putting))
		return;
	lanes->asked = offset;
	if (!lanes->lanes)
		lanes->lanes = calloc(SFTP_LANES_MAX, sizeof(*lanes->lanes));
	session = lanes->lanes ? further_session(putting) : NULL;
	if (!session)
		return;
	lane = &lanes->lanes[lanes->count];
	*lane = (struct sftp_lane){ .error = STORE_ERROR_INIT };
	sftp_call_init(&lane->call, putting->call->sftp, putting->call->context,
		       &lane->error);
	lane->call.session = session;
	if (lane_open(putting, lane)) {
		lanes->none = true;
		sftp_call_release(&lane->call);
	} else {
		lanes->count++;
		lanes->used = true;
	}
}

/* ---- their requests ---- */

struct sftp_lane *sftp_lanes_pick(struct sftp_lanes *lanes, size_t most)
{
	struct sftp_lane *best = NULL;

	if (most > SFTP_LANE_WINDOW)
		most = SFTP_LANE_WINDOW;
	for (size_t i = 0; i < lanes->count; i++)
		if (lanes->lanes[i].count < most) {
			best = &lanes->lanes[i];
			most = best->count;
		}
	return best;
}

struct sftp_lane *sftp_lanes_oldest(struct sftp_lanes *lanes, uint64_t order)
{
	struct sftp_lane *oldest = NULL;

	for (size_t i = 0; i < lanes->count; i++) {
		struct sftp_lane *lane = &lanes->lanes[i];

		if (lane->count && lane->order[lane->first] < order) {
			oldest = lane;
			order = lane->order[lane->first];
		}
	}
	return oldest;
}

int sftp_lane_send(struct putting *putting, struct sftp_lane *lane,
		   struct sftp_request *request, uint64_t order)
{
	size_t at = (lane->first + lane->count) % SFTP_LANE_WINDOW;
	int code = sftp_call_submit(&lane->call, &request);

	if (!code) {
		lane->sent[at] = request;
		lane->order[at] = order;
		lane->count++;
	}
	return lane_code(putting, lane, code);
}

int sftp_lane_settle(struct putting *putting, struct sftp_lane *lane)
{
	struct sftp_request **slot = &lane->sent[lane->first];

	lane->first = (lane->first + 1) % SFTP_LANE_WINDOW;
	lane->count--;
	return lane_code(putting, lane, sftp_call_done(&lane->call, slot));
}

/* ---- the end ---- */

/* Behind the WRITEs of each: servers answer in order. */
static int flush_all(struct putting *putting, struct sftp_request **flushes)
{
	struct sftp_lanes *lanes = &putting->lanes;
	int code = STORE_OK;

	for (size_t i = 0; i < lanes->count && !code; i++) {
		struct sftp_lane *lane = &lanes->lanes[i];
		struct sftp_ask ask = { .type = SFTP_EXTENDED,
					.extension = SFTP_EXT_FSYNC,
					.handle = &lane->handle };

		code = lane_code(
			putting, lane,
			sftp_call_send(&lane->call, &ask, &flushes[i]));
	}
	return code;
}

int sftp_lanes_finish(struct putting *putting)
{
	struct sftp_request *flushes[SFTP_LANES_MAX] = { NULL };
	struct sftp_lanes *lanes = &putting->lanes;
	int code = flush_all(putting, flushes);

	for (size_t i = 0; i < lanes->count && !code; i++) {
		struct sftp_lane *lane = &lanes->lanes[i];

		while (lane->count && !code)
			code = sftp_lane_settle(putting, lane);
		if (!code)
			code = lane_code(
				putting, lane,
				sftp_call_done(&lane->call, &flushes[i]));
	}
	for (size_t i = 0; i < lanes->count; i++)
		sftp_call_forget(&lanes->lanes[i].call, &flushes[i]);
	if (!code)
		sftp_lanes_drop(putting);
	return code;
}

static void lane_drop(struct sftp_lane *lane)
{
	struct sftp_ask ask = { .type = SFTP_CLOSE, .handle = &lane->handle };

	while (lane->count) {
		sftp_call_forget(&lane->call, &lane->sent[lane->first]);
		lane->first = (lane->first + 1) % SFTP_LANE_WINDOW;
		lane->count--;
	}
	if (!sftp_call_lost(&lane->call))
		sftp_call_tell(&lane->call, &ask);
	sftp_call_release(&lane->call);
}

void sftp_lanes_drop(struct putting *putting)
{
	struct sftp_lanes *lanes = &putting->lanes;

	while (lanes->count)
		lane_drop(&lanes->lanes[--lanes->count]);
	free(lanes->lanes);
	lanes->lanes = NULL;
}
