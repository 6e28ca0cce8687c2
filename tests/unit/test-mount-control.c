// SPDX-License-Identifier: MIT
/* The control socket: answers, refusals, clients that misbehave. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "mount/control.h"
#include "src/base/json.h"
#include "tests/unit/mount_fs.h"
#include "tests/unit/unit.h"

static struct mount_fs mount;
static struct control *control;
static char path[96];

static void setup(void)
{
	struct store_error error = STORE_ERROR_INIT;

	mount_fs_open(&mount);
	snprintf(path, sizeof(path), "%s/control", mount.area.path);
	ck_assert_msg(!control_start(&mount.fs, path, &control, &error), "%s",
		      error.message);
}

static void teardown(void)
{
	control_stop(control);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_ptr_null(mount.fs.control_path);
	mount_fs_close(&mount);
}

static struct json *ask(const char *command)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *text = NULL;
	struct json *answer = NULL;

	ck_assert_msg(
		!control_ask(path, command, 10 * NS_PER_SEC, &text, &error),
		"%s", error.message);
	ck_assert_int_eq(json_parse(text, strlen(text), &answer, &error),
			 STORE_OK);
	return answer;
}

static int64_t number(const struct json *object, const char *name)
{
	int64_t value = json_get_number(object, name, INT64_MIN);

	ck_assert_msg(value != INT64_MIN, "no %s", name);
	return value;
}

/* ---- status ---- */

START_TEST(the_status_of_an_idle_mount_is_all_zeros)
{
	struct json *status = ask("{\"command\":\"status\"}");

	ck_assert_int_eq(number(status, "version"), 1);
	ck_assert_int_eq(number(status, "pid"), getpid());
	ck_assert_str_eq(json_get_text(status, "source"), "memory:");
	ck_assert_str_eq(json_get_text(status, "mountpoint"), "/nowhere");
	ck_assert_str_eq(json_get_text(status, "commit"), "close");
	ck_assert_int_eq(number(status, "dirty_files"), 0);
	ck_assert_int_eq(number(status, "failed_files"), 0);
	ck_assert_int_eq(number(status, "unfinished_files"), 0);
	ck_assert_int_eq(number(status, "staged_bytes"), 0);
	ck_assert_int_eq(number(status, "nodes"), 1);
	ck_assert_int_ge(number(status, "uptime"), 0);
	ck_assert_uint_eq(json_count(json_get(status, "errors")), 0);
	ck_assert_int_eq(number(json_get(status, "counters"), "put"), 0);
	json_free(status);
}
END_TEST

START_TEST(the_status_names_what_failed)
{
	struct file *file = mount_create(&mount, "a\"b\n");
	const struct json *one;
	struct json *status;

	mount_write(&mount, file, 0, "12345");
	mount_faults(&mount, "put error=NO_SPACE times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_NO_SPACE);
	status = ask("{\"command\":\"status\"}");
	ck_assert_int_eq(number(status, "dirty_files"), 1);
	ck_assert_int_eq(number(status, "failed_files"), 1);
	ck_assert_int_eq(number(status, "staged_bytes"), 5);
	ck_assert_int_eq(number(status, "nodes"), 2);
	one = json_element(json_get(status, "errors"), 0);
	ck_assert_str_eq(json_get_text(one, "key"), "a\"b\n");
	ck_assert_str_eq(json_get_text(one, "code"), "NO_SPACE");
	ck_assert_ptr_nonnull(json_get_text(one, "error"));
	json_free(status);
}
END_TEST

/* ---- drain ---- */

START_TEST(a_drain_tells_how_many_are_left)
{
	struct json *answer;

	mount_create(&mount, "open");
	answer = ask("{\"command\":\"drain\",\"timeout\":5}");
	ck_assert_int_eq(number(answer, "undone"), 1);
	ck_assert_int_eq(number(answer, "unfinished"), 0);
	json_free(answer);
}
END_TEST

START_TEST(a_drain_with_nothing_to_do_answers_at_once)
{
	struct json *answer = ask("{\"command\":\"drain\"}");

	ck_assert_int_eq(number(answer, "undone"), 0);
	json_free(answer);
}
END_TEST

/* Closed, and held up at the door of the store. */
static struct file *stalled(const char *name)
{
	struct file *file = mount_create(&mount, name);

	door_set(&door.puts_shut, true);
	lock_take(&file->lock);
	file->writers = 0;
	lock_drop(&file->lock);
	return file;
}

static void stalled_end(struct file *file)
{
	door_set(&door.puts_shut, false);
	lock_take(&file->lock);
	file->writers = 1;
	lock_drop(&file->lock);
}

START_TEST(a_drain_ends_with_its_timeout)
{
	struct file *file = stalled("a");
	int64_t start = clock_monotonic_ns();
	struct json *answer = ask("{\"command\":\"drain\",\"timeout\":1}");

	ck_assert_int_eq(number(answer, "undone"), 1);
	ck_assert_int_lt(clock_monotonic_ns() - start, 5 * NS_PER_SEC);
	json_free(answer);
	stalled_end(file);
}
END_TEST

/* ---- refusals ---- */

START_TEST(what_is_no_command_is_refused_with_a_reason)
{
	static const char *const lines[] = {
		"{\"command\":\"explode\"}",
		"{}",
		"[]",
		"17",
		"null",
		"{\"command\":null}",
		"{\"command\":[\"status\"]}",
		"{\"comm",
		"",
		" ",
		"\\",
		"{\"command\":\"status\"} {}",
		"{\"command\":\"sta\xfftus\"}",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct json *answer = ask(lines[i]);

		ck_assert_msg(json_get_text(answer, "error") != NULL, "%s",
			      lines[i]);
		json_free(answer);
	}
}
END_TEST

/* ---- clients ---- */

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Bytes until the other side hangs up. */
static size_t read_to_end(int fd)
{
	char chunk[4096];
	size_t total = 0;
	ssize_t got;

	while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		total += (size_t)got;
	return total;
}

START_TEST(a_line_that_never_ends_is_cut_off)
{
	char chunk[4096];
	int fd = client();
	int chunks = 0;

	memset(chunk, 'x', sizeof(chunk));
	/* The limit is 64 KiB; the rest is what sockets hold. */
	while (chunks < 1024 &&
	       send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) > 0)
		chunks++;
	ck_assert_int_lt(chunks, 1024);
	close(fd);
	json_free(ask("{\"command\":\"status\"}"));
}
END_TEST

START_TEST(silent_clients_keep_nobody_waiting)
{
	enum { SILENT = 20 };
	int fds[SILENT];

	for (int i = 0; i < SILENT; i++)
		fds[i] = client();
	ck_assert_int_eq(send(fds[0], "{\"comm", 7, MSG_NOSIGNAL), 7);
	json_free(ask("{\"command\":\"status\"}"));
	for (int i = 0; i < SILENT; i++)
		close(fds[i]);
	json_free(ask("{\"command\":\"status\"}"));
}
END_TEST

START_TEST(stopping_hangs_up_on_silent_clients)
{
	int64_t start = clock_monotonic_ns();
	int fd = client();

	/* It has been let in when it was answered. */
	ck_assert_int_eq(send(fd, "{}\n", 3, MSG_NOSIGNAL), 3);
	ck_assert_int_gt(recv(fd, (char[1]){ 0 }, 1, 0), 0);
	control_stop(control);
	read_to_end(fd);
	ck_assert_int_lt(clock_monotonic_ns() - start, 5 * NS_PER_SEC);
	close(fd);
	control = NULL;
}
END_TEST

START_TEST(stopping_ends_a_drain_that_waits)
{
	struct file *file = stalled("a");
	int64_t start;
	int fd = client();

	ck_assert_int_eq(
		send(fd, "{\"command\":\"drain\"}\n", 20, MSG_NOSIGNAL), 20);
	door_wait(&door.puts, 1);
	start = clock_monotonic_ns();
	control_stop(control);
	ck_assert_int_lt(clock_monotonic_ns() - start, 5 * NS_PER_SEC);
	close(fd);
	control = NULL;
	stalled_end(file);
}
END_TEST

START_TEST(one_client_may_ask_again)
{
	char chunk[65536];
	int fd = client();

	for (int i = 0; i < 3; i++) {
		size_t got = 0;

		ck_assert_int_eq(
			send(fd, "{\"command\":\"drain\"}\n", 20, MSG_NOSIGNAL),
			20);
		while (!got || chunk[got - 1] != '\n') {
			ssize_t more =
				recv(fd, chunk + got, sizeof(chunk) - got, 0);

			ck_assert_int_gt(more, 0);
			got += (size_t)more;
		}
	}
	close(fd);
}
END_TEST

START_TEST(nobody_listening_is_told)
{
	struct store_error error = STORE_ERROR_INIT;
	char *answer = NULL;

	ck_assert_int_ne(control_ask("/nonexistent/control", "{}", NS_PER_SEC,
				     &answer, &error),
			 STORE_OK);
	ck_assert_ptr_null(answer);
	ck_assert_ptr_nonnull(strstr(error.message, "/nonexistent/control"));
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_left_in_time)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct store_error error = STORE_ERROR_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *answer = NULL;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/mute",
		 mount.area.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(control_ask(address.sun_path, "{}", 50 * NS_PER_MS,
				     &answer, &error),
			 STORE_TIMEOUT);
	close(fd);
}
END_TEST

START_TEST(a_path_that_is_too_long_for_a_socket_is_told)
{
	struct store_error error = STORE_ERROR_INIT;
	struct control *second = NULL;
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(control_start(&mount.fs, longer, &second, &error),
			 STORE_INVALID);
	ck_assert_ptr_null(second);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("control");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_status_of_an_idle_mount_is_all_zeros);
	tcase_add_test(tests, the_status_names_what_failed);
	tcase_add_test(tests, a_drain_tells_how_many_are_left);
	tcase_add_test(tests, a_drain_with_nothing_to_do_answers_at_once);
	tcase_add_test(tests, a_drain_ends_with_its_timeout);
	tcase_add_test(tests, what_is_no_command_is_refused_with_a_reason);
	tcase_add_test(tests, a_line_that_never_ends_is_cut_off);
	tcase_add_test(tests, silent_clients_keep_nobody_waiting);
	tcase_add_test(tests, stopping_hangs_up_on_silent_clients);
	tcase_add_test(tests, stopping_ends_a_drain_that_waits);
	tcase_add_test(tests, one_client_may_ask_again);
	tcase_add_test(tests, nobody_listening_is_told);
	tcase_add_test(tests, a_server_that_does_not_answer_is_left_in_time);
	tcase_add_test(tests, a_path_that_is_too_long_for_a_socket_is_told);
	return unit_run("mount control", tests);
}
