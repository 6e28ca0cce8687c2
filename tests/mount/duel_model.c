// SPDX-License-Identifier: MIT
/*
 * The model of a duel: which states of the store and of both mounts explain
 * every answer so far.  Called by duel.c.
 *
 * What is certain is one way only: a put takes place on condition of the
 * version that was opened.  When it takes place (commit=background), which of
 * two steps at once came first, whether an answer was lost, and which version
 * a mount took for the present one while it may believe what it knows: there
 * each possibility is a world of its own.  An answer that no world gives is a
 * finding.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mount/duel_world.h"

/* ---- steps ---- */

struct moment {
	const struct duel *duel;
	const struct step *step;
	const struct answer *answer;
	int side;
	bool racing; /* with a step of the other side */
	struct worlds *to;
};

static void keep(const struct moment *moment, const struct world *world)
{
	worlds_add(moment->to, world);
}

static void open_staged(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	int flags = moment->step->flags, error = moment->answer->error;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	bool untold = local->state == FAILED && !local->told;
	/* What its last close brought is refused behind its back. */
	bool again = local->state == FAILED && moment->duel->background;

	local->linked = true;
	if (error == EEXIST && (flags & O_EXCL))
		keep(moment, &world);
	if (error == EIO && writes &&
	    (untold || again || moment->duel->answers_get_lost)) {
		local->told = true;
		keep(moment, &world);
	}
	if (error || (flags & O_EXCL) || (writes && untold))
		return;
	if (flags & O_TRUNC) {
		local->seen = (struct content){ .count = 0 };
		local->changed = local->whole = true;
		if (local->state == CLEAN)
			local->state = OPEN;
	}
	keep(moment, &world);
}

/* As if the version of this number, in the history, were the present one. */
static void open_version(const struct moment *moment, struct world world,
			 int number)
{
	struct local *local = &world.local[moment->side];
	const struct content *content = &world.history[number];
	int flags = moment->step->flags, error = moment->answer->error;
	bool reserves = moment->duel->exclusive_open && (flags & O_EXCL);
	bool exists = content->count != ABSENT;
	int wanted = 0;

	if (!exists && !(flags & O_CREAT))
		wanted = ENOENT;
	if (exists && (flags & O_EXCL))
		wanted = EEXIST;
	if (error != wanted)
		return;
	local->linked = true;
	if (error) {
		keep(moment, &world);
		return;
	}
	local_clean(local);
	local->base = exists ? (int16_t)number : NOTHING;
	local->seen = *content;
	if (!exists && reserves) {
		if (world_present(&world)->count != ABSENT)
			return;
		local->seen = (struct content){ .count = 0 };
		world_store(&world, &local->seen);
		local->base = (int16_t)(world.count - 1);
	} else if (!exists || (flags & O_TRUNC)) {
		local->seen = (struct content){ .count = 0 };
		local->state = OPEN;
		local->changed = local->whole = true;
	}
	keep(moment, &world);
}

static void step_open(const struct moment *moment, const struct world *world)
{
	const struct local *local = &world->local[moment->side];
	int first = moment->duel->fresh ? world->count - 1 : 0;
	bool reserves =
		moment->duel->exclusive_open && (moment->step->flags & O_EXCL);

	/* The kernel looks the name up, and opens what it found. */
	if (moment->answer->error == ESTALE && moment->racing)
		keep(moment, world);
	if (local->state != CLEAN) {
		open_staged(moment, *world);
		return;
	}
	for (int i = first; i < world->count; i++)
		open_version(moment, *world, i);
	/* Found missing, and there when it was to be taken. */
	if (reserves && moment->answer->error == EEXIST &&
	    world_present(world)->count != ABSENT)
		keep(moment, world);
}

static void step_make(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];

	if (moment->answer->error)
		return;
	local->temporary = (struct content){ .count = 0 };
	local->linked = false;
	keep(moment, &world);
}

static void step_read(const struct moment *moment, const struct world *world)
{
	const struct local *local = &world->local[moment->side];
	const struct content *got = &moment->answer->got;
	int at = moment->step->at, end = local->seen.count;

	if (moment->answer->error) {
		/* Not kept for whoever had not read it. */
		if (moment->answer->error == ESTALE &&
		    (local->state == CLEAN || local->partial) &&
		    !local_base_is_present(world, local))
			keep(moment, world);
		return;
	}
	if (!at && end > SPLIT)
		end = SPLIT;
	if (got->count != (end > at ? end - at : 0))
		return;
	for (int i = 0; i < got->count; i++)
		if (got->slots[i] != local->seen.slots[at + i])
			return;
	keep(moment, world);
}

static void grow(struct content *content, int count)
{
	if (count > SLOTS)
		duel_trouble("too many slots");
	if (content->count < count)
		content->count = (int16_t)count;
}

static void step_change(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	int at = moment->answer->at;

	if (moment->answer->error)
		return;
	if (!local->linked) {
		if (at == AT_END)
			at = local->temporary.count;
		grow(&local->temporary, at + 1);
		local->temporary.slots[at] = moment->step->token;
		keep(moment, &world);
		return;
	}
	if (moment->step->act == ACT_TRUNCATE) {
		for (int i = moment->step->at; i < local->seen.count; i++)
			local->seen.slots[i] = 0;
		local->seen.count = (int16_t)moment->step->at;
		local->whole |= !moment->step->at;
	} else {
		if (at == AT_END)
			at = local->seen.count;
		grow(&local->seen, at + 1);
		local->seen.slots[at] = moment->step->token;
		local->last = moment->step->token;
		local->partial |= moment->step->partial && !local->whole;
	}
	local->partial |= moment->duel->unpinned && !local->whole;
	local->changed = true;
	if (local->state == CLEAN)
		local->state = OPEN;
	keep(moment, &world);
}

/* ---- closing ---- */

static void acknowledge(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];

	if (moment->answer->error == ESTALE) {
		if (local->state != FAILED &&
		    (local_base_is_present(&world, local) ||
		     moment->duel->conflict != CONFLICT_FAIL))
			return;
		local->state = FAILED;
		local->told = true;
	} else if (moment->answer->error) {
		/* An earlier answer was lost; what is new goes all the same. */
		if (!moment->duel->answers_get_lost || local->state == OPEN)
			return;
		local->told = true;
		keep(moment, &world);
		local->state = PENDING;
	} else {
		local->told &= local->state == FAILED && !local->changed;
		local->state = PENDING;
	}
	local->acked = local->seen;
	local->changed = false;
	keep(moment, &world);
}

/* The store has taken it, and perhaps nobody heard of that. */
static void put_succeeded(const struct moment *moment, struct world world,
			  const struct world *before)
{
	struct local *local = &world.local[moment->side];
	bool in_doubt = moment->answer->error &&
			moment->answer->error != ESTALE &&
			moment->duel->answers_get_lost;

	if (!moment->answer->error) {
		local_clean(local);
		/* Replaced before it could be held for who goes on. */
		local->partial = moment->racing;
		keep(moment, &world);
	} else if (in_doubt) {
		local->base = before->local[moment->side].base;
		local->arrived = (int16_t)(world.count - 1);
		local->state = PENDING;
		local->told = true;
		local->acked = local->seen;
		local->changed = false;
		keep(moment, &world);
	}
}

static void put_failed(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	enum conflict conflict = moment->duel->conflict;

	if (!moment->answer->error && conflict == CONFLICT_RENAME) {
		world_put_beside(&world, &local->seen);
		local_clean(local);
	} else if (moment->answer->error != ESTALE ||
		   (conflict != CONFLICT_FAIL && !local->partial)) {
		return;
	} else {
		local->state = FAILED;
		local->told = true;
		local->acked = local->seen;
		local->changed = false;
	}
	keep(moment, &world);
}

static void step_finish(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	struct world before = world;

	/* Of a temporary file nobody else knows the name. */
	if (local->state == CLEAN || !local->linked) {
		if (!moment->answer->error)
			keep(moment, &world);
		return;
	}
	/* Reading only, over what waits or has failed. */
	if (!local->changed && !moment->answer->error && local->state != OPEN)
		keep(moment, &world);
	if (moment->duel->background) {
		acknowledge(moment, world);
		return;
	}
	if (!local_base_is_present(&world, local) && local->partial &&
	    moment->duel->conflict == CONFLICT_OVERWRITE)
		put_failed(moment, world);
	if (world_put(moment->duel, &world, local, &local->seen))
		put_succeeded(moment, world, &before);
	else
		put_failed(moment, world);
}

/* ---- names ---- */

/* Staged for a new file, and stored by nobody here: others' is not known. */
static bool is_unstored(const struct local *local)
{
	return local->state != CLEAN && local->base == NOTHING;
}

static void step_rename(const struct moment *moment, const struct world *before,
			bool open)
{
	struct world world = *before;
	struct local *local = &world.local[moment->side];
	struct content content = local->temporary;
	/* With its name taken in the store it is moved there. */
	bool moves = !open || moment->duel->exclusive_open;

	if (moment->answer->error) {
		if (moment->answer->error == ESTALE && moment->racing)
			keep(moment, before);
		return;
	}
	local->linked = true;
	if (moves) {
		local_clean(local);
		local->seen = content;
		world_store(&world, &content);
		local->base = (int16_t)(world.count - 1);
		keep(moment, &world);
	}
	if (moves && !moment->duel->background)
		return;
	world = *before;
	local = &world.local[moment->side];
	local_clean(local);
	local->linked = local->whole = true;
	local->state = open ? OPEN : PENDING;
	local->changed = open;
	local->seen = content;
	if (!open)
		local->acked = content;
	local->base = world_present(&world)->count == ABSENT
			      ? NOTHING
			      : (int16_t)(world.count - 1);
	keep(moment, &world);
	/* The kernel believes that there is no such file, and so do we. */
	if (!moment->duel->fresh || is_unstored(&before->local[moment->side])) {
		local->base = NOTHING;
		keep(moment, &world);
	}
}

static void step_unlink(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	const struct content none = { .count = ABSENT };
	bool exists = world_present(&world)->count != ABSENT;

	if (moment->answer->error == ENOENT) {
		if (!exists || moment->racing || !moment->duel->fresh)
			keep(moment, &world);
		return;
	}
	if (moment->answer->error)
		return;
	/* What others have made meanwhile stays. */
	if (is_unstored(local)) {
		struct world own = world;

		local_clean(&own.local[moment->side]);
		keep(moment, &own);
	}
	if (exists)
		world_store(&world, &none);
	else if (local->state == CLEAN)
		return;
	local_clean(local);
	keep(moment, &world);
}

/* ---- settling ---- */

static void step_export(const struct moment *moment, const struct world *world)
{
	const struct local *local = &world->local[moment->side];

	if (local->state != FAILED) {
		/* Told of an attempt that is repeated, and done by now. */
		if (moment->duel->answers_get_lost)
			keep(moment, world);
	} else if (!moment->answer->error &&
		   local_export_is(local, moment->answer->raw,
				   &moment->answer->got)) {
		keep(moment, world);
	}
}

static void step_settle(const struct moment *moment, struct world world)
{
	struct local *local = &world.local[moment->side];
	int status = moment->answer->error;

	if (local->state != FAILED) {
		if (status == EXIT_NOT_FOUND)
			keep(moment, &world);
		else if (!moment->duel->answers_get_lost)
			return;
	}
	if (status == EXIT_CHANGED && moment->step->act == ACT_FORCE)
		keep(moment, &world);
	if (status)
		return;
	if (moment->step->act == ACT_FORCE)
		world_store(&world, &local->seen);
	local_clean(local);
	keep(moment, &world);
}

/* ---- the set ---- */

static void step_world(const struct moment *moment, const struct world *world)
{
	switch (moment->step->act) {
	case ACT_OPEN:
		step_open(moment, world);
		return;
	case ACT_MAKE:
		step_make(moment, *world);
		return;
	case ACT_READ:
		step_read(moment, world);
		return;
	case ACT_WRITE:
	case ACT_TRUNCATE:
		step_change(moment, *world);
		return;
	case ACT_FSYNC:
	case ACT_CLOSE:
		step_finish(moment, *world);
		return;
	case ACT_RENAME:
		step_rename(moment, world, moment->step->at);
		return;
	case ACT_UNLINK:
		step_unlink(moment, *world);
		return;
	case ACT_EXPORT:
		step_export(moment, world);
		return;
	case ACT_DISCARD:
	case ACT_FORCE:
		step_settle(moment, *world);
		return;
	}
}

static void apply(struct worlds *worlds, const struct moment *moment,
		  const struct worlds *from)
{
	struct moment here = *moment;

	here.to = worlds;
	for (size_t i = 0; i < from->count; i++)
		step_world(&here, &from->all[i]);
	worlds_let_upload(worlds);
}

void worlds_step(struct worlds *worlds, int side, const struct step *step,
		 const struct answer *answer)
{
	struct worlds after = { .duel = worlds->duel };
	struct moment moment = { .duel = worlds->duel,
				 .step = step,
				 .answer = answer,
				 .side = side };

	apply(&after, &moment, worlds);
	worlds_replace(worlds, &after);
}

void worlds_race(struct worlds *worlds, const struct step steps[SIDES],
		 const struct answer answers[SIDES])
{
	struct worlds after = { .duel = worlds->duel };

	for (int first = 0; first < SIDES; first++) {
		struct worlds between = { .duel = worlds->duel };
		struct moment moment = { .duel = worlds->duel, .racing = true };

		for (int i = 0; i < SIDES; i++) {
			moment.side = i ? !first : first;
			moment.step = &steps[moment.side];
			moment.answer = &answers[moment.side];
			apply(i ? &after : &between, &moment,
			      i ? &between : worlds);
		}
		free(between.all);
	}
	worlds_replace(worlds, &after);
}
