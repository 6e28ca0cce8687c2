/* SPDX-License-Identifier: MIT */
/*
 * Inside a session, for session*.c alone.
 *
 * A request belongs to whoever made it until it is submitted, and again once
 * it is answered; in between to the session, which frees it when it was
 * forgotten meanwhile.  Memory of the caller's (`into`) is written by the
 * thread of the session without the lock, while `filling` is the request:
 * whoever forgets that one waits until the read in progress, which cannot
 * block, is over.
 */
#ifndef STOREFS_SFTP_SESSION_INTERNAL_H
#define STOREFS_SFTP_SESSION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/sftp/session.h"
#include "backends/sftp/transport.h"
#include "backends/sftp/waiter.h"

enum {
	/* Of a packet without the length: what OpenSSH takes and sends. */
	SFTP_PACKET_MAX = 256 * 1024,
	/* Asked for or on its way before submitting blocks. */
	SFTP_FLIGHT_MAX = 8 * 1024 * 1024,
	SFTP_TABLE_SIZE = 256,
	/* Read at once while no packet needs more. */
	SFTP_READ_CHUNK = 32 * 1024,
	SFTP_IN_ROOM = SFTP_PACKET_MAX + SFTP_READ_CHUNK,
};

enum sftp_request_state {
	SFTP_REQUEST_NEW,
	SFTP_REQUEST_QUEUED,
	SFTP_REQUEST_SENT,
	SFTP_REQUEST_DONE,
};

struct sftp_request {
	enum sftp_type type;
	enum sftp_extension extension; /* of SFTP_EXTENDED */
	struct buf packet;
	unsigned char *into;
	size_t room;
	/* Protected by the lock of the session from submit to done: */
	enum sftp_request_state state;
	bool forgotten;
	bool lost;
	uint32_t id;
	int64_t queued_ns; /* when it was */
	size_t weight;	   /* share of SFTP_FLIGHT_MAX */
	size_t got;
	struct sftp_request *next;  /* in the queue or in the table */
	struct sftp_waiter *waiter; /* who waits for it */
	unsigned char *answer;	    /* owned */
	struct sftp_body body;	    /* in `answer` */
	int code;
	struct store_error error; /* of `code` */
};

struct sftp_session {
	/* Immutable once started: */
	struct sftp_session_options options;
	struct sftp_server server;
	struct sftp_transport *transport; /* of the thread */
	pthread_t thread;
	bool started; /* there is a thread */
	int wake;     /* eventfd */

	atomic_uint refs;
	struct lock lock;
	struct condition filled; /* `filling` has changed */
	/* Protected by lock: */
	struct sftp_request *queue, **queue_end;
	struct sftp_request *table[SFTP_TABLE_SIZE]; /* sent, by id */
	struct sftp_request *hello;   /* the INIT until it is answered */
	struct sftp_request *filling; /* whose memory is being read into */
	struct sftp_bell room;	      /* those who wait to submit */
	size_t flight;		      /* bytes */
	size_t due;		      /* answers */
	uint32_t next_id;
	bool closing;
	bool ended;
	struct store_error why; /* of the end */
	/* Of the thread: */
	struct buf out; /* packets on their way */
	size_t out_sent;
	unsigned char *in;
	size_t in_length;
	struct sftp_request *reading; /* whose data is in mid-packet */
	size_t reading_left;	      /* bytes of it to come */
	bool busy;		      /* something was due last time */
	bool full;		      /* not all could be sent last time */
	/* Written by the thread: */
	atomic_llong moved_ns; /* when a byte moved last, either way */
	atomic_llong heard_ns; /* when one came */
};

/* The body of the thread. */
void *sftp_session_run(void *session);
/* The thread must look again. */
void sftp_session_wake(struct sftp_session *session);
/* Free what nobody waits for. */
void sftp_request_free(struct sftp_request *request);
void sftp_request_done_locked(struct sftp_session *session,
			      struct sftp_request *request, int code,
			      const struct store_error *error)
	REQUIRES(session->lock);
/* Give it an id and queue it. */
void sftp_request_queue_locked(struct sftp_session *session,
			       struct sftp_request *request)
	REQUIRES(session->lock);
/* The same for one that nobody waits for, with its packet filled in. */
void sftp_request_queue_own_locked(struct sftp_session *session,
				   struct sftp_request *request)
	REQUIRES(session->lock);
/* The sent request of this id, NULL for none. */
struct sftp_request *sftp_request_find_locked(struct sftp_session *session,
					      uint32_t id)
	REQUIRES(session->lock);
/*
 * Take what has come into account: whole packets of the input, and the
 * beginning of one whose data goes to its reader.  CORRUPT names what cannot
 * be.
 */
int sftp_session_digest(struct sftp_session *session, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
