// SPDX-License-Identifier: MIT
/*
 * Removal of data files; see graveyard.h.  Called by layer.c (burying) and
 * commit.c.
 */
#include "config.h"

#include "mount/graveyard.h"

#include <stdlib.h>

#include "src/base/step.h"

struct grave {
	struct grave *next;
	uint64_t number;
	uint64_t position;
	uint64_t bytes;
};

void graveyard_init(struct graveyard *graveyard, struct journal *journal,
		    struct staging_area *area)
{
	graveyard->journal = journal;
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

void graveyard_shut(struct graveyard *graveyard)
{
	atomic_store(&graveyard->shut, true);
}

bool graveyard_bury(void *arg, uint64_t number, uint64_t bytes)
{
	struct graveyard *graveyard = arg;
	struct grave *grave;

	if (atomic_load(&graveyard->shut))
		return false;
	/* Without memory for it the next run removes the file. */
	grave = malloc(sizeof(*grave));
	if (!grave)
		return false;
	grave->number = number;
	grave->bytes = bytes;
	grave->position = journal_position(graveyard->journal);
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

void graveyard_spare(struct graveyard *graveyard, const uint64_t *numbers,
		     size_t count)
{
	struct grave **link = &graveyard->graves;

	lock_take(&graveyard->lock);
	while (*link) {
		struct grave *grave = *link;

		if (count && bsearch(&grave->number, numbers, count,
				     sizeof(*numbers), compare_numbers)) {
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

		if (!journal_is_durable(graveyard->journal, grave->position)) {
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
