/* SPDX-License-Identifier: MIT */
/* The options of the SFTP store, and what its URLs say of them. */
#ifndef STOREFS_SFTP_OPTIONS_H
#define STOREFS_SFTP_OPTIONS_H

#include "src/option.h"
#include "src/url.h"

extern const struct store_option sftp_options[];

int sftp_from_url(const struct store_url *url, struct option_values *values,
		  const char *source, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
