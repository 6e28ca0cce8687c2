/* SPDX-License-Identifier: MIT */
/*
 * The lanes of a put: what SSH lets be on its way over one connection, 2 MiB
 * with OpenSSH, does not fill a long line, so that large files are written
 * over several.  Each lane has the temporary open over a connection of its
 * own, and takes WRITEs of any part of it.
 *
 * Only where the server flushes files: one that does keeps them in a file
 * system, where several may write one file.  Others keep what each handle
 * wrote as an object of its own.  And only OpenSSH's: ProFTPD flushes, but one
 * process of it serves all sessions of a connection that the user's ssh shares
 * among them, and was seen to stop answering when they wrote one file.  A put
 * whose lane is lost begins anew, with none.
 */
#ifndef STOREFS_SFTP_LANES_H
#define STOREFS_SFTP_LANES_H

#include "backends/sftp/call.h"

struct putting;

enum { SFTP_LANES_MAX = 6, SFTP_LANE_WINDOW = 16 };

struct sftp_lane {
	struct sftp_call call;
	struct store_error error; /* of `call` */
	struct sftp_handle handle;
	/* WRITEs on their way, a ring, and when each was sent. */
	struct sftp_request *sent[SFTP_LANE_WINDOW];
	uint64_t order[SFTP_LANE_WINDOW];
	size_t first, count;
};

struct sftp_lanes {
	struct sftp_lane *lanes; /* owned; room for SFTP_LANES_MAX */
	size_t count;
	uint64_t asked; /* offset at which another was asked for last */
	bool none;	/* this put has none */
	bool used;	/* it had */
	bool lost;	/* one was, or its bytes are not there */
};

/* The put waits for its own connection; is another lane to be had? */
void sftp_lanes_widen(struct putting *putting, uint64_t offset);
/* The lane with the fewest on their way, if fewer than `most`; else NULL. */
struct sftp_lane *sftp_lanes_pick(struct sftp_lanes *lanes, size_t most);
/* The lane whose oldest was sent before `order`; NULL: there is none. */
struct sftp_lane *sftp_lanes_oldest(struct sftp_lanes *lanes, uint64_t order);
/* It has room.  The request is submitted here, or gone. */
int sftp_lane_send(struct putting *putting, struct sftp_lane *lane,
		   struct sftp_request *request, uint64_t order)
	STORE_WARN_UNUSED;
/* Wait for its oldest. */
int sftp_lane_settle(struct putting *putting, struct sftp_lane *lane)
	STORE_WARN_UNUSED;
/* Wait for all, flushed; afterwards there are none. */
int sftp_lanes_finish(struct putting *putting) STORE_WARN_UNUSED;
/* The same without waiting, after a failure. */
void sftp_lanes_drop(struct putting *putting);

#endif
