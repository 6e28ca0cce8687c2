/* SPDX-License-Identifier: MIT */
/*
 * Signature Version 4 of AWS, in the Authorization header.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
#ifndef STOREFS_BACKENDS_S3_SIGN_H
#define STOREFS_BACKENDS_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include <storefs/error.h>

/* Digest of no bytes. */
#define S3_EMPTY_SHA256 \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_UNSIGNED "UNSIGNED-PAYLOAD"

struct s3_signing {
	const char *method;
	const char *path;  /* encoded, as sent */
	const char *query; /* encoded, sorted, "name=value&..." */
	/* "name: value", names in lower case; all are signed.  Not sorted. */
	const char *const *headers;
	size_t header_count;
	const char *payload; /* hex SHA-256, or S3_UNSIGNED */
	const char *access;
	const char *secret;
	const char *region;
	const char *service; /* "s3" */
	int64_t time;	     /* seconds since 1970; also x-amz-date */
};

/* "20130524T000000Z" */
void s3_sign_date(int64_t time, char text[17]);
/* Append the value of the Authorization header. */
int s3_sign(const struct s3_signing *signing, struct buf *authorization,
	    struct store_error *error) STORE_WARN_UNUSED;
/*
 * Append `text` percent-encoded: letters, digits and "-._~" stay, and '/'
 * with `slashes`.
 */
void s3_encode(struct buf *buf, const char *text, bool slashes);

#endif
