/* SPDX-License-Identifier: MIT */
/*
 * A world of a duel: the store and both mounts as they may be, and what a put
 * does in it.  Between duel_world.c (worlds, sets of them, what happens by
 * itself) and duel_model.c (steps and their answers).
 */
#ifndef STOREFS_TESTS_MOUNT_DUEL_WORLD_H
#define STOREFS_TESTS_MOUNT_DUEL_WORLD_H

#include "tests/mount/duel.h"

enum { HISTORY = 24, WORLDS_MAX = 4096, NOTHING = -1 };

enum state {
	CLEAN,	 /* nothing staged */
	OPEN,	 /* staged, not acknowledged */
	PENDING, /* acknowledged, or sent and not answered */
	FAILED,	 /* somebody else's version is in the store */
};

/* The file in one mount. */
struct local {
	int16_t state;
	bool told;	 /* of FAILED, or of an attempt without an answer */
	bool changed;	 /* since `acked` */
	bool partial;	 /* over bytes of the base that nobody read */
	bool whole;	 /* nothing of the base is left in it */
	bool linked;	 /* the open descriptor is of the file by its name */
	uint16_t last;	 /* token that was written to it */
	int16_t base;	 /* in the history; NOTHING: there was no file */
	int16_t arrived; /* a put without an answer made this version */
	struct content seen, acked;
	struct content temporary;
};

struct world {
	int16_t count; /* versions so far, the last is in the store */
	int16_t beside_count;
	bool by_content; /* what has the same bytes is the same version */
	struct content history[HISTORY];
	struct content beside[HISTORY];
	struct local local[SIDES];
};

struct worlds {
	const struct duel *duel;
	size_t count, room;
	struct world *all; /* owned */
	bool impossible;   /* the last answer is in none of them */
};

/* Once each. */
void worlds_add(struct worlds *worlds, const struct world *world);
/* `by` is the set now; where it is empty the last answer cannot be. */
void worlds_replace(struct worlds *worlds, struct worlds *by);
/* Add all that uploads can have made of it by now. */
void worlds_let_upload(struct worlds *worlds);

/* What the store has. */
const struct content *world_present(const struct world *world);
void world_store(struct world *world, const struct content *content);
bool local_base_is_present(const struct world *world,
			   const struct local *local);
/* A put on condition of the base: does it take place? */
bool world_put(const struct duel *duel, struct world *world,
	       struct local *local, const struct content *content);
void world_put_beside(struct world *world, const struct content *content);
/* Nothing is staged. */
void local_clean(struct local *local);
/* Is that what is exported: all of it, or (raw) what was written? */
bool local_export_is(const struct local *local, bool raw,
		     const struct content *got);

#endif
