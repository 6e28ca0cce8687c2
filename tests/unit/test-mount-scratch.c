// SPDX-License-Identifier: MIT
/* Buffers of threads. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "mount/scratch.h"
#include "tests/unit/unit.h"

START_TEST(the_same_buffer_serves_smaller_requests)
{
	char *buffer = scratch_get(4096);

	ck_assert_ptr_nonnull(buffer);
	memset(buffer, 1, 4096);
	ck_assert_ptr_eq(scratch_get(100), buffer);
	ck_assert_ptr_eq(scratch_get(4096), buffer);
}
END_TEST

START_TEST(a_larger_request_is_served_whole)
{
	char *buffer = scratch_get(10);

	ck_assert_ptr_nonnull(buffer);
	buffer = scratch_get(1 << 20);
	ck_assert_ptr_nonnull(buffer);
	memset(buffer, 1, 1 << 20);
}
END_TEST

#ifndef SANITIZED
START_TEST(without_memory_there_is_no_buffer_and_later_there_is)
{
	ck_assert_ptr_nonnull(scratch_get(10));
	ck_assert_ptr_null(scratch_get(SIZE_MAX / 4));
	ck_assert_ptr_nonnull(scratch_get(10));
}
END_TEST
#endif

static void *take(void *arg)
{
	char **buffer = arg;

	*buffer = scratch_get(100);
	if (*buffer)
		memset(*buffer, 2, 100);
	return NULL;
}

START_TEST(threads_do_not_share)
{
	char *mine = scratch_get(100), *theirs = NULL;
	pthread_t thread;

	ck_assert_ptr_nonnull(mine);
	memset(mine, 1, 100);
	ck_assert_int_eq(pthread_create(&thread, NULL, take, &theirs), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_nonnull(theirs);
	ck_assert_int_eq(mine[0], 1);
	ck_assert_int_eq(mine[99], 1);
	ck_assert_ptr_eq(scratch_get(100), mine);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("scratch");

	tcase_add_test(tests, the_same_buffer_serves_smaller_requests);
	tcase_add_test(tests, a_larger_request_is_served_whole);
#ifndef SANITIZED
	/* AddressSanitizer ends a program that asks for so much. */
	tcase_add_test(tests,
		       without_memory_there_is_no_buffer_and_later_there_is);
#endif
	tcase_add_test(tests, threads_do_not_share);
	return unit_run("mount scratch", tests);
}
