/* SPDX-License-Identifier: MIT */
/* Names that a listing has told, by their hashes.  One thread at a time. */
#ifndef STOREFS_SFTP_SEEN_H
#define STOREFS_SFTP_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct sftp_seen {
	uint64_t *hashes; /* open addressing, 0: free */
	size_t room;	  /* a power of 2, or 0 */
	size_t count;
};

/* 1: it is new; 0: it was told before; -1: no memory. */
int sftp_seen_add(struct sftp_seen *seen, uint64_t seed, const char *name);
void sftp_seen_release(struct sftp_seen *seen);

#endif
