// SPDX-License-Identifier: MIT
/* Extended attributes, with the rules of setxattr(2) and friends. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <errno.h>
#include <sys/xattr.h>

static int set(const char *key, const char *name, const void *value,
	       size_t size, int flags)
{
	struct store_xattr xattr = { .name = name,
				     .value = value,
				     .size = size };

	return store_set_xattr(conf_store, NULL, key, &xattr, flags,
			       &conf_error);
}

static int get(const char *key, const char *name, void **value, size_t *size)
{
	return store_get_xattr(conf_store, NULL, key, name, value, size,
			       &conf_error);
}

static void expect_value(const char *key, const char *name, const void *value,
			 size_t size)
{
	void *found = NULL;
	size_t length = 0;

	CONF_OK(get(key, name, &found, &length));
	ck_assert_uint_eq(length, size);
	ck_assert(size == 0 || memcmp(found, value, size) == 0);
	free(found);
}

/* The attribute must be missing, and the error must say ENODATA. */
static void expect_none(const char *key, const char *name)
{
	struct store_error error = STORE_ERROR_INIT;
	void *value = NULL;
	size_t size = 0;

	ck_assert_int_eq(store_get_xattr(conf_store, NULL, key, name, &value,
					 &size, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(error.detail, ENODATA);
	ck_assert_ptr_null(value);
}

/* How often a name stands in the list. */
static int listed(const char *key, const char *name)
{
	char *names = NULL;
	size_t size = 0;
	size_t at = 0;
	int count = 0;

	CONF_OK(store_list_xattrs(conf_store, NULL, key, &names, &size,
				  &conf_error));
	while (at < size) {
		count += strcmp(names + at, name) == 0;
		at += strlen(names + at) + 1;
	}
	ck_assert_uint_eq(at, size);
	free(names);
	return count;
}

START_TEST(values_of_any_bytes_come_back)
{
	unsigned char large[2000];
	/* Where headers hold them they hold little, on some servers. */
	size_t size = conf_backend.metadata ? 40 : sizeof(large);

	conf_fill(large, sizeof(large), 8);
	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", "user.text", "value", 5, 0));
	CONF_OK(set("a", "user.bytes", "\0\xff\n", 3, 0));
	CONF_OK(set("a", "user.empty", "", 0, 0));
	CONF_OK(set("a", "user.large", large, size, 0));
	expect_value("a", "user.text", "value", 5);
	expect_value("a", "user.bytes", "\0\xff\n", 3);
	expect_value("a", "user.empty", "", 0);
	expect_value("a", "user.large", large, size);
	CONF_OK(set("a", "user.text", "other", 5, 0));
	expect_value("a", "user.text", "other", 5);
	conf_expect("a", "1");
}
END_TEST

START_TEST(names_are_listed_once)
{
	CONF_OK(conf_put("a", "1"));
	ck_assert_int_eq(listed("a", "user.x"), 0);
	CONF_OK(set("a", "user.x", "1", 1, 0));
	CONF_OK(set("a", "user.y", "2", 1, 0));
	CONF_OK(set("a", "user.x", "3", 1, 0));
	ck_assert_int_eq(listed("a", "user.x"), 1);
	ck_assert_int_eq(listed("a", "user.y"), 1);
}
END_TEST

START_TEST(removal_removes_one)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", "user.x", "1", 1, 0));
	CONF_OK(set("a", "user.y", "2", 1, 0));
	CONF_OK(store_remove_xattr(conf_store, NULL, "a", "user.x",
				   &conf_error));
	expect_none("a", "user.x");
	expect_value("a", "user.y", "2", 1);
	CONF_FAILS(STORE_NOT_FOUND, store_remove_xattr(conf_store, NULL, "a",
						       "user.x", &conf_error));
}
END_TEST

START_TEST(create_and_replace_look_first)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_xattr xattr = { .name = "user.x",
				     .value = "2",
				     .size = 1 };

	CONF_OK(conf_put("a", "1"));
	ck_assert_int_eq(store_set_xattr(conf_store, NULL, "a", &xattr,
					 XATTR_REPLACE, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(error.detail, ENODATA);
	expect_none("a", "user.x");
	CONF_OK(set("a", "user.x", "1", 1, XATTR_CREATE));
	CONF_FAILS(STORE_EXISTS, set("a", "user.x", "2", 1, XATTR_CREATE));
	expect_value("a", "user.x", "1", 1);
	CONF_OK(set("a", "user.x", "2", 1, XATTR_REPLACE));
	expect_value("a", "user.x", "2", 1);
}
END_TEST

START_TEST(attributes_of_nothing_are_not_found)
{
	void *value = NULL;
	char *names = NULL;
	size_t size = 0;

	CONF_FAILS(STORE_NOT_FOUND, set("no", "user.x", "1", 1, 0));
	CONF_FAILS(STORE_NOT_FOUND, get("no", "user.x", &value, &size));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_list_xattrs(conf_store, NULL, "no", &names, &size,
				     &conf_error));
	CONF_OK(conf_put("a", "1"));
	expect_none("a", "user.x");
}
END_TEST

START_TEST(folders_have_them_too)
{
	CONF_OK(store_make_folder(conf_store, NULL, "d", NULL, NULL,
				  &conf_error));
	CONF_OK(set("d", "user.x", "1", 1, 0));
	expect_value("d", "user.x", "1", 1);
	CONF_OK(set("", "user.root", "2", 1, 0));
	expect_value("", "user.root", "2", 1);
}
END_TEST

START_TEST(they_come_with_a_put_and_survive_a_move)
{
	struct store_xattr xattrs[] = {
		{ .name = "user.x", .value = "1", .size = 1 },
		{ .name = "user.y", .value = "22", .size = 2 },
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.xattrs = xattrs,
		.xattr_count = 2,
	};

	CONF_OK(conf_put_bytes("a", "1", 1, &options, NULL));
	expect_value("a", "user.x", "1", 1);
	CONF_OK(store_move(conf_store, NULL, "a", "d/b", 0, NULL, NULL,
			   &conf_error));
	expect_value("d/b", "user.y", "22", 2);
}
END_TEST

START_TEST(keeping_puts_keep_them_and_others_do_not)
{
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", "user.x", "1", 1, 0));
	CONF_OK(conf_put_bytes("a", "2", 1, &keep, NULL));
	expect_value("a", "user.x", "1", 1);
	CONF_OK(conf_put_over("a", "3"));
	expect_none("a", "user.x");
}
END_TEST

START_TEST(they_survive_a_restart)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", "user.x", "1", 1, 0));
	conf_reopen();
	expect_value("a", "user.x", "1", 1);
}
END_TEST

START_TEST(what_there_is_no_room_for_leaves_the_others)
{
	unsigned char large[2000];
	struct store_xattr xattr = {
		.name = "user.large",
		.value = large,
		.size = sizeof(large),
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.xattrs = &xattr,
		.xattr_count = 1,
	};

	conf_fill(large, sizeof(large), 8);
	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", "user.x", "1", 1, 0));
	CONF_FAILS(STORE_NO_SPACE,
		   set("a", "user.large", large, sizeof(large), 0));
	expect_none("a", "user.large");
	expect_value("a", "user.x", "1", 1);
	CONF_FAILS(STORE_TOO_LARGE,
		   conf_put_bytes("a", "2", 1, &options, NULL));
	conf_expect("a", "1");
}
END_TEST

/* What the store keeps for itself does not show. */
START_TEST(own_attributes_are_invisible)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.content_type = "text/plain",
	};
	struct store_metadata metadata;
	char *names = NULL;
	size_t size = 0;

	store_metadata_init(&metadata);
	ck_assert_int_eq(store_metadata_add(&metadata, "n", "v"), 0);
	options.metadata = &metadata;
	CONF_OK(conf_put_bytes("a", "1", 1, &options, NULL));
	store_metadata_release(&metadata);
	CONF_OK(store_list_xattrs(conf_store, NULL, "a", &names, &size,
				  &conf_error));
	ck_assert_msg(size == 0, "there is %s", size ? names : "");
	free(names);
}
END_TEST

void conf_add_xattrs(void)
{
	uint64_t needs = STORE_CAP_XATTR;

	conf_add("P xattrs", needs, values_of_any_bytes_come_back);
	conf_add("P xattrs", needs, names_are_listed_once);
	conf_add("P xattrs", needs, removal_removes_one);
	conf_add("P xattrs", needs, create_and_replace_look_first);
	conf_add("P xattrs", needs, attributes_of_nothing_are_not_found);
	conf_add("P xattrs", needs | STORE_CAP_FOLDERS, folders_have_them_too);
	conf_add("P xattrs", needs, they_come_with_a_put_and_survive_a_move);
	conf_add("P xattrs", needs, keeping_puts_keep_them_and_others_do_not);
	if (conf_backend.persistent)
		conf_add("P xattrs", needs, they_survive_a_restart);
	if (conf_backend.metadata)
		conf_add("P xattrs", needs,
			 what_there_is_no_room_for_leaves_the_others);
	conf_add("P xattrs", needs | STORE_CAP_USER_METADATA,
		 own_attributes_are_invisible);
}
