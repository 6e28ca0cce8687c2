// SPDX-License-Identifier: MIT
/*
 * What the server sends: packets out of the input, each to its request.
 * Called by session_io.c alone.  Nothing that comes is believed: what cannot
 * be ends the session.
 */
#include "config.h"

#include "backends/sftp/session_internal.h"

#include <string.h>

/* Length, type, id, length of the data. */
enum { DATA_HEAD = 13, DATA_AROUND = 9 };

static enum sftp_type wanted_type(const struct sftp_request *request)
{
	switch (request->type) {
	case SFTP_INIT:
		return SFTP_VERSION;
	case SFTP_OPEN:
	case SFTP_OPENDIR:
		return SFTP_HANDLE;
	case SFTP_READ:
		return SFTP_DATA;
	case SFTP_READDIR:
	case SFTP_REALPATH:
	case SFTP_READLINK:
		return SFTP_NAME;
	case SFTP_LSTAT:
	case SFTP_STAT:
	case SFTP_FSTAT:
		return SFTP_ATTRS;
	case SFTP_EXTENDED:
		switch (request->extension) {
		case SFTP_EXT_STATVFS:
		case SFTP_EXT_LIMITS:
		case SFTP_EXT_USERS_GROUPS:
			return SFTP_EXTENDED_REPLY;
		case SFTP_EXT_HOME_DIRECTORY:
		case SFTP_EXT_EXPAND_PATH:
			return SFTP_NAME;
		default:
			return SFTP_STATUS;
		}
	default:
		return SFTP_STATUS;
	}
}

static int wrong_answer(const struct sftp_request *request, uint8_t type,
			struct store_error *error)
{
	return store_error_set(error, STORE_CORRUPT,
			       "the server answers a request %d with a %d",
			       (int)request->type, (int)type);
}

/* CORRUPT when that cannot be an answer to the request. */
static int answer_status(struct sftp_session *session,
			 struct sftp_request *request, struct sftp_body *body,
			 struct store_error *error) REQUIRES(session->lock)
{
	struct store_error said = STORE_ERROR_INIT;
	int code = sftp_take_status(body, &said);

	if (code == STORE_CORRUPT) {
		*error = said;
		return code;
	}
	if (!code && wanted_type(request) != SFTP_STATUS)
		return wrong_answer(request, SFTP_STATUS, error);
	if (code && said.detail == SFTP_STATUS_EOF &&
	    (request->type == SFTP_READ || request->type == SFTP_READDIR))
		code = STORE_OK;
	sftp_request_done_locked(session, request, code, &said);
	return STORE_OK;
}

static int check_data(const struct sftp_request *request, size_t length,
		      struct store_error *error)
{
	if (request->type != SFTP_READ)
		return wrong_answer(request, SFTP_DATA, error);
	if (length && length <= request->room)
		return STORE_OK;
	return store_error_set(error, STORE_CORRUPT,
			       "the server sent %zu bytes where %zu were "
			       "asked for",
			       length, request->room);
}

static int answer_data(struct sftp_session *session,
		       struct sftp_request *request, struct sftp_body *body,
		       struct store_error *error) REQUIRES(session->lock)
{
	size_t length;
	const char *data = sftp_take_string(body, &length);
	int code = sftp_body_check(body, "DATA", error);

	if (!code)
		code = check_data(request, length, error);
	if (code)
		return code;
	if (!request->forgotten)
		memcpy(request->into, data, length);
	request->got = length;
	sftp_request_done_locked(session, request, STORE_OK, NULL);
	return STORE_OK;
}

/* Whoever asked for it has gone: nobody else would ever close it. */
static void close_handle(struct sftp_session *session, struct sftp_body body)
	REQUIRES(session->lock)
{
	struct sftp_request *request = sftp_request_new(SFTP_CLOSE);
	size_t length;
	const char *handle = sftp_take_string(&body, &length);

	if (!request)
		return;
	sftp_add_string(&request->packet, handle, length);
	sftp_request_queue_own_locked(session, request);
}

static int answer_other(struct sftp_session *session,
			struct sftp_request *request,
			const struct sftp_body *body, struct store_error *error)
	REQUIRES(session->lock)
{
	unsigned char *copy = malloc(body->left + 1);

	if (!copy)
		return store_error_errno(error, ENOMEM, "keep an answer");
	if (request->forgotten && wanted_type(request) == SFTP_HANDLE)
		close_handle(session, *body);
	memcpy(copy, body->data, body->left);
	request->answer = copy;
	request->body = *body;
	request->body.data = copy;
	sftp_request_done_locked(session, request, STORE_OK, NULL);
	return STORE_OK;
}

static int answer(struct sftp_session *session, struct sftp_request *request,
		  struct sftp_frame *frame, struct store_error *error)
	REQUIRES(session->lock)
{
	if (frame->type == SFTP_STATUS && request->type != SFTP_INIT)
		return answer_status(session, request, &frame->body, error);
	if (frame->type != wanted_type(request))
		return wrong_answer(request, frame->type, error);
	if (frame->type == SFTP_DATA)
		return answer_data(session, request, &frame->body, error);
	return answer_other(session, request, &frame->body, error);
}

static struct sftp_request *request_of_locked(struct sftp_session *session,
					      struct sftp_body *body,
					      struct store_error *error)
	REQUIRES(session->lock)
{
	struct sftp_request *request = session->hello;
	uint32_t id;

	if (request && request->state == SFTP_REQUEST_SENT)
		return request;
	id = sftp_take_u32(body);
	if (sftp_body_check(body, "packet", error))
		return NULL;
	request = sftp_request_find_locked(session, id);
	if (!request)
		store_error_set(error, STORE_CORRUPT,
				"the server answers %lu, which was not asked",
				(unsigned long)id);
	return request;
}

static int take_packet(struct sftp_session *session, struct sftp_frame *frame,
		       struct store_error *error)
{
	struct sftp_request *request;
	int code = STORE_CORRUPT;

	lock_take(&session->lock);
	request = request_of_locked(session, &frame->body, error);
	if (request)
		code = answer(session, request, frame, error);
	lock_drop(&session->lock);
	return code;
}

/*
 * The beginning of a DATA packet: its bytes go where they belong, and what is
 * still to come is read to there.
 */
static int begin_data(struct sftp_session *session, const unsigned char *head,
		      size_t length, struct store_error *error)
{
	struct sftp_body body = { .data = head, .left = DATA_HEAD };
	uint32_t size = sftp_take_u32(&body);
	struct sftp_request *request;
	size_t data, here = length - DATA_HEAD;
	int code = STORE_CORRUPT;

	body.data++;
	body.left--;
	lock_take(&session->lock);
	request = request_of_locked(session, &body, error);
	data = sftp_take_u32(&body);
	if (request && data + DATA_AROUND != size)
		store_error_set(error, STORE_CORRUPT,
				"the server sent a malformed DATA");
	else if (request)
		code = check_data(request, data, error);
	if (!code) {
		if (!request->forgotten)
			memcpy(request->into, head + DATA_HEAD, here);
		request->got = here;
		session->reading = request;
		session->reading_left = data - here;
	}
	lock_drop(&session->lock);
	return code;
}

int sftp_session_digest(struct sftp_session *session, struct store_error *error)
{
	size_t used = 0;
	int code = STORE_OK;

	while (!code && used < session->in_length) {
		const unsigned char *at = session->in + used;
		size_t length = session->in_length - used;
		struct sftp_frame frame;

		code = sftp_frame(at, length, SFTP_PACKET_MAX, &frame, error);
		if (code)
			break;
		if (frame.size) {
			code = take_packet(session, &frame, error);
			used += frame.size;
		} else if (length >= DATA_HEAD && at[4] == SFTP_DATA) {
			code = begin_data(session, at, length, error);
			used += length;
		} else {
			break;
		}
	}
	session->in_length -= used;
	memmove(session->in, session->in + used, session->in_length);
	return code;
}
