// SPDX-License-Identifier: MIT
/*
 * Out of memory: every allocation on the way from a configuration file to an
 * open store fails once, and each time the answer is NO_MEMORY and nothing
 * leaks or crashes.  Linked with --wrap for the allocating functions.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/registry.h"
#include "tests/unit/unit.h"

/* Allocations that succeed from now on; negative: all of them. */
static long countdown = -1;

static bool fails(void)
{
	if (countdown > 0)
		countdown--;
	else if (countdown == 0)
		return true;
	return false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *data, size_t size)
{
	return fails() ? NULL : __real_realloc(data, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return fails() ? NULL : __real_strndup(text, length);
}

/* ---- a backend without memory of its own ---- */

static int alive;

static const struct store_option stub_options[] = {
	{ .name = "bucket", .type = OPTION_TEXT, .flags = OPTION_REQUIRED },
	{ .name = "cache", .type = OPTION_PATH, .fallback = "relative" },
	{ .name = "secret", .type = OPTION_TEXT, .flags = OPTION_SECRET },
	{ .name = NULL },
};

static int stub_from_url(const struct store_url *url,
			 struct option_values *values, const char *source,
			 struct store_error *error)
{
	return option_values_set(values, "bucket", url->host, source, error);
}

static int stub_configure(const struct option_values *values, void **self,
			  struct store_error *error)
{
	(void)values;
	(void)error;
	alive++;
	*self = &alive;
	return STORE_OK;
}

static int stub_open(void *self, struct store_context *context,
		     struct store_error *error)
{
	(void)self;
	(void)context;
	(void)error;
	return STORE_OK;
}

static void stub_close(void *self)
{
	(void)self;
	alive--;
}

static const char *const schemes[] = { "stub", NULL };
static const struct store_backend stub = {
	.name = "stub",
	.schemes = schemes,
	.options = stub_options,
	.from_url = stub_from_url,
	.configure = stub_configure,
	.open = stub_open,
	.close = stub_close,
};
const struct store_backend *const store_backends[] = { &stub, NULL };
const char *const store_backends_left_out[] = { NULL };

/* ---- the sweep ---- */

static const char *const text = "[backends.main]\n"
				"type = \"stub\"\n"
				"options = { bucket = \"${HOME}${NO:-d}\" }\n"
				"retry = { max_attempts = 0b11 }\n"
				"[backends.main.options]\n"
				"secret = 'hunter2'\n"
				"[stores.reports]\n"
				"backend = main\n"
				"root_path = a/b\n"
				"[mounts.reports]\n"
				"password = hunter2\n"
				"commit = close\n";

static char path[64];

static void write_file(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/storefs-memory-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("HOME", "/home/me", 1);
}

static void remove_file(void)
{
	unlink(path);
}

/* Asserted later: check allocates for an assertion. */
static bool secret_seen;

static void look(void *arg, const char *section, const char *key,
		 const char *value, const char *source)
{
	(void)arg;
	(void)section;
	(void)key;
	(void)source;
	if (strstr(value, "hunter2"))
		secret_seen = true;
}

static int use_registry(struct store_error *error)
{
	static const char *const pairs[] = { "bucket=other", NULL };
	const struct store_open_options options = { .options = pairs };
	struct store_registry *registry = NULL;
	struct store *store = NULL;
	int code = store_registry_open(path, &registry, error);

	if (code)
		return code;
	store_registry_explain(registry, look, NULL);
	code = store_registry_get(registry, "reports", NULL, &store, error);
	if (!code) {
		store_close(store);
		code = store_registry_get(registry, "main", &options, &store,
					  error);
	}
	if (!code)
		store_close(store);
	store_registry_close(registry);
	return code;
}

static int use_url(struct store_error *error)
{
	struct store *store = NULL;
	int code = store_open_url("stub://b/%41?bucket=%42&cache=x", NULL,
				  &store, error);

	if (!code)
		store_close(store);
	return code;
}

static void sweep(int (*use)(struct store_error *error))
{
	struct store_error error = STORE_ERROR_INIT;
	int code = STORE_INTERNAL;

	for (long i = 0; i < 100000; i++) {
		bool ran_out;

		store_error_clear(&error);
		countdown = i;
		code = use(&error);
		ran_out = countdown == 0;
		countdown = -1;
		ck_assert_int_eq(alive, 0);
		ck_assert(!secret_seen);
		if (!ran_out)
			break;
		ck_assert_msg(!code || code == STORE_NO_MEMORY,
			      "allocation %ld: %d %s", i, code, error.message);
		ck_assert_int_eq(error.code, code);
	}
	ck_assert_msg(code == STORE_OK, "%s", error.message);
}

START_TEST(a_registry_survives_any_failed_allocation)
{
	sweep(use_registry);
}
END_TEST

START_TEST(a_url_survives_any_failed_allocation)
{
	sweep(use_url);
}
END_TEST

int main(void)
{
	TCase *test = tcase_create("memory");

	tcase_add_checked_fixture(test, write_file, remove_file);
	tcase_set_timeout(test, 60);
	tcase_add_test(test, a_registry_survives_any_failed_allocation);
	tcase_add_test(test, a_url_survives_any_failed_allocation);
	return unit_run("config-memory", test);
}
