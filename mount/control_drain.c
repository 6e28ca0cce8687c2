// SPDX-License-Identifier: MIT
/*
 * The command drain; see control.h.  Called by control.c.
 *
 * Files go in the publisher's threads; here they are counted until none is
 * on its way, and asked for anew where they wait for their next attempt.
 * What was refused, and what a program is writing, is not waited for.
 */
#include "config.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mount/control_call.h"
#include "mount/events.h"
#include "mount/publish.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/control/client.h"

/* Between two looks; outcomes wake earlier, but not more often than this. */
#define LOOK_NS (500 * NS_PER_MS)
#define LOOK_LEAST_NS (20 * NS_PER_MS)
#define TELL_NS NS_PER_SEC
/* Between two attempts of one file that the store has not taken. */
#define ASK_NS NS_PER_SEC

struct drain {
	struct control_call *call;
	const char *key; /* NULL: all */
	int64_t until_ns;
	/* of the last look */
	uint64_t waiting, failed, open, bytes;
	bool running;	     /* an attempt runs, also while paused */
	bool ask;	     /* for the next attempts of what waits for them */
	int code;	     /* why the first is not stored */
	char *why_key, *why; /* owned, NULL: none */
};

/* Is `key` the folder itself, or below it? */
static bool key_is_meant(const char *key, const char *folder)
{
	size_t length;

	if (!folder)
		return true;
	length = strlen(folder);
	return !strncmp(key, folder, length) &&
	       (!key[length] || key[length] == '/');
}

enum drain_state { DRAIN_NOTHING, DRAIN_WAITS, DRAIN_FAILED, DRAIN_OPEN };

static enum drain_state state_locked(const struct file *file)
	REQUIRES(file->lock)
{
	/* The one whose writer was killed is about to be kept as unfinished. */
	if (!file->dirty || file_is_lost_locked(file) || file->beside)
		return DRAIN_NOTHING;
	if (file->started > file->finished)
		return DRAIN_WAITS;
	if (file->last_code && !store_code_retryable(file->last_code) &&
	    file->last_code != STORE_CANCELLED)
		return DRAIN_FAILED;
	return file->writers && !file->note.acknowledged ? DRAIN_OPEN
							 : DRAIN_WAITS;
}

static void note_why(struct drain *drain, const char *key,
		     const struct store_error *error)
{
	if (drain->code)
		return;
	drain->code = error->code;
	drain->why_key = strdup(key);
	drain->why = strdup(error->message);
}

static void look_at(void *arg, struct file *file)
{
	struct drain *drain = arg;
	struct tree *tree = &file->fs->tree;
	struct store_error error;
	char key[STORE_KEY_MAX + 1];
	enum drain_state state;
	bool running;

	lock_take(&tree->lock);
	if (node_key(tree, file->node, NULL, key, NULL))
		memcpy(key, file->name_hint, sizeof(file->name_hint));
	lock_drop(&tree->lock);
	if (!key_is_meant(key, drain->key))
		return;
	lock_take(&file->lock);
	state = state_locked(file);
	running = file->started > file->finished;
	error = file->last_error;
	error.code = file->last_code;
	if (state == DRAIN_WAITS)
		drain->bytes += file->staging.size;
	lock_drop(&file->lock);
	drain->waiting += state == DRAIN_WAITS;
	drain->failed += state == DRAIN_FAILED;
	drain->open += state == DRAIN_OPEN;
	drain->running |= running;
	if (error.code && (state == DRAIN_FAILED || state == DRAIN_WAITS))
		note_why(drain, key, &error);
	if (state == DRAIN_WAITS && !running && drain->ask)
		publisher_queue(file->fs->publisher, file);
}

static void look(struct drain *drain, bool ask)
{
	free(drain->why_key);
	free(drain->why);
	*drain = (struct drain){ .call = drain->call,
				 .key = drain->key,
				 .until_ns = drain->until_ns,
				 .ask = ask };
	publish_each(drain->call->fs, look_at, drain);
}

/* ---- lines ---- */

static int tell_progress(struct drain *drain, struct store_error *error)
{
	struct line line;

	line_init(&line);
	line_flag(&line, "progress", true);
	line_number(&line, "left", drain->waiting);
	line_number(&line, "bytes", drain->bytes);
	return control_send(drain->call, &line, error);
}

static int tell_end(struct drain *drain, struct store_error *error)
{
	struct fs *fs = drain->call->fs;
	/* Damaged files of an earlier run are not among the dirty ones. */
	uint64_t failed =
		drain->failed + (drain->key ? 0 : fs->counters.failed_files);
	struct line line;

	line_init(&line);
	line_flag(&line, "done", true);
	if (fs->staging_path)
		line_bytes(&line, "staging_dir", fs->staging_path);
	line_number(&line, "undone", drain->waiting + failed + drain->open);
	line_number(&line, "waiting", drain->waiting);
	line_number(&line, "failed", failed);
	line_number(&line, "open", drain->open);
	line_number(&line, "unfinished",
		    drain->key ? 0 : fs->counters.unfinished);
	line_flag(&line, "paused", atomic_load(&fs->paused));
	if (!drain->code && failed > drain->failed)
		line_text(&line, "why_code", store_code_name(STORE_CORRUPT));
	if (drain->code) {
		line_text(&line, "why_code", store_code_name(drain->code));
		if (drain->why)
			line_text(&line, "why", drain->why);
		if (drain->why_key)
			line_bytes(&line, "why_key", drain->why_key);
	}
	return control_send(drain->call, &line, error);
}

/* ---- waiting ---- */

/* CANCELLED when nobody waits for it any more. */
static int sleep_until(struct drain *drain, const struct events_reader *reader,
		       int64_t until_ns, struct store_error *error)
{
	struct control_call *call = drain->call;
	struct pollfd fds[] = {
		{ .fd = call->wire.fd, .events = POLLRDHUP },
		{ .fd = store_cancel_fd(call->cancel), .events = POLLIN },
		{ .fd = reader ? events_fd(reader) : -1, .events = POLLIN },
	};
	int64_t left = until_ns - clock_monotonic_ns();

	if (left > 0 && poll(fds, 3, (int)(left / NS_PER_MS) + 1) < 0)
		return STORE_OK;
	call->gone |= fds[0].revents != 0;
	if (call->gone || fds[1].revents)
		return store_error_set(error, STORE_CANCELLED,
				       "the driver ends");
	return STORE_OK;
}

static int wait_for_outcome(struct drain *drain, struct events_reader *reader,
			    struct store_error *error)
{
	int64_t now = clock_monotonic_ns(), until = now + LOOK_NS;
	uint64_t lost;
	char *text;
	int code;

	if (until > drain->until_ns)
		until = drain->until_ns;
	code = sleep_until(drain, reader, until, error);
	/* What came is only counted, and there may be very many. */
	while (reader && (text = events_take(reader, &lost)))
		free(text);
	if (!code && clock_monotonic_ns() - now < LOOK_LEAST_NS)
		code = sleep_until(drain, NULL, now + LOOK_LEAST_NS, error);
	return code;
}

static int drain_all(struct drain *drain, struct events_reader *reader,
		     bool progress, struct store_error *error)
{
	int64_t told = 0, asked = 0;
	int code = STORE_OK;

	for (;;) {
		int64_t now = clock_monotonic_ns();
		bool ask = now - asked >= ASK_NS;

		look(drain, ask);
		asked = ask ? now : asked;
		if (!drain->waiting || now >= drain->until_ns ||
		    (atomic_load(&drain->call->fs->paused) && !drain->running))
			return tell_end(drain, error);
		if (progress && now - told >= TELL_NS) {
			code = tell_progress(drain, error);
			told = now;
		}
		if (!code)
			code = wait_for_outcome(drain, reader, error);
		if (code)
			return code;
	}
}

int control_drain(struct control_call *call, struct store_error *error)
{
	const struct json *command = call->command;
	int64_t timeout = json_get_number(command, "timeout_ms", -1);
	struct events_reader *reader = NULL;
	struct drain drain = { .call = call, .until_ns = INT64_MAX };
	CLEANUP_FREE char *key = NULL;
	int code = client_get_bytes(command, "key", &key, error);

	if (timeout < 0)
		timeout = call->fs->options->drain_timeout_ns / NS_PER_MS;
	if (timeout > 0 && timeout < INT64_MAX / NS_PER_MS / 2)
		drain.until_ns = clock_monotonic_ns() + timeout * NS_PER_MS;
	drain.key = key;
	if (call->offline)
		publisher_pause(call->fs->publisher, false);
	if (!code && call->fs->events)
		code = events_follow(call->fs->events, &reader, error);
	if (!code)
		code = drain_all(&drain, reader,
				 json_get_flag(command, "progress"), error);
	events_leave(reader);
	free(drain.why_key);
	free(drain.why);
	return code;
}
