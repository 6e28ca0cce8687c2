/* SPDX-License-Identifier: MIT */
/*
 * Whom commands about the queue of a mount talk to: the driver of a running
 * mount, also while it stores what was left when the mount has gone, or one
 * without a mount (`storefs --offline`) that works on the staging directory
 * that a mount has left.
 *
 *	PATH				the mount it is on
 *	--staging-dir DIR		that directory
 *	--source SOURCE MOUNTPOINT	the default one of this mount
 *
 * --source also names the store that an offline driver may ask.
 */
#ifndef STOREFS_CTL_DRIVER_H
#define STOREFS_CTL_DRIVER_H

#include <sys/types.h>

#include "src/base/cleanup.h"
#include "src/control/client.h"
#include "src/ctl/ctl.h"

struct driver {
	struct client *client;
	char *name; /* owned, for messages: mount point or directory */
	char *key;  /* owned: what PATH names below the mount; "" itself */
	bool offline;
	pid_t process; /* of an offline one, 0 none */
};
#define DRIVER_INIT            \
	{                      \
		.client = NULL \
	}
#define CLEANUP_DRIVER CLEANUP(driver_release)

/* Options of every command that has a driver. */
#define DRIVER_OPTION_STAGING                                                 \
	{                                                                     \
		.name = "staging-dir", .kind = ARG_TEXT,                      \
		.offset = offsetof(struct args, staging_dir), .value = "DIR", \
		.help = "Work on a staging directory, without a mount"        \
	}
#define DRIVER_OPTION_SOURCE                                                \
	{                                                                   \
		.name = "source", .kind = ARG_TEXT,                         \
		.offset = offsetof(struct args, source), .value = "SOURCE", \
		.help = "The store of a mount that does not run"            \
	}

/* Does the command line name a staging directory, so that PATH is left out? */
bool driver_is_named(const struct ctl *ctl);
/*
 * `operand` is PATH or MOUNTPOINT, NULL with --staging-dir.  Release it in
 * any case.
 */
int driver_open(struct ctl *ctl, const char *operand, struct driver *driver,
		struct store_error *error) STORE_WARN_UNUSED;
/* As driver_open(), a failure is told: false. */
bool driver_want(struct ctl *ctl, const char *operand, struct driver *driver);
/*
 * For each operand, or without any for every mount; failures are told.
 */
typedef void driver_fn(struct ctl *ctl, struct driver *driver);
void driver_each(struct ctl *ctl, char **operands, int count, driver_fn *run);
/* Waits for an offline driver to have left the directory. */
void driver_release(struct driver *driver);

#endif
