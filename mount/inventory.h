/* SPDX-License-Identifier: MIT */
/*
 * What a staging directory holds, as storectl lists it: the journal's
 * records, what a running mount knows beyond them, and what belongs to no
 * record.  Works with and without a mount; changes nothing.
 */
#ifndef STOREFS_MOUNT_INVENTORY_H
#define STOREFS_MOUNT_INVENTORY_H

#include "mount/file.h"
#include "mount/pending.h"

enum inventory_state {
	INVENTORY_PENDING,    /* goes on by itself */
	INVENTORY_UPLOADING,  /* an attempt runs */
	INVENTORY_OPEN,	      /* a program is still writing it */
	INVENTORY_FAILED,     /* waits for retry, export or discard */
	INVENTORY_UNFINISHED, /* never acknowledged; retry --force, ... */
	INVENTORY_DAMAGED,    /* its bytes cannot be read back */
	INVENTORY_ORPHAN,     /* a file of the directory; no record names it */
};

struct inventory_item {
	enum inventory_state state;
	uint64_t id;		   /* of the record, 0: it has none */
	char *name;		   /* of an orphan; owned, else NULL */
	char *key;		   /* owned, NULL of an orphan */
	struct pending_file *file; /* of the inventory, NULL: no record */
	struct file *live;	   /* a reference, NULL: only recorded */
	bool size_known;
	uint64_t size;
	int64_t time; /* seconds since 1970, 0 unknown */
	int code;     /* of the last attempt, STORE_OK: none failed */
	char *reason; /* owned, NULL: none */
	/* of `live` */
	unsigned int attempts; /* that failed, in a row */
	int64_t retry_at_ns;   /* CLOCK_MONOTONIC, 0: none is planned */
	uint64_t awaited;      /* attempt that settle_queue() asked for */
};

struct inventory {
	struct inventory_item *items;
	size_t count, room;
	struct pending pending;
};

/* "pending" and so on. */
const char *inventory_state_name(enum inventory_state state);
/* Of a dirty file. */
enum inventory_state inventory_state_locked(const struct file *file)
	REQUIRES(file->lock);

/*
 * `fs` needs the staging directory only; with a publisher it counts as
 * running.  Release it in case of success.
 */
int inventory_load(struct fs *fs, struct inventory *inventory,
		   struct store_error *error) STORE_WARN_UNUSED;
void inventory_release(struct inventory *inventory);
/*
 * The one with this id, key or file name; "./KEY" is never an id.  NOT_FOUND,
 * INVALID when it could be several.
 */
int inventory_find(struct inventory *inventory, const char *name,
		   struct inventory_item **item, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
