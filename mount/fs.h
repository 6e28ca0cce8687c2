/* SPDX-License-Identifier: MIT */
/*
 * One mounted store, and the map of the driver.
 *
 *	read   ops_file -> file -> staging, or src/store
 *	write  ops_file -> file -> staging ...close... publish -> src/store
 *	names  ops_name, ops_dir -> node (what the kernel knows) -> src/store
 *
 * Lock ranks, taken downwards only, at most one of a rank:
 *	1 struct dir.lock	a folder being listed
 *	2 struct file.lock	the bytes and the state of one open file
 *	3 struct publisher.lock	the queue of publishes
 *	4 struct gate.lock	who moves and who publishes
 *	4 struct relocations.lock	renames by copies; never with the gate's
 *	5 struct tree.lock	names and attributes
 *	6 struct fs_running.lock	requests that are being answered
 *	7 struct folders.lock	names that the store has not flushed
 *	7 struct events.lock	who follows what happens
 *	7 struct listed.lock	what listings have told lately
 *	7 struct missing.lock	names the kernel believes missing
 *	7 struct prefetcher.lock	who reads ahead
 *	7 struct blockcache.lock	bytes that were read
 * None is held across a store call, a FUSE reply or a notification, but for
 * the first: it belongs to one open descriptor, whose readers wait for each
 * other anyway.
 */
#ifndef STOREFS_MOUNT_FS_H
#define STOREFS_MOUNT_FS_H

#include <stdatomic.h>

#include "mount/blockcache.h"
#include "mount/gate.h"
#include "mount/node.h"
#include "mount/options.h"
#include "mount/staging.h"
#include <storefs/store.h>

struct fuse_session;
struct commit;
struct diskcache;
struct events;
struct listed;
struct missing;
struct prefetcher;
struct publisher;
struct relocations;
struct uploads;
struct ahead;

/* Files replaced lately that a process may be about to open. */
enum { FS_KEPT_FILES = 32 };

struct op;

/* Requests that are being answered. */
struct fs_running {
	struct lock lock;
	struct op *first; /* protected by `lock` */
	bool cancelled;	  /* the same */
};

struct fs_counters {
	_Atomic uint64_t open_files; /* handles */
	_Atomic uint64_t dirty_files;
	_Atomic uint64_t failed_files;
	_Atomic uint64_t unfinished; /* staged files kept for their owner */
	_Atomic uint64_t publishes;
};

struct fs {
	/* immutable while mounted */
	struct store *store;
	uint64_t capabilities;
	uint64_t max_size; /* of a file, 0: no limit */
	struct mount_options *options;
	struct staging_area *area;
	int staging_fd; /* the staging directory */
	struct fuse_session *session;
	struct publisher *publisher;
	struct blockcache *blocks;     /* NULL: the store is near */
	struct prefetcher *prefetcher; /* the same */
	struct diskcache *disk;	       /* NULL: nothing is kept on the disk */
	struct commit *commit;	       /* writer of the journal, NULL: none */
	/* Renames by copies; NULL: there are none. */
	struct relocations *relocations;
	struct ahead *ahead;	  /* NULL: nothing is sent ahead */
	struct uploads *uploads;  /* NULL: the store has no use for them */
	struct events *events;	  /* NULL: nobody can follow them */
	struct listed *listed;	  /* NULL: listings tell all, or are not kept */
	struct missing *missing;  /* names, NULL: they are not believed */
	const char *staging_path; /* its name; borrowed */
	char *control_path;	  /* of the control socket, NULL: none */
	char *source;		  /* as shown to people, masked */
	char *mountpoint;
	int64_t started_ns;
	dev_t device; /* st_dev of the mount */
	/* Triggered once the kernel has let go of the mount. */
	struct store_cancel *unmounted;
	int ready_fd;	  /* tells the waiting parent; -1 none */
	bool proc_usable; /* /proc shows the processes that use the mount */
	/* protected by the tree's lock: see file_keep_for_openers() */
	struct file *kept[FS_KEPT_FILES];
	unsigned int kept_next;
	/* When an open last found that its file had gone, CLOCK_MONOTONIC. */
	_Atomic int64_t missed_open_ns;
	/* What was learned before is asked for again, CLOCK_MONOTONIC. */
	_Atomic int64_t refreshed_ns;
	/*
	 * Grows before and after files get other names by copies, with the
	 * gate closed: what was looked at before is of the old names.
	 */
	atomic_uint switches;
	_Atomic bool paused; /* by publisher_pause() */
	/* with locks of their own */
	struct tree tree;
	struct gate gate;
	struct fs_running running;
	struct fs_counters counters;
};

static inline bool fs_can(const struct fs *fs, enum store_capability one)
{
	return fs->capabilities & one;
}

/* A buffer for content, from memory=; stores that are near need no budget. */
static inline int fs_buffer_take(const struct fs *fs, enum blockcache_use use,
				 uint64_t bytes,
				 const struct store_context *context,
				 struct store_error *error)
{
	return fs->blocks ? blockcache_reserve(fs->blocks, use, bytes, context,
					       error)
			  : STORE_OK;
}

static inline void fs_buffer_give(const struct fs *fs, enum blockcache_use use,
				  uint64_t bytes)
{
	if (fs->blocks)
		blockcache_release(fs->blocks, use, bytes);
}

#endif
