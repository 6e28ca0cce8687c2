// SPDX-License-Identifier: MIT
// posix_suite: chmod, fchmod and fchmodat. Run by suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void chmod_sets_the_bits_of_every_type(void)
{
	static const mode_t modes[] = { 0111, 0, 0777, 0640, 01777, 0400 };

	for (int i = 0; i < t_n_types(); i++) {
		if (i == T_LNK)
			continue;
		OK(t_make("n", (enum t_type)i, 0644));
		for (size_t k = 0; k < sizeof(modes) / sizeof(modes[0]); k++) {
			OK(chmod("n", modes[k]));
			EQ(MODE("n"), modes[k]);
			EQ(t_lstat("n").st_mode & S_IFMT,
			   t_format((enum t_type)i));
		}
		OK(t_remove("n"));
	}
}

static void chmod_keeps_setid_bits_for_the_superuser(void)
{
	OK(t_create("f", 0, 0755));
	OK(mkdir("d", 0755));
	OK(chmod("f", 06755));
	EQ(MODE("f"), 06755);
	OK(chmod("f", 07777));
	EQ(MODE("f"), 07777);
	OK(chmod("d", 06755));
	EQ(MODE("d"), 06755);
	OK(chmod("d", 0700));
	EQ(MODE("d"), 0700);
}

static void chmod_follows_a_symlink(void)
{
	OK(t_create("f", 0, 0644));
	OK(symlink("f", "s"));
	mode_t link_mode = MODE("s");

	OK(chmod("s", 0321));
	EQ(MODE("f"), 0321);
	EQ(MODE("s"), link_mode);
	OK(unlink("f"));
	WANT(ENOENT, chmod("s", 0644));
}

static void chmod_moves_ctime_only(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		if (i == T_LNK)
			continue;
		OK(t_make("n", (enum t_type)i, 0644));
		TIMES(T_C, "n", 0, chmod("n", 0600));
		TIMES(0, ".", 0, chmod("n", 0640));
		OK(t_remove("n"));
	}
}

static void fchmod_works_as_chmod(void)
{
	OK(t_create("f", 0, 0644));
	OK(mkdir("d", 0755));
	int f = t_open("f", O_RDONLY);
	int d = t_open("d", O_RDONLY | O_DIRECTORY);

	TIMES(T_C, "f", 0, fchmod(f, 0612));
	EQ(MODE("f"), 0612);
	EQ(t_fstat(f).st_mode & 07777, 0612);
	TIMES(T_C, "d", 0, fchmod(d, 0711));
	EQ(MODE("d"), 0711);
	OK(unlink("f"));
	OK(fchmod(f, 0604));
	EQ(t_fstat(f).st_mode & 07777, 0604);
	OK(close(f));
	OK(close(d));
}

static void chmod_of_a_mode_zero_file_open_for_writing(void)
{
	int fd = open("f", O_CREAT | O_EXCL | O_RDWR, 0);

	OK(fd);
	EQ(MODE("f"), 0);
	EQ(write(fd, "abc", 3), 3);
	OK(fchmod(fd, 0444));
	EQ(write(fd, "def", 3), 3);
	OK(close(fd));
	EQ(MODE("f"), 0444);
	CHECK(t_holds("f", "abcdef"));
}

static void chmod_path_errors(void)
{
	char name[512];
	char path[8192];

	OK(t_create("f", 0, 0644));
	WANT(ENOENT, chmod("none", 0644));
	WANT(ENOENT, chmod("none/x", 0644));
	WANT(ENOENT, chmod("", 0644));
	WANT(ENOTDIR, chmod("f/x", 0644));
	WANT(ENOTDIR, chmod("f/", 0644));
	WANT(ENAMETOOLONG, chmod(t_long(name, 256, 'n'), 0644));
	WANT(ENAMETOOLONG, chmod(t_long(path, 4096, 'p'), 0644));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, chmod("loop1", 0644));
	WANT(ELOOP, chmod("loop1/x", 0644));
	WANT(EBADF, fchmod(-1, 0644));
}

static void chmod_belongs_to_the_owner(void)
{
	OK(t_create("f", 0, 0644));
	OK(mkdir("d", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	OK(chown("d", alice.uid, alice.gid));
	AS(&alice)
	{
		OK(chmod("f", 0642));
		OK(chmod("d", 0752));
	}
	EQ(MODE("f"), 0642);
	EQ(MODE("d"), 0752);
	AS(&bob)
	{
		TIMES(0, "f", EPERM, chmod("f", 0777));
		TIMES(0, "d", EPERM, chmod("d", 0777));
		int fd = t_open("f", O_WRONLY);

		CHECK(fd >= 0);
		WANT(EPERM, fchmod(fd, 0777));
		OK(close(fd));
	}
	EQ(MODE("f"), 0642);
	EQ(MODE("d"), 0752);
}

static void chmod_needs_search_permission(void)
{
	OK(mkdir("d", 0755));
	OK(t_create("d/f", 0, 0644));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("d", alice.uid, alice.gid));
	OK(chown("d/f", alice.uid, alice.gid));
	AS(&alice)
	{
		OK(chmod("d/f", 0640));
		OK(chmod("d", 0644));
		WANT(EACCES, chmod("d/f", 0600));
		OK(chmod("d", 0700));
		OK(chmod("d/f", 0600));
	}
	EQ(MODE("d/f"), 0600);
}

static void chmod_outside_the_group_clears_setgid(void)
{
	OK(t_create("f", 0, 0755));
	OK(mkdir("d", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, bob.gid));
	OK(chown("d", alice.uid, bob.gid));
	AS(&alice)
	{
		OK(chmod("f", 02755));
		OK(chmod("d", 02755));
	}
	EQ(MODE("f"), 0755);
	EQ(MODE("d"), 0755);
	OK(chown("f", alice.uid, T_TEAM));
	AS(&teamster) OK(chmod("f", 02755));
	EQ(MODE("f"), 02755);
	AS(&alice) OK(chmod("f", 04711));
	EQ(MODE("f"), 04711);
	AS(&alice) OK(chmod("f", 01644));
	EQ(MODE("f"), 01644);
}

static void chmod_reaches_every_hard_link(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	OK(t_create("a", 0, 0644));
	OK(link("a", "b"));
	OK(chmod("a", 0611));
	EQ(MODE("b"), 0611);
	OK(unlink("a"));
	EQ(MODE("b"), 0611);
}

static void chmod_does_not_touch_open_handles(void)
{
	t_put("f", "text");
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	AS(&alice)
	{
		int r = t_open("f", O_RDONLY);
		int w = t_open("f", O_WRONLY);
		char buf[8];

		OK(chmod("f", 0));
		EQ(read(r, buf, 8), 4);
		EQ(write(w, "TEXT", 4), 4);
		WANT(EACCES, t_try_open("f", O_RDONLY));
		WANT(EACCES, t_try_open("f", O_WRONLY));
		OK(close(r));
		OK(close(w));
	}
	CHECK(t_holds("f", "TEXT"));
}

const struct t_case chmod_tests[] = {
	T(chmod_sets_the_bits_of_every_type),
	T(chmod_keeps_setid_bits_for_the_superuser),
	T(chmod_follows_a_symlink),
	T(chmod_moves_ctime_only),
	T(fchmod_works_as_chmod),
	T(chmod_of_a_mode_zero_file_open_for_writing),
	T(chmod_path_errors),
	T(chmod_belongs_to_the_owner),
	T(chmod_needs_search_permission),
	T(chmod_outside_the_group_clears_setgid),
	T(chmod_reaches_every_hard_link),
	T(chmod_does_not_touch_open_handles),
	{ NULL, NULL },
};
