// SPDX-License-Identifier: MIT
/*
 * Staged files: a random test against plain arrays of bytes, and what must
 * hold at the edges.  Full disks are in test-mount-staging-full.c.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "tests/unit/mount_area.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { MOST = 6000, STEPS = 12000 };

static struct store_error error;
static struct mount_area folder;
static struct staging staging;

/* What must be there. */
struct image {
	uint64_t size;
	unsigned char bytes[MOST];
};
static struct image base, shown, frozen;
static unsigned char seen[MOST];

static void setup(void)
{
	area_open(&folder, "/tmp", 0);
	memset(&base, 0, sizeof(base));
	memset(&shown, 0, sizeof(shown));
	staging_init(&staging, folder.area, 0);
}

static void teardown(void)
{
	staging_discard(&staging);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
	area_close(&folder);
}

/* Begin with a base version of bytes that tell their place. */
static void begin(uint64_t size)
{
	base = (struct image){ .size = size };
	for (uint64_t i = 0; i < size; i++)
		base.bytes[i] = (unsigned char)(1 + i % 251);
	shown = base;
	staging_init(&staging, folder.area, size);
}

static void check_image(const struct image *image, uint64_t size)
{
	uint64_t i = 0;

	ck_assert_uint_eq(size, image->size);
	while (i < size && seen[i] == image->bytes[i])
		i++;
	ck_assert_msg(i == size, "byte %" PRIu64 " of %" PRIu64 " differs", i,
		      size);
}

static void check_shown(void)
{
	ck_assert_uint_eq(staging.size, shown.size);
	ck_assert_uint_eq(staging.base_size, base.size);
	check_image(&shown, staging_bytes(&staging, base.bytes, seen));
}

/* ---- steps ---- */

static void write_bytes(uint64_t offset, uint64_t length)
{
	unsigned char data[MOST] = { 0 };

	for (uint64_t i = 0; i < length; i++)
		data[i] = (unsigned char)seed_next();
	ck_assert_int_eq(
		staging_write(&staging, data, offset, (size_t)length, &error),
		STORE_OK);
	memcpy(shown.bytes + offset, data, (size_t)length);
	if (offset + length > shown.size)
		shown.size = offset + length;
}

static void truncate_to(uint64_t size)
{
	ck_assert_int_eq(staging_truncate(&staging, size, &error), STORE_OK);
	if (size < shown.size)
		memset(shown.bytes + size, 0, (size_t)(shown.size - size));
	shown.size = size;
}

static void punch(uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	ck_assert_int_eq(staging_punch(&staging, offset, length, &error),
			 STORE_OK);
	if (end > shown.size)
		end = shown.size;
	if (offset < end)
		memset(shown.bytes + offset, 0, (size_t)(end - offset));
}

/* Fetch what stands in the base only. */
static void fill(uint64_t offset, uint64_t length)
{
	struct staging_piece piece;

	staging_piece_at(&staging, offset, length, &piece);
	if (piece.length && piece.kind == PIECE_BASE)
		ck_assert_int_eq(staging_fill(&staging,
					      base.bytes + piece.offset,
					      piece.offset,
					      (size_t)piece.length, &error),
				 STORE_OK);
	staging_piece_release(&piece);
}

static void seal(void)
{
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
	frozen = shown;
}

static void settle(bool stored)
{
	ck_assert_int_eq(staging_settle(&staging, stored, &error), STORE_OK);
	ck_assert_ptr_null(staging_sealed(&staging));
	if (stored)
		base = frozen;
}

/* What a publish sends, and what it may leave to the store. */
static void check_sealed(void)
{
	struct staging_layer *layer = staging_sealed(&staging);
	CLEANUP_FREE struct store_range *kept = NULL;
	uint64_t end = 0;
	size_t count = 0;

	if (!layer)
		return;
	ck_assert_uint_eq(staging_layer_size(layer), frozen.size);
	check_image(&frozen, layer_bytes(layer, base.bytes, base.size, seen));
	ck_assert_int_eq(staging_layer_kept(layer, &kept, &count, &error),
			 STORE_OK);
	for (size_t i = 0; i < count; i++) {
		ck_assert(kept[i].length && kept[i].offset >= end);
		end = kept[i].offset + kept[i].length;
		ck_assert_uint_le(end, base.size);
		ck_assert_uint_le(end, frozen.size);
		ck_assert_int_eq(memcmp(base.bytes + kept[i].offset,
					frozen.bytes + kept[i].offset,
					(size_t)kept[i].length),
				 0);
	}
}

static void random_step(void)
{
	uint64_t offset = seed_below(MOST);
	uint64_t most = seed_below(4) ? 200 : MOST;
	uint64_t length = 1 + seed_below(most);

	if (length > MOST - offset)
		length = MOST - offset;
	switch (seed_below(12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		write_bytes(offset, length);
		break;
	case 4:
	case 5:
		fill(offset, length);
		break;
	case 6:
		truncate_to(seed_below(4) ? offset : 0);
		break;
	case 7:
		punch(offset, length);
		break;
	case 8:
	case 9:
		if (!staging.sealed)
			seal();
		break;
	default:
		if (staging.sealed)
			settle(seed_below(2));
		break;
	}
}

START_TEST(random_steps_match_an_array)
{
	begin(seed_below(2) ? seed_below(MOST) : 0);
	for (int step = 0; step < STEPS; step++) {
		if (seed_below(400) == 0) {
			staging_discard(&staging);
			begin(seed_below(MOST));
		}
		random_step();
		check_shown();
		if (step % 4 == 0)
			check_sealed();
	}
}
END_TEST

/* ---- edges ---- */

START_TEST(an_untouched_file_stands_in_its_base)
{
	struct staging_piece piece;

	begin(1000);
	staging_piece_at(&staging, 10, 5000, &piece);
	ck_assert_int_eq(piece.kind, PIECE_BASE);
	ck_assert_uint_eq(piece.length, 990);
	staging_piece_at(&staging, 1000, 1, &piece);
	ck_assert_uint_eq(piece.length, 0);
	ck_assert_int_eq(area_count(&folder, ""), 0);
}
END_TEST

START_TEST(truncated_bytes_do_not_come_back)
{
	begin(1000);
	write_bytes(200, 300);
	truncate_to(100);
	truncate_to(900);
	check_shown();
	write_bytes(950, 10);
	check_shown();
}
END_TEST

START_TEST(what_a_publish_stored_is_the_base_of_later_changes)
{
	begin(1000);
	write_bytes(100, 50);
	seal();
	write_bytes(500, 50);
	truncate_to(700);
	settle(true);
	check_shown();
	ck_assert(staging.changed);
	seal();
	check_sealed();
	settle(true);
	ck_assert(!staging.changed);
	check_shown();
}
END_TEST

START_TEST(a_failed_publish_leaves_all_changes)
{
	begin(1000);
	write_bytes(100, 50);
	seal();
	ck_assert(!staging.changed);
	settle(false);
	ck_assert(staging.changed);
	check_shown();
	seal();
	truncate_to(20);
	settle(false);
	check_shown();
	seal();
	check_sealed();
}
END_TEST

START_TEST(only_what_was_not_touched_is_kept)
{
	CLEANUP_FREE struct store_range *kept = NULL;
	size_t count = 0;

	begin(1000);
	fill(0, 300);
	write_bytes(100, 100);
	truncate_to(500);
	truncate_to(800);
	seal();
	ck_assert_int_eq(
		staging_layer_kept(staging.sealed, &kept, &count, &error),
		STORE_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(kept[0].offset == 0 && kept[0].length == 100);
	ck_assert(kept[1].offset == 200 && kept[1].length == 300);
}
END_TEST

/* Bytes of the next publish that the store has already. */
static uint64_t kept_bytes(void)
{
	CLEANUP_FREE struct store_range *kept = NULL;
	uint64_t total = 0;
	size_t count = 0;

	seal();
	ck_assert_int_eq(
		staging_layer_kept(staging.sealed, &kept, &count, &error),
		STORE_OK);
	for (size_t i = 0; i < count; i++)
		total += kept[i].length;
	settle(false);
	return total;
}

START_TEST(only_what_changed_since_the_last_publish_is_sent)
{
	begin(0);
	write_bytes(0, 2000);
	truncate_to(4000);
	seal();
	settle(true);
	write_bytes(100, 10);
	ck_assert_uint_eq(kept_bytes(), 3990);
	/* Changes that were made while it ran count as new. */
	seal();
	write_bytes(500, 20);
	settle(true);
	ck_assert_uint_eq(kept_bytes(), 3980);
	write_bytes(4000, 100);
	ck_assert_uint_eq(kept_bytes(), 3980);
	truncate_to(50);
	ck_assert_uint_eq(kept_bytes(), 50);
}
END_TEST

START_TEST(nothing_is_kept_of_a_file_that_was_truncated_to_nothing)
{
	CLEANUP_FREE struct store_range *kept = NULL;
	size_t count = 1;

	begin(1000);
	truncate_to(0);
	write_bytes(0, 1000);
	seal();
	ck_assert_int_eq(
		staging_layer_kept(staging.sealed, &kept, &count, &error),
		STORE_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(a_held_piece_outlives_its_layer)
{
	unsigned char bytes[100], want[100];
	struct staging_piece piece;

	begin(0);
	write_bytes(0, 100);
	memcpy(want, shown.bytes, 100);
	seal();
	write_bytes(200, 10);
	staging_piece_at(&staging, 200, 10, &piece);
	settle(true);
	ck_assert_int_eq(staging_read_piece(&piece, bytes, &error), STORE_OK);
	ck_assert_int_eq(memcmp(bytes, shown.bytes + 200, 10), 0);
	staging_piece_release(&piece);
	staging_piece_at(&staging, 0, 100, &piece);
	staging_discard(&staging);
	begin(0);
	ck_assert_int_eq(staging_read_piece(&piece, bytes, &error), STORE_OK);
	ck_assert_int_eq(memcmp(bytes, want, 100), 0);
	staging_piece_release(&piece);
}
END_TEST

START_TEST(punched_holes_take_no_disk_and_are_no_data)
{
	enum { MEGABYTE = 1 << 20 };
	CLEANUP_FREE char *zeros = calloc(1, MEGABYTE);
	struct staging_piece piece;
	struct store_range data;

	ck_assert_ptr_nonnull(zeros);
	begin(0);
	ck_assert_int_eq(staging_write(&staging, zeros, 0, MEGABYTE, &error),
			 STORE_OK);
	ck_assert_int_eq(staging_punch(&staging, 65536, 65536, &error),
			 STORE_OK);
	staging_piece_at(&staging, 65536, MEGABYTE, &piece);
	ck_assert_int_eq(piece.kind, PIECE_STAGED);
	staging_piece_data(&piece, &data);
	ck_assert_uint_eq(data.offset, 2 * 65536);
	ck_assert_uint_eq(data.length, MEGABYTE - 2 * 65536);
	piece.length = 65536;
	staging_piece_data(&piece, &data);
	ck_assert_uint_eq(data.length, 0);
	staging_piece_release(&piece);
}
END_TEST

START_TEST(a_gap_between_writes_reads_as_zeros_and_is_not_staged)
{
	struct staging_piece piece;

	begin(0);
	write_bytes(0, 10);
	write_bytes(4000, 10);
	staging_piece_at(&staging, 10, 10000, &piece);
	ck_assert_int_eq(piece.kind, PIECE_ZERO);
	ck_assert_uint_eq(piece.length, 3990);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 20);
	check_shown();
}
END_TEST

START_TEST(abandoned_files_stay_and_tell_what_they_hold)
{
	struct staging_remains remains;
	unsigned char bytes[64];
	uint64_t end;
	int fd;

	begin(1000);
	write_bytes(100, 64);
	truncate_to(600);
	truncate_to(5000);
	ck_assert(staging_abandon(&staging, &remains));
	ck_assert_ptr_null(staging.top);
	ck_assert_uint_eq(remains.size, 5000);
	ck_assert_uint_eq(remains.lower_limit, 600);
	ck_assert_uint_eq(rangemap_total(&remains.present), 64);
	ck_assert(rangemap_at(&remains.present, 100, &end));
	fd = openat(folder.fd, remains.name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 100), 64);
	ck_assert_int_eq(memcmp(bytes, shown.bytes + 100, 64), 0);
	close(fd);
	ck_assert_int_eq(unlinkat(folder.fd, remains.name, 0), 0);
	staging_remains_release(&remains);
}
END_TEST

START_TEST(what_a_publish_had_sealed_is_abandoned_with_the_rest)
{
	struct staging_remains remains;
	unsigned char bytes[64];
	int fd;

	begin(0);
	write_bytes(0, 40);
	seal();
	write_bytes(30, 34);
	ck_assert(staging_abandon(&staging, &remains));
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	fd = openat(folder.fd, remains.name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 64);
	ck_assert_int_eq(memcmp(bytes, shown.bytes, 64), 0);
	close(fd);
	ck_assert_int_eq(unlinkat(folder.fd, remains.name, 0), 0);
	staging_remains_release(&remains);
}
END_TEST

START_TEST(nothing_is_abandoned_where_nothing_is_staged)
{
	struct staging_remains remains;

	begin(10);
	ck_assert(!staging_abandon(&staging, &remains));
	staging_remains_release(&remains);
}
END_TEST

#ifndef SANITIZED
START_TEST(closing_the_area_deletes_what_nobody_closed)
{
	struct staging_remains remains;
	struct staging other;

	begin(0);
	write_bytes(0, 10);
	staging_init(&other, folder.area, 0);
	ck_assert_int_eq(staging_write(&other, "kept", 0, 4, &error), STORE_OK);
	ck_assert(staging_abandon(&other, &remains));
	ck_assert_int_eq(area_count(&folder, "data-"), 2);
	staging_area_close(folder.area);
	ck_assert_int_eq(area_count(&folder, "data-"), 1);
	ck_assert_int_eq(unlinkat(folder.fd, remains.name, 0), 0);
	staging_remains_release(&remains);
	ck_assert_int_eq(staging_area_open(folder.fd, 0, &folder.area, &error),
			 STORE_OK);
	/* The layer is lost with the mount it was of. */
	staging_init(&staging, folder.area, 0);
}
END_TEST
#endif

START_TEST(files_of_an_earlier_run_are_not_touched)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "data-0-%ld", (long)getpid());
	fd = openat(folder.fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "old", 3), 3);
	begin(0);
	write_bytes(0, 100);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 3);
	close(fd);
	staging_discard(&staging);
	ck_assert_int_eq(area_count(&folder, name), 1);
	ck_assert_int_eq(unlinkat(folder.fd, name, 0), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("staging");

	seed_start();
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, random_steps_match_an_array);
	tcase_add_test(tests, an_untouched_file_stands_in_its_base);
	tcase_add_test(tests, truncated_bytes_do_not_come_back);
	tcase_add_test(tests,
		       what_a_publish_stored_is_the_base_of_later_changes);
	tcase_add_test(tests, a_failed_publish_leaves_all_changes);
	tcase_add_test(tests, only_what_was_not_touched_is_kept);
	tcase_add_test(tests, only_what_changed_since_the_last_publish_is_sent);
	tcase_add_test(tests,
		       nothing_is_kept_of_a_file_that_was_truncated_to_nothing);
	tcase_add_test(tests, a_held_piece_outlives_its_layer);
	tcase_add_test(tests, punched_holes_take_no_disk_and_are_no_data);
	tcase_add_test(tests,
		       a_gap_between_writes_reads_as_zeros_and_is_not_staged);
	tcase_add_test(tests, abandoned_files_stay_and_tell_what_they_hold);
	tcase_add_test(tests,
		       what_a_publish_had_sealed_is_abandoned_with_the_rest);
	tcase_add_test(tests, nothing_is_abandoned_where_nothing_is_staged);
#ifndef SANITIZED
	/* It leaks on purpose, as the end of a mount may. */
	tcase_add_test(tests, closing_the_area_deletes_what_nobody_closed);
#endif
	tcase_add_test(tests, files_of_an_earlier_run_are_not_touched);
	return unit_run("mount staging", tests);
}
