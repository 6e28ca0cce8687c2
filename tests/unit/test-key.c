// SPDX-License-Identifier: MIT
/* Keys: clauses K1 to K5. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/key.h"
#include <storefs/types.h>
#include "tests/unit/unit.h"

static void becomes(const char *text, bool raw, const char *expected)
{
	struct store_error error = STORE_ERROR_INIT;
	char *key = NULL;

	ck_assert_msg(key_normalise(text, raw, &key, &error) == STORE_OK,
		      "'%s': %s", text, error.message);
	ck_assert_str_eq(key, expected);
	free(key);
}

static int refused(const char *text, int *detail)
{
	struct store_error error = STORE_ERROR_INIT;
	char *key = NULL;
	int code = key_normalise(text, false, &key, &error);

	ck_assert_int_ne(code, STORE_OK);
	ck_assert_ptr_null(key);
	ck_assert_int_eq(error.code, code);
	*detail = error.detail;
	return code;
}

START_TEST(slashes_and_dots_vanish)
{
	becomes("a/b", false, "a/b");
	becomes("//x///./y/", false, "x/y");
	becomes("/a/b/", false, "a/b");
	becomes("./a", false, "a");
	becomes("a/.", false, "a");
	becomes("a..b/...", false, "a..b/...");
	becomes(".hidden", false, ".hidden");
}
END_TEST

START_TEST(a_backslash_is_a_slash_but_for_raw_keys)
{
	becomes("x\\y", false, "x/y");
	becomes("\\x\\\\y\\", false, "x/y");
	becomes("x\\y", true, "x\\y");
	becomes("\\/a", true, "\\/a");
}
END_TEST

START_TEST(all_spellings_of_the_root_are_the_root)
{
	static const char *const roots[] = { "",    ".", "./", ".//",
					     "./.", "/", "//", "\\" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		becomes(roots[i], false, "");
	becomes("/./", true, "");
}
END_TEST

START_TEST(two_dots_are_refused)
{
	int detail;

	ck_assert_int_eq(refused("..", &detail), STORE_INVALID);
	ck_assert_int_eq(refused("a/../b", &detail), STORE_INVALID);
	ck_assert_int_eq(refused("a/..", &detail), STORE_INVALID);
	ck_assert_int_eq(refused("a\\..\\b", &detail), STORE_INVALID);
	ck_assert_int_eq(refused("../a", &detail), STORE_INVALID);
	ck_assert_int_ne(detail, ENAMETOOLONG);
}
END_TEST

START_TEST(any_other_byte_stays)
{
	becomes("a b/?#%&+*\"'<>/\xc3\xa9\xff\x01", false,
		"a b/?#%&+*\"'<>/\xc3\xa9\xff\x01");
	becomes("a_b/x", false, "a_b/x");
}
END_TEST

START_TEST(long_names_fit_and_longer_ones_do_not)
{
	char name[STORE_NAME_MAX + 2];
	int detail = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[STORE_NAME_MAX] = '\0';
	becomes(name, false, name);
	name[STORE_NAME_MAX] = 'n';
	name[STORE_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(refused(name, &detail), STORE_INVALID);
	ck_assert_int_eq(detail, ENAMETOOLONG);
}
END_TEST

START_TEST(long_keys_fit_and_longer_ones_do_not)
{
	char key[STORE_KEY_MAX + 3];
	int detail = 0;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i % 200 == 199 ? '/' : 'k';
	key[STORE_KEY_MAX] = '\0';
	becomes(key, false, key);
	key[STORE_KEY_MAX] = 'k';
	key[STORE_KEY_MAX + 1] = '\0';
	ck_assert_int_eq(refused(key, &detail), STORE_INVALID);
	ck_assert_int_eq(detail, ENAMETOOLONG);
}
END_TEST

START_TEST(slashes_do_not_count_for_the_length)
{
	char key[2 * STORE_KEY_MAX];

	memset(key, '/', sizeof(key));
	key[sizeof(key) - 2] = 'a';
	key[sizeof(key) - 1] = '\0';
	becomes(key, false, "a");
}
END_TEST

START_TEST(keys_come_apart)
{
	char *parent = key_parent("a/b/c");

	ck_assert_str_eq(parent, "a/b");
	free(parent);
	parent = key_parent("a");
	ck_assert_str_eq(parent, "");
	free(parent);
	ck_assert_str_eq(key_name("a/b/c"), "c");
	ck_assert_str_eq(key_name("c"), "c");
	ck_assert_str_eq(key_name(""), "");
	ck_assert_uint_eq(key_depth(""), 0);
	ck_assert_uint_eq(key_depth("a"), 1);
	ck_assert_uint_eq(key_depth("a/b/c"), 3);
}
END_TEST

START_TEST(keys_come_together)
{
	struct store_error error = STORE_ERROR_INIT;
	char room[6];
	char *key = key_join("a", "b");

	ck_assert_str_eq(key, "a/b");
	free(key);
	key = key_join("", "b");
	ck_assert_str_eq(key, "b");
	free(key);
	key = key_join("a", "");
	ck_assert_str_eq(key, "a");
	free(key);
	ck_assert_int_eq(key_join_into("ab", "cd", room, 6, &error), STORE_OK);
	ck_assert_str_eq(room, "ab/cd");
	ck_assert_int_eq(key_join_into("", "abcde", room, 6, &error), STORE_OK);
	ck_assert_str_eq(room, "abcde");
	ck_assert_int_eq(key_join_into("ab", "cde", room, 6, &error),
			 STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
}
END_TEST

START_TEST(a_sibling_with_the_same_beginning_is_not_below)
{
	ck_assert(key_is_below("data/f", "data"));
	ck_assert(!key_is_below("dataset/f", "data"));
	ck_assert(!key_is_below("data", "data"));
	ck_assert(!key_is_below("Data/f", "data"));
	ck_assert(!key_is_below("axb/y", "a_b"));
	ck_assert(key_is_below("x", ""));
	ck_assert(!key_is_below("", ""));
	ck_assert_str_eq(key_relative("a/b/c", "a"), "b/c");
	ck_assert_str_eq(key_relative("a", "a"), "");
	ck_assert_str_eq(key_relative("a/b", ""), "a/b");
	ck_assert_ptr_null(key_relative("ab", "a"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("key");

	tcase_add_test(tests, slashes_and_dots_vanish);
	tcase_add_test(tests, a_backslash_is_a_slash_but_for_raw_keys);
	tcase_add_test(tests, all_spellings_of_the_root_are_the_root);
	tcase_add_test(tests, two_dots_are_refused);
	tcase_add_test(tests, any_other_byte_stays);
	tcase_add_test(tests, long_names_fit_and_longer_ones_do_not);
	tcase_add_test(tests, long_keys_fit_and_longer_ones_do_not);
	tcase_add_test(tests, slashes_do_not_count_for_the_length);
	tcase_add_test(tests, keys_come_apart);
	tcase_add_test(tests, keys_come_together);
	tcase_add_test(tests, a_sibling_with_the_same_beginning_is_not_below);
	return unit_run("key", tests);
}
