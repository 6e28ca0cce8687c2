// SPDX-License-Identifier: MIT
/*
 * credential_process: a command prints keys as JSON.  Called by
 * credentials.c; ends the command when the context ends.
 */
#include "config.h"

#include "backends/s3/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/s3/time.h"
#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/base/secret.h"

extern char **environ;

enum { ANSWER_MAX = 65536, WAKE_MS = 200 };

static int spawn(const char *command, int to, pid_t *pid,
		 struct store_error *error)
{
	char shell[] = "/bin/sh";
	char option[] = "-c";
	char *text = strdup(command);
	char *argv[] = { shell, option, text, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int result;

	if (!text)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, to, 1);
	/* A group of its own, so that all of it can be ended. */
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	result = posix_spawn(pid, shell, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(text);
	return result ? store_error_errno(error, result, "credential_process")
		      : STORE_OK;
}

/* All it prints, or the end of our patience. */
static int collect(int from, struct store_context *context, struct buf *answer,
		   struct store_error *error)
{
	struct pollfd pollfd = { .fd = from, .events = POLLIN };
	char part[4096];

	for (;;) {
		int code = store_context_check(context, error);
		ssize_t got;

		if (code)
			return code;
		if (poll(&pollfd, 1, WAKE_MS) <= 0)
			continue;
		got = read(from, part, sizeof(part));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return store_error_errno(error, errno,
						 "credential_process");
		if (!got)
			return buf_error(answer, "credential_process", error);
		buf_add(answer, part, (size_t)got);
	}
}

static int reap(pid_t pid, bool ended, struct store_error *error)
{
	int status = 0;

	if (!ended)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended && (!WIFEXITED(status) || WEXITSTATUS(status)))
		return store_error_set(error, STORE_DENIED,
				       "credential_process failed");
	return STORE_OK;
}

static char *member(const struct json *answer, const char *name)
{
	const char *text = json_get_text(answer, name);

	return text ? strdup(text) : NULL;
}

static int take_answer(const struct buf *text, struct s3_keys *keys,
		       struct store_error *error)
{
	struct store_error bad = STORE_ERROR_INIT;
	struct json *answer = NULL;
	const char *ends;

	if (json_parse(buf_text(text), text->length, &answer, &bad))
		return store_error_set(error, STORE_DENIED,
				       "credential_process prints no JSON");
	keys->access = member(answer, "AccessKeyId");
	keys->secret = member(answer, "SecretAccessKey");
	keys->token = member(answer, "SessionToken");
	ends = json_get_text(answer, "Expiration");
	keys->expires = ends ? s3_time_parse(ends).tv_sec : 0;
	json_free(answer);
	if (keys->access && keys->secret)
		return STORE_OK;
	s3_keys_release(keys);
	return store_error_set(error, STORE_DENIED,
			       "credential_process prints no keys");
}

int s3_process_run(const char *command, struct store_context *context,
		   struct s3_keys *keys, struct store_error *error)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	int ends[2];
	pid_t pid;
	int code;

	if (pipe2(ends, O_CLOEXEC))
		return store_error_errno(error, errno, "credential_process");
	code = spawn(command, ends[1], &pid, error);
	close(ends[1]);
	if (!code) {
		int reaped;

		code = collect(ends[0], context, &answer, error);
		reaped = reap(pid, !code, error);
		code = code ? code : reaped;
	}
	close(ends[0]);
	if (!code)
		code = take_answer(&answer, keys, error);
	if (answer.data)
		secret_wipe(answer.data, answer.length);
	buf_release(&answer);
	return code;
}
