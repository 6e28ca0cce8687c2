// SPDX-License-Identifier: MIT
/* F5, F8: writing a stream whose end is not known. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/cleanup.h"

static int open_writer(const char *key,
		       const struct store_write_options *options,
		       struct store_writer **writer)
{
	return store_open_writer(conf_store, NULL, key, options, writer,
				 &conf_error);
}

static int add(struct store_writer *writer, const char *text)
{
	return store_writer_write(writer, NULL, text, strlen(text),
				  &conf_error);
}

static int commit(struct store_writer *writer, struct store_info *info)
{
	return store_writer_commit(writer, NULL, info, &conf_error);
}

static const struct store_write_options overwrite = {
	.precondition.condition = STORE_IF_ANY,
};

START_TEST(nothing_is_visible_before_commit)
{
	struct store_writer *writer = NULL;
	struct store_info written;
	struct store_info later;

	CONF_OK(open_writer("d/a", NULL, &writer));
	CONF_OK(add(writer, "one "));
	CONF_OK(add(writer, "two"));
	conf_expect_gone("d/a");
	CONF_OK(commit(writer, &written));
	conf_expect("d/a", "one two");
	CONF_OK(conf_stat("d/a", &later));
	ck_assert_uint_eq(written.size, 7);
	ck_assert_str_eq(written.version.token, later.version.token);
}
END_TEST

START_TEST(a_commit_replaces_in_one_step)
{
	struct store_writer *writer = NULL;

	CONF_OK(conf_put("a", "old"));
	CONF_OK(open_writer("a", &overwrite, &writer));
	CONF_OK(add(writer, "new"));
	conf_expect("a", "old");
	CONF_OK(commit(writer, NULL));
	conf_expect("a", "new");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(a_discard_leaves_no_trace)
{
	struct store_writer *writer = NULL;

	CONF_OK(conf_put("old", "old"));
	CONF_OK(open_writer("old", &overwrite, &writer));
	CONF_OK(add(writer, "never"));
	store_writer_discard(writer);
	CONF_OK(open_writer("d/new", NULL, &writer));
	CONF_OK(add(writer, "never"));
	store_writer_discard(writer);
	CONF_OK(open_writer("unwritten", NULL, &writer));
	store_writer_discard(writer);
	conf_expect("old", "old");
	conf_expect_gone("d/new");
	conf_expect_gone("unwritten");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(an_empty_stream_is_an_empty_file)
{
	struct store_writer *writer = NULL;
	struct store_info info;

	CONF_OK(open_writer("a", NULL, &writer));
	CONF_OK(commit(writer, &info));
	ck_assert_uint_eq(info.size, 0);
	conf_expect("a", "");
}
END_TEST

START_TEST(a_long_stream_in_odd_pieces_is_whole)
{
	enum { SIZE = 3000017, PIECE = 70001 };
	CLEANUP_FREE unsigned char *data = malloc(SIZE);
	struct store_writer *writer = NULL;
	size_t at = 0;

	ck_assert_ptr_nonnull(data);
	conf_fill(data, SIZE, 9);
	CONF_OK(open_writer("a", NULL, &writer));
	while (at < SIZE) {
		size_t part = SIZE - at < PIECE ? SIZE - at : PIECE;

		CONF_OK(store_writer_write(writer, NULL, data + at, part,
					   &conf_error));
		at += part;
	}
	CONF_OK(commit(writer, NULL));
	conf_expect_bytes("a", data, SIZE);
}
END_TEST

/* Preconditions that fail at once fail before the first byte. */
START_TEST(a_taken_name_is_told_at_open)
{
	struct store_writer *writer = NULL;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("d/f", "2"));
	CONF_FAILS(STORE_EXISTS, open_writer("a", NULL, &writer));
	CONF_FAILS(STORE_INVALID, open_writer("", &overwrite, &writer));
	if (conf_has(STORE_CAP_FOLDERS)) {
		CONF_FAILS(STORE_IS_DIR, open_writer("d", &overwrite, &writer));
		CONF_FAILS(STORE_NOT_DIR,
			   open_writer("a/b", &overwrite, &writer));
	}
	ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(the_second_of_two_exclusive_streams_loses)
{
	struct store_writer *first = NULL;
	struct store_writer *second = NULL;

	CONF_OK(open_writer("a", NULL, &first));
	CONF_OK(open_writer("a", NULL, &second));
	CONF_OK(add(first, "first"));
	CONF_OK(add(second, "second"));
	CONF_OK(commit(second, NULL));
	CONF_FAILS(STORE_EXISTS, commit(first, NULL));
	conf_expect("a", "second");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(a_stream_based_on_an_old_version_is_changed)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
	};
	struct store_writer *writer = NULL;
	struct store_info info;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_stat("a", &info));
	options.precondition.version = info.version;
	CONF_OK(open_writer("a", &options, &writer));
	CONF_OK(add(writer, "mine"));
	CONF_OK(conf_put_over("a", "theirs"));
	CONF_FAILS(STORE_CHANGED, commit(writer, NULL));
	conf_expect("a", "theirs");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(streams_to_many_keys_run_side_by_side)
{
	enum { STREAMS = 8 };
	static const char *const keys[STREAMS] = { "a", "b", "c",   "d/e",
						   "f", "g", "d/h", "i" };
	struct store_writer *writers[STREAMS] = { NULL };
	int round;
	int i;

	for (i = 0; i < STREAMS; i++)
		CONF_OK(open_writer(keys[i], NULL, &writers[i]));
	for (round = 0; round < 3; round++)
		for (i = 0; i < STREAMS; i++)
			CONF_OK(add(writers[i], keys[i]));
	for (i = 0; i < STREAMS; i++)
		CONF_OK(commit(writers[i], NULL));
	conf_expect("a", "aaa");
	conf_expect("d/e", "d/ed/ed/e");
	conf_expect("i", "iii");
}
END_TEST

START_TEST(a_stream_takes_attributes_and_metadata)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = 0640 };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.attributes = &attributes,
	};
	struct store_metadata metadata;
	struct store_writer *writer = NULL;
	struct store_details details;
	struct store_info info;

	store_metadata_init(&metadata);
	ck_assert_int_eq(store_metadata_add(&metadata, "n", "v"), 0);
	options.metadata = &metadata;
	CONF_OK(open_writer("a", &options, &writer));
	CONF_OK(add(writer, "1"));
	CONF_OK(commit(writer, NULL));
	store_metadata_release(&metadata);
	CONF_OK(store_stat_details(conf_store, NULL, "a", &info, &details,
				   &conf_error));
	ck_assert_uint_eq(info.attributes.mode, 0640);
	ck_assert_str_eq(store_metadata_get(&details.metadata, "n"), "v");
	store_details_release(&details);
}
END_TEST

void conf_add_streams(void)
{
	uint64_t needs = STORE_CAP_WRITE;
	uint64_t atomic = STORE_CAP_ATOMIC_WRITE;

	conf_add("F5", atomic, nothing_is_visible_before_commit);
	conf_add("F5", atomic, a_commit_replaces_in_one_step);
	conf_add("F5", needs, a_discard_leaves_no_trace);
	conf_add("F8", needs, an_empty_stream_is_an_empty_file);
	conf_add("F8", needs, a_long_stream_in_odd_pieces_is_whole);
	conf_add("E1", needs, a_taken_name_is_told_at_open);
	conf_add("F3", STORE_CAP_CONDITIONAL,
		 the_second_of_two_exclusive_streams_loses);
	conf_add("F3", STORE_CAP_CONDITIONAL,
		 a_stream_based_on_an_old_version_is_changed);
	conf_add("F8", needs, streams_to_many_keys_run_side_by_side);
	conf_add("F9", STORE_CAP_POSIX | STORE_CAP_USER_METADATA,
		 a_stream_takes_attributes_and_metadata);
}
