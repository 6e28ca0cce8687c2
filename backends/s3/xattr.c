// SPDX-License-Identifier: MIT
/*
 * Extended attributes in the form of s3fs: one header with a JSON object,
 * percent-encoded, of names with their namespace and values in base64.
 * https://github.com/s3fs-fuse/s3fs-fuse (set_xattrs_to_header())
 *
 * What is not of that form holds none; a change leaves it as it is, and
 * fails.
 *
 * Called through the table, and for the headers of a new version (meta.c).
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "backends/s3/sign.h"
#include "src/base/base64.h"
#include "src/base/json.h"
#include "src/url.h"

enum { NAME_LIMIT = 255 };

static int no_xattr(struct store_error *error)
{
	store_error_set(error, STORE_NOT_FOUND, "no such extended attribute");
	error->detail = ENODATA;
	return STORE_NOT_FOUND;
}

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static void free_json(struct json **json)
{
	json_free(*json);
}
#define CLEANUP_JSON CLEANUP(free_json)

/* ---- what is there ---- */

/* An empty object when there is no header; CORRUPT. */
static int parse(const struct s3_object *from, struct json **json,
		 struct store_error *error)
{
	const char *text =
		from ? http_header(&from->headers, S3_XATTR_HEADER) : NULL;
	CLEANUP_FREE char *decoded = NULL;
	int code;

	if (!text || !*text) {
		*json = json_object();
		return *json ? STORE_OK : no_memory(error);
	}
	code = store_url_decode(text, strlen(text), S3_XATTR_HEADER, &decoded,
				error);
	if (!code)
		code = json_parse(decoded, strlen(decoded), json, error);
	if (!code || code == STORE_NO_MEMORY)
		return code;
	store_error_clear(error);
	return store_error_set(error, STORE_CORRUPT,
			       "extended attributes of another form are there");
}

/* For who only looks. */
static int parse_readable(const struct s3_object *from, struct json **json,
			  struct store_error *error)
{
	int code = parse(from, json, error);

	if (code != STORE_CORRUPT)
		return code;
	store_error_clear(error);
	*json = json_object();
	return *json ? STORE_OK : no_memory(error);
}

/* Its headers come along, also those of a folder's marker. */
static int look(struct s3 *s3, struct store_context *context, const char *key,
		struct s3_object *found, struct store_error *error)
{
	CLEANUP_FREE char *folder = NULL;
	int code = s3_find(s3, context, key, found, error);

	if (code || found->info.type != STORE_TYPE_FOLDER ||
	    found->info.implicit)
		return code;
	code = s3_object_name(s3, key, true, &folder, error);
	return code ? code : s3_head(s3, context, folder, NULL, found, error);
}

static int look_and_parse(struct s3 *s3, struct store_context *context,
			  const char *key, struct json **json,
			  struct store_error *error)
{
	struct s3_object found;
	int code = look(s3, context, key, &found, error);

	if (code)
		return code;
	code = parse_readable(&found, json, error);
	s3_object_release(&found);
	return code;
}

int s3_get_xattr(void *self, struct store_context *context, const char *key,
		 const char *name, void **value, size_t *size,
		 struct store_error *error)
{
	CLEANUP_JSON struct json *json = NULL;
	const char *text;
	size_t length;
	char *bytes;
	int code = look_and_parse(self, context, key, &json, error);

	if (code)
		return code;
	text = json_get_text(json, name);
	if (!text)
		return no_xattr(error);
	bytes = base64_decode(text, &length);
	if (!bytes)
		return store_error_set(error, STORE_CORRUPT,
				       "the value of %s is no base64", name);
	*value = bytes;
	*size = length;
	return STORE_OK;
}

int s3_list_xattrs(void *self, struct store_context *context, const char *key,
		   char **names, size_t *size, struct store_error *error)
{
	CLEANUP_BUF struct buf list = BUF_INIT(HTTP_HEADERS_MAX);
	CLEANUP_JSON struct json *json = NULL;
	const char *name;
	size_t length;
	char *text;
	int code = look_and_parse(self, context, key, &json, error);

	if (code)
		return code;
	for (size_t i = 0; (name = json_member(json, i, NULL)); i++)
		buf_add(&list, name, strlen(name) + 1);
	length = list.length;
	text = buf_steal(&list);
	if (!text)
		return no_memory(error);
	*names = text;
	*size = length;
	return STORE_OK;
}

/* ---- what is to be there ---- */

static const struct store_xattr *given(const struct s3_meta *meta,
				       const char *name)
{
	for (size_t i = 0; i < meta->xattr_count; i++)
		if (strcmp(meta->xattrs[i].name, name) == 0)
			return &meta->xattrs[i];
	return NULL;
}

static int check(const struct s3_meta *meta, const struct json *there,
		 struct store_error *error)
{
	if (meta->xattr_removed && !json_get(there, meta->xattr_removed))
		return no_xattr(error);
	for (size_t i = 0; i < meta->xattr_count; i++) {
		const char *name = meta->xattrs[i].name;
		size_t length = strlen(name);
		bool has = json_get(there, name);

		if (!length || length > NAME_LIMIT ||
		    !utf8_is_valid(name, length))
			return store_error_set(error, STORE_INVALID,
					       "not the name of an extended "
					       "attribute that S3 can hold");
		if (meta->xattr_flags & XATTR_REPLACE && !has)
			return no_xattr(error);
		if (meta->xattr_flags & XATTR_CREATE && has)
			return store_error_set(error, STORE_EXISTS,
					       "the extended attribute exists");
	}
	return STORE_OK;
}

static int merge(const struct s3_meta *meta, const struct json *there,
		 struct json *to, struct store_error *error)
{
	const struct json *value;
	const char *name;
	int failed = 0;

	for (size_t i = 0; (name = json_member(there, i, &value)); i++) {
		const char *text = json_as_text(value);

		if (!text || given(meta, name) ||
		    (meta->xattr_removed &&
		     strcmp(meta->xattr_removed, name) == 0))
			continue;
		failed |= json_set(to, name, json_text(text));
	}
	for (size_t i = 0; i < meta->xattr_count; i++) {
		const struct store_xattr *xattr = &meta->xattrs[i];
		CLEANUP_FREE char *text =
			base64_encode(xattr->value, xattr->size);

		failed |= !text ||
			  json_set(to, xattr->name, json_text(text)) != 0;
	}
	return failed ? no_memory(error) : STORE_OK;
}

static int add_header(struct s3_call *call, const struct json *json,
		      struct store_error *error)
{
	CLEANUP_BUF struct buf value = BUF_INIT(64 * S3_METADATA_MAX);
	CLEANUP_FREE char *text = json_print(json, false);

	if (!text)
		return no_memory(error);
	s3_encode(&value, text, false);
	if (value.failed)
		return store_error_set(error, STORE_TOO_LARGE,
				       "more extended attributes than headers "
				       "can hold");
	s3_call_header(call, S3_XATTR_HEADER, "%s", buf_text(&value));
	return STORE_OK;
}

int s3_xattrs_add(struct s3_call *call, const struct s3_meta *meta,
		  struct store_error *error)
{
	CLEANUP_JSON struct json *there = NULL;
	CLEANUP_JSON struct json *merged = NULL;
	const char *as_it_is =
		meta->from ? http_header(&meta->from->headers, S3_XATTR_HEADER)
			   : NULL;
	int code;

	if (!meta->xattr_count && !meta->xattr_removed) {
		if (as_it_is && *as_it_is)
			s3_call_header(call, S3_XATTR_HEADER, "%s", as_it_is);
		return STORE_OK;
	}
	code = parse(meta->from, &there, error);
	if (!code)
		code = check(meta, there, error);
	if (code)
		return code;
	merged = json_object();
	if (!merged)
		return no_memory(error);
	code = merge(meta, there, merged, error);
	if (!code && json_count(merged))
		code = add_header(call, merged, error);
	return code;
}

int s3_check_xattrs(void *self, const struct store_xattr *xattrs, size_t count,
		    struct store_error *error)
{
	const struct s3_meta meta = { .xattrs = xattrs, .xattr_count = count };
	struct s3_call call;
	int code;

	(void)self;
	s3_call_init(&call, "PUT", NULL);
	code = s3_xattrs_add(&call, &meta, error);
	if (!code && call.failed)
		code = no_memory(error);
	if (!code && call.header_count &&
	    strlen(call.headers[0]) > S3_METADATA_MAX - S3_METADATA_OURS)
		code = store_error_set(error, STORE_TOO_LARGE,
				       "more than %d bytes of extended "
				       "attributes",
				       S3_METADATA_MAX - S3_METADATA_OURS);
	s3_call_release(&call);
	return code;
}

/* What there is no room for is that of setxattr(2): ENOSPC. */
int s3_set_xattr(void *self, struct store_context *context, const char *key,
		 const struct store_xattr *xattr, int xattr_flags,
		 struct store_error *error)
{
	const struct s3_meta change = {
		.xattrs = xattr,
		.xattr_count = 1,
		.xattr_flags = xattr_flags,
	};
	struct store_error own = STORE_ERROR_INIT;
	struct store_info info;
	int code = s3_change(self, context, key, &change, &info, &own);

	if (code == STORE_TOO_LARGE) {
		own.code = STORE_NO_SPACE;
		code = STORE_NO_SPACE;
	}
	if (code)
		*error = own;
	return code;
}

int s3_remove_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, struct store_error *error)
{
	const struct s3_meta change = { .xattr_removed = name };
	struct store_info info;

	return s3_change(self, context, key, &change, &info, error);
}
