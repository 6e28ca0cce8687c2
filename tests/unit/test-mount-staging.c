// SPDX-License-Identifier: MIT
/*
 * Staged files: what must hold at the edges.  Random steps are in
 * test-mount-staging-random.c, full disks in test-mount-staging-full.c.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mount/pending.h"
#include "tests/unit/mount_staging.h"
#include "tests/unit/unit.h"

/* ---- reading ---- */

START_TEST(an_untouched_file_stands_in_its_base)
{
	struct staging_piece piece;

	begin(1000);
	staging_piece_at(&staging, 10, 5000, &piece);
	ck_assert_int_eq(piece.kind, PIECE_BASE);
	ck_assert_uint_eq(piece.length, 990);
	staging_piece_at(&staging, 1000, 1, &piece);
	ck_assert_uint_eq(piece.length, 0);
	ck_assert_int_eq(area_count(&folder, ""), 0);
	ck_assert_uint_eq(staging_top_number(&staging), 0);
}
END_TEST

START_TEST(truncated_bytes_do_not_come_back)
{
	begin(1000);
	write_bytes(200, 300);
	truncate_to(100);
	truncate_to(900);
	check_shown();
	write_bytes(950, 10);
	check_shown();
}
END_TEST

START_TEST(truncated_bytes_of_a_lower_layer_do_not_come_back)
{
	struct staging_view held;

	begin(1000);
	write_bytes(200, 300);
	seal();
	keep(&held);
	truncate_to(100);
	truncate_to(900);
	check_shown();
	ck_assert_uint_eq(staging.count, 2);
	staging_view_release(&held);
}
END_TEST

START_TEST(punched_holes_take_no_disk_and_are_no_data)
{
	enum { MEGABYTE = 1 << 20 };
	CLEANUP_FREE char *zeros = calloc(1, MEGABYTE);
	struct staging_piece piece;
	struct store_range data;

	ck_assert_ptr_nonnull(zeros);
	begin(0);
	ck_assert_int_eq(staging_write(&staging, zeros, 0, MEGABYTE, &error),
			 STORE_OK);
	ck_assert_int_eq(staging_punch(&staging, 65536, 65536, &error),
			 STORE_OK);
	staging_piece_at(&staging, 65536, MEGABYTE, &piece);
	ck_assert_int_eq(piece.kind, PIECE_STAGED);
	staging_piece_data(&piece, &data);
	ck_assert_uint_eq(data.offset, 2 * 65536);
	ck_assert_uint_eq(data.length, MEGABYTE - 2 * 65536);
	piece.length = 65536;
	staging_piece_data(&piece, &data);
	ck_assert_uint_eq(data.length, 0);
	staging_piece_release(&piece);
}
END_TEST

START_TEST(a_gap_between_writes_reads_as_zeros_and_is_not_staged)
{
	struct staging_piece piece;

	begin(0);
	write_bytes(0, 10);
	write_bytes(4000, 10);
	staging_piece_at(&staging, 10, 10000, &piece);
	ck_assert_int_eq(piece.kind, PIECE_ZERO);
	ck_assert_uint_eq(piece.length, 3990);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 20);
	check_shown();
}
END_TEST

START_TEST(a_held_piece_outlives_its_layer)
{
	unsigned char bytes[100], want[100];
	struct staging_piece piece;

	begin(0);
	write_bytes(0, 100);
	memcpy(want, shown.bytes, 100);
	freeze();
	write_bytes(200, 10);
	staging_piece_at(&staging, 200, 10, &piece);
	settle(true);
	ck_assert_int_eq(staging_read_piece(&piece, bytes, &error), STORE_OK);
	ck_assert_int_eq(memcmp(bytes, shown.bytes + 200, 10), 0);
	staging_piece_release(&piece);
	staging_piece_at(&staging, 0, 100, &piece);
	staging_discard(&staging);
	begin(0);
	ck_assert_int_eq(staging_read_piece(&piece, bytes, &error), STORE_OK);
	ck_assert_int_eq(memcmp(bytes, want, 100), 0);
	staging_piece_release(&piece);
}
END_TEST

/* ---- publishing ---- */

START_TEST(what_a_publish_stored_is_the_base_of_later_changes)
{
	begin(1000);
	write_bytes(100, 50);
	freeze();
	write_bytes(500, 50);
	truncate_to(700);
	settle(true);
	check_shown();
	ck_assert(staging.changed);
	freeze();
	check_view(&view, &frozen, &base);
	settle(true);
	ck_assert(!staging.changed);
	check_shown();
}
END_TEST

START_TEST(a_failed_publish_leaves_all_changes)
{
	begin(1000);
	write_bytes(100, 50);
	freeze();
	ck_assert(!staging.changed);
	settle(false);
	ck_assert(staging.changed);
	check_shown();
	freeze();
	truncate_to(20);
	settle(false);
	check_shown();
	freeze();
	check_view(&view, &frozen, &base);
}
END_TEST

/* Publish after publish fails while the file grows. */
START_TEST(after_many_failed_publishes_all_is_sent_at_once)
{
	begin(1000);
	for (uint64_t i = 0; i < 20; i++) {
		write_bytes(100 * i, 60);
		freeze();
		write_bytes(100 * i + 50, 20);
		settle(false);
		check_shown();
		ck_assert_uint_le(staging.count, 2);
	}
	freeze();
	check_view(&view, &frozen, &base);
	settle(true);
	ck_assert(!staging.changed);
	check_shown();
}
END_TEST

/* An image of an earlier moment, while the file has gone on. */
START_TEST(a_publish_may_send_the_lowest_layers_only)
{
	struct image first;
	struct staging_view held;

	begin(1000);
	write_bytes(100, 50);
	seal();
	keep(&held);
	staging_view_release(&held);
	first = shown;
	write_bytes(120, 500);
	truncate_to(400);
	ck_assert_int_eq(staging_freeze(&staging, 1, true, &view, &error),
			 STORE_OK);
	frozen = first;
	ck_assert(staging.changed);
	check_view(&view, &frozen, &base);
	write_bytes(0, 30);
	check_view(&view, &frozen, &base);
	settle(true);
	ck_assert(staging.changed);
	check_shown();
	freeze();
	check_view(&view, &frozen, &base);
	settle(true);
	ck_assert(!staging.changed);
	check_shown();
}
END_TEST

START_TEST(a_partial_publish_that_fails_leaves_the_stack)
{
	struct staging_view held;

	begin(1000);
	write_bytes(100, 50);
	seal();
	keep(&held);
	staging_view_release(&held);
	write_bytes(120, 500);
	ck_assert_int_eq(staging_freeze(&staging, 1, true, &view, &error),
			 STORE_OK);
	settle(false);
	ck_assert_uint_eq(staging.count, 2);
	ck_assert(staging.changed);
	check_shown();
	freeze();
	ck_assert_uint_eq(view.count, 2);
	check_view(&view, &frozen, &base);
}
END_TEST

START_TEST(what_was_stored_is_read_from_its_layer_while_that_costs_nothing)
{
	struct staging_view held;
	struct staging_piece piece;

	begin(0);
	write_bytes(0, 100);
	freeze();
	settle(true);
	staging_piece_at(&staging, 0, 100, &piece);
	ck_assert_int_eq(piece.kind, PIECE_STAGED);
	staging_piece_release(&piece);
	/* What the journal names has to go when the journal lets go of it. */
	write_bytes(0, 100);
	seal();
	keep(&held);
	staging_view_release(&held);
	freeze();
	settle(true);
	staging_piece_at(&staging, 0, 100, &piece);
	ck_assert_int_eq(piece.kind, PIECE_BASE);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
	check_shown();
}
END_TEST

/* Bytes of a view that the store has already. */
static uint64_t kept_of(const struct staging_view *one)
{
	CLEANUP_FREE struct store_range *kept = NULL;
	uint64_t total = 0;
	size_t count = 0;

	ck_assert_int_eq(staging_view_kept(one, &kept, &count, &error),
			 STORE_OK);
	for (size_t i = 0; i < count; i++)
		total += kept[i].length;
	return total;
}

START_TEST(only_what_was_not_touched_is_kept)
{
	CLEANUP_FREE struct store_range *kept = NULL;
	size_t count = 0;

	begin(1000);
	fill(0, 300);
	write_bytes(100, 100);
	truncate_to(500);
	truncate_to(800);
	freeze();
	ck_assert_int_eq(staging_view_kept(&view, &kept, &count, &error),
			 STORE_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(kept[0].offset == 0 && kept[0].length == 100);
	ck_assert(kept[1].offset == 200 && kept[1].length == 300);
}
END_TEST

START_TEST(what_any_layer_has_touched_is_not_kept)
{
	struct staging_view held;

	begin(1000);
	write_bytes(100, 100);
	seal();
	keep(&held);
	write_bytes(150, 100);
	freeze();
	ck_assert_uint_eq(view.count, 2);
	ck_assert_uint_eq(kept_of(&view), 850);
	ck_assert_uint_eq(kept_of(&held), 900);
	settle(false);
	truncate_to(120);
	freeze();
	ck_assert_uint_eq(kept_of(&view), 100);
	staging_view_release(&held);
}
END_TEST

/* Bytes of the next publish that the store has already. */
static uint64_t kept_bytes(void)
{
	uint64_t total;

	freeze();
	total = kept_of(&view);
	settle(false);
	return total;
}

START_TEST(only_what_changed_since_the_last_publish_is_sent)
{
	begin(0);
	write_bytes(0, 2000);
	truncate_to(4000);
	freeze();
	settle(true);
	write_bytes(100, 10);
	ck_assert_uint_eq(kept_bytes(), 3990);
	/* Changes that were made while it ran count as new. */
	freeze();
	write_bytes(500, 20);
	settle(true);
	ck_assert_uint_eq(kept_bytes(), 3980);
	write_bytes(4000, 100);
	ck_assert_uint_eq(kept_bytes(), 3980);
	truncate_to(50);
	ck_assert_uint_eq(kept_bytes(), 50);
}
END_TEST

START_TEST(nothing_is_kept_of_a_file_that_was_truncated_to_nothing)
{
	begin(1000);
	truncate_to(0);
	write_bytes(0, 1000);
	freeze();
	ck_assert_uint_eq(kept_of(&view), 0);
}
END_TEST

/* ---- layers that the journal names ---- */

START_TEST(a_kept_layer_is_never_written_again)
{
	struct staging_view held;
	unsigned char bytes[100];

	begin(0);
	write_bytes(0, 100);
	seal();
	keep(&held);
	memcpy(bytes, shown.bytes, sizeof(bytes));
	write_bytes(50, 100);
	punch(0, 40);
	truncate_to(90);
	seal();
	check_disk(held.layers[0], bytes, sizeof(bytes));
	check_shown();
	ck_assert_uint_eq(staging.count, 2);
	staging_view_release(&held);
}
END_TEST

START_TEST(layers_that_nobody_names_become_one)
{
	begin(1000);
	write_bytes(0, 100);
	freeze();
	write_bytes(50, 100);
	ck_assert_uint_eq(staging.count, 2);
	/* Not while the lower one is being sent. */
	seal();
	ck_assert_uint_eq(staging.count, 2);
	settle(false);
	seal();
	ck_assert_uint_eq(staging.count, 1);
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 150);
	check_shown();
}
END_TEST

START_TEST(a_held_view_shows_its_moment_whatever_happens_to_the_file)
{
	struct image first, old_base;
	struct staging_view held;

	begin(1000);
	write_bytes(100, 50);
	seal();
	keep(&held);
	first = shown;
	old_base = base;
	freeze();
	write_bytes(120, 500);
	settle(true);
	check_view(&held, &first, &old_base);
	staging_discard(&staging);
	check_view(&held, &first, &old_base);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 50);
	staging_view_release(&held);
	begin(0);
}
END_TEST

struct buried {
	uint64_t numbers[4];
	size_t count;
};

static bool note_grave(void *arg, uint64_t number, uint64_t bytes)
{
	struct buried *buried = arg;

	ck_assert_uint_lt(buried->count, 4);
	ck_assert_uint_eq(bytes, 10);
	buried->numbers[buried->count++] = number;
	return true;
}

START_TEST(the_files_of_kept_layers_are_buried_and_not_removed)
{
	struct staging_view held;
	struct buried buried = { .count = 0 };
	char name[DATA_NAME_MAX];

	staging_area_bury_with(folder.area, note_grave, &buried);
	begin(0);
	write_bytes(0, 10);
	freeze();
	settle(true);
	staging_discard(&staging);
	ck_assert_uint_eq(buried.count, 0);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
	begin(0);
	write_bytes(0, 10);
	seal();
	keep(&held);
	data_name(staging_top_number(&staging), name);
	staging_discard(&staging);
	staging_view_release(&held);
	ck_assert_uint_eq(buried.count, 1);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	ck_assert_int_eq(area_count(&folder, name), 1);
	ck_assert_int_eq(unlinkat(folder.fd, name, 0), 0);
	staging_area_bury_with(folder.area, NULL, NULL);
}
END_TEST

/* ---- many layers into one ---- */

/* Acknowledgements that nothing is sent of: a layer each. */
static void stack_up(size_t count)
{
	struct staging_view held;

	while (staging.count < count) {
		write_bytes(seed_below(4000), 1 + seed_below(1000));
		if (seed_below(3) == 0)
			truncate_to(seed_below(5000));
		seal();
		keep(&held);
		staging_view_release(&held);
	}
}

static void flatten(size_t first, struct staging_view *held,
		    struct staging_view *flat)
{
	keep(held);
	ck_assert_int_eq(staging_view_flatten(held, first, flat, &error),
			 STORE_OK);
}

START_TEST(a_copy_shows_the_same_as_the_layers_it_replaces)
{
	struct staging_view held, flat;

	begin(3000);
	stack_up(12);
	flatten(0, &held, &flat);
	ck_assert_uint_eq(staging.count, 12);
	check_layer(flat.layers[0]);
	ck_assert(!flat.layers[0]->kept);
	staging_swap(&staging, 0, 12, &flat);
	ck_assert_uint_eq(staging.count, 1);
	ck_assert_uint_eq(flat.count, 12);
	check_shown();
	check_view(&held, &shown, &base);
	staging_view_release(&held);
	staging_view_remove(&flat);
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	ck_assert_uint_eq(staging_area_bytes(folder.area),
			  rangemap_total(&staging.layers[0]->present));
	freeze();
	check_view(&view, &frozen, &base);
	settle(true);
	check_shown();
}
END_TEST

START_TEST(a_copy_leaves_alone_what_is_being_sent_and_what_is_written)
{
	struct staging_view held, flat;
	struct image top;

	begin(3000);
	stack_up(2);
	freeze();
	top = frozen;
	stack_up(11);
	flatten(2, &held, &flat);
	write_bytes(10, 20);
	staging_swap(&staging, 2, 9, &flat);
	ck_assert_uint_eq(staging.count, 4);
	ck_assert_uint_eq(staging.frozen, 2);
	check_shown();
	check_view(&view, &top, &base);
	staging_view_release(&held);
	staging_view_remove(&flat);
	frozen = top;
	settle(true);
	check_shown();
}
END_TEST

START_TEST(a_copy_that_is_not_to_be_can_be_taken_back)
{
	struct staging_view held, flat;

	begin(3000);
	stack_up(10);
	flatten(0, &held, &flat);
	write_bytes(10, 20);
	staging_swap(&staging, 0, 10, &flat);
	staging_swap(&staging, 0, 1, &flat);
	ck_assert_uint_eq(staging.count, 11);
	ck_assert_uint_eq(flat.count, 1);
	for (size_t i = 0; i < 10; i++)
		ck_assert_ptr_eq(staging.layers[i], held.layers[i]);
	check_shown();
	staging_view_release(&held);
	staging_view_remove(&flat);
	ck_assert_int_eq(area_count(&folder, "data-"), 11);
}
END_TEST

static TCase *publish_cases(void)
{
	TCase *tests = tcase_create("publish");

	tcase_add_checked_fixture(tests, staged_open, staged_close);
	tcase_add_test(tests,
		       what_a_publish_stored_is_the_base_of_later_changes);
	tcase_add_test(tests, a_failed_publish_leaves_all_changes);
	tcase_add_test(tests, after_many_failed_publishes_all_is_sent_at_once);
	tcase_add_test(tests, a_publish_may_send_the_lowest_layers_only);
	tcase_add_test(tests, a_partial_publish_that_fails_leaves_the_stack);
	tcase_add_test(
		tests,
		what_was_stored_is_read_from_its_layer_while_that_costs_nothing);
	tcase_add_test(tests, only_what_was_not_touched_is_kept);
	tcase_add_test(tests, what_any_layer_has_touched_is_not_kept);
	tcase_add_test(tests, only_what_changed_since_the_last_publish_is_sent);
	tcase_add_test(tests,
		       nothing_is_kept_of_a_file_that_was_truncated_to_nothing);
	return tests;
}

static TCase *layer_cases(void)
{
	TCase *tests = tcase_create("layers");

	tcase_add_checked_fixture(tests, staged_open, staged_close);
	tcase_add_test(tests, an_untouched_file_stands_in_its_base);
	tcase_add_test(tests, truncated_bytes_do_not_come_back);
	tcase_add_test(tests,
		       truncated_bytes_of_a_lower_layer_do_not_come_back);
	tcase_add_test(tests, punched_holes_take_no_disk_and_are_no_data);
	tcase_add_test(tests,
		       a_gap_between_writes_reads_as_zeros_and_is_not_staged);
	tcase_add_test(tests, a_held_piece_outlives_its_layer);
	tcase_add_test(tests, a_kept_layer_is_never_written_again);
	tcase_add_test(tests, layers_that_nobody_names_become_one);
	tcase_add_test(
		tests,
		a_held_view_shows_its_moment_whatever_happens_to_the_file);
	tcase_add_test(tests,
		       the_files_of_kept_layers_are_buried_and_not_removed);
	tcase_add_test(tests, a_copy_shows_the_same_as_the_layers_it_replaces);
	tcase_add_test(
		tests,
		a_copy_leaves_alone_what_is_being_sent_and_what_is_written);
	tcase_add_test(tests, a_copy_that_is_not_to_be_can_be_taken_back);
	return tests;
}

int main(void)
{
	TCase *cases[] = { publish_cases(), layer_cases(), NULL };

	seed_start();
	return unit_run_cases("mount staging", cases);
}
