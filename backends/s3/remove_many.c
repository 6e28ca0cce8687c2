// SPDX-License-Identifier: MIT
/*
 * Removing the files of a page at once: DeleteObjects.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 *
 * The answer names what stays, with the reason.  Names that no XML can hold
 * go one by one.  Called through the table.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <string.h>

#include "src/base/xml.h"

/* 1,000 names of 1,024 bytes, some of them longer in XML. */
enum { BODY_MAX = 8 << 20 };

struct batch {
	struct s3 *s3;
	struct store_context *context;
	const struct backend_removals *removals;
	char *folder;
	size_t first; /* those of one request: [first, end) */
	size_t end;
	size_t listed; /* those of them the request names */
	/* Of the error at hand in the answer: */
	char *object;
	struct s3_failure failure;
};

static char *object_of(const struct batch *batch, size_t index)
{
	CLEANUP_BUF struct buf name = BUF_INIT(8192);

	buf_addf(&name, "%s%s", batch->folder, batch->removals->names[index]);
	return buf_steal(&name);
}

static void tell(const struct batch *batch, size_t index,
		 const struct store_error *error)
{
	batch->removals->failed(batch->removals->arg, index, error);
}

/* ---- the answer ---- */

static void tell_named(const struct batch *batch,
		       const struct store_error *error)
{
	size_t folder = strlen(batch->folder);

	if (!batch->object ||
	    strncmp(batch->object, batch->folder, folder) != 0)
		return;
	for (size_t i = batch->first; i < batch->end; i++)
		if (strcmp(batch->removals->names[i], batch->object + folder) ==
		    0)
			tell(batch, i, error);
}

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	static const char outer[] = "DeleteResult/Error";
	struct store_error why = STORE_ERROR_INIT;
	struct batch *batch = arg;
	const char *member = path + strlen(outer);

	if (strncmp(path, outer, strlen(outer)) != 0)
		return STORE_OK;
	if (strcmp(member, "/Key") == 0) {
		free(batch->object);
		batch->object = strdup(text);
		if (!batch->object)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
	}
	s3_failure_member(&batch->failure, member + 1, text);
	if (!*member) {
		if (s3_failure_named(&batch->failure, &why) != STORE_NOT_FOUND)
			tell_named(batch, &why);
		batch->failure = (struct s3_failure){ .code = "" };
	}
	return STORE_OK;
}

/* ---- requests ---- */

static int remove_one(struct batch *batch, size_t index,
		      struct store_error *error)
{
	CLEANUP_FREE char *object = object_of(batch, index);
	struct store_error why = STORE_ERROR_INIT;
	struct s3_call call;
	int code;

	if (!object)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	s3_call_init(&call, "DELETE", object);
	code = s3_send(batch->s3, batch->context, &call, &why);
	s3_call_release(&call);
	if (code && code != STORE_NOT_FOUND)
		tell(batch, index, &why);
	return STORE_OK;
}

/* The names from `first` on that fit into one request. */
static int collect(struct batch *batch, struct buf *text,
		   struct store_error *error)
{
	batch->listed = 0;
	buf_add_text(text, "<Delete><Quiet>true</Quiet>");
	for (batch->end = batch->first;
	     batch->end < batch->removals->count && batch->listed < S3_PAGE_MAX;
	     batch->end++) {
		CLEANUP_FREE char *object = object_of(batch, batch->end);
		CLEANUP_BUF struct buf name = BUF_INIT(65536);
		int code = STORE_OK;

		if (!object)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
		if (xml_escape(&name, object)) {
			batch->listed++;
			buf_addf(text, "<Object><Key>%s</Key></Object>",
				 buf_text(&name));
		} else {
			code = remove_one(batch, batch->end, error);
		}
		if (code)
			return code;
	}
	buf_add_text(text, "</Delete>");
	return buf_error(text, "the names to be removed", error);
}

static int remove_some(struct batch *batch, struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(BODY_MAX);
	struct s3_text_body body;
	struct s3_call call;
	int code = collect(batch, &text, error);

	if (code || !batch->listed)
		return code;
	s3_call_init(&call, "POST", NULL);
	call.body_max = BODY_MAX;
	/* Some servers insist on it. */
	call.wants_md5 = true;
	s3_call_query(&call, "delete", "");
	s3_call_header(&call, "content-type", "application/xml");
	s3_text_body_init(&body, buf_text(&text));
	code = s3_body_attach(batch->s3, &call, &body.body, error);
	if (!code)
		code = s3_send(batch->s3, batch->context, &call, error);
	if (!code)
		code = xml_parse(buf_text(&call.exchange.response.body),
				 call.exchange.response.body.length, on_element,
				 batch, error);
	s3_call_release(&call);
	return code;
}

int s3_remove_many(void *self, struct store_context *context,
		   const char *folder, const struct backend_removals *removals,
		   struct store_error *error)
{
	struct batch batch = {
		.s3 = self,
		.context = context,
		.removals = removals,
	};
	int code = s3_object_name(self, folder, true, &batch.folder, error);

	while (!code && batch.end < removals->count) {
		batch.first = batch.end;
		code = remove_some(&batch, error);
	}
	free(batch.folder);
	free(batch.object);
	return code;
}
