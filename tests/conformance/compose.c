// SPDX-License-Identifier: MIT
/* New versions made of ranges of the old one and new bytes. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/cleanup.h"

/* A source that must not be asked for what is kept. */
struct strict_source {
	struct store_source source;
	const unsigned char *data;
	const struct store_range *keep;
	size_t keep_count;
};

static int strict_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct strict_source *strict = (struct strict_source *)(void *)source;
	size_t i;

	if (offset + length > source->size)
		return store_error_set(error, STORE_INTERNAL,
				       "read behind the end");
	for (i = 0; i < strict->keep_count; i++) {
		const struct store_range *keep = &strict->keep[i];

		if (offset < keep->offset + keep->length &&
		    keep->offset < offset + length)
			return store_error_set(error, STORE_INTERNAL,
					       "read a kept range");
	}
	memcpy(data, strict->data + offset, length);
	return STORE_OK;
}

static int compose(const char *key, const unsigned char *data, size_t size,
		   const struct store_range *keep, size_t count)
{
	struct strict_source strict = {
		.source = { .size = size, .read = strict_read },
		.data = data,
		.keep = keep,
		.keep_count = count,
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.keep = true,
		.ranges = keep,
		.range_count = count,
	};
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	options.precondition.version = info.version;
	return store_write(conf_store, NULL, key, &strict.source, &options,
			   NULL, &conf_error);
}

enum { SIZE = 700000 };

static unsigned char *base_file(void)
{
	unsigned char *data = calloc(1, 2 * SIZE);

	ck_assert_ptr_nonnull(data);
	conf_fill(data, SIZE, 1);
	CONF_OK(conf_put_bytes("a", data, SIZE, NULL, NULL));
	return data;
}

START_TEST(bytes_in_the_middle_are_replaced)
{
	struct store_range keep[] = { { 0, 100000 }, { 100010, 599990 } };
	CLEANUP_FREE unsigned char *data = base_file();

	memset(data + 100000, 'N', 10);
	CONF_OK(compose("a", data, SIZE, keep, 2));
	conf_expect_bytes("a", data, SIZE);
}
END_TEST

START_TEST(bytes_are_appended)
{
	struct store_range keep = { 0, SIZE };
	CLEANUP_FREE unsigned char *data = base_file();

	conf_fill(data + SIZE, 12345, 2);
	CONF_OK(compose("a", data, SIZE + 12345, &keep, 1));
	conf_expect_bytes("a", data, SIZE + 12345);
}
END_TEST

START_TEST(a_file_is_cut)
{
	struct store_range keep = { 0, 65537 };
	CLEANUP_FREE unsigned char *data = base_file();

	CONF_OK(compose("a", data, 65537, &keep, 1));
	conf_expect_bytes("a", data, 65537);
}
END_TEST

START_TEST(a_cut_file_grows_with_zeros)
{
	struct store_range keep = { 0, 70000 };
	CLEANUP_FREE unsigned char *data = base_file();

	CONF_OK(compose("a", data, 70000, &keep, 1));
	memset(data + 70000, 0, SIZE - 70000);
	CONF_OK(compose("a", data, SIZE, &keep, 1));
	conf_expect_bytes("a", data, SIZE);
}
END_TEST

START_TEST(composing_on_an_old_version_is_changed)
{
	struct store_range keep = { 0, SIZE };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.ranges = &keep,
		.range_count = 1,
	};
	CLEANUP_FREE unsigned char *data = base_file();
	struct store_info info;

	CONF_OK(conf_stat("a", &info));
	options.precondition.version = info.version;
	CONF_OK(conf_put_over("a", "short"));
	CONF_FAILS(STORE_CHANGED,
		   conf_put_bytes("a", data, SIZE, &options, NULL));
	conf_expect("a", "short");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(kept_ranges_need_a_version)
{
	struct store_range keep = { 0, 10 };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.ranges = &keep,
		.range_count = 1,
	};
	CLEANUP_FREE unsigned char *data = base_file();

	CONF_FAILS(STORE_INVALID,
		   conf_put_bytes("a", data, SIZE, &options, NULL));
	conf_expect_bytes("a", data, SIZE);
}
END_TEST

/* One random edit of the model: what is kept of it, and its new size. */
static size_t random_edit(unsigned char *data, size_t size,
			  struct store_range *keep, size_t *count,
			  uint64_t *random)
{
	size_t next = (size_t)(conf_random(random) % (2 * SIZE));
	size_t both = next < size ? next : size;
	size_t at = 0;

	if (conf_random(random) % 3)
		next = both = size;
	*count = 0;
	while (at < both && *count < 8) {
		size_t skip = (size_t)(conf_random(random) % 100000);
		size_t length = (size_t)(conf_random(random) % 200000) + 1;

		if (skip > both - at)
			skip = both - at;
		conf_fill(data + at, skip, conf_random(random));
		at += skip;
		if (length > both - at)
			length = both - at;
		if (length)
			keep[(*count)++] = (struct store_range){ at, length };
		at += length;
	}
	if (at < next)
		conf_fill(data + at, next - at, conf_random(random));
	return next;
}

START_TEST(random_edits_agree_with_a_model)
{
	CLEANUP_FREE unsigned char *data = base_file();
	uint64_t random = conf_seed();
	int rounds = conf_rounds(30, 1000);
	size_t size = SIZE;
	int i;

	for (i = 0; i < rounds; i++) {
		struct store_range keep[8];
		size_t count = 0;

		size = random_edit(data, size, keep, &count, &random);
		if (!count)
			CONF_OK(conf_put_bytes("a", data, size,
					       &(struct store_write_options){
						       .precondition.condition =
							       STORE_IF_ANY },
					       NULL));
		else
			CONF_OK(compose("a", data, size, keep, count));
		conf_expect_bytes("a", data, size);
	}
	conf_expect_no_leftovers();
}
END_TEST

/* An append to a large file moves what is added, not the file. */
START_TEST(an_append_costs_what_is_added)
{
	struct store_range keep = { 0, SIZE };
	CLEANUP_FREE unsigned char *data = base_file();
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];

	memset(data + SIZE, 'x', 10);
	store_counters(conf_store, before);
	CONF_OK(compose("a", data, SIZE + 10, &keep, 1));
	store_counters(conf_store, after);
	ck_assert_uint_eq(after[STORE_COUNT_PUT] - before[STORE_COUNT_PUT], 1);
	ck_assert_uint_le(after[STORE_COUNT_BYTES_WRITTEN] -
				  before[STORE_COUNT_BYTES_WRITTEN],
			  10);
	ck_assert_uint_eq(after[STORE_COUNT_BYTES_READ],
			  before[STORE_COUNT_BYTES_READ]);
}
END_TEST

void conf_add_compose(void)
{
	uint64_t needs = STORE_CAP_COMPOSE;

	conf_add("P compose", needs, bytes_in_the_middle_are_replaced);
	conf_add("P compose", needs, bytes_are_appended);
	conf_add("P compose", needs, a_file_is_cut);
	conf_add("P compose", needs, a_cut_file_grows_with_zeros);
	conf_add("P compose", needs, composing_on_an_old_version_is_changed);
	conf_add("P compose", needs, kept_ranges_need_a_version);
	conf_add("P compose", needs, random_edits_agree_with_a_model);
	conf_add("P compose", needs, an_append_costs_what_is_added);
}
