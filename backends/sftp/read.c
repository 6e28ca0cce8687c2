// SPDX-License-Identifier: MIT
/*
 * Readers: a handle of the server's, which goes on after its file was
 * replaced or removed, and what the file was like when it was opened.
 *
 * A read is several READs on their way at once, and an FSTAT behind them:
 * bytes count when size and mtime still are what they were.  When the
 * connection was lost the file is opened again, and has to be the same.
 *
 * Locks: that of a reader, for its handle.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"

/* READs of one call on their way at once. */
enum { WINDOW = 32 };

struct sftp_reader {
	struct sftp_path path;
	char *key;
	struct store_version version;
	uint64_t size;
	struct lock lock;
	/* Protected by lock: */
	struct sftp_session *session; /* of the handle; one reference */
	struct sftp_handle handle;
};

/* ---- opening ---- */

static int check_opened(const struct sftp_attributes *attributes,
			const struct store_version *pin,
			struct store_error *error)
{
	struct store_version version;

	if (attributes->mask & SFTP_ATTR_MODE) {
		if (S_ISDIR(attributes->mode))
			return store_error_set(error, STORE_IS_DIR,
					       "is a folder");
		if (!S_ISREG(attributes->mode))
			return store_error_set(error, STORE_INVALID,
					       "is no file");
	}
	sftp_version_of(attributes, &version);
	if (pin && !store_version_equal(pin, &version))
		return store_error_set(error, STORE_CHANGED,
				       "is another version by now");
	return STORE_OK;
}

static void tell_close(struct sftp_call *call, const struct sftp_handle *handle)
{
	struct sftp_ask ask = { .type = SFTP_CLOSE, .handle = handle };

	sftp_call_tell(call, &ask);
}

/* The handle, and what FSTAT tells of it. */
static int settle_open(struct sftp_call *call, struct sftp_request **open,
		       struct sftp_handle *handle,
		       struct sftp_attributes *attributes)
{
	struct sftp_ask fstat = { .type = SFTP_FSTAT, .handle = handle };
	struct sftp_request *request;
	int code = sftp_call_handle(call, open, handle);

	if (code)
		return code;
	code = sftp_call_send(call, &fstat, &request);
	if (!code)
		code = sftp_call_attributes(call, &request, attributes);
	if (code)
		tell_close(call, handle);
	return code;
}

/*
 * What is there is looked at before it is opened, as opening a fifo would
 * stop the server; but a file that the caller has seen is opened at once.
 */
static int open_file(struct sftp_call *call, struct sftp_reader *reader,
		     const struct store_version *pin,
		     struct sftp_attributes *attributes)
{
	struct sftp_ask ask = { .type = SFTP_OPEN,
				.path = reader->path.text,
				.flags = SFTP_OPEN_READ };
	struct sftp_request *parent, *open = NULL;
	struct sftp_looking looking = { .lstat = NULL };
	int code = sftp_parent_send(call, reader->key, &parent);

	if (!code)
		code = sftp_look_send(call, reader->path.text, &looking);
	if (!code && pin && !parent)
		code = sftp_call_send(call, &ask, &open);
	if (!code)
		code = sftp_parent_settle(call, reader->key, &parent);
	if (!code)
		code = sftp_look_settle(call, &looking, attributes, NULL);
	if (!code)
		code = check_opened(attributes, pin, call->error);
	if (!code && !open)
		code = sftp_call_send(call, &ask, &open);
	if (!code) {
		code = settle_open(call, &open, &reader->handle, attributes);
		if (code)
			return code;
		code = check_opened(attributes, pin, call->error);
		if (code) {
			tell_close(call, &reader->handle);
			return code;
		}
		reader->session = sftp_session_ref(call->session);
		return STORE_OK;
	}
	if (parent)
		sftp_call_forget(call, &parent);
	sftp_look_forget(call, &looking);
	if (open) {
		struct store_error kept = *call->error;
		struct sftp_handle handle;

		if (!sftp_call_handle(call, &open, &handle))
			tell_close(call, &handle);
		*call->error = kept;
	}
	return code;
}

static void reader_free(struct sftp_reader *reader)
{
	sftp_session_unref(reader->session);
	lock_destroy(&reader->lock);
	free(reader->key);
	free(reader);
}

int sftp_open_reader(void *self, struct store_context *context, const char *key,
		     const struct store_version *pin, void **result,
		     struct store_info *info, struct store_error *error)
{
	struct sftp_reader *reader = calloc(1, sizeof(*reader));
	struct sftp_attributes attributes;
	struct sftp_call call;
	int code;

	if (!reader || !(reader->key = strdup(key))) {
		free(reader);
		return store_error_errno(error, ENOMEM, "open");
	}
	lock_init(&reader->lock);
	sftp_call_init(&call, self, context, error);
	code = sftp_path_of(self, key, &reader->path, error);
	if (code)
		code = store_error_set(error, STORE_NOT_FOUND,
				       "a name of the store's own");
	else
		do
			code = open_file(&call, reader, pin, &attributes);
		while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	if (code) {
		reader_free(reader);
		return code;
	}
	sftp_info_of(self, &attributes, info);
	reader->version = info->version;
	reader->size = info->size;
	*result = reader;
	return STORE_OK;
}

void sftp_close_reader(void *self, void *opened)
{
	struct sftp_reader *reader = opened;
	struct sftp_call call;

	sftp_call_init(&call, self, NULL, NULL);
	call.session = reader->session;
	tell_close(&call, &reader->handle);
	reader_free(reader);
}

/* ---- reading ---- */

struct part {
	struct sftp_request *request;
	size_t offset; /* in the caller's memory */
	size_t length;
};

struct reading {
	struct sftp_call *call;
	const struct sftp_handle *handle;
	uint64_t offset;
	unsigned char *data;
	size_t length;
	size_t asked; /* bytes that were asked for, from the beginning */
	size_t got;   /* bytes that have come, without a gap */
	bool ended;   /* the file has */
	struct part parts[WINDOW]; /* a ring */
	size_t first, count;
};

static int send_part(struct reading *reading, size_t offset, size_t length,
		     struct part *part)
{
	struct sftp_request *request = sftp_request_new(SFTP_READ);
	struct buf *packet;
	int code;

	if (request) {
		packet = sftp_request_packet(request);
		sftp_add_string(packet, reading->handle->bytes,
				reading->handle->length);
		sftp_add_u64(packet, reading->offset + offset);
		sftp_add_u32(packet, (uint32_t)length);
		sftp_request_into(request, reading->data + offset, length);
	}
	code = sftp_call_submit(reading->call, &request);
	if (code)
		return code;
	*part = (struct part){ request, offset, length };
	return STORE_OK;
}

static int send_parts(struct reading *reading)
{
	const struct sftp_session *session = reading->call->session;
	size_t most = sftp_session_server(session)->read_max;
	int code = STORE_OK;

	while (!code && reading->count < WINDOW &&
	       reading->asked < reading->length) {
		size_t at = (reading->first + reading->count) % WINDOW;
		size_t length = reading->length - reading->asked;

		if (length > most)
			length = most;
		code = send_part(reading, reading->asked, length,
				 &reading->parts[at]);
		if (!code) {
			reading->count++;
			reading->asked += length;
		}
	}
	return code;
}

/* A server may give less than it was asked for: the rest is asked again. */
static int take_part(struct reading *reading)
{
	struct part *part = &reading->parts[reading->first];
	struct sftp_call *call = reading->call;
	size_t got;
	int code = sftp_call_wait(call, part->request);

	if (code)
		return code;
	got = sftp_request_got(part->request);
	sftp_call_forget(call, &part->request);
	if (got == part->length || !got) {
		reading->ended |= !got;
		reading->got += reading->ended ? 0 : got;
		reading->first = (reading->first + 1) % WINDOW;
		reading->count--;
		return STORE_OK;
	}
	reading->got += got;
	return send_part(reading, part->offset + got, part->length - got, part);
}

static int read_parts(struct reading *reading)
{
	int code = STORE_OK;

	while (!code && !reading->ended && reading->got < reading->length) {
		code = send_parts(reading);
		if (!code)
			code = take_part(reading);
	}
	return code;
}

/* Nothing may be written to the caller's memory any more. */
static void forget_parts(struct reading *reading)
{
	while (reading->count) {
		struct part *part = &reading->parts[reading->first];

		sftp_call_forget(reading->call, &part->request);
		reading->first = (reading->first + 1) % WINDOW;
		reading->count--;
	}
}

/* The file may have been written to in place. */
static int check_still(struct sftp_call *call, struct sftp_reader *reader,
		       struct sftp_request **request)
{
	struct sftp_attributes now;
	struct store_version version;
	int code = sftp_call_attributes(call, request, &now);

	if (code)
		return code;
	sftp_version_of(&now, &version);
	if (!store_version_equal(&version, &reader->version))
		return store_error_set(call->error, STORE_CHANGED,
				       "was changed in place");
	return STORE_OK;
}

static int read_once(struct reading *reading, struct sftp_reader *reader)
{
	struct sftp_call *call = reading->call;
	struct sftp_ask fstat = { .type = SFTP_FSTAT,
				  .handle = reading->handle };
	struct sftp_request *request = NULL;
	int code;

	reading->asked = reading->got = 0;
	reading->first = reading->count = 0;
	reading->ended = false;
	code = send_parts(reading);
	/* What fits into one window needs no round trip of its own for it. */
	if (!code && reading->asked == reading->length)
		code = sftp_call_send(call, &fstat, &request);
	if (!code)
		code = read_parts(reading);
	forget_parts(reading);
	if (!code && !request)
		code = sftp_call_send(call, &fstat, &request);
	if (!code)
		return check_still(call, reader, &request);
	sftp_call_forget(call, &request);
	return code;
}

/* Open again on another connection, unless somebody has. */
static int reopen(struct sftp_call *call, struct sftp_reader *reader)
{
	struct sftp_reader fresh = { .path = reader->path, .key = reader->key };
	struct sftp_attributes attributes;
	struct sftp_session *old;
	bool taken;
	int code;

	do
		code = open_file(call, &fresh, &reader->version, &attributes);
	while (sftp_call_again(call, &code));
	if (code)
		return code;
	lock_take(&reader->lock);
	old = reader->session;
	taken = sftp_session_ended(old);
	if (taken) {
		reader->session = fresh.session;
		reader->handle = fresh.handle;
	}
	lock_drop(&reader->lock);
	if (!taken) {
		old = fresh.session;
		tell_close(call, &fresh.handle);
	}
	sftp_session_unref(old);
	return STORE_OK;
}

static void use_handle(struct sftp_call *call, struct sftp_reader *reader,
		       struct sftp_handle *handle)
{
	sftp_call_release(call);
	lock_take(&reader->lock);
	call->session = sftp_session_ref(reader->session);
	*handle = reader->handle;
	lock_drop(&reader->lock);
}

int sftp_read(void *self, struct store_context *context, void *opened,
	      uint64_t offset, void *data, size_t length, size_t *got,
	      struct store_error *error)
{
	struct sftp_reader *reader = opened;
	struct sftp_handle handle;
	struct sftp_call call;
	struct reading reading = {
		.call = &call,
		.handle = &handle,
		.offset = offset,
		.data = data,
		.length = length,
	};
	int code;

	/* No more is asked for than there is: no answer of "end" is needed. */
	if (offset >= reader->size)
		reading.length = 0;
	else if (length > reader->size - offset)
		reading.length = (size_t)(reader->size - offset);
	sftp_call_init(&call, self, context, error);
	do {
		use_handle(&call, reader, &handle);
		code = read_once(&reading, reader);
		if (!sftp_call_again(&call, &code))
			break;
		code = reopen(&call, reader);
	} while (!code);
	sftp_call_release(&call);
	if (!code)
		*got = reading.got;
	return code;
}
