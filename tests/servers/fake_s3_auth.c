// SPDX-License-Identifier: MIT
/*
 * Signatures, version 4, in the Authorization header.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 *
 * The canonical request is made of what the request means (path and query
 * decoded and encoded anew), so an address that is encoded in another way
 * than the rules say has another signature.
 */
#include "config.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

enum { SKEW_MAX = 15 * 60 };

struct claim {
	char access[64];
	char day[9];
	char region[32];
	char signed_headers[2048];
	char signature[65];
};

static bool refuse(struct fake_request *request, int status, const char *code,
		   const char *message)
{
	fake_fail(request, status, code, message);
	return false;
}

/* ---- what is claimed ---- */

static bool read_claim(struct fake_request *request, struct claim *claim)
{
	const char *text = fake_header(request, "authorization");
	char rest[16];
	int end = 0;

	if (!text)
		return refuse(request, 403, "AccessDenied",
			      "nobody in particular may do that");
	if (sscanf(text,
		   "AWS4-HMAC-SHA256 Credential=%63[^/]/%8[0-9]/%31[^/]/s3/"
		   "aws4_request, SignedHeaders=%2047[a-z0-9;-], "
		   "Signature=%64[0-9a-f]%n",
		   claim->access, claim->day, claim->region,
		   claim->signed_headers, claim->signature, &end) != 5 &&
	    sscanf(text,
		   "AWS4-HMAC-SHA256 Credential=%63[^/]/%8[0-9]/%31[^/]/s3/"
		   "aws4_request,SignedHeaders=%2047[a-z0-9;-],"
		   "Signature=%64[0-9a-f]%n",
		   claim->access, claim->day, claim->region,
		   claim->signed_headers, claim->signature, &end) != 5)
		return refuse(request, 400, "AuthorizationHeaderMalformed",
			      "that is no signature");
	snprintf(rest, sizeof(rest), "%s", text + end);
	if (rest[strspn(rest, " ")])
		return refuse(request, 400, "AuthorizationHeaderMalformed",
			      "something stands behind the signature");
	return true;
}

static bool check_date(struct fake_request *request, const struct claim *claim)
{
	const char *date = fake_header(request, "x-amz-date");
	time_t now = fake_now(request->fake);
	struct tm tm = { .tm_sec = 0 };
	const char *end;
	time_t then;

	if (!date)
		return refuse(request, 403, "AccessDenied",
			      "a date is missing");
	end = strptime(date, "%Y%m%dT%H%M%SZ", &tm);
	if (!end || *end || strlen(date) != 16)
		return refuse(request, 403, "AccessDenied", "a bad date");
	then = timegm(&tm);
	if (strncmp(date, claim->day, 8) != 0)
		return refuse(request, 400, "AuthorizationHeaderMalformed",
			      "the scope is that of another day");
	if (then > now + SKEW_MAX || then < now - SKEW_MAX)
		return refuse(request, 403, "RequestTimeTooSkewed",
			      "the clocks differ too much");
	return true;
}

static const struct fake_key *find_key(struct fake_request *request,
				       const struct claim *claim)
{
	struct fake_s3 *fake = request->fake;
	const char *token = fake_header(request, "x-amz-security-token");

	for (size_t i = 0; i < fake->key_count; i++) {
		const struct fake_key *key = &fake->keys[i];

		if (strcmp(key->access, claim->access) != 0)
			continue;
		if (strcmp(token ? token : "", key->token) != 0) {
			refuse(request, 400, "InvalidToken",
			       "that is not the token of the key");
			return NULL;
		}
		if (key->expired) {
			refuse(request, 400, "ExpiredToken",
			       "the token has ended");
			return NULL;
		}
		return key;
	}
	refuse(request, 403, "InvalidAccessKeyId", "nobody has that key");
	return NULL;
}

/* ---- the canonical request ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_query(const struct fake_request *request, struct buf *to)
{
	char *all[FAKE_FIELDS_MAX];
	size_t count = request->query.count;

	for (size_t i = 0; i < count; i++) {
		CLEANUP_BUF struct buf one = BUF_INIT(65536);

		fake_encode(&one, request->query.list[i].name, false);
		buf_add_char(&one, '=');
		fake_encode(&one, request->query.list[i].value, false);
		all[i] = buf_steal(&one);
	}
	qsort(all, count, sizeof(*all), compare_text);
	for (size_t i = 0; i < count; i++) {
		buf_addf(to, "%s%s", i ? "&" : "", all[i]);
		free(all[i]);
	}
}

static bool is_signed(const struct claim *claim, const char *name)
{
	size_t length = strlen(name);
	const char *at = claim->signed_headers;

	while ((at = strstr(at, name))) {
		if ((at == claim->signed_headers || at[-1] == ';') &&
		    (at[length] == ';' || !at[length]))
			return true;
		at += length;
	}
	return false;
}

/* Blanks in a row count as one. */
static void add_value(struct buf *to, const char *value)
{
	for (; *value; value++)
		if (*value != ' ' || value[1] != ' ')
			buf_add_char(to, *value);
}

static bool add_headers(struct fake_request *request, const struct claim *claim,
			struct buf *to)
{
	char names[sizeof(claim->signed_headers)];
	char *rest = names;
	const char *last = "";
	char *name;

	snprintf(names, sizeof(names), "%s", claim->signed_headers);
	while ((name = strsep(&rest, ";"))) {
		const char *value = fake_header(request, name);

		if (!value || strcmp(last, name) >= 0)
			return refuse(request, 400,
				      "AuthorizationHeaderMalformed",
				      "headers that are not there, or not "
				      "sorted");
		buf_addf(to, "%s:", name);
		add_value(to, value);
		buf_add_char(to, '\n');
		last = name;
	}
	for (size_t i = 0; i < request->headers.count; i++) {
		const char *there = request->headers.list[i].name;

		if ((strncmp(there, "x-amz-", 6) == 0 ||
		     strcmp(there, "host") == 0) &&
		    !is_signed(claim, there))
			return refuse(request, 403, "AccessDenied",
				      "headers that were not signed");
	}
	return true;
}

/* ---- the signature ---- */

static void hmac(const unsigned char *key, size_t key_length, const char *text,
		 unsigned char mac[32])
{
	unsigned int length = 32;

	HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text,
	     strlen(text), mac, &length);
}

static void sign(const struct fake_key *key, const struct claim *claim,
		 const char *text, char signature[65])
{
	unsigned char mac[32];
	char start[128];

	snprintf(start, sizeof(start), "AWS4%s", key->secret);
	hmac((unsigned char *)start, strlen(start), claim->day, mac);
	hmac(mac, 32, claim->region, mac);
	hmac(mac, 32, "s3", mac);
	hmac(mac, 32, "aws4_request", mac);
	hmac(mac, 32, text, mac);
	fake_hex(mac, 32, signature);
}

static bool check_claim(struct fake_request *request, const struct claim *claim,
			const struct fake_key *key)
{
	CLEANUP_BUF struct buf canonical = BUF_INIT(1 << 20);
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	unsigned char raw[32];
	char hex[65];

	buf_addf(&canonical, "%s\n", request->method);
	fake_encode(&canonical, request->path, true);
	buf_add_char(&canonical, '\n');
	add_query(request, &canonical);
	buf_add_char(&canonical, '\n');
	if (!add_headers(request, claim, &canonical))
		return false;
	buf_addf(&canonical, "\n%s\n%s", claim->signed_headers,
		 fake_header(request, "x-amz-content-sha256"));
	EVP_Digest(buf_text(&canonical), canonical.length, raw, NULL,
		   EVP_sha256(), NULL);
	fake_hex(raw, sizeof(raw), hex);
	buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s",
		 fake_header(request, "x-amz-date"), claim->day, claim->region,
		 hex);
	sign(key, claim, buf_text(&text), hex);
	return strcmp(hex, claim->signature) == 0 ||
	       refuse(request, 403, "SignatureDoesNotMatch",
		      "the signature is that of another request");
}

bool fake_check_signature(struct fake_request *request)
{
	const struct fake_key *key;
	struct claim claim;

	if (!read_claim(request, &claim))
		return false;
	if (!fake_header(request, "x-amz-content-sha256"))
		return refuse(request, 400, "InvalidRequest",
			      "x-amz-content-sha256 is missing");
	if (!check_date(request, &claim))
		return false;
	if (strcmp(claim.region, request->fake->region) != 0) {
		fake_add_header(request, "x-amz-bucket-region: %s",
				request->fake->region);
		return refuse(request, 400, "AuthorizationHeaderMalformed",
			      "the region is wrong");
	}
	key = find_key(request, &claim);
	return key && check_claim(request, &claim, key);
}
