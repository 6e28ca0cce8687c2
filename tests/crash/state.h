/* SPDX-License-Identifier: MIT */
/*
 * What stands in a tree, as a list of names, and what one operation changes
 * of it.  The workload keeps such a list of what it did; the checker makes
 * one from the manifest and one from the tree it finds.
 *
 * Names are paths below the root of the tree, without blanks.
 */
#ifndef STOREFS_TESTS_CRASH_STATE_H
#define STOREFS_TESTS_CRASH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATE_NAME = 64 };

struct item {
	char name[STATE_NAME];
	char type;		 /* f, d or l */
	unsigned int mode;	 /* permission bits; 0 for a symlink */
	uint64_t size;		 /* of a file, else 0 */
	uint64_t sum;		 /* of a file, else 0 */
	char target[STATE_NAME]; /* of a symlink, else "-" */
	unsigned char *data; /* of a file in the workload; owned by the state */
};

struct state {
	struct item *items; /* in no order */
	size_t count;
};

enum effect_kind {
	EFFECT_PUT,  /* `item` is there now, instead of what had its name */
	EFFECT_GONE, /* item.name is not there any more */
	EFFECT_MOVE, /* item.name and all below it is item.target now */
};

struct effect {
	enum effect_kind kind;
	struct item item; /* its data goes over to the state */
};

void state_release(struct state *state);
/* NULL: not there.  Valid until the next change. */
struct item *state_find(const struct state *state, const char *name);
void state_apply(struct state *state, const struct effect *effect);
/* Without the data. */
void state_copy(struct state *to, const struct state *from);
/* The items whose names begin with `letter`; without the data. */
void state_copy_of(struct state *to, const struct state *from, char letter);
/* All but the data. */
bool item_equal(const struct item *a, const struct item *b);
bool state_equal(const struct state *a, const struct state *b);

/* FNV-1a; begin with SUM_START. */
#define SUM_START UINT64_C(0xcbf29ce484222325)
uint64_t sum_add(uint64_t sum, const void *data, size_t length);

#endif
