// SPDX-License-Identifier: MIT
/*
 * Bodies of requests and what the server checks them by.
 *
 * A signed payload is a checksum already; over TLS the payload is not signed
 * and a checksum goes along: CRC32C to AWS, else Content-MD5, since many
 * servers take the newer headers and ignore them.  Where the server encrypts
 * with other keys than its own an ETag is no MD5, and CRC32C is the only way
 * to know again what it has.
 *
 * Called by put.c, multipart.c and whoever posts XML.  No locks.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "src/base/crc32c.h"

enum { CHUNK = 256 * 1024 };

static int body_read(void *arg, uint64_t offset, void *data, size_t length,
		     struct store_error *error)
{
	struct s3_body *body = arg;

	return body->source->read(body->source, body->offset + offset, data,
				  length, error);
}

void s3_body_init(struct s3_body *body, struct store_source *source,
		  uint64_t offset, uint64_t size)
{
	*body = (struct s3_body){
		.body = { .size = size, .read = body_read, .arg = body },
		.source = source,
		.offset = offset,
	};
}

static int text_read(void *arg, uint64_t offset, void *data, size_t length,
		     struct store_error *error)
{
	const struct s3_text_body *body = arg;

	(void)error;
	memcpy(data, body->text + offset, length);
	return STORE_OK;
}

void s3_text_body_init(struct s3_text_body *body, const char *text)
{
	*body = (struct s3_text_body){
		.body = { .size = strlen(text),
			  .read = text_read,
			  .arg = body },
		.text = text,
	};
}

/* ---- checksums ---- */

struct sums {
	struct digest *sha256; /* NULL: not wanted */
	struct digest *md5;
	bool want_crc;
	uint32_t crc;
};

static bool signs_payload(const struct s3 *s3)
{
	const char *endpoint = s3->settings.endpoint;

	return endpoint && strncmp(endpoint, "https:", 6) != 0;
}

/* Else an upload could not go on: nobody could tell what is there. */
static bool hides_md5(const struct s3_settings *settings)
{
	return settings->sse_customer ||
	       (settings->sse && strncmp(settings->sse, "aws:kms", 7) == 0);
}

enum s3_checksum s3_checksum_of(const struct s3 *s3, const struct s3_call *call)
{
	if (call->checksum != S3_CHECKSUM_AUTO)
		return call->checksum;
	if (s3->settings.checksum != S3_CHECKSUM_AUTO)
		return s3->settings.checksum;
	if (hides_md5(&s3->settings))
		return S3_CHECKSUM_CRC32C;
	if (signs_payload(s3))
		return S3_CHECKSUM_NONE;
	return s3->settings.endpoint ? S3_CHECKSUM_MD5 : S3_CHECKSUM_CRC32C;
}

static int sums_begin(const struct s3 *s3, const struct s3_call *call,
		      struct sums *sums, struct store_error *error)
{
	enum s3_checksum kind = s3_checksum_of(s3, call);
	int code = STORE_OK;

	if (signs_payload(s3) || kind == S3_CHECKSUM_SHA256)
		code = digest_new("sha256", &sums->sha256, error);
	if (!code && (kind == S3_CHECKSUM_MD5 || call->wants_md5))
		code = digest_new("md5", &sums->md5, error);
	sums->want_crc = kind == S3_CHECKSUM_CRC32C;
	return code;
}

static int sums_add(struct sums *sums, const void *data, size_t length,
		    struct store_error *error)
{
	int code = STORE_OK;

	if (sums->want_crc)
		sums->crc = crc32c(sums->crc, data, length);
	if (sums->sha256)
		code = digest_update(sums->sha256, data, length, error);
	if (!code && sums->md5)
		code = digest_update(sums->md5, data, length, error);
	return code;
}

static int sums_read(struct sums *sums, const struct http_body *body,
		     struct store_error *error)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t at = 0;

	if (!chunk)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	if (!sums->sha256 && !sums->md5 && !sums->want_crc)
		return STORE_OK;
	while (at < body->size) {
		uint64_t left = body->size - at;
		size_t length = left < CHUNK ? (size_t)left : CHUNK;
		int code = body->read(body->arg, at, chunk, length, error);

		if (!code)
			code = sums_add(sums, chunk, length, error);
		if (code)
			return code;
		at += length;
	}
	return STORE_OK;
}

static void header_base64(struct s3_call *call, const char *name,
			  const void *data, size_t length)
{
	CLEANUP_FREE char *text = base64_encode(data, length);

	if (text)
		s3_call_header(call, name, "%s", text);
	else
		call->failed = true;
}

static int add_sha256(struct s3_call *call, struct digest *digest,
		      bool as_checksum, struct store_error *error)
{
	unsigned char raw[DIGEST_RAW_MAX];
	size_t length;
	int code = digest_finish_raw(digest, raw, &length, error);

	if (code)
		return code;
	for (size_t i = 0; i < length; i++) {
		static const char digits[] = "0123456789abcdef";

		call->payload[2 * i] = digits[raw[i] >> 4];
		call->payload[2 * i + 1] = digits[raw[i] & 15];
	}
	call->payload[2 * length] = '\0';
	if (as_checksum)
		header_base64(call, "x-amz-checksum-sha256", raw, length);
	return STORE_OK;
}

static void put_big_endian(uint32_t value, unsigned char raw[4])
{
	for (int i = 0; i < 4; i++)
		raw[i] = (unsigned char)(value >> (24 - 8 * i));
}

static int sums_end(const struct s3 *s3, struct s3_call *call,
		    struct sums *sums, struct store_error *error)
{
	unsigned char raw[DIGEST_RAW_MAX];
	size_t length;
	int code = STORE_OK;

	if (sums->sha256)
		code = add_sha256(
			call, sums->sha256,
			s3_checksum_of(s3, call) == S3_CHECKSUM_SHA256, error);
	if (!code && sums->md5) {
		code = digest_finish_raw(sums->md5, raw, &length, error);
		if (!code)
			header_base64(call, "content-md5", raw, length);
	}
	if (!code && sums->want_crc) {
		unsigned char big_endian[4];

		put_big_endian(sums->crc, big_endian);
		header_base64(call, "x-amz-checksum-crc32c", big_endian,
			      sizeof(big_endian));
	}
	return code;
}

static int text_of(const void *raw, size_t length, char *text, size_t room,
		   struct store_error *error)
{
	CLEANUP_FREE char *encoded = base64_encode(raw, length);

	if (!encoded)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	snprintf(text, room, "%s", encoded);
	return STORE_OK;
}

static int text_of_sums(struct sums *sums, char *text, size_t room,
			struct store_error *error)
{
	unsigned char raw[DIGEST_RAW_MAX];
	size_t length = 4;
	int code = STORE_OK;

	if (sums->md5)
		return digest_finish(sums->md5, text, error);
	if (sums->sha256)
		code = digest_finish_raw(sums->sha256, raw, &length, error);
	else
		put_big_endian(sums->crc, raw);
	return code ? code : text_of(raw, length, text, room, error);
}

static bool is_md5(const char *etag)
{
	return strlen(etag) == 32 && strspn(etag, "0123456789abcdef") == 32;
}

int s3_body_is(const struct http_body *body, const struct s3_stored *stored,
	       bool *same, struct store_error *error)
{
	const char *told = stored->crc32c[0]   ? stored->crc32c
			   : stored->sha256[0] ? stored->sha256
					       : stored->etag;
	struct sums sums = { .want_crc = told == stored->crc32c };
	char text[DIGEST_HEX_MAX] = "";
	int code = STORE_OK;

	*same = false;
	if (told == stored->etag && !is_md5(told))
		return STORE_OK;
	if (!sums.want_crc && told == stored->sha256)
		code = digest_new("sha256", &sums.sha256, error);
	else if (!sums.want_crc)
		code = digest_new("md5", &sums.md5, error);
	if (!code)
		code = sums_read(&sums, body, error);
	if (!code)
		code = text_of_sums(&sums, text, sizeof(text), error);
	digest_free(sums.sha256);
	digest_free(sums.md5);
	*same = !code && strcmp(text, told) == 0;
	return code;
}

int s3_body_attach(struct s3 *s3, struct s3_call *call,
		   const struct http_body *body, struct store_error *error)
{
	struct sums sums = { .crc = 0 };
	int code = sums_begin(s3, call, &sums, error);

	call->body = body;
	if (!code)
		code = sums_read(&sums, body, error);
	if (!code)
		code = sums_end(s3, call, &sums, error);
	digest_free(sums.sha256);
	digest_free(sums.md5);
	return code;
}
