// SPDX-License-Identifier: MIT
/*
 * Putting a file: in one request, or in parts when it is large or keeps
 * ranges of the version before.  Either way it appears in one step.
 *
 * A condition goes along where the server honours it; else it is checked
 * just before (conditions.c).  An answer "precondition failed" may be that
 * to a second sending of a put that had arrived: the id of the put tells.
 *
 * Called through the table.
 */
#include "config.h"

#include "backends/s3/compose.h"
#include "backends/s3/s3.h"

/* Two conditional puts at one moment: the server asks to try again. */
enum { CONFLICTS = 5 };
/* Of one upload, while no answer comes. */
enum { COMPLETIONS = 3 };

struct put {
	struct s3 *s3;
	struct store_context *context;
	const struct backend_put_request *request;
	enum store_type type;
	char *object;
	bool has_old;
	struct s3_object old; /* what is there, when somebody has to know */
	struct s3_meta meta;
	struct s3_mixed mixed;
	struct store_source *source;
	unsigned int honoured;
	bool early;	/* parts went ahead, in an upload of this put */
	bool unstamped; /* `old` or what is complete says what was known then */
};

/* ---- before ---- */

static unsigned int condition_bit(const struct put *put, unsigned int absent,
				  unsigned int match)
{
	switch (put->request->precondition.condition) {
	case STORE_IF_ABSENT:
		return absent;
	case STORE_IF_VERSION:
		return match;
	default:
		return 0;
	}
}

static bool is_mixed(const struct put *put)
{
	return put->source == &put->mixed.source;
}

static bool is_conditional(const struct put *put)
{
	return put->request->precondition.condition != STORE_IF_ANY;
}

/*
 * In parts?  Not when only a single put keeps the condition, as far as one
 * can hold the file.
 */
static bool goes_in_parts(const struct put *put)
{
	uint64_t size = put->source->size;
	unsigned int single = condition_bit(put, S3_PUT_ABSENT, S3_PUT_MATCH);
	unsigned int parts =
		condition_bit(put, S3_COMPLETE_ABSENT, S3_COMPLETE_MATCH);

	if (put->request->keep_count && size > S3_PART_MIN)
		return true;
	if (size <= put->s3->settings.single_max)
		return false;
	return size > S3_PART_MAX || !(put->honoured & single) ||
	       put->honoured & parts;
}

static bool needs_old(const struct put *put)
{
	unsigned int bit =
		goes_in_parts(put)
			? condition_bit(put, S3_COMPLETE_ABSENT,
					S3_COMPLETE_MATCH)
			: condition_bit(put, S3_PUT_ABSENT, S3_PUT_MATCH);

	return put->request->flags & BACKEND_PUT_KEEP ||
	       put->request->keep_count ||
	       (is_conditional(put) && !(put->honoured & bit));
}

static int look(struct put *put, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	int code;

	if (put->has_old)
		s3_object_release(&put->old);
	put->has_old = false;
	code = s3_head(put->s3, put->context, put->object, NULL, &put->old,
		       &own);
	put->has_old = !code;
	if (code && code != STORE_NOT_FOUND) {
		*error = own;
		return code;
	}
	return STORE_OK;
}

static void prepare_meta(struct put *put)
{
	const struct backend_put_request *request = put->request;

	put->meta = (struct s3_meta){
		.type = put->type,
		.attributes = request->attributes,
		.metadata = request->metadata,
		.content_type = request->content_type,
		.publish = request->publish,
		.xattrs = request->xattrs,
		.xattr_count = request->xattr_count,
	};
	if (request->flags & BACKEND_PUT_KEEP && put->has_old)
		put->meta.from = &put->old;
}

static int prepare(struct put *put, struct store_error *error)
{
	const struct backend_put_request *request = put->request;
	int code = s3_object_name(put->s3, request->key, false, &put->object,
				  error);

	put->source = request->source;
	if (!code && put->source->size > S3_SIZE_MAX)
		code = store_error_set(error, STORE_TOO_LARGE,
				       "S3 holds files of at most 5 TiB");
	if (!code && is_conditional(put))
		code = s3_honoured(put->s3, put->context, &put->honoured,
				   error);
	if (!code && needs_old(put)) {
		code = look(put, error);
		if (!code)
			code = s3_precondition(&request->precondition,
					       put->has_old ? &put->old : NULL,
					       error);
	}
	/* Also for what has arrived, and is to be stamped. */
	prepare_meta(put);
	if (code)
		return code;
	if (request->keep_count && put->has_old) {
		put->mixed = (struct s3_mixed){
			.s3 = put->s3,
			.context = put->context,
			.object = put->object,
			.version = &request->precondition.version,
			.old_size = put->old.info.size,
			.fresh = request->source,
			.keep = request->keep,
			.keep_count = request->keep_count,
		};
		s3_mixed_init(&put->mixed);
		put->source = &put->mixed.source;
	}
	return STORE_OK;
}

/* ---- sending ---- */

static int put_whole(struct put *put, struct store_info *info,
		     struct store_error *error)
{
	struct s3_body body;
	struct s3_call call;
	int code;

	s3_call_init(&call, "PUT", put->object);
	call.idempotent = !is_conditional(put);
	s3_body_init(&body, put->source, 0, put->source->size);
	code = s3_meta_add(put->s3, &call, &put->meta, info, error);
	/* A server that is not known yet is asked in the words of S3. */
	s3_condition_add(&call, &put->request->precondition,
			 put->honoured & S3_KNOWN ? put->honoured
						  : S3_PUT_MATCH,
			 S3_PUT_ABSENT, S3_PUT_MATCH);
	if (!code && is_mixed(put))
		code = s3_mixed_hold(
			&put->mixed,
			&(struct store_range){ 0, put->source->size }, error);
	if (!code)
		code = s3_body_attach(put->s3, &call, &body.body, error);
	if (!code)
		code = s3_send(put->s3, put->context, &call, error);
	if (!code)
		code = s3_version_of_etag(s3_call_answer(&call, "etag"),
					  &info->version, error);
	s3_call_release(&call);
	s3_mixed_drop(&put->mixed);
	return code;
}

/* The part that begins at `at`, of the number it has. */
static void plan_part(struct put *put, const struct s3_upload *upload,
		      uint64_t at, struct s3_part *part)
{
	uint64_t left = put->source->size - at;
	uint64_t size = s3_upload_part_size(upload, part->number);
	struct s3_piece piece = {
		.range = { at, left < size ? left : size },
	};

	if (is_mixed(put))
		s3_mixed_piece(&put->mixed, at, size, &piece);
	*part = (struct s3_part){
		.number = part->number,
		.range = piece.range,
		.from = piece.kept ? put->object : NULL,
		.version = put->mixed.version,
	};
}

static int hold_part(struct put *put, const struct s3_part *part,
		     struct store_error *error)
{
	if (!is_mixed(put) || part->from)
		return STORE_OK;
	return s3_mixed_hold(&put->mixed, &part->range, error);
}

struct parts {
	struct put *put;
	const struct s3_upload *upload;
	uint64_t at;
	unsigned int number;
};

static bool next_part(void *arg, struct s3_part *part)
{
	struct parts *parts = arg;

	if (parts->at == parts->put->source->size)
		return false;
	part->number = ++parts->number;
	plan_part(parts->put, parts->upload, parts->at, part);
	parts->at += part->range.length;
	return true;
}

/* In batches: what is mixed for one is held in memory until it has gone. */
static int send_mixed(struct put *put, struct s3_upload *upload,
		      struct store_error *error)
{
	struct s3_part parts[HTTP_AT_ONCE];
	unsigned int number = 0;
	size_t count = 0;
	uint64_t at = 0;

	s3_mixed_plan(&put->mixed, upload->part_size);
	while (at < put->source->size) {
		struct s3_part *part = &parts[count++];
		int code;

		part->number = ++number;
		plan_part(put, upload, at, part);
		at += part->range.length;
		code = hold_part(put, part, error);
		if (code)
			return code;
		if (count < HTTP_AT_ONCE && at < put->source->size &&
		    !s3_mixed_is_full(&put->mixed))
			continue;
		code = s3_upload_parts(upload, put->source, parts, count,
				       error);
		s3_mixed_drop(&put->mixed);
		if (code)
			return code;
		count = 0;
	}
	return STORE_OK;
}

static int send_parts(struct put *put, struct s3_upload *upload,
		      struct store_error *error)
{
	struct parts parts = { .put = put, .upload = upload };
	uint64_t count = put->source->size / upload->part_size + 1;

	if (is_mixed(put))
		return send_mixed(put, upload, error);
	return s3_upload_beside(upload, put->source, (size_t)count, next_part,
				&parts, error);
}

/* Was it this very put that had arrived before? */
static bool is_ours(struct put *put, struct store_info *info)
{
	bool early;

	if (!put->request->publish || !put->has_old)
		return false;
	early = put->early &&
		s3_object_is_early(&put->old, put->request->publish);
	if (!early && !s3_object_is_of(&put->old, put->request->publish))
		return false;
	put->unstamped = early;
	*info = put->old.info;
	return true;
}

/*
 * Whose version is there, when nobody knows whether ours has arrived?  One
 * without an id cannot be told; false also when nobody can be asked.
 */
static bool has_arrived(struct put *put, struct store_info *info)
{
	struct store_error own = STORE_ERROR_INIT;

	return put->request->publish && !look(put, &own) && is_ours(put, info);
}

/*
 * There is no such upload (or no such file, of which a version was wanted): it
 * was completed by a request whose answer is lost, or somebody aborted it.
 */
static int upload_is_gone(struct put *put, struct store_info *info,
			  struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	int code = look(put, &own);

	if (code) {
		*error = own;
		return code;
	}
	if (is_ours(put, info)) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (!put->has_old &&
	    put->request->precondition.condition == STORE_IF_VERSION)
		return STORE_NOT_FOUND;
	code = store_error_set(error, STORE_UNAVAILABLE,
			       "the upload is not there any more");
	error->detail = 404;
	return code;
}

/*
 * Without an answer the completion is sent again, which costs little beside
 * the parts.
 */
static int complete(struct put *put, struct s3_upload *upload,
		    struct store_info *info, struct store_error *error)
{
	int code = STORE_OK;

	for (int i = 0; i < COMPLETIONS; i++) {
		code = s3_upload_complete(upload, &put->request->precondition,
					  put->honoured, info, error);
		if (code == STORE_NOT_FOUND)
			return upload_is_gone(put, info, error);
		if (!upload->uncertain)
			return code;
		if (has_arrived(put, info)) {
			store_error_clear(error);
			return STORE_OK;
		}
	}
	return code;
}

static int begin_parts(struct put *put, struct s3_upload *upload,
		       struct store_info *info, struct store_error *error)
{
	const struct s3_plan plan = {
		.size = put->source->size,
		.precondition = &put->request->precondition,
		.keep = put->request->keep,
		.keep_count = upload->copies ? put->request->keep_count : 0,
	};

	if (upload->resume)
		return s3_upload_resume(upload, &put->meta, &plan, info, error);
	upload->part_size = s3_part_size(put->s3, plan.size);
	return s3_upload_begin(upload, &put->meta, info, error);
}

static int stamp(struct put *put, struct store_info *info,
		 struct store_error *error)
{
	int code = s3_stamp(put->s3, put->context, put->object, &put->meta,
			    info, error);

	put->unstamped = code;
	return code;
}

/* All but the beginning. */
static int finish_parts(struct put *put, struct s3_upload *upload,
			struct store_info *info, struct store_error *error)
{
	int code = send_parts(put, upload, error);

	if (code && upload->gone)
		return upload_is_gone(put, info, error);
	/* What took long to send is looked at once more. */
	if (!code && is_conditional(put) &&
	    !(put->honoured &
	      condition_bit(put, S3_COMPLETE_ABSENT, S3_COMPLETE_MATCH))) {
		code = look(put, error);
		if (!code)
			code = s3_precondition(&put->request->precondition,
					       put->has_old ? &put->old : NULL,
					       error);
	}
	return code ? code : complete(put, upload, info, error);
}

static int put_in_parts(struct put *put, struct store_info *info,
			struct store_error *error)
{
	struct s3_upload upload = {
		.s3 = put->s3,
		.context = put->context,
		.object = put->object,
		.copies = is_mixed(put),
		.resume = put->request->resume,
	};
	int code = begin_parts(put, &upload, info, error);
	bool arrived = !code && upload.gone && has_arrived(put, info);

	if (!code && upload.gone && !arrived)
		code = begin_parts(put, &upload, info, error);
	if (!code && !arrived)
		code = finish_parts(put, &upload, info, error);
	if (!code && !arrived && upload.open)
		put->unstamped = true;
	if (!code && put->unstamped)
		code = stamp(put, info, error);
	/* What can go on is left to the caller. */
	if (code && !upload.resume)
		s3_upload_abort(&upload);
	if (!code && upload.resume)
		upload.resume->token[0] = '\0';
	s3_upload_release(&upload);
	return code;
}

/* ---- after ---- */

/* The server says that the condition does not hold. */
static int settle(struct put *put, struct store_info *info,
		  struct store_error *error)
{
	const struct store_precondition *precondition =
		&put->request->precondition;
	int code = look(put, error);

	if (code)
		return code;
	if (is_ours(put, info)) {
		store_error_clear(error);
		return STORE_OK;
	}
	/* With nothing there it was the source that has changed. */
	if (precondition->condition == STORE_IF_ABSENT)
		return put->has_old
			       ? store_error_set(error, STORE_EXISTS, "%s",
						 store_code_text(STORE_EXISTS))
			       : STORE_CHANGED;
	if (!put->has_old)
		return store_error_set(error, STORE_NOT_FOUND, "%s",
				       store_code_text(STORE_NOT_FOUND));
	return store_error_set(error, STORE_CHANGED,
			       "another version is there");
}

static int put_once(struct put *put, struct store_info *info,
		    struct store_error *error)
{
	*info = (struct store_info){
		.type = put->type,
		.links = 1,
		.size = put->source->size,
	};
	if (goes_in_parts(put))
		return put_in_parts(put, info, error);
	return put_whole(put, info, error);
}

static int put_patiently(struct put *put, struct store_info *info,
			 struct store_error *error)
{
	int code = put_once(put, info, error);

	for (int i = 0;
	     i < CONFLICTS && code == STORE_UNAVAILABLE && error->detail == 409;
	     i++)
		code = put_once(put, info, error);
	return code;
}

/*
 * A server that is not known yet refused the condition of a version: because
 * it does not hold, or because the server has other words for it, or none.
 */
static bool is_misunderstood(struct put *put, int code)
{
	struct store_error own = STORE_ERROR_INIT;
	const struct store_precondition *precondition =
		&put->request->precondition;

	if (put->honoured & S3_KNOWN ||
	    precondition->condition != STORE_IF_VERSION)
		return false;
	if (code == STORE_NOT_SUPPORTED)
		return true;
	return code == STORE_CHANGED && !look(put, &own) &&
	       !s3_precondition(precondition, put->has_old ? &put->old : NULL,
				NULL);
}

/* Its words are found out, and the put is sent with them. */
static int put_as_understood(struct put *put, struct store_info *info,
			     struct store_error *error)
{
	int code = s3_probe(put->s3, put->context, error);

	if (code)
		return code;
	/* Where nothing can be tried out it was checked just before. */
	put->honoured = atomic_load(&put->s3->honoured) | S3_KNOWN;
	store_error_clear(error);
	return put_patiently(put, info, error);
}

/*
 * Nobody knows whether it arrived: whose version is there?  Ceph answers so to
 * the loser of two puts at one moment, too; that is told as what it is.
 */
static int settle_unknown(struct put *put, struct store_info *info, int code,
			  struct store_error *error)
{
	int held = STORE_OK;

	if (has_arrived(put, info)) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (error->detail && put->has_old &&
	    put->request->precondition.condition == STORE_IF_VERSION)
		held = s3_precondition(&put->request->precondition, &put->old,
				       error);
	return held ? held : code;
}

static int run(struct put *put, struct store_info *info,
	       struct store_error *error)
{
	int code = put_patiently(put, info, error);

	if (is_misunderstood(put, code))
		code = put_as_understood(put, info, error);
	/* A server that knows no conditions says so. */
	if (code == STORE_NOT_SUPPORTED && is_conditional(put) &&
	    !(put->honoured & S3_KNOWN)) {
		put->honoured = S3_KNOWN;
		atomic_store(&put->s3->honoured, put->honoured);
		code = put_once(put, info, error);
	}
	if (code == STORE_CHANGED && is_conditional(put))
		code = settle(put, info, error);
	if (s3_is_unknown(code, error))
		code = settle_unknown(put, info, code, error);
	return code;
}

int s3_put_typed(struct s3 *s3, struct store_context *context,
		 const struct backend_put_request *request,
		 enum store_type type, struct store_info *info,
		 struct store_error *error)
{
	struct put put = {
		.s3 = s3,
		.context = context,
		.request = request,
		.type = type,
		.early = s3_resume_is_open(request->resume),
	};
	struct store_error own = STORE_ERROR_INIT;
	struct store_info made;
	int code = prepare(&put, &own);

	if (!code)
		code = run(&put, &made, &own);
	else if ((code == STORE_EXISTS || code == STORE_CHANGED) &&
		 is_ours(&put, &made))
		code = STORE_OK;
	if (!code && put.unstamped) {
		code = stamp(&put, &made, &own);
		/* It was completed before this call. */
		if (!code)
			request->resume->token[0] = '\0';
	}
	s3_mixed_drop(&put.mixed);
	if (put.has_old)
		s3_object_release(&put.old);
	free(put.object);
	if (code)
		*error = own;
	else
		*info = made;
	return code;
}

int s3_put(void *self, struct store_context *context,
	   const struct backend_put_request *request, struct store_info *info,
	   struct store_error *error)
{
	return s3_put_typed(self, context, request, STORE_TYPE_FILE, info,
			    error);
}

/* ---- ahead of a put ---- */

int s3_put_ahead(void *self, struct store_context *context,
		 const struct backend_put_request *request,
		 struct store_range *range, struct store_error *error)
{
	struct put put = {
		.s3 = self,
		.context = context,
		.request = request,
		.type = STORE_TYPE_FILE,
	};
	struct s3_upload upload = {
		.s3 = self,
		.context = context,
		.resume = request->resume,
	};
	int code;

	/* It may yet be small enough for a single put. */
	if (range->offset + range->length <= put.s3->settings.single_max) {
		range->length = 0;
		return STORE_OK;
	}
	code = prepare(&put, error);
	upload.object = put.object;
	if (!code && !goes_in_parts(&put))
		code = store_error_set(error, STORE_NOT_SUPPORTED,
				       "only a single put keeps the condition");
	if (!code)
		code = s3_upload_ahead(&upload, &put.meta, put.source, range,
				       error);
	s3_upload_release(&upload);
	if (put.has_old)
		s3_object_release(&put.old);
	free(put.object);
	return code;
}
