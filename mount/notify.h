/* SPDX-License-Identifier: MIT */
/*
 * Telling the service manager: the datagrams of sd_notify(3), where
 * $NOTIFY_SOCKET names a socket; else nothing happens.
 */
#ifndef STOREFS_MOUNT_NOTIFY_H
#define STOREFS_MOUNT_NOTIFY_H

#include "mount/fs.h"

struct notify;

/* The mount is usable.  Any thread. */
void notify_ready(void);
/* It ends, which may take so long. */
void notify_stopping(int64_t longest_ns);
/*
 * From now on tell how many files are not in the store; NULL when there is
 * nobody to tell, or no memory.
 */
struct notify *notify_start(struct fs *fs);
/* NULL is fine. */
void notify_stop(struct notify *notify);

#endif
