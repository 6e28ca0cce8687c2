// SPDX-License-Identifier: MIT
/*
 * The thread of a session: it alone touches the transport.
 *
 * It sends what is queued and reads whatever comes, whether or not it could
 * send: a server that waits for us to read must not meet us waiting for it.
 * Silence is measured, while an answer is due, from the last byte that came,
 * or that went where none could go before: what goes into an empty buffer is
 * no sign of life.
 */
#include "config.h"

#include "backends/sftp/session_internal.h"

#include <poll.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* Rounds of reading and writing before others are looked at again. */
enum { ROUNDS = 64, OUT_ENOUGH = 32 * 1024 };

/* ---- sending ---- */

/* The first of the queue is on its way from here on. */
static void launch_locked(struct sftp_session *session) REQUIRES(session->lock)
{
	struct sftp_request *request = session->queue;
	struct sftp_request **slot =
		&session->table[request->id % SFTP_TABLE_SIZE];

	session->queue = request->next;
	if (!session->queue)
		session->queue_end = &session->queue;
	request->state = SFTP_REQUEST_SENT;
	request->next = NULL;
	session->due++;
	if (request != session->hello) {
		request->next = *slot;
		*slot = request;
	}
	if (!session->out.length) {
		buf_release(&session->out);
		session->out = request->packet;
		buf_init(&request->packet, 0);
	} else {
		buf_add(&session->out, request->packet.data,
			request->packet.length);
		buf_release(&request->packet);
	}
}

/* Small packets leave together. */
static void fill_out(struct sftp_session *session)
{
	if (session->out_sent < session->out.length)
		return;
	buf_clear(&session->out);
	session->out_sent = 0;
	lock_take(&session->lock);
	while (session->queue &&
	       (!session->out.length ||
		session->out.length + session->queue->packet.length <
			OUT_ENOUGH))
		launch_locked(session);
	lock_drop(&session->lock);
}

static int send_some(struct sftp_session *session, size_t *sent,
		     struct store_error *error)
{
	struct sftp_transport *transport = session->transport;
	int code;

	*sent = 0;
	fill_out(session);
	if (session->out.failed)
		return buf_error(&session->out, "requests", error);
	session->full = false;
	if (session->out_sent == session->out.length)
		return STORE_OK;
	code = transport->kind->write(
		transport, session->out.data + session->out_sent,
		session->out.length - session->out_sent, sent, error);
	if (code)
		return code;
	session->out_sent += *sent;
	session->full = session->out_sent < session->out.length;
	return STORE_OK;
}

/* ---- receiving ---- */

static unsigned char *begin_filling(struct sftp_session *session)
{
	struct sftp_request *request = session->reading;
	unsigned char *into = NULL;

	lock_take(&session->lock);
	if (!request->forgotten) {
		session->filling = request;
		into = request->into + request->got;
	}
	lock_drop(&session->lock);
	return into;
}

static void end_filling(struct sftp_session *session, size_t got)
{
	struct sftp_request *request = session->reading;

	lock_take(&session->lock);
	session->filling = NULL;
	condition_broadcast(&session->filled);
	request->got += got;
	session->reading_left -= got;
	if (!session->reading_left) {
		session->reading = NULL;
		sftp_request_done_locked(session, request, STORE_OK, NULL);
	}
	lock_drop(&session->lock);
}

/* Noted before anybody is told of what came. */
static int receive(struct sftp_session *session, void *into, size_t length,
		   size_t *got, struct store_error *error)
{
	struct sftp_transport *transport = session->transport;
	int code = transport->kind->read(transport, into, length, got, error);

	if (!code && *got)
		atomic_store(&session->heard_ns, clock_monotonic_ns());
	return code;
}

/* The rest of a DATA packet, to where it belongs. */
static int receive_data(struct sftp_session *session, size_t *got,
			struct store_error *error)
{
	unsigned char *into = begin_filling(session);
	size_t length = session->reading_left;
	int code;

	if (!into) {
		into = session->in;
		if (length > SFTP_IN_ROOM)
			length = SFTP_IN_ROOM;
	}
	code = receive(session, into, length, got, error);
	end_filling(session, code ? 0 : *got);
	return code;
}

static int receive_some(struct sftp_session *session, size_t *got,
			struct store_error *error)
{
	size_t room = SFTP_IN_ROOM - session->in_length;
	int code;

	*got = 0;
	if (session->reading)
		return receive_data(session, got, error);
	if (room > SFTP_READ_CHUNK)
		room = SFTP_READ_CHUNK;
	code = receive(session, session->in + session->in_length, room, got,
		       error);
	if (code || !*got)
		return code;
	session->in_length += *got;
	return sftp_session_digest(session, error);
}

/* ---- turning ---- */

static int exchange(struct sftp_session *session, bool *more,
		    struct store_error *error)
{
	size_t got = 1, sent = 1;
	int code = STORE_OK;

	for (int i = 0; i < ROUNDS && !code && (got || sent); i++) {
		bool full = session->full;

		code = send_some(session, &sent, error);
		if (!code)
			code = receive_some(session, &got, error);
		if (!code && (got || (sent && full)))
			atomic_store(&session->moved_ns, clock_monotonic_ns());
	}
	*more = got || sent;
	return code;
}

/* A question that any server answers, for whoever watches an idle line. */
static void keep_alive(struct sftp_session *session)
{
	struct sftp_request *request = sftp_request_new(SFTP_REALPATH);

	if (!request)
		return;
	sftp_add_text(&request->packet, ".");
	lock_take(&session->lock);
	sftp_request_queue_own_locked(session, request);
	lock_drop(&session->lock);
}

/* Is there anything to wait for, and is it not too late? */
static int look(struct sftp_session *session, bool *due,
		struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&session->lock);
	*due = session->due || session->queue;
	if (session->closing)
		code = store_error_set(error, STORE_UNAVAILABLE,
				       "the connection is closed");
	lock_drop(&session->lock);
	if (*due && !session->busy)
		atomic_store(&session->moved_ns, clock_monotonic_ns());
	session->busy = *due;
	return code;
}

static int silent(const struct sftp_session *session, struct store_error *error)
{
	return store_error_set(
		error, STORE_UNAVAILABLE, "the server was silent for %lld s",
		(long long)(session->options.io_timeout / NS_PER_SEC));
}

/* How long nothing may happen, in ms; -1 for ever. */
static int patience(struct sftp_session *session, bool due)
{
	int64_t limit =
		due ? session->options.io_timeout : session->options.keepalive;
	int64_t left;

	if (!limit)
		return -1;
	left = atomic_load(&session->moved_ns) + limit - clock_monotonic_ns();
	if (left <= 0)
		return 0;
	left = left / NS_PER_MS + 1;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

static void await(struct sftp_session *session, int ms)
{
	struct sftp_transport *transport = session->transport;
	bool sending = session->out_sent < session->out.length;
	struct pollfd fds[2] = {
		{ .fd = transport->kind->descriptor(transport),
		  .events = transport->kind->events(transport, sending) },
		{ .fd = session->wake, .events = POLLIN },
	};
	uint64_t count;
	ssize_t got UNUSED;

	if (poll(fds, 2, ms) > 0 && fds[1].revents)
		got = read(session->wake, &count, sizeof(count));
}

static int turn(struct sftp_session *session, struct store_error *error)
{
	bool due, more = false;
	int code = exchange(session, &more, error);
	int ms;

	if (!code)
		code = look(session, &due, error);
	if (code)
		return code;
	ms = patience(session, due);
	if (more) {
		ms = 0;
	} else if (!ms && due) {
		return silent(session, error);
	} else if (!ms) {
		keep_alive(session);
		return STORE_OK;
	}
	await(session, ms);
	return STORE_OK;
}

/* ---- the end ---- */

static void fail_all_locked(struct sftp_session *session,
			    const struct store_error *why)
	REQUIRES(session->lock)
{
	while (session->queue)
		sftp_request_done_locked(session, session->queue, why->code,
					 why);
	if (session->hello) {
		session->hello->lost = true;
		sftp_request_done_locked(session, session->hello, why->code,
					 why);
	}
	for (size_t i = 0; i < SFTP_TABLE_SIZE; i++)
		while (session->table[i]) {
			session->table[i]->lost = true;
			sftp_request_done_locked(session, session->table[i],
						 why->code, why);
		}
}

void *sftp_session_run(void *arg)
{
	struct sftp_session *session = arg;
	struct store_error error = STORE_ERROR_INIT;

	while (!turn(session, &error))
		;
	lock_take(&session->lock);
	session->ended = true;
	session->why = error;
	fail_all_locked(session, &error);
	sftp_bell_ring(&session->room);
	lock_drop(&session->lock);
	session->transport->kind->close(session->transport);
	session->transport = NULL;
	return NULL;
}
