// SPDX-License-Identifier: MIT
/*
 * SQLite store: killed writers, other processes, broken files, full disks,
 * and how it is named.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "src/base/clock.h"
#include "src/url.h"
#include "tests/unit/sqlite.h"
#include "tests/unit/unit.h"

/* ---- killed at any moment ---- */

enum { BODY = 200000, ROUNDS = 25 };

/* Overwrite, link and rename until somebody ends it. */
static _Noreturn void write_for_ever(void)
{
	static char body[BODY];
	struct backend_put_request keep = { .flags = BACKEND_PUT_KEEP };
	struct store_info info;

	open_store();
	for (unsigned int i = 0;; i++) {
		memset(body, 'a' + (int)(i % 26), sizeof(body));
		if (put_as("d/a", body, BODY - i % 5000, &keep, &info))
			_exit(1);
		if (i % 3)
			continue;
		if (ops->move(self, &context,
			      &(struct backend_move_request){
				      .from = i % 2 ? "x" : "d",
				      .to = i % 2 ? "d" : "x",
				      .flags = BACKEND_MOVE_EXCHANGE },
			      &info, &error))
			_exit(2);
	}
}

/* One letter from the first byte to the last. */
static void expect_whole(const char *key)
{
	static char data[BODY + 1];
	struct store_info info;
	void *reader = NULL;
	size_t got;

	OK(ops->open_reader(self, &context, key, NULL, &reader, &info, &error));
	OK(ops->read(self, &context, reader, 0, data, sizeof(data), &got,
		     &error));
	ops->close_reader(self, reader);
	ck_assert_uint_eq(got, info.size);
	/* Equal to itself one further on. */
	ck_assert_int_eq(memcmp(data, data + 1, got - 1), 0);
}

static void kill_after(pid_t child, int64_t ns)
{
	struct timespec pause = timespec_from_ns(ns);
	int status;

	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status), "the child ended with %x", status);
}

START_TEST(a_killed_writer_leaves_old_or_new)
{
	struct store_info info;

	open_store();
	put("d/a", "zz");
	OK(ops->link(self, &context, "d/a", "d/b", &info, &error));
	put("x/a", "zz");
	OK(ops->link(self, &context, "x/a", "x/b", &info, &error));
	close_store();
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (!child)
			write_for_ever();
		kill_after(child, (5 + i * 4) * NS_PER_MS);
		ck_assert_str_eq(ask_sql("PRAGMA integrity_check"), "ok");
		open_store();
		ck_assert_str_eq(names_in(""), "d/ x/");
		ck_assert_str_eq(names_in("d"), "a b");
		expect_whole("d/a");
		expect_whole("x/a");
		close_store();
		/* Two rows for one node, in one transaction. */
		ck_assert_str_eq(
			ask_sql("SELECT count(*) FROM " TABLE " one, " TABLE
				" two WHERE one.key LIKE '_/a' AND two.key = "
				"substr(one.key, 1, 1) || '/b' "
				"AND one.data = two.data"),
			"2");
	}
}
END_TEST

/* ---- two processes ---- */

enum { TURNS = 60, WRITERS = 3 };

/* Add to a counter, as often as it takes to win. */
static void count_up(void)
{
	struct backend_put_request more = {
		.precondition.condition = STORE_IF_VERSION,
	};
	char text[24] = "";
	struct store_info info;
	void *reader = NULL;
	size_t got;
	int code;

	if (ops->open_reader(self, &context, "n", NULL, &reader, &info, &error))
		_exit(1);
	code = ops->read(self, &context, reader, 0, text, sizeof(text) - 1,
			 &got, &error);
	ops->close_reader(self, reader);
	if (code == STORE_CHANGED)
		return count_up();
	snprintf(text, sizeof(text), "%ld", strtol(text, NULL, 10) + 1);
	more.precondition.version = info.version;
	code = put_as("n", text, strlen(text), &more, NULL);
	if (code == STORE_CHANGED)
		return count_up();
	if (code)
		_exit(2);
}

START_TEST(no_update_of_several_processes_is_lost)
{
	pid_t children[WRITERS];
	char wanted[16];
	int status;

	open_store();
	put("n", "0");
	close_store();
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		open_store();
		for (int k = 0; k < TURNS; k++)
			count_up();
		close_store();
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	open_store();
	snprintf(wanted, sizeof(wanted), "%d", TURNS * WRITERS);
	expect("n", wanted);
}
END_TEST

START_TEST(a_lock_of_another_process_ends_with_the_deadline)
{
	sqlite3 *db;
	int64_t began;

	open_store();
	put("a", "1");
	db = their_connection();
	ck_assert(!sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	store_context_init(&context, 100 * NS_PER_MS, NULL);
	began = clock_monotonic_ns();
	FAILS(STORE_TIMEOUT, put_as("a", "2", 1, NULL, NULL));
	ck_assert_int_lt(clock_monotonic_ns() - began, 5 * NS_PER_SEC);
	/* Readers do not mind. */
	store_context_init(&context, 0, NULL);
	expect("a", "1");
	ck_assert(!sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
	sqlite3_close(db);
	put("a", "3");
	expect("a", "3");
}
END_TEST

static void *cancel_soon(void *arg)
{
	struct timespec pause = timespec_from_ns(50 * NS_PER_MS);

	nanosleep(&pause, NULL);
	store_cancel_trigger(arg);
	return NULL;
}

START_TEST(waiting_for_a_lock_can_be_cancelled)
{
	struct store_cancel *cancel = store_cancel_new();
	pthread_t thread;
	int64_t began;
	sqlite3 *db;

	open_store();
	put("a", "1");
	db = their_connection();
	ck_assert(!sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	store_context_init(&context, 0, cancel);
	began = clock_monotonic_ns();
	ck_assert(!pthread_create(&thread, NULL, cancel_soon, cancel));
	FAILS(STORE_CANCELLED, put_as("a", "2", 1, NULL, NULL));
	ck_assert_int_lt(clock_monotonic_ns() - began, NS_PER_SEC);
	pthread_join(thread, NULL);
	sqlite3_close(db);
	store_context_init(&context, 0, NULL);
	expect("a", "1");
	store_cancel_free(cancel);
}
END_TEST

/* ---- what cannot be ---- */

static int no_read(struct store_source *source UNUSED, uint64_t offset UNUSED,
		   void *data UNUSED, size_t length UNUSED,
		   struct store_error *failure)
{
	return store_error_set(failure, STORE_INTERNAL, "must not be read");
}

START_TEST(what_no_row_can_hold_is_refused_at_once)
{
	struct store_source source = { .size = UINT64_C(1) << 40,
				       .read = no_read };
	struct backend_put_request request = { .key = "a", .source = &source };
	struct store_info info;

	open_store();
	FAILS(STORE_TOO_LARGE,
	      ops->put(self, &context, &request, &info, &error));
	source.size = ops->max_size(self) + 1;
	FAILS(STORE_TOO_LARGE,
	      ops->put(self, &context, &request, &info, &error));
	ck_assert_str_eq(names_in(""), "");
}
END_TEST

START_TEST(the_limit_of_the_options_holds_and_is_named)
{
	static const char *const options[] = { "max_blob_size", "5", NULL };

	open_with(options);
	put("a", "12345");
	ck_assert_int_eq(put_as("a", "123456", 6, NULL, NULL), STORE_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(error.message, " 5 "));
	store_error_clear(&error);
	expect("a", "12345");
}
END_TEST

START_TEST(a_full_disk_is_no_space_and_leaves_the_old_file)
{
	struct sqlite_database *database;
	size_t size = 1 << 20;
	char *body = calloc(1, size);

	open_store();
	put("a", "1");
	database = self;
	ck_assert(!sqlite3_exec(database->writer->db,
				"PRAGMA max_page_count = 1", NULL, NULL, NULL));
	FAILS(STORE_NO_SPACE, put_as("a", body, size, NULL, NULL));
	FAILS(STORE_NO_SPACE, put_as("b", body, size, NULL, NULL));
	expect("a", "1");
	ck_assert_str_eq(names_in(""), "a");
	free(body);
}
END_TEST

START_TEST(what_is_no_database_is_corrupt_and_named)
{
	FILE *file = fopen(path, "w");

	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	configure(NULL);
	ck_assert_int_eq(ops->open(self, &context, &error), STORE_CORRUPT);
	ck_assert_ptr_nonnull(strstr(error.message, path));
	store_error_clear(&error);
}
END_TEST

START_TEST(a_file_that_cannot_be_made_says_why)
{
	configure((const char *const[]){ "path", folder, NULL });
	FAILS(STORE_INVALID, ops->open(self, &context, &error));
	close_store();
	snprintf(path, sizeof(path), "%s/no/store.db", folder);
	configure(NULL);
	FAILS(STORE_NOT_FOUND, ops->open(self, &context, &error));
	ck_assert_int_eq(error.code, STORE_OK);
}
END_TEST

START_TEST(a_name_that_grows_too_long_below_is_refused_whole)
{
	char deep[STORE_KEY_MAX + 1] = "d";
	char far[256];
	struct store_info info;

	open_store();
	while (strlen(deep) + 102 < STORE_KEY_MAX) {
		size_t length = strlen(deep);

		deep[length] = '/';
		memset(deep + length + 1, 'n', 100);
		deep[length + 101] = '\0';
	}
	put(deep, "1");
	memset(far, 'f', 250);
	far[250] = '\0';
	ck_assert_int_eq(ops->move(self, &context,
				   &(struct backend_move_request){ .from = "d",
								   .to = far },
				   &info, &error),
			 STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
	store_error_clear(&error);
	expect(deep, "1");
}
END_TEST

START_TEST(names_that_are_not_utf8_come_back)
{
	struct store_info info;

	open_store();
	put("d/\xff\xfe", "1");
	put("d/\xe4", "2");
	put("\x80/x", "3");
	ck_assert_str_eq(names_in("d"), "\xe4 \xff\xfe");
	ck_assert_str_eq(names_in(""), "d/ \x80/");
	expect("d/\xff\xfe", "1");
	OK(ops->move(self, &context,
		     &(struct backend_move_request){ .from = "d",
						     .to = "\x80/\xc3" },
		     &info, &error));
	expect("\x80/\xc3/\xff\xfe", "1");
}
END_TEST

/* ---- how it is named ---- */

/* The identity of what an URL opens; malloc'd. */
static char *identity_of(const char *text)
{
	struct option_values *values = NULL;
	struct store_url url;
	char *identity;
	void *made = NULL;

	OK(store_url_parse(text, &url, &error));
	OK(option_values_new(ops->options, &values, &error));
	OK(ops->from_url(&url, values, "URL", &error));
	OK(ops->configure(values, &made, &error));
	identity = ops->identity(made);
	ops->close(made);
	option_values_free(values);
	store_url_release(&url);
	return identity;
}

START_TEST(slashes_count_as_in_sqlalchemy)
{
	char here[512];
	char wanted[600];
	char *identity = identity_of("sqlite:////srv/a%20b.db");

	ck_assert_str_eq(identity, "sqlite:////srv/a%20b.db");
	free(identity);
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	identity = identity_of("sqlite:///rel.db");
	snprintf(wanted, sizeof(wanted), "sqlite:///%s/rel.db", here);
	ck_assert_str_eq(identity, wanted);
	free(identity);
}
END_TEST

static int try_options(const char *const *options)
{
	struct option_values *values = NULL;
	void *made = NULL;
	int code = STORE_OK;

	OK(option_values_new(ops->options, &values, &error));
	for (; !code && *options; options += 2)
		code = option_values_set(values, options[0], options[1], "test",
					 &error);
	if (!code)
		code = ops->configure(values, &made, &error);
	if (made)
		ops->close(made);
	option_values_free(values);
	return code;
}

START_TEST(mistakes_in_options_are_found_before_any_file_is)
{
	const char *const none[] = { NULL };
	const char *const both[] = { "path", "/x", "url", "sqlite:////y",
				     NULL };
	const char *const memory[] = { "url", "sqlite:///:memory:", NULL };
	const char *const host[] = { "url", "sqlite://host/x", NULL };
	const char *const other[] = { "url", "postgresql:///x", NULL };
	const char *const table[] = { "path", "/x", "table_name", "a\"b",
				      NULL };
	const char *const own[] = { "path", "/x", "table_name", "sqlite_x",
				    NULL };
	const char *const good[] = { "url", "sqlite:////x", "sync", "normal",
				     NULL };

	FAILS(STORE_INVALID, try_options(none));
	FAILS(STORE_INVALID, try_options(both));
	FAILS(STORE_INVALID, try_options(memory));
	FAILS(STORE_INVALID, try_options(host));
	FAILS(STORE_INVALID, try_options(other));
	FAILS(STORE_INVALID, try_options(table));
	FAILS(STORE_INVALID, try_options(own));
	OK(try_options(good));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("faults");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, a_killed_writer_leaves_old_or_new);
	tcase_add_test(tests, no_update_of_several_processes_is_lost);
	tcase_add_test(tests, a_lock_of_another_process_ends_with_the_deadline);
	tcase_add_test(tests, waiting_for_a_lock_can_be_cancelled);
	tcase_add_test(tests, what_no_row_can_hold_is_refused_at_once);
	tcase_add_test(tests, the_limit_of_the_options_holds_and_is_named);
	tcase_add_test(tests, a_full_disk_is_no_space_and_leaves_the_old_file);
	tcase_add_test(tests, what_is_no_database_is_corrupt_and_named);
	tcase_add_test(tests, a_file_that_cannot_be_made_says_why);
	tcase_add_test(tests,
		       a_name_that_grows_too_long_below_is_refused_whole);
	tcase_add_test(tests, names_that_are_not_utf8_come_back);
	tcase_add_test(tests, slashes_count_as_in_sqlalchemy);
	tcase_add_test(tests, mistakes_in_options_are_found_before_any_file_is);
	return unit_run("sqlite-faults", tests);
}
