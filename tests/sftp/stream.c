// SPDX-License-Identifier: MIT
/*
 * Connects to an SFTP server as the store would, and says how it went:
 *
 *	stream [+]MIB NAME=VALUE...
 *
 * "connected", or the name of an error and its message.  With MIB, what the
 * server runs has to be an echo: so many MiB go both ways at once and have to
 * come back as they went; with +MIB only the last byte has to.  The socket
 * gets a send buffer of 4 KiB.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/sftp/options.h"
#include "backends/sftp/settings.h"
#include "backends/sftp/transport.h"
#include "src/base/clock.h"

enum { CHUNK = 64 * 1024, SEND_BUFFER = 4096, IDLE_MS = 20000 };

/* What stands at an offset: no period that a lost packet could hide in. */
static unsigned char byte_at(uint64_t offset)
{
	uint64_t mixed = (offset >> 3) * 0x9e3779b97f4a7c15u;

	return (unsigned char)(mixed >> (8 * (offset & 7)));
}

struct pump {
	struct sftp_transport *transport;
	uint64_t size, sent, got;
	unsigned char chunk[CHUNK];
};

static int pump_out(struct pump *pump, size_t *moved, struct store_error *error)
{
	uint64_t left = pump->size - pump->sent;
	size_t length = left < CHUNK ? (size_t)left : CHUNK;
	int code;

	*moved = 0;
	if (!length)
		return STORE_OK;
	for (size_t i = 0; i < length; i++)
		pump->chunk[i] = byte_at(pump->sent + i);
	code = pump->transport->kind->write(pump->transport, pump->chunk,
					    length, moved, error);
	pump->sent += code ? 0 : *moved;
	return code;
}

static int pump_in(struct pump *pump, size_t *moved, struct store_error *error)
{
	int code;

	*moved = 0;
	code = pump->transport->kind->read(pump->transport, pump->chunk, CHUNK,
					   moved, error);
	for (size_t i = 0; !code && i < *moved; i++)
		if (pump->chunk[i] != byte_at(pump->got + i))
			code = store_error_set(
				error, STORE_CORRUPT, "another byte at %llu",
				(unsigned long long)(pump->got + i));
	pump->got += code ? 0 : *moved;
	return code;
}

/* Bytes come back from the one at `from` on. */
static int echo(struct sftp_transport *transport, uint64_t size, uint64_t from,
		struct store_error *error)
{
	static const int room = SEND_BUFFER;
	struct pump pump = { .transport = transport,
			     .size = size,
			     .got = from };
	struct pollfd fd = { .fd = transport->kind->descriptor(transport) };

	setsockopt(fd.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	while (pump.got < size) {
		size_t out, in;
		int code = pump_out(&pump, &out, error);

		if (!code)
			code = pump_in(&pump, &in, error);
		if (code)
			return code;
		if (out || in)
			continue;
		fd.events =
			transport->kind->events(transport, pump.sent < size);
		if (poll(&fd, 1, IDLE_MS) == 0)
			return store_error_set(
				error, STORE_TIMEOUT,
				"nothing moves after %llu out, %llu in",
				(unsigned long long)pump.sent,
				(unsigned long long)pump.got);
	}
	return STORE_OK;
}

static int set_option(struct option_values *values, const char *word,
		      struct store_error *error)
{
	const char *equals = strchr(word, '=');
	char name[64];

	if (!equals || equals - word >= (int)sizeof(name))
		return store_error_set(error, STORE_INVALID, "%s", word);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	return option_values_set(values, name, equals + 1, "argument", error);
}

int main(int argc, char **argv)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_settings settings = { .port = 0 };
	struct sftp_transport *transport = NULL;
	struct option_values *values = NULL;
	struct store_context context;
	uint64_t size = argc > 1 ? strtoull(argv[1], NULL, 10) << 20 : 0;
	int code = option_values_new(sftp_options, &values, &error);

	for (int i = 2; i < argc && !code; i++)
		code = set_option(values, argv[i], &error);
	if (!code)
		code = sftp_settings_fill(values, &settings, &error);
	store_context_init(&context, 0, NULL);
	if (!code)
		code = sftp_connect(&settings, &context, &transport, &error);
	if (!code)
		printf("connected by %s\n", transport->kind->name);
	if (!code)
		code = echo(transport, size,
			    size && *argv[1] == '+' ? size - 1 : 0, &error);
	if (code)
		printf("%s: %s\n", store_code_name(code), error.message);
	if (transport)
		transport->kind->close(transport);
	sftp_settings_release(&settings);
	option_values_free(values);
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
