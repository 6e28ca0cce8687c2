// SPDX-License-Identifier: MIT
/*
 * Normalising and taking apart keys: see key.h.  Pure.
 *
 * Clauses K1 to K3: this is the one place where what people type becomes
 * what backends see.
 */
#include "config.h"

#include "src/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include <storefs/types.h>

static bool is_slash(char c, bool raw)
{
	return c == '/' || (c == '\\' && !raw);
}

static int too_long(struct store_error *error, const char *what, int limit)
{
	store_error_set(error, STORE_INVALID, "%s of more than %d bytes", what,
			limit);
	if (error)
		error->detail = ENAMETOOLONG;
	return STORE_INVALID;
}

static int component_check(const char *text, size_t length,
			   struct store_error *error)
{
	if (length == 2 && memcmp(text, "..", 2) == 0)
		return store_error_set(error, STORE_INVALID,
				       "a key may not contain '..'");
	if (length > STORE_NAME_MAX)
		return too_long(error, "a name", STORE_NAME_MAX);
	return STORE_OK;
}

int key_normalise(const char *text, bool raw, char **key,
		  struct store_error *error)
{
	CLEANUP_FREE char *normal = malloc(strlen(text) + 1);
	size_t used = 0;

	if (!normal)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	while (*text) {
		size_t length = 0;
		int code;

		while (text[length] && !is_slash(text[length], raw))
			length++;
		code = component_check(text, length, error);
		if (code)
			return code;
		if (length && !(length == 1 && text[0] == '.')) {
			if (used)
				normal[used++] = '/';
			memcpy(normal + used, text, length);
			used += length;
		}
		text += length + (text[length] != '\0');
	}
	if (used > STORE_KEY_MAX)
		return too_long(error, "a key", STORE_KEY_MAX);
	normal[used] = '\0';
	*key = steal_pointer(&normal);
	return STORE_OK;
}

bool key_is_root(const char *key)
{
	return !key[0];
}

const char *key_name(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}

size_t key_parent_length(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? (size_t)(slash - key) : 0;
}

char *key_parent(const char *key)
{
	return strndup(key, key_parent_length(key));
}

static void join(const char *folder, size_t folder_length, const char *key,
		 size_t key_length, char *buffer)
{
	size_t used = folder_length;

	memcpy(buffer, folder, folder_length);
	if (folder_length && key_length)
		buffer[used++] = '/';
	memcpy(buffer + used, key, key_length + 1);
}

char *key_join(const char *folder, const char *key)
{
	size_t folder_length = strlen(folder);
	size_t key_length = strlen(key);
	char *joined = malloc(folder_length + key_length + 2);

	if (joined)
		join(folder, folder_length, key, key_length, joined);
	return joined;
}

int key_join_into(const char *folder, const char *key, char *buffer,
		  size_t size, struct store_error *error)
{
	size_t folder_length = strlen(folder);
	size_t key_length = strlen(key);
	size_t slash = folder_length && key_length;

	if (folder_length + slash + key_length >= size)
		return too_long(error, "a key", (int)size - 1);
	join(folder, folder_length, key, key_length, buffer);
	return STORE_OK;
}

const char *key_relative(const char *key, const char *folder)
{
	size_t length = strlen(folder);

	if (!length)
		return key;
	if (strncmp(key, folder, length) != 0)
		return NULL;
	if (key[length] == '/')
		return key + length + 1;
	return key[length] ? NULL : key + length;
}

bool key_is_below(const char *key, const char *folder)
{
	const char *rest = key_relative(key, folder);

	return rest && *rest;
}

size_t key_depth(const char *key)
{
	size_t depth = key[0] != '\0';

	for (; *key; key++)
		depth += *key == '/';
	return depth;
}
