/* SPDX-License-Identifier: MIT */
/*
 * What the parts of duel share: two sides change one file through two mounts
 * of one store, step by step, and a model says what may have come of it.
 *
 *	duel.c		options, batches of rounds, who does the next step
 *	duel_plan.c	what a side is going to do, from a seed
 *	duel_step.c	one step: the system call and what it answered
 *	duel_model.c	what each answer tells about it
 *	duel_world.c	the worlds that explain all answers so far
 *	duel_outside.c	the store, the drivers' queues
 *	duel_helper.c	storectl
 *
 * A file is a row of slots of one size, each filled from the token of the
 * write that made it, so that bytes of different writers within a slot, or a
 * row that nobody wrote, are seen.
 */
#ifndef STOREFS_TESTS_MOUNT_DUEL_H
#define STOREFS_TESTS_MOUNT_DUEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/posix/prng.h"

enum { SIDES = 2, SLOTS = 24, STEPS = 48, SLOT_SIZE_MAX = 50000 };

/* ---- content ---- */

struct content {
	int16_t count; /* of slots; ABSENT: there is no file */
	uint16_t slots[SLOTS];
};
enum { ABSENT = -1, TORN = -2 };

/* `room` is count * size bytes. */
void content_fill(const struct content *content, size_t size, char *bytes);
/* TORN where the bytes are no row of whole slots. */
struct content content_parse(const char *bytes, size_t length, size_t size);
bool content_equal(const struct content *a, const struct content *b);
/* "1 2 3", "absent" or "torn", in one of a few static buffers. */
const char *content_text(const struct content *content);

/* ---- steps ---- */

enum act {
	ACT_OPEN,
	ACT_MAKE,  /* a temporary file of the side */
	ACT_READ,  /* the slots before (`at` 0) or from SPLIT on */
	ACT_WRITE, /* slot `at`; AT_END: behind what was read, or by O_APPEND */
	ACT_TRUNCATE,
	ACT_FSYNC,
	ACT_CLOSE,
	ACT_RENAME, /* the temporary file over the file; `at`: while open */
	ACT_UNLINK,
	ACT_EXPORT, /* what has lost a conflict */
	ACT_DISCARD,
	ACT_FORCE,
};
enum { SPLIT = 1, AT_END = -1 };

struct step {
	enum act act;
	int flags; /* of open(2) */
	int at;
	uint16_t token;
	bool last;    /* of its update: the next one begins behind it */
	bool partial; /* what it writes goes over bytes that nobody read */
};

/* What a step was answered. */
struct answer {
	int error; /* an errno; for ACT_EXPORT.. exit status of storectl */
	int at;	   /* slot that was written */
	bool raw;  /* exported with zeros for what stood in the base */
	struct content got;
};

struct plan {
	size_t count;
	struct step steps[STEPS];
};

/* ---- a test run, and a round of it ---- */

enum conflict { CONFLICT_FAIL, CONFLICT_RENAME, CONFLICT_OVERWRITE };

struct duel {
	const char *mounts[SIDES];
	const char *url;
	const char *storectl;
	const char *faults[SIDES]; /* fault files, NULL: none */
	bool background, exclusive_open;
	bool unpinned; /* a version that was read is gone when it is replaced */
	bool by_content; /* the same bytes are the same version */
	bool fresh;	 /* nothing is believed for any time */
	bool answers_get_lost;
	enum conflict conflict;
	bool verbose;
};

void plan_make(struct plan *plan, const struct duel *duel, struct prng *prng,
	       int side, bool exists);

/* One side of a round. */
struct side {
	const struct duel *duel;
	int number;
	const char *name; /* of the file */
	size_t slot_size;
	struct prng prng;
	struct plan plan;
	size_t next; /* step */
	int fd;	     /* -1: none */
	bool append;
	bool told;	   /* of a conflict, and it is not settled */
	bool settle;	   /* it will be */
	int read;	   /* slots */
	unsigned int made; /* temporary files */
};

bool side_is_done(const struct side *side);
enum { EXIT_NOT_FOUND = 2, EXIT_CHANGED = 11 };
/* Do the next step; what it was goes to *step. */
void side_step(struct side *side, struct step *step, struct answer *answer);
/* The bytes that are staged for a side; exit status of storectl export. */
int side_export(const struct side *side, bool raw, struct content *got);
int side_settle(const struct side *side, bool force);

/* ---- the model ---- */

struct worlds;

struct worlds *worlds_new(const struct duel *duel,
			  const struct content *initial);
void worlds_free(struct worlds *worlds);
size_t worlds_count(const struct worlds *worlds);
/* Keep those in which this side can have got this answer. */
void worlds_step(struct worlds *worlds, int side, const struct step *step,
		 const struct answer *answer);
/* Both at once: in one order or the other. */
void worlds_race(struct worlds *worlds, const struct step steps[SIDES],
		 const struct answer answers[SIDES]);
/* All uploads are over; what each side has lost is known. */
struct ending {
	struct content store;
	bool lost[SIDES], raw[SIDES];
	struct content staged[SIDES];
	size_t beside_count;
	struct content beside[SLOTS];
};
bool worlds_end(struct worlds *worlds, const struct ending *ending);
/* What could have been, for a message. */
void worlds_print(const struct worlds *worlds);

/* ---- outside ---- */

struct outside;

struct outside *outside_open(const struct duel *duel);
void outside_close(struct outside *outside);
/* The file as the store has it. */
struct content outside_stored(struct outside *outside, const char *key,
			      size_t slot_size);
void outside_put(struct outside *outside, const char *key,
		 const struct content *content, size_t slot_size);
/* Files beside `key`, as conflict=rename names them. */
size_t outside_beside(struct outside *outside, const char *key,
		      size_t slot_size, struct content *found, size_t room);
/* Wait until no upload is on its way. */
void outside_drain(struct outside *outside, int side);
/* Keys of what could not be stored, one a line, with " CODE"; owned. */
char *outside_pending(struct outside *outside, int side);

/* ---- helpers ---- */

/* To be called before any thread and any file of a mount. */
void helpers_start(void);
/* Exit status of storectl. */
int helper_storectl(int side, const char *const arguments[]);

_Noreturn void duel_trouble(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
