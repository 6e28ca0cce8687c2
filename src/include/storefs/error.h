/* SPDX-License-Identifier: MIT */
/*
 * Errors of libstorefs.
 *
 * Every function that can fail returns STORE_OK (0) or one of the negative
 * codes below, and fills a caller-owned struct store_error when it fails.
 * The set is closed: no other value is ever returned.  On failure the
 * out-parameters of the function are untouched; on success the error is
 * untouched.  Passing NULL for the error is allowed everywhere.
 *
 * A message never contains a secret.  errno exists only at the edges: use
 * store_code_errno() to leave the world of codes.
 */
#ifndef STOREFS_ERROR_H
#define STOREFS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STORE_WARN_UNUSED __attribute__((warn_unused_result))
#define STORE_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

enum store_code {
	STORE_OK = 0,
	STORE_NOT_FOUND = -1,	  /* no such key, or a missing container */
	STORE_EXISTS = -2,	  /* the name is taken */
	STORE_DENIED = -3,	  /* credentials or permissions refuse it */
	STORE_INVALID = -4,	  /* malformed key, argument or option */
	STORE_NOT_SUPPORTED = -5, /* a missing capability */
	STORE_READ_ONLY = -6,	  /* the store can only be read */
	STORE_IS_DIR = -7,	  /* a folder where a file is needed */
	STORE_NOT_DIR = -8,	  /* a file where a folder is needed */
	STORE_NOT_EMPTY = -9,	  /* the folder has children */
	STORE_CHANGED = -10,	  /* not the version that was asked for */
	STORE_NO_SPACE = -11,	  /* disk, quota or account is full */
	STORE_TOO_LARGE = -12,	  /* beyond what the store can hold */
	STORE_UNAVAILABLE = -13,  /* unreachable, broken off, or closed */
	STORE_THROTTLED = -14,	  /* asked to slow down */
	STORE_TIMEOUT = -15,	  /* no progress within the deadline */
	STORE_CANCELLED = -16,	  /* the caller cancelled */
	STORE_CORRUPT = -17,	  /* data or an answer that cannot be right */
	STORE_LOCKED = -18,	  /* somebody else holds it */
	STORE_NO_MEMORY = -19,	  /* out of memory */
	STORE_INTERNAL = -20,	  /* a bug, or an error that fits no other */
};

#define STORE_ERROR_MESSAGE_MAX 512

struct store_error {
	int code;   /* enum store_code, STORE_OK while unset */
	int detail; /* errno, HTTP status, SQLite code ...; 0 none */
	int64_t retry_after_ms;		       /* a server's hint, 0 for none */
	char message[STORE_ERROR_MESSAGE_MAX]; /* one line, never a secret */
};

#define STORE_ERROR_INIT         \
	{                        \
		.code = STORE_OK \
	}

/* "NOT_FOUND" and friends; "INTERNAL" for a value outside the list. */
const char *store_code_name(int code);
/* A short sentence for people: "no such file or folder". */
const char *store_code_text(int code);
/* The errno (positive) this code becomes at a mount; 0 for STORE_OK. */
int store_code_errno(int code);
/* May the same call succeed later without anybody changing anything? */
bool store_code_retryable(int code);

/*
 * Set the error and return its code, so that `return store_error_set(...)`
 * reads well.  The text is cut at STORE_ERROR_MESSAGE_MAX - 1 bytes.
 */
int store_error_set(struct store_error *error, int code, const char *format,
		    ...) STORE_PRINTF(3, 4);
/* Put "text: " in front of the message; returns the code that is set. */
int store_error_prefix(struct store_error *error, const char *format, ...)
	STORE_PRINTF(2, 3);
/*
 * Translate an errno (positive) into a code, keep it as detail, and set
 * "<text>: <strerror>".
 */
int store_error_errno(struct store_error *error, int errnum, const char *format,
		      ...) STORE_PRINTF(3, 4);
/* Back to the unset state. */
void store_error_clear(struct store_error *error);

#ifdef __cplusplus
}
#endif
#endif
