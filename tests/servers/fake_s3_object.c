// SPDX-License-Identifier: MIT
/*
 * GetObject, HeadObject, PutObject, CopyObject, DeleteObject, DeleteObjects.
 * Called by fake_s3.c with the lock held.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/xml.h"
#include "tests/servers/fake_s3_inside.h"

/* ---- headers that are kept ---- */

static bool is_kept(const char *name)
{
	static const char *const names[] = { "content-type",
					     "content-encoding",
					     "content-disposition",
					     "content-language",
					     "cache-control",
					     "expires",
					     "x-amz-storage-class",
					     "x-amz-website-redirect-location",
					     "x-amz-server-side-encryption" };
	static const char key[] = "x-amz-server-side-encryption-aws-kms-key-id";

	if (strcmp(name, key) == 0)
		return true;
	if (strncmp(name, "x-amz-meta-", 11) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool fake_kept_read(struct fake_request *request, struct fake_kept *kept)
{
	CLEANUP_BUF struct buf lines = BUF_INIT(65536);
	size_t meta = 0;

	*kept = (struct fake_kept){ .lines = NULL };
	if (!fake_customer(request, "x-amz-", kept->customer))
		return false;
	for (size_t i = 0; i < request->headers.count; i++) {
		const struct fake_field *field = &request->headers.list[i];

		if (!is_kept(field->name))
			continue;
		if (strncmp(field->name, "x-amz-meta-", 11) == 0)
			meta += strlen(field->name) - 11 + strlen(field->value);
		buf_addf(&lines, "%s: %s\r\n", field->name, field->value);
	}
	if (meta > FAKE_META_MAX) {
		fake_fail(request, 400, "MetadataTooLarge",
			  "more than 2 KB of metadata");
		return false;
	}
	kept->lines = buf_steal(&lines);
	snprintf(kept->crc32c, sizeof(kept->crc32c), "%s",
		 request->crc32c_text);
	snprintf(kept->sha256, sizeof(kept->sha256), "%s",
		 request->sha256_text);
	return true;
}

/* ---- conditions ---- */

static bool etag_matches(const char *text, const char *etag)
{
	size_t length = strlen(text);

	if (strcmp(text, "*") == 0)
		return true;
	if (length >= 2 && *text == '"' && text[length - 1] == '"') {
		text++;
		length -= 2;
	}
	return length == strlen(etag) && strncmp(text, etag, length) == 0;
}

static bool failed(struct fake_request *request)
{
	fake_fail(request, 412, "PreconditionFailed",
		  "a condition does not hold");
	return false;
}

bool fake_check_change(struct fake_request *request,
		       const struct fake_object *object)
{
	const char *match = fake_header(request, "if-match");
	const char *none = fake_header(request, "if-none-match");

	if (none && strcmp(none, "*") != 0) {
		fake_fail(request, 501, "NotImplemented",
			  "If-None-Match takes * only");
		return false;
	}
	if (none && object)
		return failed(request);
	if (match && !object) {
		fake_fail(request, 404, "NoSuchKey", "there is no such key");
		return false;
	}
	return !match || etag_matches(match, object->etag) || failed(request);
}

/* False when answered. */
static bool check_read(struct fake_request *request,
		       const struct fake_object *object)
{
	const char *match = fake_header(request, "if-match");
	const char *none = fake_header(request, "if-none-match");

	if (match && !etag_matches(match, object->etag))
		return failed(request);
	if (none && etag_matches(none, object->etag)) {
		fake_answer(request, 304, NULL, 0);
		return false;
	}
	return true;
}

/* ---- reading ---- */

static bool number(const char **text, size_t *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*value = strtoull(*text, &end, 10);
	*text = end;
	return true;
}

int fake_range(const char *text, size_t size, size_t *first, size_t *length)
{
	size_t last = SIZE_MAX;

	if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
		return 0;
	text += 6;
	if (*text == '-') {
		text++;
		if (!number(&text, &last) || *text)
			return 0;
		*length = last < size ? last : size;
		*first = size - *length;
		return *length ? 1 : -1;
	}
	if (!number(&text, first) || *text++ != '-')
		return 0;
	if (*text && (!number(&text, &last) || *text || last < *first))
		return 0;
	if (*first >= size)
		return -1;
	*length = (last < size ? last + 1 : size) - *first;
	return 1;
}

static void add_object_headers(struct fake_request *request,
			       const struct fake_object *object, bool whole)
{
	const char *mode = fake_header(request, "x-amz-checksum-mode");
	char date[40];

	fake_date(object->modified, date);
	fake_add_header(request, "Last-Modified: %s", date);
	fake_add_header(request, "ETag: \"%s\"",
			fake_hit(request, FAKE_OTHER_ETAG)
				? "0123456789abcdef0123456789abcdef"
				: object->etag);
	fake_add_header(request, "Accept-Ranges: bytes");
	buf_add_text(&request->out, object->kept.lines);
	if (object->kept.customer[0])
		fake_add_header(request,
				"x-amz-server-side-encryption-customer-"
				"key-md5: %s",
				object->kept.customer);
	if (!strstr(object->kept.lines, "content-type:"))
		fake_add_header(request, "Content-Type: binary/octet-stream");
	if (!mode || !whole)
		return;
	if (object->kept.crc32c[0])
		fake_add_header(request, "x-amz-checksum-crc32c: %s",
				object->kept.crc32c);
	if (object->kept.sha256[0])
		fake_add_header(request, "x-amz-checksum-sha256: %s",
				object->kept.sha256);
}

static void send_object(struct fake_request *request,
			const struct fake_object *object)
{
	size_t size = object->blob->size;
	size_t first = 0;
	size_t length = size;
	int ranged = fake_range(fake_header(request, "range"), size, &first,
				&length);
	size_t told = first;
	size_t at = (size_t)request->rule.at;

	if (ranged < 0) {
		fake_add_header(request, "Content-Range: bytes */%zu", size);
		fake_fail(request, 416, "InvalidRange", "not in this object");
		return;
	}
	if (fake_hit(request, FAKE_OTHER_RANGE))
		told += at;
	add_object_headers(request, object, !ranged);
	if (ranged)
		fake_add_header(request, "Content-Range: bytes %zu-%zu/%zu",
				told, told + length - 1, size);
	fake_answer(request, ranged ? 206 : 200, object->blob->data + first,
		    length);
	if (fake_hit(request, FAKE_TWISTED) && at >= first &&
	    at - first < length)
		request->reply
			.data[request->reply.length - length + at - first] ^= 1;
}

void fake_object_get(struct fake_request *request, struct fake_bucket *bucket)
{
	const struct fake_object *object =
		fake_object_find(bucket, request->key);

	if (!object)
		fake_fail(request, 404, "NoSuchKey", "there is no such key");
	else if (fake_query(request, "partNumber"))
		fake_fail(request, 501, "NotImplemented", "no parts to get");
	else if (fake_check_customer(request, "x-amz-",
				     object->kept.customer) &&
		 check_read(request, object))
		send_object(request, object);
}

/* ---- writing ---- */

static void put_object(struct fake_request *request, struct fake_bucket *bucket)
{
	const struct fake_object *old = fake_object_find(bucket, request->key);
	struct fake_object *object;
	struct fake_kept kept;

	if (!fake_check_change(request, old) || !fake_kept_read(request, &kept))
		return;
	object = fake_object_put(bucket, request->key,
				 fake_blob_use(request->body));
	object->kept = kept;
	object->modified = fake_now(request->fake);
	fake_hex(request->md5, 16, object->etag);
	fake_hide_etag(&kept, object->etag);
	fake_add_header(request, "ETag: \"%s\"", object->etag);
	if (kept.crc32c[0])
		fake_add_header(request, "x-amz-checksum-crc32c: %s",
				kept.crc32c);
	if (kept.sha256[0])
		fake_add_header(request, "x-amz-checksum-sha256: %s",
				kept.sha256);
	fake_answer(request, 200, NULL, 0);
}

struct fake_object *fake_copy_source(struct fake_request *request,
				     struct fake_bucket **bucket)
{
	const char *text = fake_header(request, "x-amz-copy-source");
	const char *match = fake_header(request, "x-amz-copy-source-if-match");
	CLEANUP_FREE char *name = strdup(*text == '/' ? text + 1 : text);
	struct fake_object *object = NULL;
	char *key = strchr(name, '/');

	if (!key || !fake_decode(name, false)) {
		fake_fail(request, 400, "InvalidArgument", "a bad source");
		return NULL;
	}
	*key++ = '\0';
	*bucket = fake_bucket_find(request->fake, name);
	if (*bucket)
		object = fake_object_find(*bucket, key);
	if (!object) {
		fake_fail(request, 404, *bucket ? "NoSuchKey" : "NoSuchBucket",
			  "the source is not there");
		return NULL;
	}
	if (!fake_check_customer(request, "x-amz-copy-source-",
				 object->kept.customer))
		return NULL;
	if (match && !etag_matches(match, object->etag)) {
		(void)failed(request);
		return NULL;
	}
	return object;
}

static void answer_copy(struct fake_request *request,
			const struct fake_object *object)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	char stamp[40];

	fake_stamp(object->modified, stamp);
	buf_addf(&text,
		 "<CopyObjectResult "
		 "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		 "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
		 "</CopyObjectResult>",
		 stamp, object->etag);
	fake_answer_xml(request, &text);
}

static void copy_object(struct fake_request *request,
			struct fake_bucket *bucket)
{
	const char *directive =
		fake_header(request, "x-amz-metadata-directive");
	bool replaces = directive && strcmp(directive, "REPLACE") == 0;
	struct fake_bucket *from_bucket;
	struct fake_object *from = fake_copy_source(request, &from_bucket);
	struct fake_object *object = fake_object_find(bucket, request->key);
	struct fake_kept kept;
	char etag[sizeof(object->etag)];

	if (!from || !fake_check_change(request, object))
		return;
	if (from == object && !replaces) {
		fake_fail(request, 400, "InvalidRequest",
			  "a copy onto itself changes nothing");
		return;
	}
	if (!replaces)
		(void)!fake_kept_copy(&kept, &from->kept);
	else if (!fake_kept_read(request, &kept))
		return;
	/* A new object has one part. */
	fake_md5(from->blob->data, from->blob->size, request->md5);
	fake_hex(request->md5, 16, etag);
	fake_hide_etag(&kept, etag);
	object = fake_object_put(bucket, request->key,
				 fake_blob_use(from->blob));
	object->kept = kept;
	object->modified = fake_now(request->fake);
	memcpy(object->etag, etag, 33);
	answer_copy(request, object);
}

void fake_object_write(struct fake_request *request, struct fake_bucket *bucket)
{
	if (!fake_header(request, "x-amz-copy-source"))
		put_object(request, bucket);
	else if (request->body->size)
		fake_fail(request, 400, "InvalidRequest",
			  "a copy that has a body");
	else
		copy_object(request, bucket);
}

/* ---- removing ---- */

void fake_object_delete(struct fake_request *request,
			struct fake_bucket *bucket)
{
	const char *match = fake_header(request, "if-match");
	const struct fake_object *object =
		fake_object_find(bucket, request->key);

	if (match && object && !etag_matches(match, object->etag)) {
		(void)failed(request);
		return;
	}
	fake_object_remove(bucket, request->key);
	fake_answer(request, 204, NULL, 0);
}

struct removal {
	struct fake_request *request;
	struct fake_bucket *bucket;
	struct buf out;
	size_t count;
	bool quiet;
};

static int on_removal(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	struct removal *removal = arg;

	(void)error;
	if (strcmp(path, "Delete/Quiet") == 0)
		removal->quiet = strcmp(text, "true") == 0;
	if (strcmp(path, "Delete/Object/Key") != 0)
		return STORE_OK;
	removal->count++;
	for (size_t i = 0; i < removal->request->fake->denied_count; i++) {
		if (!strstr(text, removal->request->fake->denied[i]))
			continue;
		buf_add_text(&removal->out, "<Error><Key>");
		fake_list_name(&removal->out, text, false);
		buf_add_text(&removal->out,
			     "</Key><Code>AccessDenied</Code>"
			     "<Message>denied</Message></Error>");
		return STORE_OK;
	}
	fake_object_remove(removal->bucket, text);
	if (removal->quiet)
		return STORE_OK;
	buf_add_text(&removal->out, "<Deleted><Key>");
	fake_list_name(&removal->out, text, false);
	buf_add_text(&removal->out, "</Key></Deleted>");
	return STORE_OK;
}

void fake_objects_delete(struct fake_request *request,
			 struct fake_bucket *bucket)
{
	struct removal removal = { .request = request, .bucket = bucket };

	if (!fake_header(request, "content-md5") && !request->crc32c_text[0] &&
	    !request->sha256_text[0]) {
		fake_fail(request, 400, "InvalidRequest",
			  "Content-MD5 is missing");
		return;
	}
	buf_init(&removal.out, 16 << 20);
	buf_add_text(&removal.out, "<DeleteResult>");
	if (xml_parse((const char *)request->body->data, request->body->size,
		      on_removal, &removal, NULL) ||
	    !removal.count || removal.count > 1000) {
		fake_fail(request, 400, "MalformedXML", "1 to 1000 keys");
	} else {
		buf_add_text(&removal.out, "</DeleteResult>");
		fake_answer_xml(request, &removal.out);
	}
	buf_release(&removal.out);
}
