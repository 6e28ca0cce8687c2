// SPDX-License-Identifier: MIT
/*
 * Uploads in parts: bytes of a source, and ranges of objects that are there
 * already.  Nothing is visible before they are completed.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 *
 * Called by put.c, copy.c and conditions.c, in one thread each.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/s3/sign.h"
#include "src/base/clock.h"
#include "src/base/xml.h"

/* 10,000 parts with their names and ETags. */
enum { PARTS_TEXT_MAX = 2 << 20 };

static const struct http_body no_body = { .size = 0 };

uint64_t s3_part_size(const struct s3 *s3, uint64_t size)
{
	static const uint64_t step = 1 << 20;
	uint64_t part = s3->settings.part_size;
	uint64_t least = (size + S3_PARTS_MAX - 1) / S3_PARTS_MAX;

	if (part < least)
		part = (least + step - 1) / step * step;
	return part;
}

void s3_upload_release(struct s3_upload *upload)
{
	free(upload->id);
	upload->id = NULL;
	buf_release(&upload->parts);
}

/* ---- answers ---- */

/* The text of one element, by the end of its path. */
struct wanted {
	const char *path;
	char *text;
};

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	struct wanted *wanted = arg;

	if (strcmp(path, wanted->path) != 0)
		return STORE_OK;
	free(wanted->text);
	wanted->text = strdup(text);
	return wanted->text ? STORE_OK
			    : store_error_set(error, STORE_NO_MEMORY,
					      "out of memory");
}

static int answer_text(const struct s3_call *call, const char *path,
		       char **text, struct store_error *error)
{
	const struct buf *body = &call->exchange.response.body;
	struct wanted wanted = { .path = path };
	int code = xml_parse(buf_text(body), body->length, on_element, &wanted,
			     error);

	if (!code && !wanted.text)
		code = store_error_set(error, STORE_CORRUPT,
				       "an answer without %s", path);
	if (code)
		free(wanted.text);
	else
		*text = wanted.text;
	return code;
}

/* ---- begin and end ---- */

/* Parts may only bring the checksums that were spoken of here. */
static void name_checksum(const struct s3_upload *upload, struct s3_call *call)
{
	enum s3_checksum kind = s3_checksum_of(upload->s3, call);

	if (upload->copies)
		return;
	if (kind == S3_CHECKSUM_CRC32C)
		s3_call_header(call, "x-amz-checksum-algorithm", "CRC32C");
	if (kind == S3_CHECKSUM_SHA256)
		s3_call_header(call, "x-amz-checksum-algorithm", "SHA256");
}

int s3_upload_begin(struct s3_upload *upload, const struct s3_meta *meta,
		    struct store_info *info, struct store_error *error)
{
	struct s3_call call;
	int code;

	buf_init(&upload->parts, PARTS_TEXT_MAX);
	s3_call_init(&call, "POST", upload->object);
	call.idempotent = false;
	call.body = &no_body;
	s3_call_query(&call, "uploads", "");
	name_checksum(upload, &call);
	code = s3_meta_add(upload->s3, &call, meta, info, error);
	if (!code)
		code = s3_send_patiently(upload->s3, upload->context, &call,
					 error);
	if (!code)
		code = answer_text(&call,
				   "InitiateMultipartUploadResult/UploadId",
				   &upload->id, error);
	s3_call_release(&call);
	return code;
}

void s3_upload_abort(struct s3_upload *upload)
{
	struct store_context context;
	struct s3_call call;

	if (!upload->id)
		return;
	/* Also when the caller's time is up: what stays costs money. */
	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	s3_call_init(&call, "DELETE", upload->object);
	s3_call_query(&call, "uploadId", upload->id);
	if (!s3_send(upload->s3, &context, &call, NULL)) {
		free(upload->id);
		upload->id = NULL;
	}
	s3_call_release(&call);
}

/* RGW leaves the ETag out. */
static int complete_version(struct s3_upload *upload,
			    const struct s3_call *call, struct store_info *info,
			    struct store_error *error)
{
	CLEANUP_FREE char *etag = NULL;
	struct s3_object found;
	int code = answer_text(call, "CompleteMultipartUploadResult/ETag",
			       &etag, error);

	if (!code)
		code = s3_version_of_etag(etag, &info->version, error);
	if (code || info->version.token[0])
		return code;
	code = s3_head(upload->s3, upload->context, upload->object, NULL,
		       &found, error);
	if (code)
		return code;
	info->version = found.info.version;
	s3_object_release(&found);
	return STORE_OK;
}

/* No answer, or that something went wrong: it may have been done. */
static bool is_uncertain(const struct s3_call *call)
{
	return call->code == STORE_TIMEOUT ||
	       (call->code == STORE_UNAVAILABLE && call->error.detail != 503 &&
		call->error.detail != 409);
}

int s3_upload_complete(struct s3_upload *upload,
		       const struct store_precondition *precondition,
		       unsigned int honoured, struct store_info *info,
		       struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(PARTS_TEXT_MAX + 128);
	struct s3_text_body body;
	struct s3_call call;
	int code;

	buf_addf(&text, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>",
		 buf_text(&upload->parts));
	code = buf_error(&upload->parts, "the list of parts", error);
	if (code)
		return code;
	s3_call_init(&call, "POST", upload->object);
	call.idempotent = false;
	s3_call_query(&call, "uploadId", upload->id);
	s3_call_header(&call, "content-type", "application/xml");
	s3_condition_add(&call, precondition, honoured, S3_COMPLETE_ABSENT,
			 S3_COMPLETE_MATCH);
	s3_text_body_init(&body, buf_text(&text));
	code = s3_body_attach(upload->s3, &call, &body.body, error);
	if (!code)
		code = s3_send_patiently(upload->s3, upload->context, &call,
					 error);
	upload->uncertain = code && is_uncertain(&call);
	if (!code)
		code = complete_version(upload, &call, info, error);
	s3_call_release(&call);
	return code;
}

/* ---- parts ---- */

static void begin_part(const struct s3_upload *upload, struct s3_call *call)
{
	char number[16];

	s3_call_init(call, "PUT", upload->object);
	snprintf(number, sizeof(number), "%u", upload->count + 1);
	if (upload->copies)
		call->checksum = S3_CHECKSUM_MD5;
	s3_call_query(call, "partNumber", number);
	s3_call_query(call, "uploadId", upload->id);
	s3_call_customer_key(upload->s3, call, "x-amz-");
}

static void note_checksum(struct s3_upload *upload, const struct s3_call *call,
			  const char *header, const char *element)
{
	const char *value = s3_call_answer(call, header);

	if (value)
		buf_addf(&upload->parts, "<%s>%s</%s>", element, value,
			 element);
}

static int note_part(struct s3_upload *upload, const struct s3_call *call,
		     const char *etag, struct store_error *error)
{
	struct store_version version;
	int code = s3_version_of_etag(etag, &version, error);

	if (!code && !version.token[0])
		code = store_error_set(error, STORE_CORRUPT,
				       "a part without an ETag");
	if (code)
		return code;
	upload->count++;
	buf_addf(&upload->parts,
		 "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s&quot;</ETag>",
		 upload->count, version.token);
	note_checksum(upload, call, "x-amz-checksum-crc32c", "ChecksumCRC32C");
	note_checksum(upload, call, "x-amz-checksum-sha256", "ChecksumSHA256");
	buf_add_text(&upload->parts, "</Part>");
	return STORE_OK;
}

int s3_upload_part(struct s3_upload *upload, struct store_source *source,
		   const struct store_range *range, struct store_error *error)
{
	struct s3_body body;
	struct s3_call call;
	int code;

	begin_part(upload, &call);
	s3_body_init(&body, source, range->offset, range->length);
	code = s3_body_attach(upload->s3, &call, &body.body, error);
	if (!code)
		code = s3_send_patiently(upload->s3, upload->context, &call,
					 error);
	if (!code)
		code = note_part(upload, &call, s3_call_answer(&call, "etag"),
				 error);
	s3_call_release(&call);
	return code;
}

int s3_upload_copy(struct s3_upload *upload, const char *from,
		   const struct store_version *version,
		   const struct store_range *range, struct store_error *error)
{
	CLEANUP_BUF struct buf name = BUF_INIT(8192);
	CLEANUP_FREE char *etag = NULL;
	struct s3_call call;
	int code;

	begin_part(upload, &call);
	call.body = &no_body;
	s3_encode(&name, upload->s3->settings.bucket, false);
	buf_add_char(&name, '/');
	s3_encode(&name, from, true);
	s3_call_header(&call, "x-amz-copy-source", "%s", buf_text(&name));
	s3_call_header(&call, "x-amz-copy-source-if-match", "\"%s\"",
		       version->token);
	s3_call_header(&call, "x-amz-copy-source-range",
		       "bytes=%" PRIu64 "-%" PRIu64, range->offset,
		       range->offset + range->length - 1);
	s3_call_customer_key(upload->s3, &call, "x-amz-copy-source-");
	code = s3_send_patiently(upload->s3, upload->context, &call, error);
	if (!code)
		code = answer_text(&call, "CopyPartResult/ETag", &etag, error);
	if (!code)
		code = note_part(upload, &call, etag, error);
	s3_call_release(&call);
	return code;
}
