/* SPDX-License-Identifier: MIT */
/*
 * What storectl prints.  Names may hold any byte: on a terminal those that
 * are not UTF-8 or hold control characters are quoted as $'...', elsewhere
 * they are printed as they are; messages on stderr are always clean.
 *
 * A record is one JSON object under construction, printed as one line.
 * Failures (out of memory) stick and are told by record_print().
 */
#ifndef STOREFS_CTL_OUT_H
#define STOREFS_CTL_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "src/base/cleanup.h"
#include <storefs/error.h>
#include <storefs/types.h>

struct json;

/* `prefix` and `name` after another, quoted together where that is needed. */
void out_name(const char *prefix, const char *name);
/* As out_name() to any stream, quoted whatever the stream is. */
void out_quoted(FILE *stream, const char *prefix, const char *name);
/* One clean line "storectl: ..." on stderr. */
void out_complain(const char *format, ...) STORE_PRINTF(1, 2);
/* Flush; what could not be printed is an error. */
int out_finish(struct store_error *error) STORE_WARN_UNUSED;

/* "2024-02-29T12:00:00Z", nanoseconds when there are any. */
#define OUT_TIME_MAX 48
const char *out_time(struct timespec when, char text[OUT_TIME_MAX]);
/* "17", "1.5K", "3.0G". */
#define OUT_SIZE_MAX 24
const char *out_size(uint64_t bytes, bool human, char text[OUT_SIZE_MAX]);
/* "drwxr-xr-x"; dashes where the mode is not known. */
#define OUT_MODE_MAX 11
const char *out_mode(const struct store_info *info, char text[OUT_MODE_MAX]);

struct record {
	struct json *json;
	bool failed;
};
#define CLEANUP_RECORD CLEANUP(record_release)

void record_init(struct record *record);
void record_release(struct record *record);
void record_text(struct record *record, const char *name, const char *text);
void record_number(struct record *record, const char *name, uint64_t number);
void record_flag(struct record *record, const char *name, bool flag);
void record_json(struct record *record, const char *name, struct json *json);
/* Text of any bytes: as NAME, or as NAME_b64 when it is not UTF-8. */
void record_bytes(struct record *record, const char *name, const char *text);
void record_time(struct record *record, const char *name, struct timespec when);
/* All that is known of an entry; `complete` as in struct store_entry. */
void record_info(struct record *record, const struct store_info *info,
		 bool complete);
/* Print as one line.  NO_MEMORY when the record failed. */
int record_print(struct record *record, FILE *stream, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
