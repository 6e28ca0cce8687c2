// SPDX-License-Identifier: MIT
/* Local store: what killed writers leave, and files that are mostly holes. */
#include "config.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "src/base/clock.h"
#include "tests/unit/local.h"
#include "tests/unit/unit.h"

#define STALE ".storefs-tmp.0123456789abcdef"

START_TEST(what_a_killed_writer_left_goes_with_the_next_listing)
{
	write_outside(STALE, "half");
	write_outside(".storefs-tmp.not-ours", "kept");
	ck_assert_uint_eq(count_names(""), 0);
	ck_assert(!is_outside(STALE));
	ck_assert(is_outside(".storefs-tmp.not-ours"));
}
END_TEST

START_TEST(a_temporary_whose_writer_lives_stays)
{
	int fd;

	write_outside(STALE, "half");
	fd = open(outside(STALE), O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_uint_eq(count_names(""), 0);
	ck_assert(is_outside(STALE));
	close(fd);
}
END_TEST

START_TEST(a_folder_with_only_leftovers_is_empty)
{
	struct backend_move_request move = {
		.from = "from",
		.to = "to",
		.flags = BACKEND_MOVE_REPLACE,
	};
	struct store_info info;

	OK(ops->make_dir(self, &context, "d", NULL, &info, &error));
	OK(ops->make_dir(self, &context, "from", NULL, &info, &error));
	OK(ops->make_dir(self, &context, "to", NULL, &info, &error));
	write_outside("d/" STALE, "half");
	write_outside("to/" STALE, "half");
	OK(ops->remove_dir(self, &context, "d", &error));
	OK(ops->move(self, &context, &move, &info, &error));
	ck_assert(!is_outside("d"));
	ck_assert(!is_outside("to/" STALE));
	write_outside("to/f", "x");
	FAILS(STORE_NOT_EMPTY, ops->remove_dir(self, &context, "to", &error));
}
END_TEST

/* ---- a writer that is killed ---- */

enum { BIG = 24 << 20 };

struct pattern_source {
	struct store_source source;
	unsigned char byte;
};

static int pattern_read(struct store_source *source, uint64_t offset,
			void *data, size_t length, struct store_error *unused)
{
	(void)offset;
	(void)unused;
	memset(data, ((struct pattern_source *)(void *)source)->byte, length);
	return STORE_OK;
}

/* The id of the put is made of the byte, too. */
static void put_pattern(const char *key, unsigned char byte)
{
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct pattern_source source = {
		.source = { .size = BIG, .read = pattern_read },
		.byte = byte,
	};
	struct backend_put_request request = {
		.key = key,
		.source = &source.source,
		.flags = BACKEND_PUT_KEEP,
		.publish = publish,
	};
	struct store_info info;

	memset(publish, byte, sizeof(publish));
	OK(ops->put(self, &context, &request, &info, &error));
}

/* The byte its id consists of; -1 for none. */
static int publish_of(const char *key)
{
	struct store_details details;
	struct store_info info;
	int byte;

	store_details_init(&details);
	OK(ops->stat(self, &context, key, &info, &details, &error));
	byte = details.has_publish ? details.publish[0] : -1;
	store_details_release(&details);
	return byte;
}

/* The byte all of the file consists of; -1 for a mixture. */
static int pattern_of(const char *name)
{
	int fd = open(outside(name), O_RDONLY);
	unsigned char *data = mmap(NULL, BIG, PROT_READ, MAP_PRIVATE, fd, 0);
	int byte;
	size_t i;

	ck_assert_int_eq(stat_outside(name).st_size, BIG);
	ck_assert_ptr_ne(data, MAP_FAILED);
	byte = data[0];
	for (i = 0; i < BIG && byte >= 0; i++)
		if (data[i] != byte)
			byte = -1;
	munmap(data, BIG);
	close(fd);
	return byte;
}

/* A child that puts; killed `ns` after the journal showed up. */
static bool put_and_kill(int64_t ns)
{
	char journal[512];
	bool seen = false;
	int status = 0;
	pid_t child;

	snprintf(journal, sizeof(journal), "%s",
		 outside(".storefs-tmp.journal"));
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		put_pattern("f", 'n');
		_exit(0);
	}
	while (!seen && waitpid(child, &status, WNOHANG) == 0)
		seen = access(journal, F_OK) == 0;
	if (seen) {
		int code = store_context_sleep(&context, ns, &error);

		ck_assert_int_eq(code, STORE_OK);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return seen && access(journal, F_OK) == 0;
}

/* Kill writers in place until one leaves a torn file; false: none did. */
static bool tear(void)
{
	int i;

	for (i = 0; i < 60; i++) {
		put_pattern("f", 'o');
		if (put_and_kill(i * NS_PER_MS / 4) && pattern_of("f") < 0)
			return true;
		reopen();
		ck_assert_int_ge(pattern_of("f"), 0);
		ck_assert(!is_outside(".storefs-tmp.journal"));
	}
	return false;
}

START_TEST(a_write_in_place_that_was_killed_is_finished)
{
	struct store_info info;
	int i;

	put_pattern("f", 'o');
	OK(ops->link(self, &context, "f", "d/g", &info, &error));
	for (i = 0; i < 3; i++) {
		ck_assert(tear());
		/* Nobody takes what is torn for a put that arrived. */
		ck_assert_int_eq(publish_of("f"), -1);
		reopen();
		ck_assert_int_eq(pattern_of("d/g"), 'n');
		ck_assert_int_eq(publish_of("d/g"), 'n');
		ck_assert(!is_outside(".storefs-tmp.journal"));
		ck_assert_uint_eq(stat_outside("f").st_nlink, 2);
	}
}
END_TEST

START_TEST(a_later_write_in_place_is_not_undone_by_recovery)
{
	struct store_info info;

	put_pattern("f", 'o');
	OK(ops->link(self, &context, "f", "d/g", &info, &error));
	ck_assert(tear());
	put_pattern("d/g", 'l');
	ck_assert(!is_outside(".storefs-tmp.journal"));
	reopen();
	ck_assert_int_eq(pattern_of("f"), 'l');
	ck_assert_int_eq(publish_of("f"), 'l');
}
END_TEST

START_TEST(a_journal_without_its_file_stays)
{
	struct store_info info;

	put_pattern("f", 'o');
	OK(ops->link(self, &context, "f", "g", &info, &error));
	ck_assert(tear());
	ck_assert_int_eq(unlink(outside("f")), 0);
	write_outside("f", "another file");
	reopen();
	expect_outside("f", "another file");
	ck_assert(is_outside(".storefs-tmp.journal"));
	ck_assert_uint_eq(count_names(""), 2);
}
END_TEST

START_TEST(a_killed_put_leaves_the_old_content_and_no_rest)
{
	int i;

	put_pattern("f", 'o');
	for (i = 0; i < 10; i++) {
		pid_t child = fork();
		int byte;

		ck_assert_int_ge(child, 0);
		if (!child) {
			put_pattern("f", 'n');
			_exit(0);
		}
		ck_assert_int_eq(store_context_sleep(&context,
						     i * 2 * NS_PER_MS, &error),
				 STORE_OK);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		byte = pattern_of("f");
		ck_assert(byte == 'o' || byte == 'n');
		ck_assert_uint_eq(count_names(""), 1);
	}
	ck_assert_int_eq(rmdir(root), -1);
	ck_assert_int_eq(unlink(outside("f")), 0);
	ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

/* ---- failures ---- */

static int failing_read(struct store_source *source, uint64_t offset,
			void *data, size_t length, struct store_error *failed)
{
	(void)source;
	memset(data, 'x', length);
	if (offset < (4 << 20))
		return STORE_OK;
	return store_error_set(failed, STORE_UNAVAILABLE, "broken off");
}

START_TEST(a_source_that_fails_leaves_the_old_content)
{
	struct store_source source = { .size = 8 << 20, .read = failing_read };
	struct backend_put_request request = { .key = "f",
					       .source = &source,
					       .flags = BACKEND_PUT_KEEP };
	struct store_info info;

	OK(put_simply("f", "one"));
	OK(ops->link(self, &context, "f", "g", &info, &error));
	FAILS(STORE_UNAVAILABLE,
	      ops->put(self, &context, &request, &info, &error));
	expect_outside("f", "one");
	OK(ops->remove(self, &context, "g", &any, &error));
	FAILS(STORE_UNAVAILABLE,
	      ops->put(self, &context, &request, &info, &error));
	expect_outside("f", "one");
	request.key = "new/file";
	FAILS(STORE_UNAVAILABLE,
	      ops->put(self, &context, &request, &info, &error));
	ck_assert(!is_outside("new"));
	ck_assert_uint_eq(count_names(""), 1);
}
END_TEST

static struct store_cancel *cancel;

static int cancelling_read(struct store_source *source, uint64_t offset,
			   void *data, size_t length,
			   struct store_error *unused)
{
	(void)source;
	(void)unused;
	ck_assert_uint_lt(offset, 8 << 20); /* it is asked between chunks */
	memset(data, 'x', length);
	if (offset >= (4 << 20))
		store_cancel_trigger(cancel);
	return STORE_OK;
}

START_TEST(a_put_that_is_cancelled_stops_at_the_next_chunk)
{
	struct store_source source = { .size = 1 << 30,
				       .read = cancelling_read };
	struct backend_put_request request = { .key = "f", .source = &source };
	struct store_info info;

	cancel = store_cancel_new();
	store_context_init(&context, 0, cancel);
	FAILS(STORE_CANCELLED,
	      ops->put(self, &context, &request, &info, &error));
	store_context_init(&context, 0, NULL);
	store_cancel_free(cancel);
	ck_assert_uint_eq(count_names(""), 0);
}
END_TEST

/* ---- holes ---- */

static const uint64_t tib = UINT64_C(1) << 40;

static int sparse_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *unused)
{
	(void)unused;
	ck_assert_uint_ge(offset, source->size - 4096); /* the rest is holes */
	memset(data, 'e', length);
	return STORE_OK;
}

static int sparse_next(struct store_source *source, uint64_t offset,
		       struct store_range *range, struct store_error *unused)
{
	uint64_t data = source->size - 4096;

	(void)unused;
	range->offset = offset < data ? data : offset;
	range->length = source->size - range->offset;
	return STORE_OK;
}

static void expect_sparse(const char *key)
{
	struct store_info info = info_of(key);
	struct store_range range;
	void *reader = open_reader(key);

	ck_assert_uint_eq(info.size, tib);
	ck_assert_uint_lt(info.allocated, 1 << 20);
	OK(ops->reader_data(self, reader, 0, &range, &error));
	ck_assert_uint_ge(range.offset, tib - 65536);
	ck_assert_uint_eq(range.offset + range.length, tib);
	OK(ops->reader_data(self, reader, tib, &range, &error));
	ck_assert_uint_eq(range.length, 0);
	ops->close_reader(self, reader);
}

START_TEST(a_sparse_tebibyte_costs_what_its_data_costs)
{
	const struct store_range kept = { .length = tib - 8192 };
	struct store_source source = { .size = tib,
				       .read = sparse_read,
				       .next_data = sparse_next };
	struct backend_put_request request = { .key = "f", .source = &source };
	struct backend_move_request copy = { .from = "f", .to = "g" };
	struct store_info info;

	OK(ops->put(self, &context, &request, &info, &error));
	expect_sparse("f");
	request.precondition.condition = STORE_IF_VERSION;
	request.precondition.version = info.version;
	request.keep = &kept;
	request.keep_count = 1;
	OK(ops->put(self, &context, &request, &info, &error));
	expect_sparse("f");
	OK(ops->copy(self, &context, &copy, &info, &error));
	expect_sparse("g");
	/* In place, over a file that has two names. */
	OK(ops->link(self, &context, "f", "l", &info, &error));
	request.precondition.condition = STORE_IF_ANY;
	request.keep_count = 0;
	request.flags = BACKEND_PUT_KEEP;
	OK(ops->put(self, &context, &request, &info, &error));
	expect_sparse("l");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("local crash");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests,
		       what_a_killed_writer_left_goes_with_the_next_listing);
	tcase_add_test(tests, a_temporary_whose_writer_lives_stays);
	tcase_add_test(tests, a_folder_with_only_leftovers_is_empty);
	tcase_add_test(tests, a_write_in_place_that_was_killed_is_finished);
	tcase_add_test(tests, a_later_write_in_place_is_not_undone_by_recovery);
	tcase_add_test(tests, a_journal_without_its_file_stays);
	tcase_add_test(tests, a_killed_put_leaves_the_old_content_and_no_rest);
	tcase_add_test(tests, a_source_that_fails_leaves_the_old_content);
	tcase_add_test(tests, a_put_that_is_cancelled_stops_at_the_next_chunk);
	tcase_add_test(tests, a_sparse_tebibyte_costs_what_its_data_costs);
	return unit_run("local crash", tests);
}
