// SPDX-License-Identifier: MIT
/*
 * See notify.h.  Called by session.c and ending.c.  Failures are nobody's
 * business: the service manager finds out by itself.
 */
#include "config.h"

#include "mount/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"

enum { MESSAGE_MAX = 256 };
#define LOOK_NS NS_PER_SEC
/* Beyond the drain, for what comes after it. */
#define STOP_MARGIN_NS (30 * NS_PER_SEC)

struct notify {
	struct fs *fs;
	pthread_t thread;
	struct lock lock;
	struct condition wake;
	bool stopping; /* protected by `lock` */
};

static void say(const char *format, ...) STORE_PRINTF(1, 2);

/* A name that begins with @ is of the abstract kind. */
static void say(const char *format, ...)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	char message[MESSAGE_MAX];
	CLEANUP_FD int fd = -1;
	va_list args;

	if (!length || length >= sizeof(address.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, message, strlen(message),
		       MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				   length));
}

void notify_ready(void)
{
	say("READY=1\nMAINPID=%ld", (long)getpid());
}

void notify_stopping(int64_t longest_ns)
{
	int64_t longest = longest_ns + STOP_MARGIN_NS;

	say("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, longest / 1000);
}

static void say_status(uint64_t pending, uint64_t unfinished, bool paused)
{
	say("STATUS=%" PRIu64 " %s not in the store yet, %" PRIu64
	    " unfinished%s",
	    pending, pending == 1 ? "file" : "files", unfinished,
	    paused ? ", uploads are paused" : "");
}

static void *notify_thread(void *arg)
{
	struct notify *notify = arg;
	struct fs *fs = notify->fs;
	uint64_t told_pending = UINT64_MAX, told_unfinished = UINT64_MAX;
	bool told_paused = false;

	lock_take(&notify->lock);
	while (!notify->stopping) {
		uint64_t pending = atomic_load(&fs->counters.dirty_files);
		uint64_t unfinished = atomic_load(&fs->counters.unfinished);
		bool paused = atomic_load(&fs->paused);

		if (pending != told_pending || unfinished != told_unfinished ||
		    paused != told_paused)
			say_status(pending, unfinished, paused);
		told_pending = pending;
		told_unfinished = unfinished;
		told_paused = paused;
		condition_wait_until(&notify->wake, &notify->lock,
				     clock_monotonic_ns() + LOOK_NS);
	}
	lock_drop(&notify->lock);
	return NULL;
}

struct notify *notify_start(struct fs *fs)
{
	struct notify *notify;

	if (!getenv("NOTIFY_SOCKET"))
		return NULL;
	notify = calloc(1, sizeof(*notify));
	if (!notify)
		return NULL;
	notify->fs = fs;
	lock_init(&notify->lock);
	condition_init(&notify->wake);
	if (!pthread_create(&notify->thread, NULL, notify_thread, notify))
		return notify;
	condition_destroy(&notify->wake);
	lock_destroy(&notify->lock);
	free(notify);
	return NULL;
}

void notify_stop(struct notify *notify)
{
	if (!notify)
		return;
	lock_take(&notify->lock);
	notify->stopping = true;
	condition_broadcast(&notify->wake);
	lock_drop(&notify->lock);
	pthread_join(notify->thread, NULL);
	condition_destroy(&notify->wake);
	lock_destroy(&notify->lock);
	free(notify);
}
