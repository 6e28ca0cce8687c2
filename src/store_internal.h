/* SPDX-License-Identifier: MIT */
/*
 * How the registry and the tests put a store together.
 */
#ifndef STOREFS_SRC_STORE_INTERNAL_H
#define STOREFS_SRC_STORE_INTERNAL_H

#include "src/backend.h"
#include <storefs/store.h>

/*
 * remote-store's RetryPolicy: attempts in all, full-jitter exponential
 * backoff between base and max, and a limit on the whole (0: none).
 */
struct store_retry_policy {
	int max_attempts; /* at least 1 */
	int64_t backoff_base_ns;
	int64_t backoff_max_ns;
	double jitter; /* 0 .. 1, share of the pause that is random */
	int64_t timeout_ns;
};
#define STORE_RETRY_DEFAULT                                       \
	{                                                         \
		.max_attempts = 3, .backoff_base_ns = 1000000000, \
		.backoff_max_ns = 60000000000, .jitter = 1.0,     \
	}

struct store_policy {
	struct store_retry_policy retry;
	const char *fault_file; /* NULL: no fault layer */
	bool raw_keys;
};

/*
 * Wrap a configured instance into layers (prefix < retry < trace < fault <
 * backend, outermost first), open it, and make the store of its root.
 * Takes ownership of `self`, also on failure (it is closed then).
 */
int store_assemble(const struct store_backend *ops, void *self,
		   const struct store_policy *policy, struct store **store,
		   struct store_error *error) STORE_WARN_UNUSED;
/*
 * From now on this handle tells of a file what a listing tells, a regular file
 * of that size and time, and listings are complete.  Before any call.
 */
void store_tell_listed(struct store *store);
struct wire_counters;
/* The requests of its backend so far, src/wire.h; NULL: it makes none. */
const struct wire_counters *store_wire(const struct store *store);
/* Does it keep times in whole seconds? */
bool store_in_seconds(const struct store *store);
/* A second handle on the same backend and root, to be closed on its own. */
struct store *store_ref(struct store *store);

#endif
