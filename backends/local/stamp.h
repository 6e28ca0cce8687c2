/* SPDX-License-Identifier: MIT */
/*
 * The id of a put, as an extended attribute that speaks of one content only.
 *
 * user.storefs.publish, integers little-endian:
 *	id	16 bytes of the caller's
 *	own	8, local_own_id() of the inode
 *	mtime	8, nanoseconds since 1970
 *	size	8
 *
 * It counts as long as the file is what the last three say.  Whoever writes
 * in place without knowing of it, or copies it along to another file (cp -a,
 * rsync -X), has ended it by that; moves, links, chmod and chown have not.  A
 * value of another length, as the id alone of earlier versions, is none.
 */
#ifndef STOREFS_BACKENDS_LOCAL_STAMP_H
#define STOREFS_BACKENDS_LOCAL_STAMP_H

#include "backends/local/node.h"
#include "backends/local/xattr.h"

#define LOCAL_XATTR_PUBLISH LOCAL_XATTR_PREFIX "publish"

/*
 * Set the id of the put on a file that looks like `st` and will keep size and
 * mtime; NULL: take away what is there.  -1 with errno.  A file whose
 * attributes leave no room goes without, and so does any file where there are
 * no attributes: an id that is missing costs its caller a question, a put
 * that fails all of the work.
 */
int local_stamp_set(const struct local *self, int fd,
		    const struct local_stat *st, const uint8_t *publish)
	STORE_WARN_UNUSED;
/*
 * Give `to`, which looks like `st`, the id that `from` was given, whatever
 * has been written to that since; or none.
 */
int local_stamp_carry(const struct local *self, int from, int to,
		      const struct local_stat *st) STORE_WARN_UNUSED;
/* The mtime was set, by us: an id that counted goes on doing so. */
void local_stamp_follow(const struct local *self, int fd,
			const struct local_stat *before,
			const struct local_stat *after);
/* The id, if there is one that counts; -1 with errno. */
int local_stamp_tell(const struct local *self, int fd,
		     const struct local_stat *st, struct store_details *details)
	STORE_WARN_UNUSED;

#endif
