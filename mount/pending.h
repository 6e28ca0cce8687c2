/* SPDX-License-Identifier: MIT */
/*
 * What a staging directory holds that no store has: the journal replayed
 * into a table, and its data files checked against it.  Needs no mount.
 */
#ifndef STOREFS_MOUNT_PENDING_H
#define STOREFS_MOUNT_PENDING_H

#include "mount/journal.h"
#include "mount/record.h"

struct pending_layer {
	/* `data` (NULL: in the file) is owned here. */
	struct record_layer record;
	int code; /* STORE_OK, or why its bytes cannot be used (CORRUPT) */
};

struct pending_file {
	struct record_file record;
	struct pending_layer **layers; /* of record.layers, same order; a NULL
					  is a layer whose record is lost */
	bool damaged;  /* a layer is missing or has other bytes */
	bool removing; /* REMOVING named its key, and nothing settled it */
};

struct pending {
	struct pending_file *files; /* in the order of their ids */
	size_t count;
	/* MOVING without MOVED, in the order of the journal. */
	struct record_move *moves;
	size_t move_count;
	/* COPYING or COPIED that nothing settled, in the same order. */
	struct record_copies *copies;
	size_t copies_count;
	/* UPLOAD that did not end. */
	struct record_upload *uploads;
	size_t upload_count;
	/* Numbers of data files that no record ever named, ascending. */
	uint64_t *orphans;
	size_t orphan_count;
	/*
	 * Of those that only settled files named, or whose bytes newer layers
	 * have replaced: they can go once the journal is durable.
	 */
	uint64_t *settled;
	size_t settled_count;
	uint64_t last_id, last_layer; /* the highest ever used */
	struct journal_findings findings;
	unsigned int bad_records; /* frames with records nobody understands */
	/* private to pending.c */
	struct pending_layer **layers;
	size_t layer_count;
};

/*
 * Replay the journal of a directory and look at its data files, whether they
 * are there and long enough.  The journal stays open in *journal (may be
 * NULL: it is closed again).  A frame that cannot be understood is counted
 * and, unless it is JOURNAL_READ_ONLY without JOURNAL_KEEP, kept as
 * `journal.bad-record-*`, never fatal.  Release `pending` in any case of success.
 */
int pending_load(int dir_fd, unsigned int journal_flags,
		 struct pending *pending, struct journal **journal,
		 struct store_error *error) STORE_WARN_UNUSED;
void pending_release(struct pending *pending);
/*
 * Can files and layers be numbered on?  CORRUPT when a record has numbers that
 * nobody could have counted up to.
 */
int pending_check_numbers(const struct pending *pending,
			  struct store_error *error) STORE_WARN_UNUSED;
/*
 * Is the data file of every layer there and long enough?  Sets `code` and
 * `damaged`; part of pending_load().
 */
void pending_measure(int dir_fd, struct pending *pending);
/*
 * The same, but reads every byte of every layer and compares checksums; of a
 * layer with holes without end it believes the length.
 */
void pending_verify(int dir_fd, struct pending *pending);

/* `data-N` of a layer's number. */
#define DATA_NAME_MAX 32
void data_name(uint64_t number, char name[DATA_NAME_MAX]);
/* The number in such a name; false: it is none. */
bool data_number(const char *name, uint64_t *number);

#endif
