// SPDX-License-Identifier: MIT
/*
 * What a duel sees beside its two mounts: the store itself, through the
 * library; the queues, through the drivers' sockets.  Called by duel.c and
 * duel_step.c.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <storefs/store.h>

#include "src/base/cleanup.h"
#include "src/control/client.h"
#include "tests/mount/duel.h"
#include "tests/posix/errname.h"

struct outside {
	const struct duel *duel;
	struct store *store;
	dev_t devices[SIDES];
};

void duel_trouble(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("duel: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

/* ---- content ---- */

static char byte_of(uint16_t token, size_t offset)
{
	/* A hole reads as zeros. */
	return token ? (char)('!' + (token * 31 + offset * 7) % 90) : '\0';
}

void content_fill(const struct content *content, size_t size, char *bytes)
{
	for (int slot = 0; slot < content->count; slot++)
		for (size_t i = 0; i < size; i++)
			*bytes++ = i < 2 ? (char)(content->slots[slot] >>
						  (i ? 8 : 0))
					 : byte_of(content->slots[slot], i);
}

struct content content_parse(const char *bytes, size_t length, size_t size)
{
	struct content content = { .count = TORN };

	if (length % size || length / size > SLOTS)
		return content;
	for (size_t slot = 0; slot < length / size; slot++) {
		const unsigned char *at =
			(const unsigned char *)bytes + slot * size;
		uint16_t token = (uint16_t)(at[0] | at[1] << 8);

		for (size_t i = 2; i < size; i++)
			if ((char)at[i] != byte_of(token, i))
				return (struct content){ .count = TORN };
		content.slots[slot] = token;
	}
	content.count = (int16_t)(length / size);
	return content;
}

bool content_equal(const struct content *a, const struct content *b)
{
	return a->count == b->count &&
	       (a->count <= 0 || !memcmp(a->slots, b->slots,
					 (size_t)a->count * sizeof(uint16_t)));
}

const char *content_text(const struct content *content)
{
	static char texts[8][SLOTS * 6 + 8];
	static unsigned int next;
	char *text = texts[next++ % 8];
	size_t length = 0;

	if (content->count < 0)
		return content->count == ABSENT ? "absent" : "torn";
	text[0] = '\0';
	for (int i = 0; i < content->count; i++)
		length += (size_t)snprintf(text + length,
					   sizeof(texts[0]) - length, "%s%u",
					   i ? " " : "", content->slots[i]);
	return text;
}

/* ---- the store ---- */

static int read_whole(struct store *store, const char *key, char *bytes,
		      size_t room, size_t *length, struct store_error *error)
{
	struct store_reader *reader;
	struct store_info info;
	int code = store_open_reader(store, NULL, key, NULL, &reader, &info,
				     error);

	if (code)
		return code;
	code = store_read_at(reader, NULL, 0, bytes, room, length, error);
	store_close_reader(reader);
	return code;
}

struct content outside_stored(struct outside *outside, const char *key,
			      size_t slot_size)
{
	size_t room = SLOTS * slot_size + 1, length = 0;
	CLEANUP_FREE char *bytes = malloc(room);
	struct store_error error = STORE_ERROR_INIT;
	int code;

	if (!bytes)
		duel_trouble("no memory");
	do
		code = read_whole(outside->store, key, bytes, room, &length,
				  &error);
	while (code == STORE_CHANGED);
	if (code == STORE_NOT_FOUND)
		return (struct content){ .count = ABSENT };
	if (code)
		duel_trouble("%s", error.message);
	return content_parse(bytes, length, slot_size);
}

void outside_put(struct outside *outside, const char *key,
		 const struct content *content, size_t slot_size)
{
	size_t length = (size_t)content->count * slot_size;
	CLEANUP_FREE char *bytes = malloc(length + 1);
	struct store_write_options options = {
		.precondition = { .condition = STORE_IF_ANY }
	};
	struct store_error error = STORE_ERROR_INIT;
	struct store_memory_source source;

	if (!bytes)
		duel_trouble("no memory");
	content_fill(content, slot_size, bytes);
	if (store_write(outside->store, NULL, key,
			store_memory_source_init(&source, bytes, length),
			&options, NULL, &error))
		duel_trouble("%s", error.message);
}

size_t outside_beside(struct outside *outside, const char *key,
		      size_t slot_size, struct content *found, size_t room)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_listing *listing;
	const struct store_entry *entry = NULL;
	char pattern[256];
	size_t count = 0;
	int code;

	snprintf(pattern, sizeof(pattern), "%s (conflict *)", key);
	code = store_glob(outside->store, NULL, pattern, &listing, &error);
	if (code)
		duel_trouble("%s", error.message);
	while (!(code = store_listing_next(listing, NULL, &entry, &error)) &&
	       entry) {
		if (count == room)
			duel_trouble("%s: too many beside it", key);
		found[count++] =
			outside_stored(outside, entry->name, slot_size);
	}
	store_listing_close(listing);
	if (code)
		duel_trouble("%s", error.message);
	return count;
}

/* ---- the queues ---- */

/* A driver hangs up on who says nothing for a while. */
static struct client *ask(struct outside *outside, int side,
			  struct json *command)
{
	struct store_error error = STORE_ERROR_INIT;
	struct client *client;
	int code = client_open_device(outside->devices[side], geteuid(),
				      &client, &error);

	if (!code)
		code = client_send(client, command, &error);
	if (code)
		duel_trouble("%s: %s", outside->duel->mounts[side],
			     error.message);
	json_free(command);
	return client;
}

static struct json *next_line(struct client *client)
{
	struct store_error error = STORE_ERROR_INIT;
	struct json *line;

	if (client_receive(client, 0, &line, &error))
		duel_trouble("%s", error.message);
	return line;
}

void outside_drain(struct outside *outside, int side)
{
	struct json *command = client_command("drain"), *answer;
	struct client *client;
	bool done;

	if (!command || json_set(command, "timeout_ms", json_number(30000)))
		duel_trouble("no memory");
	client = ask(outside, side, command);
	answer = next_line(client);
	done = json_get_flag(answer, "done") &&
	       !json_get_number(answer, "waiting", 0);
	json_free(answer);
	client_close(client);
	if (!done)
		duel_trouble("%s: uploads do not end",
			     outside->duel->mounts[side]);
}

static char *take_line(const struct json *line)
{
	CLEANUP_FREE char *key = NULL;
	const char *code = json_get_text(line, "code");
	char *text = NULL;

	if (client_get_bytes(line, "key", &key, NULL) ||
	    asprintf(&text, "%s\t%s %s\n", key ? key : "?",
		     json_get_text(line, "state"), code ? code : "-") < 0)
		duel_trouble("no memory");
	return text;
}

char *outside_pending(struct outside *outside, int side)
{
	struct json *command = client_command("pending"), *line;
	char *all = strdup("\n");
	struct client *client;

	if (!command || json_set(command, "offline", json_flag(true)))
		duel_trouble("no memory");
	client = ask(outside, side, command);
	for (line = next_line(client); !json_get_flag(line, "done");
	     line = next_line(client)) {
		CLEANUP_FREE char *one = take_line(line), *before = all;

		if (asprintf(&all, "%s%s", before, one) < 0)
			duel_trouble("no memory");
		json_free(line);
	}
	json_free(line);
	client_close(client);
	return all;
}

/* ---- life ---- */

struct outside *outside_open(const struct duel *duel)
{
	struct outside *outside = calloc(1, sizeof(*outside));
	struct store_error error = STORE_ERROR_INIT;
	struct stat info;
	int code;

	if (!outside)
		duel_trouble("no memory");
	outside->duel = duel;
	code = store_open_url(duel->url, NULL, &outside->store, &error);
	for (int i = 0; i < SIDES; i++) {
		if (stat(duel->mounts[i], &info))
			duel_trouble("%s: %s", duel->mounts[i], errname(errno));
		outside->devices[i] = info.st_dev;
	}
	if (code)
		duel_trouble("%s", error.message);
	return outside;
}

void outside_close(struct outside *outside)
{
	store_close(outside->store);
	free(outside);
}
