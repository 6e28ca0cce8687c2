// SPDX-License-Identifier: MIT
/*
 * Who starts storectl for a side: a process each, made before any file is
 * open.  A child of the program itself would hold what the other side has
 * open until it has become storectl, and a close() that others outlive says
 * nothing of the store.  Called by duel.c and duel_step.c.
 */
#include "config.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/mount/duel.h"
#include "tests/posix/errname.h"

extern char **environ;

enum { ORDER_ROOM = 8192, ORDER_WORDS = 8 };

static int helpers[SIDES];

/* ---- in the helper ---- */

static int run(char *arguments[])
{
	posix_spawn_file_actions_t actions;
	int status = 0, error;
	pid_t child;

	if (posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY,
					     0) ||
	    posix_spawn_file_actions_addopen(&actions, 2, "storectl.err",
					     O_WRONLY | O_CREAT | O_APPEND,
					     0644))
		duel_trouble("no memory");
	error = posix_spawn(&child, arguments[0], &actions, NULL, arguments,
			    environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error || waitpid(child, &status, 0) != child)
		duel_trouble("%s: %s", arguments[0], errname(error));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* An order is the words, each with its end. */
static int obey(char *order, size_t length)
{
	char *arguments[ORDER_WORDS + 1] = { NULL };
	size_t count = 0;

	for (size_t at = 0; at < length && count < ORDER_WORDS;
	     at += strlen(order + at) + 1)
		arguments[count++] = order + at;
	return run(arguments);
}

_Noreturn static void serve(int fd)
{
	char order[ORDER_ROOM];
	ssize_t length;
	int status;

	while ((length = recv(fd, order, sizeof(order), 0)) > 0) {
		status = obey(order, (size_t)length);
		if (send(fd, &status, sizeof(status), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ---- in the program ---- */

void helpers_start(void)
{
	for (int side = 0; side < SIDES; side++) {
		int ends[2];
		pid_t child;

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
			duel_trouble("no socket");
		child = fork();
		if (child < 0)
			duel_trouble("no process");
		if (!child) {
			close(ends[0]);
			serve(ends[1]);
		}
		close(ends[1]);
		helpers[side] = ends[0];
	}
}

int helper_storectl(int side, const char *const arguments[])
{
	char order[ORDER_ROOM];
	size_t length = 0;
	int status;

	for (int i = 0; arguments[i]; i++) {
		size_t size = strlen(arguments[i]) + 1;

		if (i == ORDER_WORDS || length + size > sizeof(order))
			duel_trouble("%s: too much", arguments[i]);
		memcpy(order + length, arguments[i], size);
		length += size;
	}
	if (send(helpers[side], order, length, MSG_NOSIGNAL) < 0 ||
	    recv(helpers[side], &status, sizeof(status), 0) !=
		    (ssize_t)sizeof(status))
		duel_trouble("%s: its helper has ended", arguments[0]);
	return status;
}
