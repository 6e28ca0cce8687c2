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
	CLI_FAKE,  /* mount.storefs -f: as CLI_CHECK, quietly */
	CLI_UMOUNT,
	CLI_OFFLINE, /* for storectl, see offline.h */
	CLI_HELP,
	CLI_VERSION,
};

struct cli {
	enum cli_action action;
	const char *program; /* last component of argv[0] */
	const char *source;
	const char *mountpoint;
	const char *namespace; /* -N: a process id or a path, or NULL */
	bool foreground;
	bool debug;
	bool verbose;	  /* -v of the helpers */
	bool lazy, force; /* umount -l, -f */
	struct mount_words words;
};

/* Exit statuses of mount(8). */
enum { CLI_EXIT_USAGE = 1, CLI_EXIT_FAILED = 32 };

/* INVALID is a usage error.  Release it in any case. */
int cli_parse(struct cli *cli, int argc, char **argv, struct store_error *error)
	STORE_WARN_UNUSED;
void cli_release(struct cli *cli);
void cli_print_help(const struct cli *cli);

#endif
