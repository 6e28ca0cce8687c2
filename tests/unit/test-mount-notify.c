// SPDX-License-Identifier: MIT
/* What the service manager is told, over a socket of our own. */
#include "config.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mount/notify.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

static char path[108];
static int manager;

/* A name that begins with @ is abstract. */
static void listen_on(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);

	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(
		bind(manager, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				 length)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/storefs-notify.%ld", (long)getpid());
	listen_on(path);
}

static void teardown(void)
{
	close(manager);
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
}

/* The next message, within a few seconds. */
static const char *told(void)
{
	static char message[512];
	struct timeval patience = { .tv_sec = 5 };
	ssize_t length;

	setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	length = recv(manager, message, sizeof(message) - 1, 0);
	ck_assert_int_ge(length, 0);
	message[length] = '\0';
	return message;
}

static void nothing_is_told(void)
{
	char byte;

	ck_assert_int_lt(recv(manager, &byte, 1, MSG_DONTWAIT), 0);
}

START_TEST(readiness_comes_with_the_process)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "READY=1\nMAINPID=%ld",
		 (long)getpid());
	notify_ready();
	ck_assert_str_eq(told(), expected);
}
END_TEST

START_TEST(the_end_comes_with_the_time_it_may_take)
{
	notify_stopping(60 * NS_PER_SEC);
	ck_assert_str_eq(told(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000");
}
END_TEST

START_TEST(an_abstract_socket_is_a_socket)
{
	char name[64];

	close(manager);
	snprintf(name, sizeof(name), "@storefs-notify.%ld", (long)getpid());
	listen_on(name);
	notify_stopping(0);
	ck_assert_int_eq(strncmp(told(), "STOPPING=1", 10), 0);
}
END_TEST

START_TEST(the_queue_is_told_whenever_it_changes)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	struct notify *notify;

	ck_assert_ptr_nonnull(fs);
	notify = notify_start(fs);
	ck_assert_ptr_nonnull(notify);
	ck_assert_str_eq(told(), "STATUS=0 files not in the store yet, "
				 "0 unfinished");
	atomic_store(&fs->counters.dirty_files, 1);
	ck_assert_str_eq(told(), "STATUS=1 file not in the store yet, "
				 "0 unfinished");
	atomic_store(&fs->counters.unfinished, 2);
	atomic_store(&fs->paused, true);
	/* The two may be seen one after the other. */
	while (!strstr(told(), "2 unfinished, uploads are paused"))
		;
	notify_stop(notify);
	nothing_is_told();
	free(fs);
}
END_TEST

START_TEST(without_a_socket_nobody_is_told)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	ck_assert_ptr_nonnull(fs);
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	ck_assert_ptr_null(notify_start(fs));
	notify_stop(NULL);
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_ready();
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	notify_ready();
	nothing_is_told();
	free(fs);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("notify");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, readiness_comes_with_the_process);
	tcase_add_test(tests, the_end_comes_with_the_time_it_may_take);
	tcase_add_test(tests, an_abstract_socket_is_a_socket);
	tcase_add_test(tests, the_queue_is_told_whenever_it_changes);
	tcase_add_test(tests, without_a_socket_nobody_is_told);
	return unit_run("mount notify", tests);
}
