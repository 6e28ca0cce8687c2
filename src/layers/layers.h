/* SPDX-License-Identifier: MIT */
/*
 * The layers a store is made of, outermost first:
 *
 *	prefix -> retry -> trace -> fault -> serial -> backend
 *
 * Each is the backend table around the next one.  A function here replaces
 * *backend by the layer around it, which then owns the old one (but for the
 * prefix, which borrows); on failure *backend is as before, and still the
 * caller's.  A slot that the next one lacks is missing in the layer too.
 */
#ifndef STOREFS_SRC_LAYERS_LAYERS_H
#define STOREFS_SRC_LAYERS_LAYERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "src/backend.h"
#include "src/store_internal.h"
#include <storefs/store.h>

/* By enum store_counter; any thread may add. */
struct layer_counters {
	/* Aligned for the ABIs where 64 bits are not by themselves. */
	_Alignas(8) _Atomic uint64_t values[STORE_COUNTERS];
};

static inline void layer_count(struct layer_counters *counters,
			       enum store_counter counter, uint64_t more)
{
	atomic_fetch_add_explicit(&counters->values[counter], more,
				  memory_order_relaxed);
}

/*
 * Keys below a folder.  The root of the layer always exists.  `backend` is
 * borrowed: it must outlive the layer, which is freed by its close().
 */
int layer_prefix(const char *folder, struct backend *backend,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Repeat what failed with a retryable code, if repeating cannot change the
 * result: reads, listings, unconditional puts, attributes.  Waits as the
 * policy says, not less than the store's own hint, and gives up when the
 * context would end before.
 */
int layer_retry(const struct store_retry_policy *policy,
		struct layer_counters *counters, struct backend *backend,
		struct store_error *error) STORE_WARN_UNUSED;
/* Count every call, and log it at LOG_LEVEL_DEBUG. */
int layer_trace(struct layer_counters *counters, struct backend *backend,
		struct store_error *error) STORE_WARN_UNUSED;
/* Fail, stall or delay calls as a text file says: fault_rules.h. */
int layer_fault(const char *path, struct backend *backend,
		struct store_error *error) STORE_WARN_UNUSED;
/* One call at a time; waiting respects the context. */
int layer_serial(struct backend *backend, struct store_error *error)
	STORE_WARN_UNUSED;
/* What an instance can do: enum store_capability. */
uint64_t layer_has(const struct backend *backend);

#endif
