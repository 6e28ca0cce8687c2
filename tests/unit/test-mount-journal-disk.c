// SPDX-License-Identifier: MIT
/*
 * The staging journal on a disk that is full, or that fails.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include "src/base/clock.h"
#include "tests/unit/mount_journal.h"
#include "tests/unit/unit.h"

enum { KIB = 1024, RESERVE = 64 * KIB, SYNCERS = 8 };

static struct journal_folder folder;

static void begin(const char *where)
{
	hook_flush = NULL;
	hook_allocate = NULL;
	hook_rename = NULL;
	hook_write = NULL;
	folder_make(&folder, where);
}

/* ---- no room ---- */

static int append_large(size_t length, unsigned int flags)
{
	static char bytes[40000];

	ck_assert_uint_le(length, sizeof(bytes));
	return journal_append(folder.journal, bytes, length, flags, NULL,
			      &folder.error);
}

/* Append large frames until that is refused; what it said. */
static int fill(unsigned int flags, int *count)
{
	int code;

	for (*count = 0;; ++*count) {
		ck_assert_int_lt(*count, 1000);
		code = append_large(10000, flags);
		if (code)
			return code;
	}
}

static int count_frame(void *arg, const void *payload, size_t length,
		       struct store_error *error)
{
	int *count = arg;

	(void)payload;
	(void)length;
	(void)error;
	++*count;
	return STORE_OK;
}

static int count_frames(void)
{
	struct journal_findings findings;
	struct journal *journal;
	int count = 0;

	ck_assert_int_eq(journal_open(folder.fd, JOURNAL_READ_ONLY, count_frame,
				      &count, &journal, &findings,
				      &folder.error),
			 STORE_OK);
	journal_close(journal);
	ck_assert_uint_eq(findings.bad_bytes, 0);
	return count;
}

/* Nothing fits but what gives room back; `refused` is what the disk says. */
static void check_full(int refused)
{
	int ordinary, more, releasing;

	ck_assert_int_eq(fill(0, &ordinary), refused);
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	ck_assert_int_eq(count_frames(), ordinary);
	/* The next driver has no more room, and no less. */
	folder_close(&folder);
	ck_assert_int_eq(journal_open(folder.fd, 0, count_frame, &more,
				      &folder.journal, &folder.findings,
				      &folder.error),
			 STORE_OK);
	ck_assert_int_eq(fill(0, &more), refused);
	ck_assert_int_eq(more, 0);
	ck_assert_int_eq(folder_append(&folder, "done", JOURNAL_RELEASES),
			 STORE_OK);
	ck_assert_int_eq(fill(JOURNAL_RELEASES, &releasing), refused);
	ck_assert_int_ge(releasing, RESERVE / 10048 - 1);
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	ck_assert(!journal_is_broken(folder.journal));
	ck_assert_int_eq(count_frames(), ordinary + 1 + releasing);
}

START_TEST(a_limit_on_sizes_leaves_room_to_give_back)
{
	struct rlimit limit;
	int count;

	signal(SIGXFSZ, SIG_IGN);
	begin("/tmp");
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 200000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	folder_open(&folder);
	check_full(STORE_TOO_LARGE);
	/* A new file with less in it is what makes room here. */
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	ck_assert_int_eq(fill(0, &count), STORE_TOO_LARGE);
	ck_assert_int_ge(count, 10);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(folder_append(&folder, "more", 0), STORE_OK);
	folder_close(&folder);
	ck_assert_int_eq(count_frames(), count + 3);
	folder_remove(&folder);
}
END_TEST

/* A tmpfs nobody else sees; it goes with the process of this test. */
static void small_disk(char *path, size_t size)
{
	snprintf(path, size, "/tmp/storefs-small.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
	ck_assert_int_eq(mount("none", path, "tmpfs", 0, "size=600k"), 0);
}

static void small_disk_end(const char *path)
{
	ck_assert_int_eq(umount(path), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

START_TEST(a_full_disk_leaves_room_to_give_back)
{
	char path[40];

	small_disk(path, sizeof(path));
	begin(path);
	folder_open(&folder);
	folder_store(&folder, "others", "x", 1);
	check_full(STORE_NO_SPACE);
	/* One block is enough for a new file, and that gives back the rest. */
	ck_assert_int_eq(unlinkat(folder.fd, "others", 0), 0);
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	ck_assert_int_eq(folder_append(&folder, "more", 0), STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "a|b|more|");
	folder_remove(&folder);
	small_disk_end(path);
}
END_TEST

/* Others' bytes, up to the last block. */
static void fill_disk(void)
{
	static char bytes[4096];
	int fd = openat(folder.fd, "others", O_WRONLY | O_CREAT | O_CLOEXEC,
			0600);

	ck_assert_int_ge(fd, 0);
	while (write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

static uint64_t free_blocks(void)
{
	struct statfs found;

	ck_assert_int_eq(fstatfs(folder.fd, &found), 0);
	return found.f_bfree;
}

START_TEST(a_new_file_without_a_reserve_is_no_better_than_the_old)
{
	char path[40];

	small_disk(path, sizeof(path));
	begin(path);
	folder_open(&folder);
	ck_assert_int_eq(folder_append(&folder, "old", 0), STORE_OK);
	fill_disk();
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_NO_SPACE);
	/* What it took of the disk is there again for others. */
	ck_assert_uint_eq(free_blocks(), 0);
	ck_assert_int_eq(folder_count(&folder, "journal"), 1);
	ck_assert_int_eq(folder_append(&folder, "done", JOURNAL_RELEASES),
			 STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "old|done|");
	ck_assert_int_eq(unlinkat(folder.fd, "others", 0), 0);
	folder_open(&folder);
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "a|b|");
	folder_remove(&folder);
	small_disk_end(path);
}
END_TEST

START_TEST(damage_is_kept_on_a_full_disk)
{
	char path[40];
	unsigned char *bytes;
	size_t size;

	small_disk(path, sizeof(path));
	begin(path);
	folder_open(&folder);
	folder_commit(&folder, "first");
	size = folder_commit(&folder, "last");
	folder_close(&folder);
	bytes = folder_load(&folder, "journal", &size);
	ck_assert_uint_gt(size, 89);
	bytes[89] ^= 1;
	folder_store(&folder, "journal", bytes, size);
	free(bytes);
	fill_disk();
	folder_open(&folder);
	ck_assert_str_eq(buf_text(&folder.texts), "first|");
	ck_assert_uint_eq(folder.findings.quarantine, 1);
	ck_assert_int_eq(folder_append(&folder, "done", JOURNAL_RELEASES),
			 STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "first|done|");
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	folder_remove(&folder);
	small_disk_end(path);
}
END_TEST

static int not_supported(int fd)
{
	(void)fd;
	return EOPNOTSUPP;
}

START_TEST(a_file_system_that_cannot_allocate_does_as_well)
{
	struct stat found;

	begin("/tmp");
	hook_allocate = not_supported;
	folder_open(&folder);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(folder_append(&folder, "some text", 0),
				 STORE_OK);
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	folder_commit(&folder, "c");
	ck_assert_int_eq(fstatat(folder.fd, "journal", &found, 0), 0);
	ck_assert_int_ge(found.st_blocks * 512, RESERVE);
	folder_close(&folder);
	folder_expect(&folder, "a|b|c|");
	folder_remove(&folder);
}
END_TEST

START_TEST(what_a_full_disk_refuses_takes_nothing_of_it)
{
	char path[40];
	int fd;

	small_disk(path, sizeof(path));
	begin(path);
	hook_allocate = not_supported;
	folder_open(&folder);
	folder_commit(&folder, "old");
	fill_disk();
	fd = openat(folder.fd, "others", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, lseek(fd, 0, SEEK_END) - 5L * 4096), 0);
	close(fd);
	ck_assert_uint_eq(free_blocks(), 5);
	ck_assert_int_eq(append_large(40000, 0), STORE_NO_SPACE);
	ck_assert_uint_eq(free_blocks(), 5);
	ck_assert_int_eq(append_large(40000, JOURNAL_RELEASES), STORE_OK);
	folder_remove(&folder);
	small_disk_end(path);
}
END_TEST

/* ---- writes that fail ---- */

static int writes_left;

/* The last of them is cut short. */
static int limited_write(int fd, size_t *length, off_t offset)
{
	(void)fd;
	(void)offset;
	if (writes_left-- <= 0)
		return ENOSPC;
	if (*length > 45)
		*length = 45;
	return 0;
}

/* Only the frame fails, not what puts its place right again. */
static int failing_frame(int fd, size_t *length, off_t offset)
{
	int failed = limited_write(fd, length, offset);

	if (failed)
		hook_write = NULL;
	return failed;
}

START_TEST(a_frame_that_fails_half_way_leaves_no_trace)
{
	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "before");
	writes_left = 1;
	hook_write = failing_frame;
	ck_assert_int_eq(folder_append(&folder, "a longer one", 0),
			 STORE_NO_SPACE);
	ck_assert_ptr_null(hook_write);
	ck_assert(!journal_is_broken(folder.journal));
	ck_assert_int_eq(count_frames(), 1);
	folder_commit(&folder, "after");
	folder_close(&folder);
	folder_expect(&folder, "before|after|");
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	folder_remove(&folder);
}
END_TEST

START_TEST(a_trace_that_stays_breaks_the_journal)
{
	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "before");
	writes_left = 1;
	hook_write = limited_write;
	ck_assert_int_eq(folder_append(&folder, "a longer one", 0),
			 STORE_NO_SPACE);
	hook_write = NULL;
	ck_assert(journal_is_broken(folder.journal));
	ck_assert_int_eq(folder_append(&folder, "x", 0), STORE_NO_SPACE);
	ck_assert_int_eq(folder_rewrite(&folder, "a"), STORE_OK);
	folder_commit(&folder, "after");
	folder_close(&folder);
	folder_expect(&folder, "a|after|");
	folder_remove(&folder);
}
END_TEST

/* ---- flushes that fail ---- */

static int failing_flush(int fd)
{
	(void)fd;
	return EIO;
}

static int failing_folder(int fd)
{
	return fd_is_folder(fd) ? EIO : 0;
}

static void check_broken(void)
{
	struct store_error first = folder.error;
	uint64_t size = journal_size(folder.journal);

	ck_assert(journal_is_broken(folder.journal));
	store_error_clear(&folder.error);
	ck_assert_int_eq(folder_append(&folder, "x", 0), first.code);
	ck_assert_str_eq(folder.error.message, first.message);
	ck_assert_int_eq(folder_append(&folder, "x", JOURNAL_RELEASES),
			 first.code);
	ck_assert_uint_eq(journal_size(folder.journal), size);
}

START_TEST(a_failed_flush_breaks_the_journal_until_it_is_rewritten)
{
	uint64_t position;

	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "durable");
	position = journal_position(folder.journal);
	ck_assert_int_eq(folder_append(&folder, "lost", 0), STORE_OK);
	hook_flush = failing_flush;
	ck_assert_int_ne(folder_sync(&folder), STORE_OK);
	check_broken();
	/* The kernel would say that all is well now. */
	hook_flush = NULL;
	ck_assert_int_ne(folder_sync(&folder), STORE_OK);
	ck_assert(!journal_is_durable(folder.journal, position + 1));
	ck_assert_int_eq(journal_sync(folder.journal, position, &folder.error),
			 STORE_OK);
	hook_flush = failing_flush;
	ck_assert_int_ne(folder_rewrite(&folder, "x"), STORE_OK);
	ck_assert(journal_is_broken(folder.journal));
	hook_flush = NULL;
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	ck_assert(!journal_is_broken(folder.journal));
	ck_assert(journal_is_durable(folder.journal, position + 1));
	folder_commit(&folder, "c");
	folder_close(&folder);
	folder_expect(&folder, "a|b|c|");
	folder_remove(&folder);
}
END_TEST

/* Not before all wait for it. */
static int late_failure(int fd)
{
	int64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;

	(void)fd;
	while (journal_position(folder.journal) < SYNCERS &&
	       clock_monotonic_ns() < until)
		sched_yield();
	return EIO;
}

static void *sync_one(void *arg)
{
	uint64_t position;

	(void)arg;
	ck_assert_int_eq(
		journal_append(folder.journal, "x", 1, 0, &position, NULL),
		STORE_OK);
	ck_assert_int_ne(journal_sync(folder.journal, position, NULL),
			 STORE_OK);
	return NULL;
}

START_TEST(a_failed_flush_is_told_to_all_who_wait)
{
	pthread_t threads[SYNCERS];
	uint64_t before;

	begin("/tmp");
	folder_open(&folder);
	before = journal_flushes(folder.journal);
	hook_flush = late_failure;
	for (int i = 0; i < SYNCERS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, sync_one, NULL), 0);
	for (int i = 0; i < SYNCERS; i++)
		pthread_join(threads[i], NULL);
	/* Nobody tries again. */
	ck_assert_uint_eq(journal_flushes(folder.journal) - before, 1);
	folder_remove(&folder);
}
END_TEST

START_TEST(what_cannot_be_flushed_at_opening_is_read_but_broken)
{
	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "a");
	folder_close(&folder);
	hook_flush = failing_flush;
	folder_open(&folder);
	ck_assert_str_eq(buf_text(&folder.texts), "a|");
	hook_flush = NULL;
	ck_assert(journal_is_broken(folder.journal));
	ck_assert_int_ne(folder_append(&folder, "x", 0), STORE_OK);
	ck_assert_int_eq(folder_rewrite(&folder, "ab"), STORE_OK);
	folder_close(&folder);
	folder_expect(&folder, "a|b|");
	folder_remove(&folder);
}
END_TEST

START_TEST(a_name_that_may_not_last_breaks_the_journal)
{
	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "old");
	hook_flush = failing_folder;
	ck_assert_int_ne(folder_rewrite(&folder, "ab"), STORE_OK);
	check_broken();
	hook_flush = NULL;
	ck_assert_int_eq(folder_rewrite(&folder, "cd"), STORE_OK);
	folder_commit(&folder, "e");
	folder_close(&folder);
	folder_expect(&folder, "c|d|e|");
	folder_remove(&folder);
}
END_TEST

static int failing_rename(void)
{
	return EIO;
}

START_TEST(until_the_rename_the_old_file_counts)
{
	begin("/tmp");
	folder_open(&folder);
	folder_commit(&folder, "old");
	hook_rename = failing_rename;
	ck_assert_int_ne(folder_rewrite(&folder, "ab"), STORE_OK);
	ck_assert(!journal_is_broken(folder.journal));
	folder_commit(&folder, "more");
	ck_assert_int_eq(folder_count(&folder, "journal"), 1);
	folder_close(&folder);
	folder_expect(&folder, "old|more|");
	folder_remove(&folder);
}
END_TEST

static void add_root_tests(TCase *tests)
{
	tcase_add_test(tests, a_full_disk_leaves_room_to_give_back);
	tcase_add_test(tests,
		       a_new_file_without_a_reserve_is_no_better_than_the_old);
	tcase_add_test(tests, damage_is_kept_on_a_full_disk);
	tcase_add_test(tests, what_a_full_disk_refuses_takes_nothing_of_it);
}

int main(void)
{
	TCase *tests = tcase_create("disk");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_limit_on_sizes_leaves_room_to_give_back);
	tcase_add_test(tests, a_file_system_that_cannot_allocate_does_as_well);
	tcase_add_test(tests, a_frame_that_fails_half_way_leaves_no_trace);
	tcase_add_test(tests, a_trace_that_stays_breaks_the_journal);
	tcase_add_test(tests,
		       a_failed_flush_breaks_the_journal_until_it_is_rewritten);
	tcase_add_test(tests, a_failed_flush_is_told_to_all_who_wait);
	tcase_add_test(tests,
		       what_cannot_be_flushed_at_opening_is_read_but_broken);
	tcase_add_test(tests, a_name_that_may_not_last_breaks_the_journal);
	tcase_add_test(tests, until_the_rename_the_old_file_counts);
	if (geteuid())
		printf("# a full disk is only tried by root\n");
	else
		add_root_tests(tests);
	return unit_run("mount journal disk", tests);
}
