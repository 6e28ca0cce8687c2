// SPDX-License-Identifier: MIT
/*
 * The staging journal when the machine is switched off at any moment: before
 * each call that changes the disk the folder is copied, and every copy must
 * open as a journal of before or after.
 */
#include "config.h"

#include "tests/unit/mount_journal.h"
#include "tests/unit/unit.h"

static struct journal_folder folder;

static void begin(void)
{
	folder_make(&folder, "/tmp");
}

enum { STATES_MAX = 64 };

/* The folder as it was before each call that changes the disk. */
static struct journal_folder states[STATES_MAX];
static int state_count;
static char calls[STATES_MAX + 1]; /* f d r w a, one for each state */

static void copy_folder(const struct journal_folder *to)
{
	DIR *listing = opendir(folder.path);
	const struct dirent *entry;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		unsigned char *bytes;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		bytes = folder_load(&folder, entry->d_name, &size);
		folder_store(to, entry->d_name, bytes, size);
		free(bytes);
	}
	closedir(listing);
}

static int take_state(char call)
{
	ck_assert_int_lt(state_count, STATES_MAX);
	folder_make(&states[state_count], "/tmp");
	copy_folder(&states[state_count]);
	calls[state_count++] = call;
	return 0;
}

static int state_flush(int fd)
{
	return take_state(fd_is_folder(fd) ? 'd' : 'f');
}

static int state_allocate(int fd)
{
	(void)fd;
	return take_state('a');
}

static int state_rename(void)
{
	return take_state('r');
}

static int state_write(int fd, size_t *length, off_t offset)
{
	(void)fd;
	(void)length;
	(void)offset;
	return take_state('w');
}

static void watch(bool wanted)
{
	if (!wanted)
		take_state('e');
	hook_flush = wanted ? state_flush : NULL;
	hook_allocate = wanted ? state_allocate : NULL;
	hook_rename = wanted ? state_rename : NULL;
	hook_write = wanted ? state_write : NULL;
}

/* Each state opens, reads as one of both, and goes on. */
static void check_states(const char *before, const char *after)
{
	bool changed = false;

	for (int i = 0; i < state_count; i++) {
		struct journal_folder *state = &states[i];
		const char *texts;

		folder_open(state);
		texts = buf_text(&state->texts);
		if (strcmp(texts, before) && strcmp(texts, after))
			ck_abort_msg("before '%c' (%d): %s", calls[i], i,
				     texts);
		/* There is no way back. */
		changed = changed || !strcmp(texts, after);
		ck_assert(!changed || !strcmp(texts, after));
		ck_assert_int_eq(folder_count(state, "journal.new"), 0);
		folder_commit(state, "x");
		folder_close(state);
		folder_open(state);
		ck_assert_uint_eq(state->findings.bad_bytes, 0);
		folder_remove(state);
	}
	ck_assert(changed);
}

START_TEST(a_crash_while_it_is_made_leaves_an_empty_one_or_none)
{
	begin();
	watch(true);
	folder_open(&folder);
	watch(false);
	ck_assert_int_ge(state_count, 4);
	check_states("", "");
	folder_remove(&folder);
}
END_TEST

START_TEST(a_crash_while_it_is_rewritten_leaves_the_old_or_the_new)
{
	begin();
	folder_open(&folder);
	folder_commit(&folder, "old");
	folder_commit(&folder, "too");
	watch(true);
	ck_assert_int_eq(folder_rewrite(&folder, "abc"), STORE_OK);
	watch(false);
	/* Flushed before it gets its name, and the name after that. */
	ck_assert_ptr_nonnull(strstr(calls, "frd"));
	ck_assert_ptr_eq(strchr(calls, 'r'), strrchr(calls, 'r'));
	check_states("old|too|", "a|b|c|");
	folder_remove(&folder);
}
END_TEST

/* Is the damaged frame still somewhere? */
static bool is_kept(struct journal_folder *state, const char *text)
{
	DIR *listing = opendir(state->path);
	const struct dirent *entry;
	bool found = false;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		unsigned char *bytes;
		size_t size;

		if (strncmp(entry->d_name, "journal", 7) ||
		    !strcmp(entry->d_name, "journal.new"))
			continue;
		bytes = folder_load(state, entry->d_name, &size);
		found = found || memmem(bytes, size, text, strlen(text));
		free(bytes);
	}
	closedir(listing);
	return found;
}

/*
 * What was damaged is durable under its name before anything is written, and
 * what is written before anything is appended.
 */
static void check_order(void)
{
	const char *kept = strstr(calls, "frd"), *write = strchr(calls, 'w');

	ck_assert_ptr_nonnull(kept);
	ck_assert_ptr_nonnull(write);
	ck_assert(kept < write);
	ck_assert_ptr_nonnull(strchr(strrchr(calls, 'w'), 'f'));
}

/* Of frames one, two and three, this byte is damaged; reads so. */
static void crash_while_mended(size_t at, const char *lost, const char *frames)
{
	unsigned char *bytes;
	size_t size;

	begin();
	folder_open(&folder);
	folder_commit(&folder, "one");
	folder_commit(&folder, "two");
	folder_commit(&folder, "three");
	folder_close(&folder);
	bytes = folder_load(&folder, "journal", &size);
	bytes[at] ^= 1;
	folder_store(&folder, "journal", bytes, size);
	free(bytes);
	watch(true);
	folder_open(&folder);
	watch(false);
	ck_assert_str_eq(buf_text(&folder.texts), frames);
	check_order();
	for (int i = 0; i < state_count; i++)
		ck_assert(is_kept(&states[i], lost));
	check_states(frames, frames);
	folder_remove(&folder);
	state_count = 0;
	memset(calls, 0, sizeof(calls));
}

START_TEST(a_crash_while_damage_is_mended_loses_no_byte)
{
	crash_while_mended(40 + 48 + 1, "two", "one|three|");
	crash_while_mended(40 + 48 + 48 + 1, "three", "one|two|");
	crash_while_mended(1, "suorefs journal", "one|two|three|");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("crash");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests,
		       a_crash_while_it_is_made_leaves_an_empty_one_or_none);
	tcase_add_test(tests,
		       a_crash_while_it_is_rewritten_leaves_the_old_or_the_new);
	tcase_add_test(tests, a_crash_while_damage_is_mended_loses_no_byte);
	return unit_run("mount journal crash", tests);
}
