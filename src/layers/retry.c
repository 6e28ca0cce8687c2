// SPDX-License-Identifier: MIT
/*
 * The retry layer: see layers.h.
 *
 * A call is repeated only where a second time gives what the first would
 * have given: an answer that got lost must not turn into EXISTS or
 * NOT_FOUND.  So no conditional puts, removals, moves, links.
 *
 * Locks: none; the random state is one atomic number.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "src/base/clock.h"
#include "src/layers/layer.h"
#include "src/layers/layers.h"

struct retry {
	struct store_retry_policy policy;
	struct layer_counters *counters;
	/* A weak generator suffices: it only spreads clients over time. */
	atomic_uint_fast32_t random;
};

static bool op_repeatable(const struct layer_call *call)
{
	switch (call->op) {
	case LAYER_PING:
	case LAYER_STAT:
	case LAYER_LIST:
	case LAYER_OPEN_READER:
	case LAYER_READ:
	case LAYER_GET_XATTR:
	case LAYER_LIST_XATTRS:
	case LAYER_GLOB:
	case LAYER_TOTALS:
	case LAYER_USAGE:
	case LAYER_SYNC:
	case LAYER_SET_ATTRIBUTES:
	case LAYER_REMOVE_MANY:
	case LAYER_PUT_AHEAD:
	case LAYER_DROP_UPLOAD:
		return true;
	case LAYER_PUT:
	case LAYER_SET_XATTR:
		return !call->conditional;
	default:
		return false;
	}
}

/* In [0, 1): xorshift32. */
static double retry_random(struct retry *retry)
{
	uint32_t old = (uint32_t)atomic_load(&retry->random);
	uint32_t next = old;

	next ^= next << 13;
	next ^= next >> 17;
	next ^= next << 5;
	atomic_store(&retry->random, next);
	return next / 4294967296.0;
}

static int64_t retry_pause(struct retry *retry, const struct layer_call *call)
{
	const struct store_retry_policy *policy = &retry->policy;
	int64_t pause = policy->backoff_base_ns;
	int64_t hint = call->error->retry_after_ms;

	for (int i = 0; i < call->attempt && pause < policy->backoff_max_ns;
	     i++)
		pause *= 2;
	if (policy->backoff_max_ns && pause > policy->backoff_max_ns)
		pause = policy->backoff_max_ns;
	pause -=
		(int64_t)((double)pause * policy->jitter * retry_random(retry));
	if (hint > INT64_MAX / NS_PER_MS)
		return INT64_MAX;
	if (pause < hint * NS_PER_MS)
		pause = hint * NS_PER_MS;
	return pause;
}

/* Is there time for that pause and another try? */
static bool retry_fits(struct retry *retry, const struct layer_call *call,
		       int64_t pause)
{
	int64_t limit = retry->policy.timeout_ns;

	if (pause >= store_context_remaining(call->context))
		return false;
	if (!limit)
		return true;
	return pause < call->start_ns + limit - clock_monotonic_ns();
}

static int retry_before(void *hook, struct layer_call *call)
{
	(void)hook;
	if (call->attempt == 0)
		call->start_ns = clock_monotonic_ns();
	return STORE_OK;
}

static bool retry_after(void *hook, struct layer_call *call, int *code)
{
	struct retry *retry = hook;
	int64_t pause;
	int slept;

	if (!*code) {
		if (call->attempt)
			store_error_clear(call->error);
		return false;
	}
	if (!store_code_retryable(*code) || !op_repeatable(call) ||
	    call->attempt + 1 >= retry->policy.max_attempts)
		return false;
	pause = retry_pause(retry, call);
	if (!retry_fits(retry, call, pause))
		return false;
	slept = store_context_sleep(call->context, pause, call->error);
	if (slept) {
		*code = slept;
		return false;
	}
	layer_count(retry->counters, STORE_COUNT_RETRIES, 1);
	return true;
}

static const struct layer_hooks retry_hooks = {
	.before = retry_before,
	.after = retry_after,
	.free = free,
};

int layer_retry(const struct store_retry_policy *policy,
		struct layer_counters *counters, struct backend *backend,
		struct store_error *error)
{
	struct retry *retry = malloc(sizeof(*retry));
	uint32_t seed = (uint32_t)clock_monotonic_ns();
	int code;

	if (!retry)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	retry->policy = *policy;
	retry->counters = counters;
	atomic_init(&retry->random, seed ? seed : 1);
	code = layer_wrap(&retry_hooks, retry, backend, error);
	if (code)
		free(retry);
	return code;
}
