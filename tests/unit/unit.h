/* SPDX-License-Identifier: MIT */
/* The end of main() of every unit test: one suite of one case. */
#ifndef STOREFS_TESTS_UNIT_UNIT_H
#define STOREFS_TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs the tests; takes `tests` over.  The status for exit(). */
static inline int unit_run(const char *name, TCase *tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
