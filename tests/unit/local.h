/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the local backend share: an instance on a fresh folder,
 * used through its table, and the folder as other programs see it.
 *
 * TEST_LOCAL_OPTIONS="portable=yes" runs them without openat2 and the like.
 */
#ifndef STOREFS_TESTS_UNIT_LOCAL_H
#define STOREFS_TESTS_UNIT_LOCAL_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/registry.h"
#include "src/base/cleanup.h"
#include "src/option.h"

static const struct store_backend *const ops = &local_backend;
static char scratch[256]; /* a fresh folder */
static char root[288];	  /* the store in it */
static void *self;
static struct store_context context;
static struct store_error error;

static UNUSED const struct store_precondition any = { STORE_IF_ANY, { 0 } };
static UNUSED const struct store_precondition absent = { STORE_IF_ABSENT,
							 { 0 } };

/* Must succeed, and say what did not. */
#define OK(call)                                                        \
	do {                                                            \
		int ok_code = (call);                                   \
		ck_assert_msg(ok_code == STORE_OK, "%s: %s: %s", #call, \
			      store_code_name(ok_code), error.message); \
	} while (0)
/* Must fail with this code. */
#define FAILS(wanted, call)                                                    \
	do {                                                                   \
		int fails_code = (call);                                       \
		ck_assert_msg(fails_code == (wanted), "%s: %s, not %s", #call, \
			      store_code_name(fails_code),                     \
			      store_code_name(wanted));                        \
		ck_assert_int_eq(error.code, (wanted));                        \
		store_error_clear(&error);                                     \
	} while (0)

static UNUSED void *configured(const char *path)
{
	const char *more = getenv("TEST_LOCAL_OPTIONS");
	struct option_values *values = NULL;
	void *fresh = NULL;

	OK(option_values_new(ops->options, &values, &error));
	OK(option_values_set(values, "root", path, "test", &error));
	if (more && strcmp(more, "portable=yes") == 0)
		OK(option_values_set(values, "portable", "yes", "test",
				     &error));
	OK(ops->configure(values, &fresh, &error));
	option_values_free(values);
	return fresh;
}

static UNUSED void *opened(const char *path)
{
	void *fresh = configured(path);

	OK(ops->open(fresh, &context, &error));
	return fresh;
}

static UNUSED void reopen(void)
{
	ops->close(self);
	self = opened(root);
}

static UNUSED void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch, sizeof(scratch), "%.230s/local-XXXXXX",
		 tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	snprintf(root, sizeof(root), "%s/root", scratch);
	ck_assert_int_eq(mkdir(root, 0755), 0);
	store_context_init(&context, 0, NULL);
	store_error_clear(&error);
	self = opened(root);
}

static UNUSED int remove_one(const char *path, const struct stat *info,
			     int type, struct FTW *walk)
{
	(void)info;
	(void)walk;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static UNUSED void teardown(void)
{
	ops->close(self);
	nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- from outside ---- */

static UNUSED const char *outside(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static UNUSED void write_outside(const char *name, const char *text)
{
	FILE *file = fopen(outside(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static UNUSED void expect_outside(const char *name, const char *text)
{
	char got[256] = "";
	FILE *file = fopen(outside(name), "r");

	ck_assert_msg(file != NULL, "%s is missing", name);
	got[fread(got, 1, sizeof(got) - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(got, text);
}

static UNUSED bool is_outside(const char *name)
{
	struct stat st;

	return lstat(outside(name), &st) == 0;
}

static UNUSED struct stat stat_outside(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(outside(name), &st), 0);
	return st;
}

/* ---- through the table ---- */

struct text_put {
	const char *key;
	const char *text;
	const struct store_precondition *precondition;
	const struct store_attributes *attributes;
	unsigned int flags;
};

static UNUSED int put_text(const struct text_put *put, struct store_info *info)
{
	struct store_memory_source source;
	struct backend_put_request request = {
		.key = put->key,
		.source = store_memory_source_init(&source, put->text,
						   strlen(put->text)),
		.attributes = put->attributes,
		.flags = put->flags,
	};
	struct store_info unused;

	if (put->precondition)
		request.precondition = *put->precondition;
	return ops->put(self, &context, &request, info ? info : &unused,
			&error);
}

static UNUSED int put_simply(const char *key, const char *text)
{
	return put_text(&(struct text_put){ .key = key, .text = text }, NULL);
}

static UNUSED int stat_key(const char *key, struct store_info *info)
{
	return ops->stat(self, &context, key, info, NULL, &error);
}

static UNUSED struct store_info info_of(const char *key)
{
	struct store_info info;

	OK(stat_key(key, &info));
	return info;
}

static UNUSED int read_reader(void *reader, char got[64])
{
	size_t length = 0;
	int code =
		ops->read(self, &context, reader, 0, got, 63, &length, &error);

	if (!code)
		got[length] = '\0';
	return code;
}

static UNUSED void *open_reader(const char *key)
{
	struct store_info info;
	void *reader = NULL;

	OK(ops->open_reader(self, &context, key, NULL, &reader, &info, &error));
	return reader;
}

/* Names of a folder, in the backend's order; the page is the caller's. */
static UNUSED int list_page(const char *prefix, const char *cursor,
			    size_t limit, struct store_page *page)
{
	const struct backend_list_request request = {
		.prefix = prefix,
		.complete = true,
		.cursor = cursor,
		.limit = limit,
	};

	return ops->list(self, &context, &request, page, &error);
}

static UNUSED size_t count_names(const char *prefix)
{
	struct store_page page;
	size_t count;

	store_page_init(&page);
	OK(list_page(prefix, NULL, 1000, &page));
	count = page.count;
	store_page_release(&page);
	return count;
}

#endif
