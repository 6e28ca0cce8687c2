// SPDX-License-Identifier: MIT
/*
 * Many threads on one store (F3, F4, F12): no error, no lost write, one
 * winner.  Small enough for ThreadSanitizer.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

enum { THREADS = 8, KEYS = 16, ROUNDS = 8, RACERS = 16 };

static struct store *store;

struct racer {
	int number;
	int failures; /* what went wrong, counted */
	int wins;
};

static void setup(void)
{
	struct store_policy policy = { .retry = STORE_RETRY_DEFAULT };

	store = memory_assemble(&memory_backend, &policy);
}

static void teardown(void)
{
	store_close(store);
}

static int put(struct store *where, const char *key, const char *text,
	       enum store_condition condition)
{
	struct store_write_options options = {
		.precondition.condition = condition,
	};
	struct store_memory_source source;

	return store_write(
		where, NULL, key,
		store_memory_source_init(&source, text, strlen(text)), &options,
		NULL, NULL);
}

/* Is the content one of two texts (which may be the same)? */
static bool holds_either(struct store *where, const char *key, const char *one,
			 const char *other)
{
	CLEANUP_FREE void *data = NULL;
	size_t size = 0;

	/* What is read has a NUL behind it. */
	if (store_read_all(where, NULL, key, 4096, &data, &size, NULL))
		return false;
	return strcmp(data, one) == 0 || strcmp(data, other) == 0;
}

static bool holds(struct store *where, const char *key, const char *text)
{
	return holds_either(where, key, text, text);
}

static void run(void *(*body)(void *), struct racer *racers, int count)
{
	pthread_t threads[RACERS];

	for (int i = 0; i < count; i++) {
		racers[i] = (struct racer){ .number = i };
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, body, &racers[i]), 0);
	}
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void *work_on_own_keys(void *arg)
{
	struct racer *racer = arg;
	struct store *child = NULL;
	char folder[32];
	char key[64];
	char text[64];

	snprintf(folder, sizeof(folder), "t%d", racer->number);
	racer->failures += store_child(store, folder, &child, NULL) != 0;
	for (int i = 0; i < ROUNDS * KEYS; i++) {
		snprintf(key, sizeof(key), "d%d/k%d", i % 4, i % KEYS);
		snprintf(text, sizeof(text), "%d %d", racer->number, i);
		racer->failures += put(child, key, text, STORE_IF_ANY) != 0;
		racer->failures += !holds(child, key, text);
	}
	store_close(child);
	return NULL;
}

START_TEST(eight_threads_with_sixteen_keys_lose_no_write)
{
	struct racer racers[THREADS];
	char key[64];
	char text[64];

	run(work_on_own_keys, racers, THREADS);
	for (int t = 0; t < THREADS; t++) {
		ck_assert_int_eq(racers[t].failures, 0);
		for (int i = (ROUNDS - 1) * KEYS; i < ROUNDS * KEYS; i++) {
			snprintf(key, sizeof(key), "t%d/d%d/k%d", t, i % 4,
				 i % KEYS);
			snprintf(text, sizeof(text), "%d %d", t, i);
			ck_assert(holds(store, key, text));
		}
	}
}
END_TEST

static void *create_one_key(void *arg)
{
	struct racer *racer = arg;
	int code = put(store, "one", "x", STORE_IF_ABSENT);

	racer->wins = code == STORE_OK;
	racer->failures = code != STORE_OK && code != STORE_EXISTS;
	return NULL;
}

START_TEST(of_sixteen_creators_exactly_one_wins)
{
	struct racer racers[RACERS];
	int wins = 0;

	for (int round = 0; round < ROUNDS; round++) {
		wins = 0;
		run(create_one_key, racers, RACERS);
		for (int i = 0; i < RACERS; i++) {
			wins += racers[i].wins;
			ck_assert_int_eq(racers[i].failures, 0);
		}
		ck_assert_int_eq(wins, 1);
		ck_assert_int_eq(store_delete(store, NULL, "one", false, NULL),
				 STORE_OK);
	}
}
END_TEST

static void *replace_or_poll(void *arg)
{
	struct racer *racer = arg;

	for (int i = 0; i < 100; i++) {
		if (racer->number % 2) {
			const char *text = i % 2 ? "old old old" : "new";

			racer->failures +=
				put(store, "poll", text, STORE_IF_ANY) != 0;
		} else {
			racer->failures += !holds_either(store, "poll", "new",
							 "old old old");
		}
	}
	return NULL;
}

START_TEST(a_poller_sees_only_whole_content)
{
	struct racer racers[4];

	memory_put(store, "poll", "new");
	run(replace_or_poll, racers, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(racers[i].failures, 0);
}
END_TEST

static void *list_and_remove(void *arg)
{
	struct store_delete_folder_options options = {
		.recursive = true,
		.missing_ok = true,
	};
	struct store_list_options all = { .max_depth = -1 };
	struct racer *racer = arg;

	for (int i = 0; i < 20; i++) {
		struct store_listing *listing = NULL;
		const struct store_entry *entry = NULL;

		put(store, "tree/a/b", "x", STORE_IF_ANY);
		if (store_list(store, NULL, "tree", &all, &listing, NULL)) {
			racer->failures++;
			continue;
		}
		while (!store_listing_next(listing, NULL, &entry, NULL))
			if (!entry)
				break;
		racer->failures += entry != NULL;
		store_listing_close(listing);
		if (racer->number == 0)
			racer->failures +=
				store_delete_folder(store, NULL, "tree",
						    &options, NULL) != 0;
	}
	return NULL;
}

START_TEST(listing_while_others_remove_is_no_error)
{
	struct racer racers[4];

	run(list_and_remove, racers, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(racers[i].failures, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("race");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, eight_threads_with_sixteen_keys_lose_no_write);
	tcase_add_test(tests, of_sixteen_creators_exactly_one_wins);
	tcase_add_test(tests, a_poller_sees_only_whole_content);
	tcase_add_test(tests, listing_while_others_remove_is_no_error);
	return unit_run("race", tests);
}
