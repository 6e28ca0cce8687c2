// SPDX-License-Identifier: MIT
/* Packets of SFTP: what is made, what is read, and what is not believed. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sftp/packet.h"
#include "src/base/buf.h"
#include "tests/unit/unit.h"

enum { MAX = 1024 };

/* The one packet of `buf`, which is of the type. */
static struct sftp_body body_of(const struct buf *buf, enum sftp_type type)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_frame frame;

	ck_assert_int_eq(
		sftp_frame(buf->data, buf->length, MAX, &frame, &error),
		STORE_OK);
	ck_assert_uint_eq(frame.size, buf->length);
	ck_assert_uint_eq(frame.type, type);
	return frame.body;
}

START_TEST(a_request_is_made_as_the_draft_says)
{
	static const unsigned char expected[] = {
		0, 0, 0, 23, SFTP_READ, 1, 2, 3, 4, 0, 0, 0,	2, 'h',
		0, 0, 0, 0,  1,		0, 0, 0, 7, 0, 0, 0x80, 0,
	};
	CLEANUP_BUF struct buf buf = BUF_INIT(MAX);
	size_t begin = sftp_request_begin(&buf, SFTP_READ, 0x01020304);

	sftp_add_string(&buf, "h\0", 2);
	sftp_add_u64(&buf, UINT64_C(0x100000007));
	sftp_add_u32(&buf, 0x8000);
	sftp_packet_end(&buf, begin);
	ck_assert_uint_eq(buf.length, sizeof(expected));
	ck_assert_int_eq(memcmp(buf.data, expected, sizeof(expected)), 0);
}
END_TEST

START_TEST(every_set_of_attributes_comes_back)
{
	for (uint32_t mask = 0; mask < 16; mask++) {
		struct sftp_attributes sent = { .mask = mask }, got;
		CLEANUP_BUF struct buf buf = BUF_INIT(MAX);
		size_t begin = sftp_packet_begin(&buf, SFTP_ATTRS);
		struct sftp_body body;

		if (mask & SFTP_ATTR_SIZE)
			sent.size = UINT64_C(0x7edcba9876543210);
		if (mask & SFTP_ATTR_OWNER) {
			sent.uid = 1000;
			sent.gid = UINT32_MAX;
		}
		if (mask & SFTP_ATTR_MODE)
			sent.mode = 0100644;
		if (mask & SFTP_ATTR_TIMES) {
			sent.atime = 1;
			sent.mtime = UINT32_MAX;
		}
		sftp_add_attributes(&buf, &sent);
		sftp_packet_end(&buf, begin);
		body = body_of(&buf, SFTP_ATTRS);
		sftp_take_attributes(&body, &got);
		ck_assert(!body.bad);
		ck_assert_uint_eq(body.left, 0);
		ck_assert_int_eq(memcmp(&sent, &got, sizeof(got)), 0);
	}
}
END_TEST

START_TEST(extended_attributes_are_passed_over)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(MAX);
	size_t begin = sftp_packet_begin(&buf, SFTP_ATTRS);
	struct sftp_attributes got;
	struct sftp_body body;

	sftp_add_u32(&buf, UINT32_C(0x80000000) | SFTP_ATTR_MODE);
	sftp_add_u32(&buf, 0755);
	sftp_add_u32(&buf, 1);
	sftp_add_text(&buf, "name");
	sftp_add_text(&buf, "value");
	sftp_add_u32(&buf, 42);
	sftp_packet_end(&buf, begin);
	body = body_of(&buf, SFTP_ATTRS);
	sftp_take_attributes(&body, &got);
	ck_assert_uint_eq(got.mask, SFTP_ATTR_MODE);
	ck_assert_uint_eq(sftp_take_u32(&body), 42);
	ck_assert(!body.bad);
}
END_TEST

START_TEST(attributes_that_cannot_be_understood_are_bad)
{
	static const unsigned char unknown[] = { 0, 0, 0x01, 0 };
	static const unsigned char pairs[] = {
		0x80, 0, 0, 0, 255, 255, 255, 255
	};
	static const unsigned char vast[] = { 0, 0, 0, 1, 0x80, 0,
					      0, 0, 0, 0, 0,	0 };
	struct sftp_body body = { .data = unknown, .left = sizeof(unknown) };
	struct sftp_attributes got;

	sftp_take_attributes(&body, &got);
	ck_assert(body.bad);
	body = (struct sftp_body){ .data = pairs, .left = sizeof(pairs) };
	sftp_take_attributes(&body, &got);
	ck_assert(body.bad);
	ck_assert_uint_eq(got.mask, 0);
	body = (struct sftp_body){ .data = vast, .left = sizeof(vast) };
	sftp_take_attributes(&body, &got);
	ck_assert(body.bad);
}
END_TEST

START_TEST(a_packet_is_found_only_when_it_is_whole)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(MAX);
	struct store_error error = STORE_ERROR_INIT;
	size_t begin = sftp_packet_begin(&buf, SFTP_INIT);
	struct sftp_frame frame;

	sftp_add_u32(&buf, 3);
	sftp_packet_end(&buf, begin);
	for (size_t length = 0; length < buf.length; length++) {
		/* Exactly as much memory, for what looks beyond its end. */
		void *part = malloc(length + !length);

		ck_assert_ptr_nonnull(part);
		memcpy(part, buf.data, length);
		ck_assert_int_eq(sftp_frame(part, length, MAX, &frame, &error),
				 STORE_OK);
		ck_assert_uint_eq(frame.size, 0);
		free(part);
	}
	begin = sftp_packet_begin(&buf, SFTP_INIT);
	sftp_packet_end(&buf, begin);
	ck_assert_int_eq(sftp_frame(buf.data, buf.length, MAX, &frame, &error),
			 STORE_OK);
	ck_assert_uint_eq(frame.size, begin);
}
END_TEST

START_TEST(lengths_that_cannot_be_are_refused_at_once)
{
	static const unsigned char lengths[][4] = { { 0, 0, 0, 0 },
						    { 0, 0, 4, 1 },
						    { 255, 255, 255, 255 } };
	struct sftp_frame frame;

	for (size_t i = 0; i < 3; i++) {
		struct store_error error = STORE_ERROR_INIT;

		ck_assert_int_eq(sftp_frame(lengths[i], 4, MAX, &frame, &error),
				 STORE_CORRUPT);
	}
}
END_TEST

START_TEST(a_string_longer_than_its_packet_is_bad_from_then_on)
{
	static const unsigned char bytes[] = { 0, 0, 0, 5, 'a', 'b', 'c', 'd' };
	struct sftp_body body = { .data = bytes, .left = sizeof(bytes) };
	struct store_error error = STORE_ERROR_INIT;
	size_t length;

	ck_assert_str_eq(sftp_take_string(&body, &length), "");
	ck_assert_uint_eq(length, 0);
	ck_assert_uint_eq(sftp_take_u32(&body), 0);
	ck_assert_uint_eq(sftp_take_u64(&body), 0);
	ck_assert_int_eq(sftp_body_check(&body, "name", &error), STORE_CORRUPT);
	ck_assert_ptr_nonnull(strstr(error.message, "name"));
}
END_TEST

static int status(uint32_t number, const char *words, struct store_error *error)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(MAX);
	size_t begin = sftp_packet_begin(&buf, SFTP_STATUS);
	struct sftp_body body;

	sftp_add_u32(&buf, number);
	if (words)
		sftp_add_text(&buf, words);
	sftp_packet_end(&buf, begin);
	body = body_of(&buf, SFTP_STATUS);
	return sftp_take_status(&body, error);
}

START_TEST(a_status_becomes_a_code)
{
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(status(0, "Success", &error), STORE_OK);
	ck_assert_int_eq(status(2, "No such\nfile", &error), STORE_NOT_FOUND);
	ck_assert_int_eq(error.detail, 2);
	ck_assert_ptr_nonnull(strstr(error.message, "No such\\x0afile"));
	ck_assert_int_eq(status(3, NULL, &error), STORE_DENIED);
	ck_assert_int_eq(status(4, "Failure", &error), STORE_INTERNAL);
	ck_assert_int_eq(status(7, "gone", &error), STORE_UNAVAILABLE);
	ck_assert_int_eq(status(8, "", &error), STORE_NOT_SUPPORTED);
	ck_assert_int_eq(status(UINT32_MAX, "odd", &error), STORE_INTERNAL);
}
END_TEST

START_TEST(a_status_without_a_number_is_corrupt)
{
	struct sftp_body body = { .data = (const unsigned char *)"ab",
				  .left = 2 };
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(sftp_take_status(&body, &error), STORE_CORRUPT);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-packet");

	tcase_add_test(tests, a_request_is_made_as_the_draft_says);
	tcase_add_test(tests, every_set_of_attributes_comes_back);
	tcase_add_test(tests, extended_attributes_are_passed_over);
	tcase_add_test(tests, attributes_that_cannot_be_understood_are_bad);
	tcase_add_test(tests, a_packet_is_found_only_when_it_is_whole);
	tcase_add_test(tests, lengths_that_cannot_be_are_refused_at_once);
	tcase_add_test(tests,
		       a_string_longer_than_its_packet_is_bad_from_then_on);
	tcase_add_test(tests, a_status_becomes_a_code);
	tcase_add_test(tests, a_status_without_a_number_is_corrupt);
	return unit_run("sftp-packet", tests);
}
