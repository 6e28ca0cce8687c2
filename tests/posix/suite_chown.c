// SPDX-License-Identifier: MIT
// posix_suite: chown, lchown and fchown, and what they and a write by
// another do to the setuid and setgid bits. Run by suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

#define OWNER(name, u, g)                    \
	do {                                 \
		EQ(t_lstat(name).st_uid, u); \
		EQ(t_lstat(name).st_gid, g); \
	} while (0)

static void chown_changes_every_type(void)
{
	if (!t_is_root()) {
		t_skip("chown needs root");
		return;
	}
	for (int i = 0; i < t_n_types_of_root(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		OK(lchown("n", 123, 456));
		OWNER("n", 123, 456);
		OK(lchown("n", (uid_t)-1, 789));
		OWNER("n", 123, 789);
		OK(lchown("n", 321, (gid_t)-1));
		OWNER("n", 321, 789);
		OK(lchown("n", (uid_t)-1, (gid_t)-1));
		OWNER("n", 321, 789);
		OK(lchown("n", 0, 0));
		OWNER("n", 0, 0);
		OK(lchown("n", 4000000000u, 4000000001u));
		OWNER("n", 4000000000u, 4000000001u);
		OK(t_remove("n"));
	}
}

static void chown_follows_and_lchown_does_not(void)
{
	if (!t_is_root()) {
		t_skip("chown needs root");
		return;
	}
	OK(t_create("f", 0, 0644));
	OK(symlink("f", "s"));
	OK(chown("s", 10, 20));
	OWNER("f", 10, 20);
	OWNER("s", 0, 0);
	OK(lchown("s", 30, 40));
	OWNER("f", 10, 20);
	OWNER("s", 30, 40);
	int fd = t_open("f", O_RDONLY);

	OK(fchown(fd, 50, 60));
	OWNER("f", 50, 60);
	OK(unlink("f"));
	OK(fchown(fd, 70, 80));
	EQ(t_fstat(fd).st_uid, 70);
	EQ(t_fstat(fd).st_gid, 80);
	OK(close(fd));
}

static void chown_moves_ctime_only(void)
{
	gid_t gid = t_is_root() ? 77 : getgid();

	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		TIMES(T_C, "n", 0, lchown("n", (uid_t)-1, gid));
		TIMES(0, ".", 0, lchown("n", (uid_t)-1, gid));
		OK(t_remove("n"));
	}
}

static void owner_may_give_a_file_to_own_groups_only(void)
{
	OK(t_create("f", 0, 0644));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	AS(&teamster)
	{
		TIMES(T_C, "f", 0, chown("f", (uid_t)-1, T_TEAM));
		OWNER("f", alice.uid, T_TEAM);
		OK(chown("f", alice.uid, alice.gid));
		OWNER("f", alice.uid, alice.gid);
		TIMES(0, "f", EPERM, chown("f", bob.uid, (gid_t)-1));
		TIMES(0, "f", EPERM, chown("f", (uid_t)-1, bob.gid));
		WANT(EPERM, chown("f", bob.uid, T_TEAM));
	}
	AS(&alice) WANT(EPERM, chown("f", (uid_t)-1, T_TEAM));
	OWNER("f", alice.uid, alice.gid);
	AS(&bob)
	{
		WANT(EPERM, chown("f", bob.uid, bob.gid));
		WANT(EPERM, chown("f", (uid_t)-1, bob.gid));
		WANT(EPERM, chown("f", alice.uid, alice.gid));
		WANT(EPERM, lchown("f", bob.uid, (gid_t)-1));
	}
	OWNER("f", alice.uid, alice.gid);
}

static void chown_clears_setid_bits_of_programs(void)
{
	if (!t_is_root()) {
		t_skip("chown needs root");
		return;
	}
	OK(t_create("f", 0, 0755));
	OK(chown("f", alice.uid, alice.gid));
	OK(chmod("f", 06755));
	AS(&teamster) OK(chown("f", (uid_t)-1, T_TEAM));
	EQ(MODE("f"), 0755);
	OK(chmod("f", 06755));
	OK(chown("f", bob.uid, bob.gid));
	EQ(MODE("f"), 0755);
	OK(chmod("f", 04755));
	OK(chown("f", bob.uid, (gid_t)-1));
	EQ(MODE("f"), 0755);
	OK(mkdir("d", 0755));
	OK(chmod("d", 06755));
	OK(chown("d", bob.uid, bob.gid));
	EQ(MODE("d"), 06755);
}

static void write_by_another_clears_setid_bits(void)
{
	static const mode_t modes[] = { 04777, 02777, 06777 };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		t_put("f", "old");
		OK(chmod("f", modes[i]));
		EQ(MODE("f"), modes[i]);
		AS(&bob)
		{
			int fd = t_open("f", O_WRONLY);

			EQ(write(fd, "x", 1), 1);
			EQ(t_fstat(fd).st_mode & 07777, 0777);
			OK(close(fd));
		}
		if (t_is_root())
			EQ(MODE("f"), 0777);
		CHECK(t_holds("f", t_is_root() ? "xld" : "old"));
		OK(unlink("f"));
	}
}

static void truncate_by_another_clears_setid_bits(void)
{
	t_put("f", "long text");
	OK(chmod("f", 06777));
	AS(&bob)
	{
		OK(truncate("f", 4));
		EQ(MODE("f"), 0777);
	}
	OK(chmod("f", 06777));
	AS(&bob)
	{
		OK(t_try_open("f", O_WRONLY | O_TRUNC));
		EQ(MODE("f"), 0777);
		EQ(t_stat("f").st_size, 0);
	}
}

static void chown_path_errors(void)
{
	char name[512];
	char path[8192];
	uid_t u = getuid();
	gid_t g = getgid();

	OK(t_create("f", 0, 0644));
	WANT(ENOENT, chown("none", u, g));
	WANT(ENOENT, lchown("none", u, g));
	WANT(ENOENT, chown("none/x", u, g));
	WANT(ENOTDIR, chown("f/x", u, g));
	WANT(ENAMETOOLONG, chown(t_long(name, 256, 'n'), u, g));
	WANT(ENAMETOOLONG, chown(t_long(path, 4096, 'p'), u, g));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, chown("loop1", u, g));
	OK(lchown("loop1", u, g));
	WANT(ELOOP, lchown("loop1/x", u, g));
	WANT(EBADF, fchown(-1, u, g));
}

static void chown_needs_search_permission(void)
{
	OK(mkdir("d", 0755));
	OK(t_create("d/f", 0, 0644));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("d", alice.uid, alice.gid));
	OK(chown("d/f", alice.uid, alice.gid));
	AS(&teamster)
	{
		OK(chmod("d", 0644));
		WANT(EACCES, chown("d/f", (uid_t)-1, T_TEAM));
		OK(chmod("d", 0755));
		OK(chown("d/f", (uid_t)-1, T_TEAM));
	}
	OWNER("d/f", alice.uid, T_TEAM);
}

const struct t_case chown_tests[] = {
	T(chown_changes_every_type),
	T(chown_follows_and_lchown_does_not),
	T(chown_moves_ctime_only),
	T(owner_may_give_a_file_to_own_groups_only),
	T(chown_clears_setid_bits_of_programs),
	T(write_by_another_clears_setid_bits),
	T(truncate_by_another_clears_setid_bits),
	T(chown_path_errors),
	T(chown_needs_search_permission),
	{ NULL, NULL },
};
