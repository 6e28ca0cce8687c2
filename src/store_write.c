// SPDX-License-Identifier: MIT
/*
 * Writing whole: files, folders, nodes, links; and the checks that streams
 * and copies share.
 *
 * Called through <storefs/store.h>; calls the backend once, except for the
 * checks ahead of a long transfer.
 */
#include "config.h"

#include "src/store_core.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/key.h"

/* ---- checks ---- */

static int check_ranges(struct call *call,
			const struct store_write_options *options,
			uint64_t size)
{
	uint64_t at = 0;
	int code;

	if (!options->range_count)
		return STORE_OK;
	code = call_needs(call, STORE_CAP_COMPOSE);
	if (code)
		return code;
	if (options->precondition.condition != STORE_IF_VERSION)
		return store_error_set(&call->error, STORE_INVALID,
				       "ranges are kept of no version");
	for (size_t i = 0; i < options->range_count; i++) {
		const struct store_range *range = &options->ranges[i];

		if (range->offset < at || range->offset > size ||
		    range->length > size - range->offset)
			return store_error_set(&call->error, STORE_INVALID,
					       "kept range %zu is out of order "
					       "or of bounds",
					       i);
		at = range->offset + range->length;
	}
	return STORE_OK;
}

int core_check_write(struct call *call,
		     const struct store_write_options *options, uint64_t size)
{
	uint64_t needed = STORE_CAP_WRITE;
	int code;

	if (!options)
		return call_needs(call, needed);
	/* Bad metadata is INVALID also where none is supported. */
	if (options->metadata) {
		code = store_metadata_check(options->metadata, &call->error);
		if (code)
			return code;
		if (options->metadata->count)
			needed |= STORE_CAP_USER_METADATA;
	}
	if (options->xattr_count)
		needed |= STORE_CAP_XATTR;
	if (options->precondition.condition == STORE_IF_VERSION &&
	    !options->precondition.version.token[0])
		return store_error_set(&call->error, STORE_INVALID,
				       "an empty version as condition");
	code = call_needs(call, needed);
	return code ? code : check_ranges(call, options, size);
}

void core_put_request(struct backend_put_request *request, const char *key,
		      struct store_source *source,
		      const struct store_write_options *options)
{
	*request = (struct backend_put_request){
		.key = key,
		.source = source,
		.precondition.condition = STORE_IF_ABSENT,
	};
	if (!options)
		return;
	request->precondition = options->precondition;
	request->flags = options->keep ? BACKEND_PUT_KEEP : 0;
	request->attributes = options->attributes;
	request->metadata = options->metadata;
	request->content_type = options->content_type;
	request->xattrs = options->xattrs;
	request->xattr_count = options->xattr_count;
	request->id = options->id;
	request->publish = options->publish;
	request->keep = options->ranges;
	request->keep_count = options->range_count;
	request->resume = options->resume;
}

static int check_found(struct call *call, const struct store_info *info,
		       const struct store_precondition *precondition)
{
	if (info->type == STORE_TYPE_FOLDER)
		return call_fail(call, STORE_IS_DIR);
	if (precondition->condition == STORE_IF_ABSENT)
		return call_fail(call, STORE_EXISTS);
	if (precondition->condition == STORE_IF_VERSION &&
	    !store_version_equal(&info->version, &precondition->version))
		return call_fail(call, STORE_CHANGED);
	return STORE_OK;
}

/* The nearest ancestor that exists must be a folder. */
static int check_parents(struct call *call, const char *key)
{
	CLEANUP_FREE char *parent = strdup(key);

	if (!parent)
		return call_fail(call, STORE_NO_MEMORY);
	for (;;) {
		struct store_info info = { .links = 1 };
		int code;

		parent[key_parent_length(parent)] = '\0';
		if (key_is_root(parent))
			return STORE_OK;
		code = core_stat(call, parent, &info, NULL);
		if (code == STORE_NOT_FOUND)
			continue;
		if (!code && info.type != STORE_TYPE_FOLDER)
			code = call_fail(call, STORE_NOT_DIR);
		return code;
	}
}

int core_check_target(struct call *call, const char *key,
		      const struct store_precondition *precondition)
{
	struct store_info info = { .links = 1 };
	int code;

	if (!call_has(call, STORE_CAP_METADATA))
		return STORE_OK;
	code = core_stat(call, key, &info, NULL);
	if (!code)
		return check_found(call, &info, precondition);
	if (code != STORE_NOT_FOUND)
		return code;
	if (precondition->condition == STORE_IF_VERSION)
		return code;
	/* Where folders are only names, `a` and `a/b` can both be files. */
	code = call_has(call, STORE_CAP_FOLDERS) ? check_parents(call, key)
						 : STORE_OK;
	if (!code)
		store_error_clear(&call->error);
	return code;
}

/* ---- files ---- */

int store_write(struct store *store, struct store_context *context,
		const char *key, struct store_source *source,
		const struct store_write_options *options,
		struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct backend_put_request request;
	struct call call;
	int code = call_begin(&call, store, "write", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = core_check_write(&call, options, source->size);
	if (!code) {
		core_put_request(&request, call.key, source, options);
		code = call.ops->put(call.self, call.context, &request, &found,
				     &call.error);
	}
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

static int check_ahead(struct call *call, const struct store_source *source,
		       const struct store_write_options *options,
		       const struct store_range *range)
{
	int code = call_needs(call, STORE_CAP_RESUME);

	if (!code && !call->ops->put_ahead)
		code = call_fail(call, STORE_NOT_SUPPORTED);
	if (!code)
		code = core_check_write(call, options, source->size);
	if (code)
		return code;
	if (!options || !options->resume || options->range_count)
		return store_error_set(&call->error, STORE_INVALID,
				       "nothing of this can be sent ahead");
	if (range->offset > source->size ||
	    range->length > source->size - range->offset)
		return store_error_set(&call->error, STORE_INVALID,
				       "a range behind the end of its source");
	return STORE_OK;
}

int store_send_ahead(struct store *store, struct store_context *context,
		     const char *key, struct store_source *source,
		     const struct store_write_options *options,
		     struct store_range *range, struct store_error *error)
{
	struct backend_put_request request;
	struct call call;
	int code = call_begin(&call, store, "send ahead", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = check_ahead(&call, source, options, range);
	if (!code) {
		core_put_request(&request, call.key, source, options);
		code = call.ops->put_ahead(call.self, call.context, &request,
					   range, &call.error);
	}
	return call_end(&call, code, error);
}

int store_drop_upload(struct store *store, struct store_context *context,
		      const char *key, const char *token,
		      struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "drop an upload", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE | STORE_CAP_RESUME);
	if (!code)
		code = call.ops->drop_upload(call.self, call.context, call.key,
					     token, &call.error);
	return call_end(&call, code, error);
}

/* ---- folders, nodes, links ---- */

static int make_folder(struct store *store, struct store_context *context,
		       const char *key,
		       const struct store_attributes *attributes, bool missing,
		       struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "make folder", context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE);
	if (!code && !call_has(&call, STORE_CAP_MARKERS))
		code = call_needs(&call, STORE_CAP_FOLDERS);
	if (!code && key_is_root(call.key))
		code = call_fail(&call, STORE_EXISTS);
	if (!code)
		code = (missing && call.ops->make_missing_dir
				? call.ops->make_missing_dir
				: call.ops->make_dir)(call.self, call.context,
						      call.key, attributes,
						      &found, &call.error);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

int store_make_folder(struct store *store, struct store_context *context,
		      const char *key,
		      const struct store_attributes *attributes,
		      struct store_info *info, struct store_error *error)
{
	return make_folder(store, context, key, attributes, false, info, error);
}

int store_make_missing_folder(struct store *store,
			      struct store_context *context, const char *key,
			      const struct store_attributes *attributes,
			      struct store_info *info,
			      struct store_error *error)
{
	return make_folder(store, context, key, attributes, true, info, error);
}

static int check_node(struct call *call, const struct store_node *node)
{
	switch (node->type) {
	case STORE_TYPE_SYMLINK:
		if (!node->target || !*node->target)
			return store_error_set(&call->error, STORE_INVALID,
					       "a symlink without a target");
		return call_needs(call, STORE_CAP_WRITE | STORE_CAP_SYMLINKS);
	case STORE_TYPE_FIFO:
	case STORE_TYPE_SOCKET:
	case STORE_TYPE_CHAR:
	case STORE_TYPE_BLOCK:
		return call_needs(call, STORE_CAP_WRITE | STORE_CAP_NODES);
	default:
		return store_error_set(&call->error, STORE_INVALID,
				       "not a type of node");
	}
}

int store_make_node(struct store *store, struct store_context *context,
		    const char *key, const struct store_node *node,
		    struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct backend_node_request request = {
		.type = node->type,
		.target = node->target,
		.rdev = node->rdev,
		.attributes = node->attributes,
	};
	struct call call;
	int code = call_begin(&call, store, "make node", context);

	if (!code)
		code = call_key(&call, key, CALL_NO_ROOT);
	if (!code)
		code = check_node(&call, node);
	request.key = call.key;
	if (!code)
		code = call.ops->make_node(call.self, call.context, &request,
					   &found, &call.error);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

int store_link(struct store *store, struct store_context *context,
	       const char *from, const char *to, struct store_info *info,
	       struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "link", context);

	if (!code)
		code = call_keys(&call, from, to);
	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE | STORE_CAP_LINKS);
	if (!code)
		code = call.ops->link(call.self, call.context, call.key,
				      call.to, &found, &call.error);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}
