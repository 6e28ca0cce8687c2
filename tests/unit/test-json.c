// SPDX-License-Identifier: MIT
/* JSON: what is built prints and parses back, what is malformed is named. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/json.h"
#include "tests/unit/unit.h"

static struct store_error error;

static struct json *parse(const char *text)
{
	struct json *json = NULL;
	int code = json_parse(text, strlen(text), &json, &error);

	ck_assert_msg(code == STORE_OK, "%s: %s", text, error.message);
	return json;
}

static void refuse(const char *text, size_t length)
{
	struct json *json = NULL;

	store_error_clear(&error);
	ck_assert_int_eq(json_parse(text, length, &json, &error),
			 STORE_CORRUPT);
	ck_assert_ptr_null(json);
}

static void prints(struct json *json, bool indented, const char *expected)
{
	char *text = json_print(json, indented);

	ck_assert_str_eq(text, expected);
	free(text);
	json_free(json);
}

START_TEST(members_print_in_the_order_they_were_set)
{
	struct json *object = json_new_object();
	struct json *array = json_new_array();

	ck_assert_int_eq(json_set(object, "z", json_text("a\"\n")), STORE_OK);
	ck_assert_int_eq(json_set(object, "a", json_number(INT64_MIN)),
			 STORE_OK);
	ck_assert_int_eq(json_append(array, json_flag(true)), STORE_OK);
	ck_assert_int_eq(json_append(array, json_flag(false)), STORE_OK);
	ck_assert_int_eq(json_set(object, "m", array), STORE_OK);
	prints(object, false,
	       "{\"z\":\"a\\\"\\n\",\"a\":-9223372036854775808,"
	       "\"m\":[true,false]}");
	prints(json_number(5), false, "5");
	prints(parse("{\"a\": [1]}"), true, "{\n  \"a\": [\n    1\n  ]\n}");
}
END_TEST

START_TEST(text_that_is_not_utf8_is_refused)
{
	struct json *object = json_new_object();

	ck_assert_ptr_null(json_text("\xff"));
	ck_assert_int_eq(json_set(object, "a", json_text("\xff")),
			 STORE_INVALID);
	ck_assert_uint_eq(json_count(object), 0);
	json_free(object);
	json_free(NULL);
}
END_TEST

START_TEST(members_are_found_by_name_and_by_index)
{
	struct json *json = parse("{\"t\":\"x\",\"n\":7,\"f\":true,"
				  "\"a\":[\"e\",2]}");
	const struct json *value = NULL;

	ck_assert_str_eq(json_get_text(json, "t"), "x");
	ck_assert_int_eq(json_get_number(json, "n", -1), 7);
	ck_assert(json_get_flag(json, "f"));
	ck_assert_uint_eq(json_count(json), 4);
	ck_assert_uint_eq(json_count(json_get(json, "a")), 2);
	ck_assert_str_eq(json_as_text(json_element(json_get(json, "a"), 0)),
			 "e");
	ck_assert_str_eq(json_member(json, 1, &value), "n");
	ck_assert_ptr_eq(value, json_get(json, "n"));
	ck_assert_ptr_null(json_member(json, 4, &value));
	json_free(json);
}
END_TEST

START_TEST(missing_or_other_types_give_the_default)
{
	struct json *json = parse("{\"t\":\"x\",\"n\":7,\"r\":1.5}");

	ck_assert_ptr_null(json_get(json, "no"));
	ck_assert_ptr_null(json_get_text(json, "n"));
	ck_assert_ptr_null(json_get_text(json, "no"));
	ck_assert_int_eq(json_get_number(json, "t", -1), -1);
	ck_assert_int_eq(json_get_number(json, "r", -1), -1);
	ck_assert_int_eq(json_get_number(NULL, "r", -1), -1);
	ck_assert(!json_get_flag(json, "n"));
	ck_assert_ptr_null(json_element(json, 0));
	ck_assert_ptr_null(json_member(json_get(json, "t"), 0, NULL));
	ck_assert_uint_eq(json_count(NULL), 0);
	json_free(json);
}
END_TEST

START_TEST(what_is_not_json_names_its_place_only)
{
	refuse("", 0);
	refuse("{", 1);
	refuse("{\"a\":1,\"a\":2}", 13);
	refuse("[1] x", 5);
	refuse("\"\xff\"", 3);
	refuse("\"a\\u0000b\"", 10);
	refuse("99999999999999999999", 20);
	refuse("{\"password\":\nhunter2}", 21);
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	ck_assert_ptr_nonnull(strstr(error.message, "line 2"));
}
END_TEST

START_TEST(only_the_given_bytes_are_read)
{
	struct json *json = NULL;

	ck_assert_int_eq(json_parse("12345", 2, &json, &error), STORE_OK);
	prints(json, false, "12");
}
END_TEST

START_TEST(deep_nesting_is_an_error_and_no_crash)
{
	static char text[100000];

	memset(text, '[', sizeof(text));
	refuse(text, sizeof(text));
}
END_TEST

START_TEST(metadata_survives_both_ways)
{
	struct store_metadata metadata, back;
	struct json *json;

	store_metadata_init(&metadata);
	store_metadata_init(&back);
	ck_assert_int_eq(store_metadata_add(&metadata, "b", "2"), STORE_OK);
	ck_assert_int_eq(store_metadata_add(&metadata, "a", "\xc3\xa4"),
			 STORE_OK);
	json = json_from_metadata(&metadata);
	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(json_to_metadata(json, &back, &error), STORE_OK);
	ck_assert_uint_eq(back.count, 2);
	ck_assert_str_eq(back.pairs[0].name, "b");
	ck_assert_str_eq(back.pairs[1].value, "\xc3\xa4");
	json_free(json);
	store_metadata_release(&metadata);
	store_metadata_release(&back);
}
END_TEST

START_TEST(metadata_that_is_not_flat_text_is_refused)
{
	static const char *const texts[] = { "[]", "5", "{\"a\":1}",
					     "{\"a\":\"x\",\"b\":{}}" };
	struct store_metadata metadata;

	store_metadata_init(&metadata);
	for (size_t i = 0; i < 4; i++) {
		struct json *json = parse(texts[i]);

		ck_assert_int_eq(json_to_metadata(json, &metadata, &error),
				 STORE_CORRUPT);
		ck_assert_uint_eq(metadata.count, 0);
		json_free(json);
	}
}
END_TEST

int main(void)
{
	TCase *test = tcase_create("values");

	tcase_add_test(test, members_print_in_the_order_they_were_set);
	tcase_add_test(test, text_that_is_not_utf8_is_refused);
	tcase_add_test(test, members_are_found_by_name_and_by_index);
	tcase_add_test(test, missing_or_other_types_give_the_default);
	tcase_add_test(test, what_is_not_json_names_its_place_only);
	tcase_add_test(test, only_the_given_bytes_are_read);
	tcase_add_test(test, deep_nesting_is_an_error_and_no_crash);
	tcase_add_test(test, metadata_survives_both_ways);
	tcase_add_test(test, metadata_that_is_not_flat_text_is_refused);
	return unit_run("json", test);
}
