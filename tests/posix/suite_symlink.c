// SPDX-License-Identifier: MIT
// posix_suite: symlink and readlink, chains and loops. Run by suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void symlink_keeps_its_target_byte_for_byte(void)
{
	static const char *const targets[] = {
		"f",	      "./f",	   "../x/y",	   "/absolute/none",
		"with space", "trailing/", "\xff\xfe\x01", "a//b",
		"..",
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		OK(symlink(targets[i], "s"));
		ssize_t n = readlink("s", buf, sizeof(buf));

		EQ(n, strlen(targets[i]));
		CHECK(n > 0 && memcmp(buf, targets[i], (size_t)n) == 0);
		EQ(t_lstat("s").st_size, strlen(targets[i]));
		CHECK(S_ISLNK(t_lstat("s").st_mode));
		OK(unlink("s"));
	}
}

static void the_longest_target_is_kept(void)
{
	char *target = malloc(8192);
	char *buf = malloc(8192);

	if (!target || !buf)
		abort();
	OK(symlink(t_long(target, 4095, 't'), "s"));
	EQ(readlink("s", buf, 8192), 4095);
	CHECK(memcmp(buf, target, 4095) == 0);
	WANT(ENAMETOOLONG, symlink(t_long(target, 4096, 't'), "u"));
	WANT(ENOENT, symlink("", "u"));
	free(target);
	free(buf);
}

static void readlink_cuts_to_the_buffer(void)
{
	char buf[8] = "zzzzzzz";

	OK(symlink("abcdef", "s"));
	EQ(readlink("s", buf, 3), 3);
	CHECK(memcmp(buf, "abcz", 4) == 0);
}

static void readlink_of_other_types_is_invalid(void)
{
	char buf[8];

	for (int i = 0; i < t_n_types(); i++) {
		if (i == T_LNK)
			continue;
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EINVAL, readlink("n", buf, sizeof(buf)));
		OK(t_remove("n"));
	}
	WANT(ENOENT, readlink("none", buf, sizeof(buf)));
}

static void symlink_moves_the_times_of_the_parent(void)
{
	OK(mkdir("d", 0755));
	TIMES(T_MC, "d", 0, symlink("x", "d/s"));
	TIMES(0, "d", EEXIST, symlink("x", "d/s"));
	TIMES(T_MC, "d", 0, unlink("d/s"));
}

static void symlink_path_errors(void)
{
	char name[512];

	t_put("f", "x");
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EEXIST, symlink("t", "n"));
		OK(t_remove("n"));
	}
	WANT(ENOENT, symlink("t", "none/s"));
	WANT(ENOTDIR, symlink("t", "f/s"));
	WANT(ENAMETOOLONG, symlink("t", t_long(name, 256, 'n')));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, symlink("t", "loop1/s"));
	WANT(EEXIST, symlink("t", "loop1"));
	WANT(ENOENT, symlink("t", ""));
}

static void symlink_belongs_to_its_maker(void)
{
	OK(mkdir("d", 0777));
	AS(&alice) OK(symlink("x", "d/s"));
	if (t_is_root()) {
		EQ(t_lstat("d/s").st_uid, alice.uid);
		EQ(t_lstat("d/s").st_gid, alice.gid);
	}
	OK(chmod("d", 0755));
	AS(&alice) WANT(EACCES, symlink("x", "d/t"));
	AS(&alice) WANT(EACCES, unlink("d/s"));
}

// Linux follows 40 links in one lookup and refuses the 41st.
static void chains_work_to_forty_and_loop_beyond(void)
{
	char from[16];
	char to[16] = "f";

	t_put("f", "end");
	for (int i = 1; i <= 42; i++) {
		snprintf(from, sizeof(from), "s%d", i);
		OK(symlink(to, from));
		memcpy(to, from, sizeof(to));
	}
	CHECK(t_holds("s1", "end"));
	CHECK(t_holds("s40", "end"));
	WANT(ELOOP, open("s41", O_RDONLY));
	WANT(ELOOP, open("s42", O_WRONLY | O_CREAT, 0644));
	WANT(ELOOP, chmod("s41", 0600));
	WANT(ELOOP, truncate("s41", 0));
	CHECK(S_ISLNK(t_lstat("s42").st_mode));
}

static void operations_follow_symlinks_to_directories(void)
{
	OK(mkdir("d", 0755));
	OK(symlink("d", "s"));
	t_put("s/f", "through");
	CHECK(t_holds("d/f", "through"));
	OK(rename("s/f", "s/g"));
	CHECK(t_holds("d/g", "through"));
	OK(unlink("s/g"));
	OK(mkdir("s/sub", 0755));
	OK(rmdir("d/sub"));
	OK(unlink("s"));
	CHECK(t_exists("d"));
}

static void writing_through_a_dangling_symlink_creates_the_target(void)
{
	OK(mkdir("d", 0755));
	OK(symlink("d/new", "s"));
	WANT(ENOENT, open("s", O_RDONLY));
	t_put("s", "made");
	CHECK(t_holds("d/new", "made"));
	CHECK(S_ISLNK(t_lstat("s").st_mode));
	OK(rename("d/new", "d/other"));
	WANT(ENOENT, open("s", O_RDONLY));
}

const struct t_case symlink_tests[] = {
	T(symlink_keeps_its_target_byte_for_byte),
	T(the_longest_target_is_kept),
	T(readlink_cuts_to_the_buffer),
	T(readlink_of_other_types_is_invalid),
	T(symlink_moves_the_times_of_the_parent),
	T(symlink_path_errors),
	T(symlink_belongs_to_its_maker),
	T(chains_work_to_forty_and_loop_beyond),
	T(operations_follow_symlinks_to_directories),
	T(writing_through_a_dangling_symlink_creates_the_target),
	{ NULL, NULL },
};
