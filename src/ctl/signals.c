// SPDX-License-Identifier: MIT
/*
 * SIGINT, SIGTERM and SIGHUP in commands that write: the first one cancels
 * the run, so that half-written files are discarded; a second one, or two
 * seconds without an end, ends the process at once.  Commands that only read
 * keep the default action.  Called by main.c.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "src/ctl/ctl.h"

static struct {
	sigset_t set;
	atomic_int came; /* the signal, 0 for none */
} signals;

static void signals_init_set(void)
{
	sigemptyset(&signals.set);
	sigaddset(&signals.set, SIGINT);
	sigaddset(&signals.set, SIGTERM);
	sigaddset(&signals.set, SIGHUP);
}

/* End by the signal, as if nobody had waited for it. */
static void signals_die(int number)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(number, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &signals.set, NULL);
	kill(getpid(), number);
	_exit(128 + number);
}

static void *signals_wait(void *arg)
{
	struct store_cancel *cancel = arg;
	struct timespec grace = { .tv_sec = 2 };
	int number;

	if (sigwait(&signals.set, &number))
		return NULL;
	atomic_store(&signals.came, number);
	store_cancel_trigger(cancel);
	while (sigtimedwait(&signals.set, NULL, &grace) < 0)
		if (errno != EINTR)
			break;
	signals_die(number);
	return NULL;
}

int signals_start(struct ctl *ctl, struct store_error *error)
{
	pthread_t thread;
	int failed;

	ctl->cancel = store_cancel_new();
	if (!ctl->cancel)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	ctl->context.cancel = ctl->cancel;
	signals_init_set();
	/* Before any other thread exists: all of them inherit the mask. */
	pthread_sigmask(SIG_BLOCK, &signals.set, NULL);
	failed = pthread_create(&thread, NULL, signals_wait, ctl->cancel);
	if (failed)
		return store_error_errno(error, failed, "thread for signals");
	pthread_detach(thread);
	return STORE_OK;
}

void signals_finish(void)
{
	int number = atomic_load(&signals.came);

	if (number)
		signals_die(number);
}
