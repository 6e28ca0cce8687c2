/* SPDX-License-Identifier: MIT */
/* Inside the libssh2 transport: what its files share. */
#ifndef STOREFS_SFTP_LIBSSH2_INTERNAL_H
#define STOREFS_SFTP_LIBSSH2_INTERNAL_H

#include <libssh2.h>
#include <stdbool.h>

#include "backends/sftp/settings.h"
#include "backends/sftp/transport.h"
#include "src/base/buf.h"

struct known_hosts;

enum { LINK_PATH_ROOM = 4096 };

struct link {
	struct sftp_transport transport;
	int fd;
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;
	struct buf out;	 /* what libssh2 has sent */
	size_t out_sent; /* of it, on the socket */
	int errnum;	 /* of the socket, once it has failed */
	bool deaf;	 /* nothing is received: during a write, at the end */
	bool closing;
	/* Only while it connects: */
	const struct sftp_settings *settings;
	struct store_context *context;
	struct known_hosts *known;
	LIBSSH2_AGENT *agent;
	const char *user;
	const char *methods; /* that the server takes; libssh2's */
	const char *skipped; /* what only the ssh program could have shown */
};

/* Gives what libssh2 does: LIBSSH2_ERROR_EAGAIN is called again. */
typedef int link_step_fn(struct link *link, const void *arg);

/*
 * Call a step until it ends: *result is libssh2's.  An error here is one of
 * time or of the connection.
 */
int link_take_step(struct link *link, link_step_fn *step, const void *arg,
		   int *result, struct store_error *error) STORE_WARN_UNUSED;
/* What libssh2 said last, after "ssh: ", or what became of the socket. */
int link_error(struct link *link, int code, struct store_error *error);
/* Below the home of the user here; false without one. */
bool link_home_path(const char *below, char path[LINK_PATH_ROOM]);

/* Show the server who the user is, once it has shown who it is. */
int link_authenticate(struct link *link, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
