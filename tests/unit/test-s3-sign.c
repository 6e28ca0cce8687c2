// SPDX-License-Identifier: MIT
/*
 * Signatures of S3, by the examples of the reference:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
#include "config.h"

#include "backends/s3/sign.h"
#include "tests/unit/unit.h"

#include <string.h>

#define HOST "host: examplebucket.s3.amazonaws.com"
#define DATE "x-amz-date: 20130524T000000Z"
#define EMPTY "x-amz-content-sha256: " S3_EMPTY_SHA256

enum { HEADERS_MAX = 6 };

struct example {
	const char *method;
	const char *path;
	const char *query;
	const char *headers[HEADERS_MAX];
	const char *payload;
	const char *names;
	const char *signature;
};

static const struct example examples[] = {
	{ .method = "GET",
	  .path = "/test.txt",
	  .query = "",
	  .headers = { HOST, "range: bytes=0-9", EMPTY, DATE },
	  .payload = S3_EMPTY_SHA256,
	  .names = "host;range;x-amz-content-sha256;x-amz-date",
	  .signature =
		  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6"
		  "036bdb41" },
	{ .method = "PUT",
	  .path = "/test%24file.text",
	  .query = "",
	  .headers = { DATE, "x-amz-storage-class: REDUCED_REDUNDANCY",
		       "x-amz-content-sha256: "
		       "44ce7dd67c959e0d3524ffac1771dfbb"
		       "a87d2b6b4b4e99e42034a8b803f8b072",
		       HOST, "date: Fri, 24 May 2013 00:00:00 GMT" },
	  .payload = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b8"
		     "03f8b072",
	  .names = "date;host;x-amz-content-sha256;x-amz-date;"
		   "x-amz-storage-class",
	  .signature =
		  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0"
		  "ece108bd" },
	{ .method = "GET",
	  .path = "/",
	  .query = "lifecycle=",
	  .headers = { HOST, EMPTY, DATE },
	  .payload = S3_EMPTY_SHA256,
	  .names = "host;x-amz-content-sha256;x-amz-date",
	  .signature =
		  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a01"
		  "36783543" },
	{ .method = "GET",
	  .path = "/",
	  .query = "max-keys=2&prefix=J",
	  .headers = { HOST, EMPTY, DATE },
	  .payload = S3_EMPTY_SHA256,
	  .names = "host;x-amz-content-sha256;x-amz-date",
	  .signature =
		  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711e"
		  "f69dc6f7" },
};

START_TEST(signatures_are_those_of_the_reference)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *example = &examples[i];
		struct s3_signing signing = {
			.method = example->method,
			.path = example->path,
			.query = example->query,
			.headers = example->headers,
			.payload = example->payload,
			.access = "AKIAIOSFODNN7EXAMPLE",
			.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			.region = "us-east-1",
			.service = "s3",
			.time = 1369353600,
		};
		struct buf expected = BUF_INIT(4096);
		struct buf found = BUF_INIT(4096);

		while (signing.header_count < HEADERS_MAX &&
		       example->headers[signing.header_count])
			signing.header_count++;
		buf_addf(&expected,
			 "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
			 "20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,"
			 "Signature=%s",
			 example->names, example->signature);
		ck_assert_int_eq(s3_sign(&signing, &found, NULL), STORE_OK);
		ck_assert_str_eq(buf_text(&found), buf_text(&expected));
		buf_release(&expected);
		buf_release(&found);
	}
}
END_TEST

START_TEST(names_are_encoded_byte_by_byte)
{
	struct buf text = BUF_INIT(256);

	s3_encode(&text, "a/b c+~-._%\xc3\xbc\x01", true);
	ck_assert_str_eq(buf_text(&text), "a/b%20c%2B~-._%25%C3%BC%01");
	buf_clear(&text);
	s3_encode(&text, "a/b", false);
	ck_assert_str_eq(buf_text(&text), "a%2Fb");
	buf_release(&text);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-sign");

	tcase_add_test(tests, signatures_are_those_of_the_reference);
	tcase_add_test(tests, names_are_encoded_byte_by_byte);
	return unit_run("s3-sign", tests);
}
