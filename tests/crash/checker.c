// SPDX-License-Identifier: MIT
/*
 * checker: does a tree hold what was acknowledged?
 *
 *	checker [--power | --copies] TREE MANIFEST
 *	checker --list TREE
 *
 * Each worker did one operation after the other, on names of its own.  After
 * a crash its names must look as after some number of them: all that were
 * acknowledged, and the one in flight or not.  With --power (the disk below
 * the staging directory lost what was not flushed) changes of names may be
 * lost from the end, unless somebody's close() or fsync() that began later
 * was acknowledged, or 2 s went by: the driver promises 1.  What was
 * acknowledged behind a line that tells of the cut may be there or not, and
 * what a program was told then that it could not write may be halfway.  With
 * --copies (the tree is a store that moves by copying, as nobody has gone on
 * with it yet) a move in flight may be halfway.
 *
 * --list prints the tree, one item a line, to be compared.
 *
 * Exit status: 0 it does, 1 not (each deviation is told), 2 trouble.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/manifest.h"
#include "tests/crash/tree.h"

enum { WORKERS = 26, OPERATIONS = 4096, GRACE_MS = 2000, UNSURE_MAX = 12 };

struct operation {
	struct effect effect;
	size_t about, done; /* lines; done 0: not acknowledged */
	uint64_t done_ms;
	bool durable;
	bool told; /* that it failed, by a driver that lived */
};

struct worker {
	struct operation *operations; /* number N at N - 1 */
	unsigned int started;
};

static struct {
	struct worker workers[WORKERS];
	size_t lines;
	size_t cut; /* line; 0: the power went behind all of them */
	uint64_t cut_ms;
} manifest;

static unsigned int wrong;
static bool copies; /* the tree is of a store that moves by copying */

/* ---- reading the manifest ---- */

static bool take_line(const struct manifest_line *line)
{
	struct worker *worker = &manifest.workers[line->worker - 'a'];
	struct operation *operation;

	if (!worker->operations)
		worker->operations =
			calloc(OPERATIONS, sizeof(*worker->operations));
	if (!worker->operations || line->number < 1 ||
	    line->number > OPERATIONS)
		return false;
	operation = &worker->operations[line->number - 1];
	if (line->kind == MANIFEST_ABOUT) {
		if (line->number != worker->started + 1)
			return false;
		worker->started = line->number;
		operation->effect = line->effect;
		operation->about = manifest.lines;
	} else if (line->kind == MANIFEST_FAILED) {
		operation->told =
			line->value != ENOTCONN && line->value != ECONNABORTED;
	} else {
		operation->done = manifest.lines;
		operation->done_ms = line->value;
		operation->durable = line->kind == MANIFEST_DURABLE;
	}
	return true;
}

static bool manifest_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char text[512];
	bool good = file != NULL;

	while (good && fgets(text, sizeof(text), file)) {
		struct manifest_line line;

		manifest.lines++;
		good = manifest_parse(text, &line);
		if (good && line.kind == MANIFEST_CUT) {
			manifest.cut = manifest.lines;
			manifest.cut_ms = line.value;
		} else if (good)
			good = line.worker >= 'a' && line.worker <= 'z' &&
			       take_line(&line);
	}
	if (file)
		fclose(file);
	if (!good)
		fprintf(stderr, "%s:%zu: cannot be used\n", path,
			manifest.lines);
	return good;
}

/* ---- which states are allowed ---- */

/* Of what is acknowledged while the disk goes nobody knows. */
static bool in_time(const struct operation *one)
{
	return one->done && !(manifest.cut && one->done > manifest.cut);
}

/* The line before which everything that was acknowledged is durable. */
static size_t barrier_of(void)
{
	size_t barrier = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		const struct worker *worker = &manifest.workers[i];

		for (unsigned int n = 0; n < worker->started; n++) {
			const struct operation *one = &worker->operations[n];

			if (in_time(one) && one->durable &&
			    one->about > barrier)
				barrier = one->about;
		}
	}
	return barrier;
}

static bool must_be_kept(const struct operation *one, bool power,
			 size_t barrier)
{
	if (!in_time(one))
		return false;
	return !power || one->durable || one->done < barrier ||
	       (manifest.cut_ms && one->done_ms + GRACE_MS < manifest.cut_ms);
}

/* How many operations have to show at least. */
static unsigned int kept_of(const struct worker *worker, bool power,
			    size_t barrier)
{
	unsigned int kept = 0;

	for (unsigned int n = 0; n < worker->started; n++)
		if (must_be_kept(&worker->operations[n], power, barrier))
			kept = n + 1;
	return kept;
}

/* ---- telling what is wrong ---- */

static void item_print(const struct item *item)
{
	if (!item)
		printf("nothing");
	else if (item->type == 'f' || item->type == '?')
		printf("%c %o %" PRIu64 " bytes %" PRIx64, item->type,
		       item->mode, item->size, item->sum);
	else
		printf("%c %o %s", item->type, item->mode, item->target);
}

static bool same(const struct item *a, const struct item *b)
{
	return (!a && !b) || (a && b && item_equal(a, b));
}

static bool name_allowed(const char *name, const struct state *found,
			 const struct state *allowed, unsigned int count)
{
	const struct item *item = state_find(found, name);

	for (unsigned int i = 0; i < count; i++)
		if (same(item, state_find(&allowed[i], name)))
			return true;
	return false;
}

/* One name against all states that are allowed. */
static void judge_name(const char *name, const struct state *found,
		       const struct state *allowed, unsigned int count)
{
	const struct item *item = state_find(found, name);

	if (name_allowed(name, found, allowed, count))
		return;
	wrong++;
	printf("WRONG: %s is ", name);
	item_print(item);
	for (unsigned int i = 0; i < count; i++) {
		printf(i ? " or " : ", not ");
		item_print(state_find(&allowed[i], name));
	}
	printf("\n");
}

/* After how many operations a name looked like this, unless after any. */
static void print_fits(const char *name, const struct state *found,
		       const struct state *allowed, unsigned int count,
		       unsigned int kept)
{
	const struct item *item = state_find(found, name);
	unsigned int fits = 0;

	for (unsigned int i = 0; i < count; i++)
		fits += same(item, state_find(&allowed[i], name));
	if (fits == count)
		return;
	printf("\t%s is %s, as after", name, item ? "there" : "not there");
	for (unsigned int i = 0; i < count; i++)
		if (same(item, state_find(&allowed[i], name)))
			printf(" %u", kept + i);
	printf("\n");
}

/* All names that there are or might be. */
static void names_of(struct state *names, const struct state *found,
		     const struct state *allowed, unsigned int count)
{
	state_copy(names, found);
	for (unsigned int i = 0; i < count; i++)
		for (size_t j = 0; j < allowed[i].count; j++)
			if (!state_find(names, allowed[i].items[j].name))
				state_apply(names,
					    &(struct effect){
						    EFFECT_PUT,
						    allowed[i].items[j] });
}

static void judge_names(char letter, const struct state *found,
			const struct state *allowed, unsigned int count,
			unsigned int kept)
{
	unsigned int before = wrong;
	struct state names;

	names_of(&names, found, allowed, count);
	for (size_t i = 0; i < names.count; i++)
		judge_name(names.items[i].name, found, allowed, count);
	if (wrong == before) {
		wrong++;
		printf("WRONG: %c: every name is allowed, but not all "
		       "together\n",
		       letter);
		for (size_t i = 0; i < names.count; i++)
			print_fits(names.items[i].name, found, allowed, count,
				   kept);
	}
	state_release(&names);
}

/*
 * A program that is told of a failure may have got halfway: what it wrote to
 * is as it is.
 */
static void take_halfway(const struct worker *worker, struct state *found,
			 struct state *state)
{
	const struct operation *last = &worker->operations[worker->started - 1];
	const struct item *item;

	if (!manifest.cut || !last->told || last->effect.kind != EFFECT_PUT)
		return;
	item = state_find(found, last->effect.item.name);
	if (item && item->type == 'f' && last->effect.item.type == 'f')
		state_apply(state, &(struct effect){ EFFECT_PUT, *item });
}

/*
 * While a disk goes names may change that no journal can be told of: what was
 * acknowledged then, or in flight, is there or not, each by itself.
 */
static bool fits_unsure(const struct worker *worker, unsigned int kept,
			struct state *found)
{
	unsigned int count = worker->started - kept;
	bool fits = false;

	if (!manifest.cut || count > UNSURE_MAX)
		return false;
	for (unsigned int set = 0; set < 1U << count && !fits; set++) {
		struct state now = { .count = 0 };

		for (unsigned int n = 0; n < worker->started; n++)
			if (n < kept || (set & 1U << (n - kept)) ||
			    in_time(&worker->operations[n]))
				state_apply(&now,
					    &worker->operations[n].effect);
		take_halfway(worker, found, &now);
		fits = state_equal(found, &now);
		state_release(&now);
	}
	return fits;
}

/* Of what was below the old name, is each below it or below the new one? */
static bool all_on_the_way(const struct item *move, const struct state *found,
			   const struct state *before,
			   const struct state *after)
{
	size_t length = strlen(move->name);
	char name[2 * STATE_NAME];

	for (size_t i = 0; i < before->count; i++) {
		const char *old = before->items[i].name;

		if (strncmp(old, move->name, length) != 0 ||
		    (old[length] && old[length] != '/') ||
		    state_find(found, old))
			continue;
		snprintf(name, sizeof(name), "%s%s", move->target,
			 old + length);
		if (!same(state_find(found, name), state_find(after, name)))
			return false;
	}
	return true;
}

/* Copies are made before what they were made of is removed. */
static bool fits_halfway(const struct worker *worker, const struct state *found,
			 const struct state *allowed, unsigned int count)
{
	const struct effect *last;
	struct state names;
	bool fits;

	if (!copies || count != 2)
		return false;
	last = &worker->operations[worker->started - 1].effect;
	if (last->kind != EFFECT_MOVE)
		return false;
	fits = all_on_the_way(&last->item, found, &allowed[0], &allowed[1]);
	names_of(&names, found, allowed, count);
	for (size_t i = 0; i < names.count && fits; i++)
		fits = name_allowed(names.items[i].name, found, allowed, count);
	state_release(&names);
	return fits;
}

static void judge_worker(char letter, const struct worker *worker,
			 const struct state *tree, unsigned int kept)
{
	unsigned int count = worker->started - kept + 1;
	struct state *allowed = calloc(count, sizeof(*allowed));
	struct state now = { .count = 0 }, found;
	unsigned int match = 0;

	if (!allowed)
		abort();
	state_copy_of(&found, tree, letter);
	for (unsigned int n = 0; n <= worker->started; n++) {
		if (n > 0)
			state_apply(&now, &worker->operations[n - 1].effect);
		if (n < kept)
			continue;
		state_copy(&allowed[n - kept], &now);
		if (state_equal(&found, &now))
			match = n + 1;
	}
	if (!match && fits_unsure(worker, kept, &found))
		printf("%c: %u or more, with gaps, at least %u\n", letter, kept,
		       kept);
	else if (!match && fits_halfway(worker, &found, allowed, count))
		printf("%c: halfway in a move, at least %u\n", letter, kept);
	else if (!match)
		judge_names(letter, &found, allowed, count, kept);
	else
		printf("%c: %u of %u, at least %u\n", letter, match - 1,
		       worker->started, kept);
	for (unsigned int i = 0; i < count; i++)
		state_release(&allowed[i]);
	free(allowed);
	state_release(&found);
	state_release(&now);
}

static void judge(const struct state *tree, bool power)
{
	size_t barrier = barrier_of();

	for (size_t i = 0; i < WORKERS; i++) {
		const struct worker *worker = &manifest.workers[i];

		if (worker->operations)
			judge_worker((char)('a' + i), worker, tree,
				     kept_of(worker, power, barrier));
	}
	for (size_t i = 0; i < tree->count; i++) {
		const char *name = tree->items[i].name;

		if (name[0] >= 'a' && name[0] <= 'z' &&
		    manifest.workers[name[0] - 'a'].operations)
			continue;
		wrong++;
		printf("WRONG: nobody made %s\n", name);
	}
}

/* ---- the program ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name,
		      ((const struct item *)b)->name);
}

static void list(struct state *tree)
{
	qsort(tree->items, tree->count, sizeof(*tree->items), by_name);
	for (size_t i = 0; i < tree->count; i++) {
		printf("%s ", tree->items[i].name);
		item_print(&tree->items[i]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	bool power = argc == 4 && strcmp(argv[1], "--power") == 0;
	bool lists = argc == 3 && strcmp(argv[1], "--list") == 0;
	struct state tree;

	copies = argc == 4 && strcmp(argv[1], "--copies") == 0;
	if (!power && !copies && argc != 3) {
		fprintf(stderr, "usage: checker [--power | --copies] TREE "
				"MANIFEST\n"
				"       checker --list TREE\n");
		return 2;
	}
	if (!lists && !manifest_read(argv[argc - 1]))
		return 2;
	if (!tree_read(argv[lists ? 2 : argc - 2], &tree))
		wrong++;
	if (lists)
		list(&tree);
	else
		judge(&tree, power);
	state_release(&tree);
	for (size_t i = 0; i < WORKERS; i++)
		free(manifest.workers[i].operations);
	return wrong ? 1 : 0;
}
