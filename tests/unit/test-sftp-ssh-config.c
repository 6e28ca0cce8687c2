// SPDX-License-Identifier: MIT
/* What ssh configuration says of a host, where it can be gone by. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/sftp/ssh_config.h"
#include "tests/unit/unit.h"

static struct ssh_config config;
static struct store_error error = STORE_ERROR_INIT;

static void stop(void)
{
	ssh_config_release(&config);
}

static int parse(const char *host, const char *text)
{
	ssh_config_release(&config);
	store_error_clear(&error);
	return ssh_config_parse(&config, text, "file", host, &error);
}

START_TEST(the_first_word_counts)
{
	ck_assert_int_eq(parse("web", "Host web\n"
				      "\tHostName web.example.org\n"
				      "  user = ann\n"
				      "PORT 2222\n"
				      "Host *\n"
				      "User=bob\nPort 23\n"
				      "IdentityFile \"/keys/a key\"\n"),
			 STORE_OK);
	ck_assert_str_eq(config.host_name, "web.example.org");
	ck_assert_str_eq(config.user, "ann");
	ck_assert_uint_eq(config.port, 2222);
	ck_assert_str_eq(config.identity, "/keys/a key");
	ck_assert_ptr_null(config.known_hosts);
}
END_TEST

START_TEST(patterns_choose_the_host)
{
	static const char text[] = "User first\n"
				   "Host a* !ab* *.org\nPort 1\n"
				   "Host ?b\nPort 2\n";

	ck_assert_int_eq(parse("ax", text), STORE_OK);
	ck_assert_uint_eq(config.port, 1);
	ck_assert_str_eq(config.user, "first");
	ck_assert_int_eq(parse("ab", text), STORE_OK);
	ck_assert_uint_eq(config.port, 2);
	ck_assert_int_eq(parse("abc", text), STORE_OK);
	ck_assert_uint_eq(config.port, 0);
	ck_assert_int_eq(parse("x.org", text), STORE_OK);
	ck_assert_uint_eq(config.port, 1);
}
END_TEST

START_TEST(paths_start_at_home)
{
	setenv("HOME", "/home/ann", 1);
	ck_assert_int_eq(parse("web", "IdentityFile ~/.ssh/id_%h\n"
				      "UserKnownHostsFile %d/known\n"),
			 STORE_OK);
	ck_assert_str_eq(config.identity, "/home/ann/.ssh/id_web");
	ck_assert_str_eq(config.known_hosts, "/home/ann/known");
}
END_TEST

START_TEST(what_only_ssh_can_do_is_named)
{
	ck_assert_int_eq(parse("web", "ProxyJump none\nForwardAgent yes\n"),
			 STORE_OK);
	ck_assert_ptr_null(config.beyond);
	ck_assert_int_eq(parse("web", "Host web\nproxyjump gate\n"), STORE_OK);
	ck_assert_str_eq(config.beyond, "proxyjump");
	ck_assert_int_eq(parse("web", "Host other\nProxyJump gate\n"),
			 STORE_OK);
	ck_assert_ptr_null(config.beyond);
	ck_assert_int_eq(parse("web", "Match exec \"true\"\nUser x\n"),
			 STORE_OK);
	ck_assert_str_eq(config.beyond, "Match");
	ck_assert_ptr_null(config.user);
	ck_assert_int_eq(parse("web", "Match all\nUser x\n"), STORE_OK);
	ck_assert_str_eq(config.user, "x");
	ck_assert_ptr_null(config.beyond);
}
END_TEST

START_TEST(mistakes_are_named_with_their_line)
{
	ck_assert_int_eq(parse("web", "# fine\n\nPort many\n"), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "file:3: Port"));
	ck_assert_int_eq(parse("web", "Port 65536"), STORE_INVALID);
	ck_assert_int_eq(parse("web", "User"), STORE_INVALID);
	ck_assert_int_eq(parse("web", "User \"ann"), STORE_INVALID);
	ck_assert_int_eq(parse("web", "= x"), STORE_INVALID);
}
END_TEST

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(files_include_each_other_and_end)
{
	char home[] = "/tmp/storefs-ssh-XXXXXX", path[64];

	ck_assert_ptr_nonnull(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(path, sizeof(path), "%s/circle", home);
	put_file(path, "Include ~/circle\n");
	ck_assert_int_eq(ssh_config_read(&config, path, "web", &error),
			 STORE_INVALID);
	store_error_clear(&error);
	put_file(path, "Include ~/ot*er ~/missing\nPort 7\n");
	snprintf(path, sizeof(path), "%s/other", home);
	put_file(path, "Host x\nUser no\nHost w*\nUser yes\nHost x\n");
	snprintf(path, sizeof(path), "%s/circle", home);
	ck_assert_int_eq(ssh_config_read(&config, path, "web", &error),
			 STORE_OK);
	ck_assert_str_eq(config.user, "yes");
	/* A Host of the included file ends with it. */
	ck_assert_uint_eq(config.port, 7);
	unlink(path);
	snprintf(path, sizeof(path), "%s/other", home);
	unlink(path);
	rmdir(home);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-ssh-config");

	tcase_add_checked_fixture(tests, NULL, stop);
	tcase_add_test(tests, the_first_word_counts);
	tcase_add_test(tests, patterns_choose_the_host);
	tcase_add_test(tests, paths_start_at_home);
	tcase_add_test(tests, what_only_ssh_can_do_is_named);
	tcase_add_test(tests, mistakes_are_named_with_their_line);
	tcase_add_test(tests, files_include_each_other_and_end);
	return unit_run("sftp-ssh-config", tests);
}
