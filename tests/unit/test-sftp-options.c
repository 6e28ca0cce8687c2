// SPDX-License-Identifier: MIT
/* Options and URLs of SFTP stores, and what is refused of them. */
#include "config.h"

#include "backends/sftp/options.h"
#include "backends/sftp/settings.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

static struct option_values *values;
static struct sftp_settings settings;
static struct store_error error = STORE_ERROR_INIT;

static void start(void)
{
	ck_assert_int_eq(option_values_new(sftp_options, &values, &error), 0);
	store_error_clear(&error);
}

static void stop(void)
{
	sftp_settings_release(&settings);
	option_values_free(values);
}

static void set(const char *name, const char *text)
{
	ck_assert_int_eq(option_values_set(values, name, text, "test", &error),
			 STORE_OK);
}

static int from_url(const char *text)
{
	struct store_url url;
	int code;

	ck_assert_int_eq(store_url_parse(text, &url, &error), STORE_OK);
	code = sftp_from_url(&url, values, "URL", &error);
	store_url_release(&url);
	return code;
}

static void fill(int expected, const char *named)
{
	int code = sftp_settings_fill(values, &settings, &error);

	ck_assert_msg(code == expected, "%d: %s", code, error.message);
	if (named)
		ck_assert_msg(strstr(error.message, named), "%s",
			      error.message);
	sftp_settings_release(&settings);
	store_error_clear(&error);
}

START_TEST(urls_say_where)
{
	ck_assert_int_eq(from_url("sftp://me@host:2222/srv/data/"), STORE_OK);
	ck_assert_int_eq(sftp_settings_fill(values, &settings, &error),
			 STORE_OK);
	ck_assert_str_eq(settings.host, "host");
	ck_assert_str_eq(settings.username, "me");
	ck_assert_uint_eq(settings.port, 2222);
	ck_assert_str_eq(settings.base_path, "/srv/data");
	ck_assert_int_eq(settings.host_key_policy, SFTP_HOST_KEY_STRICT);
	ck_assert_int_eq(settings.connect_timeout, 10 * NS_PER_SEC);
}
END_TEST

START_TEST(a_tilde_is_where_sessions_begin)
{
	static const struct {
		const char *url;
		const char *base;
	} cases[] = {
		{ "sftp://host", "" },		{ "sftp://host/", "/" },
		{ "sftp://host/~", "" },	{ "sftp://host/~/", "" },
		{ "sftp://host/~/a/b", "a/b" }, { "sftp://host/~a", "/~a" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stop();
		start();
		ck_assert_int_eq(from_url(cases[i].url), STORE_OK);
		ck_assert_int_eq(sftp_settings_fill(values, &settings, &error),
				 STORE_OK);
		ck_assert_str_eq(settings.base_path, cases[i].base);
	}
}
END_TEST

START_TEST(a_url_needs_a_host)
{
	ck_assert_int_eq(from_url("sftp:///path"), STORE_INVALID);
}
END_TEST

START_TEST(what_cannot_be_meant_is_named)
{
	set("host", "-oProxyCommand=x");
	fill(STORE_INVALID, "host");
	set("host", "a b");
	fill(STORE_INVALID, "host");
	set("host", "host");
	set("username", "-x");
	fill(STORE_INVALID, "username");
	set("username", "me");
	set("idmap", "file");
	fill(STORE_INVALID, "uidfile");
	set("idmap", "user");
	set("gidfile", "/g");
	fill(STORE_INVALID, "idmap=file");
	set("idmap", "file");
	fill(STORE_OK, NULL);
}
END_TEST

START_TEST(the_ssh_program_takes_no_secrets)
{
	set("host", "host");
	set("transport", "ssh");
	fill(STORE_OK, NULL);
	set("password", "geheim");
	ck_assert_int_eq(sftp_settings_fill(values, &settings, &error),
			 STORE_NOT_SUPPORTED);
	ck_assert_ptr_nonnull(strstr(error.message, "password"));
	ck_assert_ptr_null(strstr(error.message, "geheim"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-options");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, urls_say_where);
	tcase_add_test(tests, a_tilde_is_where_sessions_begin);
	tcase_add_test(tests, a_url_needs_a_host);
	tcase_add_test(tests, what_cannot_be_meant_is_named);
	tcase_add_test(tests, the_ssh_program_takes_no_secrets);
	return unit_run("sftp-options", tests);
}
