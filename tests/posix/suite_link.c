// SPDX-License-Identifier: MIT
// posix_suite: hard links. Run by suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void links_share_everything(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("a", "one");
	OK(link("a", "b"));
	OK(mkdir("d", 0755));
	OK(link("b", "d/c"));
	EQ(t_stat("a").st_nlink, 3);
	EQ(t_stat("b").st_ino, t_stat("a").st_ino);
	EQ(t_stat("d/c").st_ino, t_stat("a").st_ino);
	t_put("d/c", "other text");
	CHECK(t_holds("a", "other text"));
	CHECK(t_holds("b", "other text"));
	OK(chmod("b", 0600));
	EQ(MODE("a"), 0600);
	EQ(MODE("d/c"), 0600);
	OK(truncate("a", 5));
	EQ(t_stat("d/c").st_size, 5);
	OK(unlink("a"));
	EQ(t_stat("b").st_nlink, 2);
	CHECK(t_holds("b", "other"));
	OK(unlink("b"));
	EQ(t_stat("d/c").st_nlink, 1);
	CHECK(t_holds("d/c", "other"));
}

static void every_type_but_directories_can_be_linked(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	for (int i = 0; i < t_n_types(); i++) {
		if (i == T_DIR)
			continue;
		OK(t_make("n", (enum t_type)i, 0644));
		TIMES(T_C, "n", 0, link("n", "m"));
		EQ(t_lstat("m").st_ino, t_lstat("n").st_ino);
		EQ(t_lstat("m").st_nlink, 2);
		EQ(t_lstat("m").st_mode, t_lstat("n").st_mode);
		EQ(t_lstat("m").st_rdev, t_lstat("n").st_rdev);
		TIMES(T_C, "n", 0, unlink("m"));
		EQ(t_lstat("n").st_nlink, 1);
		OK(unlink("n"));
	}
	OK(mkdir("d", 0755));
	WANT(EPERM, link("d", "e"));
	CHECK(!t_exists("e"));
}

static void link_moves_the_times_of_the_parent(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("f", "x");
	OK(mkdir("d", 0755));
	TIMES(T_MC, "d", 0, link("f", "d/g"));
	TIMES(T_C, "f", 0, link("f", "d/h"));
	TIMES(0, "f", EEXIST, link("f", "d/h"));
	TIMES(0, "d", EEXIST, link("f", "d/h"));
	EQ(t_stat("f").st_nlink, 3);
}

static void link_refuses_an_existing_name(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("f", "x");
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EEXIST, link("f", "n"));
		OK(t_remove("n"));
	}
	WANT(EEXIST, link("f", "f"));
	EQ(t_stat("f").st_nlink, 1);
}

static void link_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	WANT(ENOENT, link("none", "n"));
	WANT(ENOENT, link("none/x", "n"));
	WANT(ENOENT, link("f", "none/x"));
	WANT(ENOTDIR, link("f/x", "n"));
	WANT(ENOTDIR, link("f", "f/x"));
	WANT(ENAMETOOLONG, link("f", t_long(name, 256, 'n')));
	WANT(ENAMETOOLONG, link(name, "n"));
	WANT(ENAMETOOLONG, link("f", t_long(path, 4096, 'p')));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, link("loop1/x", "n"));
	WANT(ELOOP, link("f", "loop1/x"));
	WANT(ENOENT, link("f", ""));
}

static void link_of_a_symlink_links_the_symlink(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("f", "x");
	OK(symlink("f", "s"));
	OK(link("s", "t"));
	CHECK(S_ISLNK(t_lstat("t").st_mode));
	EQ(t_lstat("t").st_ino, t_lstat("s").st_ino);
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
	CHECK(S_ISREG(t_lstat("u").st_mode));
	EQ(t_stat("f").st_nlink, 2);
}

static void link_needs_permissions(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	OK(mkdir("from", 0777));
	OK(mkdir("to", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("from", alice.uid, alice.gid));
	OK(chown("to", alice.uid, alice.gid));
	AS(&alice) t_put("from/f", "x");
	// Linking a file that one may not write is refused by policy elsewhere.
	OK(chmod("from/f", 0666));
	AS(&bob)
	{
		TIMES(0, "from/f", EACCES, link("from/f", "to/g"));
		TIMES(0, "to", EACCES, link("from/f", "to/g"));
	}
	AS(&alice) OK(link("from/f", "to/g"));
	EQ(t_stat("from/f").st_nlink, 2);
	AS(&alice) OK(chmod("from", 0600));
	AS(&alice) WANT(EACCES, link("from/f", "to/h"));
	AS(&alice) OK(chmod("from", 0700));
	AS(&alice) OK(chmod("to", 0600));
	AS(&alice) WANT(EACCES, link("from/f", "to/h"));
	AS(&alice) OK(chmod("to", 0500));
	AS(&alice) WANT(EACCES, link("from/f", "to/h"));
}

static void links_stay_while_one_is_open(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("a", "first");
	OK(link("a", "b"));
	int fd = t_open("a", O_RDWR);

	OK(unlink("a"));
	EQ(t_fstat(fd).st_nlink, 1);
	EQ(pwrite(fd, "F", 1, 0), 1);
	OK(close(fd));
	CHECK(t_holds("b", "First"));
	fd = t_open("b", O_RDWR);
	OK(link("b", "c"));
	EQ(t_fstat(fd).st_nlink, 2);
	EQ(pwrite(fd, "G", 1, 0), 1);
	OK(close(fd));
	CHECK(t_holds("b", "Girst"));
	CHECK(t_holds("c", "Girst"));
}

static void a_write_through_one_link_is_seen_through_the_other(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("a", "0123456789");
	OK(link("a", "b"));
	int w = t_open("a", O_RDWR);
	int r = t_open("b", O_RDONLY);
	char buf[16];

	EQ(pwrite(w, "abc", 3, 4), 3);
	EQ(pread(r, buf, sizeof(buf), 0), 10);
	CHECK(memcmp(buf, "0123abc789", 10) == 0);
	OK(ftruncate(w, 20));
	EQ(t_fstat(r).st_size, 20);
	OK(close(w));
	OK(close(r));
	EQ(t_stat("b").st_size, 20);
}

static void many_links_to_one_file(void)
{
	char name[32];

	if (!t_can(T_HARD_LINKS))
		return;
	t_put("f", "x");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(link("f", name));
	}
	EQ(t_stat("f").st_nlink, 201);
	EQ(t_stat("l199").st_ino, t_stat("f").st_ino);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(unlink(name));
	}
	EQ(t_stat("f").st_nlink, 1);
	CHECK(t_holds("f", "x"));
}

const struct t_case link_tests[] = {
	T(links_share_everything),
	T(every_type_but_directories_can_be_linked),
	T(link_moves_the_times_of_the_parent),
	T(link_refuses_an_existing_name),
	T(link_path_errors),
	T(link_of_a_symlink_links_the_symlink),
	T(link_needs_permissions),
	T(links_stay_while_one_is_open),
	T(a_write_through_one_link_is_seen_through_the_other),
	T(many_links_to_one_file),
	{ NULL, NULL },
};
