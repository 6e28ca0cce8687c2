// SPDX-License-Identifier: MIT
/* K: keys, and stores below a folder of another. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

static const char *const root_names[] = {
	"", ".", "./", ".//", "./.", "/", "//", "\\", "/./",
};
enum { ROOT_NAMES = sizeof(root_names) / sizeof(root_names[0]) };

/* K1, remote-store 10.2 */
START_TEST(odd_spellings_name_the_same_file)
{
	CONF_OK(conf_put("//x///./y/", "1"));
	conf_expect("x/y", "1");
	conf_expect("x\\y", "1");
	conf_expect("/x/y", "1");
	CONF_FAILS(STORE_EXISTS, conf_put("./x/./y", "2"));
	conf_expect_names("", "x/ x/y");
}
END_TEST

/* K1: dots inside a component are nothing special. */
START_TEST(dots_inside_a_name_are_ordinary)
{
	CONF_OK(conf_put("a..b/...", "1"));
	CONF_OK(conf_put("..a", "2"));
	CONF_OK(conf_put(".hidden", "3"));
	conf_expect("a..b/...", "1");
	conf_expect_names("", "..a .hidden a..b/ a..b/...");
}
END_TEST

/* K2, remote-store 10.1 */
START_TEST(dot_dot_is_invalid_before_any_request)
{
	static const char *const keys[] = { "..", "a/..", "../a", "a/../b",
					    "a\\..\\b" };
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];
	struct store_info info;
	size_t i;

	store_counters(conf_store, before);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		CONF_FAILS(STORE_INVALID, conf_put(keys[i], "x"));
		CONF_FAILS(STORE_INVALID, conf_stat(keys[i], &info));
		CONF_FAILS(STORE_INVALID,
			   store_delete(conf_store, NULL, keys[i], true,
					&conf_error));
		CONF_FAILS(STORE_INVALID,
			   store_move(conf_store, NULL, "a", keys[i], 0, NULL,
				      NULL, &conf_error));
	}
	store_counters(conf_store, after);
	ck_assert_mem_eq(before, after, sizeof(before));
}
END_TEST

/* K3, remote-store 10.3, 10.5 */
START_TEST(the_root_is_no_file)
{
	struct store_reader *reader = NULL;
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];
	size_t i;

	store_counters(conf_store, before);
	for (i = 0; i < ROOT_NAMES; i++) {
		const char *root = root_names[i];

		CONF_FAILS(STORE_INVALID, conf_put(root, "x"));
		CONF_FAILS(STORE_INVALID, conf_put_over(root, "x"));
		CONF_FAILS(STORE_INVALID,
			   store_open_reader(conf_store, NULL, root, NULL,
					     &reader, NULL, &conf_error));
		CONF_FAILS(STORE_INVALID, store_delete(conf_store, NULL, root,
						       true, &conf_error));
		CONF_FAILS(STORE_INVALID,
			   store_delete_folder(conf_store, NULL, root, NULL,
					       &conf_error));
	}
	store_counters(conf_store, after);
	ck_assert_mem_eq(before, after, sizeof(before));
	conf_expect_names("", "");
}
END_TEST

/* K3, remote-store 10.5 */
START_TEST(the_root_is_a_folder_even_when_empty)
{
	struct store_totals totals;
	struct store_info info;
	bool yes = false;
	size_t i;

	for (i = 0; i < ROOT_NAMES; i++) {
		const char *root = root_names[i];

		CONF_OK(conf_stat(root, &info));
		ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
		CONF_OK(store_exists(conf_store, NULL, root, &yes,
				     &conf_error));
		ck_assert(yes);
		CONF_OK(store_is_folder(conf_store, NULL, root, &yes,
					&conf_error));
		ck_assert(yes);
		CONF_OK(store_is_file(conf_store, NULL, root, &yes,
				      &conf_error));
		ck_assert(!yes);
		CONF_OK(store_folder_totals(conf_store, NULL, root, -1, &totals,
					    &conf_error));
		ck_assert_uint_eq(totals.files, 0);
		ck_assert_uint_eq(totals.bytes, 0);
	}
}
END_TEST

/* K4, remote-store 10.25 */
START_TEST(wildcards_and_case_in_names_match_only_themselves)
{
	struct store_delete_folder_options all = { .recursive = true };

	CONF_OK(conf_put("a_b/x", "1"));
	CONF_OK(conf_put("axb/y", "2"));
	CONF_OK(conf_put("a%/z", "3"));
	CONF_OK(conf_put("Up/u", "4"));
	CONF_OK(conf_put("up/l", "5"));
	conf_expect_names("a_b", "a_b/x");
	conf_expect_names("a%", "a%/z");
	conf_expect_names("UP", "");
	CONF_OK(store_delete_folder(conf_store, NULL, "a_b", &all,
				    &conf_error));
	CONF_OK(store_delete_folder(conf_store, NULL, "a%", &all, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND, store_delete_folder(conf_store, NULL, "UP",
							&all, &conf_error));
	conf_expect_names("", "Up/ Up/u axb/ axb/y up/ up/l");
}
END_TEST

/* K4, remote-store 10.26 */
START_TEST(a_prefix_of_a_name_is_another_name)
{
	struct store_delete_folder_options all = { .recursive = true };

	CONF_OK(conf_put("dataset/f", "1"));
	CONF_OK(conf_put("data/f", "2"));
	CONF_OK(conf_put("data-2", "3"));
	CONF_OK(conf_put("data.txt", "4"));
	conf_expect_names("data", "data/f");
	CONF_OK(store_delete_folder(conf_store, NULL, "data", &all,
				    &conf_error));
	conf_expect_names("", "data-2 data.txt dataset/ dataset/f");
}
END_TEST

/* K5 */
START_TEST(every_legal_name_survives_a_round_trip)
{
	static const char *const keys[] = {
		"gr\xc3\xbc\xc3\x9f/\xe6\x97\xa5\xe6\x9c\xac",
		"e\xcc\x81 is not \xc3\xa9",
		" leading and trailing ",
		"?#%&+*\"'<>|:;,=[]{}~!@$^()`",
		"%2e%2e/%2F",
		"tab\there/new\nline",
		"-rf",
		"CON/aux.txt.",
		"user@host:path",
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		bool there = false;
		char *names;

		CONF_OK(conf_put(keys[i], keys[i]));
		conf_expect(keys[i], keys[i]);
		names = conf_names(
			conf_store, "",
			&(struct store_list_options){ .flags = STORE_LIST_FILES,
						      .max_depth = -1 });
		ck_assert_str_eq(names, keys[i]);
		free(names);
		CONF_OK(store_delete(conf_store, NULL, keys[i], false,
				     &conf_error));
		CONF_OK(store_exists(conf_store, NULL, keys[i], &there,
				     &conf_error));
		ck_assert(!there);
	}
}
END_TEST

/* K5 */
START_TEST(long_names_and_keys_survive_a_round_trip)
{
	char name[STORE_NAME_MAX + 1];
	char key[1025];
	size_t i;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CONF_OK(conf_put(name, "255"));
	conf_expect(name, "255");
	for (i = 0; i < sizeof(key) - 1; i++)
		key[i] = i % 100 == 99 ? '/' : (char)('a' + i % 26);
	key[sizeof(key) - 1] = '\0';
	if (conf_backend.longest_key)
		key[conf_backend.longest_key] = '\0';
	CONF_OK(conf_put(key, "1024"));
	conf_expect(key, "1024");
	CONF_OK(store_delete(conf_store, NULL, name, false, &conf_error));
}
END_TEST

/* K5: unequal bytes are unequal names. */
START_TEST(names_are_bytes_not_characters)
{
	CONF_OK(conf_put("\xc3\xa9", "composed"));
	CONF_OK(conf_put("e\xcc\x81", "decomposed"));
	CONF_OK(conf_put("E", "upper"));
	CONF_OK(conf_put("e", "lower"));
	conf_expect("\xc3\xa9", "composed");
	conf_expect("e\xcc\x81", "decomposed");
	conf_expect("E", "upper");
	conf_expect("e", "lower");
}
END_TEST

static int put_in(struct store *store, const char *key, const char *text)
{
	struct store_memory_source source;

	return store_write(
		store, NULL, key,
		store_memory_source_init(&source, text, strlen(text)), NULL,
		NULL, &conf_error);
}

/* remote-store 1.2, child */
START_TEST(a_child_sees_its_folder_as_the_root)
{
	struct store *child = NULL;
	struct store *inner = NULL;
	char *names;

	CONF_OK(conf_put("outside", "0"));
	CONF_OK(store_child(conf_store, "a/b", &child, &conf_error));
	CONF_OK(put_in(child, "c/f", "1"));
	conf_expect("a/b/c/f", "1");
	CONF_OK(store_child(child, "c", &inner, &conf_error));
	CONF_OK(put_in(inner, "g", "2"));
	conf_expect("a/b/c/g", "2");
	names = conf_names(child, "",
			   &(struct store_list_options){ .max_depth = -1 });
	ck_assert_str_eq(names, "c/ c/f c/g");
	free(names);
	CONF_FAILS(STORE_INVALID, put_in(child, "../up", "x"));
	store_close(inner);
	store_close(child);
	conf_expect("outside", "0");
}
END_TEST

/* remote-store 10.39 */
START_TEST(parent_and_child_close_in_any_order)
{
	struct store *parent = conf_open();
	struct store *child = NULL;

	CONF_OK(store_child(parent, "d", &child, &conf_error));
	store_close(parent);
	CONF_OK(put_in(child, "f", "1"));
	conf_expect("d/f", "1");
	store_close(child);
	conf_expect("d/f", "1");
}
END_TEST

START_TEST(a_child_needs_a_real_folder_name)
{
	struct store *child = NULL;

	CONF_FAILS(STORE_INVALID,
		   store_child(conf_store, "", &child, &conf_error));
	CONF_FAILS(STORE_INVALID,
		   store_child(conf_store, "./", &child, &conf_error));
	CONF_FAILS(STORE_INVALID,
		   store_child(conf_store, "a/../..", &child, &conf_error));
	ck_assert_ptr_null(child);
}
END_TEST

void conf_add_keys(void)
{
	conf_add("K1", 0, odd_spellings_name_the_same_file);
	conf_add("K1", 0, dots_inside_a_name_are_ordinary);
	conf_add("K2", 0, dot_dot_is_invalid_before_any_request);
	conf_add("K3", 0, the_root_is_no_file);
	conf_add("K3", 0, the_root_is_a_folder_even_when_empty);
	conf_add("K4", 0, wildcards_and_case_in_names_match_only_themselves);
	conf_add("K4", 0, a_prefix_of_a_name_is_another_name);
	conf_add("K5", 0, every_legal_name_survives_a_round_trip);
	conf_add("K5", 0, long_names_and_keys_survive_a_round_trip);
	conf_add("K5", 0, names_are_bytes_not_characters);
	conf_add("P child", 0, a_child_sees_its_folder_as_the_root);
	conf_add("P child", 0, parent_and_child_close_in_any_order);
	conf_add("P child", 0, a_child_needs_a_real_folder_name);
}
