/* SPDX-License-Identifier: MIT */
/*
 * One connection to an SFTP server: many requests in flight, answers matched
 * by id, one thread that owns the transport.
 *
 *	request = sftp_request_new(SFTP_LSTAT);
 *	sftp_add_text(sftp_request_packet(request), path);
 *	code = sftp_session_submit(session, context, request, error);
 *	if (!code)
 *		code = sftp_session_wait(session, context, request, error);
 *	...take the answer from sftp_request_body()...
 *	sftp_session_forget(session, request);
 *
 * Whoever submits several before he waits has them on their way together:
 * servers answer in order.  A session that has ended stays ended: all that
 * was in flight fails with the reason, and so does all that is submitted
 * later.
 */
#ifndef STOREFS_SFTP_SESSION_H
#define STOREFS_SFTP_SESSION_H

#include <storefs/context.h>
#include <storefs/error.h>

#include "backends/sftp/packet.h"
#include "src/base/buf.h"

struct sftp_request;
struct sftp_session;
struct sftp_transport;
struct sftp_waiters;
struct wire_counters;

/* What a server announced. */
enum sftp_extension {
	SFTP_EXT_POSIX_RENAME = 1 << 0,
	SFTP_EXT_FSYNC = 1 << 1,
	SFTP_EXT_STATVFS = 1 << 2,
	SFTP_EXT_HARDLINK = 1 << 3,
	SFTP_EXT_LSETSTAT = 1 << 4,
	SFTP_EXT_LIMITS = 1 << 5,
	SFTP_EXT_COPY_DATA = 1 << 6,
	SFTP_EXT_HOME_DIRECTORY = 1 << 7,
	SFTP_EXT_EXPAND_PATH = 1 << 8,
	SFTP_EXT_USERS_GROUPS = 1 << 9,
};
/* Its name in requests. */
const char *sftp_extension_name(enum sftp_extension extension);

struct sftp_server {
	uint32_t extensions; /* enum sftp_extension */
	uint32_t read_max;   /* bytes of a READ */
	uint32_t write_max;  /* bytes of a WRITE */
};

struct sftp_session_options {
	int64_t io_timeout; /* ns of silence while an answer is due */
	int64_t keepalive;  /* ns of idling before it is asked, 0: never */
	/* Borrowed for the life of the session; counters may be NULL. */
	struct sftp_waiters *waiters;
	struct wire_counters *counters;
};

/*
 * Greet the server, hear what it can do and which sizes it takes.  Blocks
 * within the context.  The transport is the session's from here on, also
 * when this fails: NOT_SUPPORTED for another version, CORRUPT for something
 * that is no SFTP server.
 */
int sftp_session_start(struct sftp_transport *transport,
		       const struct sftp_session_options *options,
		       struct store_context *context,
		       struct sftp_session **session, struct store_error *error)
	STORE_WARN_UNUSED;
/* One more reference; returns the session. */
struct sftp_session *sftp_session_ref(struct sftp_session *session);
/*
 * The last one ends the connection and waits for its thread, for at most
 * what closing the transport takes.  NULL is fine.
 */
void sftp_session_unref(struct sftp_session *session);
const struct sftp_server *sftp_session_server(const struct sftp_session *s);
bool sftp_session_has(const struct sftp_session *session,
		      enum sftp_extension extension);
/* Does nothing go through it any more? */
bool sftp_session_ended(struct sftp_session *session);
/* End the connection for all who use it. */
void sftp_session_end(struct sftp_session *session);
/* Bytes asked for or on their way. */
size_t sftp_session_load(struct sftp_session *session);

/* ---- requests ---- */

/* Its packet is begun; NULL when out of memory. */
struct sftp_request *sftp_request_new(enum sftp_type type);
/* The same for an extension. */
struct sftp_request *sftp_request_extended(enum sftp_extension extension);
/* For the sftp_add functions, until it is submitted; a failure is kept. */
struct buf *sftp_request_packet(struct sftp_request *request);
/*
 * Of a READ: where the bytes go, which MUST stay until the request is
 * forgotten.  More bytes than `room` end the session.
 */
void sftp_request_into(struct sftp_request *request, void *data, size_t room);
/*
 * Queue it; blocks while too much is in flight.  After a failure it was not
 * sent; it still has to be forgotten.
 */
int sftp_session_submit(struct sftp_session *session,
			struct store_context *context,
			struct sftp_request *request, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Its answer: STORE_OK, or what the server said (see sftp_take_status(); the
 * status is the error's detail).  SFTP_STATUS_EOF, to a READ or READDIR, is
 * STORE_OK with an answer of nothing.  A kind of answer that does not belong
 * to the request is CORRUPT and ends the session.
 */
int sftp_session_wait(struct sftp_session *session,
		      struct store_context *context,
		      struct sftp_request *request, struct store_error *error)
	STORE_WARN_UNUSED;
/* What follows the id in an answer that was no status; once. */
struct sftp_body *sftp_request_body(struct sftp_request *request);
/* Bytes of a READ that have come. */
size_t sftp_request_got(const struct sftp_request *request);
/*
 * Was it on its way when the connection ended, so that nobody knows whether
 * it was done?
 */
bool sftp_request_lost(const struct sftp_request *request);
/*
 * Free it.  When its answer is still due, its id stays reserved and the
 * answer goes nowhere.  NULL is fine.
 */
void sftp_session_forget(struct sftp_session *session,
			 struct sftp_request *request);

#endif
