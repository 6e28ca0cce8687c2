// SPDX-License-Identifier: MIT
/*
 * Opening a file while its name is taken away: that comes before, and the file
 * has all its bytes, or after.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

/* Longer than a call that waits for nobody. */
#define A_WHILE (300 * NS_PER_MS)

static struct {
	pthread_t thread;
	struct lock lock;
	struct condition changed;
	bool done;
	int code;
	struct call_handle handle;
} opener;

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

static void setup(void)
{
	restart_setup();
	lock_init(&opener.lock);
	condition_init(&opener.changed);
}

static void *open_it(void *arg)
{
	int code = call_open(fs, "a", O_RDONLY, &opener.handle);

	lock_take(&opener.lock);
	opener.code = code;
	opener.done = true;
	condition_broadcast(&opener.changed);
	lock_drop(&opener.lock);
	return arg;
}

/* What is asked of the store now goes on when that one is open, or waits. */
static void somebody_opens_it(void)
{
	int64_t until = clock_monotonic_ns() + A_WHILE;

	ck_assert(!pthread_create(&opener.thread, NULL, open_it, NULL));
	lock_take(&opener.lock);
	while (!opener.done && clock_monotonic_ns() < until)
		condition_wait_until(&opener.changed, &opener.lock, until);
	lock_drop(&opener.lock);
}

/* Some bytes of it are in the store only, and nobody has it open. */
static void edited(void)
{
	struct call_handle handle;

	memory_put(fs->store, "a", "0123456789");
	memory_put(fs->store, "b", "other");
	shut_the_door();
	ok(call_open(fs, "a", O_WRONLY, &handle));
	ok(call_write(&handle, 3, "xyz", 3));
	ok(call_close(&handle));
}

static void opened_whole_or_not(void)
{
	char text[64] = "";

	ck_assert(!pthread_join(opener.thread, NULL));
	open_the_door();
	if (opener.code) {
		ck_assert_int_eq(opener.code, ESTALE);
		return;
	}
	ok(call_read(&opener.handle, text, sizeof(text)));
	ck_assert_str_eq(text, "012xyz6789");
	call_release(&opener.handle);
}

START_TEST(a_file_that_is_removed_is_opened_before_or_not_at_all)
{
	edited();
	door.at_remove = somebody_opens_it;
	ok(call_unlink(fs, "a"));
	opened_whole_or_not();
}
END_TEST

START_TEST(a_file_that_is_replaced_is_opened_before_or_not_at_all)
{
	edited();
	door.at_move = somebody_opens_it;
	ok(call_rename(fs, "b", "a", 0));
	opened_whole_or_not();
}
END_TEST

int main(void)
{
	TCase *tests = restart_case("open", setup);

	tcase_add_test(tests,
		       a_file_that_is_removed_is_opened_before_or_not_at_all);
	tcase_add_test(tests,
		       a_file_that_is_replaced_is_opened_before_or_not_at_all);
	return unit_run("opening while names change", tests);
}
