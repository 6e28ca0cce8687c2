// SPDX-License-Identifier: MIT
/* F3, F4, F12: many threads on one store. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdatomic.h>
#include <stdio.h>

enum { RACERS = 16, WORKERS = 8, KEYS = 16 };

/* Threads must not end the test themselves: they leave a message here. */
static struct {
	pthread_mutex_t lock;
	char message[640];
} complaint = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void complain(const char *what, const char *detail)
{
	pthread_mutex_lock(&complaint.lock);
	if (!complaint.message[0])
		snprintf(complaint.message, sizeof(complaint.message), "%s: %s",
			 what, detail);
	pthread_mutex_unlock(&complaint.lock);
}

static void run_threads(void *(*run)(void *), size_t count)
{
	pthread_t threads[RACERS];
	size_t numbers[RACERS];
	size_t i;

	complaint.message[0] = '\0';
	for (i = 0; i < count; i++) {
		numbers[i] = i;
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, run, &numbers[i]), 0);
	}
	for (i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	if (complaint.message[0])
		ck_abort_msg("%s", complaint.message);
}

static int put(const char *key, const void *data, size_t size, bool over)
{
	struct store_memory_source source;
	struct store_write_options options = {
		.precondition.condition = over ? STORE_IF_ANY : STORE_IF_ABSENT,
	};

	return store_write(conf_store, NULL, key,
			   store_memory_source_init(&source, data, size),
			   &options, NULL, &conf_error);
}

/* ---- F3 ---- */

static struct {
	pthread_barrier_t start;
	atomic_int winners;
	atomic_int winner;
	char key[32];
} race;

static void *race_to_create(void *arg)
{
	size_t number = *(size_t *)arg;
	char text[32];
	int code;

	snprintf(text, sizeof(text), "racer %zu", number);
	pthread_barrier_wait(&race.start);
	code = put(race.key, text, strlen(text), false);
	if (code == STORE_OK) {
		atomic_fetch_add(&race.winners, 1);
		atomic_store(&race.winner, (int)number);
	} else if (code != STORE_EXISTS) {
		complain("a racer", conf_error.message);
	}
	return NULL;
}

/* F3, remote-store 10.12 */
START_TEST(one_of_sixteen_racers_creates_the_key)
{
	int rounds = conf_rounds(10, 200);
	int i;

	ck_assert_int_eq(pthread_barrier_init(&race.start, NULL, RACERS), 0);
	for (i = 0; i < rounds; i++) {
		char text[32];

		snprintf(race.key, sizeof(race.key), "d/key%d", i);
		atomic_store(&race.winners, 0);
		run_threads(race_to_create, RACERS);
		ck_assert_int_eq(atomic_load(&race.winners), 1);
		snprintf(text, sizeof(text), "racer %d",
			 atomic_load(&race.winner));
		conf_expect(race.key, text);
	}
	pthread_barrier_destroy(&race.start);
	conf_expect_no_leftovers();
}
END_TEST

/* Read the number in "d/count", and put the next one if nobody did. */
static int add_one(void)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
	};
	struct store_memory_source source;
	struct store_reader *reader = NULL;
	struct store_info info;
	char text[32] = "";
	size_t got = 0;
	int code;

	code = store_open_reader(conf_store, NULL, "count", NULL, &reader,
				 &info, &conf_error);
	if (code)
		return code;
	code = store_read(reader, NULL, text, sizeof(text) - 1, &got,
			  &conf_error);
	store_close_reader(reader);
	if (code)
		return code;
	options.precondition.version = info.version;
	snprintf(text, sizeof(text), "%ld", strtol(text, NULL, 10) + 1);
	return store_write(
		conf_store, NULL, "count",
		store_memory_source_init(&source, text, strlen(text)), &options,
		NULL, &conf_error);
}

enum { ADDITIONS = 10 };

static void *count_up(void *arg)
{
	int done = 0;

	(void)arg;
	while (done < ADDITIONS) {
		int code = add_one();

		if (code == STORE_OK) {
			done++;
		} else if (code != STORE_CHANGED) {
			complain("adding one", conf_error.message);
			break;
		}
	}
	return NULL;
}

/* Promise 4: with conditions no update is lost. */
START_TEST(conditional_writers_lose_no_update)
{
	char text[32];

	CONF_OK(conf_put("count", "0"));
	run_threads(count_up, WORKERS);
	snprintf(text, sizeof(text), "%d", WORKERS * ADDITIONS);
	conf_expect("count", text);
}
END_TEST

/* ---- F12 ---- */

/* Put, overwrite, read, stat and sometimes delete one key of our own. */
static int work_on_key(const char *key, int round)
{
	struct store_info info;
	char text[64];
	void *data = NULL;
	size_t size = 0;
	int code;

	snprintf(text, sizeof(text), "%s in round %d", key, round);
	code = put(key, text, strlen(text), true);
	if (!code)
		code = store_read_all(conf_store, NULL, key, 1000, &data, &size,
				      &conf_error);
	if (code)
		return code;
	if (size != strlen(text) || memcmp(data, text, size) != 0)
		complain("lost write", key);
	free(data);
	code = store_stat(conf_store, NULL, key, &info, &conf_error);
	if (!code && info.size != size)
		complain("wrong size", key);
	if (!code && round % 3 == 1)
		code = store_delete(conf_store, NULL, key, false, &conf_error);
	return code;
}

static void *work(void *arg)
{
	size_t number = *(size_t *)arg;
	int rounds = conf_rounds(6, 100);
	char key[32];
	int round;
	int i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "d%d/w%zu", i, number);
			if (work_on_key(key, round)) {
				complain(key, conf_error.message);
				return NULL;
			}
		}
	}
	return NULL;
}

/* F12, remote-store 10.41 */
START_TEST(eight_threads_on_sixteen_keys_lose_nothing)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES,
					    .max_depth = -1 };
	struct store_listing *listing = NULL;

	run_threads(work, WORKERS);
	CONF_OK(store_list(conf_store, NULL, "", &files, &listing,
			   &conf_error));
	/* Neither number of rounds ends in one that deletes. */
	ck_assert_uint_eq(conf_count(listing), WORKERS * KEYS);
	conf_expect_no_leftovers();
}
END_TEST

static void *work_on_shared_names(void *arg)
{
	size_t number = *(size_t *)arg;
	uint64_t random = number * 7919 + 1;
	int rounds = conf_rounds(40, 2000);
	int i;

	for (i = 0; i < rounds; i++) {
		char a[16];
		char b[16];
		int code;

		snprintf(a, sizeof(a), "s/%d", (int)(conf_random(&random) % 6));
		snprintf(b, sizeof(b), "s/%d", (int)(conf_random(&random) % 6));
		switch (conf_random(&random) % 4) {
		case 0:
			code = put(a, a, strlen(a), true);
			break;
		case 1:
			code = store_move(conf_store, NULL, a, b,
					  STORE_MOVE_OVERWRITE, NULL, NULL,
					  &conf_error);
			break;
		case 2:
			code = store_copy(conf_store, NULL, a, b,
					  STORE_MOVE_OVERWRITE, NULL,
					  &conf_error);
			break;
		default:
			code = store_delete(conf_store, NULL, a, true,
					    &conf_error);
		}
		if (code && code != STORE_NOT_FOUND && code != STORE_CHANGED)
			complain("shared names", conf_error.message);
	}
	return NULL;
}

/* F12: threads that get in each other's way break nothing. */
START_TEST(threads_on_the_same_names_break_nothing)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES };
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;

	run_threads(work_on_shared_names, WORKERS);
	CONF_OK(store_list(conf_store, NULL, "s", &files, &listing,
			   &conf_error));
	for (;;) {
		void *data = NULL;
		size_t size = 0;

		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		CONF_OK(store_read_all(conf_store, NULL, entry->name, 100,
				       &data, &size, &conf_error));
		ck_assert_uint_eq(size, 3);
		free(data);
	}
	store_listing_close(listing);
	conf_expect_no_leftovers();
}
END_TEST

/* ---- F4 ---- */

enum { BIG = 300000 };

static struct {
	unsigned char *versions[2];
	atomic_bool done;
	atomic_int reads;
} poll_state;

static void *overwrite_on_and_on(void *arg)
{
	int rounds = conf_rounds(60, 2000);
	int i;

	(void)arg;
	/* On, too, until the pollers have seen enough of it. */
	for (i = 0; i < rounds || atomic_load(&poll_state.reads) < 20; i++) {
		size_t size = i % 2 ? BIG : BIG / 2;

		if (put("big", poll_state.versions[i % 2], size, true)) {
			complain("overwriting", conf_error.message);
			break;
		}
	}
	atomic_store(&poll_state.done, true);
	return NULL;
}

/* One whole version, and nothing else. */
static void check_version(const unsigned char *data, size_t size)
{
	bool odd = size == BIG;

	if (size != BIG && size != BIG / 2)
		complain("a poller", "a size of no version");
	else if (memcmp(data, poll_state.versions[odd], size) != 0)
		complain("a poller", "bytes of no version");
}

static void *poll_content(void *arg)
{
	(void)arg;
	while (!atomic_load(&poll_state.done)) {
		void *data = NULL;
		size_t size = 0;
		int code = store_read_all(conf_store, NULL, "big", 2 * BIG,
					  &data, &size, &conf_error);

		atomic_fetch_add(&poll_state.reads, 1);
		/* A reader that lost its version is told so. */
		if (code == STORE_CHANGED && !conf_has(STORE_CAP_PINNED_READ))
			continue;
		if (code)
			complain("a poller", conf_error.message);
		else
			check_version(data, size);
		free(data);
	}
	return NULL;
}

static void *write_or_poll(void *arg)
{
	return *(size_t *)arg == 0 ? overwrite_on_and_on(arg)
				   : poll_content(arg);
}

/* F4, remote-store 10.18 */
START_TEST(a_poller_sees_only_whole_versions)
{
	int i;

	for (i = 0; i < 2; i++) {
		poll_state.versions[i] = malloc(BIG);
		ck_assert_ptr_nonnull(poll_state.versions[i]);
		conf_fill(poll_state.versions[i], BIG, (uint64_t)i + 10);
	}
	atomic_store(&poll_state.done, false);
	atomic_store(&poll_state.reads, 0);
	CONF_OK(conf_put_bytes("big", poll_state.versions[1], BIG, NULL, NULL));
	run_threads(write_or_poll, 4);
	ck_assert_int_gt(atomic_load(&poll_state.reads), 0);
	free(poll_state.versions[0]);
	free(poll_state.versions[1]);
}
END_TEST

/* Several threads may read from one reader. */
static struct store_reader *shared_reader;

static void *read_shared(void *arg)
{
	uint64_t random = *(size_t *)arg * 31 + 7;
	unsigned char part[5000];
	int i;

	for (i = 0; i < 50; i++) {
		uint64_t at = conf_random(&random) % (BIG - sizeof(part));
		size_t got = 0;

		if (store_read_at(shared_reader, NULL, at, part, sizeof(part),
				  &got, &conf_error))
			complain("a shared reader", conf_error.message);
		else if (got != sizeof(part) ||
			 memcmp(part, poll_state.versions[0] + at, got) != 0)
			complain("a shared reader", "wrong bytes");
	}
	return NULL;
}

START_TEST(threads_share_a_reader)
{
	poll_state.versions[0] = malloc(BIG);
	ck_assert_ptr_nonnull(poll_state.versions[0]);
	conf_fill(poll_state.versions[0], BIG, 1);
	CONF_OK(conf_put_bytes("big", poll_state.versions[0], BIG, NULL, NULL));
	CONF_OK(store_open_reader(conf_store, NULL, "big", NULL, &shared_reader,
				  NULL, &conf_error));
	run_threads(read_shared, WORKERS);
	store_close_reader(shared_reader);
	free(poll_state.versions[0]);
}
END_TEST

void conf_add_threads(void)
{
	conf_add("F3", STORE_CAP_CONDITIONAL,
		 one_of_sixteen_racers_creates_the_key);
	conf_add("F3", STORE_CAP_CONDITIONAL | STORE_CAP_WRITE_RESULT,
		 conditional_writers_lose_no_update);
	conf_add("F4", STORE_CAP_ATOMIC_WRITE,
		 a_poller_sees_only_whole_versions);
	conf_add("F12", 0, eight_threads_on_sixteen_keys_lose_nothing);
	conf_add("F12", 0, threads_on_the_same_names_break_nothing);
	conf_add("F12", 0, threads_share_a_reader);
}
