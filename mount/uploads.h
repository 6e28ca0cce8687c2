/* SPDX-License-Identifier: MIT */
/*
 * Uploads that outlive a put: what the store has of a file before all of it is
 * there.  Each has a record in the journal from before it is begun until it is
 * the file, or was removed; the order of the steps is in doc/journal.md.
 *
 *	upload_for()		a put takes the file's upload, or a new one
 *	upload->resume		goes along with it
 *	upload_put_ended()	it stays for the next put, or ends
 *
 * One nobody can use any more (the file was removed, renamed, replaced,
 * discarded, or cannot be stored) is removed from the store by a thread of
 * this module, as often as it takes; what remains at the end of a run is for
 * the next one.
 *
 * Any thread may call, also with a file's lock; the store is called without
 * locks.
 */
#ifndef STOREFS_MOUNT_UPLOADS_H
#define STOREFS_MOUNT_UPLOADS_H

#include "mount/fs.h"
#include "mount/record.h"

struct upload {
	struct store_resume resume; /* first: the store hands it back */
	struct fs *fs;
	struct upload *next; /* protected by the lock of struct uploads */
	uint64_t id;	     /* of its record, 0: it has none */
	uint64_t file;	     /* of the file's record, 0: it has none */
	char key[];
};

/* Without STORE_CAP_RESUME nothing is started. */
int uploads_start(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;
/*
 * Remove what is of no use, as long as the store answers; the rest, and what
 * may go on, stays in the journal.
 */
void uploads_stop(struct fs *fs);

/* Recovery: what an earlier run has left; files claim theirs. */
int uploads_found(struct fs *fs, const struct record_upload *records,
		  size_t count, struct store_error *error) STORE_WARN_UNUSED;
/* That of the file with this id and key; NULL: it has none. */
struct upload *uploads_claim(struct fs *fs, uint64_t file, const char *key);
/* Nobody will claim what is left. */
void uploads_claimed(struct fs *fs);

/*
 * For a put of `size` bytes to this key: `have` if it is of that key (else it
 * is dropped), or a new one.  NULL: the store has no use for one, or there is
 * no memory.
 */
struct upload *upload_for(struct fs *fs, struct upload *have, const char *key,
			  uint64_t file, uint64_t size);
/*
 * What a put that ended with `code` leaves for the next one, NULL: nothing.
 * NULL is fine.
 */
struct upload *upload_put_ended(struct upload *upload, int code)
	STORE_WARN_UNUSED;
/* It is of no use any more.  NULL is fine. */
void upload_drop(struct upload *upload);
/* The same for this run only: its record stays.  NULL is fine. */
void upload_leave(struct upload *upload);

#endif
