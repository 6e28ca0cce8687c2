/* SPDX-License-Identifier: MIT */
/* A TCP connection, within the time of a context. */
#ifndef STOREFS_SFTP_DIAL_H
#define STOREFS_SFTP_DIAL_H

#include <stdint.h>

#include <storefs/context.h>
#include <storefs/error.h>

/*
 * Connect to one of the addresses of `host`, tried in their order; *fd does
 * not block.  NOT_FOUND for a name without an address, UNAVAILABLE when none
 * can be reached.
 */
int sftp_dial(const char *host, uint16_t port, struct store_context *context,
	      int *fd, struct store_error *error) STORE_WARN_UNUSED;

/* Wait until `fd` has one of `events` (poll(2)), or the context ends. */
int sftp_wait(int fd, short events, struct store_context *context,
	      struct store_error *error) STORE_WARN_UNUSED;

#endif
