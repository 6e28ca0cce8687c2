/* SPDX-License-Identifier: MIT */
/*
 * The command lines of the driver: storefs, and the helpers mount.storefs,
 * mount.fuse.storefs and umount.fuse.storefs, told apart by argv[0].
 */
#ifndef STOREFS_MOUNT_CLI_H
#define STOREFS_MOUNT_CLI_H

#include "mount/options.h"

enum cli_action {
	CLI_MOUNT,
	CLI_CHECK, /* --check: everything short of mounting */
	CLI_FAKE,  /* mount.storefs -f */
	CLI_UMOUNT,
	CLI_HELP,
	CLI_VERSION,
};

struct cli {
	enum cli_action action;
	const char *source;
	const char *mountpoint;
	const char *config; /* NULL: the usual places */
	bool foreground;
	bool debug;
	bool lazy, force; /* umount -l, -f */
	struct mount_options *options; /* owned */
};

#endif
