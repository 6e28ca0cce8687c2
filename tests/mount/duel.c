// SPDX-License-Identifier: MIT
/*
 * duel: two sides change one file through two mounts of one store.
 *
 *	duel [OPTION]... MOUNT MOUNT URL STORECTL
 *
 * A round is one file.  A seeded scheduler decides whose step is next, or
 * that both take one at the same moment, so that a round can be repeated by
 * its seed (but for the outcome of the latter).  Every answer, what the store
 * has in the end and what either mount keeps of it must be what some order of
 * conditional puts gives (duel_model.c): then no acknowledged update was
 * overwritten by somebody who had not seen it, and the bytes of every loser
 * are there.
 *
 *	--rounds N, --seed N, --only N (one round of a run, by its number)
 *	--background, --conflict fail|rename|overwrite, --exclusive-open,
 *	--stale: as the mounts were made; stale, with timeouts of their own
 *	--unpinned: the store has no PINNED_READ
 *	--by-content: and tells versions apart by their bytes, as an ETag does
 *	--lose FILE FILE: the mounts' fault files; answers of puts get lost
 *	--verbose
 *
 * Exit status: 0 all rounds are explained, 1 not, 2 trouble.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/cleanup.h"
#include "tests/mount/duel.h"
#include "tests/posix/errname.h"

enum { BATCH = 50, NAME_ROOM = 64, LOG_ROOM = 16384 };

struct round {
	uint64_t seed;
	char name[NAME_ROOM];
	size_t slot_size;
	struct prng prng;
	struct side sides[SIDES];
	struct worlds *worlds;
	bool wrong; /* told */
	size_t log_length;
	char log[LOG_ROOM];
};

static struct {
	unsigned int rounds, raced, steps, conflicts, wrong;
} counted;

/* ---- telling ---- */

static const char *step_text(const struct step *step)
{
	static const char *const names[] = {
		"open",	 "make",   "read",   "write",  "truncate", "fsync",
		"close", "rename", "unlink", "export", "discard",  "force",
	};

	return names[step->act];
}

static void record(struct round *round, int side, const struct step *step,
		   const struct answer *answer, bool raced)
{
	bool outside = step->act >= ACT_EXPORT;
	char result[32];

	snprintf(result, sizeof(result), "status %d", answer->error);
	round->log_length += (size_t)snprintf(
		round->log + round->log_length, LOG_ROOM - round->log_length,
		"  %c%s %s flags %x at %d token %u: %s [%s]\n", 'A' + side,
		raced ? "*" : "", step_text(step), (unsigned int)step->flags,
		answer->at, step->token,
		outside ? result : errname(answer->error),
		content_text(&answer->got));
	if (round->log_length >= LOG_ROOM)
		duel_trouble("%s: too long", round->name);
}

static void tell(struct round *round, const char *what)
{
	round->wrong = true;
	counted.wrong++;
	printf("WRONG: %s, seed %" PRIu64 ": %s\n%s", round->name, round->seed,
	       what, round->log);
	worlds_print(round->worlds);
	fflush(stdout);
}

/* ---- a round ---- */

static void round_begin(struct round *round, const struct duel *duel,
			struct outside *outside)
{
	static const size_t sizes[] = { 24, 24, 3000, 5000, SLOT_SIZE_MAX };
	struct content initial = { .count = ABSENT };

	prng_init(&round->prng, round->seed);
	round->slot_size = sizes[prng_below(&round->prng, 5)];
	if (prng_below(&round->prng, 4)) {
		initial.count = (int16_t)prng_below(&round->prng, 4);
		for (int i = 0; i < initial.count; i++)
			initial.slots[i] = (uint16_t)(i + 1);
		outside_put(outside, round->name, &initial, round->slot_size);
	}
	round->worlds = worlds_new(duel, &initial);
	for (int i = 0; i < SIDES; i++) {
		struct side *side = &round->sides[i];

		*side = (struct side){ .duel = duel,
				       .number = i,
				       .name = round->name,
				       .slot_size = round->slot_size,
				       .fd = -1 };
		side->settle = prng_below(&round->prng, 2);
		prng_init(&side->prng, prng_next(&round->prng));
		plan_make(&side->plan, duel, &round->prng, i,
			  initial.count != ABSENT);
	}
}

static void check_explained(struct round *round)
{
	if (!round->wrong && !worlds_count(round->worlds))
		tell(round, "the last answer cannot be");
}

static void run_one(struct round *round, int side)
{
	struct worlds *worlds = round->worlds;
	struct answer answer;
	struct step step;

	side_step(&round->sides[side], &step, &answer);
	counted.steps++;
	counted.conflicts += answer.error == ESTALE;
	record(round, side, &step, &answer, false);
	if (!round->wrong)
		worlds_step(worlds, side, &step, &answer);
}

struct racer {
	struct side *side;
	struct step step;
	struct answer answer;
};

static void *race(void *arg)
{
	struct racer *racer = arg;

	side_step(racer->side, &racer->step, &racer->answer);
	return NULL;
}

static void run_both(struct round *round)
{
	struct racer racers[SIDES] = { { .side = &round->sides[0] },
				       { .side = &round->sides[1] } };
	struct answer answers[SIDES];
	struct step steps[SIDES];
	pthread_t other;

	if (pthread_create(&other, NULL, race, &racers[1]))
		duel_trouble("no thread");
	race(&racers[0]);
	pthread_join(other, NULL);
	counted.steps += SIDES;
	counted.raced++;
	for (int i = 0; i < SIDES; i++) {
		steps[i] = racers[i].step;
		answers[i] = racers[i].answer;
		counted.conflicts += answers[i].error == ESTALE;
		record(round, i, &steps[i], &answers[i], true);
	}
	if (!round->wrong)
		worlds_race(round->worlds, steps, answers);
}

static void round_run(struct round *round)
{
	struct side *a = &round->sides[0], *b = &round->sides[1];

	while (!side_is_done(a) || !side_is_done(b)) {
		if (side_is_done(a) || side_is_done(b))
			run_one(round, side_is_done(a));
		else if (!prng_below(&round->prng, 5))
			run_both(round);
		else
			run_one(round, (int)prng_below(&round->prng, 2));
		check_explained(round);
	}
	counted.rounds++;
}

/* ---- what came of it ---- */

static bool is_listed(const char *pending, const char *name)
{
	char line[NAME_ROOM + 32];

	snprintf(line, sizeof(line), "\n%s\tfailed CHANGED\n", name);
	return strstr(pending, line);
}

static void round_end(struct round *round, const struct duel *duel,
		      struct outside *outside, char *const pending[SIDES])
{
	struct ending ending = { .beside_count = 0 };

	ending.store = outside_stored(outside, round->name, round->slot_size);
	if (duel->conflict == CONFLICT_RENAME)
		ending.beside_count =
			outside_beside(outside, round->name, round->slot_size,
				       ending.beside, SLOTS);
	for (int i = 0; i < SIDES; i++) {
		ending.staged[i].count = ABSENT;
		ending.lost[i] = is_listed(pending[i], round->name);
		if (!ending.lost[i])
			continue;
		ending.raw[i] = side_export(&round->sides[i], false,
					    &ending.staged[i]) == EXIT_CHANGED;
		if (ending.raw[i])
			side_export(&round->sides[i], true, &ending.staged[i]);
	}
	if (!round->wrong && !worlds_end(round->worlds, &ending)) {
		tell(round, "what came of it cannot be");
		printf("  found: store [%s]", content_text(&ending.store));
		for (int i = 0; i < SIDES; i++)
			printf(", %c %s [%s]", 'A' + i,
			       ending.lost[i] ? "lost" : "lost nothing",
			       content_text(&ending.staged[i]));
		for (size_t i = 0; i < ending.beside_count; i++)
			printf(", beside [%s]",
			       content_text(&ending.beside[i]));
		putchar('\n');
	} else if (duel->verbose) {
		printf("%s, seed %" PRIu64 "\n%s", round->name, round->seed,
		       round->log);
	}
	for (int i = 0; i < SIDES; i++)
		if (ending.lost[i] && side_settle(&round->sides[i], false))
			duel_trouble("%s: cannot be discarded", round->name);
	worlds_free(round->worlds);
}

/* ---- batches ---- */

/* Some puts of some files arrive, and their answers do not. */
static void lose_answers(const struct duel *duel, const char *folder,
			 struct prng *prng)
{
	for (int side = 0; side < SIDES; side++) {
		FILE *file = fopen("fault.new", "we");

		if (!file)
			duel_trouble("fault.new: %s", errname(errno));
		for (unsigned int i = 0; i < BATCH; i++)
			fprintf(file,
				"put-after error=UNAVAILABLE times=1 "
				"after=%" PRIu64 " key=%s/f%u\n",
				prng_below(prng, 3), folder, i);
		if (fclose(file) || rename("fault.new", duel->faults[side]))
			duel_trouble("%s: %s", duel->faults[side],
				     errname(errno));
	}
}

static void make_folder(const struct duel *duel, const char *folder)
{
	char path[512];
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s", duel->mounts[0], folder);
	if (mkdir(path, 0755))
		duel_trouble("%s: %s", path, errname(errno));
	snprintf(path, sizeof(path), "%s/%s", duel->mounts[1], folder);
	if (stat(path, &info))
		duel_trouble("%s: %s", path, errname(errno));
}

struct run {
	uint64_t seed, rounds, only;
	bool has_only;
};

static void run_batch(const struct duel *duel, struct outside *outside,
		      const struct run *run, uint64_t first)
{
	static struct round rounds[BATCH];
	char folder[NAME_ROOM / 2];
	char *pending[SIDES];
	struct prng prng;
	size_t count = 0;

	prng_init(&prng, run->seed ^ (first << 20));
	snprintf(folder, sizeof(folder), "batch-%" PRIu64, first / BATCH);
	make_folder(duel, folder);
	if (duel->answers_get_lost)
		lose_answers(duel, folder, &prng);
	for (uint64_t i = first; i < first + BATCH && i < run->rounds; i++) {
		struct round *round = &rounds[count];

		if (run->has_only && i != run->only)
			continue;
		memset(round, 0, sizeof(*round));
		round->seed = run->seed * 1000003 + i;
		snprintf(round->name, sizeof(round->name), "%s/f%u", folder,
			 (unsigned int)(i - first));
		round_begin(round, duel, outside);
		round_run(round);
		count++;
	}
	for (int side = 0; side < SIDES; side++) {
		outside_drain(outside, side);
		pending[side] = outside_pending(outside, side);
	}
	for (size_t i = 0; i < count; i++)
		round_end(&rounds[i], duel, outside, pending);
	for (int side = 0; side < SIDES; side++)
		free(pending[side]);
}

/* ---- options ---- */

static enum conflict conflict_of(const char *text)
{
	if (!strcmp(text, "rename"))
		return CONFLICT_RENAME;
	if (!strcmp(text, "overwrite"))
		return CONFLICT_OVERWRITE;
	return CONFLICT_FAIL;
}

static const struct option options[] = {
	{ "rounds", required_argument, NULL, 'r' },
	{ "seed", required_argument, NULL, 's' },
	{ "only", required_argument, NULL, 'o' },
	{ "background", no_argument, NULL, 'b' },
	{ "conflict", required_argument, NULL, 'c' },
	{ "exclusive-open", no_argument, NULL, 'x' },
	{ "stale", no_argument, NULL, 't' },
	{ "unpinned", no_argument, NULL, 'u' },
	{ "by-content", no_argument, NULL, 'y' },
	{ "lose", required_argument, NULL, 'l' },
	{ "verbose", no_argument, NULL, 'v' },
	{ 0 },
};

static bool take_option(int option, struct duel *duel, struct run *run)
{
	switch (option) {
	case 'r':
		run->rounds = strtoull(optarg, NULL, 10);
		return true;
	case 's':
		run->seed = strtoull(optarg, NULL, 10);
		return true;
	case 'o':
		run->only = strtoull(optarg, NULL, 10);
		run->has_only = true;
		return true;
	case 'b':
		duel->background = true;
		return true;
	case 'c':
		duel->conflict = conflict_of(optarg);
		return true;
	case 'x':
		duel->exclusive_open = true;
		return true;
	case 'u':
		duel->unpinned = true;
		return true;
	case 'y':
		duel->by_content = true;
		return true;
	case 't':
		duel->fresh = false;
		return true;
	case 'l':
		duel->faults[duel->answers_get_lost] = optarg;
		duel->answers_get_lost = true;
		return true;
	case 'v':
		duel->verbose = true;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct duel duel = { .fresh = true };
	struct run run = { .seed = 1, .rounds = 100 };
	struct outside *outside;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (!take_option(option, &duel, &run))
			return 2;
	if (argc - optind != 4)
		duel_trouble("two mounts, a URL and storectl are needed");
	duel.mounts[0] = argv[optind];
	duel.mounts[1] = argv[optind + 1];
	duel.url = argv[optind + 2];
	duel.storectl = argv[optind + 3];
	helpers_start();
	outside = outside_open(&duel);
	for (uint64_t i = 0; i < run.rounds; i += BATCH)
		if (!run.has_only || run.only / BATCH == i / BATCH)
			run_batch(&duel, outside, &run, i);
	outside_close(outside);
	printf("%u rounds, %u steps, %u pairs at once, %u conflicts, %u wrong\n",
	       counted.rounds, counted.steps, counted.raced, counted.conflicts,
	       counted.wrong);
	return counted.wrong ? 1 : 0;
}
