// SPDX-License-Identifier: MIT
/*
 * Streaming writes: open, write, commit or discard.
 *
 * Goes to the backend's upload where there is one, else through a spool and
 * one put.  The first failure sticks: what follows it cannot be committed.
 *
 * Called through <storefs/store.h>, one thread at a time; no locks.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/spool.h"

/* Options outlive the call that gave them. */
struct held {
	struct store_write_options options; /* points into the rest */
	struct store_attributes attributes;
	struct store_metadata metadata;
	char *content_type;
	struct store_xattr *xattrs; /* names and values owned */
	uint8_t publish[STORE_PUBLISH_SIZE];
};

struct store_writer {
	struct store *store;
	char *key;
	struct held held;
	void *upload;	     /* the backend's, or NULL */
	struct spool *spool; /* or this */
	int failed;	     /* first failure */
	struct store_error error;
};

/* ---- options ---- */

static void held_release(struct held *held)
{
	for (size_t i = 0; i < held->options.xattr_count; i++) {
		free((void *)(uintptr_t)held->xattrs[i].name);
		free((void *)(uintptr_t)held->xattrs[i].value);
	}
	free(held->xattrs);
	free(held->content_type);
	store_metadata_release(&held->metadata);
}

static bool hold_metadata(struct held *held,
			  const struct store_metadata *metadata)
{
	if (!metadata)
		return true;
	for (size_t i = 0; i < metadata->count; i++)
		if (store_metadata_add(&held->metadata, metadata->pairs[i].name,
				       metadata->pairs[i].value))
			return false;
	held->options.metadata = &held->metadata;
	return true;
}

static bool hold_xattr(struct store_xattr *copy,
		       const struct store_xattr *xattr)
{
	char *name = strdup(xattr->name);
	void *value = malloc(xattr->size ? xattr->size : 1);

	if (!name || !value) {
		free(name);
		free(value);
		return false;
	}
	if (xattr->size)
		memcpy(value, xattr->value, xattr->size);
	*copy = (struct store_xattr){ name, value, xattr->size };
	return true;
}

static bool hold_xattrs(struct held *held,
			const struct store_write_options *options)
{
	if (!options->xattr_count)
		return true;
	held->xattrs = calloc(options->xattr_count, sizeof(*held->xattrs));
	if (!held->xattrs)
		return false;
	held->options.xattrs = held->xattrs;
	for (size_t i = 0; i < options->xattr_count; i++) {
		if (!hold_xattr(&held->xattrs[i], &options->xattrs[i]))
			return false;
		held->options.xattr_count++;
	}
	return true;
}

/* False: out of memory; release it all the same. */
static bool hold_options(struct held *held,
			 const struct store_write_options *options)
{
	store_metadata_init(&held->metadata);
	held->options.precondition.condition = STORE_IF_ABSENT;
	if (!options)
		return true;
	held->options.precondition = options->precondition;
	held->options.keep = options->keep;
	held->options.id = options->id;
	if (options->publish) {
		memcpy(held->publish, options->publish, STORE_PUBLISH_SIZE);
		held->options.publish = held->publish;
	}
	if (options->attributes) {
		held->attributes = *options->attributes;
		held->options.attributes = &held->attributes;
	}
	if (options->content_type) {
		held->content_type = strdup(options->content_type);
		if (!held->content_type)
			return false;
		held->options.content_type = held->content_type;
	}
	return hold_metadata(held, options->metadata) &&
	       hold_xattrs(held, options);
}

/* ---- life ---- */

static void writer_free(struct store_writer *writer)
{
	spool_free(writer->spool);
	held_release(&writer->held);
	free(writer->key);
	free(writer);
}

static int writer_begin(struct call *call, struct store_writer *writer)
{
	struct backend_put_request request;

	if (!call->ops->upload_begin) {
		writer->spool = spool_new();
		return writer->spool ? STORE_OK
				     : call_fail(call, STORE_NO_MEMORY);
	}
	core_put_request(&request, writer->key, NULL, &writer->held.options);
	return call->ops->upload_begin(call->self, call->context, &request,
				       &writer->upload, &call->error);
}

static int writer_new(struct call *call,
		      const struct store_write_options *options,
		      struct store_writer **writer)
{
	struct store_writer *made = calloc(1, sizeof(*made));
	int code;

	if (!made)
		return call_fail(call, STORE_NO_MEMORY);
	made->store = call->store;
	made->key = strdup(call->key);
	if (!hold_options(&made->held, options) || !made->key)
		code = call_fail(call, STORE_NO_MEMORY);
	else
		code = writer_begin(call, made);
	if (code)
		writer_free(made);
	else
		*writer = made;
	return code;
}

int store_open_writer(struct store *store, struct store_context *context,
		      const char *key,
		      const struct store_write_options *options,
		      struct store_writer **writer, struct store_error *error)
{
	struct store_precondition absent = { .condition = STORE_IF_ABSENT };
	struct call call;
	int code = call_begin(&call, store, "write", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code && options && options->range_count)
		code = store_error_set(&call.error, STORE_INVALID,
				       "a stream keeps no ranges");
	if (!code)
		code = core_check_write(&call, options, 0);
	if (!code)
		code = core_check_target(&call, call.key,
					 options ? &options->precondition
						 : &absent);
	if (!code)
		code = writer_new(&call, options, writer);
	return call_end(&call, code, error);
}

static int writer_stick(struct store_writer *writer, struct call *call,
			int code)
{
	if (code && !writer->failed) {
		writer->failed = code;
		writer->error = call->error;
	}
	return code;
}

static int writer_stuck(struct store_writer *writer, struct call *call)
{
	if (writer->failed)
		call->error = writer->error;
	return writer->failed;
}

int store_writer_write(struct store_writer *writer,
		       struct store_context *context, const void *data,
		       size_t length, struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, writer->store, "write", context);

	if (!code)
		code = writer_stuck(writer, &call);
	if (!code && length) {
		if (writer->upload)
			code = call.ops->upload_write(call.self, call.context,
						      writer->upload, data,
						      length, &call.error);
		else
			code = spool_write(writer->spool, data, length,
					   &call.error);
		code = writer_stick(writer, &call, code);
	}
	if (!code)
		store_context_progress(context);
	else
		call.key = strdup(writer->key);
	return call_end(&call, code, error);
}

static int writer_finish(struct call *call, struct store_writer *writer,
			 struct store_info *info)
{
	struct backend_put_request request;
	void *upload = steal_pointer(&writer->upload);

	core_put_request(&request, writer->key, NULL, &writer->held.options);
	if (upload)
		return call->ops->upload_commit(call->self, call->context,
						upload, &request, info,
						&call->error);
	request.source = spool_source(writer->spool);
	return call->ops->put(call->self, call->context, &request, info,
			      &call->error);
}

int store_writer_commit(struct store_writer *writer,
			struct store_context *context, struct store_info *info,
			struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, writer->store, "write", context);

	if (!code)
		code = writer_stuck(writer, &call);
	if (!code)
		code = writer_finish(&call, writer, &found);
	if (!code)
		call_info(&call, &found, info);
	call.key = steal_pointer(&writer->key);
	store_writer_discard(writer);
	return call_end(&call, code, error);
}

void store_writer_discard(struct store_writer *writer)
{
	struct backend *backend;

	if (!writer)
		return;
	backend = &writer->store->backend;
	if (writer->upload)
		backend->ops->upload_abort(backend->self, writer->upload);
	writer_free(writer);
}
