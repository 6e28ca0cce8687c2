// SPDX-License-Identifier: MIT
/* URLs: parts, decoding, options, and what is refused. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "src/url.h"
#include "tests/unit/unit.h"

static struct store_url url;
static struct store_error error;

static void parse(const char *text)
{
	int code;

	store_error_clear(&error);
	store_url_release(&url);
	code = store_url_parse(text, &url, &error);
	ck_assert_msg(code == STORE_OK, "%s: %s", text, error.message);
}

static void refuse(const char *text, const char *part)
{
	struct store_url untouched = { .port = 77 };

	store_error_clear(&error);
	ck_assert_msg(store_url_parse(text, &untouched, &error) ==
			      STORE_INVALID,
		      "%s was accepted", text);
	ck_assert_int_eq(untouched.port, 77);
	ck_assert_msg(strstr(error.message, part) != NULL, "%s: %s", text,
		      error.message);
}

static void end(void)
{
	store_url_release(&url);
}

/* scheme|user|password|host|port|path|query, "-" for absent. */
static void is(const char *text, const char *expected)
{
	char out[1024];

	parse(text);
	snprintf(out, sizeof(out), "%s|%s|%s|%s|%d|%s|%s", url.scheme,
		 url.user ? url.user : "-", url.password ? url.password : "-",
		 url.host, url.port, url.path, url.query ? url.query : "-");
	ck_assert_str_eq(out, expected);
}

START_TEST(all_parts_are_found)
{
	is("sftp://me:pw@host:22/a/b?x=1&y", "sftp|me|pw|host|22|/a/b|x=1&y");
	is("file:///dir", "file|-|-||-1|/dir|-");
	is("file:/dir", "file|-|-||-1|/dir|-");
	is("memory:", "memory|-|-||-1||-");
	is("memory://", "memory|-|-||-1||-");
	is("memory:?a=b", "memory|-|-||-1||a=b");
	is("s3://bucket", "s3|-|-|bucket|-1||-");
	is("s3://bucket/", "s3|-|-|bucket|-1|/|-");
	is("s3://bucket?x=1", "s3|-|-|bucket|-1||x=1");
	is("sqlite:////abs/file.db", "sqlite|-|-||-1|//abs/file.db|-");
	is("sqlite:///rel", "sqlite|-|-||-1|/rel|-");
	is("SFTP://Host/", "sftp|-|-|Host|-1|/|-");
	is("postgresql+psycopg://h/db", "postgresql+psycopg|-|-|h|-1|/db|-");
	is("http://[::1]:8080/x", "http|-|-|::1|8080|/x|-");
	is("http://[::1]/x", "http|-|-|::1|-1|/x|-");
	is("http://host:/x", "http|-|-|host|-1|/x|-");
	is("sftp://me@host", "sftp|me|-|host|-1||-");
	is("sftp://me:@host", "sftp|me||host|-1||-");
	is("file:///a?", "file|-|-||-1|/a|");
}
END_TEST

START_TEST(the_last_at_ends_the_user)
{
	is("sftp://me:p@w@host/a@b", "sftp|me|p@w|host|-1|/a@b|-");
	is("sftp://host/a@b:c", "sftp|-|-|host|-1|/a@b:c|-");
}
END_TEST

START_TEST(a_hash_is_an_ordinary_byte)
{
	is("file:///a#b/c?x=1#2", "file|-|-||-1|/a#b/c|x=1#2");
}
END_TEST

START_TEST(path_user_and_host_are_decoded)
{
	is("sftp://m%40e:p%3Aw%2f@h/a%20b%3Fc%25+d?x=%41",
	   "sftp|m@e|p:w/|h|-1|/a b?c%+d|x=%41");
	is("file:///%ff%C3%A4", "file|-|-||-1|/\xff\xc3\xa4|-");
}
END_TEST

START_TEST(malformed_urls_are_refused)
{
	refuse("", "scheme");
	refuse("plain", "scheme");
	refuse("/abs/path", "scheme");
	refuse("://x", "scheme");
	refuse("1a://x", "scheme");
	refuse("file:rel", "'//' must follow");
	refuse("sqlite:rel.db", "'//' must follow");
	refuse("file:///a%", "%25");
	refuse("file:///a%4", "%25");
	refuse("file:///a%zz", "%25");
	refuse("file:///a%-1", "%25");
	refuse("file:///a%00b", "%00");
	refuse("sftp://h:0/", "port");
	refuse("sftp://h:65536/", "port");
	refuse("sftp://h:99999999999999999999/", "port");
	refuse("sftp://h:2x/", "port");
	refuse("http://[::1/x", "']'");
	refuse("http://[::1]x/", "']'");
}
END_TEST

START_TEST(an_endless_url_is_refused)
{
	static char text[70000] = "file:///";

	memset(text + 8, 'a', sizeof(text) - 9);
	refuse(text, "65536 bytes");
}
END_TEST

START_TEST(no_message_quotes_a_malformed_url)
{
	refuse("sftp://me:hunter2/x@host/", "port");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	refuse("sftp://me:hunter2%zz@host/", "password");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
}
END_TEST

static int note(void *arg, const char *name, const char *value,
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

static void options(const char *text, int code, const char *expected)
{
	char out[1024] = "";

	parse(text);
	ck_assert_int_eq(store_url_each_option(&url, note, out, &error), code);
	ck_assert_str_eq(out, expected);
}

START_TEST(options_are_decoded_one_by_one)
{
	options("memory:", STORE_OK, "");
	options("memory:?", STORE_OK, "");
	options("memory:?a=1&b=&c", STORE_OK, "a|1;b|;c|-;");
	options("memory:?&&a=1&", STORE_OK, "a|1;");
	options("memory:?a=b=c", STORE_OK, "a|b=c;");
	options("memory:?a=x%26y%3D1+2", STORE_OK, "a|x&y=1+2;");
	options("memory:?%61=1", STORE_OK, "a|1;");
	options("memory:?a=1&=2", STORE_INVALID, "a|1;");
	options("memory:?a=1&b=%zz", STORE_INVALID, "a|1;");
	options("memory:?a=%00", STORE_INVALID, "");
	options("memory:?a=1&stop=1&b=2", STORE_DENIED, "a|1;");
}
END_TEST

START_TEST(a_scheme_makes_a_url)
{
	ck_assert(store_url_is("s3://x"));
	ck_assert(store_url_is("memory:"));
	ck_assert(store_url_is("a+b-c.d9:x"));
	ck_assert(!store_url_is("./a:b"));
	ck_assert(!store_url_is("/a:b"));
	ck_assert(!store_url_is("9a:b"));
	ck_assert(!store_url_is("a_b:c"));
	ck_assert(!store_url_is("abc"));
	ck_assert(!store_url_is(":"));
	ck_assert(!store_url_is(""));
}
END_TEST

int main(void)
{
	TCase *test = tcase_create("parse");

	tcase_add_checked_fixture(test, NULL, end);
	tcase_add_test(test, all_parts_are_found);
	tcase_add_test(test, the_last_at_ends_the_user);
	tcase_add_test(test, a_hash_is_an_ordinary_byte);
	tcase_add_test(test, path_user_and_host_are_decoded);
	tcase_add_test(test, malformed_urls_are_refused);
	tcase_add_test(test, an_endless_url_is_refused);
	tcase_add_test(test, no_message_quotes_a_malformed_url);
	tcase_add_test(test, options_are_decoded_one_by_one);
	tcase_add_test(test, a_scheme_makes_a_url);
	return unit_run("url", test);
}
