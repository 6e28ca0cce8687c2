// SPDX-License-Identifier: MIT
/*
 * export: the whole content of a pending file, as it would be stored.  The
 * driver sends it (mount/control.h); it goes through a writer of the
 * destination's store, which shows nothing before all of it has come.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/ctl/place.h"
#include "src/ctl/queue.h"

#define EXPORT_CHUNK ((size_t)1 << 20)

struct export
{
	struct ctl *ctl;
	struct driver *driver;
	struct store_writer *writer; /* NULL: to standard output */
	char *data;		     /* EXPORT_CHUNK */
	uint64_t done;
};

static int export_stdout(const char *data, size_t length,
			 struct store_error *error)
{
	while (length) {
		ssize_t done = write(STDOUT_FILENO, data, length);

		if (done < 0 && errno != EINTR)
			return store_error_errno(error, errno,
						 "standard output");
		if (done > 0) {
			data += done;
			length -= (size_t)done;
		}
	}
	return STORE_OK;
}

static int export_write(struct export *export, size_t length,
			struct store_error *error)
{
	export->done += length;
	if (!export->writer)
		return export_stdout(export->data, length, error);
	return store_writer_write(export->writer, ctl_context(export->ctl),
				  export->data, length, error);
}

static int export_piece(struct export *export, uint64_t length, bool zeros,
			struct store_error *error)
{
	int code = STORE_OK;

	if (zeros)
		memset(export->data, 0, EXPORT_CHUNK);
	while (length && !code) {
		size_t step =
			length < EXPORT_CHUNK ? (size_t)length : EXPORT_CHUNK;

		if (!zeros)
			code = client_bytes(export->driver->client,
					    export->ctl->args.timeout_ns,
					    export->data, step, error);
		if (!code)
			code = export_write(export, step, error);
		length -= step;
	}
	return code;
}

static int export_line(struct export *export, const struct json *line,
		       bool *last, struct store_error *error)
{
	int64_t bytes = json_get_number(line, "bytes", 0);
	int64_t zeros = json_get_number(line, "zeros", 0);

	*last = json_get_flag(line, "done");
	if (bytes < 0 || zeros < 0 || (!*last && !bytes && !zeros) ||
	    (*last &&
	     export->done != (uint64_t)json_get_number(line, "size", -1)))
		return store_error_set(error, STORE_CORRUPT,
				       "an answer that cannot be right");
	if (*last)
		return STORE_OK;
	return export_piece(export, (uint64_t)(bytes ? bytes : zeros), !bytes,
			    error);
}

static int export_all(struct export *export, const struct json *command,
		      struct store_error *error)
{
	int code = client_send(export->driver->client, command, error);
	bool last = false;

	while (!code && !last) {
		struct json *line = NULL;

		code = client_receive(export->driver->client,
				      export->ctl->args.timeout_ns, &line,
				      error);
		if (!code)
			code = export_line(export, line, &last, error);
		json_free(line);
	}
	return code;
}

static mode_t export_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int export_begin(struct export *export, const struct place *to,
			struct store_error *error)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = export_mode() };
	struct store_write_options options = {
		.precondition = { .condition = export->ctl->args.force
						       ? STORE_IF_ANY
						       : STORE_IF_ABSENT },
	};

	if (store_supports(to->store, STORE_CAP_POSIX))
		options.attributes = &attributes;
	return store_open_writer(to->store, ctl_context(export->ctl), to->key,
				 &options, &export->writer, error);
}

static int export_end(struct export *export, int code,
		      struct store_error *error)
{
	if (!export->writer)
		return code;
	if (!code)
		return store_writer_commit(
			export->writer, ctl_context(export->ctl), NULL, error);
	store_writer_discard(export->writer);
	return code;
}

static void export_run_to(struct ctl *ctl, struct driver *driver,
			  const struct json *command, const char *file)
{
	CLEANUP_PLACE struct place to = PLACE_INIT;
	struct export export = { .ctl = ctl,
				 .driver = driver,
				 .data = malloc(EXPORT_CHUNK) };
	struct store_error error = STORE_ERROR_INIT;
	bool stream = !strcmp(file, "-");
	int code = STORE_OK;

	if (!export.data)
		code = store_error_set(&error, STORE_NO_MEMORY,
				       "out of memory");
	if (!code && !stream)
		code = place_open(ctl, file, PLACE_FOLLOW, &to, &error);
	if (!code && !stream) {
		code = export_begin(&export, &to, &error);
		if (code) {
			ctl_fail_place(ctl, &to, &error);
			free(export.data);
			return;
		}
	}
	if (!code)
		code = export_all(&export, command, &error);
	code = export_end(&export, code, &error);
	free(export.data);
	if (code)
		ctl_fail(ctl, driver->name, NULL, &error);
}

static void export_run(struct ctl *ctl, char **operands, int count)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct json *command = client_command("export");
	struct store_error error = STORE_ERROR_INIT;

	if (queue_want(ctl, operands, count - 1, &driver, command)) {
		if (queue_set_flag(command, "raw", ctl->args.raw, &error))
			ctl_fail(ctl, NULL, NULL, &error);
		else
			export_run_to(ctl, &driver, command,
				      operands[count - 1]);
	}
	json_free(command);
}

static const struct arg_option export_options[] = {
	{ "force", 'f', ARG_FLAG, offsetof(struct args, force), NULL,
	  "Replace an existing file" },
	{ "raw", 'r', ARG_FLAG, offsetof(struct args, raw), NULL,
	  "Staged bytes as they are, zeros where there are none" },
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_export = {
	.name = "export",
	.operands = "MOUNTPOINT ID|KEY FILE | PATH FILE",
	.help = "Copy a pending file, as it would be stored; - is stdout",
	.options = export_options,
	.least = 2,
	.most = 3,
	.writes = true,
	.run = export_run,
};
