// SPDX-License-Identifier: MIT
/* What is asked for ahead, for readers of every kind. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "mount/pattern.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

#define MIB (UINT64_C(1) << 20)

static struct pattern pattern;
static struct pattern_habit habit;
static struct store_range asked[PATTERN_RANGES];
static uint64_t limit;
static uint64_t jumps;

static void setup(void)
{
	memset(&pattern, 0, sizeof(pattern));
	memset(&habit, 0, sizeof(habit));
	limit = 64 * MIB;
	jumps = 0;
}

static size_t look(uint64_t offset, uint64_t length, uint64_t size)
{
	struct store_range range = { offset, length };

	return pattern_read(&pattern, &habit, &range, size, limit, limit,
			    asked);
}

START_TEST(random_reads_ask_for_nothing)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(
			look(seed_below(1 << 18) * 4096, 4096, 1024 * MIB), 0);
}
END_TEST

/* The next one of 251 places in a file, of which no two follow one another. */
static size_t look_elsewhere(uint64_t length, uint64_t size)
{
	uint64_t place = 7 * jumps * jumps % 251;

	jumps++;
	return look(place * (size / 251 / 4096) * 4096, length, size);
}

/* Pages of 4 KiB until something is asked for: how many. */
static int pages_until_asked(uint64_t size)
{
	int pages = 1;

	while (!look_elsewhere(4096, size) && pages < 5000)
		pages++;
	return pages;
}

START_TEST(who_reads_many_pages_gets_the_whole_file)
{
	const uint64_t size = 50 * MIB + 1;
	uint64_t expected = 0;
	int pages = pages_until_asked(size);

	ck_assert_int_ge(pages, 51);
	ck_assert_int_lt(pages, 60);
	for (size_t count = 2; expected < size;
	     count = look_elsewhere(4096, size)) {
		for (size_t i = 0; i < count; i++) {
			ck_assert_uint_eq(asked[i].offset, expected);
			ck_assert_uint_le(asked[i].length, 8 * MIB);
			expected += asked[i].length;
		}
	}
	ck_assert_uint_eq(expected, size);
	ck_assert_int_ge(pages_until_asked(size), 40);
}
END_TEST

START_TEST(a_small_file_is_not_fetched_for_a_few_pages)
{
	ck_assert_int_ge(pages_until_asked(MIB), 16);
}
END_TEST

START_TEST(what_found_no_room_is_waited_for_anew)
{
	pages_until_asked(32 * MIB);
	pattern_shrink(&pattern);
	ck_assert_int_ge(pages_until_asked(32 * MIB), 30);
	ck_assert_uint_eq(asked[0].offset, 0);
}
END_TEST

START_TEST(columns_of_a_table_are_no_pages)
{
	limit = 2048 * MIB;
	for (int i = 0; i < 2000; i++)
		ck_assert_uint_eq(look_elsewhere(48 << 10, 1024 * MIB), 0);
}
END_TEST

/* 256 KiB at such a multiple, in the two pieces that the kernel makes of it. */
static size_t look_at_cell(uint64_t cell, uint64_t size)
{
	uint64_t at = cell * (256 << 10);
	size_t count = look(at, 128 << 10, size);

	ck_assert_uint_eq(look(at + (128 << 10), 128 << 10, size), 0);
	return count;
}

START_TEST(the_rest_of_a_cell_is_asked_for_with_its_first_piece)
{
	static const uint64_t cells[] = { 3, 90, 41, 7, 66, 12, 25, 80 };

	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(look_at_cell(cells[i], 1024 * MIB), 0);
	for (int i = 4; i < 8; i++) {
		size_t count =
			look(cells[i] * (256 << 10), 128 << 10, 1024 * MIB);

		if (i == 4 && !count)
			continue;
		ck_assert_uint_eq(count, 1);
		ck_assert_uint_eq(asked[0].offset,
				  cells[i] * (256 << 10) + (128 << 10));
		ck_assert_uint_eq(asked[0].length, 128 << 10);
		look(asked[0].offset, 128 << 10, 1024 * MIB);
	}
	/* Somewhere in the middle of one. */
	ck_assert_uint_eq(look(55 * (256 << 10) + 4096, 128 << 10, 1024 * MIB),
			  0);
}
END_TEST

START_TEST(who_reads_many_cells_gets_the_whole_file)
{
	const uint64_t size = 160 * MIB;
	uint64_t swept = 0;
	int cells = 0;

	limit = 256 * MIB;
	for (uint64_t i = 0; swept < size && cells < 1000; i++, cells++) {
		uint64_t at = i * i * 7 % 631 * (256 << 10);
		size_t count = look(at, 128 << 10, size);

		for (size_t j = 0; j < count; j++)
			if (asked[j].offset == swept)
				swept += asked[j].length;
		look(at + (128 << 10), 128 << 10, size);
	}
	ck_assert_uint_eq(swept, size);
	ck_assert_int_ge(cells, 160);
	ck_assert_int_lt(cells, 320);
}
END_TEST

START_TEST(one_read_asks_for_nothing)
{
	ck_assert_uint_eq(look(0, 128 << 10, 1024 * MIB), 0);
}
END_TEST

START_TEST(reading_in_order_asks_once_for_everything_behind)
{
	const uint64_t size = 300 * MIB + 12345, step = 128 << 10;
	uint64_t expected = 0, most = 0;

	for (uint64_t at = 0; at < size; at += step) {
		size_t count = look(at, step, size);

		for (size_t i = 0; i < count; i++) {
			if (!expected)
				expected = asked[i].offset;
			ck_assert_uint_eq(asked[i].offset, expected);
			ck_assert_uint_gt(asked[i].length, 0);
			expected += asked[i].length;
			if (asked[i].length > most)
				most = asked[i].length;
		}
		ck_assert_uint_le(expected, at + step + limit);
	}
	ck_assert_uint_eq(expected, size);
	ck_assert_uint_eq(most, 8 * MIB);
	ck_assert_uint_eq(pattern.rows[0].window, limit);
}
END_TEST

START_TEST(a_short_look_at_the_start_asks_for_little)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < 384 << 10; at += 128 << 10) {
		size_t count = look(at, 128 << 10, 1024 * MIB);

		for (size_t i = 0; i < count; i++)
			sum += asked[i].length;
	}
	ck_assert_uint_le(sum, 2 * MIB);
}
END_TEST

START_TEST(requests_beside_each_other_count_as_order)
{
	static const uint64_t order[] = { 0, 2, 1, 3, 5, 4, 7, 6 };
	uint64_t sum = 0;

	for (int i = 0; i < 8; i++) {
		size_t count =
			look(order[i] * (128 << 10), 128 << 10, 1024 * MIB);

		for (size_t k = 0; k < count; k++)
			sum += asked[k].length;
	}
	ck_assert(pattern_is_ahead(&pattern));
	ck_assert_uint_gt(sum, 0);
}
END_TEST

START_TEST(a_jump_asks_for_nothing)
{
	for (uint64_t at = 0; at < 4 * MIB; at += 128 << 10)
		look(at, 128 << 10, 1024 * MIB);
	ck_assert(pattern_is_ahead(&pattern));
	ck_assert_uint_eq(look(700 * MIB, 4096, 1024 * MIB), 0);
}
END_TEST

START_TEST(a_row_that_is_left_is_over)
{
	for (uint64_t at = 0; at < 4 * MIB; at += 128 << 10)
		look(at, 128 << 10, 1024 * MIB);
	for (int i = 0; i < 64; i++)
		look_elsewhere(128 << 10, 1024 * MIB);
	ck_assert(!pattern_is_ahead(&pattern));
}
END_TEST

/* What is asked for of a column, which is read in pieces of 128 KiB. */
static uint64_t column(uint64_t start, uint64_t length)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < length; at += 128 << 10) {
		size_t count = look(start + at, 128 << 10, 1024 * MIB);

		for (size_t i = 0; i < count; i++)
			sum += asked[i].length;
	}
	return sum;
}

START_TEST(columns_are_asked_for_as_far_as_others_went)
{
	column(100 * MIB, 3 * MIB);
	for (uint64_t i = 2; i < 9; i++) {
		uint64_t start = i * 100 * MIB + i * i * MIB;
		uint64_t sum = column(start, 3 * MIB);
		ck_assert_uint_gt(sum, 2 * MIB);
		ck_assert_uint_le(sum, 3 * MIB);
	}
}
END_TEST

START_TEST(who_begins_at_the_end_is_read_ahead_by_a_quarter)
{
	look(1024 * MIB - 8192, 8192, 1024 * MIB);
	ck_assert_uint_le(column(100 * MIB, 8 * MIB), 10 * MIB);
}
END_TEST

START_TEST(readers_learn_from_each_other)
{
	look(1024 * MIB - 8192, 8192, 1024 * MIB);
	memset(&pattern, 0, sizeof(pattern));
	ck_assert_uint_le(column(100 * MIB, 8 * MIB), 10 * MIB);
	look(900 * MIB, 4096, 1024 * MIB);
	memset(&pattern, 0, sizeof(pattern));
	ck_assert_uint_le(column(300 * MIB, 8 * MIB), 8 * MIB);
}
END_TEST

START_TEST(a_column_may_be_a_little_longer_than_others)
{
	column(100 * MIB, 3 * MIB);
	ck_assert_uint_le(column(300 * MIB, 3 * MIB + MIB / 2), 3 * MIB);
}
END_TEST

START_TEST(what_goes_on_where_others_ended_is_read_ahead_again)
{
	uint64_t sum;

	column(100 * MIB, 2 * MIB);
	sum = column(300 * MIB, 40 * MIB);
	ck_assert_uint_gt(sum, 38 * MIB);
	ck_assert_uint_le(sum, 40 * MIB + limit);
}
END_TEST

START_TEST(threads_that_share_a_handle_are_each_read_ahead)
{
	uint64_t sums[3] = { 0 };

	for (uint64_t at = 0; at < 16 * MIB; at += 128 << 10) {
		for (uint64_t i = 0; i < 3; i++) {
			size_t count =
				look(i * 300 * MIB + at, 128 << 10, 1024 * MIB);

			for (size_t k = 0; k < count; k++)
				sums[i] += asked[k].length;
		}
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_gt(sums[i], 14 * MIB);
		ck_assert_uint_le(sums[i], 16 * MIB + limit / 2);
	}
}
END_TEST

START_TEST(equal_steps_are_asked_for_once_each)
{
	const uint64_t size = 1024 * MIB, step = 10 * MIB;
	bool seen[200] = { false };

	for (uint64_t at = 0; at < size; at += step) {
		size_t count = look(at, 65536, size);

		for (size_t i = 0; i < count; i++) {
			ck_assert_uint_eq(asked[i].offset % step, 0);
			ck_assert_uint_gt(asked[i].offset, at);
			ck_assert_uint_eq(asked[i].length, 65536);
			ck_assert(!seen[asked[i].offset / step]);
			seen[asked[i].offset / step] = true;
		}
	}
	for (uint64_t i = 4; i < size / step; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(steps_backwards_end_at_the_start)
{
	const uint64_t step = 10 * MIB;
	unsigned int sum = 0;

	for (uint64_t at = 20 * step; at <= 20 * step; at -= step) {
		size_t count = look(at, 4096, 1024 * MIB);

		for (size_t i = 0; i < count; i++)
			ck_assert_uint_lt(asked[i].offset, at);
		sum += (unsigned int)count;
		if (!at)
			break;
	}
	ck_assert_uint_gt(sum, 10);
	ck_assert_uint_le(sum, 18);
}
END_TEST

/* Nothing behind the end, nothing above the limit, whatever is read. */
START_TEST(any_reader_is_asked_for_sensibly)
{
	for (int round = 0; round < 20000; round++) {
		uint64_t size = 1 + seed_below(100 * MIB);
		uint64_t at = seed_below(size), sum = 0;
		size_t count;

		if (!seed_below(50))
			memset(&pattern, 0, sizeof(pattern));
		limit = seed_below(16 * MIB);
		if (seed_below(2))
			at = pattern.rows[0].next < size ? pattern.rows[0].next
							 : 0;
		count = look(at, 1 + seed_below(MIB), size);
		ck_assert_uint_le(count, PATTERN_RANGES);
		for (size_t i = 0; i < count; i++) {
			ck_assert_uint_gt(asked[i].length, 0);
			ck_assert_uint_le(asked[i].offset + asked[i].length,
					  size);
			sum += asked[i].length;
		}
		ck_assert_uint_le(sum, limit);
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("pattern");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, random_reads_ask_for_nothing);
	tcase_add_test(tests, who_reads_many_pages_gets_the_whole_file);
	tcase_add_test(tests, a_small_file_is_not_fetched_for_a_few_pages);
	tcase_add_test(tests, what_found_no_room_is_waited_for_anew);
	tcase_add_test(tests, columns_of_a_table_are_no_pages);
	tcase_add_test(tests,
		       the_rest_of_a_cell_is_asked_for_with_its_first_piece);
	tcase_add_test(tests, who_reads_many_cells_gets_the_whole_file);
	tcase_add_test(tests, one_read_asks_for_nothing);
	tcase_add_test(tests, reading_in_order_asks_once_for_everything_behind);
	tcase_add_test(tests, a_short_look_at_the_start_asks_for_little);
	tcase_add_test(tests, requests_beside_each_other_count_as_order);
	tcase_add_test(tests, a_jump_asks_for_nothing);
	tcase_add_test(tests, a_row_that_is_left_is_over);
	tcase_add_test(tests, columns_are_asked_for_as_far_as_others_went);
	tcase_add_test(tests, who_begins_at_the_end_is_read_ahead_by_a_quarter);
	tcase_add_test(tests, readers_learn_from_each_other);
	tcase_add_test(tests, a_column_may_be_a_little_longer_than_others);
	tcase_add_test(tests,
		       what_goes_on_where_others_ended_is_read_ahead_again);
	tcase_add_test(tests, threads_that_share_a_handle_are_each_read_ahead);
	tcase_add_test(tests, equal_steps_are_asked_for_once_each);
	tcase_add_test(tests, steps_backwards_end_at_the_start);
	tcase_add_test(tests, any_reader_is_asked_for_sensibly);
	return unit_run("pattern", tests);
}
