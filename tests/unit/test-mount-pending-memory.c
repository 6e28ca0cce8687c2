// SPDX-License-Identifier: MIT
/*
 * Out of memory: every allocation on the way from a staging directory to the
 * table of what is pending fails, alone or with all that follow, and each
 * time the answer is NO_MEMORY and nothing leaks or crashes; a table that
 * lacks a file would be taken for the whole.  Linked with --wrap for the
 * allocating functions.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/pending.h"
#include "tests/unit/unit.h"

enum { FIXTURE_FILES = 8 };

/* Allocations that succeed from now on; negative: all of them. */
static long countdown = -1;
static bool alone; /* only one fails */
static bool failed;

static bool fails(void)
{
	if (countdown > 0) {
		countdown--;
		return false;
	}
	if (countdown < 0 || (alone && failed))
		return false;
	failed = true;
	return true;
}

static void allow(long allocations)
{
	countdown = allocations;
	failed = false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__real_reallocarray(void *data, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);
void *__wrap_reallocarray(void *data, size_t count, size_t size);
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

void *__wrap_reallocarray(void *data, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(data, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return fails() ? NULL : __real_strndup(text, length);
}

static int fixture_fd;

static void setup(void)
{
	const char *top = getenv("SRCDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fixtures/staging-1",
		 top ? top : ".");
	fixture_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fixture_fd < 0)
		ck_abort_msg("%s cannot be opened", path);
}

static void teardown(void)
{
	close(fixture_fd);
}

/* Load with so many allocations; true when they were enough. */
static bool load_with(long allocations)
{
	struct store_error error = STORE_ERROR_INIT;
	struct pending pending = { .count = 99 };
	int code;

	allow(allocations);
	code = pending_load(fixture_fd, JOURNAL_READ_ONLY, &pending, NULL,
			    &error);
	countdown = -1;
	if (failed) {
		ck_assert_int_eq(code, STORE_NO_MEMORY);
		ck_assert_int_eq(error.code, code);
		ck_assert_uint_eq(pending.count, 99);
		return false;
	}
	ck_assert_int_eq(code, STORE_OK);
	ck_assert_uint_eq(pending.count, FIXTURE_FILES);
	pending_release(&pending);
	return true;
}

START_TEST(a_load_that_lacks_memory_says_so)
{
	long allocations = 0;

	alone = _i;
	while (!load_with(allocations))
		allocations++;
	/* Two for each of the files at the least, or nothing was swept. */
	ck_assert_int_gt(allocations, 2 * FIXTURE_FILES);
}
END_TEST

static size_t count_codes(const struct pending *pending, int code)
{
	size_t count = 0;

	for (size_t i = 0; i < pending->count; i++)
		for (size_t j = 0; j < pending->files[i].record.layer_count;
		     j++)
			count += pending->files[i].layers[j] &&
				 pending->files[i].layers[j]->code == code;
	return count;
}

START_TEST(bytes_that_cannot_be_checked_are_not_called_whole)
{
	struct store_error error;
	struct pending pending;

	ck_assert_int_eq(pending_load(fixture_fd, JOURNAL_READ_ONLY, &pending,
				      NULL, &error),
			 STORE_OK);
	allow(0);
	pending_verify(fixture_fd, &pending);
	countdown = -1;
	/* Those of layers 2 and 3 stand in files. */
	ck_assert_uint_eq(count_codes(&pending, STORE_NO_MEMORY), 2);
	ck_assert_uint_eq(count_codes(&pending, STORE_CORRUPT), 0);
	pending_verify(fixture_fd, &pending);
	ck_assert_uint_eq(count_codes(&pending, STORE_NO_MEMORY), 0);
	pending_release(&pending);
}
END_TEST

START_TEST(a_record_that_lacks_memory_is_not_written)
{
	char key[] = "key";
	uint64_t layers[] = { 1, 2 };
	struct record record = { .type = RECORD_FILE,
				 .file = { .id = 1,
					   .state = RECORD_PENDING,
					   .key = key,
					   .layers = layers,
					   .layer_count = 2 } };
	long allocations = 0;

	alone = _i;
	do {
		struct buf frame CLEANUP_BUF = BUF_INIT(1 << 20);

		allow(allocations++);
		record_encode(&frame, &record);
		countdown = -1;
		ck_assert_int_eq(frame.failed,
				 failed ? STORE_NO_MEMORY : STORE_OK);
	} while (failed);
	ck_assert_int_gt(allocations, 3);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("pending, memory");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, a_load_that_lacks_memory_says_so, 0, 2);
	tcase_add_test(tests,
		       bytes_that_cannot_be_checked_are_not_called_whole);
	tcase_add_loop_test(tests, a_record_that_lacks_memory_is_not_written, 0,
			    2);
	return unit_run("mount pending memory", tests);
}
