/* SPDX-License-Identifier: MIT */
/*
 * What the files of the local backend share: the instance and its options.
 * The story is told at the head of local.c.
 *
 * Lock ranks, taken downwards only: folder flock > file flock >
 * `struct local`.lock.  None is held while another thread is waited for;
 * flocks are tried and slept for, never blocked on.
 */
#ifndef STOREFS_BACKENDS_LOCAL_LOCAL_H
#define STOREFS_BACKENDS_LOCAL_LOCAL_H

#include <stdatomic.h>

#include "src/backend.h"
#include "src/base/sync.h"

/* Names that start so are ours: refused as keys, hidden from listings. */
#define LOCAL_HIDDEN_PREFIX ".storefs-tmp."
/* Extended attributes that start so are ours and hidden. */
#define LOCAL_XATTR_PREFIX "user.storefs."

enum {
	LOCAL_CHUNK =
		1 << 20, /* bytes moved between two looks at the context */
	LOCAL_PARKED_MAX = 16,	/* listings kept open between two pages */
	LOCAL_READER_ROWS = 64, /* of the table of open readers */
};

struct local_reader;
struct local_scan;

struct local {
	/* immutable after configure */
	char *root;	 /* as configured: absolute, no '/' at its end */
	bool sync_data;	 /* fsync at all */
	bool sync_names; /* fsync folders after every change of a name */
	bool portable;	 /* do without what some systems lack */

	/* immutable after open */
	char *real_root; /* without symlinks, NULL when it was missing */
	bool has_openat2;

	/*
	 * Descriptor of the root, -1 while it is missing.  Once it has a
	 * number it keeps it: a root that was made anew is dup'ed over it.
	 */
	atomic_int root_fd;
	atomic_uint root_device; /* folded, see node.c */
	atomic_bool lacks_tmpfile;
	atomic_bool lacks_xattrs;
	atomic_bool lacks_locks;
	atomic_bool lacks_getxattrat;
	atomic_uint name_counter;

	struct lock lock;
	/* protected by lock */
	struct local_reader *readers[LOCAL_READER_ROWS];
	struct local_scan *parked[LOCAL_PARKED_MAX];
};

#endif
