// SPDX-License-Identifier: MIT
/*
 * The portable matcher: see glob.h.  Pure.
 *
 * Both levels (characters of a component, components of a key) work the same
 * way: walk on, remember the last star, and on a mismatch let that star take
 * one more.  An earlier star never has to be reconsidered, so the cost is at
 * most pattern times key, whatever the pattern.
 */
#include "config.h"

#include "src/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/key.h"
#include <storefs/types.h>

/* A stretch of text that is not NUL-terminated. */
struct part {
	const char *at;
	const char *end;
};

/* ---- characters ---- */

static bool is_tail(const char *at, const char *end)
{
	return at < end && ((unsigned char)*at & 0xc0) == 0x80;
}

/*
 * The next character; *at moves behind it.  A byte that starts no sequence
 * gets a number no character has.
 */
static uint32_t next_character(const char **at, const char *end)
{
	unsigned char first = (unsigned char)**at;
	uint32_t value;
	int tails;

	(*at)++;
	if (first < 0x80)
		return first;
	if (first >= 0xc2 && first <= 0xdf) {
		tails = 1;
		value = first & 0x1f;
	} else if (first >= 0xe0 && first <= 0xef) {
		tails = 2;
		value = first & 0x0f;
	} else if (first >= 0xf0 && first <= 0xf4) {
		tails = 3;
		value = first & 0x07;
	} else {
		return 0x200000U + first;
	}
	for (int i = 0; i < tails; i++)
		if (!is_tail(*at + i, end))
			return 0x200000U + first;
	for (int i = 0; i < tails; i++)
		value = value << 6 | ((unsigned char)*(*at)++ & 0x3f);
	return value;
}

/* Behind the ']' of the set that starts after '[' at `at`; NULL: no set. */
static const char *set_end(const char *at, const char *end)
{
	if (at < end && *at == '!')
		at++;
	if (at < end && *at == ']')
		at++;
	while (at < end && *at != ']')
		at++;
	return at < end ? at + 1 : NULL;
}

/* `set` is what stands between the brackets. */
static bool set_has(struct part set, uint32_t character)
{
	bool negated = set.at < set.end && *set.at == '!';
	bool found = false;

	set.at += negated;
	while (set.at < set.end) {
		uint32_t low = next_character(&set.at, set.end);
		uint32_t high = low;

		if (set.end - set.at >= 2 && *set.at == '-') {
			set.at++;
			high = next_character(&set.at, set.end);
		}
		if (character >= low && character <= high)
			found = true;
	}
	return found != negated;
}

/*
 * Match one character against the element of the pattern (not `*`) at
 * *pattern; both move on when it fits.
 */
static bool match_one(const char **pattern, const char *pattern_end,
		      const char **name, const char *name_end)
{
	const char *after = *pattern;
	const char *rest = *name;
	uint32_t want = next_character(&after, pattern_end);
	uint32_t have = next_character(&rest, name_end);
	const char *close = NULL;

	if (want == '[')
		close = set_end(after, pattern_end);
	if (close) {
		struct part set = { after, close - 1 };

		if (!set_has(set, have))
			return false;
		after = close;
	} else if (want != '?' && want != have) {
		return false;
	}
	*pattern = after;
	*name = rest;
	return true;
}

static bool match_component(struct part pattern, struct part name)
{
	const char *star = NULL;  /* behind the last star */
	const char *taken = NULL; /* what that star has taken up to */

	while (name.at < name.end) {
		if (pattern.at < pattern.end && *pattern.at == '*') {
			star = ++pattern.at;
			taken = name.at;
		} else if (pattern.at < pattern.end &&
			   match_one(&pattern.at, pattern.end, &name.at,
				     name.end)) {
			continue;
		} else if (star) {
			next_character(&taken, name.end);
			name.at = taken;
			pattern.at = star;
		} else {
			return false;
		}
	}
	while (pattern.at < pattern.end && *pattern.at == '*')
		pattern.at++;
	return pattern.at == pattern.end;
}

/* ---- components ---- */

/* The component at `at`, which is not at the end of the text. */
static struct part component(const char *at)
{
	return (struct part){ at, at + strcspn(at, "/") };
}

/* Behind the component, at the next one or at the end. */
static const char *after(struct part part)
{
	return *part.end ? part.end + 1 : part.end;
}

static bool is_any_depth(struct part part)
{
	return part.end - part.at == 2 && memcmp(part.at, "**", 2) == 0;
}

static bool is_magic(struct part part)
{
	const char *at = part.at;

	for (; at < part.end; at++)
		if (*at == '*' || *at == '?' ||
		    (*at == '[' && set_end(at + 1, part.end)))
			return true;
	return false;
}

bool glob_match(const char *pattern, const char *key)
{
	const char *star = NULL;
	const char *taken = NULL;

	while (*key) {
		struct part name = component(key);
		struct part want = component(pattern);

		if (*pattern && is_any_depth(want)) {
			star = pattern = after(want);
			taken = key;
		} else if (*pattern && match_component(want, name)) {
			pattern = after(want);
			key = after(name);
		} else if (star) {
			key = taken = after(component(taken));
			pattern = star;
		} else {
			return false;
		}
	}
	while (*pattern && is_any_depth(component(pattern)))
		pattern = after(component(pattern));
	return !*pattern;
}

bool glob_match_below(const char *pattern, const char *folder)
{
	while (*folder) {
		struct part want = component(pattern);
		struct part name = component(folder);

		if (!*pattern)
			return false;
		if (is_any_depth(want))
			return true;
		if (!match_component(want, name))
			return false;
		pattern = after(want);
		folder = after(name);
	}
	return *pattern != '\0';
}

bool glob_match_name(const char *pattern, const char *name)
{
	struct part want = { pattern, pattern + strlen(pattern) };
	struct part have = { name, name + strlen(name) };

	return match_component(want, have);
}

int glob_check(const char *pattern, struct store_error *error)
{
	if (!*pattern)
		return store_error_set(error, STORE_INVALID,
				       "an empty pattern");
	while (*pattern) {
		struct part part = component(pattern);

		for (const char *at = part.at; at + 1 < part.end; at++)
			if (at[0] == '*' && at[1] == '*' && !is_any_depth(part))
				return store_error_set(
					error, STORE_INVALID,
					"'**' in a pattern must stand alone "
					"between slashes");
		pattern = after(part);
	}
	return STORE_OK;
}

bool glob_is_literal(const char *pattern)
{
	while (*pattern) {
		struct part part = component(pattern);

		if (is_magic(part))
			return false;
		pattern = after(part);
	}
	return true;
}

size_t glob_prefix_length(const char *pattern)
{
	const char *at = pattern;
	size_t length = 0;

	while (*at) {
		struct part part = component(at);

		if (!*part.end || is_magic(part))
			break;
		length = (size_t)(part.end - pattern);
		at = after(part);
	}
	return length;
}

int glob_depth(const char *pattern)
{
	const char *rest = pattern + glob_prefix_length(pattern);
	int depth = -1;

	if (*rest == '/')
		rest++;
	while (*rest) {
		struct part part = component(rest);

		if (is_any_depth(part))
			return -1;
		depth++;
		rest = after(part);
	}
	return depth < 0 ? 0 : depth;
}

char *glob_below(const char *folder, const char *pattern)
{
	struct buf text = BUF_INIT(4 * STORE_KEY_MAX);
	char *whole;

	for (; *folder; folder++) {
		if (strchr("*?[", *folder))
			buf_addf(&text, "[%c]", *folder);
		else
			buf_add_char(&text, *folder);
	}
	if (text.length && *pattern)
		buf_add_char(&text, '/');
	buf_add_text(&text, pattern);
	whole = buf_steal(&text);
	if (!whole)
		buf_release(&text);
	return whole;
}
