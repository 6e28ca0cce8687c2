// SPDX-License-Identifier: MIT
/* Option tables: parsing, ranges, aliases, suggestions, masking, lists. */
#include "config.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/secret.h"
#include "src/base/text.h"
#include "src/option.h"
#include "tests/unit/unit.h"

static const struct store_option table[] = {
	{ .name = "root", .type = OPTION_PATH, .flags = OPTION_REQUIRED },
	{ .name = "bucket", .type = OPTION_TEXT },
	{ .name = "key", .type = OPTION_TEXT, .aliases = "access_key_id,user" },
	{ .name = "secret",
	  .type = OPTION_TEXT,
	  .aliases = "secret_access_key",
	  .flags = OPTION_SECRET },
	{ .name = "pin", .type = OPTION_INTEGER, .flags = OPTION_SECRET },
	{ .name = "port",
	  .type = OPTION_INTEGER,
	  .fallback = "22",
	  .minimum = 1,
	  .maximum = 65535 },
	{ .name = "offset", .type = OPTION_INTEGER, .minimum = -10 },
	{ .name = "size", .type = OPTION_SIZE, .minimum = 4096 },
	{ .name = "share", .type = OPTION_SHARE, .minimum = 1024 * 1024 },
	{ .name = "wait", .type = OPTION_DURATION, .maximum = 60 * NS_PER_SEC },
	{ .name = "mode", .type = OPTION_OCTAL, .maximum = 0777 },
	{ .name = "ratio", .type = OPTION_FRACTION, .maximum = NS_PER_SEC },
	{ .name = "flag", .type = OPTION_FLAG },
	{ .name = "policy",
	  .type = OPTION_CHOICE,
	  .choices = "strict|tofu|auto" },
	{ .name = "fault", .type = OPTION_TEXT, .flags = OPTION_HIDDEN },
	{ .name = NULL },
};

static struct option_values *values;
static struct store_error error;

static void begin(void)
{
	store_error_clear(&error);
	ck_assert_int_eq(option_values_new(table, &values, &error), STORE_OK);
}

static void end(void)
{
	option_values_free(values);
}

static void accept(const char *name, const char *text)
{
	int code = option_values_set(values, name, text, "file:7", &error);

	ck_assert_msg(code == STORE_OK, "%s=%s: %s", name, text, error.message);
}

static void refuse(const char *name, const char *text)
{
	int code = option_values_set(values, name, text, "file:7", &error);

	ck_assert_msg(code == STORE_INVALID, "%s=%s gave %d", name, text, code);
	ck_assert_msg(!strncmp(error.message, "file:7: ", 8), "%s",
		      error.message);
}

static void says(const char *part)
{
	ck_assert_msg(strstr(error.message, part) != NULL, "'%s' is not in: %s",
		      part, error.message);
}

static void says_not(const char *part)
{
	ck_assert_msg(!strstr(error.message, part), "'%s' is in: %s", part,
		      error.message);
}

static void is_number(const char *name, const char *text, int64_t expected)
{
	accept(name, text);
	ck_assert_int_eq(option_number(values, name), expected);
}

START_TEST(defaults_stand_until_a_value_is_set)
{
	ck_assert_int_eq(option_number(values, "port"), 22);
	ck_assert_str_eq(option_source(values, "port"), "default");
	accept("port", "2222");
	ck_assert_int_eq(option_number(values, "port"), 2222);
	ck_assert_str_eq(option_source(values, "port"), "file:7");
	ck_assert(!option_is_set(values, "bucket"));
	ck_assert_ptr_null(option_text(values, "bucket"));
	ck_assert_ptr_null(option_source(values, "bucket"));
	ck_assert_int_eq(option_choice(values, "policy"), -1);
}
END_TEST

START_TEST(a_refused_value_leaves_the_old_one)
{
	accept("port", "2222");
	refuse("port", "70000");
	ck_assert_int_eq(option_number(values, "port"), 2222);
	ck_assert_str_eq(option_text(values, "port"), "2222");
}
END_TEST

START_TEST(an_alias_is_the_option)
{
	accept("access_key_id", "AKIA");
	ck_assert_str_eq(option_text(values, "key"), "AKIA");
	ck_assert_str_eq(option_text(values, "user"), "AKIA");
	ck_assert_ptr_null(option_find(table, "access_key"));
	ck_assert_ptr_null(option_find(table, "access_key_id,user"));
	ck_assert_str_eq(option_find(table, "user")->name, "key");
}
END_TEST

START_TEST(an_unknown_name_suggests_the_nearest)
{
	refuse("buckte", "x");
	says("'buckte'");
	says("did you mean 'bucket'?");
	refuse("acces_key_id", "x");
	says("did you mean 'key'?");
	refuse("completely_else", "x");
	says_not("did you mean");
	refuse("faul", "x");
	says_not("fault");
	refuse("a\nb", "x");
	says("a\\x0ab");
}
END_TEST

START_TEST(whole_numbers_have_ranges)
{
	is_number("port", "1", 1);
	is_number("port", "65535", 65535);
	is_number("port", "+80", 80);
	is_number("offset", "-10", -10);
	is_number("offset", "9223372036854775807", INT64_MAX);
	refuse("port", "0");
	says("port = '0': out of range, allowed is 1 to 65535");
	refuse("offset", "-11");
	says("at least -10");
	refuse("port", "65536");
	refuse("port", "");
	refuse("port", " 22");
	refuse("port", "22 # ssh");
	says("'22 # ssh': expected a whole number");
	refuse("port", "0x16");
	refuse("port", "--1");
	refuse("offset", "9223372036854775808");
	refuse("offset", "99999999999999999999");
}
END_TEST

START_TEST(sizes_are_powers_of_1024)
{
	is_number("size", "4096", 4096);
	is_number("size", "4K", 4096);
	is_number("size", "10m", 10485760);
	is_number("size", "2GiB", INT64_C(2) << 30);
	is_number("size", "3T", INT64_C(3) << 40);
	refuse("size", "3K");
	says("at least 4K");
	refuse("size", "10KB");
	refuse("size", "10X");
	refuse("size", "K");
	refuse("size", "-5K");
	refuse("size", "9000000T");
	refuse("size", "50%");
	refuse("size", "1.5G");
}
END_TEST

START_TEST(a_share_is_a_size_or_a_percentage)
{
	is_number("share", "2M", 2097152);
	ck_assert(!option_is_percent(values, "share"));
	is_number("share", "50%", 50);
	ck_assert(option_is_percent(values, "share"));
	is_number("share", "1G", 1 << 30);
	ck_assert(!option_is_percent(values, "share"));
	refuse("share", "0%");
	refuse("share", "101%");
	refuse("share", "%");
	refuse("share", "5%%");
	refuse("share", "100K");
}
END_TEST

START_TEST(durations_have_units_and_fractions)
{
	is_number("wait", "10", 10 * NS_PER_SEC);
	is_number("wait", "10s", 10 * NS_PER_SEC);
	is_number("wait", "1.5", 1500 * NS_PER_MS);
	is_number("wait", "500ms", 500 * NS_PER_MS);
	is_number("wait", "0.5ms", NS_PER_MS / 2);
	is_number("wait", "1m", 60 * NS_PER_SEC);
	is_number("wait", "0.5m", 30 * NS_PER_SEC);
	is_number("wait", "0", 0);
	refuse("wait", "61");
	says("0s to 60s");
	refuse("wait", "1h");
	refuse("wait", "1.");
	refuse("wait", ".5");
	refuse("wait", "1m30s");
	refuse("wait", "-1");
	refuse("wait", "1e1");
	refuse("wait", "99999999999999999d");
}
END_TEST

START_TEST(permission_bits_are_octal)
{
	is_number("mode", "022", 022);
	is_number("mode", "755", 0755);
	is_number("mode", "0o640", 0640);
	refuse("mode", "0888");
	refuse("mode", "1000");
	says("0 to 777");
	refuse("mode", "u+x");
}
END_TEST

START_TEST(fractions_are_decimals)
{
	is_number("ratio", "0.25", NS_PER_SEC / 4);
	is_number("ratio", "1.0", NS_PER_SEC);
	refuse("ratio", "1.1");
	says("0 to 1");
	refuse("ratio", "1s");
	refuse("ratio", "");
}
END_TEST

START_TEST(flags_take_words_and_stand_bare)
{
	static const char *const yes[] = { "true", "yes",  "on",
					   "1",	   "True", NULL };
	static const char *const no[] = { "false", "no", "off", "0", "FALSE" };

	for (size_t i = 0; i < 5; i++) {
		accept("flag", yes[i]);
		ck_assert(option_flag(values, "flag"));
		accept("flag", no[i]);
		ck_assert(!option_flag(values, "flag"));
	}
	accept("flag", NULL);
	ck_assert(option_flag(values, "flag"));
	refuse("flag", "");
	refuse("flag", "2");
	refuse("bucket", NULL);
	says("bucket needs a value");
}
END_TEST

START_TEST(a_choice_is_one_of_a_list)
{
	accept("policy", "tofu");
	ck_assert_int_eq(option_choice(values, "policy"), 1);
	accept("policy", "auto");
	ck_assert_int_eq(option_choice(values, "policy"), 2);
	refuse("policy", "auto|");
	refuse("policy", "");
	refuse("policy", "tof");
	says("one of strict|tofu|auto");
}
END_TEST

START_TEST(paths_become_absolute)
{
	char cwd[PATH_MAX], expected[PATH_MAX + 8];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	accept("root", "/srv/data");
	ck_assert_str_eq(option_text(values, "root"), "/srv/data");
	accept("root", "sub/dir");
	snprintf(expected, sizeof(expected), "%s/sub/dir", cwd);
	ck_assert_str_eq(option_text(values, "root"), expected);
	setenv("HOME", "/home/me", 1);
	accept("root", "~/data");
	ck_assert_str_eq(option_text(values, "root"), "/home/me/data");
	accept("root", "/a/~/b");
	ck_assert_str_eq(option_text(values, "root"), "/a/~/b");
	unsetenv("HOME");
	refuse("root", "~/data");
	refuse("root", "");
}
END_TEST

START_TEST(a_required_option_is_missed)
{
	ck_assert_int_eq(option_values_check(values, &error), STORE_INVALID);
	says("root");
	accept("root", "/");
	ck_assert_int_eq(option_values_check(values, &error), STORE_OK);
}
END_TEST

START_TEST(no_message_holds_a_secret)
{
	char *shown;

	refuse("pin", "hunter2");
	says_not("hunter2");
	says("***");
	refuse("flag", "https://me:hunter2@host/?sig=hunter2");
	says_not("hunter2");
	accept("secret", "hunter2");
	shown = option_shown(values, "secret_access_key");
	ck_assert_str_eq(shown, "***");
	free(shown);
	accept("bucket", "postgresql://me:hunter2@host/db");
	shown = option_shown(values, "bucket");
	ck_assert_str_eq(shown, "postgresql://me:***@host/db");
	free(shown);
	shown = option_shown(values, "root");
	ck_assert_str_eq(shown, "");
	free(shown);
}
END_TEST

/* "name|value;" for each item, '-' for a bare one. */
static int note_item(void *arg, const char *name, const char *value,
		     struct store_error *failure)
{
	char *out = arg;

	if (!strcmp(name, "stop"))
		return store_error_set(failure, STORE_DENIED, "stopped");
	strncat(out, name, 100);
	strncat(out, "|", 2);
	strncat(out, value ? value : "-", 100);
	strncat(out, ";", 2);
	return STORE_OK;
}

static void splits(const char *list, int code, const char *expected)
{
	char out[1024] = "";

	ck_assert_int_eq(option_split(list, note_item, out, &error), code);
	ck_assert_str_eq(out, expected);
}

START_TEST(a_list_is_taken_apart_at_commas)
{
	splits("", STORE_OK, "");
	splits("ro", STORE_OK, "ro|-;");
	splits("ro,uid=5,x=", STORE_OK, "ro|-;uid|5;x|;");
	splits(",,a,,", STORE_OK, "a|-;");
	splits("a=b\\,c,d", STORE_OK, "a|b,c;d|-;");
	splits("a=b\\\\,c", STORE_OK, "a|b\\;c|-;");
	splits("a=b=c", STORE_OK, "a|b=c;");
	splits("a=C:\\x", STORE_OK, "a|C:\\x;");
	splits("a\\", STORE_OK, "a\\|-;");
	splits("a,=b,c", STORE_INVALID, "a|-;");
	splits("a,stop,c", STORE_DENIED, "a|-;");
}
END_TEST

START_TEST(single_values_parse_alone)
{
	int64_t number = 5;

	ck_assert_int_eq(option_parse_size("64K", &number, &error), STORE_OK);
	ck_assert_int_eq(number, 65536);
	ck_assert_int_eq(option_parse_duration("2m", &number, &error),
			 STORE_OK);
	ck_assert_int_eq(number, 120 * NS_PER_SEC);
	ck_assert_int_eq(option_parse_size("x", &number, &error),
			 STORE_INVALID);
	ck_assert_int_eq(number, 120 * NS_PER_SEC);
	ck_assert_int_eq(option_parse_duration("x", &number, NULL),
			 STORE_INVALID);
}
END_TEST

START_TEST(distances_count_swaps_as_one)
{
	ck_assert_int_eq(text_distance("bucket", "bucket"), 0);
	ck_assert_int_eq(text_distance("buckte", "bucket"), 1);
	ck_assert_int_eq(text_distance("Bucket", "bucket"), 0);
	ck_assert_int_eq(text_distance("", "abc"), 3);
	ck_assert_int_eq(text_distance("kitten", "sitting"), 3);
	ck_assert_int_eq(
		text_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			      "aaaaaaaaaaaaaaaaaaaa",
			      "a"),
		INT_MAX);
}
END_TEST

static void masks(const char *url, const char *expected)
{
	char *masked = secret_mask_url(url);

	ck_assert_str_eq(masked, expected);
	ck_assert_int_eq(secret_in_url(url), strcmp(url, expected) != 0);
	free(masked);
}

START_TEST(urls_are_masked_even_when_malformed)
{
	masks("sftp://me@host/x", "sftp://me@host/x");
	masks("sftp://me:pw@host:22/x", "sftp://me:***@host:22/x");
	masks("sftp://me:p@w@host/x", "sftp://me:***@host/x");
	masks("sftp://me:p/w@host/x", "sftp://me:***@host/x");
	masks("sftp://host:22/a@b", "sftp://host:22/a@b");
	masks("http://[::1]:80/a@b", "http://[::1]:80/a@b");
	masks("s3://b/p?secret=x&port=5&sas_token=y",
	      "s3://b/p?secret=***&port=5&sas_token=***");
	masks("s3://b?s%65cret=x", "s3://b?s%65cret=***");
	masks("memory:?password=x", "memory:?password=***");
	masks("plain text?key=5", "plain text?key=5");
	masks("", "");
}
END_TEST

START_TEST(secrets_are_known_by_name)
{
	static const char *const secrets[] = {
		"key",	       "secret",      "password",
		"account_key", "sas_token",   "connection_string",
		"KEY",	       "my_password",
	};
	static const char *const others[] = { "bucket", "host_key_policy",
					      "known_host_keys", "keys", "" };

	for (size_t i = 0; i < 8; i++)
		ck_assert_msg(secret_name(secrets[i]), "%s", secrets[i]);
	for (size_t i = 0; i < 5; i++)
		ck_assert_msg(!secret_name(others[i]), "%s", others[i]);
}
END_TEST

int main(void)
{
	TCase *test = tcase_create("table");

	tcase_add_checked_fixture(test, begin, end);
	tcase_add_test(test, defaults_stand_until_a_value_is_set);
	tcase_add_test(test, a_refused_value_leaves_the_old_one);
	tcase_add_test(test, an_alias_is_the_option);
	tcase_add_test(test, an_unknown_name_suggests_the_nearest);
	tcase_add_test(test, whole_numbers_have_ranges);
	tcase_add_test(test, sizes_are_powers_of_1024);
	tcase_add_test(test, a_share_is_a_size_or_a_percentage);
	tcase_add_test(test, durations_have_units_and_fractions);
	tcase_add_test(test, permission_bits_are_octal);
	tcase_add_test(test, fractions_are_decimals);
	tcase_add_test(test, flags_take_words_and_stand_bare);
	tcase_add_test(test, a_choice_is_one_of_a_list);
	tcase_add_test(test, paths_become_absolute);
	tcase_add_test(test, a_required_option_is_missed);
	tcase_add_test(test, no_message_holds_a_secret);
	tcase_add_test(test, a_list_is_taken_apart_at_commas);
	tcase_add_test(test, single_values_parse_alone);
	tcase_add_test(test, distances_count_swaps_as_one);
	tcase_add_test(test, urls_are_masked_even_when_malformed);
	tcase_add_test(test, secrets_are_known_by_name);
	return unit_run("option", test);
}
