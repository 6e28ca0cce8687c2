// SPDX-License-Identifier: MIT
/* The fault layer over a memory store. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

static struct store_error error;

static char fault_path[64];
static struct store *faulty;

/* Another inode each time, so that the change is seen at once. */
static void set_faults(const char *text)
{
	char other[80];
	FILE *file;

	snprintf(other, sizeof(other), "%s.new", fault_path);
	file = fopen(other, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(rename(other, fault_path), 0);
}

static void setup(void)
{
	struct store_policy policy = {
		.retry.max_attempts = 1,
		.fault_file = fault_path,
	};
	int fd;

	store_error_clear(&error);
	snprintf(fault_path, sizeof(fault_path), "/tmp/storefs-fault.XXXXXX");
	fd = mkstemp(fault_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	faulty = memory_assemble(&memory_backend, &policy);
}

static void teardown(void)
{
	store_close(faulty);
	unlink(fault_path);
}

static int put_text(const char *key)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_memory_source source;

	return store_write(faulty, NULL, key,
			   store_memory_source_init(&source, "12345", 5),
			   &options, NULL, &error);
}

START_TEST(a_fault_fires_before_anything_is_stored)
{
	set_faults("# full disk\n\n  put error=NO_SPACE  \n");
	ck_assert_int_eq(put_text("a"), STORE_NO_SPACE);
	ck_assert(!memory_has_key(faulty, "a"));
}
END_TEST

START_TEST(a_lost_answer_fires_when_it_is_stored)
{
	set_faults("put-after error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(put_text("a"), STORE_UNAVAILABLE);
	memory_is(faulty, "a", "12345");
	ck_assert_int_eq(put_text("a"), STORE_OK);
}
END_TEST

static const uint8_t mine[STORE_PUBLISH_SIZE] = "whose put it was";

static int put_mine(struct store *store, enum store_condition condition)
{
	struct store_write_options options = {
		.precondition.condition = condition,
		.publish = mine,
	};
	struct store_memory_source source;

	return store_write(store, NULL, "a",
			   store_memory_source_init(&source, "1", 1), &options,
			   NULL, &error);
}

static bool is_mine(struct store *store)
{
	struct store_details details;
	struct store_info info;
	bool is;

	ck_assert_int_eq(
		store_stat_details(store, NULL, "a", &info, &details, &error),
		STORE_OK);
	is = details.has_publish &&
	     memcmp(details.publish, mine, sizeof(mine)) == 0;
	store_details_release(&details);
	return is;
}

START_TEST(a_lost_answer_is_settled_by_the_id_of_the_put)
{
	set_faults("put-after error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(put_mine(faulty, STORE_IF_ABSENT), STORE_UNAVAILABLE);
	ck_assert_int_eq(put_mine(faulty, STORE_IF_ABSENT), STORE_EXISTS);
	ck_assert(is_mine(faulty));
	ck_assert_int_eq(put_text("a"), STORE_OK);
	set_faults("put error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(put_mine(faulty, STORE_IF_ANY), STORE_UNAVAILABLE);
	ck_assert(!is_mine(faulty));
}
END_TEST

START_TEST(a_put_that_is_repeated_keeps_its_id)
{
	struct store_policy policy = {
		.retry = { .max_attempts = 2, .backoff_base_ns = 1 },
		.fault_file = fault_path,
	};
	struct store *patient = memory_assemble(&memory_backend, &policy);

	set_faults("put-after error=UNAVAILABLE times=1\n");
	ck_assert_int_eq(put_mine(patient, STORE_IF_ANY), STORE_OK);
	ck_assert(is_mine(patient));
	/* A conditional one is not repeated: its caller asks. */
	set_faults("put-after error=UNAVAILABLE times=1\n#\n");
	ck_assert_int_eq(store_delete(patient, NULL, "a", false, &error), 0);
	ck_assert_int_eq(put_mine(patient, STORE_IF_ABSENT), STORE_UNAVAILABLE);
	ck_assert(is_mine(patient));
	store_close(patient);
}
END_TEST

START_TEST(a_fault_takes_effect_and_ends_with_its_file)
{
	memory_put(faulty, "a", "1");
	set_faults("stat error=DENIED\n");
	ck_assert_int_eq(store_exists(faulty, NULL, "a", &(bool){ 0 }, &error),
			 STORE_DENIED);
	set_faults("stat error=LOCKED\n");
	ck_assert_int_eq(store_exists(faulty, NULL, "a", &(bool){ 0 }, &error),
			 STORE_LOCKED);
	ck_assert_int_eq(unlink(fault_path), 0);
	ck_assert(memory_has_key(faulty, "a"));
}
END_TEST

START_TEST(faults_count_and_choose_keys)
{
	set_faults("put error=TIMEOUT after=1 times=2 key=d/**\n");
	memory_put(faulty, "other", "1");
	memory_put(faulty, "d/1", "1");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put_text("d/2"), STORE_TIMEOUT);
		memory_put(faulty, "other", "1");
	}
	memory_put(faulty, "d/3", "1");
	/* A changed file begins to count anew. */
	set_faults("put error=TIMEOUT after=1 times=2 key=d/**\n#\n");
	memory_put(faulty, "d/4", "1");
}
END_TEST

START_TEST(a_move_is_chosen_by_either_key)
{
	memory_put(faulty, "a", "1");
	set_faults("move error=CHANGED key=b\n");
	ck_assert_int_eq(
		store_move(faulty, NULL, "a", "b", 0, NULL, NULL, &error),
		STORE_CHANGED);
	memory_is(faulty, "a", "1");
	ck_assert_int_eq(
		store_move(faulty, NULL, "a", "c", 0, NULL, NULL, &error),
		STORE_OK);
}
END_TEST

START_TEST(a_read_is_chosen_by_the_key_of_its_reader)
{
	struct store_reader *reader = NULL;
	size_t got = 0;
	char data[4];

	memory_put(faulty, "a", "1");
	memory_put(faulty, "b", "1");
	set_faults("read error=CORRUPT key=a\n");
	ck_assert_int_eq(store_open_reader(faulty, NULL, "a", NULL, &reader,
					   NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(store_read(reader, NULL, data, 4, &got, &error),
			 STORE_CORRUPT);
	store_close_reader(reader);
	memory_is(faulty, "b", "1");
}
END_TEST

START_TEST(a_stall_runs_into_the_deadline)
{
	struct store_context context;

	memory_put(faulty, "a", "1");
	set_faults("any stall=10m\n");
	store_context_init(&context, 30 * NS_PER_MS, NULL);
	ck_assert_int_eq(
		store_exists(faulty, &context, "a", &(bool){ 0 }, &error),
		STORE_TIMEOUT);
}
END_TEST

START_TEST(a_delay_counts_as_progress)
{
	struct store_context context;
	int64_t start = clock_monotonic_ns();

	memory_put(faulty, "a", "1");
	set_faults("stat delay=60ms\n");
	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	context.progress_ns = start;
	ck_assert_int_eq(
		store_exists(faulty, &context, "a", &(bool){ 0 }, &error),
		STORE_OK);
	ck_assert(clock_monotonic_ns() - start >= 60 * NS_PER_MS);
	ck_assert(context.progress_ns >= start + 60 * NS_PER_MS);
	/* The deadline is a deadline all the same. */
	set_faults("stat delay=10m\n");
	context.deadline_ns = clock_monotonic_ns() + 30 * NS_PER_MS;
	ck_assert_int_eq(
		store_exists(faulty, &context, "a", &(bool){ 0 }, &error),
		STORE_TIMEOUT);
}
END_TEST

START_TEST(a_malformed_line_fails_every_call)
{
	static const char *const lines[] = {
		"bogus error=DENIED",
		"put",
		"put error=NONSENSE",
		"put error=OK",
		"put stall=soon",
		"put error=DENIED after=-1",
		"put error=DENIED times=x",
		"put error=DENIED times=1x",
		"put error=DENIED what=1",
		"put error=DENIED key=a**",
		"put error=DENIED key=a key=b",
		"put-after stall=1s",
		"any-after delay=1s",
		"stat-after error=DENIED",
		"any-after error=DENIED",
		"put-before die",
		"put die=1",
		"puts die",
		"any error=DENIED error=LOCKED",
		"without",
		"without MOVE MOVED",
	};
	char text[128];
	char place[96];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "# first\n%s\n", lines[i]);
		set_faults(text);
		ck_assert_msg(store_exists(faulty, NULL, "a", &(bool){ 0 },
					   &error) == STORE_INVALID,
			      "%s", lines[i]);
		snprintf(place, sizeof(place), "%s:2", fault_path);
		ck_assert_ptr_nonnull(strstr(error.message, place));
	}
	set_faults("");
	ck_assert(!memory_has_key(faulty, "a"));
}
END_TEST

/* As long as it is open: what a mount was told once must not change. */
START_TEST(capabilities_are_taken_away_from_an_open_on)
{
	struct store_policy policy = {
		.retry.max_attempts = 1,
		.fault_file = fault_path,
	};
	uint64_t gone = STORE_CAP_ATOMIC_MOVE | STORE_CAP_MOVE;
	struct store *poor;

	set_faults("without\tMOVE  ATOMIC_MOVE\nwithout COPY\n");
	ck_assert_uint_eq(store_capabilities(faulty) & gone, gone);
	poor = memory_assemble(&memory_backend, &policy);
	set_faults("put error=NO_SPACE key=z\n");
	ck_assert_uint_eq(store_capabilities(faulty) &
				  ~store_capabilities(poor),
			  gone | STORE_CAP_COPY);
	memory_put(poor, "a", "12345");
	ck_assert_int_eq(
		store_move(poor, NULL, "a", "b", 0, NULL, NULL, &error),
		STORE_NOT_SUPPORTED);
	ck_assert_int_eq(store_copy(poor, NULL, "a", "b", 0, NULL, &error),
			 STORE_OK);
	memory_is(poor, "b", "12345");
	memory_is(poor, "a", "12345");
	store_close(poor);
}
END_TEST

START_TEST(a_faulty_commit_ends_the_upload)
{
	struct store_writer *writer = NULL;

	set_faults("put error=NO_SPACE\n");
	ck_assert_int_eq(
		store_open_writer(faulty, NULL, "a", NULL, &writer, &error),
		STORE_OK);
	ck_assert_int_eq(store_writer_write(writer, NULL, "x", 1, &error), 0);
	ck_assert_int_eq(store_writer_commit(writer, NULL, NULL, &error),
			 STORE_NO_SPACE);
	ck_assert(!memory_has_key(faulty, "a"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("fault");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_fault_fires_before_anything_is_stored);
	tcase_add_test(tests, a_lost_answer_fires_when_it_is_stored);
	tcase_add_test(tests, a_lost_answer_is_settled_by_the_id_of_the_put);
	tcase_add_test(tests, a_put_that_is_repeated_keeps_its_id);
	tcase_add_test(tests, a_fault_takes_effect_and_ends_with_its_file);
	tcase_add_test(tests, faults_count_and_choose_keys);
	tcase_add_test(tests, a_move_is_chosen_by_either_key);
	tcase_add_test(tests, a_read_is_chosen_by_the_key_of_its_reader);
	tcase_add_test(tests, a_stall_runs_into_the_deadline);
	tcase_add_test(tests, a_delay_counts_as_progress);
	tcase_add_test(tests, a_malformed_line_fails_every_call);
	tcase_add_test(tests, capabilities_are_taken_away_from_an_open_on);
	tcase_add_test(tests, a_faulty_commit_ends_the_upload);
	return unit_run("fault", tests);
}
