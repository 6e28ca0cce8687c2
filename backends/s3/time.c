// SPDX-License-Identifier: MIT
/* Times as texts: see time.h.  Pure. */
#include "config.h"

#include "backends/s3/time.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits behind the point as nanoseconds; *text goes behind them. */
static long fraction(const char **text)
{
	long value = 0;
	int digits = 0;

	for (; isdigit((unsigned char)**text); (*text)++)
		if (digits < 9) {
			value = value * 10 + (**text - '0');
			digits++;
		}
	for (; digits < 9; digits++)
		value *= 10;
	return value;
}

/* Seconds east of UTC of "Z", "+02:00", "". */
static bool zone(const char *text, long *seconds)
{
	int hours;
	int minutes;

	*seconds = 0;
	if (!*text || strcmp(text, "Z") == 0)
		return true;
	if ((*text != '+' && *text != '-') ||
	    sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2)
		return false;
	*seconds = hours * 3600L + minutes * 60L;
	if (*text == '-')
		*seconds = -*seconds;
	return true;
}

static bool parse(const char *text, struct timespec *time)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *rest;
	long east;
	long nsec = 0;
	int used = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
		   &used) != 6)
		return false;
	rest = text + used;
	if (*rest == '.') {
		rest++;
		nsec = fraction(&rest);
	}
	if (!zone(rest, &east))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	time->tv_sec = timegm(&tm) - east;
	time->tv_nsec = nsec;
	return true;
}

struct timespec s3_time_parse(const char *text)
{
	struct timespec time = { 0, 0 };

	return parse(text, &time) ? time : (struct timespec){ 0, 0 };
}

bool s3_time_of_metadata(const char *text, struct timespec *time)
{
	const char *rest;
	long nsec = 0;
	long long sec;
	char *end;

	if (parse(text, time))
		return true;
	sec = strtoll(text, &end, 10);
	rest = end;
	if (end == text)
		return false;
	if (*rest == '.') {
		rest++;
		nsec = fraction(&rest);
	}
	if (*rest)
		return false;
	time->tv_sec = (time_t)sec;
	time->tv_nsec = nsec;
	return true;
}
