// SPDX-License-Identifier: MIT
/*
 * What a named step does (step.h), in builds configured with --enable-steps;
 * others do not contain this file.  Called from anywhere, by any thread.
 *
 *	STOREFS_STEP_LOG=FILE	append a line with the name of each step reached
 *	STOREFS_DIE_AT=NAME:N	SIGKILL when this process reaches NAME for the
 *				Nth time; the name `*` counts all steps
 *	STOREFS_SKIP=NAME,...	leave these steps out
 *
 * A step that can be left out is reached before it is decided upon.
 * The log is opened for each line: a daemon that closes what it inherited
 * would otherwise leave the number to some other file.  FILE is absolute.
 */
#include "config.h"

#include "src/base/step.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"

/* Read from the environment once; immutable then, but for `reached`. */
static struct {
	pthread_once_t once;
	const char *log;
	const char *skip;
	const char *die_at; /* not terminated behind the name */
	size_t die_length;
	unsigned long die_count;
	atomic_ulong reached; /* steps that die_at names */
} steps = { .once = PTHREAD_ONCE_INIT };

/* A test that asks for what cannot be understood would prove nothing. */
static void refuse(const char *variable, const char *value)
{
	fprintf(stderr, "storefs: %s: cannot use '%s'\n", variable, value);
	abort();
}

/* Names contain colons, too: the last one ends the name. */
static void die_at_parse(const char *value)
{
	const char *colon = strrchr(value, ':');
	char *end = NULL;

	if (!colon || colon == value || colon[1] < '1' || colon[1] > '9')
		refuse("STOREFS_DIE_AT", value);
	errno = 0;
	steps.die_count = strtoul(colon + 1, &end, 10);
	if (errno || *end)
		refuse("STOREFS_DIE_AT", value);
	steps.die_at = value;
	steps.die_length = (size_t)(colon - value);
}

static void steps_read(void)
{
	const char *die_at = getenv("STOREFS_DIE_AT");

	steps.log = getenv("STOREFS_STEP_LOG");
	steps.skip = getenv("STOREFS_SKIP");
	if (die_at)
		die_at_parse(die_at);
	if (steps.log && steps.log[0] != '/')
		refuse("STOREFS_STEP_LOG", steps.log);
}

static bool name_is(const char *name, const char *text, size_t length)
{
	return strlen(name) == length && memcmp(name, text, length) == 0;
}

/* One write: lines of several processes do not mix. */
static void step_log(const char *name)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "%s\n", name);
	CLEANUP_FD int fd = open(
		steps.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (length >= (int)sizeof(line) || fd < 0 ||
	    write(fd, line, (size_t)length) != length)
		refuse("STOREFS_STEP_LOG", steps.log);
}

static bool is_deadly(const char *name)
{
	if (!steps.die_at || (!name_is("*", steps.die_at, steps.die_length) &&
			      !name_is(name, steps.die_at, steps.die_length)))
		return false;
	return atomic_fetch_add(&steps.reached, 1) + 1 == steps.die_count;
}

void step_reached(const char *name)
{
	pthread_once(&steps.once, steps_read);
	if (steps.log)
		step_log(name);
	if (is_deadly(name))
		raise(SIGKILL);
}

bool step_wanted(const char *name)
{
	const char *word = NULL;

	step_reached(name);
	word = steps.skip;
	while (word) {
		size_t length = strcspn(word, ",");

		if (name_is(name, word, length))
			return false;
		word = word[length] ? word + length + 1 : NULL;
	}
	return true;
}
