// SPDX-License-Identifier: MIT
/* Patterns of reading; see pattern.h.  Called by prefetch.c, calls nothing. */
#include "config.h"

#include "mount/pattern.h"

/* Of one request. */
#define PART_MIN (PATTERN_WINDOW_MIN / 4)
#define PART_MAX (UINT64_C(8) << 20)

/*
 * How many lengths of a read it may begin behind the furthest one, or skip.
 * Of random reads in a large file next to none follow another, and hardly any
 * two in a row.
 */
enum { BACK_LENGTHS = 8, SKIP_LENGTHS = 1, ORDER_SEEN = 2 };

enum { STEPS_SEEN = 3, STEPS_AHEAD = 8 };

/*
 * Databases read pages of that size or less; columns of a table are longer.
 * While a round trip passes such an amount could come, and less than that many
 * of them are no habit.
 */
enum { PAGE_MAX = 16 << 10, WAITED_EACH = 1 << 20, PAGES_SEEN = 16 };
enum { SWEEP_RANGES = 2 };

static bool is_in_order(const struct pattern *pattern,
			const struct store_range *range)
{
	return pattern->next &&
	       range->offset + BACK_LENGTHS * range->length >= pattern->next &&
	       range->offset <= pattern->next + SKIP_LENGTHS * range->length;
}

/* Requests long enough to be worth their way, and several of them. */
static uint64_t part_size(uint64_t window)
{
	uint64_t part = window / 4;

	if (part < PART_MIN)
		return PART_MIN;
	return part < PART_MAX ? part : PART_MAX;
}

static size_t ask_ahead(struct pattern *pattern, uint64_t until, uint64_t size,
			struct store_range *ranges)
{
	uint64_t part = part_size(pattern->window);
	size_t count = 0;

	if (until > size)
		until = size;
	while (pattern->ahead < until && count < PATTERN_RANGES) {
		uint64_t left = until - pattern->ahead;

		/* A remainder waits until it is a whole one, but the last. */
		if (left < part && until < size)
			break;
		if (left > part)
			left = part;
		ranges[count++] = (struct store_range){ pattern->ahead, left };
		pattern->ahead += left;
	}
	return count;
}

/* It doubles whenever as much as it is has been read. */
static void grow_window(struct pattern *pattern, uint64_t limit)
{
	if (!pattern->window) {
		pattern->window = PATTERN_WINDOW_MIN;
		pattern->grown = pattern->next;
	} else if (pattern->next >= pattern->grown + pattern->window) {
		pattern->window *= 2;
		pattern->grown = pattern->next;
	}
	if (pattern->window > limit)
		pattern->window = limit;
}

static size_t read_in_order(struct pattern *pattern,
			    const struct store_range *range, uint64_t size,
			    uint64_t limit, struct store_range *ranges)
{
	uint64_t end = range->offset + range->length;

	if (pattern->next < end)
		pattern->next = end;
	if (pattern->ahead < pattern->next)
		pattern->ahead = pattern->next;
	if (++pattern->in_order < ORDER_SEEN)
		return 0;
	grow_window(pattern, limit);
	return ask_ahead(pattern, pattern->next + pattern->window, size,
			 ranges);
}

/* An offset `steps` steps from here, `size` when it is outside. */
static uint64_t offset_after(const struct pattern *pattern, unsigned int steps,
			     uint64_t size)
{
	uint64_t distance =
		(uint64_t)(pattern->step < 0 ? -pattern->step : pattern->step);

	if (distance > size / (steps + 1))
		return size;
	distance *= steps;
	if (pattern->step < 0)
		return distance <= pattern->last ? pattern->last - distance
						 : size;
	return distance < size - pattern->last ? pattern->last + distance
					       : size;
}

static size_t read_in_steps(struct pattern *pattern,
			    const struct store_range *range, uint64_t size,
			    uint64_t limit, struct store_range *ranges)
{
	size_t count = 0;

	if (pattern->asked)
		pattern->asked--;
	while (pattern->asked < STEPS_AHEAD &&
	       (pattern->asked + 1) * range->length <= limit) {
		uint64_t at = offset_after(pattern, pattern->asked + 1, size);
		uint64_t left = size - at;

		if (!left)
			break;
		ranges[count++] = (struct store_range){
			at, left < range->length ? left : range->length
		};
		pattern->asked++;
	}
	return count;
}

/*
 * The whole file, when round trips have cost as much: nobody can tell whether
 * more pages will be read, and this is at most twice what would have been
 * best.
 */
static size_t read_pages(struct pattern *pattern,
			 const struct store_range *range, uint64_t size,
			 uint64_t limit, struct store_range *ranges)
{
	size_t count = 0;

	if (range->length > PAGE_MAX || size > limit)
		return 0;
	pattern->waited += WAITED_EACH;
	if (pattern->waited < size ||
	    pattern->waited < PAGES_SEEN * (uint64_t)WAITED_EACH)
		return 0;
	while (pattern->swept < size && count < SWEEP_RANGES) {
		uint64_t left = size - pattern->swept;

		if (left > PART_MAX)
			left = PART_MAX;
		ranges[count++] = (struct store_range){ pattern->swept, left };
		pattern->swept += left;
	}
	if (pattern->swept == size)
		pattern->waited = pattern->swept = 0;
	return count;
}

static void note_step(struct pattern *pattern, const struct store_range *range)
{
	int64_t step = (int64_t)(range->offset - pattern->last);

	if (pattern->steps && step == pattern->step) {
		pattern->steps++;
	} else {
		pattern->steps = 1;
		pattern->asked = 0;
	}
	pattern->step = step;
	pattern->last = range->offset;
}

size_t pattern_read(struct pattern *pattern, const struct store_range *range,
		    uint64_t size, uint64_t limit,
		    struct store_range ranges[PATTERN_RANGES])
{
	note_step(pattern, range);
	if (is_in_order(pattern, range))
		return read_in_order(pattern, range, size, limit, ranges);
	pattern->in_order = 0;
	pattern->window = 0;
	pattern->next = range->offset + range->length;
	pattern->ahead = pattern->next;
	if (range->offset >= size)
		return 0;
	if (pattern->steps < STEPS_SEEN)
		return read_pages(pattern, range, size, limit, ranges);
	return read_in_steps(pattern, range, size, limit, ranges);
}

void pattern_shrink(struct pattern *pattern)
{
	if (pattern->window > PATTERN_WINDOW_MIN)
		pattern->window /= 2;
	pattern->grown = pattern->next;
	pattern->waited = pattern->swept = 0;
}
