/* SPDX-License-Identifier: MIT */
/*
 * The fault file: which calls fail, stall or are slow, and what the store
 * lacks.  For tests.
 *
 *	# OP ACTION [after=N] [times=N] [key=PATTERN]
 *	put error=NO_SPACE times=1
 *	put-after error=UNAVAILABLE
 *	read stall=1m key=*.iso
 *	any delay=20ms after=10
 *	move-after die
 *	without ATOMIC_MOVE MOVE_FOLDER MOVE
 *
 * OP: stat list open read put make remove move copy set any, and each of them
 * with -after, which fires when the call is done.
 * ACTION: error=CODE (enum store_code without STORE_), stall=DURATION (a
 * sleep without progress), delay=DURATION (a sleep that counts as progress),
 * die (SIGKILL for this process).  Behind a call there is only error= (an
 * answer that got lost), if it changes something and succeeded, and die.
 * after=N lets N matching calls pass first, times=N fires for N calls only;
 * a rule counts for itself.  Sleeps add up, the first error ends the call.
 * key= is a pattern of glob.h over the key below the backend's root.
 *
 * `without` takes capabilities away (enum store_capability without
 * STORE_CAP_), so that any store stands in for a poorer one.  What the file
 * says of them when the store is opened holds as long as it is open.
 */
#ifndef STOREFS_SRC_LAYERS_FAULT_RULES_H
#define STOREFS_SRC_LAYERS_FAULT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/layers/layer.h"

/* When a rule is asked: of a call to come, or of one that ended. */
enum fault_moment { FAULT_BEFORE, FAULT_DONE, FAULT_FAILED };

enum fault_action { FAULT_ERROR, FAULT_STALL, FAULT_DELAY, FAULT_DIE };

struct fault_rule {
	uint64_t ops;	  /* bit per enum layer_op */
	bool when_done;	  /* -after */
	bool can_be_lost; /* the answer */
	enum fault_action action;
	int code;      /* of FAULT_ERROR */
	int64_t ns;    /* of FAULT_STALL and FAULT_DELAY */
	char *key;     /* pattern, NULL for any */
	int line;      /* in the file */
	uint64_t skip; /* calls still to let pass */
	uint64_t left; /* calls still to hit, UINT64_MAX for all */
};

struct fault_rules {
	size_t count;
	struct fault_rule *rules; /* owned */
	uint64_t without;	  /* enum store_capability */
};

/* Parse the text of a file; INVALID names `path` and the line. */
int fault_rules_parse(const char *text, const char *path,
		      struct fault_rules *rules, struct store_error *error)
	STORE_WARN_UNUSED;
void fault_rules_release(struct fault_rules *rules);

/* What is to be done to one call. */
struct fault_verdict {
	int64_t stall_ns;
	int64_t delay_ns;
	int code; /* STORE_OK for none */
	int line; /* the rule that gave `code` */
	bool die; /* before anything else */
};
/* Judge a call, and count it. */
struct fault_verdict fault_rules_judge(struct fault_rules *rules,
				       const struct layer_call *call,
				       enum fault_moment moment);

#endif
