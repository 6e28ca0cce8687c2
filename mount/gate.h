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
 *
 * A rename by copies takes long.  Its exclusive pass lets in those who only
 * look: what they find below stays as it is, until the pass is closed for the
 * moment in which the names change.  While such a rename gets on, so do all
 * who wait at the gate, as far as their context is concerned.
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
	bool open;  /* of an exclusive one: those who look may pass */
	bool looks; /* of a shared one: changes nothing in the store */
	bool hurry; /* uploads that it waits for give way after a while */
	bool held;
	pthread_t owner; /* passes of one thread do not keep it waiting */
};

struct tree;

/*
 * A pass in a hurry still waits: who keeps it waiting and can do without
 * ends, and nobody who is asked may wait.  Called with no lock held, by the
 * thread that waits, while nobody new gets in.
 */
typedef void gate_blocked_fn(void *arg, const struct gate_pass *pass);

struct gate {
	struct lock lock;
	struct condition changed;
	/* protected by `lock` */
	struct gate_pass *passes;
	struct gate_pass *waiting; /* exclusive ones, first come first */
	struct tree *tree;	   /* for the way up from a node */
	_Atomic int64_t moved_ns;  /* gate_progress(), CLOCK_MONOTONIC */
	/* immutable once others may call; NULL: nobody gives way */
	gate_blocked_fn *blocked;
	void *blocked_arg;
};

void gate_init(struct gate *gate, struct tree *tree);
void gate_release(struct gate *gate);
/* The nodes are borrowed: referenced by the caller until it has left. */
int gate_enter(struct gate *gate, struct gate_pass *pass,
	       struct store_context *context, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Close an exclusive pass that is open: returns when nobody who looks is left
 * inside.  Until then newcomers wait, and threads that have a pass may look
 * still; nobody may change anything.  A failure leaves it open.
 */
int gate_close(struct gate *gate, struct gate_pass *pass,
	       struct store_context *context, struct store_error *error)
	STORE_WARN_UNUSED;
void gate_reopen(struct gate *gate, struct gate_pass *pass);
/* A rename by copies has got on. */
void gate_progress(struct gate *gate);
/* A pass that another thread has entered with is the caller's from now on. */
void gate_take_over(struct gate *gate, struct gate_pass *pass);
/* Does a rename by copies keep out who wants to change this node? */
bool gate_is_occupied(struct gate *gate, const struct node *node);
/* Leaving a pass that is not held is fine. */
void gate_leave(struct gate *gate, struct gate_pass *pass);

#endif
