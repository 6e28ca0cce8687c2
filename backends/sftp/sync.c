// SPDX-License-Identifier: MIT
/*
 * Names made durable.  OpenSSH opens a folder as it opens a file, for reading,
 * and then flushes it as one: nothing else in the protocol speaks of names.
 * A server that does not do that keeps its names as it likes.
 */
#include "config.h"

#include <string.h>

#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"

bool sftp_folder_flushes(struct sftp_call *call)
{
	return sftp_session_has(call->session, SFTP_EXT_FSYNC) &&
	       !atomic_load(&call->sftp->flushless);
}

static struct sftp_ask ask_open(const struct sftp_path *folder)
{
	return (struct sftp_ask){ .type = SFTP_OPEN,
				  .path = folder->text,
				  .flags = SFTP_OPEN_READ };
}

int sftp_folder_open_send(struct sftp_call *call, const char *path,
			  struct sftp_request **request)
{
	const char *slash = strrchr(path, '/');
	struct sftp_path folder = { "." };
	struct sftp_ask ask = ask_open(&folder);
	size_t length = slash ? (size_t)(slash - path) : 0;

	*request = NULL;
	if (!sftp_folder_flushes(call))
		return STORE_OK;
	if (slash) {
		memcpy(folder.text, path, length ? length : 1);
		folder.text[length ? length : 1] = '\0';
	}
	return sftp_call_send(call, &ask, request);
}

/* The server has said no, and not: the connection is gone, or time is up. */
static bool refused(const struct sftp_call *call, int code)
{
	return code && !sftp_call_lost(call) && code != STORE_TIMEOUT &&
	       code != STORE_CANCELLED;
}

int sftp_folder_open_settle(struct sftp_call *call,
			    struct sftp_request **request,
			    struct sftp_handle *handle, bool *opened)
{
	int code = STORE_OK;

	*opened = false;
	if (!*request)
		return STORE_OK;
	code = sftp_call_handle(call, request, handle);
	*opened = !code;
	if (!refused(call, code))
		return code;
	store_error_clear(call->error);
	return STORE_OK;
}

int sftp_folder_flush_settle(struct sftp_call *call,
			     struct sftp_request **request)
{
	int code = sftp_call_done(call, request);

	if (!refused(call, code))
		return code;
	atomic_store(&call->sftp->flushless, true);
	store_error_clear(call->error);
	return STORE_OK;
}

int sftp_folder_flush(struct sftp_call *call, const char *path)
{
	struct sftp_request *request;
	struct sftp_handle handle;
	struct sftp_ask ask = { .type = SFTP_EXTENDED,
				.extension = SFTP_EXT_FSYNC,
				.handle = &handle };
	struct sftp_ask close = { .type = SFTP_CLOSE, .handle = &handle };
	bool opened = false;
	int code = sftp_call_connect(call);

	if (!code)
		code = sftp_folder_open_send(call, path, &request);
	if (!code)
		code = sftp_folder_open_settle(call, &request, &handle,
					       &opened);
	if (code || !opened)
		return code;
	code = sftp_call_send(call, &ask, &request);
	if (!code)
		code = sftp_folder_flush_settle(call, &request);
	sftp_call_tell(call, &close);
	return code;
}

int sftp_sync(void *self, struct store_context *context, const char *key,
	      struct store_error *error)
{
	struct sftp_path path, inside;
	struct sftp_call call;
	int code = sftp_path_of(self, key, &path, error);

	if (code)
		return code;
	if (!sftp_path_inside(&path, "x", &inside))
		return store_error_errno(error, ENAMETOOLONG, "sync");
	sftp_call_init(&call, self, context, error);
	do
		code = sftp_folder_flush(&call, inside.text);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}
