// SPDX-License-Identifier: MIT
/*
 * Runs a fuzz target without libFuzzer: over every file named on the command
 * line, or in a folder named there, and over variations of each. Without any,
 * over its seeds below $SRCDIR. Links to one fuzz-*.c. The variations are the
 * same in every run with one $SEED.
 *
 * Exits 1 when nothing was read, so that an empty corpus cannot pass.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 20, VARIATIONS = 200 };

struct input {
	uint8_t *data; /* room for one byte more than INPUT_MAX */
	size_t size;
};

static uint64_t random_state;

/* xorshift64*: the same numbers on every machine. */
static uint64_t random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

/* The target gets memory of exactly its size: an overrun is then seen. */
static void run_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void vary(struct input *input)
{
	size_t at;

	if (input->size == 0)
		return;
	at = random_next() % input->size;
	switch (random_next() % 4) {
	case 0:
		input->data[at] = (uint8_t)random_next();
		break;
	case 1:
		input->data[at] ^= (uint8_t)(1u << random_next() % 8);
		break;
	case 2:
		memmove(input->data + at, input->data + at + 1,
			input->size - at - 1);
		input->size--;
		break;
	default:
		if (input->size < INPUT_MAX) {
			memmove(input->data + at + 1, input->data + at,
				input->size - at);
			input->size++;
		}
	}
}

static int run_file(const char *path)
{
	static uint8_t original[INPUT_MAX], varied[INPUT_MAX + 1];
	struct input input = { .data = varied };
	FILE *file = fopen(path, "rb");
	size_t size;
	int i;

	if (!file) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		return -1;
	}
	size = fread(original, 1, sizeof(original), file);
	fclose(file);
	run_exact(original, size);
	for (i = 0; i < VARIATIONS; i++) {
		if (i % 8 == 0) {
			memcpy(varied, original, size);
			input.size = size;
		}
		vary(&input);
		run_exact(varied, input.size);
	}
	return 1;
}

/* The number of files run, or -1. */
static int run_path(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	int done = 0, result = 0;

	if (!dir)
		return errno == ENOTDIR ? run_file(path) : -1;
	while (result >= 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		result = run_file(name);
		done++;
	}
	closedir(dir);
	return result < 0 ? -1 : done;
}

/* The number of files run, or -1. */
static int run_own_seeds(const char *program)
{
	const char *top = getenv("SRCDIR");
	const char *slash = strrchr(program, '/');
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fuzz/seeds/%s", top ? top : ".",
		 slash ? slash + 1 : program);
	return run_path(path);
}

int main(int argc, char **argv)
{
	const char *seed = getenv("SEED");
	int i, result, done = 0;

	random_state = seed ? strtoull(seed, NULL, 10) : 0;
	random_state = random_state * 2 + 1;
	for (i = 1; i < argc; i++) {
		result = run_path(argv[i]);
		if (result < 0)
			return 1;
		done += result;
	}
	if (argc == 1)
		done = run_own_seeds(argv[0]);
	printf("%d inputs, each with %d variations\n", done, VARIATIONS);
	return done > 0 ? 0 : 1;
}
