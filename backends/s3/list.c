// SPDX-License-Identifier: MIT
/*
 * Listings: ListObjectsV2, a page at a time, names percent-encoded so that
 * any byte survives the XML.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 *
 * The cursor is the server's token, and what shows that it comes again
 * (loop.c).  Names that no key can have (empty
 * components, "." and "..", longer than 255 bytes) are left out.
 *
 * Called through the table, and to tell whether a folder is there.
 */
#include "config.h"

#include "backends/s3/loop.h"
#include "backends/s3/s3.h"

#include <stdio.h>
#include <string.h>

#include "backends/s3/time.h"
#include "src/base/xml.h"
#include "src/url.h"

enum { PAGE_BODY_MAX = 16 << 20 };

struct parse {
	const char *prefix;
	size_t root; /* bytes of the store's root in it */
	bool recursive;
	bool encoded;
	struct store_page *page; /* NULL: only what is below is asked */
	struct s3_below below;
	/* Of the element at hand: */
	char *name;
	struct store_info info;
	char *next;
	bool truncated;
	/* Where it goes on: */
	struct s3_loop loop;
	const char *token;
};

/* Some say so behind the names, and some do not encode at all. */
bool s3_names_are_encoded(const struct s3_call *call)
{
	return strstr(buf_text(&call->exchange.response.body),
		      "<EncodingType>url<");
}

/* A '+' is a blank in what AWS encodes. */
int s3_name_decode(const char *text, bool encoded, char **name,
		   struct store_error *error)
{
	CLEANUP_FREE char *copy = strdup(text);

	if (!copy)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	if (!encoded) {
		*name = steal_pointer(&copy);
		return STORE_OK;
	}
	for (char *at = copy; *at; at++)
		if (*at == '+')
			*at = ' ';
	return store_url_decode(copy, strlen(copy), "a name in a listing", name,
				error);
}

/* ---- entries ---- */

/* May a path lead there?  Each component is looked at. */
static bool is_reachable(const char *name)
{
	for (;;) {
		size_t length = strcspn(name, "/");

		if (!length || length > STORE_NAME_MAX ||
		    (length == 1 && *name == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		if (!name[length])
			return true;
		name += length + 1;
	}
}

static bool is_probe(const char *name)
{
	const char *last = strrchr(name, '/');

	return strncmp(last ? last + 1 : name, S3_PROBE, strlen(S3_PROBE)) == 0;
}

/* `name` is that below the prefix; a recursive listing tells whole keys. */
static int add_entry(struct parse *parse, const char *name,
		     struct store_error *error)
{
	int code;

	if (!is_reachable(name) || (!parse->recursive && strchr(name, '/')))
		return STORE_OK;
	if (parse->recursive)
		name = parse->name + parse->root;
	code = store_page_add(parse->page, name, &parse->info,
			      parse->info.implicit);
	return code ? store_error_set(error, code, "out of memory") : STORE_OK;
}

static int end_object(struct parse *parse, struct store_error *error)
{
	size_t prefix = strlen(parse->prefix);
	size_t length = parse->name ? strlen(parse->name) : 0;
	const char *name = parse->name + prefix;

	if (length < prefix || strncmp(parse->name, parse->prefix, prefix) != 0)
		return store_error_set(error, STORE_CORRUPT,
				       "a listing of other names");
	if (length == prefix) {
		parse->below.marker = true;
		return STORE_OK;
	}
	if (is_probe(name))
		return STORE_OK;
	parse->below.others = true;
	/* A marker further down: its folder, in a listing without folders. */
	if (!parse->page || name[strlen(name) - 1] == '/')
		return STORE_OK;
	parse->info.type = STORE_TYPE_FILE;
	parse->info.links = 1;
	return add_entry(parse, name, error);
}

static int end_folder(struct parse *parse, struct store_error *error)
{
	size_t prefix = strlen(parse->prefix);
	size_t length = parse->name ? strlen(parse->name) : 0;

	if (length <= prefix || parse->name[length - 1] != '/' ||
	    strncmp(parse->name, parse->prefix, prefix) != 0)
		return store_error_set(error, STORE_CORRUPT,
				       "a listing of other names");
	parse->below.others = true;
	if (!parse->page)
		return STORE_OK;
	parse->name[length - 1] = '\0';
	parse->info =
		(struct store_info){ .type = STORE_TYPE_FOLDER, .links = 1 };
	return add_entry(parse, parse->name + prefix, error);
}

static int take_name(struct parse *parse, const char *text,
		     struct store_error *error)
{
	free(parse->name);
	parse->name = NULL;
	return s3_name_decode(text, parse->encoded, &parse->name, error);
}

static int take_member(struct parse *parse, const char *member,
		       const char *text, struct store_error *error)
{
	struct store_info *info = &parse->info;

	if (strcmp(member, "Key") == 0)
		return take_name(parse, text, error);
	if (strcmp(member, "Size") == 0) {
		info->size = strtoull(text, NULL, 10);
	} else if (strcmp(member, "ETag") == 0) {
		return s3_version_of_etag(text, &info->version, error);
	} else if (strcmp(member, "LastModified") == 0) {
		info->ctime = s3_time_parse(text);
		info->stored = info->ctime.tv_sec;
		info->attributes.mtime = info->ctime;
		info->attributes.mask = STORE_ATTR_MTIME;
	}
	return STORE_OK;
}

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	static const char outer[] = "ListBucketResult/";
	struct parse *parse = arg;
	int code = STORE_OK;

	if (strncmp(path, outer, strlen(outer)) != 0)
		return STORE_OK;
	path += strlen(outer);
	if (strncmp(path, "Contents/", 9) == 0)
		return take_member(parse, path + 9, text, error);
	if (strcmp(path, "CommonPrefixes/Prefix") == 0)
		return take_name(parse, text, error);
	if (strcmp(path, "IsTruncated") == 0)
		parse->truncated = strcmp(text, "true") == 0;
	if (strcmp(path, "NextContinuationToken") == 0) {
		free(parse->next);
		parse->next = strdup(text);
		return parse->next ? STORE_OK
				   : store_error_set(error, STORE_NO_MEMORY,
						     "out of memory");
	}
	if (strcmp(path, "Contents") == 0)
		code = end_object(parse, error);
	else if (strcmp(path, "CommonPrefixes") == 0)
		code = end_folder(parse, error);
	else
		return STORE_OK;
	free(parse->name);
	parse->name = NULL;
	parse->info = (struct store_info){ .links = 1 };
	return code;
}

static int read_answer(const struct s3_call *call, struct parse *parse,
		       struct store_error *error)
{
	const struct buf *body = &call->exchange.response.body;
	int code;

	parse->encoded = s3_names_are_encoded(call);
	code = xml_parse(buf_text(body), body->length, on_element, parse,
			 error);
	free(parse->name);
	parse->name = NULL;
	return code;
}

/* ---- what is below ---- */

static void ask(struct s3_call *call, const char *prefix, size_t limit)
{
	char text[24];

	s3_call_init(call, "GET", NULL);
	call->body_max = PAGE_BODY_MAX;
	snprintf(text, sizeof(text), "%zu", limit);
	s3_call_query(call, "list-type", "2");
	s3_call_query(call, "encoding-type", "url");
	s3_call_query(call, "max-keys", text);
	if (*prefix)
		s3_call_query(call, "prefix", prefix);
}

/* The marker comes first of all, so two names tell all there is to know. */
void s3_below_ask(struct s3_call *call, const char *folder)
{
	ask(call, folder, 2);
}

int s3_below_read(const struct s3_call *call, const char *folder,
		  struct s3_below *below, struct store_error *error)
{
	struct parse parse = { .prefix = folder };
	int code = read_answer(call, &parse, error);

	free(parse.next);
	if (!code)
		*below = parse.below;
	return code;
}

int s3_below(struct s3 *s3, struct store_context *context, const char *key,
	     struct s3_below *below, struct store_error *error)
{
	CLEANUP_FREE char *folder = NULL;
	struct s3_call call;
	int code = s3_object_name(s3, key, true, &folder, error);

	if (code)
		return code;
	s3_below_ask(&call, folder);
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = s3_below_read(&call, folder, below, error);
	s3_call_release(&call);
	return code;
}

/* ---- pages ---- */

/* Nothing is below: is it because the key is that of a file? */
static int check_not_file(struct s3 *s3, struct store_context *context,
			  const char *key, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	CLEANUP_FREE char *object = NULL;
	struct s3_object found;
	int code = s3_object_name(s3, key, false, &object, error);

	if (code)
		return code;
	code = s3_head(s3, context, object, NULL, &found, &own);
	if (!code) {
		s3_object_release(&found);
		return store_error_set(error, STORE_NOT_DIR, "%s",
				       store_code_text(STORE_NOT_DIR));
	}
	if (code == STORE_NOT_FOUND)
		return STORE_OK;
	*error = own;
	return code;
}

static int list_page(struct s3 *s3, struct store_context *context,
		     const struct backend_list_request *request,
		     struct parse *parse, struct store_error *error)
{
	size_t limit =
		request->limit < S3_PAGE_MAX ? request->limit : S3_PAGE_MAX;
	struct s3_call call;
	int code;

	ask(&call, parse->prefix, limit);
	if (!request->recursive)
		s3_call_query(&call, "delimiter", "/");
	if (parse->token)
		s3_call_query(&call, "continuation-token", parse->token);
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = read_answer(&call, parse, error);
	s3_call_release(&call);
	if (!code && parse->truncated && !parse->next)
		code = store_error_set(error, STORE_CORRUPT,
				       "a listing without its continuation");
	if (!code && parse->truncated)
		code = s3_loop_step(&parse->loop, parse->next, error);
	return code;
}

int s3_list(void *self, struct store_context *context,
	    const struct backend_list_request *request, struct store_page *page,
	    struct store_error *error)
{
	struct s3 *s3 = self;
	CLEANUP_FREE char *prefix = NULL;
	struct parse parse = {
		.root = strlen(s3->settings.root),
		.recursive = request->recursive,
		.page = page,
		.info = { .links = 1 },
	};
	int code = s3_object_name(s3, request->prefix, true, &prefix, error);

	if (code)
		return code;
	parse.prefix = prefix;
	if (request->cursor)
		code = s3_loop_read(request->cursor, &parse.loop, &parse.token,
				    error);
	if (!code)
		code = list_page(s3, context, request, &parse, error);
	if (!code && !request->cursor && *request->prefix &&
	    !parse.below.marker && !parse.below.others)
		code = check_not_file(s3, context, request->prefix, error);
	if (!code && parse.truncated)
		code = s3_loop_write(&parse.loop, parse.next, &page->next,
				     error);
	s3_loop_release(&parse.loop);
	free(parse.next);
	return code;
}
