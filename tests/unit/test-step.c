// SPDX-License-Identifier: MIT
/* Named steps: what the environment asks of them (step.c). */
#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/step.h"
#include "tests/unit/unit.h"

static char log_path[64];

static void setup(void)
{
	int fd;

	snprintf(log_path, sizeof(log_path), "/tmp/storefs-step.XXXXXX");
	fd = mkstemp(log_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unsetenv("STOREFS_DIE_AT");
	unsetenv("STOREFS_SKIP");
	unsetenv("STOREFS_STEP_LOG");
}

static void teardown(void)
{
	unlink(log_path);
}

/* A fresh process: the environment is read once in each. */
static int status_of(void (*program)(void))
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		program();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void log_is(const char *wanted)
{
	char text[256];
	FILE *file = fopen(log_path, "r");
	size_t length;

	ck_assert_ptr_nonnull(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	ck_assert_str_eq(text, wanted);
}

static void four_steps(void)
{
	STEP("a");
	STEP("b: one");
	STEP("a");
	if (STEP_WANTED("c"))
		STEP("d");
}

START_TEST(nothing_happens_without_a_wish)
{
	ck_assert_int_eq(status_of(four_steps), 0);
	log_is("");
}
END_TEST

START_TEST(every_step_reached_is_logged)
{
	setenv("STOREFS_STEP_LOG", log_path, 1);
	ck_assert_int_eq(status_of(four_steps), 0);
	log_is("a\nb: one\na\nc\nd\n");
	ck_assert_int_eq(status_of(four_steps), 0);
	log_is("a\nb: one\na\nc\nd\na\nb: one\na\nc\nd\n");
}
END_TEST

START_TEST(the_process_dies_at_the_nth_time_of_a_name)
{
	setenv("STOREFS_STEP_LOG", log_path, 1);
	setenv("STOREFS_DIE_AT", "a:2", 1);
	ck_assert_int_eq(status_of(four_steps), -SIGKILL);
	log_is("a\nb: one\na\n");
	setenv("STOREFS_DIE_AT", "b: one:1", 1);
	ck_assert_int_eq(status_of(four_steps), -SIGKILL);
	setenv("STOREFS_DIE_AT", "b: one:2", 1);
	ck_assert_int_eq(status_of(four_steps), 0);
	setenv("STOREFS_DIE_AT", "b:1", 1);
	ck_assert_int_eq(status_of(four_steps), 0);
}
END_TEST

START_TEST(a_star_counts_every_step)
{
	setenv("STOREFS_STEP_LOG", log_path, 1);
	setenv("STOREFS_DIE_AT", "*:4", 1);
	ck_assert_int_eq(status_of(four_steps), -SIGKILL);
	log_is("a\nb: one\na\nc\n");
	setenv("STOREFS_DIE_AT", "*:6", 1);
	ck_assert_int_eq(status_of(four_steps), 0);
}
END_TEST

START_TEST(a_step_is_left_out_by_its_whole_name)
{
	setenv("STOREFS_STEP_LOG", log_path, 1);
	setenv("STOREFS_SKIP", "x,c", 1);
	ck_assert_int_eq(status_of(four_steps), 0);
	log_is("a\nb: one\na\nc\n");
	setenv("STOREFS_SKIP", "cc,", 1);
	ck_assert_int_eq(status_of(four_steps), 0);
	log_is("a\nb: one\na\nc\na\nb: one\na\nc\nd\n");
}
END_TEST

START_TEST(a_wish_that_makes_no_sense_aborts)
{
	static const char *const wrong[] = { "a",   "a:",   ":1",  "a:0",
					     "a:x", "a:1x", "a:-1" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("STOREFS_DIE_AT", wrong[i], 1);
		ck_assert_int_eq(status_of(four_steps), -SIGABRT);
	}
	unsetenv("STOREFS_DIE_AT");
	setenv("STOREFS_STEP_LOG", "relative", 1);
	ck_assert_int_eq(status_of(four_steps), -SIGABRT);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("step");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, nothing_happens_without_a_wish);
	tcase_add_test(tests, every_step_reached_is_logged);
	tcase_add_test(tests, the_process_dies_at_the_nth_time_of_a_name);
	tcase_add_test(tests, a_star_counts_every_step);
	tcase_add_test(tests, a_step_is_left_out_by_its_whole_name);
	tcase_add_test(tests, a_wish_that_makes_no_sense_aborts);
	return unit_run("step", tests);
}
