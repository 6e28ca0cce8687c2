/* SPDX-License-Identifier: MIT */
/*
 * Data files that nobody needs once the journal is durable up to where it
 * says so.  Any thread may call.
 */
#ifndef STOREFS_MOUNT_GRAVEYARD_H
#define STOREFS_MOUNT_GRAVEYARD_H

#include <stdatomic.h>

#include "mount/debts.h"
#include "mount/layer.h"
#include "src/base/sync.h"

struct grave;

struct graveyard {
	struct debts *debts;	   /* of the journal; borrowed */
	struct staging_area *area; /* of the data files; borrowed */
	struct lock lock;
	struct grave *graves; /* protected by `lock` */
};

void graveyard_init(struct graveyard *graveyard, struct debts *debts,
		    struct staging_area *area);
/* What is left stays on the disk, for the next run to remove. */
void graveyard_release(struct graveyard *graveyard);
/*
 * data-NUMBER, whose end has been appended to the journal by now, or is owed
 * to it; a staging_bury_fn.
 */
bool graveyard_bury(void *arg, uint64_t number, uint64_t bytes);
/* What a journal told when it was read. */
struct graveyard_told {
	uint64_t position;	 /* of its last frame */
	uint64_t paid;		 /* of the debts, by then */
	const uint64_t *numbers; /* that are given up, ascending; borrowed */
	size_t count;
};

/*
 * It has told the end of these numbers only: the files of others stay, for the
 * next run to see whose they are, but for those whose end it was told later or
 * is still owed.
 */
void graveyard_spare(struct graveyard *graveyard,
		     const struct graveyard_told *told);
/* Remove the files whose end is durable; true: none is left. */
bool graveyard_empty(struct graveyard *graveyard);

#endif
