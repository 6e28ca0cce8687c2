// SPDX-License-Identifier: MIT
/*
 * Text to number: see option_parse.h.  Called by option.c only.  strtoll and
 * friends are avoided because they take blanks, signs and locales that an
 * option must not.
 */
#include "config.h"

#include "src/option_parse.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "src/base/clock.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits of a base up to 10 into *value; false: none, or too many. */
static bool digits(const char **text, int base, int64_t *value)
{
	const char *p = *text;
	int64_t sum = 0;

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p) && *p - '0' < base; p++) {
		if (__builtin_mul_overflow(sum, (int64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (int64_t)(*p - '0'), &sum))
			return false;
	}
	*text = p;
	*value = sum;
	return true;
}

bool parse_integer(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	int64_t sum;

	if (*text == '-' || *text == '+')
		text++;
	if (!digits(&text, 10, &sum) || *text)
		return false;
	*value = negative ? -sum : sum;
	return true;
}

bool parse_size(const char *text, int64_t *value)
{
	static const char units[] = "KMGT";
	int64_t sum;

	if (!digits(&text, 10, &sum))
		return false;
	if (*text) {
		/* units[] ends in a NUL, which *text is not. */
		const char *unit = strchr(units, *text & ~0x20);

		if (!unit)
			return false;
		if (__builtin_mul_overflow(
			    sum, INT64_C(1) << (10 * (unit - units + 1)), &sum))
			return false;
		text++;
		if (*text && strcmp(text, "iB") != 0)
			return false;
	}
	*value = sum;
	return true;
}

bool parse_percent(const char *text, int64_t *value)
{
	int64_t sum;

	if (!digits(&text, 10, &sum) || strcmp(text, "%") != 0)
		return false;
	if (sum < 1 || sum > 100)
		return false;
	*value = sum;
	return true;
}

/* A decimal in two parts: whole, and the rest in units of 1e-9. */
static bool decimal(const char **text, int64_t *whole, int64_t *rest)
{
	int64_t unit = NS_PER_SEC / 10;

	*rest = 0;
	if (!digits(text, 10, whole))
		return false;
	if (**text != '.')
		return true;
	++*text;
	if (!is_digit(**text))
		return false;
	/* Digits beyond the ninth are below the resolution. */
	for (; is_digit(**text); ++*text) {
		*rest += (**text - '0') * unit;
		unit /= 10;
	}
	return true;
}

static int64_t duration_unit(const char *name)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "", NS_PER_SEC },	    { "s", NS_PER_SEC },
		{ "ms", NS_PER_MS },	    { "m", 60 * NS_PER_SEC },
		{ "h", 3600 * NS_PER_SEC }, { "d", 86400 * NS_PER_SEC },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(name, units[i].name))
			return units[i].ns;
	}
	return 0;
}

bool parse_duration(const char *text, int64_t *value)
{
	int64_t whole, rest, unit, sum;

	if (!decimal(&text, &whole, &rest))
		return false;
	unit = duration_unit(text);
	if (!unit || __builtin_mul_overflow(whole, unit, &sum))
		return false;
	/* In this order, so that it neither overflows nor loses digits. */
	rest = unit >= NS_PER_SEC ? rest * (unit / NS_PER_SEC)
				  : rest / (NS_PER_SEC / unit);
	if (__builtin_add_overflow(sum, rest, &sum))
		return false;
	*value = sum;
	return true;
}

bool parse_fraction(const char *text, int64_t *value)
{
	int64_t whole, rest, sum;

	if (!decimal(&text, &whole, &rest) || *text)
		return false;
	if (__builtin_mul_overflow(whole, NS_PER_SEC, &sum) ||
	    __builtin_add_overflow(sum, rest, &sum))
		return false;
	*value = sum;
	return true;
}

bool parse_octal(const char *text, int64_t *value)
{
	int64_t sum;

	if (text[0] == '0' && text[1] == 'o')
		text += 2;
	if (!digits(&text, 8, &sum) || *text)
		return false;
	*value = sum;
	return true;
}

bool parse_flag(const char *text, int64_t *value)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*value = !strcasecmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

bool parse_choice(const char *text, const char *choices, int64_t *value)
{
	size_t wanted = strlen(text);

	for (int64_t index = 0;; index++) {
		size_t length = strcspn(choices, "|");

		if (length == wanted && !strncmp(choices, text, length)) {
			*value = index;
			return true;
		}
		choices += length;
		if (!*choices)
			return false;
		choices++;
	}
}
