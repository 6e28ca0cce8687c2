// SPDX-License-Identifier: MIT
/*
 * The helper that umount(8) calls for our file system type; see umount.h.
 * It asks the driver to publish what is left and unmounts, whatever the
 * outcome: what could not be published stays in the staging directory.
 */
#include "config.h"

#include "mount/umount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "mount/control.h"
#include "mount/mountpoint.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/base/log.h"

/* The driver ends the drain by its own drain_timeout; this is for its death. */
#define DRAIN_WAIT_NS (3600 * NS_PER_SEC)

static void drain(const char *mountpoint)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *answer = NULL;
	struct json *told = NULL;
	char path[4096];
	ssize_t length;
	int64_t left;

	length = getxattr(mountpoint, "user.storefs.control", path,
			  sizeof(path) - 1);
	if (length <= 0) {
		log_warn("%s: not drained: %s", mountpoint,
			 "the driver or its store does not answer");
		return;
	}
	path[length] = '\0';
	if (control_ask(path, "{\"command\":\"drain\"}", DRAIN_WAIT_NS, &answer,
			&error) ||
	    json_parse(answer, strlen(answer), &told, &error)) {
		log_warn("%s: %s", mountpoint, error.message);
		return;
	}
	left = json_get_number(told, "undone", 0) +
	       json_get_number(told, "unfinished", 0);
	json_free(told);
	/* The socket stands in the staging directory. */
	if (strrchr(path, '/'))
		*strrchr(path, '/') = '\0';
	if (left)
		printf("%s: %lld %s in the staging directory %s\n", mountpoint,
		       (long long)left, left == 1 ? "file stays" : "files stay",
		       path);
}

int umount_run(const struct cli *cli)
{
	struct store_error error = STORE_ERROR_INIT;

	if (cli->namespace && mountpoint_enter(cli->namespace, &error)) {
		fprintf(stderr, "%s: %s\n", cli->program, error.message);
		return CLI_EXIT_FAILED;
	}
	if (!cli->lazy && !cli->force)
		drain(cli->mountpoint);
	if (!mountpoint_unmount(cli->mountpoint, cli->lazy || cli->force,
				&error))
		return 0;
	fprintf(stderr, "%s: %s\n", cli->program, error.message);
	return CLI_EXIT_FAILED;
}
