// SPDX-License-Identifier: MIT
/*
 * check: the configuration file and the lines of fstab that mount a store,
 * without mounting anything.  Mount options are the driver's business, so
 * each line is handed to `storefs --check`, found beside this program or in
 * PATH.  Every problem is told; the exit status is that of the first.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/text.h"
#include "src/ctl/ctl.h"

#define CHECK_LINE_MAX 65536

static const struct arg_option check_options[] = {
	{ "fstab", 'f', ARG_TEXT, offsetof(struct args, fstab), "FILE",
	  "Look at this file instead of /etc/fstab" },
	{ .name = NULL },
};

struct check {
	struct ctl *ctl;
	const char *fstab;
	const char *config; /* named on the command line, or NULL */
	unsigned int line;
	unsigned int mounts; /* lines that are ours */
};

enum check_field {
	FIELD_SOURCE,
	FIELD_TARGET,
	FIELD_TYPE,
	FIELD_OPTIONS,
	FIELDS,
};

static void check_fail(struct check *check, int code, const char *text)
{
	struct store_error error = STORE_ERROR_INIT;
	struct buf where CLEANUP_BUF = BUF_INIT(PATH_MAX + 32);

	buf_addf(&where, "%s:%u", check->fstab, check->line);
	store_error_set(&error, code, "%s", text);
	ctl_fail(check->ctl, buf_text(&where), NULL, &error);
}

static void check_fine(struct ctl *ctl, const char *what, const char *text)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	if (ctl->args.json) {
		record_bytes(&record, what, text);
		record_flag(&record, "ok", true);
		ctl_print(ctl, &record);
		return;
	}
	out_name("", text);
	puts(": ok");
}

/* The driver that belongs to this program, or any. */
static void check_driver(struct buf *driver)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length > 0) {
		self[length] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			*slash = '\0';
			buf_addf(driver, "%s/storefs", self);
			if (!access(buf_text(driver), X_OK))
				return;
			buf_clear(driver);
		}
	}
	buf_add_text(driver, "storefs");
}

/* Everything the child says, as one text; its exit status through *status. */
static int check_spawn(char *const argv[], struct buf *said, int *status,
		       struct store_error *error)
{
	int ends[2];
	char chunk[512];
	ssize_t got;
	pid_t child;

	if (pipe(ends))
		return store_error_errno(error, errno, "pipe");
	child = fork();
	if (child < 0) {
		store_error_errno(error, errno, "fork");
		close(ends[0]);
		close(ends[1]);
		return error->code;
	}
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		if (got > 0)
			buf_add(said, chunk, (size_t)got);
	}
	close(ends[0]);
	while (waitpid(child, status, 0) < 0)
		if (errno != EINTR)
			return store_error_errno(error, errno, "wait");
	return STORE_OK;
}

/* One line for us: no newline at the end, no "storefs: " in front. */
static const char *check_trim(struct buf *said)
{
	const char *text = buf_text(said);

	while (said->length > 0 && said->data[said->length - 1] == '\n')
		said->data[--said->length] = '\0';
	return strncmp(text, "storefs: ", 9) ? text : text + 9;
}

static bool check_has_option(const char *options, const char *name)
{
	size_t length = strlen(name);

	while (*options) {
		size_t step = 0;

		/* A comma after a backslash belongs to the value. */
		while (options[step] && options[step] != ',')
			step += options[step] == '\\' && options[step + 1] ? 2
									   : 1;
		if (!strncmp(options, name, length) && options[length] == '=')
			return true;
		options += step + (options[step] == ',');
	}
	return false;
}

static int check_run_driver(struct check *check, char **fields,
			    struct buf *said, int *status,
			    struct store_error *error)
{
	struct buf driver CLEANUP_BUF = BUF_INIT(PATH_MAX + 16);
	struct buf options CLEANUP_BUF = BUF_INIT(CHECK_LINE_MAX + PATH_MAX);
	char word[] = "--check";
	char flag[] = "-o";
	char *argv[7] = { NULL };
	int code;

	check_driver(&driver);
	buf_add_text(&options, fields[FIELD_OPTIONS]);
	if (check->config && !check_has_option(fields[FIELD_OPTIONS], "config"))
		buf_addf(&options, ",config=%s", check->config);
	code = buf_error(&options, "options", error);
	if (!code)
		code = buf_error(&driver, "driver", error);
	if (code)
		return code;
	argv[0] = driver.data;
	argv[1] = word;
	argv[2] = fields[FIELD_SOURCE];
	argv[3] = fields[FIELD_TARGET];
	argv[4] = flag;
	argv[5] = options.data;
	return check_spawn(argv, said, status, error);
}

static void check_mount(struct check *check, char **fields)
{
	struct store_error error = STORE_ERROR_INIT;
	struct buf said CLEANUP_BUF = BUF_INIT(STORE_ERROR_MESSAGE_MAX);
	struct buf where CLEANUP_BUF = BUF_INIT(CHECK_LINE_MAX);
	int status = 0;

	if (check_run_driver(check, fields, &said, &status, &error)) {
		check_fail(check, error.code, error.message);
	} else if (!WIFEXITED(status)) {
		check_fail(check, STORE_INTERNAL, "storefs --check died");
	} else if (WEXITSTATUS(status) == 127 && said.length == 0) {
		check_fail(check, STORE_UNAVAILABLE,
			   "storefs is neither beside storectl nor in PATH");
	} else if (WEXITSTATUS(status) != 0) {
		check_fail(check, STORE_INVALID, check_trim(&said));
	} else {
		buf_addf(&where, "%s:%u: %s", check->fstab, check->line,
			 fields[FIELD_TARGET]);
		check_fine(check->ctl, "mount", buf_text(&where));
	}
}

/* Split in place; returns the number of fields found. */
static int check_fields(char *line, char *fields[FIELDS])
{
	int count = 0;

	while (count < FIELDS) {
		size_t length;

		line += strspn(line, " \t");
		length = strcspn(line, " \t\n");
		if (length == 0 || (count == 0 && *line == '#'))
			break;
		fields[count++] = line;
		if (line[length])
			line[length++] = '\0';
		line += length;
	}
	return count;
}

static bool check_is_ours(const char *type)
{
	return !strcmp(type, "fuse.storefs") || !strcmp(type, "storefs");
}

static void check_line(struct check *check, char *line)
{
	char *fields[FIELDS];
	char none[] = "defaults";
	int count = check_fields(line, fields);
	int i;

	if (count <= FIELD_TYPE || !check_is_ours(fields[FIELD_TYPE]))
		return;
	check->mounts++;
	if (count == FIELD_OPTIONS)
		fields[FIELD_OPTIONS] = none;
	for (i = 0; i < FIELDS; i++)
		text_unescape_octal(fields[i]);
	if (fields[FIELD_TARGET][0] != '/')
		check_fail(check, STORE_INVALID,
			   "the mount point is no absolute path");
	else
		check_mount(check, fields);
}

static void check_fstab(struct ctl *ctl, const char *config)
{
	struct check check = {
		.ctl = ctl,
		.fstab = ctl->args.fstab ? ctl->args.fstab : "/etc/fstab",
		.config = config,
	};
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(check.fstab, "re");

	/* Without /etc/fstab nothing is mounted from it, which is fine. */
	if (!file && errno == ENOENT && !ctl->args.fstab)
		return;
	if (!file) {
		store_error_errno(&error, errno, "%s", check.fstab);
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	while (getline(&line, &room, file) > 0) {
		check.line++;
		check_line(&check, line);
	}
	fclose(file);
	if (check.mounts == 0 && !ctl->args.json)
		printf("%s: no line mounts a store\n", check.fstab);
}

static void check_run(struct ctl *ctl, char **operands, int count)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_registry *registry;
	const char *path;

	if (count > 0)
		ctl->args.config = operands[0];
	if (ctl_registry(ctl, &registry, &error)) {
		ctl_fail(ctl, NULL, NULL, &error);
	} else {
		path = store_registry_path(registry);
		if (path)
			check_fine(ctl, "config", path);
		else if (!ctl->args.json)
			puts("no configuration file");
	}
	check_fstab(ctl, ctl->args.config);
}

const struct ctl_command command_check = {
	.name = "check",
	.operands = "[FILE]",
	.help = "Check a configuration file and fstab without mounting",
	.options = check_options,
	.least = 0,
	.most = 1,
	.run = check_run,
};
