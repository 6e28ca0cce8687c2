// SPDX-License-Identifier: MIT
/* Checksums are those of the published algorithm, in any pieces. */
#include "config.h"

#include <string.h>

#include "src/base/checksum.h"
#include "tests/unit/unit.h"

enum { SIZE = 5000 };

START_TEST(values_are_those_of_xxh3)
{
	ck_assert_uint_eq(checksum64("", 0), UINT64_C(0x2d06800538d394c2));
	ck_assert_uint_eq(checksum64("a", 1), UINT64_C(0xe6c632b61e964e1f));
}
END_TEST

START_TEST(pieces_give_what_the_whole_gives)
{
	unsigned char bytes[SIZE];

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t piece = 1; piece < SIZE; piece = piece * 3 + 1) {
		struct checksum *sum = checksum_begin();
		size_t at = 0;

		ck_assert_ptr_nonnull(sum);
		for (; at + piece <= SIZE; at += piece)
			checksum_add(sum, bytes + at, piece);
		checksum_add(sum, bytes + at, SIZE - at);
		checksum_add(sum, bytes, 0);
		ck_assert_uint_eq(checksum_end(sum), checksum64(bytes, SIZE));
	}
}
END_TEST

START_TEST(a_sum_can_be_left_unfinished)
{
	struct checksum *sum = checksum_begin();

	ck_assert_ptr_nonnull(sum);
	checksum_add(sum, "x", 1);
	checksum_free(sum);
	checksum_free(NULL);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("checksum");

	tcase_add_test(tests, values_are_those_of_xxh3);
	tcase_add_test(tests, pieces_give_what_the_whole_gives);
	tcase_add_test(tests, a_sum_can_be_left_unfinished);
	return unit_run("checksum", tests);
}
