// SPDX-License-Identifier: MIT
/*
 * The trace layer: counts what reaches the backend, and tells it at
 * LOG_LEVEL_DEBUG, one line a call.  Below the retry layer, so that every
 * try counts.  No locks.
 */
#include "config.h"

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/text.h"
#include "src/layers/layer.h"
#include "src/layers/layers.h"

static enum store_counter op_counter(enum layer_op op)
{
	switch (op) {
	case LAYER_STAT:
		return STORE_COUNT_STAT;
	case LAYER_LIST:
	case LAYER_GLOB:
		return STORE_COUNT_LIST;
	case LAYER_OPEN_READER:
		return STORE_COUNT_OPEN_READER;
	case LAYER_READ:
		return STORE_COUNT_READ;
	case LAYER_PUT:
	case LAYER_UPLOAD_COMMIT:
		return STORE_COUNT_PUT;
	case LAYER_MAKE_NODE:
	case LAYER_MAKE_DIR:
	case LAYER_LINK:
		return STORE_COUNT_MAKE;
	case LAYER_REMOVE:
	case LAYER_REMOVE_MANY:
	case LAYER_REMOVE_DIR:
	case LAYER_REMOVE_TREE:
		return STORE_COUNT_REMOVE;
	case LAYER_MOVE:
		return STORE_COUNT_MOVE;
	case LAYER_COPY:
		return STORE_COUNT_COPY;
	case LAYER_SET_ATTRIBUTES:
	case LAYER_SET_XATTR:
	case LAYER_REMOVE_XATTR:
		return STORE_COUNT_SET;
	default:
		return STORE_COUNT_OTHER;
	}
}

static void trace_log(const struct layer_call *call, int code)
{
	int64_t us = (clock_monotonic_ns() - call->start_ns) / 1000;
	unsigned long long id = call->context ? call->context->trace_id : 0;
	struct text_shown from;
	struct text_shown to;

	log_debug("call %016llx %s '%s'%s%s%s %s %lldus", id,
		  layer_op_name(call->op), text_show(&from, call->key),
		  call->to ? " to '" : "", text_show(&to, call->to),
		  call->to ? "'" : "", store_code_name(code), (long long)us);
}

static int trace_before(void *hook, struct layer_call *call)
{
	(void)hook;
	/* The clock is only needed for the log. */
	if (log_get_level() >= LOG_LEVEL_DEBUG)
		call->start_ns = clock_monotonic_ns();
	return STORE_OK;
}

static bool trace_after(void *hook, struct layer_call *call, int *code)
{
	struct layer_counters *counters = hook;

	/* Neither asks the backend for anything. */
	if (call->ending || call->op == LAYER_READER_DATA)
		return false;
	layer_count(counters, op_counter(call->op), 1);
	if (*code) {
		layer_count(counters, STORE_COUNT_FAILURES, 1);
	} else {
		layer_count(counters, STORE_COUNT_BYTES_READ, call->read);
		layer_count(counters, STORE_COUNT_BYTES_WRITTEN, call->written);
	}
	if (log_get_level() >= LOG_LEVEL_DEBUG)
		trace_log(call, *code);
	return false;
}

static const struct layer_hooks trace_hooks = {
	.before = trace_before,
	.after = trace_after,
};

int layer_trace(struct layer_counters *counters, struct backend *backend,
		struct store_error *error)
{
	return layer_wrap(&trace_hooks, counters, backend, error);
}
