// SPDX-License-Identifier: MIT
/*
 * Tags of objects.  A copy in one request has those of its source; one in
 * parts begins with none.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
 *
 * Called by copy.c.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdlib.h>
#include <string.h>

#include "backends/s3/sign.h"
#include "src/base/xml.h"

/* Ten tags of 128 and 256 characters, four bytes each, three times as long. */
enum { TAGS_TEXT_MAX = 65536 };

struct tags {
	struct buf text; /* "name=value&..." */
	struct buf name; /* of the one that is being read */
};

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	struct tags *tags = arg;

	if (strcmp(path, "Tagging/TagSet/Tag/Key") == 0) {
		tags->name.length = 0;
		s3_encode(&tags->name, text, false);
	}
	if (strcmp(path, "Tagging/TagSet/Tag/Value") == 0) {
		if (tags->text.length)
			buf_add_char(&tags->text, '&');
		buf_add_text(&tags->text, buf_text(&tags->name));
		buf_add_char(&tags->text, '=');
		s3_encode(&tags->text, text, false);
	}
	if (tags->name.failed || tags->text.failed)
		return store_error_set(error, STORE_CORRUPT,
				       "more tags than an object can have");
	return STORE_OK;
}

static int ask(struct s3 *s3, struct store_context *context, const char *name,
	       struct tags *tags, struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "GET", name);
	s3_call_query(&call, "tagging", "");
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_element,
				 tags, error);
	s3_call_release(&call);
	return code;
}

int s3_tags_read(struct s3 *s3, struct store_context *context, const char *name,
		 const struct s3_object *object, char **tags,
		 struct store_error *error)
{
	const char *count =
		http_header(&object->headers, "x-amz-tagging-count");
	struct tags found = {
		.text = BUF_INIT(TAGS_TEXT_MAX),
		.name = BUF_INIT(TAGS_TEXT_MAX),
	};
	int code = STORE_OK;

	*tags = NULL;
	if (!count || strcmp(count, "0") == 0)
		return STORE_OK;
	code = ask(s3, context, name, &found, error);
	if (!code && found.text.length)
		*tags = buf_steal(&found.text);
	buf_release(&found.text);
	buf_release(&found.name);
	if (code)
		store_error_prefix(error, "tags");
	return code;
}
