// SPDX-License-Identifier: MIT
/* The spool of streaming writes. */
#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/spool.h"
#include "tests/unit/unit.h"

enum { PIECE = 1 << 20 };

static unsigned char piece[PIECE];

static void fill(struct spool *spool, int pieces)
{
	for (int i = 0; i < pieces; i++) {
		memset(piece, 'a' + i, sizeof(piece));
		ck_assert_int_eq(spool_write(spool, piece, sizeof(piece), NULL),
				 STORE_OK);
	}
}

static void check_fill(struct spool *spool, int pieces)
{
	struct store_source *source = spool_source(spool);

	ck_assert_uint_eq(source->size, (uint64_t)pieces * PIECE);
	for (int i = pieces - 1; i >= 0; i--) {
		uint64_t offset = (uint64_t)i * PIECE;

		ck_assert_int_eq(
			source->read(source, offset, piece, PIECE, NULL),
			STORE_OK);
		ck_assert_int_eq(piece[0], 'a' + i);
		ck_assert_int_eq(piece[PIECE - 1], 'a' + i);
	}
}

START_TEST(small_streams_need_no_disk)
{
	struct spool *spool = spool_new();

	setenv("TMPDIR", "/nonexistent", 1);
	fill(spool, SPOOL_MEMORY / PIECE);
	check_fill(spool, SPOOL_MEMORY / PIECE);
	spool_free(spool);
}
END_TEST

START_TEST(large_streams_go_to_a_nameless_file)
{
	char folder[] = "/tmp/storefs-spool.XXXXXX";
	struct spool *spool = spool_new();

	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	fill(spool, 20);
	/* Nothing is left to remove but the folder. */
	ck_assert_int_eq(rmdir(folder), 0);
	check_fill(spool, 20);
	spool_free(spool);
}
END_TEST

START_TEST(no_place_for_a_file_does_not_look_like_a_missing_key)
{
	struct store_error error = STORE_ERROR_INIT;
	struct spool *spool = spool_new();

	setenv("TMPDIR", "/nonexistent", 1);
	fill(spool, SPOOL_MEMORY / PIECE);
	ck_assert_int_eq(spool_write(spool, "x", 1, &error), STORE_INTERNAL);
	ck_assert_int_eq(error.code, STORE_INTERNAL);
	check_fill(spool, SPOOL_MEMORY / PIECE);
	spool_free(spool);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct rlimit limit = { 12 * PIECE, 12 * PIECE };
	struct store_error error = STORE_ERROR_INIT;
	struct spool *spool = spool_new();

	unsetenv("TMPDIR");
	/* A limit on the size of files, for want of a full disk. */
	ck_assert_int_eq(sigaction(SIGXFSZ, &ignore, NULL), 0);
	fill(spool, 12);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(spool_write(spool, piece, PIECE, &error),
			 STORE_TOO_LARGE);
	ck_assert_int_eq(error.code, STORE_TOO_LARGE);
	check_fill(spool, 12);
	spool_free(spool);
}
END_TEST

START_TEST(an_empty_stream_is_an_empty_source)
{
	struct spool *spool = spool_new();
	struct store_source *source;

	ck_assert_int_eq(spool_write(spool, NULL, 0, NULL), STORE_OK);
	source = spool_source(spool);
	ck_assert_uint_eq(source->size, 0);
	ck_assert_int_eq(source->read(source, 0, piece, 0, NULL), STORE_OK);
	spool_free(spool);
	spool_free(NULL);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("spool");

	tcase_add_test(tests, small_streams_need_no_disk);
	tcase_add_test(tests, large_streams_go_to_a_nameless_file);
	tcase_add_test(tests,
		       no_place_for_a_file_does_not_look_like_a_missing_key);
	tcase_add_test(tests, a_full_disk_is_an_error);
	tcase_add_test(tests, an_empty_stream_is_an_empty_source);
	return unit_run("spool", tests);
}
