/* SPDX-License-Identifier: MIT */
/*
 * The connections of a store: made when they are needed, made anew when they
 * were lost, and more than one only under load.
 */
#ifndef STOREFS_SFTP_POOL_H
#define STOREFS_SFTP_POOL_H

#include <storefs/context.h>

#include <pthread.h>

#include "backends/sftp/session.h"
#include "backends/sftp/waiter.h"
#include "src/base/sync.h"
#include "src/wire.h"

struct sftp_settings;
struct sftp_transport;

enum { SFTP_CONNECTIONS_MAX = 16 };

/* As sftp_connect() does it. */
typedef int sftp_connector(const struct sftp_settings *settings,
			   struct store_context *context,
			   struct sftp_transport **transport,
			   struct store_error *error);

struct sftp_pool {
	/* Immutable: */
	const struct sftp_settings *settings; /* borrowed */
	sftp_connector *connect;
	struct sftp_waiters waiters;
	struct wire_counters counters;

	struct lock lock;
	/* Protected by lock; a reference each: */
	struct sftp_session *sessions[SFTP_CONNECTIONS_MAX + 1];
	bool connecting;	/* somebody is; others use what there is */
	struct sftp_bell ready; /* those who wait for that */
	bool patient;		/* there was a connection once */
	unsigned int failures;	/* in a row */
	int64_t again_ns;	/* no attempt before, after one that failed */
	/* A further connection is made by a thread of its own: */
	struct store_cancel *cancel; /* immutable; NULL: no memory for it */
	pthread_t adder;	     /* protected by lock from here on */
	bool has_adder;		     /* to be joined */
	bool adding;		     /* it is at work */
	int64_t add_ns;		     /* the same as again_ns */
};

void sftp_pool_init(struct sftp_pool *pool,
		    const struct sftp_settings *settings,
		    sftp_connector *connect);
/* Ends all connections; nobody uses them any more. */
void sftp_pool_release(struct sftp_pool *pool);
/*
 * The connection with the least to do, with a reference for the caller; when
 * that is much, another begins to be made, for those who come later.
 * When there is none it is made, again and again while the context allows
 * and the reason may pass; without a limit in the context for a minute.  The
 * first connection of all is tried once.
 */
int sftp_pool_take(struct sftp_pool *pool, struct store_context *context,
		   struct sftp_session **session, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The one with the least to do besides those in `used`, with a reference for
 * the caller.  NULL: there is none yet; one begins to be made, if there may be
 * more.  Never blocks for long.
 */
struct sftp_session *sftp_pool_further(struct sftp_pool *pool,
				       struct sftp_session *const *used,
				       size_t count) STORE_WARN_UNUSED;

#endif
