// SPDX-License-Identifier: MIT
/* Digests against published vectors, and random bytes. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/crypto.h"
#include "tests/unit/unit.h"

static void digests(const char *algorithm, const char *expected)
{
	struct store_error error = STORE_ERROR_INIT;
	struct digest *digest = NULL;
	char hex[DIGEST_HEX_MAX];

	ck_assert_msg(!digest_new(algorithm, &digest, &error), "%s: %s",
		      algorithm, error.message);
	ck_assert_int_eq(digest_update(digest, "a", 1, &error), STORE_OK);
	ck_assert_int_eq(digest_update(digest, "bc", 2, &error), STORE_OK);
	ck_assert_int_eq(digest_finish(digest, hex, &error), STORE_OK);
	ck_assert_str_eq(hex, expected);
	digest_free(digest);
}

START_TEST(digests_of_abc_are_as_published)
{
	digests("sha256", "ba7816bf8f01cfea414140de5dae2223"
			  "b00361a396177a9cb410ff61f20015ad");
	digests("SHA1", "a9993e364706816aba3e25717850c26c9cd0d89d");
	digests("md5", "900150983cd24fb0d6963f7d28e17f72");
	digests("sha3-256", "3a985da74fe225b2045c172d6bd390bd"
			    "855f086e3e9d525b46bfe24511431532");
	digests("sha512", "ddaf35a193617abacc417349ae204131"
			  "12e6fa4e89a97ea20a9eeee64b55d39a"
			  "2192992a274fc1a836ba3c23a3feebbd"
			  "454d4423643ce80e2a9ac94fa54ca49f");
}
END_TEST

START_TEST(every_digest_that_is_named_works)
{
	char names[256];
	char *rest = NULL;

	ck_assert_uint_lt(strlen(digest_names()), sizeof(names));
	memcpy(names, digest_names(), strlen(digest_names()) + 1);
	for (char *name = strtok_r(names, ", ", &rest); name;
	     name = strtok_r(NULL, ", ", &rest)) {
		struct store_error error = STORE_ERROR_INIT;
		struct digest *digest = NULL;

		ck_assert_msg(!digest_new(name, &digest, &error), "%s", name);
		digest_free(digest);
	}
}
END_TEST

START_TEST(an_unknown_digest_is_invalid)
{
	struct store_error error = STORE_ERROR_INIT;
	struct digest *digest = NULL;

	ck_assert_int_eq(digest_new("rot13", &digest, &error), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "sha256"));
	ck_assert_ptr_null(digest);
}
END_TEST

START_TEST(random_bytes_differ)
{
	struct store_error error = STORE_ERROR_INIT;
	unsigned char a[16] = { 0 };
	unsigned char b[16] = { 0 };

	ck_assert_int_eq(crypto_random(a, sizeof(a), &error), STORE_OK);
	ck_assert_int_eq(crypto_random(b, sizeof(b), &error), STORE_OK);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("crypto");

	tcase_add_test(tests, digests_of_abc_are_as_published);
	tcase_add_test(tests, every_digest_that_is_named_works);
	tcase_add_test(tests, an_unknown_digest_is_invalid);
	tcase_add_test(tests, random_bytes_differ);
	return unit_run("crypto", tests);
}
