// SPDX-License-Identifier: MIT
/* D3: globbing, native where the store can, else by the core. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

#include "src/glob.h"

static size_t glob_count(const char *pattern)
{
	struct store_listing *listing = NULL;

	CONF_OK(store_glob(conf_store, NULL, pattern, &listing, &conf_error));
	return conf_count(listing);
}

/* All matches, and nothing else, each once. */
static void expect_glob(const char *pattern, const char *const *keys,
			size_t count)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	bool seen[64] = { false };
	size_t found = 0;
	size_t i;

	CONF_OK(store_glob(conf_store, NULL, pattern, &listing, &conf_error));
	for (;;) {
		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		ck_assert_int_ne(entry->info.type, STORE_TYPE_FOLDER);
		for (i = 0; i < count; i++)
			if (strcmp(keys[i], entry->name) == 0)
				break;
		ck_assert_msg(i < count, "%s is no key", entry->name);
		ck_assert_msg(glob_match(pattern, keys[i]), "%s matches %s",
			      pattern, keys[i]);
		ck_assert_msg(!seen[i], "%s twice for %s", keys[i], pattern);
		seen[i] = true;
		found++;
	}
	store_listing_close(listing);
	for (i = 0; i < count; i++)
		if (glob_match(pattern, keys[i]))
			ck_assert_msg(seen[i], "%s misses %s", pattern,
				      keys[i]);
}

static const char *const tree[] = {
	"a.csv",	"a.txt",
	"b.txt",	".hidden",
	"d/b.csv",	"d/e/c.csv",
	"d/e/c.txt",	"d/e/f/g.csv",
	"d2/b.csv",	"x[1]/a.csv",
	"x1/a.csv",	"star*/a.csv",
	"starry/a.csv", "gr\xc3\xbc\xc3\x9f/\xc3\xbc.csv",
	"D/b.csv",	"d_/b.csv",
	"d%/b.csv",	"dd/b.csv",
};
enum { TREE = sizeof(tree) / sizeof(tree[0]) };

static void put_tree(void)
{
	size_t i;

	for (i = 0; i < TREE; i++)
		CONF_OK(conf_put(tree[i], "x"));
}

/* remote-store 10.29 */
START_TEST(a_star_stays_inside_a_component)
{
	put_tree();
	ck_assert_uint_eq(glob_count("*.txt"), 2);
	ck_assert_uint_eq(glob_count("*.csv"), 1);
	ck_assert_uint_eq(glob_count("*/*.csv"), 11);
	ck_assert_uint_eq(glob_count("d?/b.csv"), 4);
	ck_assert_uint_eq(glob_count("d[!2]/b.csv"), 3);
}
END_TEST

START_TEST(two_stars_match_any_depth_and_none)
{
	put_tree();
	ck_assert_uint_eq(glob_count("**/*.csv"), 14);
	ck_assert_uint_eq(glob_count("d/**/*.csv"), 3);
	ck_assert_uint_eq(glob_count("d/**"), 4);
	ck_assert_uint_eq(glob_count("**/c.*"), 2);
	ck_assert_uint_eq(glob_count("**"), TREE);
}
END_TEST

START_TEST(every_pattern_agrees_with_the_portable_matcher)
{
	static const char *const patterns[] = {
		"*",	     "**",	  "*.csv",	 "**/*.csv",
		"d/*",	     "d/**",	  "d/*/*",	 "d*/*.csv",
		"[dD]/*",    "x[[]1]/*",  "x[1]/a.csv",	 "star[*]/*",
		"star*/*",   "?/b.csv",	  "?[!x]/b.csv", "**/e/**",
		"**/f/**",   "gr[!x]?/*", "**/?.csv",	 "a.csv",
		"d/e/c.csv", "no/such/*", "d_/*",	 "d%/*",
		".*",	     "[!a-c]*",	  "*/**/b.csv",	 "D/*",
	};
	size_t i;

	put_tree();
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		expect_glob(patterns[i], tree, TREE);
}
END_TEST

START_TEST(random_patterns_agree_with_the_portable_matcher)
{
	static const char *const parts[] = { "a",  "b",	   "*",	   "**", "?",
					     "a*", "[ab]", "[!a]", "*b" };
	enum { PARTS = sizeof(parts) / sizeof(parts[0]), KEYS = 40 };
	uint64_t random = conf_seed();
	static char text[KEYS][32];
	const char *keys[KEYS];
	int rounds = conf_rounds(150, 5000);
	int i;

	for (i = 0; i < KEYS; i++) {
		snprintf(text[i], sizeof(text[i]), "%s%s/%s/f%d",
			 conf_random(&random) % 2 ? "a" : "b",
			 conf_random(&random) % 2 ? "b" : "",
			 conf_random(&random) % 2 ? "a" : "b/ab", i);
		keys[i] = text[i];
		CONF_OK(conf_put(keys[i], "x"));
	}
	for (i = 0; i < rounds; i++) {
		char pattern[64];

		snprintf(pattern, sizeof(pattern), "%s/%s/%s",
			 parts[conf_random(&random) % PARTS],
			 parts[conf_random(&random) % PARTS],
			 conf_random(&random) % 2
				 ? "*"
				 : parts[conf_random(&random) % PARTS]);
		expect_glob(pattern, keys, KEYS);
	}
}
END_TEST

START_TEST(bad_patterns_are_invalid)
{
	static const char *const bad[] = { "", "a**", "**b/c", "../*",
					   "a/../*" };
	struct store_listing *listing = NULL;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CONF_FAILS(STORE_INVALID, store_glob(conf_store, NULL, bad[i],
						     &listing, &conf_error));
	ck_assert_ptr_null(listing);
}
END_TEST

START_TEST(a_child_globs_below_its_folder)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store *child = NULL;

	put_tree();
	CONF_OK(store_child(conf_store, "d", &child, &conf_error));
	CONF_OK(store_glob(child, NULL, "*.csv", &listing, &conf_error));
	CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
	ck_assert_ptr_nonnull(entry);
	ck_assert_str_eq(entry->name, "b.csv");
	ck_assert_uint_eq(conf_count(listing), 0);
	CONF_OK(store_glob(child, NULL, "**/*.csv", &listing, &conf_error));
	ck_assert_uint_eq(conf_count(listing), 3);
	store_close(child);
	/* A folder whose name looks like a pattern is taken as it is. */
	CONF_OK(store_child(conf_store, "x[1]", &child, &conf_error));
	CONF_OK(store_glob(child, NULL, "*", &listing, &conf_error));
	ck_assert_uint_eq(conf_count(listing), 1);
	store_close(child);
}
END_TEST

START_TEST(many_matches_are_found_once_each)
{
	int many = conf_backend.remote ? conf_rounds(300, 1200) : 1200;
	char key[32];
	int i;

	for (i = 0; i < many; i++) {
		snprintf(key, sizeof(key), "m/%d/%d.%s", i % 5, i,
			 i % 2 ? "odd" : "even");
		CONF_OK(conf_put(key, "x"));
	}
	ck_assert_uint_eq(glob_count("m/*/*.odd"), (size_t)many / 2);
	ck_assert_uint_eq(glob_count("**/*.even"), (size_t)many / 2);
}
END_TEST

void conf_add_glob(void)
{
	conf_add("D3 glob", 0, a_star_stays_inside_a_component);
	conf_add("D3 glob", 0, two_stars_match_any_depth_and_none);
	conf_add("D3 glob", 0, every_pattern_agrees_with_the_portable_matcher);
	conf_add("D3 glob", 0, random_patterns_agree_with_the_portable_matcher);
	conf_add("D3 glob", 0, bad_patterns_are_invalid);
	conf_add("D3 glob", 0, a_child_globs_below_its_folder);
	conf_add("D3 glob", 0, many_matches_are_found_once_each);
}
