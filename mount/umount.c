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
#include <unistd.h>

#include "mount/mountpoint.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/control/drain.h"
#include "src/control/mounts.h"

/* To find its driver where that cannot be asked without asking the mount. */
#define FIND_TIMEOUT_MS 10000

static int find_driver(const char *mountpoint, struct client **client,
		       struct store_error *error)
{
	const struct mount_entry *mount = NULL;
	CLEANUP_FREE char *rest = NULL;
	struct mount_list list;
	int code = mount_list_read(&list, error);

	if (!code)
		code = mount_list_locate(&list, mountpoint, FIND_TIMEOUT_MS,
					 &mount, &rest, error);
	if (!code && *rest)
		code = store_error_set(error, STORE_NOT_FOUND,
				       "no store is mounted there");
	if (!code)
		code = mount_connect(mount, FIND_TIMEOUT_MS, client, error);
	mount_list_release(&list);
	return code;
}

static void drain(const struct cli *cli)
{
	const char *mountpoint = cli->mountpoint;
	struct drain_request request = {
		.timeout_ns = -1,
		.progress = isatty(STDERR_FILENO) ? stderr : NULL,
	};
	CLEANUP_BUF struct buf text = BUF_INIT(65536);
	struct store_error error = STORE_ERROR_INIT;
	struct client *client = NULL;
	struct drained drained;
	int code;

	if (cli->verbose)
		printf("%s: %s: waiting for what is not stored yet.\n",
		       cli->program, mountpoint);
	fflush(stdout);
	code = find_driver(mountpoint, &client, &error);
	if (!code)
		code = drain_ask(client, &request, &drained, &error);
	client_close(client);
	if (code) {
		log_warn("%s: not drained: %s", mountpoint, error.message);
		return;
	}
	if (!drained_is_all(&drained)) {
		drained_describe(&drained, &text);
		printf("%s: %s\n", mountpoint, buf_text(&text));
	}
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
		drain(cli);
	if (mountpoint_unmount(cli->mountpoint, cli->lazy || cli->force,
			       &error)) {
		fprintf(stderr, "%s: %s\n", cli->program, error.message);
		return CLI_EXIT_FAILED;
	}
	if (cli->verbose)
		printf("%s: %s unmounted.\n", cli->program, cli->mountpoint);
	return 0;
}
