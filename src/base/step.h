/* SPDX-License-Identifier: MIT */
/*
 * Named steps of a protocol, for tests that stop a program at one or leave
 * one out.  Without --enable-steps they cost nothing and do nothing.
 *
 *	STEP("journal: appended");	the program may be made to die here
 *	if (STEP_WANTED("flush data"))	a step, too; true, unless
 *		fdatasync(fd);			a test leaves it out
 *
 * What a build with steps does is told by its environment (step.c).
 */
#ifndef STOREFS_BASE_STEP_H
#define STOREFS_BASE_STEP_H

#include <stdbool.h>

/* Only in builds with steps. */
void step_reached(const char *name);
bool step_wanted(const char *name);

#ifdef WITH_STEPS
#define STEP(name) step_reached(name)
#define STEP_WANTED(name) step_wanted(name)
#else
#define STEP(name) ((void)0)
#define STEP_WANTED(name) true
#endif

#endif
