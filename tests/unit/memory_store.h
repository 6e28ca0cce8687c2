/* SPDX-License-Identifier: MIT */
/*
 * A memory store for tests of the core: whole, or poor, which is without
 * every slot that the core can make up for.
 */
#ifndef STOREFS_TESTS_UNIT_MEMORY_STORE_H
#define STOREFS_TESTS_UNIT_MEMORY_STORE_H

#include <check.h>
#include <string.h>

#include "backends/registry.h"
#include "src/base/cleanup.h"
#include "src/option.h"
#include "src/store_internal.h"

enum memory_kind { MEMORY_WHOLE, MEMORY_POOR };

static inline const struct store_backend *memory_table(enum memory_kind kind)
{
	static struct store_backend poor;

	if (kind == MEMORY_WHOLE)
		return &memory_backend;
	poor = memory_backend;
	poor.capabilities &= ~(uint64_t)(STORE_CAP_COPY | STORE_CAP_GLOB);
	poor.has = NULL;
	poor.lists_recursively = false;
	poor.copy = NULL;
	poor.remove_tree = NULL;
	poor.glob = NULL;
	poor.totals = NULL;
	poor.ping = NULL;
	poor.upload_begin = NULL;
	poor.upload_write = NULL;
	poor.upload_commit = NULL;
	poor.upload_abort = NULL;
	return &poor;
}

static inline struct store *memory_assemble(const struct store_backend *table,
					    const struct store_policy *policy)
{
	struct store_error error = STORE_ERROR_INIT;
	struct option_values *values = NULL;
	struct store *store = NULL;
	void *self = NULL;
	int code = option_values_new(table->options, &values, &error);

	if (!code)
		code = table->configure(values, &self, &error);
	if (!code)
		code = store_assemble(table, self, policy, &store, &error);
	ck_assert_msg(code == STORE_OK, "%s", error.message);
	option_values_free(values);
	return store;
}

static inline struct store *memory_store(enum memory_kind kind)
{
	struct store_policy policy = { .retry.max_attempts = 1 };

	return memory_assemble(memory_table(kind), &policy);
}

/* Write a text, over whatever is there. */
static inline void memory_put(struct store *store, const char *key,
			      const char *text)
{
	struct store_write_options any = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_error error = STORE_ERROR_INIT;
	struct store_memory_source source;
	int code = store_write(
		store, NULL, key,
		store_memory_source_init(&source, text, strlen(text)), &any,
		NULL, &error);

	ck_assert_msg(code == STORE_OK, "%s", error.message);
}

/* What is there must be this text. */
static inline void memory_is(struct store *store, const char *key,
			     const char *text)
{
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE void *data = NULL;
	size_t size = 0;
	int code =
		store_read_all(store, NULL, key, 1 << 20, &data, &size, &error);

	ck_assert_msg(code == STORE_OK, "%s", error.message);
	ck_assert_uint_eq(size, strlen(text));
	ck_assert_int_eq(memcmp(data, text, size), 0);
}

static inline bool memory_has_key(struct store *store, const char *key)
{
	bool answer = false;

	ck_assert_int_eq(store_exists(store, NULL, key, &answer, NULL),
			 STORE_OK);
	return answer;
}

#endif
