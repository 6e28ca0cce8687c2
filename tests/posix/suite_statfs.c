// SPDX-License-Identifier: MIT
// posix_suite: what statvfs says. Run by suite_main.c.
#include "config.h"

#include <sys/statvfs.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void the_figures_are_sane(void)
{
	struct statvfs v;

	memset(&v, 0, sizeof(v));
	OK(statvfs(".", &v));
	CHECK(v.f_bsize >= 512);
	CHECK(v.f_frsize >= 512);
	CHECK(v.f_blocks > 0);
	CHECK(v.f_bfree <= v.f_blocks);
	CHECK(v.f_bavail <= v.f_bfree);
	CHECK(v.f_bavail > 0);
	CHECK(v.f_ffree <= v.f_files);
	EQ(v.f_namemax, 255);
	CHECK(!(v.f_flag & ST_RDONLY));
}

static void file_and_directory_give_the_same(void)
{
	struct statvfs a;
	struct statvfs b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	t_put("f", "x");
	int fd = t_open("f", O_RDONLY);

	OK(statvfs(".", &a));
	OK(fstatvfs(fd, &b));
	EQ(a.f_blocks, b.f_blocks);
	EQ(a.f_bsize, b.f_bsize);
	EQ(a.f_namemax, b.f_namemax);
	OK(unlink("f"));
	OK(fstatvfs(fd, &b));
	OK(close(fd));
	WANT(ENOENT, statvfs("f", &a));
}

const struct t_case statfs_tests[] = {
	T(the_figures_are_sane),
	T(file_and_directory_give_the_same),
	{ NULL, NULL },
};
