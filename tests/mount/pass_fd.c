// SPDX-License-Identifier: MIT
// pass_fd: an open file travels through a socket.
//
//   pass_fd FILE TEXT
//
// One process replaces FILE: it opens it with O_TRUNC, sends the descriptor,
// closes its own and exits. Only then another process, which never opened
// FILE, takes the descriptor out of the socket, writes TEXT and closes it.
// Exit code 1 and a message when something fails, 2 usage.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void send_descriptor(int socket_fd, int fd)
{
	union control control = { .room = { 0 } };
	struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(socket_fd, &message, 0) != 1)
		die("sendmsg");
}

static int receive_descriptor(int socket_fd)
{
	union control control = { .room = { 0 } };
	char byte;
	struct iovec piece = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	int fd = -1;

	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != 1 ||
	    !CMSG_FIRSTHDR(&message))
		die("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

static void open_and_send(const char *path, int socket_fd)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		die(path);
	send_descriptor(socket_fd, fd);
	if (close(fd))
		die("close by the sender");
	_exit(0);
}

int main(int argc, char **argv)
{
	int pair[2], fd, status;
	pid_t opener;

	if (argc != 3) {
		fprintf(stderr, "usage: pass_fd FILE TEXT\n");
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	opener = fork();
	if (opener < 0)
		die("fork");
	if (!opener)
		open_and_send(argv[1], pair[1]);
	if (waitpid(opener, &status, 0) != opener || status)
		return 1;
	fd = receive_descriptor(pair[0]);
	if (write(fd, argv[2], strlen(argv[2])) != (ssize_t)strlen(argv[2]))
		die("write");
	if (close(fd))
		die("close by the receiver");
	return 0;
}
