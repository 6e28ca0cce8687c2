// SPDX-License-Identifier: MIT
/* Where the keys of the S3 store come from, and when they are fetched anew. */
#include "config.h"

#include "backends/s3/credentials.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char home[256];
static struct store_context context;

__attribute__((format(printf, 2, 3))) static void
write_file(const char *name, const char *format, ...)
{
	char path[512];
	va_list args;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", home, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
	static const char *const names[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_REGION",	     "AWS_DEFAULT_REGION",
	};
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	snprintf(home, sizeof(home), "%s/storefs-aws-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(home));
	snprintf(path, sizeof(path), "%s/credentials", home);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	snprintf(path, sizeof(path), "%s/config", home);
	setenv("AWS_CONFIG_FILE", path, 1);
	store_context_init(&context, 20 * NS_PER_SEC, NULL);
}

static void teardown(void)
{
	static const char *const names[] = { "credentials", "config", "count",
					     "answer" };
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(home), 0);
}

static struct s3_credentials *
credentials_of(const struct s3_credentials_options *options)
{
	struct s3_credentials *made = NULL;

	ck_assert_int_eq(s3_credentials_new(options, &made, NULL), STORE_OK);
	return made;
}

static void expect_keys(struct s3_credentials *credentials, const char *access,
			const char *secret, const char *token)
{
	struct store_error error = STORE_ERROR_INIT;
	struct s3_keys keys;

	ck_assert_msg(!s3_credentials_get(credentials, &context, &keys, &error),
		      "%s", error.message);
	ck_assert_pstr_eq(keys.access, access);
	ck_assert_pstr_eq(keys.secret, secret);
	ck_assert_pstr_eq(keys.token, token);
	s3_keys_release(&keys);
}

/* What a store made with these options would sign with. */
static void expect_given(const struct s3_credentials_options *options,
			 const char *access, const char *secret,
			 const char *token)
{
	struct s3_credentials *credentials = credentials_of(options);

	expect_keys(credentials, access, secret, token);
	s3_credentials_free(credentials);
}

START_TEST(options_come_before_the_environment_and_that_before_files)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials_options given = { .access = "o",
						.secret = "os",
						.token = "ot" };

	write_file("credentials", "[default]\naws_access_key_id = f\n"
				  "aws_secret_access_key=fs\n");
	expect_given(&none, "f", "fs", NULL);
	setenv("AWS_ACCESS_KEY_ID", "e", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "es", 1);
	setenv("AWS_SESSION_TOKEN", "et", 1);
	expect_given(&none, "e", "es", "et");
	expect_given(&given, "o", "os", "ot");
	expect_given(&(struct s3_credentials_options){ .anonymous = true },
		     NULL, NULL, NULL);
}
END_TEST

START_TEST(profiles_are_found_in_both_files)
{
	struct s3_credentials_options work = { .profile = "work" };
	struct s3_credentials *credentials;
	char *region;

	write_file("credentials",
		   "# comment\n[default]\naws_access_key_id = no\n"
		   "aws_secret_access_key = no\n"
		   "[ work ]\r\naws_access_key_id=w\r\n"
		   "aws_secret_access_key = w=s/+ \r\n"
		   "aws_session_token = t\n[other]\nregion = no\n");
	write_file("config",
		   "[default]\nregion = no\n[work]\nregion = no\n"
		   "[profile work]\ns3 =\n  region = no\nregion = eu-west-1\n"
		   "aws_access_key_id = no\n");
	expect_given(&work, "w", "w=s/+", "t");
	credentials = credentials_of(&work);
	region = s3_credentials_region(credentials);
	ck_assert_str_eq(region, "eu-west-1");
	free(region);
	s3_credentials_free(credentials);
	setenv("AWS_PROFILE", "work", 1);
	expect_given(&(struct s3_credentials_options){ .access = NULL }, "w",
		     "w=s/+", "t");
}
END_TEST

static void expect_denied(const struct s3_credentials_options *options,
			  const char *says)
{
	struct s3_credentials *credentials = credentials_of(options);
	struct store_error error = STORE_ERROR_INIT;
	struct s3_keys keys;

	ck_assert_int_eq(
		s3_credentials_get(credentials, &context, &keys, &error),
		STORE_DENIED);
	ck_assert_ptr_nonnull(strstr(error.message, says));
	ck_assert_ptr_null(strstr(error.message, "very-secret"));
	s3_credentials_free(credentials);
}

START_TEST(missing_keys_are_named)
{
	struct s3_credentials_options half = { .access = "a" };
	struct s3_credentials *made = NULL;

	expect_denied(&(struct s3_credentials_options){ .access = NULL },
		      "no credentials");
	expect_denied(&(struct s3_credentials_options){ .profile = "nobody" },
		      "nobody");
	ck_assert_int_eq(s3_credentials_new(&half, &made, NULL), STORE_INVALID);
	write_file("config", "[default]\ncredential_process = echo very-secret"
			     "\n");
	expect_denied(&(struct s3_credentials_options){ .access = NULL },
		      "no JSON");
	write_file("config", "[default]\ncredential_process = exit 3\n");
	expect_denied(&(struct s3_credentials_options){ .access = NULL },
		      "failed");
}
END_TEST

/* A process that counts its calls and prints what stands in `answer`. */
static void use_process(const char *access, int64_t lives)
{
	time_t ends = (time_t)(clock_now().tv_sec + lives);
	char text[32];
	struct tm tm;

	gmtime_r(&ends, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	write_file("config",
		   "[default]\ncredential_process = echo >>%s/count; "
		   "cat %s/answer\n",
		   home, home);
	write_file("answer",
		   "{\"Version\": 1, \"AccessKeyId\": \"%s\", "
		   "\"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", "
		   "\"Expiration\": \"%s\"}",
		   access, text);
}

static int calls(void)
{
	char path[512];
	FILE *file;
	int count = 0;

	snprintf(path, sizeof(path), "%s/count", home);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgetc(file) != EOF)
		count++;
	fclose(file);
	return count;
}

START_TEST(a_process_is_asked_once_for_keys_that_last)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);

	use_process("one", 3600);
	expect_keys(credentials, "one", "s", "t");
	use_process("two", 60);
	expect_keys(credentials, "one", "s", "t");
	ck_assert_int_eq(calls(), 1);
	s3_credentials_free(credentials);
}
END_TEST

static bool is_now(struct s3_credentials *credentials, const char *access)
{
	struct s3_keys keys;
	bool is;

	ck_assert_int_eq(s3_credentials_get(credentials, &context, &keys, NULL),
			 STORE_OK);
	is = strcmp(keys.access, access) == 0;
	s3_keys_release(&keys);
	return is;
}

START_TEST(keys_that_end_soon_are_not_asked_for_with_every_request)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);

	use_process("one", 290);
	for (int i = 0; i < 10; i++)
		expect_keys(credentials, "one", "s", "t");
	ck_assert_int_eq(calls(), 1);
	s3_credentials_free(credentials);
	/* Nor while nothing better is to be had; but again after a while. */
	credentials = credentials_of(&none);
	use_process("two", 10);
	expect_keys(credentials, "two", "s", "t");
	use_process("three", 3600);
	while (!is_now(credentials, "three"))
		(void)!store_context_sleep(NULL, 10 * NS_PER_MS, NULL);
	ck_assert_int_eq(calls(), 3);
	s3_credentials_free(credentials);
}
END_TEST

START_TEST(keys_the_server_refuses_are_fetched_anew)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials_options given = { .access = "o", .secret = "s" };
	struct s3_credentials *credentials = credentials_of(&none);

	use_process("one", 3600);
	expect_keys(credentials, "one", "s", "t");
	use_process("two", 3600);
	/* Another thread has seen to it already. */
	ck_assert(s3_credentials_refused(credentials, "zero", true));
	expect_keys(credentials, "one", "s", "t");
	ck_assert(s3_credentials_refused(credentials, "one", true));
	expect_keys(credentials, "two", "s", "t");
	s3_credentials_free(credentials);
	credentials = credentials_of(&given);
	expect_keys(credentials, "o", "s", NULL);
	ck_assert(!s3_credentials_refused(credentials, "o", true));
	s3_credentials_free(credentials);
}
END_TEST

START_TEST(keys_that_are_doubted_are_looked_for_once_in_a_while)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);

	use_process("one", 3600);
	expect_keys(credentials, "one", "s", "t");
	use_process("two", 3600);
	ck_assert(s3_credentials_refused(credentials, "one", false));
	expect_keys(credentials, "two", "s", "t");
	/* With no others, they are as good as they were. */
	ck_assert(s3_credentials_refused(credentials, "two", false));
	expect_keys(credentials, "two", "s", "t");
	ck_assert(!s3_credentials_refused(credentials, "two", false));
	ck_assert_int_eq(calls(), 3);
	/* But not when the server is sure. */
	use_process("three", 3600);
	ck_assert(s3_credentials_refused(credentials, "two", true));
	expect_keys(credentials, "three", "s", "t");
	s3_credentials_free(credentials);
	/* Nor are they gone when nobody can tell. */
	credentials = credentials_of(&none);
	expect_keys(credentials, "three", "s", "t");
	write_file("config", "[default]\ncredential_process = exit 3\n");
	ck_assert(s3_credentials_refused(credentials, "three", false));
	expect_keys(credentials, "three", "s", "t");
	s3_credentials_free(credentials);
}
END_TEST

enum { REFUSERS = 4, GETS = 5000 };
static atomic_bool refusing;

static void *refuse_all(void *arg)
{
	while (atomic_load(&refusing))
		(void)s3_credentials_refused(arg, "f", true);
	return NULL;
}

/* Else a request would go out without a signature. */
START_TEST(keys_that_are_refused_meanwhile_are_still_keys)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);
	pthread_t threads[REFUSERS];

	setenv("AWS_ACCESS_KEY_ID", "f", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "fs", 1);
	atomic_store(&refusing, true);
	for (int i = 0; i < REFUSERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, refuse_all,
						credentials),
				 0);
	for (int i = 0; i < GETS; i++)
		expect_keys(credentials, "f", "fs", NULL);
	atomic_store(&refusing, false);
	for (int i = 0; i < REFUSERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	s3_credentials_free(credentials);
}
END_TEST

static void *get_slowly(void *arg)
{
	struct store_context own;
	struct s3_keys keys;

	store_context_init(&own, 20 * NS_PER_SEC, NULL);
	ck_assert_int_eq(s3_credentials_get(arg, &own, &keys, NULL), STORE_OK);
	s3_keys_release(&keys);
	return NULL;
}

START_TEST(who_waits_for_the_keys_of_another_waits_for_no_longer_than_it_may)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);
	struct store_cancel *cancel = store_cancel_new();
	struct store_error error = STORE_ERROR_INIT;
	struct s3_keys keys;
	pthread_t thread;
	char path[512];

	use_process("one", 3600);
	write_file("config",
		   "[default]\ncredential_process = echo >>%s/count; "
		   "until [ -e %s/credentials ]; do sleep 0.05; done; "
		   "cat %s/answer\n",
		   home, home, home);
	ck_assert_int_eq(pthread_create(&thread, NULL, get_slowly, credentials),
			 0);
	snprintf(path, sizeof(path), "%s/count", home);
	while (access(path, F_OK))
		(void)!store_context_sleep(NULL, NS_PER_MS, NULL);
	store_context_init(&context, 100 * NS_PER_MS, NULL);
	ck_assert_int_eq(
		s3_credentials_get(credentials, &context, &keys, &error),
		STORE_TIMEOUT);
	store_cancel_trigger(cancel);
	store_context_init(&context, 0, cancel);
	ck_assert_int_eq(
		s3_credentials_get(credentials, &context, &keys, &error),
		STORE_CANCELLED);
	write_file("credentials", "\n");
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(calls(), 1);
	store_cancel_free(cancel);
	s3_credentials_free(credentials);
}
END_TEST

START_TEST(a_process_that_hangs_is_ended)
{
	struct s3_credentials_options none = { .access = NULL };
	struct s3_credentials *credentials = credentials_of(&none);
	struct store_error error = STORE_ERROR_INIT;
	struct s3_keys keys;

	write_file("config", "[default]\ncredential_process = sleep 1000\n");
	store_context_init(&context, 300 * NS_PER_MS, NULL);
	ck_assert_int_eq(
		s3_credentials_get(credentials, &context, &keys, &error),
		STORE_TIMEOUT);
	s3_credentials_free(credentials);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-credentials");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(
		tests,
		options_come_before_the_environment_and_that_before_files);
	tcase_add_test(tests, profiles_are_found_in_both_files);
	tcase_add_test(tests, missing_keys_are_named);
	tcase_add_test(tests, a_process_is_asked_once_for_keys_that_last);
	tcase_add_test(tests,
		       keys_that_end_soon_are_not_asked_for_with_every_request);
	tcase_add_test(tests, keys_the_server_refuses_are_fetched_anew);
	tcase_add_test(tests,
		       keys_that_are_doubted_are_looked_for_once_in_a_while);
	tcase_add_test(tests, keys_that_are_refused_meanwhile_are_still_keys);
	tcase_add_test(
		tests,
		who_waits_for_the_keys_of_another_waits_for_no_longer_than_it_may);
	tcase_add_test(tests, a_process_that_hangs_is_ended);
	return unit_run("s3-credentials", tests);
}
