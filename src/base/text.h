/* SPDX-License-Identifier: MIT */
/*
 * Text in messages: what a user typed, made safe to print, and the name the
 * user may have meant; and escapes in text that is read.
 */
#ifndef STOREFS_BASE_TEXT_H
#define STOREFS_BASE_TEXT_H

#include <stddef.h>

enum { TEXT_SHOWN_MAX = 96 };

struct text_shown {
	char text[TEXT_SHOWN_MAX];
};

/*
 * The text for one line of output: control bytes as \xNN, cut with "...".
 * Returns shown->text; NULL shows as "".
 */
const char *text_show(struct text_shown *shown, const char *text);

/*
 * The nearest of several names: start with { .name = "what was typed" }, try
 * every candidate, look at `found`.  Near is an edit distance (insert,
 * delete, replace, swap; letter case ignored) of at most a third of the
 * typed name, at least 1 and at most 3.  The first of equals wins.
 */
struct text_nearest {
	const char *name;
	const char *found; /* borrowed from the candidates, NULL for none */
	int distance;	   /* of `found` */
};
void text_nearest_try(struct text_nearest *nearest, const char *candidate);
/* As above, but what is found is `meant` (the name behind an alias). */
void text_nearest_try_alias(struct text_nearest *nearest, const char *candidate,
			    const char *meant);

/* 0 to 15, or -1. */
int text_hex_digit(char c);
/* "\040" and friends, as in mountinfo and fstab, undone in place. */
void text_unescape_octal(char *text);

/* Edit distance as above; more than 64 bytes count as infinitely far. */
int text_distance(const char *a, const char *b);

#endif
