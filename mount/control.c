// SPDX-License-Identifier: MIT
/*
 * The control socket; see control.h.  Called by session.c (server) and
 * umount.c (client); calls publish.c and reads counters.
 *
 * One connection at a time has a thread of its own, detached; the number of
 * running ones is known so that stopping can wait for them.
 */
#include "config.h"

#include "mount/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mount/publish.h"
#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/json.h"
#include "src/base/log.h"

enum { LINE_LIMIT = 65536, ANSWER_LIMIT = 16 << 20 };
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

struct control {
	struct fs *fs;
	char *path; /* owned */
	int fd;
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

/* ---- answers ---- */

static void add_error(void *arg, struct file *file)
{
	struct json *errors = arg, *one = json_object();
	struct tree *tree = &file->fs->tree;
	char key[STORE_KEY_MAX + 1];
	struct store_error failed;
	bool named;

	lock_take(&file->lock);
	failed = file->last_error;
	failed.code = file->last_code;
	lock_drop(&file->lock);
	lock_take(&tree->lock);
	named = !node_key(tree, file->node, NULL, key, NULL);
	lock_drop(&tree->lock);
	if (!failed.code || !named || !one ||
	    json_set(one, "key", json_text(key)) ||
	    json_set(one, "code", json_text(store_code_name(failed.code))) ||
	    json_set(one, "error", json_text(failed.message))) {
		json_free(one);
		return;
	}
	if (json_append(errors, one))
		log_warn("status: no memory for an error");
}

static struct json *tell_counters(const struct fs *fs)
{
	uint64_t values[STORE_COUNTERS];
	struct json *counters = json_object();
	int failed = 0;

	store_counters(fs->store, values);
	for (int i = 0; counters && i < STORE_COUNTERS; i++)
		failed |= json_set(counters,
				   store_counter_name((enum store_counter)i),
				   json_number((int64_t)values[i]));
	if (!failed)
		return counters;
	json_free(counters);
	return NULL;
}

static size_t count_nodes(struct fs *fs)
{
	size_t count;

	lock_take(&fs->tree.lock);
	count = fs->tree.node_count;
	lock_drop(&fs->tree.lock);
	return count;
}

static int set_number(struct json *object, const char *name, uint64_t value)
{
	return json_set(object, name, json_number((int64_t)value));
}

static struct json *tell_status(struct fs *fs)
{
	const struct fs_counters *counters = &fs->counters;
	struct json *status = json_object(), *errors = json_array();
	int64_t up = clock_monotonic_ns() - fs->started_ns;
	size_t error_count;
	int failed = 0;

	publish_each(fs, add_error, errors);
	error_count = json_count(errors);
	failed |= set_number(status, "version", 1);
	failed |= json_set(status, "source", json_text(fs->source));
	failed |= json_set(status, "mountpoint", json_text(fs->mountpoint));
	failed |= json_set(status, "commit",
			   json_text(fs->options->commit == COMMIT_CLOSE
					     ? "close"
					     : "background"));
	failed |= set_number(status, "pid", (uint64_t)getpid());
	failed |= set_number(status, "uptime", (uint64_t)(up / NS_PER_SEC));
	failed |= set_number(status, "open_files", counters->open_files);
	failed |= set_number(status, "dirty_files", counters->dirty_files);
	failed |= set_number(status, "failed_files", error_count);
	failed |= set_number(status, "unfinished_files", counters->unfinished);
	failed |= set_number(status, "staged_bytes",
			     staging_area_bytes(fs->area));
	failed |= set_number(status, "nodes", count_nodes(fs));
	failed |= json_set(status, "counters", tell_counters(fs));
	failed |= json_set(status, "errors", errors);
	if (!failed)
		return status;
	json_free(status);
	return NULL;
}

static struct json *tell_drain(struct control *control,
			       const struct json *command)
{
	struct fs *fs = control->fs;
	int64_t seconds = json_get_number(command, "timeout", -1);
	int64_t timeout_ns = seconds >= 0 && seconds < INT32_MAX
				     ? seconds * NS_PER_SEC
				     : fs->options->drain_timeout_ns;
	struct json *answer = json_object();
	struct store_context context;

	store_context_init(&context, 0, control->cancel);
	context.deadline_ns = clock_monotonic_ns() + timeout_ns;
	if (!answer ||
	    set_number(answer, "undone", publish_drain(fs, &context)) ||
	    set_number(answer, "unfinished", fs->counters.unfinished)) {
		json_free(answer);
		return NULL;
	}
	return answer;
}

static struct json *tell_refusal(const char *text)
{
	struct json *answer = json_object();

	if (answer && !json_set(answer, "error", json_text(text)))
		return answer;
	json_free(answer);
	return NULL;
}

static struct json *tell(struct control *control, const char *line,
			 size_t length)
{
	struct store_error error = STORE_ERROR_INIT;
	struct json *command = NULL, *answer;
	const char *name;

	if (json_parse(line, length, &command, &error))
		return tell_refusal(error.message);
	name = json_get_text(command, "command");
	if (name && !strcmp(name, "status"))
		answer = tell_status(control->fs);
	else if (name && !strcmp(name, "drain"))
		answer = tell_drain(control, command);
	else
		answer = tell_refusal("unknown command");
	json_free(command);
	return answer;
}

/* ---- lines ---- */

static bool wait_for(int fd, short events, int64_t until_ns, int wake_fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = wake_fd, .events = POLLIN } };
	int ready;

	do {
		int64_t left = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
		int wait = left < 0 ? 0 : left > INT32_MAX ? -1 : (int)left;

		ready = poll(fds, 2, wait);
	} while (ready < 0 && errno == EINTR);
	return ready > 0 && !fds[1].revents;
}

/* One line without its end; false at the end or past the limits. */
static bool read_line(int fd, struct buf *line, int64_t until_ns, int wake_fd)
{
	char chunk[4096];

	for (;;) {
		const char *end;
		ssize_t got;

		if (!wait_for(fd, POLLIN, until_ns, wake_fd))
			return false;
		got = recv(fd, chunk, sizeof(chunk), 0);
		if (got <= 0)
			return false;
		end = memchr(chunk, '\n', (size_t)got);
		buf_add(line, chunk, end ? (size_t)(end - chunk) : (size_t)got);
		if (end || line->failed)
			return !line->failed;
	}
}

static bool write_line(int fd, const char *text, int64_t until_ns, int wake_fd)
{
	CLEANUP_BUF struct buf line = BUF_INIT(ANSWER_LIMIT);
	size_t done = 0;

	buf_addf(&line, "%s\n", text);
	while (!line.failed && done < line.length) {
		ssize_t sent;

		if (!wait_for(fd, POLLOUT, until_ns, wake_fd))
			return false;
		sent = send(fd, line.data + done, line.length - done,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (sent > 0)
			done += (size_t)sent;
	}
	return !line.failed;
}

/* ---- server ---- */

#define LINE_WAIT_NS (10 * NS_PER_SEC)

static void serve(struct session *session)
{
	struct control *control = session->control;
	int wake_fd = store_cancel_fd(control->cancel);

	for (;;) {
		CLEANUP_BUF struct buf line = BUF_INIT(LINE_LIMIT);
		CLEANUP_FREE char *text = NULL;
		struct json *answer;

		if (!read_line(session->fd, &line,
			       clock_monotonic_ns() + LINE_WAIT_NS, wake_fd))
			return;
		answer = tell(control, buf_text(&line), line.length);
		text = answer ? json_print(answer, false) : NULL;
		json_free(answer);
		if (!write_line(session->fd,
				text ? text : "{\"error\":\"no memory\"}",
				clock_monotonic_ns() + LINE_WAIT_NS, wake_fd))
			return;
	}
}

static void *session_thread(void *arg)
{
	struct session *session = arg;
	struct control *control = session->control;

	serve(session);
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

/* Out of descriptors, perhaps: not at once again.  False: stopping. */
static bool pause_accept(struct control *control)
{
	struct store_context context;

	store_context_init(&context, 0, control->cancel);
	return !store_context_sleep(&context, ACCEPT_PAUSE_NS, NULL);
}

static void *listen_thread(void *arg)
{
	struct control *control = arg;
	int wake_fd = store_cancel_fd(control->cancel);

	while (wait_for(control->fd, POLLIN, INT64_MAX, wake_fd)) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			start_session(control, fd);
		else if (!pause_accept(control))
			break;
	}
	return NULL;
}

static int socket_address(const char *path, struct sockaddr_un *address,
			  struct store_error *error)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return store_error_set(error, STORE_INVALID,
				       "%s: too long for a socket", path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return STORE_OK;
}

static int listen_on(struct control *control, struct store_error *error)
{
	struct sockaddr_un address;
	int code = socket_address(control->path, &address, error);

	if (code)
		return code;
	/* The lock of the staging directory is ours: nobody listens here. */
	unlink(control->path);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->fd < 0 ||
	    bind(control->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(control->fd, 16))
		return store_error_errno(error, errno, "%s", control->path);
	return STORE_OK;
}

static void control_free(struct control *control)
{
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

/* ---- client ---- */

int control_ask(const char *path, const char *command, int64_t timeout_ns,
		char **answer, struct store_error *error)
{
	int64_t until = clock_monotonic_ns() + timeout_ns;
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_BUF struct buf line = BUF_INIT(ANSWER_LIMIT);
	struct sockaddr_un address;
	int code = socket_address(path, &address, error);

	if (code)
		return code;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return store_error_errno(error, errno, "%s", path);
	if (!write_line(fd, command, until, -1) ||
	    !read_line(fd, &line, until, -1))
		return store_error_set(error, STORE_TIMEOUT, "%s: no answer",
				       path);
	*answer = buf_steal(&line);
	return *answer ? STORE_OK
		       : store_error_set(error, STORE_NO_MEMORY,
					 "no memory for an answer");
}
