// SPDX-License-Identifier: MIT
/*
 * Layers of staged files on the disk: what a record of the journal says of
 * them, what stays, and how they come back.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "mount/layer_keep.h"
#include "mount/pending.h"
#include "src/base/checksum.h"
#include "tests/unit/mount_staging.h"
#include "tests/unit/unit.h"

/* ---- what stays on the disk ---- */

START_TEST(files_that_are_left_stay_and_their_records_tell_what_they_hold)
{
	unsigned char bytes[600] = { 0 };
	struct record_layer record;
	CLEANUP_FREE void *data = NULL;
	struct staging_view held;
	bool named = false;
	uint64_t end;

	begin(1000);
	write_bytes(100, 64);
	truncate_to(600);
	truncate_to(5000);
	seal();
	keep(&held);
	ck_assert_int_eq(
		layer_keep(held.layers[0], 7, &record, &data, &named, &error),
		STORE_OK);
	ck_assert_uint_eq(record.file, 7);
	ck_assert_uint_eq(record.number, staging_top_number(&staging));
	ck_assert_uint_eq(record.size, 5000);
	ck_assert_uint_eq(record.lower_limit, 600);
	ck_assert_uint_eq(record.data_length, 64);
	ck_assert_uint_eq(rangemap_total(&record.present), 64);
	ck_assert(rangemap_at(&record.present, 100, &end));
	ck_assert(!named);
	ck_assert_int_eq(memcmp(data, shown.bytes + 100, 64), 0);
	ck_assert_uint_eq(record.checksum, checksum64(data, 64));
	staging_leave(&staging);
	ck_assert_uint_eq(staging.count, 0);
	memcpy(bytes + 100, shown.bytes + 100, 64);
	check_disk(held.layers[0], bytes, sizeof(bytes));
	staging_view_release(&held);
	area_empty(&folder);
}
END_TEST

START_TEST(a_long_layer_stays_in_its_file_and_has_its_checksum)
{
	enum { LONG = LAYER_INLINE_MAX + 1 };
	CLEANUP_FREE unsigned char *bytes = malloc(LONG);
	struct record_layer record;
	struct staging_view held;
	bool named = false;
	void *data;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < LONG; i++)
		bytes[i] = (unsigned char)seed_next();
	begin(0);
	ck_assert_int_eq(staging_write(&staging, bytes, 0, LONG, &error),
			 STORE_OK);
	seal();
	keep(&held);
	ck_assert_int_eq(
		layer_keep(held.layers[0], 7, &record, &data, &named, &error),
		STORE_OK);
	ck_assert(named);
	ck_assert_ptr_null(data);
	ck_assert_ptr_null(record.data);
	ck_assert_uint_eq(record.data_length, LONG);
	ck_assert_uint_eq(record.checksum, checksum64(bytes, LONG));
	staging_leave(&staging);
	check_disk(held.layers[0], bytes, LONG);
	staging_view_release(&held);
	area_empty(&folder);
}
END_TEST

START_TEST(what_a_publish_had_frozen_is_left_with_the_rest)
{
	struct staging_layer *layer;

	begin(0);
	write_bytes(0, 40);
	freeze();
	write_bytes(30, 34);
	settle(false);
	seal();
	ck_assert_uint_eq(staging.count, 1);
	layer = staging.layers[0];
	layer_ref(layer);
	staging_leave(&staging);
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	check_disk(layer, shown.bytes, 64);
	layer_unref(layer);
	area_empty(&folder);
}
END_TEST

START_TEST(nothing_is_left_where_nothing_is_staged)
{
	begin(10);
	staging_leave(&staging);
	ck_assert_int_eq(area_count(&folder, ""), 0);
	ck_assert_uint_eq(staging.size, 10);
}
END_TEST

static struct rangemap copy_of(const struct rangemap *map)
{
	struct rangemap copy;

	rangemap_init(&copy);
	for (size_t i = 0; i < map->count; i++) {
		ck_assert_int_eq(rangemap_reserve(&copy, &error), STORE_OK);
		rangemap_add(&copy, map->spans[i].start, map->spans[i].end);
	}
	return copy;
}

START_TEST(a_layer_comes_back_from_its_file_and_its_maps)
{
	struct rangemap present, dirty;
	struct staging_layer *left, *back;
	struct staging_view one;

	begin(1000);
	fill(0, 50);
	write_bytes(100, 64);
	write_bytes(600, 64);
	truncate_to(620);
	seal();
	left = staging.layers[0];
	layer_ref(left);
	present = copy_of(&left->present);
	dirty = copy_of(&left->dirty);
	staging_leave(&staging);
	ck_assert_int_eq(
		layer_restore(folder.area, left->number, false, &back, &error),
		STORE_OK);
	layer_restore_maps(back, left->size, left->lower_limit, &present,
			   &dirty);
	layer_unref(left);
	check_layer(back);
	ck_assert(back->kept && back->recorded);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 50 + 64 + 20);
	one = (struct staging_view){ .layers = &back,
				     .count = 1,
				     .size = back->size };
	check_view(&one, &shown, &base);
	layer_remove(back);
}
END_TEST

START_TEST(a_layer_whose_file_is_gone_does_not_come_back)
{
	struct staging_layer *layer;

	ck_assert_int_eq(layer_restore(folder.area, 17, false, &layer, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(layer_restore(folder.area, 17, true, &layer, &error),
			 STORE_OK);
	layer_remove(layer);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
}
END_TEST

#ifndef SANITIZED
START_TEST(closing_the_area_deletes_what_nobody_closed)
{
	struct staging other, third;
	struct staging_view held;

	begin(0);
	write_bytes(0, 10);
	staging_init(&other, folder.area, 0);
	ck_assert_int_eq(staging_write(&other, "left", 0, 4, &error), STORE_OK);
	staging_leave(&other);
	staging_init(&third, folder.area, 0);
	ck_assert_int_eq(staging_write(&third, "kept", 0, 4, &error), STORE_OK);
	ck_assert_int_eq(staging_seal(&third, &error), STORE_OK);
	ck_assert_int_eq(staging_freeze(&third, 1, false, &held, &error),
			 STORE_OK);
	held.layers[0]->kept = true;
	ck_assert_int_eq(area_count(&folder, "data-"), 3);
	staging_area_close(folder.area);
	ck_assert_int_eq(area_count(&folder, "data-"), 2);
	ck_assert_int_eq(area_count(&folder, "data-1"), 0);
	area_empty(&folder);
	ck_assert_int_eq(staging_area_open(folder.fd, 0, &folder.area, &error),
			 STORE_OK);
	/* The layers are lost with the mount they were of. */
	staging_init(&staging, folder.area, 0);
}
END_TEST
#endif

START_TEST(files_of_an_earlier_run_are_not_touched)
{
	int fd = openat(folder.fd, "data-1", O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "old", 3), 3);
	begin(0);
	write_bytes(0, 100);
	ck_assert_uint_eq(staging_top_number(&staging), 2);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 3);
	close(fd);
	staging_discard(&staging);
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	ck_assert_int_eq(unlinkat(folder.fd, "data-1", 0), 0);
}
END_TEST

/* No file can be opened: what fails is named. */
START_TEST(what_fails_is_named)
{
	struct rlimit limit, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	staging_area_begin_at(folder.area, 41);
	begin(0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_ne(staging_write(&staging, "x", 0, 1, &error), STORE_OK);
	ck_assert(!strncmp(error.message, "staging directory/data-42: ", 27));
	staging_area_call(folder.area, "/some/where");
	ck_assert_int_ne(staging_write(&staging, "x", 0, 1, &error), STORE_OK);
	ck_assert_msg(!strncmp(error.message, "/some/where/data-43: ", 21),
		      "%s", error.message);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(numbers_go_on_where_an_earlier_run_ended)
{
	staging_area_begin_at(folder.area, 41);
	begin(0);
	write_bytes(0, 100);
	ck_assert_uint_eq(staging_top_number(&staging), 42);
	ck_assert_int_eq(area_count(&folder, "data-42"), 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("disk");

	seed_start();
	tcase_add_checked_fixture(tests, staged_open, staged_close);
	tcase_add_test(
		tests,
		files_that_are_left_stay_and_their_records_tell_what_they_hold);
	tcase_add_test(tests,
		       a_long_layer_stays_in_its_file_and_has_its_checksum);
	tcase_add_test(tests, what_a_publish_had_frozen_is_left_with_the_rest);
	tcase_add_test(tests, nothing_is_left_where_nothing_is_staged);
	tcase_add_test(tests, a_layer_comes_back_from_its_file_and_its_maps);
	tcase_add_test(tests, a_layer_whose_file_is_gone_does_not_come_back);
#ifndef SANITIZED
	/* It leaks on purpose, as the end of a mount may. */
	tcase_add_test(tests, closing_the_area_deletes_what_nobody_closed);
#endif
	tcase_add_test(tests, files_of_an_earlier_run_are_not_touched);
	tcase_add_test(tests, what_fails_is_named);
	tcase_add_test(tests, numbers_go_on_where_an_earlier_run_ended);
	return unit_run("mount layer", tests);
}
