// SPDX-License-Identifier: MIT
/* F13 and holes: large files of little data, and the largest there may be. */
#include "config.h"

#include "tests/conformance/conf.h"

/* Zeros with a few islands, and a count of the bytes that were read. */
struct island_source {
	struct store_source source;
	const struct store_range *islands; /* ascending */
	size_t count;
	uint64_t read;
};

static int island_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct island_source *own = (struct island_source *)(void *)source;
	unsigned char *out = data;
	size_t i;

	(void)error;
	own->read += length;
	memset(out, 0, length);
	for (i = 0; i < own->count; i++) {
		uint64_t from = own->islands[i].offset;
		uint64_t to = from + own->islands[i].length;

		if (from < offset)
			from = offset;
		if (to > offset + length)
			to = offset + length;
		for (; from < to; from++)
			out[from - offset] = (unsigned char)(from % 255 + 1);
	}
	return STORE_OK;
}

static int island_next(struct store_source *source, uint64_t offset,
		       struct store_range *range, struct store_error *error)
{
	struct island_source *own = (struct island_source *)(void *)source;
	size_t i;

	(void)error;
	*range = (struct store_range){ .offset = source->size };
	for (i = 0; i < own->count; i++) {
		uint64_t end = own->islands[i].offset + own->islands[i].length;

		if (end <= offset)
			continue;
		range->offset = own->islands[i].offset;
		if (range->offset < offset)
			range->offset = offset;
		range->length = end - range->offset;
		break;
	}
	return STORE_OK;
}

static int put_islands(const char *key, uint64_t size,
		       const struct store_range *islands, size_t count)
{
	struct island_source own = {
		.source = { .size = size,
			    .read = island_read,
			    .next_data = island_next },
		.islands = islands,
		.count = count,
	};
	int code = store_write(conf_store, NULL, key, &own.source, NULL, NULL,
			       &conf_error);

	/* Holes are not read to find out that they are zeros. */
	ck_assert_uint_le(own.read, 64 << 20);
	return code;
}

static void expect_at(struct store_reader *reader, uint64_t offset, int value)
{
	unsigned char byte = 77;
	size_t got = 0;

	CONF_OK(store_read_at(reader, NULL, offset, &byte, 1, &got,
			      &conf_error));
	ck_assert_uint_eq(got, 1);
	ck_assert_int_eq(byte, value);
}

static void expect_islands(const char *key, uint64_t size,
			   const struct store_range *islands, size_t count)
{
	struct store_reader *reader = NULL;
	struct store_info info;
	size_t i;

	CONF_OK(store_open_reader(conf_store, NULL, key, NULL, &reader, &info,
				  &conf_error));
	ck_assert_uint_eq(info.size, size);
	for (i = 0; i < count; i++) {
		uint64_t first = islands[i].offset;
		uint64_t last = first + islands[i].length - 1;

		expect_at(reader, first, (int)(first % 255 + 1));
		expect_at(reader, last, (int)(last % 255 + 1));
		if (first)
			expect_at(reader, first - 1, 0);
		if (last + 1 < size)
			expect_at(reader, last + 1, 0);
	}
	store_close_reader(reader);
}

#define GIB (UINT64_C(1) << 30)

START_TEST(a_tebibyte_of_holes_is_stored)
{
	static const struct store_range islands[] = {
		{ 0, 10 },
		{ 512 * GIB + 12345, 70000 },
		{ 1024 * GIB - 1, 1 },
	};
	struct store_info info;

	CONF_OK(put_islands("a", 1024 * GIB, islands, 3));
	expect_islands("a", 1024 * GIB, islands, 3);
	CONF_OK(conf_stat("a", &info));
	ck_assert_uint_le(info.allocated, 16 << 20);
}
END_TEST

START_TEST(holes_are_told_to_readers)
{
	static const struct store_range islands[] = { { 4 << 20, 1000 },
						      { 9 << 20, 1000 } };
	struct store_reader *reader = NULL;
	struct store_range range;

	CONF_OK(put_islands("a", 12 << 20, islands, 2));
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	CONF_OK(store_reader_data(reader, 0, &range, &conf_error));
	ck_assert_uint_le(range.offset, 4 << 20);
	ck_assert_uint_gt(range.offset, 3 << 20);
	ck_assert_uint_ge(range.offset + range.length, (4 << 20) + 1000);
	ck_assert_uint_lt(range.offset + range.length, 5 << 20);
	CONF_OK(store_reader_data(reader, 6 << 20, &range, &conf_error));
	ck_assert_uint_gt(range.offset, 8 << 20);
	ck_assert_uint_le(range.offset, 9 << 20);
	CONF_OK(store_reader_data(reader, 11 << 20, &range, &conf_error));
	ck_assert_uint_eq(range.length, 0);
	store_close_reader(reader);
}
END_TEST

/* Also where nothing is sparse: holes are zeros, and all data is told. */
START_TEST(holes_read_as_zeros)
{
	static const struct store_range islands[] = { { 300000, 10 },
						      { 600000, 70000 } };
	struct store_reader *reader = NULL;
	struct store_range range;
	uint64_t at = 0;
	uint64_t found = 0;

	CONF_OK(put_islands("a", 1000000, islands, 2));
	expect_islands("a", 1000000, islands, 2);
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	for (;;) {
		CONF_OK(store_reader_data(reader, at, &range, &conf_error));
		if (!range.length)
			break;
		ck_assert_uint_ge(range.offset, at);
		at = range.offset + range.length;
		ck_assert_uint_le(at, 1000000);
		found += range.length;
	}
	/* An offset inside of data is where its data starts. */
	CONF_OK(store_reader_data(reader, 650001, &range, &conf_error));
	ck_assert_uint_eq(range.offset, 650001);
	ck_assert_uint_gt(range.length, 0);
	ck_assert_uint_ge(found, 70010);
	store_close_reader(reader);
}
END_TEST

/* F13 */
START_TEST(beyond_five_gibibytes_everything_works)
{
	static const struct store_range islands[] = { { 0, 100 },
						      { 6 * GIB - 100, 100 } };
	struct store_range keep = { 0, 6 * GIB };
	struct store_range longer[] = { { 0, 100 },
					{ 6 * GIB - 100, 100 },
					{ 6 * GIB, 50 } };
	struct island_source own = {
		.source = { .size = 6 * GIB + 50,
			    .read = island_read,
			    .next_data = island_next },
		.islands = longer,
		.count = 3,
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.keep = true,
		.ranges = &keep,
		.range_count = 1,
	};
	struct store_info info;

	CONF_OK(put_islands("a", 6 * GIB, islands, 2));
	CONF_OK(store_copy(conf_store, NULL, "a", "b", 0, NULL, &conf_error));
	CONF_OK(store_move(conf_store, NULL, "a", "d/c", 0, NULL, NULL,
			   &conf_error));
	expect_islands("b", 6 * GIB, islands, 2);
	expect_islands("d/c", 6 * GIB, islands, 2);
	if (!conf_has(STORE_CAP_COMPOSE))
		return;
	CONF_OK(conf_stat("b", &info));
	options.precondition.version = info.version;
	CONF_OK(store_write(conf_store, NULL, "b", &own.source, &options, NULL,
			    &conf_error));
	ck_assert_uint_le(own.read, 100000);
	CONF_OK(conf_stat("b", &info));
	ck_assert_uint_eq(info.size, 6 * GIB + 50);
}
END_TEST

/* F13: what the store cannot hold is refused, and early. */
START_TEST(beyond_the_limit_is_too_large)
{
	static const struct store_range island = { 0, 10 };
	struct island_source own = {
		.source = { .size = conf_backend.largest + 1,
			    .read = island_read,
			    .next_data = island_next },
		.islands = &island,
		.count = 1,
	};

	CONF_FAILS(STORE_TOO_LARGE,
		   store_write(conf_store, NULL, "a", &own.source, NULL, NULL,
			       &conf_error));
	ck_assert_uint_le(own.read, 16 << 20);
	conf_expect_gone("a");
	conf_expect_no_leftovers();
}
END_TEST

void conf_add_sparse(void)
{
	uint64_t needs = STORE_CAP_SPARSE;

	conf_add("P sparse", 0, holes_read_as_zeros);
	conf_add("P sparse", needs, a_tebibyte_of_holes_is_stored);
	conf_add("P sparse", needs, holes_are_told_to_readers);
	conf_add("F13", needs, beyond_five_gibibytes_everything_works);
	if (conf_backend.largest)
		conf_add("F13", 0, beyond_the_limit_is_too_large);
}
