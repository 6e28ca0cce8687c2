// SPDX-License-Identifier: MIT
/*
 * The data files of a staging directory: whose they are, and whether their
 * bytes are those that the journal means.
 */
#include "config.h"

#include <check.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/pending_area.h"
#include "tests/unit/unit.h"

static void check_numbers(const uint64_t *got, size_t got_count,
			  const uint64_t *want, size_t want_count)
{
	ck_assert_uint_eq(got_count, want_count);
	for (size_t i = 0; i < want_count; i++)
		ck_assert_uint_eq(got[i], want[i]);
}

static void check_orphans(const uint64_t *want, size_t count)
{
	check_numbers(pending.orphans, pending.orphan_count, want, count);
}

static void check_settled(const uint64_t *want, size_t count)
{
	check_numbers(pending.settled, pending.settled_count, want, count);
}

/* ---- numbers and data files ---- */

START_TEST(the_highest_numbers_ever_used_are_known)
{
	add_layer(9, 40, "x");
	commit();
	put_file(3, "a");
	load();
	ck_assert_uint_eq(pending.last_id, 9);
	ck_assert_uint_eq(pending.last_layer, 40);
	area_reopen();
	add_file(12, "b", LAYERS(50, 45));
	commit();
	load();
	ck_assert_uint_eq(pending.last_id, 12);
	area_reopen();
	put_done(12);
	load();
	ck_assert_uint_eq(pending.last_id, 12);
	ck_assert_uint_eq(pending.last_layer, 50);
	write_data(60, "x", 1);
	load();
	ck_assert_uint_eq(pending.last_layer, 60);
}
END_TEST

/* Nobody counts so far: such a name must not end the counting. */
START_TEST(a_name_out_of_reach_is_not_counted)
{
	put_file(3, "a");
	write_data(60, "x", 1);
	write_data(RECORD_ID_MAX, "x", 1);
	write_data(RECORD_ID_LAST_MAX + 1, "x", 1);
	load();
	ck_assert_uint_eq(pending.last_layer, 60);
	ck_assert_uint_eq(pending.orphan_count, 3);
	ck_assert_int_eq(pending_check_numbers(&pending, NULL), STORE_OK);
	write_data(RECORD_ID_LAST_MAX, "x", 1);
	load();
	ck_assert_uint_eq(pending.last_layer, RECORD_ID_LAST_MAX);
	ck_assert_int_eq(pending_check_numbers(&pending, NULL), STORE_OK);
}
END_TEST

/* All that is pending is listed, and nothing can be added. */
static void refused(const char *what)
{
	load();
	store_error_clear(&error);
	ck_assert_uint_ge(pending.count, 1);
	ck_assert_int_eq(pending_check_numbers(&pending, &error),
			 STORE_CORRUPT);
	ck_assert_msg(strstr(error.message, what), "%s", error.message);
}

START_TEST(records_with_numbers_out_of_reach_are_refused)
{
	put_file(3, "a");
	put_file(RECORD_ID_LAST_MAX, "b");
	load();
	ck_assert_int_eq(pending_check_numbers(&pending, NULL), STORE_OK);
	area_reopen();
	if (_i == 0)
		put_file(RECORD_ID_LAST_MAX + 1, "c");
	if (_i == 1)
		put_file(RECORD_ID_MAX, "c");
	if (_i == 2)
		put_done(RECORD_ID_MAX);
	if (_i == 3) {
		add_file(4, "c", LAYERS(RECORD_ID_MAX));
		commit();
	}
	refused(_i == 0	  ? " file 9223090561878065152"
		: _i == 3 ? " data file 9223372036854775807"
			  : " file 9223372036854775807");
}
END_TEST

START_TEST(data_files_are_told_apart)
{
	for (uint64_t number = 1; number <= 12; number++)
		write_data(number, "x", 1);
	/* 1 and 2 are live, 3 was replaced, 4 and 5 settled with their file. */
	add_file(1, "a", LAYERS(3));
	commit();
	add_file(1, "a", LAYERS(1, 2));
	add_file(2, "b", LAYERS(4));
	add_layer(2, 5, "never named, but its file is settled");
	commit();
	put_done(2);
	/* 6 and 7 were never part of a file that is settled. */
	add_layer(1, 6, "never named");
	add_layer(77, 7, "of a file that nobody knows");
	commit();
	/* 8 is lost to a frame that is not understood; 9 to 12 nobody knows. */
	add_file(3, "c", LAYERS(8));
	add_nonsense();
	commit();
	load();
	check_orphans(LAYERS(6, 7, 8, 9, 10, 11, 12));
	check_settled(LAYERS(3, 4, 5));
}
END_TEST

START_TEST(what_is_named_again_is_not_settled)
{
	write_data(1, "x", 1);
	write_data(2, "x", 1);
	add_file(1, "a", LAYERS(1, 2));
	add_file(2, "b", LAYERS(2));
	commit();
	put_done(1);
	add_file(3, "c", LAYERS(1));
	commit();
	load();
	check_settled(NULL, 0);
	check_orphans(NULL, 0);
	area_reopen();
	put_done(2);
	put_done(3);
	load();
	check_settled(LAYERS(1, 2));
	/* Bytes of its own, for a file that is not known yet. */
	area_reopen();
	add_layer(9, 2, "x");
	commit();
	load();
	check_settled(LAYERS(1));
	check_orphans(LAYERS(2));
}
END_TEST

START_TEST(other_names_are_no_data_files)
{
	static const char *const names[] = {
		"data-",
		"data-0",
		"data-01",
		"data-1x",
		"data-1.json",
		"data--1",
		"data- 1",
		"data-+1",
		"Data-1",
		"data-1-2",
		"data-9223372036854775808",
		"data-18446744073709551617",
		"data-99999999999999999999999999999",
		"identity",
		"xdata-1",
	};
	uint64_t number = 5;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = openat(area_fd, names[i], O_CREAT | O_CLOEXEC, 0600);

		ck_assert_int_ge(fd, 0);
		close(fd);
		ck_assert(!data_number(names[i], &number));
	}
	ck_assert_int_eq(mkdirat(area_fd, "data-3", 0700), 0);
	ck_assert_int_eq(symlinkat("identity", area_fd, "data-4"), 0);
	ck_assert_uint_eq(number, 5);
	load();
	check_orphans(NULL, 0);
	check_settled(NULL, 0);
	ck_assert_uint_eq(pending.last_layer, 0);
}
END_TEST

START_TEST(names_of_data_files_are_numbers_and_back)
{
	static const uint64_t numbers[] = { 1, 9, 10, 1234567890123,
					    RECORD_ID_MAX };
	char name[DATA_NAME_MAX];
	uint64_t number;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		data_name(numbers[i], name);
		ck_assert(data_number(name, &number));
		ck_assert_uint_eq(number, numbers[i]);
	}
	data_name(17, name);
	ck_assert_str_eq(name, "data-17");
	data_name(UINT64_MAX, name);
	ck_assert_str_eq(name, "data-18446744073709551615");
}
END_TEST

/* ---- bytes ---- */

enum { STORED = 50000 };

static unsigned char stored[STORED];

/* Gaps before, between and behind, and more than one read each. */
static struct span spans[] = { { 3, 20000 },
			       { 20001, 20002 },
			       { 25000, 49990 } };

static void make_bytes(void)
{
	for (size_t i = 0; i < STORED; i++)
		stored[i] = (unsigned char)(i * 7 + i / 256);
	/* What a file that is too short would read as. */
	stored[49989] = 0;
}

static uint64_t stored_checksum(void)
{
	struct checksum *sum = checksum_begin();

	ck_assert_ptr_nonnull(sum);
	for (size_t i = 0; i < 3; i++)
		checksum_add(sum, stored + spans[i].start,
			     (size_t)(spans[i].end - spans[i].start));
	return checksum_end(sum);
}

/* File 1 with layer 5 in data-5, and layer 6 in the journal. */
static void put_stored(void)
{
	struct rangemap map = { .spans = spans, .count = 3 };

	make_bytes();
	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = 5,
			   .size = STORED,
			   .present = map,
			   .data_length = rangemap_total(&map),
			   .checksum = stored_checksum() },
	});
	add_layer(1, 6, "inline");
	add_file(1, "a", LAYERS(5, 6));
	commit();
	write_data(5, stored, STORED);
}

/* `on_load`: without reading a byte it is seen. */
static void check_verdict(int code, bool on_load)
{
	int seen = on_load ? code : STORE_OK;

	load();
	ck_assert_int_eq(find(1)->layers[0]->code, seen);
	ck_assert(find(1)->damaged == (seen != STORE_OK));
	pending_verify(area_fd, &pending);
	ck_assert_int_eq(find(1)->layers[0]->code, code);
	ck_assert_int_eq(find(1)->layers[1]->code, STORE_OK);
	ck_assert(find(1)->damaged == (code != STORE_OK));
}

START_TEST(whole_bytes_are_found_whole)
{
	put_stored();
	check_verdict(STORE_OK, true);
	ck_assert_ptr_null(find(1)->layers[0]->record.data);
	ck_assert_uint_eq(find(1)->layers[0]->record.present.count, 3);
}
END_TEST

START_TEST(bytes_that_are_not_present_do_not_matter)
{
	put_stored();
	memset(stored, 'x', 3);
	stored[20000] = 'x';
	memset(stored + 20002, 'x', 25000 - 20002);
	memset(stored + 49990, 'x', 10);
	write_data(5, stored, STORED);
	check_verdict(STORE_OK, true);
	write_data(5, stored, 49990);
	check_verdict(STORE_OK, true);
}
END_TEST

START_TEST(every_flipped_byte_is_found)
{
	static const size_t places[] = { 3,	16386, 19999, 20001,
					 25000, 41384, 49989 };

	put_stored();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		stored[places[i]] ^= 0x20;
		write_data(5, stored, STORED);
		check_verdict(STORE_CORRUPT, false);
		stored[places[i]] ^= 0x20;
	}
	write_data(5, stored, STORED);
	check_verdict(STORE_OK, true);
}
END_TEST

START_TEST(a_file_shorter_than_needed_is_damage)
{
	put_stored();
	/* Also where only a zero is missing. */
	write_data(5, stored, 49989);
	check_verdict(STORE_CORRUPT, true);
	write_data(5, stored, 0);
	check_verdict(STORE_CORRUPT, true);
}
END_TEST

START_TEST(a_file_that_is_gone_or_none_is_damage)
{
	put_stored();
	ck_assert_int_eq(unlinkat(area_fd, "data-5", 0), 0);
	check_verdict(STORE_CORRUPT, true);
	ck_assert_int_eq(mkdirat(area_fd, "data-5", 0700), 0);
	check_verdict(STORE_CORRUPT, true);
	ck_assert_int_eq(unlinkat(area_fd, "data-5", AT_REMOVEDIR), 0);
	ck_assert_int_eq(mkfifoat(area_fd, "data-5", 0600), 0);
	check_verdict(STORE_CORRUPT, true);
	ck_assert_int_eq(unlinkat(area_fd, "data-5", 0), 0);
	write_data(9, stored, STORED);
	ck_assert_int_eq(symlinkat("data-9", area_fd, "data-5"), 0);
	check_verdict(STORE_CORRUPT, true);
}
END_TEST

/* ---- holes ---- */

/* data-5 with its bytes in these spans only, and a length. */
static void write_sparse(const struct span *list, size_t count, off_t size)
{
	int fd = openat(area_fd, "data-5",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < count; i++) {
		size_t length = (size_t)(list[i].end - list[i].start);

		ck_assert_int_eq(pwrite(fd, stored + list[i].start, length,
					(off_t)list[i].start),
				 (ssize_t)length);
	}
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static void zero_between(uint64_t start, uint64_t end)
{
	memset(stored + start, 0, (size_t)(end - start));
}

/* One range that is partly holes, as zeroing a range leaves it. */
static void put_sparse(uint64_t checksum, uint64_t size)
{
	struct span all = { 0, size };

	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = 5,
			   .size = size,
			   .present = { .spans = &all, .count = 1 },
			   .data_length = size,
			   .checksum = checksum },
	});
	add_layer(1, 6, "inline");
	add_file(1, "a", LAYERS(5, 6));
	commit();
}

START_TEST(holes_count_as_zeros)
{
	static const struct span lists[][2] = {
		{ { 0, 4096 }, { 40960, 45056 } },
		{ { 8192, 12288 }, { 16384, STORED } },
		{ { 4096, 4097 }, { 49999, STORED } },
		{ { 0, 0 }, { 0, 0 } },
		{ { 0, 4096 }, { 4096, STORED } },
	};
	const struct span *list = lists[_i];

	make_bytes();
	zero_between(0, list[0].start);
	zero_between(list[0].end, list[1].start);
	zero_between(list[1].end, STORED);
	put_sparse(checksum64(stored, STORED), STORED);
	write_sparse(list, 2, STORED);
	check_verdict(STORE_OK, true);
	stored[list[1].start] ^= 1;
	write_data(5, stored, STORED);
	check_verdict(STORE_CORRUPT, false);
	stored[list[1].start] ^= 1;
	write_sparse(list, 2, STORED - 1);
	check_verdict(STORE_CORRUPT, true);
}
END_TEST

/* Reading it would take hours; its damage is seen where it can be. */
START_TEST(holes_without_end_keep_nobody_waiting)
{
	const uint64_t size = UINT64_C(1) << 43;

	make_bytes();
	put_sparse(17, size);
	write_sparse(spans, 3, (off_t)size);
	check_verdict(STORE_OK, true);
	write_sparse(spans, 3, (off_t)size - 1);
	check_verdict(STORE_CORRUPT, true);
}
END_TEST

START_TEST(a_layer_without_bytes_needs_no_file)
{
	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = 5,
			   .size = 100,
			   .checksum = checksum64("", 0) },
	});
	add_layer(1, 6, "");
	add_file(1, "a", LAYERS(5, 6));
	commit();
	check_verdict(STORE_OK, true);
}
END_TEST

START_TEST(bytes_in_the_journal_are_checked)
{
	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = 5,
			   .size = 3,
			   .present = { .spans = &(struct span){ 0, 3 },
					.count = 1 },
			   .data = "abc",
			   .data_length = 3,
			   .checksum = checksum64("abd", 3) },
	});
	add_layer(1, 6, "inline");
	add_file(1, "a", LAYERS(5, 6));
	commit();
	check_verdict(STORE_CORRUPT, false);
}
END_TEST

START_TEST(damage_of_one_file_is_not_that_of_others)
{
	put_stored();
	add_layer(2, 7, "whole");
	add_file(2, "b", LAYERS(7));
	commit();
	write_data(5, stored, 10);
	check_verdict(STORE_CORRUPT, true);
	ck_assert(!find(2)->damaged);
	/* It is looked at anew each time. */
	write_data(5, stored, STORED);
	pending_verify(area_fd, &pending);
	ck_assert(!find(1)->damaged);
	ck_assert_int_eq(find(1)->layers[0]->code, STORE_OK);
}
END_TEST

static TCase *numbers(void)
{
	TCase *tests = tcase_create("numbers");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_highest_numbers_ever_used_are_known);
	tcase_add_test(tests, a_name_out_of_reach_is_not_counted);
	tcase_add_loop_test(
		tests, records_with_numbers_out_of_reach_are_refused, 0, 4);
	tcase_add_test(tests, data_files_are_told_apart);
	tcase_add_test(tests, what_is_named_again_is_not_settled);
	tcase_add_test(tests, other_names_are_no_data_files);
	tcase_add_test(tests, names_of_data_files_are_numbers_and_back);
	return tests;
}

static TCase *bytes(void)
{
	TCase *tests = tcase_create("bytes");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, whole_bytes_are_found_whole);
	tcase_add_test(tests, bytes_that_are_not_present_do_not_matter);
	tcase_add_test(tests, every_flipped_byte_is_found);
	tcase_add_test(tests, a_file_shorter_than_needed_is_damage);
	tcase_add_test(tests, a_file_that_is_gone_or_none_is_damage);
	tcase_add_loop_test(tests, holes_count_as_zeros, 0, 5);
	tcase_add_test(tests, holes_without_end_keep_nobody_waiting);
	tcase_add_test(tests, a_layer_without_bytes_needs_no_file);
	tcase_add_test(tests, bytes_in_the_journal_are_checked);
	tcase_add_test(tests, damage_of_one_file_is_not_that_of_others);
	return tests;
}

int main(void)
{
	TCase *cases[] = { numbers(), bytes(), NULL };

	return unit_run_cases("mount pending data", cases);
}
