/* SPDX-License-Identifier: MIT */
/*
 * Digests and random bytes: the only user of OpenSSL.
 *
 *	struct digest *digest = NULL;
 *	char hex[DIGEST_HEX_MAX];
 *
 *	if (digest_new("sha256", &digest, error))
 *		...
 *	digest_update(digest, data, length, error)	any number of times
 *	digest_finish(digest, hex, error)
 *	digest_free(digest)
 *
 * One digest belongs to one thread at a time.
 */
#ifndef STOREFS_BASE_CRYPTO_H
#define STOREFS_BASE_CRYPTO_H

#include <stddef.h>

#include <storefs/error.h>

/* Room for the hex form of every digest here, with its NUL. */
#define DIGEST_HEX_MAX 129
/* And for the bytes themselves. */
#define DIGEST_RAW_MAX 64
#define SHA256_SIZE 32
#define SHA1_SIZE 20

struct digest;

/* "sha256, sha512, ...": what digest_new() takes, for messages; static. */
const char *digest_names(void);
/* INVALID for an unknown name, NOT_SUPPORTED where the library refuses it. */
int digest_new(const char *algorithm, struct digest **digest,
	       struct store_error *error) STORE_WARN_UNUSED;
/* NULL is fine. */
void digest_free(struct digest *digest);
int digest_update(struct digest *digest, const void *data, size_t length,
		  struct store_error *error) STORE_WARN_UNUSED;
/* Lower-case hex.  Nothing but digest_free() may follow. */
int digest_finish(struct digest *digest, char hex[DIGEST_HEX_MAX],
		  struct store_error *error) STORE_WARN_UNUSED;

/* The bytes instead of their hex form; *length of them. */
int digest_finish_raw(struct digest *digest, unsigned char raw[DIGEST_RAW_MAX],
		      size_t *length, struct store_error *error)
	STORE_WARN_UNUSED;

/* HMAC-SHA256 (RFC 2104, RFC 6234). */
int crypto_hmac_sha256(const void *key, size_t key_length, const void *data,
		       size_t length, unsigned char mac[SHA256_SIZE],
		       struct store_error *error) STORE_WARN_UNUSED;

/* The same with SHA-1, for what is written that way already. */
int crypto_hmac_sha1(const void *key, size_t key_length, const void *data,
		     size_t length, unsigned char mac[SHA1_SIZE],
		     struct store_error *error) STORE_WARN_UNUSED;

/* Bytes nobody can guess.  Any thread. */
int crypto_random(void *data, size_t length, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
