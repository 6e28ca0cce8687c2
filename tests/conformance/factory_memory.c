// SPDX-License-Identifier: MIT
/* The conformance suite on the memory store. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

static char memory_url[512];

/* Handles of one name share a tree, so each test takes a new name. */
static void memory_begin(const char *scratch)
{
	snprintf(memory_url, sizeof(memory_url), "memory:?name=%s&limit=16G",
		 scratch);
}

static struct store *memory_open(struct store_error *error)
{
	struct store *store = NULL;

	return store_open_url(memory_url, NULL, &store, error) ? NULL : store;
}

static int try_put(struct store *store, const char *key, const void *data,
		   size_t size)
{
	struct store_memory_source source;

	return store_write(store, NULL, key,
			   store_memory_source_init(&source, data, size), NULL,
			   NULL, &conf_error);
}

START_TEST(content_beyond_the_limit_is_no_space)
{
	struct store *small = NULL;
	char *data = malloc(200000);

	ck_assert_ptr_nonnull(data);
	memset(data, 'x', 200000);
	CONF_OK(store_open_url("memory:?limit=256K", NULL, &small,
			       &conf_error));
	CONF_OK(try_put(small, "a", data, 200000));
	CONF_FAILS(STORE_NO_SPACE, try_put(small, "b", data, 200000));
	CONF_OK(store_delete(small, NULL, "a", false, &conf_error));
	CONF_OK(try_put(small, "b", data, 200000));
	store_close(small);
	free(data);
}
END_TEST

START_TEST(private_stores_share_nothing)
{
	struct store *one = NULL;
	struct store *two = NULL;
	bool there = true;

	CONF_OK(store_open_url("memory:", NULL, &one, &conf_error));
	CONF_OK(store_open_url("memory:", NULL, &two, &conf_error));
	CONF_OK(try_put(one, "a", "1", 1));
	CONF_OK(store_exists(two, NULL, "a", &there, &conf_error));
	ck_assert(!there);
	ck_assert(!store_equal(one, two));
	store_close(one);
	store_close(two);
}
END_TEST

START_TEST(folders_count_their_folders_as_links)
{
	struct store_info info;

	CONF_OK(conf_put("d/e/file", "x"));
	CONF_OK(store_make_folder(conf_store, NULL, "d/f", NULL, NULL,
				  &conf_error));
	CONF_OK(conf_stat("d", &info));
	ck_assert_uint_eq(info.links, 4);
	CONF_OK(store_move(conf_store, NULL, "d/f", "g", 0, NULL, NULL,
			   &conf_error));
	CONF_OK(conf_stat("d", &info));
	ck_assert_uint_eq(info.links, 3);
	CONF_OK(conf_put("file", "x"));
	CONF_OK(store_move(conf_store, NULL, "file", "d/e", STORE_MOVE_EXCHANGE,
			   NULL, NULL, &conf_error));
	CONF_OK(conf_stat("d", &info));
	ck_assert_uint_eq(info.links, 2);
	CONF_OK(store_move(conf_store, NULL, "file", "d/e", STORE_MOVE_EXCHANGE,
			   NULL, NULL, &conf_error));
	CONF_OK(conf_stat("d", &info));
	ck_assert_uint_eq(info.links, 3);
}
END_TEST

START_TEST(attributes_links_and_names_keep_the_token)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0600 };
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "x"));
	CONF_OK(conf_stat("a", &before));
	CONF_OK(store_set_attributes(conf_store, NULL, "a", &mode, NULL,
				     &conf_error));
	CONF_OK(store_link(conf_store, NULL, "a", "b", NULL, &conf_error));
	CONF_OK(store_move(conf_store, NULL, "a", "c", 0, NULL, &after,
			   &conf_error));
	ck_assert(store_version_equal(&before.version, &after.version));
	ck_assert_uint_eq(before.id, after.id);
	CONF_OK(conf_put_over("c", "x"));
	CONF_OK(conf_stat("c", &after));
	ck_assert(!store_version_equal(&before.version, &after.version));
}
END_TEST

static void memory_extra(void)
{
	conf_add("F1 limit", 0, content_beyond_the_limit_is_no_space);
	conf_add("P life", 0, private_stores_share_nothing);
	conf_add("P links", 0, folders_count_their_folders_as_links);
	conf_add("P versions", 0, attributes_links_and_names_keep_the_token);
}

const struct conf_backend conf_backend = {
	.name = "memory",
	.backend = "memory",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL |
			STORE_CAP_COMPOSE | STORE_CAP_PINNED_READ |
			STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |
			STORE_CAP_EXCHANGE | STORE_CAP_POSIX | STORE_CAP_LINKS |
			STORE_CAP_SYMLINKS | STORE_CAP_NODES | STORE_CAP_XATTR |
			STORE_CAP_USAGE | STORE_CAP_SPARSE |
			STORE_CAP_PUBLISH_ID | STORE_CAP_NEAR,
	.keeps_ids = STORE_CAP_POSIX,
	.begin = memory_begin,
	.open = memory_open,
	.extra = memory_extra,
};
