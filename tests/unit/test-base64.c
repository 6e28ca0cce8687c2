// SPDX-License-Identifier: MIT
/* Bytes as text: base64 of RFC 4648, UTF-8 of RFC 3629. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "tests/unit/unit.h"

static void encodes(const char *bytes, size_t length, const char *expected)
{
	char *text = base64_encode(bytes, length);
	size_t again;

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
	free(text);
	text = base64_decode(expected, &again);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(again, length);
	ck_assert_int_eq(memcmp(text, bytes, length + 1), 0);
	free(text);
}

START_TEST(base64_matches_the_vectors_of_the_rfc)
{
	encodes("", 0, "");
	encodes("f", 1, "Zg==");
	encodes("fo", 2, "Zm8=");
	encodes("foo", 3, "Zm9v");
	encodes("foob", 4, "Zm9vYg==");
	encodes("fooba", 5, "Zm9vYmE=");
	encodes("foobar", 6, "Zm9vYmFy");
	encodes("\0\xff\xfb\xf0", 4, "AP/78A==");
}
END_TEST

START_TEST(what_encoding_never_gives_is_not_decoded)
{
	static const char *const texts[] = {
		"Z",	"Zg",	  "Zg=",  "Zg==Zg==",	 "Z===",
		"====", "Zh==",	  "Zm9=", "Zm=v",	 "Zm 9v",
		"Zm-_", "Zm9v\n", "=m9v", "Zm9vZg=\xff", NULL,
	};

	for (int i = 0; texts[i]; i++) {
		size_t length;

		ck_assert_msg(!base64_decode(texts[i], &length), "%s",
			      texts[i]);
	}
}
END_TEST

START_TEST(well_formed_text_is_utf8)
{
	static const char *const texts[] = {
		"",
		"plain",
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		NULL,
	};

	for (int i = 0; texts[i]; i++)
		ck_assert_msg(utf8_is_valid(texts[i], strlen(texts[i])),
			      "text %d", i);
}
END_TEST

START_TEST(everything_else_is_not)
{
	static const char *const texts[] = {
		"\x80",
		"a\xff",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80",
		"\xc2",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc2 ",
		NULL,
	};

	for (int i = 0; texts[i]; i++)
		ck_assert_msg(!utf8_is_valid(texts[i], strlen(texts[i])),
			      "text %d", i);
	/* What follows the bytes that may be looked at does not count. */
	ck_assert(!utf8_is_valid("\xe2\x82\xac", 2));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("base64");

	tcase_add_test(tests, base64_matches_the_vectors_of_the_rfc);
	tcase_add_test(tests, what_encoding_never_gives_is_not_decoded);
	tcase_add_test(tests, well_formed_text_is_utf8);
	tcase_add_test(tests, everything_else_is_not);
	return unit_run("base64", tests);
}
