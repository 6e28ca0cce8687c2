// SPDX-License-Identifier: MIT
// The chooser of random_ops.
#ifndef STOREFS_TESTS_POSIX_RANDOM_CHOOSE_H
#define STOREFS_TESTS_POSIX_RANDOM_CHOOSE_H

#include "tests/posix/random.h"

// The next step for the present handles and mappings of R, into ARGS.
void random_choose(struct rnd *r, struct args *args);

#endif
