/* SPDX-License-Identifier: MIT */
/*
 * One line of JSON that the driver tells, under construction.  A failure (no
 * memory) sticks and is found by line_print().
 */
#ifndef STOREFS_MOUNT_LINE_H
#define STOREFS_MOUNT_LINE_H

#include "src/base/json.h"

struct line {
	struct json *json;
	bool failed;
};

void line_init(struct line *line);
void line_text(struct line *line, const char *name, const char *text);
/* Text of any bytes: as NAME, or in base64 as NAME_b64. */
void line_bytes(struct line *line, const char *name, const char *text);
void line_number(struct line *line, const char *name, uint64_t number);
void line_flag(struct line *line, const char *name, bool flag);
/* UTC, as 2024-02-29T12:00:00Z. */
void line_time(struct line *line, const char *name, int64_t seconds);
/* Takes the value over; NULL is a failure. */
void line_json(struct line *line, const char *name, struct json *value);
/* The line, malloc'd, NULL after a failure; what was built is released. */
char *line_print(struct line *line);

#endif
