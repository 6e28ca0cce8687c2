// SPDX-License-Identifier: MIT
// posix_suite: extended attributes of the user namespace. Names that begin
// with user.storefs. belong to the driver under test and are not judged. Run
// by suite_main.c.
#include "config.h"

#include <sys/xattr.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

// How often NAME is in the list of FILE, -1 on an error.
static int in_list(const char *file, const char *name)
{
	char list[4096];
	ssize_t len = listxattr(file, list, sizeof(list));
	int n = 0;

	if (len < 0)
		return -1;
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		n += strcmp(list + at, name) == 0;
	return n;
}

static bool has(const char *file, const char *name, const char *value)
{
	char buf[256];
	ssize_t len = getxattr(file, name, buf, sizeof(buf));

	return len == (ssize_t)strlen(value) &&
	       memcmp(buf, value, (size_t)len) == 0;
}

static void attributes_are_set_read_listed_and_removed(void)
{
	t_put("f", "x");
	OK(mkdir("d", 0755));
	const char *const names[] = { "f", "d" };

	for (int i = 0; i < 2; i++) {
		const char *n = names[i];

		OK(setxattr(n, "user.color", "blue", 4, 0));
		OK(setxattr(n, "user.shape", "round", 5, 0));
		CHECK(has(n, "user.color", "blue"));
		CHECK(has(n, "user.shape", "round"));
		EQ(in_list(n, "user.color"), 1);
		EQ(in_list(n, "user.shape"), 1);
		OK(setxattr(n, "user.color", "deep red", 8, 0));
		CHECK(has(n, "user.color", "deep red"));
		OK(removexattr(n, "user.color"));
		EQ(in_list(n, "user.color"), 0);
		CHECK(has(n, "user.shape", "round"));
		WANT(ENODATA, removexattr(n, "user.color"));
		WANT(ENODATA, getxattr(n, "user.color", NULL, 0));
	}
}

static void create_and_replace_are_told_apart(void)
{
	t_put("f", "x");
	WANT(ENODATA, setxattr("f", "user.a", "1", 1, XATTR_REPLACE));
	OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	WANT(EEXIST, setxattr("f", "user.a", "2", 1, XATTR_CREATE));
	CHECK(has("f", "user.a", "1"));
	OK(setxattr("f", "user.a", "2", 1, XATTR_REPLACE));
	CHECK(has("f", "user.a", "2"));
}

static void sizes_are_asked_and_checked(void)
{
	char buf[64];

	t_put("f", "x");
	OK(setxattr("f", "user.a", "0123456789", 10, 0));
	EQ(getxattr("f", "user.a", NULL, 0), 10);
	EQ(getxattr("f", "user.a", buf, 10), 10);
	WANT(ERANGE, getxattr("f", "user.a", buf, 9));
	ssize_t need = listxattr("f", NULL, 0);

	CHECK(need >= 7);
	WANT(ERANGE, listxattr("f", buf, 3));
	OK(setxattr("f", "user.empty", "", 0, 0));
	EQ(getxattr("f", "user.empty", buf, sizeof(buf)), 0);
	EQ(in_list("f", "user.empty"), 1);
}

static void values_of_any_bytes_are_kept(void)
{
	char value[1024];
	char back[1024];

	t_put("f", "x");
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)i;
	OK(setxattr("f", "user.bin", value, sizeof(value), 0));
	EQ(getxattr("f", "user.bin", back, sizeof(back)), sizeof(back));
	CHECK(memcmp(value, back, sizeof(value)) == 0);
}

static void attributes_survive_the_life_of_a_file(void)
{
	t_put("f", "x");
	OK(setxattr("f", "user.tag", "kept", 4, 0));
	t_put("f", "rewritten in place");
	CHECK(has("f", "user.tag", "kept"));
	OK(rename("f", "g"));
	CHECK(has("g", "user.tag", "kept"));
	OK(truncate("g", 0));
	OK(chmod("g", 0600));
	CHECK(has("g", "user.tag", "kept"));
	if (t_can(T_HARD_LINKS)) {
		OK(link("g", "h"));
		CHECK(has("h", "user.tag", "kept"));
		OK(setxattr("h", "user.more", "1", 1, 0));
		CHECK(has("g", "user.more", "1"));
	}
	t_put("new", "x");
	OK(rename("new", "g"));
	WANT(ENODATA, getxattr("g", "user.tag", NULL, 0));
}

static void attributes_through_handles(void)
{
	char buf[16];
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	OK(fsetxattr(fd, "user.fd", "one", 3, 0));
	EQ(write(fd, "data", 4), 4);
	EQ(fgetxattr(fd, "user.fd", buf, sizeof(buf)), 3);
	CHECK(has("f", "user.fd", "one"));
	OK(setxattr("f", "user.path", "two", 3, 0));
	EQ(fgetxattr(fd, "user.path", buf, sizeof(buf)), 3);
	OK(close(fd));
	CHECK(has("f", "user.fd", "one"));
	CHECK(t_holds("f", "data"));
	fd = t_open("f", O_RDWR);
	OK(unlink("f"));
	EQ(fgetxattr(fd, "user.fd", buf, sizeof(buf)), 3);
	OK(close(fd));
}

static void setting_moves_ctime_only(void)
{
	t_put("f", "x");
	TIMES(T_C, "f", 0, setxattr("f", "user.a", "1", 1, 0));
	TIMES(0, "f", 0, getxattr("f", "user.a", NULL, 0) == 1 ? 0 : -1);
	TIMES(0, "f", EEXIST, setxattr("f", "user.a", "2", 1, XATTR_CREATE));
	TIMES(T_C, "f", 0, removexattr("f", "user.a"));
}

static void permissions_are_those_of_the_content(void)
{
	t_put("f", "x");
	OK(setxattr("f", "user.a", "1", 1, 0));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("f", alice.uid, alice.gid));
	OK(chmod("f", 0644));
	AS(&bob)
	{
		CHECK(has("f", "user.a", "1"));
		WANT(EACCES, setxattr("f", "user.a", "2", 1, 0));
		WANT(EACCES, removexattr("f", "user.a"));
	}
	AS(&alice) OK(setxattr("f", "user.a", "2", 1, 0));
	OK(chmod("f", 0200));
	AS(&alice) WANT(EACCES, getxattr("f", "user.a", NULL, 0));
	OK(chmod("f", 0606));
	AS(&bob) OK(setxattr("f", "user.a", "3", 1, 0));
	OK(mkdir("d", 01777));
	AS(&bob) WANT(EPERM, setxattr("d", "user.a", "1", 1, 0));
}

static void xattr_errors(void)
{
	char name[512] = "user.";

	t_put("f", "x");
	WANT(ENOENT, getxattr("none", "user.a", NULL, 0));
	WANT(ENOENT, setxattr("none", "user.a", "1", 1, 0));
	WANT(EINVAL,
	     setxattr("f", "user.a", "1", 1, XATTR_CREATE | XATTR_REPLACE | 8));
	WANT(EOPNOTSUPP, setxattr("f", "nonamespace", "1", 1, 0));
	WANT(ERANGE, setxattr("f", "", "1", 1, 0));
	t_long(name + 5, 251, 'n');
	WANT(ERANGE, setxattr("f", name, "1", 1, 0));
	OK(symlink("f", "s"));
	WANT(EPERM, lsetxattr("s", "user.a", "1", 1, 0));
	if (t_can(T_SPECIAL)) {
		OK(mkfifo("p", 0644));
		WANT(EPERM, setxattr("p", "user.a", "1", 1, 0));
	}
	OK(setxattr("s", "user.a", "1", 1, 0));
	CHECK(has("f", "user.a", "1"));
}

static void the_longest_name_is_kept(void)
{
	char name[512] = "user.";

	t_put("f", "x");
	t_long(name + 5, 250, 'n');
	OK(setxattr("f", name, "v", 1, 0));
	CHECK(has("f", name, "v"));
	EQ(in_list("f", name), 1);
	OK(removexattr("f", name));
}

static void many_attributes_live_side_by_side(void)
{
	char name[32];
	char value[32];

	t_put("f", "x");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.key%d", i);
		snprintf(value, sizeof(value), "value of %d", i);
		OK(setxattr("f", name, value, strlen(value), 0));
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.key%d", i);
		snprintf(value, sizeof(value), "value of %d", i);
		CHECK(has("f", name, value));
		EQ(in_list("f", name), 1);
	}
}

const struct t_case xattr_tests[] = {
	T(attributes_are_set_read_listed_and_removed),
	T(create_and_replace_are_told_apart),
	T(sizes_are_asked_and_checked),
	T(values_of_any_bytes_are_kept),
	T(attributes_survive_the_life_of_a_file),
	T(attributes_through_handles),
	T(setting_moves_ctime_only),
	T(permissions_are_those_of_the_content),
	T(xattr_errors),
	T(the_longest_name_is_kept),
	T(many_attributes_live_side_by_side),
	{ NULL, NULL },
};
