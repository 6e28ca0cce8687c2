// SPDX-License-Identifier: MIT
/*
 * Uploads in parts that nobody will complete: their parts cost money until
 * somebody aborts them.  A process that fails aborts its own; those of one
 * that was killed are found here, by their age.  S3 does not tell who began
 * an upload in words of ours, so it is for the user to say after how long
 * none below the root can be in use.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
 *
 * Of one object, those nobody heard of are found by their time, too (resume.c).
 *
 * Called by open and resume.c.
 */
#include "config.h"

#include "backends/s3/loop.h"
#include "backends/s3/s3.h"

#include <string.h>

#include "backends/s3/time.h"
#include "src/base/clock.h"
#include "src/base/xml.h"
#include "src/url.h"

enum { ANSWER_MAX = 16 << 20 };

struct sweep {
	struct s3 *s3;
	struct store_context *context;
	const char *prefix;
	int64_t before; /* seconds since 1970 */
	/* Or those of this object since then, without parts; NULL: not so. */
	const char *only;
	int64_t since;
	/* Of the upload at hand: */
	char *object;
	char *id;
	int64_t begun;
	/* Of the page: */
	char *next_object;
	char *next_id;
	bool truncated;
	struct s3_loop loop;
};

static int set_text(char **to, const char *text, struct store_error *error)
{
	free(*to);
	*to = strdup(text);
	return *to ? STORE_OK
		   : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static int on_part(void *arg, const char *path, const char *text,
		   struct store_error *error)
{
	bool *empty = arg;

	(void)text;
	(void)error;
	if (strcmp(path, "ListPartsResult/Part") == 0)
		*empty = false;
	return STORE_OK;
}

/* Has nothing been sent for it?  Then nothing is lost with it. */
static int is_empty(struct sweep *sweep, bool *empty, struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", sweep->object);
	s3_call_query(&call, "uploadId", sweep->id);
	s3_call_query(&call, "max-parts", "1");
	s3_call_customer_key(sweep->s3, &call, "x-amz-");
	code = s3_send(sweep->s3, sweep->context, &call, error);
	*empty = true;
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_part,
				 empty, error);
	s3_call_release(&call);
	return code;
}

static bool is_meant(const struct sweep *sweep)
{
	if (!sweep->object || !sweep->id || !sweep->begun)
		return false;
	return sweep->only ? strcmp(sweep->object, sweep->only) == 0 &&
				     sweep->begun >= sweep->since
			   : sweep->begun < sweep->before;
}

/* One that has ended meanwhile is as good as aborted. */
static int abort_upload(struct sweep *sweep, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	bool empty = true;
	struct s3_call call;
	int code = STORE_OK;

	if (!is_meant(sweep))
		return STORE_OK;
	if (sweep->only)
		code = is_empty(sweep, &empty, &own);
	if (code == STORE_NOT_FOUND || !empty)
		return STORE_OK;
	if (code) {
		*error = own;
		return code;
	}
	s3_call_init(&call, "DELETE", sweep->object);
	s3_call_query(&call, "uploadId", sweep->id);
	code = s3_send(sweep->s3, sweep->context, &call, &own);
	s3_call_release(&call);
	if (!code || code == STORE_NOT_FOUND)
		return STORE_OK;
	*error = own;
	return code;
}

static int take_member(struct sweep *sweep, const char *member,
		       const char *text, struct store_error *error)
{
	if (strcmp(member, "Key") == 0) {
		free(sweep->object);
		sweep->object = NULL;
		return s3_name_decode(text, true, &sweep->object, error);
	}
	if (strcmp(member, "UploadId") == 0)
		return set_text(&sweep->id, text, error);
	if (strcmp(member, "Initiated") == 0)
		sweep->begun = s3_time_parse(text).tv_sec;
	return STORE_OK;
}

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	static const char outer[] = "ListMultipartUploadsResult/";
	struct sweep *sweep = arg;
	int code;

	if (strncmp(path, outer, strlen(outer)) != 0)
		return STORE_OK;
	path += strlen(outer);
	if (strncmp(path, "Upload/", 7) == 0)
		return take_member(sweep, path + 7, text, error);
	if (strcmp(path, "IsTruncated") == 0)
		sweep->truncated = strcmp(text, "true") == 0;
	if (strcmp(path, "NextKeyMarker") == 0) {
		free(sweep->next_object);
		sweep->next_object = NULL;
		return s3_name_decode(text, true, &sweep->next_object, error);
	}
	if (strcmp(path, "NextUploadIdMarker") == 0)
		return set_text(&sweep->next_id, text, error);
	if (strcmp(path, "Upload") != 0)
		return STORE_OK;
	code = abort_upload(sweep, error);
	sweep->begun = 0;
	return code;
}

static int sweep_page(struct sweep *sweep, struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", NULL);
	call.body_max = ANSWER_MAX;
	s3_call_query(&call, "uploads", "");
	s3_call_query(&call, "encoding-type", "url");
	if (*sweep->prefix)
		s3_call_query(&call, "prefix", sweep->prefix);
	if (sweep->next_object)
		s3_call_query(&call, "key-marker", sweep->next_object);
	if (sweep->next_id)
		s3_call_query(&call, "upload-id-marker", sweep->next_id);
	sweep->truncated = false;
	code = s3_send(sweep->s3, sweep->context, &call, error);
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_element,
				 sweep, error);
	s3_call_release(&call);
	return code;
}

/* Has it come to an end, or to where it has been? */
static int look_ahead(struct sweep *sweep, bool *more,
		      struct store_error *error)
{
	CLEANUP_BUF struct buf place = BUF_INIT(16384);

	*more = sweep->truncated && sweep->next_object;
	if (!*more)
		return STORE_OK;
	buf_addf(&place, "%s\n%s", sweep->next_object,
		 sweep->next_id ? sweep->next_id : "");
	return s3_loop_step(&sweep->loop, buf_text(&place), error);
}

static int sweep_all(struct sweep *sweep, struct store_error *error)
{
	bool more = false;
	int code;

	do {
		code = sweep_page(sweep, error);
		if (!code)
			code = look_ahead(sweep, &more, error);
	} while (!code && more);
	s3_loop_release(&sweep->loop);
	free(sweep->object);
	free(sweep->id);
	free(sweep->next_object);
	free(sweep->next_id);
	return code;
}

int s3_abort_stale(struct s3 *s3, struct store_context *context,
		   struct store_error *error)
{
	int64_t age = s3->settings.stale_ns / NS_PER_SEC;
	struct sweep sweep = {
		.s3 = s3,
		.context = context,
		.prefix = s3->settings.root,
		.before = clock_now().tv_sec + atomic_load(&s3->skew) - age,
	};

	return sweep_all(&sweep, error);
}

int s3_abort_empty(struct s3 *s3, struct store_context *context,
		   const char *object, int64_t since, struct store_error *error)
{
	struct sweep sweep = {
		.s3 = s3,
		.context = context,
		.prefix = object,
		.only = object,
		.since = since,
	};

	return sweep_all(&sweep, error);
}
