/* SPDX-License-Identifier: MIT */
/*
 * Ending what is pending because somebody says so: giving it up, or storing
 * it now.  Any thread may call; these block on the store.
 */
#ifndef STOREFS_MOUNT_SETTLE_H
#define STOREFS_MOUNT_SETTLE_H

#include "mount/inventory.h"

/*
 * The bytes are given up, durably; a mount shows what the store has.  Needs
 * the journal's writer for what has a record.  LOCKED while a program writes
 * it or an attempt to store it does not end.
 */
int settle_discard(struct fs *fs, struct inventory_item *item,
		   struct store_cancel *cancel, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * Have the journal tell of the present bytes of a file that could not be
 * stored: the record of a failed attempt follows the error it gives to
 * close().  *noted: there is a new one.
 */
int settle_note(struct file *file, bool *noted, struct store_error *error)
	STORE_WARN_UNUSED;

struct settle_retry {
	struct inventory *inventory;
	struct inventory_item *item;
	bool force; /* replace whatever the store has */
	struct store_cancel *cancel;
};
/*
 * Begin in one of the publisher's threads what settle_retry() then waits
 * for; so many files go at the same time.
 */
void settle_queue(struct fs *fs, const struct settle_retry *retry);
/*
 * Store it now and wait for the outcome, also while uploads are paused.
 * Needs a publisher.  What was never acknowledged is stored by force only.
 */
int settle_retry(struct fs *fs, const struct settle_retry *retry,
		 struct store_error *error) STORE_WARN_UNUSED;

#endif
