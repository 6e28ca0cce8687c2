// SPDX-License-Identifier: MIT
// posix_suite [-v] [--without WORD,...] DIR [FILTER]: checks that DIR behaves
// as a POSIX file system on Linux does. Run it as root, or parts that switch
// users are skipped and counted, as is what a store lacks by the WORDs (enum
// t_ability). FILTER picks the tests whose "noun/name" contains it.
// Exit code: 0 all checks hold, 1 some failed, 2 usage.
#include "config.h"

#include <getopt.h>

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
	static const struct option options[] = {
		{ "without", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	bool verbose = false;
	bool good = true;

	for (int c; (c = getopt_long(argc, argv, "+v", options, NULL)) != -1;)
		if (c == 'v')
			verbose = true;
		else if (c != 'w' || t_lacks(optarg))
			good = false;
	if (!good || optind >= argc || argc > optind + 2) {
		fprintf(stderr, "usage: posix_suite [-v] [--without WORD,...] "
				"DIR [FILTER]\n");
		return 2;
	}
	const char *filter = argc > optind + 1 ? argv[optind + 1] : NULL;

	if (t_init(argv[optind], verbose))
		return 2;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		for (const struct t_case *t = suites[i].tests; t->name; t++)
			if (wanted(suites[i].noun, t->name, filter))
				t_run(suites[i].noun, t);
	return t_finish();
}
