// SPDX-License-Identifier: MIT
/*
 * Journals with very many records: replaying them is right, as a plain list
 * shows, quick, and needs memory for what is pending only.
 */
#include "config.h"

#include <check.h>
#include <string.h>
#include <sys/resource.h>

#include "mount/replay.h"
#include "src/base/clock.h"
#include "src/key.h"
#include "tests/unit/pending_area.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { FILES = 100000 };

/* ---- against a list ---- */

enum { IDS = 60, STEPS = 3000, NAME_ROOM = 4000 };

struct listed {
	bool there;
	bool removing;
	char key[NAME_ROOM];
};

static struct listed model[IDS + 1];

/* Few names, so that they meet: one to three of `a`, `a.`, `b` and `b-`. */
static void random_key(char *key)
{
	static const char *const names[] = { "a", "a.", "b", "b-" };
	size_t used = 0;

	for (uint64_t left = 1 + seed_below(3); left; left--)
		used += (size_t)snprintf(key + used, 16, "%s%s",
					 used ? "/" : "", names[seed_below(4)]);
}

static void model_moved(const char *from, const char *to)
{
	for (uint64_t id = 1; id <= IDS; id++) {
		const char *rest = key_relative(model[id].key, from);
		char key[NAME_ROOM];

		if (!model[id].there || !rest)
			continue;
		snprintf(key, sizeof(key), "%s%s%s", to, *rest ? "/" : "",
			 rest);
		ck_assert_uint_lt(strlen(key), 200);
		memcpy(model[id].key, key, sizeof(key));
	}
}

static void step_file(uint64_t id)
{
	random_key(model[id].key);
	model[id].there = true;
	model[id].removing = false;
	put_file(id, model[id].key);
}

static void step_move(void)
{
	char from[64], to[64];

	do {
		random_key(from);
		random_key(to);
	} while (key_relative(to, from));
	/* Names must not grow for ever. */
	if (strlen(to) > strlen(from))
		return;
	put_moved(from, to, true);
	model_moved(from, to);
}

static void step_remove(void)
{
	char key[64];

	random_key(key);
	put_removing(key, 0);
	for (uint64_t id = 1; id <= IDS; id++)
		if (model[id].there && !strcmp(model[id].key, key))
			model[id].removing = true;
}

static void one_step(void)
{
	uint64_t id = 1 + seed_below(IDS);

	switch (seed_below(8)) {
	case 0:
		model[id].there = false;
		put_done(id);
		break;
	case 1:
		step_remove();
		break;
	case 2:
	case 3:
	case 4:
		step_move();
		break;
	default:
		step_file(id);
	}
}

START_TEST(random_records_match_a_plain_list)
{
	size_t count = 0;

	for (int i = 0; i < STEPS; i++)
		one_step();
	load();
	for (uint64_t id = 1; id <= IDS; id++) {
		const struct pending_file *file = find(id);

		if (!model[id].there) {
			ck_assert_ptr_null(file);
			continue;
		}
		count++;
		check_key(id, model[id].key);
		ck_assert(file->removing == model[id].removing);
	}
	ck_assert_uint_eq(pending.count, count);
	ck_assert_uint_eq(pending.bad_records, 0);
}
END_TEST

/* ---- the tables ---- */

START_TEST(numbers_are_found_and_others_are_not)
{
	enum { NUMBERS = 5000 };
	static char values[NUMBERS + 1];
	struct idmap map;

	idmap_init(&map);
	ck_assert_ptr_null(idmap_get(&map, 1));
	for (uint64_t i = 1; i <= NUMBERS; i++) {
		void **slot = idmap_at(&map, i * i);

		ck_assert_ptr_nonnull(slot);
		ck_assert_ptr_null(*slot);
		*slot = &values[i];
		ck_assert_ptr_null(idmap_get(&map, i * i + 1));
		ck_assert_ptr_eq(idmap_get(&map, i * i), &values[i]);
	}
	for (uint64_t i = 1; i <= NUMBERS; i++)
		ck_assert_ptr_eq(*idmap_at(&map, i * i), &values[i]);
	ck_assert_uint_eq(map.count, NUMBERS);
	idmap_release(&map);
}
END_TEST

/* ---- many ---- */

/* Others may need the machine at the same time. */
static int64_t processor_ns(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

/*
 * Ten times what it takes on a slow machine, and a small part of what it
 * would take to look at every file for every record.
 */
static void load_quickly(const char *what)
{
	int64_t start = processor_ns();
	int64_t took;

	load();
	took = processor_ns() - start;
	printf("# %s: %d ms\n", what, (int)(took / 1000000));
	fflush(stdout);
	ck_assert_int_lt(took, 10 * NS_PER_SEC);
}

/*
 * A thousand files to a folder.  Ids rise with the names, or (`step` 7919)
 * come in another order.
 */
static void put_many(uint64_t step)
{
	char key[64];

	for (uint64_t i = 0; i < FILES; i++) {
		uint64_t id = 1 + i * step % FILES;

		snprintf(key, sizeof(key), "folder-%u/file-%05u",
			 (unsigned int)(i / 1000), (unsigned int)i);
		add_layer(id, id, "a few bytes of a small file");
		add_file(id, key, &id, 1);
		commit();
	}
}

START_TEST(a_hundred_thousand_files_replay_quickly)
{
	put_many(7919);
	load_quickly("100,000 files");
	ck_assert_uint_eq(pending.count, FILES);
	for (size_t i = 0; i < FILES; i++) {
		ck_assert_uint_eq(pending.files[i].record.id, i + 1);
		ck_assert(!pending.files[i].damaged);
	}
	check_key(1, "folder-0/file-00000");
}
END_TEST

START_TEST(a_hundred_thousand_renames_replay_quickly)
{
	char from[64], to[64];

	put_many(7919);
	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(from, sizeof(from), "folder-%u/file-%05u", i / 1000,
			 i);
		snprintf(to, sizeof(to), "folder-%u/other-%u", i % 100, i);
		put_moving(from, to);
		put_moved(from, to, true);
	}
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(from, sizeof(from), "folder-%u", i);
		snprintf(to, sizeof(to), "below/%u", i);
		put_moved(from, to, true);
	}
	load_quickly("200,100 names of 100,000 files");
	ck_assert_uint_eq(pending.count, FILES);
	ck_assert_uint_eq(pending.move_count, 0);
	check_key(1, "below/0/other-0");
}
END_TEST

START_TEST(a_hundred_thousand_settled_files_replay_quickly)
{
	put_many(1);
	for (uint64_t id = 1; id <= FILES; id++)
		put_done(id);
	load_quickly("100,000 settled files");
	ck_assert_uint_eq(pending.count, 0);
	ck_assert_uint_eq(pending.last_layer, FILES);
}
END_TEST

/* ---- memory ---- */

enum { LAYER_SIZE = 2 << 20, GENERATIONS = 400 };

static int64_t peak_memory(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return (int64_t)usage.ru_maxrss * 1024;
}

/* One frame: the next generation of file 1, which drops the layer before. */
static void replay_generation(struct replay *replay, uint64_t number,
			      const char *bytes)
{
	add_layer(1, number, bytes);
	if (number % 10 == 0)
		add_done(1);
	else
		add_file(1, "a", &number, 1);
	ck_assert_int_eq(replay_frame(replay, area_frame.data,
				      area_frame.length, &error),
			 STORE_OK);
	buf_clear(&area_frame);
}

START_TEST(bytes_that_nobody_needs_any_more_are_freed)
{
	char *bytes = malloc(LAYER_SIZE + 1);
	struct replay replay;
	int64_t before;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 'b', LAYER_SIZE);
	bytes[LAYER_SIZE] = '\0';
	replay_init(&replay);
	for (uint64_t number = 1; number < 10; number++)
		replay_generation(&replay, number, bytes);
	before = peak_memory();
	for (uint64_t number = 11; number < GENERATIONS; number++)
		replay_generation(&replay, number, bytes);
	/* Sanitizers keep what was freed for a while, up to 256 MiB. */
	ck_assert_int_lt(peak_memory() - before, INT64_C(500) << 20);
	replay_release(&replay);
	free(bytes);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("pending, many");

	seed_start();
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, random_records_match_a_plain_list);
	tcase_add_test(tests, numbers_are_found_and_others_are_not);
	tcase_add_test(tests, a_hundred_thousand_files_replay_quickly);
	tcase_add_test(tests, a_hundred_thousand_renames_replay_quickly);
	tcase_add_test(tests, a_hundred_thousand_settled_files_replay_quickly);
	tcase_add_test(tests, bytes_that_nobody_needs_any_more_are_freed);
	return unit_run("mount pending many", tests);
}
