// SPDX-License-Identifier: MIT
/*
 * F3, F5, F11: several processes on one store, and processes that are killed
 * in the middle of an operation.
 *
 * A child opens the store anew, and tells through a pipe how far it is; the
 * parent kills it after a random number of operations and some more time.
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"

enum { RACERS = 16, BIG = 600000 };

static int put_in(struct store *store, const char *key, const void *data,
		  size_t size, bool over)
{
	struct store_memory_source source;
	struct store_write_options options = {
		.precondition.condition = over ? STORE_IF_ANY : STORE_IF_ABSENT,
	};

	return store_write(store, NULL, key,
			   store_memory_source_init(&source, data, size),
			   &options, NULL, &conf_error);
}

/* A handle in a child, which must not use check's assertions. */
static struct store *child_open(void)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store *store = conf_backend.open(&error);

	if (!store) {
		fprintf(stderr, "child: %s\n", error.message);
		_exit(3);
	}
	return store;
}

/* ---- F3 ---- */

static void race_as_child(int start, int number)
{
	struct store *store = child_open();
	char text[32];
	char go;
	int code;

	snprintf(text, sizeof(text), "racer %d", number);
	/* The end of the pipe is the starting shot for all. */
	if (read(start, &go, 1) != 0)
		_exit(3);
	code = put_in(store, "d/key", text, strlen(text), false);
	if (code && code != STORE_EXISTS)
		fprintf(stderr, "racer: %s\n", conf_error.message);
	store_close(store);
	_exit(code == STORE_OK ? 0 : code == STORE_EXISTS ? 1 : 2);
}

static int exit_status(pid_t pid)
{
	int status = 0;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void race_once(void)
{
	pid_t racers[RACERS];
	int winner = -1;
	char text[32];
	int start[2];
	int i;

	ck_assert_int_eq(pipe(start), 0);
	for (i = 0; i < RACERS; i++) {
		racers[i] = fork();
		ck_assert_int_ge(racers[i], 0);
		if (racers[i] == 0) {
			close(start[1]);
			race_as_child(start[0], i);
		}
	}
	close(start[0]);
	close(start[1]);
	for (i = 0; i < RACERS; i++) {
		int status = exit_status(racers[i]);

		ck_assert_msg(status <= 1, "racer %d failed", i);
		if (status == 0) {
			ck_assert_int_eq(winner, -1);
			winner = i;
		}
	}
	ck_assert_int_ge(winner, 0);
	conf_store = conf_open();
	snprintf(text, sizeof(text), "racer %d", winner);
	conf_expect("d/key", text);
	CONF_OK(store_delete(conf_store, NULL, "d/key", false, &conf_error));
	conf_expect_no_leftovers();
	store_close(conf_store);
}

/* F3 */
START_TEST(one_of_sixteen_processes_creates_the_key)
{
	int rounds = conf_rounds(3, 30);
	int i;

	store_close(conf_store);
	for (i = 0; i < rounds; i++)
		race_once();
	conf_store = conf_open();
}
END_TEST

/* ---- killing ---- */

/* One operation of a victim; `round` counts up. */
typedef int victim_fn(struct store *store, int round);

static void victim_run(victim_fn *operation, int tell)
{
	struct store *store = child_open();
	int round;

	for (round = 0;; round++) {
		if (operation(store, round)) {
			fprintf(stderr, "victim: %s\n", conf_error.message);
			_exit(1);
		}
		if (write(tell, "", 1) != 1)
			_exit(1);
	}
}

/* Kill after at least one operation, at any instruction of a later one. */
static void victim_kill(pid_t pid, int told, uint64_t *random)
{
	int operations = (int)(conf_random(random) % 6) + 1;
	struct timespec pause = {
		0,
		(long)(conf_random(random) % (4 * NS_PER_MS)),
	};
	int status = 0;
	char byte;

	while (operations-- > 0 && read(told, &byte, 1) == 1)
		continue;
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "the victim failed by itself");
}

/* Run and kill victims; after each, `check` looks at the reopened store. */
static void kill_many(victim_fn *operation, void (*check)(void))
{
	int rounds = conf_rounds(25, 1000);
	uint64_t random = conf_seed();
	int i;

	for (i = 0; i < rounds; i++) {
		int told[2];
		pid_t pid;

		store_close(conf_store);
		ck_assert_int_eq(pipe(told), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			close(told[0]);
			victim_run(operation, told[1]);
		}
		close(told[1]);
		victim_kill(pid, told[0], &random);
		close(told[0]);
		conf_store = conf_open();
		check();
		conf_expect_no_leftovers();
	}
}

static unsigned char *versions[2];

/* The versions differ in length and in every byte. */
static size_t version_size(int which)
{
	return which ? BIG : BIG - 70001;
}

static void make_versions(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		versions[i] = malloc(BIG);
		ck_assert_ptr_nonnull(versions[i]);
		conf_fill(versions[i], BIG, (uint64_t)i + 20);
	}
}

static void free_versions(void)
{
	free(versions[0]);
	free(versions[1]);
}

/* The file must be one of the versions, whole. */
static void expect_a_version(const char *key)
{
	void *found = NULL;
	size_t size = 0;
	int which;
	int code;

	/* The last put of the dead may still come, also while this reads. */
	do {
		store_error_clear(&conf_error);
		code = store_read_all(conf_store, NULL, key, SIZE_MAX / 2,
				      &found, &size, &conf_error);
	} while (code == STORE_CHANGED && conf_backend.remote);
	CONF_OK(code);
	which = size == version_size(1);
	ck_assert_uint_eq(size, version_size(which));
	ck_assert_mem_eq(found, versions[which], size);
	free(found);
}

static int overwrite_op(struct store *store, int round)
{
	return put_in(store, "d/a", versions[round % 2],
		      version_size(round % 2), true);
}

static void overwrite_check(void)
{
	expect_a_version("d/a");
	conf_expect_names("", "d/ d/a");
}

/* F5 */
START_TEST(a_killed_put_leaves_the_old_or_the_new_file)
{
	make_versions();
	CONF_OK(put_in(conf_store, "d/a", versions[0], version_size(0), false));
	kill_many(overwrite_op, overwrite_check);
	free_versions();
}
END_TEST

static int stream_op(struct store *store, int round)
{
	struct store_write_options over = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_writer *writer = NULL;
	size_t size = version_size(round % 2);
	size_t half = size / 2;
	int code = store_open_writer(store, NULL, "d/a", &over, &writer,
				     &conf_error);

	if (code)
		return code;
	code = store_writer_write(writer, NULL, versions[round % 2], half,
				  &conf_error);
	if (!code)
		code = store_writer_write(writer, NULL,
					  versions[round % 2] + half,
					  size - half, &conf_error);
	if (code)
		return code;
	return store_writer_commit(writer, NULL, NULL, &conf_error);
}

/* F5 */
START_TEST(a_killed_stream_leaves_the_old_or_the_new_file)
{
	make_versions();
	CONF_OK(put_in(conf_store, "d/a", versions[0], version_size(0), false));
	kill_many(stream_op, overwrite_check);
	free_versions();
}
END_TEST

/* Every name of a node shows the same version. */
static int linked_op(struct store *store, int round)
{
	struct store_memory_source source;
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	const char *key = round % 3 ? "a" : "b";

	return store_write(store, NULL, key,
			   store_memory_source_init(&source,
						    versions[round % 2],
						    version_size(round % 2)),
			   &keep, NULL, &conf_error);
}

static void linked_check(void)
{
	struct store_info a;
	struct store_info b;

	expect_a_version("a");
	expect_a_version("b");
	CONF_OK(conf_stat("a", &a));
	CONF_OK(conf_stat("b", &b));
	ck_assert_uint_eq(a.links, 2);
	ck_assert_uint_eq(a.node, b.node);
	ck_assert_uint_eq(a.size, b.size);
}

/* F5, links */
START_TEST(a_killed_put_to_a_linked_file_is_repaired)
{
	make_versions();
	CONF_OK(put_in(conf_store, "a", versions[0], version_size(0), false));
	CONF_OK(store_link(conf_store, NULL, "a", "b", NULL, &conf_error));
	kill_many(linked_op, linked_check);
	free_versions();
}
END_TEST

/* ---- F11 ---- */

/*
 * To and fro; the file is where the last killed victim left it, which may be
 * at both names, or at one from which a request of the dead removes it yet.
 */
static int move_op(struct store *store, int round)
{
	bool atomic = store_capabilities(store) & STORE_CAP_ATOMIC_MOVE;
	unsigned int flags = atomic ? 0 : STORE_MOVE_OVERWRITE;
	bool at_a = false;
	int code = store_exists(store, NULL, "d/a", &at_a, &conf_error);

	(void)round;
	if (code)
		return code;
	code = store_move(store, NULL, at_a ? "d/a" : "e/f/b",
			  at_a ? "e/f/b" : "d/a", flags, NULL, NULL,
			  &conf_error);
	if (code == STORE_NOT_FOUND && conf_backend.remote) {
		store_error_clear(&conf_error);
		return STORE_OK;
	}
	return code;
}

/* A server may still do what the dead asked for: remove the source. */
static void expect_whole(const char *key, bool may_go)
{
	void *found = NULL;
	size_t size = 0;
	int code = store_read_all(conf_store, NULL, key, SIZE_MAX / 2, &found,
				  &size, &conf_error);

	if (code == STORE_NOT_FOUND && may_go) {
		store_error_clear(&conf_error);
		return;
	}
	CONF_OK(code);
	ck_assert_uint_eq(size, version_size(0));
	ck_assert_mem_eq(found, versions[0], size);
	free(found);
}

static void move_check(void)
{
	bool at_a = false;
	bool at_b = false;

	CONF_OK(store_exists(conf_store, NULL, "d/a", &at_a, &conf_error));
	CONF_OK(store_exists(conf_store, NULL, "e/f/b", &at_b, &conf_error));
	ck_assert(at_a || at_b);
	if (conf_has(STORE_CAP_ATOMIC_MOVE))
		ck_assert(!at_a || !at_b);
	if (at_a)
		expect_whole("d/a", at_b && conf_backend.remote);
	if (at_b)
		expect_whole("e/f/b", at_a && conf_backend.remote);
}

/* F11, remote-store 10.17 */
START_TEST(a_killed_move_leaves_one_complete_file)
{
	make_versions();
	CONF_OK(put_in(conf_store, "d/a", versions[0], version_size(0), false));
	kill_many(move_op, move_check);
	free_versions();
}
END_TEST

/* The old file at the destination is there, or the moved one. */
static int replace_op(struct store *store, int round)
{
	int code = put_in(store, "new", versions[round % 2],
			  version_size(round % 2), true);

	if (code)
		return code;
	code = store_move(store, NULL, "new", "target", STORE_MOVE_OVERWRITE,
			  NULL, NULL, &conf_error);
	/* The dead have put another one there, or removed theirs. */
	if (conf_backend.remote &&
	    (code == STORE_CHANGED || code == STORE_NOT_FOUND))
		return STORE_OK;
	return code;
}

static void replace_check(void)
{
	bool there = false;

	expect_a_version("target");
	CONF_OK(store_exists(conf_store, NULL, "new", &there, &conf_error));
	/* In a server the dead may remove it yet. */
	if (there && !conf_backend.remote)
		expect_a_version("new");
}

/* F11 */
START_TEST(a_killed_replacing_move_never_loses_the_target)
{
	make_versions();
	CONF_OK(put_in(conf_store, "target", versions[0], version_size(0),
		       false));
	kill_many(replace_op, replace_check);
	free_versions();
}
END_TEST

enum { FOLDER_FILES = 40 };

static int move_folder_op(struct store *store, int round)
{
	bool at_a = false;
	int code = store_exists(store, NULL, "a", &at_a, &conf_error);

	(void)round;
	if (code)
		return code;
	return store_move(store, NULL, at_a ? "a" : "b", at_a ? "b" : "a", 0,
			  NULL, NULL, &conf_error);
}

static void move_folder_check(void)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES,
					    .max_depth = -1 };
	struct store_listing *listing = NULL;
	bool at_a = false;
	bool at_b = false;

	CONF_OK(store_exists(conf_store, NULL, "a", &at_a, &conf_error));
	CONF_OK(store_exists(conf_store, NULL, "b", &at_b, &conf_error));
	ck_assert(at_a != at_b);
	CONF_OK(store_list(conf_store, NULL, at_a ? "a" : "b", &files, &listing,
			   &conf_error));
	ck_assert_uint_eq(conf_count(listing), FOLDER_FILES);
	conf_expect(at_a ? "a/3/3" : "b/3/3", "x");
}

/* F11: a folder moves whole or not at all. */
START_TEST(a_killed_folder_move_leaves_one_complete_folder)
{
	char key[32];
	int i;

	for (i = 0; i < FOLDER_FILES; i++) {
		snprintf(key, sizeof(key), "a/%d/%d", i % 5, i);
		CONF_OK(conf_put(key, "x"));
	}
	kill_many(move_folder_op, move_folder_check);
}
END_TEST

void conf_add_processes(void)
{
	if (!conf_backend.persistent)
		return;
	conf_add("F3", STORE_CAP_CONDITIONAL,
		 one_of_sixteen_processes_creates_the_key);
	conf_add("F5", STORE_CAP_ATOMIC_WRITE,
		 a_killed_put_leaves_the_old_or_the_new_file);
	conf_add("F5", STORE_CAP_ATOMIC_WRITE,
		 a_killed_stream_leaves_the_old_or_the_new_file);
	conf_add("F5", STORE_CAP_LINKS,
		 a_killed_put_to_a_linked_file_is_repaired);
	conf_add("F11", 0, a_killed_move_leaves_one_complete_file);
	conf_add("F11", 0, a_killed_replacing_move_never_loses_the_target);
	conf_add("F11", STORE_CAP_MOVE_FOLDER,
		 a_killed_folder_move_leaves_one_complete_folder);
}
