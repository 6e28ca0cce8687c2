// SPDX-License-Identifier: MIT
/* F9: user metadata and content types. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/cleanup.h"

static int put_with(const char *key, const char *text,
		    const struct store_metadata *metadata)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.metadata = metadata,
		.content_type = "text/x-conf",
	};

	return conf_put_bytes(key, text, strlen(text), &options, NULL);
}

static void expect_metadata(const char *key, const char *name,
			    const char *value)
{
	struct store_details details;
	struct store_info info;
	const char *found;

	CONF_OK(store_stat_details(conf_store, NULL, key, &info, &details,
				   &conf_error));
	found = store_metadata_get(&details.metadata, name);
	if (value) {
		ck_assert_msg(found, "%s has no metadata %s", key, name);
		ck_assert_str_eq(found, value);
	} else {
		ck_assert_ptr_null(found);
	}
	store_details_release(&details);
}

static void metadata_one(struct store_metadata *metadata, const char *name,
			 const char *value)
{
	store_metadata_init(metadata);
	ck_assert_int_eq(store_metadata_add(metadata, name, value), STORE_OK);
}

/* remote-store 10.34 */
START_TEST(user_metadata_comes_back_as_given)
{
	struct store_details details;
	struct store_metadata metadata;
	struct store_info info;

	metadata_one(&metadata, "Colour", "gr\xc3\xbcn, or \"so\"");
	ck_assert_int_eq(store_metadata_add(&metadata, "x-empty", ""), 0);
	CONF_OK(put_with("a", "1", &metadata));
	CONF_OK(store_stat_details(conf_store, NULL, "a", &info, &details,
				   &conf_error));
	ck_assert_uint_eq(details.metadata.count, 2);
	store_details_release(&details);
	expect_metadata("a", "Colour", "gr\xc3\xbcn, or \"so\"");
	expect_metadata("a", "x-empty", "");
	store_metadata_release(&metadata);
}
END_TEST

START_TEST(the_content_type_comes_back)
{
	struct store_details details;
	struct store_metadata metadata;
	struct store_info info;

	store_metadata_init(&metadata);
	CONF_OK(put_with("a", "1", &metadata));
	CONF_OK(store_stat_details(conf_store, NULL, "a", &info, &details,
				   &conf_error));
	ck_assert_str_eq(details.content_type, "text/x-conf");
	store_details_release(&details);
}
END_TEST

/* remote-store 10.16 */
START_TEST(copy_and_move_keep_user_metadata)
{
	struct store_metadata metadata;

	metadata_one(&metadata, "colour", "green");
	CONF_OK(put_with("a", "1", &metadata));
	CONF_OK(store_copy(conf_store, NULL, "a", "d/b", 0, NULL, &conf_error));
	expect_metadata("d/b", "colour", "green");
	CONF_OK(store_move(conf_store, NULL, "d/b", "c", 0, NULL, NULL,
			   &conf_error));
	expect_metadata("c", "colour", "green");
	expect_metadata("a", "colour", "green");
	CONF_OK(conf_put("plain", "2"));
	CONF_OK(store_copy(conf_store, NULL, "plain", "c", STORE_MOVE_OVERWRITE,
			   NULL, &conf_error));
	expect_metadata("c", "colour", NULL);
	store_metadata_release(&metadata);
}
END_TEST

START_TEST(a_new_version_has_only_its_own_metadata)
{
	struct store_metadata metadata;

	metadata_one(&metadata, "colour", "green");
	CONF_OK(put_with("a", "1", &metadata));
	CONF_OK(conf_put_over("a", "2"));
	expect_metadata("a", "colour", NULL);
	store_metadata_release(&metadata);
}
END_TEST

START_TEST(keep_carries_over_what_is_not_named)
{
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	struct store_metadata metadata;

	metadata_one(&metadata, "colour", "green");
	CONF_OK(put_with("a", "1", &metadata));
	CONF_OK(conf_put_bytes("a", "22", 2, &keep, NULL));
	conf_expect("a", "22");
	expect_metadata("a", "colour", "green");
	store_metadata_release(&metadata);
	metadata_one(&metadata, "shape", "round");
	keep.metadata = &metadata;
	CONF_OK(conf_put_bytes("a", "333", 3, &keep, NULL));
	expect_metadata("a", "shape", "round");
	expect_metadata("a", "colour", NULL);
	store_metadata_release(&metadata);
}
END_TEST

static void expect_invalid(const char *name, const char *value)
{
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];
	struct store_metadata metadata;

	metadata_one(&metadata, name, value);
	store_counters(conf_store, before);
	CONF_FAILS(STORE_INVALID, put_with("a", "1", &metadata));
	store_counters(conf_store, after);
	ck_assert_mem_eq(before, after, sizeof(before));
	store_metadata_release(&metadata);
}

/* On every backend, also one without user metadata; before any request. */
START_TEST(bad_metadata_is_invalid_before_any_request)
{
	char large[STORE_METADATA_MAX + 1];

	memset(large, 'v', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	expect_invalid("", "v");
	expect_invalid("_private", "v");
	expect_invalid("gr\xc3\xbcn", "v");
	expect_invalid("bad\n", "v");
	expect_invalid("n", large);
	expect_invalid("n", "\xff\xfe");
	conf_expect_gone("a");
}
END_TEST

START_TEST(metadata_of_the_largest_size_is_kept)
{
	size_t most = conf_backend.metadata ? conf_backend.metadata
					    : STORE_METADATA_MAX;
	char large[STORE_METADATA_MAX];
	struct store_metadata metadata;

	memset(large, 'v', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	metadata_one(&metadata, "n", large + sizeof(large) - most);
	CONF_OK(put_with("a", "1", &metadata));
	expect_metadata("a", "n", large + sizeof(large) - most);
	store_metadata_release(&metadata);
	if (most == STORE_METADATA_MAX)
		return;
	metadata_one(&metadata, "n", large);
	CONF_FAILS(STORE_INVALID, put_with("b", "1", &metadata));
	conf_expect_gone("b");
	store_metadata_release(&metadata);
}
END_TEST

START_TEST(metadata_where_unsupported_is_refused_and_empty_is_fine)
{
	struct store_metadata metadata;

	store_metadata_init(&metadata);
	CONF_OK(put_with("empty", "1", &metadata));
	metadata_one(&metadata, "colour", "green");
	if (conf_has(STORE_CAP_USER_METADATA)) {
		CONF_OK(put_with("a", "1", &metadata));
	} else {
		CONF_FAILS(STORE_NOT_SUPPORTED, put_with("a", "1", &metadata));
		conf_expect_gone("a");
	}
	store_metadata_release(&metadata);
}
END_TEST

void conf_add_metadata(void)
{
	uint64_t needs = STORE_CAP_USER_METADATA;

	conf_add("F9", needs, user_metadata_comes_back_as_given);
	conf_add("F9", needs, the_content_type_comes_back);
	conf_add("F9", needs, copy_and_move_keep_user_metadata);
	conf_add("F9", needs, a_new_version_has_only_its_own_metadata);
	conf_add("F9", needs, keep_carries_over_what_is_not_named);
	conf_add("F9", needs, metadata_of_the_largest_size_is_kept);
	conf_add("F9", 0, bad_metadata_is_invalid_before_any_request);
	conf_add("F9", 0,
		 metadata_where_unsupported_is_refused_and_empty_is_fine);
}
