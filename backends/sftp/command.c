// SPDX-License-Identifier: MIT
/*
 * A program as transport: one end of a socket pair is its standard input and
 * output.  Its complaints go to a pipe that nobody waits for: neither side
 * blocks on it, and what does not fit is lost.
 *
 * The program leads a process group of its own, so that the interrupt key of
 * a terminal does not reach it and its helpers end with it.
 */
#include "config.h"

#include "backends/sftp/transport.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "src/base/cleanup.h"
#include "src/base/text.h"

extern char **environ;

enum { COMPLAINT_MAX = 400 };

struct command {
	struct sftp_transport transport;
	char *name; /* owned */
	pid_t pid;  /* -1 until it was started */
	int fd;
	int complaints; /* reading end of its standard error */
};

static struct command *command_of(struct sftp_transport *transport)
{
	return (struct command *)transport;
}

static void command_free(struct command *command)
{
	if (command->fd >= 0)
		close(command->fd);
	if (command->complaints >= 0)
		close(command->complaints);
	if (command->pid > 0) {
		kill(-command->pid, SIGKILL);
		while (waitpid(command->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(command->name);
	free(command);
}

static void command_close(struct sftp_transport *transport)
{
	command_free(command_of(transport));
}

/* The last line of what the program said, without its end; "" for nothing. */
static void last_complaint(const struct command *command, char *line)
{
	char text[COMPLAINT_MAX + 1];
	size_t length = 0;
	ssize_t got;

	line[0] = '\0';
	while ((got = read(command->complaints, text, COMPLAINT_MAX)) > 0) {
		length = (size_t)got;
		while (length && strchr("\r\n", text[length - 1]))
			length--;
		text[length] = '\0';
		if (length) {
			const char *last = strrchr(text, '\n');

			last = last ? last + 1 : text;
			memcpy(line, last, strlen(last) + 1);
		}
	}
}

/* What does not pass when it is tried again, as ssh says it at its end. */
static bool is_refusal(const char *complaint)
{
	static const char *const words[] = {
		"Permission denied",
		"Host key verification failed",
		"Too many authentication failures",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(complaint, words[i]))
			return true;
	return false;
}

static int command_ended(const struct command *command,
			 struct store_error *error)
{
	char line[COMPLAINT_MAX + 1];
	struct text_shown shown;

	last_complaint(command, line);
	if (!line[0])
		return store_error_set(error, STORE_UNAVAILABLE,
				       "%s ended the connection",
				       command->name);
	return store_error_set(
		error, is_refusal(line) ? STORE_DENIED : STORE_UNAVAILABLE,
		"%s ended the connection: %s", command->name,
		text_show(&shown, line));
}

static int command_read(struct sftp_transport *transport, void *data,
			size_t length, size_t *got, struct store_error *error)
{
	struct command *command = command_of(transport);
	ssize_t n;

	do
		n = recv(command->fd, data, length, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		n = 0;
	else if (n <= 0)
		return command_ended(command, error);
	*got = (size_t)n;
	return STORE_OK;
}

static int command_write(struct sftp_transport *transport, const void *data,
			 size_t length, size_t *sent, struct store_error *error)
{
	struct command *command = command_of(transport);
	ssize_t n;

	do
		n = send(command->fd, data, length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		n = 0;
	else if (n < 0)
		return command_ended(command, error);
	*sent = (size_t)n;
	return STORE_OK;
}

static int command_descriptor(struct sftp_transport *transport)
{
	return command_of(transport)->fd;
}

static short command_events(struct sftp_transport *transport UNUSED,
			    bool sending)
{
	return sending ? POLLIN | POLLOUT : POLLIN;
}

static const struct sftp_transport_kind command_kind = {
	.name = "command",
	.read = command_read,
	.write = command_write,
	.descriptor = command_descriptor,
	.events = command_events,
	.close = command_close,
};

/* An errno. */
static int command_spawn(struct command *command, const char *const *argv,
			 int stream, int complaints)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	/* The words are not changed, whatever the prototype says. */
	union {
		const char *const *words;
		char *const *argv;
	} program = { .words = argv };
	sigset_t none, all;
	int errnum;

	sigemptyset(&none);
	sigfillset(&all);
	errnum = posix_spawn_file_actions_init(&actions);
	if (errnum)
		return errnum;
	errnum = posix_spawnattr_init(&attributes);
	if (errnum) {
		posix_spawn_file_actions_destroy(&actions);
		return errnum;
	}
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
						      POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	errnum = posix_spawn_file_actions_adddup2(&actions, stream, 0);
	if (!errnum)
		errnum = posix_spawn_file_actions_adddup2(&actions, stream, 1);
	if (!errnum)
		errnum = posix_spawn_file_actions_adddup2(&actions, complaints,
							  2);
	if (!errnum)
		errnum = posix_spawnp(&command->pid, argv[0], &actions,
				      &attributes, program.argv, environ);
	if (errnum)
		command->pid = -1;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return errnum;
}

/* Ends of the stream and of the complaints: ours, theirs.  An errno. */
static int command_connect(struct command *command, const char *const *argv)
{
	int CLEANUP_FD stream = -1;
	int CLEANUP_FD complaints = -1;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return errno;
	command->fd = fds[0];
	stream = fds[1];
	if (fcntl(command->fd, F_SETFL, O_NONBLOCK))
		return errno;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return errno;
	command->complaints = fds[0];
	complaints = fds[1];
	return command_spawn(command, argv, stream, complaints);
}

int sftp_command_start(const char *const *argv,
		       struct sftp_transport **transport,
		       struct store_error *error)
{
	struct command *command = malloc(sizeof(*command));
	int errnum = ENOMEM;

	if (!command)
		return store_error_errno(error, ENOMEM, "%s", argv[0]);
	*command = (struct command){ .transport.kind = &command_kind,
				     .name = strdup(argv[0]),
				     .pid = -1,
				     .fd = -1,
				     .complaints = -1 };
	if (command->name)
		errnum = command_connect(command, argv);
	if (errnum) {
		command_free(command);
		return store_error_errno(error, errnum, "cannot run %s",
					 argv[0]);
	}
	*transport = &command->transport;
	return STORE_OK;
}
