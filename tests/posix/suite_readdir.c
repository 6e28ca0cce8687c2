// SPDX-License-Identifier: MIT
// posix_suite: listing directories, also while they change. Run by
// suite_main.c.
#include "config.h"

#include <dirent.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

enum { MANY = 1500 };

static void fill(const char *dir, int n)
{
	char path[64];
	int failed = 0;

	OK(mkdir(dir, 0755));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/name-%05d", dir, i);
		failed += t_create(path, O_EXCL, 0644) != 0;
	}
	EQ(failed, 0);
}

// The number in "name-NNNNN", -1 for another name.
static int number_of(const char *name)
{
	char *end = NULL;

	if (strncmp(name, "name-", 5) != 0)
		return -1;
	long n = strtol(name + 5, &end, 10);

	return *end == '\0' && n >= 0 && n < MANY ? (int)n : -1;
}

static void every_entry_is_listed_once(void)
{
	int *seen = calloc(MANY, sizeof(*seen));
	int dot = 0;
	int dotdot = 0;
	int once = 0;

	if (!seen)
		abort();
	fill("d", MANY);
	DIR *d = opendir("d");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		dot += strcmp(e->d_name, ".") == 0;
		dotdot += strcmp(e->d_name, "..") == 0;
		if (number_of(e->d_name) >= 0)
			seen[number_of(e->d_name)]++;
	}
	for (int i = 0; i < MANY; i++)
		once += seen[i] == 1;
	EQ(once, MANY);
	EQ(dot, 1);
	EQ(dotdot, 1);
	OK(closedir(d));
	free(seen);
}

// As rm -r does: remove what each step of the listing gives.
static void removing_while_listing_sees_every_entry_once(void)
{
	int left = 0;
	int removed = 0;

	fill("d", MANY);
	DIR *d = opendir("d");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		if (number_of(e->d_name) < 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			removed++;
		else
			left++;
	}
	EQ(removed, MANY);
	EQ(left, 0);
	OK(closedir(d));
	OK(rmdir("d"));
}

static void removing_some_shows_the_others_exactly_once(void)
{
	int *seen = calloc(MANY, sizeof(*seen));
	int wrong = 0;
	int count = 0;
	char path[64];

	if (!seen)
		abort();
	fill("d", MANY);
	DIR *d = opendir("d");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		int n = number_of(e->d_name);

		if (n < 0)
			continue;
		seen[n]++;
		// Each step removes one odd name somewhere else.
		int odd = (count++ * 7919 * 2 + 1) % MANY | 1;

		snprintf(path, sizeof(path), "d/name-%05d", odd);
		if (unlink(path) && errno != ENOENT)
			wrong++;
	}
	EQ(wrong, 0);
	for (int i = 0; i < MANY; i++)
		wrong += i % 2 ? seen[i] > 1 : seen[i] != 1;
	EQ(wrong, 0);
	OK(closedir(d));
	free(seen);
}

static void creating_while_listing_keeps_the_old_entries_once(void)
{
	int *seen = calloc(MANY, sizeof(*seen));
	int wrong = 0;
	char path[64];

	if (!seen)
		abort();
	fill("d", MANY);
	DIR *d = opendir("d");
	const struct dirent *e;
	int made = 0;

	while (d && (e = readdir(d))) {
		if (number_of(e->d_name) >= 0)
			seen[number_of(e->d_name)]++;
		snprintf(path, sizeof(path), "d/extra-%d", made);
		if (made < 300 && t_create(path, O_EXCL, 0644) == 0)
			made++;
	}
	for (int i = 0; i < MANY; i++)
		wrong += seen[i] != 1;
	EQ(wrong, 0);
	EQ(made, 300);
	OK(closedir(d));
	free(seen);
}

static void rewinddir_sees_the_present(void)
{
	int n = 0;

	fill("d", 3);
	DIR *d = opendir("d");
	const struct dirent *e;

	while (readdir(d))
		n++;
	EQ(n, 5);
	OK(t_create("d/later", 0, 0644));
	OK(unlink("d/name-00000"));
	rewinddir(d);
	n = 0;
	int later = 0;

	while ((e = readdir(d))) {
		n++;
		later += strcmp(e->d_name, "later") == 0;
		CHECK(strcmp(e->d_name, "name-00000") != 0);
	}
	EQ(n, 5);
	EQ(later, 1);
	OK(closedir(d));
}

static void telldir_and_seekdir_return_to_the_same_entry(void)
{
	enum { N = 200 };
	long where[N + 2];
	char names[N + 2][32];
	int n = 0;

	fill("d", N);
	DIR *d = opendir("d");
	const struct dirent *e;

	while (n < N + 2) {
		where[n] = telldir(d);
		e = readdir(d);
		if (!e)
			break;
		snprintf(names[n++], sizeof(names[0]), "%.31s", e->d_name);
	}
	EQ(n, N + 2);
	for (int i = n - 1; i >= 0; i -= 13) {
		seekdir(d, where[i]);
		e = readdir(d);
		CHECK(e && strcmp(e->d_name, names[i]) == 0);
		if (i + 1 < n) {
			e = readdir(d);
			CHECK(e && strcmp(e->d_name, names[i + 1]) == 0);
		}
	}
	OK(closedir(d));
}

static void two_listings_do_not_disturb_each_other(void)
{
	int a_count = 0;
	int b_count = 0;

	fill("d", 400);
	DIR *a = opendir("d");
	DIR *b = opendir("d");

	while (readdir(a)) {
		a_count++;
		b_count += readdir(b) != NULL;
		if (a_count == 100)
			rewinddir(b);
	}
	EQ(a_count, 402);
	while (readdir(b))
		b_count++;
	EQ(b_count, 502);
	OK(closedir(a));
	OK(closedir(b));
}

static void a_renamed_directory_goes_on_listing(void)
{
	int n = 0;

	fill("d", 600);
	DIR *d = opendir("d");

	for (int i = 0; i < 100; i++)
		n += readdir(d) != NULL;
	OK(rename("d", "e"));
	while (readdir(d))
		n++;
	EQ(n, 602);
	OK(closedir(d));
}

static void changes_are_listed_at_once(void)
{
	static const char *const step[] = { "a", "b", "c", "d", "e" };

	OK(mkdir("w", 0755));
	OK(chdir("w"));
	for (int i = 0; i < 5; i++) {
		int n = 0;

		OK(t_create(step[i], O_EXCL, 0644));
		DIR *d = opendir(".");

		while (readdir(d))
			n++;
		EQ(n, i + 3);
		OK(closedir(d));
	}
	OK(rename("a", "b"));
	OK(unlink("c"));
	OK(mkdir("c", 0755));
	int n = 0;
	DIR *d = opendir(".");
	const struct dirent *e;

	while ((e = readdir(d))) {
		n++;
		CHECK(strcmp(e->d_name, "a") != 0);
		if (strcmp(e->d_name, "c") == 0)
			CHECK(e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
	}
	EQ(n, 6);
	OK(closedir(d));
}

static void opendir_errors(void)
{
	t_put("f", "x");
	CHECK(opendir("f") == NULL && errno == ENOTDIR);
	CHECK(opendir("none") == NULL && errno == ENOENT);
	OK(mkdir("d", 0755));
	DIR *d = opendir("d");
	int n = 0;

	OK(rmdir("d"));
	while (readdir(d))
		n++;
	CHECK(n <= 2);
	OK(closedir(d));
}

const struct t_case readdir_tests[] = {
	T(every_entry_is_listed_once),
	T(removing_while_listing_sees_every_entry_once),
	T(removing_some_shows_the_others_exactly_once),
	T(creating_while_listing_keeps_the_old_entries_once),
	T(rewinddir_sees_the_present),
	T(telldir_and_seekdir_return_to_the_same_entry),
	T(two_listings_do_not_disturb_each_other),
	T(a_renamed_directory_goes_on_listing),
	T(changes_are_listed_at_once),
	T(opendir_errors),
	{ NULL, NULL },
};
