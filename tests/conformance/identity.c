// SPDX-License-Identifier: MIT
/* What a store says about itself: capabilities, paths, ping, figures. */
#include "config.h"

#include "tests/conformance/conf.h"

START_TEST(capabilities_are_those_of_the_backend)
{
	uint64_t has = store_capabilities(conf_store);

	ck_assert_str_eq(store_backend_name(conf_store), conf_backend.backend);
	ck_assert_uint_eq(conf_backend.capabilities & ~has, 0);
	ck_assert_uint_eq(
		has & ~(conf_backend.capabilities | conf_backend.optional), 0);
}
END_TEST

START_TEST(supports_agrees_with_the_bits)
{
	uint64_t has = store_capabilities(conf_store);
	uint64_t bit;

	for (bit = 1; store_capability_name(bit); bit <<= 1)
		ck_assert_int_eq(
			store_supports(conf_store, (enum store_capability)bit),
			(has & bit) != 0);
}
END_TEST

START_TEST(a_healthy_store_answers_ping)
{
	CONF_OK(store_ping(conf_store, NULL, &conf_error));
}
END_TEST

/* Handles are equal when backend instance and root are. */
START_TEST(equality_is_instance_and_root)
{
	struct store *a = NULL;
	struct store *b = NULL;
	struct store *c = NULL;

	CONF_OK(store_child(conf_store, "a", &a, &conf_error));
	CONF_OK(store_child(conf_store, "./a/", &b, &conf_error));
	CONF_OK(store_child(conf_store, "c", &c, &conf_error));
	ck_assert(store_equal(conf_store, conf_store));
	ck_assert(store_equal(a, b));
	ck_assert(!store_equal(a, c));
	ck_assert(!store_equal(a, conf_store));
	store_close(a);
	store_close(b);
	store_close(c);
}
END_TEST

START_TEST(native_paths_lead_back_to_keys)
{
	static const char *const keys[] = { "a", "a/b c", "gr\xc3\xbc\xc3\x9f",
					    "" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char *native = NULL;
		char *key = NULL;

		CONF_OK(store_native_path(conf_store, keys[i], &native,
					  &conf_error));
		CONF_OK(store_to_key(conf_store, native, &key, &conf_error));
		ck_assert_str_eq(key, keys[i]);
		free(native);
		free(key);
	}
}
END_TEST

START_TEST(native_paths_of_a_child_are_below_it)
{
	struct store *child = NULL;
	char *native = NULL;
	char *parent = NULL;
	char *key = NULL;

	CONF_OK(store_child(conf_store, "sub/dir", &child, &conf_error));
	CONF_OK(store_native_path(child, "f", &native, &conf_error));
	CONF_OK(store_native_path(conf_store, "sub/dir/f", &parent,
				  &conf_error));
	ck_assert_str_eq(native, parent);
	CONF_OK(store_to_key(child, native, &key, &conf_error));
	ck_assert_str_eq(key, "f");
	free(native);
	free(parent);
	CONF_OK(store_native_path(conf_store, "other/f", &native, &conf_error));
	free(key);
	key = NULL;
	CONF_FAILS(STORE_INVALID,
		   store_to_key(child, native, &key, &conf_error));
	ck_assert_ptr_null(key);
	free(native);
	store_close(child);
}
END_TEST

START_TEST(resolve_tells_without_asking_the_store)
{
	struct store_resolution resolution = { .backend = NULL };
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];

	store_counters(conf_store, before);
	CONF_OK(store_resolve(conf_store, "/a//b", &resolution, &conf_error));
	store_counters(conf_store, after);
	ck_assert_mem_eq(before, after, sizeof(before));
	ck_assert_str_eq(resolution.backend, conf_backend.backend);
	ck_assert_str_eq(resolution.key, "a/b");
	ck_assert_ptr_nonnull(resolution.native_path);
	ck_assert_ptr_nonnull(resolution.identity);
	store_resolution_release(&resolution);
}
END_TEST

START_TEST(handles_of_one_store_share_an_identity)
{
	struct store *other = conf_open();
	char *a = store_identity(conf_store);
	char *b = store_identity(other);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_str_eq(a, b);
	free(a);
	free(b);
	store_close(other);
}
END_TEST

START_TEST(usage_figures_make_sense)
{
	struct store_usage usage;

	CONF_OK(store_usage(conf_store, NULL, &usage, &conf_error));
	ck_assert_uint_gt(usage.total, 0);
	ck_assert_uint_le(usage.free, usage.total);
	ck_assert_uint_le(usage.available, usage.free);
}
END_TEST

START_TEST(counters_count_what_reaches_the_store)
{
	uint64_t before[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];
	struct store_info info;

	CONF_OK(conf_put("a", "12345"));
	store_counters(conf_store, before);
	CONF_OK(conf_stat("a", &info));
	conf_expect("a", "12345");
	store_counters(conf_store, after);
	ck_assert_uint_eq(after[STORE_COUNT_STAT] - before[STORE_COUNT_STAT],
			  2);
	ck_assert_uint_eq(after[STORE_COUNT_OPEN_READER] -
				  before[STORE_COUNT_OPEN_READER],
			  1);
	ck_assert_uint_eq(after[STORE_COUNT_BYTES_READ] -
				  before[STORE_COUNT_BYTES_READ],
			  5);
	ck_assert_uint_eq(after[STORE_COUNT_PUT], before[STORE_COUNT_PUT]);
}
END_TEST

/* Calls that need a capability the store lacks are refused by name. */
START_TEST(missing_capabilities_are_not_supported)
{
	struct store_node node = { .type = STORE_TYPE_FIFO };
	struct store_node symlink = { .type = STORE_TYPE_SYMLINK,
				      .target = "t" };
	struct store_xattr xattr = { .name = "user.a",
				     .value = "1",
				     .size = 1 };

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("b", "1"));
	if (!conf_has(STORE_CAP_LINKS))
		CONF_FAILS(STORE_NOT_SUPPORTED,
			   store_link(conf_store, NULL, "a", "c", NULL,
				      &conf_error));
	if (!conf_has(STORE_CAP_SYMLINKS))
		CONF_FAILS(STORE_NOT_SUPPORTED,
			   store_make_node(conf_store, NULL, "c", &symlink,
					   NULL, &conf_error));
	if (!conf_has(STORE_CAP_NODES))
		CONF_FAILS(STORE_NOT_SUPPORTED,
			   store_make_node(conf_store, NULL, "c", &node, NULL,
					   &conf_error));
	if (!conf_has(STORE_CAP_XATTR))
		CONF_FAILS(STORE_NOT_SUPPORTED,
			   store_set_xattr(conf_store, NULL, "a", &xattr, 0,
					   &conf_error));
	if (!conf_has(STORE_CAP_EXCHANGE))
		CONF_FAILS(STORE_NOT_SUPPORTED,
			   store_move(conf_store, NULL, "a", "b",
				      STORE_MOVE_EXCHANGE, NULL, NULL,
				      &conf_error));
	conf_expect_names("", "a b");
}
END_TEST

/* remote-store 10.5, and promise of a reopened store. */
START_TEST(content_outlives_the_handle)
{
	CONF_OK(conf_put("d/a", "kept"));
	conf_reopen();
	conf_expect("d/a", "kept");
	conf_expect_names("", "d/ d/a");
}
END_TEST

void conf_add_identity(void)
{
	conf_add("P caps", 0, capabilities_are_those_of_the_backend);
	conf_add("P caps", 0, supports_agrees_with_the_bits);
	conf_add("P caps", 0, missing_capabilities_are_not_supported);
	conf_add("P identity", 0, a_healthy_store_answers_ping);
	conf_add("P identity", 0, equality_is_instance_and_root);
	conf_add("P identity", 0, native_paths_lead_back_to_keys);
	conf_add("P identity", 0, native_paths_of_a_child_are_below_it);
	conf_add("P identity", 0, resolve_tells_without_asking_the_store);
	conf_add("P identity", 0, handles_of_one_store_share_an_identity);
	conf_add("P identity", STORE_CAP_USAGE, usage_figures_make_sense);
	conf_add("P identity", 0, counters_count_what_reaches_the_store);
	if (conf_backend.persistent)
		conf_add("P identity", 0, content_outlives_the_handle);
}
