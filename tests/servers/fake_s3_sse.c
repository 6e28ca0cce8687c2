// SPDX-License-Identifier: MIT
/*
 * Encryption in the server, as far as a client sees it: keys that have to come
 * along, headers that may, and ETags that are no MD5. Nothing is encrypted.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
 *
 * Called by the operations, with the lock held.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "tests/servers/fake_s3_inside.h"

#define SSE "x-amz-server-side-encryption"

static bool refuse(struct fake_request *request, int status, const char *code,
		   const char *message)
{
	fake_fail(request, status, code, message);
	return false;
}

/* ---- keys of the customer ---- */

static const char *customer(const struct fake_request *request,
			    const char *prefix, const char *member)
{
	char name[96];

	snprintf(name, sizeof(name), "%sserver-side-encryption-customer-%s",
		 prefix, member);
	return fake_header(request, name);
}

static bool key_fits(const char *key, const char *md5)
{
	size_t length = 0;
	char *raw = base64_decode(key, &length);
	unsigned char digest[16];
	char *text;
	bool fits;

	if (!raw || length != 32) {
		free(raw);
		return false;
	}
	fake_md5(raw, length, digest);
	text = base64_encode(digest, sizeof(digest));
	fits = text && strcmp(text, md5) == 0;
	free(text);
	free(raw);
	return fits;
}

bool fake_customer(struct fake_request *request, const char *prefix,
		   char md5[FAKE_CUSTOMER_MAX])
{
	const char *algorithm = customer(request, prefix, "algorithm");
	const char *key = customer(request, prefix, "key");
	const char *sum = customer(request, prefix, "key-md5");
	const char *scheme = fake_header(request, "x-forwarded-proto");

	md5[0] = '\0';
	if (!algorithm && !key && !sum)
		return true;
	if (!scheme || strcmp(scheme, "https") != 0)
		return refuse(request, 400, "InvalidRequest",
			      "keys of a customer come by https only");
	if (!algorithm || !key || !sum || strcmp(algorithm, "AES256") != 0 ||
	    !key_fits(key, sum))
		return refuse(request, 400, "InvalidArgument",
			      "that is no key of a customer");
	snprintf(md5, FAKE_CUSTOMER_MAX, "%s", sum);
	return true;
}

bool fake_check_customer(struct fake_request *request, const char *prefix,
			 const char *of)
{
	char given[FAKE_CUSTOMER_MAX];

	if (!fake_customer(request, prefix, given))
		return false;
	if (!given[0] != !*of)
		return refuse(request, 400, "InvalidRequest",
			      *of ? "the key it was stored with is missing"
				  : "it was stored without a key");
	return strcmp(given, of) == 0 ||
	       refuse(request, 403, "AccessDenied", "with another key");
}

/* ---- what new objects are stored with ---- */

static bool is_one_of(const char *text, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, text) == 0)
			return true;
	return false;
}

bool fake_check_storage(struct fake_request *request)
{
	static const char *const kinds[] = { "AES256", "aws:kms",
					     "aws:kms:dsse", NULL };
	static const char *const classes[] = {
		"STANDARD",   "REDUCED_REDUNDANCY",  "STANDARD_IA",
		"ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
		"GLACIER_IR", "DEEP_ARCHIVE",	     NULL
	};
	const char *sse = fake_header(request, SSE);
	const char *key = fake_header(request, SSE "-aws-kms-key-id");
	const char *class = fake_header(request, "x-amz-storage-class");
	bool part = fake_query(request, "uploadId") != NULL;
	bool stores = (strcmp(request->method, "PUT") == 0 && !part) ||
		      fake_query(request, "uploads") != NULL;

	if ((sse || key || class) && !stores)
		return refuse(request, 400, "InvalidArgument",
			      "that is said when an object begins");
	if (sse && !is_one_of(sse, kinds))
		return refuse(request, 400, "InvalidArgument",
			      "no such encryption");
	if (key && (!sse || strncmp(sse, "aws:kms", 7) != 0))
		return refuse(request, 400, "InvalidArgument",
			      "a key without its encryption");
	if (sse && customer(request, "x-amz-", "algorithm"))
		return refuse(request, 400, "InvalidArgument",
			      "two kinds of encryption");
	return !class || is_one_of(class, classes) ||
	       refuse(request, 400, "InvalidStorageClass",
		      "no such storage class");
}

/* With a key that is not the server's own the ETag tells nothing. */
void fake_hide_etag(const struct fake_kept *kept, char *etag)
{
	unsigned char md5[16];

	if (!kept->customer[0] &&
	    !(kept->lines && strstr(kept->lines, SSE ": aws:kms")))
		return;
	fake_md5(etag, strlen(etag), md5);
	fake_hex(md5, sizeof(md5), etag);
}
