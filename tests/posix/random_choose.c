// SPDX-License-Identifier: MIT
// random_ops: which step comes next. Uses the generator only, never the
// answers of the directory under test, so that a seed repeats a run.
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tests/posix/random_choose.h"

static const struct operation *const tables[] = {
	random_name_operations,
	random_file_operations,
	random_map_operations,
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static const struct operation *find_operation(const char *name)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct operation *op = tables[t]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

static uint64_t weight_of(const struct rnd *r, const struct operation *op)
{
	size_t length = strlen(op->name);
	const char *at = r->without;

	while (at && (at = strstr(at, op->name))) {
		if ((at == r->without || at[-1] == ',') &&
		    (at[length] == ',' || !at[length]))
			return 0;
		at += length;
	}
	return (uint64_t)op->weight;
}

static const struct operation *weighted(struct rnd *r)
{
	uint64_t total = 0;

	for (size_t t = 0; t < TABLES; t++)
		for (const struct operation *op = tables[t]; op->name; op++)
			total += weight_of(r, op);
	uint64_t at = prng_below(&r->prng, total);

	for (size_t t = 0; t < TABLES; t++)
		for (const struct operation *op = tables[t]; op->name; op++) {
			uint64_t weight = weight_of(r, op);

			if (at < weight)
				return op;
			at -= weight;
		}
	return find_operation("open");
}

// Few names, so that operations meet.
static void choose_path(struct prng *p, char *path)
{
	uint64_t dice = prng_below(p, 20);
	int depth = dice < 10 ? 1 : dice < 17 ? 2 : 3;
	char *at = path;

	for (int i = 0; i < depth; i++) {
		*at++ = (char)('a' + prng_below(p, 5));
		*at++ = '/';
	}
	at[-1] = '\0';
}

static off_t choose_offset(struct prng *p)
{
	static const off_t edges[] = { 0, 4096, 65536, 131072, 1 };
	uint64_t dice = prng_below(p, 10);

	if (dice < 3)
		return edges[prng_below(p, 5)];
	if (dice < 9)
		return (off_t)prng_below(p, 150000);
	return (off_t)prng_below(p, 1200000);
}

static size_t choose_length(struct prng *p)
{
	static const size_t edges[] = { 0, 1, 4096, 65536, 511 };
	uint64_t dice = prng_below(p, 10);

	if (dice < 2)
		return (size_t)edges[prng_below(p, 5)];
	if (dice < 7)
		return (size_t)prng_below(p, 6000);
	return (size_t)prng_below(p, MAX_IO);
}

static int choose_flags(struct prng *p)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };
	int flags = access[prng_below(p, 4)];

	if (prng_below(p, 10) < 6)
		flags |= O_CREAT;
	if (prng_below(p, 10) < 2)
		flags |= O_TRUNC;
	if (prng_below(p, 10) < 2)
		flags |= O_APPEND;
	if (prng_below(p, 12) == 0)
		flags |= O_EXCL;
	if (prng_below(p, 10) == 0)
		flags |= O_NOFOLLOW;
	if (!(flags & O_CREAT)) {
		flags &= ~O_EXCL;
		if (prng_below(p, 12) == 0)
			flags |= O_DIRECTORY;
	}
	return flags;
}

// A random slot that is open (or closed, with WANT_OPEN false), else -1.
static int choose_slot(struct rnd *r, bool want_open)
{
	int start = (int)prng_below(&r->prng, SLOTS);

	for (int i = 0; i < SLOTS; i++) {
		int slot = (start + i) % SLOTS;

		if ((r->fd[1][slot] >= 0) == want_open)
			return slot;
	}
	return -1;
}

static int choose_map(struct rnd *r, bool want_mapped)
{
	int start = (int)prng_below(&r->prng, MAPS);

	for (int i = 0; i < MAPS; i++) {
		int map = (start + i) % MAPS;

		if ((r->maps[map].at[1] != NULL) == want_mapped)
			return map;
	}
	return -1;
}

// A step whose handle or mapping is missing becomes the one that makes it;
// one without room becomes the one that makes room.
static const struct operation *possible(struct rnd *r, struct args *args,
					const struct operation *op)
{
	if (op->uses & USES_MAP) {
		args->map = choose_map(r, true);
		if (args->map < 0)
			op = find_operation("map");
	}
	if (op->uses & USES_FREE_MAP) {
		args->map = choose_map(r, false);
		if (args->map < 0) {
			args->map = 0;
			return find_operation("unmap");
		}
	}
	if (op->uses & (USES_SLOT | USES_SLOT2)) {
		args->slot = choose_slot(r, true);
		args->slot2 = choose_slot(r, true);
		if (args->slot < 0)
			op = find_operation("open");
	}
	if (op->uses & USES_FREE_SLOT) {
		args->slot = choose_slot(r, false);
		if (args->slot < 0) {
			args->slot = choose_slot(r, true);
			return find_operation("close");
		}
	}
	return op;
}

void random_choose(struct rnd *r, struct args *args)
{
	static const mode_t modes[] = { 0644, 0600,  0755,  0777, 0444,
					0,    04755, 02770, 01777 };
	struct prng *p = &r->prng;

	memset(args, 0, sizeof(*args));
	args->op = possible(r, args, weighted(r));
	choose_path(p, args->a);
	choose_path(p, args->b);
	args->flags = choose_flags(p);
	args->variant = (unsigned)prng_below(p, 1000);
	args->mode = modes[prng_below(p, 9)];
	args->off = choose_offset(p);
	args->off2 = choose_offset(p);
	args->len = choose_length(p);
	args->fill = prng_next(p);
	args->mtime_s = (long)prng_below(p, EXPLICIT_BEFORE);
	args->mtime_ns = (long)prng_below(p, 1000000000);
}
