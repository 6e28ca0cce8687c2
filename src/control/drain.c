// SPDX-License-Identifier: MIT
/*
 * See drain.h.  The driver answers with a line about once a second while it
 * waits, and a last one with what is left; so a driver that is stuck is told
 * from one that is busy.
 */
#include "config.h"

#include "src/control/drain.h"

#include <inttypes.h>
#include <string.h>

#include "src/base/clock.h"

/* Ten lines that did not come. */
#define DRAIN_SILENCE_NS (10 * NS_PER_SEC)

static struct json *drain_command(const struct drain_request *request)
{
	struct json *command = client_command("drain");
	int failed = !command;

	if (!failed)
		failed = json_set(command, "progress", json_flag(true));
	if (!failed && request->timeout_ns >= 0)
		failed = json_set(
			command, "timeout_ms",
			json_number((request->timeout_ns + NS_PER_MS - 1) /
				    NS_PER_MS));
	if (!failed && request->key && *request->key)
		failed = client_set_bytes(command, "key", request->key);
	if (!failed)
		return command;
	json_free(command);
	return NULL;
}

static void drain_show(FILE *stream, const struct json *line)
{
	int64_t left = json_get_number(line, "left", 0);
	int64_t bytes = json_get_number(line, "bytes", 0);

	fprintf(stream, "\r\033[Kstoring: %" PRId64 " %s, %.1f MiB left", left,
		left == 1 ? "file" : "files", (double)bytes / 1048576);
	fflush(stream);
}

static int drain_take(const struct json *line, struct drained *drained,
		      struct store_error *error)
{
	const char *code = json_get_text(line, "why_code");
	const char *why = json_get_text(line, "why");
	int failed;

	*drained = (struct drained){
		.undone = json_get_number(line, "undone", 0),
		.waiting = json_get_number(line, "waiting", 0),
		.failed = json_get_number(line, "failed", 0),
		.open = json_get_number(line, "open", 0),
		.unfinished = json_get_number(line, "unfinished", 0),
		.paused = json_get_flag(line, "paused"),
		.code = code ? client_code(code) : STORE_OK,
	};
	failed = client_get_bytes(line, "why_key", &drained->key, error);
	if (!failed)
		failed = client_get_bytes(line, "staging_dir",
					  &drained->staging, error);
	if (!failed && why) {
		drained->why = strdup(why);
		if (!drained->why)
			failed = store_error_set(error, STORE_NO_MEMORY,
						 "out of memory");
	}
	if (failed)
		drained_release(drained);
	return failed;
}

int drain_ask(struct client *client, const struct drain_request *request,
	      struct drained *drained, struct store_error *error)
{
	struct json *line = drain_command(request);
	bool shown = false, last = false;
	int code =
		line ? client_send(client, line, error)
		     : store_error_set(error, STORE_NO_MEMORY, "out of memory");

	json_free(line);
	while (!code && !last) {
		code = client_receive(client, DRAIN_SILENCE_NS, &line, error);
		if (code)
			break;
		last = !json_get_flag(line, "progress");
		if (last) {
			code = drain_take(line, drained, error);
		} else if (request->progress) {
			drain_show(request->progress, line);
			shown = true;
		}
		json_free(line);
	}
	if (shown)
		fputs("\r\033[K", request->progress);
	return code;
}

void drained_release(struct drained *drained)
{
	free(drained->key);
	free(drained->why);
	free(drained->staging);
	*drained = (struct drained){ .undone = 0 };
}

bool drained_is_all(const struct drained *drained)
{
	return !drained->undone && !drained->unfinished;
}

int drained_code(const struct drained *drained)
{
	if (!drained->undone)
		return STORE_OK;
	if (drained->code)
		return drained->code;
	return drained->paused || drained->open ? STORE_LOCKED : STORE_TIMEOUT;
}

static void describe_some(struct buf *text, const char **separator,
			  int64_t count, const char *what)
{
	if (!count)
		return;
	buf_addf(text, "%s%" PRId64 " %s", *separator, count, what);
	*separator = ", ";
}

void drained_describe(const struct drained *drained, struct buf *text)
{
	int64_t count = drained->undone + drained->unfinished;
	const char *separator = ": ";

	buf_addf(text, "%" PRId64 " %s in the staging directory%s%s", count,
		 count == 1 ? "file stays" : "files stay",
		 drained->staging ? " " : "",
		 drained->staging ? drained->staging : "");
	describe_some(text, &separator, drained->failed, "could not be stored");
	describe_some(text, &separator, drained->open,
		      "still open for writing");
	describe_some(text, &separator, drained->waiting,
		      drained->paused ? "waiting, as uploads are paused"
				      : "not stored in time");
	describe_some(text, &separator, drained->unfinished, "never finished");
	if (drained->key)
		buf_addf(text, " (%s: %s)", drained->key,
			 drained->why ? drained->why
				      : store_code_text(drained->code));
}
