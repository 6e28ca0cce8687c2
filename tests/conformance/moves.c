// SPDX-License-Identifier: MIT
/* F10: moving, copying and exchanging. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

static int move(const char *from, const char *to, unsigned int flags)
{
	return store_move(conf_store, NULL, from, to, flags, NULL, NULL,
			  &conf_error);
}

static int copy(const char *from, const char *to, unsigned int flags)
{
	return store_copy(conf_store, NULL, from, to, flags, NULL, &conf_error);
}

static int make(const char *key)
{
	return store_make_folder(conf_store, NULL, key, NULL, NULL,
				 &conf_error);
}

START_TEST(a_move_makes_the_parents_of_its_destination)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(move("a", "x/y/z", 0));
	conf_expect("x/y/z", "1");
	conf_expect_gone("a");
	CONF_OK(copy("x/y/z", "p/q", 0));
	conf_expect("p/q", "1");
	conf_expect("x/y/z", "1");
}
END_TEST

START_TEST(a_copy_is_a_file_of_its_own)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(copy("a", "b", 0));
	CONF_OK(conf_put_over("a", "changed"));
	conf_expect("b", "1");
	CONF_OK(conf_put_over("b", "other"));
	conf_expect("a", "changed");
}
END_TEST

START_TEST(a_large_file_is_copied_whole)
{
	enum { SIZE = 5000011 };
	unsigned char *data = malloc(SIZE);

	ck_assert_ptr_nonnull(data);
	conf_fill(data, SIZE, 4);
	CONF_OK(conf_put_bytes("a", data, SIZE, NULL, NULL));
	CONF_OK(copy("a", "b", 0));
	CONF_OK(move("a", "c", 0));
	conf_expect_bytes("b", data, SIZE);
	conf_expect_bytes("c", data, SIZE);
	free(data);
	conf_expect_no_leftovers();
}
END_TEST

/* remote-store 10.13: what cannot move folders says so. */
START_TEST(moving_a_folder_without_the_capability_is_refused)
{
	CONF_OK(conf_put("d/f", "1"));
	if (conf_has(STORE_CAP_MOVE_FOLDER)) {
		CONF_OK(move("d", "e", 0));
		conf_expect("e/f", "1");
	} else {
		CONF_FAILS(STORE_IS_DIR, move("d", "e", 0));
		conf_expect("d/f", "1");
	}
}
END_TEST

START_TEST(a_folder_moves_with_all_below)
{
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/e/b", "2"));
	CONF_OK(make("d/empty"));
	CONF_OK(conf_put("d2/x", "3"));
	CONF_OK(move("d", "new/place", 0));
	conf_expect("new/place/a", "1");
	conf_expect("new/place/e/b", "2");
	conf_expect_gone("d");
	conf_expect_names("", "d2/ d2/x new/ new/place/ new/place/a "
			      "new/place/e/ new/place/e/b new/place/empty/");
}
END_TEST

/* rename(2) */
START_TEST(a_folder_replaces_only_an_empty_folder)
{
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(make("empty"));
	CONF_OK(conf_put("full/b", "2"));
	CONF_OK(conf_put("file", "3"));
	CONF_FAILS(STORE_EXISTS, move("d", "empty", 0));
	CONF_FAILS(STORE_NOT_EMPTY, move("d", "full", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_NOT_DIR, move("d", "file", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_IS_DIR, move("file", "empty", STORE_MOVE_OVERWRITE));
	conf_expect("d/a", "1");
	conf_expect("file", "3");
	CONF_OK(move("d", "empty", STORE_MOVE_OVERWRITE));
	conf_expect_names("", "empty/ empty/a file full/ full/b");
}
END_TEST

START_TEST(a_folder_cannot_move_into_itself)
{
	CONF_OK(conf_put("d/a", "1"));
	CONF_FAILS(STORE_INVALID, move("d", "d/e", 0));
	CONF_FAILS(STORE_INVALID, move("d", "d/e/f/g", STORE_MOVE_OVERWRITE));
	conf_expect_names("", "d/ d/a");
	CONF_OK(move("d", "dd", 0));
	conf_expect_names("", "dd/ dd/a");
}
END_TEST

START_TEST(an_ancestor_is_no_destination)
{
	CONF_OK(conf_put("d/e/a", "1"));
	CONF_FAILS(STORE_NOT_EMPTY, move("d/e", "d", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_IS_DIR, move("d/e/a", "d", STORE_MOVE_OVERWRITE));
	conf_expect_names("", "d/ d/e/ d/e/a");
}
END_TEST

START_TEST(a_large_folder_moves_whole)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES,
					    .max_depth = -1 };
	struct store_listing *listing = NULL;
	char key[64];
	int i;

	for (i = 0; i < 600; i++) {
		snprintf(key, sizeof(key), "d/%d/%d", i % 11, i);
		CONF_OK(conf_put(key, key));
	}
	CONF_OK(move("d", "e", 0));
	for (i = 0; i < 600; i += 97) {
		char old[64];

		snprintf(old, sizeof(old), "d/%d/%d", i % 11, i);
		snprintf(key, sizeof(key), "e/%d/%d", i % 11, i);
		conf_expect(key, old);
		conf_expect_gone(old);
	}
	CONF_OK(store_list(conf_store, NULL, "e", &files, &listing,
			   &conf_error));
	ck_assert_uint_eq(conf_count(listing), 600);
	conf_expect_names("d", "");
}
END_TEST

START_TEST(two_files_exchange_names)
{
	struct store_info a;
	struct store_info b;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("d/b", "22"));
	CONF_OK(conf_stat("a", &a));
	CONF_OK(move("a", "d/b", STORE_MOVE_EXCHANGE));
	conf_expect("a", "22");
	conf_expect("d/b", "1");
	CONF_OK(conf_stat("d/b", &b));
	ck_assert_uint_eq(a.id, b.id);
	conf_expect_names("", "a d/ d/b");
}
END_TEST

START_TEST(a_file_and_a_folder_exchange_names)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("p/d/b", "2"));
	CONF_OK(move("a", "p/d", STORE_MOVE_EXCHANGE));
	conf_expect("p/d", "1");
	conf_expect("a/b", "2");
	CONF_OK(move("a", "p/d", STORE_MOVE_EXCHANGE));
	conf_expect_names("", "a p/ p/d/ p/d/b");
}
END_TEST

START_TEST(an_exchange_needs_both_names)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("d/e/b", "2"));
	CONF_FAILS(STORE_NOT_FOUND, move("a", "no", STORE_MOVE_EXCHANGE));
	CONF_FAILS(STORE_NOT_FOUND, move("no", "a", STORE_MOVE_EXCHANGE));
	CONF_FAILS(STORE_INVALID, move("d", "d/e", STORE_MOVE_EXCHANGE));
	CONF_FAILS(STORE_INVALID, move("d/e", "d", STORE_MOVE_EXCHANGE));
	conf_expect_names("", "a d/ d/e/ d/e/b");
}
END_TEST

/* Identity: a renamed file is the same, a copy is not. */
START_TEST(identity_follows_a_move_and_no_copy)
{
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_stat("a", &before));
	if (!before.id)
		return;
	CONF_OK(move("a", "d/b", 0));
	CONF_OK(conf_stat("d/b", &after));
	ck_assert_uint_eq(before.id, after.id);
	CONF_OK(copy("d/b", "c", 0));
	CONF_OK(conf_stat("c", &after));
	ck_assert_uint_ne(before.id, after.id);
}
END_TEST

/* types.h: the number a mount shows survives replacing. */
START_TEST(identity_survives_replacing)
{
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_stat("a", &before));
	if (!before.id)
		return;
	CONF_OK(conf_put_bytes("a", "22", 2, &keep, &after));
	ck_assert_uint_eq(before.id, after.id);
	CONF_OK(conf_put_over("a", "333"));
	CONF_OK(conf_stat("a", &after));
	ck_assert_uint_eq(before.id, after.id);
}
END_TEST

/* An id as a mount would have drawn it for a file it has shown already. */
static const uint64_t SHOWN = UINT64_C(0x0123456789abcdef);

static void expect_shown(const char *key)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store_list_options complete = { .flags = STORE_LIST_COMPLETE };
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	ck_assert_uint_eq(info.id, SHOWN);
	CONF_OK(store_list(conf_store, NULL, "d", &complete, &listing,
			   &conf_error));
	CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->info.id, SHOWN);
	store_listing_close(listing);
}

/* store.h: the id of a new file is the one that was asked for, and stays. */
START_TEST(a_new_file_keeps_the_id_it_was_shown_with)
{
	struct store_write_options fresh = { .id = SHOWN };
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	struct store_info info;

	CONF_OK(conf_put_bytes("d/a", "1", 1, &fresh, &info));
	ck_assert_uint_eq(info.id, SHOWN);
	expect_shown("d/a");
	CONF_OK(conf_put_bytes("d/a", "22", 2, &keep, &info));
	ck_assert_uint_eq(info.id, SHOWN);
	expect_shown("d/a");
	CONF_OK(conf_put_over("d/a", "333"));
	expect_shown("d/a");
	CONF_OK(move("d/a", "d/b", 0));
	expect_shown("d/b");
	if (!conf_backend.persistent)
		return;
	conf_reopen();
	expect_shown("d/b");
	CONF_OK(conf_put_bytes("d/b", "4444", 4, &keep, &info));
	expect_shown("d/b");
}
END_TEST

START_TEST(a_new_file_of_a_stream_keeps_the_id_it_was_shown_with)
{
	struct store_write_options fresh = { .id = SHOWN };
	struct store_writer *writer = NULL;
	struct store_info info;

	CONF_OK(store_open_writer(conf_store, NULL, "d/a", &fresh, &writer,
				  &conf_error));
	CONF_OK(store_writer_write(writer, NULL, "1", 1, &conf_error));
	CONF_OK(store_writer_commit(writer, NULL, &info, &conf_error));
	ck_assert_uint_eq(info.id, SHOWN);
	expect_shown("d/a");
	if (!conf_backend.persistent)
		return;
	conf_reopen();
	expect_shown("d/a");
}
END_TEST

/* What was shown as a new file and replaces one that came meanwhile. */
START_TEST(a_file_that_replaces_another_keeps_the_id_it_was_shown_with)
{
	struct store_write_options over = {
		.precondition.condition = STORE_IF_ANY,
		.id = SHOWN,
	};
	struct store_info info;

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put_bytes("d/a", "22", 2, &over, &info));
	ck_assert_uint_eq(info.id, SHOWN);
	expect_shown("d/a");
	conf_expect("d/a", "22");
}
END_TEST

START_TEST(ids_are_all_different)
{
	static const char *const keys[] = { "a", "b", "d", "d/a", "d/e" };
	struct store_info info[5];
	size_t i;
	size_t k;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("b", "1"));
	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("d/e/f", "1"));
	for (i = 0; i < 5; i++) {
		CONF_OK(conf_stat(keys[i], &info[i]));
		for (k = 0; k < i; k++)
			ck_assert(!info[i].id || info[i].id != info[k].id);
	}
}
END_TEST

static void add_chosen_ids(uint64_t needs)
{
	conf_add("P identity", needs,
		 a_new_file_keeps_the_id_it_was_shown_with);
	conf_add("P identity", needs,
		 a_new_file_of_a_stream_keeps_the_id_it_was_shown_with);
	conf_add("P identity", needs,
		 a_file_that_replaces_another_keeps_the_id_it_was_shown_with);
}

void conf_add_moves(void)
{
	uint64_t folder = STORE_CAP_MOVE_FOLDER;

	conf_add("F10", 0, a_move_makes_the_parents_of_its_destination);
	conf_add("F10", 0, a_copy_is_a_file_of_its_own);
	conf_add("F10", 0, a_large_file_is_copied_whole);
	conf_add("F10", 0, moving_a_folder_without_the_capability_is_refused);
	conf_add("F10", folder, a_folder_moves_with_all_below);
	conf_add("F10", folder, a_folder_replaces_only_an_empty_folder);
	conf_add("F10", folder, a_folder_cannot_move_into_itself);
	conf_add("F10", folder, an_ancestor_is_no_destination);
	conf_add("F10", folder, a_large_folder_moves_whole);
	conf_add("P exchange", STORE_CAP_EXCHANGE, two_files_exchange_names);
	conf_add("P exchange", STORE_CAP_EXCHANGE,
		 a_file_and_a_folder_exchange_names);
	conf_add("P exchange", STORE_CAP_EXCHANGE,
		 an_exchange_needs_both_names);
	conf_add("P identity", 0, identity_follows_a_move_and_no_copy);
	conf_add("P identity", STORE_CAP_POSIX, identity_survives_replacing);
	conf_add("P identity", 0, ids_are_all_different);
	if (conf_backend.keeps_ids)
		add_chosen_ids(conf_backend.keeps_ids);
}
