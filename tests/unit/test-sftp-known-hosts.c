// SPDX-License-Identifier: MIT
/* Lines of known_hosts files: which are of a host, and what they say of keys. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sftp/known_hosts.h"
#include "src/base/base64.h"
#include "tests/unit/unit.h"

/* "\0\0\0\xbssh-ed25519" and a word, as base64. */
#define KEY_A "AAAAC3NzaC1lZDI1NTE5YWFhYQ=="
#define KEY_B "AAAAC3NzaC1lZDI1NTE5YmJiYg=="

static struct known_hosts *known;

static void start(const char *host, uint16_t port, const char *text)
{
	known_hosts_free(known);
	known = NULL;
	ck_assert_int_eq(known_hosts_new(host, port, &known, NULL), STORE_OK);
	ck_assert_int_eq(known_hosts_add_text(known, text, NULL), STORE_OK);
}

static void stop(void)
{
	known_hosts_free(known);
	known = NULL;
}

static enum known_hosts_verdict judge(const char *text)
{
	size_t length = 0;
	char *key = base64_decode(text, &length);
	enum known_hosts_verdict verdict;

	ck_assert_ptr_nonnull(key);
	verdict = known_hosts_judge(known, key, length);
	free(key);
	return verdict;
}

static enum known_hosts_verdict judge_of(const char *host, uint16_t port,
					 const char *text)
{
	start(host, port, text);
	return judge(KEY_A);
}

START_TEST(a_host_is_known_by_its_name_and_port)
{
	ck_assert_int_eq(judge_of("host", 22, "host ssh-ed25519 " KEY_A "\n"),
			 KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge_of("HOST", 22, "Host ssh-ed25519 " KEY_A),
			 KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge_of("host", 23, "host ssh-ed25519 " KEY_A "\n"),
			 KNOWN_HOSTS_UNKNOWN);
	ck_assert_int_eq(
		judge_of("host", 23, "[host]:23 ssh-ed25519 " KEY_A "\n"),
		KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(
		judge_of("hos", 22, "host,hostt ssh-ed25519 " KEY_A "\n"),
		KNOWN_HOSTS_UNKNOWN);
}
END_TEST

START_TEST(names_may_be_patterns)
{
	ck_assert_int_eq(judge_of("a.example.org", 22,
				  "x,*.example.org ssh-ed25519 " KEY_A),
			 KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(
		judge_of("a.example.org", 22, "?.*.o*g k ssh-ed25519 " KEY_A),
		KNOWN_HOSTS_UNKNOWN);
	ck_assert_int_eq(
		judge_of("a.example.org", 22, "?.*.o*g ssh-ed25519 " KEY_A),
		KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge_of("a.example.org", 22,
				  "*,!a.example.org ssh-ed25519 " KEY_A),
			 KNOWN_HOSTS_UNKNOWN);
	ck_assert_int_eq(judge_of("host", 2222, "[*]:2222 ssh-ed25519 " KEY_A),
			 KNOWN_HOSTS_MATCH);
}
END_TEST

/* The salt is the bytes 0 to 19. */
START_TEST(names_may_be_hashed)
{
	static const char line[] =
		"|1|AAECAwQFBgcICQoLDA0ODxAREhM=|"
		"6tbkAfZDulNpJ/cQ7aCK0Bbfp+g= ssh-ed25519 " KEY_A "\n";

	ck_assert_int_eq(judge_of("host", 22, line), KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge_of("hosts", 22, line), KNOWN_HOSTS_UNKNOWN);
}
END_TEST

START_TEST(another_key_is_a_mismatch_whatever_its_type)
{
	start("host", 22,
	      "host ssh-ed25519 " KEY_A "\nhost ssh-rsa AAAAB3NzaC1yc2E=\n");
	ck_assert_int_eq(judge(KEY_A), KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge(KEY_B), KNOWN_HOSTS_MISMATCH);
	ck_assert(known_hosts_has_type(known, "ssh-rsa"));
	ck_assert(known_hosts_has_type(known, "ssh-ed25519"));
	ck_assert(!known_hosts_has_type(known, "ecdsa-sha2-nistp256"));
}
END_TEST

START_TEST(a_revoked_key_is_revoked_wherever_that_stands)
{
	start("host", 22,
	      "host ssh-ed25519 " KEY_A "\n@revoked * ssh-ed25519 " KEY_A);
	ck_assert_int_eq(judge(KEY_A), KNOWN_HOSTS_REVOKED);
	ck_assert_int_eq(judge(KEY_B), KNOWN_HOSTS_MISMATCH);
	start("host", 22, "@revoked host ssh-ed25519 " KEY_A);
	ck_assert_int_eq(judge(KEY_B), KNOWN_HOSTS_UNKNOWN);
	ck_assert(!known_hosts_has_type(known, "ssh-ed25519"));
}
END_TEST

START_TEST(an_authority_is_told_and_no_key)
{
	start("host", 22, "@cert-authority h* ssh-ed25519 " KEY_A);
	ck_assert(known_hosts_has_authority(known));
	ck_assert_int_eq(judge(KEY_A), KNOWN_HOSTS_UNKNOWN);
}
END_TEST

START_TEST(what_is_no_line_is_passed_over)
{
	ck_assert_int_eq(
		judge_of("host", 22,
			 "# host ssh-ed25519 " KEY_A "\n\n   \nhost\n"
			 "host ssh-ed25519\nhost ssh-ed25519 ???\n"
			 "@what host ssh-ed25519 " KEY_A "\n|1|x host\n"
			 "|1|AA==|AA== ssh-ed25519 " KEY_A "\n|\n|1|\n@\n"),
		KNOWN_HOSTS_UNKNOWN);
}
END_TEST

START_TEST(a_key_that_is_kept_is_known_from_then_on)
{
	char path[] = "/tmp/storefs-known-XXXXXX";
	size_t length = 0;
	char *key = base64_decode(KEY_A, &length);
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	/* Somebody else's last line has no end. */
	ck_assert_int_eq(write(fd, "other ssh-ed25519 " KEY_B, 46), 46);
	close(fd);
	start("host", 2222, "");
	ck_assert_int_eq(known_hosts_remember(known, path, key, length, NULL),
			 STORE_OK);
	start("host", 2222, "");
	ck_assert_int_eq(known_hosts_add_file(known, path, NULL), STORE_OK);
	ck_assert_int_eq(judge(KEY_A), KNOWN_HOSTS_MATCH);
	ck_assert_int_eq(judge(KEY_B), KNOWN_HOSTS_MISMATCH);
	start("other", 22, "");
	ck_assert_int_eq(known_hosts_add_file(known, path, NULL), STORE_OK);
	ck_assert_int_eq(judge(KEY_B), KNOWN_HOSTS_MATCH);
	free(key);
	unlink(path);
}
END_TEST

START_TEST(files_that_are_missing_have_no_lines)
{
	start("host", 22, "");
	ck_assert_int_eq(known_hosts_add_file(known, "/nonexistent/x", NULL),
			 STORE_OK);
	ck_assert_int_eq(known_hosts_add_file(known, "/dev/null", NULL),
			 STORE_OK);
	ck_assert_int_eq(judge(KEY_A), KNOWN_HOSTS_UNKNOWN);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-known-hosts");

	tcase_add_checked_fixture(tests, NULL, stop);
	tcase_add_test(tests, a_host_is_known_by_its_name_and_port);
	tcase_add_test(tests, names_may_be_patterns);
	tcase_add_test(tests, names_may_be_hashed);
	tcase_add_test(tests, another_key_is_a_mismatch_whatever_its_type);
	tcase_add_test(tests, a_revoked_key_is_revoked_wherever_that_stands);
	tcase_add_test(tests, an_authority_is_told_and_no_key);
	tcase_add_test(tests, what_is_no_line_is_passed_over);
	tcase_add_test(tests, a_key_that_is_kept_is_known_from_then_on);
	tcase_add_test(tests, files_that_are_missing_have_no_lines);
	return unit_run("sftp-known-hosts", tests);
}
