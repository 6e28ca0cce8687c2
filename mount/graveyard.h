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
/*
 * Only these numbers, ascending, are known to be given up, and those whose end
 * is still owed: the others' files stay, for the next run to see whose they
 * are.
 */
void graveyard_spare(struct graveyard *graveyard, const uint64_t *numbers,
		     size_t count);
/* Remove the files whose end is durable; true: none is left. */
bool graveyard_empty(struct graveyard *graveyard);

#endif
