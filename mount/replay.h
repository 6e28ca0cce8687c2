/* SPDX-License-Identifier: MIT */
/*
 * The frames of a journal, one after the other, into what is pending; the
 * rules stand in record.h.  Private to pending.c.
 */
#ifndef STOREFS_MOUNT_REPLAY_H
#define STOREFS_MOUNT_REPLAY_H

#include "mount/idmap.h"
#include "mount/keymap.h"
#include "mount/pending.h"

struct replay {
	struct idmap files;	   /* struct replay_file, or replay_gone */
	struct idmap layers;	   /* struct replay_layer */
	struct keymap keys;	   /* of the files */
	struct record_move *moves; /* owned: MOVING without MOVED */
	size_t move_count, move_room;
	struct record_copies *copies; /* owned: not settled */
	size_t copies_count, copies_room;
	struct record_upload *uploads; /* owned: not ended */
	size_t upload_count, upload_room;
	size_t live; /* files that are not settled */
	uint64_t last_id, last_layer;
};

void replay_init(struct replay *replay);
void replay_release(struct replay *replay);
/*
 * CORRUPT when one of its records cannot be understood: then none of them
 * counts.  After NO_MEMORY the replay is of no use.
 */
int replay_frame(struct replay *replay, const void *payload, size_t length,
		 struct store_error *error) STORE_WARN_UNUSED;

/* Whose bytes stand in a data file. */
enum replay_owner {
	REPLAY_NOBODY,	/* no record ever made it part of a file */
	REPLAY_LIVE,	/* a file that is not settled */
	REPLAY_SETTLED, /* files that are settled, or have newer bytes */
};
enum replay_owner replay_owner_of(const struct replay *replay, uint64_t number);

/* Hand all over; the replay is empty afterwards, whatever comes of it. */
int replay_finish(struct replay *replay, struct pending *pending,
		  struct store_error *error) STORE_WARN_UNUSED;

/*
 * What has its key at or below `from` has it at `to`, or, where that is too
 * long, fails for good under the one it has.
 */
int replay_move_key(struct record_file *file, const char *from, const char *to,
		    struct store_error *error) STORE_WARN_UNUSED;

/* With its bytes and maps; NULL is fine. */
void replay_layer_free(struct pending_layer *layer);

#endif
