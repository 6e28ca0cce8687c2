// SPDX-License-Identifier: MIT
// The test tables of posix_suite, one per noun, each ended by a row of NULLs.
#ifndef STOREFS_TESTS_POSIX_SUITES_H
#define STOREFS_TESTS_POSIX_SUITES_H

#include "tests/posix/harness.h"

extern const struct t_case append_tests[];
extern const struct t_case chmod_tests[];
extern const struct t_case chown_tests[];
extern const struct t_case copy_tests[];
extern const struct t_case fallocate_tests[];
extern const struct t_case link_tests[];
extern const struct t_case locks_tests[];
extern const struct t_case mkdir_tests[];
extern const struct t_case mknod_tests[];
extern const struct t_case mmap_tests[];
extern const struct t_case names_tests[];
extern const struct t_case open_tests[];
extern const struct t_case perm_tests[];
extern const struct t_case readdir_tests[];
extern const struct t_case rename_tests[];
extern const struct t_case statfs_tests[];
extern const struct t_case symlink_tests[];
extern const struct t_case times_tests[];
extern const struct t_case truncate_tests[];
extern const struct t_case unlink_tests[];
extern const struct t_case utimens_tests[];
extern const struct t_case write_tests[];
extern const struct t_case xattr_tests[];

#endif
