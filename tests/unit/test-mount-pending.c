// SPDX-License-Identifier: MIT
/* The rules of replaying a staging journal, one by one. */
#include "config.h"

#include <check.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/pending_area.h"
#include "tests/unit/unit.h"

static void check_bytes(uint64_t id, size_t layer, const char *want)
{
	const struct pending_layer *got = find(id)->layers[layer];

	ck_assert_ptr_nonnull(got);
	ck_assert_ptr_nonnull(got->record.data);
	ck_assert_uint_eq(got->record.data_length, strlen(want));
	ck_assert_mem_eq(got->record.data, want, strlen(want));
}

/* ---- files ---- */

START_TEST(an_empty_directory_has_nothing_pending)
{
	load();
	ck_assert_uint_eq(pending.count, 0);
	ck_assert_uint_eq(pending.move_count, 0);
	ck_assert_uint_eq(pending.orphan_count, 0);
	ck_assert_uint_eq(pending.settled_count, 0);
	ck_assert_uint_eq(pending.last_id, 0);
	ck_assert_uint_eq(pending.last_layer, 0);
	ck_assert_uint_eq(pending.bad_records, 0);
	ck_assert_uint_eq(pending.findings.frames, 0);
	pending_verify(area_fd, &pending);
}
END_TEST

START_TEST(a_directory_without_a_journal_can_be_read)
{
	journal_close(area_journal);
	area_journal = NULL;
	area_names("", true);
	write_data(4, "x", 1);
	load_with(JOURNAL_READ_ONLY);
	ck_assert_uint_eq(pending.count, 0);
	ck_assert_uint_eq(pending.orphan_count, 1);
	ck_assert_uint_eq(pending.orphans[0], 4);
	ck_assert_int_eq(area_names("journal", false), 0);
}
END_TEST

START_TEST(files_come_in_the_order_of_their_ids)
{
	static const uint64_t ids[] = { 7, 3, 900, 1, 5000000000, 4 };
	static const uint64_t sorted[] = { 1, 3, 4, 7, 900, 5000000000 };

	for (size_t i = 0; i < 6; i++)
		put_file(ids[i], "name");
	load();
	ck_assert_uint_eq(pending.count, 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_uint_eq(pending.files[i].record.id, sorted[i]);
	ck_assert_uint_eq(pending.findings.frames, 6);
}
END_TEST

START_TEST(file_replaces_the_record_of_its_id)
{
	struct record_xattr xattr = { TEXT("user.a"), TEXT("v"), 1 };
	struct record second = {
		.type = RECORD_FILE,
		.file = { .id = 1,
			  .generation = 2,
			  .state = RECORD_FAILED,
			  .code = STORE_CHANGED,
			  .key = TEXT("new"),
			  .reason = TEXT("why"),
			  .xattrs = &xattr,
			  .xattr_count = 1 },
	};

	put_file(1, "old");
	put_file(2, "other");
	add(&second);
	commit();
	load();
	ck_assert_uint_eq(pending.count, 2);
	check_key(1, "new");
	check_key(2, "other");
	ck_assert_uint_eq(find(1)->record.generation, 2);
	ck_assert_int_eq(find(1)->record.state, RECORD_FAILED);
	ck_assert_int_eq(find(1)->record.code, STORE_CHANGED);
	ck_assert_str_eq(find(1)->record.reason, "why");
	ck_assert_str_eq(find(1)->record.xattrs[0].name, "user.a");
}
END_TEST

START_TEST(done_drops_the_file)
{
	put_file(1, "a");
	put_file(2, "b");
	put_done(1);
	put_done(77);
	load();
	ck_assert_uint_eq(pending.count, 1);
	ck_assert_ptr_null(find(1));
	check_key(2, "b");
	ck_assert_uint_eq(pending.last_id, 77);
}
END_TEST

START_TEST(a_file_may_come_again_after_done)
{
	put_file(1, "a");
	put_done(1);
	put_file(1, "b");
	load();
	check_key(1, "b");
}
END_TEST

START_TEST(files_of_one_key_are_kept_apart)
{
	put_file(1, "a");
	put_file(2, "a");
	put_file(3, "a");
	put_done(2);
	put_moved("a", "b", true);
	load();
	ck_assert_uint_eq(pending.count, 2);
	check_key(1, "b");
	check_key(3, "b");
}
END_TEST

START_TEST(the_journal_stays_open_for_who_wants_it)
{
	put_file(1, "a");
	journal_close(area_journal);
	area_journal = NULL;
	ck_assert_int_eq(
		pending_load(area_fd, 0, &pending, &area_journal, &error),
		STORE_OK);
	ck_assert_ptr_nonnull(area_journal);
	put_file(2, "b");
	load();
	ck_assert_uint_eq(pending.count, 2);
}
END_TEST

START_TEST(what_is_no_journal_is_told)
{
	int fd = openat(area_fd, "journal", O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_eq(write(fd, "something else altogether, and long\n", 36),
			 36);
	close(fd);
	ck_assert_int_eq(pending_load(area_fd, JOURNAL_READ_ONLY, &pending,
				      NULL, &error),
			 STORE_CORRUPT);
}
END_TEST

/* ---- layers ---- */

START_TEST(layers_stand_in_the_order_of_the_file)
{
	add_layer(1, 5, "five");
	add_layer(1, 6, "six");
	add_layer(1, 2, "");
	add_file(1, "a", LAYERS(6, 2, 5));
	commit();
	load();
	check_bytes(1, 0, "six");
	check_bytes(1, 1, "");
	check_bytes(1, 2, "five");
	ck_assert(!find(1)->damaged);
	ck_assert_uint_eq(pending.last_layer, 6);
}
END_TEST

START_TEST(a_layer_may_follow_the_file_that_names_it)
{
	add_file(1, "a", LAYERS(5));
	add_layer(1, 5, "five");
	commit();
	load();
	check_bytes(1, 0, "five");
	ck_assert(!find(1)->damaged);
}
END_TEST

START_TEST(layer_replaces_the_layer_of_its_number)
{
	add_layer(1, 5, "first");
	add_file(1, "a", LAYERS(5));
	commit();
	add_layer(1, 5, "second");
	commit();
	load();
	check_bytes(1, 0, "second");
}
END_TEST

START_TEST(layers_that_the_next_record_names_stay)
{
	add_layer(1, 5, "five");
	add_file(1, "a", LAYERS(5));
	commit();
	add_layer(1, 6, "six");
	add_file(1, "b", LAYERS(5, 6));
	commit();
	load();
	check_bytes(1, 0, "five");
	check_bytes(1, 1, "six");
}
END_TEST

START_TEST(a_layer_whose_record_is_lost_damages_its_file)
{
	add_layer(1, 5, "five");
	add_file(1, "a", LAYERS(5, 6));
	commit();
	put_file(2, "b");
	load();
	ck_assert(find(1)->damaged);
	ck_assert_ptr_nonnull(find(1)->layers[0]);
	ck_assert_ptr_null(find(1)->layers[1]);
	ck_assert(!find(2)->damaged);
	pending_verify(area_fd, &pending);
	ck_assert(find(1)->damaged);
}
END_TEST

START_TEST(a_layer_of_another_file_is_never_taken_for_ones_own)
{
	add_layer(1, 5, "five");
	add_file(1, "a", LAYERS(5));
	add_file(2, "b", LAYERS(5));
	commit();
	put_done(1);
	add_layer(3, 8, "eight");
	add_file(3, "c", LAYERS(8));
	add_file(4, "d", LAYERS(8));
	commit();
	load();
	ck_assert_ptr_null(find(2)->layers[0]);
	ck_assert(find(2)->damaged);
	ck_assert_ptr_null(find(4)->layers[0]);
	ck_assert(find(4)->damaged);
	check_bytes(3, 0, "eight");
	ck_assert(!find(3)->damaged);
}
END_TEST

/* ---- names ---- */

START_TEST(moved_rewrites_the_name_itself_and_all_below)
{
	static const char *const before[] = {
		"a",   "a/b",  "a/b/c", "a/b.c", "a/b-",  "a/b/c/d",
		"a.b", "a/bb", "ab",	"b",	 "a/a/b", "x/a/b",
	};
	static const char *const after[] = {
		"a",   "n/m",  "n/m/c", "a/b.c", "a/b-",  "n/m/c/d",
		"a.b", "a/bb", "ab",	"b",	 "a/a/b", "x/a/b",
	};

	for (size_t i = 0; i < 12; i++)
		put_file(i + 1, before[i]);
	put_moving("a/b", "n/m");
	put_moved("a/b", "n/m", true);
	load();
	for (size_t i = 0; i < 12; i++)
		check_key(i + 1, after[i]);
	ck_assert_uint_eq(pending.move_count, 0);
}
END_TEST

START_TEST(moved_rewrites_files_of_every_state)
{
	for (int state = RECORD_UNFINISHED; state <= RECORD_FAILED; state++)
		add(&(struct record){
			.type = RECORD_FILE,
			.file = { .id = (uint64_t)state,
				  .state = (enum record_state)state,
				  .key = TEXT("a/b") },
		});
	commit();
	put_removing("a/b", 0);
	put_moved("a", "z", true);
	load();
	for (int state = RECORD_UNFINISHED; state <= RECORD_FAILED; state++) {
		check_key((uint64_t)state, "z/b");
		ck_assert_int_eq(find((uint64_t)state)->record.state, state);
		/* What was never acknowledged has no name to lose. */
		ck_assert(find((uint64_t)state)->removing ==
			  (state != RECORD_UNFINISHED));
	}
}
END_TEST

START_TEST(moved_rewrites_what_was_there_at_that_time_only)
{
	put_file(1, "a/1");
	put_moved("a", "b", true);
	put_file(2, "a/2");
	put_file(3, "b/3");
	put_moved("b", "c/d/e", true);
	put_moved("c", "a", true);
	load();
	check_key(1, "a/d/e/1");
	check_key(2, "a/2");
	check_key(3, "a/d/e/3");
}
END_TEST

START_TEST(moves_may_lead_upwards_and_over_other_names)
{
	put_file(1, "a/b/x");
	put_file(2, "a/x");
	put_moved("a/b", "a", true);
	load();
	check_key(1, "a/x");
	check_key(2, "a/x");
}
END_TEST

START_TEST(moved_that_did_not_take_place_moves_nothing)
{
	put_file(1, "a/1");
	put_moving("a", "b");
	put_moved("a", "b", false);
	load();
	check_key(1, "a/1");
	ck_assert_uint_eq(pending.move_count, 0);
}
END_TEST

static void check_moves(const char *const *names, size_t count)
{
	ck_assert_uint_eq(pending.move_count, count);
	for (size_t i = 0; i < count; i++) {
		ck_assert_str_eq(pending.moves[i].from, names[2 * i]);
		ck_assert_str_eq(pending.moves[i].to, names[2 * i + 1]);
	}
}

START_TEST(moving_without_moved_is_told_in_order)
{
	static const char *const left[] = { "e", "f", "a", "b", "c", "d" };

	put_moving("a", "b");
	put_moving("e", "f");
	put_moving("a", "b");
	put_moving("c", "d");
	put_moving("x", "y");
	/* Neither of these is settled by what follows. */
	put_moved("a", "c", true);
	put_moved("b", "a", false);
	put_moved("x", "y", true);
	put_moved("a", "b", true);
	load();
	check_moves(left, 3);
}
END_TEST

START_TEST(moving_alone_rewrites_nothing)
{
	put_file(1, "a/1");
	put_moving("a", "b");
	load();
	check_key(1, "a/1");
	ck_assert_uint_eq(pending.move_count, 1);
}
END_TEST

START_TEST(a_name_that_a_move_makes_too_long_fails_and_keeps_its_bytes)
{
	static char name[STORE_KEY_MAX + 1], folder[STORE_NAME_MAX + 1];

	for (size_t i = 0; i < STORE_KEY_MAX; i++)
		name[i] = i == 1 || (i > 2 && i % 200 == 0) ? '/' : 'n';
	memset(folder, 'f', STORE_NAME_MAX);
	add_layer(1, 5, "five");
	add_file(1, name, LAYERS(5));
	commit();
	put_moved("n", folder, true);
	put_file(2, "n/short");
	put_moved("n/short", "n/long", true);
	load();
	check_key(1, name);
	ck_assert_int_eq(find(1)->record.state, RECORD_FAILED);
	ck_assert_int_eq(find(1)->record.code, STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(find(1)->record.reason, "too long"));
	check_bytes(1, 0, "five");
	check_key(2, "n/long");
	ck_assert_int_eq(find(2)->record.state, RECORD_PENDING);
}
END_TEST

static void check_copies(size_t at, uint64_t id, bool copied)
{
	ck_assert_uint_lt(at, pending.copies_count);
	ck_assert_uint_eq(pending.copies[at].id, id);
	ck_assert(pending.copies[at].copied == copied);
	ck_assert(pending.copies[at].folder);
}

START_TEST(copying_that_is_not_settled_is_told_in_order)
{
	put_copies(RECORD_COPYING, 7, "a", "b");
	put_copies(RECORD_COPYING, 8, "c", "d");
	put_copies(RECORD_COPYING, 9, "e", "f");
	put_copies_settled(8);
	put_copies_settled(10);
	load();
	ck_assert_uint_eq(pending.copies_count, 2);
	check_copies(0, 7, false);
	ck_assert_str_eq(pending.copies[0].from, "a");
	ck_assert_str_eq(pending.copies[0].to, "b");
	check_copies(1, 9, false);
}
END_TEST

START_TEST(copying_alone_rewrites_nothing_and_copied_does)
{
	put_file(1, "a/1");
	put_copies(RECORD_COPYING, 7, "a", "b");
	put_file(2, "a/2");
	put_file(3, "b/3");
	put_copies(RECORD_COPYING, 8, "b", "c");
	add_file(2, "a/two", NULL, 0);
	add_copies(RECORD_COPIED, 7, "a", "b");
	commit();
	put_file(4, "a/4");
	load();
	check_key(1, "b/1");
	check_key(2, "b/two");
	check_key(3, "b/3");
	check_key(4, "a/4");
	ck_assert_uint_eq(pending.copies_count, 2);
	check_copies(0, 8, false);
	check_copies(1, 7, true);
}
END_TEST

/* Whatever becomes of the file, and of its name. */
START_TEST(uploads_are_pending_until_they_end)
{
	put_file(1, "a");
	put_upload(11, 1, "a", "before");
	put_upload(12, 0, "b", "other");
	put_upload(13, 1, "c", "third");
	put_upload(11, 1, "a", "begun");
	put_upload_ended(12);
	put_upload_ended(12);
	put_upload_ended(99);
	put_moved("a", "z", true);
	put_done(1);
	load();
	ck_assert_uint_eq(pending.count, 0);
	ck_assert_uint_eq(pending.upload_count, 2);
	ck_assert_uint_eq(pending.last_id, 13);
	for (size_t i = 0; i < 2; i++) {
		bool first = pending.uploads[i].id == 11;

		ck_assert_uint_eq(pending.uploads[i].id, first ? 11 : 13);
		ck_assert_uint_eq(pending.uploads[i].file, 1);
		ck_assert_str_eq(pending.uploads[i].key, first ? "a" : "c");
		ck_assert_str_eq(pending.uploads[i].token,
				 first ? "begun" : "third");
	}
	ck_assert_uint_ne(pending.uploads[0].id, pending.uploads[1].id);
}
END_TEST

START_TEST(removing_marks_the_files_of_just_that_key)
{
	put_file(1, "a");
	put_file(2, "a");
	put_file(3, "a/b");
	put_file(4, "a.b");
	put_removing("a", 0);
	put_file(5, "a");
	load();
	ck_assert(find(1)->removing);
	ck_assert(find(2)->removing);
	ck_assert(!find(3)->removing);
	ck_assert(!find(4)->removing);
	ck_assert(!find(5)->removing);
}
END_TEST

START_TEST(removing_marks_the_file_that_it_names)
{
	put_file(1, "a");
	put_file(2, "a");
	put_file(3, "b");
	put_removing("a", 2);
	put_removing("a", 3);
	put_removing("a", 77);
	load();
	ck_assert(!find(1)->removing);
	ck_assert(find(2)->removing);
	ck_assert(!find(3)->removing);
}
END_TEST

START_TEST(a_later_record_or_done_settles_removing)
{
	put_file(1, "a");
	put_file(2, "b");
	put_file(3, "c");
	put_removing("a", 0);
	put_removing("b", 0);
	put_removing("c", 0);
	put_file(1, "a");
	put_done(2);
	load();
	ck_assert(!find(1)->removing);
	ck_assert_ptr_null(find(2));
	ck_assert(find(3)->removing);
}
END_TEST

/* ---- frames ---- */

START_TEST(a_frame_counts_whole_or_not_at_all)
{
	put_file(1, "a");
	put_file(2, "b");
	add_layer(3, 9, "nine");
	add_file(3, "c", LAYERS(9));
	add_done(1);
	add(&(struct record){
		.type = RECORD_MOVED,
		.move = { .from = TEXT("b"), .to = TEXT("z"), .done = true },
	});
	add_nonsense();
	commit();
	put_file(4, "d");
	load();
	ck_assert_uint_eq(pending.count, 3);
	check_key(1, "a");
	check_key(2, "b");
	check_key(4, "d");
	ck_assert_uint_eq(pending.bad_records, 1);
	ck_assert_uint_eq(pending.findings.frames, 4);
}
END_TEST

START_TEST(frames_that_are_not_understood_are_kept_once)
{
	char name[64], kept[64] = { 0 };
	struct stat first, second;
	int fd;

	add_nonsense();
	snprintf(name, sizeof(name), "journal.bad-record-%016llx",
		 (unsigned long long)checksum64(area_frame.data,
						area_frame.length));
	commit();
	load_with(JOURNAL_READ_ONLY);
	ck_assert_uint_eq(pending.bad_records, 1);
	ck_assert_int_eq(area_names("journal.bad", false), 0);
	load();
	ck_assert_int_eq(fstatat(area_fd, name, &first, 0), 0);
	load();
	ck_assert_int_eq(fstatat(area_fd, name, &second, 0), 0);
	ck_assert_uint_eq(first.st_ino, second.st_ino);
	ck_assert_uint_eq(pending.bad_records, 1);
	ck_assert_uint_eq(pending.findings.quarantine, 1);
	ck_assert_int_eq(area_names("journal.bad", false), 1);
	fd = openat(area_fd, name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, kept, sizeof(kept)), 8);
	ck_assert_int_eq(kept[0], 99);
	close(fd);
}
END_TEST

START_TEST(frames_that_cannot_be_kept_stop_the_load)
{
	add_nonsense();
	commit();
	ck_assert_int_eq(mkdirat(area_fd, "journal.bad-record.new", 0700), 0);
	journal_close(area_journal);
	area_journal = NULL;
	ck_assert_int_eq(pending_load(area_fd, 0, &pending, NULL, &error),
			 STORE_IS_DIR);
	load_with(JOURNAL_READ_ONLY);
	ck_assert_uint_eq(pending.bad_records, 1);
}
END_TEST

START_TEST(an_empty_frame_says_nothing)
{
	commit();
	put_file(1, "a");
	load();
	ck_assert_uint_eq(pending.count, 1);
	ck_assert_uint_eq(pending.bad_records, 0);
}
END_TEST

static TCase *records(void)
{
	TCase *tests = tcase_create("records");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, an_empty_directory_has_nothing_pending);
	tcase_add_test(tests, a_directory_without_a_journal_can_be_read);
	tcase_add_test(tests, files_come_in_the_order_of_their_ids);
	tcase_add_test(tests, file_replaces_the_record_of_its_id);
	tcase_add_test(tests, done_drops_the_file);
	tcase_add_test(tests, a_file_may_come_again_after_done);
	tcase_add_test(tests, files_of_one_key_are_kept_apart);
	tcase_add_test(tests, the_journal_stays_open_for_who_wants_it);
	tcase_add_test(tests, what_is_no_journal_is_told);
	tcase_add_test(tests, layers_stand_in_the_order_of_the_file);
	tcase_add_test(tests, a_layer_may_follow_the_file_that_names_it);
	tcase_add_test(tests, layer_replaces_the_layer_of_its_number);
	tcase_add_test(tests, layers_that_the_next_record_names_stay);
	tcase_add_test(tests, a_layer_whose_record_is_lost_damages_its_file);
	tcase_add_test(tests,
		       a_layer_of_another_file_is_never_taken_for_ones_own);
	tcase_add_test(tests, a_frame_counts_whole_or_not_at_all);
	tcase_add_test(tests, frames_that_are_not_understood_are_kept_once);
	tcase_add_test(tests, frames_that_cannot_be_kept_stop_the_load);
	tcase_add_test(tests, an_empty_frame_says_nothing);
	return tests;
}

static TCase *names(void)
{
	TCase *tests = tcase_create("names");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, moved_rewrites_the_name_itself_and_all_below);
	tcase_add_test(tests, moved_rewrites_files_of_every_state);
	tcase_add_test(tests, moved_rewrites_what_was_there_at_that_time_only);
	tcase_add_test(tests, moves_may_lead_upwards_and_over_other_names);
	tcase_add_test(tests, moved_that_did_not_take_place_moves_nothing);
	tcase_add_test(tests, moving_without_moved_is_told_in_order);
	tcase_add_test(tests, moving_alone_rewrites_nothing);
	tcase_add_test(
		tests,
		a_name_that_a_move_makes_too_long_fails_and_keeps_its_bytes);
	tcase_add_test(tests, copying_that_is_not_settled_is_told_in_order);
	tcase_add_test(tests, copying_alone_rewrites_nothing_and_copied_does);
	tcase_add_test(tests, uploads_are_pending_until_they_end);
	tcase_add_test(tests, removing_marks_the_files_of_just_that_key);
	tcase_add_test(tests, removing_marks_the_file_that_it_names);
	tcase_add_test(tests, a_later_record_or_done_settles_removing);
	return tests;
}

int main(void)
{
	TCase *cases[] = { records(), names(), NULL };

	return unit_run_cases("mount pending", cases);
}
