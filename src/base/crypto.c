// SPDX-License-Identifier: MIT
/*
 * OpenSSL's EVP digests and its random generator; see crypto.h.  Called by
 * storectl (sum) and by whoever needs a name nobody can guess.  No locks.
 */
#include "config.h"

#include "src/base/crypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <strings.h>

struct digest {
	EVP_MD_CTX *context;
};

struct digest_algorithm {
	const char *name;
	const char *openssl;
};

static const struct digest_algorithm digest_algorithms[] = {
	{ "sha256", "SHA256" },
	{ "sha512", "SHA512" },
	{ "sha384", "SHA384" },
	{ "sha224", "SHA224" },
	{ "sha3-256", "SHA3-256" },
	{ "blake2b512", "BLAKE2b512" },
	{ "sha1", "SHA1" },
	{ "md5", "MD5" },
	{ NULL, NULL },
};

const char *digest_names(void)
{
	return "sha256, sha512, sha384, sha224, sha3-256, blake2b512, sha1, md5";
}

static const char *digest_openssl_name(const char *algorithm)
{
	const struct digest_algorithm *each;

	for (each = digest_algorithms; each->name; each++)
		if (!strcasecmp(each->name, algorithm))
			return each->openssl;
	return NULL;
}

int digest_new(const char *algorithm, struct digest **digest,
	       struct store_error *error)
{
	const char *name = digest_openssl_name(algorithm);
	const EVP_MD *type;
	struct digest *made;

	if (!name)
		return store_error_set(error, STORE_INVALID,
				       "unknown digest '%s': one of %s",
				       algorithm, digest_names());
	made = calloc(1, sizeof(*made));
	if (made)
		made->context = EVP_MD_CTX_new();
	if (!made || !made->context) {
		digest_free(made);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	/* A hardened build of the library may leave out or refuse old ones. */
	type = EVP_get_digestbyname(name);
	if (!type || !EVP_DigestInit_ex(made->context, type, NULL)) {
		digest_free(made);
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "digest %s is not offered here",
				       algorithm);
	}
	*digest = made;
	return STORE_OK;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

int digest_update(struct digest *digest, const void *data, size_t length,
		  struct store_error *error)
{
	if (!EVP_DigestUpdate(digest->context, data, length))
		return store_error_set(error, STORE_INTERNAL,
				       "the digest failed");
	return STORE_OK;
}

int digest_finish_raw(struct digest *digest, unsigned char raw[DIGEST_RAW_MAX],
		      size_t *length, struct store_error *error)
{
	unsigned int found = 0;

	_Static_assert(DIGEST_RAW_MAX >= EVP_MAX_MD_SIZE, "room for any");
	if (!EVP_DigestFinal_ex(digest->context, raw, &found))
		return store_error_set(error, STORE_INTERNAL,
				       "the digest failed");
	*length = found;
	return STORE_OK;
}

int digest_finish(struct digest *digest, char hex[DIGEST_HEX_MAX],
		  struct store_error *error)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[DIGEST_RAW_MAX];
	size_t length = 0;
	size_t i;
	int code = digest_finish_raw(digest, raw, &length, error);

	if (code)
		return code;
	for (i = 0; i < length; i++) {
		hex[2 * i] = digits[raw[i] >> 4];
		hex[2 * i + 1] = digits[raw[i] & 15];
	}
	hex[2 * length] = '\0';
	return STORE_OK;
}

struct message {
	const void *data;
	size_t length;
};

static int hmac(const EVP_MD *kind, const struct message *key,
		const struct message *message, unsigned char *mac,
		struct store_error *error)
{
	unsigned int made = 0;

	if (key->length > INT_MAX ||
	    !HMAC(kind, key->data, (int)key->length, message->data,
		  message->length, mac, &made) ||
	    made != (unsigned int)EVP_MD_size(kind))
		return store_error_set(error, STORE_INTERNAL,
				       "the signature failed");
	return STORE_OK;
}

int crypto_hmac_sha256(const void *key, size_t key_length, const void *data,
		       size_t length, unsigned char mac[SHA256_SIZE],
		       struct store_error *error)
{
	const struct message by = { key, key_length }, of = { data, length };

	return hmac(EVP_sha256(), &by, &of, mac, error);
}

int crypto_hmac_sha1(const void *key, size_t key_length, const void *data,
		     size_t length, unsigned char mac[SHA1_SIZE],
		     struct store_error *error)
{
	const struct message by = { key, key_length }, of = { data, length };

	return hmac(EVP_sha1(), &by, &of, mac, error);
}

int crypto_random(void *data, size_t length, struct store_error *error)
{
	if (length > INT_MAX || RAND_bytes(data, (int)length) != 1)
		return store_error_set(error, STORE_INTERNAL,
				       "no random bytes to be had");
	return STORE_OK;
}
