// SPDX-License-Identifier: MIT
/*
 * Removal of data files; see graveyard.h.  Called by layer.c (burying) and
 * commit.c.
 */
#include "config.h"

#include "mount/graveyard.h"

#include <stdlib.h>

#include "src/base/step.h"

/* Its end is among what is owed. */
#define POSITION_OWED UINT64_MAX

struct grave {
	struct grave *next;
	uint64_t number;
	uint64_t position;
	uint64_t paid; /* of the debts, when it was made */
	uint64_t bytes;
};

void graveyard_init(struct graveyard *graveyard, struct debts *debts,
		    struct staging_area *area)
{
	graveyard->debts = debts;
	graveyard->area = area;
	graveyard->graves = NULL;
	lock_init(&graveyard->lock);
}

void graveyard_release(struct graveyard *graveyard)
{
	while (graveyard->graves) {
		struct grave *grave = graveyard->graves;

		graveyard->graves = grave->next;
		free(grave);
	}
	lock_destroy(&graveyard->lock);
}

/* Whatever has been said by now stands before it. */
static uint64_t position_now(const struct graveyard *graveyard)
{
	return atomic_load(&graveyard->debts->any)
		       ? POSITION_OWED
		       : journal_position(graveyard->debts->journal);
}

bool graveyard_bury(void *arg, uint64_t number, uint64_t bytes)
{
	struct graveyard *graveyard = arg;
	struct grave *grave;

	/* Without memory for it the next run removes the file. */
	grave = malloc(sizeof(*grave));
	if (!grave)
		return false;
	grave->number = number;
	grave->bytes = bytes;
	grave->paid = atomic_load(&graveyard->debts->paid);
	grave->position = position_now(graveyard);
	lock_take(&graveyard->lock);
	grave->next = graveyard->graves;
	graveyard->graves = grave;
	lock_drop(&graveyard->lock);
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Was its end there to be read?  Another thread may have paid it since. */
static bool has_been_told(const struct grave *grave,
			  const struct graveyard_told *told)
{
	return grave->position == POSITION_OWED
		       ? grave->paid != told->paid
		       : grave->position <= told->position;
}

static bool is_given_up(const struct grave *grave,
			const struct graveyard_told *told)
{
	return told->count &&
	       bsearch(&grave->number, told->numbers, told->count,
		       sizeof(*told->numbers), compare_numbers);
}

void graveyard_spare(struct graveyard *graveyard,
		     const struct graveyard_told *told)
{
	struct grave **link = &graveyard->graves;

	lock_take(&graveyard->lock);
	while (*link) {
		struct grave *grave = *link;

		if (!has_been_told(grave, told) || is_given_up(grave, told)) {
			link = &grave->next;
			continue;
		}
		*link = grave->next;
		free(grave);
		staging_area_leave_buried(graveyard->area);
	}
	lock_drop(&graveyard->lock);
}

/* Those that are due, taken off the list. */
static struct grave *take_due(struct graveyard *graveyard, bool *left)
{
	struct grave **link = &graveyard->graves, *due = NULL;

	lock_take(&graveyard->lock);
	while (*link) {
		struct grave *grave = *link;

		if (grave->position == POSITION_OWED)
			grave->position = position_now(graveyard);
		if (!journal_is_durable(graveyard->debts->journal,
					grave->position)) {
			link = &grave->next;
			continue;
		}
		*link = grave->next;
		grave->next = due;
		due = grave;
	}
	*left = graveyard->graves;
	lock_drop(&graveyard->lock);
	return due;
}

bool graveyard_empty(struct graveyard *graveyard)
{
	struct grave *due;
	bool left;

	due = take_due(graveyard, &left);
	while (due) {
		struct grave *grave = due;

		due = grave->next;
		STEP("commit: remove data");
		staging_area_remove(graveyard->area, grave->number);
		staging_area_unbury(graveyard->area, grave->bytes);
		free(grave);
	}
	return !left;
}
