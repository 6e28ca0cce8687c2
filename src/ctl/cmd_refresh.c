// SPDX-License-Identifier: MIT
/*
 * refresh: a mount asks its store again about names it knows.  The driver does
 * all of it (mount/control_refresh.c).
 */
#include "config.h"

#include "src/base/json.h"
#include "src/ctl/driver.h"

static void refresh_tell(struct ctl *ctl, const char *operand,
			 const struct json *answer)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	record_bytes(&record, "path", operand);
	record_number(&record, "names",
		      (uint64_t)json_get_number(answer, "names", 0));
	ctl_print(ctl, &record);
}

static int refresh_ask(struct driver *driver, struct json **answer,
		       struct store_error *error)
{
	struct json *command = client_command("refresh");
	int code;

	/* The kernel may wait for who is at work in a folder. */
	if (command && !client_set_bytes(command, "key", driver->key))
		code = client_ask(driver->client, command, 0, answer, error);
	else
		code = store_error_set(error, STORE_NO_MEMORY, "out of memory");
	json_free(command);
	return code;
}

static void refresh_one(struct ctl *ctl, const char *operand)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct store_error error = STORE_ERROR_INIT;
	struct json *answer = NULL;

	if (!driver_want(ctl, operand, &driver))
		return;
	if (refresh_ask(&driver, &answer, &error))
		ctl_fail(ctl, operand, NULL, &error);
	else if (ctl->args.json)
		refresh_tell(ctl, operand, answer);
	json_free(answer);
}

static void refresh_run(struct ctl *ctl, char **operands, int count)
{
	for (int i = 0; i < count && !ctl_cancelled(ctl); i++)
		refresh_one(ctl, operands[i]);
}

const struct ctl_command command_refresh = {
	.name = "refresh",
	.operands = "PATH...",
	.help = "Show at once what others have changed there and below",
	.least = 1,
	.most = -1,
	.run = refresh_run,
};
