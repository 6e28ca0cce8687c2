// SPDX-License-Identifier: MIT
/*
 * Moving and copying inside one store.
 *
 * A move is the backend's or NOT_SUPPORTED: put together from copy and
 * delete it would not be what callers rely upon.  A copy can pass through
 * this process, see store_copy.c.
 *
 * Called through <storefs/store.h>; no locks.
 */
#include "config.h"

#include "src/store_core.h"

#include <string.h>

/* Onto itself: only the source is looked at. */
static int same_key(struct call *call, struct store_info *info)
{
	return core_stat(call, call->key, info, NULL);
}

static int check_move_flags(struct call *call, unsigned int flags,
			    unsigned int allowed)
{
	if (flags & ~allowed ||
	    (flags & STORE_MOVE_OVERWRITE && flags & STORE_MOVE_EXCHANGE))
		return store_error_set(&call->error, STORE_INVALID,
				       "flags that do not fit");
	return STORE_OK;
}

static void move_request(struct backend_move_request *request,
			 const struct call *call, unsigned int flags)
{
	*request = (struct backend_move_request){
		.from = call->key,
		.to = call->to,
	};
	if (flags & STORE_MOVE_OVERWRITE)
		request->flags |= BACKEND_MOVE_REPLACE;
	if (flags & STORE_MOVE_EXCHANGE)
		request->flags |= BACKEND_MOVE_EXCHANGE;
}

int store_move(struct store *store, struct store_context *context,
	       const char *from, const char *to, unsigned int flags,
	       const struct store_precondition *precondition,
	       struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct backend_move_request request;
	struct call call;
	int code = call_begin(&call, store, "move", context);

	if (!code)
		code = check_move_flags(&call, flags,
					STORE_MOVE_OVERWRITE |
						STORE_MOVE_EXCHANGE);
	if (!code)
		code = call_keys(&call, from, to);
	if (!code)
		code = call_needs(&call, STORE_CAP_MOVE);
	if (!code && flags & STORE_MOVE_EXCHANGE)
		code = call_needs(&call, STORE_CAP_EXCHANGE);
	if (!code && strcmp(call.key, call.to) == 0) {
		code = same_key(&call, &found);
	} else if (!code) {
		move_request(&request, &call, flags);
		if (precondition)
			request.precondition = *precondition;
		code = call.ops->move(call.self, call.context, &request, &found,
				      &call.error);
	}
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

static int copy_onto_itself(struct call *call, struct store_info *info)
{
	int code = same_key(call, info);

	return code ? code : core_check_copied(call, info);
}

static int copy_call(struct call *call,
		     const struct backend_move_request *request,
		     struct store_info *info)
{
	struct backend_move_request inner = *request;

	inner.from = call->key;
	inner.to = call->to;
	if (strcmp(call->key, call->to) == 0)
		return copy_onto_itself(call, info);
	if (call->ops->copy)
		return call->ops->copy(call->self, call->context, &inner, info,
				       &call->error);
	return core_copy_through(call, &inner, info);
}

static int copy_checked(struct store *store, struct store_context *context,
			const struct backend_move_request *request,
			struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "copy", context);

	if (!code)
		code = call_keys(&call, request->from, request->to);
	if (!code && !call.ops->copy)
		code = call_needs(&call, STORE_CAP_READ | STORE_CAP_METADATA);
	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE);
	if (!code)
		code = copy_call(&call, request, &found);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

int store_copy(struct store *store, struct store_context *context,
	       const char *from, const char *to, unsigned int flags,
	       struct store_info *info, struct store_error *error)
{
	struct backend_move_request request = { .from = from, .to = to };

	if (flags & ~(unsigned int)STORE_MOVE_OVERWRITE)
		return store_error_set(error, STORE_INVALID,
				       "copy: flags that do not fit");
	if (flags & STORE_MOVE_OVERWRITE)
		request.flags |= BACKEND_MOVE_REPLACE;
	return copy_checked(store, context, &request, info, error);
}

int store_copy_version(struct store *store, struct store_context *context,
		       const char *from, const char *to,
		       const struct store_copy_options *options,
		       struct store_info *info, struct store_error *error)
{
	struct backend_move_request request = {
		.from = from,
		.to = to,
		.precondition = options->target,
		.publish = options->publish,
	};

	if (options->target.condition != STORE_IF_ABSENT)
		request.flags |= BACKEND_MOVE_REPLACE;
	if (options->symlinks)
		request.flags |= BACKEND_COPY_SYMLINKS;
	if (options->seen)
		request.flags |= BACKEND_COPY_SEEN;
	if (options->source) {
		request.source.condition = STORE_IF_VERSION;
		request.source.version = *options->source;
	}
	return copy_checked(store, context, &request, info, error);
}
