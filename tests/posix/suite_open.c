// SPDX-License-Identifier: MIT
// posix_suite: open, creat and close: flags, errors, names. Run by
// suite_main.c.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void open_creates_with_mode_and_umask(void)
{
	static const struct {
		mode_t mode;
		mode_t mask;
		mode_t want;
	} rows[] = {
		{ 0755, 0, 0755 },   { 0151, 0, 0151 },	  { 0, 0, 0 },
		{ 0666, 022, 0644 }, { 0666, 077, 0600 }, { 0777, 0501, 0276 },
		{ 04755, 0, 04755 }, { 01644, 0, 01644 }, { 0444, 0, 0444 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		umask(rows[i].mask);
		int fd = open("f", O_CREAT | O_WRONLY, rows[i].mode);

		OK(fd);
		EQ(t_fstat(fd).st_mode, S_IFREG | rows[i].want);
		OK(close(fd));
		EQ(MODE("f"), rows[i].want);
		EQ(t_lstat("f").st_size, 0);
		EQ(t_lstat("f").st_nlink, 1);
		OK(unlink("f"));
	}
	umask(0);
}

static void open_creates_with_the_ids_of_the_process(void)
{
	OK(mkdir("d", 0777));
	AS(&alice)
	{
		OK(t_create("d/f", O_EXCL, 0644));
		EQ(t_stat("d/f").st_uid, alice.uid);
		EQ(t_stat("d/f").st_gid, alice.gid);
	}
	OK(t_create("d/g", O_EXCL, 0644));
	EQ(t_stat("d/g").st_uid, geteuid());
}

static void open_moves_times_only_when_it_creates_or_truncates(void)
{
	OK(mkdir("d", 0755));
	TIMES(T_MC, "d", 0, t_create("d/f", O_EXCL, 0644));
	t_put("d/f", "content");
	TIMES(0, "d", 0, t_try_open("d/f", O_CREAT | O_RDWR));
	TIMES(0, "d/f", 0, t_try_open("d/f", O_CREAT | O_RDWR));
	TIMES(0, "d", EEXIST, t_create("d/f", O_EXCL, 0644));
	TIMES(0, "d/f", EEXIST, t_create("d/f", O_EXCL, 0644));
	CHECK(t_holds("d/f", "content"));
	TIMES(T_MC, "d/f", 0, t_try_open("d/f", O_WRONLY | O_TRUNC));
	EQ(t_stat("d/f").st_size, 0);
	TIMES(0, "d", 0, t_try_open("d/f", O_WRONLY | O_TRUNC));
}

static void exclusive_creation_refuses_every_type(void)
{
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EEXIST, open("n", O_CREAT | O_EXCL | O_RDWR, 0644));
		WANT(EEXIST, open("n", O_CREAT | O_EXCL | O_RDONLY, 0644));
		OK(t_remove("n"));
	}
	OK(symlink("none", "s"));
	WANT(EEXIST, open("s", O_CREAT | O_EXCL | O_WRONLY, 0644));
	CHECK(!t_exists("none"));
	OK(t_create("s", 0, 0644));
	CHECK(t_exists("none"));
}

static void open_of_a_directory(void)
{
	OK(mkdir("d", 0755));
	OK(t_try_open("d", O_RDONLY));
	OK(t_try_open("d", O_RDONLY | O_DIRECTORY));
	WANT(EISDIR, open("d", O_WRONLY));
	WANT(EISDIR, open("d", O_RDWR));
	WANT(EISDIR, open("d", O_WRONLY | O_TRUNC));
	WANT(EISDIR, open("d", O_RDONLY | O_CREAT, 0644));
	WANT(EISDIR, open("d", O_WRONLY | O_CREAT, 0644));
	t_put("f", "x");
	WANT(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	WANT(EISDIR, open("d/", O_CREAT | O_WRONLY, 0644));
	WANT(ENOTDIR, open("f/", O_RDONLY));
	WANT(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
	char buf[8];
	int fd = t_open("d", O_RDONLY);

	WANT(EISDIR, read(fd, buf, sizeof(buf)));
	OK(close(fd));
}

static void open_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	WANT(ENOENT, open("none", O_RDONLY));
	WANT(ENOENT, open("none", O_WRONLY | O_TRUNC));
	WANT(ENOENT, open("none/f", O_CREAT | O_WRONLY, 0644));
	WANT(ENOENT, open("", O_RDONLY));
	WANT(ENOTDIR, open("f/g", O_RDONLY));
	WANT(ENOTDIR, open("f/g", O_CREAT | O_WRONLY, 0644));
	WANT(ENAMETOOLONG, open(t_long(name, 256, 'n'), O_RDONLY));
	WANT(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
	WANT(ENAMETOOLONG, open(t_long(path, 4096, 'p'), O_RDONLY));
	WANT(ENAMETOOLONG, open(path, O_CREAT | O_WRONLY, 0644));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ELOOP, open("loop1", O_RDONLY));
	WANT(ELOOP, open("loop1", O_CREAT | O_WRONLY, 0644));
	WANT(ELOOP, open("loop1/f", O_RDONLY));
	OK(symlink("f", "s"));
	WANT(ELOOP, open("s", O_RDONLY | O_NOFOLLOW));
	WANT(ELOOP, open("s", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
	OK(t_try_open("f", O_RDONLY | O_NOFOLLOW));
}

// A path of PATH_MAX - 1 bytes works, one byte more does not.
static void the_longest_path_opens(void)
{
	char path[4200];
	size_t len = 0;

	t_put("f", "far");
	while (len + 2 <= 4094)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "./");
	path[len++] = 'f';
	path[len] = '\0';
	EQ(len, 4095);
	CHECK(t_holds(path, "far"));
	memmove(path + 1, path, len + 1);
	path[0] = '.';
	path[1] = '/';
	WANT(ENAMETOOLONG, open(path, O_RDONLY));
}

static void open_asks_for_the_right_permission(void)
{
	static const struct {
		mode_t mode;
		int flags;
		int want;
	} rows[] = {
		{ 0600, O_RDWR, 0 },
		{ 0400, O_RDONLY, 0 },
		{ 0400, O_WRONLY, EACCES },
		{ 0400, O_RDWR, EACCES },
		{ 0200, O_WRONLY, 0 },
		{ 0200, O_RDONLY, EACCES },
		{ 0200, O_RDWR, EACCES },
		{ 0100, O_RDONLY, EACCES },
		{ 0100, O_WRONLY, EACCES },
		{ 0, O_RDONLY, EACCES },
		{ 0077, O_RDONLY, EACCES },
		{ 0077, O_WRONLY, EACCES },
		{ 0400, O_RDONLY | O_TRUNC, EACCES },
		{ 0200, O_WRONLY | O_TRUNC, 0 },
	};

	OK(t_create("f", 0, 0644));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		OK(chmod("f", rows[i].mode));
		AS(&alice) WANT(rows[i].want, t_try_open("f", rows[i].flags));
	}
	AS(&bob) WANT(EACCES, t_try_open("f", O_RDONLY));
}

static void failed_truncating_open_leaves_the_content(void)
{
	t_put("f", "precious");
	OK(chmod("f", 0444));
	AS(&alice)
	{
		TIMES(0, "f", EACCES, t_try_open("f", O_WRONLY | O_TRUNC));
		WANT(EACCES, t_create("f", O_TRUNC, 0644));
	}
	CHECK(t_holds("f", "precious"));
	EQ(MODE("f"), 0444);
}

static void open_creating_needs_write_permission(void)
{
	OK(mkdir("d", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("d", alice.uid, alice.gid));
	AS(&bob) TIMES(0, "d", EACCES, t_create("d/f", 0, 0644));
	AS(&alice) OK(t_create("d/f", 0, 0644));
	AS(&alice) OK(chmod("d", 0600));
	AS(&alice) WANT(EACCES, t_try_open("d/f", O_RDONLY));
	AS(&alice) OK(chmod("d", 0100));
	AS(&alice) OK(t_try_open("d/f", O_RDONLY));
	AS(&alice) WANT(EACCES, t_create("d/g", 0, 0644));
	AS(&alice) WANT(EACCES, t_try_open("d", O_RDONLY));
	EQ(t_stat("d").st_mode & 0777, 0100);
}

static void access_mode_of_the_handle_is_kept(void)
{
	char buf[4];

	t_put("f", "abc");
	int r = t_open("f", O_RDONLY);
	int w = t_open("f", O_WRONLY);

	WANT(EBADF, write(r, "x", 1));
	WANT(EBADF, read(w, buf, 1));
	WANT(EINVAL, ftruncate(r, 0));
	EQ(write(w, "X", 1), 1);
	EQ(read(r, buf, 3), 3);
	CHECK(memcmp(buf, "Xbc", 3) == 0);
	OK(close(r));
	OK(close(w));
	WANT(EBADF, close(w));
}

static void the_offset_belongs_to_the_open_file(void)
{
	char buf[8];

	t_put("f", "0123456789");
	int a = t_open("f", O_RDONLY);
	int b = t_open("f", O_RDONLY);
	int c = dup(a);

	EQ(read(a, buf, 3), 3);
	EQ(lseek(b, 0, SEEK_CUR), 0);
	EQ(lseek(c, 0, SEEK_CUR), 3);
	EQ(lseek(b, -2, SEEK_END), 8);
	EQ(read(b, buf, 8), 2);
	EQ(read(b, buf, 8), 0);
	WANT(EINVAL, (int)lseek(b, -1, SEEK_SET));
	EQ(lseek(b, 100, SEEK_SET), 100);
	EQ(read(b, buf, 8), 0);
	EQ(t_fstat(b).st_size, 10);
	OK(close(a));
	OK(close(b));
	OK(close(c));
}

static void an_unnamed_temporary_file_can_be_linked(void)
{
#ifdef O_TMPFILE
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char proc[64];

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		t_skip("no O_TMPFILE here");
		return;
	}
	OK(fd);
	EQ(write(fd, "later", 5), 5);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, proc, AT_FDCWD, "t", AT_SYMLINK_FOLLOW));
	OK(close(fd));
	CHECK(t_holds("t", "later"));
#else
	t_skip("no O_TMPFILE in this C library");
#endif
}

static void synchronous_and_hinting_flags_are_accepted(void)
{
	static const int flags[] = { O_SYNC,   O_DSYNC,	  O_NONBLOCK,
				     O_NOCTTY, O_CLOEXEC, O_APPEND };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = open("f", O_CREAT | O_RDWR | O_TRUNC | flags[i], 0644);

		OK(fd);
		EQ(write(fd, "abc", 3), 3);
		OK(fsync(fd));
		OK(fdatasync(fd));
		OK(close(fd));
		CHECK(t_holds("f", "abc"));
	}
	int fd = t_open(".", O_RDONLY | O_DIRECTORY);

	OK(fsync(fd));
	OK(close(fd));
}

const struct t_case open_tests[] = {
	T(open_creates_with_mode_and_umask),
	T(open_creates_with_the_ids_of_the_process),
	T(open_moves_times_only_when_it_creates_or_truncates),
	T(exclusive_creation_refuses_every_type),
	T(open_of_a_directory),
	T(open_path_errors),
	T(the_longest_path_opens),
	T(open_asks_for_the_right_permission),
	T(failed_truncating_open_leaves_the_content),
	T(open_creating_needs_write_permission),
	T(access_mode_of_the_handle_is_kept),
	T(the_offset_belongs_to_the_open_file),
	T(an_unnamed_temporary_file_can_be_linked),
	T(synchronous_and_hinting_flags_are_accepted),
	{ NULL, NULL },
};
