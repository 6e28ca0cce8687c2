/* SPDX-License-Identifier: MIT */
/*
 * Text to number for the option tables.  Pure; every function returns false
 * for text that is malformed or does not fit, and leaves *value alone then.
 * No locale, no leading blanks, nothing left over behind the number.
 */
#ifndef STOREFS_SRC_OPTION_PARSE_H
#define STOREFS_SRC_OPTION_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal with an optional sign. */
bool parse_integer(const char *text, int64_t *value);
/* "10", "10K", "10MiB"; bytes. */
bool parse_size(const char *text, int64_t *value);
/* "50%", 1 to 100. */
bool parse_percent(const char *text, int64_t *value);
/* "10", "1.5", "10s", "500ms", "2m", "1h", "1d"; ns. */
bool parse_duration(const char *text, int64_t *value);
/* "0.5"; units of 1e-9. */
bool parse_fraction(const char *text, int64_t *value);
/* "755", "0755", "0o755". */
bool parse_octal(const char *text, int64_t *value);
/* true/false, yes/no, on/off, 1/0 in any case; 1 or 0. */
bool parse_flag(const char *text, int64_t *value);
/* Index of the text in "a|b|c". */
bool parse_choice(const char *text, const char *choices, int64_t *value);

#endif
