// SPDX-License-Identifier: MIT
/*
 * What is told of all files that are not stored is true without memory, too:
 * drains, the end of a mount, folders that look empty to the store.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount/ops_change.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

enum { MANY = 100 };

/* ---- allocations of this thread that fail ---- */

static _Thread_local bool memory_is_out;
static _Thread_local int refused;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	if (!memory_is_out)
		return __real_calloc(count, size);
	refused++;
	errno = ENOMEM;
	return NULL;
}

/* ---- many files ---- */

static void make_files(int count)
{
	char path[64];

	publisher_pause(fs->publisher, true);
	ck_assert_int_eq(call_mkdir(fs, "folder"), 0);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "folder/%d", i);
		ck_assert_int_eq(call_store(fs, path, "x"), 0);
	}
}

struct seen {
	struct file *files[MANY + 1];
	size_t count;
};

static void see(void *arg, struct file *file)
{
	struct seen *seen = arg;

	for (size_t i = 0; i < seen->count; i++)
		ck_assert_ptr_ne(seen->files[i], file);
	ck_assert_uint_lt(seen->count, MANY + 1);
	seen->files[seen->count++] = file;
}

static const int counts[] = { 0, 1, 31, 32, 33, 63, 64, 65, MANY };
enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };

START_TEST(every_file_is_seen_once)
{
	struct seen with = { .count = 0 }, without = { .count = 0 };

	make_files(counts[_i]);
	publish_each(fs, see, &with);
	memory_is_out = true;
	publish_each(fs, see, &without);
	memory_is_out = false;
	ck_assert_int_eq(refused, counts[_i] > 32);
	ck_assert_uint_eq(with.count, (size_t)counts[_i]);
	ck_assert_uint_eq(without.count, (size_t)counts[_i]);
	ck_assert_uint_eq(publisher_count(fs->publisher), (size_t)counts[_i]);
}
END_TEST

START_TEST(a_drain_counts_what_is_left)
{
	struct store_context context;
	unsigned int undone;

	make_files(MANY);
	store_context_init(&context, 0, NULL);
	context.deadline_ns = clock_monotonic_ns() + 10 * NS_PER_SEC;
	memory_is_out = true;
	undone = publish_drain(fs, &context);
	memory_is_out = false;
	ck_assert_int_gt(refused, 0);
	ck_assert_uint_eq(undone, MANY);
}
END_TEST

static struct node *folder_node(void)
{
	struct name *name;

	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, fs->tree.root, "folder");
	lock_drop(&fs->tree.lock);
	ck_assert_ptr_nonnull(name);
	return name->node;
}

START_TEST(a_folder_with_files_that_are_not_stored_is_not_empty)
{
	bool has;

	make_files(MANY);
	memory_is_out = true;
	has = folder_has_local(fs, folder_node());
	memory_is_out = false;
	ck_assert(has);
	ck_assert_int_eq(call_rmdir(fs, "folder"), ENOTEMPTY);
}
END_TEST

static void see_and_remove(void *arg, struct file *file)
{
	see(arg, file);
	lock_take(&file->lock);
	file_clean_locked(file);
	lock_drop(&file->lock);
}

/* They leave the list while it is gone through. */
START_TEST(files_may_go_while_they_are_visited)
{
	struct seen seen = { .count = 0 };

	make_files(MANY);
	memory_is_out = true;
	publish_each(fs, see_and_remove, &seen);
	memory_is_out = false;
	ck_assert_uint_eq(seen.count, MANY);
	ck_assert_uint_eq(publisher_count(fs->publisher), 0);
}
END_TEST

static struct seen *added;

static void see_and_add(void *arg, struct file *file)
{
	char path[64];

	see(arg, file);
	memory_is_out = false;
	snprintf(path, sizeof(path), "more-%zu", added->count);
	ck_assert_int_eq(call_store(fs, path, "x"), 0);
	memory_is_out = true;
}

START_TEST(files_that_come_meanwhile_are_for_the_next_time)
{
	struct seen seen = { .count = 0 };

	added = &seen;
	make_files(40);
	memory_is_out = true;
	publish_each(fs, see_and_add, &seen);
	memory_is_out = false;
	ck_assert_uint_eq(seen.count, 40);
	ck_assert_uint_eq(publisher_count(fs->publisher), 80);
}
END_TEST

static void setup(void)
{
	restart_setup();
	refused = 0;
}

int main(void)
{
	TCase *tests = restart_case("all files", setup);
	TCase *const cases[] = { tests, NULL };

	tcase_add_loop_test(tests, every_file_is_seen_once, 0, COUNTS);
	tcase_add_test(tests, a_drain_counts_what_is_left);
	tcase_add_test(tests,
		       a_folder_with_files_that_are_not_stored_is_not_empty);
	tcase_add_test(tests, files_may_go_while_they_are_visited);
	tcase_add_test(tests, files_that_come_meanwhile_are_for_the_next_time);
	return unit_run_cases("publishing all", cases);
}
