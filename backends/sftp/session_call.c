// SPDX-License-Identifier: MIT
/*
 * Requests of a session, on the side of those who call; see session.h.
 */
#include "config.h"

#include "backends/sftp/session_internal.h"

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/wire.h"

enum { SMALL_ANSWER = 1024, ID_OFFSET = 5 };

/* Of io_timeout; shorter limits of callers tell nothing of the line. */
enum { SUSPECT_SHARE = 16 };

struct sftp_request *sftp_request_new(enum sftp_type type)
{
	struct sftp_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->type = type;
	buf_init(&request->packet, SFTP_PACKET_MAX + ID_OFFSET);
	/* The id of an INIT is the version. */
	sftp_request_begin(&request->packet, type, 3);
	return request;
}

struct sftp_request *sftp_request_extended(enum sftp_extension extension)
{
	struct sftp_request *request = sftp_request_new(SFTP_EXTENDED);

	if (!request)
		return NULL;
	request->extension = extension;
	sftp_add_text(&request->packet, sftp_extension_name(extension));
	return request;
}

struct buf *sftp_request_packet(struct sftp_request *request)
{
	return &request->packet;
}

void sftp_request_into(struct sftp_request *request, void *data, size_t room)
{
	request->into = data;
	request->room = room;
}

struct sftp_body *sftp_request_body(struct sftp_request *request)
{
	return &request->body;
}

size_t sftp_request_got(const struct sftp_request *request)
{
	return request->got;
}

bool sftp_request_lost(const struct sftp_request *request)
{
	return request->lost;
}

void sftp_request_free(struct sftp_request *request)
{
	buf_release(&request->packet);
	free(request->answer);
	free(request);
}

/* ---- submitting ---- */

static struct sftp_request **find_locked(struct sftp_session *session,
					 uint32_t id) REQUIRES(session->lock)
{
	struct sftp_request **link = &session->table[id % SFTP_TABLE_SIZE];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

struct sftp_request *sftp_request_find_locked(struct sftp_session *session,
					      uint32_t id)
{
	return *find_locked(session, id);
}

/* Numbers come round again, and an answer may never have come. */
static uint32_t free_id_locked(struct sftp_session *session)
	REQUIRES(session->lock)
{
	while (*find_locked(session, session->next_id))
		session->next_id++;
	return session->next_id++;
}

static void write_id(struct sftp_request *request)
{
	unsigned char *at = (unsigned char *)request->packet.data + ID_OFFSET;

	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(request->id >> (24 - 8 * i));
}

void sftp_request_queue_locked(struct sftp_session *session,
			       struct sftp_request *request)
{
	if (request->type == SFTP_INIT) {
		session->hello = request;
	} else {
		request->id = free_id_locked(session);
		write_id(request);
	}
	request->state = SFTP_REQUEST_QUEUED;
	request->queued_ns = clock_monotonic_ns();
	request->next = NULL;
	*session->queue_end = request;
	session->queue_end = &request->next;
	session->flight += request->weight;
}

void sftp_request_queue_own_locked(struct sftp_session *session,
				   struct sftp_request *request)
{
	sftp_packet_end(&request->packet, 0);
	request->forgotten = true;
	if (request->packet.failed)
		sftp_request_free(request);
	else
		sftp_request_queue_locked(session, request);
}

/* ---- patience ---- */

/*
 * Requests wait behind what others send: while bytes move, it is the line
 * that is slow.  Not for longer than a server may be silent.
 */
static bool still_moves(struct sftp_session *session,
			struct store_context *context, int64_t since)
{
	int64_t limit = session->options.io_timeout;
	int64_t now = clock_monotonic_ns();
	int64_t moved = atomic_load(&session->moved_ns);

	if (!context || !context->stall_ns || moved <= context->progress_ns ||
	    (context->deadline_ns && now >= context->deadline_ns) ||
	    (limit && now - since >= limit))
		return false;
	context->progress_ns = moved;
	return true;
}

/* As sftp_waiter_wait(), with that patience. */
static int wait_patiently(struct sftp_session *session,
			  struct sftp_waiter *waiter,
			  struct store_context *context, int64_t since,
			  struct store_error *error)
{
	int code;

	do
		code = sftp_waiter_wait(waiter, context, INT64_MAX, error);
	while (code == STORE_TIMEOUT && still_moves(session, context, since));
	return code;
}

/*
 * A line that has been cut says nothing, and swallows what is sent: whoever
 * gave up waiting for an answer tells the others, who would wait as long.
 */
static void suspect(struct sftp_session *session, int64_t since)
{
	int64_t limit = session->options.io_timeout / SUSPECT_SHARE;

	if (limit && atomic_load(&session->heard_ns) <= since &&
	    clock_monotonic_ns() - since >= limit)
		sftp_session_end(session);
}

/* ---- room ---- */

static bool has_room_locked(const struct sftp_session *session,
			    const struct sftp_request *request)
	REQUIRES(session->lock)
{
	return !session->flight ||
	       session->flight + request->weight <= SFTP_FLIGHT_MAX;
}

static int wait_for_room(struct sftp_session *session,
			 struct store_context *context,
			 struct store_error *error)
{
	struct sftp_waiter *waiter = sftp_waiter_take(session->options.waiters);
	int64_t since = clock_monotonic_ns();
	int code;

	if (!waiter)
		return store_error_errno(error, ENOMEM, "wait to send");
	lock_take(&session->lock);
	sftp_bell_join(&session->room, waiter);
	/* It may have rung before: then there is room, or an end. */
	if (session->ended || session->closing ||
	    session->flight < SFTP_FLIGHT_MAX / 2)
		sftp_waiter_wake(waiter);
	lock_drop(&session->lock);
	code = wait_patiently(session, waiter, context, since, error);
	lock_take(&session->lock);
	sftp_bell_leave(&session->room, waiter);
	lock_drop(&session->lock);
	sftp_waiter_give(session->options.waiters, waiter);
	return code;
}

static int ended_locked(const struct sftp_session *session,
			struct store_error *error) REQUIRES(session->lock)
{
	if (session->ended) {
		*error = session->why;
		return session->why.code;
	}
	return store_error_set(error, STORE_UNAVAILABLE,
			       "the connection is closed");
}

/* 1 when there is no room. */
static int try_submit(struct sftp_session *session,
		      struct sftp_request *request, struct store_error *error)
{
	int code = 1;

	lock_take(&session->lock);
	if (session->ended || session->closing) {
		code = ended_locked(session, error);
	} else if (has_room_locked(session, request)) {
		sftp_request_queue_locked(session, request);
		code = STORE_OK;
	}
	lock_drop(&session->lock);
	return code;
}

int sftp_session_submit(struct sftp_session *session,
			struct store_context *context,
			struct sftp_request *request, struct store_error *error)
{
	int code = buf_error(&request->packet, "a request", error);

	if (!code)
		code = store_context_check(context, error);
	if (code)
		return code;
	sftp_packet_end(&request->packet, 0);
	request->weight =
		request->packet.length +
		(request->room > SMALL_ANSWER ? request->room : SMALL_ANSWER);
	while ((code = try_submit(session, request, error)) == 1) {
		code = wait_for_room(session, context, error);
		if (code)
			return code;
	}
	if (!code)
		sftp_session_wake(session);
	return code;
}

/* ---- waiting ---- */

static bool done_locked(const struct sftp_session *session UNUSED,
			const struct sftp_request *request)
	REQUIRES(session->lock)
{
	return request->state == SFTP_REQUEST_DONE;
}

static int wait_done(struct sftp_session *session,
		     struct store_context *context,
		     struct sftp_request *request, struct store_error *error)
{
	struct sftp_waiter *waiter = sftp_waiter_take(session->options.waiters);
	bool done = false;
	int code = STORE_OK;

	if (!waiter)
		return store_error_errno(error, ENOMEM, "wait for an answer");
	while (!done && !code) {
		lock_take(&session->lock);
		request->waiter = waiter;
		done = done_locked(session, request);
		lock_drop(&session->lock);
		if (!done)
			code = wait_patiently(session, waiter, context,
					      request->queued_ns, error);
	}
	if (code == STORE_TIMEOUT)
		suspect(session, request->queued_ns);
	lock_take(&session->lock);
	request->waiter = NULL;
	lock_drop(&session->lock);
	sftp_waiter_give(session->options.waiters, waiter);
	return code;
}

int sftp_session_wait(struct sftp_session *session,
		      struct store_context *context,
		      struct sftp_request *request, struct store_error *error)
{
	bool done;
	int code;

	lock_take(&session->lock);
	done = done_locked(session, request);
	lock_drop(&session->lock);
	if (!done) {
		code = wait_done(session, context, request, error);
		if (code)
			return code;
	}
	store_context_progress(context);
	if (request->code)
		*error = request->error;
	return request->code;
}

/* ---- the end of a request ---- */

static void unqueue_locked(struct sftp_session *session,
			   struct sftp_request *request) REQUIRES(session->lock)
{
	struct sftp_request **link = &session->queue;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	if (session->queue_end == &request->next)
		session->queue_end = link;
	if (session->hello == request)
		session->hello = NULL;
}

static void untable_locked(struct sftp_session *session,
			   struct sftp_request *request) REQUIRES(session->lock)
{
	struct sftp_request **link = find_locked(session, request->id);

	if (session->hello == request) {
		session->hello = NULL;
		return;
	}
	*link = request->next;
}

static void count_request(struct sftp_session *session,
			  const struct sftp_request *request)
{
	struct wire_counters *counters = session->options.counters;
	_Atomic uint64_t *values;

	if (!counters)
		return;
	values = counters->values[WIRE_OTHER];
	atomic_fetch_add_explicit(&values[WIRE_REQUESTS], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&values[WIRE_FAILED], request->lost,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&values[WIRE_RECEIVED], request->got,
				  memory_order_relaxed);
}

void sftp_request_done_locked(struct sftp_session *session,
			      struct sftp_request *request, int code,
			      const struct store_error *error)
{
	if (request->state == SFTP_REQUEST_SENT) {
		untable_locked(session, request);
		session->due--;
		count_request(session, request);
	} else {
		unqueue_locked(session, request);
	}
	session->flight -= request->weight;
	request->state = SFTP_REQUEST_DONE;
	request->code = code;
	if (code)
		request->error = *error;
	if (session->flight < SFTP_FLIGHT_MAX / 2)
		sftp_bell_ring(&session->room);
	if (request->forgotten)
		sftp_request_free(request);
	else if (request->waiter)
		sftp_waiter_wake(request->waiter);
}

void sftp_session_forget(struct sftp_session *session,
			 struct sftp_request *request)
{
	if (!request)
		return;
	lock_take(&session->lock);
	while (session->filling == request)
		condition_wait(&session->filled, &session->lock);
	request->into = NULL;
	request->waiter = NULL;
	if (request->state == SFTP_REQUEST_QUEUED) {
		unqueue_locked(session, request);
		session->flight -= request->weight;
		sftp_bell_ring(&session->room);
		request->state = SFTP_REQUEST_NEW;
	}
	if (request->state == SFTP_REQUEST_SENT) {
		request->forgotten = true;
		request = NULL;
	}
	lock_drop(&session->lock);
	if (request)
		sftp_request_free(request);
}
