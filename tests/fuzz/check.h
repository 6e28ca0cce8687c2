/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: a promise that ends the program when broken. */
#ifndef TESTS_FUZZ_CHECK_H
#define TESTS_FUZZ_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <storefs/error.h>

#define CHECK(condition)                                                 \
	do {                                                             \
		if (!(condition)) {                                      \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, \
				__LINE__, #condition);                   \
			abort();                                         \
		}                                                        \
	} while (0)

/* A text of the bytes; a NUL among them ends it. */
static inline char *check_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* A failure has a code of the list and a message of one line. */
static inline void check_error(int code, const struct store_error *error)
{
	if (code == STORE_OK)
		return;
	CHECK(code >= STORE_INTERNAL && code < 0);
	CHECK(error->code == code);
	CHECK(error->message[0]);
	CHECK(memchr(error->message, '\0', sizeof(error->message)));
	for (const char *p = error->message; *p; p++)
		CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
}

#endif
