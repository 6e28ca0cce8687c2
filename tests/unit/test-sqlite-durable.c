// SPDX-License-Identifier: MIT
/*
 * SQLite store: what a power cut leaves, for each value of the option `sync`.
 *
 * fsync() and fdatasync() of the whole program, the library of SQLite
 * included, are those below, which remember how much of the write-ahead log
 * has reached the disk.  The power is cut by opening a copy in which the log
 * ends there; the log only grows, since nothing here fills enough of it for a
 * checkpoint.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "tests/unit/sqlite.h"
#include "tests/unit/unit.h"

static off_t synced;	   /* bytes of the log */
static unsigned int syncs; /* of the log */
static bool looking;	   /* at a copy, whose log does not count */

static bool is_log(int fd)
{
	char link[64];
	char name[256];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, name, sizeof(name) - 1);
	if (length < 4)
		return false;
	name[length] = '\0';
	return strcmp(name + length - 4, "-wal") == 0;
}

static void note(int fd)
{
	struct stat st;

	if (looking || !is_log(fd) || fstat(fd, &st))
		return;
	syncs++;
	synced = st.st_size;
}

int fdatasync(int fd)
{
	note(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	note(fd);
	return (int)syscall(SYS_fsync, fd);
}

static void copy_file(const char *from, const char *to, off_t most)
{
	int in = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char *data = malloc((size_t)most);
	ssize_t length;

	ck_assert_ptr_nonnull(data);
	ck_assert(in >= 0 && out >= 0);
	length = read(in, data, (size_t)most);
	ck_assert_int_ge(length, 0);
	ck_assert_int_eq(write(out, data, (size_t)length), length);
	free(data);
	close(in);
	close(out);
}

/*
 * What a power cut would leave in the root now; the store goes on after it as
 * if there had been none.
 */
static const char *names_after_cut(void)
{
	void *living = self;
	char saved[sizeof(path)];
	char log[sizeof(path) + 8];
	const char *names;

	memcpy(saved, path, sizeof(saved));
	snprintf(path, sizeof(path), "%s/cut.db", folder);
	copy_file(saved, path, 1 << 24);
	snprintf(log, sizeof(log), "%s-shm", path);
	unlink(log);
	snprintf(log, sizeof(log), "%s-wal", path);
	unlink(log);
	if (synced) {
		char from[sizeof(saved) + 8];

		snprintf(from, sizeof(from), "%s-wal", saved);
		copy_file(from, log, synced);
	}
	self = NULL;
	looking = true;
	open_store();
	names = names_in("");
	close_store();
	looking = false;
	memcpy(path, saved, sizeof(saved));
	self = living;
	return names;
}

/* With a log of a length that is told from what is in it now. */
static void begin_with(const char *sync)
{
	const char *const options[] = { "sync", sync, NULL };

	begin();
	synced = 0;
	open_with(options);
	put("first", "1");
	syncs = 0;
}

static void make_folder(const char *key)
{
	struct store_info info;

	OK(ops->make_dir(self, &context, key, NULL, &info, &error));
}

static void rename_to(const char *from, const char *to)
{
	struct backend_move_request request = { .from = from, .to = to };
	struct store_info info;

	OK(ops->move(self, &context, &request, &info, &error));
}

static void delete (const char *key)
{
	static const struct store_precondition any = {
		.condition = STORE_IF_ANY,
	};

	OK(ops->remove(self, &context, key, &any, &error));
}

/* ---- puts at the same time ---- */

enum { PUTTERS = 8 };

struct putter {
	pthread_t thread;
	char key[8];
	const char *text;
	struct store_precondition precondition;
	int code;
	struct store_error error;
};

static void *put_one(void *arg)
{
	struct putter *putter = arg;
	struct store_memory_source memory;
	struct backend_put_request request = {
		.key = putter->key,
		.source = store_memory_source_init(&memory, putter->text,
						   strlen(putter->text)),
		.precondition = putter->precondition,
	};
	struct store_context mine;
	struct store_info info;

	store_context_init(&mine, 0, NULL);
	putter->code = ops->put(self, &mine, &request, &info, &putter->error);
	return NULL;
}

/* So many wait for the one that is the writer. */
static void await_parts(size_t wanted)
{
	struct sqlite_database *database = self;
	bool there = false;

	while (!there) {
		lock_take(&database->lock);
		there = database->writing &&
			sqlite_parts_waiting(database) == wanted;
		lock_drop(&database->lock);
		sched_yield();
	}
}

static void start(struct putter *putter, int number)
{
	snprintf(putter->key, sizeof(putter->key), "p%d", number);
	store_error_clear(&putter->error);
	ck_assert_int_eq(pthread_create(&putter->thread, NULL, put_one, putter),
			 0);
}

/* The first becomes the writer and waits for another process; then the rest. */
static void put_together(struct putter *putters)
{
	sqlite3 *other = NULL;

	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
	start(&putters[0], 0);
	await_parts(0);
	for (int i = 1; i < PUTTERS; i++)
		start(&putters[i], i);
	await_parts(PUTTERS - 1);
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(other);
	for (int i = 0; i < PUTTERS; i++)
		pthread_join(putters[i].thread, NULL);
}

START_TEST(puts_at_the_same_time_share_a_flush)
{
	struct putter putters[PUTTERS] = { { .text = "1" } };

	for (int i = 0; i < PUTTERS; i++)
		putters[i].text = "1";
	begin_with("data");
	put_together(putters);
	for (int i = 0; i < PUTTERS; i++)
		ck_assert_msg(!putters[i].code, "%s: %s", putters[i].key,
			      putters[i].error.message);
	/* The first one's, and that of all the others. */
	ck_assert_uint_eq(syncs, 2);
	ck_assert_str_eq(names_after_cut(), "first p0 p1 p2 p3 p4 p5 p6 p7");
}
END_TEST

START_TEST(one_that_fails_leaves_the_others)
{
	struct putter putters[PUTTERS] = { { .text = "1" } };

	for (int i = 0; i < PUTTERS; i++)
		putters[i].text = "1";
	putters[3].precondition.condition = STORE_IF_VERSION;
	begin_with("data");
	put("p5", "old");
	syncs = 0;
	putters[5].precondition.condition = STORE_IF_ABSENT;
	put_together(putters);
	for (int i = 0; i < PUTTERS; i++)
		ck_assert_msg(!putters[i].code == (i != 3 && i != 5), "%s: %s",
			      putters[i].key, putters[i].error.message);
	ck_assert_int_eq(putters[5].code, STORE_EXISTS);
	ck_assert(putters[3].error.message[0] && putters[5].error.message[0]);
	ck_assert_uint_eq(syncs, 2);
	ck_assert_str_eq(names_after_cut(), "first p0 p1 p2 p4 p5 p6 p7");
	expect("p5", "old");
}
END_TEST

/* What ends the whole transaction ends it for who caused that, only. */
START_TEST(a_full_database_refuses_those_that_do_not_fit)
{
	static char large[20000];
	struct putter putters[PUTTERS] = { { .text = "1" } };
	struct sqlite_database *database;
	int stored = 0;

	memset(large, 'x', sizeof(large) - 1);
	for (int i = 0; i < PUTTERS; i++)
		putters[i].text = i ? large : "1";
	begin_with("data");
	database = self;
	ck_assert_int_eq(sqlite3_exec(database->writer->db,
				      "PRAGMA max_page_count = 24", NULL, NULL,
				      NULL),
			 SQLITE_OK);
	put_together(putters);
	for (int i = 0; i < PUTTERS; i++) {
		struct store_info info;
		int code = stat_of(putters[i].key, &info);

		store_error_clear(&error);
		ck_assert_msg(putters[i].code == STORE_OK ||
				      putters[i].code == STORE_NO_SPACE,
			      "%s: %s", putters[i].key,
			      putters[i].error.message);
		ck_assert_int_eq(code,
				 putters[i].code ? STORE_NOT_FOUND : STORE_OK);
		stored += !putters[i].code;
	}
	ck_assert_int_gt(stored, 1);
	ck_assert_int_lt(stored, PUTTERS);
}
END_TEST

/* ---- sync = data ---- */

START_TEST(a_file_is_durable_when_its_put_returns)
{
	begin_with("data");
	put("a", "1");
	ck_assert_str_eq(names_after_cut(), "a first");
	put("a", "22");
	put("b", "333");
	ck_assert_str_eq(names_after_cut(), "a b first");
}
END_TEST

START_TEST(a_put_costs_one_flush)
{
	begin_with("data");
	put("a", "1");
	ck_assert_uint_eq(syncs, 1);
	put("b", "1");
	ck_assert_uint_eq(syncs, 2);
}
END_TEST

START_TEST(names_cost_no_flush)
{
	begin_with("data");
	put("a", "1");
	syncs = 0;
	make_folder("d");
	rename_to("a", "b");
	delete ("first");
	ck_assert_uint_eq(syncs, 0);
	ck_assert_str_eq(names_in(""), "b d/");
	ck_assert_str_eq(names_after_cut(), "a first");
}
END_TEST

START_TEST(names_are_durable_with_the_next_file)
{
	begin_with("data");
	make_folder("d");
	rename_to("first", "second");
	put("d/a", "1");
	ck_assert_uint_eq(syncs, 1);
	ck_assert_str_eq(names_after_cut(), "d/ second");
	/* Lazy again after a file that was not. */
	make_folder("e");
	ck_assert_uint_eq(syncs, 1);
	ck_assert_str_eq(names_after_cut(), "d/ second");
}
END_TEST

START_TEST(names_are_durable_when_they_are_synced)
{
	begin_with("data");
	make_folder("d");
	rename_to("first", "second");
	ck_assert_str_eq(names_after_cut(), "first");
	OK(ops->sync(self, &context, "", &error));
	ck_assert_uint_eq(syncs, 1);
	ck_assert_str_eq(names_after_cut(), "d/ second");
	delete ("second");
	OK(ops->sync(self, &context, "d", &error));
	ck_assert_str_eq(names_after_cut(), "d/");
}
END_TEST

/* All that was done before a cut, up to some moment, and nothing after it. */
START_TEST(a_cut_log_holds_a_prefix_of_the_changes)
{
	char wanted[64] = "first";
	off_t end;

	begin_with("data");
	end = synced;
	for (char name[] = "g"; name[0] <= 'k'; name[0]++)
		make_folder(name);
	put("z", "1");
	for (; end < synced; end += 1024) {
		off_t whole = synced;
		const char *names;

		synced = end;
		names = names_after_cut();
		synced = whole;
		if (strcmp(names, wanted) == 0)
			continue;
		/* Another change came in: the next letter, and no other. */
		snprintf(wanted, sizeof(wanted), "%s", names);
		ck_assert_msg(
			!strncmp("first g/ h/ i/ j/ k/", names, strlen(names)),
			"a cut at %lld leaves %s", (long long)end, names);
	}
	ck_assert_str_eq(wanted, "first g/ h/ i/ j/ k/");
	ck_assert_str_eq(names_after_cut(), "first g/ h/ i/ j/ k/ z");
}
END_TEST

/* ---- the other values ---- */

START_TEST(with_full_every_change_is_durable_at_once)
{
	begin_with("full");
	make_folder("d");
	ck_assert_str_eq(names_after_cut(), "d/ first");
	rename_to("first", "second");
	ck_assert_str_eq(names_after_cut(), "d/ second");
	delete ("second");
	ck_assert_str_eq(names_after_cut(), "d/");
	ck_assert_uint_eq(syncs, 3);
}
END_TEST

START_TEST(with_normal_nothing_is_flushed)
{
	begin_with("normal");
	put("a", "1");
	make_folder("d");
	delete ("a");
	OK(ops->sync(self, &context, "", &error));
	ck_assert_uint_eq(syncs, 0);
	ck_assert_str_eq(names_in(""), "d/ first");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("durable");

	tcase_add_checked_fixture(tests, NULL, end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_file_is_durable_when_its_put_returns);
	tcase_add_test(tests, a_put_costs_one_flush);
	tcase_add_test(tests, puts_at_the_same_time_share_a_flush);
	tcase_add_test(tests, one_that_fails_leaves_the_others);
	tcase_add_test(tests, a_full_database_refuses_those_that_do_not_fit);
	tcase_add_test(tests, names_cost_no_flush);
	tcase_add_test(tests, names_are_durable_with_the_next_file);
	tcase_add_test(tests, names_are_durable_when_they_are_synced);
	tcase_add_test(tests, a_cut_log_holds_a_prefix_of_the_changes);
	tcase_add_test(tests, with_full_every_change_is_durable_at_once);
	tcase_add_test(tests, with_normal_nothing_is_flushed);
	return unit_run("sqlite-durable", tests);
}
