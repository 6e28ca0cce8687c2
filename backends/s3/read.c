// SPDX-License-Identifier: MIT
/*
 * Readers: a HEAD pins the version, each read is one range of it.  A small file
 * comes with its opening: the answer tells all that of a HEAD does.  A server
 * that ignores If-Match still tells the ETag of what it sends.
 *
 * Called through the table, from several threads at once; nothing of a
 * reader changes.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "src/base/crc32c.h"

/* Of files that come with their opening: of one, and of all that are open. */
enum { HEAD_MAX = 256 << 10, HEADS_MAX = 16 << 20 };

struct reader {
	char *object;
	uint64_t size;
	struct store_version version;
	char *head; /* its first bytes, NULL: none; owned, counted */
	size_t head_length, head_room;
};

int s3_open_object(const char *object, const struct store_version *version,
		   uint64_t size, void **reader, struct store_error *error)
{
	struct reader *made = malloc(sizeof(*made));

	if (made) {
		*made = (struct reader){
			.object = strdup(object),
			.size = size,
			.version = *version,
		};
	}
	if (!made || !made->object) {
		free(made);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	*reader = made;
	return STORE_OK;
}

int s3_open_reader(void *self, struct store_context *context, const char *key,
		   const struct store_version *pin, void **reader,
		   struct store_info *info, struct store_error *error)
{
	struct s3 *s3 = self;
	CLEANUP_FREE char *object = NULL;
	struct s3_object found;
	int code = s3_object_name(s3, key, false, &object, error);

	if (!code)
		code = s3_head_file(s3, context, key, &found, error);
	if (code)
		return code;
	s3_object_release(&found);
	if (found.info.type != STORE_TYPE_FILE)
		return store_error_set(error, STORE_INVALID,
				       "is a %s, not a file",
				       store_type_name(found.info.type));
	if (pin && !store_version_equal(pin, &found.info.version))
		return store_error_set(error, STORE_CHANGED,
				       "another version is there");
	code = s3_open_object(object, &found.info.version, found.info.size,
			      reader, error);
	if (code)
		return code;
	*info = found.info;
	return STORE_OK;
}

/* Is there room for so many bytes?  They count, then. */
static bool head_reserve(struct s3 *s3, size_t bytes)
{
	if (bytes > HEAD_MAX)
		return false;
	if (atomic_fetch_add(&s3->heads, bytes) + bytes <= HEADS_MAX)
		return true;
	atomic_fetch_sub(&s3->heads, bytes);
	return false;
}

static int changed(struct store_error *error)
{
	return store_error_set(error, STORE_CHANGED,
			       "the file was replaced while it was read");
}

/* Is it the range that was asked for, of the version that was opened? */
static int check_answer(const struct s3_call *call, const struct reader *reader,
			uint64_t offset, size_t length,
			struct store_error *error)
{
	const char *range = s3_call_answer(call, "content-range");
	struct store_version version;
	uint64_t first = 0;
	int code = s3_version_of_etag(s3_call_answer(call, "etag"), &version,
				      error);

	if (code)
		return code;
	if (!store_version_equal(&version, &reader->version))
		return changed(error);
	if (s3_call_status(call) == 206 &&
	    (!range || sscanf(range, "bytes %" SCNu64 "-", &first) != 1))
		return store_error_set(error, STORE_CORRUPT,
				       "a part that does not say of what");
	if (first != offset)
		return store_error_set(error, STORE_CORRUPT,
				       "another part than was asked for");
	if (call->exchange.response.got != length)
		return store_error_set(error, STORE_CORRUPT, "%zu of %zu bytes",
				       call->exchange.response.got, length);
	return STORE_OK;
}

/* Of the bytes in the order they are told: most significant first. */
static int crc32c_text(const void *data, size_t length, char **text,
		       struct store_error *error)
{
	uint32_t crc = crc32c(0, data, length);
	const unsigned char raw[] = {
		(unsigned char)(crc >> 24),
		(unsigned char)(crc >> 16),
		(unsigned char)(crc >> 8),
		(unsigned char)crc,
	};

	*text = base64_encode(raw, sizeof(raw));
	return *text ? STORE_OK
		     : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* What the server keeps a checksum of; that of parts has a '-' in it. */
static int check_sum(const struct s3_call *call, const struct reader *reader,
		     const void *data, size_t length, struct store_error *error)
{
	const char *told = s3_call_answer(call, "x-amz-checksum-crc32c");
	CLEANUP_FREE char *text = NULL;
	int code;

	if (!told || length != reader->size || strchr(told, '-'))
		return STORE_OK;
	code = crc32c_text(data, length, &text, error);
	if (!code && strcmp(told, text) != 0)
		code = store_error_set(error, STORE_CORRUPT,
				       "the bytes are not those of their "
				       "checksum");
	return code;
}

static int read_once(struct s3 *s3, struct store_context *context,
		     const struct reader *reader, uint64_t offset, void *data,
		     size_t length, struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", reader->object);
	s3_call_customer_key(s3, &call, "x-amz-");
	if (length != reader->size)
		s3_call_header(&call, "range", "bytes=%" PRIu64 "-%" PRIu64,
			       offset, offset + length - 1);
	else
		s3_call_header(&call, "x-amz-checksum-mode", "ENABLED");
	s3_call_header(&call, "if-match", "\"%s\"", reader->version.token);
	call.data = data;
	call.room = length;
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = check_answer(&call, reader, offset, length, error);
	else if (s3_call_status(&call) == 416)
		code = changed(error);
	if (!code)
		code = check_sum(&call, reader, data, length, error);
	s3_call_release(&call);
	return code;
}

/* ---- opening small files ---- */

/* The size of the whole file. */
static int read_size(const struct s3_call *call, uint64_t *size,
		     struct store_error *error)
{
	const char *range = s3_call_answer(call, "content-range");

	*size = call->exchange.response.got;
	if (s3_call_status(call) != 206 ||
	    (range && sscanf(range, "bytes 0-%*u/%" SCNu64, size) == 1))
		return STORE_OK;
	return store_error_set(error, STORE_CORRUPT,
			       "a part that does not say of what");
}

static int check_head(const struct s3_call *call,
		      const struct store_version *pin, struct reader *reader,
		      struct store_error *error)
{
	int code = s3_version_of_etag(s3_call_answer(call, "etag"),
				      &reader->version, error);

	if (!code && pin && !store_version_equal(pin, &reader->version))
		code = changed(error);
	if (!code)
		code = read_size(call, &reader->size, error);
	if (code)
		return code;
	if (reader->head_length > reader->size)
		reader->head_length = (size_t)reader->size;
	code = check_answer(call, reader, 0, reader->head_length, error);
	if (!code)
		code = check_sum(call, reader, reader->head,
				 reader->head_length, error);
	return code;
}

/* The first bytes, and what a HEAD would have told. */
static int fetch_head(struct s3 *s3, struct store_context *context,
		      const struct store_version *pin, struct reader *reader,
		      struct store_info *info, struct store_error *error)
{
	struct s3_object found;
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", reader->object);
	s3_call_customer_key(s3, &call, "x-amz-");
	s3_call_header(&call, "range", "bytes=0-%zu", reader->head_length - 1);
	s3_call_header(&call, "x-amz-checksum-mode", "ENABLED");
	if (pin)
		s3_call_header(&call, "if-match", "\"%s\"", pin->token);
	call.data = reader->head;
	call.room = reader->head_length;
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = check_head(&call, pin, reader, error);
	if (!code)
		code = s3_object_take(&found, &call, false, error);
	if (!code) {
		s3_object_release(&found);
		*info = found.info;
		info->size = reader->size;
	}
	/* By its mode and the length of this part: a HEAD tells. */
	if (!code && found.info.type != STORE_TYPE_FILE)
		code = store_error_set(error, STORE_CORRUPT,
				       "perhaps a symlink");
	s3_call_release(&call);
	return code;
}

/* Not for these: nothing is there, or nothing of an empty file, or damage. */
static bool needs_looking(int code, const struct store_error *error)
{
	return code == STORE_NOT_FOUND || code == STORE_CORRUPT ||
	       (code && error->detail == 416);
}

int s3_open_small(void *self, struct store_context *context, const char *key,
		  const struct store_version *pin, size_t expected,
		  void **opened, struct store_info *info,
		  struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3 *s3 = self;
	struct store_info found;
	struct reader *reader;
	int code;

	if (!head_reserve(s3, expected))
		return s3_open_reader(self, context, key, pin, opened, info,
				      error);
	reader = calloc(1, sizeof(*reader));
	if (reader)
		reader->head = malloc(expected);
	if (!reader || !reader->head) {
		free(reader);
		atomic_fetch_sub(&s3->heads, expected);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	reader->head_length = reader->head_room = expected;
	code = s3_object_name(s3, key, false, &reader->object, &own);
	if (!code)
		code = fetch_head(s3, context, pin, reader, &found, &own);
	if (!code) {
		*opened = reader;
		*info = found;
		return STORE_OK;
	}
	s3_close_reader(self, reader);
	if (needs_looking(code, &own))
		return s3_open_reader(self, context, key, pin, opened, info,
				      error);
	*error = own;
	return code;
}

/* ---- reading ---- */

int s3_read(void *self, struct store_context *context, void *opaque,
	    uint64_t offset, void *data, size_t length, size_t *got,
	    struct store_error *error)
{
	const struct reader *reader = opaque;
	int code;

	if (offset >= reader->size) {
		*got = 0;
		return STORE_OK;
	}
	if (length > reader->size - offset)
		length = (size_t)(reader->size - offset);
	if (offset + length <= reader->head_length) {
		memcpy(data, reader->head + offset, length);
		*got = length;
		return STORE_OK;
	}
	code = read_once(self, context, reader, offset, data, length, error);
	/* What was damaged on the way may come whole another time. */
	if (code == STORE_CORRUPT)
		code = read_once(self, context, reader, offset, data, length,
				 error);
	if (!code)
		*got = length;
	return code;
}

void s3_close_reader(void *self, void *opaque)
{
	struct reader *reader = opaque;
	struct s3 *s3 = self;

	if (reader->head)
		atomic_fetch_sub(&s3->heads, reader->head_room);
	free(reader->head);
	free(reader->object);
	free(reader);
}
