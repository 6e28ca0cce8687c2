// SPDX-License-Identifier: MIT
/*
 * pending: one line per file that is not in the store.  The driver lists
 * them (mount/control.h); here they are shown.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/ctl/driver.h"

/* The driver reads its journal, and asks the store for a few seconds. */
#define PENDING_TIMEOUT_NS (60 * NS_PER_SEC)

static void show_age(int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	printf(" %5" PRId64 "%c  ", seconds / units[i].seconds, units[i].unit);
}

/* Of a conflict: what the bytes were made from, and what is there now. */
static void show_versions(const struct json *item)
{
	const char *code = json_get_text(item, "code");
	const char *base = json_get_text(item, "base_version");
	const char *store = json_get_text(item, "store_version");
	const char *mtime = json_get_text(item, "store_mtime");
	const char *failed = json_get_text(item, "store_error");

	if (!code || strcmp(code, store_code_name(STORE_CHANGED)) != 0)
		return;
	if (base)
		out_name("; based on version ", base);
	else
		fputs("; made as a new file", stdout);
	if (failed)
		out_name("; the store does not tell what it has: ", failed);
	else if (store)
		printf("; the store has version %s of %" PRId64 " bytes", store,
		       json_get_number(item, "store_size", 0));
	else if (json_get(item, "store_exists"))
		fputs("; the store has no such file", stdout);
	if (mtime)
		printf(" from %s", mtime);
}

static void show_name(const struct json *item)
{
	struct store_error ignored = STORE_ERROR_INIT;
	CLEANUP_FREE char *key = NULL, *file = NULL, *to = NULL;
	const char *phase = json_get_text(item, "phase");

	if (client_get_bytes(item, "key", &key, &ignored) ||
	    client_get_bytes(item, "file", &file, &ignored) ||
	    client_get_bytes(item, "to", &to, &ignored))
		return;
	out_name("", key ? key : file ? file : "?");
	if (to)
		out_name(" to ", to);
	if (phase)
		printf("; %s", phase);
}

static void show_item(const struct json *item)
{
	const char *state = json_get_text(item, "state");
	const char *code = json_get_text(item, "code");
	const char *error = json_get_text(item, "error");
	int64_t retry = json_get_number(item, "retry_in", -1);

	if (json_get(item, "id"))
		printf("%6" PRId64, json_get_number(item, "id", 0));
	else
		printf("%6s", "-");
	printf("  %-10s", state ? state : "?");
	if (json_get(item, "size"))
		printf(" %12" PRId64, json_get_number(item, "size", 0));
	else
		printf(" %12s", "-");
	if (json_get(item, "age"))
		show_age(json_get_number(item, "age", 0));
	else
		printf(" %6s  ", "-");
	show_name(item);
	if (code || error)
		out_name(": ", error ? error : code);
	if (json_get_flag(item, "attributes_only"))
		fputs("; attributes only", stdout);
	if (retry >= 0)
		printf("; tried again in %" PRId64 " s", retry);
	show_versions(item);
	putchar('\n');
}

static void print_item(struct ctl *ctl, const struct driver *driver,
		       struct json *item)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *text = NULL;

	if (!ctl->args.json) {
		show_item(item);
		return;
	}
	if (!client_set_bytes(item,
			      driver->offline ? "staging_dir" : "mountpoint",
			      driver->name))
		text = json_print(item, false);
	if (text) {
		puts(text);
		return;
	}
	store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	ctl_fail(ctl, NULL, NULL, &error);
}

/* What concerns no file in particular. */
static void tell_end(const struct driver *driver, const struct json *end)
{
	int64_t bad = json_get_number(end, "bad_bytes", 0);

	if (json_get_flag(end, "paused") && !driver->offline)
		out_complain("%s: uploads are paused", driver->name);
	if (bad)
		out_complain("%s: %" PRId64 " bytes of the journal cannot be "
			     "read; the next mount keeps them as journal.bad-*",
			     driver->name, bad);
}

static int list_items(struct ctl *ctl, struct driver *driver,
		      struct store_error *error)
{
	bool last = false;
	int code = STORE_OK;

	while (!code && !last) {
		struct json *line = NULL;

		code = client_receive(driver->client, PENDING_TIMEOUT_NS, &line,
				      error);
		if (code)
			break;
		last = json_get_flag(line, "done");
		if (!last)
			print_item(ctl, driver, line);
		else if (!ctl->args.json)
			tell_end(driver, line);
		json_free(line);
	}
	return code;
}

static void pending_driver(struct ctl *ctl, struct driver *driver)
{
	struct json *command = client_command("pending");
	struct store_error error = STORE_ERROR_INIT;
	int code = STORE_OK;

	if (!command || (ctl->args.offline &&
			 json_set(command, "offline", json_flag(true))))
		code = store_error_set(&error, STORE_NO_MEMORY,
				       "out of memory");
	if (!code)
		code = client_send(driver->client, command, &error);
	if (!code)
		code = list_items(ctl, driver, &error);
	json_free(command);
	if (code)
		ctl_fail(ctl, driver->name, NULL, &error);
}

static void pending_run(struct ctl *ctl, char **operands, int count)
{
	driver_each(ctl, operands, count, pending_driver);
}

static const struct arg_option pending_options[] = {
	{ "offline", 0, ARG_FLAG, offsetof(struct args, offline), NULL,
	  "Do not ask the store which versions it has" },
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_pending = {
	.name = "pending",
	.operands = "[MOUNTPOINT...]",
	.help = "List what is not in the store",
	.options = pending_options,
	.least = 0,
	.most = -1,
	.run = pending_run,
};
