/* SPDX-License-Identifier: MIT */
/* One put, for put*.c alone. */
#ifndef STOREFS_SFTP_PUT_INTERNAL_H
#define STOREFS_SFTP_PUT_INTERNAL_H

#include "backends/sftp/lanes.h"
#include "backends/sftp/sftp.h"

/* Requests on their way at once. */
enum { SFTP_PUT_WINDOW = 32 };

struct putting {
	struct sftp_call *call;
	const struct backend_put_request *request;
	struct sftp_path path;
	struct sftp_path temporary;
	struct sftp_handle handle;
	bool opened;
	bool asked;			/* the temporary may be there */
	bool taken;			/* something is there */
	struct sftp_attributes before;	/* what, when taken */
	struct sftp_attributes created; /* the temporary as it was made */
	struct sftp_handle old;		/* to copy kept ranges from */
	bool old_opened;
	struct sftp_handle folder; /* to make the name durable */
	bool folder_opened;
	/* On their way, a ring; with `least` an FSTAT, for at least that size. */
	struct sftp_request *sent[SFTP_PUT_WINDOW];
	uint64_t least[SFTP_PUT_WINDOW];
	uint64_t order[SFTP_PUT_WINDOW]; /* when each was sent */
	uint64_t next_order;
	uint64_t unsynced; /* bytes written or copied since the last FSYNC */
	size_t first, count;
	struct sftp_request *owner; /* of them, the one that sets it */
	struct sftp_lanes lanes;
};

/* Is what is at the name what the precondition wants to be there? */
int sftp_put_check(const struct putting *putting,
		   const struct sftp_attributes *there) STORE_WARN_UNUSED;

/* ---- put_bytes.c ---- */

/* All bytes, kept ranges too, on their way. */
int sftp_put_bytes(struct putting *putting) STORE_WARN_UNUSED;
/*
 * Another request behind them, whose answer is nothing but its code; with
 * `least` an FSTAT, and an error when the size is less by then.
 */
int sftp_put_ask(struct putting *putting, const struct sftp_ask *ask,
		 uint64_t least) STORE_WARN_UNUSED;
/* FSYNC, where the server has it. */
int sftp_put_flush(struct putting *putting) STORE_WARN_UNUSED;
/* Wait for all answers. */
int sftp_put_settle(struct putting *putting) STORE_WARN_UNUSED;
/* The request that was sent last. */
struct sftp_request *sftp_put_last(const struct putting *putting);

#endif
