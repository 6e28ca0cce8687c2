// SPDX-License-Identifier: MIT
/*
 * What a mount shows of a file when the store's answer is older than what
 * this mount has stored since, and the file was forgotten in between.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>

#include "mount/publish.h"
#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static bool is_forgotten(void)
{
	bool forgotten;

	lock_take(&fs->tree.lock);
	forgotten = !tree_find_name(&fs->tree, fs->tree.root, "a");
	lock_drop(&fs->tree.lock);
	return forgotten;
}

/* Stored, and the thread that did so has let go of it. */
static void forget_stored(void)
{
	int64_t until = clock_monotonic_ns() + 10 * NS_PER_SEC;

	ck_assert_uint_eq(drain(), 0);
	while (!is_forgotten()) {
		sched_yield();
		ck_assert_int_lt(clock_monotonic_ns(), until);
	}
}

static void store_and_forget(const char *text)
{
	ok(call_store(fs, "a", text));
	forget_stored();
}

static void store_longer(void)
{
	store_and_forget("longer than before");
}

static void setup(void)
{
	restart_setup();
	store_and_forget("short");
}

START_TEST(a_lookup_does_not_bring_back_a_former_size)
{
	struct stat found;

	door.after_stat = store_longer;
	ok(call_look_up(fs, "a", &found));
	memory_is(fs->store, "a", "longer than before");
	ck_assert_int_eq(found.st_size, strlen("longer than before"));
}
END_TEST

START_TEST(a_listing_does_not_bring_back_a_former_size)
{
	struct stat found;

	door.after_list = store_longer;
	if (call_listed(fs, "a", &found))
		ck_assert_int_eq(found.st_size, strlen("longer than before"));
	memory_is(fs->store, "a", "longer than before");
	ok(call_look_up(fs, "a", &found));
	ck_assert_int_eq(found.st_size, strlen("longer than before"));
}
END_TEST

START_TEST(a_listing_tells_of_what_nobody_has_changed)
{
	struct stat found;

	ck_assert(call_listed(fs, "a", &found));
	ck_assert_int_eq(found.st_size, strlen("short"));
}
END_TEST

/* As the kernel does it, which has looked it up. */
static void remove_it(void)
{
	struct call_handle handle;

	ok(call_open(fs, "a", O_RDONLY, &handle));
	ok(call_unlink(fs, "a"));
	call_release(&handle);
}

START_TEST(a_lookup_does_not_bring_back_a_name)
{
	struct stat found;

	door.after_stat = remove_it;
	ck_assert_int_eq(call_look_up(fs, "a", &found), ENOENT);
	shows_none("a");
}
END_TEST

static void let_it_go(void)
{
	publisher_pause(fs->publisher, false);
	forget_stored();
}

START_TEST(a_file_that_is_stored_while_it_is_listed_is_listed)
{
	ok(call_unlink(fs, "a"));
	publisher_pause(fs->publisher, true);
	ok(call_store(fs, "a", "pending"));
	ck_assert(call_lists_while(fs, "a", let_it_go));
	memory_is(fs->store, "a", "pending");
}
END_TEST

int main(void)
{
	TCase *tests = restart_case("attributes", setup);
	TCase *cases[] = { tests, NULL };

	tcase_add_test(tests, a_lookup_does_not_bring_back_a_former_size);
	tcase_add_test(tests, a_listing_does_not_bring_back_a_former_size);
	tcase_add_test(tests, a_listing_tells_of_what_nobody_has_changed);
	tcase_add_test(tests, a_lookup_does_not_bring_back_a_name);
	tcase_add_test(tests,
		       a_file_that_is_stored_while_it_is_listed_is_listed);
	return unit_run_cases("mount attributes", cases);
}
