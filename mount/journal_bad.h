/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a journal go that nobody could read: `journal.bad-N`,
 * one file for all that was found at one opening.  Private to
 * mount/journal*.c.
 *
 * For each damaged piece the file has a line "offset O length L\n", these L
 * bytes as they stood at O, and a newline.
 */
#ifndef STOREFS_MOUNT_JOURNAL_BAD_H
#define STOREFS_MOUNT_JOURNAL_BAD_H

#include "mount/journal_scan.h"

/* Keep all damage of the scan; durable when it returns STORE_OK. */
int journal_bad_keep(int dir_fd, struct journal_scan *scan,
		     struct store_error *error) STORE_WARN_UNUSED;
/* Files of that kind; *last (may be NULL) is the highest number. */
unsigned int journal_bad_count(int dir_fd, uint64_t *last);

#endif
