/* SPDX-License-Identifier: MIT */
/*
 * Data files that nobody needs once the journal is durable up to where it
 * says so.  Any thread may call.
 */
#ifndef STOREFS_MOUNT_GRAVEYARD_H
#define STOREFS_MOUNT_GRAVEYARD_H

#include <stdatomic.h>

#include "mount/journal.h"
#include "mount/layer.h"
#include "src/base/sync.h"

struct grave;

struct graveyard {
	struct journal *journal;   /* borrowed */
	struct staging_area *area; /* of the data files; borrowed */
	_Atomic bool shut;	   /* nothing is removed any more */
	struct lock lock;
	struct grave *graves; /* protected by `lock` */
};

void graveyard_init(struct graveyard *graveyard, struct journal *journal,
		    struct staging_area *area);
/* What is left stays on the disk, for the next run to remove. */
void graveyard_release(struct graveyard *graveyard);
/*
 * data-NUMBER, whose end has been appended to the journal by now; a
 * staging_bury_fn.
 */
bool graveyard_bury(void *arg, uint64_t number, uint64_t bytes);
/*
 * The journal could not be told of an end: from now on all files are left
 * for the next run.
 */
void graveyard_shut(struct graveyard *graveyard);
/*
 * Only these numbers, ascending, are known to be given up: the others' files
 * stay, for the next run to see whose they are.
 */
void graveyard_spare(struct graveyard *graveyard, const uint64_t *numbers,
		     size_t count);
/* Remove the files whose end is durable; true: none is left. */
bool graveyard_empty(struct graveyard *graveyard);

#endif
