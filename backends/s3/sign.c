// SPDX-License-Identifier: MIT
/*
 * Signature Version 4: see sign.h.  Pure; called for every request.  The
 * names of the parts are those of the reference.
 */
#include "config.h"

#include "backends/s3/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/crypto.h"
#include "src/base/secret.h"

enum { CANONICAL_MAX = 256 * 1024 };

void s3_encode(struct buf *buf, const char *text, bool slashes)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-._~", c) ||
		    (slashes && c == '/'))
			buf_add_char(buf, (char)c);
		else
			buf_addf(buf, "%%%02X", c);
	}
}

void s3_sign_date(int64_t seconds, char text[17])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static size_t name_length(const char *header)
{
	return strcspn(header, ":");
}

static int compare_headers(const void *a, const void *b)
{
	const char *left = *(const char *const *)a;
	const char *right = *(const char *const *)b;
	size_t length = name_length(left);
	size_t other = name_length(right);
	int order = memcmp(left, right, length < other ? length : other);

	return order ? order : (length > other) - (length < other);
}

/* The value without blanks around it and with single ones inside. */
static void add_value(struct buf *buf, const char *value)
{
	while (*value == ' ')
		value++;
	for (; *value; value++) {
		if (*value == ' ' && (value[1] == ' ' || !value[1]))
			continue;
		buf_add_char(buf, *value);
	}
}

static void add_names(struct buf *buf, const char *const *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(buf, ';');
		buf_add(buf, headers[i], name_length(headers[i]));
	}
}

static int hash(const char *text, char hex[DIGEST_HEX_MAX],
		struct store_error *error)
{
	struct digest *digest = NULL;
	int code = digest_new("sha256", &digest, error);

	if (!code)
		code = digest_update(digest, text, strlen(text), error);
	if (!code)
		code = digest_finish(digest, hex, error);
	digest_free(digest);
	return code;
}

/* The hash of the canonical request. */
static int canonical(const struct s3_signing *signing,
		     const char *const *headers, char hex[DIGEST_HEX_MAX],
		     struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(CANONICAL_MAX);
	int code;

	buf_addf(&text, "%s\n%s\n%s\n", signing->method, signing->path,
		 signing->query);
	for (size_t i = 0; i < signing->header_count; i++) {
		size_t length = name_length(headers[i]);

		buf_add(&text, headers[i], length);
		buf_add_char(&text, ':');
		if (headers[i][length])
			add_value(&text, headers[i] + length + 1);
		buf_add_char(&text, '\n');
	}
	buf_add_char(&text, '\n');
	add_names(&text, headers, signing->header_count);
	buf_addf(&text, "\n%s", signing->payload);
	code = buf_error(&text, "a request to be signed", error);
	return code ? code : hash(buf_text(&text), hex, error);
}

struct mac {
	unsigned char bytes[SHA256_SIZE];
};

static int mac_text(const struct mac *key, const char *text, struct mac *mac,
		    struct store_error *error)
{
	return crypto_hmac_sha256(key->bytes, sizeof(key->bytes), text,
				  strlen(text), mac->bytes, error);
}

static int signing_key(const struct s3_signing *signing, const char *day,
		       struct mac *key, struct store_error *error)
{
	CLEANUP_BUF struct buf first = BUF_INIT(4096);
	int code;

	buf_addf(&first, "AWS4%s", signing->secret);
	code = buf_error(&first, "a secret key", error);
	if (!code)
		code = crypto_hmac_sha256(first.data, first.length, day,
					  strlen(day), key->bytes, error);
	if (first.data)
		secret_wipe(first.data, first.length);
	if (!code)
		code = mac_text(key, signing->region, key, error);
	if (!code)
		code = mac_text(key, signing->service, key, error);
	if (!code)
		code = mac_text(key, "aws4_request", key, error);
	return code;
}

static int sign_text(const struct s3_signing *signing, const char *scope,
		     const char *request, struct mac *mac,
		     struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	char date[17];
	char day[9];
	int code;

	s3_sign_date(signing->time, date);
	memcpy(day, date, 8);
	day[8] = '\0';
	buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, request);
	code = buf_error(&text, "a text to be signed", error);
	if (!code)
		code = signing_key(signing, day, mac, error);
	if (!code)
		code = mac_text(mac, buf_text(&text), mac, error);
	return code;
}

static void add_authorization(const struct s3_signing *signing,
			      const char *const *headers, const char *scope,
			      const struct mac *mac, struct buf *text)
{
	buf_addf(text, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=",
		 signing->access, scope);
	add_names(text, headers, signing->header_count);
	buf_add_text(text, ",Signature=");
	for (size_t i = 0; i < sizeof(mac->bytes); i++)
		buf_addf(text, "%02x", mac->bytes[i]);
}

int s3_sign(const struct s3_signing *signing, struct buf *authorization,
	    struct store_error *error)
{
	size_t size = signing->header_count * sizeof(*signing->headers);
	CLEANUP_FREE const char **headers = malloc(size ? size : 1);
	CLEANUP_BUF struct buf scope = BUF_INIT(1024);
	char request[DIGEST_HEX_MAX];
	char date[17];
	struct mac mac;
	int code;

	if (!headers)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	memcpy(headers, signing->headers, size);
	qsort(headers, signing->header_count, sizeof(*headers),
	      compare_headers);
	s3_sign_date(signing->time, date);
	buf_addf(&scope, "%.8s/%s/%s/aws4_request", date, signing->region,
		 signing->service);
	code = buf_error(&scope, "the scope of a signature", error);
	if (!code)
		code = canonical(signing, headers, request, error);
	if (!code)
		code = sign_text(signing, buf_text(&scope), request, &mac,
				 error);
	if (!code) {
		add_authorization(signing, headers, buf_text(&scope), &mac,
				  authorization);
		code = buf_error(authorization, "a signature", error);
	}
	return code;
}
