/* SPDX-License-Identifier: MIT */
/*
 * What the journal's frames say: records of files with changes that the
 * store has not, and their form as bytes.
 *
 * A frame holds one or more records, which count together or not at all.
 * Replaying all frames in order into a table gives what is pending.
 *
 *	LAYER	staged bytes of one generation, in a file or in the record
 *	FILE	all that is known of one pending file but its bytes; replaces
 *		the record of the same id
 *	DONE	the id is settled: stored, discarded, or gone with its name
 *	MOVING	a name is about to be moved in the store (from, to)
 *	MOVED	it was (keys below `from` are below `to` now), or was not
 *	REMOVING a name is about to be removed in the store
 *	COPYING	a name is about to be moved by copies (from, to), where the
 *		store cannot move; those it makes carry the id
 *	COPIED	the copies are complete (keys below `from` are below `to`
 *		now); what stands at `from` may be removed
 *	COPIES_SETTLED they are, or were given up: the id is of no use
 *	UPLOAD	what an upload that outlives its call has left in the store,
 *		as its token tells; replaces the record of the same id
 *	UPLOAD_ENDED it is the file now, or was removed
 *
 * Form, integers little-endian: u16 type, u16 reserved (0), u32 length of
 * the body, body.  Texts are u32 length and bytes.  Reading refuses what is
 * too long, inconsistent or unknown (CORRUPT, naming what); it never trusts
 * a length.  The bodies:
 *
 *	LAYER	u64 file, number, size, lower limit, checksum, length of the
 *		bytes; u32 flags, number of present and of dirty ranges,
 *		reserved (0); these ranges, u64 start and end each; the bytes
 *		when they are in the record
 *	FILE	u64 id, generation, node; i64 time; u32 state; i32 code;
 *		u32 flags; 16 bytes publish id; text token of the base;
 *		u32 mask of the attributes, and those in it: u32 mode, uid,
 *		gid, i64 seconds and u32 nanoseconds of mtime, of atime;
 *		text key; text reason when there is one; u32 number of
 *		extended attributes, text name and value each; u32 number of
 *		layers, u64 each; when flagged, u32 number of states sent, u64
 *		generation and size, i64 seconds and u32 nanoseconds of the
 *		mtime each
 *	DONE	u64 id
 *	MOVING	text from, to; u64 id of the file that is replaced; u32 flags;
 *		u64 size, i64 seconds and u32 nanoseconds of the mtime of what
 *		is moved, when there.  In older journals only the texts.
 *	MOVED	u32 flags; text from, to
 *	REMOVING text key
 *	COPYING, COPIED u64 id; u32 flags; text from, to
 *	COPIES_SETTLED u64 id
 *	UPLOAD	u64 id, file (0: of none that is noted); text key, token
 *	UPLOAD_ENDED u64 id
 *
 * The records of uploads stand in frames of their own: a driver that is older
 * than they are leaves out a frame with one (and keeps it aside), and nothing
 * else is to go with it.
 */
#ifndef STOREFS_MOUNT_RECORD_H
#define STOREFS_MOUNT_RECORD_H

#include "mount/rangemap.h"
#include "src/base/buf.h"
#include <storefs/types.h>

enum record_type {
	RECORD_LAYER = 1,
	RECORD_FILE = 2,
	RECORD_DONE = 3,
	RECORD_MOVING = 4,
	RECORD_MOVED = 5,
	RECORD_REMOVING = 6,
	RECORD_COPYING = 7,
	RECORD_COPIED = 8,
	RECORD_COPIES_SETTLED = 9,
	RECORD_UPLOAD = 10,
	RECORD_UPLOAD_ENDED = 11,
};

/* Ids of files and numbers of layers: from 1 on. */
#define RECORD_ID_MAX ((uint64_t)INT64_MAX)
/*
 * Where a run may still begin to count on: far more than it can use are left,
 * and no earlier one has got there.
 */
#define RECORD_ID_LAST_MAX (RECORD_ID_MAX - (UINT64_C(1) << 48))
/* Bytes of a reason. */
#define RECORD_REASON_MAX 4095
/* Bytes of a token: STORE_TOKEN_MAX, and as much again for what may come. */
#define RECORD_TOKEN_MAX 4095

/* The flags of the form. */
enum record_layer_flags { RECORD_LAYER_INLINE = 1 << 0 };
enum record_file_flags {
	RECORD_FILE_CREATED = 1 << 0,
	RECORD_FILE_BASE_EXISTS = 1 << 1,
	RECORD_FILE_CONTENT = 1 << 2,
	RECORD_FILE_WEAK = 1 << 3,
	RECORD_FILE_REASON = 1 << 4,
	RECORD_FILE_BASE_GOES = 1 << 5,
	RECORD_FILE_SENT = 1 << 6,
};
enum record_move_flags { RECORD_MOVE_DONE = 1 << 0 };
enum record_moving_flags { RECORD_MOVING_SEEN = 1 << 0 };
enum record_copies_flags {
	RECORD_COPIES_FOLDER = 1 << 0,
	RECORD_COPIES_OVER = 1 << 1,
};

/* Where a file with staged changes stands. */
enum record_state {
	/* Never acknowledged: kept, and never published by itself. */
	RECORD_UNFINISHED = 1,
	/* Acknowledged, or refused for a reason that may pass: goes on. */
	RECORD_PENDING = 2,
	/* Refused for good: waits for retry, export or discard. */
	RECORD_FAILED = 3,
};

/* Staged bytes in the order of writing; a layer never changes once named. */
struct record_layer {
	uint64_t file;	 /* id of the file it belongs to */
	uint64_t number; /* of the layer, unique in the staging directory */
	uint64_t size;	 /* of the whole file as of this layer, an off_t */
	/* Below it, what is not present stands in the layers below. */
	uint64_t lower_limit;
	struct rangemap present; /* owned */
	struct rangemap dirty;	 /* owned; inside `present` */
	/*
	 * The bytes of all present ranges, one after the other, or NULL: they
	 * are in the file `data-NUMBER` at their offsets, which is at least
	 * as long as the last of them needs.  Borrowed when encoded; points
	 * into the frame when decoded.
	 */
	const void *data;
	uint64_t data_length; /* sum of the present ranges */
	uint64_t checksum;    /* XXH3-64 of those bytes */
};

struct record_xattr {
	char *name;  /* owned */
	void *value; /* owned */
	size_t size;
};

/* What a put since the base has sent, and may have left in the store. */
struct record_sent {
	uint64_t generation; /* of the bytes */
	uint64_t size;	     /* an off_t */
	struct timespec mtime;
};
#define RECORD_SENT_MAX 8

struct record_file {
	uint64_t id;	     /* unique in the staging directory */
	uint64_t generation; /* of the content; counts acknowledgements */
	enum record_state state;
	int32_t code;	     /* enum store_code of the last attempt, or 0 */
	bool created;	     /* made here: the name is not in the store */
	bool base_exists;    /* the put replaces `base` */
	bool base_goes;	     /* or finds nothing: we may have removed it */
	bool content;	     /* there are bytes to put, not only attributes */
	uint8_t publish[16]; /* random id of this generation */
	uint64_t node;	     /* st_ino to keep, 0: any */
	int64_t time;	     /* of the record, seconds since 1970 */
	struct store_version base;
	struct store_attributes attributes; /* the mask: those to be set */
	char *key;			    /* owned; the name in the store */
	char *reason;			    /* owned; for people, may be NULL */
	struct record_xattr *xattrs;	    /* owned */
	size_t xattr_count;
	uint64_t *layers; /* owned; numbers, the lowest first */
	size_t layer_count;
	/* The newest first, where the store keeps no publish id. */
	struct record_sent sent[RECORD_SENT_MAX];
	size_t sent_count;
};

struct record_move {
	char *from; /* owned */
	char *to;   /* owned; NULL for REMOVING */
	bool done;  /* of MOVED: it took place */
	bool told;  /* what follows; not in older journals */
	/* Of MOVING: */
	uint64_t replaced; /* id of the file whose name it takes, 0: none */
	bool seen;	   /* `from` was the base of its file, and looked so: */
	uint64_t size;
	struct timespec mtime;
	uint64_t removed; /* of REMOVING, if `told`: id of the file */
};

/* A rename by copies: COPYING, and then COPIED. */
struct record_copies {
	uint64_t id; /* random, not 0; its copies are known by it */
	bool folder;
	bool over;   /* something stood at `to`: a file, or an empty folder */
	bool copied; /* not part of the form: it is COPIED */
	char *from;  /* owned */
	char *to;    /* owned */
};

struct record_upload {
	uint64_t id;   /* unique among those of files, too */
	uint64_t file; /* whose bytes it sends, 0: nothing is noted of it */
	char *key;     /* owned; that it was begun for */
	char *token;   /* owned; see struct store_resume */
};

struct record {
	enum record_type type;
	union {
		struct record_layer layer;
		struct record_file file;
		struct record_move move;
		struct record_copies copies;
		struct record_upload upload;
		uint64_t id; /* DONE, COPIES_SETTLED, UPLOAD_ENDED */
	};
};

void record_release(struct record *record);

/* "LAYER" and friends; NULL for an unknown one. */
const char *record_type_name(enum record_type type);
/* What reading would refuse: CORRUPT, and the field is named. */
int record_check(const struct record *record, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * Append one record's bytes; failures stick to the buffer.  What could not be
 * read back is never written: it is INTERNAL.
 */
void record_encode(struct buf *frame, const struct record *record);
/*
 * The next record of a frame at *at, which moves on; false at its end.  On
 * an error *code is set and false returned.  Release what was returned.
 */
bool record_decode(const void *frame, size_t length, size_t *at,
		   struct record *record, int *code, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
