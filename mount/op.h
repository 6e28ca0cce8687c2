/* SPDX-License-Identifier: MIT */
/*
 * One request of the kernel from arrival to reply: context with deadline,
 * cancelled by INTERRUPT, error, and the one place where a code becomes an
 * errno.
 *
 *	struct op op;
 *
 *	op_begin(&op, request);
 *	code = ...(&op.context, ..., &op.error);
 *	op_error(&op, code);	or op_done() and a fuse_reply_*
 *
 * Replying is the last thing a call does, with no lock held.
 */
#ifndef STOREFS_MOUNT_OP_H
#define STOREFS_MOUNT_OP_H

#include "mount/fs.h"
#include "mount/fuse_api.h"

struct op {
	struct op *next, *previous; /* of fs->running, while not done */
	struct fs *fs;
	fuse_req_t request;
	const struct fuse_ctx *caller;
	struct store_cancel *cancel;
	struct store_context context;
	struct store_error error;
	int64_t started_ns; /* or when the store was asked */
};

void op_begin(struct op *op, fuse_req_t request);
/* No more interrupts; to be followed by exactly one fuse_reply_*. */
void op_done(struct op *op);
/* Cancel every request that runs, and those that come: the mount ends. */
void op_cancel_all(struct fs *fs);
/* op_done() and reply with the errno of `code` (0: success). */
void op_error(struct op *op, int code);
/* May a call of the store that failed so have done its work all the same? */
bool op_is_in_doubt(int code);
/* The errno of a code; `error` (may be NULL) refines it. */
int op_errno(int code, const struct store_error *error);

struct node *node_of(struct fs *fs, fuse_ino_t ino);
fuse_ino_t ino_of(const struct fs *fs, const struct node *node);
/* The node's key, under the tree's lock. */
int op_key(struct op *op, const struct node *node, const char *text,
	   char key[STORE_KEY_MAX + 1]) STORE_WARN_UNUSED;
/*
 * A shared pass on the node and its key, for who changes nothing in the
 * store; leave it when the store has answered.
 */
int op_enter_looking(struct op *op, const struct node *node, const char *text,
		     char key[STORE_KEY_MAX + 1], struct gate_pass *pass)
	STORE_WARN_UNUSED;
/* The same for who does. */
int op_enter(struct op *op, const struct node *node, const char *text,
	     char key[STORE_KEY_MAX + 1], struct gate_pass *pass)
	STORE_WARN_UNUSED;
void op_leave(struct op *op, struct gate_pass *pass);
/* ENAMETOOLONG for components no store can hold. */
int op_check_name(struct op *op, const char *text) STORE_WARN_UNUSED;

/* Attributes as the options show them. */
void fs_fill_stat(struct fs *fs, const struct node *node, struct stat *out);
/*
 * A node's entry, with one more lookup counted for the kernel.  Needs the
 * tree's lock.
 */
void fs_fill_entry(struct fs *fs, struct node *node,
		   struct fuse_entry_param *entry) REQUIRES(fs->tree.lock);
/* op_done() and reply with an entry; takes the count back on failure. */
void op_entry(struct op *op, const struct fuse_entry_param *entry);

#endif
