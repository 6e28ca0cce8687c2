// SPDX-License-Identifier: MIT
/*
 * What a body is verified by: the payload hash of the signature, Content-MD5,
 * and x-amz-checksum-*.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
#include "config.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

/* Castagnoli's polynomial, reflected (RFC 9260, appendix A). */
uint32_t fake_crc32c(const void *data, size_t length)
{
	static uint32_t table[256];
	const unsigned char *bytes = data;
	uint32_t crc = UINT32_MAX;

	/* Racing threads write the same. */
	for (uint32_t i = 0; i < 256 && !table[255]; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0x82f63b78U : 0);
		table[i] = value;
	}
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
	return ~crc;
}

void fake_md5(const void *data, size_t length, unsigned char md5[16])
{
	EVP_Digest(data, length, md5, NULL, EVP_md5(), NULL);
}

void fake_hex(const unsigned char *data, size_t length, char *hex)
{
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", data[i]);
}

static void base64(const unsigned char *data, size_t length, char *text)
{
	EVP_EncodeBlock((unsigned char *)text, data, (int)length);
}

static bool is_base64(const char *text, size_t length)
{
	return strlen(text) == length && text[length - 1] == '=';
}

/* ---- the kinds ---- */

void fake_sum(struct fake_request *request)
{
	const struct fake_blob *body = request->body;

	fake_md5(body->data, body->size, request->md5);
	EVP_Digest(body->data, body->size, request->sha256, NULL, EVP_sha256(),
		   NULL);
}

static bool check_payload(struct fake_request *request)
{
	const char *told = fake_header(request, "x-amz-content-sha256");
	char hex[65];

	if (!told || strcmp(told, "UNSIGNED-PAYLOAD") == 0)
		return true;
	if (strncmp(told, "STREAMING-", 10) == 0) {
		fake_fail(request, 501, "NotImplemented",
			  "no streams of chunks here");
		return false;
	}
	fake_hex(request->sha256, sizeof(request->sha256), hex);
	if (strcmp(hex, told) == 0)
		return true;
	fake_fail(request, 400, "XAmzContentSHA256Mismatch",
		  "the payload is not what was signed");
	return false;
}

static bool check_md5(struct fake_request *request)
{
	const char *told = fake_header(request, "content-md5");
	char text[32];

	if (!told)
		return true;
	base64(request->md5, sizeof(request->md5), text);
	if (!is_base64(told, 24)) {
		fake_fail(request, 400, "InvalidDigest",
			  "that is no Content-MD5");
		return false;
	}
	if (strcmp(told, text) == 0)
		return true;
	fake_fail(request, 400, "BadDigest", "Content-MD5 does not match");
	return false;
}

static bool bad_checksum(struct fake_request *request, const char *code)
{
	fake_fail(request, 400, code, "the checksum does not match");
	return false;
}

static bool check_crc32c(struct fake_request *request)
{
	const char *told = fake_header(request, "x-amz-checksum-crc32c");
	uint32_t crc;

	if (!told)
		return true;
	if (!is_base64(told, 8))
		return bad_checksum(request, "InvalidRequest");
	crc = htobe32(fake_crc32c(request->body->data, request->body->size));
	base64((unsigned char *)&crc, sizeof(crc), request->crc32c_text);
	return strcmp(told, request->crc32c_text) == 0 ||
	       bad_checksum(request, "BadDigest");
}

static bool check_sha256(struct fake_request *request)
{
	const char *told = fake_header(request, "x-amz-checksum-sha256");

	if (!told)
		return true;
	if (!is_base64(told, 44))
		return bad_checksum(request, "InvalidRequest");
	base64(request->sha256, sizeof(request->sha256), request->sha256_text);
	return strcmp(told, request->sha256_text) == 0 ||
	       bad_checksum(request, "BadDigest");
}

/* At most one, and of a kind that is known. */
static bool check_kinds(struct fake_request *request)
{
	static const char prefix[] = "x-amz-checksum-";
	static const char *const others[] = { "algorithm", "mode", "type" };
	size_t count = 0;

	for (size_t i = 0; i < request->headers.count; i++) {
		const char *name = request->headers.list[i].name;
		bool other = strncmp(name, prefix, strlen(prefix)) != 0;

		for (size_t j = 0; j < 3 && !other; j++)
			other = strcmp(name + strlen(prefix), others[j]) == 0;
		if (other)
			continue;
		name += strlen(prefix);
		if (++count > 1 || (strcmp(name, "crc32c") != 0 &&
				    strcmp(name, "sha256") != 0))
			return bad_checksum(request, "InvalidRequest");
	}
	return true;
}

bool fake_check_sums(struct fake_request *request)
{
	return check_payload(request) && check_md5(request) &&
	       check_kinds(request) && check_crc32c(request) &&
	       check_sha256(request);
}
