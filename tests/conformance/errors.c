// SPDX-License-Identifier: MIT
/* E: which error comes first, and that none hides another. */
#include "config.h"

#include "tests/conformance/conf.h"

static int move(const char *from, const char *to, unsigned int flags)
{
	return store_move(conf_store, NULL, from, to, flags, NULL, NULL,
			  &conf_error);
}

static int copy(const char *from, const char *to, unsigned int flags)
{
	return store_copy(conf_store, NULL, from, to, flags, NULL, &conf_error);
}

/* E1, remote-store 10.4 */
START_TEST(the_root_is_refused_before_a_missing_source)
{
	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_INVALID, move("f", "", 0));
	CONF_FAILS(STORE_INVALID, move("f", "/", STORE_MOVE_OVERWRITE));
	conf_expect("f", "1");
	CONF_FAILS(STORE_INVALID, move("missing", "", 0));
	CONF_FAILS(STORE_INVALID, move("", "missing", 0));
	CONF_FAILS(STORE_INVALID, copy("missing", ".", 0));
	CONF_FAILS(STORE_INVALID, copy("", "x", 0));
	conf_expect_names("", "f");
}
END_TEST

/* E1, F10, remote-store 10.13, 10.15 */
START_TEST(a_missing_source_comes_before_a_blocked_destination)
{
	CONF_OK(conf_put("d/f", "1"));
	CONF_OK(conf_put("file", "2"));
	CONF_FAILS(STORE_NOT_FOUND, move("missing", "d", 0));
	CONF_FAILS(STORE_NOT_FOUND, move("missing", "file/x", 0));
	CONF_FAILS(STORE_NOT_FOUND, move("missing", "file", 0));
	CONF_FAILS(STORE_NOT_FOUND, move("missing", "missing", 0));
	CONF_FAILS(STORE_NOT_FOUND, copy("missing", "d", 0));
	CONF_FAILS(STORE_NOT_FOUND, copy("missing", "file/x", 0));
	CONF_FAILS(STORE_NOT_FOUND, copy("missing", "file", 0));
	CONF_FAILS(STORE_NOT_FOUND, copy("missing", "missing", 0));
}
END_TEST

/* E1: a wrong kind of destination comes before a taken name. */
START_TEST(a_folder_at_the_destination_comes_before_exists)
{
	CONF_OK(conf_put("d/f", "1"));
	CONF_OK(conf_put("a", "2"));
	CONF_FAILS(STORE_IS_DIR, move("a", "d", 0));
	CONF_FAILS(STORE_IS_DIR, move("a", "d", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_IS_DIR, copy("a", "d", 0));
	CONF_FAILS(STORE_IS_DIR, copy("a", "d", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_NOT_DIR, move("a", "a/b", 0));
	CONF_OK(conf_put("b", "3"));
	CONF_FAILS(STORE_NOT_DIR, move("a", "b/c", STORE_MOVE_OVERWRITE));
	CONF_FAILS(STORE_NOT_DIR, copy("a", "b/c/d", 0));
	conf_expect("a", "2");
	conf_expect("b", "3");
	conf_expect("d/f", "1");
}
END_TEST

/* E1: a wrong kind of source comes before anything of the destination. */
START_TEST(copying_a_folder_is_refused)
{
	CONF_OK(conf_put("d/f", "1"));
	CONF_OK(conf_put("a", "2"));
	CONF_FAILS(STORE_IS_DIR, copy("d", "new", 0));
	CONF_FAILS(STORE_IS_DIR, copy("d", "a", 0));
	CONF_FAILS(STORE_IS_DIR, copy("d", "a/x", 0));
	conf_expect_names("", "a d/ d/f");
}
END_TEST

/* F10, remote-store 10.14 */
START_TEST(a_taken_destination_needs_overwrite)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("b", "2"));
	CONF_FAILS(STORE_EXISTS, move("a", "b", 0));
	CONF_FAILS(STORE_EXISTS, copy("a", "b", 0));
	conf_expect("a", "1");
	conf_expect("b", "2");
	CONF_OK(copy("a", "b", STORE_MOVE_OVERWRITE));
	conf_expect("a", "1");
	conf_expect("b", "1");
	CONF_OK(conf_put_over("b", "3"));
	CONF_OK(move("b", "a", STORE_MOVE_OVERWRITE));
	conf_expect("a", "3");
	conf_expect_gone("b");
	conf_expect_no_leftovers();
}
END_TEST

/* F10, remote-store 10.13 */
START_TEST(onto_itself_nothing_happens)
{
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_stat("a", &before));
	CONF_OK(move("a", "a", 0));
	CONF_OK(move("a", "./a", STORE_MOVE_OVERWRITE));
	CONF_OK(copy("a", "a", 0));
	CONF_OK(conf_stat("a", &after));
	conf_expect("a", "1");
	ck_assert(store_version_equal(&before.version, &after.version));
}
END_TEST

/* The error says what was tried, and with which key. */
START_TEST(messages_name_the_key)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_info info;

	ck_assert_int_eq(
		store_stat(conf_store, NULL, "some/key", &info, &error),
		STORE_NOT_FOUND);
	ck_assert_int_eq(error.code, STORE_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.message, "some/key"));
	ck_assert_ptr_null(strchr(error.message, '\n'));
}
END_TEST

/* NULL for the error is allowed everywhere. */
START_TEST(errors_need_not_be_asked_for)
{
	struct store_memory_source source;
	struct store_info info;

	ck_assert_int_eq(store_stat(conf_store, NULL, "no", &info, NULL),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(store_delete(conf_store, NULL, "", false, NULL),
			 STORE_INVALID);
	ck_assert_int_eq(store_write(conf_store, NULL, "a",
				     store_memory_source_init(&source, "1", 1),
				     NULL, NULL, NULL),
			 STORE_OK);
	ck_assert_int_eq(store_write(conf_store, NULL, "a",
				     store_memory_source_init(&source, "1", 1),
				     NULL, NULL, NULL),
			 STORE_EXISTS);
}
END_TEST

void conf_add_errors(void)
{
	conf_add("E1", 0, the_root_is_refused_before_a_missing_source);
	conf_add("E1", 0, a_missing_source_comes_before_a_blocked_destination);
	conf_add("E1", STORE_CAP_FOLDERS,
		 a_folder_at_the_destination_comes_before_exists);
	conf_add("E1", 0, copying_a_folder_is_refused);
	conf_add("E3", 0, messages_name_the_key);
	conf_add("E3", 0, errors_need_not_be_asked_for);
	conf_add("F10", 0, a_taken_destination_needs_overwrite);
	conf_add("F10", 0, onto_itself_nothing_happens);
}
