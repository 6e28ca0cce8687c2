// SPDX-License-Identifier: MIT
/*
 * The closed list of errors: one table for name, text, errno and whether
 * trying again makes sense; and the other way, errno into a code.
 *
 * Everybody calls this; it calls nobody and takes no lock.
 */
#include "config.h"

#include <storefs/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "src/base/cleanup.h"

struct code_row {
	const char *name;
	const char *text;
	int errnum;
	bool retryable;
};

/* By -code. */
static const struct code_row code_table[] = {
	[-STORE_OK] = { "OK", "no error", 0, false },
	[-STORE_NOT_FOUND] = { "NOT_FOUND", "no such file or folder", ENOENT,
			       false },
	[-STORE_EXISTS] = { "EXISTS", "the name is taken", EEXIST, false },
	[-STORE_DENIED] = { "DENIED", "permission denied", EACCES, false },
	[-STORE_INVALID] = { "INVALID", "invalid argument", EINVAL, false },
	[-STORE_NOT_SUPPORTED] = { "NOT_SUPPORTED",
				   "not supported by this store", EOPNOTSUPP,
				   false },
	[-STORE_READ_ONLY] = { "READ_ONLY", "the store is read-only", EROFS,
			       false },
	[-STORE_IS_DIR] = { "IS_DIR", "is a folder", EISDIR, false },
	[-STORE_NOT_DIR] = { "NOT_DIR", "is not a folder", ENOTDIR, false },
	[-STORE_NOT_EMPTY] = { "NOT_EMPTY", "the folder is not empty",
			       ENOTEMPTY, false },
	[-STORE_CHANGED] = { "CHANGED", "changed in the store meanwhile",
			     ESTALE, false },
	[-STORE_NO_SPACE] = { "NO_SPACE", "no space left in the store", ENOSPC,
			      false },
	[-STORE_TOO_LARGE] = { "TOO_LARGE", "larger than the store allows",
			       EFBIG, false },
	[-STORE_UNAVAILABLE] = { "UNAVAILABLE", "the store is not available",
				 EIO, true },
	[-STORE_THROTTLED] = { "THROTTLED", "the store asks to slow down", EIO,
			       true },
	[-STORE_TIMEOUT] = { "TIMEOUT", "no progress within the time limit",
			     ETIMEDOUT, true },
	[-STORE_CANCELLED] = { "CANCELLED", "cancelled", EINTR, false },
	[-STORE_CORRUPT] = { "CORRUPT", "damaged data or answer", EIO, false },
	[-STORE_LOCKED] = { "LOCKED", "locked by somebody else", EBUSY, true },
	[-STORE_NO_MEMORY] = { "NO_MEMORY", "out of memory", ENOMEM, false },
	[-STORE_INTERNAL] = { "INTERNAL", "internal error", EIO, false },
};

enum { CODE_COUNT = sizeof(code_table) / sizeof(code_table[0]) };

static const struct code_row *code_row(int code)
{
	if (code > 0 || code <= -CODE_COUNT)
		code = STORE_INTERNAL;
	return &code_table[-code];
}

const char *store_code_name(int code)
{
	return code_row(code)->name;
}

const char *store_code_text(int code)
{
	return code_row(code)->text;
}

int store_code_errno(int code)
{
	return code_row(code)->errnum;
}

bool store_code_retryable(int code)
{
	return code_row(code)->retryable;
}

static const struct {
	int errnum;
	int code;
} errno_table[] = {
	{ ENOENT, STORE_NOT_FOUND },
	{ ENODATA, STORE_NOT_FOUND },
	{ EEXIST, STORE_EXISTS },
	{ EACCES, STORE_DENIED },
	{ EPERM, STORE_DENIED },
	{ EINVAL, STORE_INVALID },
	{ ENAMETOOLONG, STORE_INVALID },
	{ ELOOP, STORE_INVALID },
	{ EILSEQ, STORE_INVALID },
	{ EDOM, STORE_INVALID },
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
	{ EMLINK, STORE_TOO_LARGE },
	{ E2BIG, STORE_TOO_LARGE },
	{ ERANGE, STORE_TOO_LARGE },
	{ EOVERFLOW, STORE_TOO_LARGE },
	{ EIO, STORE_UNAVAILABLE },
	{ EAGAIN, STORE_UNAVAILABLE },
	{ EMFILE, STORE_UNAVAILABLE },
	{ ENFILE, STORE_UNAVAILABLE },
	{ ENXIO, STORE_UNAVAILABLE },
	{ ENODEV, STORE_UNAVAILABLE },
	{ ENOTCONN, STORE_UNAVAILABLE },
	{ EPIPE, STORE_UNAVAILABLE },
	{ ECONNREFUSED, STORE_UNAVAILABLE },
	{ ECONNRESET, STORE_UNAVAILABLE },
	{ ECONNABORTED, STORE_UNAVAILABLE },
	{ EHOSTUNREACH, STORE_UNAVAILABLE },
	{ EHOSTDOWN, STORE_UNAVAILABLE },
	{ ENETUNREACH, STORE_UNAVAILABLE },
	{ ENETDOWN, STORE_UNAVAILABLE },
	{ ENETRESET, STORE_UNAVAILABLE },
	{ ETIMEDOUT, STORE_TIMEOUT },
	{ EINTR, STORE_CANCELLED },
	{ ECANCELED, STORE_CANCELLED },
	{ EBADMSG, STORE_CORRUPT },
	{ EUCLEAN, STORE_CORRUPT },
	{ EBUSY, STORE_LOCKED },
	{ ETXTBSY, STORE_LOCKED },
	{ EDEADLK, STORE_LOCKED },
	{ ENOMEM, STORE_NO_MEMORY },
};

static int errno_code(int errnum)
{
	size_t count = sizeof(errno_table) / sizeof(errno_table[0]);

	for (size_t i = 0; i < count; i++)
		if (errno_table[i].errnum == errnum)
			return errno_table[i].code;
	return STORE_INTERNAL;
}

/*
 * strerror_r() comes in two shapes, GNU's returns the text and POSIX's a
 * number; the type of the result picks the right one.
 */
static UNUSED const char *gnu_text(const char *result, const char *room)
{
	(void)room;
	return result;
}

static UNUSED const char *posix_text(int result, const char *room)
{
	return result == 0 ? room : "unknown error";
}

static const char *errno_text(int errnum, char *room, size_t size)
{
	return _Generic(strerror_r(errnum, room, size), int
			: posix_text, default
			: gnu_text)(strerror_r(errnum, room, size), room);
}

static void set_message(struct store_error *error, const char *format,
			va_list args) __attribute__((format(printf, 2, 0)));

static void set_message(struct store_error *error, const char *format,
			va_list args)
{
	if (vsnprintf(error->message, sizeof(error->message), format, args) < 0)
		error->message[0] = '\0';
}

int store_error_set(struct store_error *error, int code, const char *format,
		    ...)
{
	va_list args;

	if (!error)
		return code;
	error->code = code;
	error->detail = 0;
	error->retry_after_ms = 0;
	va_start(args, format);
	set_message(error, format, args);
	va_end(args);
	return code;
}

int store_error_prefix(struct store_error *error, const char *format, ...)
{
	char old[STORE_ERROR_MESSAGE_MAX];
	va_list args;
	size_t used;

	if (!error)
		return STORE_INTERNAL;
	memcpy(old, error->message, sizeof(old));
	va_start(args, format);
	set_message(error, format, args);
	va_end(args);
	used = strlen(error->message);
	/* The end is cut when both do not fit: the cause stands behind. */
	snprintf(error->message + used, sizeof(error->message) - used, ": %s",
		 old);
	return error->code;
}

int store_error_errno(struct store_error *error, int errnum, const char *format,
		      ...)
{
	int code = errno_code(errnum);
	char room[128];
	va_list args;
	size_t used;

	if (!error)
		return code;
	error->code = code;
	error->detail = errnum;
	error->retry_after_ms = 0;
	va_start(args, format);
	set_message(error, format, args);
	va_end(args);
	used = strlen(error->message);
	snprintf(error->message + used, sizeof(error->message) - used, ": %s",
		 errno_text(errnum, room, sizeof(room)));
	return code;
}

void store_error_clear(struct store_error *error)
{
	if (!error)
		return;
	error->code = STORE_OK;
	error->detail = 0;
	error->retry_after_ms = 0;
	error->message[0] = '\0';
}
