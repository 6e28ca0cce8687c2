// SPDX-License-Identifier: MIT
/*
 * Worlds and sets of them; see duel_world.h.  Called by duel_model.c and
 * duel.c.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mount/duel_world.h"

/* ---- sets of worlds ---- */

void worlds_add(struct worlds *worlds, const struct world *world)
{
	for (size_t i = 0; i < worlds->count; i++)
		if (!memcmp(&worlds->all[i], world, sizeof(*world)))
			return;
	if (worlds->count == WORLDS_MAX)
		duel_trouble("too many worlds");
	if (worlds->count == worlds->room) {
		worlds->room = worlds->room ? 2 * worlds->room : 8;
		worlds->all = realloc(worlds->all,
				      worlds->room * sizeof(*worlds->all));
		if (!worlds->all)
			duel_trouble("no memory");
	}
	worlds->all[worlds->count++] = *world;
}

struct worlds *worlds_new(const struct duel *duel,
			  const struct content *initial)
{
	struct worlds *worlds = calloc(1, sizeof(*worlds));
	struct world world;

	if (!worlds)
		duel_trouble("no memory");
	memset(&world, 0, sizeof(world));
	worlds->duel = duel;
	world.count = 1;
	world.by_content = duel->by_content;
	world.history[0] = *initial;
	for (int i = 0; i < SIDES; i++)
		world.local[i].arrived = NOTHING;
	worlds_add(worlds, &world);
	return worlds;
}

void worlds_free(struct worlds *worlds)
{
	if (!worlds)
		return;
	free(worlds->all);
	free(worlds);
}

size_t worlds_count(const struct worlds *worlds)
{
	return worlds->impossible ? 0 : worlds->count;
}

/* ---- one world ---- */

const struct content *world_present(const struct world *world)
{
	return &world->history[world->count - 1];
}

void world_store(struct world *world, const struct content *content)
{
	if (world->count == HISTORY)
		duel_trouble("too many versions");
	world->history[world->count++] = *content;
}

void local_clean(struct local *local)
{
	local->state = CLEAN;
	local->told = local->changed = local->partial = local->whole = false;
	local->arrived = NOTHING;
	local->last = 0;
	memset(&local->acked, 0, sizeof(local->acked));
}

bool local_base_is_present(const struct world *world, const struct local *local)
{
	if (local->base == NOTHING)
		return world_present(world)->count == ABSENT;
	if (world->by_content && world_present(world)->count != ABSENT &&
	    content_equal(&world->history[local->base], world_present(world)))
		return true;
	return local->base == world->count - 1;
}

/* What a put on condition of the base does, and settles. */
bool world_put(const struct duel *duel, struct world *world,
	       struct local *local, const struct content *content)
{
	if (local->arrived != NOTHING && local->arrived == world->count - 1) {
		local->base = local->arrived;
		local->arrived = NOTHING;
		if (content_equal(content, world_present(world)))
			return true;
	}
	if (!local_base_is_present(world, local) &&
	    duel->conflict != CONFLICT_OVERWRITE)
		return false;
	world_store(world, content);
	local->base = (int16_t)(world->count - 1);
	return true;
}

void world_put_beside(struct world *world, const struct content *content)
{
	if (world->beside_count == HISTORY)
		duel_trouble("too many versions beside");
	world->beside[world->beside_count++] = *content;
}

/* ---- what happens by itself ---- */

/* The next upload of a side. */
static void upload(const struct worlds *from, const struct world *before,
		   int side, struct worlds *to)
{
	struct world world = *before;
	struct local *local = &world.local[side];
	struct content content = local->acked;

	/* Bytes of the base that nobody read cannot go anywhere. */
	if (local->partial && from->duel->conflict != CONFLICT_FAIL &&
	    !local_base_is_present(&world, local)) {
		local->state = FAILED;
		worlds_add(to, &world);
		world = *before;
	}
	if (world_put(from->duel, &world, local, &content)) {
		if (from->duel->answers_get_lost && local->arrived == NOTHING &&
		    before->count != world.count) {
			struct world lost = world;

			lost.local[side].base = before->local[side].base;
			lost.local[side].arrived = (int16_t)(world.count - 1);
			lost.local[side].told &= before->local[side].told;
			worlds_add(to, &lost);
		}
		if (!local->changed) {
			local_clean(local);
		} else {
			local->state = OPEN;
			local->arrived = NOTHING;
		}
		local->partial = true;
	} else if (from->duel->conflict == CONFLICT_RENAME) {
		world_put_beside(&world, &content);
		if (!local->changed)
			local_clean(local);
		else
			local->state = OPEN;
	} else {
		local->state = FAILED;
	}
	worlds_add(to, &world);
}

/* All that uploads can have made of it by now. */
void worlds_let_upload(struct worlds *worlds)
{
	for (size_t i = 0; i < worlds->count; i++)
		for (int side = 0; side < SIDES; side++)
			if (worlds->all[i].local[side].state == PENDING) {
				struct world world = worlds->all[i];

				upload(worlds, &world, side, worlds);
			}
}

void worlds_replace(struct worlds *worlds, struct worlds *by)
{
	if (!by->count) {
		worlds->impossible = true;
		free(by->all);
		return;
	}
	free(worlds->all);
	worlds->all = by->all;
	worlds->count = by->count;
	worlds->room = by->room;
}

/* Whole, or without what it left to a base that nobody read. */
bool local_export_is(const struct local *local, bool raw,
		     const struct content *got)
{
	const struct content *whole = &local->acked;

	if (!raw)
		return content_equal(got, whole);
	if (!local->partial || got->count != whole->count)
		return false;
	for (int i = 0; i < got->count; i++)
		if (got->slots[i] != whole->slots[i] &&
		    (got->slots[i] || whole->slots[i] == local->last))
			return false;
	return true;
}

/* ---- the end ---- */

/* Each of them once. */
static bool beside_is(const struct world *world, const struct ending *ending)
{
	bool taken[HISTORY] = { false };
	size_t found = 0;

	if ((size_t)world->beside_count != ending->beside_count)
		return false;
	for (size_t i = 0; i < ending->beside_count; i++)
		for (size_t j = 0; j < ending->beside_count; j++)
			if (!taken[j] && content_equal(&world->beside[i],
						       &ending->beside[j])) {
				taken[j] = true;
				found++;
				break;
			}
	return found == ending->beside_count;
}

static bool local_is(const struct local *local, const struct ending *ending,
		     int side)
{
	if (local->state == CLEAN)
		return !ending->lost[side];
	return local->state == FAILED && ending->lost[side] &&
	       local_export_is(local, ending->raw[side], &ending->staged[side]);
}

bool worlds_end(struct worlds *worlds, const struct ending *ending)
{
	for (size_t i = 0; i < worlds->count; i++) {
		const struct world *world = &worlds->all[i];
		bool same =
			content_equal(world_present(world), &ending->store) &&
			beside_is(world, ending);

		for (int side = 0; side < SIDES && same; side++)
			same = local_is(&world->local[side], ending, side);
		if (same)
			return true;
	}
	return false;
}

void worlds_print(const struct worlds *worlds)
{
	static const char *const states[] = { "clean", "open", "pending",
					      "failed" };

	for (size_t i = 0; i < worlds->count && i < 8; i++) {
		const struct world *world = &worlds->all[i];

		printf("  world %zu: store [%s]\n", i,
		       content_text(world_present(world)));
		for (int side = 0; side < SIDES; side++) {
			const struct local *local = &world->local[side];

			printf("    %c: %s%s, sees [%s], acknowledged [%s], "
			       "version %d of %d\n",
			       'A' + side, states[local->state],
			       local->told ? ", told" : "",
			       content_text(&local->seen),
			       content_text(&local->acked), local->base,
			       world->count - 1);
		}
		for (int j = 0; j < world->beside_count; j++)
			printf("    beside [%s]\n",
			       content_text(&world->beside[j]));
	}
}
