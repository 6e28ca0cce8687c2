// SPDX-License-Identifier: MIT
/*
 * Text for messages: see text.h.  Called by everything that reports what a
 * user typed; no state, no locks.
 */
#include "config.h"

#include "src/base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { COMPARED_MAX = 64, NEAR_MAX = 3 };

int text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void text_unescape_octal(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			*out++ = (char)((text[1] - '0') * 64 +
					(text[2] - '0') * 8 + text[3] - '0');
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

const char *text_show(struct text_shown *shown, const char *text)
{
	/* The longest piece is an escape, and "..." and NUL must follow. */
	const size_t room = sizeof(shown->text) - sizeof("\\xNN...");
	size_t used = 0;

	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (used > room) {
			memcpy(shown->text + used, "...", 3);
			used += 3;
			break;
		}
		if (c < ' ' || c == 0x7f) {
			snprintf(shown->text + used, 5, "\\x%02x", c);
			used += 4;
		} else {
			shown->text[used++] = (char)c;
		}
	}
	shown->text[used] = '\0';
	return shown->text;
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment over three rows of the matrix. */
int text_distance(const char *a, const char *b)
{
	int rows[3][COMPARED_MAX + 1];
	int *before = rows[0], *last = rows[1], *row = rows[2];
	size_t m = strnlen(a, COMPARED_MAX + 1);
	size_t n = strnlen(b, COMPARED_MAX + 1);

	if (m > COMPARED_MAX || n > COMPARED_MAX)
		return INT_MAX;
	for (size_t j = 0; j <= n; j++)
		last[j] = (int)j;
	for (size_t i = 1; i <= m; i++) {
		int *free_row = before;

		row[0] = (int)i;
		for (size_t j = 1; j <= n; j++) {
			int cost = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = least(last[j] + 1, row[j - 1] + 1);
			row[j] = least(row[j], last[j - 1] + cost);
			if (i > 1 && j > 1 &&
			    lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[n];
}

void text_nearest_try_alias(struct text_nearest *nearest, const char *candidate,
			    const char *meant)
{
	size_t length = strnlen(nearest->name, COMPARED_MAX);
	int limit = least((int)(length / 3), NEAR_MAX);
	int distance = text_distance(nearest->name, candidate);

	if (limit < 1)
		limit = 1;
	if (distance > limit)
		return;
	if (nearest->found && distance >= nearest->distance)
		return;
	nearest->found = meant;
	nearest->distance = distance;
}

void text_nearest_try(struct text_nearest *nearest, const char *candidate)
{
	text_nearest_try_alias(nearest, candidate, candidate);
}
