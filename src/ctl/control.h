/* SPDX-License-Identifier: MIT */
/*
 * One question to the control socket of a mount: a line of JSON there, a line
 * of JSON back.
 */
#ifndef STOREFS_CTL_CONTROL_H
#define STOREFS_CTL_CONTROL_H

#include "src/base/json.h"
#include <storefs/error.h>

/*
 * Send {"command":COMMAND} and wait at most `timeout_ms` for the answer,
 * which the caller frees.  UNAVAILABLE, TIMEOUT, DENIED, CORRUPT.
 */
int control_ask(const char *socket_path, const char *command, int timeout_ms,
		struct json **answer, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
