/* SPDX-License-Identifier: MIT */
/*
 * Who may change a name while others rely on it.
 *
 * A call that sends a key to the store takes a shared pass on the node (or
 * on the folder it makes or looks for a name in); a call that moves, removes
 * or changes a node by its key takes an exclusive one, which keeps everybody
 * out of that node and of everything below it.  So no key goes out of date
 * between being made and being used.  Who waits for an exclusive pass keeps
 * newcomers out, so that it gets its turn however busy the node is; a thread
 * that has a pass already goes first.  Waiting ends with the context.  No
 * pass is a lock: store calls run while it is held.
 */
#ifndef STOREFS_MOUNT_GATE_H
#define STOREFS_MOUNT_GATE_H

#include <stdbool.h>

#include "src/base/sync.h"
#include <storefs/context.h>

struct node;

struct gate_pass {
	struct gate_pass *next; /* among those held, or among the waiting */
	const struct node *nodes[2]; /* the second may be NULL */
	bool exclusive;
	bool held;
	pthread_t owner; /* passes of one thread do not keep it waiting */
};

struct tree;

struct gate {
	struct lock lock;
	struct condition changed;
	/* protected by `lock` */
	struct gate_pass *passes;
	struct gate_pass *waiting; /* exclusive ones, first come first */
	struct tree *tree;	   /* for the way up from a node */
};

void gate_init(struct gate *gate, struct tree *tree);
void gate_release(struct gate *gate);
/* The nodes are borrowed: referenced by the caller until it has left. */
int gate_enter(struct gate *gate, struct gate_pass *pass,
	       const struct store_context *context, struct store_error *error)
	STORE_WARN_UNUSED;
/* Leaving a pass that is not held is fine. */
void gate_leave(struct gate *gate, struct gate_pass *pass);

#endif
