// SPDX-License-Identifier: MIT
/* Range maps against a plain array of flags. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "mount/rangemap.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { BYTES = 300, STEPS = 40000 };

static struct store_error error;
static struct rangemap map;
static bool model[BYTES];

static void setup(void)
{
	rangemap_init(&map);
	memset(model, 0, sizeof(model));
}

static void teardown(void)
{
	rangemap_release(&map);
}

static void add(uint64_t start, uint64_t end)
{
	ck_assert_int_eq(rangemap_reserve(&map, &error), STORE_OK);
	rangemap_add(&map, start, end);
}

static void drop(uint64_t start, uint64_t end)
{
	ck_assert_int_eq(rangemap_reserve(&map, &error), STORE_OK);
	rangemap_remove(&map, start, end);
}

/* Ascending, disjoint, not touching, none empty. */
static void check_order(void)
{
	for (size_t i = 0; i < map.count; i++) {
		if (map.spans[i].start >= map.spans[i].end ||
		    (i && map.spans[i - 1].end >= map.spans[i].start))
			ck_abort_msg("range %zu is out of order", i);
	}
	ck_assert(map.count <= map.room);
}

/* Where the model's run of equal flags from `at` ends. */
static uint64_t model_run(uint64_t at)
{
	uint64_t end = at;

	while (end < BYTES && model[end] == model[at])
		end++;
	return end == BYTES && !model[at] ? UINT64_MAX : end;
}

static void check_model(void)
{
	uint64_t total = 0, end;

	for (uint64_t at = 0; at < BYTES; at++) {
		total += model[at];
		if (rangemap_at(&map, at, &end) != model[at] ||
		    end != model_run(at))
			ck_abort_msg("offset %" PRIu64 " differs", at);
	}
	ck_assert_uint_eq(rangemap_total(&map), total);
	ck_assert(!rangemap_at(&map, BYTES, &end));
	ck_assert_uint_eq(end, UINT64_MAX);
}

static bool model_covers(uint64_t start, uint64_t end)
{
	for (; start < end; start++)
		if (!model[start])
			return false;
	return true;
}

START_TEST(random_changes_match_a_bitmap)
{
	for (int step = 0; step < STEPS; step++) {
		uint64_t start = seed_below(BYTES);
		uint64_t most = seed_below(3) ? 12 : BYTES;
		uint64_t end = start + seed_below(most + 1);
		bool add_it = seed_below(2);

		if (end > BYTES)
			end = BYTES;
		if (seed_below(500) == 0) {
			rangemap_clear(&map);
			memset(model, 0, sizeof(model));
		}
		if (add_it)
			add(start, end);
		else
			drop(start, end);
		memset(model + start, add_it, (size_t)(end - start));
		check_order();
		start = seed_below(BYTES);
		end = start + seed_below(BYTES - start + 1);
		ck_assert(rangemap_covers(&map, start, end) ==
			  model_covers(start, end));
		if (step % 16 == 0)
			check_model();
	}
}
END_TEST

START_TEST(touching_ranges_become_one)
{
	add(10, 20);
	add(30, 40);
	add(20, 30);
	ck_assert_uint_eq(map.count, 1);
	ck_assert(rangemap_covers(&map, 10, 40));
	add(0, 10);
	ck_assert_uint_eq(map.count, 1);
	ck_assert_uint_eq(rangemap_total(&map), 40);
}
END_TEST

START_TEST(a_gap_of_one_byte_stays)
{
	add(10, 20);
	add(21, 30);
	ck_assert_uint_eq(map.count, 2);
	ck_assert(!rangemap_covers(&map, 19, 22));
}
END_TEST

START_TEST(empty_ranges_change_nothing)
{
	add(5, 5);
	ck_assert_uint_eq(map.count, 0);
	add(5, 9);
	drop(7, 7);
	ck_assert_uint_eq(map.count, 1);
	ck_assert(rangemap_covers(&map, 3, 3));
	ck_assert(rangemap_covers(&map, 9, 5));
}
END_TEST

START_TEST(the_ends_of_the_number_line_hold)
{
	uint64_t end;

	add(0, 1);
	add(UINT64_MAX - 1, UINT64_MAX);
	ck_assert(rangemap_at(&map, 0, &end));
	ck_assert_uint_eq(end, 1);
	ck_assert(!rangemap_at(&map, 1, &end));
	ck_assert_uint_eq(end, UINT64_MAX - 1);
	add(0, UINT64_MAX);
	ck_assert_uint_eq(map.count, 1);
	drop(1, UINT64_MAX);
	ck_assert_uint_eq(rangemap_total(&map), 1);
	drop(0, UINT64_MAX);
	ck_assert_uint_eq(map.count, 0);
}
END_TEST

START_TEST(one_reserve_is_enough_for_the_worst_change)
{
	/* Removing the middle of a range makes one more of it. */
	add(0, 1 << 20);
	for (uint64_t at = 1; at < 2000; at++)
		drop(at * 100, at * 100 + 1);
	ck_assert_uint_eq(map.count, 2000);
	check_order();
	drop(0, 1 << 20);
	ck_assert_uint_eq(map.count, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("rangemap");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, random_changes_match_a_bitmap);
	tcase_add_test(tests, touching_ranges_become_one);
	tcase_add_test(tests, a_gap_of_one_byte_stays);
	tcase_add_test(tests, empty_ranges_change_nothing);
	tcase_add_test(tests, the_ends_of_the_number_line_hold);
	tcase_add_test(tests, one_reserve_is_enough_for_the_worst_change);
	return unit_run("mount rangemap", tests);
}
