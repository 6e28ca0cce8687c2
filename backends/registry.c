// SPDX-License-Identifier: MIT
/*
 * Every backend of this build, and those it was built without.  A new
 * backend adds its table to registry.h and its row here.
 */
#include "config.h"

#include "backends/registry.h"

const struct store_backend *const store_backends[] = {
	&local_backend,
	&memory_backend,
#ifdef HAVE_S3
	&s3_backend,
#endif
#ifdef HAVE_SFTP
	&sftp_backend,
#endif
#ifdef HAVE_SQLITE
	&sqlite_backend,
#endif
	NULL,
};

const char *const store_backends_left_out[] = {
#ifndef HAVE_S3
	"s3: configure with --with-s3=yes",
#endif
#ifndef HAVE_SFTP
	"sftp: configure with --with-sftp=yes",
#endif
#ifndef HAVE_SQLITE
	"sqlite: configure with --with-sqlite=yes",
#endif
	NULL,
};
