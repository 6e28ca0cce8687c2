/* SPDX-License-Identifier: MIT */
/*
 * What relocation.c (life, waiting, hiding), relocation_steps.c (the steps of
 * one) and relocation_check.c share: see relocation.h.
 */
#ifndef STOREFS_MOUNT_RELOCATION_INTERNAL_H
#define STOREFS_MOUNT_RELOCATION_INTERNAL_H

#include "mount/carry.h"
#include "mount/relocation.h"

struct relocation {
	/* immutable once it runs */
	struct fs *fs;
	struct node *parent, *new_parent; /* references */
	char *name, *new_name;		  /* owned */
	bool replace;
	struct store_cancel *cancel; /* ends the copying */
	struct store_cancel *stop;   /* ends everything: the mount ends */
	/* of its thread */
	struct op op; /* as if it were a request */
	struct victim source, target;
	struct gate_pass movers, folders;
	struct record_copies record;
	struct carry carry;
	struct store_info info, target_info;
	struct name *spare; /* owned until the tree takes it */
	bool seen;	    /* the target, just before */
	bool entered;	    /* the gate */
	bool noted;	    /* COPYING may be in the journal */
	bool arrived;	    /* over another file, which is gone */
	bool switched;	    /* the new names hold */
	bool kept;	    /* and that is durable */
	bool resumed;	    /* an earlier run has begun it */
	/* protected by relocations.lock */
	struct relocation *next;
	const struct node *hidden_in;
	const char *hidden;   /* a name in it, NULL: none */
	bool waits;	      /* for relocations_go(): it has no thread yet */
	bool inside;	      /* its thread has taken the passes over */
	bool bound;	      /* who asked waits for the outcome */
	bool refused;	      /* he was told that it did not take place */
	bool decided;	      /* `code` is the outcome */
	bool answerable;      /* who asked need not wait any longer */
	unsigned int holders; /* its thread, and who asked */
	int code;
	struct store_error error;
};

/* Nobody finds this name any more (NULL: all are found). */
void relocation_hide(struct relocation *one, const struct node *parent,
		     const char *name);

/*
 * It is about to take place: who asked waits until that is certain.  False:
 * he has been told that it did not.
 */
bool relocation_bind(struct relocation *one);
/* Who asked need not wait any longer. */
void relocation_let_answer(struct relocation *one);

/* Of R1: what is moved, and what stands where it goes to. */
int relocation_check_source(struct relocation *one) STORE_WARN_UNUSED;
int relocation_check_target(struct relocation *one) STORE_WARN_UNUSED;
/* R1: passes, checks, record. */
int relocation_begin(struct relocation *one) STORE_WARN_UNUSED;
/* R2 */
int relocation_copy(struct relocation *one) STORE_WARN_UNUSED;
/* R3, but for the flush. */
int relocation_switch(struct relocation *one) STORE_WARN_UNUSED;
/* The flush: as long as it takes, false when the mount ends before. */
bool relocation_keep(struct relocation *one);
/* R4, or back from R2; to be called again after a failure. */
int relocation_clear(struct relocation *one) STORE_WARN_UNUSED;
int relocation_undo(struct relocation *one) STORE_WARN_UNUSED;
/* R5, before the hidden name may be used again. */
void relocation_settle(struct relocation *one);
/* What begin() or take_up() took. */
void relocation_end(struct relocation *one);

/*
 * Of one that an earlier run has left: passes and the hidden name, as its
 * thread had them then.  Nobody may use the mount yet.
 */
int relocation_take_up(struct relocation *one,
		       const struct record_copies *copies) STORE_WARN_UNUSED;
/* The same, and among those that relocations_go() starts. */
int relocation_resume(struct fs *fs, const struct relocation_request *request,
		      const struct record_copies *copies,
		      struct store_error *error) STORE_WARN_UNUSED;

/* Of a carry alone, without a mount that runs. */
int relocation_clear_all(struct carry *carry, bool folder,
			 struct store_error *error) STORE_WARN_UNUSED;
int relocation_undo_all(struct carry *carry, const struct record_copies *copies,
			struct store_error *error) STORE_WARN_UNUSED;
int relocation_sync(const struct carry *carry, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
