// SPDX-License-Identifier: MIT
/*
 * What goes on while a publish takes its time: interrupted waits, changes,
 * removals, drains.  The store's door (mount_fs.h) holds uploads back.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_fs.h"
#include "tests/unit/unit.h"

static struct mount_fs mount;

static void setup(void)
{
	mount_fs_open(&mount);
}

static void teardown(void)
{
	mount_fs_close(&mount);
}

/* A thread that closes a file and is told how that went. */
struct closer {
	struct file *file;
	struct store_cancel *cancel;
	_Atomic bool done;
	int code;
	pthread_t thread;
};

static void *close_file(void *arg)
{
	struct closer *closer = arg;
	struct op op = mount_op(&mount);

	op.context.cancel = closer->cancel;
	closer->code = publish_wait(closer->file, &op.context, &op.error);
	atomic_store(&closer->done, true);
	return NULL;
}

static void closer_start(struct closer *closer, struct file *file)
{
	*closer = (struct closer){ .file = file, .cancel = store_cancel_new() };
	ck_assert_ptr_nonnull(closer->cancel);
	ck_assert_int_eq(
		pthread_create(&closer->thread, NULL, close_file, closer), 0);
}

static int closer_end(struct closer *closer)
{
	ck_assert_int_eq(pthread_join(closer->thread, NULL), 0);
	store_cancel_free(closer->cancel);
	return closer->code;
}

/* ---- waiting ---- */

START_TEST(an_interrupted_wait_returns_and_the_upload_goes_on)
{
	struct file *file = mount_create(&mount, "a");
	struct closer closer;
	int64_t cancelled;

	mount_write(&mount, file, 0, "hello");
	door_set(&door.puts_shut, true);
	closer_start(&closer, file);
	door_wait(&door.puts, 1);
	ck_assert(!atomic_load(&closer.done));
	cancelled = clock_monotonic_ns();
	store_cancel_trigger(closer.cancel);
	ck_assert_int_eq(closer_end(&closer), STORE_CANCELLED);
	ck_assert_int_lt(clock_monotonic_ns() - cancelled, NS_PER_SEC);
	ck_assert(mount_is_dirty(file));
	door_set(&door.puts_shut, false);
	mount_wait_attempts(file, 1);
	memory_is(mount.fs.store, "a", "hello");
	ck_assert(!mount_is_dirty(file));
	ck_assert_int_eq(door.puts, 1);
}
END_TEST

START_TEST(an_error_after_an_interrupt_is_told_to_the_next)
{
	struct file *file = mount_create(&mount, "a");
	struct closer closer;

	mount_faults(&mount, "put-after error=DENIED times=1\n");
	door_set(&door.puts_shut, true);
	closer_start(&closer, file);
	door_wait(&door.puts, 1);
	store_cancel_trigger(closer.cancel);
	ck_assert_int_eq(closer_end(&closer), STORE_CANCELLED);
	door_set(&door.puts_shut, false);
	mount_wait_attempts(file, 1);
	ck_assert_int_eq(publish_take_late_error(file, NULL), STORE_DENIED);
	ck_assert_int_eq(publish_take_late_error(file, NULL), STORE_OK);
}
END_TEST

START_TEST(two_closes_of_one_state_share_an_upload)
{
	struct file *file = mount_create(&mount, "a");
	struct closer one, two;

	mount_write(&mount, file, 0, "hello");
	door_set(&door.puts_shut, true);
	closer_start(&one, file);
	door_wait(&door.puts, 1);
	closer_start(&two, file);
	while (!atomic_load(&two.done)) {
		lock_take(&file->lock);
		if (file->waiters == 2)
			door_set(&door.puts_shut, false);
		lock_drop(&file->lock);
		sched_yield();
	}
	ck_assert_int_eq(closer_end(&one), STORE_OK);
	ck_assert_int_eq(closer_end(&two), STORE_OK);
	ck_assert_int_eq(door.puts, 1);
}
END_TEST

START_TEST(a_close_after_a_change_waits_for_an_upload_of_it)
{
	struct file *file = mount_create(&mount, "a");
	struct closer one, two;

	mount_write(&mount, file, 0, "first");
	door_set(&door.puts_shut, true);
	closer_start(&one, file);
	door_wait(&door.puts, 1);
	mount_write(&mount, file, 0, "second");
	closer_start(&two, file);
	door_set(&door.puts_shut, false);
	ck_assert_int_eq(closer_end(&one), STORE_OK);
	ck_assert_int_eq(closer_end(&two), STORE_OK);
	memory_is(mount.fs.store, "a", "second");
	ck_assert(!mount_is_dirty(file));
}
END_TEST

START_TEST(many_files_are_uploaded_side_by_side)
{
	struct closer closers[MOUNT_PUBLISHERS];
	char name[2] = "a";

	door_set(&door.puts_shut, true);
	for (int i = 0; i < MOUNT_PUBLISHERS; i++, name[0]++)
		closer_start(&closers[i], mount_create(&mount, name));
	door_wait(&door.puts, MOUNT_PUBLISHERS);
	door_set(&door.puts_shut, false);
	for (int i = 0; i < MOUNT_PUBLISHERS; i++)
		ck_assert_int_eq(closer_end(&closers[i]), STORE_OK);
}
END_TEST

/* ---- changes meanwhile ---- */

START_TEST(an_upload_sends_the_moment_it_began)
{
	struct file *file = mount_create(&mount, "a");
	struct op op = mount_op(&mount);
	struct closer closer;

	mount_write(&mount, file, 0, "aaaaaaaaaa");
	door_set(&door.puts_shut, true);
	closer_start(&closer, file);
	door_wait(&door.puts, 1);
	mount_write(&mount, file, 2, "BBB");
	ck_assert_int_eq(file_truncate(&op, file, 7), STORE_OK);
	mount_reads(&mount, file, "aaBBBaa");
	door_set(&door.puts_shut, false);
	ck_assert_int_eq(closer_end(&closer), STORE_OK);
	memory_is(mount.fs.store, "a", "aaaaaaaaaa");
	ck_assert(mount_is_dirty(file));
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "a", "aaBBBaa");
}
END_TEST

START_TEST(a_failed_upload_loses_no_change_made_meanwhile)
{
	struct closer closer;
	struct file *file;

	memory_put(mount.fs.store, "a", "0123456789");
	door.puts = 0;
	file = mount_open(&mount, "a", O_RDWR);
	mount_write(&mount, file, 0, "AAA");
	mount_faults(&mount, "put-after error=DENIED times=1\n");
	door_set(&door.puts_shut, true);
	closer_start(&closer, file);
	door_wait(&door.puts, 1);
	mount_write(&mount, file, 2, "BBB");
	door_set(&door.puts_shut, false);
	ck_assert_int_ne(closer_end(&closer), STORE_OK);
	mount_reads(&mount, file, "AABBB56789");
}
END_TEST

enum { WRITERS = 2, BODY = 200000, ROUNDS = 30 };

struct writer {
	struct file *file;
	char letter;
	_Atomic bool *stop;
	int failures;
	pthread_t thread;
};

/* The whole file of one letter, again and again. */
static void *write_on(void *arg)
{
	struct writer *writer = arg;
	struct store_range range = { 0, BODY };
	CLEANUP_FREE char *body = malloc(BODY);

	if (!body)
		abort();
	while (!atomic_load(writer->stop)) {
		struct op op = mount_op(&mount);

		memset(body, writer->letter, BODY);
		writer->failures +=
			file_write(&op, writer->file, body, &range) != STORE_OK;
		writer->letter =
			writer->letter == 'Z' ? 'A' : writer->letter + 1;
		sched_yield();
	}
	return NULL;
}

static void check_whole(void)
{
	CLEANUP_FREE void *data = NULL;
	const char *bytes;
	size_t size = 0;

	ck_assert_int_eq(store_read_all(mount.fs.store, NULL, "a", BODY, &data,
					&size, NULL),
			 STORE_OK);
	ck_assert_uint_eq(size, BODY);
	bytes = data;
	ck_assert_int_eq(memcmp(bytes, bytes + 1, BODY - 1), 0);
}

static bool has_bytes(struct file *file)
{
	bool some;

	lock_take(&file->lock);
	some = file->staging.size;
	lock_drop(&file->lock);
	return some;
}

START_TEST(writers_do_not_tear_what_is_uploaded)
{
	struct file *file = mount_create(&mount, "a");
	struct writer writers[WRITERS];
	_Atomic bool stop = false;

	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .file = file,
					      .letter = (char)('A' + 9 * i),
					      .stop = &stop };
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL,
						write_on, &writers[i]),
				 0);
	}
	while (!mount_is_dirty(file) || !has_bytes(file))
		sched_yield();
	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
		check_whole();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		ck_assert_int_eq(writers[i].failures, 0);
	}
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	check_whole();
	ck_assert(!mount_is_dirty(file));
}
END_TEST

/* ---- removal meanwhile ---- */

/* As ops_remove.c does it, under an exclusive pass. */
static void remove_file(struct file *file, const char *name)
{
	struct gate_pass pass = { .nodes = { file->node }, .exclusive = true };
	struct tree *tree = &mount.fs.tree;

	ck_assert_int_eq(gate_enter(&mount.fs.gate, &pass, NULL, NULL),
			 STORE_OK);
	ck_assert_int_eq(store_delete(mount.fs.store, NULL, name, true, NULL),
			 STORE_OK);
	lock_take(&tree->lock);
	tree_drop_name(tree, tree_find_name(tree, tree->root, name));
	lock_drop(&tree->lock);
	lock_take(&file->lock);
	file_clean_locked(file);
	lock_drop(&file->lock);
	gate_leave(&mount.fs.gate, &pass);
}

START_TEST(a_removal_waits_for_the_upload_and_nothing_comes_back)
{
	struct file *file = mount_create(&mount, "a");
	struct closer closer;

	mount_write(&mount, file, 0, "hello");
	door_set(&door.puts_shut, true);
	closer_start(&closer, file);
	door_wait(&door.puts, 1);
	mount_write(&mount, file, 0, "H");
	door_set(&door.puts_shut, false);
	remove_file(file, "a");
	ck_assert_int_eq(closer_end(&closer), STORE_OK);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	ck_assert(!memory_has_key(mount.fs.store, "a"));
	ck_assert(!mount_is_dirty(file));
	mount_reads(&mount, file, "Hello");
}
END_TEST

START_TEST(what_was_removed_before_its_upload_is_never_sent)
{
	struct gate_pass pass = { .exclusive = true };
	struct file *file = mount_create(&mount, "a");
	struct closer closer;

	mount_write(&mount, file, 0, "hello");
	pass.nodes[0] = file->node;
	ck_assert_int_eq(gate_enter(&mount.fs.gate, &pass, NULL, NULL),
			 STORE_OK);
	closer_start(&closer, file);
	lock_take(&file->lock);
	while (file->started == file->finished)
		condition_wait(&file->changed, &file->lock);
	lock_drop(&file->lock);
	remove_file(file, "a");
	gate_leave(&mount.fs.gate, &pass);
	ck_assert_int_eq(closer_end(&closer), STORE_OK);
	ck_assert_int_eq(door.puts, 0);
	ck_assert(!memory_has_key(mount.fs.store, "a"));
}
END_TEST

START_TEST(a_renamed_file_is_uploaded_under_its_new_name)
{
	struct file *file = mount_create(&mount, "a");
	struct tree *tree = &mount.fs.tree;
	struct name *spare = tree_new_name("b");

	ck_assert_ptr_nonnull(spare);
	mount_write(&mount, file, 0, "hello");
	lock_take(&tree->lock);
	tree_move_name(tree, tree_find_name(tree, tree->root, "a"), tree->root,
		       spare);
	lock_drop(&tree->lock);
	ck_assert_int_eq(mount_publish(&mount, file), STORE_OK);
	memory_is(mount.fs.store, "b", "hello");
	ck_assert(!memory_has_key(mount.fs.store, "a"));
}
END_TEST

/* ---- draining ---- */

/* Handles for writing come and go without a close that publishes. */
static void writing(struct file *file, unsigned int writers)
{
	lock_take(&file->lock);
	file->writers = writers;
	lock_drop(&file->lock);
}

START_TEST(a_drain_publishes_what_is_closed_and_counts_the_rest)
{
	struct file *closed = mount_create(&mount, "closed");
	struct file *broken = mount_create(&mount, "broken");
	struct store_context context;

	mount_create(&mount, "open");
	mount_faults(&mount, "put error=DENIED key=broken\n");
	writing(closed, 0);
	writing(broken, 0);
	store_context_init(&context, 0, NULL);
	ck_assert_uint_eq(publish_drain(&mount.fs, &context), 2);
	ck_assert(memory_has_key(mount.fs.store, "closed"));
	ck_assert(!memory_has_key(mount.fs.store, "open"));
	mount_faults(&mount, "");
	ck_assert_uint_eq(publish_drain(&mount.fs, &context), 1);
	ck_assert(memory_has_key(mount.fs.store, "broken"));
	writing(closed, 1);
	writing(broken, 1);
}
END_TEST

START_TEST(a_drain_of_a_stalled_store_ends_in_time)
{
	struct file *one = mount_create(&mount, "a");
	struct file *two = mount_create(&mount, "b");
	int64_t start = clock_monotonic_ns();
	struct store_context context;

	writing(one, 0);
	writing(two, 0);
	door_set(&door.puts_shut, true);
	store_context_init(&context, 0, NULL);
	context.deadline_ns = start + 200 * NS_PER_MS;
	ck_assert_uint_eq(publish_drain(&mount.fs, &context), 2);
	ck_assert_int_lt(clock_monotonic_ns() - start, 2 * NS_PER_SEC);
	door_set(&door.puts_shut, false);
	context.deadline_ns = 0;
	ck_assert_uint_eq(publish_drain(&mount.fs, &context), 0);
	writing(one, 1);
	writing(two, 1);
}
END_TEST

START_TEST(stopping_cancels_what_is_stalled_and_keeps_its_bytes)
{
	struct file *file = mount_create(&mount, "a");

	mount_write(&mount, file, 0, "hello");
	door_set(&door.puts_shut, true);
	mount_close(&mount, file);
	door_wait(&door.puts, 1);
	publisher_stop(mount.fs.publisher);
	ck_assert_uint_eq(publish_abandon_all(&mount.fs), 1);
	area_holds(&mount.area, "data-", "hello");
	ck_assert(!memory_has_key(mount.fs.store, "a"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("wait");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests,
		       an_interrupted_wait_returns_and_the_upload_goes_on);
	tcase_add_test(tests, an_error_after_an_interrupt_is_told_to_the_next);
	tcase_add_test(tests, two_closes_of_one_state_share_an_upload);
	tcase_add_test(tests, a_close_after_a_change_waits_for_an_upload_of_it);
	tcase_add_test(tests, many_files_are_uploaded_side_by_side);
	tcase_add_test(tests, an_upload_sends_the_moment_it_began);
	tcase_add_test(tests, a_failed_upload_loses_no_change_made_meanwhile);
	tcase_add_test(tests, writers_do_not_tear_what_is_uploaded);
	tcase_add_test(tests,
		       a_removal_waits_for_the_upload_and_nothing_comes_back);
	tcase_add_test(tests, what_was_removed_before_its_upload_is_never_sent);
	tcase_add_test(tests, a_renamed_file_is_uploaded_under_its_new_name);
	tcase_add_test(tests,
		       a_drain_publishes_what_is_closed_and_counts_the_rest);
	tcase_add_test(tests, a_drain_of_a_stalled_store_ends_in_time);
	tcase_add_test(tests,
		       stopping_cancels_what_is_stalled_and_keeps_its_bytes);
	return unit_run("mount publish wait", tests);
}
