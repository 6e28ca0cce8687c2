/* SPDX-License-Identifier: MIT */
/*
 * Bytes as text: base64 (RFC 4648, section 4, padded) and the question
 * whether they are UTF-8 already.
 */
#ifndef STOREFS_BASE_BASE64_H
#define STOREFS_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* malloc'd, NUL-terminated; NULL when out of memory. */
char *base64_encode(const void *data, size_t length);
/*
 * The reverse, exactly what encoding gives; NUL behind it.  NULL when out of
 * memory, or when it is something else.
 */
char *base64_decode(const char *text, size_t *length);

/*
 * Length in bytes (1 to 4) of the well-formed UTF-8 character (RFC 3629) at
 * `text`, of which `length` bytes may be looked at; 0 when there is none.
 */
size_t utf8_character(const char *text, size_t length);
bool utf8_is_valid(const char *text, size_t length);

#endif
