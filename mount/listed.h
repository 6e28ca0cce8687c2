/* SPDX-License-Identifier: MIT */
/*
 * What listings have told lately, of stores whose listings do not tell all
 * there is to know of a file.
 *
 * A listing shows names, sizes and versions; attributes cost a request for
 * each file. Of a file whose version and time of storing are those that memory
 * has seen, memory knows the attributes. Who looks at one name after the other,
 * as `ls -l` does, has the rest asked for ahead, many at once.
 *
 * Bounded: the newest few pages. Thread-safe; its lock is of rank 7.
 */
#ifndef STOREFS_MOUNT_LISTED_H
#define STOREFS_MOUNT_LISTED_H

#include "mount/op.h"

struct listed;

/* NULL: no memory. Threads exist from the first question ahead. */
struct listed *listed_new(struct fs *fs);
/* Cancels what is asked ahead. NULL is fine, here and below. */
void listed_stop(struct listed *listed);
void listed_free(struct listed *listed);

/*
 * A page of `folder` was asked for at `asked_ns`. Complete entries are not
 * kept: they are told where they are listed.
 */
void listed_note(struct listed *listed, struct node *folder,
		 const struct store_page *page, int64_t asked_ns);

/*
 * Does memory know the attributes of what a listing shows? Then its node is as
 * good as looked at when the page was asked for.
 */
struct node *listed_known(struct fs *fs, struct node *folder, const char *name,
			  const struct store_info *shown, int64_t asked_ns)
	REQUIRES(fs->tree.lock);

/*
 * The entry of a name below `folder` if memory knows it and a listing lately
 * confirmed it. No call of the store.
 */
bool listed_lookup(struct op *op, struct node *folder, const char *name,
		   struct fuse_entry_param *entry);
/* Has a listing lately shown the name below `folder`? */
bool listed_shows(struct listed *listed, const struct node *folder,
		  const char *name);
/*
 * store_stat() of `key`, the name below `folder`, for less when a listing has
 * shown it. op->started_ns becomes the time of the question. The caller has a
 * pass on the folder.
 */
int listed_stat(struct op *op, struct node *folder, const char *name,
		const char *key, struct store_info *info) STORE_WARN_UNUSED;

#endif
