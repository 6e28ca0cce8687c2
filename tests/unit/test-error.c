// SPDX-License-Identifier: MIT
/* The closed list of errors (E4) and their messages. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <storefs/error.h>
#include "tests/unit/unit.h"

START_TEST(every_code_has_its_errno)
{
	static const struct {
		int code;
		const char *name;
		int errnum;
	} rows[] = {
		{ STORE_OK, "OK", 0 },
		{ STORE_NOT_FOUND, "NOT_FOUND", ENOENT },
		{ STORE_EXISTS, "EXISTS", EEXIST },
		{ STORE_DENIED, "DENIED", EACCES },
		{ STORE_INVALID, "INVALID", EINVAL },
		{ STORE_NOT_SUPPORTED, "NOT_SUPPORTED", EOPNOTSUPP },
		{ STORE_READ_ONLY, "READ_ONLY", EROFS },
		{ STORE_IS_DIR, "IS_DIR", EISDIR },
		{ STORE_NOT_DIR, "NOT_DIR", ENOTDIR },
		{ STORE_NOT_EMPTY, "NOT_EMPTY", ENOTEMPTY },
		{ STORE_CHANGED, "CHANGED", ESTALE },
		{ STORE_NO_SPACE, "NO_SPACE", ENOSPC },
		{ STORE_TOO_LARGE, "TOO_LARGE", EFBIG },
		{ STORE_UNAVAILABLE, "UNAVAILABLE", EIO },
		{ STORE_THROTTLED, "THROTTLED", EIO },
		{ STORE_TIMEOUT, "TIMEOUT", ETIMEDOUT },
		{ STORE_CANCELLED, "CANCELLED", EINTR },
		{ STORE_CORRUPT, "CORRUPT", EIO },
		{ STORE_LOCKED, "LOCKED", EBUSY },
		{ STORE_NO_MEMORY, "NO_MEMORY", ENOMEM },
		{ STORE_INTERNAL, "INTERNAL", EIO },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(rows[i].code, -(int)i);
		ck_assert_str_eq(store_code_name(rows[i].code), rows[i].name);
		ck_assert_int_eq(store_code_errno(rows[i].code),
				 rows[i].errnum);
		ck_assert_ptr_nonnull(store_code_text(rows[i].code));
	}
}
END_TEST

START_TEST(a_value_outside_the_list_is_internal)
{
	ck_assert_str_eq(store_code_name(1), "INTERNAL");
	ck_assert_str_eq(store_code_name(-21), "INTERNAL");
	ck_assert_int_eq(store_code_errno(-1000), EIO);
}
END_TEST

START_TEST(only_what_may_pass_by_itself_is_retryable)
{
	for (int code = STORE_INTERNAL; code <= 0; code++) {
		bool expected = code == STORE_UNAVAILABLE ||
				code == STORE_THROTTLED ||
				code == STORE_TIMEOUT || code == STORE_LOCKED;

		ck_assert_int_eq(store_code_retryable(code), expected);
	}
}
END_TEST

START_TEST(an_errno_becomes_a_code_and_stays_as_detail)
{
	static const struct {
		int errnum;
		int code;
	} rows[] = {
		{ ENOENT, STORE_NOT_FOUND },
		{ EEXIST, STORE_EXISTS },
		{ EACCES, STORE_DENIED },
		{ EPERM, STORE_DENIED },
		{ EINVAL, STORE_INVALID },
		{ ENAMETOOLONG, STORE_INVALID },
		{ ELOOP, STORE_INVALID },
		{ EOPNOTSUPP, STORE_NOT_SUPPORTED },
		{ ENOSYS, STORE_NOT_SUPPORTED },
		{ EXDEV, STORE_NOT_SUPPORTED },
		{ EROFS, STORE_READ_ONLY },
		{ EISDIR, STORE_IS_DIR },
		{ ENOTDIR, STORE_NOT_DIR },
		{ ENOTEMPTY, STORE_NOT_EMPTY },
		{ ESTALE, STORE_CHANGED },
		{ ENOSPC, STORE_NO_SPACE },
		{ EDQUOT, STORE_NO_SPACE },
		{ EFBIG, STORE_TOO_LARGE },
		{ EIO, STORE_UNAVAILABLE },
		{ ETIMEDOUT, STORE_TIMEOUT },
		{ EINTR, STORE_CANCELLED },
		{ EBUSY, STORE_LOCKED },
		{ ENOMEM, STORE_NO_MEMORY },
		{ ENOTTY, STORE_INTERNAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_error error = STORE_ERROR_INIT;
		int code = store_error_errno(&error, rows[i].errnum, "x");

		ck_assert_int_eq(code, rows[i].code);
		ck_assert_int_eq(error.code, rows[i].code);
		ck_assert_int_eq(error.detail, rows[i].errnum);
		ck_assert_int_eq(strncmp(error.message, "x: ", 3), 0);
		ck_assert_uint_gt(strlen(error.message), 3);
	}
}
END_TEST

START_TEST(a_prefix_goes_in_front)
{
	struct store_error error = STORE_ERROR_INIT;

	ck_assert_int_eq(store_error_set(&error, STORE_DENIED, "no %s", "way"),
			 STORE_DENIED);
	ck_assert_int_eq(store_error_prefix(&error, "read '%s'", "a"),
			 STORE_DENIED);
	ck_assert_str_eq(error.message, "read 'a': no way");
	store_error_clear(&error);
	ck_assert_int_eq(error.code, STORE_OK);
	ck_assert_str_eq(error.message, "");
}
END_TEST

START_TEST(long_messages_are_cut_not_overrun)
{
	struct store_error error = STORE_ERROR_INIT;
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	store_error_set(&error, STORE_INVALID, "%s", text);
	ck_assert_uint_eq(strlen(error.message), STORE_ERROR_MESSAGE_MAX - 1);
	store_error_prefix(&error, "%s", text);
	ck_assert_uint_eq(strlen(error.message), STORE_ERROR_MESSAGE_MAX - 1);
	store_error_errno(&error, ENOENT, "%s", text);
	ck_assert_uint_eq(strlen(error.message), STORE_ERROR_MESSAGE_MAX - 1);
}
END_TEST

START_TEST(nobody_has_to_take_the_error)
{
	ck_assert_int_eq(store_error_set(NULL, STORE_EXISTS, "x"),
			 STORE_EXISTS);
	ck_assert_int_eq(store_error_errno(NULL, ENOENT, "x"), STORE_NOT_FOUND);
	store_error_clear(NULL);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("error");

	tcase_add_test(tests, every_code_has_its_errno);
	tcase_add_test(tests, a_value_outside_the_list_is_internal);
	tcase_add_test(tests, only_what_may_pass_by_itself_is_retryable);
	tcase_add_test(tests, an_errno_becomes_a_code_and_stays_as_detail);
	tcase_add_test(tests, a_prefix_goes_in_front);
	tcase_add_test(tests, long_messages_are_cut_not_overrun);
	tcase_add_test(tests, nobody_has_to_take_the_error);
	return unit_run("error", tests);
}
