/* SPDX-License-Identifier: MIT */
/*
 * One attempt to publish a file: what publish.c (freezing and settling) and
 * publish_put.c (the request) share.
 */
#ifndef STOREFS_MOUNT_PUBLISH_ATTEMPT_H
#define STOREFS_MOUNT_PUBLISH_ATTEMPT_H

#include "mount/publish.h"

struct attempt {
	struct file *file;
	struct fs *fs;
	struct store_context context;
	struct store_cancel *give_way; /* owned, see struct file */
	struct store_cancel *cancel;   /* borrowed: of whoever asked for it */
	struct store_error error;
	struct gate_pass pass;
	char key[STORE_KEY_MAX + 1];
	/* the frozen state */
	bool content, created, base_exists, base_goes;
	bool force;	 /* whatever the store has is to be replaced */
	bool unlinked;	 /* by somebody here: nothing is to be published */
	bool lost;	 /* by somebody else: there is no place to publish to */
	bool skipped;	 /* a program is writing, and nobody asked for it */
	uint64_t before; /* the change that the last attempt covered */
	struct store_version base;
	struct store_attributes attributes;
	uint64_t id;		  /* st_ino that a new file has shown already */
	struct staging_view view; /* what is sent */
	uint64_t generation;	  /* that it covers */
	bool partial;		  /* something newer stays behind */
	bool below;		  /* only what is acknowledged goes */
	bool exact;		  /* nothing newer goes with it */
	bool again;		  /* what the put without an answer has sent */
	uint64_t position;	  /* of a record, to be durable first */
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct store_range *kept; /* owned */
	size_t kept_count;
	struct store_xattr *xattrs; /* owned; the values are the file's */
	size_t xattr_count;
	struct file_unanswered unanswered;
	uint64_t record;	/* id of the file's, 0: it has none */
	struct upload *upload;	/* the file's, while this attempt lasts */
	struct prefetch *ahead; /* of the base, NULL: nothing is */
	/* the outcome */
	bool current; /* attributes went to the version that is the base */
	bool beside;  /* stored under another name */
	struct store_info info;
	struct base_reader *reader; /* of it, NULL: nobody needs one */
};

/*
 * Step 3: send what is frozen, or only the attributes.  CHANGED for whatever
 * says that the store has another version than the base.
 */
int attempt_request(struct attempt *attempt) STORE_WARN_UNUSED;

#endif
