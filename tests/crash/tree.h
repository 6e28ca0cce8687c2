/* SPDX-License-Identifier: MIT */
/* Reads a tree of files into a state. */
#ifndef STOREFS_TESTS_CRASH_TREE_H
#define STOREFS_TESTS_CRASH_TREE_H

#include "tests/crash/state.h"

/*
 * False: it could not be read whole, which standard error tells; what could
 * not has the type `?`, as has a file of another size than its attributes say.
 */
bool tree_read(const char *root, struct state *state);

#endif
