/* SPDX-License-Identifier: MIT */
/*
 * Writing a file in place, for one with several links that have to go on
 * sharing it (and for one whose owner we may not give to a new file).
 *
 * Readers of the raw file may see a mixture; so this is not called atomic.
 * But a crash leaves no torn file:
 *
 *	1. the new version is whole in a temporary, with a trailer that names
 *	   its target and the id of the put as its extended attribute, and
 *	   fsynced;
 *	2. the temporary becomes a journal: it is linked into the root's
 *	   folder ".storefs-tmp.journal" (or beside the file, where that
 *	   cannot be), which is fsynced;
 *	3. metadata, bytes, then mtime, id and mode are copied over the target,
 *	   which is fsynced;
 *	4. the journal is removed, and with the last one its folder.
 *
 * The writer holds the flock of its target from before 2 to after 4, so a
 * journal whose target can be flocked was left behind.  Opening a store finds
 * the folder, if there is one, and finishes step 3; so does the next write
 * to that target.  A journal whose target cannot be found stays where it is.
 *
 * What a crash means to the id: before 2 is durable the target is untouched
 * and shows the id it had, and the put never arrived.  After that the put
 * counts, and whoever opens the store finds bytes and id complete.  Only a
 * journal that had to stand beside its file waits for the next write there or
 * the next listing of the folder: until then the target may be torn, with
 * none or the new id, as the disk may have got the attribute before the bytes.
 *
 * Trailer, at the end of the journal, integers little-endian:
 *	key			bytes of the target's key
 *	magic "storefsJ"	8 bytes
 *	target			8, local_own_id() of the inode
 *	size			8, of the content, which starts at 0
 *	mtime			8 seconds and 4 nanoseconds
 *	mask mode uid gid	4 each, attributes to set
 *	key length		4
 *	checksum		8, FNV-1a of all of it before
 */
#ifndef STOREFS_BACKENDS_LOCAL_JOURNAL_H
#define STOREFS_BACKENDS_LOCAL_JOURNAL_H

#include "backends/local/temporary.h"

struct local_stat;

struct local_in_place {
	const char *key;
	const struct local_place *place;
	struct local_temporary *temporary; /* holds the new version */
	uint64_t size;
	const struct backend_put_request *request;
};

/*
 * Copy the temporary over the target, which is open for writing and looks
 * like `old`.  The caller holds the flocks of folder and file.  A failure
 * before the journal stands leaves the file untouched; a later one leaves
 * the journal, to be finished at the next open.
 */
int local_write_in_place(struct local *self, struct store_context *context,
			 const struct local_in_place *job, int target,
			 const struct local_stat *old,
			 struct store_error *error) STORE_WARN_UNUSED;

/*
 * Finish what a crash left for this target, whose flock the caller holds:
 * else it would come over what the caller is going to write.
 */
void local_journal_settle(struct local *self, const struct local_place *place,
			  int target);
/* The journals a crash left in the root's folder, at open. */
void local_journal_recover_all(struct local *self);
bool local_journal_is_name(const char *name);
/* Finish one, unless its writer lives. */
void local_journal_recover(struct local *self, int dir, const char *name);

#endif
