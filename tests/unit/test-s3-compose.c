// SPDX-License-Identifier: MIT
/* The parts a new version is composed of. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "backends/s3/compose.h"
#include "tests/unit/unit.h"

#define MIB (UINT64_C(1) << 20)

static struct s3 s3 = { .settings.part_size = 16 << 20 };

struct counts {
	unsigned int parts;
	uint64_t copied;
};

/* All bytes in turn, in parts that any server takes; what is kept is so. */
static void expect_parts(const struct s3_mixed *mixed, uint64_t part,
			 struct counts *counts)
{
	struct s3_piece piece;
	size_t range = 0;

	*counts = (struct counts){ .parts = 0 };
	for (uint64_t at = 0; at < mixed->source.size; counts->parts++) {
		s3_mixed_piece(mixed, at, part, &piece);
		ck_assert_uint_eq(piece.range.offset, at);
		ck_assert_uint_le(piece.range.length, S3_PART_MAX);
		at += piece.range.length;
		if (at < mixed->source.size)
			ck_assert_uint_ge(piece.range.length, S3_PART_MIN);
		if (!piece.kept)
			continue;
		counts->copied += piece.range.length;
		while (mixed->keep[range].offset + mixed->keep[range].length <
		       at)
			range++;
		ck_assert_uint_le(mixed->keep[range].offset,
				  piece.range.offset);
	}
	ck_assert_uint_le(counts->parts, S3_PARTS_MAX);
}

/* A file of so many steps; the first `fresh` bytes of each are new. */
static void plan(size_t steps, uint64_t step, uint64_t fresh,
		 struct counts *counts)
{
	struct store_range *keep = calloc(steps, sizeof(*keep));
	struct store_source source = { .size = steps * step };
	struct s3_mixed mixed = {
		.fresh = &source,
		.old_size = source.size,
		.keep = keep,
		.keep_count = steps,
	};
	uint64_t part = s3_part_size(&s3, source.size);

	ck_assert_ptr_nonnull(keep);
	for (size_t i = 0; i < steps; i++)
		keep[i] =
			(struct store_range){ i * step + fresh, step - fresh };
	s3_mixed_init(&mixed);
	s3_mixed_plan(&mixed, part);
	expect_parts(&mixed, part, counts);
	free(keep);
}

START_TEST(few_changes_are_sent_and_all_else_is_copied)
{
	struct counts counts;

	plan(40, 100 * MIB, 4096, &counts);
	ck_assert_uint_eq(counts.parts, 80);
	ck_assert_uint_eq(counts.copied, 40 * 95 * MIB);
}
END_TEST

START_TEST(spread_changes_make_no_more_parts_than_there_may_be)
{
	struct counts counts;

	/* In a part each, as short as may be, they would be twice as many. */
	plan(10000, 12 * MIB, 4096, &counts);
	plan(6000, 40 * MIB, 1, &counts);
	ck_assert_uint_gt(counts.copied, 0);
	plan(100000, 20 * MIB, 3 * MIB, &counts);
	plan(9000, 500 * MIB, 2 * MIB, &counts);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-compose");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, few_changes_are_sent_and_all_else_is_copied);
	tcase_add_test(tests,
		       spread_changes_make_no_more_parts_than_there_may_be);
	return unit_run("s3-compose", tests);
}
