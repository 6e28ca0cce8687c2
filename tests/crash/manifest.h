/* SPDX-License-Identifier: MIT */
/*
 * The manifest: what each worker of the workload was about to do, and what
 * it was told of it.  A text file outside the mount, a line per event in the
 * order of time, each written at once:
 *
 *	WORKER NUMBER put NAME TYPE MODE SIZE SUM TARGET	about to ...
 *	WORKER NUMBER gone NAME
 *	WORKER NUMBER move FROM TO
 *	WORKER NUMBER done MS		acknowledged; a change of names
 *	WORKER NUMBER durable MS	acknowledged by close() or fsync()
 *	WORKER NUMBER failed ERRNO	the worker's last line
 *	- 0 cut MS			the power goes; what is acknowledged
 *					behind this line may be lost
 *
 * WORKER is a letter, with which all its names begin; NUMBER counts its
 * operations from 1; MS is the time of day.
 */
#ifndef STOREFS_TESTS_CRASH_MANIFEST_H
#define STOREFS_TESTS_CRASH_MANIFEST_H

#include "tests/crash/state.h"

enum manifest_kind {
	MANIFEST_ABOUT,
	MANIFEST_DONE,
	MANIFEST_DURABLE,
	MANIFEST_FAILED,
	MANIFEST_CUT,
};

struct manifest_line {
	char worker;
	unsigned int number;
	enum manifest_kind kind;
	struct effect effect; /* of ABOUT */
	uint64_t value;	      /* MS or ERRNO of the others */
};

/* Now, in milliseconds of the time of day. */
uint64_t manifest_now(void);
/* False: errno. */
bool manifest_write(int fd, const struct manifest_line *line);
/* False for a line that is none. */
bool manifest_parse(const char *text, struct manifest_line *line);

#endif
