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
#include <unistd.h>

#include "mount/mountpoint.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/control/drain.h"

/* The socket stands in the staging directory. */
static void tell_left(const char *mountpoint, char *path,
		      const struct drained *drained)
{
	CLEANUP_BUF struct buf text = BUF_INIT(16384);
	CLEANUP_BUF struct buf where = BUF_INIT(8192);
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	buf_addf(&where, "in the staging directory %s", path);
	drained_describe(drained, buf_text(&where), &text);
	printf("%s: %s\n", mountpoint, buf_text(&text));
}

static void drain(const char *mountpoint)
{
	struct drain_request request = {
		.timeout_ns = -1,
		.progress = isatty(STDERR_FILENO) ? stderr : NULL,
	};
	struct store_error error = STORE_ERROR_INIT;
	struct client *client = NULL;
	struct drained drained;
	char path[4096];
	ssize_t length;
	int code;

	length = getxattr(mountpoint, "user.storefs.control", path,
			  sizeof(path) - 1);
	if (length <= 0) {
		log_warn("%s: not drained: %s", mountpoint,
			 "the driver or its store does not answer");
		return;
	}
	path[length] = '\0';
	code = client_open(path, &client, &error);
	if (!code)
		code = drain_ask(client, &request, &drained, &error);
	client_close(client);
	if (code) {
		log_warn("%s: not drained: %s", mountpoint, error.message);
		return;
	}
	if (!drained_is_all(&drained))
		tell_left(mountpoint, path, &drained);
	drained_release(&drained);
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
