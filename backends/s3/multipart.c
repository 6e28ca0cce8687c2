// SPDX-License-Identifier: MIT
/*
 * Uploads in parts: bytes of a source, and ranges of objects that are there
 * already.  Nothing is visible before they are completed.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 *
 * A part is read from its source as it goes out: none is held in memory.
 *
 * Called by put.c, copy.c, resume.c, conditions.c and beside.c.
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
/* Parts of one size, in an upload whose size is unknown. */
enum { PARTS_ALIKE = 900 };

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

/*
 * Doubled after every PARTS_ALIKE: 5 TiB are less than S3_PARTS_MAX parts of
 * whatever size they begin with.
 */
uint64_t s3_upload_part_size(const struct s3_upload *upload,
			     unsigned int number)
{
	uint64_t part = upload->part_size;

	if (!upload->open)
		return part;
	for (; number > PARTS_ALIKE && part < S3_PART_MAX;
	     number -= PARTS_ALIKE)
		part *= 2;
	return part < S3_PART_MAX ? part : S3_PART_MAX;
}

void s3_upload_release(struct s3_upload *upload)
{
	free(upload->id);
	upload->id = NULL;
	free(upload->parts);
	upload->parts = NULL;
	upload->room = 0;
}

struct s3_stored *s3_upload_stored(struct s3_upload *upload,
				   unsigned int number)
{
	struct s3_stored *grown;
	size_t room = upload->room ? upload->room : 16;

	if (number < 1 || number > S3_PARTS_MAX)
		return NULL;
	while (room < number)
		room *= 2;
	if (room != upload->room) {
		grown = reallocarray(upload->parts, room, sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + upload->room, 0,
		       (room - upload->room) * sizeof(*grown));
		upload->parts = grown;
		upload->room = room;
	}
	return &upload->parts[number - 1];
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

int s3_call_text(const struct s3_call *call, const char *path, char **text,
		 struct store_error *error)
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

int s3_upload_prepare(const struct s3_upload *upload, struct s3_call *call,
		      const struct s3_meta *meta, struct store_info *info,
		      struct store_error *error)
{
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct s3_meta fixed = *meta;

	if (upload->open && meta->publish) {
		s3_publish_early(meta->publish, publish);
		fixed.publish = publish;
	}
	s3_call_init(call, "POST", upload->object);
	call->idempotent = false;
	call->body = &no_body;
	s3_call_query(call, "uploads", "");
	name_checksum(upload, call);
	return s3_meta_add(upload->s3, call, &fixed, info, error);
}

int s3_upload_begin(struct s3_upload *upload, const struct s3_meta *meta,
		    struct store_info *info, struct store_error *error)
{
	struct s3_call call;
	int code = s3_upload_prepare(upload, &call, meta, info, error);

	if (!code)
		code = s3_send_patiently(upload->s3, upload->context, &call,
					 error);
	if (!code)
		code = s3_call_text(&call,
				    "InitiateMultipartUploadResult/UploadId",
				    &upload->id, error);
	s3_call_release(&call);
	return code;
}

int s3_upload_drop(struct s3_upload *upload, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3_call call;
	int code;

	s3_call_init(&call, "DELETE", upload->object);
	s3_call_query(&call, "uploadId", upload->id);
	code = s3_send(upload->s3, upload->context, &call, &own);
	s3_call_release(&call);
	if (code && code != STORE_NOT_FOUND) {
		if (error)
			*error = own;
		return code;
	}
	free(upload->id);
	upload->id = NULL;
	return STORE_OK;
}

void s3_upload_abort(struct s3_upload *upload)
{
	struct store_context context;

	if (!upload->id)
		return;
	/* Also when the caller's time is up: what stays costs money. */
	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	upload->context = &context;
	(void)!s3_upload_drop(upload, NULL);
	upload->context = NULL;
}

/* RGW leaves the ETag out. */
static int complete_version(struct s3_upload *upload,
			    const struct s3_call *call, struct store_info *info,
			    struct store_error *error)
{
	CLEANUP_FREE char *etag = NULL;
	struct s3_object found;
	int code = s3_call_text(call, "CompleteMultipartUploadResult/ETag",
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

static void list_parts(const struct s3_upload *upload, struct buf *text)
{
	buf_add_text(text, "<CompleteMultipartUpload>");
	for (size_t i = 0; i < upload->count; i++) {
		const struct s3_stored *part = &upload->parts[i];

		buf_addf(text,
			 "<Part><PartNumber>%zu</PartNumber>"
			 "<ETag>&quot;%s&quot;</ETag>",
			 i + 1, part->etag);
		if (part->crc32c[0])
			buf_addf(text, "<ChecksumCRC32C>%s</ChecksumCRC32C>",
				 part->crc32c);
		if (part->sha256[0])
			buf_addf(text, "<ChecksumSHA256>%s</ChecksumSHA256>",
				 part->sha256);
		buf_add_text(text, "</Part>");
	}
	buf_add_text(text, "</CompleteMultipartUpload>");
}

/* Is what parts were copied from still the same? */
static int check_pin(const struct s3_upload *upload, struct store_error *error)
{
	struct s3_object found;
	int code;

	if (!upload->unpinned)
		return STORE_OK;
	code = s3_head(upload->s3, upload->context, upload->unpinned,
		       &upload->pin, &found, error);
	if (!code)
		s3_object_release(&found);
	return code;
}

int s3_upload_complete(struct s3_upload *upload,
		       const struct store_precondition *precondition,
		       unsigned int honoured, struct store_info *info,
		       struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(PARTS_TEXT_MAX);
	struct s3_text_body body;
	struct s3_call call;
	int code;

	list_parts(upload, &text);
	code = buf_error(&text, "the list of parts", error);
	if (!code)
		code = check_pin(upload, error);
	if (code)
		return code;
	s3_call_init(&call, "POST", upload->object);
	call.idempotent = false;
	s3_call_query(&call, "uploadId", upload->id);
	s3_call_header(&call, "content-type", "application/xml");
	s3_condition_add(&call, precondition, honoured, S3_COMPLETE_ABSENT,
			 S3_COMPLETE_MATCH);
	s3_call_customer_key(upload->s3, &call, "x-amz-");
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

/* ---- one part ---- */

/* On its way. */
struct sending {
	struct s3_call call;
	struct s3_body body;
	const struct s3_part *part;
};

static void note_text(char *to, size_t room, const char *text)
{
	/* Longer than any checksum: it is of no use. */
	if (text && strlen(text) < room)
		memcpy(to, text, strlen(text) + 1);
}

static int read_stored(const struct sending *sending, const char *etag,
		       struct s3_stored *stored, struct store_error *error)
{
	struct store_version version;
	int code = s3_version_of_etag(etag, &version, error);

	if (!code && !version.token[0])
		code = store_error_set(error, STORE_CORRUPT,
				       "a part without an ETag");
	if (code)
		return code;
	*stored = (struct s3_stored){
		.there = true,
		.size = sending->part->range.length,
	};
	note_text(stored->etag, sizeof(stored->etag), version.token);
	note_text(stored->crc32c, sizeof(stored->crc32c),
		  s3_call_answer(&sending->call, "x-amz-checksum-crc32c"));
	note_text(stored->sha256, sizeof(stored->sha256),
		  s3_call_answer(&sending->call, "x-amz-checksum-sha256"));
	return STORE_OK;
}

/* The server takes it from an object. */
static int prepare_copy(const struct s3_upload *upload, struct sending *sending)
{
	CLEANUP_BUF struct buf name = BUF_INIT(8192);
	const struct s3_part *part = sending->part;
	struct s3_call *call = &sending->call;

	call->body = &no_body;
	s3_encode(&name, upload->s3->settings.bucket, false);
	buf_add_char(&name, '/');
	s3_encode(&name, part->from, true);
	s3_call_header(call, "x-amz-copy-source", "%s", buf_text(&name));
	if (!upload->unpinned)
		s3_call_header(call, "x-amz-copy-source-if-match", "\"%s\"",
			       part->version->token);
	s3_call_header(call, "x-amz-copy-source-range",
		       "bytes=%" PRIu64 "-%" PRIu64, part->range.offset,
		       part->range.offset + part->range.length - 1);
	s3_call_customer_key(upload->s3, call, "x-amz-copy-source-");
	return STORE_OK;
}

static int prepare_part(const struct s3_upload *upload, struct sending *sending,
			struct store_source *source, struct store_error *error)
{
	const struct s3_part *part = sending->part;
	struct s3_call *call = &sending->call;
	char number[16];

	s3_call_init(call, "PUT", upload->object);
	call->unseen = true;
	snprintf(number, sizeof(number), "%u", part->number);
	if (upload->copies)
		call->checksum = S3_CHECKSUM_MD5;
	s3_call_query(call, "partNumber", number);
	s3_call_query(call, "uploadId", upload->id);
	s3_call_customer_key(upload->s3, call, "x-amz-");
	if (part->from)
		return prepare_copy(upload, sending);
	s3_body_init(&sending->body, source, part->range.offset,
		     part->range.length);
	return s3_body_attach(upload->s3, call, &sending->body.body, error);
}

static int take_answer(const struct sending *sending, struct s3_stored *stored,
		       struct store_error *error)
{
	CLEANUP_FREE char *etag = NULL;
	int code;

	if (!sending->part->from)
		return read_stored(sending,
				   s3_call_answer(&sending->call, "etag"),
				   stored, error);
	code = s3_call_text(&sending->call, "CopyPartResult/ETag", &etag,
			    error);
	return code ? code : read_stored(sending, etag, stored, error);
}

int s3_upload_part(const struct s3_upload *upload, struct store_source *source,
		   const struct s3_part *part, struct s3_stored *stored,
		   bool *gone, struct store_error *error)
{
	struct sending sending = { .part = part };
	int code = prepare_part(upload, &sending, source, error);

	/* Summing it up took its time. */
	store_context_progress(upload->context);
	if (!code)
		code = store_context_check(upload->context, error);
	if (!code)
		code = s3_send_patiently(upload->s3, upload->context,
					 &sending.call, error);
	/* The server says so, not the source. */
	*gone = s3_call_status(&sending.call) == 404;
	if (!code)
		code = take_answer(&sending, stored, error);
	s3_call_release(&sending.call);
	return code;
}

bool s3_upload_note(struct s3_upload *upload, unsigned int number,
		    const struct s3_stored *part)
{
	struct s3_stored *stored = s3_upload_stored(upload, number);

	if (!stored)
		return false;
	*stored = *part;
	if (upload->count < number)
		upload->count = number;
	return true;
}
