// SPDX-License-Identifier: MIT
// posix_suite [-v] DIR [FILTER]: checks that DIR behaves as a POSIX file
// system on Linux does. Run it as root, or parts that switch users are
// skipped and counted. FILTER picks the tests whose "noun/name" contains it.
// Exit code: 0 all checks hold, 1 some failed, 2 usage.
#include "config.h"

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static const struct {
	const char *noun;
	const struct t_case *tests;
} suites[] = {
	{ "chmod", chmod_tests },	{ "chown", chown_tests },
	{ "link", link_tests },		{ "mkdir", mkdir_tests },
	{ "mknod", mknod_tests },	{ "open", open_tests },
	{ "rename", rename_tests },	{ "symlink", symlink_tests },
	{ "truncate", truncate_tests }, { "unlink", unlink_tests },
	{ "utimens", utimens_tests },	{ "perm", perm_tests },
	{ "times", times_tests },	{ "write", write_tests },
	{ "append", append_tests },	{ "fallocate", fallocate_tests },
	{ "copy", copy_tests },		{ "mmap", mmap_tests },
	{ "names", names_tests },	{ "readdir", readdir_tests },
	{ "xattr", xattr_tests },	{ "locks", locks_tests },
	{ "statfs", statfs_tests },
};

static bool wanted(const char *noun, const char *name, const char *filter)
{
	char label[256];

	snprintf(label, sizeof(label), "%s/%s", noun, name);
	return !filter || strstr(label, filter);
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	int first = verbose ? 2 : 1;

	if (argc <= first || argc > first + 2 || argv[first][0] == '-') {
		fprintf(stderr, "usage: posix_suite [-v] DIR [FILTER]\n");
		return 2;
	}
	const char *filter = argc > first + 1 ? argv[first + 1] : NULL;

	if (t_init(argv[first], verbose))
		return 2;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		for (const struct t_case *t = suites[i].tests; t->name; t++)
			if (wanted(suites[i].noun, t->name, filter))
				t_run(suites[i].noun, t);
	return t_finish();
}
