/* SPDX-License-Identifier: MIT */
/*
 * A mount with commit=background and a journal that comes to a sudden end:
 * what is left of its staging folder is taken up by the next one, over the
 * same store.  The thread that flushes once a second stands still, so that
 * nothing is flushed but what somebody waits for.  Linked with
 * mount_calls.c and mount_journal_disk.c.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_RESTART_H
#define STOREFS_TESTS_UNIT_MOUNT_RESTART_H

#include <check.h>
#include <errno.h>
#include <sched.h>

#include "mount/commit_internal.h"
#include "mount/recovery.h"
#include "mount/relocation.h"
#include "tests/unit/mount_calls.h"
#include "tests/unit/mount_disk.h"
#include "tests/unit/mount_fs.h"

/* Two take turns. */
static struct mount_fs restart_mounts[2];
static struct mount_fs *mount = &restart_mounts[0];
static struct fs *fs = &restart_mounts[0].fs;
static char restart_path[64]; /* what is left, until it is taken up */

/* ---- the thread of the journal ---- */

static inline void flusher_stop(void) NO_THREAD_SAFETY
{
	lock_take(&fs->commit->lock);
}

static inline void flusher_go(void) NO_THREAD_SAFETY
{
	condition_broadcast(&fs->commit->wake);
	lock_drop(&fs->commit->lock);
}

/* What it does once a second; it may be in the midst of that itself. */
static inline void flusher_round(void)
{
	struct store_error error = STORE_ERROR_INIT;
	int64_t until = clock_monotonic_ns() + 10 * NS_PER_SEC;

	ck_assert_int_eq(commit_sync(fs, &error), STORE_OK);
	ck_assert(graveyard_empty(&fs->commit->graveyard));
	while (staging_area_buried(fs->area)) {
		ck_assert_int_lt(clock_monotonic_ns(), until);
		sched_yield();
	}
}

/* Until a journal that could not be flushed has been written anew. */
static inline void flusher_mend(void)
{
	int64_t until = clock_monotonic_ns() + 10 * NS_PER_SEC;

	do {
		flusher_go();
		sched_yield();
		ck_assert_int_lt(clock_monotonic_ns(), until);
		flusher_stop();
	} while (journal_is_broken(fs->commit->journal));
}

/* From now on; 0: no more. */
static inline void journal_refuses(int code)
{
	lock_take(&disk.lock);
	disk.append_fails = code;
	disk.append_stays = code;
	lock_drop(&disk.lock);
}

/* It may have to be written anew. */
static inline void journal_recovers(void)
{
	journal_refuses(0);
	flusher_mend();
}

/* ---- life ---- */

static enum conflict_mode restart_conflict; /* of the mounts to come */
static bool restart_copies; /* the same: they rename by copies */

static inline void restart_take_up(void)
{
	struct store_error error = STORE_ERROR_INIT;

	fs = &mount->fs;
	fs->options->commit = COMMIT_BACKGROUND;
	fs->options->conflict = restart_conflict;
	if (restart_copies)
		ck_assert_int_eq(relocations_start(fs, &error), STORE_OK);
	if (recovery_run(fs, &error))
		ck_abort_msg("%s", error.message);
	flusher_stop();
}

static inline void restart_setup(void)
{
	mount = &restart_mounts[0];
	restart_conflict = CONFLICT_FAIL;
	restart_copies = false;
	mount_fs_open(mount);
	disk_start(mount->area.path);
	restart_take_up();
}

static inline void restart_teardown(void)
{
	flusher_go();
	mount_fs_close(mount);
	disk_stop();
}

/* A case of a suite; `setup` begins each of its tests. */
static inline TCase *restart_case(const char *name, SFun setup)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, restart_teardown);
	return tests;
}

/* Once for each way to end. */
static inline void add_ends(TCase *tests, const TTest *test)
{
	tcase_add_loop_test(tests, test, 0, DISK_ENDS);
}

/*
 * The end: nothing that happens from now on is seen by the store, or by the
 * next mount.  Files that are open have to be released then.
 */
static inline void end_with(const char *left)
{
	snprintf(restart_path, sizeof(restart_path), "%s", left);
	door_set(&door.puts_shut, true);
	flusher_go();
	disk_watch(restart_path);
	publisher_stop(fs->publisher);
}

static inline void end(enum disk_end how)
{
	char path[64];

	/* No put may arrive whose record is not in the copy. */
	door_set(&door.puts_shut, true);
	disk_copy(how, path);
	end_with(path);
}

/* The next mount; `shut`: puts wait in front of the store. */
static inline void begin_again(bool shut)
{
	struct mount_fs *old = mount;

	mount = &restart_mounts[old == restart_mounts];
	mount_fs_follow(mount, old, restart_path);
	mount_fs_close(old);
	door_set(&door.puts_shut, shut);
	restart_take_up();
}

static inline void restart(enum disk_end how, bool shut)
{
	end(how);
	begin_again(shut);
}

/* ---- what is seen ---- */

static inline void shows(const char *path, const char *text)
{
	static char seen[1 << 16];
	int code = call_load(fs, path, seen, sizeof(seen));

	ck_assert_msg(!code, "%s: errno %d", path, code);
	ck_assert_str_eq(seen, text);
}

static inline void shows_none(const char *path)
{
	struct stat found;

	ck_assert_int_eq(call_stat(fs, path, &found), ENOENT);
}

/* With the door open: until nothing waits to be stored; what failed? */
static inline unsigned int drain(void)
{
	struct store_context context;

	store_context_init(&context, 10 * NS_PER_SEC, NULL);
	context.deadline_ns = clock_monotonic_ns() + 10 * NS_PER_SEC;
	return publish_drain(fs, &context);
}

/* All goes well, and the store has it in the end. */
static inline void is_stored(const char *path, const char *text)
{
	door_set(&door.puts_shut, false);
	ck_assert_uint_eq(drain(), 0);
	memory_is(fs->store, path, text);
	shows(path, text);
}

static inline int stored_puts(void)
{
	int stored;

	lock_take(&door.lock);
	stored = door.stored;
	lock_drop(&door.lock);
	return stored;
}

static inline void shut_the_door(void)
{
	door_set(&door.puts_shut, true);
}

static inline void open_the_door(void)
{
	door_set(&door.puts_shut, false);
}

/* The attempts that run end, with all that they have to note. */
static inline void stop_uploads(void)
{
	publisher_stop(fs->publisher);
}

static inline struct file *file_of(const struct call_handle *handle)
{
	return ((struct handle *)(uintptr_t)handle->fi.fh)->file;
}

static inline int write_text(struct call_handle *handle, uint64_t offset,
			     const char *text)
{
	return call_write(handle, offset, text, strlen(text));
}

#endif
