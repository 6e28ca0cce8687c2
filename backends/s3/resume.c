// SPDX-License-Identifier: MIT
/*
 * Uploads in parts that go on after an interruption, in this process or
 * another.  Their token is one of
 *
 *	0 SINCE				one is about to be begun
 *	1 PART MADE DIGEST ID		it is there
 *	2 PART MADE DIGEST ID		the same, begun without a size
 *
 * SINCE: seconds since 1970, a little before; PART: bytes of each part, or of
 * the first ones (s3_upload_part_size()); MADE: the ctime its object will have,
 * seconds.nanoseconds; DIGEST: of all that is fixed then.  It is noted before it
 * is acted on, so that nobody has to remember parts: the server lists them, and
 * what it tells of one is compared with the bytes that are to be sent.
 *
 * An upload that was begun while nobody heard the answer cannot be told by
 * its name; but it has no part, so that it is found by its time, and whoever
 * else may have begun one at that moment has lost nothing but this.
 *
 * Called by put.c and through the table.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/step.h"
#include "src/base/xml.h"

enum { ANSWER_MAX = 16 << 20 };
/* Seconds a server's clock may differ from ours without being noticed. */
enum { SLACK = 300 };
/* Hex digits of the digest that are kept. */
enum { DIGITS = 32 };

struct token {
	bool begun;
	bool open;
	int64_t since;
	uint64_t part;
	struct timespec made;
	char digest[DIGITS + 1];
	const char *id; /* points into the text */
};

/* ---- tokens ---- */

static bool token_read(const char *text, struct token *token)
{
	int end = -1;

	*token = (struct token){ .begun = *text == '1' || *text == '2',
				 .open = *text == '2' };
	if (sscanf(text, "0 %" SCNd64 "%n", &token->since, &end) == 1)
		return end > 0 && !text[end];
	if (!token->begun || text[1] != ' ')
		return false;
	text += 2;
	if (sscanf(text, "%" SCNu64 " %" SCNd64 ".%9ld %32[0-9a-f] %n",
		   &token->part, &token->since, &token->made.tv_nsec,
		   token->digest, &end) != 4)
		return false;
	token->made.tv_sec = (time_t)token->since;
	token->id = text + end;
	return end > 0 && *token->id && token->part >= S3_PART_MIN &&
	       token->part <= S3_PART_MAX && token->made.tv_nsec >= 0;
}

bool s3_resume_is_open(const struct store_resume *resume)
{
	struct token token;

	return resume && token_read(resume->token, &token) && token.open;
}

static int note(struct store_resume *resume, struct store_error *error)
{
	return resume->note ? resume->note(resume, error) : STORE_OK;
}

static int note_intent(struct s3_upload *upload, struct store_error *error)
{
	struct store_resume *resume = upload->resume;
	int64_t now = clock_now().tv_sec + atomic_load(&upload->s3->skew);

	snprintf(resume->token, sizeof(resume->token), "0 %" PRId64,
		 now - SLACK);
	return note(resume, error);
}

static int note_upload(struct s3_upload *upload, const char *digest,
		       const struct timespec *made, struct store_error *error)
{
	struct store_resume *resume = upload->resume;
	char text[STORE_TOKEN_MAX + 1];
	int length = snprintf(
		text, sizeof(text), "%d %" PRIu64 " %lld.%09ld %s %s",
		upload->open ? 2 : 1, upload->part_size,
		(long long)made->tv_sec, made->tv_nsec, digest, upload->id);

	if (length < 0 || (size_t)length >= sizeof(text))
		return store_error_set(error, STORE_CORRUPT,
				       "the name of an upload is too long");
	memcpy(resume->token, text, (size_t)length + 1);
	return note(resume, error);
}

/* ---- what is fixed when it is begun ---- */

static int digest_text(struct digest *digest, const char *text,
		       struct store_error *error)
{
	return digest_update(digest, text, strlen(text) + 1, error);
}

static bool begins_with(const char *line, const char *name)
{
	return strncmp(line, name, strlen(name)) == 0;
}

/* What is set once it is complete, and times that are those of the call. */
static bool is_not_fixed(const char *line, bool open, bool has_mtime)
{
	if (open)
		return begins_with(line, "x-amz-meta-") &&
		       !begins_with(line, S3_PUBLISH ":");
	return begins_with(line, "x-amz-meta-ctime:") ||
	       (!has_mtime && begins_with(line, "x-amz-meta-mtime:"));
}

/* All headers it is begun with that stay. */
static int digest_headers(struct digest *digest, const struct s3_call *call,
			  bool open, bool has_mtime, struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < call->header_count && !code; i++)
		if (!is_not_fixed(call->headers[i], open, has_mtime))
			code = digest_text(digest, call->headers[i], error);
	return code;
}

static int digest_plan(struct digest *digest, const struct s3_plan *plan,
		       bool open, struct store_error *error)
{
	int code = open ? digest_text(digest, "open", error)
			: digest_update(digest, &plan->size, sizeof(plan->size),
					error);

	if (code || !plan->keep_count)
		return code;
	for (size_t i = 0; i < plan->keep_count && !code; i++) {
		const struct store_range *range = &plan->keep[i];
		const uint64_t both[] = { range->offset, range->length };

		code = digest_update(digest, both, sizeof(both), error);
	}
	return code ? code
		    : digest_text(digest, plan->precondition->version.token,
				  error);
}

static bool has_mtime(const struct s3_meta *meta)
{
	return meta->attributes && meta->attributes->mask & STORE_ATTR_MTIME;
}

static int describe(struct s3_upload *upload, const struct s3_meta *meta,
		    const struct s3_plan *plan, struct store_info *info,
		    char hex[DIGEST_HEX_MAX], struct store_error *error)
{
	struct digest *digest = NULL;
	struct s3_call call;
	int code = s3_upload_prepare(upload, &call, meta, info, error);

	if (!code)
		code = digest_new("sha256", &digest, error);
	if (!code)
		code = digest_headers(digest, &call, upload->open,
				      has_mtime(meta), error);
	if (!code)
		code = digest_plan(digest, plan, upload->open, error);
	if (!code)
		code = digest_finish(digest, hex, error);
	hex[code ? 0 : DIGITS] = '\0';
	digest_free(digest);
	s3_call_release(&call);
	return code;
}

/* ---- what the server has of it ---- */

struct listing {
	struct s3_upload *upload;
	struct s3_stored part;
	unsigned int number;
	char next[16]; /* marker of the next page */
	bool truncated;
};

static void take_text(char *to, size_t room, const char *text)
{
	if (strlen(text) < room)
		memcpy(to, text, strlen(text) + 1);
}

static int take_etag(struct s3_stored *part, const char *text,
		     struct store_error *error)
{
	struct store_version version;
	int code = s3_version_of_etag(text, &version, error);

	if (!code)
		take_text(part->etag, sizeof(part->etag), version.token);
	return code;
}

static int take_part(struct listing *listing, struct store_error *error)
{
	struct s3_stored *stored =
		s3_upload_stored(listing->upload, listing->number);

	if (!stored)
		return store_error_set(error, STORE_CORRUPT,
				       "a list with a part %u",
				       listing->number);
	*stored = listing->part;
	stored->there = true;
	listing->part = (struct s3_stored){ .there = false };
	return STORE_OK;
}

static int take_member(struct listing *listing, const char *member,
		       const char *text, struct store_error *error)
{
	struct s3_stored *part = &listing->part;

	if (strcmp(member, "PartNumber") == 0)
		listing->number = (unsigned int)strtoul(text, NULL, 10);
	else if (strcmp(member, "Size") == 0)
		part->size = strtoull(text, NULL, 10);
	else if (strcmp(member, "ETag") == 0)
		return take_etag(part, text, error);
	else if (strcmp(member, "ChecksumCRC32C") == 0)
		take_text(part->crc32c, sizeof(part->crc32c), text);
	else if (strcmp(member, "ChecksumSHA256") == 0)
		take_text(part->sha256, sizeof(part->sha256), text);
	return STORE_OK;
}

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	static const char outer[] = "ListPartsResult/";
	struct listing *listing = arg;

	if (strncmp(path, outer, strlen(outer)) != 0)
		return STORE_OK;
	path += strlen(outer);
	if (strncmp(path, "Part/", 5) == 0)
		return take_member(listing, path + 5, text, error);
	if (strcmp(path, "Part") == 0)
		return take_part(listing, error);
	if (strcmp(path, "IsTruncated") == 0)
		listing->truncated = strcmp(text, "true") == 0;
	if (strcmp(path, "NextPartNumberMarker") == 0)
		take_text(listing->next, sizeof(listing->next), text);
	return STORE_OK;
}

static int list_page(struct listing *listing, struct store_error *error)
{
	struct s3_upload *upload = listing->upload;
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", upload->object);
	call.body_max = ANSWER_MAX;
	s3_call_query(&call, "uploadId", upload->id);
	if (listing->next[0])
		s3_call_query(&call, "part-number-marker", listing->next);
	s3_call_customer_key(upload->s3, &call, "x-amz-");
	listing->truncated = false;
	code = s3_send_patiently(upload->s3, upload->context, &call, error);
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_element,
				 listing, error);
	s3_call_release(&call);
	return code;
}

/* NOT_FOUND: there is no such upload any more. */
static int list_parts(struct s3_upload *upload, struct store_error *error)
{
	struct listing listing = { .upload = upload };
	unsigned int last = 0;
	int code;

	do {
		code = list_page(&listing, error);
		if (!code && listing.truncated && listing.number <= last)
			code = store_error_set(error, STORE_CORRUPT,
					       "a list of parts without end");
		last = listing.number;
	} while (!code && listing.truncated);
	return code;
}

int s3_upload_has(struct s3_upload *upload, struct store_source *source,
		  const struct s3_part *part, bool *has,
		  struct store_error *error)
{
	struct s3_stored *stored = s3_upload_stored(upload, part->number);
	struct s3_body body;
	int code = STORE_OK;

	*has = false;
	if (!stored || !stored->there || stored->size != part->range.length)
		return STORE_OK;
	/* Of a copy: the digest of the upload has version and range. */
	*has = part->from;
	if (!part->from) {
		s3_body_init(&body, source, part->range.offset,
			     part->range.length);
		code = s3_body_is(&body.body, stored, has, error);
	}
	if (*has && upload->count < part->number)
		upload->count = part->number;
	store_context_progress(upload->context);
	return code ? code : store_context_check(upload->context, error);
}

/* ---- begin, or go on ---- */

/* From here on its token leads to nothing. */
static void forget(struct s3_upload *upload)
{
	free(upload->id);
	free(upload->parts);
	upload->id = NULL;
	upload->parts = NULL;
	upload->room = 0;
	upload->resume->token[0] = '\0';
}

static int take_id(struct s3_upload *upload, const struct token *token,
		   struct store_error *error)
{
	upload->id = strdup(token->id);
	return upload->id ? STORE_OK
			  : store_error_set(error, STORE_NO_MEMORY,
					    "out of memory");
}

static int go_on(struct s3_upload *upload, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	int code = list_parts(upload, &own);

	if (code == STORE_NOT_FOUND) {
		upload->gone = true;
		forget(upload);
		return STORE_OK;
	}
	if (code)
		*error = own;
	return code;
}

/* What the token leads to: upload->id is set when it goes on. */
static int settle(struct s3_upload *upload, const char *digest,
		  struct store_info *info, bool timed,
		  struct store_error *error)
{
	struct token token;
	int code;

	if (!token_read(upload->resume->token, &token)) {
		forget(upload);
		return STORE_OK;
	}
	if (!token.begun) {
		code = s3_abort_empty(upload->s3, upload->context,
				      upload->object, token.since, error);
		if (!code)
			forget(upload);
		return code;
	}
	code = take_id(upload, &token, error);
	if (code)
		return code;
	if (strcmp(token.digest, digest) != 0) {
		code = s3_upload_drop(upload, error);
		if (!code)
			forget(upload);
		return code;
	}
	info->ctime = token.made;
	if (!timed)
		info->attributes.mtime = token.made;
	upload->part_size = token.part;
	return STORE_OK;
}

/*
 * The file was cut since parts of it went ahead: Ceph completes an upload only
 * with all of its parts.
 */
static bool has_too_many(const struct s3_upload *upload,
			 const struct s3_plan *plan)
{
	uint64_t left = plan->size;
	size_t count = 0;

	if (!upload->open || plan->open)
		return false;
	while (left) {
		uint64_t size =
			s3_upload_part_size(upload, (unsigned int)++count);

		left -= left < size ? left : size;
	}
	for (; count < upload->room; count++)
		if (upload->parts[count].there)
			return true;
	return false;
}

/* There is nothing to look for then. */
static bool is_refusal(int code)
{
	return !store_code_retryable(code) && code != STORE_CANCELLED &&
	       code != STORE_CORRUPT && code != STORE_NO_MEMORY;
}

static int begin(struct s3_upload *upload, const struct s3_meta *meta,
		 const char *digest, struct store_info *info,
		 struct store_error *error)
{
	int code = note_intent(upload, error);

	if (code)
		return code;
	STEP("upload: intent noted");
	code = s3_upload_begin(upload, meta, info, error);
	if (code && is_refusal(code))
		forget(upload);
	if (code)
		return code;
	STEP("upload: begun");
	upload->fresh = true;
	code = note_upload(upload, digest, &info->ctime, error);
	STEP("upload: noted");
	return code;
}

int s3_upload_resume(struct s3_upload *upload, const struct s3_meta *meta,
		     const struct s3_plan *plan, struct store_info *info,
		     struct store_error *error)
{
	char digest[DIGEST_HEX_MAX];
	int code;

	upload->gone = false;
	upload->open = plan->open ||
		       (s3_resume_is_open(upload->resume) && !plan->keep_count);
	code = describe(upload, meta, plan, info, digest, error);
	if (!code && upload->resume->token[0])
		code = settle(upload, digest, info, has_mtime(meta), error);
	if (!code && upload->id && !plan->onward)
		code = go_on(upload, error);
	if (!code && upload->id && has_too_many(upload, plan)) {
		code = s3_upload_drop(upload, error);
		if (!code)
			forget(upload);
	}
	if (upload->id || upload->gone)
		return code;
	if (!code && upload->open != plan->open) {
		upload->open = plan->open;
		code = describe(upload, meta, plan, info, digest, error);
	}
	if (code)
		return code;
	upload->part_size =
		s3_part_size(upload->s3, plan->open ? 0 : plan->size);
	return begin(upload, meta, digest, info, error);
}

/* ---- the table ---- */

int s3_drop_upload(void *self, struct store_context *context, const char *key,
		   const char *token, struct store_error *error)
{
	struct s3_upload upload = { .s3 = self, .context = context };
	CLEANUP_FREE char *object = NULL;
	struct token read;
	int code = s3_object_name(self, key, false, &object, error);

	if (code)
		return code;
	if (!token_read(token, &read))
		return store_error_set(error, STORE_INVALID,
				       "no token of an upload");
	upload.object = object;
	if (!read.begun)
		return s3_abort_empty(self, context, object, read.since, error);
	code = take_id(&upload, &read, error);
	if (!code)
		code = s3_upload_drop(&upload, error);
	s3_upload_release(&upload);
	return code;
}
