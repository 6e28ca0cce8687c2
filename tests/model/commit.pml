/* SPDX-License-Identifier: MIT */
/*
 * Commit and recovery of the staging journal (doc/journal.md), for spin; what
 * stands for what, and what this cannot find, is in doc/model.md.
 *
 * One machine with a journal and data files on a disk that forgets what was
 * not flushed, one store, one other client of it.  Two names (or three), of
 * which A is there at first.  The program commits generations, renames and
 * removes; the publisher uploads; recovery follows each crash; the world is
 * everything else: the network, flushes, removal of data files, rewrites of
 * the journal, the other client, crashes.
 *
 * Bounds (-D): OPS calls of the program, CRASHES, OTHER changes by the other
 * client, LOST answers, REWRITES of the journal, NAMES.  MOVE_KEEPS: moving
 * keeps the version token.  LOCAL_STORE: a power cut may undo what the store
 * has moved or removed and not synced.  WRITER_KILLED: some writers are killed
 * before they close.  WITHOUT_x leaves a step or a rule out: spin must then
 * find an error.
 */
#ifndef OPS
#define OPS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef OTHER
#define OTHER 0
#endif
#ifndef LOST
#define LOST 0
#endif
#ifndef REWRITES
#define REWRITES 0
#endif
#ifndef NAMES
#define NAMES 2
#endif
/* Appended and not flushed, at most. */
#ifndef FRAMES
#define FRAMES 4
#endif

#include "state.pml"
#include "journal.pml"
#include "store.pml"
#include "program.pml"
#include "publish.pml"
#include "recovery.pml"
#include "world.pml"

#define idle(file) (m.r[file].st == FREE || m.r[file].st == FAILED)

/* When nothing more can happen, everything is stored and nothing is left. */
proctype judge()
{
	timeout;
	printf("end: %o should be %o\n", shown, cur);
	assert(phase == UP && !busy && !calling);
	assert(ops == OPS || m.r[0].st == FAILED || m.r[1].st == FAILED);
	assert(idle(0) && idle(1));
	assert(shown == cur);
	assert(!(named & disk.known & ~layers_named))
}

init
{
	d_step {
		set_object(A, 1, INIT, 0, 0);
		sync_store();
		hist[0] = INIT
	};
	atomic {
		run program(); run publisher(); run recovery(); run world();
		run judge()
	}
}
