// SPDX-License-Identifier: MIT
/*
 * Copying inside the bucket, and what is made of it: copies, moves, and
 * changes of attributes, which are a copy onto itself with other headers.
 *
 * A move is a copy and a removal: killed between the two it leaves both.
 *
 * Called through the table.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <string.h>

#include "backends/s3/sign.h"
#include "src/base/xml.h"

static const struct http_body no_body = { .size = 0 };

/* Somebody else wrote between the look and the copy: look again. */
enum { TRIES = 5 };

/* ---- one object ---- */

static int on_result(void *arg, const char *path, const char *text,
		     struct store_error *error)
{
	if (strcmp(path, "CopyObjectResult/ETag") != 0)
		return STORE_OK;
	return s3_version_of_etag(text, arg, error);
}

static void copy_source(struct s3 *s3, struct s3_call *call,
			const struct s3_copy *copy, bool pinned)
{
	CLEANUP_BUF struct buf name = BUF_INIT(8192);

	s3_encode(&name, s3->settings.bucket, false);
	buf_add_char(&name, '/');
	s3_encode(&name, copy->from, true);
	s3_call_header(call, "x-amz-copy-source", "%s", buf_text(&name));
	if (pinned)
		s3_call_header(call, "x-amz-copy-source-if-match", "\"%s\"",
			       copy->source->info.version.token);
	s3_call_header(call, "x-amz-metadata-directive", "REPLACE");
	s3_call_customer_key(s3, call, "x-amz-copy-source-");
}

static int copy_object(struct s3 *s3, struct store_context *context,
		       const struct s3_copy *copy, bool pinned,
		       struct store_info *info, struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "PUT", copy->to);
	call.idempotent = copy->precondition.condition == STORE_IF_ANY;
	call.body = &no_body;
	copy_source(s3, &call, copy, pinned);
	s3_condition_add(&call, &copy->precondition, copy->honoured,
			 S3_COPY_ABSENT, S3_COPY_MATCH);
	code = s3_meta_add(s3, &call, &copy->meta, info, error);
	if (!code)
		code = s3_send(s3, context, &call, error);
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_result,
				 &info->version, error);
	s3_call_release(&call);
	return code;
}

static int copy_whole(struct s3 *s3, struct store_context *context,
		      const struct s3_copy *copy, struct store_info *info,
		      struct store_error *error)
{
	const struct store_version *version = &copy->source->info.version;
	struct store_error own = STORE_ERROR_INIT;
	struct s3_object now;
	int code = copy_object(s3, context, copy, true, info, &own);

	if (code == STORE_CHANGED &&
	    s3_is_mistaken(s3, context, copy->from, version)) {
		code = copy_object(s3, context, copy, false, info, &own);
		/* Was it that version to the end? */
		if (!code && strcmp(copy->from, copy->to) != 0)
			code = s3_head(s3, context, copy->from, version, &now,
				       &own);
		if (!code && strcmp(copy->from, copy->to) != 0)
			s3_object_release(&now);
	}
	if (code && error)
		*error = own;
	return code;
}

struct ranges {
	const struct s3_copy *copy;
	uint64_t size; /* of each */
	uint64_t at;
	unsigned int number;
};

static bool next_range(void *arg, struct s3_part *part)
{
	struct ranges *ranges = arg;
	const struct store_info *info = &ranges->copy->source->info;
	uint64_t left = info->size - ranges->at;

	if (!left)
		return false;
	*part = (struct s3_part){
		.number = ++ranges->number,
		.range = { ranges->at,
			   left < ranges->size ? left : ranges->size },
		.from = ranges->copy->from,
		.version = &info->version,
	};
	ranges->at += part->range.length;
	return true;
}

static int copy_ranges(struct s3_upload *upload, const struct s3_copy *copy,
		       uint64_t size, struct store_error *error)
{
	struct ranges ranges = { .copy = copy, .size = size };

	return s3_upload_beside(upload, NULL, HTTP_AT_ONCE, next_range, &ranges,
				error);
}

static int copy_in_parts(struct s3 *s3, struct store_context *context,
			 const struct s3_copy *copy, struct store_info *info,
			 struct store_error *error)
{
	struct s3_upload upload = {
		.s3 = s3,
		.context = context,
		.object = copy->to,
		.copies = true,
	};
	uint64_t part = s3_part_size(s3, copy->source->info.size);
	struct s3_meta meta = copy->meta;
	CLEANUP_FREE char *tags = NULL;
	int code;

	if (part < s3->settings.copy_max / 4)
		part = s3->settings.copy_max / 4;
	code = s3_tags_read(s3, context, copy->from, copy->source, &tags,
			    error);
	meta.tags = tags;
	if (!code)
		code = s3_upload_begin(&upload, &meta, info, error);
	if (!code)
		code = copy_ranges(&upload, copy, part, error);
	if (!code)
		code = s3_upload_complete(&upload, &copy->precondition,
					  copy->honoured, info, error);
	if (code)
		s3_upload_abort(&upload);
	s3_upload_release(&upload);
	return code;
}

int s3_copy_object(struct s3 *s3, struct store_context *context,
		   const struct s3_copy *copy, struct store_info *info,
		   struct store_error *error)
{
	const struct store_info *from = &copy->source->info;

	*info = (struct store_info){
		.type = from->type,
		.links = 1,
		.size = from->size,
	};
	if (from->size > s3->settings.copy_max)
		return copy_in_parts(s3, context, copy, info, error);
	return copy_whole(s3, context, copy, info, error);
}

/* ---- copies and moves ---- */

struct transfer {
	struct s3 *s3;
	struct store_context *context;
	const struct backend_move_request *request;
	bool moves;
	char *from;
	char *to;
	struct s3_object source;
	struct store_precondition precondition;
	unsigned int honoured;
};

static int is_folder(struct store_error *error)
{
	return store_error_set(error, STORE_IS_DIR, "%s",
			       store_code_text(STORE_IS_DIR));
}

/* Will the server itself see which file has the name, or that one has? */
static bool server_sees_file(const struct transfer *transfer)
{
	unsigned int needed =
		transfer->precondition.condition == STORE_IF_ABSENT
			? S3_COPY_ABSENT
			: S3_COPY_MATCH;

	return (transfer->honoured & needed) &&
	       transfer->source.info.size <= transfer->s3->settings.copy_max;
}

static int check_no_folder(struct transfer *transfer, struct store_error *error)
{
	const char *to = transfer->request->to;
	CLEANUP_FREE char *folder = NULL;
	struct s3_below below;
	int code;

	/* A name of full length cannot be that of a folder. */
	if (s3_object_name(transfer->s3, to, true, &folder, NULL))
		return STORE_OK;
	code = s3_below(transfer->s3, transfer->context, to, &below, error);
	if (!code && (below.marker || below.others))
		code = is_folder(error);
	return code;
}

/* A folder or a taken name; nothing is asked when neither matters. */
static int check_target(struct transfer *transfer, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3_object target = { .info = { .links = 1 } };
	int code;

	if (transfer->precondition.condition == STORE_IF_ANY)
		return STORE_OK;
	if (server_sees_file(transfer))
		return transfer->request->flags & BACKEND_COPY_SEEN
			       ? STORE_OK
			       : check_no_folder(transfer, error);
	code = s3_stat(transfer->s3, transfer->context, transfer->request->to,
		       &target.info, NULL, &own);
	if (!code && target.info.type == STORE_TYPE_FOLDER)
		return is_folder(error);
	if (code && code != STORE_NOT_FOUND) {
		*error = own;
		return code;
	}
	return s3_precondition(&transfer->precondition, code ? NULL : &target,
			       error);
}

/* Of the two conditions one did not hold: is the name taken? */
static int refused(struct transfer *transfer, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3_object target;
	int code;

	if (transfer->precondition.condition != STORE_IF_ABSENT ||
	    !(transfer->honoured & S3_COPY_ABSENT))
		return STORE_CHANGED;
	code = s3_head(transfer->s3, transfer->context, transfer->to, NULL,
		       &target, &own);
	if (code == STORE_NOT_FOUND)
		return STORE_CHANGED;
	if (code) {
		*error = own;
		return code;
	}
	s3_object_release(&target);
	return store_error_set(error, STORE_EXISTS, "%s",
			       store_code_text(STORE_EXISTS));
}

static int copy_once(struct transfer *transfer, struct store_info *info,
		     struct store_error *error)
{
	struct s3_copy copy = {
		.from = transfer->from,
		.to = transfer->to,
		.source = &transfer->source,
		.meta = {
			.type = STORE_TYPE_FILE,
			.from = &transfer->source,
			.publish = transfer->moves ? NULL
						   : transfer->request->publish,
			.keep_publish = transfer->moves,
			.keep_mtime = true,
			.copies = true,
		},
		.precondition = transfer->precondition,
		.honoured = transfer->honoured,
	};
	int code =
		s3_head_file(transfer->s3, transfer->context,
			     transfer->request->from, &transfer->source, error);

	if (code)
		return code;
	copy.meta.type = transfer->source.info.type;
	if (!transfer->moves && copy.meta.type != STORE_TYPE_FILE &&
	    !(transfer->request->flags & BACKEND_COPY_SYMLINKS))
		code = store_error_set(error, STORE_INVALID,
				       "is a %s, not a file",
				       store_type_name(copy.meta.type));
	if (!code && !transfer->moves)
		code = s3_precondition(&transfer->request->source,
				       &transfer->source, error);
	if (!code)
		code = check_target(transfer, error);
	if (!code) {
		code = s3_copy_object(transfer->s3, transfer->context, &copy,
				      info, error);
		/* Of what is there we know already. */
		if (code == STORE_NOT_SUPPORTED &&
		    !(copy.honoured & S3_KNOWN)) {
			copy.honoured = S3_KNOWN;
			store_error_clear(error);
			code = s3_copy_object(transfer->s3, transfer->context,
					      &copy, info, error);
		}
		if (code == STORE_CHANGED)
			code = refused(transfer, error);
	}
	s3_object_release(&transfer->source);
	return code;
}

static int remove_source(struct transfer *transfer, struct store_error *error)
{
	const struct s3_removal removal = {
		.object = transfer->from,
		.precondition = {
			.condition = STORE_IF_VERSION,
			.version = transfer->source.info.version,
		},
		.seen = &transfer->source.info,
	};

	return s3_remove_object(transfer->s3, transfer->context, &removal,
				error);
}

static int transfer_names(struct transfer *transfer, struct store_error *error)
{
	int code = s3_object_name(transfer->s3, transfer->request->from, false,
				  &transfer->from, error);

	if (!code)
		code = s3_object_name(transfer->s3, transfer->request->to,
				      false, &transfer->to, error);
	return code;
}

static int transfer_run(struct transfer *transfer, struct store_info *info,
			struct store_error *error)
{
	const struct backend_move_request *request = transfer->request;
	struct store_info made;
	int code = transfer_names(transfer, error);

	transfer->precondition = request->precondition;
	if (!(request->flags & BACKEND_MOVE_REPLACE))
		transfer->precondition.condition = STORE_IF_ABSENT;
	if (!code && transfer->precondition.condition != STORE_IF_ANY)
		code = s3_honoured(transfer->s3, transfer->context,
				   &transfer->honoured, error);
	else
		transfer->honoured = atomic_load(&transfer->s3->honoured);
	if (!code)
		code = copy_once(transfer, &made, error);
	if (!code && transfer->moves)
		code = remove_source(transfer, error);
	if (!code)
		*info = made;
	free(transfer->from);
	free(transfer->to);
	return code;
}

int s3_move(void *self, struct store_context *context,
	    const struct backend_move_request *request, struct store_info *info,
	    struct store_error *error)
{
	struct transfer transfer = {
		.s3 = self,
		.context = context,
		.request = request,
		.moves = true,
	};

	return transfer_run(&transfer, info, error);
}

int s3_copy_file(void *self, struct store_context *context,
		 const struct backend_move_request *request,
		 struct store_info *info, struct store_error *error)
{
	struct transfer transfer = {
		.s3 = self,
		.context = context,
		.request = request,
	};

	return transfer_run(&transfer, info, error);
}

/* ---- attributes ---- */

/* A marker has no bytes worth a copy. */
static int set_of_folder(struct s3 *s3, struct store_context *context,
			 const char *folder, bool marker,
			 const struct s3_meta *change, struct store_info *info,
			 struct store_error *error)
{
	struct s3_object found = { .info = { .links = 1 } };
	struct s3_meta meta = *change;
	struct s3_call call;
	int code = STORE_OK;

	meta.type = STORE_TYPE_FOLDER;
	if (marker) {
		code = s3_head(s3, context, folder, NULL, &found, error);
		meta.from = &found;
	}
	if (code)
		return code;
	*info = (struct store_info){ .type = STORE_TYPE_FOLDER, .links = 1 };
	s3_call_init(&call, "PUT", folder);
	call.body = &no_body;
	code = s3_meta_add(s3, &call, &meta, info, error);
	if (!code)
		code = s3_send(s3, context, &call, error);
	if (!code)
		code = s3_version_of_etag(s3_call_answer(&call, "etag"),
					  &info->version, error);
	s3_call_release(&call);
	s3_object_release(&found);
	return code;
}

/* Beginning with what was found there; the caller releases that. */
static int set_of_file(struct s3 *s3, struct store_context *context,
		       const char *object, struct s3_object *found,
		       const struct s3_meta *change, struct store_info *info,
		       struct store_error *error)
{
	struct s3_copy copy = {
		.from = object,
		.to = object,
		.source = found,
		.meta = *change,
	};
	int code;

	copy.meta.from = found;
	copy.meta.type = found->info.type;
	code = s3_copy_object(s3, context, &copy, info, error);
	for (int i = 1; code == STORE_CHANGED && i < TRIES; i++) {
		struct s3_object now;

		code = s3_head(s3, context, object, NULL, &now, error);
		if (code)
			return code;
		s3_object_release(found);
		*found = now;
		copy.meta.type = now.info.type;
		code = s3_copy_object(s3, context, &copy, info, error);
	}
	return code;
}

/* Is there a file, a folder with its marker, or one without? */
static int set_of_any(struct s3 *s3, struct store_context *context,
		      const char *key, const struct s3_meta *change,
		      struct store_info *info, struct store_error *error)
{
	CLEANUP_FREE char *object = NULL;
	CLEANUP_FREE char *folder = NULL;
	struct s3_object there;
	int code = s3_object_name(s3, key, false, &object, error);

	if (!code)
		code = s3_find(s3, context, key, &there, error);
	if (code)
		return code;
	if (there.info.type != STORE_TYPE_FOLDER) {
		code = set_of_file(s3, context, object, &there, change, info,
				   error);
		s3_object_release(&there);
		return code;
	}
	code = s3_object_name(s3, key, true, &folder, error);
	if (!code && !*folder)
		code = store_error_set(error, STORE_NOT_SUPPORTED,
				       "a bucket has no attributes");
	if (!code)
		code = set_of_folder(s3, context, folder, !there.info.implicit,
				     change, info, error);
	return code;
}

int s3_change(struct s3 *s3, struct store_context *context, const char *key,
	      const struct s3_meta *change, struct store_info *info,
	      struct store_error *error)
{
	struct s3_meta meta = *change;
	struct store_info made;
	int code;

	meta.keep_publish = true;
	meta.keep_mtime = true;
	meta.copies = true;
	code = set_of_any(s3, context, key, &meta, &made, error);
	if (!code)
		*info = made;
	return code;
}

int s3_set_attributes(void *self, struct store_context *context,
		      const char *key,
		      const struct store_attributes *attributes,
		      struct store_info *info, struct store_error *error)
{
	const struct s3_meta change = { .attributes = attributes };

	return s3_change(self, context, key, &change, info, error);
}
