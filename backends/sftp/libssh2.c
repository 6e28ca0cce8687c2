// SPDX-License-Identifier: MIT
/*
 * libssh2 as a transport: see libssh2.h.  Called by connect.c.
 *
 * libssh2 cannot read while one of its packets is half sent, and a server
 * that waits for us to read need not take the other half.  So libssh2 never
 * sees the socket: what it sends goes to a buffer that takes all of it, and
 * is sent on from there; nothing is half sent for it.  What it may write is
 * bounded by that buffer instead.
 *
 * A write receives nothing: what comes in meanwhile would be taken from the
 * socket and stand where nobody polls for it.
 */
#include "config.h"

#include "backends/sftp/libssh2.h"

#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "backends/sftp/dial.h"
#include "backends/sftp/known_hosts.h"
#include "backends/sftp/libssh2_internal.h"
#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/text.h"
#include "src/config/environment.h"

enum {
	OUT_ENOUGH = 256 * 1024, /* bytes that wait for the socket */
	OUT_MAX = 4 * 1024 * 1024,
	WRITE_MAX = 32 * 1024, /* a packet of the channel */
	WINDOW = 8 * 1024 * 1024,
};

static struct link *link_of(struct sftp_transport *transport)
{
	return (struct link *)transport;
}

/* ---- the socket ---- */

/*
 * The socket of the agent comes this way, too, and blocks: an agent that says
 * nothing has as much time as the connection.
 */
static void limit_agent(struct link *link, int fd)
{
	int64_t left = link->context ? store_context_remaining(link->context)
				     : NS_PER_SEC;
	struct timeval limit = { .tv_usec = 1000 };

	if (left < INT64_MAX && left > NS_PER_MS)
		limit = (struct timeval){ .tv_sec = left / NS_PER_SEC,
					  .tv_usec = left % NS_PER_SEC / 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static ssize_t on_send(libssh2_socket_t fd, const void *data, size_t length,
		       int flags UNUSED, void **abstract)
{
	struct link *link = *abstract;

	if (fd != link->fd) {
		ssize_t sent;

		limit_agent(link, fd);
		sent = send(fd, data, length, MSG_NOSIGNAL);
		return sent < 0 ? -errno : sent;
	}
	if (link->errnum)
		return -link->errnum;
	buf_add(&link->out, data, length);
	return link->out.failed ? -ENOMEM : (ssize_t)length;
}

static ssize_t on_receive(libssh2_socket_t fd, void *data, size_t length,
			  int flags UNUSED, void **abstract)
{
	struct link *link = *abstract;
	ssize_t got;

	if (fd != link->fd) {
		limit_agent(link, fd);
		got = recv(fd, data, length, 0);
		/* Nobody tries again what has run out of time. */
		if (got < 0 && errno == EAGAIN)
			return -ETIMEDOUT;
		return got < 0 ? -errno : got;
	}
	if (link->closing)
		return -ECONNRESET;
	if (link->deaf)
		return -EAGAIN;
	do
		got = recv(link->fd, data, length, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	link->errnum = got < 0 ? errno : ECONNRESET;
	return -link->errnum;
}

/* What has been sent makes room, before it is more than what waits. */
static void drop_sent(struct link *link)
{
	if (link->out_sent <= link->out.length - link->out_sent)
		return;
	buf_drop(&link->out, link->out_sent);
	link->out_sent = 0;
}

/* As much as the socket takes. */
static void flush(struct link *link)
{
	while (link->out_sent < link->out.length && !link->errnum) {
		ssize_t n =
			send(link->fd, link->out.data + link->out_sent,
			     link->out.length - link->out_sent, MSG_NOSIGNAL);

		if (n >= 0)
			link->out_sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			link->errnum = errno;
	}
	drop_sent(link);
}

static size_t waiting(const struct link *link)
{
	return link->out.length - link->out_sent;
}

/* ---- errors ---- */

int link_error(struct link *link, int code, struct store_error *error)
{
	struct text_shown shown;
	char *said = NULL;

	if (link->errnum) {
		store_error_errno(error, link->errnum, "the connection ended");
		error->code = STORE_UNAVAILABLE;
		return STORE_UNAVAILABLE;
	}
	libssh2_session_last_error(link->session, &said, NULL, 0);
	return store_error_set(error, code, "ssh: %s",
			       text_show(&shown, said ? said : "failed"));
}

/* ---- the stream ---- */

static int link_read(struct sftp_transport *transport, void *data,
		     size_t length, size_t *got, struct store_error *error)
{
	struct link *link = link_of(transport);
	ssize_t n = libssh2_channel_read(link->channel, data, length);

	flush(link);
	if (n == LIBSSH2_ERROR_EAGAIN)
		n = 0;
	else if (n < 0)
		return link_error(link, STORE_UNAVAILABLE, error);
	else if (n == 0 && libssh2_channel_eof(link->channel))
		return store_error_set(error, STORE_UNAVAILABLE,
				       "the server ended the connection");
	*got = (size_t)n;
	return STORE_OK;
}

static int link_write(struct sftp_transport *transport, const void *data,
		      size_t length, size_t *sent, struct store_error *error)
{
	struct link *link = link_of(transport);
	ssize_t n = 0;

	flush(link);
	if (waiting(link) < OUT_ENOUGH) {
		link->deaf = true;
		n = libssh2_channel_write(link->channel, data,
					  length < WRITE_MAX ? length
							     : WRITE_MAX);
		link->deaf = false;
		flush(link);
	}
	if (n == LIBSSH2_ERROR_EAGAIN)
		n = 0;
	if (n < 0 || link->errnum)
		return link_error(link, STORE_UNAVAILABLE, error);
	*sent = (size_t)n;
	return STORE_OK;
}

static int link_descriptor(struct sftp_transport *transport)
{
	return link_of(transport)->fd;
}

/* Who may not write for want of a window waits for the server's word. */
static short link_events(struct sftp_transport *transport, bool sending)
{
	struct link *link = link_of(transport);
	bool open = libssh2_channel_window_write(link->channel) > 0;

	return waiting(link) || (sending && open) ? POLLIN | POLLOUT : POLLIN;
}

/* Nothing is waited for: what does not leave at once does not leave. */
static void link_free(struct link *link)
{
	if (link->session) {
		link->closing = true;
		libssh2_session_disconnect(link->session, "done");
		flush(link);
	}
	if (link->agent)
		libssh2_agent_free(link->agent);
	if (link->channel)
		libssh2_channel_free(link->channel);
	if (link->session)
		libssh2_session_free(link->session);
	if (link->fd >= 0)
		close(link->fd);
	buf_release(&link->out);
	known_hosts_free(link->known);
	free(link);
}

static void link_close(struct sftp_transport *transport)
{
	link_free(link_of(transport));
}

static const struct sftp_transport_kind link_kind = {
	.name = "libssh2",
	.read = link_read,
	.write = link_write,
	.descriptor = link_descriptor,
	.events = link_events,
	.close = link_close,
};

/* ---- steps that wait ---- */

int link_take_step(struct link *link, link_step_fn *step, const void *arg,
		   int *result, struct store_error *error)
{
	int code = STORE_OK;

	while (!code) {
		*result = step(link, arg);
		flush(link);
		if (link->errnum)
			return link_error(link, STORE_UNAVAILABLE, error);
		if (*result != LIBSSH2_ERROR_EAGAIN)
			return STORE_OK;
		code = sftp_wait(link->fd,
				 waiting(link) ? POLLIN | POLLOUT : POLLIN,
				 link->context, error);
	}
	return code;
}

/* ---- host keys ---- */

static const struct {
	int type; /* libssh2_session_hostkey() */
	const char *name;
} key_types[] = {
	{ LIBSSH2_HOSTKEY_TYPE_ED25519, "ssh-ed25519" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_256, "ecdsa-sha2-nistp256" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_384, "ecdsa-sha2-nistp384" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_521, "ecdsa-sha2-nistp521" },
	{ LIBSSH2_HOSTKEY_TYPE_RSA, "ssh-rsa" },
};
enum { KEY_TYPES = sizeof(key_types) / sizeof(key_types[0]) };

bool link_home_path(const char *below, char path[LINK_PATH_ROOM])
{
	const char *home = environment_get("HOME");

	return home && snprintf(path, LINK_PATH_ROOM, "%s/%s", home, below) <
			       LINK_PATH_ROOM;
}

/* Where keys of hosts are that the user has come to know; false: nowhere. */
static bool users_hosts(const struct link *link, char path[LINK_PATH_ROOM])
{
	const char *file = link->settings->user_hosts;

	if (!file)
		return link_home_path(".ssh/known_hosts", path);
	return strcmp(file, "none") != 0 &&
	       snprintf(path, LINK_PATH_ROOM, "%s", file) < LINK_PATH_ROOM;
}

static int read_known(struct link *link, struct store_error *error)
{
	const struct sftp_settings *settings = link->settings;
	const char *machine = settings->global_hosts
				      ? settings->global_hosts
				      : "/etc/ssh/ssh_known_hosts";
	char path[LINK_PATH_ROOM];
	int code;

	if (settings->host_keys)
		return known_hosts_add_text(link->known, settings->host_keys,
					    error);
	if (settings->known_hosts)
		return known_hosts_add_file(link->known, settings->known_hosts,
					    error);
	code = users_hosts(link, path)
		       ? known_hosts_add_file(link->known, path, error)
		       : STORE_OK;
	if (!code && strcmp(machine, "none") != 0)
		code = known_hosts_add_file(link->known, machine, error);
	return code;
}

/*
 * A key of RSA is proven with SHA-1 here, which no server does today: it shows
 * one of another type then, which nobody knows.
 */
static bool is_known_by_rsa_alone(const struct link *link)
{
	bool others = false;

	for (int i = 0; i < KEY_TYPES; i++)
		if (key_types[i].type != LIBSSH2_HOSTKEY_TYPE_RSA)
			others |= known_hosts_has_type(link->known,
						       key_types[i].name);
	return !others && known_hosts_has_type(link->known, "ssh-rsa");
}

/* Keys that are known come first, so that they are the ones to be shown. */
static int prefer_known(struct link *link, struct store_error *error)
{
	CLEANUP_BUF struct buf list = BUF_INIT(1024);

	for (int known = 1; known >= 0; known--)
		for (int i = 0; i < KEY_TYPES; i++)
			if (known_hosts_has_type(link->known,
						 key_types[i].name) == known)
				buf_addf(&list, "%s%s", list.length ? "," : "",
					 key_types[i].name);
	if (libssh2_session_method_pref(link->session, LIBSSH2_METHOD_HOSTKEY,
					buf_text(&list)))
		return link_error(link, STORE_INTERNAL, error);
	return STORE_OK;
}

/* Keep a key that nobody knew. */
static int remember(struct link *link, const char *key, size_t length,
		    struct store_error *error)
{
	const struct sftp_settings *settings = link->settings;
	const char *file = settings->known_hosts;
	char path[LINK_PATH_ROOM];

	if (settings->host_key_policy != SFTP_HOST_KEY_TOFU)
		return STORE_OK;
	if (!file && users_hosts(link, path))
		file = path;
	/* Lines given are all that is read: what a file keeps binds nobody. */
	if (settings->host_keys || !file)
		return store_error_set(error, STORE_DENIED,
				       "host_key_policy=tofu: no file of known "
				       "hosts to keep a new key in");
	return known_hosts_remember(link->known, file, key, length, error);
}

static int check_host_key(struct link *link, struct store_error *error)
{
	size_t length = 0;
	int type;
	const char *key =
		libssh2_session_hostkey(link->session, &length, &type);

	if (!key)
		return link_error(link, STORE_CORRUPT, error);
	switch (known_hosts_judge(link->known, key, length)) {
	case KNOWN_HOSTS_MATCH:
		return STORE_OK;
	case KNOWN_HOSTS_REVOKED:
		return store_error_set(error, STORE_DENIED,
				       "the host key is revoked");
	case KNOWN_HOSTS_MISMATCH:
		return store_error_set(error, STORE_DENIED,
				       "the host key is not the one that is "
				       "known: another server, or somebody in "
				       "between");
	case KNOWN_HOSTS_UNKNOWN:
	default:
		break;
	}
	if (link->settings->host_key_policy == SFTP_HOST_KEY_STRICT)
		return store_error_set(error, STORE_DENIED,
				       "the host key is not known");
	return remember(link, key, length, error);
}

/* ---- the channel ---- */

static int step_channel(struct link *link, const void *arg UNUSED)
{
	link->channel = libssh2_channel_open_ex(
		link->session, "session", sizeof("session") - 1, WINDOW,
		LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);
	return link->channel ? 0 : libssh2_session_last_errno(link->session);
}

static int step_subsystem(struct link *link, const void *arg UNUSED)
{
	return libssh2_channel_process_startup(link->channel, "subsystem",
					       sizeof("subsystem") - 1, "sftp",
					       sizeof("sftp") - 1);
}

static int open_channel(struct link *link, struct store_error *error)
{
	int result = -1;
	int code = link_take_step(link, step_channel, NULL, &result, error);

	if (!code && !result)
		code = link_take_step(link, step_subsystem, NULL, &result,
				      error);
	if (code)
		return code;
	if (result)
		return link_error(link, STORE_UNAVAILABLE, error);
	libssh2_channel_handle_extended_data2(
		link->channel, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
	return STORE_OK;
}

/* ---- connecting ---- */

static int begin_result;

static void begin_once(void)
{
	begin_result = libssh2_init(0);
}

/* What the ssh program knows, and libssh2 does not, is for that. */
static bool is_beyond(int result)
{
	return result == LIBSSH2_ERROR_KEX_FAILURE ||
	       result == LIBSSH2_ERROR_METHOD_NONE ||
	       result == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
}

static int step_handshake(struct link *link, const void *arg UNUSED)
{
	return libssh2_session_handshake(link->session, link->fd);
}

static int shake_hands(struct link *link, struct store_error *error)
{
	int result = -1;
	int code = read_known(link, error);

	if (!code && known_hosts_has_authority(link->known))
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "the host is known by a certificate "
				       "authority, which libssh2 cannot ask");
	if (!code && link->settings->transport == SFTP_BY_AUTO &&
	    is_known_by_rsa_alone(link))
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "the host is known by an RSA key alone, "
				       "which libssh2 checks with SHA-1");
	if (!code)
		code = prefer_known(link, error);
	if (!code)
		code = link_take_step(link, step_handshake, NULL, &result,
				      error);
	if (code)
		return code;
	if (is_beyond(result))
		return link_error(link, STORE_NOT_SUPPORTED, error);
	return result ? link_error(link, STORE_UNAVAILABLE, error)
		      : check_host_key(link, error);
}

static int link_connect(struct link *link, struct store_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct sftp_settings *settings = link->settings;
	const char *host =
		settings->host_name ? settings->host_name : settings->host;
	uint16_t port = settings->port ? settings->port : 22;
	int code;

	pthread_once(&once, begin_once);
	if (begin_result)
		return store_error_set(error, STORE_INTERNAL,
				       "libssh2 does not start");
	code = known_hosts_new(host, port, &link->known, error);
	if (!code)
		code = sftp_dial(host, port, link->context, &link->fd, error);
	if (code)
		return code;
	link->session = libssh2_session_init_ex(NULL, NULL, NULL, link);
	if (!link->session)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	libssh2_session_set_blocking(link->session, 0);
	libssh2_session_callback_set(link->session, LIBSSH2_CALLBACK_SEND,
				     (void *)on_send);
	libssh2_session_callback_set(link->session, LIBSSH2_CALLBACK_RECV,
				     (void *)on_receive);
	code = shake_hands(link, error);
	if (!code)
		code = link_authenticate(link, error);
	if (!code)
		code = open_channel(link, error);
	return code ? store_error_prefix(error, "%s port %u", host,
					 (unsigned int)port)
		    : STORE_OK;
}

/* Who starts the program here is who is meant. */
static char *own_name(void)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) || !found)
		return NULL;
	return strdup(entry.pw_name);
}

int sftp_libssh2_connect(const struct sftp_settings *settings,
			 struct store_context *context,
			 struct sftp_transport **transport,
			 struct store_error *error)
{
	CLEANUP_FREE char *own = settings->username ? NULL : own_name();
	struct store_context limited = *context;
	int64_t end = clock_monotonic_ns() + settings->connect_timeout;
	struct link *link = calloc(1, sizeof(*link));
	int code;

	if (!link)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	link->transport.kind = &link_kind;
	link->fd = -1;
	buf_init(&link->out, OUT_MAX);
	link->settings = settings;
	if (!limited.deadline_ns || limited.deadline_ns > end)
		limited.deadline_ns = end;
	link->context = &limited;
	link->user = settings->username ? settings->username : own;
	code = link->user ? link_connect(link, error)
			  : store_error_set(error, STORE_INVALID,
					    "username: which one?");
	link->settings = NULL;
	link->context = NULL;
	link->user = NULL;
	if (code)
		link_free(link);
	else
		*transport = &link->transport;
	return code;
}
