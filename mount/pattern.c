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

/* Nobody reads cells that are longer; and so many are no accident. */
#define CELL_MAX (UINT64_C(1) << 20)
enum { CELLS_SEEN = 4 };

/* Rows that were not read for so many reads are over. */
enum { ROW_READS = 64 };

static bool is_in_order(const struct pattern_row *row,
			const struct store_range *range)
{
	return row->next &&
	       range->offset + BACK_LENGTHS * range->length >= row->next &&
	       range->offset <= row->next + SKIP_LENGTHS * range->length;
}

static struct pattern_row *row_of(struct pattern *pattern,
				  const struct store_range *range)
{
	for (int i = 0; i < PATTERN_ROWS; i++)
		if (is_in_order(&pattern->rows[i], range))
			return &pattern->rows[i];
	return NULL;
}

static bool is_read(const struct pattern *pattern,
		    const struct pattern_row *row)
{
	return row->next && pattern->reads - row->used < ROW_READS;
}

static void note_cell(struct pattern *pattern, const struct pattern_row *left)
{
	uint64_t length = left->next - left->start;

	/* A power of two, as buffers of programs are, and columns are not. */
	if (length > CELL_MAX || length & (length - 1) ||
	    (length && left->start % length))
		length = 0;
	pattern->cells = length == pattern->cell ? pattern->cells + 1 : 1;
	pattern->cell = length;
}

/* In the place of the one that was not read for the longest time. */
static void begin_row(struct pattern *pattern, struct pattern_habit *habit,
		      const struct store_range *range)
{
	uint64_t end = range->offset + range->length;
	struct pattern_row *row = pattern->rows, *left = pattern->rows;

	for (int i = 1; i < PATTERN_ROWS; i++) {
		if (pattern->rows[i].used < row->used)
			row = &pattern->rows[i];
		if (pattern->rows[i].used > left->used)
			left = &pattern->rows[i];
	}
	note_cell(pattern, left);
	if (left->in_order)
		habit->usual = left->next - left->start;
	*row = (struct pattern_row){ .start = range->offset,
				     .next = end,
				     .ahead = end,
				     .begun = pattern->reads,
				     .used = pattern->reads };
}

/* ---- what to ask for ---- */

/* Requests long enough to be worth their way, and several of them. */
static uint64_t part_size(uint64_t window)
{
	uint64_t part = window / 4;

	if (part < PART_MIN)
		return PART_MIN;
	return part < PART_MAX ? part : PART_MAX;
}

/* A remainder waits until it is a whole part, but before the end. */
static size_t ask_ahead(struct pattern_row *row, uint64_t until, uint64_t end,
			struct store_range *ranges)
{
	uint64_t part = part_size(row->window);
	size_t count = 0;

	if (until > end)
		until = end;
	while (row->ahead < until && count < PATTERN_RANGES) {
		uint64_t left = until - row->ahead;

		if (left < part && until < end)
			break;
		if (left > part)
			left = part;
		ranges[count++] = (struct store_range){ row->ahead, left };
		row->ahead += left;
	}
	return count;
}

/* It doubles whenever as much as it is has been read. */
static void grow_window(struct pattern_row *row, uint64_t first, uint64_t limit)
{
	if (!row->window) {
		row->window = first;
		row->grown = row->next;
	} else if (row->next >= row->grown + row->window) {
		row->window *= 2;
		row->grown = row->next;
	}
	if (row->window > limit)
		row->window = limit;
}

/* What each row that is read may have of the limit. */
static uint64_t share_of(const struct pattern *pattern,
			 const struct pattern_row *row, uint64_t limit)
{
	unsigned int others = 0;

	for (int i = 0; i < PATTERN_ROWS; i++) {
		const struct pattern_row *each = &pattern->rows[i];

		others += each != row && each->window && is_read(pattern, each);
	}
	return limit / (others + 1);
}

/*
 * How long the longest row is that ended before this one began; of other
 * readers the last.  0: none.
 */
static uint64_t usual_length(const struct pattern *pattern,
			     const struct pattern_habit *habit,
			     const struct pattern_row *row)
{
	uint64_t longest = 0;

	for (int i = 0; i < PATTERN_ROWS; i++) {
		const struct pattern_row *each = &pattern->rows[i];

		if (each->used < row->begun && each->in_order &&
		    each->next - each->start > longest)
			longest = each->next - each->start;
	}
	return longest ? longest : habit->usual;
}

static size_t read_in_order(struct pattern *pattern,
			    const struct pattern_habit *habit,
			    struct pattern_row *row,
			    const struct store_range *range, uint64_t size,
			    uint64_t limit, struct store_range *ranges)
{
	uint64_t end = range->offset + range->length;
	uint64_t usual = usual_length(pattern, habit, row);

	row->used = pattern->reads;
	if (row->next < end)
		row->next = end;
	if (row->ahead < row->next)
		row->ahead = row->next;
	if (++row->in_order < ORDER_SEEN)
		return 0;
	limit = share_of(pattern, row, limit);
	if (row->next < row->start + usual) {
		end = row->start + usual;
		row->window = PART_MIN;
		row->grown = row->next;
		return ask_ahead(row, row->next + limit,
				 end < size ? end : size, ranges);
	}
	/* It may be about to end: the kernel reads on a little by itself. */
	if (usual && row->next < row->start + usual + usual / 4)
		return 0;
	if (usual || habit->from_end) {
		/* Too much by a quarter of the row, at most. */
		uint64_t quarter = (row->next - row->start) / 4;

		if (quarter < PART_MIN)
			quarter = PART_MIN;
		grow_window(row, PART_MIN, limit < quarter ? limit : quarter);
	} else {
		grow_window(row, PATTERN_WINDOW_MIN, limit);
	}
	return ask_ahead(row, row->next + row->window, size, ranges);
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

/* The rest of the cell that this read begins. */
static size_t read_cell(const struct pattern *pattern,
			const struct store_range *range, uint64_t size,
			struct store_range *ranges)
{
	uint64_t end = range->offset + range->length;
	uint64_t next = range->offset + pattern->cell;

	if (!pattern->cell || pattern->cells < CELLS_SEEN ||
	    range->offset % pattern->cell || end >= next || end >= size)
		return 0;
	ranges[0] =
		(struct store_range){ end, (next < size ? next : size) - end };
	return 1;
}

/*
 * The whole file, when round trips have cost as much: nobody can tell whether
 * more pages will be read, and this is at most twice what would have been
 * best.
 */
static size_t read_pages(struct pattern *pattern,
			 const struct store_range *range, uint64_t size,
			 uint64_t whole, struct store_range *ranges)
{
	size_t count = read_cell(pattern, range, size, ranges);
	bool cells = pattern->cell && pattern->cells >= PAGES_SEEN;
	size_t most = count + SWEEP_RANGES;

	if ((range->length > PAGE_MAX && !cells) || size > whole)
		return count;
	pattern->waited += WAITED_EACH;
	if (pattern->waited < size ||
	    pattern->waited < PAGES_SEEN * (uint64_t)WAITED_EACH)
		return count;
	while (pattern->swept < size && count < most) {
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

size_t pattern_read(struct pattern *pattern, struct pattern_habit *habit,
		    const struct store_range *range, uint64_t size,
		    uint64_t limit, uint64_t whole,
		    struct store_range ranges[PATTERN_RANGES])
{
	struct pattern_row *row = row_of(pattern, range);

	if (!pattern->reads++ && range->offset &&
	    range->offset + range->length >= size)
		habit->from_end = true;
	note_step(pattern, range);
	if (row)
		return read_in_order(pattern, habit, row, range, size, limit,
				     ranges);
	if (range->offset >= size)
		return 0;
	begin_row(pattern, habit, range);
	if (pattern->steps < STEPS_SEEN)
		return read_pages(pattern, range, size, whole, ranges);
	return read_in_steps(pattern, range, size, limit, ranges);
}

bool pattern_is_ahead(const struct pattern *pattern)
{
	for (int i = 0; i < PATTERN_ROWS; i++)
		if (pattern->rows[i].window &&
		    is_read(pattern, &pattern->rows[i]))
			return true;
	return false;
}

void pattern_shrink(struct pattern *pattern)
{
	for (int i = 0; i < PATTERN_ROWS; i++) {
		struct pattern_row *row = &pattern->rows[i];

		if (row->window > PATTERN_WINDOW_MIN)
			row->window /= 2;
		row->grown = row->next;
	}
	pattern->waited = pattern->swept = 0;
}
