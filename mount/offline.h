/* SPDX-License-Identifier: MIT */
/*
 * The control commands without a mount, on a staging directory that no mount
 * uses: `storefs --offline`, which storectl starts, serves one connection on
 * its standard input.
 *
 * The directory is locked as a mount locks it.  Nothing is built up before a
 * command needs it; looking changes nothing.
 */
#ifndef STOREFS_MOUNT_OFFLINE_H
#define STOREFS_MOUNT_OFFLINE_H

#include "mount/cli.h"
#include "mount/control_call.h"

struct offline;

/* The exit status.  What goes wrong is answered to the first command. */
int offline_run(struct cli *cli);

/* Before a command is run.  NOT_SUPPORTED: it is for mounts. */
int offline_prepare(struct offline *offline, enum control_need need,
		    struct store_error *error) STORE_WARN_UNUSED;
struct fs *offline_fs(struct offline *offline);

#endif
