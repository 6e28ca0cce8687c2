// SPDX-License-Identifier: MIT
/*
 * status: what running mounts are doing.  The kernel lists the mounts
 * (mounts.c), each tells its control socket, and the driver behind that tells
 * the rest (control.c).  A driver that is gone or stuck is reported, never
 * waited for.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/ctl/control.h"
#include "src/ctl/ctl.h"
#include "src/ctl/mounts.h"

/* A status is answered from memory: slower than this is stuck. */
#define STATUS_TIMEOUT_MS 5000

struct status_number {
	const char *name;
	const char *text;
};

static const struct status_number status_numbers[] = {
	{ "open_files", "open files" },
	{ "dirty_files", "files not yet in the store" },
	{ "failed_files", "files that could not be stored" },
	{ "staged_bytes", "bytes staged" },
	{ "nodes", "names the kernel holds" },
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

static void status_print(const struct mount_entry *mount,
			 const struct json *answer)
{
	const struct status_number *each;
	const char *commit = json_get_text(answer, "commit");
	const char *source = json_get_text(answer, "source");

	out_name("", mount->target);
	fputs("\n  source      ", stdout);
	out_name("", source ? source : mount->source);
	printf("\n  driver      process %" PRId64 ", up ",
	       json_get_number(answer, "pid", 0));
	status_uptime(json_get_number(answer, "uptime", 0));
	fputs("\n  commit      ", stdout);
	out_name("", commit ? commit : "?");
	putchar('\n');
	for (each = status_numbers; each->name; each++)
		printf("  %-11" PRId64 " %s\n",
		       json_get_number(answer, each->name, 0), each->text);
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

static void status_mount(struct ctl *ctl, const struct mount_entry *mount)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *path = NULL;
	struct json *answer = NULL;
	int code = mount_control_path(mount->target, STATUS_TIMEOUT_MS, &path,
				      &error);

	if (!code)
		code = control_ask(path, "status", STATUS_TIMEOUT_MS, &answer,
				   &error);
	if (code)
		ctl_fail(ctl, mount->target, NULL, &error);
	else if (ctl->args.json)
		status_json(ctl, answer);
	else
		status_print(mount, answer);
	json_free(answer);
}

/*
 * Make a path absolute and clean by its text alone: looking it up could hang
 * on the very mount that is asked about.
 */
static int status_absolute(const char *operand, struct buf *path,
			   struct store_error *error)
{
	struct buf whole CLEANUP_BUF = BUF_INIT(2 * PATH_MAX);
	char here[PATH_MAX];
	const char *at;

	if (operand[0] != '/') {
		if (!getcwd(here, sizeof(here)))
			return store_error_errno(error, errno, "%s", operand);
		buf_addf(&whole, "%s/", here);
	}
	buf_add_text(&whole, operand);
	for (at = buf_text(&whole); *at;) {
		size_t length = strcspn(at, "/");

		if (length == 2 && !strncmp(at, "..", 2)) {
			while (path->length > 0 &&
			       path->data[--path->length] != '/')
				;
		} else if (length > 0 && (length != 1 || *at != '.')) {
			buf_add_char(path, '/');
			buf_add(path, at, length);
		}
		at += length + (at[length] == '/');
	}
	if (path->length == 0)
		buf_add_char(path, '/');
	if (!path->failed)
		path->data[path->length] = '\0';
	return buf_error(path, "path", error);
}

static void status_operand(struct ctl *ctl, const struct mount_list *list,
			   const char *operand)
{
	struct buf path CLEANUP_BUF = BUF_INIT(2 * PATH_MAX);
	struct store_error error = STORE_ERROR_INIT;
	const struct mount_entry *mount;
	CLEANUP_FREE char *real = NULL;

	if (status_absolute(operand, &path, &error)) {
		ctl_fail(ctl, operand, NULL, &error);
		return;
	}
	mount = mount_list_find(list, buf_text(&path));
	/* Symlinks are followed only when the text alone does not lead there. */
	if (!mount && !mount_resolve(operand, STATUS_TIMEOUT_MS, &real, &error))
		mount = mount_list_find(list, real);
	if (!mount && error.code != STORE_TIMEOUT)
		store_error_set(&error, STORE_NOT_FOUND,
				"no store is mounted there");
	if (mount)
		status_mount(ctl, mount);
	else
		ctl_fail(ctl, operand, NULL, &error);
}

static void status_run(struct ctl *ctl, char **operands, int count)
{
	struct store_error error = STORE_ERROR_INIT;
	struct mount_list list;
	size_t i;
	int each;

	if (mount_list_read(&list, &error)) {
		mount_list_release(&list);
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	for (each = 0; each < count; each++)
		status_operand(ctl, &list, operands[each]);
	for (i = 0; count == 0 && i < list.count; i++)
		status_mount(ctl, &list.entries[i]);
	if (count == 0 && list.count == 0 && !ctl->args.json)
		puts("no store is mounted");
	mount_list_release(&list);
}

const struct ctl_command command_status = {
	.name = "status",
	.operands = "[MOUNTPOINT...]",
	.help = "Show what running mounts are doing",
	.least = 0,
	.most = -1,
	.run = status_run,
};
