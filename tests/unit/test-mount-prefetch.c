// SPDX-License-Identifier: MIT
/* Reading ahead: each byte once, several at a time, and none for nobody. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "mount/pattern.h"
#include "mount/prefetch.h"
#include "src/base/clock.h"
#include "tests/unit/mount_blocks.h"
#include "tests/unit/unit.h"

#define MIB ((size_t)1 << 20)

enum { CHUNK = 128 << 10, THREADS = 8 };

static const struct store_version version = { .token = "one" };

static struct blockcache *cache;
static struct block_object *object;
static struct prefetcher *prefetcher;
static struct prefetch *reader;
static struct counted_source source;
static struct store_context context;
static struct store_error error;
static unsigned char data[CHUNK];

static void setup(void)
{
	cache = blockcache_new(64 * MIB);
	object = blockcache_get(cache, 1, &version);
	prefetcher = prefetcher_new(cache, THREADS, 0);
	reader = prefetch_open(prefetcher);
	ck_assert(cache && object && prefetcher && reader);
	counted_init(&source, 40 * MIB);
	store_context_init(&context, 0, NULL);
}

static void teardown(void)
{
	prefetch_close(reader);
	prefetcher_stop(prefetcher);
	prefetcher_free(prefetcher);
	ck_assert_int_eq(source.held, 0);
	blockcache_put(object);
	blockcache_free(cache);
}

static void look(uint64_t offset)
{
	struct store_range range = { offset, CHUNK };

	prefetch_read(reader, object, &source.source, source.size, &range);
	ck_assert_int_eq(blockcache_read(object, &source.source, &context,
					 &range, data, &error),
			 STORE_OK);
	check_bytes(data, offset, CHUNK);
}

START_TEST(a_file_read_in_order_is_fetched_once)
{
	for (uint64_t at = 0; at < source.size; at += CHUNK)
		look(at);
	ck_assert_uint_eq(source.bytes, source.size);
	ck_assert_uint_lt(source.requests, source.size / CHUNK / 2);
}
END_TEST

START_TEST(requests_run_beside_each_other)
{
	int64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;
	uint64_t at = 0;

	/* Far enough for a window of several requests. */
	for (; at < 8 * MIB; at += CHUNK)
		look(at);
	while (atomic_load(&source.running))
		sched_yield();
	source.closed = true;
	/* What is here already is read; behind it all wait. */
	for (int i = 0; i < 400 && atomic_load(&source.running) < 4; i++) {
		struct store_range range = { at, CHUNK };

		prefetch_read(reader, object, &source.source, source.size,
			      &range);
		at += CHUNK;
		ck_assert_int_lt(clock_monotonic_ns(), until);
	}
	while (atomic_load(&source.running) < 4) {
		ck_assert_int_lt(clock_monotonic_ns(), until);
		sched_yield();
	}
	source.closed = false;
}
END_TEST

START_TEST(a_failure_ahead_is_no_failure)
{
	for (uint64_t at = 0; at < 2 * MIB; at += CHUNK)
		look(at);
	while (atomic_load(&source.running))
		sched_yield();
	source.fail = 1;
	for (uint64_t at = 2 * MIB; at < 4 * MIB; at += CHUNK) {
		struct store_range range = { at, CHUNK };
		int code;

		prefetch_read(reader, object, &source.source, source.size,
			      &range);
		code = blockcache_read(object, &source.source, &context, &range,
				       data, &error);
		/* The one call that fails may be this reader's. */
		if (code)
			look(at);
	}
}
END_TEST

START_TEST(who_closes_waits_for_nothing)
{
	source.closed = true;
	for (uint64_t at = 0; at < 2 * MIB; at += CHUNK) {
		struct store_range range = { at, CHUNK };

		prefetch_read(reader, object, &source.source, source.size,
			      &range);
	}
	while (!atomic_load(&source.running))
		sched_yield();
	prefetch_close(reader);
	reader = NULL;
	/* They are cancelled, though the source stays closed. */
	while (atomic_load(&source.running) || atomic_load(&source.held))
		sched_yield();
	ck_assert_uint_eq(source.bytes, 0);
}
END_TEST

START_TEST(no_reader_is_fine)
{
	struct store_range range = { 0, CHUNK };

	prefetch_read(NULL, object, &source.source, source.size, &range);
	prefetch_close(NULL);
	ck_assert_uint_eq(source.requests, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("prefetch");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_file_read_in_order_is_fetched_once);
	tcase_add_test(tests, requests_run_beside_each_other);
	tcase_add_test(tests, a_failure_ahead_is_no_failure);
	tcase_add_test(tests, who_closes_waits_for_nothing);
	tcase_add_test(tests, no_reader_is_fine);
	return unit_run("prefetch", tests);
}
