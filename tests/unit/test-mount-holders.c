// SPDX-License-Identifier: MIT
/*
 * Who else holds a descriptor: children do what programs do with a plain
 * file, and the question is asked about its inode and device.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount/holders.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

static char path[] = "/tmp/storefs-holders.XXXXXX";
static struct holders_question question;

/* A process that does one order after the other: a letter each. */
struct child {
	pid_t pid;
	int orders, answers;
};
enum { CHILDREN = 4 };
static struct child children[CHILDREN];
static int child_count;
/* Descriptors that go from one child to another. */
static int wire[2];

static void setup(void)
{
	struct stat found;
	int fd;

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &found), 0);
	close(fd);
	question = (struct holders_question){ .ino = found.st_ino,
					      .device = found.st_dev };
	child_count = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
}

static void teardown(void)
{
	for (int i = 0; i < child_count; i++) {
		close(children[i].orders);
		close(children[i].answers);
		waitpid(children[i].pid, NULL, 0);
	}
	close(wire[0]);
	close(wire[1]);
	unlink(path);
}

/* ---- what a child does ---- */

static void send_descriptor(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec byte = { .iov_base = &(char[1]){ 0 }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(wire[0], &message, 0) != 1)
		_exit(10);
}

static int receive_descriptor(void)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec byte = { .iov_base = &(char[1]){ 0 }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	int fd;

	if (recvmsg(wire[1], &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		_exit(11);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void add_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, idle, NULL))
			_exit(12);
}

static void *end_at_once(void *arg)
{
	return arg;
}

static void *churn(void *arg)
{
	pthread_t thread;

	while (!pthread_create(&thread, NULL, end_at_once, NULL))
		pthread_join(thread, NULL);
	return arg;
}

/* Threads begin and end, for as long as the process lives. */
static void churn_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread, NULL, churn, NULL))
			_exit(14);
}

/* Forks a grandchild that holds what this one holds, until it is gone. */
static void fork_holder(void)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		for (;;)
			pause();
	}
}

static void obey(char order)
{
	static int fds[8], count;

	switch (order) {
	case 'w':
		fds[count++] = open(path, O_WRONLY);
		break;
	case 'r':
		fds[count++] = open(path, O_RDONLY);
		break;
	case 'n':
		fds[count++] = open("/dev/null", O_WRONLY);
		break;
	case 'd':
		fds[count] = dup(fds[count - 1]);
		count++;
		break;
	case 'c':
		close(fds[--count]);
		break;
	case 's':
		send_descriptor(fds[count - 1]);
		break;
	case 'g':
		fds[count++] = receive_descriptor();
		break;
	case 'f':
		fork_holder();
		break;
	case 't':
		add_threads();
		break;
	case 'z':
		churn_threads();
		break;
	case 'x':
		exit(3);
	case 'k':
		raise(SIGKILL);
		break;
	case 'a':
		abort();
	}
	if (count && fds[count - 1] < 0)
		_exit(13);
}

static void run_child(int orders, int answers)
{
	char order;

	/* All threads that a sanitizer adds have their ids by now. */
	if (write(answers, "", 1) != 1)
		_exit(15);
	while (read(orders, &order, 1) == 1) {
		obey(order);
		if (write(answers, &order, 1) != 1)
			break;
	}
	_exit(0);
}

/* ---- orders ---- */

static struct child *child_new(void)
{
	struct child *child = &children[child_count];
	int orders[2], answers[2];
	char ready;

	ck_assert_int_lt(child_count, CHILDREN);
	ck_assert_int_eq(pipe2(orders, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(answers, O_CLOEXEC), 0);
	child->pid = fork();
	ck_assert_int_ge(child->pid, 0);
	if (!child->pid) {
		close(orders[1]);
		close(answers[0]);
		for (int i = 0; i < child_count; i++)
			close(children[i].orders);
		run_child(orders[0], answers[1]);
	}
	child_count++;
	close(orders[0]);
	close(answers[1]);
	child->orders = orders[1];
	child->answers = answers[0];
	ck_assert_int_eq(read(child->answers, &ready, 1), 1);
	return child;
}

static void tell(const struct child *child, const char *orders)
{
	for (; *orders; orders++) {
		char answer;

		ck_assert_int_eq(write(child->orders, orders, 1), 1);
		ck_assert_int_eq(read(child->answers, &answer, 1), 1);
		ck_assert_int_eq(answer, *orders);
	}
}

/* Its last order; it stays as a zombie, as what is left of it at a close. */
static void tell_last(const struct child *child, char order)
{
	siginfo_t info;

	ck_assert_int_eq(write(child->orders, &order, 1), 1);
	ck_assert_int_eq(
		waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

/* A child that opens the file for writing; the question is about that. */
static struct child *opener_new(void)
{
	struct child *child = child_new();

	question.newest = holders_newest();
	question.opener = child->pid;
	question.closer = child->pid;
	tell(child, "w");
	return child;
}

static enum closing ask(void)
{
	return holders_ask(&question);
}

/* ---- one process ---- */

START_TEST(the_last_descriptor_publishes)
{
	struct child *child = opener_new();

	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(child, "c");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
	question.thorough = true;
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(a_duplicate_keeps)
{
	struct child *child = opener_new();

	tell(child, "dc");
	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(child, "c");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(descriptors_for_reading_and_of_other_files_do_not_count)
{
	struct child *child = opener_new();

	tell(child, "crn");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(another_device_is_another_file)
{
	opener_new();
	question.device ^= 0x55;
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

/* Their mounts go before they do, and so does every descriptor. */
START_TEST(threads_that_end_hold_nothing_on_another_device)
{
	int64_t end = clock_monotonic_ns() + 2 * NS_PER_SEC;
	struct child *child = opener_new();

	tell(child, "z");
	question.device ^= 0x55;
	while (clock_monotonic_ns() < end) {
		question.newest = holders_newest();
		ck_assert_int_eq(ask(), CLOSING_PUBLISH);
	}
}
END_TEST

/* ---- several processes ---- */

START_TEST(an_inherited_descriptor_keeps)
{
	struct child *child = opener_new();

	tell(child, "fc");
	ck_assert_int_eq(ask(), CLOSING_KEEP);
}
END_TEST

START_TEST(an_opener_that_still_writes_keeps)
{
	struct child *older = child_new();
	struct child *child = opener_new();

	tell(child, "s");
	tell(older, "gc");
	question.closer = older->pid;
	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(child, "c");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(an_heir_closes_when_the_opener_has_gone)
{
	struct child *heir = child_new();
	struct child *child = opener_new();

	tell(child, "s");
	tell(heir, "g");
	tell_last(child, 'x');
	question.closer = heir->pid;
	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(heir, "c");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(a_descriptor_in_flight_keeps_when_looked_for)
{
	struct child *older = child_new();
	struct child *child = opener_new();

	question.thorough = true;
	tell(child, "sc");
	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(older, "g");
	ck_assert_int_eq(ask(), CLOSING_KEEP);
	tell(older, "c");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(processes_older_than_the_open_are_only_asked_thoroughly)
{
	struct child *older = child_new();
	struct child *child = opener_new();

	tell(child, "sc");
	tell(older, "g");
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
	question.thorough = true;
	ck_assert_int_eq(ask(), CLOSING_KEEP);
}
END_TEST

/* ---- the end of a process ---- */

START_TEST(a_killed_process_is_told_apart)
{
	struct child *child = opener_new();

	tell_last(child, 'k');
	ck_assert_int_eq(ask(), CLOSING_KILLED);
}
END_TEST

START_TEST(a_killed_process_with_threads_is_told_apart)
{
	struct child *child = opener_new();

	tell(child, "t");
	tell_last(child, 'k');
	ck_assert_int_eq(ask(), CLOSING_KILLED);
}
END_TEST

START_TEST(an_aborting_process_counts_as_killed)
{
	struct child *child = opener_new();

	tell_last(child, 'a');
	ck_assert_int_eq(ask(), CLOSING_KILLED);
}
END_TEST

START_TEST(a_process_that_exits_publishes)
{
	struct child *child = opener_new();

	tell_last(child, 'x');
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(a_process_with_threads_that_exits_publishes)
{
	struct child *child = opener_new();

	tell(child, "t");
	tell_last(child, 'x');
	ck_assert_int_eq(ask(), CLOSING_PUBLISH);
}
END_TEST

START_TEST(an_heir_of_the_killed_keeps)
{
	struct child *older = child_new();
	struct child *child = opener_new();

	question.thorough = true;
	tell(child, "s");
	tell(older, "g");
	tell_last(child, 'k');
	ck_assert_int_eq(ask(), CLOSING_KEEP);
}
END_TEST

/* ---- what is unknown ---- */

START_TEST(nobody_known_is_unknown)
{
	struct child *child = opener_new();

	tell(child, "c");
	question.closer = 0;
	ck_assert_int_eq(ask(), CLOSING_UNKNOWN);
	/* Beyond every limit of process ids. */
	question.closer = 0x7fffffff;
	ck_assert_int_eq(ask(), CLOSING_UNKNOWN);
}
END_TEST

static void *thread_group(void *arg)
{
	pid_t *group = arg;

	*group = holders_group((pid_t)syscall(SYS_gettid));
	return NULL;
}

START_TEST(a_thread_belongs_to_its_process)
{
	pthread_t thread;
	pid_t group = 0;

	ck_assert(holders_usable());
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_group, &group),
			 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(group, getpid());
	ck_assert_int_eq(holders_group(0), 0);
}
END_TEST

START_TEST(a_new_process_is_newer_than_the_newest)
{
	pid_t before = holders_newest();
	struct child *child = child_new();

	ck_assert_int_gt(before, 0);
	ck_assert_int_ne(holders_newest(), before);
	/* Unless the ids have just begun anew. */
	ck_assert(child->pid > before || holders_newest() < before);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("holders");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_last_descriptor_publishes);
	tcase_add_test(tests, a_duplicate_keeps);
	tcase_add_test(tests,
		       descriptors_for_reading_and_of_other_files_do_not_count);
	tcase_add_test(tests, another_device_is_another_file);
	tcase_add_test(tests, threads_that_end_hold_nothing_on_another_device);
	tcase_add_test(tests, an_inherited_descriptor_keeps);
	tcase_add_test(tests, an_opener_that_still_writes_keeps);
	tcase_add_test(tests, an_heir_closes_when_the_opener_has_gone);
	tcase_add_test(tests, a_descriptor_in_flight_keeps_when_looked_for);
	tcase_add_test(tests,
		       processes_older_than_the_open_are_only_asked_thoroughly);
	tcase_add_test(tests, a_killed_process_is_told_apart);
	tcase_add_test(tests, a_killed_process_with_threads_is_told_apart);
	tcase_add_test(tests, an_aborting_process_counts_as_killed);
	tcase_add_test(tests, a_process_that_exits_publishes);
	tcase_add_test(tests, a_process_with_threads_that_exits_publishes);
	tcase_add_test(tests, an_heir_of_the_killed_keeps);
	tcase_add_test(tests, nobody_known_is_unknown);
	tcase_add_test(tests, a_thread_belongs_to_its_process);
	tcase_add_test(tests, a_new_process_is_newer_than_the_newest);
	return unit_run("mount holders", tests);
}
