// SPDX-License-Identifier: MIT
/*
 * Reading: readers pinned to one version, and whole files.
 *
 * Called through <storefs/store.h> and by the copy through this process.
 * Only the position of sequential reading changes in a reader, and that is
 * not shareable; no locks.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"

struct store_reader {
	/* Immutable: */
	struct store *store;
	void *handle; /* the backend's, owned */
	uint64_t size;
	char *key; /* for messages */
	/* Of store_read() and store_seek(): */
	uint64_t position;
};

static int reader_open(struct call *call, const struct store_version *pin,
		       size_t expected, struct store_reader *reader,
		       struct store_info *info)
{
	const struct store_backend *ops = call->ops;
	struct store_info found = { .links = 1 };
	int code;

	if (expected && ops->open_small)
		code = ops->open_small(call->self, call->context, call->key,
				       pin, expected, &reader->handle, &found,
				       &call->error);
	else
		code = ops->open_reader(call->self, call->context, call->key,
					pin, &reader->handle, &found,
					&call->error);
	if (code)
		return code;
	reader->store = call->store;
	reader->size = found.size;
	reader->key = steal_pointer(&call->key);
	call_info(call, &found, info);
	return STORE_OK;
}

int store_open_small(struct store *store, struct store_context *context,
		     const char *key, const struct store_version *pin,
		     size_t expected, struct store_reader **reader,
		     struct store_info *info, struct store_error *error)
{
	CLEANUP_FREE struct store_reader *made = calloc(1, sizeof(*made));
	struct call call;
	int code = call_begin(&call, store, "read", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = call_needs(&call, STORE_CAP_READ);
	if (!code && !made)
		code = call_fail(&call, STORE_NO_MEMORY);
	if (!code)
		code = reader_open(&call, pin, expected, made, info);
	if (!code)
		*reader = steal_pointer(&made);
	return call_end(&call, code, error);
}

int store_open_reader(struct store *store, struct store_context *context,
		      const char *key, const struct store_version *pin,
		      struct store_reader **reader, struct store_info *info,
		      struct store_error *error)
{
	return store_open_small(store, context, key, pin, 0, reader, info,
				error);
}

/* `length` is at least 1 and within the file. */
static int read_within(struct call *call, struct store_reader *reader,
		       uint64_t offset, void *data, size_t length)
{
	size_t got = 0;
	int code = call->ops->read(call->self, call->context, reader->handle,
				   offset, data, length, &got, &call->error);

	if (code)
		return code;
	/* The version has a size: less is never a short file. */
	if (got != length)
		return store_error_set(&call->error, STORE_CORRUPT,
				       "ended after %llu of %llu bytes",
				       (unsigned long long)(offset + got),
				       (unsigned long long)reader->size);
	store_context_progress(call->context);
	return STORE_OK;
}

int store_read_at(struct store_reader *reader, struct store_context *context,
		  uint64_t offset, void *data, size_t length, size_t *got,
		  struct store_error *error)
{
	uint64_t left = offset < reader->size ? reader->size - offset : 0;
	struct call call;
	int code = call_begin(&call, reader->store, "read", context);

	if (length > left)
		length = (size_t)left;
	if (!code && length)
		code = read_within(&call, reader, offset, data, length);
	if (!code)
		*got = length;
	else
		call.key = strdup(reader->key);
	return call_end(&call, code, error);
}

int store_read(struct store_reader *reader, struct store_context *context,
	       void *data, size_t length, size_t *got,
	       struct store_error *error)
{
	size_t done = 0;
	int code = store_read_at(reader, context, reader->position, data,
				 length, &done, error);

	if (code)
		return code;
	reader->position += done;
	*got = done;
	return STORE_OK;
}

void store_seek(struct store_reader *reader, uint64_t offset)
{
	reader->position = offset;
}

uint64_t store_reader_size(const struct store_reader *reader)
{
	return reader->size;
}

int store_reader_data(struct store_reader *reader, uint64_t offset,
		      struct store_range *range, struct store_error *error)
{
	struct store_range found = { offset, 0 };
	struct call call;
	int code = call_begin(&call, reader->store, "read", NULL);

	if (offset >= reader->size)
		found.offset = reader->size;
	else if (!call.ops->reader_data)
		found.length = reader->size - offset;
	else if (!code)
		code = call.ops->reader_data(call.self, reader->handle, offset,
					     &found, &call.error);
	if (!code)
		*range = found;
	else
		call.key = strdup(reader->key);
	return call_end(&call, code, error);
}

void store_close_reader(struct store_reader *reader)
{
	struct backend *backend;

	if (!reader)
		return;
	backend = &reader->store->backend;
	backend->ops->close_reader(backend->self, reader->handle);
	free(reader->key);
	free(reader);
}

/* ---- whole files ---- */

static int read_whole(struct store_reader *reader,
		      struct store_context *context, unsigned char *data,
		      struct store_error *error)
{
	uint64_t size = reader->size;
	uint64_t offset = 0;

	while (offset < size) {
		size_t want = size - offset < STORE_CHUNK
				      ? (size_t)(size - offset)
				      : (size_t)STORE_CHUNK;
		size_t got = 0;
		int code = store_read_at(reader, context, offset, data + offset,
					 want, &got, error);

		if (code)
			return code;
		offset += got;
	}
	data[size] = '\0';
	return STORE_OK;
}

static int whole_limit(const struct store_reader *reader, size_t max,
		       struct store_error *error)
{
	/* One byte more is needed for the NUL. */
	if (reader->size <= max && reader->size < SIZE_MAX)
		return STORE_OK;
	store_error_set(error, STORE_TOO_LARGE,
			"%llu bytes, more than the %zu that were asked for",
			(unsigned long long)reader->size, max);
	store_error_prefix(error, "read '%.200s'", reader->key);
	return STORE_TOO_LARGE;
}

int store_read_all(struct store *store, struct store_context *context,
		   const char *key, size_t max, void **data, size_t *size,
		   struct store_error *error)
{
	CLEANUP_FREE unsigned char *whole = NULL;
	struct store_reader *reader = NULL;
	int code = store_open_reader(store, context, key, NULL, &reader, NULL,
				     error);

	if (code)
		return code;
	code = whole_limit(reader, max, error);
	if (!code) {
		whole = malloc((size_t)reader->size + 1);
		if (!whole)
			code = store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
	}
	if (!code)
		code = read_whole(reader, context, whole, error);
	if (!code) {
		*size = (size_t)reader->size;
		*data = steal_pointer(&whole);
	}
	store_close_reader(reader);
	return code;
}
