/* SPDX-License-Identifier: MIT */
/* The end of main() of every unit test: one suite. */
#ifndef STOREFS_TESTS_UNIT_UNIT_H
#define STOREFS_TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs all cases, NULL-terminated; takes them over.  The status for exit(). */
static inline int unit_run_cases(const char *name, TCase *const *cases)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (; *cases; cases++)
		suite_add_tcase(suite, *cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_run(const char *name, TCase *tests)
{
	TCase *cases[] = { tests, NULL };

	return unit_run_cases(name, cases);
}

#endif
