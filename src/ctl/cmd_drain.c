// SPDX-License-Identifier: MIT
/*
 * drain and umount: waiting until all is in the store.  control/drain.c asks
 * and shows progress, for the helper of umount(8) as well.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/control/drain.h"
#include "src/control/mounts.h"
#include "src/control/unmount.h"
#include "src/ctl/driver.h"

/* For a symlink that leads to a mount to be followed. */
#define UMOUNT_FIND_MS 5000

static void drain_json(struct ctl *ctl, const struct driver *driver,
		       const struct drained *drained)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	record_bytes(&record, driver->offline ? "staging_dir" : "mountpoint",
		     driver->name);
	record_number(&record, "undone", (uint64_t)drained->undone);
	record_number(&record, "waiting", (uint64_t)drained->waiting);
	record_number(&record, "failed", (uint64_t)drained->failed);
	record_number(&record, "open", (uint64_t)drained->open);
	record_number(&record, "unfinished", (uint64_t)drained->unfinished);
	record_flag(&record, "paused", drained->paused);
	if (drained->key)
		record_bytes(&record, "key", drained->key);
	if (drained->code)
		record_text(&record, "code", store_code_name(drained->code));
	if (drained->why)
		record_bytes(&record, "message", drained->why);
	ctl_print(ctl, &record);
}

static void drain_tell(struct ctl *ctl, const struct driver *driver,
		       const struct drained *drained)
{
	struct buf text CLEANUP_BUF = BUF_INIT(65536);

	if (ctl->args.json) {
		drain_json(ctl, driver, drained);
	} else if (!drained_is_all(drained)) {
		drained_describe(drained, &text);
		out_name("", driver->name);
		out_name(": ", buf_text(&text));
		putchar('\n');
	}
}

static void drain_driver(struct ctl *ctl, struct driver *driver, int64_t wait)
{
	struct drain_request request = {
		.key = driver->key,
		.timeout_ns = wait,
		.progress = !ctl->args.json && isatty(STDERR_FILENO) ? stderr
								     : NULL,
	};
	struct store_error error = STORE_ERROR_INIT;
	struct drained drained;
	int code = drain_ask(driver->client, &request, &drained, &error);

	if (code) {
		ctl_fail(ctl, driver->name, NULL, &error);
		return;
	}
	drain_tell(ctl, driver, &drained);
	code = drained_code(&drained);
	drained_release(&drained);
	if (code && !ctl->status)
		ctl->status = 1 - code;
}

static void drain_each(struct ctl *ctl, struct driver *driver)
{
	drain_driver(ctl, driver,
		     ctl->args.wait_ns < 0 ? 0 : ctl->args.wait_ns);
}

static void drain_run(struct ctl *ctl, char **operands, int count)
{
	driver_each(ctl, operands, count, drain_each);
}

static const struct arg_option drain_options[] = {
	{ "timeout", 0, ARG_DURATION, offsetof(struct args, wait_ns), "TIME",
	  "Wait no longer than this in all, 0 for no limit (0)" },
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_drain = {
	.name = "drain",
	.operands = "[PATH...]",
	.help = "Wait until everything is in the store",
	.options = drain_options,
	.least = 0,
	.most = -1,
	.run = drain_run,
};

/* ---- umount ---- */

/* What stays is told, and kept: it is no failure. */
static void umount_drain(struct ctl *ctl, const char *mountpoint)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct store_error error = STORE_ERROR_INIT;
	int status = ctl->status;

	if (driver_open(ctl, mountpoint, &driver, &error))
		out_complain("%s: not drained: %s", mountpoint, error.message);
	else
		drain_driver(ctl, &driver, ctl->args.wait_ns);
	ctl->status = status;
}

static int umount_one(struct ctl *ctl, const struct mount_list *list,
		      const char *operand, struct store_error *error)
{
	const struct mount_entry *mount = NULL;
	CLEANUP_FREE char *rest = NULL;
	int code = mount_list_locate(list, operand, UMOUNT_FIND_MS, &mount,
				     &rest, error);

	if (!code && *rest)
		code = store_error_set(error, STORE_INVALID,
				       "the mount point is %s", mount->target);
	if (code)
		return code;
	if (!ctl->args.lazy)
		umount_drain(ctl, mount->target);
	return mountpoint_unmount(mount->target, ctl->args.lazy, error);
}

static void umount_run(struct ctl *ctl, char **operands, int count)
{
	for (int i = 0; i < count && !ctl_cancelled(ctl); i++) {
		struct store_error error = STORE_ERROR_INIT;
		struct mount_list list;
		int code = mount_list_read(&list, &error);

		if (!code)
			code = umount_one(ctl, &list, operands[i], &error);
		if (code)
			ctl_fail(ctl, operands[i], NULL, &error);
		mount_list_release(&list);
	}
}

static const struct arg_option umount_options[] = {
	{ "lazy", 'l', ARG_FLAG, offsetof(struct args, lazy), NULL,
	  "Detach at once, and wait for nothing" },
	{ "timeout", 0, ARG_DURATION, offsetof(struct args, wait_ns), "TIME",
	  "Wait no longer than this for the store (drain_timeout)" },
	{ .name = NULL },
};

const struct ctl_command command_umount = {
	.name = "umount",
	.operands = "MOUNTPOINT...",
	.help = "Wait until everything is in the store, and unmount",
	.options = umount_options,
	.least = 1,
	.most = -1,
	.run = umount_run,
};
