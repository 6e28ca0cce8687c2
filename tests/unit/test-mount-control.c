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
#include "mount/events.h"
#include "src/control/client.h"
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

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
}

static struct json *hear(struct wire *wire)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_BUF struct buf line = BUF_INIT(1 << 20);
	struct json *answer = NULL;

	ck_assert_msg(!wire_line(wire, &line,
				 clock_monotonic_ns() + 10 * NS_PER_SEC,
				 &error),
		      "%s", error.message);
	ck_assert_int_eq(
		json_parse(buf_text(&line), line.length, &answer, &error),
		STORE_OK);
	return answer;
}

static struct json *ask(const char *command)
{
	struct json *answer;
	struct wire wire;
	int fd = client();

	wire_init(&wire, fd, -1);
	say(fd, command);
	say(fd, "\n");
	answer = hear(&wire);
	close(fd);
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
	answer = ask("{\"command\":\"drain\",\"timeout_ms\":5000}");
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
	struct json *answer =
		ask("{\"command\":\"drain\",\"timeout_ms\":1000}");

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

START_TEST(commands_sent_ahead_are_answered_in_their_order)
{
	struct wire wire;
	int fd = client();

	wire_init(&wire, fd, -1);
	say(fd, "{\"command\":\"drain\"}\n{\"command\":\"status\"}\n"
		"{\"command\":\"explode\"}\n{\"command\":");
	for (int i = 0; i < 4; i++) {
		static const char *const has[] = { "undone", "pid", "error",
						   "done" };
		struct json *answer;

		if (i == 3)
			say(fd, "\"pending\"}\n");
		answer = hear(&wire);
		ck_assert_msg(json_get(answer, has[i]) != NULL, "answer %d", i);
		json_free(answer);
	}
	close(fd);
}
END_TEST

/* ---- pause ---- */

START_TEST(while_paused_nothing_is_put_and_the_drain_says_so)
{
	struct file *file;
	struct json *answer = ask("{\"command\":\"pause\"}");

	json_free(answer);
	file = stalled("a");
	publish_later(file);
	answer = ask("{\"command\":\"drain\",\"timeout_ms\":0}");
	ck_assert_int_eq(number(answer, "undone"), 1);
	ck_assert(json_get_flag(answer, "paused"));
	json_free(answer);
	ck_assert_int_eq(door.puts, 0);
	json_free(ask("{\"command\":\"resume\"}"));
	door_wait(&door.puts, 1);
	stalled_end(file);
}
END_TEST

/* ---- events ---- */

START_TEST(who_follows_is_told_of_outcomes_and_of_what_it_missed)
{
	struct store_error error = STORE_ERROR_INIT;
	struct wire wire;
	struct file *file;
	struct json *event;
	uint64_t heard = 0, lost = 0;
	int fd = client();

	ck_assert_int_eq(events_start(&mount.fs, &error), STORE_OK);
	wire_init(&wire, fd, -1);
	say(fd, "{\"command\":\"events\"}\n");
	event = hear(&wire);
	ck_assert_str_eq(json_get_text(event, "event"), "following");
	json_free(event);
	file = mount_create(&mount, "a");
	mount_faults(&mount, "put error=NO_SPACE times=1\n");
	ck_assert_int_eq(mount_publish(&mount, file), STORE_NO_SPACE);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	event = hear(&wire);
	ck_assert_str_eq(json_get_text(event, "event"), "failed");
	ck_assert_str_eq(json_get_text(event, "key"), "a");
	ck_assert_str_eq(json_get_text(event, "code"), "NO_SPACE");
	json_free(event);
	event = hear(&wire);
	ck_assert_str_eq(json_get_text(event, "event"), "stored");
	json_free(event);
	/* More than sockets and ring can hold while nobody reads. */
	for (int i = 0; i < 20000; i++)
		events_discarded(&mount.fs, "b");
	while (heard + lost < 20000) {
		event = hear(&wire);
		heard += !strcmp(json_get_text(event, "event"), "discarded");
		lost += (uint64_t)json_get_number(event, "count", 0);
		json_free(event);
	}
	ck_assert_uint_eq(heard + lost, 20000);
	ck_assert_uint_gt(lost, 0);
	close(fd);
	control_stop(control);
	control = NULL;
	events_stop(&mount.fs);
}
END_TEST

START_TEST(nobody_listening_is_told)
{
	struct store_error error = STORE_ERROR_INIT;
	struct client *made = NULL;

	ck_assert_int_eq(client_open("/nonexistent/control", &made, &error),
			 STORE_UNAVAILABLE);
	ck_assert_ptr_null(made);
	ck_assert_str_ne(error.message, "");
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_left_in_time)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct store_error error = STORE_ERROR_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct json *command = client_command("status"), *answer = NULL;
	struct client *made = NULL;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/mute",
		 mount.area.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(client_open(address.sun_path, &made, &error),
			 STORE_OK);
	ck_assert_int_eq(
		client_ask(made, command, 50 * NS_PER_MS, &answer, &error),
		STORE_TIMEOUT);
	client_close(made);
	json_free(command);
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
	tcase_add_test(tests, commands_sent_ahead_are_answered_in_their_order);
	tcase_add_test(tests,
		       while_paused_nothing_is_put_and_the_drain_says_so);
	tcase_add_test(tests,
		       who_follows_is_told_of_outcomes_and_of_what_it_missed);
	tcase_add_test(tests, nobody_listening_is_told);
	tcase_add_test(tests, a_server_that_does_not_answer_is_left_in_time);
	tcase_add_test(tests, a_path_that_is_too_long_for_a_socket_is_told);
	return unit_run("mount control", tests);
}
