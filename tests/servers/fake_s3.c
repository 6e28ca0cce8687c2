// SPDX-License-Identifier: MIT
/*
 * The life of a fake S3 server, and its connections: see fake_s3.h.
 *
 * Locks: one for all that is known.  Bodies are read and summed up, and
 * answers sent, without it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/servers/fake_s3_connection.h"
#include "tests/servers/message.h"
#include "tests/servers/place.h"

enum { HEAD_MAX = 65536, SOCKETS_MAX = 512 };

struct connection {
	struct fake_s3 *fake;
	size_t slot;
	int fd;
	char data[HEAD_MAX + 1]; /* what was read and not used */
	size_t length;
};

/* ---- reading ---- */

/* A whole head at the start of data: its length; 0 at the end. */
static size_t read_head(struct connection *connection)
{
	for (;;) {
		const char *end = memmem(connection->data, connection->length,
					 "\r\n\r\n", 4);
		ssize_t got;

		if (end)
			return (size_t)(end - connection->data) + 4;
		if (connection->length == HEAD_MAX)
			return 0;
		got = recv(connection->fd,
			   connection->data + connection->length,
			   HEAD_MAX - connection->length, 0);
		if (got <= 0)
			return 0;
		connection->length += (size_t)got;
	}
}

static void use(struct connection *connection, size_t length)
{
	connection->length -= length;
	memmove(connection->data, connection->data + length,
		connection->length);
}

static bool send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		data += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* False when the client has gone before its end. */
static bool read_body(struct connection *connection,
		      struct fake_request *request, size_t size)
{
	size_t got = connection->length < size ? connection->length : size;

	request->body = fake_blob_new(size);
	memcpy(request->body->data, connection->data, got);
	use(connection, got);
	while (got < size) {
		ssize_t more = recv(connection->fd, request->body->data + got,
				    size - got, 0);

		if (more <= 0)
			return false;
		got += (size_t)more;
	}
	return true;
}

/* ---- one request ---- */

static bool begin(struct fake_request *request, const char *head)
{
	bool goes_on;

	pthread_mutex_lock(&request->fake->lock);
	goes_on = fake_begin(request, head);
	pthread_mutex_unlock(&request->fake->lock);
	return goes_on;
}

static void run(struct fake_request *request)
{
	fake_sum(request);
	pthread_mutex_lock(&request->fake->lock);
	fake_run(request);
	pthread_mutex_unlock(&request->fake->lock);
}

static void init(struct fake_request *request, struct connection *connection)
{
	*request = (struct fake_request){
		.fake = connection->fake,
		.fd = connection->fd,
		.keeps = true,
		.out = BUF_INIT(65536),
		.reply = BUF_INIT(FAKE_BODY_MAX),
	};
}

/* Who waits to be told to go on is told no before. */
static bool serve_body(struct connection *connection,
		       struct fake_request *request, const char *head,
		       size_t size)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool waits = message_has_word(head, "expect", "100-continue");

	if (!waits && !read_body(connection, request, size))
		return false;
	if (!begin(request, head))
		return true;
	if (waits && (!send_all(connection->fd, go_on, strlen(go_on)) ||
		      !read_body(connection, request, size)))
		return false;
	run(request);
	return true;
}

/* False: the connection is over. */
static bool serve_one(struct connection *connection)
{
	size_t length = read_head(connection);
	CLEANUP_FREE char *head = strndup(connection->data, length);
	struct fake_request request;
	struct message message;
	bool keeps;

	if (!length)
		return false;
	use(connection, length);
	init(&request, connection);
	message_of_request(&message, head);
	request.keeps = !message_has_word(head, "connection", "close");
	if (message.bad || message.kind == MESSAGE_CHUNKED ||
	    message.left > FAKE_BODY_MAX)
		keeps = false;
	else
		keeps = serve_body(connection, &request, head,
				   (size_t)message.left);
	if (keeps && !send_all(connection->fd, buf_text(&request.reply),
			       request.reply.length))
		keeps = false;
	keeps = keeps && request.keeps;
	pthread_mutex_lock(&connection->fake->lock);
	fake_request_release(&request);
	pthread_mutex_unlock(&connection->fake->lock);
	return keeps;
}

/* ---- connections ---- */

static void *serve(void *arg)
{
	struct connection *connection = arg;
	struct fake_s3 *fake = connection->fake;

	while (serve_one(connection))
		continue;
	/* What was not read would turn the end into a reset. */
	shutdown(connection->fd, SHUT_WR);
	pthread_mutex_lock(&fake->lock);
	fake->slots[connection->slot].fd = -1;
	close(connection->fd);
	pthread_mutex_unlock(&fake->lock);
	free(connection);
	return NULL;
}

/* Threads are joined: what a library tidies up at their end is done then. */
static void join(struct fake_slot *slot)
{
	if (slot->to_join)
		pthread_join(slot->thread, NULL);
	slot->to_join = false;
}

static void add(struct fake_s3 *fake, int fd)
{
	struct connection *connection = malloc(sizeof(*connection));
	struct fake_slot *slot = fake->slots;

	if (!connection)
		abort();
	pthread_mutex_lock(&fake->lock);
	while (slot < fake->slots + SOCKETS_MAX && slot->fd >= 0)
		slot++;
	connection->fake = fake;
	connection->slot = (size_t)(slot - fake->slots);
	connection->fd = fd;
	connection->length = 0;
	if (connection->slot < SOCKETS_MAX) {
		join(slot);
		slot->to_join =
			!pthread_create(&slot->thread, NULL, serve, connection);
	}
	if (connection->slot < SOCKETS_MAX && slot->to_join) {
		slot->fd = fd;
	} else {
		close(fd);
		free(connection);
	}
	pthread_mutex_unlock(&fake->lock);
}

static void *accept_all(void *arg)
{
	struct fake_s3 *fake = arg;
	int fd;

	while ((fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		add(fake, fd);
	return NULL;
}

/* ---- life ---- */

struct fake_s3 *fake_s3_new(void)
{
	struct fake_s3 *fake = calloc(1, sizeof(*fake));

	if (!fake)
		return NULL;
	pthread_mutex_init(&fake->lock, NULL);
	fake->slots = calloc(SOCKETS_MAX, sizeof(*fake->slots));
	fake->listener = place_listen(&fake->port);
	if (!fake->slots || fake->listener < 0) {
		fake_s3_free(fake);
		return NULL;
	}
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		fake->slots[i].fd = -1;
	snprintf(fake->region, sizeof(fake->region), "us-east-1");
	snprintf(fake->keys[0].access, sizeof(fake->keys[0].access), "%s",
		 FAKE_S3_ACCESS);
	snprintf(fake->keys[0].secret, sizeof(fake->keys[0].secret), "%s",
		 FAKE_S3_SECRET);
	fake->key_count = 1;
	return fake;
}

int fake_s3_port(const struct fake_s3 *fake)
{
	return fake->port;
}

bool fake_s3_start(struct fake_s3 *fake)
{
	fake->started = !pthread_create(&fake->thread, NULL, accept_all, fake);
	return fake->started;
}

static void end_connections(struct fake_s3 *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	if (fake->started)
		pthread_join(fake->thread, NULL);
	pthread_mutex_lock(&fake->lock);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (fake->slots[i].fd >= 0)
			shutdown(fake->slots[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&fake->lock);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		join(&fake->slots[i]);
}

void fake_s3_free(struct fake_s3 *fake)
{
	if (!fake)
		return;
	if (fake->listener >= 0 && fake->slots)
		end_connections(fake);
	if (fake->listener >= 0)
		close(fake->listener);
	fake_uploads_free(fake);
	fake_buckets_free(fake);
	pthread_mutex_destroy(&fake->lock);
	free(fake->slots);
	free(fake);
}
