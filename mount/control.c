// SPDX-License-Identifier: MIT
/*
 * The control socket; see control.h.  Called by session.c and offline.c;
 * calls the commands (control_call.h).
 *
 * Every connection has a thread of its own, detached; the number of running
 * ones is known so that stopping can wait for them.
 */
#include "config.h"

#include "mount/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/control_call.h"
#include "mount/offline.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/control/address.h"

enum { LINE_LIMIT = 65536 };
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)
/*
 * The kernel gives a device's number away as soon as its mount has gone, and
 * the driver that had it is told at the same moment: it lets go of the socket
 * then.  A new mount is told to be there only after having waited so long.
 */
#define DEVICE_WAIT_NS NS_PER_SEC
#define DEVICE_PAUSE_NS (5 * NS_PER_MS)
enum { DEVICE_RETRY_MS = 200 };
/* Between commands, and for a line to go out. */
#define LINE_WAIT_NS (10 * NS_PER_SEC)

struct control {
	struct fs *fs;
	char *path; /* owned */
	int fd;
	/* Of the thread: */
	int device_fd;	   /* listens under the mount's device, -1: not */
	bool wants_device; /* somebody else still has its name */
	struct store_cancel *cancel;
	pthread_t thread;
	struct lock lock;
	struct condition idle;
	unsigned int busy; /* protected by `lock` */
};

struct session {
	struct control *control;
	int fd;
};

/* ---- commands ---- */

static const struct control_command commands[] = {
	{ "status", CONTROL_LOOKS, control_status },
	{ "pending", CONTROL_LOOKS, control_pending },
	{ "export", CONTROL_LOOKS, control_export },
	{ "discard", CONTROL_SETTLES, control_discard },
	{ "retry", CONTROL_STORES, control_retry },
	{ "drain", CONTROL_STORES, control_drain },
	{ "pause", CONTROL_MOUNT, control_pause },
	{ "resume", CONTROL_MOUNT, control_resume },
	{ "events", CONTROL_MOUNT, control_events },
	{ "refresh", CONTROL_MOUNT, control_refresh },
	{ .name = NULL },
};

const struct control_command *control_find(const char *name)
{
	const struct control_command *each = commands;

	while (each->name && (!name || strcmp(each->name, name)))
		each++;
	return each->name ? each : NULL;
}

int control_send_bytes(struct control_call *call, const void *data,
		       size_t length, struct store_error *error)
{
	int code = wire_send(&call->wire, data, length,
			     clock_monotonic_ns() + LINE_WAIT_NS, error);

	call->gone |= code;
	return code;
}

int control_send(struct control_call *call, struct line *line,
		 struct store_error *error)
{
	CLEANUP_FREE char *text = line_print(line);
	size_t length = text ? strlen(text) : 0;

	if (!text)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for an answer");
	text[length] = '\n';
	return control_send_bytes(call, text, length + 1, error);
}

static int run_command(struct control_call *call, struct offline *offline,
		       struct store_error *error)
{
	const struct control_command *command =
		control_find(json_get_text(call->command, "command"));
	int code = STORE_OK;

	if (!command)
		return store_error_set(error, STORE_INVALID, "unknown command");
	if (offline) {
		code = offline_prepare(offline, command->need, error);
		call->fs = offline_fs(offline);
	}
	return code ? code : command->run(call, error);
}

/* False: this was the last one. */
static bool answer(struct control_call *call, struct offline *offline,
		   const struct buf *text)
{
	struct store_error error = STORE_ERROR_INIT;
	struct json *command = NULL;
	struct line line;
	int code = json_parse(buf_text(text), text->length, &command, &error);

	call->command = command;
	if (!code)
		code = run_command(call, offline, &error);
	json_free(command);
	if (!code || call->gone)
		return !call->gone;
	line_init(&line);
	line_text(&line, "error", error.message);
	line_text(&line, "code", store_code_name(code));
	return !control_send(call, &line, &error);
}

static void serve(struct control_call *call, struct offline *offline, int fd)
{
	bool more = true;

	wire_init(&call->wire, fd, store_cancel_fd(call->cancel));
	while (more) {
		CLEANUP_BUF struct buf text = BUF_INIT(LINE_LIMIT);

		more = !wire_line(&call->wire, &text,
				  clock_monotonic_ns() + LINE_WAIT_NS, NULL) &&
		       answer(call, offline, &text);
	}
}

void control_serve_offline(struct offline *offline, int fd)
{
	struct control_call call = { .offline = true,
				     .cancel = store_cancel_new() };

	if (call.cancel)
		serve(&call, offline, fd);
	store_cancel_free(call.cancel);
}

/* ---- connections ---- */

static void *session_thread(void *arg)
{
	struct session *session = arg;
	struct control *control = session->control;
	struct control_call call = { .fs = control->fs,
				     .cancel = control->cancel };

	serve(&call, NULL, session->fd);
	close(session->fd);
	free(session);
	lock_take(&control->lock);
	control->busy--;
	condition_broadcast(&control->idle);
	lock_drop(&control->lock);
	return NULL;
}

static void start_session(struct control *control, int fd)
{
	struct session *session = calloc(1, sizeof(*session));
	pthread_t thread;

	if (!session) {
		close(fd);
		return;
	}
	*session = (struct session){ control, fd };
	lock_take(&control->lock);
	control->busy++;
	lock_drop(&control->lock);
	if (!pthread_create(&thread, NULL, session_thread, session)) {
		pthread_detach(thread);
		return;
	}
	close(fd);
	free(session);
	lock_take(&control->lock);
	control->busy--;
	lock_drop(&control->lock);
}

/* ---- listening ---- */

/* Out of descriptors, perhaps: not at once again.  False: stopping. */
static bool pause_accept(struct control *control)
{
	struct store_context context;

	store_context_init(&context, 0, control->cancel);
	return !store_context_sleep(&context, ACCEPT_PAUSE_NS, NULL);
}

/* For who must not touch a mount whose store may not answer. */
static int listen_by_device(struct control *control, struct store_error *error)
{
	struct sockaddr_un address;
	socklen_t length = address_of_device(control->fs->device, &address);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	control->wants_device = false;
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&address, length) &&
	    !listen(fd, 16)) {
		control->device_fd = steal_fd(&fd);
		return STORE_OK;
	}
	control->wants_device = fd >= 0 && errno == EADDRINUSE;
	return store_error_errno(error, errno, "no control socket by device");
}

/* The number of the device may be another mount's from now on. */
static void leave_device(struct control *control)
{
	if (control->device_fd >= 0)
		close(control->device_fd);
	control->device_fd = -1;
	control->wants_device = false;
}

/* Which socket somebody knocks at, -1: stopping. */
static int wait_client(struct control *control)
{
	for (;;) {
		bool retries = control->wants_device;
		struct pollfd fds[] = {
			{ store_cancel_fd(control->cancel), POLLIN, 0 },
			{ control->fd, POLLIN, 0 },
			{ control->device_fd, POLLIN, 0 },
			{ retries || control->device_fd >= 0
				  ? store_cancel_fd(control->fs->unmounted)
				  : -1,
			  POLLIN, 0 },
		};
		int ready = poll(fds, 4, retries ? DEVICE_RETRY_MS : -1);

		if ((ready < 0 && errno != EINTR) ||
		    (ready > 0 && fds[0].revents))
			return -1;
		if (ready > 0 && fds[3].revents)
			leave_device(control);
		else if (ready > 0)
			return fds[1].revents ? control->fd
					      : control->device_fd;
		else if (!ready && listen_by_device(control, NULL))
			log_debug("the control socket by device is taken");
	}
}

/* No folder keeps others out: who may enter ours may connect here. */
static bool may_connect(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void *listen_thread(void *arg)
{
	struct control *control = arg;
	int from, fd;

	while ((from = wait_client(control)) >= 0) {
		fd = accept4(from, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && may_connect(fd))
			start_session(control, fd);
		else if (fd >= 0)
			close(fd);
		else if (!pause_accept(control))
			break;
	}
	return NULL;
}

/* Whoever is told that the mount is there finds its driver. */
static void begin_by_device(struct control *control)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;

	if (!control->fs->device)
		return;
	store_context_init(&context, DEVICE_WAIT_NS, NULL);
	while (listen_by_device(control, &error))
		if (!control->wants_device ||
		    store_context_sleep(&context, DEVICE_PAUSE_NS, NULL)) {
			log_debug("%s", error.message);
			return;
		}
}

static int listen_on(struct control *control, struct store_error *error)
{
	const char *path = control->path;
	CLEANUP_FD int folder = -1;
	struct sockaddr_un address;
	int code = address_make(path, &address, &folder, error);

	if (code)
		return code;
	/* The lock of the staging directory is ours: nobody listens here. */
	unlink(path);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->fd < 0 ||
	    bind(control->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(control->fd, 16))
		return store_error_errno(error, errno, "%s", path);
	begin_by_device(control);
	return STORE_OK;
}

/* ---- life ---- */

static void control_free(struct control *control)
{
	if (control->device_fd >= 0)
		close(control->device_fd);
	if (control->fd >= 0) {
		close(control->fd);
		unlink(control->path);
	}
	store_cancel_free(control->cancel);
	condition_destroy(&control->idle);
	lock_destroy(&control->lock);
	free(control->path);
	free(control);
}

int control_start(struct fs *fs, const char *path, struct control **out,
		  struct store_error *error)
{
	struct control *control = calloc(1, sizeof(*control));
	int code;

	if (!control)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the control socket");
	lock_init(&control->lock);
	condition_init(&control->idle);
	control->fs = fs;
	control->fd = -1;
	control->device_fd = -1;
	control->path = strdup(path);
	control->cancel = store_cancel_new();
	code = !control->path || !control->cancel ||
			       store_cancel_fd(control->cancel) < 0
		       ? store_error_set(error, STORE_NO_MEMORY,
					 "no memory for the control socket")
		       : listen_on(control, error);
	if (!code &&
	    pthread_create(&control->thread, NULL, listen_thread, control))
		code = store_error_errno(error, errno, "control thread");
	if (code) {
		control_free(control);
		return code;
	}
	fs->control_path = control->path;
	*out = control;
	return STORE_OK;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	store_cancel_trigger(control->cancel);
	pthread_join(control->thread, NULL);
	lock_take(&control->lock);
	while (control->busy)
		condition_wait(&control->idle, &control->lock);
	lock_drop(&control->lock);
	control->fs->control_path = NULL;
	control_free(control);
}
