/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server in this process, for tests of what no honest server
 * does.  One thread per connection; what a request does is told by a
 * function of the test, which sees its method, path and body and answers
 * with http_server_send().
 */
#ifndef STOREFS_TESTS_UNIT_HTTP_SERVER_H
#define STOREFS_TESTS_UNIT_HTTP_SERVER_H

#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/cleanup.h"

enum { SERVER_REQUEST_MAX = 1 << 20, SERVER_CONNECTIONS = 64 };

struct http_server;

struct server_request {
	struct http_server *server;
	int fd;
	char method[16];
	char path[1024];
	char *head; /* all lines, NUL-terminated */
	char *body;
	size_t length;
};
/* True: keep the connection. */
typedef bool server_answer_fn(struct server_request *request);

struct http_server {
	server_answer_fn *answer;
	int listener;
	int port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int open[SERVER_CONNECTIONS]; /* protected by `lock`; -1 free */
	int running;
	atomic_int connections; /* ever made */
	atomic_int requests;
	atomic_int marks; /* for the test */
};

static inline void http_server_send(const struct server_request *request,
				    const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(request->fd, text, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		text += sent;
		length -= (size_t)sent;
	}
}

static inline void http_server_text(const struct server_request *request,
				    const char *text)
{
	http_server_send(request, text, strlen(text));
}

/* Until the other end has gone. */
static inline void http_server_wait(const struct server_request *request)
{
	char byte;

	while (recv(request->fd, &byte, 1, 0) > 0)
		continue;
}

/* Read up to the empty line; false at the end. */
static inline bool server_head(int fd, char *head)
{
	size_t length = 0;

	while (length + 1 < SERVER_REQUEST_MAX &&
	       recv(fd, head + length, 1, 0) == 1) {
		head[++length] = '\0';
		if (length >= 4 && !strcmp(head + length - 4, "\r\n\r\n"))
			return true;
	}
	return false;
}

static inline bool server_body(struct server_request *request)
{
	const char *length = strcasestr(request->head, "\r\ncontent-length:");
	size_t got = 0;

	request->length = length ? strtoul(length + 17, NULL, 10) : 0;
	if (request->length > SERVER_REQUEST_MAX)
		return false;
	if (strcasestr(request->head, "\r\nexpect: 100-continue"))
		http_server_text(request, "HTTP/1.1 100 Continue\r\n\r\n");
	while (got < request->length) {
		ssize_t more = recv(request->fd, request->body + got,
				    request->length - got, 0);

		if (more <= 0)
			return false;
		got += (size_t)more;
	}
	return true;
}

struct server_connection {
	struct http_server *server;
	int slot;
	int fd;
};

static inline void server_left(const struct server_connection *connection)
{
	struct http_server *server = connection->server;

	pthread_mutex_lock(&server->lock);
	server->open[connection->slot] = -1;
	close(connection->fd);
	server->running--;
	pthread_cond_signal(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

static inline void *server_serve(void *arg)
{
	struct server_connection *connection = arg;
	struct server_request request = {
		.server = connection->server,
		.fd = connection->fd,
		.head = malloc(SERVER_REQUEST_MAX),
		.body = malloc(SERVER_REQUEST_MAX),
	};

	while (server_head(request.fd, request.head) &&
	       sscanf(request.head, "%15s %1023s", request.method,
		      request.path) == 2 &&
	       server_body(&request)) {
		atomic_fetch_add(&connection->server->requests, 1);
		if (!connection->server->answer(&request))
			break;
	}
	free(request.head);
	free(request.body);
	server_left(connection);
	free(connection);
	return NULL;
}

static inline void server_add(struct http_server *server, int fd)
{
	struct server_connection *connection = malloc(sizeof(*connection));
	pthread_t thread;
	int slot = 0;

	pthread_mutex_lock(&server->lock);
	while (slot < SERVER_CONNECTIONS && server->open[slot] >= 0)
		slot++;
	if (!connection || slot == SERVER_CONNECTIONS)
		abort();
	*connection = (struct server_connection){ server, slot, fd };
	server->open[slot] = fd;
	server->running++;
	pthread_mutex_unlock(&server->lock);
	atomic_fetch_add(&server->connections, 1);
	if (pthread_create(&thread, NULL, server_serve, connection))
		abort();
	pthread_detach(thread);
}

static inline void *server_accept(void *arg)
{
	struct http_server *server = arg;
	int fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0)
		server_add(server, fd);
	return NULL;
}

static inline void http_server_start(struct http_server *server,
				     server_answer_fn *answer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);

	*server = (struct http_server){ .answer = answer };
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->idle, NULL);
	for (int i = 0; i < SERVER_CONNECTIONS; i++)
		server->open[i] = -1;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(server->listener, 0);
	ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	ck_assert_int_eq(listen(server->listener, 64), 0);
	ck_assert_int_eq(getsockname(server->listener,
				     (struct sockaddr *)&address, &length),
			 0);
	server->port = ntohs(address.sin_port);
	ck_assert_int_eq(
		pthread_create(&server->thread, NULL, server_accept, server),
		0);
}

/* Ends all connections, too. */
static inline void http_server_stop(struct http_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	pthread_mutex_lock(&server->lock);
	for (int i = 0; i < SERVER_CONNECTIONS; i++)
		if (server->open[i] >= 0)
			shutdown(server->open[i], SHUT_RDWR);
	while (server->running)
		pthread_cond_wait(&server->idle, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

#endif
