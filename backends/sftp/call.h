/* SPDX-License-Identifier: MIT */
/*
 * A call of the backend table, as it goes about its requests: on one
 * connection at a time, and on another when that was lost.
 *
 *	sftp_call_init(&call, sftp, context, error);
 *	do
 *		code = what_is_asked_once(&call, ...);
 *	while (sftp_call_again(&call, &code));
 *	sftp_call_release(&call);
 */
#ifndef STOREFS_SFTP_CALL_H
#define STOREFS_SFTP_CALL_H

#include <storefs/context.h>

#include "backends/sftp/session.h"

struct sftp;

struct sftp_call {
	struct sftp *sftp;
	struct store_context *context;
	struct store_error *error;
	struct sftp_session *session; /* one reference; NULL before the first */
	unsigned int lost;	      /* connections */
	bool acted; /* one of sftp_call_change() was, or may have been, done */
};

void sftp_call_init(struct sftp_call *call, struct sftp *sftp,
		    struct store_context *context, struct store_error *error);
void sftp_call_release(struct sftp_call *call);
/* See that there is a connection. */
int sftp_call_connect(struct sftp_call *call) STORE_WARN_UNUSED;
/*
 * Did the call fail because its connection was lost, and may it begin again
 * on another?  Only asked where a second time does no harm.
 */
bool sftp_call_again(struct sftp_call *call, const int *code);
/* Has it lost its connection? */
bool sftp_call_lost(const struct sftp_call *call);

/* A handle of the server's; belongs to one connection. */
struct sftp_handle {
	size_t length;
	char bytes[256];
};

/* A request in words. */
struct sftp_ask {
	enum sftp_type type;
	enum sftp_extension extension; /* of SFTP_EXTENDED */
	const struct sftp_handle *handle;
	const char *path;
	const char *to; /* second path */
	uint32_t flags; /* of SFTP_OPEN, enum sftp_open_flag */
	const struct sftp_attributes *attributes; /* of those that take any */
};

enum sftp_open_flag {
	SFTP_OPEN_READ = 1 << 0,
	SFTP_OPEN_WRITE = 1 << 1,
	SFTP_OPEN_CREATE = 1 << 3,
	SFTP_OPEN_EXCLUSIVE = 1 << 5,
};

/* Send, connecting before if need be.  *request is NULL after a failure. */
int sftp_call_send(struct sftp_call *call, const struct sftp_ask *ask,
		   struct sftp_request **request) STORE_WARN_UNUSED;
/* Submit one that was put together by hand; the same. */
int sftp_call_submit(struct sftp_call *call, struct sftp_request **request)
	STORE_WARN_UNUSED;
int sftp_call_wait(struct sftp_call *call, struct sftp_request *request)
	STORE_WARN_UNUSED;
/* Free it and set it to NULL. */
void sftp_call_forget(struct sftp_call *call, struct sftp_request **request);
/* Send and wait; the answer is nothing but its code. */
int sftp_call_do(struct sftp_call *call, const struct sftp_ask *ask)
	STORE_WARN_UNUSED;
/* The same for what the call is about; see `acted`. */
int sftp_call_change(struct sftp_call *call, const struct sftp_ask *ask)
	STORE_WARN_UNUSED;
/* Send and wait for a second or two, whatever comes of it: cleaning up. */
void sftp_call_settle(struct sftp_call *call, const struct sftp_ask *ask);
/* Send, and do not care. */
void sftp_call_tell(struct sftp_call *call, const struct sftp_ask *ask);
/*
 * Wait for an answer, take it as what it is, and forget the request; NULL is
 * an error that was told before.
 */
int sftp_call_attributes(struct sftp_call *call, struct sftp_request **request,
			 struct sftp_attributes *attributes) STORE_WARN_UNUSED;
int sftp_call_handle(struct sftp_call *call, struct sftp_request **request,
		     struct sftp_handle *handle) STORE_WARN_UNUSED;
/* The first name of the answer; malloc'd.  One with a NUL is CORRUPT. */
int sftp_call_name(struct sftp_call *call, struct sftp_request **request,
		   char **name) STORE_WARN_UNUSED;
int sftp_call_done(struct sftp_call *call, struct sftp_request **request)
	STORE_WARN_UNUSED;
/* A status of FAILURE, or one that version 3 does not have. */
bool sftp_call_says_nothing(const struct sftp_call *call, int code);

#endif
