// SPDX-License-Identifier: MIT
// posix_suite: rename of every type onto every type, its errors, flags and
// times. Permissions of sticky directories are in suite_sticky.c. Run by
// suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void rename_moves_every_type(void)
{
	OK(mkdir("d", 0755));
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0641));
		struct stat old = t_lstat("n");

		OK(rename("n", "m"));
		CHECK(!t_exists("n"));
		EQ(t_lstat("m").st_ino, old.st_ino);
		EQ(t_lstat("m").st_mode, old.st_mode);
		struct stat moved = t_lstat("m");

		EQ(t_compare_time(&moved.st_mtim, &old.st_mtim), 0);
		OK(rename("m", "d/k"));
		EQ(t_lstat("d/k").st_ino, old.st_ino);
		CHECK(!t_exists("m"));
		OK(t_remove("d/k"));
	}
}

// What rename answers for a source and a target type; 0 means it replaces.
static int matrix_want(int from, int to)
{
	if (from == T_DIR)
		return to == T_DIR ? 0 : ENOTDIR;
	if (from == T_LNK && to == T_REG && !t_can(T_LINK_OVER))
		return EXDEV;
	return to == T_DIR ? EISDIR : 0;
}

static void rename_one_pair(enum t_type from, enum t_type to)
{
	int want = matrix_want((int)from, (int)to);

	OK(t_make("a", from, 0644));
	OK(t_make("b", to, 0600));
	ino_t a = t_lstat("a").st_ino;
	ino_t b = t_lstat("b").st_ino;
	int got = SYS(rename("a", "b"));
	char what[64];

	snprintf(what, sizeof(what), "rename(%s, %s)", t_type_name[from],
		 t_type_name[to]);
	t_want(__FILE__, __LINE__, want, got, what);
	if (got == 0) {
		CHECK(!t_exists("a"));
		EQ(t_lstat("b").st_ino, a);
		EQ(t_lstat("b").st_mode & S_IFMT, t_format(from));
	} else {
		EQ(t_lstat("a").st_ino, a);
		EQ(t_lstat("b").st_ino, b);
		OK(t_remove("a"));
	}
	OK(t_remove("b"));
}

static void rename_of_each_type_onto_each_type(void)
{
	for (int from = 0; from < t_n_types(); from++)
		for (int to = 0; to < t_n_types(); to++)
			rename_one_pair((enum t_type)from, (enum t_type)to);
}

static void exchange_one_pair(enum t_type from, enum t_type to)
{
	OK(t_make("a", from, 0644));
	OK(t_make("b", to, 0600));
	struct stat a = t_lstat("a");
	struct stat b = t_lstat("b");

	WANT(EEXIST, t_renameat2("a", "b", RENAME_NOREPLACE));
	EQ(t_lstat("a").st_ino, a.st_ino);
	EQ(t_lstat("b").st_ino, b.st_ino);
	if (t_can(T_EXCHANGE)) {
		OK(t_renameat2("a", "b", RENAME_EXCHANGE));
		EQ(t_lstat("a").st_ino, b.st_ino);
		EQ(t_lstat("b").st_ino, a.st_ino);
		EQ(t_lstat("a").st_mode, b.st_mode);
		EQ(t_lstat("b").st_mode, a.st_mode);
	}
	OK(t_remove("a"));
	OK(t_remove("b"));
}

static void noreplace_and_exchange_of_each_type(void)
{
	for (int from = 0; from < t_n_types(); from++)
		for (int to = 0; to < t_n_types(); to++)
			exchange_one_pair((enum t_type)from, (enum t_type)to);
}

static void rename_flags(void)
{
	t_put("a", "A");
	OK(t_renameat2("a", "b", RENAME_NOREPLACE));
	CHECK(t_holds("b", "A"));
	WANT(ENOENT, t_renameat2("b", "none", RENAME_EXCHANGE));
	WANT(ENOENT, t_renameat2("none", "b", RENAME_EXCHANGE));
	WANT(ENOENT, t_renameat2("none", "c", RENAME_NOREPLACE));
	WANT(EEXIST, t_renameat2("b", "b", RENAME_NOREPLACE));
	WANT(EINVAL, t_renameat2("b", "c", RENAME_EXCHANGE | RENAME_NOREPLACE));
	WANT(EINVAL, t_renameat2("b", "c", 0x80));
	if (!t_can(T_EXCHANGE))
		return;
	t_put("c", "C");
	OK(t_renameat2("b", "c", RENAME_EXCHANGE));
	CHECK(t_holds("b", "C"));
	CHECK(t_holds("c", "A"));
	OK(t_renameat2("c", "c", RENAME_EXCHANGE));
	CHECK(t_holds("c", "A"));
}

static void exchange_swaps_whole_trees(void)
{
	if (!t_can(T_EXCHANGE))
		return;
	OK(mkdir("x", 0755));
	OK(mkdir("x/sub", 0755));
	t_put("x/sub/f", "in x");
	OK(mkdir("y", 0700));
	t_put("y/g", "in y");
	t_put("file", "plain");
	OK(t_renameat2("x", "y", RENAME_EXCHANGE));
	CHECK(t_holds("y/sub/f", "in x"));
	CHECK(t_holds("x/g", "in y"));
	CHECK(!t_exists("x/sub"));
	OK(t_renameat2("file", "y/sub", RENAME_EXCHANGE));
	CHECK(t_holds("file/f", "in x"));
	CHECK(t_holds("y/sub", "plain"));
	WANT(EINVAL, t_renameat2("y", "y/sub", RENAME_EXCHANGE));
	WANT(EINVAL, t_renameat2("y/sub", "y", RENAME_EXCHANGE));
}

static void rename_replaces_an_empty_directory_only(void)
{
	OK(mkdir("a", 0755));
	t_put("a/f", "kept");
	OK(mkdir("b", 0755));
	t_put("b/g", "in the way");
	WANT(ENOTEMPTY, rename("a", "b"));
	CHECK(t_holds("a/f", "kept"));
	CHECK(t_holds("b/g", "in the way"));
	OK(unlink("b/g"));
	OK(rename("a", "b"));
	CHECK(t_holds("b/f", "kept"));
	CHECK(!t_exists("a"));
	OK(mkdir("c", 0755));
	OK(mkdir("c/sub", 0755));
	WANT(ENOTEMPTY, rename("b", "c"));
}

static void rename_into_itself_is_refused(void)
{
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	WANT(EINVAL, rename("d", "d/x"));
	WANT(EINVAL, rename("d", "d/e"));
	WANT(EINVAL, rename("d", "d/e/x"));
	WANT(ENOTEMPTY, rename("d/e", "d"));
	WANT(EBUSY, rename("d/.", "x"));
	WANT(EBUSY, rename("d/e/..", "x"));
	WANT(EBUSY, rename("d", "d/."));
	OK(rename("d", "d"));
	CHECK(t_exists("d/e"));
}

static void rename_onto_the_same_inode_does_nothing(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("a", "x");
	OK(link("a", "b"));
	TIMES(0, "a", 0, rename("a", "b"));
	CHECK(t_exists("a"));
	CHECK(t_exists("b"));
	EQ(t_stat("a").st_nlink, 2);
	TIMES(0, ".", 0, rename("a", "a"));
	CHECK(t_holds("a", "x"));
	WANT(EEXIST, t_renameat2("a", "b", RENAME_NOREPLACE));
}

static void rename_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	OK(mkdir("d", 0755));
	WANT(ENOENT, rename("none", "g"));
	WANT(ENOENT, rename("none/x", "g"));
	WANT(ENOENT, rename("f", "none/g"));
	WANT(ENOENT, rename("f", ""));
	WANT(ENOTDIR, rename("f/x", "g"));
	WANT(ENOTDIR, rename("f", "f/x"));
	WANT(ENOTDIR, rename("f", "g/"));
	WANT(ENOTDIR, rename("d", "f"));
	WANT(EISDIR, rename("f", "d"));
	WANT(ENAMETOOLONG, rename(t_long(name, 256, 'n'), "g"));
	WANT(ENAMETOOLONG, rename("f", name));
	WANT(ENAMETOOLONG, rename(t_long(path, 4096, 'p'), "g"));
	WANT(ENAMETOOLONG, rename("f", path));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, rename("loop1/x", "g"));
	WANT(ELOOP, rename("f", "loop1/x"));
	CHECK(t_holds("f", "x"));
	OK(rename("d", "e/"));
	CHECK(S_ISDIR(t_lstat("e").st_mode));
}

static void rename_moves_the_times_of_both_parents(void)
{
	OK(mkdir("p", 0755));
	OK(mkdir("q", 0755));
	t_put("p/f", "x");
	TIMES(T_MC, "p", 0, rename("p/f", "q/f"));
	TIMES(T_MC, "p", 0, rename("q/f", "p/f"));
	TIMES(T_MC, "p", 0, rename("p/f", "p/g"));
	TIMES(0, "p", ENOENT, rename("p/none", "q/none"));
	TIMES(0, "q", ENOENT, rename("p/none", "q/none"));
	OK(mkdir("p/sub", 0755));
	TIMES(T_MC, "q", 0, rename("p/sub", "q/sub"));
	TIMES(0, "q", ENOTDIR, rename("q/sub", "p/g"));
	TIMES(T_C | T_M_ANY, "p/g", 0, rename("p/g", "p/h"));
}

static void rename_over_an_open_file_keeps_both_readable(void)
{
	char buf[32];

	t_put("old", "old content");
	t_put("new", "new text");
	int old = t_open("old", O_RDWR);
	int new = t_open("new", O_RDWR);

	OK(rename("new", "old"));
	EQ(t_fstat(old).st_nlink, 0);
	EQ(pread(old, buf, sizeof(buf), 0), 11);
	CHECK(memcmp(buf, "old content", 11) == 0);
	EQ(pwrite(old, "gone", 4, 0), 4);
	EQ(pread(old, buf, sizeof(buf), 0), 11);
	CHECK(memcmp(buf, "gone", 4) == 0);
	EQ(pwrite(new, "NEW", 3, 0), 3);
	OK(close(old));
	OK(close(new));
	CHECK(t_holds("old", "NEW text"));
	CHECK(!t_exists("new"));
}

static void rename_takes_one_link_from_what_it_replaces(void)
{
	if (!t_can(T_HARD_LINKS))
		return;
	t_put("old", "old");
	OK(link("old", "other"));
	t_put("new", "new");
	OK(link("new", "second"));
	TIMES(T_C, "other", 0, rename("new", "old"));
	EQ(t_stat("other").st_nlink, 1);
	EQ(t_stat("old").st_nlink, 2);
	EQ(t_stat("old").st_ino, t_stat("second").st_ino);
	CHECK(t_holds("other", "old"));
	CHECK(t_holds("old", "new"));
	OK(unlink("second"));
	EQ(t_stat("old").st_nlink, 1);
}

static void rename_follows_an_open_writer(void)
{
	int fd = open("tmp", O_CREAT | O_EXCL | O_WRONLY, 0600);

	OK(fd);
	EQ(write(fd, "first ", 6), 6);
	OK(rename("tmp", "final"));
	CHECK(!t_exists("tmp"));
	EQ(write(fd, "second", 6), 6);
	OK(mkdir("d", 0755));
	OK(rename("final", "d/final"));
	EQ(write(fd, " third", 6), 6);
	OK(close(fd));
	CHECK(t_holds("d/final", "first second third"));
	EQ(MODE("d/final"), 0600);
}

static void rename_of_a_directory_carries_open_files(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	int fd = open("a/b/f", O_CREAT | O_RDWR, 0644);

	EQ(write(fd, "one", 3), 3);
	OK(rename("a", "z"));
	EQ(write(fd, "two", 3), 3);
	OK(close(fd));
	CHECK(t_holds("z/b/f", "onetwo"));
	CHECK(!t_exists("a"));
	OK(chdir("z/b"));
	OK(rename("../../z", "../../y"));
	CHECK(t_holds("f", "onetwo"));
	t_put("g", "here");
	OK(chdir("../.."));
	CHECK(t_holds("y/b/g", "here"));
}

static void rename_moves_dotdot(void)
{
	OK(mkdir("p", 0755));
	OK(mkdir("q", 0755));
	OK(mkdir("p/d", 0755));
	OK(rename("p/d", "q/d"));
	EQ(t_stat("q/d/..").st_ino, t_stat("q").st_ino);
	OK(rmdir("p"));
}

static void rename_needs_permissions(void)
{
	OK(mkdir("p", 0755));
	OK(mkdir("q", 0755));
	t_put("p/f", "x");
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("p", alice.uid, alice.gid));
	OK(chown("q", bob.uid, bob.gid));
	AS(&alice) TIMES(0, "p/f", EACCES, rename("p/f", "q/f"));
	AS(&bob) WANT(EACCES, rename("p/f", "q/f"));
	OK(chmod("q", 0777));
	AS(&alice) OK(rename("p/f", "q/f"));
	AS(&alice) OK(rename("q/f", "p/f"));
	// Moving a directory changes its "..", for which it must be writable.
	OK(mkdir("p/d", 0755));
	AS(&alice) WANT(EACCES, rename("p/d", "q/d"));
	AS(&alice) OK(rename("p/d", "p/e"));
	OK(chown("p/e", alice.uid, alice.gid));
	AS(&alice) OK(rename("p/e", "q/e"));
	CHECK(t_exists("q/e"));
}

static void rename_of_a_long_chain_of_names(void)
{
	char from[32] = "f0";
	char to[32];

	t_put(from, "wanderer");
	for (int i = 1; i <= 300; i++) {
		snprintf(to, sizeof(to), "f%d", i);
		OK(rename(from, to));
		memcpy(from, to, sizeof(from));
	}
	CHECK(t_holds("f300", "wanderer"));
	CHECK(!t_exists("f0"));
}

const struct t_case rename_tests[] = {
	T(rename_moves_every_type),
	T(rename_of_each_type_onto_each_type),
	T(noreplace_and_exchange_of_each_type),
	T(rename_flags),
	T(exchange_swaps_whole_trees),
	T(rename_replaces_an_empty_directory_only),
	T(rename_into_itself_is_refused),
	T(rename_onto_the_same_inode_does_nothing),
	T(rename_path_errors),
	T(rename_moves_the_times_of_both_parents),
	T(rename_over_an_open_file_keeps_both_readable),
	T(rename_takes_one_link_from_what_it_replaces),
	T(rename_follows_an_open_writer),
	T(rename_of_a_directory_carries_open_files),
	T(rename_moves_dotdot),
	T(rename_needs_permissions),
	T(rename_of_a_long_chain_of_names),
	{ NULL, NULL },
};
