// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: rules of the protocol that its steps
 * alone do not tell, as the table in doc/model.md names them.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/unit.h"

/* Longer than what travels in a record. */
enum { LONG = 50000 };
static char long_text[LONG + 1];

static void setup(void)
{
	restart_setup();
	memset(long_text, 'x', LONG);
}

static void ok(int code)
{
	ck_assert_msg(!code, "errno %d", code);
}

/* ---- TIDY ---- */

/* Its end is noted, its bytes are still there when the journal is rewritten. */
START_TEST(a_rewrite_knows_whose_stored_bytes_are_left)
{
	struct store_error error = STORE_ERROR_INIT;

	ok(call_store(fs, "a", long_text));
	is_stored("a", long_text);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 1);
	for (int round = 0; round <= _i / DISK_ENDS; round++)
		commit_rewrite(fs->commit, false);
	ck_assert_int_eq(commit_sync(fs, &error), STORE_OK);
	restart(_i % DISK_ENDS, false);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
	shows("a", long_text);
}
END_TEST

START_TEST(a_rewrite_keeps_what_is_pending_beside_what_is_stored)
{
	ok(call_store(fs, "a", long_text));
	is_stored("a", long_text);
	shut_the_door();
	ok(call_store(fs, "b", long_text));
	ok(call_store(fs, "c", "short"));
	commit_rewrite(fs->commit, false);
	ok(call_store(fs, "d", "after"));
	restart(_i, true);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	shows("b", long_text);
	is_stored("b", long_text);
	is_stored("c", "short");
	is_stored("d", "after");
}
END_TEST

static TCase *new_case(const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, restart_teardown);
	return tests;
}

static TCase *rewrite_cases(void)
{
	TCase *tests = new_case("rewrites");

	tcase_add_loop_test(tests, a_rewrite_knows_whose_stored_bytes_are_left,
			    0, 2 * DISK_ENDS);
	tcase_add_loop_test(
		tests, a_rewrite_keeps_what_is_pending_beside_what_is_stored, 0,
		DISK_ENDS);
	return tests;
}

int main(void)
{
	TCase *cases[] = { rewrite_cases(), NULL };

	return unit_run_cases("mount commit rules", cases);
}
