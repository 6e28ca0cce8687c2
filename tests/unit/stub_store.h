/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the registry: a stub backend that counts what is asked of
 * it, and a registry over a temporary file.  Defines the lists of backends,
 * so it is included once in a program.
 */
#ifndef STOREFS_TESTS_UNIT_STUB_STORE_H
#define STOREFS_TESTS_UNIT_STUB_STORE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/sync.h"
#include "src/config/registry.h"

/* ---- the stub ---- */

static struct {
	struct lock lock;
	struct condition changed;
	int alive; /* instances that were configured and not closed */
	int opened;
	bool gate;     /* opening waits until it is lifted */
	int fail_with; /* what opening fails with */
	char bucket[256];
	char password[64];
	struct store_retry_policy retry;
} stub;

static const struct store_option stub_options[] = {
	{ .name = "bucket", .type = OPTION_TEXT, .flags = OPTION_REQUIRED },
	{ .name = "port",
	  .type = OPTION_INTEGER,
	  .fallback = "22",
	  .minimum = 1,
	  .maximum = 65535 },
	{ .name = "password",
	  .type = OPTION_TEXT,
	  .aliases = "pass",
	  .flags = OPTION_SECRET },
	{ .name = "endpoint", .type = OPTION_TEXT },
	{ .name = "hidden", .type = OPTION_TEXT, .flags = OPTION_HIDDEN },
	{ .name = NULL },
};

static inline int stub_from_url(const struct store_url *url,
				struct option_values *values,
				const char *source, struct store_error *error)
{
	int code = STORE_OK;

	if (url->host[0])
		code = option_values_set(values, "bucket", url->host, source,
					 error);
	if (!code && url->password)
		code = option_values_set(values, "password", url->password,
					 source, error);
	return code;
}

static inline int stub_configure(const struct option_values *values,
				 void **self, struct store_error *error)
{
	const char *bucket = option_text(values, "bucket");
	const char *password = option_text(values, "password");

	if (!strcmp(bucket, "bad"))
		return store_error_set(error, STORE_INVALID,
				       "no bucket is called that");
	lock_take(&stub.lock);
	stub.alive++;
	snprintf(stub.bucket, sizeof(stub.bucket), "%s", bucket);
	snprintf(stub.password, sizeof(stub.password), "%s",
		 password ? password : "");
	lock_drop(&stub.lock);
	*self = &stub;
	return STORE_OK;
}

static inline int stub_open(void *self, struct store_context *context,
			    struct store_error *error)
{
	int code;

	(void)self;
	(void)context;
	lock_take(&stub.lock);
	stub.opened++;
	condition_broadcast(&stub.changed);
	while (stub.gate)
		condition_wait(&stub.changed, &stub.lock);
	code = stub.fail_with;
	lock_drop(&stub.lock);
	if (code)
		return store_error_set(error, code, "the stub fails");
	return STORE_OK;
}

static inline void stub_close(void *self)
{
	(void)self;
	lock_take(&stub.lock);
	stub.alive--;
	lock_drop(&stub.lock);
}

static const char *const stub_schemes[] = { "stub", "stubs", NULL };
static const struct store_backend stub_backend = {
	.name = "stubborn",
	.schemes = stub_schemes,
	.options = stub_options,
	.from_url = stub_from_url,
	.configure = stub_configure,
	.open = stub_open,
	.close = stub_close,
};

/* Without options and URL parts. */
static inline int plain_configure(const struct option_values *values,
				  void **self, struct store_error *error)
{
	(void)values;
	(void)error;
	lock_take(&stub.lock);
	stub.alive++;
	lock_drop(&stub.lock);
	*self = &stub;
	return STORE_OK;
}

static const char *const plain_schemes[] = { "sqlite", NULL };
static const struct store_backend plain_backend = {
	.name = "sqlite",
	.schemes = plain_schemes,
	.configure = plain_configure,
	.open = stub_open,
	.close = stub_close,
};

const struct store_backend *const store_backends[] = { &stub_backend,
						       &plain_backend, NULL };
const char *const store_backends_left_out[] = {
	"sftp: configure with --with-sftp=yes", NULL
};

/* ---- helpers ---- */

static struct store_registry *registry;
static struct store_error error;
static char folder[64];
static char path[128];

static inline void begin(void)
{
	lock_init(&stub.lock);
	condition_init(&stub.changed);
	snprintf(folder, sizeof(folder), "/tmp/storefs-registry-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f.ini", folder);
	store_error_clear(&error);
	unsetenv("STOREFS_CONFIG");
}

static inline void end(void)
{
	store_registry_close(registry);
	registry = NULL;
	unlink(path);
	rmdir(folder);
	ck_assert_int_eq(stub.alive, 0);
}

static inline int open_mode(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	store_registry_close(registry);
	registry = NULL;
	store_error_clear(&error);
	return store_registry_open(path, &registry, &error);
}

static inline void accept(const char *text)
{
	int code = open_mode(text, 0600);

	ck_assert_msg(code == STORE_OK, "%s\n%s", text, error.message);
}

static inline void says(const char *part)
{
	ck_assert_msg(strstr(error.message, part) != NULL, "'%s' is not in: %s",
		      part, error.message);
}

static inline void refuse_mode(const char *text, mode_t mode, int expected,
			       const char *part)
{
	int code = open_mode(text, mode);

	ck_assert_msg(code == expected, "%d for:\n%s", code, text);
	ck_assert_ptr_null(registry);
	says(part);
	ck_assert_int_eq(stub.alive, 0);
}

static inline void refuse(const char *text, const char *part)
{
	refuse_mode(text, 0600, STORE_INVALID, part);
}

static inline struct store *get(const char *name)
{
	struct store *store = NULL;
	int code = store_registry_get(registry, name, NULL, &store, &error);

	ck_assert_msg(code == STORE_OK, "%s: %s", name, error.message);
	return store;
}

static inline void get_fails(const char *name, int expected, const char *part)
{
	struct store *store = NULL;

	store_error_clear(&error);
	ck_assert_int_eq(
		store_registry_get(registry, name, NULL, &store, &error),
		expected);
	ck_assert_ptr_null(store);
	says(part);
}

static const char *const main_only UNUSED = "[backends.main]\n"
					    "type = stubborn\n"
					    "bucket = b\n";

#endif
