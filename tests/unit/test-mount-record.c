// SPDX-License-Identifier: MIT
/* Records of the staging journal: what is written comes back. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "mount/record.h"
#include "tests/unit/record_samples.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

START_TEST(a_move_told_by_an_older_version_is_read)
{
	struct record record = some_move(RECORD_MOVING), got;
	size_t at = 0;
	int code = STORE_OK;

	record.move.told = false;
	record.move.replaced = 0;
	record.move.seen = false;
	record_encode(&frame, &record);
	ck_assert_int_eq(frame.failed, STORE_OK);
	ck_assert(record_decode(frame.data, frame.length, &at, &got, &code,
				&error));
	check_record(&got, &record);
	record_release(&got);
}
END_TEST

START_TEST(every_field_of_every_record_comes_back)
{
	struct record record = sample(_i);

	check_round_trip(&record);
}
END_TEST

START_TEST(every_state_and_code_comes_back)
{
	struct record record = bare_file();

	for (int state = RECORD_UNFINISHED; state <= RECORD_FAILED; state++)
		for (int code = STORE_INTERNAL; code <= STORE_OK; code++) {
			record.file.state = (enum record_state)state;
			record.file.code = code;
			check_round_trip(&record);
		}
}
END_TEST

START_TEST(every_flag_stands_for_itself)
{
	for (int bits = 0; bits < 128; bits++) {
		struct record record = bare_file();

		record.file.created = bits & 1;
		record.file.base_exists = bits & 2;
		record.file.content = bits & 4;
		record.file.base.weak = bits & 8;
		record.file.reason = bits & 16 ? reason : NULL;
		record.file.base_goes = bits & 32;
		record.file.sent_count = bits & 64 ? RECORD_SENT_MAX : 0;
		check_round_trip(&record);
	}
}
END_TEST

START_TEST(attributes_outside_of_the_mask_do_not_matter)
{
	for (uint32_t mask = 0; mask < 32; mask++) {
		struct record record = full_file();
		struct store_attributes *set = &record.file.attributes;
		struct store_attributes kept = { .mask = mask };
		size_t at = 0;
		int code;

		set->mask = mask;
		if (mask & STORE_ATTR_MODE)
			kept.mode = set->mode;
		else
			set->mode = 0100644;
		if (mask & STORE_ATTR_UID)
			kept.uid = set->uid;
		if (mask & STORE_ATTR_GID)
			kept.gid = set->gid;
		if (mask & STORE_ATTR_MTIME)
			kept.mtime = set->mtime;
		else
			set->mtime.tv_nsec = -1;
		if (mask & STORE_ATTR_ATIME)
			kept.atime = set->atime;
		buf_clear(&frame);
		encode(&record);
		ck_assert(record_decode(frame.data, frame.length, &at, &back,
					&code, &error));
		check_attributes(&back.file.attributes, &kept);
		record_release(&back);
	}
}
END_TEST

START_TEST(names_of_any_byte_come_back)
{
	struct record record = bare_file();
	size_t used = 0;

	for (int byte = 1; byte < 256; byte++) {
		key_room[used++] = (char)byte;
		/* "/" itself ends a component that must not be empty. */
		if (byte % 100 == 0)
			key_room[used++] = '/';
	}
	key_room[used] = '\0';
	record.file.key = key_room;
	check_round_trip(&record);
	memset(key_room, 0, sizeof(key_room));
	for (int byte = 1; byte < 256; byte++) {
		if (byte == '/' || byte == '.')
			continue;
		key_room[0] = (char)byte;
		check_round_trip(&record);
	}
}
END_TEST

START_TEST(the_longest_of_everything_comes_back)
{
	static char token[STORE_VERSION_MAX], longest[RECORD_REASON_MAX + 1];
	static char name[256], value[65536];
	struct record_xattr xattr = { name, value, sizeof(value) };
	struct record record = full_file();

	memset(token, 't', sizeof(token) - 1);
	memset(longest, 'r', sizeof(longest) - 1);
	memset(name, 'n', sizeof(name) - 1);
	memcpy(record.file.base.token, token, sizeof(token));
	record.file.reason = longest;
	record.file.xattrs = &xattr;
	record.file.xattr_count = 1;
	record.file.key = long_key(STORE_KEY_MAX - 1);
	check_round_trip(&record);
	record.file.key = long_key(STORE_KEY_MAX);
	check_round_trip(&record);
}
END_TEST

START_TEST(empty_layers_come_back)
{
	struct record record = { .type = RECORD_LAYER,
				 .layer = { .file = 1, .number = 1 } };

	check_round_trip(&record);
	record.layer.data = "";
	check_round_trip(&record);
	record.layer.size = record.layer.lower_limit = INT64_MAX;
	check_round_trip(&record);
}
END_TEST

START_TEST(maps_of_very_many_ranges_come_back)
{
	enum { RANGES = 100000 };
	struct span *spans = calloc(RANGES, sizeof(*spans));
	struct record record = {
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = 2,
			   .size = INT64_MAX,
			   .present = { .spans = spans, .count = RANGES },
			   .dirty = { .spans = spans, .count = RANGES } },
	};
	uint64_t at = 0;

	ck_assert_ptr_nonnull(spans);
	for (size_t i = 0; i < RANGES; i++) {
		at += 1 + seed_below(1000);
		spans[i].start = at;
		at += 1 + seed_below(1000);
		spans[i].end = at;
	}
	record.layer.data_length = rangemap_total(&record.layer.present);
	check_round_trip(&record);
	/* The last byte that a file can have. */
	spans[RANGES - 1].end = INT64_MAX;
	record.layer.data_length = rangemap_total(&record.layer.present);
	check_round_trip(&record);
	free(spans);
}
END_TEST

START_TEST(a_frame_of_many_records_comes_apart_in_order)
{
	size_t at = 0;
	int code;

	for (int i = 0; i < SAMPLES; i++) {
		struct record record = sample(i);

		encode(&record);
	}
	for (int i = 0; i < SAMPLES; i++) {
		struct record record = sample(i);

		ck_assert(record_decode(frame.data, frame.length, &at, &back,
					&code, &error));
		check_record(&back, &record);
		record_release(&back);
	}
	ck_assert(!record_decode(frame.data, frame.length, &at, &back, &code,
				 &error));
	ck_assert_int_eq(code, STORE_OK);
	ck_assert_int_eq(decode_all(frame.data, frame.length), STORE_OK);
	ck_assert_int_eq(decode_all("", 0), STORE_OK);
}
END_TEST

START_TEST(the_form_of_a_record_is_this)
{
	static const unsigned char want[] = {
		5, 0, 0, 0,   14,   0,	  0, 0, 1,   0, 0, 0, 1,
		0, 0, 0, 'a', 1,    0,	  0, 0, 'b', 3, 0, 0, 0,
		8, 0, 0, 0,   0x08, 0x07, 6, 5, 4,   3, 2, 1,
	};
	char a[] = "a", b[] = "b";
	struct record moved = { .type = RECORD_MOVED,
				.move = { .from = a, .to = b, .done = true } };
	struct record done = { .type = RECORD_DONE,
			       .id = UINT64_C(0x0102030405060708) };

	encode(&moved);
	encode(&done);
	ck_assert_uint_eq(frame.length, sizeof(want));
	ck_assert_mem_eq(frame.data, want, sizeof(want));
}
END_TEST

START_TEST(a_frame_that_is_full_takes_nothing_more)
{
	struct record record = some_layer(true);
	size_t length;

	encode(&record);
	length = frame.length;
	frame.max = length * 2 - 1;
	record_encode(&frame, &record);
	ck_assert_int_eq(frame.failed, STORE_TOO_LARGE);
	buf_clear(&frame);
	frame.max = length * 2;
	encode(&record);
	encode(&record);
	ck_assert_uint_eq(frame.length, length * 2);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("record");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, every_field_of_every_record_comes_back, 0,
			    SAMPLES);
	tcase_add_test(tests, a_move_told_by_an_older_version_is_read);
	tcase_add_test(tests, every_state_and_code_comes_back);
	tcase_add_test(tests, every_flag_stands_for_itself);
	tcase_add_test(tests, attributes_outside_of_the_mask_do_not_matter);
	tcase_add_test(tests, names_of_any_byte_come_back);
	tcase_add_test(tests, the_longest_of_everything_comes_back);
	tcase_add_test(tests, empty_layers_come_back);
	tcase_add_test(tests, maps_of_very_many_ranges_come_back);
	tcase_add_test(tests, a_frame_of_many_records_comes_apart_in_order);
	tcase_add_test(tests, the_form_of_a_record_is_this);
	tcase_add_test(tests, a_frame_that_is_full_takes_nothing_more);
	return unit_run("mount record", tests);
}
