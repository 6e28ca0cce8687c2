// SPDX-License-Identifier: MIT
/* See mounts.h.  Called by storectl and the helper of umount(8). */
#include "config.h"

#include "src/control/mounts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/text.h"

#define MOUNT_TYPE "fuse.storefs"
#define MOUNT_CONTROL "user.storefs.control"
/* An answer is less than PIPE_BUF, so that it is written whole. */
#define MOUNT_PATH_MAX 4000

/* The next word of *at, cut off in place; NULL at the end. */
static char *mount_word(char **at)
{
	char *word = *at + strspn(*at, " \n");
	size_t length = strcspn(word, " \n");

	if (length == 0)
		return NULL;
	*at = word + length;
	if (**at)
		*(*at)++ = '\0';
	return word;
}

struct mount_words {
	const char *device, *target, *source, *options;
};

/* "rw,user_id=0,group_id=0" and so on. */
static uid_t mount_owner(const char *options)
{
	const char *found = options ? strstr(options, "user_id=") : NULL;

	return found ? (uid_t)strtoul(found + strlen("user_id="), NULL, 10) : 0;
}

static dev_t mount_device(const char *text)
{
	unsigned int upper, lower;

	return sscanf(text, "%u:%u", &upper, &lower) == 2
		       ? makedev(upper, lower)
		       : 0;
}

static int mount_list_add(struct mount_list *list,
			  const struct mount_words *words)
{
	struct mount_entry entry = { .source = strdup(words->source),
				     .target = strdup(words->target),
				     .device = mount_device(words->device),
				     .owner = mount_owner(words->options) };
	struct mount_entry *more =
		realloc(list->entries, (list->count + 1) * sizeof(*more));

	if (more)
		list->entries = more;
	if (!more || !entry.source || !entry.target) {
		free(entry.source);
		free(entry.target);
		return STORE_NO_MEMORY;
	}
	text_unescape_octal(entry.source);
	text_unescape_octal(entry.target);
	list->entries[list->count++] = entry;
	return STORE_OK;
}

/* "id parent dev root TARGET options [fields...] - TYPE SOURCE super" */
static int mount_list_line(struct mount_list *list, char *line)
{
	struct mount_words words = { .device = NULL };
	const char *word, *type;

	mount_word(&line);
	mount_word(&line);
	words.device = mount_word(&line);
	mount_word(&line);
	words.target = mount_word(&line);
	if (!words.target)
		return STORE_OK;
	do
		word = mount_word(&line);
	while (word && strcmp(word, "-"));
	type = word ? mount_word(&line) : NULL;
	words.source = type ? mount_word(&line) : NULL;
	words.options = words.source ? mount_word(&line) : NULL;
	if (!words.source || strcmp(type, MOUNT_TYPE))
		return STORE_OK;
	return mount_list_add(list, &words);
}

int mount_list_read(struct mount_list *list, struct store_error *error)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	int code = STORE_OK;

	*list = (struct mount_list){ .count = 0 };
	if (!file)
		return store_error_errno(error, errno, "/proc/self/mountinfo");
	while (!code && getline(&line, &room, file) > 0)
		code = mount_list_line(list, line);
	fclose(file);
	if (code)
		return store_error_set(error, code, "out of memory");
	return STORE_OK;
}

void mount_list_release(struct mount_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		free(list->entries[i].source);
		free(list->entries[i].target);
	}
	free(list->entries);
	*list = (struct mount_list){ .count = 0 };
}

const struct mount_entry *mount_list_find(const struct mount_list *list,
					  const char *path)
{
	const struct mount_entry *found = NULL;
	size_t longest = 0;
	size_t i;

	for (i = 0; i < list->count; i++) {
		const struct mount_entry *entry = &list->entries[i];
		size_t length = strlen(entry->target);

		if (strncmp(path, entry->target, length) ||
		    (path[length] && path[length] != '/'))
			continue;
		/* The last of equals lies on top of the others. */
		if (!found || length >= longest) {
			found = entry;
			longest = length;
		}
	}
	return found;
}

struct mount_answer {
	int errnum; /* 0: the path is there */
	char path[MOUNT_PATH_MAX];
};

/* The question a child puts; there is one thread, so it may allocate. */
typedef void mount_question_fn(const char *path, struct mount_answer *answer);

static void mount_question_control(const char *path,
				   struct mount_answer *answer)
{
	if (getxattr(path, MOUNT_CONTROL, answer->path,
		     sizeof(answer->path) - 1) < 0)
		answer->errnum = errno;
}

static void mount_question_resolve(const char *path,
				   struct mount_answer *answer)
{
	CLEANUP_FREE char *real = realpath(path, NULL);

	if (!real)
		answer->errnum = errno;
	else if (strlen(real) >= sizeof(answer->path))
		answer->errnum = ENAMETOOLONG;
	else
		memcpy(answer->path, real, strlen(real) + 1);
}

/* Wait for the whole answer until the time is up: false. */
static bool mount_hear(int in, int timeout_ms, struct mount_answer *answer)
{
	int64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;

	for (;;) {
		int64_t left = (end - clock_monotonic_ns()) / NS_PER_MS;
		struct pollfd poller = { .fd = in, .events = POLLIN };
		int ready = poll(&poller, 1, left > 0 ? (int)left : 0);

		if (ready > 0)
			return read(in, answer, sizeof(*answer)) ==
			       (ssize_t)sizeof(*answer);
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

static int mount_judge(const struct mount_answer *answer, char **socket,
		       struct store_error *error)
{
	char *path;

	switch (answer->errnum) {
	case 0:
		path = strndup(answer->path, sizeof(answer->path) - 1);
		if (!path)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
		*socket = path;
		return STORE_OK;
	case ENOTCONN:
	case ECONNABORTED:
		return store_error_set(
			error, STORE_UNAVAILABLE,
			"dead: its driver is gone; unmount it or mount it again");
	case ENODATA:
	case EOPNOTSUPP:
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "the mount has no control socket");
	default:
		return store_error_errno(error, answer->errnum,
					 "asking the mount");
	}
}

/* Ask in a child process and wait for it no longer than that. */
static int mount_ask(mount_question_fn *question, const char *path,
		     int timeout_ms, struct mount_answer *answer,
		     struct store_error *error)
{
	bool heard;
	int ends[2];
	pid_t child;

	*answer = (struct mount_answer){ .errnum = 0 };
	if (pipe(ends))
		return store_error_errno(error, errno, "pipe");
	child = fork();
	if (child == 0) {
		question(path, answer);
		_exit(write(ends[1], answer, sizeof(*answer)) < 0);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return store_error_errno(error, errno, "fork");
	}
	heard = mount_hear(ends[0], timeout_ms, answer);
	close(ends[0]);
	/*
	 * A killed child may stay in the kernel until the driver answers: it
	 * is not waited for then, init will do that.
	 */
	if (!heard)
		kill(child, SIGKILL);
	waitpid(child, NULL, heard ? 0 : WNOHANG);
	if (!heard)
		return store_error_set(error, STORE_TIMEOUT,
				       "the driver does not answer");
	return STORE_OK;
}

static int mount_control_path(const char *target, int timeout_ms, char **socket,
			      struct store_error *error)
{
	struct mount_answer answer;
	int code = mount_ask(mount_question_control, target, timeout_ms,
			     &answer, error);

	return code ? code : mount_judge(&answer, socket, error);
}

int mount_connect(const struct mount_entry *mount, int timeout_ms,
		  struct client **client, struct store_error *error)
{
	CLEANUP_FREE char *path = NULL;
	int code;

	if (mount->device &&
	    !client_open_device(mount->device, mount->owner, client, NULL))
		return STORE_OK;
	code = mount_control_path(mount->target, timeout_ms, &path, error);
	return code ? code : client_open(path, client, error);
}

int mount_resolve(const char *path, int timeout_ms, char **real,
		  struct store_error *error)
{
	struct mount_answer answer;
	char *copied;
	int code = mount_ask(mount_question_resolve, path, timeout_ms, &answer,
			     error);

	if (code)
		return code;
	if (answer.errnum)
		return store_error_errno(error, answer.errnum, "looking it up");
	copied = strdup(answer.path);
	if (!copied)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	*real = copied;
	return STORE_OK;
}

/*
 * Make a path absolute and clean by its text alone: looking it up could hang
 * on the very mount that is asked about.
 */
static int mount_absolute(const char *operand, struct buf *path,
			  struct store_error *error)
{
	struct buf whole CLEANUP_BUF = BUF_INIT(2 * PATH_MAX);
	char here[PATH_MAX];
	const char *at;

	if (operand[0] != '/') {
		if (!getcwd(here, sizeof(here)))
			return store_error_errno(error, errno, "%s", operand);
		buf_addf(&whole, "%s/", here);
	}
	buf_add_text(&whole, operand);
	for (at = buf_text(&whole); *at;) {
		size_t length = strcspn(at, "/");

		if (length == 2 && !strncmp(at, "..", 2)) {
			while (path->length > 0 &&
			       path->data[--path->length] != '/')
				;
		} else if (length > 0 && (length != 1 || *at != '.')) {
			buf_add_char(path, '/');
			buf_add(path, at, length);
		}
		at += length + (at[length] == '/');
	}
	if (path->length == 0)
		buf_add_char(path, '/');
	if (!path->failed)
		path->data[path->length] = '\0';
	return buf_error(path, "path", error);
}

static int mount_located(const struct mount_entry *mount, const char *path,
			 char **rest, struct store_error *error)
{
	const char *behind = path + strlen(mount->target);

	*rest = strdup(behind + (*behind == '/'));
	return *rest ? STORE_OK
		     : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

int mount_list_locate(const struct mount_list *list, const char *operand,
		      int timeout_ms, const struct mount_entry **mount,
		      char **rest, struct store_error *error)
{
	struct buf path CLEANUP_BUF = BUF_INIT(2 * PATH_MAX);
	struct store_error unresolved = STORE_ERROR_INIT;
	CLEANUP_FREE char *real = NULL;
	int code = mount_absolute(operand, &path, error);

	if (code)
		return code;
	*mount = mount_list_find(list, buf_text(&path));
	if (*mount)
		return mount_located(*mount, buf_text(&path), rest, error);
	/* Symlinks are followed only when the text alone does not lead there. */
	if (!mount_resolve(operand, timeout_ms, &real, &unresolved))
		*mount = mount_list_find(list, real);
	if (*mount)
		return mount_located(*mount, real, rest, error);
	if (unresolved.code == STORE_TIMEOUT)
		return store_error_set(error, STORE_TIMEOUT, "%s",
				       unresolved.message);
	return store_error_set(error, STORE_NOT_FOUND,
			       "no store is mounted there");
}
