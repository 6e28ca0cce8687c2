// SPDX-License-Identifier: MIT
/*
 * commit=background without a kernel: random closes and changes of names,
 * uploads that run meanwhile, and ends at any moment.  What comes back is
 * what there was at one moment: after a kill the last, after a cut of power
 * none before the last close or fsync.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_restart.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

enum { NAMES = 5, TEXT = 24, HISTORY = 64, STEPS = 1500 };

/* The names, below the folder or not; it is called d or e. */
static const char *const names[NAMES] = { "a", "b", "c", "/a", "/b" };

struct state {
	char folder;
	bool there[NAMES];
	bool replaces[NAMES]; /* it was renamed over another one */
	char text[NAMES][TEXT];
};
/* Those that may come back, the last one is now. */
static struct state history[HISTORY];
static size_t moments;
static unsigned int counter;

static void ok(int code)
{
	ck_assert_int_eq(code, 0);
}

static const struct state *now(void)
{
	return &history[moments - 1];
}

/* A further moment; for the caller to change. */
static struct state *next(void)
{
	ck_assert_uint_lt(moments, HISTORY);
	history[moments] = history[moments - 1];
	return &history[moments++];
}

/* What is durable: nothing before can come back. */
static void forget_history(void)
{
	history[0] = *now();
	moments = 1;
}

static const char *path_of(char folder, unsigned int index, char path[8])
{
	path[0] = folder;
	snprintf(path + (names[index][0] == '/'), 7, "%s", names[index]);
	return path;
}

/* ---- steps ---- */

static void step_store(unsigned int index)
{
	struct state *state = next();
	char path[8];

	snprintf(state->text[index], TEXT, "%u", counter++);
	state->there[index] = true;
	ok(call_store(fs, path_of(state->folder, index, path),
		      state->text[index]));
	forget_history();
}

static void step_append(unsigned int index)
{
	struct call_handle handle;
	size_t length = strlen(now()->text[index]);
	struct state *state;
	char path[8];

	if (!now()->there[index] || length > TEXT - 8)
		return;
	state = next();
	snprintf(state->text[index] + length, TEXT - length, "+%u",
		 counter++ % 1000);
	ok(call_open(fs, path_of(state->folder, index, path), O_RDWR, &handle));
	ok(write_text(&handle, length, state->text[index] + length));
	ok(call_close(&handle));
	forget_history();
}

static void store_all(void)
{
	publisher_pause(fs->publisher, false);
	open_the_door();
	ck_assert_uint_eq(drain(), 0);
}

static void step_rename(unsigned int from, unsigned int to)
{
	struct state *state;
	char path[8], other[8];

	if (!now()->there[from] || from == to)
		return;
	if (now()->replaces[from])
		store_all();
	state = next();
	state->replaces[to] = state->there[to];
	state->there[from] = false;
	state->there[to] = true;
	memcpy(state->text[to], state->text[from], TEXT);
	ok(call_rename(fs, path_of(state->folder, from, path),
		       path_of(state->folder, to, other), 0));
}

static void step_unlink(unsigned int index)
{
	char path[8];

	if (!now()->there[index])
		return;
	next()->there[index] = false;
	ok(call_unlink(fs, path_of(now()->folder, index, path)));
}

static void step_move_folder(void)
{
	struct state *state = next();
	char from[2] = { state->folder, '\0' }, to[2] = { 'd', '\0' };

	to[0] = from[0] == 'd' ? 'e' : 'd';
	state->folder = to[0];
	ok(call_rename(fs, from, to, 0));
}

static void step(void)
{
	unsigned int index = (unsigned int)seed_below(NAMES);

	switch (seed_below(16)) {
	case 0:
	case 1:
	case 2:
		step_store(index);
		break;
	case 3:
	case 4:
		step_append(index);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		step_rename(index, (unsigned int)seed_below(NAMES));
		break;
	case 9:
	case 10:
		step_unlink(index);
		break;
	case 11:
		step_move_folder();
		break;
	case 12:
		ok(call_fsyncdir(fs, ""));
		forget_history();
		break;
	default:
		publisher_pause(fs->publisher, seed_below(2));
		break;
	}
	if (moments > HISTORY - 2) {
		ok(call_fsyncdir(fs, ""));
		forget_history();
	}
}

/* ---- what comes back ---- */

static bool folder_is(char name)
{
	char path[2] = { name, '\0' };
	struct stat found;

	return !call_stat(fs, path, &found);
}

static struct state seen_state(void)
{
	struct state seen = { .folder = folder_is('d') ? 'd' : 'e' };
	char path[8];

	ck_assert(folder_is('d') != folder_is('e'));
	for (unsigned int i = 0; i < NAMES; i++) {
		struct stat found;

		path_of(seen.folder, i, path);
		seen.there[i] = !call_stat(fs, path, &found);
		if (seen.there[i])
			ok(call_load(fs, path, seen.text[i], TEXT));
	}
	return seen;
}

static bool is_same(const struct state *a, const struct state *b)
{
	bool same = a->folder == b->folder;

	for (int i = 0; i < NAMES && same; i++)
		same = a->there[i] == b->there[i] &&
		       (!a->there[i] || !strcmp(a->text[i], b->text[i]));
	return same;
}

static void tell_state(const char *what, const struct state *state)
{
	printf("# %s: folder %c", what, state->folder);
	for (int i = 0; i < NAMES; i++)
		if (state->there[i])
			printf(", %s \"%s\"", names[i], state->text[i]);
	printf("\n");
}

/* `first`: the earliest moment that may come back. */
static void check_state(size_t first)
{
	struct state seen = seen_state();
	size_t moment = moments;

	while (moment > first && !is_same(&seen, &history[moment - 1]))
		moment--;
	if (moment == first) {
		tell_state("seen", &seen);
		for (size_t i = first; i < moments; i++)
			tell_state("may be", &history[i]);
		fflush(stdout);
		ck_abort_msg("no moment that there was");
	}
	history[0] = history[moment - 1];
	moments = 1;
}

/* The store alone has it in the end. */
static void check_store(void)
{
	const struct state *state = now();
	char path[8];

	store_all();
	for (unsigned int i = 0; i < NAMES; i++) {
		path_of(state->folder, i, path);
		if (state->there[i])
			memory_is(fs->store, path, state->text[i]);
		else
			ck_assert(!memory_has_key(fs->store, path));
	}
}

static void step_end(void)
{
	enum disk_end how = (enum disk_end)seed_below(DISK_ENDS);

	restart(how, seed_below(2));
	check_state(how == DISK_KILLED ? moments - 1 : 0);
	/* Recovery has made all of it durable. */
	open_the_door();
	ck_assert_uint_eq(fs->counters.failed_files, 0);
	ck_assert_uint_eq(fs->counters.unfinished, 0);
	if (seed_below(3) == 0)
		check_store();
}

START_TEST(what_comes_back_is_what_there_was_at_one_moment)
{
	history[0] = (struct state){ .folder = 'd' };
	moments = 1;
	ok(call_mkdir(fs, "d"));
	for (int i = 0; i < STEPS; i++) {
		step();
		if (seed_below(12) == 0)
			step_end();
	}
	step_end();
	check_store();
	flusher_round();
	ck_assert_int_eq(area_count(&mount->area, "data-"), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("random");

	seed_start();
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, restart_setup, restart_teardown);
	tcase_add_test(tests, what_comes_back_is_what_there_was_at_one_moment);
	return unit_run("mount commit random", tests);
}
