/* SPDX-License-Identifier: MIT */
/* What commands about one pending file have in common (cmd_queue.c). */
#ifndef STOREFS_CTL_QUEUE_H
#define STOREFS_CTL_QUEUE_H

#include "src/ctl/driver.h"

/*
 * Open the driver and name the file in `command`, from the operands
 * MOUNTPOINT ID|KEY, or PATH, or ID|KEY with --staging-dir.  A failure is
 * told: false.
 */
bool queue_want(struct ctl *ctl, char **operands, int count,
		struct driver *driver, struct json *command);
/* Set a flag of the command where `flag` is. */
int queue_set_flag(struct json *command, const char *name, bool flag,
		   struct store_error *error) STORE_WARN_UNUSED;

#endif
