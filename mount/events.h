/* SPDX-License-Identifier: MIT */
/*
 * What happens to files on their way to the store, told to whoever follows
 * it: one line of JSON per event.
 *
 *	{"event":"stored","key":KEY,"size":N,"pending":N}
 *	{"event":"failed",...,"code":NAME,"error":TEXT,"retries":BOOL}
 *	{"event":"conflict",...}	the same for another version in the store
 *	{"event":"discarded","key":KEY,"pending":N}
 *	{"event":"paused"}, {"event":"resumed"}
 *
 * `pending` is the number of files that are not in the store.  A bounded
 * number of lines is kept for who reads slowly; what is lost is counted.
 * Without readers an event costs nothing.  Any thread may call; the lock is
 * a leaf.
 */
#ifndef STOREFS_MOUNT_EVENTS_H
#define STOREFS_MOUNT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "mount/fs.h"
#include <storefs/error.h>

struct events;
struct events_reader;

int events_start(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;
/* Without readers.  fs->events is NULL afterwards. */
void events_stop(struct fs *fs);

/* Without fs->events these do nothing. */
void events_stored(struct fs *fs, const char *key, uint64_t size);
void events_failed(struct fs *fs, const char *key,
		   const struct store_error *failure);
void events_discarded(struct fs *fs, const char *key);
void events_paused(struct fs *fs, bool paused);

int events_follow(struct events *events, struct events_reader **reader,
		  struct store_error *error) STORE_WARN_UNUSED;
void events_leave(struct events_reader *reader);
/* Readable when there may be something to take. */
int events_fd(const struct events_reader *reader);
/*
 * The next line, malloc'd, NULL when there is none; *lost is the number of
 * events before it that were not kept.
 */
char *events_take(struct events_reader *reader, uint64_t *lost);

#endif
