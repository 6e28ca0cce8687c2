/* SPDX-License-Identifier: MIT */
/*
 * The byte stream of an SFTP subsystem, however it came about.
 *
 * A transport is connected when it is made and belongs to one thread from
 * then on.  Nothing here blocks: whoever owns it polls the descriptor for
 * the events asked for, then reads and writes until nothing moves any more.
 * An end of the stream, wanted or not, is UNAVAILABLE: SFTP has no farewell.
 */
#ifndef STOREFS_SFTP_TRANSPORT_H
#define STOREFS_SFTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

struct sftp_transport;

struct sftp_transport_kind {
	const char *name; /* "ssh", for messages */
	/*
	 * MUST set *got to 0 when nothing is there yet, and MUST NOT give 0
	 * for an end of the stream.  At least 1 byte is asked for.
	 */
	int (*read)(struct sftp_transport *transport, void *data, size_t length,
		    size_t *got, struct store_error *error) STORE_WARN_UNUSED;
	/* As many bytes as fit now, *sent is 0 when none do. */
	int (*write)(struct sftp_transport *transport, const void *data,
		     size_t length, size_t *sent, struct store_error *error)
		STORE_WARN_UNUSED;
	int (*descriptor)(struct sftp_transport *transport);
	/*
	 * What to poll for (POLLIN, POLLOUT), when there is something to send
	 * or not.  Asked anew before each poll: a key exchange may turn the
	 * directions round.
	 */
	short (*events)(struct sftp_transport *transport, bool sending);
	/* Bounded in time, whatever the other side does. */
	void (*close)(struct sftp_transport *transport);
};

/* The first member of each transport. */
struct sftp_transport {
	const struct sftp_transport_kind *kind;
};

/*
 * Run a program whose standard input and output are the stream: the user's
 * own ssh (`ssh -s HOST sftp`), or a server on this machine.  `argv` ends
 * with NULL, its first word is looked for in PATH.  A program that cannot be
 * started is NOT_FOUND or DENIED; what it complains about later is in the
 * message of the read that finds its end.
 */
int sftp_command_start(const char *const *argv,
		       struct sftp_transport **transport,
		       struct store_error *error) STORE_WARN_UNUSED;

#endif
