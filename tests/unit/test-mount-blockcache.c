// SPDX-License-Identifier: MIT
/* The block cache: each byte asked for once, within a budget. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#include "src/base/clock.h"
#include "tests/unit/mount_blocks.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { SIZE = 1 << 20, BUDGET = 1 << 18, READERS = 4, READS = 3000 };

static struct blockcache *cache;
static struct block_object *object;
static struct counted_source source;
static struct store_context context;
static struct store_error error;
static unsigned char data[SIZE];

static const struct store_version version = { .token = "one" };

static void setup(void)
{
	cache = blockcache_new(BUDGET);
	ck_assert_ptr_nonnull(cache);
	object = blockcache_get(cache, 1, &version);
	ck_assert_ptr_nonnull(object);
	counted_init(&source, SIZE);
	store_context_init(&context, 0, NULL);
}

static void teardown(void)
{
	blockcache_put(object);
	blockcache_free(cache);
}

static int look(uint64_t offset, size_t length)
{
	struct store_range range = { offset, length };
	int code = blockcache_read(object, &source.source, &context, &range,
				   data, &error);

	if (!code)
		check_bytes(data, offset, length);
	return code;
}

static int fill(uint64_t offset, size_t length)
{
	struct store_range range = { offset, length };

	return blockcache_fill(object, &source.source, &context, &range,
			       &error);
}

static struct blockcache_stats stats(void)
{
	struct blockcache_stats now;

	blockcache_stats(cache, &now);
	return now;
}

START_TEST(what_was_read_is_not_asked_for_again)
{
	ck_assert_int_eq(look(1000, 5000), STORE_OK);
	ck_assert_int_eq(look(1000, 5000), STORE_OK);
	ck_assert_int_eq(look(2000, 100), STORE_OK);
	ck_assert_uint_eq(source.requests, 1);
	ck_assert_uint_eq(source.bytes, 5000);
}
END_TEST

START_TEST(only_gaps_are_asked_for)
{
	ck_assert_int_eq(look(1000, 1000), STORE_OK);
	ck_assert_int_eq(fill(3000, 1000), STORE_OK);
	ck_assert_int_eq(look(0, 5000), STORE_OK);
	ck_assert_uint_eq(source.requests, 5);
	ck_assert_uint_eq(source.bytes, 5000);
}
END_TEST

START_TEST(what_is_closed_is_found_again)
{
	ck_assert_int_eq(look(0, 5000), STORE_OK);
	blockcache_put(object);
	object = blockcache_get(cache, 1, &version);
	ck_assert_int_eq(look(0, 5000), STORE_OK);
	ck_assert_uint_eq(source.requests, 1);
}
END_TEST

START_TEST(another_version_or_file_is_another_object)
{
	static const struct store_version other = { .token = "two" };

	ck_assert_int_eq(look(0, 100), STORE_OK);
	blockcache_put(object);
	object = blockcache_get(cache, 1, &other);
	ck_assert_int_eq(look(0, 100), STORE_OK);
	blockcache_put(object);
	object = blockcache_get(cache, 2, &version);
	ck_assert_int_eq(look(0, 100), STORE_OK);
	ck_assert_uint_eq(source.requests, 3);
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
	const size_t part = BUDGET / 5;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(look(i * part, part), STORE_OK);
	ck_assert_int_eq(look(0, part), STORE_OK);
	ck_assert_uint_eq(source.requests, 4);
	ck_assert_int_eq(look(4 * part, part), STORE_OK);
	ck_assert_uint_eq(stats().evicted, part);
	ck_assert_int_eq(look(0, part), STORE_OK);
	ck_assert_uint_eq(source.requests, 5);
	ck_assert_int_eq(look(part, part), STORE_OK);
	ck_assert_uint_eq(source.requests, 6);
}
END_TEST

START_TEST(a_read_larger_than_the_budget_is_answered_all_the_same)
{
	ck_assert_int_eq(look(0, SIZE), STORE_OK);
	ck_assert_uint_eq(stats().used, 0);
	ck_assert_uint_eq(stats().uncached, 1);
	ck_assert_int_eq(fill(0, SIZE), STORE_NO_SPACE);
	ck_assert_uint_eq(source.requests, 1);
}
END_TEST

START_TEST(an_error_is_told_and_leaves_nothing)
{
	source.fail = 1;
	ck_assert_int_eq(look(0, 5000), STORE_UNAVAILABLE);
	ck_assert_uint_eq(stats().used, 0);
	ck_assert_int_eq(look(0, 5000), STORE_OK);
}
END_TEST

START_TEST(a_source_that_is_short_is_changed)
{
	source.size = 3000;
	ck_assert_int_eq(look(0, 5000), STORE_CHANGED);
	ck_assert_uint_eq(stats().used, 0);
	ck_assert_int_eq(look(0, 3000), STORE_OK);
}
END_TEST

/* ---- several threads ---- */

static void *look_once(void *arg)
{
	static const struct store_range range = { 0, 5000 };
	struct store_context own;
	struct store_error mine = STORE_ERROR_INIT;
	unsigned char bytes[5000];
	int *code = arg;

	store_context_init(&own, 0, NULL);
	*code = blockcache_read(object, &source.source, &own, &range, bytes,
				&mine);
	if (!*code)
		check_bytes(bytes, 0, sizeof(bytes));
	return NULL;
}

static void look_together(int codes[READERS])
{
	pthread_t threads[READERS];

	for (int i = 0; i < READERS; i++)
		ck_assert(!pthread_create(&threads[i], NULL, look_once,
					  &codes[i]));
	while (!source.running)
		sched_yield();
	source.closed = false;
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
}

START_TEST(many_who_want_the_same_cost_one_request)
{
	int codes[READERS];

	source.closed = true;
	look_together(codes);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(codes[i], STORE_OK);
	ck_assert_uint_eq(source.requests, 1);
	ck_assert_uint_eq(source.bytes, 5000);
}
END_TEST

START_TEST(the_error_of_one_is_not_that_of_those_who_wait)
{
	int codes[READERS], failed = 0;

	source.closed = true;
	source.fail = 1;
	look_together(codes);
	for (int i = 0; i < READERS; i++)
		failed += codes[i] != STORE_OK;
	ck_assert_int_eq(failed, 1);
	ck_assert_uint_eq(source.requests, 2);
}
END_TEST

START_TEST(a_wait_ends_when_its_time_is_up)
{
	struct store_context hurried;
	struct store_range range = { 100, 10 };
	pthread_t thread;
	int code;

	source.closed = true;
	ck_assert(!pthread_create(&thread, NULL, look_once, &code));
	while (!source.running)
		sched_yield();
	store_context_init(&hurried, 50 * NS_PER_MS, NULL);
	ck_assert_int_eq(blockcache_read(object, &source.source, &hurried,
					 &range, data, &error),
			 STORE_TIMEOUT);
	source.closed = false;
	pthread_join(thread, NULL);
	ck_assert_int_eq(code, STORE_OK);
	ck_assert_uint_eq(source.requests, 1);
}
END_TEST

static void *look_anywhere(void *arg)
{
	static const struct store_version versions[] = { { .token = "a" },
							 { .token = "b" } };
	unsigned int seed = *(unsigned int *)arg;
	struct store_context own;
	struct store_error mine = STORE_ERROR_INIT;
	unsigned char *bytes = malloc(BUDGET);

	ck_assert_ptr_nonnull(bytes);
	store_context_init(&own, 0, NULL);
	for (int i = 0; i < READS; i++) {
		size_t length = 1 + (size_t)rand_r(&seed) % (BUDGET / 16);
		struct store_range range = {
			(uint64_t)rand_r(&seed) % (SIZE - length), length
		};
		struct block_object *one = blockcache_get(
			cache, rand_r(&seed) % 2, &versions[rand_r(&seed) % 2]);
		enum blockcache_use use = rand_r(&seed) % BLOCKCACHE_USES;
		int code;

		ck_assert_ptr_nonnull(one);
		code = blockcache_reserve(cache, use, length, &own, &mine);
		ck_assert_int_eq(code, STORE_OK);
		if (!(rand_r(&seed) % 4))
			code = blockcache_fill(one, &source.source, &own,
					       &range, &mine);
		else
			code = blockcache_read(one, &source.source, &own,
					       &range, bytes, &mine);
		if (code && code != STORE_UNAVAILABLE && code != STORE_NO_SPACE)
			ck_abort_msg("code %d", code);
		if (!(rand_r(&seed) % 64))
			atomic_store(&source.fail, 1);
		if (!blockcache_read(one, &source.source, &own, &range, bytes,
				     &mine))
			check_bytes(bytes, range.offset, length);
		blockcache_release(cache, use, length);
		blockcache_put(one);
	}
	free(bytes);
	return NULL;
}

START_TEST(any_mixture_gives_right_bytes_within_the_budget)
{
	unsigned int seeds[READERS];
	pthread_t threads[READERS];

	for (int i = 0; i < READERS; i++) {
		seeds[i] = (unsigned int)seed_next();
		ck_assert(!pthread_create(&threads[i], NULL, look_anywhere,
					  &seeds[i]));
	}
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_le(stats().peak, BUDGET);
	ck_assert_uint_eq(stats().requests, source.requests);
	ck_assert_uint_gt(stats().found, 0);
	ck_assert_uint_gt(stats().evicted, 0);
}
END_TEST

static int reserve(enum blockcache_use use, uint64_t bytes)
{
	return blockcache_reserve(cache, use, bytes, &context, &error);
}

START_TEST(blocks_give_way_to_buffers)
{
	ck_assert_int_eq(look(0, BUDGET - 4096), STORE_OK);
	ck_assert_int_eq(reserve(BLOCKCACHE_READS, BUDGET / 2), STORE_OK);
	ck_assert_uint_eq(stats().used, BUDGET / 2);
	ck_assert_uint_eq(blockcache_room(cache), BUDGET / 2);
	ck_assert_int_eq(reserve(BLOCKCACHE_UPLOADS, BUDGET / 2), STORE_OK);
	/* There is no room for blocks, and reading works all the same. */
	ck_assert_int_eq(look(0, 4096), STORE_OK);
	ck_assert_int_eq(fill(0, 4096), STORE_NO_SPACE);
	ck_assert_uint_eq(stats().uncached, 1);
	blockcache_release(cache, BLOCKCACHE_READS, BUDGET / 2);
	blockcache_release(cache, BLOCKCACHE_UPLOADS, BUDGET / 2);
	ck_assert_uint_eq(stats().used, 0);
	ck_assert_uint_eq(stats().peak, BUDGET);
}
END_TEST

START_TEST(each_kind_of_buffer_has_half)
{
	ck_assert_int_eq(reserve(BLOCKCACHE_READS, BUDGET / 2), STORE_OK);
	context.deadline_ns = clock_monotonic_ns() + NS_PER_MS;
	ck_assert_int_eq(reserve(BLOCKCACHE_READS, 1), STORE_TIMEOUT);
	ck_assert_int_eq(reserve(BLOCKCACHE_UPLOADS, BUDGET / 2), STORE_OK);
	blockcache_release(cache, BLOCKCACHE_READS, BUDGET / 2);
	blockcache_release(cache, BLOCKCACHE_UPLOADS, BUDGET / 2);
}
END_TEST

static void *reserve_half(void *arg)
{
	struct store_context own;
	struct store_error failed = STORE_ERROR_INIT;

	(void)arg;
	store_context_init(&own, 0, NULL);
	ck_assert_int_eq(blockcache_reserve(cache, BLOCKCACHE_READS, BUDGET / 2,
					    &own, &failed),
			 STORE_OK);
	return NULL;
}

static void *look_at_most(void *arg)
{
	struct store_range range = { 0, BUDGET - 4096 };
	struct store_context own;
	struct store_error failed = STORE_ERROR_INIT;

	(void)arg;
	store_context_init(&own, 0, NULL);
	ck_assert_int_eq(blockcache_read(object, &source.source, &own, &range,
					 data, &failed),
			 STORE_OK);
	return NULL;
}

/* A block that is being fetched cannot go: who needs its room waits. */
START_TEST(a_buffer_waits_for_blocks_in_use)
{
	pthread_t reader, other;

	source.closed = true;
	ck_assert(!pthread_create(&reader, NULL, look_at_most, NULL));
	while (!atomic_load(&source.running))
		sched_yield();
	ck_assert(!pthread_create(&other, NULL, reserve_half, NULL));
	context.deadline_ns = clock_monotonic_ns() + 30 * NS_PER_MS;
	ck_assert_int_eq(reserve(BLOCKCACHE_UPLOADS, BUDGET / 2),
			 STORE_TIMEOUT);
	ck_assert_uint_eq(stats().reserved, 0);
	source.closed = false;
	pthread_join(reader, NULL);
	pthread_join(other, NULL);
	ck_assert_uint_eq(stats().reserved, BUDGET / 2);
	blockcache_release(cache, BLOCKCACHE_READS, BUDGET / 2);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("blocks");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, what_was_read_is_not_asked_for_again);
	tcase_add_test(tests, only_gaps_are_asked_for);
	tcase_add_test(tests, what_is_closed_is_found_again);
	tcase_add_test(tests, another_version_or_file_is_another_object);
	tcase_add_test(tests, the_least_recently_used_goes_first);
	tcase_add_test(tests,
		       a_read_larger_than_the_budget_is_answered_all_the_same);
	tcase_add_test(tests, an_error_is_told_and_leaves_nothing);
	tcase_add_test(tests, a_source_that_is_short_is_changed);
	tcase_add_test(tests, many_who_want_the_same_cost_one_request);
	tcase_add_test(tests, the_error_of_one_is_not_that_of_those_who_wait);
	tcase_add_test(tests, a_wait_ends_when_its_time_is_up);
	tcase_add_test(tests, blocks_give_way_to_buffers);
	tcase_add_test(tests, each_kind_of_buffer_has_half);
	tcase_add_test(tests, a_buffer_waits_for_blocks_in_use);
	tcase_add_test(tests, any_mixture_gives_right_bytes_within_the_budget);
	return unit_run("blockcache", tests);
}
