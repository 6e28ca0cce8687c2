// SPDX-License-Identifier: MIT
/*
 * Staged files: random steps against plain arrays of bytes, one for what is
 * seen, one for each layer of the stack, and one for each view somebody
 * holds.  What has been marked as kept is read back byte by byte.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mount/pending.h"
#include "tests/unit/mount_staging.h"
#include "tests/unit/unit.h"

enum { STEPS = 8000, STACK_MOST = 48, HELD_MOST = 3, KEPT_MOST = 128 };

/* What the file was as of each layer of the stack. */
struct moment {
	const struct staging_layer *layer;
	struct image image;
};
static struct moment moments[STACK_MOST];
static size_t moment_count;

/* A view in somebody's hands, and what it has to show. */
struct held {
	struct staging_view view;
	struct image image, base;
};
static struct held held[HELD_MOST];
static size_t held_count;

/* A kept layer, and what was in its file when it was marked. */
struct kept {
	struct staging_layer *layer; /* a reference */
	struct rangemap present, dirty;
	uint64_t size, lower_limit;
	unsigned char bytes[IMAGE_MOST];
	ssize_t length; /* of the file */
};
static struct kept kept[KEPT_MOST];
static size_t kept_count;

/* ---- layers that must not change ---- */

static struct rangemap copy_of(const struct rangemap *map)
{
	struct rangemap copy;

	rangemap_init(&copy);
	for (size_t i = 0; i < map->count; i++) {
		ck_assert_int_eq(rangemap_reserve(&copy, &error), STORE_OK);
		rangemap_add(&copy, map->spans[i].start, map->spans[i].end);
	}
	return copy;
}

static void note_kept(struct staging_layer *layer)
{
	struct kept *one = &kept[kept_count];

	for (size_t i = 0; i < kept_count; i++)
		if (kept[i].layer == layer)
			return;
	ck_assert_uint_lt(kept_count++, KEPT_MOST);
	layer_ref(layer);
	layer->kept = true;
	*one = (struct kept){ .layer = layer,
			      .size = layer->size,
			      .lower_limit = layer->lower_limit,
			      .present = copy_of(&layer->present),
			      .dirty = copy_of(&layer->dirty) };
	one->length = pread(layer->fd, one->bytes, IMAGE_MOST, 0);
	ck_assert_int_ge(one->length, 0);
}

static void check_map(const struct rangemap *map, const struct rangemap *was)
{
	ck_assert_uint_eq(map->count, was->count);
	if (map->count)
		ck_assert_int_eq(memcmp(map->spans, was->spans,
					map->count * sizeof(struct span)),
				 0);
}

static void check_kept(const struct kept *one)
{
	static unsigned char seen[IMAGE_MOST];
	char name[DATA_NAME_MAX];

	ck_assert_uint_eq(one->layer->size, one->size);
	ck_assert_uint_eq(one->layer->lower_limit, one->lower_limit);
	check_map(&one->layer->present, &one->present);
	check_map(&one->layer->dirty, &one->dirty);
	ck_assert_int_eq(pread(one->layer->fd, seen, IMAGE_MOST, 0),
			 one->length);
	ck_assert_int_eq(memcmp(seen, one->bytes, (size_t)one->length), 0);
	data_name(one->layer->number, name);
	ck_assert_int_eq(faccessat(folder.fd, name, F_OK, 0) != 0,
			 atomic_load(&one->layer->unlinked));
}

static void forget_kept(size_t index)
{
	struct kept *one = &kept[index];

	check_kept(one);
	layer_unref(one->layer);
	rangemap_release(&one->present);
	rangemap_release(&one->dirty);
	kept[index] = kept[--kept_count];
}

static bool view_has(const struct staging_view *one,
		     const struct staging_layer *layer)
{
	for (size_t i = 0; i < one->count; i++)
		if (one->layers[i] == layer)
			return true;
	return false;
}

static bool is_held(const struct staging_layer *layer)
{
	for (size_t i = 0; i < held_count; i++)
		if (view_has(&held[i].view, layer))
			return true;
	return view_has(&view, layer);
}

/* Those whose files have gone are of no interest once nobody reads them. */
static void forget_removed(void)
{
	for (size_t i = kept_count; i-- > 0;)
		if (atomic_load(&kept[i].layer->unlinked) &&
		    !is_held(kept[i].layer))
			forget_kept(i);
}

/* ---- what each layer shows ---- */

static const struct moment *moment_of(const struct staging_layer *layer)
{
	for (size_t i = 0; i < moment_count; i++)
		if (moments[i].layer == layer)
			return &moments[i];
	return NULL;
}

/* After each step: new layers are on top, or `made` from what was there. */
static void follow_stack(const struct staging_layer *made,
			 const struct image *made_image)
{
	static struct moment now[STACK_MOST];

	ck_assert_uint_le(staging.count, STACK_MOST);
	for (size_t i = 0; i < staging.count; i++) {
		const struct staging_layer *layer = staging.layers[i];
		const struct moment *known = moment_of(layer);

		now[i].layer = layer;
		if (i + 1 == staging.count)
			now[i].image = shown;
		else if (layer == made)
			now[i].image = *made_image;
		else if (known)
			now[i].image = known->image;
		else
			ck_abort_msg("a new layer below the top");
	}
	memcpy(moments, now, sizeof(moments));
	moment_count = staging.count;
}

/* A publish of the lowest layers, however many, would send the right thing. */
static void check_moments(void)
{
	size_t sealed = staging.count - staging.open;

	for (size_t i = 0; i < sealed; i++) {
		struct staging_view lowest;

		ck_assert_int_eq(
			staging_freeze(&staging, i + 1, false, &lowest, &error),
			STORE_OK);
		ck_assert_uint_eq(lowest.count, i + 1);
		check_view(&lowest, &moments[i].image, &base);
		staging_view_release(&lowest);
	}
}

/* ---- what must hold after each step ---- */

static uint64_t bytes_of(const struct staging_layer *layer)
{
	check_layer(layer);
	return rangemap_total(&layer->present);
}

/* The budget is what is in all layers there are, each counted once. */
static void check_budget(void)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < staging.count; i++)
		if (!staging.layers[i]->kept)
			bytes += bytes_of(staging.layers[i]);
	for (size_t i = 0; i < kept_count; i++)
		bytes += bytes_of(kept[i].layer);
	ck_assert_uint_eq(staging_area_bytes(folder.area), bytes);
}

static void check_changed(void)
{
	const struct image *against = staging.frozen ? &frozen : &base;

	if (!staging.changed)
		ck_assert(shown.size == against->size &&
			  !memcmp(shown.bytes, against->bytes, IMAGE_MOST));
}

static void check_all(int step)
{
	check_shown();
	check_changed();
	check_budget();
	if (step % 4)
		return;
	check_moments();
	for (size_t i = 0; i < kept_count; i++)
		check_kept(&kept[i]);
	for (size_t i = 0; i < held_count; i++)
		check_view(&held[i].view, &held[i].image, &held[i].base);
	if (staging.frozen)
		check_view(&view, &frozen, &base);
}

/* ---- steps ---- */

static void step_change(void)
{
	uint64_t offset = seed_below(IMAGE_MOST);
	uint64_t most = seed_below(4) ? 200 : IMAGE_MOST;
	uint64_t length = 1 + seed_below(most);

	if (length > IMAGE_MOST - offset)
		length = IMAGE_MOST - offset;
	switch (seed_below(8)) {
	case 0:
	case 1:
		fill(offset, length);
		break;
	case 2:
		truncate_to(seed_below(4) ? offset : 0);
		break;
	case 3:
		punch(offset, length);
		break;
	default:
		write_bytes(offset, length);
		break;
	}
}

/* All that is sealed, or only what was there at some earlier moment. */
static void step_freeze(void)
{
	size_t count = SIZE_MAX;

	if (staging.frozen)
		return;
	if (staging.count - staging.open > 1 && seed_below(2))
		count = 1 + seed_below(staging.count - staging.open - 1);
	else
		seal();
	follow_stack(NULL, NULL);
	ck_assert_int_eq(staging_freeze(&staging, count, true, &view, &error),
			 STORE_OK);
	frozen = moments[view.count - 1].image;
}

static void step_settle(void)
{
	if (!staging.frozen)
		return;
	settle(seed_below(2));
	forget_removed();
}

static void drop_held(size_t index)
{
	check_view(&held[index].view, &held[index].image, &held[index].base);
	staging_view_release(&held[index].view);
	held[index] = held[--held_count];
	forget_removed();
}

/* An acknowledgement: everything so far stays as it is. */
static void step_keep(void)
{
	struct held *one;

	if (held_count == HELD_MOST)
		drop_held(seed_below(HELD_MOST));
	seal();
	one = &held[held_count++];
	ck_assert_int_eq(
		staging_freeze(&staging, SIZE_MAX, false, &one->view, &error),
		STORE_OK);
	for (size_t i = 0; i < one->view.count; i++)
		note_kept(one->view.layers[i]);
	one->image = shown;
	one->base = base;
}

/* Copy what no publish has, write meanwhile, and take it or leave it. */
static void step_flatten(void)
{
	struct staging_view flat;
	size_t first = staging.frozen, count;
	struct image image;

	step_keep();
	follow_stack(NULL, NULL);
	count = held[held_count - 1].view.count - first;
	if (!count)
		return;
	image = shown;
	ck_assert_int_eq(staging_view_flatten(&held[held_count - 1].view, first,
					      &flat, &error),
			 STORE_OK);
	if (seed_below(2))
		step_change();
	follow_stack(NULL, NULL);
	staging_swap(&staging, first, count, &flat);
	if (seed_below(4)) {
		follow_stack(staging.layers[first], &image);
	} else {
		staging_swap(&staging, first, 1, &flat);
		follow_stack(NULL, NULL);
	}
	staging_view_remove(&flat);
	forget_removed();
}

static void step(void)
{
	switch (seed_below(24)) {
	case 0:
	case 1:
	case 2:
		step_freeze();
		break;
	case 3:
	case 4:
	case 5:
		step_settle();
		break;
	case 6:
	case 7:
		if (staging.count < 12)
			step_keep();
		else
			step_flatten();
		break;
	case 8:
		if (seed_below(3) == 0)
			step_flatten();
		break;
	case 9:
		seal();
		break;
	case 10:
		if (held_count)
			drop_held(seed_below(held_count));
		break;
	default:
		step_change();
		break;
	}
	follow_stack(NULL, NULL);
}

/* All goes; who holds a view of it goes on reading. */
static void start_anew(void)
{
	staging_view_release(&view);
	staging_discard(&staging);
	forget_removed();
	for (size_t i = 0; i < held_count; i++)
		check_view(&held[i].view, &held[i].image, &held[i].base);
	while (held_count)
		drop_held(0);
	ck_assert_uint_eq(kept_count, 0);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
	moment_count = 0;
}

START_TEST(random_steps_match_arrays)
{
	size_t highest = 0;

	begin(seed_below(2) ? seed_below(IMAGE_MOST) : 0);
	for (int count = 0; count < STEPS; count++) {
		if (seed_below(400) == 0) {
			start_anew();
			begin(seed_below(IMAGE_MOST));
		}
		step();
		check_all(count);
		if (staging.count > highest)
			highest = staging.count;
	}
	/* Or the steps would not be what they should be. */
	ck_assert_uint_ge(highest, 4);
	start_anew();
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("random");

	seed_start();
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, staged_open, staged_close);
	tcase_add_test(tests, random_steps_match_arrays);
	return unit_run("mount staging random", tests);
}
