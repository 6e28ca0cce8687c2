// SPDX-License-Identifier: MIT
/*
 * retry, discard, pause and resume: what a driver is told about its queue.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/ctl/queue.h"

/* ---- which file ---- */

/*
 * The operands in front of those that are a command's own: [MOUNTPOINT] NAME,
 * or PATH of the file, or NAME alone with --staging-dir.
 */
bool queue_want(struct ctl *ctl, char **operands, int count,
		struct driver *driver, struct json *command)
{
	bool alone = count == 1 && !driver_is_named(ctl);
	const char *name = alone ? NULL : operands[count - 1];
	CLEANUP_FREE char *key = NULL;
	struct store_error error = STORE_ERROR_INIT;

	if (alone && ctl->args.source) {
		ctl_fail_usage(ctl, "--source needs a mount point");
		return false;
	}
	if (!driver_want(ctl, alone || count > 1 ? operands[0] : NULL, driver))
		return false;
	if (alone && !*driver->key) {
		ctl_fail_usage(ctl, "%s: which file?", operands[0]);
		return false;
	}
	/* A path names a key, also when it looks like an id. */
	if (alone && asprintf(&key, "./%s", driver->key) < 0)
		key = NULL;
	name = alone ? key : name;
	if (name && command && !client_set_bytes(command, "name", name))
		return true;
	store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	ctl_fail(ctl, NULL, NULL, &error);
	return false;
}

int queue_set_flag(struct json *command, const char *name, bool flag,
		   struct store_error *error)
{
	if (!flag || (command && !json_set(command, name, json_flag(true))))
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* ---- answers ---- */

static void queue_tell_failed(struct ctl *ctl, const struct json *line)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *key = NULL;
	const char *name = json_get_text(line, "code");
	const char *text = json_get_text(line, "error");

	if (client_get_bytes(line, "key", &key, &error))
		key = NULL;
	store_error_set(&error, client_code(name ? name : ""), "%s",
			text ? text : "");
	ctl_fail(ctl, "", key, &error);
}

/* Lines about single files are failures; the last one is the caller's. */
static int queue_ask(struct ctl *ctl, struct driver *driver,
		     const struct json *command, struct json **answer,
		     struct store_error *error)
{
	int code = client_send(driver->client, command, error);

	while (!code) {
		struct json *line = NULL;

		code = client_receive(driver->client, 0, &line, error);
		if (code)
			break;
		if (json_get_flag(line, "done")) {
			*answer = line;
			break;
		}
		queue_tell_failed(ctl, line);
		json_free(line);
	}
	return code;
}

static void queue_print(struct ctl *ctl, const struct json *answer)
{
	CLEANUP_FREE char *line = json_print(answer, false);

	if (ctl->args.json && line)
		puts(line);
}

/* ---- retry ---- */

static void retry_tell(struct ctl *ctl, const struct json *answer)
{
	int64_t stored = json_get_number(answer, "stored", 0);

	queue_print(ctl, answer);
	if (!ctl->args.json && ctl->args.all)
		printf("%" PRId64 " %s stored\n", stored,
		       stored == 1 ? "file" : "files");
}

static void retry_send(struct ctl *ctl, struct driver *driver,
		       struct json *command)
{
	struct store_error error = STORE_ERROR_INIT;
	struct json *answer = NULL;
	int code = queue_set_flag(command, "force", ctl->args.force, &error);

	if (!code)
		code = queue_set_flag(command, "all", ctl->args.all, &error);
	if (!code)
		code = queue_ask(ctl, driver, command, &answer, &error);
	if (code)
		ctl_fail(ctl, driver->name, NULL, &error);
	else
		retry_tell(ctl, answer);
	json_free(answer);
}

static void retry_run(struct ctl *ctl, char **operands, int count)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct json *command = client_command("retry");

	if (ctl->args.all && count + driver_is_named(ctl) > 1 + (count > 0))
		ctl_fail_usage(ctl, "retry: a file and --all");
	else if (ctl->args.all && !count && !driver_is_named(ctl))
		ctl_fail_usage(ctl, "retry: of which mount?");
	else if (!ctl->args.all && !count)
		ctl_fail_usage(ctl, "retry: which file? --all for every one");
	else if (ctl->args.all
			 ? driver_want(ctl, count ? operands[0] : NULL, &driver)
			 : queue_want(ctl, operands, count, &driver, command))
		retry_send(ctl, &driver, command);
	json_free(command);
}

static const struct arg_option retry_options[] = {
	{ "all", 'a', ARG_FLAG, offsetof(struct args, all), NULL,
	  "Everything that waits" },
	{ "force", 'f', ARG_FLAG, offsetof(struct args, force), NULL,
	  "Replace whatever the store has" },
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_retry = {
	.name = "retry",
	.operands = "MOUNTPOINT ID|KEY | PATH | --all MOUNTPOINT",
	.help = "Try to store what waits, now",
	.options = retry_options,
	.least = 0,
	.most = 2,
	.run = retry_run,
};

/* ---- discard ---- */

static void discard_run(struct ctl *ctl, char **operands, int count)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct json *command = client_command("discard"), *answer = NULL;
	struct store_error error = STORE_ERROR_INIT;

	if (queue_want(ctl, operands, count, &driver, command)) {
		if (queue_ask(ctl, &driver, command, &answer, &error))
			ctl_fail(ctl, driver.name, NULL, &error);
		else
			queue_print(ctl, answer);
	}
	json_free(command);
	json_free(answer);
}

static const struct arg_option queue_options[] = {
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_discard = {
	.name = "discard",
	.operands = "MOUNTPOINT ID|KEY | PATH",
	.help = "Give up bytes that are not in the store",
	.options = queue_options,
	.least = 1,
	.most = 2,
	.run = discard_run,
};

/* ---- pause and resume ---- */

static void queue_simple(struct ctl *ctl, struct driver *driver,
			 const char *name)
{
	struct json *command = client_command(name), *answer = NULL;
	struct store_error error = STORE_ERROR_INIT;

	if (!command)
		store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	if (!command || client_ask(driver->client, command, CLIENT_TIMEOUT_NS,
				   &answer, &error))
		ctl_fail(ctl, driver->name, NULL, &error);
	else
		queue_print(ctl, answer);
	json_free(command);
	json_free(answer);
}

static void pause_driver(struct ctl *ctl, struct driver *driver)
{
	queue_simple(ctl, driver, "pause");
}

static void resume_driver(struct ctl *ctl, struct driver *driver)
{
	queue_simple(ctl, driver, "resume");
}

static void pause_run(struct ctl *ctl, char **operands, int count)
{
	driver_each(ctl, operands, count, pause_driver);
}

static void resume_run(struct ctl *ctl, char **operands, int count)
{
	driver_each(ctl, operands, count, resume_driver);
}

const struct ctl_command command_pause = {
	.name = "pause",
	.operands = "MOUNTPOINT...",
	.help = "Begin no uploads until resume",
	.least = 1,
	.most = -1,
	.run = pause_run,
};

const struct ctl_command command_resume = {
	.name = "resume",
	.operands = "MOUNTPOINT...",
	.help = "Go on with uploads",
	.least = 1,
	.most = -1,
	.run = resume_run,
};
