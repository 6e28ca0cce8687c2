/* SPDX-License-Identifier: MIT */
/*
 * Which close publishes: who else holds a descriptor of a file.
 *
 * The kernel sends a FLUSH for every close() of every duplicate, and does
 * not say whether others are left.  /proc does: a descriptor's fdinfo names
 * inode and mount.  A process that inherited the descriptor is younger than
 * the open, so only process ids given out since then are looked at.
 */
#ifndef STOREFS_MOUNT_HOLDERS_H
#define STOREFS_MOUNT_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum closing {
	CLOSING_PUBLISH, /* nobody else goes on writing */
	CLOSING_KEEP,	 /* somebody does; publish at a later close */
	CLOSING_KILLED,	 /* the process dies by a signal */
	CLOSING_UNKNOWN, /* the processes cannot be seen from here */
};

struct holders_question {
	ino_t ino;     /* st_ino of the file */
	dev_t device;  /* st_dev of the mount */
	pid_t opener;  /* thread group that opened it, 0 unknown */
	pid_t newest;  /* holders_newest() at that time */
	pid_t closer;  /* thread that closes, 0 unknown */
	bool thorough; /* look at every process and at descriptors in flight */
};

/* The thread group of a thread, 0 when unknown. */
pid_t holders_group(pid_t thread);
/* The last process id that was given out, 0 when unknown. */
pid_t holders_newest(void);
/* Can processes be seen in /proc at all? */
bool holders_usable(void);
enum closing holders_ask(const struct holders_question *question);

#endif
