// SPDX-License-Identifier: MIT
/*
 * The life of a session; see session.h.  Called by pool.c; starts the thread
 * of session_io.c.
 */
#include "config.h"

#include "backends/sftp/session_internal.h"

#include <string.h>
#include <sys/eventfd.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* What a server takes that does not tell its sizes: section 3 of the draft. */
enum { PLAIN_SIZE = 32 * 1024, PACKET_OVERHEAD = 1024 };

static struct {
	const char *name;
	const char *version; /* that we speak */
	enum sftp_extension extension;
} const extensions[] = {
	{ "posix-rename@openssh.com", "1", SFTP_EXT_POSIX_RENAME },
	{ "fsync@openssh.com", "1", SFTP_EXT_FSYNC },
	{ "statvfs@openssh.com", "2", SFTP_EXT_STATVFS },
	{ "hardlink@openssh.com", "1", SFTP_EXT_HARDLINK },
	{ "lsetstat@openssh.com", "1", SFTP_EXT_LSETSTAT },
	{ "limits@openssh.com", "1", SFTP_EXT_LIMITS },
	{ "copy-data", "1", SFTP_EXT_COPY_DATA },
	{ "home-directory", "1", SFTP_EXT_HOME_DIRECTORY },
	{ "expand-path@openssh.com", "1", SFTP_EXT_EXPAND_PATH },
	{ "users-groups-by-id@openssh.com", "1", SFTP_EXT_USERS_GROUPS },
};
enum { EXTENSIONS = sizeof(extensions) / sizeof(*extensions) };

const char *sftp_extension_name(enum sftp_extension extension)
{
	size_t i = 0;

	while (extensions[i].extension != extension)
		i++;
	return extensions[i].name;
}

const struct sftp_server *sftp_session_server(const struct sftp_session *s)
{
	return &s->server;
}

bool sftp_session_has(const struct sftp_session *session,
		      enum sftp_extension extension)
{
	return session->server.extensions & extension;
}

bool sftp_session_ended(struct sftp_session *session)
{
	bool ended;

	lock_take(&session->lock);
	ended = session->ended || session->closing;
	lock_drop(&session->lock);
	return ended;
}

size_t sftp_session_load(struct sftp_session *session)
{
	size_t load;

	lock_take(&session->lock);
	load = session->flight;
	lock_drop(&session->lock);
	return load;
}

void sftp_session_wake(struct sftp_session *session)
{
	static const uint64_t one = 1;
	ssize_t written;

	do
		written = write(session->wake, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

/* ---- greeting ---- */

static bool same_text(const char *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && !memcmp(text, wanted, length);
}

static void note_extension(struct sftp_session *session, const char *name,
			   size_t name_length, const char *version,
			   size_t version_length)
{
	for (size_t i = 0; i < EXTENSIONS; i++)
		if (same_text(name, name_length, extensions[i].name) &&
		    same_text(version, version_length, extensions[i].version))
			session->server.extensions |= extensions[i].extension;
}

static int take_version(struct sftp_session *session, struct sftp_body *body,
			struct store_error *error)
{
	uint32_t version = sftp_take_u32(body);

	while (!body->bad && body->left) {
		size_t name_length, value_length;
		const char *name = sftp_take_string(body, &name_length);
		const char *value = sftp_take_string(body, &value_length);

		note_extension(session, name, name_length, value, value_length);
	}
	if (!body->bad && version < 3)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "the server speaks SFTP %lu, not 3",
				       (unsigned long)version);
	return sftp_body_check(body, "VERSION", error);
}

static int hear_greeting(struct sftp_session *session,
			 struct store_context *context,
			 struct sftp_request *hello, struct store_error *error)
{
	int code = pthread_create(&session->thread, NULL, sftp_session_run,
				  session);

	if (code)
		return store_error_errno(error, code, "start a thread");
	session->started = true;
	code = sftp_session_wait(session, context, hello, error);
	if (!code)
		code = take_version(session, sftp_request_body(hello), error);
	return code;
}

/*
 * INIT has no id: its answer is known by being the first, so that it is asked
 * before anything is listened to.
 */
static int greet(struct sftp_session *session, struct store_context *context,
		 struct store_error *error)
{
	struct sftp_request *hello = sftp_request_new(SFTP_INIT);
	int code;

	if (!hello)
		return store_error_errno(error, ENOMEM, "greet the server");
	code = sftp_session_submit(session, context, hello, error);
	if (!code)
		code = hear_greeting(session, context, hello, error);
	sftp_session_forget(session, hello);
	return code;
}

/* 0 is "no limit"; what OpenSSH would refuse is no use to anybody. */
static uint32_t bounded_size(uint64_t limit)
{
	const uint32_t most = SFTP_PACKET_MAX - PACKET_OVERHEAD;

	return limit && limit < most ? (uint32_t)limit : most;
}

static void take_limits(struct sftp_session *session, struct sftp_body *body)
{
	uint64_t packet = sftp_take_u64(body);
	uint64_t reads = sftp_take_u64(body);
	uint64_t writes = sftp_take_u64(body);

	if (body->bad || (packet && packet < PLAIN_SIZE + PACKET_OVERHEAD))
		return;
	session->server.read_max = bounded_size(reads);
	session->server.write_max = bounded_size(writes);
	if (packet && session->server.write_max > packet - PACKET_OVERHEAD)
		session->server.write_max = (uint32_t)packet - PACKET_OVERHEAD;
}

/* A server that does not tell them after all has those of the draft. */
static int ask_limits(struct sftp_session *session,
		      struct store_context *context, struct store_error *error)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct sftp_request *request;
	int code;

	session->server.read_max = PLAIN_SIZE;
	session->server.write_max = PLAIN_SIZE;
	if (!sftp_session_has(session, SFTP_EXT_LIMITS))
		return STORE_OK;
	request = sftp_request_extended(SFTP_EXT_LIMITS);
	if (!request)
		return store_error_errno(error, ENOMEM, "ask for limits");
	code = sftp_session_submit(session, context, request, &ignored);
	if (!code)
		code = sftp_session_wait(session, context, request, &ignored);
	if (!code)
		take_limits(session, sftp_request_body(request));
	sftp_session_forget(session, request);
	if (!code || !sftp_session_ended(session))
		code = store_context_check(context, error);
	else
		*error = ignored;
	return code;
}

/* ---- life ---- */

static void session_free(struct sftp_session *session)
{
	if (session->transport)
		session->transport->kind->close(session->transport);
	if (session->wake >= 0)
		close(session->wake);
	buf_release(&session->out);
	free(session->in);
	condition_destroy(&session->filled);
	lock_destroy(&session->lock);
	free(session);
}

static struct sftp_session *
session_new(const struct sftp_session_options *options)
{
	struct sftp_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->options = *options;
	session->queue_end = &session->queue;
	atomic_init(&session->moved_ns, clock_monotonic_ns());
	atomic_init(&session->heard_ns, clock_monotonic_ns());
	atomic_init(&session->refs, 1);
	lock_init(&session->lock);
	condition_init(&session->filled);
	buf_init(&session->out, 2 * SFTP_PACKET_MAX);
	session->in = malloc(SFTP_IN_ROOM);
	session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!session->in || session->wake < 0) {
		session_free(session);
		return NULL;
	}
	return session;
}

int sftp_session_start(struct sftp_transport *transport,
		       const struct sftp_session_options *options,
		       struct store_context *context,
		       struct sftp_session **result, struct store_error *error)
{
	struct sftp_session *session = session_new(options);
	int code;

	if (!session) {
		transport->kind->close(transport);
		return store_error_errno(error, ENOMEM, "start a session");
	}
	session->transport = transport;
	code = greet(session, context, error);
	if (!code)
		code = ask_limits(session, context, error);
	if (code) {
		sftp_session_unref(session);
		return code;
	}
	*result = session;
	return STORE_OK;
}

struct sftp_session *sftp_session_ref(struct sftp_session *session)
{
	atomic_fetch_add(&session->refs, 1);
	return session;
}

void sftp_session_end(struct sftp_session *session)
{
	lock_take(&session->lock);
	session->closing = true;
	lock_drop(&session->lock);
	sftp_session_wake(session);
}

void sftp_session_unref(struct sftp_session *session)
{
	if (!session || atomic_fetch_sub(&session->refs, 1) != 1)
		return;
	sftp_session_end(session);
	if (session->started)
		pthread_join(session->thread, NULL);
	session_free(session);
}
