// SPDX-License-Identifier: MIT
/*
 * Records of the staging journal: no bytes whatever make the reader crash or
 * believe what cannot be, and what it would not believe is never written.
 */
#include "config.h"

#include <check.h>
#include <string.h>

#include "mount/record.h"
#include "tests/unit/record_samples.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

/* The record cannot be written; read from bytes, it would name the field. */
static void check_refused(const struct record *record, const char *field)
{
	ck_assert_int_eq(record_check(record, &error), STORE_CORRUPT);
	if (!strstr(error.message, field))
		ck_abort_msg("\"%s\" does not name %s", error.message, field);
	buf_clear(&frame);
	record_encode(&frame, record);
	ck_assert_int_eq(frame.failed, STORE_INTERNAL);
}

START_TEST(no_truncation_of_a_record_is_believed)
{
	struct record record = sample(_i);

	encode(&record);
	for (size_t length = 1; length < frame.length; length++)
		if (decode_all(frame.data, length) != STORE_CORRUPT)
			ck_abort_msg("%zu of %zu bytes", length, frame.length);
}
END_TEST

START_TEST(no_flipped_bit_harms_the_reader)
{
	struct record record = sample(_i);
	size_t refused = 0;

	encode(&record);
	for (size_t bit = 0; bit < frame.length * 8; bit++) {
		char mask = (char)(1 << bit % 8);

		frame.data[bit / 8] ^= mask;
		refused += decode_all(frame.data, frame.length) != STORE_OK;
		frame.data[bit / 8] ^= mask;
	}
	/* At least the lengths, the type and the reserved field. */
	ck_assert_uint_gt(refused, 60);
}
END_TEST

START_TEST(no_number_in_the_place_of_another_harms_the_reader)
{
	static const uint32_t numbers[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff
	};
	struct record record = sample(_i);

	encode(&record);
	for (size_t at = 0; at + 4 <= frame.length; at++)
		for (size_t i = 0; i < sizeof(numbers) / 4; i++) {
			char kept[4];

			memcpy(kept, frame.data + at, 4);
			memcpy(frame.data + at, &numbers[i], 4);
			(void)decode_all(frame.data, frame.length);
			memcpy(frame.data + at, kept, 4);
		}
}
END_TEST

START_TEST(random_bytes_harm_nobody)
{
	unsigned char noise[400];

	for (int round = 0; round < 20000; round++) {
		size_t length = seed_below(sizeof(noise));

		for (size_t i = 0; i < length; i++)
			noise[i] =
				(unsigned char)(seed_below(4) ? seed_below(12)
							      : seed_next());
		/* A head that is right lets the body be looked at. */
		if (length >= 8 && round % 2) {
			uint32_t body = (uint32_t)length - 8;

			noise[0] = (unsigned char)(1 + seed_below(6));
			noise[1] = noise[2] = noise[3] = 0;
			for (int i = 0; i < 4; i++)
				noise[4 + i] = (unsigned char)(body >> 8 * i);
		}
		(void)decode_all(noise, length);
	}
}
END_TEST

START_TEST(bytes_behind_the_fields_are_refused)
{
	struct record record = sample(_i);

	encode(&record);
	buf_add_char(&frame, 0);
	frame.data[4]++;
	ck_assert_int_eq(decode_all(frame.data, frame.length), STORE_CORRUPT);
}
END_TEST

START_TEST(unknown_types_are_refused)
{
	for (unsigned int type = 0; type < 65536; type++) {
		unsigned char record[9] = { (unsigned char)type,
					    (unsigned char)(type >> 8), 0, 0,
					    1 };
		size_t at = 0;
		int code;

		ck_assert(!record_decode(record, sizeof(record), &at, &back,
					 &code, &error));
		ck_assert_int_eq(code, STORE_CORRUPT);
		ck_assert_uint_eq(at, 0);
		if (type >= RECORD_LAYER && type <= RECORD_UPLOAD_ENDED)
			continue;
		ck_assert_ptr_nonnull(strstr(error.message, "type: unknown"));
	}
}
END_TEST

START_TEST(a_zero_in_a_text_is_refused)
{
	static const char *const texts[] = { "folder/name", "the store",
					     "user.a", "etag" };
	struct record record = full_file();

	encode(&record);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *at = memmem(frame.data, frame.length, texts[i],
				  strlen(texts[i]));
		char kept = at[2];

		at[2] = '\0';
		ck_assert_int_eq(decode_all(frame.data, frame.length),
				 STORE_CORRUPT);
		ck_assert_ptr_nonnull(strstr(error.message, "zero"));
		at[2] = kept;
	}
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
	struct record done = { .type = RECORD_DONE };
	struct record file = bare_file();
	struct record layer = some_layer(false);

	check_refused(&done, "DONE: id");
	done.id = RECORD_ID_MAX + 1;
	check_refused(&done, "DONE: id");
	file.file.id = 0;
	check_refused(&file, "FILE: id");
	layer.layer.number = 0;
	check_refused(&layer, "LAYER: number");
	layer = some_layer(false);
	layer.layer.file = RECORD_ID_MAX + 1;
	check_refused(&layer, "LAYER: file");
}
END_TEST

START_TEST(unknown_states_and_codes_are_refused)
{
	struct record record = bare_file();

	record.file.state = 0;
	check_refused(&record, "state");
	record.file.state = RECORD_FAILED + 1;
	check_refused(&record, "state");
	record = bare_file();
	record.file.code = 1;
	check_refused(&record, "code");
	record.file.code = STORE_INTERNAL - 1;
	check_refused(&record, "code");
	record.file.code = INT32_MIN;
	check_refused(&record, "code");
}
END_TEST

START_TEST(uploads_without_a_number_or_a_token_are_refused)
{
	static char long_token[RECORD_TOKEN_MAX + 2];
	struct record ended = { .type = RECORD_UPLOAD_ENDED };
	struct record upload = some_upload();

	check_refused(&ended, "UPLOAD_ENDED: id");
	upload.upload.id = RECORD_ID_MAX + 1;
	check_refused(&upload, "UPLOAD: id");
	upload = some_upload();
	upload.upload.file = RECORD_ID_MAX + 1;
	check_refused(&upload, "UPLOAD: file");
	upload.upload.file = 0;
	ck_assert_int_eq(record_check(&upload, &error), STORE_OK);
	upload.upload.token = long_token;
	check_refused(&upload, "UPLOAD: token");
	memset(long_token, 't', RECORD_TOKEN_MAX + 1);
	check_refused(&upload, "UPLOAD: token");
	long_token[RECORD_TOKEN_MAX] = '\0';
	ck_assert_int_eq(record_check(&upload, &error), STORE_OK);
}
END_TEST

START_TEST(attributes_out_of_range_are_refused)
{
	struct record record = full_file();

	record.file.attributes.mask = 32;
	check_refused(&record, "mask");
	record = full_file();
	record.file.attributes.mode = 010000;
	check_refused(&record, "mode");
	record = full_file();
	record.file.attributes.mtime.tv_nsec = 1000000000;
	check_refused(&record, "mtime");
	record.file.attributes.mtime.tv_nsec = -1;
	check_refused(&record, "mtime");
	record = full_file();
	record.file.attributes.atime.tv_nsec = 1000000000;
	check_refused(&record, "atime");
}
END_TEST

START_TEST(keys_that_no_store_takes_are_refused)
{
	static const char *const keys[] = {
		"",    "/",   "a/",   "/a",   "a//b",  ".",	 "..",
		"./a", "a/.", "a/..", "../a", "a/./b", "a/../b",
	};
	static const char *const fields[] = { "from", "from", "key" };
	struct record upload = some_upload();
	char room[300];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct record file = bare_file();

		memcpy(room, keys[i], strlen(keys[i]) + 1);
		file.file.key = room;
		check_refused(&file, "FILE: key");
		for (int type = RECORD_MOVING; type <= RECORD_REMOVING;
		     type++) {
			struct record move = some_move((enum record_type)type);

			move.move.from = room;
			check_refused(&move, fields[type - RECORD_MOVING]);
			if (type == RECORD_REMOVING)
				continue;
			move.move.from = key;
			move.move.to = room;
			check_refused(&move, "to");
		}
		for (int type = RECORD_COPYING; type <= RECORD_COPIED; type++) {
			struct record copies =
				some_copies((enum record_type)type);

			copies.copies.from = room;
			check_refused(&copies, "from");
			copies.copies.from = key;
			copies.copies.to = room;
			check_refused(&copies, "to");
		}
		upload.upload.key = room;
		check_refused(&upload, "key");
	}
}
END_TEST

START_TEST(keys_that_are_too_long_are_refused)
{
	struct record record = bare_file();
	char name[STORE_NAME_MAX + 2];

	record.file.key = long_key(STORE_KEY_MAX + 1);
	check_refused(&record, "key");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	record.file.key = name;
	check_refused(&record, "key");
	name[STORE_NAME_MAX] = '\0';
	check_round_trip(&record);
}
END_TEST

START_TEST(moves_into_themselves_are_refused)
{
	struct record move = some_move(RECORD_MOVED);
	char below[] = "folder/name/below", beside[] = "folder/name.below";

	move.move.to = key;
	check_refused(&move, "to");
	move.move.to = below;
	check_refused(&move, "to");
	move.move.to = beside;
	check_round_trip(&move);
}
END_TEST

static void check_spans(struct span *spans, size_t count, const char *field)
{
	struct record record = some_layer(false);

	record.layer.present.spans = spans;
	record.layer.present.count = count;
	record.layer.dirty.count = 0;
	record.layer.data_length = rangemap_total(&record.layer.present);
	check_refused(&record, field);
}

START_TEST(ranges_out_of_order_are_refused)
{
	check_spans((struct span[]){ { 5, 5 } }, 1, "present");
	check_spans((struct span[]){ { 6, 5 } }, 1, "present");
	check_spans((struct span[]){ { 0, 111 } }, 1, "present");
	check_spans((struct span[]){ { 0, UINT64_MAX } }, 1, "present");
	check_spans((struct span[]){ { 5, 9 }, { 0, 2 } }, 2, "present");
	check_spans((struct span[]){ { 0, 5 }, { 4, 9 } }, 2, "present");
	check_spans((struct span[]){ { 0, 5 }, { 5, 9 } }, 2, "present");
}
END_TEST

START_TEST(dirty_bytes_that_are_not_present_are_refused)
{
	struct record record = some_layer(false);
	struct span gap[] = { { 4, 7 } };
	struct span order[] = { { 1, 2 }, { 0, 1 } };

	record.layer.dirty = (struct rangemap){ .spans = gap, .count = 1 };
	check_refused(&record, "dirty");
	record.layer.dirty = (struct rangemap){ .spans = order, .count = 2 };
	check_refused(&record, "dirty");
}
END_TEST

START_TEST(sizes_that_contradict_each_other_are_refused)
{
	struct record record = some_layer(true);

	record.layer.data_length = 15;
	check_refused(&record, "length");
	record = some_layer(true);
	record.layer.data_length = UINT64_MAX;
	check_refused(&record, "length");
	record = some_layer(true);
	record.layer.lower_limit = 111;
	check_refused(&record, "lower limit");
	record = some_layer(true);
	record.layer.size = (uint64_t)INT64_MAX + 1;
	check_refused(&record, "size");
	record = some_layer(true);
	record.layer.size = 109;
	check_refused(&record, "present");
}
END_TEST

START_TEST(layers_named_twice_are_refused)
{
	struct record record = full_file();
	uint64_t twice[] = { 4, 2, 4 }, zero[] = { 4, 0 };

	record.file.layers = twice;
	check_refused(&record, "layers");
	record.file.layers = zero;
	record.file.layer_count = 2;
	check_refused(&record, "layers");
}
END_TEST

START_TEST(texts_and_values_that_are_too_long_are_refused)
{
	static char name[257], value[65537], longest[RECORD_REASON_MAX + 2];
	struct record_xattr xattr = { name, value, 1 };
	struct record record = full_file();

	record.file.xattrs = &xattr;
	record.file.xattr_count = 1;
	check_refused(&record, "extended attribute");
	memset(name, 'n', 256);
	check_refused(&record, "extended attribute");
	name[255] = '\0';
	xattr.size = 65537;
	check_refused(&record, "extended attribute");
	record = full_file();
	memset(longest, 'r', sizeof(longest) - 1);
	record.file.reason = longest;
	check_refused(&record, "reason");
	record = full_file();
	memset(record.file.base.token, 't', STORE_VERSION_MAX);
	check_refused(&record, "base");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("refused records");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, no_truncation_of_a_record_is_believed, 0,
			    SAMPLES);
	tcase_add_loop_test(tests, no_flipped_bit_harms_the_reader, 0, SAMPLES);
	tcase_add_loop_test(tests,
			    no_number_in_the_place_of_another_harms_the_reader,
			    0, SAMPLES);
	tcase_add_test(tests, random_bytes_harm_nobody);
	tcase_add_loop_test(tests, bytes_behind_the_fields_are_refused, 0,
			    SAMPLES);
	tcase_add_test(tests, unknown_types_are_refused);
	tcase_add_test(tests, a_zero_in_a_text_is_refused);
	tcase_add_test(tests, numbers_out_of_range_are_refused);
	tcase_add_test(tests, unknown_states_and_codes_are_refused);
	tcase_add_test(tests, uploads_without_a_number_or_a_token_are_refused);
	tcase_add_test(tests, attributes_out_of_range_are_refused);
	tcase_add_test(tests, keys_that_no_store_takes_are_refused);
	tcase_add_test(tests, keys_that_are_too_long_are_refused);
	tcase_add_test(tests, moves_into_themselves_are_refused);
	tcase_add_test(tests, ranges_out_of_order_are_refused);
	tcase_add_test(tests, dirty_bytes_that_are_not_present_are_refused);
	tcase_add_test(tests, sizes_that_contradict_each_other_are_refused);
	tcase_add_test(tests, layers_named_twice_are_refused);
	tcase_add_test(tests, texts_and_values_that_are_too_long_are_refused);
	return unit_run("mount record refused", tests);
}
