// SPDX-License-Identifier: MIT
/*
 * Staging with no room left: the budget, a limit on file sizes, and (as
 * root) a small tmpfs in a mount namespace of the test.  What was staged
 * before must be what is read afterwards.
 */
#include "config.h"

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "mount/layer_keep.h"
#include "tests/unit/mount_area.h"
#include "tests/unit/unit.h"

enum { KIB = 1024, MOST = 2048 * KIB };

static struct store_error error;
static struct mount_area folder;
static struct staging staging;
static unsigned char seen[MOST], want[MOST], base[MOST], data[MOST];

static void begin(const char *where, uint64_t limit)
{
	store_error_clear(&error);
	area_open(&folder, where, limit);
	staging_init(&staging, folder.area, 0);
}

static void end(void)
{
	staging_discard(&staging);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	area_close(&folder);
}

/* Stage `length` bytes of a letter; what is wanted, too, when it works. */
static int stage(uint64_t offset, size_t length, char letter)
{
	int code;

	memset(data, letter, length);
	code = staging_write(&staging, data, offset, length, &error);
	if (!code)
		memset(want + offset, letter, length);
	return code;
}

static void check_bytes(uint64_t size)
{
	ck_assert_uint_eq(staging.size, size);
	ck_assert_uint_eq(staging_bytes(&staging, base, seen), size);
	ck_assert_int_eq(memcmp(seen, want, (size_t)size), 0);
}

/* ---- the budget ---- */

START_TEST(a_write_over_the_budget_is_refused_and_harms_nothing)
{
	begin("/tmp", 1000);
	ck_assert_int_eq(stage(0, 900, 'a'), STORE_OK);
	ck_assert_int_eq(stage(900, 200, 'b'), STORE_NO_SPACE);
	check_bytes(900);
	ck_assert_int_eq(stage(900, 100, 'c'), STORE_OK);
	check_bytes(1000);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 1000);
	end();
}
END_TEST

START_TEST(what_is_staged_can_be_written_again_at_the_limit)
{
	begin("/tmp", 1000);
	ck_assert_int_eq(stage(0, 1000, 'a'), STORE_OK);
	ck_assert_int_eq(stage(100, 300, 'b'), STORE_OK);
	check_bytes(1000);
	end();
}
END_TEST

START_TEST(truncating_gives_room_back)
{
	begin("/tmp", 1000);
	ck_assert_int_eq(stage(0, 1000, 'a'), STORE_OK);
	ck_assert_int_eq(staging_truncate(&staging, 400, &error), STORE_OK);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 400);
	ck_assert_int_eq(stage(400, 600, 'b'), STORE_OK);
	check_bytes(1000);
	end();
}
END_TEST

START_TEST(files_share_one_budget)
{
	struct staging other;

	begin("/tmp", 1000);
	staging_init(&other, folder.area, 0);
	ck_assert_int_eq(stage(0, 600, 'a'), STORE_OK);
	ck_assert_int_eq(staging_write(&other, data, 0, 600, &error),
			 STORE_NO_SPACE);
	ck_assert_int_eq(staging_write(&other, data, 0, 400, &error), STORE_OK);
	staging_discard(&other);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 600);
	end();
}
END_TEST

START_TEST(files_count_against_their_own_limit)
{
	struct staging others[3];

	begin("/tmp", 0);
	staging_area_limit_files(folder.area, 3);
	for (int i = 0; i < 3; i++)
		staging_init(&others[i], folder.area, 0);
	ck_assert_int_eq(stage(0, 10, 'a'), STORE_OK);
	ck_assert_int_eq(staging_write(&others[0], data, 0, 10, &error),
			 STORE_OK);
	ck_assert_int_eq(staging_promise(&others[1], &error), STORE_OK);
	ck_assert_int_eq(staging_write(&others[2], data, 0, 10, &error),
			 STORE_NO_SPACE);
	ck_assert_int_eq(area_count(&folder, "data-"), 2);
	/* What was promised is there, and what has a file goes on. */
	ck_assert_int_eq(staging_write(&others[1], data, 0, 10, &error),
			 STORE_OK);
	ck_assert_int_eq(stage(5, 20, 'b'), STORE_OK);
	check_bytes(25);
	staging_discard(&others[0]);
	ck_assert_int_eq(staging_promise(&others[2], &error), STORE_OK);
	ck_assert_int_eq(staging_promise(&others[0], &error), STORE_NO_SPACE);
	staging_discard(&others[2]);
	ck_assert_int_eq(staging_promise(&others[0], &error), STORE_OK);
	staging_discard(&others[0]);
	staging_discard(&others[1]);
	end();
}
END_TEST

static bool leave_grave(void *arg, uint64_t number, uint64_t bytes)
{
	uint64_t *left = arg;

	ck_assert_uint_gt(number, 0);
	*left += bytes;
	return true;
}

START_TEST(what_is_buried_takes_room_until_it_has_gone)
{
	uint64_t bytes = 0, freed;

	begin("/tmp", 1000);
	staging_area_bury_with(folder.area, leave_grave, &bytes);
	ck_assert_int_eq(stage(0, 900, 'a'), STORE_OK);
	staging.layers[0]->kept = true;
	staging_discard(&staging);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	ck_assert_uint_eq(staging_area_buried(folder.area), 1);
	freed = staging_area_freed(folder.area);
	staging_init(&staging, folder.area, 0);
	ck_assert_int_eq(stage(0, 101, 'b'), STORE_NO_SPACE);
	staging_area_unbury(folder.area, bytes);
	ck_assert_uint_eq(staging_area_buried(folder.area), 0);
	ck_assert_uint_ne(staging_area_freed(folder.area), freed);
	ck_assert_int_eq(stage(0, 1000, 'b'), STORE_OK);
	check_bytes(1000);
	staging_area_bury_with(folder.area, NULL, NULL);
	end();
}
END_TEST

/* ---- a limit on sizes ---- */

START_TEST(a_write_that_is_cut_short_leaves_no_trace_behind_the_end)
{
	struct staging_view view;
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	begin("/tmp", 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 10000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(stage(0, 6000, 'a'), STORE_OK);
	/* 4000 bytes of it reach the disk. */
	ck_assert_int_eq(stage(6000, 8000, 'b'), STORE_TOO_LARGE);
	check_bytes(6000);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	/* None of them is to be seen when the file grows over them. */
	ck_assert_int_eq(staging_truncate(&staging, 20000, &error), STORE_OK);
	check_bytes(20000);
	ck_assert_int_eq(stage(9000, 10, 'c'), STORE_OK);
	check_bytes(20000);
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
	ck_assert_int_eq(staging_freeze(&staging, 1, true, &view, &error),
			 STORE_OK);
	ck_assert_uint_eq(view_bytes(&view, base, 0, seen), 20000);
	ck_assert_int_eq(memcmp(seen, want, 20000), 0);
	staging_view_release(&view);
	end();
}
END_TEST

/* ---- a full disk ---- */

/* A tmpfs nobody else sees; it goes with the process of this test. */
static void small_disk_as(char *path, size_t size, const char *options)
{
	snprintf(path, size, "/tmp/storefs-small.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
	ck_assert_int_eq(mount("none", path, "tmpfs", 0, options), 0);
}

static void small_disk(char *path, size_t size)
{
	small_disk_as(path, size, "size=1m");
}

static void small_disk_end(const char *path)
{
	ck_assert_int_eq(umount(path), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

START_TEST(a_full_disk_refuses_the_write_and_keeps_the_rest)
{
	char path[40];

	small_disk(path, sizeof(path));
	begin(path, 0);
	ck_assert_int_eq(stage(0, 900 * KIB, 'a'), STORE_OK);
	ck_assert_int_eq(stage(900 * KIB, 400 * KIB, 'b'), STORE_NO_SPACE);
	check_bytes(900 * KIB);
	ck_assert_int_eq(staging_truncate(&staging, 100 * KIB, &error),
			 STORE_OK);
	ck_assert_int_eq(stage(900 * KIB, 400 * KIB, 'c'), STORE_OK);
	memset(want + 100 * KIB, 0, 800 * KIB);
	check_bytes(1300 * KIB);
	end();
	small_disk_end(path);
}
END_TEST

START_TEST(the_last_inodes_are_left_for_the_journal)
{
	struct staging others[40];
	struct statvfs found;
	char path[40];
	int made = 0, code;

	small_disk_as(path, sizeof(path), "size=1m,nr_inodes=30");
	begin(path, 0);
	ck_assert_int_eq(stage(0, 10 * KIB, 'a'), STORE_OK);
	do {
		staging_init(&others[made], folder.area, 0);
		code = staging_write(&others[made], data, 0, 10, &error);
	} while (!code && ++made < 40);
	ck_assert_int_eq(code, STORE_NO_SPACE);
	ck_assert_int_gt(made, 10);
	ck_assert_int_eq(statvfs(path, &found), 0);
	ck_assert_uint_eq(found.f_favail, 8);
	check_bytes(10 * KIB);
	staging_discard(&others[0]);
	ck_assert_int_eq(staging_write(&others[made], data, 0, 10, &error),
			 STORE_OK);
	for (int i = 0; i <= made; i++)
		staging_discard(&others[i]);
	end();
	small_disk_end(path);
}
END_TEST

/* What a record of the journal may say of each layer; see record.h. */
static void check_layers(void)
{
	for (size_t i = 0; i < staging.count; i++) {
		const struct staging_layer *layer = staging.layers[i];
		struct record record = { .type = RECORD_LAYER };
		bool named = false;
		void *bytes = NULL;

		ck_assert_int_eq(layer_keep(layer, 1, &record.layer, &bytes,
					    &named, &error),
				 STORE_OK);
		if (record_check(&record, &error))
			ck_abort_msg("%s", error.message);
		free(bytes);
	}
}

/*
 * Two layers of 500 KiB that cannot become one on a disk of 1 MiB.  Whether
 * the lower one was stored or not, reads stay right, and the next try, with
 * room, makes one of them.
 */
static void settle_without_room(bool stored)
{
	struct staging_view view, old;
	char path[40];

	small_disk(path, sizeof(path));
	begin(path, 0);
	ck_assert_int_eq(stage(0, 500 * KIB, 'a'), STORE_OK);
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
	ck_assert_int_eq(staging_freeze(&staging, 1, true, &view, &error),
			 STORE_OK);
	ck_assert_int_eq(stage(600 * KIB, 500 * KIB, 'b'), STORE_OK);
	ck_assert_int_eq(stage(100 * KIB, 4 * KIB, 'c'), STORE_OK);
	/* There is room for a copy of this, but not for all of the rest. */
	ck_assert_int_eq(stage(520 * KIB, 4 * KIB, 'd'), STORE_OK);
	if (stored)
		memset(base, 'a', 500 * KIB);
	staging_settle(&staging, stored, &old);
	staging_view_remove(&old);
	staging_view_release(&view);
	ck_assert_uint_eq(staging.base_size, stored ? 500 * KIB : 0);
	check_bytes(1100 * KIB);
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
	ck_assert_uint_eq(staging.count, 2);
	check_bytes(1100 * KIB);
	check_layers();
	ck_assert_int_eq(mount("none", path, "tmpfs", MS_REMOUNT, "size=4m"),
			 0);
	ck_assert_int_eq(stage(0, 4 * KIB, 'e'), STORE_OK);
	check_bytes(1100 * KIB);
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
	ck_assert_uint_eq(staging.count, 1);
	ck_assert(staging.changed);
	check_bytes(1100 * KIB);
	check_layers();
	end();
	small_disk_end(path);
}

START_TEST(layers_that_cannot_be_merged_after_a_failure_read_right)
{
	settle_without_room(false);
}
END_TEST

START_TEST(layers_that_cannot_be_merged_after_a_success_read_right)
{
	settle_without_room(true);
}
END_TEST

/* Nothing is left of the copy, and nothing has become of the rest. */
START_TEST(a_copy_that_finds_no_room_leaves_no_trace)
{
	struct staging_view held, flat;
	char path[40];

	small_disk(path, sizeof(path));
	begin(path, 0);
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(
			stage(200 * i * KIB, 250 * KIB, (char)('a' + i)),
			STORE_OK);
		ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
		staging.layers[i]->kept = true;
	}
	ck_assert_int_eq(
		staging_freeze(&staging, SIZE_MAX, false, &held, &error),
		STORE_OK);
	ck_assert_int_eq(staging_view_flatten(&held, 0, &flat, &error),
			 STORE_NO_SPACE);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 750 * KIB);
	ck_assert_int_eq(area_count(&folder, "data-"), 3);
	check_bytes(650 * KIB);
	ck_assert_int_eq(mount("none", path, "tmpfs", MS_REMOUNT, "size=4m"),
			 0);
	ck_assert_int_eq(staging_view_flatten(&held, 0, &flat, &error),
			 STORE_OK);
	staging_swap(&staging, 0, 3, &flat);
	staging_view_remove(&flat);
	staging_view_release(&held);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 650 * KIB);
	check_bytes(650 * KIB);
	check_layers();
	end();
	small_disk_end(path);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("full");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests,
		       a_write_over_the_budget_is_refused_and_harms_nothing);
	tcase_add_test(tests, what_is_staged_can_be_written_again_at_the_limit);
	tcase_add_test(tests, truncating_gives_room_back);
	tcase_add_test(tests, files_share_one_budget);
	tcase_add_test(tests, files_count_against_their_own_limit);
	tcase_add_test(tests, what_is_buried_takes_room_until_it_has_gone);
	tcase_add_test(
		tests,
		a_write_that_is_cut_short_leaves_no_trace_behind_the_end);
	if (geteuid()) {
		printf("# a full disk is only tried by root\n");
		return unit_run("mount staging full", tests);
	}
	tcase_add_test(tests, a_full_disk_refuses_the_write_and_keeps_the_rest);
	tcase_add_test(tests, the_last_inodes_are_left_for_the_journal);
	tcase_add_test(tests,
		       layers_that_cannot_be_merged_after_a_failure_read_right);
	tcase_add_test(tests,
		       layers_that_cannot_be_merged_after_a_success_read_right);
	tcase_add_test(tests, a_copy_that_finds_no_room_leaves_no_trace);
	return unit_run("mount staging full", tests);
}
