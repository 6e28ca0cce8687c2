// SPDX-License-Identifier: MIT
/* Calls and their requests; see call.h.  No locks. */
#include "config.h"

#include "backends/sftp/call.h"

#include <stdlib.h>
#include <string.h>

#include "backends/sftp/sftp.h"
#include "src/base/clock.h"

/* Connections lost in mid-call before the call is lost, too. */
enum { LOSSES_MAX = 5 };

static const int64_t TELL_TIME = NS_PER_SEC / 10;
static const int64_t SETTLE_TIME = 2 * NS_PER_SEC;

void sftp_call_init(struct sftp_call *call, struct sftp *sftp,
		    struct store_context *context, struct store_error *error)
{
	*call = (struct sftp_call){
		.sftp = sftp,
		.context = context,
		.error = error,
	};
}

void sftp_call_release(struct sftp_call *call)
{
	sftp_session_unref(call->session);
	call->session = NULL;
}

int sftp_call_connect(struct sftp_call *call)
{
	if (call->session)
		return STORE_OK;
	return sftp_pool_take(&call->sftp->pool, call->context, &call->session,
			      call->error);
}

bool sftp_call_lost(const struct sftp_call *call)
{
	return call->session && sftp_session_ended(call->session);
}

bool sftp_call_again(struct sftp_call *call, const int *code)
{
	if (*code != STORE_UNAVAILABLE || !sftp_call_lost(call) ||
	    ++call->lost > LOSSES_MAX)
		return false;
	sftp_call_release(call);
	store_error_clear(call->error);
	return true;
}

/* ---- sending ---- */

static bool takes_attributes(enum sftp_type type)
{
	return type == SFTP_OPEN || type == SFTP_MKDIR ||
	       type == SFTP_SETSTAT || type == SFTP_FSETSTAT;
}

static void put_in_words(const struct sftp_ask *ask,
			 struct sftp_request *request)
{
	static const struct sftp_attributes none = { .mask = 0 };
	struct buf *packet = sftp_request_packet(request);

	if (ask->handle)
		sftp_add_string(packet, ask->handle->bytes,
				ask->handle->length);
	if (ask->path)
		sftp_add_text(packet, ask->path);
	if (ask->to)
		sftp_add_text(packet, ask->to);
	if (ask->type == SFTP_OPEN)
		sftp_add_u32(packet, ask->flags);
	if (takes_attributes(ask->type) || ask->attributes)
		sftp_add_attributes(packet,
				    ask->attributes ? ask->attributes : &none);
}

int sftp_call_submit(struct sftp_call *call, struct sftp_request **request)
{
	int code;

	if (!*request)
		return store_error_errno(call->error, ENOMEM, "ask the server");
	code = sftp_call_connect(call);
	if (!code)
		code = sftp_session_submit(call->session, call->context,
					   *request, call->error);
	if (code)
		sftp_call_forget(call, request);
	return code;
}

int sftp_call_send(struct sftp_call *call, const struct sftp_ask *ask,
		   struct sftp_request **request)
{
	int code;

	*request = NULL;
	code = sftp_call_connect(call);
	if (code)
		return code;
	*request = ask->type == SFTP_EXTENDED
			   ? sftp_request_extended(ask->extension)
			   : sftp_request_new(ask->type);
	if (*request)
		put_in_words(ask, *request);
	return sftp_call_submit(call, request);
}

int sftp_call_wait(struct sftp_call *call, struct sftp_request *request)
{
	return sftp_session_wait(call->session, call->context, request,
				 call->error);
}

void sftp_call_forget(struct sftp_call *call, struct sftp_request **request)
{
	if (*request)
		sftp_session_forget(call->session, *request);
	*request = NULL;
}

int sftp_call_done(struct sftp_call *call, struct sftp_request **request)
{
	int code = sftp_call_wait(call, *request);

	sftp_call_forget(call, request);
	return code;
}

int sftp_call_do(struct sftp_call *call, const struct sftp_ask *ask)
{
	struct sftp_request *request;
	int code = sftp_call_send(call, ask, &request);

	return code ? code : sftp_call_done(call, &request);
}

int sftp_call_change(struct sftp_call *call, const struct sftp_ask *ask)
{
	struct sftp_request *request;
	int code = sftp_call_send(call, ask, &request);

	if (code)
		return code;
	code = sftp_call_wait(call, request);
	call->acted |= !code || sftp_request_lost(request);
	sftp_call_forget(call, &request);
	return code;
}

/* In a time of its own: that of the call may be over. */
static void clean_up(struct sftp_call *call, const struct sftp_ask *ask,
		     int64_t patience)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct sftp_call other = *call;
	struct store_context context;
	struct sftp_request *request;

	if (!call->session)
		return;
	store_context_init(&context, patience, NULL);
	other.context = &context;
	other.error = &ignored;
	if (sftp_call_send(&other, ask, &request))
		return;
	if (patience == SETTLE_TIME && sftp_call_wait(&other, request))
		store_error_clear(&ignored);
	sftp_call_forget(&other, &request);
}

void sftp_call_settle(struct sftp_call *call, const struct sftp_ask *ask)
{
	clean_up(call, ask, SETTLE_TIME);
}

void sftp_call_tell(struct sftp_call *call, const struct sftp_ask *ask)
{
	clean_up(call, ask, TELL_TIME);
}

/* ---- answers ---- */

int sftp_call_attributes(struct sftp_call *call, struct sftp_request **request,
			 struct sftp_attributes *attributes)
{
	struct sftp_attributes found;
	int code = sftp_call_wait(call, *request);

	if (!code) {
		struct sftp_body *body = sftp_request_body(*request);

		sftp_take_attributes(body, &found);
		code = sftp_body_check(body, "ATTRS", call->error);
	}
	if (!code)
		*attributes = found;
	sftp_call_forget(call, request);
	return code;
}

int sftp_call_handle(struct sftp_call *call, struct sftp_request **request,
		     struct sftp_handle *handle)
{
	int code = sftp_call_wait(call, *request);
	const char *bytes;
	size_t length;

	if (!code) {
		struct sftp_body *body = sftp_request_body(*request);

		bytes = sftp_take_string(body, &length);
		body->bad |= length > sizeof(handle->bytes);
		code = sftp_body_check(body, "HANDLE", call->error);
		if (!code) {
			memcpy(handle->bytes, bytes, length);
			handle->length = length;
		}
	}
	sftp_call_forget(call, request);
	return code;
}

int sftp_call_name(struct sftp_call *call, struct sftp_request **request,
		   char **name)
{
	int code = sftp_call_wait(call, *request);

	if (!code) {
		struct sftp_body *body = sftp_request_body(*request);
		uint32_t count = sftp_take_u32(body);
		size_t length;
		const char *text = sftp_take_string(body, &length);
		char *copy = NULL;

		body->bad |= count < 1 || memchr(text, '\0', length);
		code = sftp_body_check(body, "NAME", call->error);
		if (!code)
			copy = strndup(text, length);
		if (!code && !copy)
			code = store_error_errno(call->error, ENOMEM, "name");
		if (!code)
			*name = copy;
	}
	sftp_call_forget(call, request);
	return code;
}

bool sftp_call_says_nothing(const struct sftp_call *call, int code)
{
	return code == STORE_INTERNAL &&
	       call->error->detail >= SFTP_STATUS_FAILURE;
}
