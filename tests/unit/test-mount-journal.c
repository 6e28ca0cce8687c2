// SPDX-License-Identifier: MIT
/*
 * The staging journal on a disk that works: what is appended comes back, in
 * its order; who waits together shares a flush; a new file takes the place
 * of the old one.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "src/base/clock.h"
#include "tests/unit/mount_journal.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { WRITERS = 16, EACH = 50, LARGE = 3 << 20 };

static struct journal_folder folder;

static void begin(void)
{
	hook_flush = NULL;
	folder_make(&folder, "/tmp");
}

/* ---- frames ---- */

START_TEST(frames_come_back_in_their_order)
{
	begin();
	folder_expect(&folder, "");
	folder_open(&folder);
	ck_assert_int_eq(folder_append(&folder, "one", 0), STORE_OK);
	ck_assert_int_eq(folder_append(&folder, "", 0), STORE_OK);
	ck_assert_int_eq(folder_append(&folder, "a third", 0), STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "one||a third|");
	folder_open(&folder);
	ck_assert_uint_eq(folder.findings.frames, 3);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	ck_assert_uint_eq(folder.findings.quarantine, 0);
	ck_assert_int_eq(folder_append(&folder, "12345678", 0), STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "one||a third|12345678|");
	ck_assert_int_eq(folder_count(&folder, "journal"), 1);
	folder_remove(&folder);
}
END_TEST

/* Two frames and a mark: what was written once is read for ever. */
static const char version_1[] =
	"73746f72656673206a6f75726e616c0a0100000000000000"
	"8877665544332211416557d9cfd69cacd664960aa0f81480"
	"4652414d0300000088776655443322110100000000000000"
	"00000000000000006f6e650000000000d5957b066e548e5f"
	"4652414d0800000088776655443322110200000000000000"
	"000000000000000074686520326e642e8fa05e25940ce2b3"
	"4d41524b0000000088776655443322110200000000000000"
	"0200000000000000";

START_TEST(a_journal_of_version_1_is_read)
{
	unsigned char bytes[sizeof(version_1) / 2];
	char digits[3] = "";

	for (size_t i = 0; i < sizeof(bytes); i++) {
		memcpy(digits, version_1 + 2 * i, 2);
		bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	begin();
	folder_store(&folder, "journal", bytes, sizeof(bytes));
	folder_open(&folder);
	ck_assert_str_eq(buf_text(&folder.texts), "one|the 2nd.|");
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	ck_assert_uint_eq(journal_position(folder.journal), 2);
	folder_commit(&folder, "third");
	folder_close(&folder);
	folder_expect(&folder, "one|the 2nd.|third|");
	folder_remove(&folder);
}
END_TEST

static size_t random_payload(unsigned char *bytes)
{
	size_t length = (size_t)seed_below(seed_below(8) ? 300 : LARGE);

	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)seed_next();
	return length;
}

static int compare_random(void *arg, const void *payload, size_t length,
			  struct store_error *error)
{
	static unsigned char bytes[LARGE];
	int *count = arg;

	(void)error;
	ck_assert_uint_eq(random_payload(bytes), length);
	ck_assert(!length || !memcmp(bytes, payload, length));
	++*count;
	return STORE_OK;
}

START_TEST(any_bytes_of_any_length_come_back)
{
	static unsigned char bytes[LARGE];
	uint64_t seed;
	size_t length;
	int count = 0;

	begin();
	seed = seed_state;
	folder_open(&folder);
	for (int i = 0; i < 60; i++) {
		length = random_payload(bytes);
		ck_assert_int_eq(journal_append(folder.journal, bytes, length,
						0, NULL, &folder.error),
				 STORE_OK);
	}
	folder_close(&folder);
	seed_state = seed;
	ck_assert_int_eq(journal_open(folder.fd, 0, compare_random, &count,
				      &folder.journal, &folder.findings,
				      &folder.error),
			 STORE_OK);
	ck_assert_int_eq(count, 60);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	folder_remove(&folder);
}
END_TEST

START_TEST(a_frame_that_is_too_long_is_refused)
{
	static const char byte;

	begin();
	folder_open(&folder);
	ck_assert_int_eq(journal_append(folder.journal, &byte,
					(size_t)JOURNAL_FRAME_MAX + 1, 0, NULL,
					&folder.error),
			 STORE_TOO_LARGE);
	ck_assert_uint_eq(journal_size(folder.journal), 0);
	folder_remove(&folder);
}
END_TEST

static int refuse_second(void *arg, const void *payload, size_t length,
			 struct store_error *error)
{
	int *count = arg;

	(void)payload;
	(void)length;
	return ++*count < 2 ? STORE_OK
			    : store_error_set(error, STORE_LOCKED, "stop");
}

START_TEST(the_reader_stops_the_opening)
{
	int count = 0;

	begin();
	folder_open(&folder);
	for (int i = 0; i < 3; i++)
		folder_commit(&folder, "x");
	folder_close(&folder);
	ck_assert_int_eq(journal_open(folder.fd, 0, refuse_second, &count,
				      &folder.journal, &folder.findings,
				      &folder.error),
			 STORE_LOCKED);
	ck_assert_ptr_null(folder.journal);
	ck_assert_int_eq(count, 2);
	folder_expect(&folder, "x|x|x|");
	folder_remove(&folder);
}
END_TEST

/* ---- reading only ---- */

START_TEST(reading_only_makes_and_changes_nothing)
{
	unsigned char *before, *after;
	size_t size, again;

	begin();
	ck_assert_int_eq(folder_try_open(&folder, JOURNAL_READ_ONLY), STORE_OK);
	ck_assert_uint_eq(folder.findings.frames, 0);
	folder_close(&folder);
	ck_assert_int_eq(folder_count(&folder, ""), 0);
	folder_open(&folder);
	size = folder_commit(&folder, "one");
	folder_commit(&folder, "two");
	folder_close(&folder);
	before = folder_load(&folder, "journal", &again);
	before[size + 41] ^= 1;
	folder_store(&folder, "journal", before, again);
	folder_store(&folder, "journal.new", "x", 1);
	ck_assert_int_eq(folder_try_open(&folder, JOURNAL_READ_ONLY), STORE_OK);
	ck_assert_str_eq(buf_text(&folder.texts), "one|");
	ck_assert_uint_eq(folder.findings.bad_bytes, 43);
	ck_assert_int_eq(folder_append(&folder, "x", 0), STORE_READ_ONLY);
	ck_assert_int_eq(
		journal_rewrite(folder.journal, NULL, NULL, &folder.error),
		STORE_READ_ONLY);
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	ck_assert_uint_eq(journal_flushes(folder.journal), 0);
	after = folder_load(&folder, "journal", &size);
	ck_assert_uint_eq(size, again);
	ck_assert_int_eq(memcmp(before, after, size), 0);
	ck_assert_int_eq(folder_count(&folder, ""), 2);
	free(before);
	free(after);
	folder_remove(&folder);
}
END_TEST

/* ---- group commit ---- */

/* The flush waits until all have appended, which no lock may prevent. */
static int slow_flush(int fd)
{
	int64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;

	(void)fd;
	while (journal_position(folder.journal) < WRITERS &&
	       clock_monotonic_ns() < until)
		sched_yield();
	return 0;
}

static void *write_one(void *arg)
{
	(void)arg;
	ck_assert_int_eq(folder_append(&folder, "x", 0), STORE_OK);
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	return NULL;
}

static void run_writers(void *(*run)(void *))
{
	pthread_t threads[WRITERS];

	for (uintptr_t i = 0; i < WRITERS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, run, (void *)i), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
}

START_TEST(threads_that_sync_together_share_flushes)
{
	uint64_t before;

	begin();
	folder_open(&folder);
	before = journal_flushes(folder.journal);
	hook_flush = slow_flush;
	run_writers(write_one);
	ck_assert_uint_eq(journal_position(folder.journal), WRITERS);
	ck_assert(journal_is_durable(folder.journal, WRITERS));
	/* One for the first of them, one for the rest. */
	ck_assert_uint_le(journal_flushes(folder.journal) - before, 2);
	folder_remove(&folder);
}
END_TEST

static atomic_int real_flushes;

static int count_flush(int fd)
{
	(void)fd;
	real_flushes++;
	return 0;
}

START_TEST(what_is_durable_is_not_flushed_again)
{
	uint64_t first, second;

	begin();
	folder_open(&folder);
	hook_flush = count_flush;
	real_flushes = 0;
	ck_assert_int_eq(journal_append(folder.journal, "a", 1, 0, &first,
					&folder.error),
			 STORE_OK);
	ck_assert(!journal_is_durable(folder.journal, first));
	ck_assert_int_eq(real_flushes, 0);
	ck_assert_int_eq(journal_append(folder.journal, "b", 1, 0, &second,
					&folder.error),
			 STORE_OK);
	ck_assert_uint_gt(second, first);
	ck_assert_int_eq(journal_sync(folder.journal, second, &folder.error),
			 STORE_OK);
	ck_assert_int_eq(real_flushes, 1);
	ck_assert_int_eq(journal_sync(folder.journal, first, &folder.error),
			 STORE_OK);
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	ck_assert_int_eq(real_flushes, 1);
	ck_assert(journal_is_durable(folder.journal, second));
	folder_remove(&folder);
}
END_TEST

START_TEST(what_was_found_is_flushed_before_it_is_read)
{
	begin();
	folder_open(&folder);
	ck_assert_int_eq(folder_append(&folder, "x", 0), STORE_OK);
	folder_close(&folder);
	hook_flush = count_flush;
	real_flushes = 0;
	folder_open(&folder);
	ck_assert_int_ge(real_flushes, 1);
	ck_assert(journal_is_durable(folder.journal,
				     journal_position(folder.journal)));
	folder_remove(&folder);
}
END_TEST

/* ---- a new file ---- */

START_TEST(a_new_file_holds_what_was_added_and_what_follows)
{
	uint64_t position, size;

	begin();
	folder_open(&folder);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(folder_append(&folder, "old", 0), STORE_OK);
	position = journal_position(folder.journal);
	size = journal_size(folder.journal);
	ck_assert(!journal_is_durable(folder.journal, position));
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	ck_assert(journal_is_durable(folder.journal, position));
	ck_assert_uint_lt(journal_size(folder.journal), size);
	folder_commit(&folder, "new");
	ck_assert_uint_gt(journal_position(folder.journal), position);
	folder_close(&folder);
	folder_expect(&folder, "a|b|new|");
	folder_open(&folder);
	ck_assert_int_eq(folder_rewrite(&folder, ""), STORE_OK);
	folder_commit(&folder, "only");
	folder_close(&folder);
	folder_expect(&folder, "only|");
	ck_assert_int_eq(folder_count(&folder, ""), 1);
	folder_remove(&folder);
}
END_TEST

static int write_and_fail(void *arg, struct journal *journal,
			  struct store_error *error)
{
	(void)arg;
	ck_assert_int_eq(journal_rewrite_add(journal, "x", 1, error), STORE_OK);
	return store_error_set(error, STORE_LOCKED, "enough");
}

START_TEST(a_writer_that_fails_leaves_the_old_file)
{
	begin();
	folder_open(&folder);
	folder_commit(&folder, "old");
	ck_assert_int_eq(journal_rewrite(folder.journal, write_and_fail, NULL,
					 &folder.error),
			 STORE_LOCKED);
	ck_assert_str_eq(folder.error.message, "enough");
	ck_assert(!journal_is_broken(folder.journal));
	folder_commit(&folder, "more");
	ck_assert_int_eq(folder_count(&folder, "journal."), 0);
	folder_close(&folder);
	folder_expect(&folder, "old|more|");
	folder_remove(&folder);
}
END_TEST

static atomic_bool in_flush;

/* Long enough for the other thread to get in, if anything lets it. */
static int long_flush(int fd)
{
	struct timespec moment = timespec_from_ns(100 * NS_PER_MS);

	if (fd_is_folder(fd))
		return 0;
	in_flush = true;
	nanosleep(&moment, NULL);
	in_flush = false;
	return 0;
}

static int write_after_flush(void *arg, struct journal *journal,
			     struct store_error *error)
{
	(void)arg;
	ck_assert(!in_flush);
	return journal_rewrite_add(journal, "new", 3, error);
}

START_TEST(the_file_is_not_replaced_while_it_is_flushed)
{
	pthread_t writer;

	begin();
	folder_open(&folder);
	hook_flush = long_flush;
	ck_assert_int_eq(pthread_create(&writer, NULL, write_one, NULL), 0);
	while (!in_flush)
		sched_yield();
	ck_assert_int_eq(
		journal_rewrite(folder.journal, write_after_flush, NULL, NULL),
		STORE_OK);
	pthread_join(writer, NULL);
	folder_close(&folder);
	folder_expect(&folder, "new|");
	folder_remove(&folder);
}
END_TEST

/* ---- all at once ---- */

static void *write_many(void *arg)
{
	char text[32];

	for (int i = 0; i < EACH; i++) {
		uint64_t position;

		snprintf(text, sizeof(text), "%" PRIuPTR ".%d", (uintptr_t)arg,
			 i);
		ck_assert_int_eq(journal_append(folder.journal, text,
						strlen(text), 0, &position,
						NULL),
				 STORE_OK);
		if (i % 3)
			continue;
		ck_assert_int_eq(journal_sync(folder.journal, position, NULL),
				 STORE_OK);
		ck_assert(journal_is_durable(folder.journal, position));
	}
	return NULL;
}

static int next_of[WRITERS];

static int check_many(void *arg, const void *payload, size_t length,
		      struct store_error *error)
{
	char text[32] = "";
	int writer, number;

	(void)arg;
	(void)error;
	ck_assert_uint_lt(length, sizeof(text));
	memcpy(text, payload, length);
	ck_assert_int_eq(sscanf(text, "%d.%d", &writer, &number), 2);
	ck_assert_int_eq(number, next_of[writer]);
	next_of[writer]++;
	return STORE_OK;
}

/* All that the file has so far: nobody may append meanwhile. */
static int copy_old(void *arg, const void *payload, size_t length,
		    struct store_error *error)
{
	return journal_rewrite_add(arg, payload, length, error);
}

static int write_old(void *arg, struct journal *journal,
		     struct store_error *error)
{
	struct journal_findings findings;
	struct journal *old;

	(void)arg;
	ck_assert_int_eq(journal_open(folder.fd, JOURNAL_READ_ONLY, copy_old,
				      journal, &old, &findings, error),
			 STORE_OK);
	journal_close(old);
	ck_assert_uint_eq(findings.bad_bytes, 0);
	return STORE_OK;
}

static void *rewrite_many(void *arg)
{
	(void)arg;
	do {
		ck_assert_int_eq(
			journal_rewrite(folder.journal, write_old, NULL, NULL),
			STORE_OK);
	} while (journal_position(folder.journal) < WRITERS * EACH / 2);
	return NULL;
}

START_TEST(threads_append_sync_and_rewrite_at_once)
{
	pthread_t rewriter;

	begin();
	folder_open(&folder);
	ck_assert_int_eq(pthread_create(&rewriter, NULL, rewrite_many, NULL),
			 0);
	run_writers(write_many);
	pthread_join(rewriter, NULL);
	folder_close(&folder);
	ck_assert_int_eq(journal_open(folder.fd, 0, check_many, NULL,
				      &folder.journal, &folder.findings,
				      &folder.error),
			 STORE_OK);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(next_of[i], EACH);
	folder_remove(&folder);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("journal");

	seed_start();
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, frames_come_back_in_their_order);
	tcase_add_test(tests, a_journal_of_version_1_is_read);
	tcase_add_test(tests, any_bytes_of_any_length_come_back);
	tcase_add_test(tests, a_frame_that_is_too_long_is_refused);
	tcase_add_test(tests, the_reader_stops_the_opening);
	tcase_add_test(tests, reading_only_makes_and_changes_nothing);
	tcase_add_test(tests, threads_that_sync_together_share_flushes);
	tcase_add_test(tests, what_is_durable_is_not_flushed_again);
	tcase_add_test(tests, what_was_found_is_flushed_before_it_is_read);
	tcase_add_test(tests, a_new_file_holds_what_was_added_and_what_follows);
	tcase_add_test(tests, a_writer_that_fails_leaves_the_old_file);
	tcase_add_test(tests, the_file_is_not_replaced_while_it_is_flushed);
	tcase_add_test(tests, threads_append_sync_and_rewrite_at_once);
	return unit_run("mount journal", tests);
}
