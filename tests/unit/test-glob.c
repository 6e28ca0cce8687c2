// SPDX-License-Identifier: MIT
/* Patterns: clause D3. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "src/glob.h"
#include "src/base/clock.h"
#include <storefs/types.h>
#include "tests/unit/unit.h"

struct row {
	const char *pattern;
	const char *key;
	bool matches;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(glob_check(rows[i].pattern, NULL), STORE_OK);
		ck_assert_msg(glob_match(rows[i].pattern, rows[i].key) ==
				      rows[i].matches,
			      "'%s' on '%s'", rows[i].pattern, rows[i].key);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(stars_stay_inside_a_component)
{
	static const struct row rows[] = {
		{ "*.txt", "a.txt", true },    { "*.txt", ".txt", true },
		{ "*.txt", "d/a.txt", false }, { "*", "a", true },
		{ "*", "a/b", false },	       { "a*b*c", "aXbYc", true },
		{ "a*b*c", "abc", true },      { "a*b*c", "acb", false },
		{ "*ab", "aab", true },	       { "*a*a", "aa", true },
		{ "*a*a", "a", false },	       { "d/*", "d/x", true },
		{ "d/*", "d", false },	       { "*/x", "d/x", true },
		{ "*/x", "d/e/x", false },     { "?", "a", true },
		{ "?", "ab", false },	       { "a?b", "a/b", false },
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(two_stars_are_any_number_of_components)
{
	static const struct row rows[] = {
		{ "**/*.csv", "a.csv", true },
		{ "**/*.csv", "x/a.csv", true },
		{ "**/*.csv", "x/y/z/a.csv", true },
		{ "**/*.csv", "x/a.csvx", false },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "b/x/b", false },
		{ "a/**/b", "a/xb", false },
		{ "a/**", "a/b/c", true },
		{ "a/**", "b", false },
		{ "**", "a/b/c", true },
		{ "**", "a", true },
		{ "**/a/**/b", "x/a/y/a/z/b", true },
		{ "**/a/**/b", "x/b/a", false },
		{ "data/**", "dataset/f", false },
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(sets_and_their_negation)
{
	static const struct row rows[] = {
		{ "[abc]", "b", true },	    { "[abc]", "d", false },
		{ "[a-c]x", "bx", true },   { "[a-c]x", "dx", false },
		{ "[!a]", "b", true },	    { "[!a]", "a", false },
		{ "[!a-c]", "b", false },   { "[]]", "]", true },
		{ "[!]]", "a", true },	    { "[a-]", "-", true },
		{ "[*]", "*", true },	    { "[*]", "a", false },
		{ "[", "[", true },	    { "[ab", "[ab", true },
		{ "[[]x]", "[x]", true },   { "a[/]b", "a/b", false },
		{ "a[!x]b", "a/b", false },
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(a_character_is_one_of_utf8_or_a_stray_byte)
{
	static const struct row rows[] = {
		{ "?", "\xc3\xa9", true },
		{ "??", "\xc3\xa9", false },
		{ "?", "\xf0\x9f\x98\x80", true },
		{ "[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", true },
		{ "[\xc3\xa0-\xc3\xaf]", "e", false },
		{ "?", "\xff", true },
		{ "??", "\xc3(", true },
		{ "*\xa9", "\xc3\xa9", false },
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(two_stars_must_stand_alone)
{
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(glob_check("a**", &error), STORE_INVALID);
	ck_assert_int_eq(error.code, STORE_INVALID);
	ck_assert_int_eq(glob_check("x/**y/z", &error), STORE_INVALID);
	ck_assert_int_eq(glob_check("***", &error), STORE_INVALID);
	ck_assert_int_eq(glob_check("", &error), STORE_INVALID);
	ck_assert_int_eq(glob_check("**/a*b*", &error), STORE_OK);
}
END_TEST

START_TEST(the_walk_starts_at_the_literal_folder)
{
	static const struct {
		const char *pattern;
		size_t prefix;
		int depth;
	} rows[] = {
		{ "*.txt", 0, 0 },   { "a/b/*.txt", 3, 0 }, { "a/*/c/*", 1, 2 },
		{ "a/**/c", 1, -1 }, { "a/b/c", 3, 0 },	    { "a", 0, 0 },
		{ "**", 0, -1 },     { "a[/b", 2, 0 },	    { "[ab]/c", 0, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(glob_prefix_length(rows[i].pattern) ==
				      rows[i].prefix,
			      "%s", rows[i].pattern);
		ck_assert_msg(glob_depth(rows[i].pattern) == rows[i].depth,
			      "%s", rows[i].pattern);
	}
	ck_assert(glob_is_literal("a/b"));
	ck_assert(glob_is_literal("a[b"));
	ck_assert(!glob_is_literal("a/[b]"));
	ck_assert(!glob_is_literal("a?/b"));
}
END_TEST

START_TEST(folders_that_cannot_match_are_not_entered)
{
	ck_assert(glob_match_below("a/*/c", ""));
	ck_assert(glob_match_below("a/*/c", "a"));
	ck_assert(glob_match_below("a/*/c", "a/x"));
	ck_assert(!glob_match_below("a/*/c", "b"));
	ck_assert(!glob_match_below("a/*/c", "a/x/c"));
	ck_assert(glob_match_below("a/**/c", "a/x/y/z"));
	ck_assert(!glob_match_below("a/**/c", "b/x"));
	ck_assert(glob_match_below("**", "x/y"));
}
END_TEST

START_TEST(a_folder_in_front_is_taken_literally)
{
	char *pattern = glob_below("a*[1]?", "*.txt");

	ck_assert_str_eq(pattern, "a[*][[]1][?]/*.txt");
	ck_assert(glob_match(pattern, "a*[1]?/x.txt"));
	ck_assert(!glob_match(pattern, "ab[1]x/x.txt"));
	free(pattern);
	pattern = glob_below("", "*");
	ck_assert_str_eq(pattern, "*");
	free(pattern);
}
END_TEST

START_TEST(hostile_patterns_take_no_hostile_time)
{
	int64_t start = clock_monotonic_ns();
	char pattern[2 * 1000 + 2];
	char key[2 * 1000 + 1];

	/* a*a*a*...b on aaaa, and double stars on a/a/a/... */
	for (size_t i = 0; i < 1000; i++)
		memcpy(pattern + 2 * i, "a*", 2);
	memcpy(pattern + 2000, "b", 2);
	memset(key, 'a', 2000);
	key[2000] = '\0';
	ck_assert(!glob_match(pattern, key));
	for (size_t i = 0; i < 400; i++)
		memcpy(pattern + 5 * i, "**/a/", 5);
	memcpy(pattern + 2000, "b", 2);
	for (size_t i = 1; i < 2000; i += 2)
		key[i] = '/';
	key[1999] = '\0';
	ck_assert(!glob_match(pattern, key));
	ck_assert(clock_monotonic_ns() - start < 5 * NS_PER_SEC);
}
END_TEST

START_TEST(a_name_is_one_component)
{
	ck_assert(glob_match_name("*.txt", "a.txt"));
	ck_assert(!glob_match_name("*.txt", "a.csv"));
	ck_assert(glob_match_name("**", "anything"));
	ck_assert(!glob_match_name("", "a"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("glob");

	tcase_add_test(tests, stars_stay_inside_a_component);
	tcase_add_test(tests, two_stars_are_any_number_of_components);
	tcase_add_test(tests, sets_and_their_negation);
	tcase_add_test(tests, a_character_is_one_of_utf8_or_a_stray_byte);
	tcase_add_test(tests, two_stars_must_stand_alone);
	tcase_add_test(tests, the_walk_starts_at_the_literal_folder);
	tcase_add_test(tests, folders_that_cannot_match_are_not_entered);
	tcase_add_test(tests, a_folder_in_front_is_taken_literally);
	tcase_add_test(tests, hostile_patterns_take_no_hostile_time);
	tcase_add_test(tests, a_name_is_one_component);
	return unit_run("glob", tests);
}
