// SPDX-License-Identifier: MIT
/*
 * What a side of a duel is going to do: one to three updates, each a program
 * as people write them.  Called by duel.c.
 */
#include "config.h"

#include <fcntl.h>

#include "tests/mount/duel.h"

struct planning {
	const struct duel *duel;
	struct plan *plan;
	struct prng *prng;
	uint16_t token; /* of the last write */
};

static struct step *add(struct planning *planning, enum act act)
{
	struct step *step = &planning->plan->steps[planning->plan->count++];

	*step = (struct step){ .act = act };
	return step;
}

static void add_open(struct planning *planning, enum act act, int flags)
{
	add(planning, act)->flags = flags;
}

static void add_write(struct planning *planning, int at, bool partial)
{
	struct step *step = add(planning, ACT_WRITE);

	step->at = at;
	step->token = ++planning->token;
	step->partial = partial;
}

static bool chance(struct planning *planning, unsigned int of)
{
	return !prng_below(planning->prng, of);
}

static void add_reads(struct planning *planning)
{
	add(planning, ACT_READ)->at = 0;
	add(planning, ACT_READ)->at = SPLIT;
}

static void add_close(struct planning *planning)
{
	if (chance(planning, 6))
		add(planning, ACT_FSYNC);
	add(planning, ACT_CLOSE)->last = true;
}

/* ---- the programs ---- */

/* Read, change, write, through one descriptor. */
static void change(struct planning *planning)
{
	int flags = chance(planning, 3) ? O_APPEND : 0;

	add_open(planning, ACT_OPEN, O_RDWR | flags);
	add_reads(planning);
	add_write(planning, flags || chance(planning, 2) ? AT_END : 0, false);
	if (chance(planning, 3))
		add(planning, ACT_FSYNC);
	if (chance(planning, 2))
		add_write(planning, flags ? AT_END : 1, false);
	add_close(planning);
}

/* Over and behind bytes that were not read. */
static void edit(struct planning *planning)
{
	bool append = chance(planning, 2);

	add_open(planning, ACT_OPEN, O_WRONLY | (append ? O_APPEND : 0));
	add_write(planning, append ? AT_END : 0, true);
	if (chance(planning, 3))
		add_write(planning, append ? AT_END : 1, true);
	add_close(planning);
}

static void truncate_and_write(struct planning *planning)
{
	if (chance(planning, 2)) {
		add_open(planning, ACT_OPEN,
			 O_WRONLY | O_TRUNC |
				 (chance(planning, 2) ? O_CREAT : 0));
	} else {
		add_open(planning, ACT_OPEN, O_RDWR);
		add_reads(planning);
		add(planning, ACT_TRUNCATE)->at = 0;
	}
	for (int at = (int)prng_below(planning->prng, 3); at >= 0; at--)
		add_write(planning, at, false);
	add_close(planning);
}

static void cut(struct planning *planning)
{
	add_open(planning, ACT_OPEN, O_RDWR);
	add_reads(planning);
	add(planning, ACT_TRUNCATE)->at = (int)prng_below(planning->prng, 2);
	add_close(planning);
}

/* Written elsewhere, then given the name; sometimes while it is open. */
static void save(struct planning *planning)
{
	add_open(planning, ACT_MAKE, O_WRONLY | O_CREAT | O_EXCL);
	add_write(planning, 0, false);
	if (chance(planning, 3)) {
		add(planning, ACT_RENAME)->at = 1;
		add_write(planning, 1, false);
		add(planning, ACT_CLOSE)->last = true;
		return;
	}
	/* In the background it may be stored, and moved before what follows. */
	if (!planning->duel->background && chance(planning, 2))
		add(planning, ACT_FSYNC);
	add_write(planning, 1, false);
	add(planning, ACT_CLOSE);
	add(planning, ACT_RENAME)->last = true;
}

static void create(struct planning *planning)
{
	int flags = chance(planning, 3) ? 0 : O_EXCL;

	add_open(planning, ACT_OPEN, O_WRONLY | O_CREAT | flags);
	add_write(planning, 0, true);
	add_close(planning);
}

static void look(struct planning *planning)
{
	add_open(planning, ACT_OPEN, O_RDONLY);
	add_reads(planning);
	add(planning, ACT_CLOSE)->last = true;
}

static void unlink_it(struct planning *planning)
{
	add(planning, ACT_UNLINK)->last = true;
}

void plan_make(struct plan *plan, const struct duel *duel, struct prng *prng,
	       int side, bool exists)
{
	static void (*const programs[])(struct planning *) = {
		change,
		change,
		change,
		truncate_and_write,
		truncate_and_write,
		edit,
		cut,
		save,
		save,
		create,
		look,
	};
	const size_t count = sizeof(programs) / sizeof(programs[0]);
	struct planning planning = { .duel = duel,
				     .plan = plan,
				     .prng = prng,
				     .token = (uint16_t)(100 + side * 100) };

	plan->count = 0;
	for (uint64_t i = 1 + prng_below(prng, 3); i; i--) {
		if (!exists && i > 1)
			create(&planning);
		else if (!duel->background && !duel->answers_get_lost &&
			 chance(&planning, 16))
			unlink_it(&planning);
		else
			programs[prng_below(prng, count)](&planning);
	}
}
