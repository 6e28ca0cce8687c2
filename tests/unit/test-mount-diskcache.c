// SPDX-License-Identifier: MIT
/* The cache directory: right bytes or none, within its size. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/diskcache_index.h"
#include "src/base/log.h"
#include "tests/unit/mount_blocks.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { SMALL = 100, SPAN = 1 << 20, READERS = 4, READS = 400, LIMIT = 1 << 19 };
enum { FEW = 8, MEMORY = 1 << 20 };

static char path[] = "/tmp/storefs-diskcache.XXXXXX";
static struct diskcache *cache;
static struct store_error error;
static unsigned char id[DISKBLOCK_ID];
static unsigned char data[SPAN];

static const struct store_version version = { .token = "one" };

static void start_with(uint64_t size, uint64_t memory)
{
	const struct diskcache_request request = { .path = path,
						   .identity = "store",
						   .size = size,
						   .memory = memory };

	ck_assert_msg(!diskcache_open(&request, &cache, &error), "%s",
		      error.message);
	ck_assert_int_eq(diskcache_id(cache, "key", &version, id, &error), 0);
}

static void start(uint64_t size)
{
	start_with(size, MEMORY);
}

static void again(void)
{
	diskcache_close(cache);
	start(LIMIT);
}

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(path));
	start(LIMIT);
}

static void teardown(void)
{
	char command[64];

	diskcache_close(cache);
	snprintf(command, sizeof(command), "rm -r %s", path);
	ck_assert_int_eq(system(command), 0);
}

static struct diskcache_stats stats(void)
{
	struct diskcache_stats now;

	diskcache_stats(cache, &now);
	return now;
}

static void keep(uint64_t offset, size_t length)
{
	struct store_range range = { offset, length };

	for (size_t i = 0; i < length; i++)
		data[i] = byte_at(offset + i);
	diskcache_write(cache, id, &range, data);
}

/* How many bytes are there; they are right. */
static size_t look(uint64_t offset, size_t length, size_t *gap)
{
	struct store_range range = { offset, length };
	size_t got = diskcache_read(cache, id, &range, data, gap);

	check_bytes(data, offset, got);
	return got;
}

static void block_path(uint64_t start, uint64_t length, char out[160])
{
	struct diskblock block = { .start = start, .length = length };
	char name[DISKBLOCK_NAME];

	memcpy(block.id, id, DISKBLOCK_ID);
	diskblock_name(&block, name);
	snprintf(out, 160, "%s/%s", path, name);
}

START_TEST(what_was_kept_is_found_by_parts_and_gaps_are_told)
{
	size_t gap;

	keep(1000, 200000);
	keep(300000, 70000);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(look(1000, 200000, &gap), 200000);
		ck_assert_uint_eq(look(66000, 5, &gap), 5);
		ck_assert_uint_eq(look(200000, 5000, &gap), 1000);
		ck_assert_uint_eq(look(0, 5000, &gap), 0);
		ck_assert_uint_eq(gap, 1000);
		ck_assert_uint_eq(look(201000, SPAN / 2, &gap), 0);
		ck_assert_uint_eq(gap, 99000);
		again();
	}
}
END_TEST

START_TEST(another_file_version_or_store_is_another_block)
{
	const struct store_version other = { .token = "two" };
	unsigned char second[DISKBLOCK_ID];

	ck_assert_int_eq(diskcache_id(cache, "key", &other, second, &error), 0);
	ck_assert_int_ne(memcmp(id, second, DISKBLOCK_ID), 0);
	ck_assert_int_eq(diskcache_id(cache, "keyt",
				      &(struct store_version){ .token = "wo" },
				      second, &error),
			 0);
	ck_assert_int_ne(memcmp(id, second, DISKBLOCK_ID), 0);
}
END_TEST

START_TEST(any_changed_byte_is_found)
{
	char name[160];
	size_t gap;

	block_path(50, SMALL, name);
	for (uint64_t at = 0; at < diskblock_size(SMALL); at++) {
		unsigned char byte;
		int fd;

		keep(50, SMALL);
		fd = open(name, O_RDWR);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= (unsigned char)(1 + at % 255);
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
		ck_assert_msg(!look(50, SMALL, &gap), "byte %d", (int)at);
		ck_assert_uint_eq(stats().damaged, at + 1);
		ck_assert_int_ne(access(name, F_OK), 0);
	}
	ck_assert_uint_eq(stats().used, 0);
}
END_TEST

START_TEST(any_length_but_its_own_is_found)
{
	char name[160];
	size_t gap;

	block_path(50, SMALL, name);
	for (uint64_t size = 0; size < diskblock_size(SMALL); size++) {
		keep(50, SMALL);
		ck_assert_int_eq(truncate(name, (off_t)size), 0);
		if (size % 2)
			again();
		ck_assert_uint_eq(look(50, SMALL, &gap), 0);
		ck_assert_int_ne(access(name, F_OK), 0);
	}
	ck_assert_uint_eq(stats().used, 0);
}
END_TEST

START_TEST(a_block_under_another_name_is_not_believed)
{
	char from[160], to[160];
	size_t gap;

	keep(50, SMALL);
	keep(50 + SMALL, SMALL);
	block_path(50, SMALL, from);
	block_path(50 + SMALL, SMALL, to);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_uint_eq(look(50 + SMALL, SMALL, &gap), 0);
	ck_assert_uint_eq(stats().damaged, 1);
	/* Its file has gone, which is no damage. */
	ck_assert_uint_eq(look(50, SMALL, &gap), 0);
	ck_assert_uint_eq(stats().damaged, 1);
}
END_TEST

static void *look_at_damage(void *arg)
{
	unsigned char *bytes = malloc(SMALL);
	struct store_range range = { 50, SMALL };
	size_t gap;

	(void)arg;
	ck_assert_ptr_nonnull(bytes);
	if (diskcache_read(cache, id, &range, bytes, &gap)) {
		check_bytes(bytes, 50, SMALL);
	} else {
		for (size_t i = 0; i < SMALL; i++)
			bytes[i] = byte_at(50 + i);
		diskcache_write(cache, id, &range, bytes);
	}
	free(bytes);
	return NULL;
}

START_TEST(damage_that_many_find_is_one_and_is_mended)
{
	pthread_t threads[READERS];
	char name[160];
	size_t gap;

	block_path(50, SMALL, name);
	keep(50, SMALL);
	for (unsigned int round = 1; round <= READS; round++) {
		int fd = open(name, O_WRONLY);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(pwrite(fd, "damaged", 7, 90), 7);
		close(fd);
		for (int i = 0; i < READERS; i++)
			ck_assert(!pthread_create(&threads[i], NULL,
						  look_at_damage, NULL));
		for (int i = 0; i < READERS; i++)
			pthread_join(threads[i], NULL);
		ck_assert_uint_eq(stats().damaged, round);
		ck_assert_uint_eq(stats().blocks, 1);
		ck_assert_uint_eq(look(50, SMALL, &gap), SMALL);
	}
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
	size_t gap;

	keep(0, LIMIT / 4);
	keep(LIMIT / 4, LIMIT / 4);
	keep(LIMIT / 2, LIMIT / 4);
	ck_assert_uint_eq(look(0, 1, &gap), 1);
	keep(LIMIT, LIMIT / 4);
	ck_assert_uint_eq(stats().evicted, 1);
	ck_assert_uint_eq(look(LIMIT / 4, 1, &gap), 0);
	ck_assert_uint_eq(look(0, 1, &gap), 1);
	ck_assert_uint_le(stats().used, LIMIT);
	keep(0, SPAN);
	ck_assert_uint_eq(stats().blocks, 3);
}
END_TEST

START_TEST(more_blocks_than_memory_is_for_are_not_kept)
{
	size_t gap;

	diskcache_close(cache);
	start_with(0, FEW * DISK_ENTRY_MEMORY);
	for (uint64_t i = 0; i <= FEW; i++)
		keep(i * SMALL, SMALL);
	ck_assert_uint_eq(stats().blocks, FEW);
	ck_assert_uint_eq(look(0, SMALL, &gap), 0);
	ck_assert_uint_eq(look(SMALL, SMALL, &gap), SMALL);
	diskcache_close(cache);
	start_with(0, FEW / 2 * DISK_ENTRY_MEMORY);
	ck_assert_uint_eq(stats().blocks, FEW / 2);
}
END_TEST

START_TEST(little_that_is_here_between_gaps_is_asked_for_with_them)
{
	size_t gap;

	keep(4096, 4096);
	keep(10000, SMALL);
	keep(20000, 100000);
	ck_assert_uint_eq(look(0, SPAN / 2, &gap), 0);
	ck_assert_uint_eq(gap, 20000);
	/* What stands at the end is not asked for again. */
	ck_assert_uint_eq(look(0, 8192, &gap), 0);
	ck_assert_uint_eq(gap, 4096);
	keep(0, 20000);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(stats().blocks, 2);
		ck_assert_uint_eq(look(0, SPAN / 2, &gap), 20000);
		again();
	}
}
END_TEST

START_TEST(without_file_descriptors_nothing_is_damaged)
{
	struct rlimit before, none;
	size_t gap = 0;

	keep(0, SMALL);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_uint_eq(look(10, SPAN / 2, &gap), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(gap, SMALL - 10);
	ck_assert_uint_eq(stats().damaged, 0);
	ck_assert_uint_eq(look(0, SMALL, &gap), SMALL);
}
END_TEST

static void *look_anywhere(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;
	unsigned char *bytes = malloc(SPAN);

	ck_assert_ptr_nonnull(bytes);
	for (int i = 0; i < READS; i++) {
		size_t length = 1 + (size_t)rand_r(&seed) % (LIMIT / 3), gap;
		struct store_range range = {
			(uint64_t)rand_r(&seed) % (SPAN - length), length
		};
		size_t got = diskcache_read(cache, id, &range, bytes, &gap);

		check_bytes(bytes, range.offset, got);
		if (got)
			continue;
		range.length = gap;
		for (size_t j = 0; j < gap; j++)
			bytes[j] = byte_at(range.offset + j);
		diskcache_write(cache, id, &range, bytes);
	}
	free(bytes);
	return NULL;
}

START_TEST(any_mixture_gives_right_bytes_within_the_size)
{
	unsigned int seeds[READERS];
	pthread_t threads[READERS];
	struct diskcache_stats before;

	for (int i = 0; i < READERS; i++) {
		seeds[i] = (unsigned int)seed_next();
		ck_assert(!pthread_create(&threads[i], NULL, look_anywhere,
					  &seeds[i]));
	}
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	before = stats();
	ck_assert_uint_le(before.used, LIMIT);
	ck_assert_uint_gt(before.evicted, 0);
	ck_assert_uint_gt(before.found, 0);
	ck_assert_uint_eq(before.damaged, 0);
	ck_assert_uint_eq(before.failed, 0);
	again();
	/* What the index says is what the disk has. */
	ck_assert_uint_eq(stats().blocks, before.blocks);
	ck_assert_uint_eq(stats().used, before.used);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("disk");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests,
		       what_was_kept_is_found_by_parts_and_gaps_are_told);
	tcase_add_test(tests, another_file_version_or_store_is_another_block);
	tcase_add_test(tests, any_changed_byte_is_found);
	tcase_add_test(tests, any_length_but_its_own_is_found);
	tcase_add_test(tests, a_block_under_another_name_is_not_believed);
	tcase_add_test(tests, damage_that_many_find_is_one_and_is_mended);
	tcase_add_test(tests, the_least_recently_used_goes_first);
	tcase_add_test(tests, more_blocks_than_memory_is_for_are_not_kept);
	tcase_add_test(tests,
		       little_that_is_here_between_gaps_is_asked_for_with_them);
	tcase_add_test(tests, without_file_descriptors_nothing_is_damaged);
	tcase_add_test(tests, any_mixture_gives_right_bytes_within_the_size);
	return unit_run("diskcache", tests);
}
