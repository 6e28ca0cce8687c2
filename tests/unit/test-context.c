// SPDX-License-Identifier: MIT
/* Deadlines and cancellation. */
#include "config.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "src/base/clock.h"
#include "src/cancel.h"
#include <storefs/context.h>
#include "tests/unit/unit.h"

/* What a machine under load may add to a wait. */
static const int64_t LATE_NS = 5 * NS_PER_SEC;
static const int64_t LONG_NS = 600 * NS_PER_SEC;

START_TEST(no_context_is_no_limit)
{
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(store_context_check(NULL, &error), STORE_OK);
	ck_assert(store_context_remaining(NULL) == INT64_MAX);
	ck_assert_int_eq(store_context_sleep(NULL, NS_PER_MS, &error),
			 STORE_OK);
	store_context_progress(NULL);
}
END_TEST

START_TEST(a_stall_ends_the_call)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;

	store_context_init(&context, LONG_NS, NULL);
	ck_assert_int_eq(store_context_check(&context, &error), STORE_OK);
	context.progress_ns -= LONG_NS;
	ck_assert_int_eq(store_context_check(&context, &error), STORE_TIMEOUT);
	ck_assert_int_eq(error.code, STORE_TIMEOUT);
	ck_assert(store_context_remaining(&context) == 0);
}
END_TEST

START_TEST(progress_starts_the_stall_clock_anew)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;

	store_context_init(&context, LONG_NS, NULL);
	context.progress_ns -= LONG_NS;
	store_context_progress(&context);
	ck_assert_int_eq(store_context_check(&context, &error), STORE_OK);
}
END_TEST

START_TEST(progress_does_not_move_the_deadline)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;

	store_context_init(&context, LONG_NS, NULL);
	context.deadline_ns = clock_monotonic_ns() - 1;
	store_context_progress(&context);
	ck_assert_int_eq(store_context_check(&context, &error), STORE_TIMEOUT);
}
END_TEST

START_TEST(the_nearer_limit_counts)
{
	struct store_context context;
	int64_t left;

	store_context_init(&context, LONG_NS, NULL);
	context.deadline_ns = clock_monotonic_ns() + LONG_NS / 2;
	left = store_context_remaining(&context);
	ck_assert(left <= LONG_NS / 2 && left > LONG_NS / 2 - LATE_NS);
	context.deadline_ns = clock_monotonic_ns() + 2 * LONG_NS;
	left = store_context_remaining(&context);
	ck_assert(left <= LONG_NS && left > LONG_NS - LATE_NS);
}
END_TEST

START_TEST(a_huge_stall_limit_does_not_overflow)
{
	struct store_context context;

	store_context_init(&context, INT64_MAX, NULL);
	ck_assert(store_context_remaining(&context) > LONG_NS);
}
END_TEST

START_TEST(a_sleep_beyond_the_limit_is_a_timeout_at_the_limit)
{
	struct store_error error = STORE_ERROR_INIT;
	int64_t start = clock_monotonic_ns();
	struct store_context context;

	store_context_init(&context, 20 * NS_PER_MS, NULL);
	ck_assert_int_eq(store_context_sleep(&context, LONG_NS, &error),
			 STORE_TIMEOUT);
	ck_assert(clock_monotonic_ns() - start >= 20 * NS_PER_MS);
	ck_assert(clock_monotonic_ns() - start < LONG_NS / 2);
}
END_TEST

START_TEST(a_sleep_lasts_its_time)
{
	struct store_cancel *cancel = store_cancel_new();
	struct store_error error = STORE_ERROR_INIT;
	int64_t start = clock_monotonic_ns();
	struct store_context context;

	ck_assert_ptr_nonnull(cancel);
	store_context_init(&context, 0, cancel);
	ck_assert_int_eq(store_context_sleep(&context, 20 * NS_PER_MS, &error),
			 STORE_OK);
	ck_assert(clock_monotonic_ns() - start >= 20 * NS_PER_MS);
	store_cancel_free(cancel);
}
END_TEST

static void *trigger(void *arg)
{
	store_cancel_trigger(arg);
	return NULL;
}

START_TEST(a_trigger_wakes_a_sleeper)
{
	struct store_cancel *cancel = store_cancel_new();
	struct store_error error = STORE_ERROR_INIT;
	int64_t start = clock_monotonic_ns();
	struct store_context context;
	pthread_t thread;

	ck_assert_ptr_nonnull(cancel);
	store_context_init(&context, 0, cancel);
	ck_assert_int_eq(pthread_create(&thread, NULL, trigger, cancel), 0);
	ck_assert_int_eq(store_context_sleep(&context, LONG_NS, &error),
			 STORE_CANCELLED);
	ck_assert(clock_monotonic_ns() - start < LONG_NS / 2);
	pthread_join(thread, NULL);
	ck_assert_int_eq(store_context_check(&context, &error),
			 STORE_CANCELLED);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(the_descriptor_becomes_readable)
{
	struct store_cancel *cancel = store_cancel_new();
	struct pollfd poll_fd = { .events = POLLIN };

	ck_assert_ptr_nonnull(cancel);
	poll_fd.fd = store_cancel_fd(cancel);
	ck_assert_int_ge(poll_fd.fd, 0);
	ck_assert_int_eq(store_cancel_fd(cancel), poll_fd.fd);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	store_cancel_trigger(cancel);
	store_cancel_trigger(cancel);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(a_descriptor_made_after_the_trigger_is_readable)
{
	struct store_cancel *cancel = store_cancel_new();
	struct pollfd poll_fd = { .events = POLLIN };

	ck_assert_ptr_nonnull(cancel);
	store_cancel_trigger(cancel);
	poll_fd.fd = store_cancel_fd(cancel);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
	store_cancel_free(cancel);
	store_cancel_free(NULL);
}
END_TEST

START_TEST(one_that_follows_is_triggered_with_the_one_above)
{
	struct store_cancel *above = store_cancel_new();
	struct store_cancel *first = cancel_new_below(above);
	struct store_cancel *second = cancel_new_below(above);
	struct store_cancel *gone = cancel_new_below(above);
	struct store_cancel *late;

	ck_assert(above && first && second && gone);
	store_cancel_free(gone);
	store_cancel_trigger(first);
	ck_assert(store_cancel_is_set(first));
	ck_assert(!store_cancel_is_set(above));
	ck_assert(!store_cancel_is_set(second));
	store_cancel_trigger(above);
	ck_assert(store_cancel_is_set(second));
	late = cancel_new_below(above);
	ck_assert(late && store_cancel_is_set(late));
	store_cancel_free(first);
	store_cancel_free(late);
	store_cancel_free(second);
	store_cancel_free(above);
}
END_TEST

START_TEST(one_may_follow_none)
{
	struct store_cancel *cancel = cancel_new_below(NULL);

	ck_assert(cancel && !store_cancel_is_set(cancel));
	store_cancel_trigger(cancel);
	ck_assert(store_cancel_is_set(cancel));
	store_cancel_free(cancel);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("context");

	tcase_add_test(tests, no_context_is_no_limit);
	tcase_add_test(tests, a_stall_ends_the_call);
	tcase_add_test(tests, progress_starts_the_stall_clock_anew);
	tcase_add_test(tests, progress_does_not_move_the_deadline);
	tcase_add_test(tests, the_nearer_limit_counts);
	tcase_add_test(tests, a_huge_stall_limit_does_not_overflow);
	tcase_add_test(tests,
		       a_sleep_beyond_the_limit_is_a_timeout_at_the_limit);
	tcase_add_test(tests, a_sleep_lasts_its_time);
	tcase_add_test(tests, a_trigger_wakes_a_sleeper);
	tcase_add_test(tests, the_descriptor_becomes_readable);
	tcase_add_test(tests, a_descriptor_made_after_the_trigger_is_readable);
	tcase_add_test(tests, one_that_follows_is_triggered_with_the_one_above);
	tcase_add_test(tests, one_may_follow_none);
	return unit_run("context", tests);
}
