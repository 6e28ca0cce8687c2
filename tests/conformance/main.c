// SPDX-License-Identifier: MIT
/*
 * The program of the conformance suite: a scratch folder for the whole run,
 * an empty store for each test, and a line that says what was left out.
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS = 64 };

static struct {
	Suite *suite;
	uint64_t capabilities;
	const char *clauses[GROUPS];
	TCase *groups[GROUPS];
	size_t count;
	size_t left_out;
	char scratch[256];
} run;

static int remove_one(const char *path, const struct stat *info, int type,
		      struct FTW *walk)
{
	(void)info;
	(void)walk;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void scratch_remove(void)
{
	nftw(run.scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void scratch_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(run.scratch, sizeof(run.scratch), "%s/storefs-conf-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(run.scratch) || chmod(run.scratch, 0755)) {
		perror(run.scratch);
		exit(1);
	}
}

/* A folder of its own for each store. */
static void store_begin(void)
{
	char path[sizeof(run.scratch) + 16];

	snprintf(path, sizeof(path), "%s/XXXXXX", run.scratch);
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chmod(path, 0755), 0);
	conf_backend.begin(path);
}

static void setup(void)
{
	store_begin();
	conf_store = conf_open();
}

static void teardown(void)
{
	store_close(conf_store);
	conf_store = NULL;
}

static void print_missing(uint64_t missing)
{
	uint64_t bit;

	for (bit = 1; bit; bit <<= 1)
		if (missing & bit)
			printf(" %s", store_capability_name(bit));
}

TCase *conf_case(const char *clause, uint64_t needs, const char *test)
{
	size_t i;

	if (needs & ~run.capabilities) {
		printf("# left out %s:%s, the store lacks", clause, test);
		print_missing(needs & ~run.capabilities);
		printf("\n");
		run.left_out++;
		return NULL;
	}
	for (i = 0; i < run.count; i++)
		if (strcmp(run.clauses[i], clause) == 0)
			return run.groups[i];
	if (run.count == GROUPS) {
		fprintf(stderr, "too many groups of tests\n");
		exit(1);
	}
	run.clauses[i] = clause;
	run.groups[i] = tcase_create(clause);
	tcase_add_checked_fixture(run.groups[i], setup, teardown);
	tcase_set_timeout(run.groups[i], conf_rounds(120, 3600));
	suite_add_tcase(run.suite, run.groups[i]);
	run.count++;
	return run.groups[i];
}

/* The bits come from a store, as a user would see them. */
static void ask_capabilities(void)
{
	struct store_error error = STORE_ERROR_INIT;
	char path[sizeof(run.scratch) + 8];
	struct store *store;

	snprintf(path, sizeof(path), "%s/caps", run.scratch);
	if (mkdir(path, 0700)) {
		perror(path);
		exit(1);
	}
	conf_backend.begin(path);
	store = conf_backend.open(&error);
	if (!store) {
		fprintf(stderr, "%s: %s\n", conf_backend.name, error.message);
		scratch_remove();
		exit(1);
	}
	run.capabilities = store_capabilities(store);
	store_close(store);
}

static void add_tests(void)
{
	conf_add_identity();
	conf_add_keys();
	conf_add_files();
	conf_add_errors();
	conf_add_metadata();
	conf_add_streams();
	conf_add_versions();
	conf_add_compose();
	conf_add_folders();
	conf_add_listing();
	conf_add_glob();
	conf_add_moves();
	conf_add_links();
	conf_add_attributes();
	conf_add_xattrs();
	conf_add_sparse();
	conf_add_publish();
	conf_add_limits();
	conf_add_threads();
	conf_add_processes();
	conf_add_model();
	if (conf_backend.extra)
		conf_backend.extra();
}

int main(void)
{
	SRunner *runner;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	scratch_make();
	ask_capabilities();
	run.suite = suite_create(conf_backend.name);
	add_tests();
	runner = srunner_create(run.suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	scratch_remove();
	printf("# %zu tests left out\n", run.left_out);
	return failed ? 1 : 0;
}
