/* SPDX-License-Identifier: MIT */
/*
 * A node that is open or has bytes the store has not: base version, staged
 * bytes, state of publishing, late errors.
 *
 * Life: file_get() makes it with the first user; it goes when nobody refers
 * to it.  Handles, running calls and dirty content are references.
 *
 *	base	the version in the store that a publish would replace
 *	dirty	there is something to publish: content, a new name, attributes
 *
 * While a file is dirty its node carries NODE_LOCAL: memory is right about
 * size, times and mode, and the store is not asked.
 */
#ifndef STOREFS_MOUNT_FILE_H
#define STOREFS_MOUNT_FILE_H

#include <sys/types.h>

#include "mount/op.h"
#include "mount/reader.h"
#include "mount/record.h"

/* What was sent and may have arrived though the store has not said so. */
struct file_unanswered {
	bool pending;
	bool partial; /* bytes written since were not part of it */
	/*
	 * Of the file and of its note, at that time.  Change 0: not known;
	 * SENT_SEVERAL: not all that went under this generation is as it is.
	 */
	uint64_t change, generation;
	/*
	 * All that may have arrived since the base, the newest first, for a
	 * store that keeps no publish id: also what is being sent now.
	 */
	struct record_sent sent[RECORD_SENT_MAX];
	size_t sent_count;
};
#define SENT_SEVERAL UINT64_MAX

/* What the staging journal knows of a file; see commit.h. */
struct file_note {
	uint64_t id;	       /* of its records, 0: there are none */
	uint64_t generation;   /* counts states that were acknowledged */
	uint64_t change;       /* of the file, that the last one covers */
	uint64_t top;	       /* the highest layer that a record names */
	uint64_t position;     /* of the last record */
	uint32_t attributes;   /* that it says are to be set */
	struct timespec mtime; /* that it tells */
	bool acknowledged;     /* a generation that the store has not */
	bool binding;	       /* some record of this id was acknowledged */
	bool busy;	       /* an acknowledgement is being made */
};

/* What goes to the store while it is written; see ahead.h. */
struct file_ahead {
	uint64_t front;	   /* all before it was written */
	uint64_t sent;	   /* where the next part begins */
	uint64_t asked;	   /* all before it was to be sent */
	int64_t since_ns;  /* when it was begun to be written, or 0 */
	unsigned int puts; /* that wait */
	bool begun;
	bool queued;
	bool sending;		     /* no put begins before it ends */
	int64_t moved_ns;	     /* when bytes of it went last */
	struct store_cancel *cancel; /* of what is sent; or NULL */
	bool off;
	struct file *next; /* in the queue; protected by its lock */
};

struct file_xattr {
	struct file_xattr *next;
	void *value;
	size_t size;
	char name[];
};

struct file {
	struct fs *fs;
	struct node *node;	 /* a reference */
	unsigned int references; /* protected by the tree's lock */
	struct lock lock;
	struct condition changed; /* an attempt to publish ended */
	/* protected by `lock` */
	unsigned int handles, writers;
	bool base_exists;
	bool base_goes; /* unless this mount has removed it already */
	struct store_version base;
	uint64_t epoch;		    /* counts changes of the base */
	struct base_reader *reader; /* of the base, NULL until needed */
	struct staging staging;
	bool dirty;
	bool created;	/* the name is not in the store yet */
	bool reserved;	/* only the name is, for exclusive=open */
	bool replacing; /* truncated or renamed over what others may read */
	struct node *replaced; /* by rename, with other names; a reference */
	bool written;	       /* bytes were written since it was last clean */
	/* Its writer was killed: never publish what is not acknowledged. */
	bool doomed;
	bool held;   /* can be read without its name, also unopened */
	bool beside; /* all of it is stored, under another name */
	struct file_ahead ahead;
	bool image;	     /* one is wanted while a program is writing */
	uint32_t attributes; /* STORE_ATTR_* set here, not in the store */
	struct file_xattr *xattrs; /* of a created or unlinked file */
	struct file_unanswered unanswered;
	/* What a put has left in the store, NULL: nothing; owned. */
	struct upload *upload;
	/*
	 * Names the puts of this file until one is confirmed: random, but for
	 * the last four bytes, which tell the generation.
	 */
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct file_note note;
	char name_hint[64]; /* for messages, once the name is gone */
	/* publishing */
	uint64_t change;	    /* counts changes */
	uint64_t running_change;    /* what the running attempt covers */
	uint64_t started, finished; /* attempts */
	/* Of the one that runs, NULL: it does not give way; borrowed. */
	struct store_cancel *give_way;
	bool gave_way;	      /* the last one did: another follows */
	bool queued;	      /* in the publisher's queue, */
	bool queued_by_time;  /* which only publish_interval asked for */
	bool detached_error;  /* an attempt failed and nobody was told */
	uint64_t told_change; /* whose failure somebody was told */
	unsigned int waiters;
	int last_code; /* of the last attempt */
	struct store_error last_error;
	bool force;		 /* the next put replaces whatever there is */
	unsigned int failures;	 /* in a row */
	int64_t retry_at_ns;	 /* 0: no retry is planned */
	int64_t interval_at_ns;	 /* an image is due, 0: with close() only */
	struct file *queue_next; /* protected by the publisher's lock */
	/* of dirty files; publisher's lock */
	struct file *all_next, **all_link;
	uint64_t all_number; /* higher than those listed before */
};

struct handle {
	struct file *file; /* a reference */
	int flags;	   /* of open(2) */
	bool writer;
	pid_t opener; /* thread group, 0 unknown */
	pid_t newest; /* last process id given out at open, 0 unknown */
	struct prefetch *ahead; /* NULL: nothing is read ahead */
};

/* The node's file, made if need be; a reference.  NULL: out of memory. */
struct file *file_get(struct fs *fs, struct node *node);
/* The same if there is one, else NULL. */
struct file *file_find(struct fs *fs, struct node *node);
void file_put(struct file *file);
void file_ref(struct file *file);

/*
 * Prepare an open: look at the store where memory is not sure, take the
 * version found as the base, and truncate with O_TRUNC.  CHANGED: another
 * file has the name now (the kernel looks up again).  *fresh: the kernel's
 * pages of this node may stay.
 */
int file_open(struct op *op, struct file *file, int flags, bool *fresh)
	STORE_WARN_UNUSED;
/* Read for a handle; *got is short only at the end of the file. */
int file_read(const struct handle *handle, struct store_context *context,
	      void *data, const struct store_range *range, size_t *got,
	      struct store_error *error) STORE_WARN_UNUSED;
int file_write(struct op *op, struct file *file, const void *data,
	       const struct store_range *range) STORE_WARN_UNUSED;
int file_truncate(struct op *op, struct file *file, uint64_t size)
	STORE_WARN_UNUSED;
/*
 * Staging is full: uploads that run may give room back.  True when they did
 * since staging_area_freed() was `freed`; the deadline is one on time without
 * progress.
 */
bool file_wait_for_room(struct op *op, uint64_t freed);
/* fallocate(2) without FALLOC_FL_COLLAPSE_RANGE and its kind. */
int file_allocate(struct op *op, struct file *file, int mode,
		  const struct store_range *range) STORE_WARN_UNUSED;
/* lseek(2) with SEEK_DATA or SEEK_HOLE; NOT_FOUND is ENXIO. */
int file_seek(struct op *op, struct file *file, int whence, uint64_t offset,
	      uint64_t *found) STORE_WARN_UNUSED;
/* Stage what stands in the base only. */
int file_fetch_base(struct file *file, struct store_context *context,
		    struct store_error *error) STORE_WARN_UNUSED;
/*
 * Make sure that open handles can go on reading once the name is gone or
 * has other content; to be called before the store is told.
 */
int file_hold_base(struct op *op, struct file *file) STORE_WARN_UNUSED;
/*
 * The same for a file that nobody may have open, and that is about to lose
 * its name: a process that has found the name already may be about to open
 * it, and would find nothing.  The last few of them are kept, where that
 * costs no more than a local copy, or one fetch of a small file from a far
 * store right behind a miss; failing is no error.  Those that are open must
 * have been held by file_hold_base().
 */
void file_keep_for_openers(struct op *op, struct node *node);
/*
 * Somebody was told to look a name up again (ESTALE).  The kernel does that,
 * but only once: for a while what loses its name is better kept.
 */
void file_open_missed(struct fs *fs);
bool file_opens_miss(const struct fs *fs);
void file_kept_release(struct fs *fs);
/* The same for its extended attributes (ops_xattr.c). */
int file_hold_xattrs(struct op *op, struct file *file) STORE_WARN_UNUSED;
/*
 * Is the base of an open file still what the store has under this key?  Our
 * own change of attributes or name must not turn somebody's new version into
 * our base.  True where nothing is open, and at no cost then; else *seen is
 * what the store has.
 */
bool file_base_is_current(struct file *file, struct store_context *context,
			  const char *key, struct store_info *seen);
/*
 * Is that what our change has met?  Who came in between has left other bytes.
 * `set`: what we have changed, STORE_ATTR_*.
 */
bool file_is_as_seen(const struct store_info *seen,
		     const struct store_info *changed, uint32_t set);
/*
 * After a change of ours, once the node has the new version: the same bytes
 * have another token now, also for whoever has opened the file meanwhile.
 */
void file_advance_base(struct fs *fs, struct node *node,
		       const struct store_info *info);
/*
 * Wait for room for one more staging file, and set it aside for
 * file_created(), or staging_area_unpromise().
 */
int file_promise(struct op *op) STORE_WARN_UNUSED;
/* Set up a file that has just been created under its name. */
void file_created(struct file *file);
/* Take what is in the store at this moment as the base. */
void file_rebase_locked(struct file *file, const struct store_info *info)
	REQUIRES(file->lock);
/* Times and size of the node after a change of content made here. */
void file_stamp_locked(struct file *file) REQUIRES(file->lock);
int file_truncate_locked(struct file *file, uint64_t size,
			 struct store_error *error) REQUIRES(file->lock)
	STORE_WARN_UNUSED;
/* Put a copy in front of the list. */
int file_add_xattr_locked(struct file *file, const struct store_xattr *xattr,
			  struct store_error *error) REQUIRES(file->lock)
	STORE_WARN_UNUSED;
void file_drop_xattrs_locked(struct file *file) REQUIRES(file->lock);
void file_drop_replaced_locked(struct file *file) REQUIRES(file->lock);
/* Something to publish came up. */
void file_dirty_locked(struct file *file) REQUIRES(file->lock);
/* Is there nothing but what a killed writer has left? */
bool file_is_lost_locked(const struct file *file) REQUIRES(file->lock);
/* Nothing is left to publish; drops the reference that dirt holds later. */
void file_clean_locked(struct file *file) REQUIRES(file->lock);

/* A reader of the base, opened on first use; release with reader_put(). */
int file_base_reader(struct file *file, struct store_context *context,
		     struct base_reader **reader, struct store_error *error)
	STORE_WARN_UNUSED;
/* One of this very version, which the store has just got; NULL: it has gone. */
struct base_reader *file_open_version(struct file *file,
				      struct store_context *context,
				      const char *key,
				      const struct store_version *version);
void file_drop_reader_locked(struct file *file) REQUIRES(file->lock);
/* One of its own, of the version of `pin`; NULL: of what is there. */
int file_open_reader(struct file *file, struct store_context *context,
		     const struct store_version *pin,
		     struct base_reader **reader, struct store_info *info,
		     struct store_error *error) STORE_WARN_UNUSED;
/*
 * Keep this reader for others if it is of the present base; returns the one to
 * be used, and put, instead.
 */
struct base_reader *
file_share_reader_locked(struct file *file, struct base_reader *reader,
			 const struct store_version *version)
	REQUIRES(file->lock);

#endif
