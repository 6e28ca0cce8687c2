// SPDX-License-Identifier: MIT
// Checks, users and the running of tests: posix_suite's engine. Called by
// suite_main.c (running) and by every suite_*.c (checks, users).
//
// Each test is a child process with an alarm, in a directory of its own that
// is removed afterwards. The counters live in an anonymous shared mapping and
// are atomic: children and grandchildren count into the same ones.
#include "config.h"

#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/posix/errname.h"
#include "tests/posix/harness.h"

enum { TEST_SECONDS = 180, REMOVE_FDS = 32 };

struct counters {
	atomic_long checks;
	atomic_long failed;
	atomic_long skipped;
};

static struct counters *counters;
static const char *current = "?";
static char base[4096];
static bool verbose_tests;
static long tests_run;
static long tests_failed;

const struct t_user alice = { 65534, 65534, 1, { 65534 } };
const struct t_user bob = { 65533, 65533, 1, { 65533 } };
const struct t_user carol = { 65532, 65532, 1, { 65532 } };
const struct t_user teamster = { 65534, 65534, 2, { 65534, T_TEAM } };

static void fail_line(const char *file, int line)
{
	const char *slash = strrchr(file, '/');

	atomic_fetch_add(&counters->failed, 1);
	printf("FAIL %s %s:%d: ", current, slash ? slash + 1 : file, line);
}

void t_want(const char *file, int line, int want, int got, const char *what)
{
	atomic_fetch_add(&counters->checks, 1);
	if (want == got)
		return;
	fail_line(file, line);
	printf("%s: got %s, want %s\n", what, errname(got), errname(want));
	fflush(stdout);
}

void t_check(const char *file, int line, bool cond, const char *what)
{
	atomic_fetch_add(&counters->checks, 1);
	if (cond)
		return;
	fail_line(file, line);
	printf("not so: %s\n", what);
	fflush(stdout);
}

void t_equal(const char *file, int line, long long got, long long want,
	     const char *what)
{
	atomic_fetch_add(&counters->checks, 1);
	if (want == got)
		return;
	fail_line(file, line);
	printf("%s: got %lld (0%llo), want %lld (0%llo)\n", what, got,
	       (unsigned long long)got, want, (unsigned long long)want);
	fflush(stdout);
}

void t_skip(const char *why)
{
	atomic_fetch_add(&counters->skipped, 1);
	if (verbose_tests)
		printf("# skipped in %s: %s\n", current, why);
}

static const struct {
	const char *word;
	enum t_ability ability;
} abilities[] = {
	{ "link", T_HARD_LINKS },   { "special", T_SPECIAL },
	{ "exchange", T_EXCHANGE }, { "bytes", T_ANY_BYTES },
	{ "paths", T_LONG_PATHS },  { "over", T_LINK_OVER },
};
static unsigned lacking;

static int lacks_one(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++)
		if (strlen(abilities[i].word) == len &&
		    memcmp(abilities[i].word, word, len) == 0) {
			lacking |= abilities[i].ability;
			return 0;
		}
	return -1;
}

int t_lacks(const char *words)
{
	while (*words) {
		size_t len = strcspn(words, ",");

		if (lacks_one(words, len))
			return -1;
		words += len + (words[len] == ',');
	}
	return 0;
}

bool t_can(enum t_ability ability)
{
	if (!(lacking & ability))
		return true;
	for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++)
		if (abilities[i].ability == ability)
			t_skip(abilities[i].word);
	return false;
}

bool t_is_root(void)
{
	return getuid() == 0;
}

bool t_become(const struct t_user *user)
{
	if (!t_is_root()) {
		t_skip("switching users needs root");
		return false;
	}
	if (setgroups(user->n_groups, user->groups) ||
	    setresgid(user->gid, user->gid, 0) ||
	    setresuid(user->uid, user->uid, 0)) {
		perror("switching user");
		_exit(2);
	}
	return true;
}

bool t_return(void)
{
	static const gid_t none[1];

	if (setresuid(0, 0, 0) || setresgid(0, 0, 0) || setgroups(0, none)) {
		perror("returning to root");
		_exit(2);
	}
	return false;
}

void t_reap(pid_t pid)
{
	int status = 0;

	OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)ftw;
	(void)st;
	if (flag == FTW_DP || flag == FTW_DNR)
		return rmdir(path) && errno != ENOENT ? -1 : 0;
	return unlink(path) && errno != ENOENT ? -1 : 0;
}

// Directories that a test closed are opened first, for a caller without
// root's rights.
static int open_up(const char *path, const struct stat *st, int flag,
		   struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (flag == FTW_D || flag == FTW_DNR)
		return chmod(path, 0700) ? -1 : 0;
	return 0;
}

static void remove_tree(const char *path)
{
	if (nftw(path, open_up, REMOVE_FDS, FTW_PHYS) ||
	    nftw(path, remove_one, REMOVE_FDS, FTW_PHYS | FTW_DEPTH)) {
		atomic_fetch_add(&counters->failed, 1);
		printf("FAIL %s: cannot remove %s: %s\n", current, path,
		       errname(errno));
	}
}

int t_init(const char *dir, bool verbose)
{
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counters == MAP_FAILED) {
		perror("mmap");
		return -1;
	}
	verbose_tests = verbose;
	umask(0);
	int n = snprintf(base, sizeof(base), "%s/posix-suite.%ld", dir,
			 (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(base) - 64) {
		fprintf(stderr,
			"posix_suite: the directory name is too long\n");
		return -1;
	}
	if (mkdir(base, 0755)) {
		fprintf(stderr, "posix_suite: cannot make %s: %s\n", base,
			errname(errno));
		return -1;
	}
	return 0;
}

static int run_child(const struct t_case *test, const char *work)
{
	if (chdir(work)) {
		printf("FAIL %s: cannot enter %s: %s\n", current, work,
		       errname(errno));
		return 2;
	}
	alarm(TEST_SECONDS);
	test->run();
	fflush(stdout);
	return 0;
}

void t_run(const char *noun, const struct t_case *test)
{
	char label[256];
	char work[sizeof(base) + 16];
	long before = atomic_load(&counters->failed);
	int status = 0;

	snprintf(label, sizeof(label), "%s/%s", noun, test->name);
	current = label;
	snprintf(work, sizeof(work), "%s/t%ld", base, tests_run++);
	if (mkdir(work, 0755)) {
		fail_line("harness", 0);
		printf("cannot make %s: %s\n", work, errname(errno));
		return;
	}
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_child(test, work));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		fail_line("harness", 0);
		printf("the test ended by %s %d\n",
		       WIFSIGNALED(status) ? "signal" : "exit code",
		       WIFSIGNALED(status) ? WTERMSIG(status)
					   : WEXITSTATUS(status));
	}
	remove_tree(work);
	bool good = atomic_load(&counters->failed) == before;

	tests_failed += !good;
	if (verbose_tests || !good)
		printf("%s - %s\n", good ? "ok" : "not ok", label);
	fflush(stdout);
	current = "?";
}

int t_finish(void)
{
	long checks = atomic_load(&counters->checks);
	long failed = atomic_load(&counters->failed);
	long skipped = atomic_load(&counters->skipped);

	if (rmdir(base)) {
		printf("FAIL cannot remove %s: %s\n", base, errname(errno));
		failed++;
	}
	printf("%ld tests, %ld of them failed; %ld parts skipped\n", tests_run,
	       tests_failed, skipped);
	printf("%ld checks, %ld failed\n", checks, failed);
	return failed > 0;
}
