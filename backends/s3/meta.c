// SPDX-License-Identifier: MIT
/*
 * Attributes and user metadata as headers of an object.
 *
 * The names are those of s3fs: x-amz-meta-mode (decimal, with the type), uid,
 * gid, mtime, atime, ctime (seconds.nanoseconds); what rclone writes under
 * the same names is read, too.  Ours are storefs-publish, the id of a put in
 * hex, and storefs-user, "name=value&..." percent-encoded: user metadata that
 * no header can carry as it is.  Extended attributes are in xattr.c.
 *
 * Called by all operations on objects.  Pure but for the clock.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/s3/sign.h"
#include "backends/s3/time.h"
#include "src/base/clock.h"
#include "src/url.h"

#define META "x-amz-meta-"
#define USER META "storefs-user"

/* Seconds after which no server gives an object the same time. */
enum { SETTLED_S = 2 };

static const char *const attribute_names[] = { "mode",	"uid",	 "gid", "mtime",
					       "atime", "ctime", NULL };

/* Headers beside the metadata that a version keeps. */
static const char *const kept_headers[] = { "cache-control",
					    "content-disposition",
					    "content-encoding",
					    "content-language",
					    "expires",
					    "x-amz-website-redirect-location",
					    NULL };

/* What is in one of these cannot be read when it has just been written. */
static const char *const archives[] = { "GLACIER", "DEEP_ARCHIVE", NULL };

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* The name behind "x-amz-meta-" when it is the user's, else NULL. */
static const char *user_name(const char *header)
{
	if (strncmp(header, META, strlen(META)) != 0)
		return NULL;
	header += strlen(META);
	if (is_one_of(header, attribute_names) ||
	    strcmp(header, "xattr") == 0 || strncmp(header, "storefs-", 8) == 0)
		return NULL;
	return header;
}

void s3_object_release(struct s3_object *object)
{
	buf_release(&object->headers.headers);
}

/* ---- reading ---- */

int s3_version_of_etag(const char *etag, struct store_version *version,
		       struct store_error *error)
{
	size_t length;

	*version = (struct store_version){ .weak = false };
	if (!etag)
		return STORE_OK;
	if (strncmp(etag, "W/", 2) == 0) {
		version->weak = true;
		etag += 2;
	}
	length = strlen(etag);
	if (length >= 2 && *etag == '"' && etag[length - 1] == '"') {
		etag++;
		length -= 2;
	}
	if (length >= STORE_VERSION_MAX || memchr(etag, ' ', length))
		return store_error_set(error, STORE_CORRUPT,
				       "an ETag that is none");
	memcpy(version->token, etag, length);
	return STORE_OK;
}

static const char *meta_of(const struct http_response *headers,
			   const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), META "%s", name);
	return http_header(headers, full);
}

static bool number_of(const struct http_response *headers, const char *name,
		      uint32_t *number)
{
	const char *text = meta_of(headers, name);
	unsigned long value;
	char *end;

	if (!text)
		return false;
	value = strtoul(text, &end, 10);
	if (end == text || *end || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

/*
 * With the type.  s3fs writes decimal; rclone octal, which is larger than any
 * decimal one.
 */
static bool mode_of(const struct http_response *headers, uint32_t *mode)
{
	const char *text = meta_of(headers, "mode");
	uint32_t value;
	char *end;

	if (!number_of(headers, "mode", &value))
		return false;
	if (value > 0177777) {
		value = (uint32_t)strtoul(text, &end, 8);
		if (*end)
			return false;
	}
	*mode = value;
	return true;
}

/* Has the next second begun, by the clocks of all the servers? */
static bool is_settled(const struct http_response *headers, int64_t stored)
{
	const char *date = http_header(headers, "date");

	return stored > 0 && date && http_date(date) >= stored + SETTLED_S;
}

static void read_attributes(const struct http_response *headers,
			    struct store_info *info)
{
	struct store_attributes *attributes = &info->attributes;
	const char *modified = http_header(headers, "last-modified");
	int64_t stored = modified ? http_date(modified) : -1;
	const char *text;

	info->stored = stored > 0 ? (time_t)stored : 0;
	info->settled = is_settled(headers, stored);
	info->ctime.tv_sec = info->stored;
	attributes->mtime = info->ctime;
	attributes->mask = stored > 0 ? STORE_ATTR_MTIME : 0;
	if (mode_of(headers, &attributes->mode)) {
		attributes->mask |= STORE_ATTR_MODE;
		attributes->mode &= 07777;
	}
	if (number_of(headers, "uid", &attributes->uid))
		attributes->mask |= STORE_ATTR_UID;
	if (number_of(headers, "gid", &attributes->gid))
		attributes->mask |= STORE_ATTR_GID;
	text = meta_of(headers, "mtime");
	if (text && s3_time_of_metadata(text, &attributes->mtime))
		attributes->mask |= STORE_ATTR_MTIME;
	text = meta_of(headers, "atime");
	if (text && s3_time_of_metadata(text, &attributes->atime))
		attributes->mask |= STORE_ATTR_ATIME;
	text = meta_of(headers, "ctime");
	if (text)
		(void)s3_time_of_metadata(text, &info->ctime);
}

/* What has no body that could be a target is a file all the same. */
static enum store_type type_of(const struct http_response *headers,
			       uint64_t size)
{
	uint32_t mode;

	if (mode_of(headers, &mode) && S_ISLNK(mode) && size > 0 &&
	    size <= S3_TARGET_MAX)
		return STORE_TYPE_SYMLINK;
	return STORE_TYPE_FILE;
}

int s3_object_take(struct s3_object *object, struct s3_call *call, bool folder,
		   struct store_error *error)
{
	struct http_response *answer = &call->exchange.response;
	const char *length = http_header(answer, "content-length");
	struct store_info info = {
		.type = folder ? STORE_TYPE_FOLDER : STORE_TYPE_FILE,
		.links = 1,
	};
	int code = s3_version_of_etag(http_header(answer, "etag"),
				      &info.version, error);

	if (code)
		return code;
	if (!folder && !length)
		return store_error_set(error, STORE_CORRUPT,
				       "an object without a length");
	if (!folder)
		info.size = strtoull(length, NULL, 10);
	if (!folder)
		info.type = type_of(answer, info.size);
	read_attributes(answer, &info);
	object->info = info;
	object->headers = (struct http_response){ .headers = answer->headers };
	answer->headers = (struct buf){ .max = HTTP_HEADERS_MAX };
	return STORE_OK;
}

/* ---- details ---- */

/* "name=value&..." */
static int read_user(const char *text, struct store_metadata *metadata,
		     struct store_error *error)
{
	int code = STORE_OK;

	while (!code && *text) {
		size_t pair = strcspn(text, "&");
		size_t name = strcspn(text, "=&");
		CLEANUP_FREE char *left = NULL;
		CLEANUP_FREE char *right = NULL;

		if (name == pair)
			break;
		code = store_url_decode(text, name, "metadata", &left, error);
		if (!code)
			code = store_url_decode(text + name + 1,
						pair - name - 1, "metadata",
						&right, error);
		if (!code)
			code = store_metadata_add(metadata, left, right);
		text += pair + (text[pair] ? 1 : 0);
	}
	return code;
}

static int read_metadata(const struct http_response *headers,
			 struct store_metadata *metadata,
			 struct store_error *error)
{
	const char *user = http_header(headers, USER);
	const char *header;
	const char *value;
	size_t at = 0;
	int code = STORE_OK;

	while (!code && (header = http_header_next(headers, &at, &value))) {
		const char *name = user_name(header);

		if (name)
			code = store_metadata_add(metadata, name, value);
	}
	return code || !user ? code : read_user(user, metadata, error);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

static bool read_publish(const struct http_response *headers,
			 uint8_t publish[STORE_PUBLISH_SIZE])
{
	const char *text = http_header(headers, S3_PUBLISH);

	if (!text || strlen(text) != 2 * (size_t)STORE_PUBLISH_SIZE)
		return false;
	for (size_t i = 0; i < STORE_PUBLISH_SIZE; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			memset(publish, 0, STORE_PUBLISH_SIZE);
			return false;
		}
		publish[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool s3_object_is_of(const struct s3_object *object,
		     const uint8_t publish[STORE_PUBLISH_SIZE])
{
	uint8_t there[STORE_PUBLISH_SIZE];

	return read_publish(&object->headers, there) &&
	       memcmp(there, publish, sizeof(there)) == 0;
}

int s3_object_details(const struct s3_object *object,
		      struct store_details *details, struct store_error *error)
{
	const char *type = http_header(&object->headers, "content-type");
	int code = read_metadata(&object->headers, &details->metadata, error);

	/* That of a folder is of no put. */
	details->has_publish = object->info.type != STORE_TYPE_FOLDER &&
			       read_publish(&object->headers, details->publish);
	if (!code && type) {
		details->content_type = strdup(type);
		if (!details->content_type)
			code = STORE_NO_MEMORY;
	}
	if (code == STORE_NO_MEMORY)
		store_error_set(error, code, "out of memory");
	return code;
}

/* ---- writing ---- */

static void add_time(struct s3_call *call, const char *name,
		     struct timespec time)
{
	s3_call_header(call, name, "%lld.%09ld", (long long)time.tv_sec,
		       time.tv_nsec);
}

static unsigned int kind_of(enum store_type type)
{
	switch (type) {
	case STORE_TYPE_FOLDER:
		return S_IFDIR;
	case STORE_TYPE_SYMLINK:
		return S_IFLNK;
	default:
		return S_IFREG;
	}
}

static void add_attributes(struct s3_call *call, const struct s3_meta *meta,
			   const struct store_info *info)
{
	const struct store_attributes *attributes = &info->attributes;

	if (attributes->mask & STORE_ATTR_MODE)
		s3_call_header(call, META "mode", "%u",
			       kind_of(meta->type) | attributes->mode);
	if (attributes->mask & STORE_ATTR_UID)
		s3_call_header(call, META "uid", "%u", attributes->uid);
	if (attributes->mask & STORE_ATTR_GID)
		s3_call_header(call, META "gid", "%u", attributes->gid);
	if (attributes->mask & STORE_ATTR_MTIME)
		add_time(call, META "mtime", attributes->mtime);
	if (attributes->mask & STORE_ATTR_ATIME)
		add_time(call, META "atime", attributes->atime);
	add_time(call, META "ctime", info->ctime);
}

/* What of `from` stays, and what is given anew. */
static void merge_attributes(const struct s3_meta *meta,
			     struct store_info *info)
{
	const struct store_attributes *given = meta->attributes;
	struct store_attributes *to = &info->attributes;
	uint32_t mask = given ? given->mask : 0;

	info->ctime = clock_now();
	*to = (struct store_attributes){ .mask = 0 };
	if (meta->from)
		*to = meta->from->info.attributes;
	if (!meta->keep_mtime || !(to->mask & STORE_ATTR_MTIME))
		to->mtime = info->ctime;
	if (mask & STORE_ATTR_MODE)
		to->mode = given->mode;
	if (mask & STORE_ATTR_UID)
		to->uid = given->uid;
	if (mask & STORE_ATTR_GID)
		to->gid = given->gid;
	if (mask & STORE_ATTR_MTIME)
		to->mtime = given->mtime;
	if (mask & STORE_ATTR_ATIME)
		to->atime = given->atime;
	to->mask |= mask | STORE_ATTR_MTIME;
	/* That it is a symlink is said nowhere else. */
	if (meta->type == STORE_TYPE_SYMLINK && !(to->mask & STORE_ATTR_MODE)) {
		to->mode = 0777;
		to->mask |= STORE_ATTR_MODE;
	}
}

/* Will name and value come back from any server as they are? */
static bool is_plain(const char *name, const char *value)
{
	size_t length = strlen(value);

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
		    strlen(name) ||
	    is_one_of(name, attribute_names) || strcmp(name, "xattr") == 0 ||
	    strncmp(name, "storefs-", 8) == 0)
		return false;
	/* "=?" begins what AWS makes of other bytes (RFC 2047). */
	if (!length || *value == ' ' || value[length - 1] == ' ' ||
	    strncmp(value, "=?", 2) == 0 || strstr(value, "  "))
		return false;
	for (; *value; value++)
		if (*value < 32 || *value > 126)
			return false;
	return true;
}

static void add_metadata(struct s3_call *call,
			 const struct store_metadata *metadata)
{
	CLEANUP_BUF struct buf rest = BUF_INIT(3 * STORE_METADATA_MAX + 64);

	for (size_t i = 0; i < metadata->count; i++) {
		const struct store_metadata_pair *pair = &metadata->pairs[i];
		char name[STORE_METADATA_MAX + 16];

		if (is_plain(pair->name, pair->value)) {
			snprintf(name, sizeof(name), META "%s", pair->name);
			s3_call_header(call, name, "%s", pair->value);
			continue;
		}
		if (rest.length)
			buf_add_char(&rest, '&');
		s3_encode(&rest, pair->name, false);
		buf_add_char(&rest, '=');
		s3_encode(&rest, pair->value, false);
	}
	if (rest.failed)
		call->failed = true;
	else if (rest.length)
		s3_call_header(call, USER, "%s", buf_text(&rest));
}

/* What goes over from the version before: headers of `from` as they are. */
static void carry(struct s3_call *call, const struct s3_meta *meta)
{
	const struct http_response *from = &meta->from->headers;
	const char *header;
	const char *value;
	size_t at = 0;

	while ((header = http_header_next(from, &at, &value))) {
		bool user = user_name(header) || strcmp(header, USER) == 0;
		bool goes =
			is_one_of(header, kept_headers) ||
			(user && !meta->metadata) ||
			(meta->keep_publish && strcmp(header, S3_PUBLISH) == 0);

		if (goes && *value)
			s3_call_header(call, header, "%s", value);
	}
}

static void add_content_type(struct s3_call *call, const struct s3_meta *meta)
{
	const char *type = meta->content_type;

	if (!type && meta->from)
		type = http_header(&meta->from->headers, "content-type");
	if (!type && meta->type == STORE_TYPE_FOLDER)
		type = "application/x-directory"; /* as s3fs */
	if (!type)
		type = "application/octet-stream";
	s3_call_header(call, "content-type", "%s", type);
}

static void add_publish(struct s3_call *call, const uint8_t *publish)
{
	char hex[2 * STORE_PUBLISH_SIZE + 1];

	for (size_t i = 0; i < STORE_PUBLISH_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", publish[i]);
	s3_call_header(call, S3_PUBLISH, "%s", hex);
}

static const char *told_of(const struct s3_meta *meta, const char *header)
{
	return meta->from ? http_header(&meta->from->headers, header) : NULL;
}

/* NULL: that of new objects. */
static const char *class_of(const struct s3 *s3, const struct s3_meta *meta)
{
	const char *class = s3->settings.storage_class;

	if (class)
		return class;
	class = told_of(meta, "x-amz-storage-class");
	if (!class || strcmp(class, "STANDARD") == 0 ||
	    (!meta->copies && is_one_of(class, archives)))
		return NULL;
	return class;
}

#define SSE "x-amz-server-side-encryption"

/* As the options say, else as it was, else as the bucket does. */
static void add_encryption(const struct s3 *s3, struct s3_call *call,
			   const struct s3_meta *meta)
{
	static const char *const carried[] = { SSE, SSE "-aws-kms-key-id",
					       SSE "-bucket-key-enabled" };
	const struct s3_settings *settings = &s3->settings;

	if (settings->sse)
		s3_call_header(call, SSE, "%s", settings->sse);
	if (settings->sse_kms_key)
		s3_call_header(call, SSE "-aws-kms-key-id", "%s",
			       settings->sse_kms_key);
	s3_call_customer_key(s3, call, "x-amz-");
	if (settings->sse || settings->sse_customer || !told_of(meta, SSE))
		return;
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		const char *value = told_of(meta, carried[i]);

		if (value)
			s3_call_header(call, carried[i], "%s", value);
	}
}

static void add_storage(const struct s3 *s3, struct s3_call *call,
			const struct s3_meta *meta)
{
	const char *class = class_of(s3, meta);

	if (class)
		s3_call_header(call, "x-amz-storage-class", "%s", class);
	if (meta->tags)
		s3_call_header(call, "x-amz-tagging", "%s", meta->tags);
	add_encryption(s3, call, meta);
}

/* S3 counts names, without what all of them begin with, and values. */
static size_t metadata_bytes(const struct s3_call *call)
{
	size_t bytes = 0;

	for (size_t i = 0; i < call->header_count; i++)
		if (strncmp(call->headers[i], META, strlen(META)) == 0)
			bytes += strlen(call->headers[i]) - strlen(META) -
				 strlen(": ");
	return bytes;
}

int s3_meta_add(const struct s3 *s3, struct s3_call *call,
		const struct s3_meta *meta, struct store_info *info,
		struct store_error *error)
{
	int code;

	merge_attributes(meta, info);
	add_content_type(call, meta);
	if (meta->from)
		carry(call, meta);
	add_attributes(call, meta, info);
	if (meta->metadata)
		add_metadata(call, meta->metadata);
	if (meta->publish)
		add_publish(call, meta->publish);
	add_storage(s3, call, meta);
	code = s3_xattrs_add(call, meta, error);
	if (code)
		return code;
	if (call->failed)
		return store_error_set(error, STORE_INVALID,
				       "attributes no header can hold");
	if (metadata_bytes(call) <= S3_METADATA_MAX)
		return STORE_OK;
	return store_error_set(
		error, meta->xattr_count ? STORE_TOO_LARGE : STORE_INVALID,
		"more than %d bytes of metadata, with those for "
		"mode, owner and times",
		S3_METADATA_MAX);
}
