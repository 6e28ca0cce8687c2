// SPDX-License-Identifier: MIT
/*
 * Ending a mount by signal; see session.h.  One thread waits for signals,
 * another drains, so that a second signal can cut the drain short.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "mount/fuse_api.h"
#include "mount/mountpoint.h"
#include "mount/notify.h"
#include "mount/op.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "mount/session.h"
#include "src/base/clock.h"
#include "src/base/log.h"

/* Wakes the main thread out of libfuse's wait. */
#define SIGNAL_WAKE SIGUSR2
/* Ends the thread that waits for signals. */
#define SIGNAL_STOP SIGUSR1
#define WAKE_AGAIN_NS (100 * NS_PER_MS)

struct ending {
	struct fs *fs;
	pthread_t main, watcher, drainer;
	bool drainer_runs;	     /* of the watcher, then of ending_stop() */
	_Atomic bool detached;	     /* the mount was taken away here */
	_Atomic bool draining;	     /* a further signal cuts it short */
	struct store_cancel *cancel; /* of the drain */
	struct store_cancel *done;   /* requests are no longer served */
	sigset_t signals;
};

static void ignore(int number)
{
	(void)number;
}

/* libfuse looks at its exit flag when its wait is interrupted. */
static void wake_main(struct ending *ending)
{
	struct store_context context;

	store_context_init(&context, 0, ending->done);
	do {
		pthread_kill(ending->main, SIGNAL_WAKE);
	} while (!store_context_sleep(&context, WAKE_AGAIN_NS, NULL));
}

static void drain(struct ending *ending)
{
	struct fs *fs = ending->fs;
	struct store_context context;
	unsigned int undone;

	notify_stopping(fs->options->drain_timeout_ns);
	store_context_init(&context, 0, ending->cancel);
	context.deadline_ns =
		clock_monotonic_ns() + fs->options->drain_timeout_ns;
	if (relocations_drain(fs, &context))
		log_warn("renames go on with the next mount");
	undone = publish_drain(fs, &context);
	if (undone)
		log_warn("%u %s in the staging directory %s", undone,
			 undone == 1 ? "file stays" : "files stay",
			 fs->staging_path);
}

bool ending_detached(const struct ending *ending)
{
	return atomic_load(&ending->detached);
}

void ending_drain(struct ending *ending)
{
	/* After a signal it has been done, as far as was wanted. */
	if (!atomic_exchange(&ending->draining, true))
		drain(ending);
}

static void *drain_thread(void *arg)
{
	struct ending *ending = arg;
	struct fs *fs = ending->fs;
	struct store_error error = STORE_ERROR_INIT;

	drain(ending);
	/* Not what somebody else has mounted there since. */
	if (!store_cancel_is_set(fs->unmounted) &&
	    mountpoint_device(fs->mountpoint) == fs->device &&
	    mountpoint_unmount(fs->mountpoint, true, &error))
		log_warn("unmounting: %s", error.message);
	atomic_store(&ending->detached, true);
	fuse_session_exit(fs->session);
	op_cancel_all(fs);
	wake_main(ending);
	return NULL;
}

static void *watch_thread(void *arg)
{
	struct ending *ending = arg;
	int number;

	while (!sigwait(&ending->signals, &number)) {
		if (number == SIGNAL_STOP)
			break;
		if (atomic_exchange(&ending->draining, true))
			store_cancel_trigger(ending->cancel);
		else if (!pthread_create(&ending->drainer, NULL, drain_thread,
					 ending))
			ending->drainer_runs = true;
	}
	return NULL;
}

static void set_up_signals(struct ending *ending)
{
	struct sigaction action = { .sa_handler = ignore };

	sigemptyset(&action.sa_mask);
	sigaction(SIGNAL_WAKE, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	/* A lease of ours was broken before it was given back: spare.c. */
	sigaction(SIGIO, &action, NULL);
	/* A file size limit is an error of the write, not our end. */
	sigaction(SIGXFSZ, &action, NULL);
	sigemptyset(&ending->signals);
	sigaddset(&ending->signals, SIGTERM);
	sigaddset(&ending->signals, SIGINT);
	sigaddset(&ending->signals, SIGHUP);
	sigaddset(&ending->signals, SIGNAL_STOP);
	pthread_sigmask(SIG_BLOCK, &ending->signals, NULL);
}

int ending_start(struct fs *fs, struct ending **out, struct store_error *error)
{
	struct ending *ending = calloc(1, sizeof(*ending));
	int result = ENOMEM;

	if (ending) {
		ending->fs = fs;
		ending->main = pthread_self();
		ending->cancel = store_cancel_new();
		ending->done = store_cancel_new();
		set_up_signals(ending);
		if (ending->cancel && ending->done)
			result = pthread_create(&ending->watcher, NULL,
						watch_thread, ending);
	}
	if (!result) {
		*out = ending;
		return STORE_OK;
	}
	if (ending) {
		store_cancel_free(ending->cancel);
		store_cancel_free(ending->done);
	}
	free(ending);
	return store_error_errno(error, result, "signal thread");
}

void ending_stop(struct ending *ending)
{
	if (!ending)
		return;
	store_cancel_trigger(ending->done);
	store_cancel_trigger(ending->cancel);
	pthread_kill(ending->watcher, SIGNAL_STOP);
	pthread_join(ending->watcher, NULL);
	if (ending->drainer_runs)
		pthread_join(ending->drainer, NULL);
	store_cancel_free(ending->cancel);
	store_cancel_free(ending->done);
	free(ending);
}
