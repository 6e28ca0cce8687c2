/* SPDX-License-Identifier: MIT */
/* libssh2 as a transport, where it is built in (HAVE_LIBSSH2). */
#ifndef STOREFS_SFTP_LIBSSH2_H
#define STOREFS_SFTP_LIBSSH2_H

#include "backends/sftp/settings.h"
#include "backends/sftp/transport.h"

/* As sftp_connect(). */
int sftp_libssh2_connect(const struct sftp_settings *settings,
			 struct store_context *context,
			 struct sftp_transport **transport,
			 struct store_error *error) STORE_WARN_UNUSED;

#endif
