// SPDX-License-Identifier: MIT
// posix_suite: which names are possible. Run by suite_main.c.
#include "config.h"

#include <dirent.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static int listed(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int n = 0;

	CHECK(d != NULL);
	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, name) == 0;
	if (d)
		closedir(d);
	return n;
}

static void every_byte_but_slash_and_nul_is_allowed(void)
{
	char name[4] = "x?y";
	int end = t_can(T_ANY_BYTES) ? 256 : 128;

	for (int c = 1; c < end; c++) {
		if (c == '/')
			continue;
		name[1] = (char)c;
		t_put(name, "b");
		CHECK(t_holds(name, "b"));
	}
	DIR *d = opendir(".");
	const struct dirent *e;
	bool seen[256] = { false };
	int n = 0;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != 'x')
			continue;
		CHECK(strlen(e->d_name) == 3 && e->d_name[2] == 'y');
		CHECK(!seen[(unsigned char)e->d_name[1]]);
		seen[(unsigned char)e->d_name[1]] = true;
		n++;
	}
	EQ(n, end - 2);
	if (d)
		closedir(d);
	for (int c = 1; c < end; c++) {
		name[1] = (char)c;
		if (c != '/')
			OK(unlink(name));
	}
}

static void awkward_names_survive_a_round_trip(void)
{
	static const char *const names[] = {
		" ",	       "  x ",
		"\t",	       "\n",
		"-rf",	       "...",
		"..a",	       "a..",
		".hidden",     "\\",
		"a\\b",	       "%2F",
		"%",	       "100%",
		"?",	       "#",
		"&+*\"'<>|:;", "\xc3\xa4\xc3\xb6\xc3\xbc",
		"a\xcc\x88",   "\xff\xfe",
		"~",	       "\xf0\x9f\x90\xa7",
		"CON",	       "x.storefs-tmp",
		".storefs",
	};

	OK(mkdir("d", 0755));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		char moved[80];

		if (names[i][0] == '\xff' && !t_can(T_ANY_BYTES))
			continue;
		snprintf(path, sizeof(path), "d/%s", names[i]);
		t_put(path, names[i]);
		CHECK(t_holds(path, names[i]));
		EQ(listed("d", names[i]), 1);
		snprintf(moved, sizeof(moved), "d/%s2", names[i]);
		OK(rename(path, moved));
		CHECK(t_holds(moved, names[i]));
		OK(unlink(moved));
		OK(mkdir(path, 0755));
		OK(rmdir(path));
	}
	OK(rmdir("d"));
}

static void case_and_normal_forms_are_different_names(void)
{
	t_put("File", "upper");
	t_put("file", "lower");
	t_put("\xc3\xa4", "composed");
	t_put("a\xcc\x88", "decomposed");
	CHECK(t_holds("File", "upper"));
	CHECK(t_holds("file", "lower"));
	CHECK(t_holds("\xc3\xa4", "composed"));
	CHECK(t_holds("a\xcc\x88", "decomposed"));
}

static void like_patterns_touch_only_their_own(void)
{
	static const char *const dirs[] = { "a_b",  "axb",    "a%", "aab",
					    "A_B",  "up",     "UP", "a*",
					    "data", "dataset" };
	char path[32];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		OK(mkdir(dirs[i], 0755));
		snprintf(path, sizeof(path), "%s/f", dirs[i]);
		t_put(path, dirs[i]);
	}
	OK(rename("a_b", "moved"));
	OK(unlink("a%/f"));
	OK(rmdir("a%"));
	OK(rename("data", "moved2"));
	CHECK(t_holds("axb/f", "axb"));
	CHECK(t_holds("aab/f", "aab"));
	CHECK(t_holds("A_B/f", "A_B"));
	CHECK(t_holds("a*/f", "a*"));
	CHECK(t_holds("dataset/f", "dataset"));
	CHECK(t_holds("moved/f", "a_b"));
	CHECK(t_holds("moved2/f", "data"));
	CHECK(!t_exists("a_b"));
}

static void components_of_255_bytes_work(void)
{
	char name[512];
	char path[1024];

	t_put(t_long(name, 255, 'n'), "long");
	CHECK(t_holds(name, "long"));
	EQ(listed(".", name), 1);
	WANT(ENAMETOOLONG, t_create(t_long(name, 256, 'n'), 0, 0644));
	OK(mkdir(t_long(name, 255, 'd'), 0755));
	t_long(path, 255, 'd');
	path[255] = '/';
	t_long(path + 256, 255, 'f');
	t_put(path, "deep");
	CHECK(t_holds(path, "deep"));
	OK(symlink(path, t_long(name, 255, 's')));
	CHECK(t_holds(name, "deep"));
	if (t_can(T_HARD_LINKS))
		OK(link(path, t_long(name, 255, 'l')));
	OK(rename(name, t_long(path, 255, 'm')));
	CHECK(t_holds(path, "deep"));
	EQ(pathconf(".", _PC_NAME_MAX), 255);
}

static void a_path_of_a_thousand_bytes_works(void)
{
	char path[1100] = "";
	size_t len = 0;

	if (!t_can(T_LONG_PATHS))
		return;
	for (int i = 0; i < 5; i++) {
		t_long(path + len, 200, (char)('a' + i));
		len += 200;
		OK(mkdir(path, 0755));
		path[len++] = '/';
	}
	t_long(path + len, 15, 'f');
	t_put(path, "far down");
	CHECK(t_holds(path, "far down"));
	path[200] = '\0';
	OK(rename(path, "short"));
	path[200] = '/';
	memcpy(path + 195, "short", 5);
	CHECK(t_holds(path + 195, "far down"));
}

static void dots_and_slashes_are_resolved(void)
{
	OK(mkdir("d", 0755));
	t_put("d/f", "dots");
	CHECK(t_holds("./d/../d//./f", "dots"));
	EQ(t_stat("d/..").st_ino, t_stat(".").st_ino);
	EQ(t_stat("d/").st_ino, t_stat("d/.").st_ino);
	WANT(ENOTDIR, open("d/f/..", O_RDONLY));
	WANT(ENOENT, open("none/../d/f", O_RDONLY));
}

const struct t_case names_tests[] = {
	T(every_byte_but_slash_and_nul_is_allowed),
	T(awkward_names_survive_a_round_trip),
	T(case_and_normal_forms_are_different_names),
	T(like_patterns_touch_only_their_own),
	T(components_of_255_bytes_work),
	T(a_path_of_a_thousand_bytes_works),
	T(dots_and_slashes_are_resolved),
	{ NULL, NULL },
};
