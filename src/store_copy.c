// SPDX-License-Identifier: MIT
/*
 * Copying through this process, for backends that cannot copy by themselves.
 *
 * The source is pinned to one version; its attributes, user metadata,
 * content type and extended attributes go along; holes stay holes.  Called
 * by store_copy(); calls the backend's reader and put.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"

/* A reader as the source of a put. */
struct reader_source {
	struct store_source source; /* first member */
	struct call *call;
	void *reader;
};

static struct reader_source *reader_source(struct store_source *source)
{
	return (struct reader_source *)(void *)source;
}

static int source_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct reader_source *from = reader_source(source);
	struct call *call = from->call;
	size_t got = 0;
	int code = call->ops->read(call->self, call->context, from->reader,
				   offset, data, length, &got, error);

	if (code)
		return code;
	if (got != length)
		return store_error_set(error, STORE_CORRUPT,
				       "ended after %llu of %llu bytes",
				       (unsigned long long)(offset + got),
				       (unsigned long long)source->size);
	store_context_progress(call->context);
	return STORE_OK;
}

static int source_next(struct store_source *source, uint64_t offset,
		       struct store_range *range, struct store_error *error)
{
	struct reader_source *from = reader_source(source);
	struct call *call = from->call;

	return call->ops->reader_data(call->self, from->reader, offset, range,
				      error);
}

/* ---- extended attributes ---- */

struct xattrs {
	size_t count;
	struct store_xattr *list; /* values owned, names borrowed */
	char *names;		  /* owned */
};

static void xattrs_release(struct xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++)
		free((void *)(uintptr_t)xattrs->list[i].value);
	free(xattrs->list);
	free(xattrs->names);
}

static int xattrs_add(struct call *call, struct xattrs *xattrs,
		      const char *name)
{
	struct store_xattr *list =
		realloc(xattrs->list, (xattrs->count + 1) * sizeof(*list));
	void *value = NULL;
	size_t size = 0;
	int code;

	if (!list)
		return call_fail(call, STORE_NO_MEMORY);
	xattrs->list = list;
	code = call->ops->get_xattr(call->self, call->context, call->key, name,
				    &value, &size, &call->error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(&call->error);
		return STORE_OK;
	}
	if (code)
		return code;
	list[xattrs->count++] = (struct store_xattr){ name, value, size };
	return STORE_OK;
}

static int xattrs_read(struct call *call, struct xattrs *xattrs)
{
	size_t size = 0;
	int code;

	if (!call_has(call, STORE_CAP_XATTR) || !call->ops->list_xattrs)
		return STORE_OK;
	code = call->ops->list_xattrs(call->self, call->context, call->key,
				      &xattrs->names, &size, &call->error);
	for (size_t at = 0; !code && at < size;) {
		const char *name = xattrs->names + at;

		code = xattrs_add(call, xattrs, name);
		at += strlen(name) + 1;
	}
	return code;
}

/* ---- the copy ---- */

static int copy_bytes(struct call *call, const struct store_info *from,
		      struct store_write_options *options,
		      struct store_info *info)
{
	const struct store_version *pin =
		from->version.token[0] ? &from->version : NULL;
	struct store_info opened = { .links = 1 };
	struct reader_source source = { .call = call };
	struct backend_put_request request;
	struct xattrs xattrs = { .count = 0 };
	int code = call->ops->open_reader(call->self, call->context, call->key,
					  pin, &source.reader, &opened,
					  &call->error);

	if (code)
		return code;
	source.source = (struct store_source){
		.size = opened.size,
		.read = source_read,
		.next_data = call->ops->reader_data ? source_next : NULL,
	};
	code = xattrs_read(call, &xattrs);
	if (!code) {
		options->xattrs = xattrs.list;
		options->xattr_count = xattrs.count;
		core_put_request(&request, call->to, &source.source, options);
		code = call->ops->put(call->self, call->context, &request, info,
				      &call->error);
	}
	call->ops->close_reader(call->self, source.reader);
	xattrs_release(&xattrs);
	return code;
}

int core_check_copied(struct call *call, const struct store_info *from)
{
	if (from->type == STORE_TYPE_FOLDER)
		return call_fail(call, STORE_IS_DIR);
	if (from->type != STORE_TYPE_FILE)
		return store_error_set(&call->error, STORE_INVALID,
				       "is a %s, not a file",
				       store_type_name(from->type));
	return STORE_OK;
}

/* Without REPLACE the target is absent, whatever else is demanded. */
static struct store_precondition
target_condition(const struct backend_move_request *request)
{
	if (request->flags & BACKEND_MOVE_REPLACE)
		return request->precondition;
	return (struct store_precondition){ .condition = STORE_IF_ABSENT };
}

int core_copy_through(struct call *call,
		      const struct backend_move_request *request,
		      struct store_info *info)
{
	struct store_write_options options = {
		.precondition = target_condition(request),
		.publish = request->publish,
	};
	struct store_info from = { .links = 1 };
	struct store_details details;
	int code;

	store_details_init(&details);
	code = core_stat(call, call->key, &from, &details);
	if (!code)
		code = core_check_copied(call, &from);
	if (!code && request->source.condition == STORE_IF_VERSION &&
	    !store_version_equal(&request->source.version, &from.version))
		code = call_fail(call, STORE_CHANGED);
	if (!code)
		code = core_check_target(call, call->to, &options.precondition);
	if (!code) {
		options.attributes = &from.attributes;
		options.metadata = &details.metadata;
		options.content_type = details.content_type;
		code = copy_bytes(call, &from, &options, info);
	}
	store_details_release(&details);
	return code;
}
