// SPDX-License-Identifier: MIT
/*
 * status: what running mounts are doing.  The kernel lists the mounts
 * (mounts.c), each tells its control socket, and the driver behind that tells
 * the rest (driver.c).  A driver that is gone or stuck is reported, never
 * waited for.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/ctl/driver.h"

struct status_number {
	const char *name;
	const char *text;
};

static const struct status_number status_numbers[] = {
	{ "open_files", "open files" },
	{ "dirty_files", "files not yet in the store" },
	{ "renames", "renames by copies under way" },
	{ "failed_files", "files that could not be stored" },
	{ "unfinished_files", "files that were never finished" },
	{ "staged_bytes", "bytes staged" },
	{ "nodes", "names the kernel holds" },
	{ "memory_used", "bytes of memory= in use" },
	{ "cache_used", "bytes in the cache directory" },
	{ NULL, NULL },
};

static void status_uptime(int64_t seconds)
{
	if (seconds >= 86400)
		printf("%" PRId64 "d ", seconds / 86400);
	printf("%02d:%02d:%02d", (int)(seconds / 3600 % 24),
	       (int)(seconds / 60 % 60), (int)(seconds % 60));
}

static void status_counters(const struct json *counters)
{
	size_t count = json_count(counters);
	size_t i;
	bool any = false;

	for (i = 0; i < count; i++) {
		const struct json *value;
		const char *name = json_member(counters, i, &value);
		int64_t number = name ? json_get_number(counters, name, 0) : 0;

		if (number == 0)
			continue;
		printf("%s%s %" PRId64, any ? ", " : "  requests    ", name,
		       number);
		any = true;
	}
	if (any)
		putchar('\n');
}

static void status_errors(const struct json *errors)
{
	size_t count = json_count(errors);
	size_t i;

	for (i = 0; i < count; i++) {
		const struct json *one = json_element(errors, i);
		const char *key = json_get_text(one, "key");
		const char *text = json_get_text(one, "error");
		const char *since = json_get_text(one, "since");

		fputs("  failed      ", stdout);
		out_name("", key ? key : "?");
		out_name(": ", text ? text : "?");
		if (since)
			out_name(" since ", since);
		putchar('\n');
	}
}

static void status_driver(const struct json *answer)
{
	const char *commit = json_get_text(answer, "commit");

	printf("\n  driver      process %" PRId64 ", up ",
	       json_get_number(answer, "pid", 0));
	status_uptime(json_get_number(answer, "uptime", 0));
	fputs("\n  commit      ", stdout);
	out_name("", commit ? commit : "?");
	if (json_get_flag(answer, "paused"))
		fputs("\n  paused      no uploads are begun", stdout);
}

static void status_print(const char *name, const struct json *answer)
{
	const struct status_number *each;
	const char *source = json_get_text(answer, "source");
	const char *mountpoint = json_get_text(answer, "mountpoint");
	const char *staging = json_get_text(answer, "staging_dir");

	out_name("", mountpoint ? mountpoint : name);
	fputs("\n  source      ", stdout);
	out_name("", source ? source : "?");
	if (json_get_flag(answer, "offline"))
		fputs("\n  driver      none", stdout);
	else
		status_driver(answer);
	if (staging) {
		fputs("\n  staging     ", stdout);
		out_name("", staging);
	}
	putchar('\n');
	for (each = status_numbers; each->name; each++)
		if (json_get(answer, each->name))
			printf("  %-11" PRId64 " %s\n",
			       json_get_number(answer, each->name, 0),
			       each->text);
	if (json_get(answer, "counters"))
		status_counters(json_get(answer, "counters"));
	if (json_get(answer, "errors"))
		status_errors(json_get(answer, "errors"));
}

/* The driver's own line, which says where it is mounted. */
static void status_json(struct ctl *ctl, const struct json *answer)
{
	CLEANUP_FREE char *line = json_print(answer, false);
	struct store_error error = STORE_ERROR_INIT;

	if (line) {
		puts(line);
		return;
	}
	store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	ctl_fail(ctl, NULL, NULL, &error);
}

static void status_driver_tell(struct ctl *ctl, struct driver *driver)
{
	struct json *command = client_command("status"), *answer = NULL;
	struct store_error error = STORE_ERROR_INIT;

	if (!command)
		store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	if (!command || client_ask(driver->client, command, CLIENT_TIMEOUT_NS,
				   &answer, &error))
		ctl_fail(ctl, driver->name, NULL, &error);
	else if (ctl->args.json)
		status_json(ctl, answer);
	else
		status_print(driver->name, answer);
	json_free(command);
	json_free(answer);
}

/* ---- following ---- */

static void status_follow(struct ctl *ctl, struct driver *driver)
{
	struct json *line = client_command("events");
	struct store_error error = STORE_ERROR_INIT;
	int code = line ? client_send(driver->client, line, &error)
			: store_error_set(&error, STORE_NO_MEMORY,
					  "out of memory");

	json_free(line);
	while (!code) {
		code = client_receive(driver->client, 0, &line, &error);
		if (code)
			break;
		status_json(ctl, line);
		json_free(line);
		fflush(stdout);
	}
	ctl_fail(ctl, driver->name, NULL, &error);
}

static void status_run(struct ctl *ctl, char **operands, int count)
{
	if (ctl->args.follow && count != 1)
		ctl_fail_usage(ctl, "--follow takes one mount point");
	else
		driver_each(ctl, operands, count,
			    ctl->args.follow ? status_follow
					     : status_driver_tell);
}

static const struct arg_option status_options[] = {
	{ "follow", 'f', ARG_FLAG, offsetof(struct args, follow), NULL,
	  "Tell what happens, as it happens" },
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_status = {
	.name = "status",
	.operands = "[MOUNTPOINT...]",
	.help = "Show what mounts are doing, or what one has left",
	.options = status_options,
	.least = 0,
	.most = -1,
	.run = status_run,
};
