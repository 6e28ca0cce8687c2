// SPDX-License-Identifier: MIT
/*
 * Uploads in parts: CreateMultipartUpload, UploadPart, UploadPartCopy,
 * CompleteMultipartUpload, AbortMultipartUpload, ListMultipartUploads,
 * ListParts.
 * Called by fake_s3.c with the lock held.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/xml.h"
#include "tests/servers/fake_s3_inside.h"

static void part_free(struct fake_part *part)
{
	fake_blob_drop(part->blob);
	*part = (struct fake_part){ .number = 0 };
}

static void upload_free(struct fake_s3 *fake, struct fake_upload *upload)
{
	struct fake_upload **at = &fake->uploads;

	while (*at != upload)
		at = &(*at)->next;
	*at = upload->next;
	for (size_t i = 0; i < upload->room; i++)
		part_free(&upload->parts[i]);
	free(upload->parts);
	free(upload->bucket);
	free(upload->key);
	fake_kept_free(&upload->kept);
	free(upload);
}

void fake_uploads_free(struct fake_s3 *fake)
{
	while (fake->uploads)
		upload_free(fake, fake->uploads);
}

void fake_uploads_show(const struct fake_s3 *fake, struct buf *out)
{
	for (const struct fake_upload *upload = fake->uploads; upload;
	     upload = upload->next)
		buf_addf(out, "%s/%s\n", upload->bucket, upload->key);
}

static struct fake_upload *upload_find(struct fake_request *request)
{
	const char *id = fake_query(request, "uploadId");
	struct fake_upload *upload = request->fake->uploads;

	while (upload && (strcmp(upload->id, id) != 0 ||
			  strcmp(upload->bucket, request->bucket) != 0 ||
			  strcmp(upload->key, request->key) != 0))
		upload = upload->next;
	if (!upload)
		fake_fail(request, 404, "NoSuchUpload",
			  "there is no such upload");
	return upload;
}

/* ---- begin ---- */

static void begin(struct fake_request *request)
{
	const char *algorithm =
		fake_header(request, "x-amz-checksum-algorithm");
	CLEANUP_BUF struct buf text = BUF_INIT(65536);
	struct fake_upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		abort();
	if (!fake_kept_read(request, &upload->kept)) {
		free(upload);
		return;
	}
	snprintf(upload->id, sizeof(upload->id), "u.%llu_%08lx",
		 (unsigned long long)request->fake->serial, random());
	snprintf(upload->algorithm, sizeof(upload->algorithm), "%s",
		 algorithm ? algorithm : "");
	upload->bucket = strdup(request->bucket);
	upload->key = strdup(request->key);
	upload->begun = fake_now(request->fake);
	upload->next = request->fake->uploads;
	request->fake->uploads = upload;
	buf_addf(&text, "<InitiateMultipartUploadResult><Bucket>%s</Bucket>",
		 upload->bucket);
	buf_add_text(&text, "<Key>");
	fake_list_name(&text, upload->key, false);
	buf_addf(&text,
		 "</Key><UploadId>%s</UploadId>"
		 "</InitiateMultipartUploadResult>",
		 upload->id);
	fake_answer_xml(request, &text);
}

/* ---- parts ---- */

static struct fake_part *part_slot(struct fake_request *request,
				   struct fake_upload *upload)
{
	const char *text = fake_query(request, "partNumber");
	unsigned long number = strtoul(text, NULL, 10);
	struct fake_part *more;
	size_t room = upload->room;

	if (number < 1 || number > FAKE_PARTS_MAX) {
		fake_fail(request, 400, "InvalidArgument",
			  "a part has a number from 1 to 10000");
		return NULL;
	}
	if (number > room) {
		room = number < 64 ? 64 : 2 * number;
		more = realloc(upload->parts, room * sizeof(*more));
		if (!more)
			abort();
		memset(more + upload->room, 0,
		       (room - upload->room) * sizeof(*more));
		upload->parts = more;
		upload->room = room;
	}
	part_free(&upload->parts[number - 1]);
	upload->parts[number - 1].number = (unsigned int)number;
	return &upload->parts[number - 1];
}

/* Parts bring the checksum that was spoken of, and no other. */
static bool check_kind(struct fake_request *request,
		       const struct fake_upload *upload)
{
	bool crc = strcmp(upload->algorithm, "CRC32C") == 0;
	bool sha = strcmp(upload->algorithm, "SHA256") == 0;

	if (crc == !!request->crc32c_text[0] &&
	    sha == !!request->sha256_text[0])
		return true;
	fake_fail(request, 400, "InvalidRequest",
		  "the upload began with another kind of checksum");
	return false;
}

static void put_part(struct fake_request *request, struct fake_upload *upload)
{
	struct fake_part *part;

	if (!check_kind(request, upload))
		return;
	part = part_slot(request, upload);
	if (!part)
		return;
	part->blob = fake_blob_use(request->body);
	memcpy(part->md5, request->md5, 16);
	fake_hex(part->md5, 16, part->etag);
	fake_hide_etag(&upload->kept, part->etag);
	memcpy(part->crc32c, request->crc32c_text, sizeof(part->crc32c));
	memcpy(part->sha256, request->sha256_text, sizeof(part->sha256));
	fake_add_header(request, "ETag: \"%s\"", part->etag);
	if (part->crc32c[0])
		fake_add_header(request, "x-amz-checksum-crc32c: %s",
				part->crc32c);
	if (request->sha256_text[0])
		fake_add_header(request, "x-amz-checksum-sha256: %s",
				request->sha256_text);
	fake_answer(request, 200, NULL, 0);
}

static void copy_part(struct fake_request *request, struct fake_upload *upload)
{
	const char *range = fake_header(request, "x-amz-copy-source-range");
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	struct fake_bucket *bucket;
	struct fake_object *from = fake_copy_source(request, &bucket);
	struct fake_part *part;
	size_t first = 0;
	size_t length;

	if (!from)
		return;
	length = from->blob->size;
	if (range &&
	    (fake_range(range, from->blob->size, &first, &length) < 1 ||
	     first + length - 1 !=
		     strtoull(strchr(range, '-') + 1, NULL, 10))) {
		fake_fail(request, 416, "InvalidRange",
			  "the source has no such range");
		return;
	}
	part = part_slot(request, upload);
	if (!part)
		return;
	part->blob = fake_blob_new(length);
	memcpy(part->blob->data, from->blob->data + first, length);
	fake_md5(part->blob->data, length, part->md5);
	fake_hex(part->md5, 16, part->etag);
	fake_hide_etag(&upload->kept, part->etag);
	buf_addf(&text,
		 "<CopyPartResult><ETag>&quot;%s&quot;</ETag>"
		 "</CopyPartResult>",
		 part->etag);
	fake_answer_xml(request, &text);
}

/* ---- the end ---- */

struct ending {
	struct fake_upload *upload;
	unsigned int number; /* of the part at hand */
	char etag[80];
	char crc32c[16];
	unsigned int last; /* part */
	size_t count;
	size_t size;
	const char *code; /* of the first error */
	unsigned char md5s[16 * FAKE_PARTS_MAX];
	struct fake_part *parts[FAKE_PARTS_MAX];
};

static void set_code(struct ending *ending, const char *code)
{
	if (!ending->code)
		ending->code = code;
}

static void end_part(struct ending *ending)
{
	const struct fake_upload *upload = ending->upload;
	struct fake_part *part = NULL;

	if (ending->number && ending->number <= upload->room)
		part = &upload->parts[ending->number - 1];
	if (ending->number <= ending->last) {
		set_code(ending, "InvalidPartOrder");
		return;
	}
	if (!part || !part->number || !strstr(ending->etag, part->etag) ||
	    strcmp(ending->crc32c, part->crc32c) != 0) {
		set_code(ending, "InvalidPart");
		return;
	}
	if (ending->count &&
	    ending->parts[ending->count - 1]->blob->size < FAKE_PART_MIN)
		set_code(ending, "EntityTooSmall");
	memcpy(ending->md5s + 16 * ending->count, part->md5, 16);
	ending->parts[ending->count++] = part;
	ending->size += part->blob->size;
	ending->last = ending->number;
	ending->number = 0;
	ending->etag[0] = '\0';
	ending->crc32c[0] = '\0';
}

static int on_part(void *arg, const char *path, const char *text,
		   struct store_error *error)
{
	static const char outer[] = "CompleteMultipartUpload/Part";
	struct ending *ending = arg;
	const char *member = path + strlen(outer);

	(void)error;
	if (strncmp(path, outer, strlen(outer)) != 0)
		return STORE_OK;
	if (strcmp(member, "/PartNumber") == 0)
		ending->number = (unsigned int)strtoul(text, NULL, 10);
	else if (strcmp(member, "/ETag") == 0)
		snprintf(ending->etag, sizeof(ending->etag), "%s", text);
	else if (strcmp(member, "/ChecksumCRC32C") == 0)
		snprintf(ending->crc32c, sizeof(ending->crc32c), "%s", text);
	else if (!*member)
		end_part(ending);
	return STORE_OK;
}

static void join(const struct ending *ending, struct fake_request *request,
		 struct fake_bucket *bucket)
{
	struct fake_blob *blob = fake_blob_new(ending->size);
	struct fake_object *object;
	unsigned char md5[16];
	size_t at = 0;

	for (size_t i = 0; i < ending->count; i++) {
		const struct fake_blob *part = ending->parts[i]->blob;

		memcpy(blob->data + at, part->data, part->size);
		at += part->size;
	}
	object = fake_object_put(bucket, request->key, blob);
	(void)!fake_kept_copy(&object->kept, &ending->upload->kept);
	object->kept.crc32c[0] = '\0';
	object->kept.sha256[0] = '\0';
	object->modified = fake_now(request->fake);
	fake_md5(ending->md5s, 16 * ending->count, md5);
	fake_hex(md5, 16, object->etag);
	snprintf(object->etag + 32, sizeof(object->etag) - 32, "-%zu",
		 ending->count);
}

static void complete(struct fake_request *request, struct fake_bucket *bucket,
		     struct fake_upload *upload)
{
	struct ending *ending = calloc(1, sizeof(*ending));
	CLEANUP_BUF struct buf text = BUF_INIT(65536);

	if (!ending)
		abort();
	ending->upload = upload;
	if (xml_parse((const char *)request->body->data, request->body->size,
		      on_part, ending, NULL) ||
	    (!ending->count && !ending->code))
		ending->code = "MalformedXML";
	if (ending->code) {
		fake_fail(request, 400, ending->code, "not so");
	} else if (fake_check_change(request,
				     fake_object_find(bucket, request->key))) {
		join(ending, request, bucket);
		upload_free(request->fake, upload);
		buf_addf(&text,
			 "<CompleteMultipartUploadResult><Bucket>%s</Bucket>"
			 "<ETag>&quot;%s&quot;</ETag>"
			 "</CompleteMultipartUploadResult>",
			 bucket->name,
			 fake_object_find(bucket, request->key)->etag);
		fake_answer_xml(request, &text);
	}
	free(ending);
}

/* ---- unfinished ones ---- */

static unsigned long query_number(const struct fake_request *request,
				  const char *name, unsigned long otherwise)
{
	const char *text = fake_query(request, name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void list_part(struct buf *text, const struct fake_part *part)
{
	buf_addf(text,
		 "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s&quot;</ETag>"
		 "<Size>%zu</Size>",
		 part->number, part->etag, part->blob->size);
	if (part->crc32c[0])
		buf_addf(text, "<ChecksumCRC32C>%s</ChecksumCRC32C>",
			 part->crc32c);
	if (part->sha256[0])
		buf_addf(text, "<ChecksumSHA256>%s</ChecksumSHA256>",
			 part->sha256);
	buf_add_text(text, "</Part>");
}

/* Pages are short, so that who reads them has to go on. */
static void list_parts(struct fake_request *request,
		       const struct fake_upload *upload)
{
	unsigned long most =
		query_number(request, "max-parts", FAKE_PARTS_PAGE);
	size_t at = query_number(request, "part-number-marker", 0);
	CLEANUP_BUF struct buf text = BUF_INIT(1 << 20);
	unsigned int last = 0;

	if (most > FAKE_PARTS_PAGE)
		most = FAKE_PARTS_PAGE;
	buf_addf(&text, "<ListPartsResult><UploadId>%s</UploadId>", upload->id);
	for (; at < upload->room && most; at++) {
		if (!upload->parts[at].number)
			continue;
		list_part(&text, &upload->parts[at]);
		last = upload->parts[at].number;
		most--;
	}
	while (at < upload->room && !upload->parts[at].number)
		at++;
	buf_addf(&text,
		 "<NextPartNumberMarker>%u</NextPartNumberMarker>"
		 "<IsTruncated>%s</IsTruncated></ListPartsResult>",
		 last, at < upload->room ? "true" : "false");
	fake_answer_xml(request, &text);
}

static void list_uploads(struct fake_request *request)
{
	const char *prefix = fake_query(request, "prefix");
	bool url = fake_query(request, "encoding-type") != NULL;
	CLEANUP_BUF struct buf text = BUF_INIT(16 << 20);

	buf_addf(&text, "<ListMultipartUploadsResult><Bucket>%s</Bucket>",
		 request->bucket);
	for (const struct fake_upload *upload = request->fake->uploads; upload;
	     upload = upload->next) {
		char stamp[40];

		if (strcmp(upload->bucket, request->bucket) != 0 ||
		    (prefix &&
		     strncmp(upload->key, prefix, strlen(prefix)) != 0))
			continue;
		buf_add_text(&text, "<Upload><Key>");
		fake_list_name(&text, upload->key, url);
		fake_stamp(upload->begun, stamp);
		buf_addf(&text,
			 "</Key><UploadId>%s</UploadId><Initiated>%s"
			 "</Initiated></Upload>",
			 upload->id, stamp);
	}
	buf_add_text(&text, "<IsTruncated>false</IsTruncated>"
			    "</ListMultipartUploadsResult>");
	fake_answer_xml(request, &text);
}

static void run(struct fake_request *request, struct fake_bucket *bucket,
		struct fake_upload *upload)
{
	const char *method = request->method;

	/* Where there are checksums, the end has to bring the key, too. */
	if ((fake_query(request, "partNumber") ||
	     (strcmp(method, "POST") == 0 && upload->algorithm[0])) &&
	    !fake_check_customer(request, "x-amz-", upload->kept.customer))
		return;
	if (strcmp(method, "PUT") == 0 && fake_query(request, "partNumber")) {
		if (fake_header(request, "x-amz-copy-source"))
			copy_part(request, upload);
		else
			put_part(request, upload);
	} else if (strcmp(method, "POST") == 0) {
		complete(request, bucket, upload);
	} else if (strcmp(method, "DELETE") == 0) {
		upload_free(request->fake, upload);
		fake_answer(request, 204, NULL, 0);
	} else if (strcmp(method, "GET") == 0) {
		list_parts(request, upload);
	} else {
		fake_fail(request, 501, "NotImplemented", "not of an upload");
	}
}

bool fake_parts(struct fake_request *request, struct fake_bucket *bucket)
{
	bool begins = fake_query(request, "uploads") != NULL;
	struct fake_upload *upload;

	if (begins && !request->key && strcmp(request->method, "GET") == 0) {
		list_uploads(request);
		return true;
	}
	if (begins && request->key && strcmp(request->method, "POST") == 0) {
		begin(request);
		return true;
	}
	if (!request->key || !fake_query(request, "uploadId"))
		return false;
	upload = upload_find(request);
	if (upload)
		run(request, bucket, upload);
	return true;
}
