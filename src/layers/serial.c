// SPDX-License-Identifier: MIT
/*
 * The serial layer: lets one call at a time into a backend that can take no
 * more (STORE_SERIAL).  Waiters give up at their deadline or when they are
 * cancelled.
 *
 * Lock: `lock` is held to change `busy` only; a call runs without it.
 */
#include "config.h"

#include <stdlib.h>

#include "src/base/clock.h"
#include "src/base/sync.h"
#include "src/layers/layer.h"
#include "src/layers/layers.h"

struct serial {
	struct lock lock;
	struct condition free; /* signalled when busy becomes false */
	/* Protected by lock: */
	bool busy;
};

/* A cancel object cannot wake this wait, so it looks that often. */
static const int64_t SERIAL_LOOK_NS = 20 * NS_PER_MS;

static int serial_wait_locked(struct serial *serial, struct layer_call *call)
	REQUIRES(serial->lock)
{
	while (serial->busy) {
		int64_t now = clock_monotonic_ns();
		int code;

		if (!call->context || call->ending) {
			condition_wait(&serial->free, &serial->lock);
			continue;
		}
		code = store_context_check(call->context, call->error);
		if (code)
			return code;
		condition_wait_until(&serial->free, &serial->lock,
				     now + SERIAL_LOOK_NS);
	}
	return STORE_OK;
}

static int serial_before(void *hook, struct layer_call *call)
{
	struct serial *serial = hook;
	int code;

	lock_take(&serial->lock);
	code = serial_wait_locked(serial, call);
	if (!code)
		serial->busy = true;
	lock_drop(&serial->lock);
	return code;
}

static bool serial_after(void *hook, struct layer_call *call, int *code)
{
	struct serial *serial = hook;

	(void)call;
	(void)code;
	lock_take(&serial->lock);
	serial->busy = false;
	condition_broadcast(&serial->free);
	lock_drop(&serial->lock);
	return false;
}

static void serial_free(void *hook)
{
	struct serial *serial = hook;

	condition_destroy(&serial->free);
	lock_destroy(&serial->lock);
	free(serial);
}

static const struct layer_hooks serial_hooks = {
	.before = serial_before,
	.after = serial_after,
	.free = serial_free,
};

int layer_serial(struct backend *backend, struct store_error *error)
{
	struct serial *serial = malloc(sizeof(*serial));
	int code;

	if (!serial)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	lock_init(&serial->lock);
	condition_init(&serial->free);
	serial->busy = false;
	code = layer_wrap(&serial_hooks, serial, backend, error);
	if (code)
		serial_free(serial);
	return code;
}
