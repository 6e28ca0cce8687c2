// SPDX-License-Identifier: MIT
/* See place.h.  Called by the servers for tests and by who controls them. */
#include "config.h"

#include "tests/servers/place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { COMMAND_MAX = 4096, WORDS_MAX = 32, ANSWER_MAX = 64 << 20 };

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int place_listen(int *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		return -1;
	*port = ntohs(address.sin_port);
	return steal_fd(&fd);
}

int place_connect(int port)
{
	struct sockaddr_in address = loopback(port);
	CLEANUP_FD int fd =
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    (connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	     errno != EINPROGRESS))
		return -1;
	return steal_fd(&fd);
}

/* The name of a socket has 107 bytes, that of a folder may have more. */
static int control_socket(const char *dir, struct sockaddr_un *address,
			  int *folder)
{
	*folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return -1;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path),
		 "/proc/self/fd/%d/control", *folder);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int place_control(const char *dir)
{
	struct sockaddr_un address;
	CLEANUP_FD int folder = -1;
	CLEANUP_FD int fd = control_socket(dir, &address, &folder);

	if (fd < 0)
		return -1;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 16))
		return -1;
	return steal_fd(&fd);
}

static bool write_number(const char *dir, const char *name, long number)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	fprintf(file, "%ld\n", number);
	return !fclose(file);
}

bool place_ready(const char *dir, int port)
{
	if (!write_number(dir, "port", port) ||
	    !write_number(dir, "pid", getpid()))
		return false;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return false;
	printf("%d\n", port);
	fflush(stdout);
	return freopen("/dev/null", "w", stdout) != NULL;
}

/* ---- control ---- */

static void limit_waiting(int fd)
{
	const struct timeval limit = { .tv_sec = 10 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Up to the end of the line; false when there is none. */
static bool read_line(int fd, char *line, size_t room)
{
	size_t length = 0;

	while (length + 1 < room) {
		ssize_t got = recv(fd, line + length, room - 1 - length, 0);

		if (got <= 0)
			return false;
		length += (size_t)got;
		if (line[length - 1] == '\n') {
			line[length - 1] = '\0';
			return true;
		}
	}
	return false;
}

static void send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		length -= (size_t)sent;
	}
}

/* At tabs, so that a word may have blanks. */
static void split(char *line, char **words)
{
	size_t count = 0;

	while (line && count + 1 < WORDS_MAX)
		words[count++] = strsep(&line, "\t");
	words[count] = NULL;
}

void place_serve(int control, place_command_fn *command, void *arg)
{
	CLEANUP_FD int fd = accept4(control, NULL, NULL, SOCK_CLOEXEC);
	CLEANUP_BUF struct buf out = BUF_INIT(ANSWER_MAX);
	char line[COMMAND_MAX];
	char *words[WORDS_MAX];

	if (fd < 0)
		return;
	limit_waiting(fd);
	if (!read_line(fd, line, sizeof(line)))
		return;
	split(line, words);
	if (command(arg, words, &out))
		send_all(fd, "ok\n", 3);
	else
		send_all(fd, "error\n", 6);
	send_all(fd, buf_text(&out), out.length);
}

static bool read_answer(int fd, struct buf *answer)
{
	char status[8] = "";
	char data[65536];
	size_t length = 0;
	ssize_t got;

	while (!strchr(status, '\n') && length + 1 < sizeof(status) &&
	       recv(fd, status + length, 1, 0) == 1)
		length++;
	while ((got = recv(fd, data, sizeof(data), 0)) > 0)
		buf_add(answer, data, (size_t)got);
	return strcmp(status, "ok\n") == 0;
}

bool place_tell(const char *dir, char *const words[], struct buf *answer)
{
	CLEANUP_BUF struct buf line = BUF_INIT(COMMAND_MAX);
	struct sockaddr_un address;
	CLEANUP_FD int folder = -1;
	CLEANUP_FD int fd = control_socket(dir, &address, &folder);

	for (; *words; words++)
		buf_addf(&line, "%s%s", *words, words[1] ? "\t" : "\n");
	if (fd < 0 || buf_error(&line, "the command", NULL) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		buf_addf(answer, "nobody listens to that at %s\n", dir);
		return false;
	}
	send_all(fd, buf_text(&line), line.length);
	return read_answer(fd, answer);
}

const char *place_value(const char *word, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return NULL;
	return word + length + 1;
}
