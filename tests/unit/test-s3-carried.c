// SPDX-License-Identifier: MIT
/*
 * What an object has beside bytes and metadata goes along when its attributes
 * change, when it is copied or moved, and when it is replaced: its storage
 * class, its encryption, where it redirects to, its tags.
 */
#include "config.h"

#include <stdio.h>

#include "tests/unit/http_server.h"
#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

enum { SIZE = 1000, BIG = 23 << 20 };

#define PARTS "&single_max=5M&part_size=5M&copy_max=20M"
#define CLASS "x-amz-storage-class: "
#define SSE "x-amz-server-side-encryption"

static unsigned char bytes[BIG];

static void setup(void)
{
	place_begin();
	fake_told("simulate bucket 0");
}

/* ---- on a strict server ---- */

static int put(const char *key, size_t size, bool keep)
{
	const struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.keep = keep,
	};
	struct store_memory_source source;

	store_error_clear(&error);
	return store_write(store, NULL, key,
			   store_memory_source_init(&source, bytes, size),
			   &options, NULL, &error);
}

static int change(const char *key)
{
	const struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE,
		.mode = 0640,
	};

	store_error_clear(&error);
	return store_set_attributes(store, NULL, key, &attributes, NULL,
				    &error);
}

static void reopen(const char *options)
{
	store_close(store);
	store = place_open("bucket", options);
}

static bool has(const char *object, const char *line)
{
	char command[128];

	snprintf(command, sizeof(command), "show bucket/%s", object);
	fake_told(command);
	return strstr(buf_text(&place.answer), line);
}

static void expect_one(const char *object, const char *class, const char *sse,
		       const char *key)
{
	char line[128];

	snprintf(line, sizeof(line), CLASS "%s\r\n", class);
	ck_assert_msg(has(object, line), "%s: no %s", object, class);
	snprintf(line, sizeof(line), SSE ": %s\r\n", sse);
	ck_assert_msg(has(object, line), "%s: no %s", object, sse);
	if (key)
		snprintf(line, sizeof(line), SSE "-aws-kms-key-id: %s\r\n",
			 key);
	else
		snprintf(line, sizeof(line), SSE "-aws-kms-key-id: ");
	ck_assert_msg(has(object, line) == (key != NULL), "%s: %s", object,
		      key ? key : "a key");
}

START_TEST(class_and_key_go_along)
{
	static const char *const names[] = { "changed", "copied",	"moved",
					     "large",	"copied-large", "kept",
					     "folder/" };

	store = place_open("bucket", PARTS "&storage_class=STANDARD_IA"
					   "&sse=aws:kms&sse_kms_key_id=my");
	ck_assert_int_eq(put("changed", SIZE, false), STORE_OK);
	ck_assert_int_eq(put("kept", SIZE, false), STORE_OK);
	ck_assert_int_eq(put("large", BIG, false), STORE_OK);
	ck_assert_int_eq(
		store_make_folder(store, NULL, "folder", NULL, NULL, &error),
		STORE_OK);
	reopen(PARTS);
	ck_assert_int_eq(change("changed"), STORE_OK);
	ck_assert_int_eq(change("folder"), STORE_OK);
	ck_assert_int_eq(change("large"), STORE_OK);
	ck_assert_int_eq(put("kept", SIZE / 2, true), STORE_OK);
	ck_assert_int_eq(
		store_copy(store, NULL, "changed", "copied", 0, NULL, &error),
		STORE_OK);
	ck_assert_int_eq(store_copy(store, NULL, "large", "copied-large", 0,
				    NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(
		store_copy(store, NULL, "changed", "there", 0, NULL, &error),
		STORE_OK);
	ck_assert_int_eq(store_move(store, NULL, "there", "moved", 0, NULL,
				    NULL, &error),
			 STORE_OK);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_one(names[i], "STANDARD_IA", "aws:kms", "my");
}
END_TEST

START_TEST(options_name_others)
{
	store = place_open("bucket", "&storage_class=STANDARD_IA"
				     "&sse=aws:kms&sse_kms_key_id=my");
	ck_assert_int_eq(put("k", SIZE, false), STORE_OK);
	reopen("&storage_class=ONEZONE_IA&sse=AES256");
	ck_assert_int_eq(change("k"), STORE_OK);
	expect_one("k", "ONEZONE_IA", "AES256", NULL);
	/* What is all new is as the options say. */
	reopen("&sse=AES256");
	ck_assert_int_eq(put("k", SIZE, false), STORE_OK);
	ck_assert(!has("k", CLASS));
}
END_TEST

/* It could not be read. */
START_TEST(new_bytes_are_not_archived)
{
	store = place_open("bucket", "&storage_class=GLACIER");
	ck_assert_int_eq(put("k", SIZE, false), STORE_OK);
	reopen("");
	ck_assert_int_eq(change("k"), STORE_OK);
	ck_assert(has("k", CLASS "GLACIER\r\n"));
	ck_assert_int_eq(put("k", SIZE, true), STORE_OK);
	ck_assert(!has("k", CLASS));
}
END_TEST

/* ---- what no server here tells ---- */

#define TOLD                                                        \
	"ETag: \"e1\"\r\n"                                          \
	"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"          \
	"Cache-Control: no-cache\r\nContent-Encoding: gzip\r\n"     \
	"Content-Disposition: inline\r\nContent-Language: de\r\n"   \
	"Expires: Thu, 01 Dec 1994 16:00:00 GMT\r\n"                \
	"x-amz-website-redirect-location: /other\r\n"               \
	"x-amz-server-side-encryption: aws:kms\r\n"                 \
	"x-amz-server-side-encryption-aws-kms-key-id: my\r\n"       \
	"x-amz-server-side-encryption-bucket-key-enabled: true\r\n" \
	"x-amz-tagging-count: 2\r\n"

static const char *const carried[] = {
	"\r\ncache-control: no-cache\r\n",
	"\r\ncontent-encoding: gzip\r\n",
	"\r\ncontent-disposition: inline\r\n",
	"\r\ncontent-language: de\r\n",
	"\r\nexpires: Thu, 01 Dec 1994 16:00:00 GMT\r\n",
	"\r\nx-amz-website-redirect-location: /other\r\n",
	"\r\nx-amz-server-side-encryption: aws:kms\r\n",
	"\r\nx-amz-server-side-encryption-aws-kms-key-id: my\r\n",
	"\r\nx-amz-server-side-encryption-bucket-key-enabled: true\r\n",
};

static struct http_server server;
static char begun[8192]; /* the request that makes the object */
static size_t told_size;

static bool answer(struct server_request *request)
{
	const char *body = "";
	char text[4096];
	size_t size;

	if (strstr(request->head, "list-type=2"))
		body = "<ListBucketResult></ListBucketResult>";
	else if (strstr(request->head, "?tagging"))
		body = "<Tagging><TagSet>"
		       "<Tag><Key>a b</Key><Value>1&amp;2</Value></Tag>"
		       "<Tag><Key>c</Key><Value></Value></Tag>"
		       "</TagSet></Tagging>";
	else if (strstr(request->head, "?uploads"))
		body = "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
		       "</InitiateMultipartUploadResult>";
	else if (strstr(request->head, "partNumber="))
		body = "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>";
	else if (strcmp(request->method, "POST") == 0)
		body = "<CompleteMultipartUploadResult><ETag>\"e2\"</ETag>"
		       "</CompleteMultipartUploadResult>";
	else if (strcmp(request->method, "PUT") == 0)
		body = "<CopyObjectResult><ETag>\"e2\"</ETag>"
		       "</CopyObjectResult>";
	if (strstr(request->head, "x-amz-meta-mode"))
		snprintf(begun, sizeof(begun), "%s", request->head);
	size = strcmp(request->method, "HEAD") == 0 ? told_size : strlen(body);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n" TOLD "\r\n%s",
		 size, body);
	http_server_text(request, text);
	return true;
}

static void change_told(size_t size)
{
	char url[256];

	told_size = size;
	begun[0] = '\0';
	setenv("no_proxy", "*", 1);
	http_server_start(&server, answer);
	snprintf(url, sizeof(url),
		 "s3://bucket?endpoint_url=http://127.0.0.1:%d&copy_max=20M",
		 server.port);
	ck_assert_int_eq(store_open_url(url, NULL, &store, &error), STORE_OK);
	ck_assert_msg(!change("k"), "%s", error.message);
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
		ck_assert_msg(strstr(begun, carried[i]), "%s without %s", begun,
			      carried[i]);
}

START_TEST(all_that_is_told_goes_along)
{
	change_told(SIZE);
	/* The server itself takes the tags along. */
	ck_assert_ptr_null(strstr(begun, "x-amz-tagging"));
	ck_assert_int_eq(atomic_load(&server.requests), 3);
	http_server_stop(&server);
}
END_TEST

START_TEST(tags_go_along_in_parts)
{
	change_told(BIG);
	ck_assert_msg(strstr(begun, "\r\nx-amz-tagging: a%20b=1%262&c=\r\n"),
		      "%s", begun);
	http_server_stop(&server);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-carried");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_add_test(tests, class_and_key_go_along);
	tcase_add_test(tests, options_name_others);
	tcase_add_test(tests, new_bytes_are_not_archived);
	tcase_add_test(tests, all_that_is_told_goes_along);
	tcase_add_test(tests, tags_go_along_in_parts);
	return unit_run("s3-carried", tests);
}
