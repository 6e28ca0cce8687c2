// SPDX-License-Identifier: MIT
/*
 * See client.h.  Called by storectl, the helper of umount(8), and for texts
 * of any bytes by the driver; calls wire.c.
 */
#include "config.h"

#include "src/control/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/base/base64.h"
#include "src/base/clock.h"
#include "src/control/address.h"

#define CLIENT_LINE_MAX ((size_t)16 << 20)

struct client {
	struct wire wire;
};

int client_adopt(int fd, struct client **out, struct store_error *error)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	wire_init(&client->wire, fd, -1);
	*out = client;
	return STORE_OK;
}

/* A Unix socket connects at once, or its queue is full (EAGAIN). */
static int client_connect(int fd, const struct sockaddr_un *address,
			  socklen_t length, struct store_error *error)
{
	if (!connect(fd, (const struct sockaddr *)(const void *)address,
		     length))
		return STORE_OK;
	if (errno == EAGAIN)
		return store_error_set(error, STORE_TIMEOUT,
				       "the driver does not answer");
	if (errno == ECONNREFUSED || errno == ENOENT)
		return store_error_set(error, STORE_UNAVAILABLE,
				       "nobody listens on the control socket");
	return store_error_errno(error, errno, "control socket");
}

static int client_socket(int *fd, struct store_error *error)
{
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd < 0 ? store_error_errno(error, errno, "socket") : STORE_OK;
}

int client_open(const char *path, struct client **client,
		struct store_error *error)
{
	CLEANUP_FD int folder = -1, fd = -1;
	struct sockaddr_un address;
	int code = client_socket(&fd, error);

	if (!code)
		code = address_make(path, &address, &folder, error);
	if (!code)
		code = client_connect(fd, &address, sizeof(address), error);
	return code ? code : client_adopt(steal_fd(&fd), client, error);
}

/* Anybody may listen on a name that is no file. */
static bool client_trusts(int fd, uid_t owner)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (peer.uid == owner || peer.uid == 0);
}

int client_open_device(dev_t device, uid_t owner, struct client **client,
		       struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct sockaddr_un address;
	socklen_t length = address_of_device(device, &address);
	int code = client_socket(&fd, error);

	if (!code)
		code = client_connect(fd, &address, length, error);
	if (!code && !client_trusts(fd, owner))
		code = store_error_set(error, STORE_UNAVAILABLE,
				       "somebody else listens there");
	return code ? code : client_adopt(steal_fd(&fd), client, error);
}

void client_close(struct client *client)
{
	if (!client)
		return;
	close(client->wire.fd);
	free(client);
}

void client_watch(struct client *client, struct store_cancel *cancel)
{
	client->wire.wake_fd = cancel ? store_cancel_fd(cancel) : -1;
}

static int64_t client_until(int64_t timeout_ns)
{
	return timeout_ns ? clock_monotonic_ns() + timeout_ns : INT64_MAX;
}

int client_send(struct client *client, const struct json *command,
		struct store_error *error)
{
	CLEANUP_FREE char *text = json_print(command, false);
	int64_t until = client_until(CLIENT_TIMEOUT_NS);
	int code;

	if (!text)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = wire_send(&client->wire, text, strlen(text), until, error);
	if (!code)
		code = wire_send(&client->wire, "\n", 1, until, error);
	return code;
}

int client_code(const char *name)
{
	for (int code = STORE_OK - 1; code >= STORE_INTERNAL; code--)
		if (!strcmp(store_code_name(code), name))
			return code;
	return STORE_INTERNAL;
}

int client_receive(struct client *client, int64_t timeout_ns,
		   struct json **line, struct store_error *error)
{
	struct buf text CLEANUP_BUF = BUF_INIT(CLIENT_LINE_MAX);
	struct json *parsed = NULL;
	const char *failure;
	int code = wire_line(&client->wire, &text, client_until(timeout_ns),
			     error);

	if (code)
		return code;
	code = json_parse(buf_text(&text), text.length, &parsed, error);
	if (code) {
		store_error_prefix(error, "the answer of the driver");
		return code;
	}
	failure = json_get_text(parsed, "error");
	/* An event or a file has an error, and is none. */
	if (failure && !json_get(parsed, "state") &&
	    !json_get(parsed, "event")) {
		const char *name = json_get_text(parsed, "code");

		code = store_error_set(error, client_code(name ? name : ""),
				       "%s", failure);
		json_free(parsed);
		return code;
	}
	*line = parsed;
	return STORE_OK;
}

int client_bytes(struct client *client, int64_t timeout_ns, void *data,
		 size_t length, struct store_error *error)
{
	return wire_bytes(&client->wire, data, length, client_until(timeout_ns),
			  error);
}

int client_ask(struct client *client, const struct json *command,
	       int64_t timeout_ns, struct json **answer,
	       struct store_error *error)
{
	int code = client_send(client, command, error);

	return code ? code : client_receive(client, timeout_ns, answer, error);
}

struct json *client_command(const char *name)
{
	struct json *command = json_object();

	if (command && !json_set(command, "command", json_text(name)))
		return command;
	json_free(command);
	return NULL;
}

int client_set_bytes(struct json *object, const char *name, const char *text)
{
	size_t length = strlen(text);
	CLEANUP_FREE char *encoded = NULL;
	char longer[64];

	if (utf8_is_valid(text, length))
		return json_set(object, name, json_text(text));
	encoded = base64_encode(text, length);
	snprintf(longer, sizeof(longer), "%s_b64", name);
	return json_set(object, longer, encoded ? json_text(encoded) : NULL);
}

int client_get_bytes(const struct json *object, const char *name, char **text,
		     struct store_error *error)
{
	const char *plain = json_get_text(object, name), *encoded;
	char longer[64], *copy = NULL;

	snprintf(longer, sizeof(longer), "%s_b64", name);
	encoded = json_get_text(object, longer);
	if (!plain && encoded) {
		size_t length;

		copy = base64_decode(encoded, &length);
		if (!copy || strlen(copy) != length) {
			free(copy);
			return store_error_set(error, STORE_INVALID,
					       "%s: no valid base64 text",
					       longer);
		}
	} else if (plain) {
		copy = strdup(plain);
		if (!copy)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
	}
	*text = copy;
	return STORE_OK;
}
